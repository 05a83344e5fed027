import { describe, expect, test } from 'vitest';
import { Bench } from '../testing/bench';

/** One vCPU of a plain guest, running, its APIC enabled; without APICv unless asked for. */
function running({
  apicv = false,
  boot = {},
}: { apicv?: boolean; boot?: Record<string, unknown> } = {}): Bench {
  const bench = new Bench({ vms: { vmx: 2 } });
  bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1, ...boot });
  if (!apicv) bench.does({ kvm: 'set_apicv_inhibit', vm: 'vmx', reason: 'HYPERV' });
  bench.does({ guest: 'SVR', ...vcpu0 });
  return bench;
}
const vcpu0 = { vm: 'vmx', vcpu: 0 };
const wrmsr = (msr: number, value: number) => ({ guest: 'WRMSR', ...vcpu0, msr, value });
const post = (vector: number, more: Record<string, unknown> = {}) => ({
  vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 0, delivery_mode: 'FIXED', vector, ...more,
}); // prettier-ignore
const stay = { guest: 'IRQ_HANDLER', ...vcpu0 };
const eoi = { guest: 'EOI', ...vcpu0 };
/** What RDMSR of a register by its xAPIC offset gives, in hex. */
function reads(bench: Bench, offset: number): string {
  bench.does({ guest: 'RDMSR', ...vcpu0, msr: 0x800 + offset / 16 });
  return `0x${BigInt(bench.shows('vmx.vcpu0.guest.value')).toString(16)}`;
}
/** Whether the last WRMSR was refused. */
const refused = (bench: Bench): boolean => bench.events('kvm_msr').at(-1)!.includes('(exception: yes)');
const guest = (bench: Bench, field: string): string => bench.shows(`vmx.vcpu0.guest.${field}`);
const apic = (bench: Bench, field: string): string => bench.shows(`vmx.vcpu0.apic.${field}`);

