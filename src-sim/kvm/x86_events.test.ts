import { describe, expect, test } from 'vitest';
import { vmcs, vmcsOf } from './kvm_host';
import { Bench } from '../testing/bench';
import { kvm_queue_exception } from './x86_exceptions';
import { process_nmi } from './x86_inject';

/** Events of a plain guest between the request and the entry: what NMIs merge into, what goes first, what wakes. */

const on = { vm: 'vmx', vcpu: 0 };
/** A plain guest of one vCPU that is in userspace, its APIC enabled: its next KVM_RUN is `run`. */
function stopped(switches: Record<string, boolean> = {}): Bench {
  const bench = new Bench({ vms: { vmx: 1 }, switches });
  bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1 });
  bench.does({ guest: 'SVR', ...on });
  bench.does(signal);
  return bench;
}
const signal = { vmm: 'signal', ...on };
const run = { vmm: 'KVM_RUN', ...on };
const nmi = { vmm: 'KVM_NMI', ...on };
const smi = { vmm: 'KVM_SMI', ...on };
const init = { vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 0, delivery_mode: 'INIT' };
const irq = (vector: number) => ({ ...init, delivery_mode: 'FIXED', vector });
const set = (events: Record<string, number>) => ({ vmm: 'KVM_SET_VCPU_EVENTS', ...on, ...events });
const get = { vmm: 'KVM_GET_VCPU_EVENTS', ...on };
const shows = (bench: Bench, field: string): string => bench.shows(`vmx.vcpu0.${field}`);
const guest = (bench: Bench, ...fields: string[]): string[] =>
  fields.map((field) => shows(bench, `guest.${field}`));
/** How many NMIs are raised, wait and are being injected. */
const nmis = (bench: Bench): string[] =>
  ['nmi_queued', 'nmi_pending', 'nmi_injected'].map((field) => shows(bench, field));

/** One VM entry: the event that it carries, as a number, and the windows that are armed. */
interface Entry {
  readonly event: number;
  readonly windows: string;
}
const NMI = 0x8000_0202;
const EXCEPTION_UD = 0x8000_0306;
const NO_EVENT = 0;
const externalInterrupt = (vector: number): number => 0x8000_0000 + vector;

/** Every VM entry from `action` until the vCPU has nothing to do. */
function entries(bench: Bench, action: Record<string, unknown> = run): Entry[] {
  const vcpu = bench.machine.vcpus[0]!;
  const found: Entry[] = [];
  bench.starts(action);
  for (;;) {
    const top = bench.machine
      .threads()
      .find(({ name }) => name === 'vmx.vcpu0')!
      .stack.at(-1);
    if (top?.routine === 'vmx_vcpu_run' && top.step === 'vmenter') {
      const windows = shows(bench, 'vmcs.cpu_based')
        .split(' ')
        .filter((name) => name.endsWith('_WINDOW'));
      found.push({
        event: vmcs.entry_intr_info.get(bench.machine, vmcsOf(vcpu)),
        windows: windows.join(' '),
      });
    }
    if (!bench.step('vmx.vcpu0')) return found;
  }
}
const carried = (all: readonly Entry[]): number[] => all.map(({ event }) => event);

