import { describe, expect, test } from 'vitest';
import { TALLEST, TallScroll } from './tall.svelte';

const ROOM = 400;
function scroll(height: number): TallScroll {
  const tall = new TallScroll();
  tall.resize(height);
  return tall;
}

test('a list that fits is scrolled as its element', () => {
  const tall = scroll(TALLEST);
  for (const top of [0, 12.5, 5_000_000, TALLEST - ROOM]) {
    expect([tall.scrolled(top), tall.shift]).toEqual([top, 0]);
    expect([tall.go(top), tall.shift]).toEqual([top, 0]);
  }
  expect(tall.space).toBe(TALLEST);
});

describe('a list that is too tall for any element', () => {
  const HEIGHT = 44_000_000;

  test('begins and ends with its element', () => {
    const tall = scroll(HEIGHT);
    expect(tall.space).toBe(TALLEST);
    expect(tall.scrolled(TALLEST - ROOM)).toBe(HEIGHT - ROOM);
    expect(tall.scrolled(0)).toBe(0);
    expect(tall.go(HEIGHT - ROOM)).toBe(TALLEST - ROOM);
    expect(tall.go(0)).toBe(0);
  });

  test('is gone through by a scroll bar, a part of the way for the same part', () => {
    const tall = scroll(HEIGHT);
    expect(tall.scrolled(TALLEST / 2)).toBe(HEIGHT / 2);
    expect(tall.scrolled(TALLEST / 4)).toBeGreaterThan(HEIGHT / 5);
    expect(tall.scrolled(TALLEST / 4)).toBeLessThan(HEIGHT / 4);
  });

  test('is moved by a wheel as far as its element, wherever it is', () => {
    const tall = scroll(HEIGHT);
    for (const offset of [50_000, 99_900, 22_000_000, HEIGHT - 100_100, HEIGHT - ROOM - 700]) {
      const top = tall.go(offset);
      for (const by of [700, 100, -300]) expect(tall.scrolled(top + by)).toBe(offset + by);
    }
  });

  test('stays where it is when it becomes taller, or low enough for its element', () => {
    const tall = scroll(HEIGHT);
    tall.go(5_000_000);
    expect(tall.resize(HEIGHT)).toBe(false);
    for (const height of [2 * HEIGHT, TALLEST]) {
      expect(tall.resize(height)).toBe(true);
      expect(tall.go(5_000_000) + tall.shift).toBe(5_000_000);
    }
    expect([tall.shift, tall.resize(TALLEST / 2)]).toEqual([0, false]);
  });

  test('stays where it is when the element comes back to where it belongs', () => {
    const tall = scroll(HEIGHT);
    let top = tall.go(22_000_000);
    for (let i = 0; i < 50; i++) tall.scrolled((top += 1_000));
    const back = tall.go(top + tall.shift);
    expect(back).toBeLessThan(top);
    expect(tall.scrolled(back)).toBe(22_050_000);
  });
});
