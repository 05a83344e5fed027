import { describe, expect, test } from 'vitest';
import { Bench } from '../testing/bench';

function running(switches: Record<string, boolean> = {}): Bench {
  const bench = new Bench({ vms: { td: 1, vmx: 1 }, switches });
  bench.does({ boot: 'td', vm: 'td', vcpus: 1 });
  bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1 });
  return bench;
}
const inhibit = (vm: string, reason: string, set = true) => ({ kvm: 'set_apicv_inhibit', vm, reason, set });
const post = (vm: string, vector = 0x31) => ({
  vmm: 'KVM_SIGNAL_MSI',
  vm,
  dest: 0,
  delivery_mode: 'FIXED',
  vector,
});

describe('APICv of a TD, second design', () => {
  test('APICV-11: the mask is ABSENT at creation, empty after the split irqchip, with one trace event', () => {
    const td = new Bench({ vms: { td: 1 } });
    td.does({ vmm: 'KVM_CREATE_VM', vm: 'td', type: 'KVM_X86_TDX_VM' });
    expect(td.shows('td.apicv_inhibit_reasons')).toBe('ABSENT');
    td.does({ vmm: 'KVM_CAP_SPLIT_IRQCHIP', vm: 'td' });
    expect(td.shows('td.apicv_inhibit_reasons')).toBe('');
    expect(td.events('kvm_apicv_inhibit_changed')).toEqual(['cleared reason=ABSENT, inhibits=0x0']);
  });

  test.each([
    'DISABLED',
    'HYPERV',
    'BLOCKIRQ',
    'PHYSICAL_ID_ALIASED',
    'APIC_ID_MODIFIED',
    'APIC_BASE_MODIFIED',
  ])('APICV-8, APICV-9: reason %s bugs the VM before any further entry', (reason) => {
    const bench = running();
    const from = bench.mark;
    bench.does(inhibit('td', reason));
    expect(bench.events('KVM_BUG_ON', from)).toEqual(['vt_refresh_apicv_exec_ctrl']);
    expect(bench.shows('td.vm_bugged')).toBe('1');
    expect(bench.events('kvm_entry', from)).toEqual([]);
    expect(bench.shows('td.vcpu0.thread.ret')).toBe('-EIO');
    expect(bench.does({ vmm: 'KVM_GET_MP_STATE', vm: 'td', vcpu: 0 })).toBe('-EIO');
  });

  test.each(['NESTED', 'IRQWIN', 'PIT_REINJ', 'SEV', 'LOGICAL_ID_ALIASED', 'TDX'])(
    'APICV-5: reason %s is not honoured on Intel hosts: nothing changes and nothing is traced',
    (reason) => {
      const bench = running();
      const from = bench.mark;
      bench.does(inhibit('td', reason));
      expect(bench.events('kvm_apicv_inhibit_changed', from)).toEqual([]);
      expect(bench.shows('td.vcpu0.apic.apicv_active')).toBe('1');
      expect(bench.shows('td.vcpu0.thread.status')).toBe('in-guest');
    },
  );

  test('BRING-3, BRING-6: with enable_apicv=0 there is no TD: KVM_CREATE_VM is -EINVAL', () => {
    const bench = new Bench({ vms: { td: 1, vmx: 1 }, switches: { no_apicv: true } });
    expect(bench.does({ vmm: 'KVM_CREATE_VM', vm: 'td', type: 'KVM_X86_TDX_VM' })).toBe('-EINVAL');
    expect(bench.does({ vmm: 'KVM_CREATE_VM', vm: 'vmx', type: 'KVM_X86_DEFAULT_VM' })).toBe('0');
    expect(bench.shows('vmx.apicv_inhibit_reasons')).toBe('DISABLED');
  });

  test('tdx:LAPIC-1, tdx:LAPIC-4, RUN-16: userspace may not touch LAPIC, SREGS or debug controls of a TD vCPU', () => {
    const bench = running();
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    bench.does({ vmm: 'signal', vm: 'vmx', vcpu: 0 });
    for (const call of ['KVM_GET_LAPIC', 'KVM_SET_LAPIC', 'KVM_SET_SREGS', 'KVM_SET_GUEST_DEBUG']) {
      expect(bench.does({ vmm: call, vm: 'td', vcpu: 0 }), call).toBe('-EINVAL');
      expect(bench.does({ vmm: call, vm: 'vmx', vcpu: 0 }), call).toBe('0');
    }
  });
});