describe('NMIs that are raised', () => {
  test('x86:PNMI-2: KVM_NMI is 0 whatever the vCPU does, with and without a local APIC in the kernel', () => {
    const bench = stopped();
    for (const mp_state of ['RUNNABLE', 'UNINITIALIZED', 'INIT_RECEIVED', 'HALTED']) {
      bench.does({ vmm: 'KVM_SET_MP_STATE', ...on, mp_state });
      expect(bench.does(nmi), mp_state).toBe('0');
    }
    expect(nmis(bench)).toEqual(['4', '0', '0']);
    const bare = new Bench({ vms: { vmx: 1 } });
    bare.does({ vmm: 'KVM_CREATE_VM', vm: 'vmx', type: 'KVM_X86_DEFAULT_VM' });
    bare.does({ vmm: 'KVM_CREATE_VCPU', ...on });
    expect(shows(bare, 'apic.in_kernel')).toBe('0');
    expect(bare.does(nmi)).toBe('0');
    expect(nmis(bare)).toEqual(['1', '0', '0']);
  });

  test('x86:PNMI-2: a masked LINT1 does not stop KVM_NMI', () => {
    const bench = stopped();
    bench.does(run);
    bench.does({ guest: 'WRMSR', ...on, msr: 0x836, value: 0x1_0400 });
    bench.does(signal);
    expect(shows(bench, 'apic.lvt1')).toBe('0x10400');
    bench.does(nmi);
    bench.does(run);
    expect(guest(bench, 'nmis')).toEqual(['1']);
  });

  test.each([0x1ff, 0xff])('x86:PNMI-3: by message it is accepted and kicks, the SVR being %i', (value) => {
    const bench = stopped();
    bench.does(run);
    bench.does({ guest: 'SVR', ...on, value });
    const from = bench.mark;
    expect(bench.does({ ...init, delivery_mode: 'NMI' })).toBe('1');
    expect(bench.events('vcpu_kicked', from)).toHaveLength(1);
    expect(guest(bench, 'nmis')).toEqual(['1']);
    expect(bench.does(irq(0x31))).toBe(value === 0x1ff ? '1' : '0'); // an interrupt does need an APIC that is enabled
  });

  test('x86:PNMI-4: they merge when the events are read or set, or at the entry, and not before', () => {
    const bench = stopped();
    for (let i = 0; i < 5; i++) bench.does(nmi);
    expect(nmis(bench)).toEqual(['5', '0', '0']);
    bench.does(get);
    expect(nmis(bench)).toEqual(['0', '2', '0']);
    bench.does(nmi);
    expect(nmis(bench)).toEqual(['1', '2', '0']);
    bench.does(set({}));
    expect(nmis(bench)).toEqual(['0', '2', '0']);
    bench.does(nmi);
    bench.starts(run);
    bench.stepTo('vmx.vcpu0', 'vcpu_enter_guest', 'requests');
    expect(nmis(bench)).toEqual(['1', '2', '0']);
    bench.step('vmx.vcpu0');
    expect(nmis(bench)).toEqual(['0', '2', '0']);
  });

  test.each([
    ['nothing', {}, ['0', '1', '2', '2']],
    ['nmi_masked', { nmi_masked: 1 }, ['0', '1', '1', '1']],
    ['nmi_injected', { nmi_injected: 1 }, ['0', '1', '1', '1']],
  ])('x86:PNMI-5, x86:PNMI-7: with %s, of 0 to 3 raised NMIs this many are kept: %j', (_, events, kept) => {
    const pending = [0, 1, 2, 3].map((count) => {
      const bench = stopped();
      bench.does(set(events));
      for (let i = 0; i < count; i++) bench.does(nmi);
      bench.does(get);
      return bench.shows('reply.nmi_pending');
    });
    expect(pending).toEqual(kept);
  });

  test('x86:PNMI-7: one that waits adds to one that is raised; two that wait sink to one when NMIs are masked', () => {
    const bench = stopped();
    bench.does(nmi);
    bench.does(get);
    bench.does(nmi);
    bench.does(get);
    expect(nmis(bench)).toEqual(['0', '2', '0']);
    bench.does(set({ nmi_masked: 1 }));
    expect(nmis(bench)).toEqual(['0', '2', '0']); // the mask came after the NMIs were counted
    bench.does(nmi);
    bench.does(get);
    expect(nmis(bench)).toEqual(['0', '1', '0']);
  });

  test('x86:PNMI-9: one that waits raises KVM_REQ_EVENT; none does not', () => {
    const bench = stopped();
    process_nmi(bench.machine, bench.machine.vcpus[0]!);
    expect(shows(bench, 'requests')).toBe('');
    bench.does(nmi);
    expect(shows(bench, 'requests')).toBe('NMI');
    bench.does(get);
    expect(shows(bench, 'requests')).toBe('EVENT');
  });

  test('x86:INV-5: however many come during a handler, one more follows it', () => {
    const bench = stopped();
    bench.does({ guest: 'NMI_HANDLER', ...on });
    bench.does(nmi);
    bench.does(run);
    for (let i = 0; i < 4; i++) bench.does({ ...init, delivery_mode: 'NMI' });
    bench.does({ guest: 'IRET', ...on });
    bench.does({ guest: 'IRET', ...on });
    expect(guest(bench, 'nmis', 'nmi_depth')).toEqual(['2', '0']);
  });
});