describe('registers', () => {
  test.each([false, true])(
    'x86:LAPIC-1, x86:LAPIC-2, x86:LAPIC-5: ID, version, TPR, PPR, LDR, SVR, ISR, TMR, IRR lie at their offsets; APICv %s',
    (apicv) => {
      const bench = running({ apicv });
      bench.does(stay);
      bench.does(post(0x51, { trigger_mode: 'LEVEL' }));
      bench.does(post(0x45));
      bench.does(wrmsr(0x808, 0x23));
      expect([0x20, 0x30, 0x80, 0xa0, 0xd0, 0xf0].map((offset) => reads(bench, offset))).toEqual([
        '0x0', '0x1050014', '0x23', '0x50', '0x1', '0x1ff',
      ]); // prettier-ignore
      expect([0x120, 0x1a0, 0x220, 0x210, 0x280].map((offset) => reads(bench, offset))).toEqual([
        '0x20000', '0x20000', '0x20', '0x0', '0x0',
      ]); // prettier-ignore
    },
  );

  test('x86:LAPIC-3, x86:LAPIC-9, x86:LAPIC-14: the ICR is one 64-bit MSR; KVM clears the busy bit', () => {
    const bench = running();
    bench.does(wrmsr(0x830, 0x7_0000_5031));
    expect(reads(bench, 0x300)).toBe('0x700004031');
    const from = bench.mark;
    bench.does(wrmsr(0x83f, 0x61));
    expect(bench.events('kvm_apic_ipi', from)).toEqual(['dst 0 vec 97 (Fixed|physical|de-assert|edge|self)']);
    expect(guest(bench, 'irqs')).toBe('1');
    expect(reads(bench, 0x300)).toBe('0x700004031');
  });

  test('x86:LAPIC-4, x86:LAPIC-12: every LVT keeps the bits that it has', () => {
    const bench = running();
    const lvts = [0x320, 0x330, 0x340, 0x350, 0x360, 0x370];
    for (const offset of lvts) bench.does(wrmsr(0x800 + offset / 16, 0xffff_ffff));
    expect(lvts.map((offset) => reads(bench, offset))).toEqual([
      '0x710ff', '0x117ff', '0x117ff', '0x1f7ff', '0x1f7ff', '0x110ff',
    ]); // prettier-ignore
    for (const [offset, value] of [
      [0x380, 5],
      [0x3e0, 0xff],
    ] as const)
      // prettier-ignore
      bench.does(wrmsr(0x800 + offset / 16, value));
    expect(reads(bench, 0x3e0)).toBe('0xb');
  });

  test('x86:LAPIC-4, x86:LAPIC-5: the LVT of CMCI is there after KVM_X86_SETUP_MCE, and counted in the version', () => {
    const bench = running();
    bench.does(wrmsr(0x82f, 0xf1));
    expect(refused(bench)).toBe(true);
    bench.does({ vmm: 'signal', ...vcpu0 });
    expect(bench.does({ vmm: 'KVM_X86_SETUP_MCE', ...vcpu0 })).toBe('0');
    bench.does({ vmm: 'KVM_RUN', ...vcpu0 });
    bench.does(wrmsr(0x82f, 0xf1));
    expect(refused(bench)).toBe(false);
    expect(reads(bench, 0x2f0)).toBe('0xf1');
    expect(reads(bench, 0x30)).toBe('0x1060014');
  });

  test('x86:LAPIC-5: no directed EOI without x2APIC in CPUID, nor with the I/O APIC in the kernel', () => {
    const version = (irqchip: string, x2apic: boolean): string => {
      const bench = new Bench({ vms: { vmx: 1 } });
      bench.does({ vmm: 'KVM_CREATE_VM', vm: 'vmx', type: 'KVM_X86_DEFAULT_VM' });
      bench.does({ vmm: irqchip, vm: 'vmx' });
      bench.does({ vmm: 'KVM_CREATE_VCPU', ...vcpu0 });
      bench.does({ vmm: 'KVM_SET_CPUID2', ...vcpu0, x2apic });
      bench.does({ vmm: 'KVM_GET_LAPIC', ...vcpu0 });
      return bench.shows('reply.lapic.version');
    };
    expect(version('KVM_CAP_SPLIT_IRQCHIP', true)).toBe('0x1050014');
    expect(version('KVM_CAP_SPLIT_IRQCHIP', false)).toBe('0x50014');
    expect(version('KVM_CREATE_IRQCHIP', true)).toBe('0x50014');
  });

  test.each([
    ['ICR bit 13', 0x830, 0x2031],
    ['ICR bits 17:16', 0x830, 0x1_4031],
    ['ICR bits 31:20', 0x830, 0x10_4031],
    ['bits 63:32 of SVR', 0x80f, 0x1_0000_01ff],
    ['bits 63:32 of TMICT', 0x838, 0x1_0000_0001],
    ['bits 63:32 of EOI', 0x80b, 0x1_0000_0000],
    ['ESR not 0', 0x828, 1],
    ['ID', 0x802, 0],
    ['LDR', 0x80d, 0],
    ['DFR, which x2APIC mode has not', 0x80e, 0],
    ['ICR2, which x2APIC mode has not', 0x831, 0],
    ['SELF_IPI above bits 7:0', 0x83f, 0x131],
    ['version', 0x803, 0],
    ['TMCCT', 0x839, 0],
  ])('x86:LAPIC-14: a write is refused: %s', (_what, msr, value) => {
    const bench = running();
    bench.does(wrmsr(msr, value));
    expect(refused(bench)).toBe(true);
    expect(guest(bench, 'irqs')).toBe('0');
  });

  test('x86:LAPIC-14: ESR takes 0, SELF_IPI a vector', () => {
    const bench = running();
    bench.does(wrmsr(0x828, 0));
    expect(refused(bench)).toBe(false);
    bench.does(wrmsr(0x83f, 0x31));
    expect(refused(bench)).toBe(false);
  });

  test('x86:LAPIC-38: clearing SVR bit 8 masks every LVT; what is written then stays masked', () => {
    const bench = running();
    const lvts = [0x320, 0x330, 0x340, 0x350, 0x360, 0x370];
    for (const offset of lvts) bench.does(wrmsr(0x800 + offset / 16, 0x31));
    bench.does({ guest: 'SVR', ...vcpu0, value: 0xff });
    expect(lvts.map((offset) => reads(bench, offset))).toEqual(lvts.map(() => '0x10031'));
    bench.does(wrmsr(0x836, 0x42));
    expect(reads(bench, 0x360)).toBe('0x10042');
    bench.does({ guest: 'SVR', ...vcpu0 });
    bench.does(wrmsr(0x836, 0x42));
    expect(reads(bench, 0x360)).toBe('0x42');
  });

  test('x86:LAPIC-38: clearing SVR bit 8 drops a tick that is pending', () => {
    const bench = running();
    bench.does(wrmsr(0x832, 0x1_00ec)); // masked: the tick stays pending
    bench.does(wrmsr(0x838, 1000));
    bench.does({ host: 'pass', ns: 1_000_000 });
    expect(apic(bench, 'timer_pending')).toBe('1');
    bench.does({ guest: 'SVR', ...vcpu0, value: 0xff });
    expect(apic(bench, 'timer_pending')).toBe('0');
  });
});

