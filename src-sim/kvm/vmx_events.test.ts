import { describe, expect, test } from 'vitest';
import { vmcs, vmcsOf } from './kvm_host';
import { Bench } from '../testing/bench';
import {
  INTR_INFO_DELIVER_CODE, INTR_INFO_UNBLOCK_NMI, INTR_TYPE_EXT_INTR, INTR_TYPE_HARD_EXCEPTION, INTR_TYPE_NMI_INTR,
  INTR_TYPE_SOFT_INTR, intrInfo,
} from '../platform/intr_info'; // prettier-ignore

/** Events of a plain VMX guest: what an entry carries, what the exit tells, and when NMIs can be taken. */

const on = { vm: 'vmx', vcpu: 0 };
/** A running plain guest of one vCPU. */
function running(switches: Record<string, boolean> = {}): Bench {
  const bench = new Bench({ vms: { vmx: 1 }, switches });
  bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1 });
  return bench;
}
/** The same in userspace: its next KVM_RUN is `run`. */
function stopped(switches: Record<string, boolean> = {}): Bench {
  const bench = running(switches);
  bench.does(signal);
  return bench;
}
const signal = { vmm: 'signal', ...on };
const run = { vmm: 'KVM_RUN', ...on };
const nmi = { vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 0, delivery_mode: 'NMI' };
const set = (events: Record<string, number>) => ({ vmm: 'KVM_SET_VCPU_EVENTS', ...on, ...events });
const get = { vmm: 'KVM_GET_VCPU_EVENTS', ...on };
const stay = { guest: 'NMI_HANDLER', ...on };
const iret = (fault?: string) => ({ guest: 'IRET', ...on, ...(fault ? { fault } : {}) });
const vmexit = (reason: number, more: Record<string, unknown> = {}) => ({
  guest: 'VMEXIT',
  ...on,
  reason,
  ...more,
});
const shows = (bench: Bench, field: string): string => bench.shows(`vmx.vcpu0.${field}`);
const stat = (bench: Bench, field: string): string => shows(bench, `stat.${field}`);
/** Reasons of the exits since `from`. */
const exits = (bench: Bench, from = 0): string[] =>
  bench.events('kvm_exit', from).map((text) => /reason (\S+)/.exec(text)![1]!);
/** Names of the events since `from` that are among `wanted`, in order. */
function order(bench: Bench, from: number, ...wanted: string[]): string[] {
  const names: string[] = [];
  for (let n = from; n < bench.mark; n++) {
    const event = bench.machine.trace.event(n);
    if (event.type !== 'return' && wanted.includes(event.name)) names.push(event.name);
  }
  return names;
}
/** Brings the guest between an instruction that casts a shadow and the next one. */
function shadowed(op: 'STI' | 'MOV_SS'): Bench {
  const bench = running();
  bench.does({ guest: 'IF', ...on, enabled: false });
  bench.starts({ guest: op, ...on });
  bench.stepTo('vmx.vcpu0', 'guest_run', 'execute');
  bench.step('vmx.vcpu0');
  return bench;
}

