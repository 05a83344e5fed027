import { expect, test } from 'vitest';
import { fitting, nextZoom, ZOOMS } from './viewport.svelte';

test('sizes go one by one and stop at the ends', () => {
  expect(nextZoom(1, 1)).toBe(1.25);
  expect(nextZoom(1, -1)).toBe(0.9);
  expect(nextZoom(0.73, 1)).toBe(0.8);
  expect(nextZoom(2, 1)).toBe(2);
  expect(nextZoom(ZOOMS[0], -1)).toBe(ZOOMS[0]);
});

test('a picture is shrunk until all of it is in view, but never enlarged, and never beyond the smallest size', () => {
  const place = { width: 600, height: 400 };
  expect(fitting(1, { width: 800, height: 400 }, place)).toBe(0.75);
  expect(fitting(1, { width: 600, height: 500 }, place)).toBe(0.8);
  expect(fitting(0.5, { width: 300, height: 200 }, place)).toBe(1);
  expect(fitting(1, { width: 300, height: 200 }, place)).toBe(1);
  expect(fitting(1, { width: 6000, height: 400 }, place)).toBe(ZOOMS[0]);
});
