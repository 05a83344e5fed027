import { describe, expect, test } from 'vitest';
import { Bench, bothRunning, tdReady } from '../testing/bench';
import { APICV_INHIBIT_REASONS } from '../names';

const run = (vm: string, vcpu = 0) => ({ vmm: 'KVM_RUN', vm, vcpu });
const signal = (vm: string, vcpu = 0) => ({ vmm: 'signal', vm, vcpu });
/** Names of the events since `from` that are among `wanted`, in order. */
function order(bench: Bench, from: number, wanted: string[]): string[] {
  const names: string[] = [];
  for (let n = from; n < bench.mark; n++) {
    const event = bench.machine.trace.event(n);
    if (event.type !== 'return' && wanted.includes(event.name)) names.push(event.name);
  }
  return names;
}

describe('the loop of KVM_RUN', () => {
  test('RUN-5: RUNNABLE enters, anything else blocks; a signal ends the call with -EINTR and KVM_EXIT_INTR', () => {
    const bench = bothRunning();
    const from = bench.mark;
    bench.does({ guest: 'HLT', vm: 'td', vcpu: 0, interrupts: 'blocked' });
    expect(order(bench, from, ['vcpu_enter_guest', 'vcpu_block'])).toEqual(['vcpu_block']);
    bench.does(signal('td'));
    expect(bench.shows('td.vcpu0.run.exit_reason')).toBe('KVM_EXIT_INTR');
    expect(bench.events('kvm_userspace_exit').at(-1)).toBe('reason restart (-EINTR)');
    expect(bench.shows('td.vcpu0.stat.signal_exits')).toBe('1');
  });

  test('RUN-7: without KVM_REQ_EVENT neither INIT/SIPI nor injection is looked at', () => {
    const bench = bothRunning();
    const from = bench.mark;
    bench.does({ host: 'IRQ', vm: 'td', vcpu: 0 });
    expect(
      order(bench, from, ['vcpu_enter_guest', 'kvm_apic_accept_events', 'kvm_check_and_inject_events']),
    ).toEqual(['vcpu_enter_guest']);
  });

  test('RUN-8: what was begun is injected first, and nothing new goes before it in that pass', () => {
    const bench = bothRunning();
    bench.does(signal('vmx'));
    bench.does({
      vmm: 'KVM_SET_VCPU_EVENTS',
      vm: 'vmx',
      vcpu: 0,
      interrupt_injected: 1,
      smi_pending: 1,
      nmi_pending: 1,
    });
    const from = bench.mark;
    bench.does(run('vmx'));
    bench.does({ guest: 'RSM', vm: 'vmx', vcpu: 0 });
    const marks = ['vmx_inject_irq', 'kvm_enter_smm', 'vmx_inject_nmi', 'kvm_entry'];
    // Pass 1 repeats the interrupt and forces an exit; pass 2 takes the SMI, which masks NMIs; after RSM comes the NMI.
    expect(order(bench, from, marks).filter((name, i, all) => name !== all[i - 1])).toEqual([
      'vmx_inject_irq',
      'kvm_entry',
      'kvm_enter_smm',
      'kvm_entry',
      'kvm_enter_smm',
      'vmx_inject_nmi',
      'kvm_entry',
    ]);
  });

  test('RUN-12: after the exit the mode is OUTSIDE, then the interrupt is handled, then interrupts are on, then the exit', () => {
    const bench = bothRunning();
    bench.begin({ host: 'IRQ', vm: 'td', vcpu: 0, vector: 0xec });
    const seen: string[] = [];
    for (let i = 0; i < 40; i++) {
      const top = bench.machine
        .threads()
        .find(({ name }) => name === 'td.vcpu0')!
        .stack.at(-1)!;
      if (top.routine === 'vcpu_enter_guest') {
        const state = `${bench.shows('td.vcpu0.mode')} irqs_off=${bench.shows('cpu1.irqs_off')}`;
        seen.push(`${top.step}: ${state}`);
        if (top.step === 'handle') break;
      }
      bench.step('td.vcpu0');
    }
    expect(seen).toEqual([
      'exited: IN_GUEST_MODE irqs_off=1',
      'exit_irqoff: OUTSIDE_GUEST_MODE irqs_off=1',
      'irqs_on: OUTSIDE_GUEST_MODE irqs_off=1',
      'handle: OUTSIDE_GUEST_MODE irqs_off=0',
    ]);
  });
});

