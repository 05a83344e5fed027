import { describe, expect, test } from 'vitest';
import { Bench } from '../testing/bench';

/** One vCPU of a plain guest, running, its APIC enabled. */
function running(switches: Record<string, boolean> = {}, cpuid: Record<string, unknown> = {}): Bench {
  const bench = new Bench({ vms: { vmx: 1 }, switches });
  bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1, run: false });
  bench.does({ vmm: 'KVM_SET_CPUID2', ...vcpu0, ...cpuid });
  bench.does({ vmm: 'KVM_RUN', ...vcpu0 });
  bench.does({ guest: 'SVR', ...vcpu0 });
  return bench;
}
const vcpu0 = { vm: 'vmx', vcpu: 0 };
const smi = { vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 0, delivery_mode: 'SMI' };
const nmi = { vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 0, delivery_mode: 'NMI' };
const irq = { vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 0, delivery_mode: 'FIXED', vector: 0x41 };
const rsm = (more: Record<string, unknown> = {}) => ({ guest: 'RSM', ...vcpu0, ...more });
const shows = (bench: Bench, field: string): string => bench.shows(`vmx.vcpu0.${field}`);
const smm = (bench: Bench): string => shows(bench, 'smm');

describe('an SMI is requested', () => {
  test('x86:SMI-1, x86:INV-23: KVM_SMI and an SMI by message raise KVM_REQ_SMI; the ioctl is 0', () => {
    const bench = running();
    bench.does({ vmm: 'signal', ...vcpu0 });
    expect(bench.does({ vmm: 'KVM_SMI', ...vcpu0 })).toBe('0');
    expect(shows(bench, 'requests')).toContain('SMI');
    bench.does({ vmm: 'KVM_RUN', ...vcpu0 });
    expect(smm(bench)).toBe('1');
    expect(running().does(smi)).toBe('1');
  });

  test('x86:SMI-1: without CONFIG_KVM_SMM it is -ENOTTY, and a message is dropped', () => {
    const bench = running({ no_smm: true });
    expect(bench.does(smi)).toBe('0');
    bench.does({ vmm: 'signal', ...vcpu0 });
    expect(bench.does({ vmm: 'KVM_SMI', ...vcpu0 })).toBe('-ENOTTY');
    expect(shows(bench, 'requests')).not.toContain('SMI');
  });

  test('x86:SMI-2, x86:INV-19: any number of requests before the entry is one SMI', () => {
    const bench = running();
    bench.does({ vmm: 'signal', ...vcpu0 });
    for (let i = 0; i < 5; i++) bench.does({ vmm: 'KVM_SMI', ...vcpu0 });
    bench.does({ vmm: 'KVM_RUN', ...vcpu0 });
    expect(shows(bench, 'smi_count')).toBe('1');
    bench.does(rsm());
    expect([smm(bench), shows(bench, 'smi_count')]).toEqual(['0', '1']);
  });

  test('x86:SMI-3, x86:SMI-4, x86:SMI-5: in SMM it stays pending, no window is asked for, and RSM lets it in', () => {
    const bench = running();
    bench.does(smi);
    const from = bench.mark;
    for (let i = 0; i < 3; i++) bench.does(smi);
    expect([shows(bench, 'smi_pending'), shows(bench, 'smi_count')]).toEqual(['1', '1']);
    expect(bench.events('kvm_enter_smm', from)).toEqual([]);
    expect(shows(bench, 'vmcs.cpu_based')).toBe('HLT TPR_SHADOW');
    bench.does(rsm());
    expect(bench.events('kvm_enter_smm', from)).toEqual([
      'vcpu 0: leaving SMM, smbase 0x30000',
      'vcpu 0: entering SMM, smbase 0x30000',
    ]);
    expect([smm(bench), shows(bench, 'smi_pending'), shows(bench, 'smi_count')]).toEqual(['1', '0', '2']);
  });
});

