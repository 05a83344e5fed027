import { describe, expect, test } from 'vitest';
import type { EventView } from '../../src-lab/view';
import { TRACE_LOOK, type TraceFilter } from '../../src-main/contract';
import { filterText, rowOf, showNs, TraceRows } from './rows';

const NO_FILTER: TraceFilter = { ...TRACE_LOOK.filter, calls: true };

const event = (n: number, type: EventView['type'], rest: Partial<EventView> = {}): EventView => ({
  n,
  moment: n,
  ns: 0,
  thread: 'td.vcpu0',
  cpu: 1,
  layer: 'kvm',
  depth: 0,
  type,
  name: 'kvm_entry',
  text: 'vcpu 0',
  say: '',
  source: 'TRC-1',
  ...rest,
});
const events = [
  event(0, 'action', { layer: 'vmm', name: 'KVM_RUN', thread: 'vmm' }),
  event(1, 'call', { name: 'kvm_vcpu_ioctl' }),
  event(2, 'tracepoint'),
  event(3, 'mark', { layer: 'seam', name: 'seamcall', text: 'TDH.VP.ENTER' }),
  event(4, 'return', { name: 'kvm_vcpu_ioctl', text: '-EINTR' }),
];
const rows = (filter: Partial<TraceFilter>): readonly number[] =>
  new TraceRows().of((n) => events[n], events.length, 0, { ...NO_FILTER, ...filter });

describe('a filtered trace', () => {
  test('shows actions whatever types are shown', () => {
    expect(rows({ calls: false, tracepoints: false, marks: false })).toEqual([0]);
    expect(rows({ calls: false })).toEqual([0, 2, 3]);
    expect(rows({ marks: false })).toEqual([0, 1, 2, 4]);
  });

  test('leaves out layers', () => {
    expect(rows({ without: ['seam', 'vmm'] })).toEqual([1, 2, 4]);
  });

  test('finds text in name, arguments, thread and source, in any case', () => {
    expect(rows({ text: 'tdh.vp' })).toEqual([3]);
    expect(rows({ text: 'IOCTL' })).toEqual([1, 4]);
    expect(rows({ text: 'trc-1' })).toHaveLength(5);
    expect(rows({ text: 'vmm' })).toEqual([0]);
  });

  test('grows by what is new, without looking at the old again', () => {
    const digest = new TraceRows();
    const looked: number[] = [];
    const look = (n: number): EventView | undefined => {
      looked.push(n);
      return events[n];
    };
    expect(digest.of(look, 3, 0, NO_FILTER)).toEqual([0, 1, 2]);
    looked.length = 0;
    expect(digest.of(look, 5, 0, NO_FILTER)).toEqual([0, 1, 2, 3, 4]);
    expect(looked).toEqual([3, 4]);
  });

  test('begins anew when events were replaced or gone', () => {
    const digest = new TraceRows();
    digest.of((n) => events[n], 5, 0, NO_FILTER);
    expect(digest.of((n) => events[n], 2, 0, NO_FILTER)).toEqual([0, 1]);
    const others = [event(0, 'mark')];
    expect(digest.of((n) => others[n], 1, 1, NO_FILTER)).toEqual([0]);
  });

  test('has no row where main sent only the end of a long trace', () => {
    expect(new TraceRows().of((n) => (n < 3 ? undefined : events[n]), 5, 0, NO_FILTER)).toEqual([3, 4]);
  });
});

test('the row of an event is the first at or after it', () => {
  expect([0, 2, 3, 9].map((n) => rowOf([0, 2, 5], n))).toEqual([0, 1, 2, 3]);
});

test('nanoseconds are grouped by thousands', () => {
  expect([0, 950, 17_450, 1_234_567].map(showNs)).toEqual(['0', '950', '17 450', '1 234 567']);
});

test('a filter says what it shows', () => {
  const { filter } = TRACE_LOOK;
  expect(filterText(filter)).toBe('tracepoints, marks');
  expect(filterText({ ...filter, text: ' kvm_exit ', without: ['seam', 'guest'] })).toBe(
    '"kvm_exit": tracepoints, marks, without TDX module and guest',
  );
  expect(filterText({ ...filter, tracepoints: false, marks: false })).toBe('actions alone');
});