describe('INIT and the way into the guest', () => {
  test('x86:INJ-2: with KVM_REQ_EVENT, INIT comes first and then what is injected; without it, neither', () => {
    const bench = stopped();
    bench.does(init);
    bench.does(irq(0x31));
    bench.does(nmi);
    const order = (from: number): string[] =>
      ['kvm_apic_accept_events', 'kvm_vcpu_reset', 'kvm_check_and_inject_events', 'kvm_entry']
        .map((name) => ({ name, at: at(bench, name, from) }))
        .filter(({ at }) => at >= 0)
        .sort((a, b) => a.at - b.at)
        .map(({ name }) => name);
    const from = bench.mark;
    bench.does(run);
    expect(order(from)).toEqual([
      'kvm_apic_accept_events',
      'kvm_vcpu_reset',
      'kvm_check_and_inject_events',
      'kvm_entry',
    ]);
    const second = bench.mark;
    bench.does({ host: 'IRQ', ...on });
    expect(order(second)).toEqual(['kvm_entry']);
  });

  test('x86:INJ-2: a vCPU that INIT has put into INIT_RECEIVED does not enter, whatever waits for it', () => {
    const bench = new Bench({ vms: { vmx: 2 } });
    bench.does({ boot: 'vmx', vm: 'vmx', run: false });
    const ap = { vm: 'vmx', vcpu: 1 };
    bench.does({ vmm: 'KVM_SET_MP_STATE', ...ap, mp_state: 'RUNNABLE' });
    bench.does({ vmm: 'KVM_SET_VCPU_EVENTS', ...ap, nmi_injected: 1 });
    bench.does({ ...init, dest: 1 });
    const from = bench.mark;
    bench.does({ vmm: 'KVM_RUN', ...ap });
    expect(bench.shows('vmx.vcpu1.mp_state')).toBe('INIT_RECEIVED');
    expect(at(bench, 'kvm_check_and_inject_events', from)).toBe(-1);
    expect(bench.events('kvm_entry', from)).toEqual([]);
  });

  test('x86:INJ-3, x86:EDGE-2: INIT erases an SMI and NMIs that have just become pending', () => {
    const bench = stopped();
    bench.does(smi);
    bench.does(nmi);
    bench.does(nmi);
    bench.does(init);
    bench.starts(run);
    bench.stepTo('vmx.vcpu0', 'kvm_apic_accept_events', 'init');
    expect([shows(bench, 'smi_pending'), ...nmis(bench)]).toEqual(['1', '0', '2', '0']);
    bench.settle();
    expect([shows(bench, 'smi_pending'), ...nmis(bench)]).toEqual(['0', '0', '0', '0']);
    expect(bench.events('kvm_enter_smm')).toEqual([]);
    expect(guest(bench, 'nmis', 'resets')).toEqual(['0', '1']);
  });

  test('x86:SIPI-16: INIT resets the registers and forgets every event', () => {
    const bench = new Bench({ vms: { vmx: 2 } });
    bench.does({ boot: 'vmx', vm: 'vmx' });
    bench.does({ vmm: 'KVM_CAP_EXCEPTION_PAYLOAD', vm: 'vmx' });
    const ap = { vm: 'vmx', vcpu: 1 };
    bench.does({ ...init, dest: 1 });
    bench.does({ vmm: 'KVM_RUN', ...ap });
    bench.does({ ...init, dest: 1, delivery_mode: 'STARTUP', vector: 0x9a });
    bench.does({ ...init, dest: 1, delivery_mode: 'SMI' });
    bench.does({ guest: 'RSM', ...ap });
    bench.does({ vmm: 'signal', ...ap });
    const has = (...fields: string[]): string[] => fields.map((field) => bench.shows(`vmx.vcpu1.${field}`));
    const state = ['cr0', 'cr4', 'efer', 'dr7'].map((field) => `vmcs.guest.${field}`);
    const registers = ['regs.rip', 'regs.cs_selector', 'regs.cs_base', ...state];
    const events = [
      'nmi_queued', 'nmi_pending', 'nmi_injected', 'smi_pending', 'smi_count', 'interrupt_injected',
      'exception_pending',
    ]; // prettier-ignore
    const one = { nmi_injected: 1, smi_pending: 1, interrupt_injected: 1, exception_pending: 1 };
    for (const more of [{ nmi_pending: 1 }, {}])
      bench.does({ vmm: 'KVM_SET_VCPU_EVENTS', ...ap, ...one, ...more });
    bench.does({ vmm: 'KVM_NMI', ...ap });
    expect(has(...registers)).toEqual(['0x0', '0x9a00', '0x9a000', '0x80000011', '0x20', '0x500', '0x400']);
    expect(has(...events)).toEqual(['1', '1', '1', '1', '1', '1', '1']);
    bench.does({ kvm: 'kvm_vcpu_reset', ...ap, init_event: true });
    expect(has(...registers)).toEqual(['0xfff0', '0xf000', '0xffff0000', '0x10', '0x0', '0x0', '0x400']);
    expect(has(...events)).toEqual(['0', '0', '0', '0', '0', '0', '0']);
  });

  test('x86:SIPI-16: of CR0 the cache bits stay as they are at INIT, and are set at RESET', () => {
    const bench = stopped();
    const cr0 = (init_event: boolean): string => {
      bench.does({ kvm: 'kvm_vcpu_reset', ...on, init_event });
      return shows(bench, 'vmcs.guest.cr0');
    };
    expect(shows(bench, 'vmcs.guest.cr0')).toBe('0x80000011');
    expect([cr0(true), cr0(false), cr0(true)]).toEqual(['0x10', '0x60000010', '0x60000010']);
  });

  test('x86:SIPI-15: SMM latches INIT and drops SIPI; RSM lets INIT in at once', () => {
    const bench = stopped();
    bench.does(smi);
    bench.does(run);
    bench.does(init);
    bench.does({ ...init, delivery_mode: 'STARTUP', vector: 0x10 });
    expect([shows(bench, 'apic.pending_events'), shows(bench, 'smm')]).toEqual(['INIT', '1']);
    expect(guest(bench, 'resets')).toEqual(['0']);
    const from = bench.mark;
    bench.does({ guest: 'RSM', ...on });
    expect([shows(bench, 'apic.pending_events'), shows(bench, 'smm')]).toEqual(['', '0']);
    expect(guest(bench, 'resets')).toEqual(['1']);
    expect(at(bench, 'vcpu_reset', from)).toBeLessThan(at(bench, 'kvm_entry', from));
  });
});