describe('the VMCS of a plain guest', () => {
  test('x86:VMX-1, x86:VMX-2, x86:VMX-7: the controls of a new vCPU, bit by bit', () => {
    expect(shows(running(), 'vmcs.pin_based')).toBe('EXT_INTR NMI_EXITING VIRTUAL_NMIS POSTED_INTR');
    expect(shows(running({ no_vnmi: true }), 'vmcs.pin_based')).toBe('EXT_INTR NMI_EXITING POSTED_INTR');
    expect(shows(running({ no_apicv: true }), 'vmcs.pin_based')).toBe('EXT_INTR NMI_EXITING VIRTUAL_NMIS');
    expect(shows(running(), 'vmcs.cpu_based')).toBe('HLT TPR_SHADOW');
    const bench = running();
    const vcpu = bench.machine.vcpus[0]!;
    const word = (field: 'pin_based' | 'cpu_based'): number =>
      bench.machine.u32[(vmcsOf(vcpu) + vmcs[field].byte) >> 2]!;
    expect(word('pin_based')).toBe((1 << 0) | (1 << 3) | (1 << 5) | (1 << 7));
    expect(word('cpu_based')).toBe((1 << 7) | (1 << 21));
    bench.does(stay);
    bench.does(nmi);
    bench.does(nmi);
    expect(word('cpu_based')).toBe((1 << 7) | (1 << 21) | (1 << 22));
  });

  test('x86:VMX-3, x86:VMX-4, x86:VMX-5: what the entry carries, and what the exit names, bit by bit', () => {
    expect([INTR_TYPE_EXT_INTR, INTR_TYPE_NMI_INTR, INTR_TYPE_HARD_EXCEPTION, INTR_TYPE_SOFT_INTR]).toEqual([
      0, 2, 3, 4,
    ]);
    expect([INTR_INFO_DELIVER_CODE, INTR_INFO_UNBLOCK_NMI]).toEqual([1 << 11, 1 << 12]);
    expect(intrInfo(INTR_TYPE_NMI_INTR, 2)).toBe(0x8000_0202);
    /** The entry field after `events` were set, just before the entry. */
    const field = (events: Record<string, number>): string => {
      const bench = stopped();
      bench.does(set(events));
      bench.starts(run);
      bench.stepTo('vmx.vcpu0', 'vmx_vcpu_run', 'vmenter');
      return shows(bench, 'vmcs.entry_intr_info');
    };
    expect(field({ nmi_injected: 1 })).toBe('0x80000202');
    expect(field({ nmi_pending: 1 })).toBe('0x80000202');
    expect(field({ interrupt_injected: 1, interrupt_nr: 0x31 })).toBe('0x80000031');
    expect(field({ interrupt_injected: 1, interrupt_nr: 0x80, interrupt_soft: 1 })).toBe('0x80000480');
    expect(field({ exception_injected: 1, exception_nr: 6 })).toBe('0x80000306');
    expect(field({ exception_injected: 1, exception_nr: 13 })).toBe('0x80000b0d');
  });

  test('x86:VMX-22, x86:SMX-14: INIT writes 0 to the interruptibility state', () => {
    const bench = stopped();
    bench.does(set({ nmi_masked: 1, interrupt_shadow: 2 }));
    expect([shows(bench, 'guest.in_nmi'), shows(bench, 'guest.sti_blocking')]).toEqual(['1', '1']);
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 0, delivery_mode: 'INIT' });
    bench.does(run);
    expect([shows(bench, 'guest.in_nmi'), shows(bench, 'guest.sti_blocking')]).toEqual(['0', '0']);
    bench.does(nmi);
    expect(shows(bench, 'guest.nmis')).toBe('1');
  });
});

