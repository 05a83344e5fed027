import { expect, test } from 'vitest';
import { flightOf } from './motion';

const to = { x: 100, y: 40 };

test('something flies by way of every point to where it is, in offsets from there', () => {
  const flight = flightOf([{ x: 20, y: 300 }, { x: 100, y: 300 }], to, 1)!; // prettier-ignore
  expect(flight.keyframes.map(({ translate }) => translate)).toEqual([
    '-80.0px 260.0px',
    '0.0px 260.0px',
    '0.0px 0.0px',
  ]);
});

test('offsets count in pixels of the design, however large the picture is drawn', () => {
  expect(flightOf([{ x: 20, y: 40 }], to, 2)!.keyframes[0]!.translate).toBe('-40.0px 0.0px');
});

test('points on the spot are no stops, and what stays where it is does not move', () => {
  expect(flightOf([to, to], to, 1)).toBeNull();
  expect(flightOf([], to, 1)).toBeNull();
  expect(flightOf([{ x: 0, y: 0 }, { x: 0.5, y: 0 }], to, 1)!.keyframes).toHaveLength(2); // prettier-ignore
});

test('more stops take longer, but a long journey does not keep the learner waiting', () => {
  const way = (stops: number) => Array.from({ length: stops }, (_, i) => ({ x: 0, y: 100 + i * 50 }));
  const duration = (stops: number) => flightOf(way(stops), to, 1)!.duration;
  expect(duration(2)).toBeGreaterThan(duration(1));
  expect(duration(30)).toBe(duration(20));
  expect(duration(30)).toBeLessThan(1000);
});
