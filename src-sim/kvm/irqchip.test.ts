import { describe, expect, test } from 'vitest';
import { kvm_lapic, apicOf } from './kvm_host';
import { Bench, bothRunning, tdReady } from '../testing/bench';

const td = (vmm: string, more: Record<string, unknown> = {}) => ({ vmm, vm: 'td', ...more });
const on = (vm: string, vmm: string, more: Record<string, unknown> = {}) => ({ vmm, vm, ...more });
const run = (vm: string, more: Record<string, unknown> = {}) => ({ vmm: 'KVM_RUN', vm, vcpu: 0, ...more });
const signal = (vm: string) => ({ vmm: 'signal', vm, vcpu: 0 });
const VECTOR = 0x31;

/** A VM of the type with the irqchip, without a vCPU. */
function created(type: string, irqchip: 'SPLIT' | 'KERNEL' | 'NONE'): Bench {
  const bench = new Bench({ vms: { td: 1 } });
  bench.does(td('KVM_CREATE_VM', { type }));
  if (irqchip === 'SPLIT') bench.does(td('KVM_CAP_SPLIT_IRQCHIP'));
  if (irqchip === 'KERNEL') bench.does(td('KVM_CREATE_IRQCHIP'));
  return bench;
}
/** Both guests running with their APICs enabled, and a route from GSI 1 to vCPU 0. */
function routed(trigger_mode: 'EDGE' | 'LEVEL'): Bench {
  const bench = bothRunning();
  for (const vm of ['td', 'vmx']) {
    bench.does({ guest: 'SVR', vm, vcpu: 0 });
    expect(bench.does(on(vm, 'KVM_SET_GSI_ROUTING', { gsi: 1, dest: 0, vector: VECTOR, trigger_mode }))).toBe(
      '0',
    );
  }
  return bench;
}

describe('the split irqchip', () => {
  test.each([
    ['KVM_CREATE_PIT2', {}, '-ENOENT'],
    ['KVM_GET_IRQCHIP', {}, '-ENXIO'],
    ['KVM_SET_IRQCHIP', {}, '-ENXIO'],
    ['KVM_GET_PIT2', {}, '-ENXIO'],
    ['KVM_SET_PIT2', {}, '-ENXIO'],
    ['KVM_REINJECT_CONTROL', {}, '-ENXIO'],
    ['KVM_SET_GSI_ROUTING', { gsi: 0, type: 'IRQCHIP' }, '-EINVAL'],
    ['KVM_IRQFD', { gsi: 0, resample: true }, '-EINVAL'],
    ['KVM_IRQFD', { gsi: 0 }, '0'],
    ['KVM_SET_GSI_ROUTING', { gsi: 0 }, '0'],
  ])('VM-13: %s %j is %s, for any VM type', (vmm, more, result) => {
    for (const type of ['KVM_X86_TDX_VM', 'KVM_X86_DEFAULT_VM'])
      expect(created(type, 'SPLIT').does(td(vmm, more))).toBe(result);
  });

  test.each([
    ['KVM_IRQ_LINE', { gsi: 0, level: 1 }, '-ENXIO'],
    ['KVM_SIGNAL_MSI', { dest: 0, delivery_mode: 'FIXED', vector: VECTOR }, '-EINVAL'],
    ['KVM_SET_GSI_ROUTING', { gsi: 0 }, '-EINVAL'],
  ])('VM-14: without any irqchip %s is %s', (vmm, more, result) => {
    expect(created('KVM_X86_TDX_VM', 'NONE').does(td(vmm, more))).toBe(result);
  });

  test('VM-12, EOI-6: a TD without an irqchip can be made, but not its vCPU; the same with the full irqchip', () => {
    for (const irqchip of ['NONE', 'KERNEL'] as const) {
      const bench = created('KVM_X86_TDX_VM', irqchip);
      expect(bench.does(td('KVM_TDX_INIT_VM'))).toBe('0');
      expect(bench.does(td('KVM_CREATE_VCPU', { vcpu: 0 }))).toBe('-EINVAL');
    }
  });

  test('EOI-8, EOI-9: PIT and RTC of the kernel need the full irqchip, with which a TD has no vCPU', () => {
    expect(created('KVM_X86_TDX_VM', 'SPLIT').does(td('KVM_CREATE_PIT2'))).toBe('-ENOENT');
    const full = created('KVM_X86_TDX_VM', 'KERNEL');
    expect(full.does(td('KVM_CREATE_PIT2'))).toBe('0');
    expect(full.does(td('KVM_CREATE_PIT2'))).toBe('-EEXIST');
    full.does(td('KVM_TDX_INIT_VM'));
    expect(full.does(td('KVM_CREATE_VCPU', { vcpu: 0 }))).toBe('-EINVAL');
  });
});

