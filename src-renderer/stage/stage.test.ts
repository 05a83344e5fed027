import { describe, expect, test } from 'vitest';
import type { EventView, ThreadView } from '../../src-lab/view';
import { factLabels, sayThread, stageOf, type Group, type Seen } from './stage';

const frame = (routine: string, layer: ThreadView['layer']) => ({
  routine,
  step: 'next',
  doc: 'It goes on.',
  source: 'S',
  layer,
});
const thread = (name: string, cpu: number, rest: Partial<ThreadView> = {}): ThreadView => ({
  name,
  cpu,
  layer: 'vmm',
  status: 'idle',
  enabled: false,
  stack: [],
  ...rest,
});
const inGuest = (name: string, cpu: number, layer: 'seam' | 'kvm'): ThreadView =>
  thread(name, cpu, {
    layer: 'guest',
    status: 'in-guest',
    stack: [
      frame('kvm_vcpu_ioctl', 'kvm'),
      frame('vcpu_enter_guest', 'kvm'),
      frame('enter', layer),
      frame('guest_run', 'guest'),
    ],
  });
const event = (n: number, rest: Partial<EventView>): EventView => ({
  n,
  moment: n,
  ns: n,
  thread: 'vmm',
  cpu: 0,
  layer: 'kvm',
  depth: 0,
  type: 'mark',
  name: '',
  text: '',
  say: '',
  source: '',
  took: null,
  leaf: null,
  ...rest,
});

/** A TD and a plain VMX guest of one vCPU each, with these values on top. */
function stage(
  values: Record<string, string> = {},
  events: EventView[] = [],
  threads?: ThreadView[],
  locks: Seen['locks'] = [],
): Group[] {
  const all: Record<string, string> = {
    'td.type': 'KVM_X86_TDX_VM',
    'vmx.type': 'KVM_X86_DEFAULT_VM',
    'td.vcpu0.created': '1',
    'vmx.vcpu0.created': '1',
    'td.vcpu0.mp_state': 'RUNNABLE',
    'td.vcpu0.mode': 'IN_GUEST_MODE',
    'td.vcpu0.tdvps.state': 'ACTIVE',
    'vmx.vcpu0.mp_state': 'UNINITIALIZED',
    'cpu1.context': 'SEAM_NON_ROOT',
    ...values,
  };
  const seen: Seen = {
    threads: threads ?? [thread('vmm', 0), inGuest('td.vcpu0', 1, 'seam'), thread('vmx.vcpu0', 2)],
    locks,
    count: events.length,
    lastAction: Math.max(
      0,
      events.findLastIndex(({ type }) => type === 'action'),
    ),
    event: (n) => events[n],
    value: (path) => all[path],
    hasChanged: (path) => path === 'td.vcpu0.mode',
  };
  return stageOf(seen);
}
const td = (groups: Group[]) => groups.find(({ name }) => name === 'td')!.columns[0]!;
const vmx = (groups: Group[]) => groups.find(({ name }) => name === 'vmx')!.columns[0]!;
const action = (text: string) => event(0, { type: 'action', text });

describe('lanes', () => {
  test('threads are grouped by VM, and what a VM is comes from its type', () => {
    const groups = stage({ 'vmx.type': 'NONE', 'vmx.vcpu0.created': '0' });
    expect(groups.map(({ name, kind }) => [name, kind])).toEqual([
      ['userspace', 'vmm'],
      ['td', 'td'],
      ['vmx', 'none'],
    ]);
    expect(vmx(groups).exists).toBe(false);
    expect(vmx(groups).facts.kvm).toEqual([]);
  });

  test('a routine stands in the lane of its layer, the innermost first', () => {
    const { frames } = td(stage());
    expect(frames.kvm.map(({ routine }) => routine)).toEqual(['vcpu_enter_guest', 'kvm_vcpu_ioctl']);
    expect(frames.seam.map(({ routine }) => routine)).toEqual(['enter']);
    expect(frames.guest.map(({ routine }) => routine)).toEqual(['guest_run']);
  });

  test('key state lies in the lane of the layer that owns it, and knows whether it changed', () => {
    const { facts } = td(stage());
    expect(facts.kvm).toEqual([
      { label: 'mp_state', value: 'RUNNABLE', path: 'td.vcpu0.mp_state', changed: false },
      { label: 'mode', value: 'IN_GUEST', path: 'td.vcpu0.mode', changed: true },
    ]);
    expect(facts.seam[0]).toMatchObject({ value: 'ACTIVE' });
    expect(facts.hardware[0]).toMatchObject({ label: 'context', value: 'SEAM_NON_ROOT' });
    expect(vmx(stage()).facts.seam).toEqual([]);
  });

  test('a lane has a row for every fact that any column has', () => {
    expect(factLabels(stage({ 'vmx.vcpu0.requests': 'EVENT' }), 'kvm')).toEqual([
      'mp_state',
      'mode',
      'requests',
    ]);
  });

  test('a VM beyond repair says so', () => {
    const deadOf = (values: Record<string, string>) => stage(values).map(({ dead }) => dead?.label ?? null);
    expect(deadOf({ 'td.module.fatal': '1' })).toEqual([null, 'fatal', null]);
    expect(deadOf({ 'vmx.vm_bugged': '1', 'vmx.vm_dead': '1' })).toEqual([null, null, 'bugged']);
  });

  test('the life of a TD is told as KVM has it, and as the module has it where they differ', () => {
    const lives = (ofKvm: string, ofModule: string) =>
      stage({ 'td.td_state': ofKvm, 'td.module.op_state': ofModule }).map(({ life }) => life);
    expect(lives('RUNNABLE', 'RUNNABLE')).toEqual([null, { reached: 2, label: 'RUNNABLE' }, null]);
    expect(lives('INITIALIZED', 'RUNNABLE')[1]).toEqual({
      reached: 1,
      label: 'KVM INITIALIZED, module RUNNABLE',
    });
  });

  test('a lock stands at whoever holds it and at whoever waits', () => {
    const mutex = { name: 'vcpu->mutex', of: 'td.vcpu0', holder: 'td.vcpu0', waiting: ['vmm'] };
    const columns = stage({}, [], undefined, [mutex]).flatMap((group) => group.columns);
    expect(columns.map(({ locks }) => locks)).toEqual([
      [
        {
          label: 'td.vcpu0 mutex',
          heldBy: 'td.vcpu0',
          say: 'waits for vcpu->mutex of td.vcpu0, which td.vcpu0 holds',
        },
      ],
      [{ label: 'mutex', heldBy: null, say: 'holds vcpu->mutex of td.vcpu0' }],
      [],
    ]);
  });
});

