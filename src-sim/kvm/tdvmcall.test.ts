import { describe, expect, test } from 'vitest';
import { Bench } from '../testing/bench';

/** What a TD asks of its host, and what userspace answers. */

const td = { vm: 'td', vcpu: 0 };
const SHARED = 0x8000_0000_0000;
const [SUCCESS, RETRY] = ['0x0000000000000000', '0x0000000000000001'];
const INVALID_OPERAND = '0x8000000000000000';
const ALIGN_ERROR = '0x8000000000000002';
const SUBFUNC_UNSUPPORTED = '0x8000000000000003';

function running(vcpus = 1): Bench {
  const bench = new Bench({ vms: { td: vcpus } });
  bench.does({ boot: 'td', vm: 'td', vcpus });
  return bench;
}
const guest = (bench: Bench, register: string): string => bench.shows(`td.vcpu0.guest.${register}`);
const run = (bench: Bench, field: string): string => bench.shows(`td.vcpu0.run.${field}`);
const resume = (bench: Bench, answer: Record<string, unknown> = {}): void => {
  bench.does({ vmm: 'answer', ...td, ...answer });
  bench.does({ vmm: 'KVM_RUN', ...td });
};
const call = (leaf: number, more: Record<string, unknown> = {}) => ({
  guest: 'TDVMCALL',
  ...td,
  leaf,
  ...more,
});
const inGuest = (bench: Bench): boolean => bench.shows('td.vcpu0.thread.status') === 'in-guest';

