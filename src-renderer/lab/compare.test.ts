import { expect, test } from 'vitest';
import type { Comparison, NotebookLine } from '../../src-lab/view';
import { differencesOf, momentsOf, nextOf, sayDistance } from './compare';

const field = (path: string) => ({
  path,
  doc: '',
  source: '',
  layer: 'kvm' as const,
  kind: 'number' as const,
  width: 8,
  names: [],
});
const line = (to: number, news: boolean, given = false): NotebookLine => ({
  command: '',
  given,
  cut: false,
  on: null,
  at: [
    { from: 0, to, value: '' },
    { from: 0, to: to + 10, value: '' },
  ],
  differing: { count: 1, news },
});
const differences = (state: { a: number; b: number } | null): Comparison['differences'] => ({
  before: [],
  event: null,
  state: state && { ...state, fields: [] },
  now: [],
});

test('all state that differs is listed, but not what machine, time and place it is', () => {
  const fields = ['now', 'variant.apicv_v1', 'td.vcpu0.mode', 'td.vcpu0.thread.status', 'last.return'].map(
    field,
  );
  const a = { fields, values: ['1', '1', 'IN_GUEST', 'READY', '0'] };
  const b = { fields, values: ['2', '0', 'OUTSIDE', 'IDLE', '0'] };
  expect(differencesOf(a, b)).toEqual([{ path: 'td.vcpu0.mode', a: 'IN_GUEST', b: 'OUTSIDE' }]);
});

test('one comes from difference to difference, and from the last to the first', () => {
  const notebook = [line(5, true, true), line(20, false), line(30, true)];
  const moments = momentsOf('a', differences({ a: 12, b: 14 }), notebook);
  expect(moments).toEqual([12, 30]);
  expect(momentsOf('b', differences({ a: 12, b: 14 }), notebook)).toEqual([14, 40]);
  expect([0, 12, 30].map((moment) => nextOf(moments, moment))).toEqual([12, 30, 12]);
  expect(nextOf(momentsOf('a', differences(null), []), 3)).toBeNull();
});

test('a distance is said in moments', () => {
  expect([sayDistance(5, 5), sayDistance(6, 5), sayDistance(5, 25)]).toEqual([
    'here',
    '1 moment ahead',
    '20 moments back',
  ]);
});