describe('priority', () => {
  test('x86:LAPIC-20: PPR is the TPR, all eight bits, if its class is at least that in service; else that class', () => {
    const bench = running();
    bench.does(stay);
    bench.does(post(0x51));
    bench.does(wrmsr(0x808, 0x4f));
    expect(reads(bench, 0xa0)).toBe('0x50');
    bench.does(wrmsr(0x808, 0x53));
    expect(reads(bench, 0xa0)).toBe('0x53');
    bench.does(wrmsr(0x808, 0x71));
    expect(reads(bench, 0xa0)).toBe('0x71');
  });

  test.each([false, true])(
    'x86:LAPIC-21, x86:INV-20: a vector is deliverable when its class is above PPR; the highest goes first; APICv %s',
    (apicv) => {
      const bench = running({ apicv });
      bench.does(stay);
      bench.does(wrmsr(0x808, 0x3f));
      bench.does(post(0x3f));
      expect(guest(bench, 'irqs')).toBe('0');
      bench.does(post(0x40));
      expect(guest(bench, 'visr')).toBe('64');
      bench.does(post(0x4f));
      expect(guest(bench, 'visr')).toBe('64');
      bench.does(post(0x61));
      expect(guest(bench, 'visr')).toBe('64 97');
      bench.does(eoi);
      expect(guest(bench, 'visr')).toBe('64');
      bench.does(eoi);
      expect(guest(bench, 'visr')).toBe('79');
    },
  );

  test.each([false, true])('x86:LAPIC-22: CR8 is TPR bits 7:4; APICv %s', (apicv) => {
    const bench = running({ apicv });
    bench.does({ guest: 'CR8', ...vcpu0, value: 0xa });
    expect(reads(bench, 0x80)).toBe('0xa0');
    bench.does(wrmsr(0x808, 0x5c));
    bench.does({ vmm: 'signal', ...vcpu0 });
    expect(bench.shows('vmx.vcpu0.run.cr8')).toBe('5');
  });

  test('x86:LAPIC-23: a lower PPR that makes a vector deliverable raises KVM_REQ_EVENT; one that does not, nothing', () => {
    const bench = running();
    bench.does(wrmsr(0x808, 0x80));
    bench.does(post(0x45));
    bench.starts(wrmsr(0x808, 0x50));
    bench.stepTo('vmx.vcpu0', 'vcpu_enter_guest', 'requests');
    expect(bench.shows('vmx.vcpu0.requests')).toBe('');
    bench.settle();
    bench.starts(wrmsr(0x808, 0x30));
    bench.stepTo('vmx.vcpu0', 'vcpu_enter_guest', 'requests');
    expect(bench.shows('vmx.vcpu0.requests')).toBe('EVENT');
    bench.settle();
    expect(guest(bench, 'irqs')).toBe('1');
  });

  test('x86:IRQ-8: KVM arms the TPR threshold when a vector waits behind the TPR; lowering CR8 below it exits', () => {
    const bench = running();
    bench.does(wrmsr(0x808, 0x80));
    bench.does(post(0x45));
    expect(bench.shows('vmx.vcpu0.vmcs.tpr_threshold')).toBe('4');
    let from = bench.mark;
    bench.does({ guest: 'CR8', ...vcpu0, value: 4 });
    expect(bench.events('kvm_exit', from)).toEqual([]);
    from = bench.mark;
    bench.does({ guest: 'CR8', ...vcpu0, value: 3 });
    expect(bench.events('kvm_exit', from)[0]).toContain('reason TPR_BELOW_THRESHOLD');
    expect(guest(bench, 'irqs')).toBe('1');
    expect(bench.shows('vmx.vcpu0.vmcs.tpr_threshold')).toBe('0');
  });

  test("x86:UAPI-1: where the local APIC is userspace's, a falling CR8 leaves with KVM_EXIT_SET_TPR", () => {
    const bench = new Bench({ vms: { vmx: 1 } });
    bench.does({ vmm: 'KVM_CREATE_VM', vm: 'vmx', type: 'KVM_X86_DEFAULT_VM' });
    bench.does({ vmm: 'KVM_CREATE_VCPU', ...vcpu0 });
    bench.does({ vmm: 'KVM_RUN', ...vcpu0 });
    bench.does({ guest: 'CR8', ...vcpu0, value: 9 });
    expect(bench.shows('vmx.vcpu0.thread.status')).toBe('in-guest');
    bench.does({ guest: 'CR8', ...vcpu0, value: 2 });
    expect(bench.shows('vmx.vcpu0.run.exit_reason')).toBe('KVM_EXIT_SET_TPR');
    expect(bench.shows('vmx.vcpu0.run.cr8')).toBe('2');
  });
});