describe('the exit reason of a TDVMCALL', () => {
  test.each([
    ['R10 is not 0', { r10: 5, leaf: 12 }, 'VMCALL'],
    ['CPUID', { leaf: 10 }, 'CPUID'],
    ['HLT', { leaf: 12 }, 'HLT'],
    ['port I/O', { leaf: 30 }, 'IO_INSTRUCTION'],
    ['RDMSR', { leaf: 31 }, 'MSR_READ'],
    ['WRMSR', { leaf: 32 }, 'MSR_WRITE'],
    ['MMIO', { leaf: 48 }, 'EPT_MISCONFIG'],
    ['anything else', { leaf: 0x1_0000 }, 'TDCALL'],
    ['no leaf at all', { leaf: 99 }, 'TDCALL'],
  ])('EXIT-2: %s', (_what, registers, reason) => {
    const bench = running();
    const from = bench.mark;
    bench.does({ guest: 'TDVMCALL', ...td, ...registers });
    expect(bench.events('kvm_exit', from)[0]).toContain(`reason ${reason} `);
    expect(bench.shows('td.vcpu0.vp_enter_ret')).toBe('0x000000000000004d');
  });

  test('EXIT-1, EXIT-19: a TDVMCALL shows the registers that RCX selects, an asynchronous exit none', () => {
    const bench = running();
    bench.does(call(0x1_0000, { r12: 1, r13: 0x1234, rcx: 0xfc00 & ~(1 << 13) }));
    expect(bench.shows('td.vcpu0.args.rcx')).toBe('0x000000000000dc00');
    expect(bench.shows('td.vcpu0.args.r12')).toBe('0x0000000000000001');
    expect(bench.shows('td.vcpu0.args.r13')).toBe('0x0000000000000000');
    resume(bench);
    bench.does({ host: 'IRQ', ...td });
    for (const register of ['rcx', 'rdx', 'r8', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'])
      expect(bench.shows(`td.vcpu0.args.${register}`)).toBe(SUCCESS);
  });

  test.each([1, 2, 16])('EXIT-19: with bit value %i in RCX the module refuses the call, no exit', (bit) => {
    const bench = running();
    const from = bench.mark;
    bench.does(call(0x1_0000, { rcx: 0xfc00 | bit }));
    expect(bench.events('kvm_exit', from)).toEqual([]);
    expect(guest(bench, 'rax')).toBe('0xc000010000000001');
  });

  test('TDXM-ENTER-25: the guest gets back only the registers it has named; RAX is 0', () => {
    const bench = running();
    bench.does(call(0x1_0000, { r13: 7, r14: 8, rcx: 0x3c00 }));
    expect([guest(bench, 'r13'), guest(bench, 'r14')]).toEqual([SUCCESS, '0x0000000000000008']);
    expect(guest(bench, 'rax')).toBe(SUCCESS);
  });
});

describe('leaves that KVM serves itself', () => {
  test('EXIT-7: CPUID comes from the table of the vCPU, R12 to R15 in, R12 to R15 out', () => {
    const bench = running();
    const from = bench.mark;
    bench.does({ guest: 'CPUID', ...td, leaf: 1 });
    expect(bench.events('guest_ve', from)).toEqual(['vcpu 0 CPUID']);
    expect(guest(bench, 'r14')).toBe('0x0000000000200000'); // ECX: X2APIC
    expect(guest(bench, 'r10')).toBe(SUCCESS);
    bench.does({ guest: 'CPUID', ...td, leaf: 0x4000_0000 });
    expect(guest(bench, 'r14')).toBe(SUCCESS);
    expect(inGuest(bench)).toBe(true);
  });

  test('EXIT-14: GetTdVmCallInfo with R12 = 0 answers zeros, with R12 = 1 it goes to userspace, else INVALID_OPERAND', () => {
    const bench = running();
    bench.does(call(0x1_0000, { r13: 5, r14: 6 }));
    expect(['r10', 'r11', 'r12', 'r13', 'r14'].map((r) => guest(bench, r))).toEqual(Array(5).fill(SUCCESS));
    bench.does(call(0x1_0000, { r12: 2 }));
    expect(guest(bench, 'r10')).toBe(INVALID_OPERAND);
    bench.does(call(0x1_0000, { r12: 1 }));
    expect([run(bench, 'exit_reason'), run(bench, 'tdx.nr'), run(bench, 'tdx.leaf')]).toEqual([
      'KVM_EXIT_TDX',
      '0x10000',
      '1',
    ]);
    expect(run(bench, 'tdx.ret')).toBe(SUCCESS);
    resume(bench, { data: 2 });
    expect([guest(bench, 'r10'), guest(bench, 'r11')]).toEqual([SUCCESS, '0x0000000000000002']);
  });

  test('EXIT-14, NUM-20: a leaf that KVM does not know is SUBFUNC_UNSUPPORTED, and the guest goes on', () => {
    const bench = running();
    bench.does(call(0x1_0005));
    expect(guest(bench, 'r10')).toBe(SUBFUNC_UNSUPPORTED);
    expect(inGuest(bench)).toBe(true);
  });

  test('EXIT-7: a hypercall of KVM: one that asks for nothing is 0, one that is not offered -KVM_ENOSYS', () => {
    const bench = running();
    bench.does({ guest: 'TDVMCALL', ...td, r10: 1, leaf: 0 });
    expect(guest(bench, 'r10')).toBe(SUCCESS);
    bench.does({ guest: 'TDVMCALL', ...td, r10: 12, leaf: 0 });
    expect(guest(bench, 'r10')).toBe('0xfffffffffffffc18');
  });
});

describe('MSRs', () => {
  test('PI-33, TDXM-APIC-6: what the processor virtualizes causes no exit and no #VE', () => {
    const bench = running();
    const from = bench.mark;
    bench.does({ guest: 'WRMSR', ...td, msr: 0x808, value: 0x20 });
    bench.does({ guest: 'RDMSR', ...td, msr: 0x808 });
    expect(guest(bench, 'value')).toBe('0x0000000000000020');
    bench.does({ guest: 'RDMSR', ...td, msr: 0x80a });
    expect(guest(bench, 'value')).toBe('0x0000000000000020'); // PPR: no vector is in service
    bench.does({ guest: 'WRMSR', ...td, msr: 0x83f, value: 0x55 });
    expect(guest(bench, 'irqs')).toBe('1');
    for (const msr of [0x80b, 0x810, 0x818, 0x820]) bench.does({ guest: 'RDMSR', ...td, msr });
    expect(bench.events('kvm_exit', from)).toEqual([]);
    expect(bench.events('guest_ve', from)).toEqual([]);
  });

  test.each([0x800, 0x801, 0x804, 0x807, 0x829, 0x82e, 0x831, 0x840, 0x8ff])(
    'PI-33, TDXM-APIC-8: MSR %i is #GP in the guest',
    (msr) => {
      const bench = running();
      const from = bench.mark;
      bench.does({ guest: 'RDMSR', ...td, msr });
      expect(bench.events('guest_gp', from)).toHaveLength(1);
      expect(bench.events('kvm_exit', from)).toEqual([]);
    },
  );

  test.each([0x802, 0x803, 0x80d, 0x80f, 0x828, 0x830, 0x832, 0x838, 0x839, 0x83e])(
    'PI-33, TDXM-APIC-7: MSR %i is #VE, and KVM answers from the shadow APIC',
    (msr) => {
      const bench = running();
      const from = bench.mark;
      bench.does({ guest: 'RDMSR', ...td, msr });
      expect(bench.events('guest_ve', from)).toEqual(['vcpu 0 RDMSR']);
      expect(bench.events('kvm_exit', from)[0]).toContain('reason MSR_READ');
      expect(guest(bench, 'r10')).toBe(SUCCESS);
    },
  );

  test.each([
    ...[0x808, 0x80a, 0x80b, 0x810, 0x818, 0x820].map((msr) => [msr, INVALID_OPERAND] as const),
    ...[0x811, 0x817, 0x819, 0x81f, 0x821, 0x827].map((msr) => [msr, SUCCESS] as const),
  ])('PI-34, UP-10: asked by TDVMCALL for MSR %i KVM answers %s', (msr, status) => {
    const bench = running();
    bench.does(call(31, { r12: msr }));
    expect(guest(bench, 'r10')).toBe(status);
    expect(guest(bench, 'r11')).toBe(status === SUCCESS ? SUCCESS : '0x000000000000001f');
  });

  test('TMR-20: the guest reads TMCCT from the emulation, which userspace cannot do', () => {
    const bench = running();
    bench.does({ guest: 'SVR', ...td });
    bench.does({ guest: 'TIMER', ...td, register: 'LVTT', value: 0x40 });
    bench.does({ guest: 'TIMER', ...td, register: 'TDCR', value: 0xb });
    bench.does({ guest: 'TIMER', ...td, register: 'TMICT', value: 1_000_000 });
    bench.does({ host: 'pass', ns: 400_000 });
    bench.does({ guest: 'RDMSR', ...td, msr: 0x839 });
    const left = Number(guest(bench, 'r11'));
    expect(left).toBeLessThan(600_000);
    expect(left).toBeGreaterThan(590_000);
    expect(bench.does({ vmm: 'KVM_GET_LAPIC', ...td })).toBe('pending'); // behind KVM_RUN
    bench.does({ vmm: 'signal', ...td });
    expect(bench.does({ vmm: 'KVM_GET_LAPIC', ...td })).toBe('-EINVAL');
  });

  test('NUM-2: with KVM_CAP_X86_USER_SPACE_MSR a refused access goes to userspace, whose answer the guest gets', () => {
    const bench = running();
    expect(bench.does({ vmm: 'KVM_CAP_X86_USER_SPACE_MSR', vm: 'td', mask: 8 })).toBe('-EINVAL');
    bench.does({ vmm: 'KVM_CAP_X86_USER_SPACE_MSR', vm: 'td' });
    bench.does({ guest: 'RDMSR', ...td, msr: 0x174 });
    expect([run(bench, 'exit_reason'), run(bench, 'msr.index')]).toEqual(['KVM_EXIT_X86_RDMSR', '0x174']);
    resume(bench, { data: 0x77 });
    expect([guest(bench, 'r10'), guest(bench, 'r11')]).toEqual([SUCCESS, '0x0000000000000077']);
    bench.does({ guest: 'WRMSR', ...td, msr: 0x174, value: 9 });
    expect([run(bench, 'exit_reason'), run(bench, 'msr.data')]).toEqual([
      'KVM_EXIT_X86_WRMSR',
      '0x0000000000000009',
    ]);
    resume(bench, { ret: 'INVALID_OPERAND' });
    expect(guest(bench, 'r10')).toBe(INVALID_OPERAND);
  });

  test('RUN-17, tdx:LAPIC-5: KVM_SET_MSRS and KVM_GET_MSRS stop at the first MSR that is refused and count those before it', () => {
    const bench = running();
    bench.does({ vmm: 'signal', ...td });
    const set = (...names: string[]) =>
      bench.does({ vmm: 'KVM_SET_MSRS', ...td, first: names[0], second: names[1], third: names[2] });
    const get = (...names: string[]) =>
      bench.does({ vmm: 'KVM_GET_MSRS', ...td, first: names[0], second: names[1], third: names[2] });
    expect(set('IA32_MISC_ENABLE', 'IA32_TSC_DEADLINE', 'X2APIC_SVR')).toBe('3');
    for (const refused of ['IA32_APIC_BASE', 'EFER', 'IA32_FEAT_CTL', 'IA32_SYSENTER_CS', 'IA32_SMBASE'])
      expect(set('IA32_MISC_ENABLE', refused, 'X2APIC_SVR')).toBe('1');
    expect(get('IA32_APIC_BASE', 'EFER', 'IA32_FEAT_CTL')).toBe('3');
    for (const refused of ['X2APIC_TPR', 'X2APIC_PPR', 'X2APIC_EOI']) expect(get('EFER', refused)).toBe('1');
  });
});

describe('port I/O and MMIO', () => {
  test('EXIT-7: OUT goes to userspace with its value, IN comes back with the value from there', () => {
    const bench = running();
    bench.does({ guest: 'IO', ...td, port: 0x3f8, value: 0x1_41 });
    expect(
      ['exit_reason', 'io.direction', 'io.port', 'io.size', 'io.data'].map((f) => run(bench, f)),
    ).toEqual(['KVM_EXIT_IO', 'OUT', '0x3f8', '1', '0x41']);
    resume(bench);
    expect(guest(bench, 'r10')).toBe(SUCCESS);
    bench.does({ guest: 'IO', ...td, direction: 'IN', port: 0x70, size: 2 });
    resume(bench, { data: 0xbeef });
    expect(guest(bench, 'r11')).toBe('0x000000000000beef');
    expect(bench.shows('td.vcpu0.stat.io_exits')).toBe('2');
  });

  test.each([0, 3, 8])('EXIT-7: I/O of %i bytes is INVALID_OPERAND', (size) => {
    const bench = running();
    bench.does({ guest: 'IO', ...td, size });
    expect(guest(bench, 'r10')).toBe(INVALID_OPERAND);
    expect(inGuest(bench)).toBe(true);
  });

  test('EXIT-7, EXIT-2: MMIO goes to userspace with the address without its shared bit', () => {
    const bench = running();
    bench.does({ guest: 'MMIO', ...td, gpa: 0xd000_0010, size: 8, value: 0x1_0000_0002 });
    expect(
      ['exit_reason', 'mmio.phys_addr', 'mmio.len', 'mmio.is_write', 'mmio.data'].map((f) => run(bench, f)),
    ).toEqual(['KVM_EXIT_MMIO', '0x00000000d0000010', '8', '1', '0x0000000100000002']);
    resume(bench);
    bench.does({ guest: 'MMIO', ...td, direction: 'IN', gpa: 0xd000_0010 });
    resume(bench, { data: 0x1234 });
    expect(guest(bench, 'r11')).toBe('0x0000000000001234');
  });

  test('EXIT-7: MMIO at a private address is INVALID_OPERAND', () => {
    const bench = running();
    bench.does(call(48, { r12: 4, r13: 1, r14: 0xd000_0000, r15: 1 }));
    expect(guest(bench, 'r10')).toBe(INVALID_OPERAND);
  });
});

describe('leaves that userspace serves', () => {
  const quote = (gpa: number) => call(0x1_0002, { r12: gpa, r13: 0x1000 });

  test('EXIT-14, EXIT-15, UP-16: GetQuote goes to userspace; a VMM that does nothing has answered SUBFUNC_UNSUPPORTED', () => {
    const bench = running();
    bench.does(quote(SHARED + 0x9000));
    expect(['exit_reason', 'tdx.nr', 'tdx.gpa', 'tdx.size', 'tdx.ret'].map((f) => run(bench, f))).toEqual([
      'KVM_EXIT_TDX',
      '0x10002',
      '0x0000000000009000',
      '0x0000000000001000',
      SUBFUNC_UNSUPPORTED,
    ]);
    bench.does({ vmm: 'KVM_RUN', ...td });
    expect(guest(bench, 'r10')).toBe(SUBFUNC_UNSUPPORTED);
    bench.does(quote(SHARED + 0x9000));
    resume(bench, { ret: 'SUCCESS' });
    expect(guest(bench, 'r10')).toBe(SUCCESS);
  });

  test('EXIT-14: GetQuote with a private buffer is INVALID_OPERAND', () => {
    const bench = running();
    bench.does(quote(0x9000));
    expect(guest(bench, 'r10')).toBe(INVALID_OPERAND);
  });

  test("EXIT-16: SetupEventNotifyInterrupt tells userspace the vector; KVM stores nothing, the MSI is userspace's", () => {
    const bench = running();
    bench.does({ guest: 'SVR', ...td });
    for (const vector of [31, 256]) {
      bench.does(call(0x1_0004, { r12: vector }));
      expect(guest(bench, 'r10')).toBe(INVALID_OPERAND);
    }
    bench.does(call(0x1_0004, { r12: 0x60 }));
    expect([run(bench, 'tdx.nr'), run(bench, 'tdx.vector'), run(bench, 'tdx.ret')]).toEqual([
      '0x10004',
      '96',
      SUBFUNC_UNSUPPORTED,
    ]);
    resume(bench, { ret: 'SUCCESS' });
    expect(guest(bench, 'irqs')).toBe('0');
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'FIXED', vector: 0x60 });
    expect(guest(bench, 'irqs')).toBe('1');
  });

  test('EXIT-14, NUM-4, FATAL-1: ReportFatalError carries 16 registers; the VM lives on', () => {
    const bench = running();
    bench.does(call(0x1_0003, { r12: 0xdead, r13: SHARED }));
    expect([
      run(bench, 'exit_reason'),
      run(bench, 'system_event.type'),
      run(bench, 'system_event.ndata'),
    ]).toEqual(['KVM_EXIT_SYSTEM_EVENT', '7', '16']);
    expect(run(bench, 'system_event.data11.value')).toBe('0x0000000000010003');
    expect(run(bench, 'system_event.data12.value')).toBe('0x000000000000dead');
    expect(bench.shows('td.vm_dead')).toBe('0');
    bench.does({ vmm: 'KVM_RUN', ...td });
    expect(inGuest(bench)).toBe(true);
  });

  test('RUN-3: completion comes before immediate_exit: the answer is taken, the guest does not run', () => {
    const bench = running();
    bench.does({ guest: 'IO', ...td, direction: 'IN' });
    bench.does({ vmm: 'answer', ...td, data: 0x5a });
    expect(bench.does({ vmm: 'KVM_RUN', ...td, immediate_exit: 1 })).toBe('-EINTR');
    expect(bench.shows('td.vcpu0.args.r11')).toBe('0x000000000000005a');
    bench.does({ vmm: 'KVM_RUN', ...td });
    expect(guest(bench, 'r11')).toBe('0x000000000000005a');
  });
});

