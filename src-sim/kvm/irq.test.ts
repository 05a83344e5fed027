import { describe, expect, test } from 'vitest';
import { Bench } from '../testing/bench';

/** One vCPU of a plain guest, running, its APIC enabled; with APICv unless it is inhibited. */
function running({ apicv = true }: { apicv?: boolean } = {}): Bench {
  const bench = new Bench({ vms: { vmx: 1 } });
  bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1 });
  if (!apicv) bench.does(inhibit);
  bench.does({ guest: 'SVR', ...vcpu0 });
  return bench;
}
const vcpu0 = { vm: 'vmx', vcpu: 0 };
const inhibit = { kvm: 'set_apicv_inhibit', vm: 'vmx', reason: 'HYPERV' };
const signal = { vmm: 'signal', ...vcpu0 };
const run = (request_interrupt_window?: number) => ({ vmm: 'KVM_RUN', ...vcpu0, request_interrupt_window });
const interrupt = (vector = 0x20) => ({ vmm: 'KVM_INTERRUPT', ...vcpu0, vector });
const IF = (enabled: boolean) => ({ guest: 'IF', ...vcpu0, enabled });
const post = (vector: number) => ({
  vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 0, delivery_mode: 'FIXED', vector,
}); // prettier-ignore
const shows = (bench: Bench, field: string): string => bench.shows(`vmx.vcpu0.${field}`);
const exits = (bench: Bench, from: number): string[] =>
  bench.events('kvm_exit', from).map((text) => /reason (\w+)/.exec(text)![1]!);

describe('which interrupts KVM injects', () => {
  test('x86:IRQ-2, x86:IRQ-12: with APICv none of the LAPIC: no window, no injection; the processor delivers by itself', () => {
    const bench = running();
    bench.does(IF(false));
    const from = bench.mark;
    bench.does(post(0x41));
    expect([shows(bench, 'guest.virr'), shows(bench, 'guest.irqs')]).toEqual(['65', '0']);
    expect(exits(bench, from)).toEqual([]);
    bench.does(signal);
    bench.does({ vmm: 'KVM_SET_LAPIC', ...vcpu0 }); // KVM_REQ_EVENT: KVM looks what there is to inject
    bench.does(run());
    bench.does(IF(true));
    expect(shows(bench, 'guest.irqs')).toBe('1');
    expect([exits(bench, from), bench.events('kvm_inj_virq')]).toEqual([['EXTERNAL_INTERRUPT'], []]);
    expect(shows(bench, 'stat.irq_window_exits')).toBe('0');
  });

  test('x86:IRQ-2: without APICv the highest deliverable vector, behind an interrupt window', () => {
    const bench = running({ apicv: false });
    bench.does(IF(false));
    bench.does(post(0x41));
    const from = bench.mark;
    bench.does(IF(true));
    expect(exits(bench, from)[0]).toBe('INTERRUPT_WINDOW');
    expect(bench.events('kvm_inj_virq', from)).toEqual(['IRQ 0x41']);
  });

  test('x86:IRQ-2, x86:IRQ-12: an interrupt of the PIC is injected with APICv too, behind a window', () => {
    const bench = running();
    bench.does(signal);
    bench.does(interrupt());
    bench.does(run());
    expect(bench.events('kvm_inj_virq')).toEqual(['IRQ 0x20']);
    bench.does(IF(false));
    bench.does(signal);
    bench.does(interrupt(0x21));
    bench.does(run());
    const from = bench.mark;
    bench.does(IF(true));
    expect(exits(bench, from)[0]).toBe('INTERRUPT_WINDOW');
    expect(bench.events('kvm_inj_virq', from)).toEqual(['IRQ 0x21']);
  });
});

