import { expect, test } from 'vitest';
import { answers } from './answers';

test('a question is answered by a text that has each of its words', () => {
  expect(answers('One NMI is pending, the other collapses', 'nmi  collapse')).toBe(true);
  expect(answers('One NMI is pending', 'nmi init')).toBe(false);
  expect(answers('anything', '')).toBe(true);
});
