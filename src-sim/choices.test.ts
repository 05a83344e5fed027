import { expect, test } from 'vitest';
import { Choices } from './choices';

const upTo = (length: number, from = new Choices()): Choices => {
  for (let n = from.length; n < length; n++) from.push(n);
  return from;
};
const read = (choices: Choices): number[] => Array.from({ length: choices.length }, (_, n) => choices.at(n));

test.each([0, 1, 4_095, 4_096, 4_097, 10_000])(
  'the first %i of many go on without touching them',
  (first) => {
    const choices = upTo(10_000);
    const other = choices.first(first);
    for (let n = 0; n < 5_000; n++) other.push(-1);
    expect(read(choices)).toEqual(read(upTo(10_000)));
    expect(read(other)).toEqual([...read(upTo(first)), ...Array.from({ length: 5_000 }, () => -1)]);
  },
);