describe('APICv of a TD, first design', () => {
  const v1 = { apicv_v1: true };
  test('V12-1, V12-2: reason TDX is set at KVM_TDX_INIT_VM, and apicv_active is false', () => {
    const bench = running(v1);
    expect(bench.shows('td.apicv_inhibit_reasons')).toBe('TDX');
    expect(bench.events('kvm_apicv_inhibit_changed')).toContain('set reason=TDX, inhibits=0x1000');
    expect(bench.shows('td.vcpu0.apic.apicv_active')).toBe('0');
  });

  test('V12-1: the mask is 0x1004 when the irqchip comes later', () => {
    const bench = new Bench({ vms: { td: 1 }, switches: v1 });
    bench.does({ vmm: 'KVM_CREATE_VM', vm: 'td', type: 'KVM_X86_TDX_VM' });
    bench.does({ vmm: 'KVM_TDX_INIT_VM', vm: 'td' });
    expect(bench.events('kvm_apicv_inhibit_changed')).toEqual(['set reason=TDX, inhibits=0x1004']);
  });

  test('V12-3, V12-4: TDX works with enable_apicv=0, and the full irqchip is good enough', () => {
    const bench = new Bench({ vms: { td: 1 }, switches: { ...v1, no_apicv: true } });
    expect(bench.does({ vmm: 'KVM_CREATE_VM', vm: 'td', type: 'KVM_X86_TDX_VM' })).toBe('0');
    expect(bench.does({ vmm: 'KVM_CREATE_IRQCHIP', vm: 'td' })).toBe('0');
    expect(bench.does({ vmm: 'KVM_TDX_INIT_VM', vm: 'td' })).toBe('0');
    expect(bench.does({ vmm: 'KVM_CREATE_VCPU', vm: 'td', vcpu: 0 })).toBe('0');
  });

  test('V12-5, V12-6: GET_LAPIC, SET_LAPIC and SET_SREGS succeed; the APIC base moves', () => {
    const bench = running(v1);
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    expect(bench.does({ vmm: 'KVM_GET_LAPIC', vm: 'td', vcpu: 0 })).toBe('0');
    expect(bench.does({ vmm: 'KVM_SET_LAPIC', vm: 'td', vcpu: 0 })).toBe('0');
    expect(bench.does({ vmm: 'KVM_SET_SREGS', vm: 'td', vcpu: 0, apic_base: 0xfec0_0d00 })).toBe('0');
    expect(bench.shows('td.vcpu0.apic.base')).toBe('0xfec00d00');
  });

  test('APICV-1, PI-38: the hardware still virtualizes the APIC: a posted vector arrives', () => {
    const bench = running(v1);
    bench.does({ guest: 'SVR', vm: 'td', vcpu: 0 });
    bench.does(post('td'));
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
    expect(bench.events('kvm_inj_virq')).toEqual([]);
  });
});

