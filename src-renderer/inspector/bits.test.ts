import { expect, test } from 'vitest';
import { bitsOf, moveInGrid, sayBits } from './bits';

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

test('keys move over the grid in rows of sixteen, and from one set bit to the next', () => {
  const bits = bitsOf('48 49', 256, []);
  const from = (at: number, ...keys: string[]) => keys.reduce((n, key) => moveInGrid(key, n, bits)!, at);
  expect(from(0, 'ArrowDown', 'ArrowRight')).toBe(17);
  expect(from(0, 'ArrowUp', 'ArrowLeft')).toBe(0);
  expect(from(0, 'PageDown', 'PageDown')).toBe(49);
  expect(from(255, 'PageUp', 'PageUp', 'PageUp')).toBe(48);
  expect(from(7, 'End')).toBe(255);
  expect(moveInGrid('a', 0, bits)).toBeNull();
});