describe('EOI', () => {
  test('x86:LAPIC-24: without APICv the EOI exits: the highest vector in service ends, KVM_REQ_EVENT; with nothing in service nothing', () => {
    const bench = running();
    bench.does(stay);
    bench.does(post(0x41));
    bench.does(post(0x51));
    const from = bench.mark;
    bench.does(eoi);
    expect(bench.events('kvm_eoi', from)).toEqual(['apicid 0 vector 81']);
    expect(guest(bench, 'visr')).toBe('65');
    bench.does(eoi);
    bench.starts(eoi);
    bench.stepTo('vmx.vcpu0', 'vcpu_enter_guest', 'requests');
    expect(bench.shows('vmx.vcpu0.requests')).toBe('');
    bench.settle();
    expect(bench.events('kvm_eoi', from).at(-1)).toBe('apicid 0 vector -1');
  });

  test('x86:LAPIC-15: nobody looks at what is written', () => {
    const bench = running();
    bench.does(stay);
    bench.does(post(0x41));
    bench.does({ ...eoi, value: 0x1234 });
    expect(guest(bench, 'visr')).toBe('');
  });

  test.each([false, true])(
    'x86:LAPIC-24, x86:LAPIC-25: the EOI of a level route is KVM_EXIT_IOAPIC_EOI at the next entry; APICv %s',
    (apicv) => {
      const bench = running({ apicv });
      const route = { vmm: 'KVM_SET_GSI_ROUTING', vm: 'vmx', gsi: 1, trigger_mode: 'LEVEL', vector: 0x61 };
      bench.does(route);
      bench.does(post(0x51));
      expect(bench.shows('vmx.vcpu0.thread.status')).toBe('in-guest');
      const from = bench.mark;
      bench.does({ vmm: 'KVM_IRQ_LINE', vm: 'vmx', gsi: 1, level: 1 });
      expect(bench.events('kvm_eoi', from)).toEqual(['apicid 0 vector 97']);
      expect(bench.shows('vmx.vcpu0.run.exit_reason')).toBe('KVM_EXIT_IOAPIC_EOI');
      expect(bench.shows('vmx.vcpu0.run.eoi_vector')).toBe('97');
    },
  );

  test('x86:LAPIC-26: the vector moves from IRR to ISR when KVM takes it, before the guest has run', () => {
    const bench = running();
    bench.starts(post(0x41));
    bench.stepTo('vmm', 'kvm_vm_ioctl', 'done');
    expect([guest(bench, 'virr'), guest(bench, 'visr')]).toEqual(['65', '']);
    bench.stepTo('vmx.vcpu0', 'vmx_vcpu_run', 'entry');
    expect([guest(bench, 'virr'), guest(bench, 'visr'), guest(bench, 'irqs')]).toEqual(['', '65', '0']);
  });
});