describe('NMIs and the instruction before', () => {
  test('x86:VMX-6, x86:VMX-12, x86:VMX-14, x86:SMX-6, x86:SMX-7: after STI the interrupt window, not the NMI window', () => {
    const bench = shadowed('STI');
    expect(shows(bench, 'guest.sti_blocking')).toBe('1');
    const from = bench.mark;
    bench.does(nmi);
    expect(exits(bench, from)).toEqual(['EXTERNAL_INTERRUPT', 'INTERRUPT_WINDOW']);
    expect([stat(bench, 'irq_window_exits'), stat(bench, 'nmi_window_exits')]).toEqual(['1', '0']);
    expect(shows(bench, 'vmcs.cpu_based')).toBe('HLT TPR_SHADOW');
    expect(shows(bench, 'guest.nmis')).toBe('1');
  });

  test('x86:VMX-6, x86:VMX-13, x86:SMX-5, x86:SMX-9: after MOV SS the NMI window', () => {
    const bench = shadowed('MOV_SS');
    expect(shows(bench, 'guest.mov_ss_blocking')).toBe('1');
    const from = bench.mark;
    bench.does(nmi);
    expect(exits(bench, from)).toEqual(['EXTERNAL_INTERRUPT', 'NMI_WINDOW']);
    expect([stat(bench, 'irq_window_exits'), stat(bench, 'nmi_window_exits')]).toEqual(['0', '1']);
    expect(shows(bench, 'vmcs.cpu_based')).toBe('HLT TPR_SHADOW');
    expect(shows(bench, 'guest.nmis')).toBe('1');
  });

  test('x86:TEST-3, x86:VMX-6: STI with interrupts on before casts no shadow; one instruction ends a shadow', () => {
    const bench = running();
    bench.starts({ guest: 'STI', ...on });
    bench.stepTo('vmx.vcpu0', 'guest_run', 'execute');
    bench.step('vmx.vcpu0');
    expect(shows(bench, 'guest.sti_blocking')).toBe('0');
    const second = shadowed('STI');
    second.settle();
    expect(shows(second, 'guest.sti_blocking')).toBe('0');
  });

  test.each([
    ['nmi_masked', 1],
    ['interrupt_shadow', 1],
    ['interrupt_shadow', 2],
  ])('x86:VMX-10, x86:VMX-11: with %s = %i an NMI is not allowed, without it is', (field, value) => {
    const injects = (events: Record<string, number>): boolean => {
      const bench = stopped();
      bench.does(set({ nmi_pending: 1, ...events }));
      bench.starts(run);
      bench.stepTo('vmx.vcpu0', 'vmx_vcpu_run', 'vmenter');
      return shows(bench, 'nmi_injected') === '1';
    };
    expect(injects({})).toBe(true);
    expect(injects({ [field]: value })).toBe(false);
  });

  test('x86:VMX-24, x86:VMX-13: a window that was armed for nothing exits all the same, and only the exit clears it', () => {
    const bench = stopped();
    bench.does(set({ nmi_masked: 1, nmi_pending: 1 }));
    bench.does(run); // arms the window, and waits for an IRET
    bench.does(signal);
    bench.does(set({ nmi_masked: 0, nmi_pending: 1 })); // now it can be injected at once
    const from = bench.mark;
    bench.does(run);
    expect(exits(bench, from)).toEqual(['NMI_WINDOW']);
    expect(shows(bench, 'guest.nmis')).toBe('1');
    expect(stat(bench, 'nmi_window_exits')).toBe('1');
  });
});

describe('the mask of NMIs', () => {
  test('x86:VMX-8, x86:VMX-9, x86:SMX-1 to x86:SMX-3: an injection forgets "unmasked"; the look after the handler caches it', () => {
    const bench = running();
    bench.does(stay);
    bench.does(nmi);
    expect(shows(bench, 'nmi_known_unmasked')).toBe('0');
    expect(stat(bench, 'nmi_injections')).toBe('1');
    bench.does(signal);
    bench.does(get);
    expect(bench.shows('reply.nmi_masked')).toBe('1');
    expect(shows(bench, 'nmi_known_unmasked')).toBe('0');
    bench.does(run);
    bench.does(iret());
    bench.does(signal);
    expect(shows(bench, 'nmi_known_unmasked')).toBe('1');
    bench.does(get);
    expect(bench.shows('reply.nmi_masked')).toBe('0');
  });

  test('x86:SMX-8, x86:SMX-4: IRET unblocks without an exit; a second NMI arms the window and the IRET exits', () => {
    const bench = running();
    bench.does(stay);
    bench.does(nmi);
    const from = bench.mark;
    bench.does(iret());
    expect(exits(bench, from)).toEqual([]);
    bench.does(nmi);
    bench.does(nmi);
    expect(shows(bench, 'vmcs.cpu_based')).toContain('NMI_WINDOW');
    const second = bench.mark;
    bench.does(iret());
    expect(exits(bench, second)).toEqual(['NMI_WINDOW']);
  });

  test.each([
    ['EPT_VIOLATION', '1'],
    ['PML_FULL', '1'],
    ['NOTIFY', '1'],
    ['PAGE_FAULT', '1'],
    ['DOUBLE_FAULT', '0'], // bit 12 says nothing there
  ])(
    'x86:VMX-16, x86:SMX-13: after an IRET that runs into %s, NMIs are blocked again: %s',
    (fault, blocked) => {
      const bench = running();
      bench.does(stay);
      bench.does(nmi);
      bench.starts(iret(fault));
      bench.stepTo('vmx.vcpu0', 'vmx_vcpu_run', 'traced');
      expect(shows(bench, 'guest.in_nmi')).toBe('0'); // the IRET itself has unblocked them
      bench.stepTo('vmx.vcpu0', 'vmx_handle_exit', 'dispatch');
      bench.step('vmx.vcpu0');
      expect(shows(bench, 'guest.in_nmi')).toBe(blocked);
      expect(shows(bench, 'guest.nmi_depth')).toBe('1');
    },
  );
});