describe('the vCPU of a TD', () => {
  test('VCPU-3: fields that KVM_CREATE_VCPU sets', () => {
    const bench = new Bench({ vms: { td: 1 } });
    bench.does({ vmm: 'KVM_CREATE_VM', vm: 'td', type: 'KVM_X86_TDX_VM' });
    bench.does({ vmm: 'KVM_CAP_SPLIT_IRQCHIP', vm: 'td' });
    bench.does({ vmm: 'KVM_TDX_INIT_VM', vm: 'td' });
    bench.does({ vmm: 'KVM_CREATE_VCPU', vm: 'td', vcpu: 0 });
    expect(bench.shows('vcpu0.apic.guest_apic_protected')).toBe('1');
    expect(bench.shows('vcpu0.pid.nv')).toBe('0xf2');
    expect(bench.shows('vcpu0.tdx_state')).toBe('UNINITIALIZED');
  });

  test('VCPU-5, tdx:INV-14: a reset by INIT warns once and changes nothing of the TD', () => {
    const bench = bothRunning();
    bench.does({ guest: 'SVR', vm: 'td', vcpu: 0 });
    const before = ['guest.started', 'guest.resets', 'guest.starts', 'tdvps.state'].map((f) =>
      bench.shows(`td.vcpu0.${f}`),
    );
    for (let i = 0; i < 2; i++) bench.does({ kvm: 'kvm_vcpu_reset', vm: 'td', vcpu: 0, init_event: true });
    expect(
      ['guest.started', 'guest.resets', 'guest.starts', 'tdvps.state'].map((f) =>
        bench.shows(`td.vcpu0.${f}`),
      ),
    ).toEqual(before);
    expect(bench.events('WARN')).toEqual(['tdx_vcpu_reset vcpu 0']);
  });

  test('VCPU-8: KVM_SET_CPUID2 has to come before KVM_TDX_INIT_VCPU', () => {
    const bench = new Bench({ vms: { td: 1 } });
    for (const action of [
      { vmm: 'KVM_CREATE_VM', vm: 'td', type: 'KVM_X86_TDX_VM' },
      { vmm: 'KVM_CAP_SPLIT_IRQCHIP', vm: 'td' },
      { vmm: 'KVM_TDX_INIT_VM', vm: 'td' },
      { vmm: 'KVM_CREATE_VCPU', vm: 'td', vcpu: 0 },
    ])
      expect(bench.does(action)).toBe('0');
    expect(bench.does({ vmm: 'KVM_TDX_INIT_VCPU', vm: 'td', vcpu: 0 })).toBe('-EINVAL');
    bench.does({ vmm: 'KVM_SET_CPUID2', vm: 'td', vcpu: 0 });
    expect(bench.does({ vmm: 'KVM_TDX_INIT_VCPU', vm: 'td', vcpu: 0 })).toBe('0');
  });

  test('INIT-2, INIT-14: blocked for ever: the sender sees success, the target is not affected', () => {
    const bench = bothRunning();
    expect(bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 1, delivery_mode: 'INIT' })).toBe('1');
    expect(bench.shows('td.vcpu1.mp_state')).toBe('RUNNABLE');
    expect(bench.shows('td.vcpu1.apic.pending_events')).toBe('INIT');
    expect(bench.shows('td.vcpu1.guest.resets')).toBe('0');
  });
});