describe('entry', () => {
  test.each([
    [true, '0x20064'],
    [false, '0x20000'],
  ])('x86:SMI-6: the layout follows CPUID: with long mode %s the revision is %s', (lm, revision) => {
    const bench = running({}, { lm });
    bench.does({ guest: 'IF', ...vcpu0, enabled: false });
    bench.does(smi);
    const image = ['revision', 'rflags', 'rip', 'cs_base', 'cr0'].map((f) => shows(bench, `smram.${f}`));
    expect(image).toEqual([revision, '0x2', '0xfff0', '0xffff0000', '0x80000011']);
    expect(shows(bench, 'smram.efer')).toBe(lm ? '0x500' : '0x0');
  });

  test('x86:SMI-8, x86:SMI-10, x86:SMI-11: HF_SMM_MASK; real mode at SMBASE + 0x8000, interrupts off, flat limits', () => {
    const bench = running();
    bench.does(smi);
    expect(bench.events('kvm_enter_smm')).toEqual(['vcpu 0: entering SMM, smbase 0x30000']);
    expect([smm(bench), shows(bench, 'guest.if'), shows(bench, 'regs.rip')]).toEqual(['1', '0', '0x8000']);
    const state = ['cr0', 'cr4', 'efer', 'dr7', 'idt_base', 'idt_limit'].map((f) =>
      shows(bench, `vmcs.guest.${f}`),
    );
    expect(state).toEqual(['0x10', '0x0', '0x0', '0x400', '0x0', '0x0']);
    expect([shows(bench, 'regs.cs_selector'), shows(bench, 'regs.cs_base')]).toEqual(['0x3000', '0x30000']);
    const segments = ['cs_limit', 'ds_selector', 'ds_base', 'ds_limit'].map((f) =>
      shows(bench, `vmcs.guest.${f}`),
    );
    expect(segments).toEqual(['0xffffffff', '0x0', '0x0', '0xffffffff']);
  });

  test('x86:SMI-9: NMIs are masked in SMM, and unmasked by RSM unless they were masked before', () => {
    const bench = running();
    bench.does(smi);
    bench.does(nmi);
    expect([shows(bench, 'smm_inside_nmi'), shows(bench, 'guest.nmis')]).toEqual(['0', '0']);
    bench.does(rsm());
    expect(shows(bench, 'guest.nmis')).toBe('1');
    bench.does({ guest: 'NMI_HANDLER', ...vcpu0 });
    bench.does(nmi);
    bench.does(smi);
    expect(shows(bench, 'smm_inside_nmi')).toBe('1');
    bench.does(rsm());
    expect([shows(bench, 'smm_inside_nmi'), shows(bench, 'guest.in_nmi')]).toEqual(['0', '1']);
  });

  test('x86:SMI-10: an interrupt waits until RSM', () => {
    const bench = running();
    bench.does(smi);
    bench.does(irq);
    expect(shows(bench, 'guest.irqs')).toBe('0');
    bench.does(rsm());
    expect(shows(bench, 'guest.irqs')).toBe('1');
  });

  test('x86:SMI-12, x86:SMI-13: a handler moves SMBASE; where no memory is, the next SMI kills the VM', () => {
    const bench = running();
    bench.does(smi);
    bench.does(rsm({ smbase: 0x7f00_0000 }));
    bench.does(smi);
    expect(shows(bench, 'regs.cs_base')).toBe('0x7f000000');
    expect(shows(bench, 'regs.cs_selector')).toBe('0x0');
    bench.does(rsm({ smbase: 0xd000_0000 }));
    expect(bench.shows('vmx.vm_dead')).toBe('0');
    bench.does(smi);
    expect(bench.shows('vmx.vm_dead')).toBe('1');
    expect(bench.does({ vmm: 'KVM_RUN', ...vcpu0 })).toBe('-EIO');
  });
});

describe('RSM', () => {
  test('x86:SMI-13: it exits as #UD, restores everything and leaves SMM', () => {
    const bench = running();
    const paths = bench.machine.layout.leaves
      .map(({ path }) => path)
      .filter((path) => /^vmx\.vcpu0\.(regs|vmcs\.guest)\.|guest\.if$/.test(path));
    const before = paths.map((path) => bench.shows(path));
    bench.does(smi);
    expect(paths.map((path) => bench.shows(path))).not.toEqual(before);
    const from = bench.mark;
    bench.does(rsm());
    expect(bench.events('kvm_exit', from)[0]).toContain('reason EXCEPTION_NMI');
    expect(bench.events('kvm_exit', from)[0]).toContain('intr_info 0x80000306');
    expect(paths.map((path) => bench.shows(path))).toEqual(before);
    expect(smm(bench)).toBe('0');
  });

  test('x86:SMI-13: outside SMM the guest gets the #UD', () => {
    const bench = running();
    bench.does(rsm());
    expect([shows(bench, 'guest.exceptions'), shows(bench, 'guest.exception')]).toEqual(['1', '6']);
    expect(bench.events('kvm_enter_smm')).toEqual([]);
  });

  test('x86:SMI-13: with a damaged image it is a triple fault: KVM_EXIT_SHUTDOWN', () => {
    const bench = running();
    bench.does(smi);
    bench.does(rsm({ damaged: true }));
    expect(shows(bench, 'run.exit_reason')).toBe('KVM_EXIT_SHUTDOWN');
  });

  test('x86:SMI-15: MSR 0x34 counts the SMIs; INIT and RESET clear it, and only RESET puts SMBASE back', () => {
    const bench = running();
    for (let i = 0; i < 3; i++) {
      bench.does(smi);
      bench.does(rsm({ smbase: 0x4_0000 }));
    }
    bench.does({ guest: 'RDMSR', ...vcpu0, msr: 0x34 });
    expect(shows(bench, 'guest.value')).toBe('0x0000000000000003');
    bench.does({ kvm: 'kvm_vcpu_reset', ...vcpu0, init_event: true });
    expect([shows(bench, 'smi_count'), shows(bench, 'smbase')]).toEqual(['0', '0x40000']);
    bench.does({ kvm: 'kvm_vcpu_reset', ...vcpu0, init_event: false });
    expect(shows(bench, 'smbase')).toBe('0x30000');
  });

  test('x86:SMI-16: KVM_RUN_X86_SMM is in kvm_run.flags when KVM_RUN returns from SMM', () => {
    const bench = running();
    bench.does(smi);
    bench.does({ vmm: 'signal', ...vcpu0 });
    expect(shows(bench, 'run.flags')).toBe('0x1');
    bench.does({ vmm: 'KVM_RUN', ...vcpu0 });
    bench.does(rsm());
    bench.does({ vmm: 'signal', ...vcpu0 });
    expect(shows(bench, 'run.flags')).toBe('0x0');
  });
});