/** Where the trace has the first event or call of the name since `from`; -1 when there is none. */
function at(bench: Bench, name: string, from: number): number {
  for (let n = from; n < bench.mark; n++) {
    const event = bench.machine.trace.event(n);
    if (event.type !== 'return' && event.name === name) return n;
  }
  return -1;
}

describe('the order of injection', () => {
  /** A guest in userspace, without APICv, so that KVM injects its interrupts. */
  function withPayload(events: Record<string, number>): Bench {
    const bench = stopped({ no_apicv: true });
    bench.does({ vmm: 'KVM_CAP_EXCEPTION_PAYLOAD', vm: 'vmx' });
    bench.does({ guest: 'NMI_HANDLER', ...on });
    bench.does({ guest: 'IF', ...on, enabled: true });
    bench.does(set(events));
    return bench;
  }
  const ud = { exception_pending: 1, exception_nr: 6 };

  test('x86:INJ-15, x86:INJ-9: one new event per entry: exception, SMI, NMI, interrupt', () => {
    const bench = withPayload({ ...ud, smi_pending: 1, nmi_pending: 1 });
    bench.does(irq(0x31));
    expect(carried(entries(bench))).toEqual([EXCEPTION_UD, NO_EVENT, NO_EVENT]); // into SMM, out at once, in again
    expect([shows(bench, 'smm'), ...guest(bench, 'exceptions', 'nmis', 'irqs')]).toEqual([
      '1',
      '1',
      '0',
      '0',
    ]);
    expect(carried(entries(bench, { guest: 'RSM', ...on }))[0]).toBe(NMI);
    expect(guest(bench, 'nmis', 'irqs')).toEqual(['1', '0']);
    expect(carried(entries(bench, { guest: 'IRET', ...on }))[0]).toBe(externalInterrupt(0x31));
    expect(guest(bench, 'nmis', 'irqs')).toEqual(['1', '1']);
  });

  test.each([
    ['exception', { exception_injected: 1, exception_nr: 6 }, EXCEPTION_UD],
    ['NMI', { nmi_injected: 1 }, NMI],
    ['interrupt', { interrupt_injected: 1, interrupt_nr: 0x45 }, externalInterrupt(0x45)],
  ])(
    'x86:INJ-8, x86:INJ-15: while an %s waits for re-injection, nothing new is injected',
    (_, events, field) => {
      const bench = withPayload({ ...events, smi_pending: 1 });
      expect(carried(entries(bench)).slice(0, 2)).toEqual([field, NO_EVENT]);
      expect(shows(bench, 'smi_count')).toBe('1'); // the SMI came with the second entry
    },
  );

  test('x86:INJ-9: a pending exception is marked injected, and keeps an SMI out of its entry', () => {
    const bench = withPayload({ ...ud, smi_pending: 1 });
    bench.starts(run);
    bench.stepTo('vmx.vcpu0', 'vmx_vcpu_run', 'vmenter');
    const state = ['exception_pending', 'exception_injected', 'smi_pending', 'smm'];
    expect(state.map((field) => shows(bench, field))).toEqual(['0', '1', '1', '0']);
  });

  test('x86:INJ-11: an SMI takes the vCPU into SMM, before an NMI; in SMM the next one waits for RSM', () => {
    const bench = withPayload({ smi_pending: 1, nmi_pending: 1 });
    entries(bench);
    const state = (): string[] => ['smm', 'smi_pending', 'smi_count'].map((field) => shows(bench, field));
    expect([...state(), ...guest(bench, 'nmis')]).toEqual(['1', '0', '1', '0']);
    bench.does({ ...init, delivery_mode: 'SMI' });
    expect(state()).toEqual(['1', '1', '1']);
    bench.does({ guest: 'RSM', ...on });
    expect(state()).toEqual(['1', '0', '2']);
  });

  test('x86:INJ-12: of two NMIs one is injected, and the same entry waits for the NMI window', () => {
    const bench = withPayload({ nmi_pending: 2 });
    expect(entries(bench)).toEqual([{ event: NMI, windows: 'NMI_WINDOW' }]);
    expect(nmis(bench).slice(0, 2)).toEqual(['0', '1']);
    const one = withPayload({ nmi_pending: 1 });
    expect(entries(one)).toEqual([{ event: NMI, windows: '' }]);
  });

  test('x86:INJ-12: an NMI that may not be injected waits for the window', () => {
    const bench = withPayload({ nmi_pending: 1, nmi_masked: 1 });
    expect(entries(bench)).toEqual([{ event: NO_EVENT, windows: 'NMI_WINDOW' }]);
    expect(nmis(bench)).toEqual(['0', '1', '0']);
  });

  test('x86:INJ-13: a vector of the PIC goes first, and the same entry waits for the window of the one behind it', () => {
    const bench = withPayload({});
    bench.does(irq(0x51));
    bench.does({ vmm: 'KVM_INTERRUPT', ...on, vector: 0x22 });
    expect(entries(bench)[0]).toEqual({ event: externalInterrupt(0x22), windows: 'INTR_WINDOW' });
    expect(guest(bench, 'irqs')).toEqual(['2']);
  });

  test('x86:INJ-13: of the local APIC the highest vector; one that it holds back until the EOI waits for no window', () => {
    const bench = withPayload({});
    for (const vector of [0x31, 0x51]) bench.does(irq(vector));
    expect(entries(bench)[0]).toEqual({ event: externalInterrupt(0x51), windows: '' });
    expect(guest(bench, 'irqs')).toEqual(['2']);
  });

  test('x86:INJ-13: an interrupt that may not be injected waits for the window', () => {
    const bench = withPayload({ interrupt_shadow: 1 });
    bench.does(irq(0x51));
    expect(entries(bench).slice(0, 2)).toEqual([
      { event: NO_EVENT, windows: 'INTR_WINDOW' },
      { event: externalInterrupt(0x51), windows: '' },
    ]);
  });

  test('x86:INJ-14, x86:INJ-16: behind an injected event there is no window, but an entry that is left at once', () => {
    const bench = withPayload({ nmi_pending: 1 });
    bench.does(irq(0x31));
    const from = bench.mark;
    bench.starts(run);
    bench.stepTo('vmx.vcpu0', 'vmx_vcpu_run', 'vmenter');
    expect(shows(bench, 'requests')).toBe('EVENT'); // for the next pass
    expect(shows(bench, 'vmcs.cpu_based')).toBe('HLT TPR_SHADOW');
    bench.settle();
    expect(bench.events('kvm_exit', from)).toHaveLength(1);
    expect(bench.events('kvm_exit', from)[0]).toContain('EXTERNAL_INTERRUPT');
    expect(shows(bench, 'vmcs.cpu_based')).toContain('INTR_WINDOW'); // the second pass asks: the handler runs with IF = 0
    const alone = withPayload({ nmi_pending: 1 });
    const second = alone.mark;
    alone.does(run);
    expect(alone.events('kvm_exit', second)).toEqual([]);
  });

  test('x86:INJ-17: BLOCKIRQ holds back SMI, NMI and interrupt', () => {
    const bench = withPayload({ smi_pending: 1, nmi_pending: 1 });
    bench.does(irq(0x31));
    bench.does({ vmm: 'KVM_SET_GUEST_DEBUG', ...on });
    expect(carried(entries(bench))).toEqual([NO_EVENT]);
    expect([shows(bench, 'smm'), ...guest(bench, 'nmis', 'irqs')]).toEqual(['0', '0', '0']);
  });

  test.each([
    ['a pending exception', ud, EXCEPTION_UD],
    ['an NMI again', { nmi_injected: 1 }, NMI],
    ['an interrupt again', { interrupt_injected: 1, interrupt_nr: 0x45 }, externalInterrupt(0x45)],
  ])('x86:INJ-17: BLOCKIRQ lets %s through', (_, events, field) => {
    const bench = withPayload(events);
    bench.does({ vmm: 'KVM_SET_GUEST_DEBUG', ...on });
    expect(carried(entries(bench))[0]).toBe(field);
  });

  test('x86:INJ-17: BLOCKIRQ lets INIT and SIPI through', () => {
    const bench = new Bench({ vms: { vmx: 2 } });
    bench.does({ boot: 'vmx', vm: 'vmx', run: false });
    const ap = { vm: 'vmx', vcpu: 1 };
    bench.does({ vmm: 'KVM_SET_GUEST_DEBUG', ...ap });
    bench.does({ vmm: 'KVM_SET_MP_STATE', ...ap, mp_state: 'RUNNABLE' });
    bench.does({ ...init, dest: 1 });
    bench.does({ ...init, dest: 1, delivery_mode: 'STARTUP', vector: 0x9a });
    bench.does({ vmm: 'KVM_RUN', ...ap });
    expect([bench.shows('vmx.vcpu1.guest.resets'), bench.shows('vmx.vcpu1.guest.starts')]).toEqual([
      '1',
      '1',
    ]);
  });

  test('x86:INJ-18: an exception that became pending during the delivery of an NMI goes first; the NMI is forgotten', () => {
    const bench = withPayload({ ...ud, nmi_injected: 1 });
    expect(carried(entries(bench))).toEqual([EXCEPTION_UD]);
    bench.does(signal);
    expect(nmis(bench)).toEqual(['0', '0', '0']);
    bench.does(run);
    expect(guest(bench, 'exceptions', 'nmis')).toEqual(['1', '0']);
    expect(shows(bench, 'stat.nmi_injections')).toBe('0');
  });
});