describe('world switches since the last action', () => {
  const at = (n: number, layer: EventView['layer'], rest: Partial<EventView> = {}) =>
    event(n, { thread: 'td.vcpu0', layer, depth: 3, type: 'call', ...rest });

  test('are the layers of its events, without repetition, ending where the thread is', () => {
    const events = [
      at(0, 'guest'),
      action('vm=td'),
      at(2, 'guest', { type: 'return' }),
      at(3, 'seam'),
      at(4, 'kvm'),
      at(5, 'kvm'),
    ];
    expect(td(stage({}, events)).trail).toEqual(['guest', 'seam', 'kvm', 'guest']);
  });

  test('a call from userspace begins in the VMM', () => {
    expect(td(stage({}, [action('vm=td'), at(1, 'kvm', { depth: 0 })])).trail).toEqual([
      'vmm',
      'kvm',
      'guest',
    ]);
  });

  test('a thread that did nothing only stands where it is', () => {
    expect(vmx(stage({}, [action('vm=td')])).trail).toEqual(['vmm']);
  });

  test('of many, only the newest are kept', () => {
    const events = [
      action(''),
      ...Array.from({ length: 30 }, (_, i) => at(i + 1, i % 2 === 0 ? 'kvm' : 'seam')),
    ];
    expect(td(stage({}, events)).trail.length).toBeLessThanOrEqual(6);
  });
});

describe('INIT and SIPI', () => {
  const signals = (groups: Group[], vm: 'td' | 'vmx') =>
    (vm === 'td' ? td : vmx)(groups).signals.map(({ name, fate }) => `${name} ${fate}`);

  test('at a TD an INIT stays latched at the wall', () => {
    const held = stage({ 'td.vcpu0.apic.pending_events': 'INIT' });
    expect(signals(held, 'td')).toEqual(['INIT stopped']);
    expect(td(held).signals[0]!.by).toBe('vt_apic_init_signal_blocked');
  });

  test('at a TD a SIPI that KVM threw away is shown as dropped until the next action', () => {
    const events = [
      action('vm=td dest=0'),
      event(1, { name: 'sipi_blocked', text: 'vcpu 0', thread: 'td.vcpu0' }),
    ];
    expect(signals(stage({ 'td.vcpu0.apic.pending_events': 'INIT' }, events), 'td')).toEqual([
      'INIT stopped',
      'SIPI dropped',
    ]);
    expect(signals(stage({}, [...events, event(2, { type: 'action', text: 'vm=td' })]), 'td')).toEqual([]);
  });

  test('at a plain guest the same INIT waits, then acts', () => {
    expect(signals(stage({ 'vmx.vcpu0.apic.pending_events': 'INIT' }), 'vmx')).toEqual(['INIT waits']);
    const events = [
      action('vm=vmx'),
      event(1, { name: 'vcpu_reset', text: 'vcpu 0 init_event yes', thread: 'vmx.vcpu0' }),
    ];
    expect(signals(stage({}, events), 'vmx')).toEqual(['INIT acted']);
  });

  test('a SIPI that starts a vCPU says where', () => {
    const events = [
      action('vm=vmx'),
      event(1, { name: 'sipi_delivered', text: 'vcpu 0 cs_base 0x10000 rip 0x0', thread: 'vmx.vcpu0' }),
    ];
    expect(vmx(stage({}, events)).signals).toEqual([
      { name: 'SIPI', fate: 'acted', say: 'starts at 0x10000', by: null },
    ]);
  });

  test('what the VMM causes belongs to the VM that the action names, and to that vCPU', () => {
    const events = [
      action('vm=vmx vcpu=0'),
      event(1, { name: 'sipi_ignored', text: 'vcpu 0 mp_state RUNNABLE', thread: 'vmm' }),
    ];
    expect(signals(stage({}, events), 'vmx')).toEqual(['SIPI dropped']);
    expect(signals(stage({}, events), 'td')).toEqual([]);
    const other = [action('vm=vmx'), event(1, { name: 'sipi_ignored', text: 'vcpu 1', thread: 'vmm' })];
    expect(signals(stage({}, other), 'vmx')).toEqual([]);
  });
});

test('a thread is said in one sentence', () => {
  expect(sayThread(thread('vmm', 0))).toBe('vmm: idle in userspace.');
  expect(sayThread(inGuest('td.vcpu0', 1, 'seam'))).toBe(
    'td.vcpu0: executing the guest, in Guest, guest_run, next step next: It goes on.',
  );
});