describe('MapGPA', () => {
  const MiB = 1024 * 1024;
  const map = (gpa: number, size: number) => call(0x1_0001, { r12: gpa, r13: size });
  function withCap(): Bench {
    const bench = running();
    bench.does({ vmm: 'KVM_CAP_EXIT_HYPERCALL', vm: 'td' });
    return bench;
  }

  test('HLT-12: without KVM_CAP_EXIT_HYPERCALL it is SUBFUNC_UNSUPPORTED, with R11 = the address', () => {
    const bench = running();
    expect(bench.does({ vmm: 'KVM_CAP_EXIT_HYPERCALL', vm: 'td', mask: 2 })).toBe('-EINVAL');
    bench.does(map(SHARED, MiB));
    expect([guest(bench, 'r10'), guest(bench, 'r11')]).toEqual([SUBFUNC_UNSUPPORTED, '0x0000800000000000']);
  });

  test('HLT-12: it goes to userspace in pieces of at most 2 MiB', () => {
    const bench = withCap();
    bench.does(map(SHARED + 16 * MiB, 5 * MiB));
    const pieces: string[] = [];
    while (bench.shows('td.vcpu0.thread.status') === 'idle') {
      pieces.push(`${run(bench, 'hypercall.gpa')} ${Number(run(bench, 'hypercall.pages'))}`);
      expect([run(bench, 'exit_reason'), run(bench, 'hypercall.nr')]).toEqual(['KVM_EXIT_HYPERCALL', '12']);
      expect(Number(run(bench, 'hypercall.attributes'))).toBe(0); // shared
      resume(bench);
    }
    expect(pieces).toEqual(['0x0000000001000000 512', '0x0000000001200000 512', '0x0000000001400000 256']);
    expect(guest(bench, 'r10')).toBe(SUCCESS);
  });

  test('HLT-12: an event between two pieces ends it: RETRY, R11 = the next address', () => {
    const bench = withCap();
    bench.does({ guest: 'SVR', ...td });
    bench.does(map(16 * MiB, 4 * MiB));
    expect(Number(run(bench, 'hypercall.attributes'))).toBe(16); // private
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'FIXED', vector: 0x50 });
    resume(bench);
    expect([guest(bench, 'r10'), guest(bench, 'r11')]).toEqual([RETRY, '0x0000000001200000']);
    expect(guest(bench, 'irqs')).toBe('1');
  });

  test('HLT-12: userspace refuses a piece: INVALID_OPERAND, R11 = where it stopped', () => {
    const bench = withCap();
    bench.does(map(16 * MiB, 4 * MiB));
    resume(bench);
    resume(bench, { ret: 'INVALID_OPERAND' });
    expect([guest(bench, 'r10'), guest(bench, 'r11')]).toEqual([INVALID_OPERAND, '0x0000000001200000']);
  });

  test.each([
    ['an empty range', 0x1000, 0, INVALID_OPERAND],
    ['a range from private to shared', SHARED - 0x1000, 0x2000, INVALID_OPERAND],
    ['a range beyond 48 bits', 2 * SHARED - 0x1000, 0x2000, INVALID_OPERAND],
    ['an address inside a page', 0x1010, 0x1000, ALIGN_ERROR],
    ['a size that is not whole pages', 0x1000, 0x1010, ALIGN_ERROR],
  ])('HLT-12, NUM-20: %s', (_what, gpa, size, status) => {
    const bench = withCap();
    bench.does(map(gpa, size));
    expect(guest(bench, 'r10')).toBe(status);
    expect(inGuest(bench)).toBe(true);
  });

  test('EXIT-7: the KVM hypercall of the same name asks userspace too; its answer is R10', () => {
    const bench = withCap();
    bench.does({ guest: 'TDVMCALL', ...td, r10: 12, leaf: 0x2000, r12: 3, r13: 16 });
    expect([run(bench, 'exit_reason'), Number(run(bench, 'hypercall.pages'))]).toEqual([
      'KVM_EXIT_HYPERCALL',
      3,
    ]);
    resume(bench, { ret: 'INVALID_OPERAND' });
    expect(guest(bench, 'r10')).toBe('0x0000000000000001');
  });
});