describe('APICv of a plain VMX guest', () => {
  test('x86:IRQ-15, x86:IRQ-1, x86:IRQ-3: inhibited, KVM injects: IRR, KVM_REQ_EVENT, kick, kvm_inj_virq', () => {
    const bench = running();
    bench.does({ guest: 'SVR', vm: 'vmx', vcpu: 0 });
    bench.does(inhibit('vmx', 'HYPERV'));
    expect(bench.shows('vmx.vcpu0.apic.apicv_active')).toBe('0');
    const from = bench.mark;
    bench.does(post('vmx'));
    expect(bench.events('kvm_inj_virq', from)).toEqual(['IRQ 0x31']);
    expect(bench.shows('vmx.vcpu0.guest.irqs')).toBe('1');
    expect(bench.shows('vmx.vcpu0.stat.irq_injections')).toBe('1');
    bench.does(inhibit('vmx', 'HYPERV', false));
    expect(bench.shows('vmx.vcpu0.apic.apicv_active')).toBe('1');
  });

  test('x86:IRQ-4: with interrupts disabled KVM waits for the interrupt window', () => {
    const bench = running();
    bench.does({ guest: 'SVR', vm: 'vmx', vcpu: 0 });
    bench.does(inhibit('vmx', 'HYPERV'));
    bench.does({ guest: 'IF', vm: 'vmx', vcpu: 0, enabled: false });
    bench.does(post('vmx'));
    expect(bench.shows('vmx.vcpu0.vmcs.cpu_based')).toContain('INTR_WINDOW');
    expect(bench.shows('vmx.vcpu0.guest.irqs')).toBe('0');
    const from = bench.mark;
    bench.does({ guest: 'IF', vm: 'vmx', vcpu: 0, enabled: true });
    expect(bench.events('kvm_exit', from)[0]).toContain('INTERRUPT_WINDOW');
    expect(bench.shows('vmx.vcpu0.guest.irqs')).toBe('1');
  });

  test('x86:IRQ-16: KVM_GUESTDBG_BLOCKIRQ inhibits APICv until it is cleared', () => {
    const bench = running();
    bench.does({ vmm: 'signal', vm: 'vmx', vcpu: 0 });
    bench.does({ vmm: 'KVM_SET_GUEST_DEBUG', vm: 'vmx', vcpu: 0 });
    expect(bench.shows('vmx.apicv_inhibit_reasons')).toBe('BLOCKIRQ');
    bench.does({ vmm: 'KVM_SET_GUEST_DEBUG', vm: 'vmx', vcpu: 0, blockirq: false });
    expect(bench.shows('vmx.apicv_inhibit_reasons')).toBe('');
  });

  test('APICV-10: a moved APIC base inhibits APICv', () => {
    const bench = running();
    bench.does({ vmm: 'signal', vm: 'vmx', vcpu: 0 });
    bench.does({ vmm: 'KVM_SET_SREGS', vm: 'vmx', vcpu: 0, apic_base: 0xfec0_0900 });
    expect(bench.shows('vmx.apicv_inhibit_reasons')).toBe('APIC_BASE_MODIFIED');
  });

  test('APICV-3, APICV-10: a disabled APIC has no APICv, takes no message, and is no reason to inhibit', () => {
    const bench = running();
    bench.does({ vmm: 'signal', vm: 'vmx', vcpu: 0 });
    bench.does({ vmm: 'KVM_SET_SREGS', vm: 'vmx', vcpu: 0, apic_base: 0 });
    expect(bench.shows('vmx.apicv_inhibit_reasons')).toBe('');
    expect(bench.shows('vmx.vcpu0.apic.apicv_active')).toBe('0');
    const message = { vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 0, delivery_mode: 'FIXED', vector: 0x31 };
    expect(bench.does(message)).toBe('-EPERM');
    bench.does({ vmm: 'KVM_SET_SREGS', vm: 'vmx', vcpu: 0, apic_base: 0xfee0_0d00 });
    expect(bench.shows('vmx.vcpu0.apic.apicv_active')).toBe('1');
  });

  test('x86:INJ-10: under KVM_GUESTDBG_BLOCKIRQ nothing new is injected', () => {
    const bench = running();
    bench.does({ vmm: 'signal', vm: 'vmx', vcpu: 0 });
    bench.does({ vmm: 'KVM_SET_GUEST_DEBUG', vm: 'vmx', vcpu: 0 });
    bench.does({ vmm: 'KVM_NMI', vm: 'vmx', vcpu: 0 });
    bench.does({ vmm: 'KVM_RUN', vm: 'vmx', vcpu: 0 });
    expect(bench.shows('vmx.vcpu0.guest.nmis')).toBe('0');
    bench.does({ vmm: 'signal', vm: 'vmx', vcpu: 0 });
    bench.does({ vmm: 'KVM_SET_GUEST_DEBUG', vm: 'vmx', vcpu: 0, blockirq: false });
    expect(bench.shows('vmx.vcpu0.requests')).toContain('EVENT'); // kvm_set_rflags(): what was held back is looked at again
    bench.does({ vmm: 'KVM_NMI', vm: 'vmx', vcpu: 0 });
    bench.does({ vmm: 'KVM_RUN', vm: 'vmx', vcpu: 0 });
    expect(bench.shows('vmx.vcpu0.guest.nmis')).toBe('2');
  });
});

describe('KVM_INTERRUPT', () => {
  const interrupt = (vm: string, vector = 0x20) => ({ vmm: 'KVM_INTERRUPT', vm, vcpu: 0, vector });

  test('tdx:LAPIC-7, x86:IRQ-17: a vector of 256 is -EINVAL, a second one while one waits -EEXIST', () => {
    const bench = running();
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    expect(bench.does(interrupt('td', 256))).toBe('-EINVAL');
    expect(bench.does(interrupt('td'))).toBe('0');
    expect(bench.does(interrupt('td'))).toBe('-EEXIST');
  });

  test('tdx:LAPIC-9, PI-38: the BSP of a TD marks it injected for ever; the guest never gets it', () => {
    const bench = running();
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    bench.does(interrupt('td'));
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    expect(bench.shows('td.vcpu0.interrupt_injected')).toBe('1');
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('0');
    expect(bench.events('irq_injection_lost')).toEqual(['vcpu 0']);
    expect(bench.shows('td.vcpu0.stat.irq_injections')).toBe('0');
  });

  test('tdx:LAPIC-10: after that an NMI is stuck: immediate exits, one warning; posted interrupts still arrive', () => {
    const bench = running();
    bench.does({ guest: 'SVR', vm: 'td', vcpu: 0 });
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    bench.does(interrupt('td'));
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    bench.does({ vmm: 'KVM_NMI', vm: 'td', vcpu: 0 });
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    expect(bench.events('WARN')).toEqual(['tdx_vcpu_run vcpu 0']);
    expect(bench.shows('td.vcpu0.nmi_pending')).toBe('1');
    bench.does(post('td'));
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
  });

  test('x86:IRQ-17: a plain guest gets it by event injection', () => {
    const bench = running();
    bench.does({ vmm: 'signal', vm: 'vmx', vcpu: 0 });
    bench.does(interrupt('vmx'));
    bench.does({ vmm: 'KVM_RUN', vm: 'vmx', vcpu: 0 });
    expect(bench.shows('vmx.vcpu0.guest.irqs')).toBe('1');
    bench.does({ vmm: 'signal', vm: 'vmx', vcpu: 0 }); // the exit tells KVM that it was delivered
    expect(bench.shows('vmx.vcpu0.interrupt_injected')).toBe('0');
  });
});
