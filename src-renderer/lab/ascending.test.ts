import { expect, test } from 'vitest';
import { Ascending } from './ascending';

const of = (...numbers: number[]): Ascending => new Ascending(Int32Array.from(numbers));
const read = (list: Ascending): (number | undefined)[] =>
  Array.from({ length: list.length }, (_, i) => list.at(i));

test('a number stands at its place, or where it would stand', () => {
  expect([0, 2, 3, 9].map((n) => of(0, 2, 5).indexOf(n))).toEqual([0, 1, 2, 3]);
  expect([of(4).at(0), of(4).at(1)]).toEqual([4, undefined]);
});

test('a list is cut and grows at its end, over and over', () => {
  let list = of(1, 2, 3).followedBy(2, Int32Array.of(7, 8, 9));
  expect(read(list)).toEqual([1, 2, 7, 8, 9]);
  list = list.followedBy(1, new Int32Array(0));
  expect([read(list), list.at(1)]).toEqual([[1], undefined]);
  for (let n = 10; n < 500; n++) list = list.followedBy(list.length, Int32Array.of(n));
  expect([list.length, list.at(490), list.indexOf(300)]).toEqual([491, 499, 291]);
});
