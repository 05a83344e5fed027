import { expect, test } from 'vitest';
import { Ordering } from './ordering.svelte';

const ids = ['a', 'b', 'c', 'd'];

test('at first everything is left out', () => {
  expect(new Ordering(ids).placed).toEqual([]);
});

test('an earlier answer comes back, without items that are gone', () => {
  const ordering = new Ordering(ids, ['d', 'gone', 'a']);
  expect(ordering.placed).toEqual(['d', 'a']);
});

test('an item is put at the end or at a place; put again, it moves', () => {
  const ordering = new Ordering(ids);
  for (const id of ['a', 'b', 'c']) ordering.put(id);
  ordering.put('d', 1);
  expect(ordering.placed).toEqual(['a', 'd', 'b', 'c']);
  ordering.put('a', 3);
  expect(ordering.placed).toEqual(['d', 'b', 'a', 'c']);
  ordering.put('c', 0);
  expect(ordering.placed).toEqual(['c', 'd', 'b', 'a']);
});

test('moving stops at both ends', () => {
  const ordering = new Ordering(ids, ['a', 'b', 'c']);
  ordering.move('a', -1);
  ordering.move('c', 1);
  ordering.move('d', 1);
  expect(ordering.placed).toEqual(['a', 'b', 'c']);
  ordering.move('c', -1);
  expect(ordering.placed).toEqual(['a', 'c', 'b']);
});

test('what is left out is in no place', () => {
  const ordering = new Ordering(ids, ['d', 'b', 'a']);
  ordering.leaveOut('b');
  expect(ordering.placed).toEqual(['d', 'a']);
});
