import { expect, test } from 'vitest';
import { bitsOf, sayBits } from './bits';

test('named bits are found by name, others by number', () => {
  expect(bitsOf('SIPI 3', 4, ['INIT', 'SIPI'])).toEqual([
    { n: 0, name: 'INIT', set: false },
    { n: 1, name: 'SIPI', set: true },
    { n: 2, name: '', set: false },
    { n: 3, name: '', set: true },
  ]);
});

test('the grid has its sentence', () => {
  expect(sayBits(bitsOf('48 49', 256, []))).toBe('2 of 256 bits set: 48, 49.');
  expect(sayBits(bitsOf('', 8, []))).toBe('None of 8 bits is set.');
});