describe('lines and eventfds on MSI routes', () => {
  test('EOI-10, EOI-11: level 1 sends the MSI once, level 0 nothing; the ioctl is 0 in any case, the status tells', () => {
    const bench = routed('EDGE');
    for (const vm of ['td', 'vmx']) {
      expect(bench.does(on(vm, 'KVM_IRQ_LINE', { gsi: 1, level: 1 }))).toBe('0');
      expect(bench.shows('reply.irq_status')).toBe('1');
      expect(bench.does(on(vm, 'KVM_IRQ_LINE', { gsi: 1, level: 0 }))).toBe('0');
      expect(bench.shows('reply.irq_status')).toBe('-1');
      expect(bench.shows(`${vm}.vcpu0.guest.irqs`)).toBe('1');
    }
  });

  test('RUN-18: KVM_IRQ_LINE, irqfd, KVM_SIGNAL_MSI, mp_state and vcpu events work on a TD as on other VMs', () => {
    const bench = routed('EDGE');
    for (const vm of ['td', 'vmx']) {
      bench.does(on(vm, 'KVM_IRQFD', { gsi: 1 }));
      bench.does({ device: 'irqfd', vm, gsi: 1 });
      bench.does(on(vm, 'KVM_SIGNAL_MSI', { dest: 0, delivery_mode: 'FIXED', vector: VECTOR }));
      expect(bench.shows(`${vm}.vcpu0.guest.irqs`)).toBe('2');
      bench.does(signal(vm));
      for (const ioctl of [
        'KVM_GET_VCPU_EVENTS',
        'KVM_SET_VCPU_EVENTS',
        'KVM_GET_MP_STATE',
        'KVM_NMI',
        'KVM_INTERRUPT',
      ])
        expect(bench.does(on(vm, ioctl, { vcpu: 0 }))).toBe('0');
      expect(bench.does(on(vm, 'KVM_SMI', { vcpu: 0 }))).toBe(vm === 'td' ? '-ENOTTY' : '0');
    }
  });

  test('an eventfd that is bound to nothing cannot be signalled', () => {
    expect(bothRunning().does({ device: 'irqfd', vm: 'td', gsi: 2 })).toBe('refused');
  });

  test('EOI-3, EOI-5, EOI-7, tdx:INV-18, x86:LAPIC-25, x86:IRQ-13: the EOI of a level route exits from a plain guest, never from a TD', () => {
    const bench = routed('LEVEL');
    for (const vm of ['td', 'vmx']) bench.does(on(vm, 'KVM_IRQ_LINE', { gsi: 1, level: 1 }));
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
    expect(bench.shows('td.vcpu0.vmcs.eoi_exit_bitmap')).toBe('');
    expect(bench.shows('td.vcpu0.run.exit_reason')).toBe('KVM_EXIT_UNKNOWN');
    expect(bench.shows('vmx.vcpu0.vmcs.eoi_exit_bitmap')).toBe(String(VECTOR));
    expect(bench.shows('vmx.vcpu0.run.exit_reason')).toBe('KVM_EXIT_IOAPIC_EOI');
    expect(bench.shows('vmx.vcpu0.run.eoi_vector')).toBe(String(VECTOR));
  });

  test('tdx:INV-19, x86:LAPIC-24: kvm_eoi is traced for the plain guest alone', () => {
    const bench = routed('LEVEL');
    for (const vm of ['td', 'vmx']) bench.does(on(vm, 'KVM_IRQ_LINE', { gsi: 1, level: 1 }));
    expect(bench.events('kvm_eoi')).toEqual([`apicid 0 vector ${VECTOR}`]);
  });
});

