import { describe, expect, test } from 'vitest';
import type { EventView } from '../../src-lab/view';
import { CallGraph, graphText, showTook } from './graph';

let n = 0;
const event = (
  type: EventView['type'],
  name: string,
  depth: number,
  rest: Partial<EventView> = {},
): EventView => ({
  n: n++,
  moment: n,
  ns: n * 50,
  thread: 'td.vcpu0',
  cpu: 1,
  layer: 'kvm',
  depth,
  type,
  name,
  text: type === 'return' ? '0' : '',
  say: '',
  source: '',
  ...rest,
});
/** The rows of some events as they read: indented by depth, with what they took. */
function drawn(events: readonly EventView[], joins = true): string[] {
  const graph = new CallGraph(joins);
  return events
    .filter((one) => graph.add(one))
    .map((one) => {
      const { name, rest } = graphText(one, graph.of(one));
      return `${'  '.repeat(one.depth)}${name} ${rest} ${showTook(graph.of(one).took)}`.trimEnd();
    });
}

describe('the function graph', () => {
  test('a call in which nothing else happened is one row with its result, others open and close', () => {
    const events = [
      event('call', 'vcpu_enter_guest', 0),
      event('call', 'vmx_sync_pir_to_irr', 1),
      event('return', 'vmx_sync_pir_to_irr', 1, { text: '-1' }),
      event('tracepoint', 'kvm_entry', 1, { text: 'vcpu 0' }),
      event('return', 'vcpu_enter_guest', 0, { text: '1' }),
    ];
    expect(drawn(events)).toEqual([
      'vcpu_enter_guest() {',
      '  vmx_sync_pir_to_irr(); = -1 0.050 us',
      '  kvm_entry vcpu 0',
      '} vcpu_enter_guest = 1 0.200 us',
    ]);
  });

  test('where calls and returns are looked for apart, both keep their row', () => {
    const events = [event('call', 'kvm_vcpu_kick', 0), event('return', 'kvm_vcpu_kick', 0)];
    expect(drawn(events, false)).toEqual(['kvm_vcpu_kick() {', '} kvm_vcpu_kick = 0 0.050 us']);
  });

  test('threads nest apart: what another one does in between does not end a call', () => {
    const other = { thread: 'vmm', cpu: 0 };
    const events = [
      event('call', 'kvm_vcpu_block', 0),
      event('call', 'kvm_vcpu_kick', 0, other),
      event('return', 'kvm_vcpu_kick', 0, other),
      event('return', 'kvm_vcpu_block', 0),
    ];
    expect(drawn(events)).toEqual([
      'kvm_vcpu_block() {',
      'kvm_vcpu_kick(); = 0 0.050 us',
      '} kvm_vcpu_block = 0 0.150 us',
    ]);
  });

  test('what the model gave up never closes, and does not lend its beginning to a later call', () => {
    const events = [
      event('call', 'kvm_vm_ioctl', 0),
      event('call', 'too_deep', 1),
      event('action', 'KVM_RUN', 0),
      event('call', 'kvm_vcpu_ioctl', 0),
      event('tracepoint', 'kvm_entry', 1),
      event('return', 'kvm_vcpu_ioctl', 0),
    ];
    expect(drawn(events).slice(-1)).toEqual(['} kvm_vcpu_ioctl = 0 0.100 us']);
  });

  test('a return whose call the trace no longer has says so by having no duration', () => {
    expect(drawn([event('return', 'vcpu_run', 1)])).toEqual(['  } vcpu_run = 0']);
  });
});