describe('timer and LVT', () => {
  const ONESHOT = 0xec;
  const PERIODIC = 0x2_00ec;
  const DEADLINE = 0x4_00ec;
  const lvtt = (value: number) => wrmsr(0x832, value);
  const tmict = (value: number) => wrmsr(0x838, value);
  const deadline = (value: number) => wrmsr(0x6e0, value);
  const pass = (ns: number) => ({ host: 'pass', ns });

  test('x86:LAPIC-13: bits 18:17 choose: once, again and again, or at a time of the TSC', () => {
    const bench = running();
    bench.does(lvtt(ONESHOT));
    bench.does(tmict(100_000));
    for (let i = 0; i < 3; i++) bench.does(pass(1_000_000));
    expect(guest(bench, 'irqs')).toBe('1');
    bench.does(lvtt(PERIODIC));
    bench.does(tmict(400_000));
    for (let i = 0; i < 3; i++) bench.does(pass(1_000_000));
    expect(Number(guest(bench, 'irqs'))).toBeGreaterThan(3);
    bench.does(lvtt(DEADLINE));
    const before = Number(guest(bench, 'irqs'));
    bench.does(deadline(0xffff_ffff));
    expect(apic(bench, 'timer_at')).toBe(String(0xffff_ffff - Number(apic(bench, 'timer_advance_ns'))));
    bench.does(deadline(1));
    expect(Number(guest(bench, 'irqs'))).toBe(before + 1);
  });

  test('x86:LAPIC-35: TMICT is ignored in TSC-deadline mode, the deadline in the others; both then read 0', () => {
    const bench = running();
    bench.does(lvtt(DEADLINE));
    bench.does(tmict(100_000));
    expect([apic(bench, 'timer_armed'), reads(bench, 0x380)]).toEqual(['0', '0x0']);
    bench.does(deadline(0xffff_ffff));
    expect(reads(bench, 0x390)).toBe('0x0');
    bench.does({ guest: 'RDMSR', ...vcpu0, msr: 0x6e0 });
    expect(guest(bench, 'value')).toBe('0x00000000ffffffff');
    bench.does(lvtt(ONESHOT));
    bench.does(deadline(0xffff_ffff));
    bench.does({ guest: 'RDMSR', ...vcpu0, msr: 0x6e0 });
    expect(guest(bench, 'value')).toBe('0x0000000000000000');
    bench.does(tmict(100_000));
    expect(Number(reads(bench, 0x390))).toBeGreaterThan(90_000);
  });

  test('x86:LAPIC-35: to or from TSC-deadline mode the timer stops and TMICT and deadline are 0; between the others it goes on', () => {
    const bench = running();
    bench.does(lvtt(ONESHOT));
    bench.does(tmict(1_000_000));
    bench.does(lvtt(PERIODIC));
    expect([apic(bench, 'timer_armed'), apic(bench, 'tmict')]).toEqual(['1', '1000000']);
    bench.does(lvtt(DEADLINE));
    expect([apic(bench, 'timer_armed'), apic(bench, 'tmict')]).toEqual(['0', '0']);
    bench.does(deadline(0xffff_ffff));
    bench.does(lvtt(ONESHOT));
    expect([apic(bench, 'timer_armed'), apic(bench, 'tscdeadline')]).toEqual(['0', '0']);
  });

  test('x86:LAPIC-37: a period below 200 us is stretched to it, from the first on; a single shot is not', () => {
    const bench = running();
    const waits = (): number => Number(/in (\d+) ns/.exec(bench.events('lapic_timer_armed').at(-1)!)![1]);
    bench.does(lvtt(ONESHOT));
    bench.does(tmict(1000));
    expect(waits()).toBe(2000); // TDCR 0 divides by 2
    bench.does(lvtt(PERIODIC));
    bench.does(tmict(1000));
    expect(waits()).toBe(200_000);
    bench.does(tmict(200_000));
    expect(waits()).toBe(400_000);
  });

  test('x86:LAPIC-36: however many ticks, one interrupt, which the run loop injects on the thread of the vCPU', () => {
    const bench = running();
    bench.does(lvtt(PERIODIC | 0x1_0000));
    bench.does(tmict(100_000));
    for (let i = 0; i < 20; i++) bench.does(pass(100_000));
    expect([apic(bench, 'timer_pending'), guest(bench, 'irqs')]).toEqual(['1', '0']);
    bench.does(lvtt(PERIODIC));
    expect(guest(bench, 'irqs')).toBe('1');
  });

  test.each([
    ['INTEL', '0x10131'],
    ['AMD', '0x131'],
  ])(
    'x86:LAPIC-39: the interrupt of a counter masks its LVT afterwards on a processor of %s: %s',
    (vendor, after) => {
      const bench = running();
      bench.does({ vmm: 'signal', ...vcpu0 });
      bench.does({ vmm: 'KVM_SET_CPUID2', ...vcpu0, vendor });
      bench.does({ vmm: 'KVM_RUN', ...vcpu0 });
      bench.does(wrmsr(0x834, 0x131)); // lowest priority is FIXED to oneself
      bench.does({ host: 'PMI', ...vcpu0 });
      expect(guest(bench, 'irqs')).toBe('1');
      expect(reads(bench, 0x340)).toBe(after);
      bench.does(wrmsr(0x834, 0x1_0031));
      bench.does({ host: 'PMI', ...vcpu0 });
      expect(guest(bench, 'irqs')).toBe('1');
    },
  );

  test('x86:LAPIC-39: in NMI mode it is an NMI', () => {
    const bench = running();
    bench.does(wrmsr(0x834, 0x400));
    bench.does({ host: 'PMI', ...vcpu0 });
    expect(guest(bench, 'nmis')).toBe('1');
    expect(reads(bench, 0x340)).toBe('0x10400');
  });

  test('x86:LAPIC-40: LINT0 in NMI mode counts the users of the watchdog; LINT1 has no say in KVM_NMI', () => {
    const bench = running();
    bench.does(wrmsr(0x835, 0x400));
    bench.does(wrmsr(0x835, 0x431));
    expect(bench.shows('vmx.vapics_in_nmi_mode')).toBe('1');
    bench.does(wrmsr(0x835, 0x1_0400));
    expect(bench.shows('vmx.vapics_in_nmi_mode')).toBe('0');
    bench.does(wrmsr(0x836, 0x1_0400)); // masked
    bench.does({ vmm: 'signal', ...vcpu0 });
    expect(bench.does({ vmm: 'KVM_NMI', ...vcpu0 })).toBe('0');
    bench.does({ vmm: 'KVM_RUN', ...vcpu0 });
    expect(guest(bench, 'nmis')).toBe('1');
  });
});

