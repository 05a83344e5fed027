import { expect, test } from 'vitest';
import { flightOf } from './motion';

const to = { x: 100, y: 40 };

test('something flies by way of every point to where it is, in offsets from there', () => {
  const flight = flightOf([{ x: 20, y: 300 }, { x: 100, y: 300 }], to)!; // prettier-ignore
  expect(flight.keyframes.map(({ translate }) => translate)).toEqual([
    '-80.0px 260.0px',
    '0.0px 260.0px',
    '0.0px 0.0px',
  ]);
});

test('points on the spot are no stops, and what stays where it is does not move', () => {
  expect(flightOf([to, to], to)).toBeNull();
  expect(flightOf([], to)).toBeNull();
  expect(flightOf([{ x: 0, y: 0 }, { x: 0.5, y: 0 }], to)!.keyframes).toHaveLength(2); // prettier-ignore
});

test('more stops take longer, but a long journey does not keep the learner waiting', () => {
  const way = (stops: number) => Array.from({ length: stops }, (_, i) => ({ x: 0, y: 100 + i * 50 }));
  const duration = (stops: number) => flightOf(way(stops), to)!.duration;
  expect(duration(2)).toBeGreaterThan(duration(1));
  expect(duration(30)).toBe(duration(20));
  expect(duration(30)).toBeLessThan(1000);
});