describe('exceptions on top of others', () => {
  /** The vector that is pending after `second` came upon an injected `first`. */
  function adds(first: number, second: number): string {
    const bench = stopped();
    bench.does(set({ exception_injected: 1, exception_nr: first }));
    kvm_queue_exception(bench.machine, bench.machine.vcpus[0]!, second);
    return shows(bench, 'exception_vector');
  }
  const DIVIDE = 0;
  const [UD, DF, GP, PF] = [6, 8, 13, 14];

  test.each([
    [DIVIDE, GP, DF],
    [GP, GP, DF],
    [10, 12, DF],
    [PF, GP, DF],
    [PF, PF, DF],
    [PF, UD, UD],
    [GP, PF, PF],
    [GP, UD, UD],
    [UD, GP, GP],
  ])('x86:INJ-19: vector %i, then %i, is %i', (first, second, sum) => {
    expect(adds(first, second)).toBe(String(sum));
  });

  test('x86:INJ-19: anything on a double fault is a triple fault: KVM_EXIT_SHUTDOWN', () => {
    const bench = stopped();
    bench.does(set({ exception_injected: 1, exception_nr: DF }));
    kvm_queue_exception(bench.machine, bench.machine.vcpus[0]!, UD);
    expect(bench.does(run)).toBe('0');
    expect(shows(bench, 'run.exit_reason')).toBe('KVM_EXIT_SHUTDOWN');
  });

  test('x86:INJ-19: an NMI under way adds to nothing', () => {
    const bench = stopped();
    bench.does(set({ nmi_injected: 1 }));
    kvm_queue_exception(bench.machine, bench.machine.vcpus[0]!, GP);
    expect([shows(bench, 'exception_vector'), shows(bench, 'nmi_injected')]).toEqual([String(GP), '1']);
  });
});