describe('an event whose delivery runs into an exit', () => {
  const faulting = (exit = 'EPT_VIOLATION', times = 1) => ({ guest: 'DELIVERY_FAULT', ...on, exit, times });

  test('x86:VMX-15, x86:SMX-10, x86:SMX-11: the NMI counts as injected, is unblocked, and is injected again', () => {
    const bench = running();
    bench.does(stay);
    bench.does(faulting());
    bench.starts(nmi);
    while (bench.step('vmm'));
    bench.stepTo('vmx.vcpu0', 'vmx_vcpu_run', 'traced');
    bench.step('vmx.vcpu0'); // of the kick
    bench.stepTo('vmx.vcpu0', 'vmx_vcpu_run', 'traced');
    expect(shows(bench, 'vmcs.idt_vectoring_info')).toBe('0x80000202');
    expect([shows(bench, 'guest.in_nmi'), shows(bench, 'guest.nmis')]).toEqual(['1', '0']);
    bench.step('vmx.vcpu0');
    expect([shows(bench, 'guest.in_nmi'), shows(bench, 'nmi_injected')]).toEqual(['0', '1']);
    expect(shows(bench, 'requests')).toContain('EVENT');
    bench.settle();
    expect(bench.events('kvm_exit').at(-1)).toContain('info2 0x80000202');
    expect([shows(bench, 'guest.in_nmi'), shows(bench, 'guest.nmis')]).toEqual(['1', '1']);
    expect(stat(bench, 'nmi_injections')).toBe('2');
  });

  test('x86:SMX-12, x86:PNMI-17: while it waits to be injected again, one more is kept', () => {
    const bench = running();
    bench.does(stay);
    bench.does(faulting('BUS_LOCK'));
    bench.does(nmi); // leaves for userspace with nmi_injected set
    expect(shows(bench, 'nmi_injected')).toBe('1');
    for (let i = 0; i < 3; i++) bench.does({ vmm: 'KVM_NMI', ...on });
    bench.does(get);
    expect([bench.shows('reply.nmi_injected'), bench.shows('reply.nmi_pending')]).toEqual(['1', '1']);
  });

  test('x86:EDGE-14: one NMI that runs into two faults is three injections and one delivery', () => {
    const bench = running();
    bench.does(faulting('EPT_VIOLATION', 2));
    bench.does(nmi);
    expect([stat(bench, 'nmi_injections'), shows(bench, 'guest.nmis')]).toEqual(['3', '1']);
  });

  test('x86:IRQ-7, x86:INJ-6: an interrupt is injected again by its number, and stays in the ISR', () => {
    const bench = running({ no_apicv: true });
    bench.does({ guest: 'SVR', ...on });
    bench.does(faulting());
    const from = bench.mark;
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 0, delivery_mode: 'FIXED', vector: 0x31 });
    expect(bench.events('kvm_inj_virq', from)).toEqual(['IRQ 0x31', 'IRQ 0x31 [reinjected]']);
    expect(bench.events('guest_takes_irq', from)).toEqual(['vcpu 0 vec 49']);
  });

  test('x86:INJ-6: with APICv a vector that the processor was delivering is injected by KVM the next time', () => {
    const bench = running();
    bench.does({ guest: 'SVR', ...on });
    bench.does(faulting());
    const from = bench.mark;
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 0, delivery_mode: 'FIXED', vector: 0x31 });
    expect(bench.events('kvm_inj_virq', from)).toEqual(['IRQ 0x31 [reinjected]']);
    expect(bench.events('guest_takes_irq', from)).toEqual(['vcpu 0 vec 49']);
  });

  test('x86:INJ-6: an exception is injected again', () => {
    const bench = running();
    bench.does(faulting());
    bench.does({ guest: 'RDMSR', ...on, msr: 0x12345 });
    expect(bench.events('kvm_inj_exception')).toEqual(['#GP (0x0)', '#GP (0x0) [reinjected]']);
    expect(shows(bench, 'guest.exceptions')).toBe('1');
  });

  test.each(['EPT_VIOLATION', 'PML_FULL', 'APIC_ACCESS', 'NOTIFY'])(
    'x86:VMX-21: after %s KVM goes on',
    (exit) => {
      const bench = running();
      bench.does(faulting(exit));
      const from = bench.mark;
      bench.does(nmi);
      expect(exits(bench, from).at(-1)).toBe(exit);
      expect(bench.events('kvm_userspace_exit', from)).toEqual([]);
      expect(shows(bench, 'guest.nmis')).toBe('1');
    },
  );

  test.each(['BUS_LOCK', 'EPT_MISCONFIG'])(
    'x86:VMX-21: after %s it gives up: suberror DELIVERY_EV',
    (exit) => {
      const bench = running();
      bench.does(faulting(exit));
      bench.does(nmi);
      expect(shows(bench, 'run.exit_reason')).toBe('KVM_EXIT_INTERNAL_ERROR');
      expect([shows(bench, 'run.suberror'), shows(bench, 'run.ndata')]).toEqual(['3', '5']);
      expect(shows(bench, 'run.data0')).toBe('0x0000000080000202');
      bench.does(run); // userspace that tries again gets it delivered
      expect(shows(bench, 'guest.nmis')).toBe('1');
    },
  );
});

