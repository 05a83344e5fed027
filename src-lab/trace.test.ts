import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Trace } from '../src-sim';
import { bothRunning } from '../src-sim/testing/bench';
import { admits, eventView, TraceMatcher } from './trace';
import { TRACE_FILTER, type TraceFilter } from './view';

/** A trace with everything in it: actions, calls on several threads, tracepoints, marks of all layers. */
function recorded() {
  const bench = bothRunning();
  bench.does({ guest: 'SVR', vm: 'td', vcpu: 1 });
  bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 1, delivery_mode: 'FIXED', vector: 0x31 });
  bench.does({ guest: 'ICR', vm: 'vmx', vcpu: 0, dest: 1, delivery_mode: 'INIT' });
  return bench;
}
const BENCH = recorded();

/** What is found by looking at every event as an object. */
function naive(trace: Trace, filter: TraceFilter): number[] {
  const needle = filter.text.trim().toLowerCase();
  const isJoined = (n: number): boolean =>
    n > trace.first && trace.event(n).type === 'return' && eventView(trace, n - 1).leaf !== null;
  return Array.from({ length: trace.known - trace.first }, (_, i) => trace.first + i).filter(
    (n) => admits(filter, needle, trace.event(n)) && !(needle === '' && isJoined(n)),
  );
}

const WORDS = [
  '',
  ' ',
  'KVM_',
  'vcpu',
  '0x31',
  'td.vcpu1',
  'vmm',
  'TRC-',
  'msi',
  'dest=1',
  'INIT',
  'no such word',
];
const filters: fc.Arbitrary<TraceFilter> = fc.record({
  calls: fc.boolean(),
  tracepoints: fc.boolean(),
  marks: fc.boolean(),
  without: fc.subarray(['guest', 'seam', 'kvm', 'vmm', 'hardware'] as const).map((layers) => [...layers]),
  text: fc.constantFrom(...WORDS),
});

test('packed rows pass a filter exactly when their events do', () => {
  fc.assert(
    fc.property(filters, (filter) => {
      const { trace } = BENCH.machine;
      expect([...new TraceMatcher(filter).rows(trace, 0)]).toEqual(naive(trace, filter));
    }),
    { numRuns: 60 },
  );
});

test('what is new is found as if all were looked at, also after another line of history has begun', () => {
  fc.assert(
    fc.property(filters, fc.array(fc.nat({ max: 1_000 }), { minLength: 1, maxLength: 4 }), (filter, back) => {
      const bench = recorded();
      const { trace } = bench.machine;
      const matcher = new TraceMatcher(filter);
      let rows = [...matcher.rows(trace, 0)];
      for (const by of back) {
        bench.jump(bench.last - by);
        const keep = trace.count;
        bench.does({
          vmm: 'KVM_SIGNAL_MSI',
          vm: 'td',
          dest: 1,
          delivery_mode: 'FIXED',
          vector: 0x20 + (by % 200),
        });
        rows = [...rows.filter((n) => n < keep), ...matcher.rows(trace, keep)];
        expect(rows).toEqual(naive(trace, filter));
      }
    }),
    { numRuns: 20 },
  );
});

test('actions are shown whatever types are shown', () => {
  const { trace } = BENCH.machine;
  const rows = new TraceMatcher({ ...TRACE_FILTER, tracepoints: false, marks: false }).rows(trace, 0);
  expect(rows.length).toBeGreaterThan(3);
  for (const n of rows) expect(trace.event(n).type).toBe('action');
});
