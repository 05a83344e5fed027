import { expect, test } from 'vitest';
import { placeBeside } from './place';

const window = { width: 1280, height: 800 };
const size = { width: 320, height: 200 };

test.each([
  ['to the right of the guide', { left: 0, top: 44, width: 396, height: 728 }, { left: 408, top: 44 }],
  ['to the left of the state', { left: 1018, top: 44, width: 262, height: 728 }, { left: 686, top: 44 }],
  ['below a line at the top', { left: 0, top: 0, width: 1280, height: 44 }, { left: 12, top: 56 }],
  ['above a line at the bottom', { left: 0, top: 740, width: 1280, height: 60 }, { left: 12, top: 528 }],
  [
    'over the corner of what fills the window',
    { left: 0, top: 0, width: 1280, height: 800 },
    { left: 948, top: 588 },
  ],
])('an explanation stands %s', (_, box, place) => {
  expect(placeBeside(box, size, window)).toEqual(place);
});

test('it never leaves the window, whatever it explains', () => {
  const { left, top } = placeBeside({ left: 1200, top: 780, width: 60, height: 40 }, size, window);
  expect(left + size.width).toBeLessThanOrEqual(window.width);
  expect(top + size.height).toBeLessThanOrEqual(window.height);
});
