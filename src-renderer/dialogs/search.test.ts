import { expect, test } from 'vitest';
import type { Entry } from './entries';
import { search } from './search';

const entry = (title: string, detail = '', group = 'Actions'): Entry => ({
  id: title,
  group,
  title,
  detail,
  keys: [],
  run: () => {},
});
const entries = [
  entry('vmm KVM_GET_MP_STATE', 'Reads mp_state'),
  entry('vmm KVM_SET_MP_STATE', 'Sets mp_state'),
  entry('Settings', '', 'Screen'),
  entry('guest HLT', 'The guest stops'),
];
const found = (query: string): string[] => search(entries, query).map(({ title }) => title);

test('nothing asked, everything shown in its order', () => {
  expect(found('')).toEqual(entries.map(({ title }) => title));
});

test('the beginning of a name comes before a part of one, and that before the description', () => {
  expect(found('set')).toEqual(['Settings', 'vmm KVM_SET_MP_STATE']);
  expect(found('st')).toEqual(['vmm KVM_GET_MP_STATE', 'vmm KVM_SET_MP_STATE', 'guest HLT']);
});

test('every word must be found', () => {
  expect(found('mp set')).toEqual(['vmm KVM_SET_MP_STATE']);
  expect(found('mp nothing')).toEqual([]);
});
