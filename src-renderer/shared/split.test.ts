import { expect, test } from 'vitest';
import { moveDivider, usableSizes } from './split';

test('moving a divider changes its two neighbours and keeps their sum', () => {
  expect(moveDivider([30, 40, 30], 0, 5, [10, 10, 10])).toEqual([35, 35, 30]);
  expect(moveDivider([30, 40, 30], 1, -5, [10, 10, 10])).toEqual([30, 35, 35]);
});

test('no pane becomes smaller than its least size', () => {
  expect(moveDivider([30, 40, 30], 0, 90, [10, 25, 10])).toEqual([45, 25, 30]);
  expect(moveDivider([30, 40, 30], 0, -90, [10, 25, 10])).toEqual([10, 60, 30]);
});

test('where the least sizes do not fit, nothing moves', () => {
  expect(moveDivider([50, 50], 0, 10, [60, 60])).toEqual([50, 50]);
});

test('remembered sizes of another layout are not used', () => {
  expect(usableSizes([50, 50], [30, 40, 30])).toEqual([30, 40, 30]);
  expect(usableSizes([50, 80], [60, 40])).toEqual([60, 40]);
  expect(usableSizes(null, [60, 40])).toEqual([60, 40]);
  expect(usableSizes([55.5, 44.4], [60, 40])).toEqual([55.5, 44.4]);
});