describe('capabilities', () => {
  test('tdx:SMI-8: KVM_CAP_X86_SMM is 0 for a TD, 1 for the kernel and for a plain VM; 0 without CONFIG_KVM_SMM', () => {
    const bench = bothRunning();
    const smm = (vm: string, fd: string) =>
      bench.does(on(vm, 'KVM_CHECK_EXTENSION', { cap: 'KVM_CAP_X86_SMM', fd }));
    expect([smm('td', 'vm'), smm('td', 'kvm'), smm('vmx', 'vm')]).toEqual(['0', '1', '1']);
    const none = new Bench({ vms: { td: 1 }, switches: { no_smm: true } });
    none.does(td('KVM_CREATE_VM', { type: 'KVM_X86_TDX_VM' }));
    expect(none.does(td('KVM_CHECK_EXTENSION', { cap: 'KVM_CAP_X86_SMM', fd: 'kvm' }))).toBe('0');
  });

  test('VM-1: a TD has protected state, and at most as many vCPUs as CPUs are present', () => {
    const bench = bothRunning(); // five CPUs: the VMM's and one for each vCPU
    expect(bench.shows('td.has_protected_state')).toBe('1');
    expect(bench.shows('vmx.has_protected_state')).toBe('0');
    const most = (vm: string) => bench.does(on(vm, 'KVM_CHECK_EXTENSION', { cap: 'KVM_CAP_MAX_VCPUS' }));
    expect([most('td'), most('vmx')]).toEqual(['5', '1024']);
  });

  test('VM-2: in the first design has_protected_state is not set', () => {
    const v1 = new Bench({ vms: { td: 1 }, switches: { apicv_v1: true } });
    v1.does(td('KVM_CREATE_VM', { type: 'KVM_X86_TDX_VM' }));
    expect(v1.shows('td.has_protected_state')).toBe('0');
  });

  test('VM-6: the bus cycle is 1 ns unless set before a vCPU exists; TMICT then counts in it', () => {
    const fires = (ns: number | null): string => {
      const bench = new Bench({ vms: { vmx: 1 } });
      bench.does(on('vmx', 'KVM_CREATE_VM', { type: 'KVM_X86_DEFAULT_VM' }));
      bench.does(on('vmx', 'KVM_CAP_SPLIT_IRQCHIP'));
      if (ns !== null) expect(bench.does(on('vmx', 'KVM_CAP_X86_APIC_BUS_CYCLES_NS', { ns }))).toBe('0');
      bench.does(on('vmx', 'KVM_CREATE_VCPU', { vcpu: 0 }));
      bench.does(on('vmx', 'KVM_SET_CPUID2', { vcpu: 0 }));
      bench.does(run('vmx'));
      bench.does({ guest: 'TIMER', vm: 'vmx', vcpu: 0, register: 'TDCR', value: 0xb });
      bench.does({ guest: 'TIMER', vm: 'vmx', vcpu: 0, register: 'TMICT', value: 1000 });
      return bench.events('lapic_timer_armed')[0]!;
    };
    expect(fires(null)).toBe('vcpu 0 in 1000 ns');
    expect(fires(40)).toBe('vcpu 0 in 40000 ns');
  });

  test.each([
    ['zero', { ns: 0 }, 'SPLIT', '-EINVAL'],
    ['no irqchip', { ns: 40 }, 'NONE', '-ENXIO'],
  ] as const)('VM-6: KVM_CAP_X86_APIC_BUS_CYCLES_NS, %s: %j is refused', (_why, more, irqchip, result) => {
    expect(created('KVM_X86_TDX_VM', irqchip).does(td('KVM_CAP_X86_APIC_BUS_CYCLES_NS', more))).toBe(result);
    expect(tdReady().does(td('KVM_CAP_X86_APIC_BUS_CYCLES_NS', { ns: 40 }))).toBe('-EINVAL');
  });

  test('NUM-9: KVM_CAP_X86_DISABLE_EXITS takes MWAIT 1 and HLT 2, refuses unknown bits and existing vCPUs', () => {
    const bench = created('KVM_X86_TDX_VM', 'SPLIT');
    expect(bench.does(td('KVM_CAP_X86_DISABLE_EXITS', { exits: 16 }))).toBe('-EINVAL');
    expect(bench.does(td('KVM_CAP_X86_DISABLE_EXITS', { exits: 3 }))).toBe('0');
    expect([bench.shows('td.mwait_in_guest'), bench.shows('td.hlt_in_guest')]).toEqual(['1', '1']);
    expect(tdReady().does(td('KVM_CAP_X86_DISABLE_EXITS', { exits: 2 }))).toBe('-EINVAL');
  });

  test('VM-21: KVM_TDX_CAPABILITIES works in any TD state, refuses flags, and says how much room it needs', () => {
    for (const bench of [created('KVM_X86_TDX_VM', 'NONE'), tdReady()]) {
      expect(bench.does(td('KVM_TDX_CAPABILITIES'))).toBe('0');
      expect(bench.does(td('KVM_TDX_CAPABILITIES', { flags: 1 }))).toBe('-EINVAL');
      expect(bench.does(td('KVM_TDX_CAPABILITIES', { nent: 1 }))).toBe('-E2BIG');
      const needed = Number(bench.shows('reply.cpuid_configs'));
      expect(bench.does(td('KVM_TDX_CAPABILITIES', { nent: needed }))).toBe('0');
    }
  });

  test('VM-4, VM-5: a new VM has the mask ABSENT; memory may be pre-faulted once the TD is finalized', () => {
    const bench = created('KVM_X86_TDX_VM', 'NONE');
    expect(bench.shows('td.apicv_inhibit_reasons')).toBe('ABSENT');
    expect(bench.shows('td.pre_fault_allowed')).toBe('0');
    expect(tdReady().shows('td.pre_fault_allowed')).toBe('1');
  });

  test('VM-3: UNINITIALIZED, INITIALIZED, RUNNABLE, and no way back', () => {
    const bench = created('KVM_X86_TDX_VM', 'SPLIT');
    expect(bench.shows('td.td_state')).toBe('UNINITIALIZED');
    bench.does(td('KVM_TDX_INIT_VM'));
    expect(bench.shows('td.td_state')).toBe('INITIALIZED');
    const ready = tdReady();
    expect(ready.shows('td.td_state')).toBe('RUNNABLE');
    expect(ready.does(td('KVM_TDX_INIT_VM'))).toBe('-EINVAL');
    expect(ready.does(td('KVM_TDX_FINALIZE_VM'))).toBe('-EINVAL');
    expect(ready.shows('td.td_state')).toBe('RUNNABLE');
  });
});