describe('KVM_GET_LAPIC and KVM_SET_LAPIC', () => {
  test('x86:LAPIC-30: in xAPIC mode the logical id and the format decide, which userspace can set', () => {
    const bench = new Bench({ vms: { vmx: 2 } });
    bench.does({ boot: 'vmx', vm: 'vmx', run: false });
    for (const vcpu of [0, 1])
      bench.does({ vmm: 'KVM_SET_LAPIC', vm: 'vmx', vcpu, svr: 0x1ff, ldr: 0x10 | (1 << vcpu) });
    const to = (dest: number): string => bench.does(post(0x31, { dest, dest_mode: 'LOGICAL' }));
    expect([to(0x02), to(0x10), to(0x04)]).toEqual(['1', '2', '-EPERM']);
    for (const vcpu of [0, 1]) bench.does({ vmm: 'KVM_SET_LAPIC', vm: 'vmx', vcpu, dfr: 0x0fff_ffff });
    expect([to(0x12), to(0x13), to(0x02), to(0xff)]).toEqual(['1', '2', '-EPERM', '2']);
    bench.does({ vmm: 'KVM_GET_LAPIC', vm: 'vmx', vcpu: 1 });
    expect(['id', 'ldr', 'dfr'].map((field) => bench.shows(`reply.lapic.${field}`))).toEqual([
      '0x1000000', '0x12000000', '0xfffffff',
    ]); // prettier-ignore
  });

  test('x86:LAPIC-23: a vector that userspace puts into the IRR is injected at the next entry', () => {
    const bench = running();
    bench.does({ vmm: 'signal', ...vcpu0 });
    expect(bench.does({ vmm: 'KVM_SET_LAPIC', ...vcpu0, irr: 0x77 })).toBe('0');
    bench.does({ vmm: 'KVM_RUN', ...vcpu0 });
    expect(bench.events('kvm_inj_virq')).toEqual(['IRQ 0x77']);
  });

  test('x86:LAPIC-1, x86:LAPIC-2: the page as userspace reads it', () => {
    const bench = running({ apicv: true });
    bench.does(stay);
    bench.does(post(0x51));
    bench.does(post(0x41));
    bench.does(wrmsr(0x808, 0x20));
    bench.does({ vmm: 'signal', ...vcpu0 });
    bench.does({ vmm: 'KVM_GET_LAPIC', ...vcpu0 });
    const page = ['id', 'tpr', 'ppr', 'ldr', 'svr', 'isr', 'irr'].map((f) => bench.shows(`reply.lapic.${f}`));
    expect(page).toEqual(['0x0', '0x20', '0x50', '0x1', '0x1ff', '81', '65']);
  });
});