describe('posting', () => {
  test('x86:IRQ-10: PIR set already: stop; ON set already: stop', () => {
    const bench = running();
    bench.does(signal);
    bench.does(post(0x41));
    expect([shows(bench, 'pid.pir'), shows(bench, 'pid.on')]).toEqual(['65', '1']);
    let from = bench.mark;
    bench.does(post(0x41));
    expect(bench.events('irq_coalesced', from)).toHaveLength(1);
    bench.starts(run());
    bench.stepTo('vmx.vcpu0', 'vcpu_enter_guest', 'sync_pir');
    from = bench.mark;
    bench.starts(post(0x51));
    bench.stepTo('vmm', 'kvm_vm_ioctl', 'done');
    expect(bench.events('ipi_sent', from)).toEqual([]); // IN_GUEST_MODE, but ON says that someone has told it
    bench.settle();
    expect(shows(bench, 'guest.irqs')).toBe('2');
  });

  test('x86:IRQ-10: in guest mode 0xf2 goes to the CPU of the vCPU; out of it there is nothing to send, or a thread to wake', () => {
    const bench = running();
    let from = bench.mark;
    bench.does(post(0x41));
    expect(bench.events('ipi_sent', from)).toEqual(['cpu 1 vector POSTED_INTR']);
    expect(exits(bench, from)).toEqual([]);
    from = bench.mark;
    bench.does({ guest: 'ICR', ...vcpu0, shorthand: 'SELF', delivery_mode: 'FIXED', vector: 0x51 });
    expect(bench.events('ipi_sent', from)).toEqual([]);
    bench.does({ guest: 'HLT', ...vcpu0 });
    from = bench.mark;
    bench.does(post(0x61));
    expect([bench.events('ipi_sent', from), bench.events('vcpu_woken', from)]).toEqual([[], ['vcpu 0']]);
    expect(shows(bench, 'guest.irqs')).toBe('3');
  });

  test('x86:IRQ-11: before the entry PIR becomes IRR and ON 0; the processor finds the vector there', () => {
    const bench = running();
    bench.does(signal);
    bench.does(post(0x41));
    bench.starts(run());
    bench.stepTo('vmx.vcpu0', 'vcpu_enter_guest', 'last_test');
    expect(['pid.on', 'pid.pir', 'guest.virr'].map((field) => shows(bench, field))).toEqual(['0', '', '65']);
    expect(shows(bench, 'requests')).toBe('');
    bench.settle();
    expect([shows(bench, 'guest.irqs'), bench.events('kvm_inj_virq')]).toEqual(['1', []]);
  });

  test('x86:IRQ-11, x86:IRQ-15: a vector that was posted before APICv went is injected by KVM: the merge raises KVM_REQ_EVENT', () => {
    const bench = running();
    bench.does(signal);
    bench.does(post(0x41));
    bench.does(inhibit);
    bench.starts(run());
    bench.stepTo('vmx.vcpu0', 'vcpu_enter_guest', 'last_test');
    expect(shows(bench, 'requests')).toBe('EVENT');
    bench.settle(); // that request gives the entry up; the next one carries the vector again
    expect(bench.events('kvm_inj_virq')).toEqual(['IRQ 0x41', 'IRQ 0x41 [reinjected]']);
    expect(shows(bench, 'guest.irqs')).toBe('1');
  });
});

describe('an interrupt of userspace', () => {
  test('x86:IRQ-18: with request_interrupt_window KVM_RUN leaves as soon as one could be injected', () => {
    const bench = running();
    bench.does(signal);
    expect(bench.does(run(1))).toBe('0');
    expect(shows(bench, 'run.exit_reason')).toBe('KVM_EXIT_IRQ_WINDOW_OPEN');
    expect(shows(bench, 'run.ready_for_interrupt_injection')).toBe('1');
    expect(shows(bench, 'stat.request_irq_exits')).toBe('1');
  });

  test('x86:IRQ-18: it waits for the guest to enable interrupts, and for what is pending already', () => {
    const bench = running();
    bench.does(IF(false));
    bench.does(signal);
    expect(bench.does(run(1))).toBe('pending');
    bench.does(signal);
    bench.does(interrupt());
    expect(bench.does(run(1))).toBe('pending');
    bench.does(IF(true));
    expect(bench.events('kvm_inj_virq')).toEqual(['IRQ 0x20']);
    expect(shows(bench, 'run.exit_reason')).toBe('KVM_EXIT_UNKNOWN');
    bench.does({ host: 'IRQ', ...vcpu0 }); // the next exit
    expect(shows(bench, 'run.exit_reason')).toBe('KVM_EXIT_IRQ_WINDOW_OPEN');
  });

  test('x86:IRQ-17, x86:IRQ-18: with the PIC in the kernel KVM_INTERRUPT is -ENXIO, and nobody may ask for a window', () => {
    const bench = new Bench({ vms: { vmx: 1 } });
    bench.does({ vmm: 'KVM_CREATE_VM', vm: 'vmx', type: 'KVM_X86_DEFAULT_VM' });
    bench.does({ vmm: 'KVM_CREATE_IRQCHIP', vm: 'vmx' });
    bench.does({ vmm: 'KVM_CREATE_VCPU', ...vcpu0 });
    expect(bench.does(interrupt())).toBe('-ENXIO');
    expect(bench.does(run(1))).toBe('pending');
  });
});

test('x86:IRQ-8, x86:INV-21: what waits for a lower TPR arrives, also when software has disabled the APIC', () => {
  const bench = new Bench({ vms: { vmx: 1 }, switches: { no_apicv: true } });
  bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1, run: false });
  bench.does({ vmm: 'KVM_SET_LAPIC', vm: 'vmx', vcpu: 0, tpr: 0x80, irr: 0x80 });
  bench.does({ vmm: 'KVM_RUN', vm: 'vmx', vcpu: 0 });
  expect(bench.shows('vmx.vcpu0.guest.irqs')).toBe('0');
  bench.does({ guest: 'CR8', vm: 'vmx', vcpu: 0, value: 2 });
  expect(bench.shows('vmx.vcpu0.guest.irqs')).toBe('1');
});