describe('what KVM_RUN leaves in kvm_run', () => {
  test('RUN-13, tdx:LAPIC-13: of a TD RFLAGS.IF and CR8 are 0; the BSP is ready for KVM_INTERRUPT, an AP is not', () => {
    const bench = bothRunning();
    for (const vcpu of [0, 1]) bench.does({ vmm: 'signal', vm: 'td', vcpu });
    bench.does(signal('vmx'));
    expect(bench.shows('td.vcpu0.run.if_flag')).toBe('0');
    expect(bench.shows('vmx.vcpu0.run.if_flag')).toBe('1');
    expect(bench.shows('td.vcpu0.run.cr8')).toBe('0');
    expect(bench.shows('td.vcpu0.run.apic_base')).toBe('0xfee00d00');
    expect(bench.shows('td.vcpu1.run.apic_base')).toBe('0xfee00c00');
    expect(bench.shows('td.vcpu0.run.ready_for_interrupt_injection')).toBe('1');
    expect(bench.shows('td.vcpu1.run.ready_for_interrupt_injection')).toBe('0');
  });

  test('tdx:LAPIC-14: request_interrupt_window: the TD is entered once, then KVM_EXIT_IRQ_WINDOW_OPEN', () => {
    const bench = tdReady();
    bench.begin({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0, immediate_exit: 0, request_interrupt_window: 1 });
    bench.settle();
    expect(bench.events('kvm_entry')).toHaveLength(1);
    bench.does({ host: 'IRQ', vm: 'td', vcpu: 0 });
    expect(bench.shows('td.vcpu0.run.exit_reason')).toBe('KVM_EXIT_IRQ_WINDOW_OPEN');
    expect(bench.shows('td.vcpu0.stat.request_irq_exits')).toBe('1');
  });

  test('VM-7, RUN-3: sync_regs is -EINVAL for a TD, before immediate_exit is looked at; a plain guest runs', () => {
    const bench = bothRunning();
    for (const vm of ['td', 'vmx']) bench.does(signal(vm));
    expect(bench.does(run('td', { sync_regs: 1, immediate_exit: 1 }))).toBe('-EINVAL');
    expect(bench.does(run('td', { immediate_exit: 1 }))).toBe('-EINTR');
    expect(bench.does(run('vmx', { sync_regs: 1, immediate_exit: 1 }))).toBe('-EINTR');
  });

  test('tdx:LAPIC-8, tdx:LAPIC-11: an AP never takes the vector of KVM_INTERRUPT; a second one is -EEXIST', () => {
    const bench = tdReady();
    expect(bench.does(td('KVM_INTERRUPT', { vcpu: 1 }))).toBe('0');
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 1 });
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 1 });
    expect(bench.shows('td.vcpu1.pending_external_vector')).toBe(String(0x20));
    expect(bench.does(td('KVM_INTERRUPT', { vcpu: 1 }))).toBe('-EEXIST');
    bench.does(td('KVM_INTERRUPT', { vcpu: 0 }));
    bench.does(run('td'));
    expect(bench.shows('td.vcpu0.pending_external_vector')).toBe('-1');
  });

  test('tdx:LAPIC-12: a PIC interrupt of userspace never arrives in a TD; in a plain guest it does', () => {
    const bench = bothRunning();
    for (const vm of ['td', 'vmx']) {
      bench.does(signal(vm));
      bench.does(on(vm, 'KVM_INTERRUPT', { vcpu: 0 }));
      bench.does(run(vm));
    }
    expect([bench.shows('td.vcpu0.guest.irqs'), bench.shows('vmx.vcpu0.guest.irqs')]).toEqual(['0', '1']);
  });

  test('tdx:LAPIC-15: KVM_X86_SET_MCE, uncorrected, ends in KVM_EXIT_SHUTDOWN', () => {
    const bench = tdReady();
    expect(bench.does(td('KVM_X86_SET_MCE', { vcpu: 0 }))).toBe('0');
    expect(bench.does(run('td'))).toBe('0');
    expect(bench.shows('last.exit')).toBe('KVM_EXIT_SHUTDOWN');
  });
});