describe('APICv inhibit reasons', () => {
  const set = (vm: string, reason: string, on = true) => ({ kvm: 'set_apicv_inhibit', vm, reason, set: on });

  test('APICV-4: the reasons by number; 0 to 6 are those that VMX honours', () => {
    expect(APICV_INHIBIT_REASONS.slice(0, 12)).toEqual([
      'DISABLED', 'HYPERV', 'ABSENT', 'BLOCKIRQ', 'PHYSICAL_ID_ALIASED', 'APIC_ID_MODIFIED', 'APIC_BASE_MODIFIED',
      'NESTED', 'IRQWIN', 'PIT_REINJ', 'SEV', 'LOGICAL_ID_ALIASED',
    ]); // prettier-ignore
    for (const [bit, reason] of APICV_INHIBIT_REASONS.slice(0, 12).entries()) {
      const bench = bothRunning();
      bench.does(set('vmx', reason));
      expect(bench.shows('vmx.apicv_inhibit_reasons')).toBe(bit <= 6 ? reason : '');
    }
  });

  test('APICV-6: every change is traced with the new mask; only the first reason and the last concern the vCPUs', () => {
    const bench = bothRunning();
    const told = (action: Record<string, unknown>): number => {
      const from = bench.mark;
      bench.does(action);
      return bench.events('__kvm_vcpu_update_apicv', from).length;
    };
    expect(told(set('vmx', 'BLOCKIRQ'))).toBeGreaterThan(0);
    expect(told(set('vmx', 'HYPERV'))).toBe(0);
    expect(told(set('vmx', 'BLOCKIRQ', false))).toBe(0);
    expect(told(set('vmx', 'HYPERV', false))).toBeGreaterThan(0);
    expect(bench.events('kvm_apicv_inhibit_changed').slice(-4)).toEqual([
      'set reason=BLOCKIRQ, inhibits=0x8',
      'set reason=HYPERV, inhibits=0xa',
      'cleared reason=BLOCKIRQ, inhibits=0x2',
      'cleared reason=HYPERV, inhibits=0x0',
    ]);
  });

  test('APICV-7: a vCPU that finds itself inactive raises KVM_REQ_EVENT; found unchanged, nothing', () => {
    const bench = bothRunning();
    bench.does(signal('vmx'));
    bench.does(set('vmx', 'BLOCKIRQ'));
    expect(bench.shows('vmx.vcpu0.requests')).toContain('APICV_UPDATE');
    bench.does(run('vmx'));
    expect(bench.shows('vmx.vcpu0.apic.apicv_active')).toBe('0');
    expect(bench.shows('vmx.vcpu0.requests')).not.toContain('APICV_UPDATE');
  });

  test('VAPIC-1: the ops of a TD vCPU: injection, windows and EOI bitmap do nothing, inactive APICv bugs the VM', () => {
    const bench = tdReady();
    bench.does({
      vmm: 'KVM_SET_GSI_ROUTING',
      vm: 'td',
      gsi: 0,
      dest: 0,
      vector: 0x31,
      trigger_mode: 'LEVEL',
    });
    bench.does({ vmm: 'KVM_INTERRUPT', vm: 'td', vcpu: 0 });
    bench.does(run('td'));
    expect(bench.events('kvm_inj_virq')).toEqual([]);
    expect(bench.shows('td.vcpu0.vmcs.eoi_exit_bitmap')).toBe('');
    expect(bench.shows('td.vcpu0.vmcs.cpu_based')).not.toContain('INTR_WINDOW');
    bench.does(set('td', 'BLOCKIRQ'));
    expect(bench.events('KVM_BUG_ON')).toEqual(['vt_refresh_apicv_exec_ctrl']);
  });
});

describe('LAPIC and SREGS of a TD', () => {
  test('tdx:LAPIC-2, tdx:LAPIC-3: they are refused, not adjusted: nothing of the vCPU changes', () => {
    const bench = tdReady();
    for (const ioctl of ['KVM_GET_LAPIC', 'KVM_SET_LAPIC', 'KVM_GET_SREGS', 'KVM_SET_SREGS']) {
      const before = bench.shows('td.vcpu0.apic.base');
      expect(bench.does({ vmm: ioctl, vm: 'td', vcpu: 0 })).toBe('-EINVAL');
      expect(bench.shows('td.vcpu0.apic.base')).toBe(before);
    }
  });
});