describe('without virtual NMIs', () => {
  test('x86:VMX-7, x86:VMX-8, x86:VMX-9: KVM keeps a flag of its own; the processor blocks nothing', () => {
    const bench = running({ no_vnmi: true });
    bench.does(stay);
    bench.does(nmi);
    expect([shows(bench, 'soft_vnmi_blocked'), shows(bench, 'guest.in_nmi')]).toEqual(['1', '0']);
    bench.does(signal);
    bench.does(get);
    expect(bench.shows('reply.nmi_masked')).toBe('1');
    bench.does(set({ nmi_masked: 0 }));
    expect(shows(bench, 'soft_vnmi_blocked')).toBe('0');
  });

  test('x86:VMX-12, x86:VMX-17: the window is the interrupt window; the first exit with interrupts open ends the mask', () => {
    const bench = running({ no_vnmi: true });
    bench.does(stay);
    bench.does(nmi);
    bench.does(nmi);
    expect(shows(bench, 'vmcs.cpu_based')).toBe('INTR_WINDOW HLT TPR_SHADOW');
    bench.does({ host: 'IRQ', ...on }); // an exit in the handler, whose gate has disabled interrupts
    expect(shows(bench, 'soft_vnmi_blocked')).toBe('1');
    const from = bench.mark;
    bench.does(iret());
    expect(exits(bench, from)).toEqual(['INTERRUPT_WINDOW']);
    expect(shows(bench, 'guest.nmis')).toBe('2');
    expect(stat(bench, 'nmi_window_exits')).toBe('0');
  });

  test('x86:EDGE-16: a handler that executes STI is interrupted by the next NMI', () => {
    const nested = (no_vnmi: boolean): string => {
      const bench = running({ no_vnmi });
      bench.does(stay);
      bench.does(nmi);
      bench.does(nmi);
      bench.does({ guest: 'STI', ...on });
      return shows(bench, 'guest.nmi_depth');
    };
    expect([nested(true), nested(false)]).toEqual(['2', '1']);
  });

  test('x86:VMX-17: after a second of guest time with an NMI waiting KVM gives up waiting', () => {
    const bench = running({ no_vnmi: true });
    bench.does(stay);
    bench.does(nmi);
    bench.does(nmi);
    for (let i = 0; i < 10; i++) bench.does({ host: 'pass', ns: 100_000_000 });
    expect(bench.events('nmi_blocked_too_long')).toEqual([]); // time counts at exits
    bench.does({ host: 'IRQ', ...on });
    expect(bench.events('nmi_blocked_too_long')).toEqual([
      'Breaking out of NMI-blocked state on VCPU 0 after 1 s timeout',
    ]);
    expect(shows(bench, 'soft_vnmi_blocked')).toBe('0');
  });

  test('x86:VMX-17: without an NMI that waits, a second changes nothing', () => {
    const bench = running({ no_vnmi: true });
    bench.does(stay);
    bench.does(nmi);
    for (let i = 0; i < 10; i++) bench.does({ host: 'pass', ns: 100_000_000 });
    bench.does({ host: 'IRQ', ...on });
    expect(shows(bench, 'soft_vnmi_blocked')).toBe('1');
  });

  test('x86:VMX-13: an NMI-window exit is a bug of KVM: -EIO', () => {
    const bench = running({ no_vnmi: true });
    bench.does(vmexit(8));
    expect(bench.events('KVM_BUG_ON')).toEqual(['handle_nmi_window']);
    expect(bench.events('kvm_userspace_exit').at(-1)).toContain('-EIO');
    expect(bench.does(run)).toBe('-EIO');
  });
});