describe('APICv as KVM sees it', () => {
  test.each([[{}], [{ apicv_v1: true }]])(
    'APICV-13: with %j apicv_active agrees with the mask at every entry',
    (switches) => {
      const bench = new Bench({ vms: { td: 1, vmx: 1 }, switches });
      bench.does({ boot: 'td', vm: 'td', vcpus: 1 });
      bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1 });
      expect(bench.shows('warned.vcpu_enter_guest')).toBe('0');
    },
  );

  test('APICV-13: an entry whose apicv_active differs from the mask warns', () => {
    const bench = bothRunning(false);
    bench.does(signal('td'));
    const { machine } = bench;
    kvm_lapic.apicv_active.set(machine, apicOf(machine.vcpus[0]!), 0); // a defect that no action can cause
    bench.does(run('td'));
    expect(bench.events('WARN')).toEqual(['vcpu_enter_guest vcpu 0']);
  });

  test('APICV-2, APICV-3: the first design tells KVM that APICv is inactive, the second that it is active', () => {
    const active = (switches: Record<string, boolean>): string[] => {
      const bench = new Bench({ vms: { td: 1 }, switches });
      bench.does({ boot: 'td', vm: 'td', vcpus: 1 });
      return [bench.shows('vcpu0.apic.apicv_active'), bench.shows('td.apicv_inhibit_reasons')];
    };
    expect(active({ apicv_v1: true })).toEqual(['0', 'TDX']);
    expect(active({})).toEqual(['1', '']);
  });

  test('APICV-12: a TD needs no KVM_CAP_X2APIC_API: its x2APIC ids are its vcpu ids', () => {
    const bench = bothRunning();
    bench.does({ guest: 'SVR', vm: 'td', vcpu: 1 });
    expect(bench.does(td('KVM_SIGNAL_MSI', { dest: 1, delivery_mode: 'FIXED', vector: VECTOR }))).toBe('1');
    expect(bench.shows('td.vcpu1.guest.irqs')).toBe('1');
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('0');
  });

  test('VAPIC-2: the shadow page of a TD keeps what KVM emulates, and never sees IRR or ISR', () => {
    const bench = tdReady();
    bench.does(run('td'));
    bench.does({ guest: 'SVR', vm: 'td', vcpu: 0, value: 0x1f3 });
    expect(bench.shows('td.vcpu0.apic.svr')).toBe('0x1f3');
    bench.does({ guest: 'IF', vm: 'td', vcpu: 0, enabled: false });
    bench.does(td('KVM_SIGNAL_MSI', { dest: 0, delivery_mode: 'FIXED', vector: VECTOR }));
    expect(bench.shows('td.vcpu0.guest.virr')).toBe(String(VECTOR)); // private state: no path of td.vcpu0.apic shows it
    const shadow = bench.machine.layout.leaves.filter(({ path }) => path.startsWith('td.vcpu0.apic.'));
    expect(shadow.map(({ path }) => path.split('.').at(-1))).not.toEqual(
      expect.arrayContaining(['irr', 'isr', 'tpr']),
    );
  });
});
