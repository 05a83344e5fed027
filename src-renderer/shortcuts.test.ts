import { expect, test } from 'vitest';
import { conflicts, DEFAULT_BINDINGS, GROUPS, keysOf } from './shortcuts';

test('no two commands share a key', () => {
  expect(conflicts(DEFAULT_BINDINGS)).toEqual([]);
  expect(conflicts({ run: ['F8'], step: ['f8'] })).toEqual([['run', 'step', 'f8']]);
});

test('the help shows every bound command once', () => {
  const shown = GROUPS.flatMap(({ ids }) => ids);
  expect([...shown].sort()).toEqual(Object.keys(DEFAULT_BINDINGS).sort());
});

test('every binding needs a modifier or a function key: single letters belong to whoever types', () => {
  for (const key of Object.values(DEFAULT_BINDINGS).flat())
    expect(key).toMatch(/^(F\d|Shift\+F\d|\$mod\+|Alt\+)/);
});

test('keys are written as the keyboard of the platform shows them', () => {
  expect(keysOf('$mod+Shift+f', false)).toEqual(['Ctrl', 'Shift', 'F']);
  expect(keysOf('$mod+k', true)).toEqual(['Cmd', 'K']);
  expect(keysOf('$mod+Shift++', false)).toEqual(['Ctrl', 'Shift', '+']);
  expect(keysOf('Alt+ArrowLeft', false)).toEqual(['Alt', 'Left']);
});
