import { expect, test } from 'vitest';
import { MINIMUM, placeOf } from './place';

const left = { x: 0, y: 0, width: 1920, height: 1040 };
const right = { x: 1920, y: 0, width: 2560, height: 1400 };
const at = (x: number, y: number, width = 1200, height = 800, maximized = false) => ({
  x,
  y,
  width,
  height,
  maximized,
});

test('the first window is centred on the first display', () => {
  expect(placeOf([left, right], null)).toEqual(at(240, 70, 1440, 900));
});

test('a window opens where it was, on any display, maximized if it was', () => {
  expect(placeOf([left, right], at(2500, 300, 1200, 800, true))).toEqual(at(2500, 300, 1200, 800, true));
  expect(placeOf([left], at(1700, 100))).toEqual(at(1700, 100));
});

test('a window whose display is gone comes back to the first display', () => {
  expect(placeOf([left], at(2500, 300))).toEqual(at(360, 120));
});

test('a window whose top edge is out of reach comes back', () => {
  expect(placeOf([left], at(100, -50))).toEqual(at(360, 120));
  expect(placeOf([left], at(100, 1030))).toEqual(at(360, 120));
  expect(placeOf([left], at(-1150, 100))).toEqual(at(360, 120));
});

test('a window is never smaller than the least size, nor larger than its display when that allows it', () => {
  expect(placeOf([left], at(10, 10, 300, 200))).toMatchObject(MINIMUM);
  expect(placeOf([left], at(0, 0, 9000, 9000))).toMatchObject({ width: 1920, height: 1040 });
  expect(placeOf([{ x: 0, y: 0, width: 800, height: 500 }], null)).toEqual(at(0, 0, 960, 600));
});