describe('what ends a HLT', () => {
  /** What KVM_RUN makes of a vCPU that is HALTED, its guest's interrupts enabled or not, after these actions. */
  function afterRun(interrupts: 'enabled' | 'blocked', ...actions: Record<string, unknown>[]): string {
    const bench = stopped();
    bench.does({ vmm: 'KVM_CAP_EXCEPTION_PAYLOAD', vm: 'vmx' });
    bench.does(run);
    bench.does({ guest: 'HLT', ...on, interrupts });
    bench.does(signal);
    expect(shows(bench, 'mp_state')).toBe('HALTED');
    for (const action of actions) bench.does(action);
    bench.does(run);
    return shows(bench, 'mp_state');
  }
  const inSmm = { smm: 1 };

  test('x86:INJ-20: nothing does not', () => {
    expect(afterRun('enabled')).toBe('HALTED');
  });

  test.each([
    ['INIT', [init]],
    ['a pending exception', [set({ exception_pending: 1, exception_nr: 6 })]],
    ['an NMI that is raised, even if masked', [set({ nmi_masked: 1 }), nmi]],
    ['an NMI that waits', [nmi, get]],
    ['an SMI that is raised', [smi]],
    ['an SMI that is pending', [smi, get]],
    ['a counter that has overflowed', [{ host: 'PMI', ...on }]],
  ])('x86:INJ-20: %s does', (_, actions) => {
    expect(afterRun('blocked', ...actions)).toBe('RUNNABLE');
  });

  test.each([
    ['INIT in SMM', [set(inSmm), init]],
    ['an NMI that waits while NMIs are masked', [set({ nmi_masked: 1 }), nmi, get]],
    ['an SMI that is pending in SMM', [set({ ...inSmm, smi_pending: 1 })]],
    ['an interrupt while interrupts are disabled', [irq(0x31)]],
  ])('x86:INJ-20: %s does not', (_, actions) => {
    expect(afterRun('blocked', ...actions)).toBe('HALTED');
  });

  test('x86:INJ-20: an interrupt does while interrupts are enabled', () => {
    expect(afterRun('enabled', irq(0x31))).toBe('RUNNABLE');
  });
});