describe('events of the host', () => {
  test('x86:VMX-18: a host NMI is handled in noinstr code, before the exit is traced; the exit handler resumes', () => {
    const bench = running();
    const from = bench.mark;
    bench.does({ host: 'NMI', ...on });
    expect(order(bench, from, 'host_nmi_handled', 'kvm_exit', 'vmx_handle_exit', 'kvm_entry')).toEqual([
      'host_nmi_handled',
      'kvm_exit',
      'vmx_handle_exit',
      'kvm_entry',
    ]);
    expect(shows(bench, 'guest.nmis')).toBe('0');
  });

  test('x86:VMX-19: the vector is dispatched with interrupts off; the guest was at an instruction boundary; irq_exits counts', () => {
    const bench = running();
    const before = Number(stat(bench, 'irq_exits'));
    bench.starts({ host: 'IRQ', ...on, vector: 0xec });
    bench.stepTo('vmx.vcpu0', 'vcpu_enter_guest', 'exit_irqoff');
    expect(shows(bench, 'at_instruction_boundary')).toBe('0');
    const from = bench.mark;
    bench.step('vmx.vcpu0');
    expect(bench.events('irq_handled_by_host', from)).toEqual(['cpu 1 vector LOCAL_TIMER']);
    expect(bench.shows('cpu1.irqs_off')).toBe('1');
    expect(shows(bench, 'at_instruction_boundary')).toBe('1');
    expect(Number(stat(bench, 'irq_exits'))).toBe(before + 1);
    bench.settle();
    expect(bench.events('kvm_userspace_exit', from)).toEqual([]);
  });

  test('x86:VMX-20: a machine check of the guest, and one during the entry, is handled with interrupts off', () => {
    const bench = running();
    bench.does({ host: 'MCE', ...on });
    expect(bench.shows('vmx.poisoned_pages')).toBe('1');
    expect(exits(bench).at(-1)).toBe('EXCEPTION_NMI');
    bench.starts(vmexit(41));
    bench.stepTo('vmx.vcpu0', 'vcpu_enter_guest', 'irqs_on');
    expect(bench.shows('vmx.poisoned_pages')).toBe('2');
    bench.settle();
    expect(bench.events('kvm_userspace_exit')).toEqual([]);
  });
});
