import { describe, expect, test } from 'vitest';
import { ERRNO } from '../machine/trace';
import { MP_STATES, TDX_STATUS } from '../names';
import { TDX_NON_RECOVERABLE_TD } from '../seam/status';
import { Bench } from '../testing/bench';

/** Numbers that the kernel, the module and the processor agree on. */

const TD_VCPU = ['KVM_CREATE_VCPU', 'KVM_SET_CPUID2'];
function built(...more: readonly string[]): Bench {
  const bench = new Bench({ vms: { td: 2 } });
  bench.does({ vmm: 'KVM_CREATE_VM', vm: 'td', type: 'KVM_X86_TDX_VM' });
  bench.does({ vmm: 'KVM_CAP_SPLIT_IRQCHIP', vm: 'td' });
  bench.does({ vmm: 'KVM_TDX_INIT_VM', vm: 'td' });
  for (const step of [...TD_VCPU, ...more])
    for (const vcpu of [0, 1]) bench.does({ vmm: step, vm: 'td', vcpu });
  return bench;
}
const both = (bench: Bench, field: string): string[] =>
  [0, 1].map((id) => bench.shows(`td.vcpu${id}.${field}`));

test('NUM-1: errno values', () => {
  const numbers = Object.fromEntries(Object.entries(ERRNO).map(([value, name]) => [name, Number(value)]));
  expect(numbers).toMatchObject({
    ENOENT: 2,
    EINTR: 4,
    EIO: 5,
    ENXIO: 6,
    E2BIG: 7,
    EAGAIN: 11,
    ENOMEM: 12,
    EFAULT: 14,
  });
  expect(numbers).toMatchObject({
    EBUSY: 16,
    EEXIST: 17,
    ENODEV: 19,
    EINVAL: 22,
    ENOTTY: 25,
    EOPNOTSUPP: 95,
  });
  const bench = new Bench({ vms: { td: 1 } });
  bench.does({ vmm: 'KVM_CREATE_VM', vm: 'td', type: 'KVM_X86_TDX_VM' });
  bench.does({ vmm: 'KVM_CREATE_VCPU', vm: 'td', vcpu: 0 });
  expect(bench.outcome?.value).toBe(-5);
});

test('NUM-5, x86:SIPI-3: mp_state', () => {
  expect(Object.fromEntries(MP_STATES.map((name, value) => [value, name]))).toEqual({
    0: 'RUNNABLE', 1: 'UNINITIALIZED', 2: 'INIT_RECEIVED', 3: 'HALTED', 4: 'SIPI_RECEIVED', 5: 'STOPPED', 6: 'CHECK_STOP',
    7: 'OPERATING', 8: 'LOAD', 9: 'AP_RESET_HOLD', 10: 'SUSPENDED',
  }); // prettier-ignore
});

test('NUM-16, NUM-29: a TD vCPU when it is created, and after KVM_TDX_INIT_VCPU', () => {
  const created = built();
  expect(both(created, 'apic.base')).toEqual(['0xfee00900', '0xfee00800']);
  expect(both(created, 'mp_state')).toEqual(['RUNNABLE', 'UNINITIALIZED']);
  expect([...both(created, 'apic.svr'), ...both(created, 'pid.nv')]).toEqual([
    '0xff',
    '0xff',
    '0xf2',
    '0xf2',
  ]);
  for (const field of ['pid.pir', 'apic.pending_events', 'guest.virr'])
    expect(both(created, field)).toEqual(['', '']);
  for (const field of ['nmi_pending', 'smi_pending', 'nmi_injected', 'pid.on', 'tdvps.vmcs.pin_bit'])
    expect(both(created, field), field).toEqual(['0', '0']);
  const initialized = built('KVM_TDX_INIT_VCPU');
  expect(both(initialized, 'apic.base')).toEqual(['0xfee00d00', '0xfee00c00']);
  expect(both(initialized, 'mp_state')).toEqual(['RUNNABLE', 'RUNNABLE']);
  expect(both(initialized, 'tdvps.vmcs.pin_bit')).toEqual(['1', '1']);
  expect(both(initialized, 'tdvps.vmcs.nv')).toEqual(['0xf2', '0xf2']);
});

test('NUM-17: x2APIC registers by MSR, and the TSC deadline', () => {
  const bench = new Bench({ vms: { vmx: 1 } });
  bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1 });
  const wrmsr = (msr: number, value: number): void => {
    bench.does({ guest: 'WRMSR', vm: 'vmx', vcpu: 0, msr, value });
  };
  wrmsr(0x80f, 0x1fe);
  wrmsr(0x832, 0x400ec);
  wrmsr(0x83e, 0xb);
  wrmsr(0x6e0, 50_000_000);
  const apic = (field: string): string => bench.shows(`vmx.vcpu0.apic.${field}`);
  expect([apic('svr'), apic('lvtt'), apic('tdcr'), apic('tscdeadline')]).toEqual([
    '0x1fe',
    '0x400ec',
    '0xb',
    '50000000',
  ]);
  bench.does({ guest: 'IRQ_HANDLER', vm: 'vmx', vcpu: 0, stay: true });
  wrmsr(0x83f, 0x41);
  expect([bench.shows('vmx.vcpu0.guest.visr'), bench.shows('vmx.vcpu0.guest.irqs')]).toEqual(['65', '1']);
  wrmsr(0x80b, 0);
  expect(bench.shows('vmx.vcpu0.guest.visr')).toBe('');
});

test('NUM-18: INIT is bit 0 of pending_events, SIPI bit 1', () => {
  const bench = built('KVM_TDX_INIT_VCPU');
  const leaf = bench.machine.layout.find('td.vcpu1.apic.pending_events')!;
  expect(leaf.names.slice(0, 2)).toEqual(['INIT', 'SIPI']);
  bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 1, delivery_mode: 'INIT' });
  expect(bench.shows('td.vcpu1.apic.pending_events')).toBe('INIT');
});

test('NUM-22: statuses by their upper half', () => {
  expect(TDX_NON_RECOVERABLE_TD).toBe(0x4000_0002); // Linux's, which is not the module's
  expect(TDX_STATUS).toMatchObject({
    SUCCESS: 0, NON_RECOVERABLE_VCPU: 0x4000_0001, NON_RECOVERABLE_TD_NON_ACCESSIBLE: 0x6000_0005, OPERAND_BUSY: 0x8000_0200,
    OPERAND_INVALID: 0xc000_0100, VCPU_NOT_ASSOCIATED: 0x8000_0702,
  }); // prettier-ignore
});

describe('fields of a TD vCPU', () => {
  const seamcall = (bench: Bench, leaf: string, field: string): string => {
    bench.does({ host: 'SEAMCALL', vm: 'td', vcpu: 0, leaf, field, value: 1 });
    return bench.shows('td.vcpu0.thread.rax');
  };
  test.each([
    ['PEND_NMI', true, true],
    ['VCPU_STATE_DETAILS', true, false],
    ['POSTED_INTR_NV', null, true],
    ['POSTED_INTR_DESC_ADDR', null, true],
    ['PIN_BASED_CONTROLS', null, true],
  ] as const)('NUM-26: %s: readable %s, writable %s', (field, readable, writable) => {
    const bench = built('KVM_TDX_INIT_VCPU');
    bench.does({ vmm: 'KVM_TDX_INIT_MEM_REGION', vm: 'td', vcpu: 0 });
    bench.does({ vmm: 'KVM_TDX_FINALIZE_VM', vm: 'td' });
    const NOT_READABLE = '0xc0000c0200000000';
    const NOT_WRITABLE = '0xc0000c0100000000';
    if (readable !== null) expect(seamcall(bench, 'TDH.VP.RD', field) === NOT_READABLE).toBe(!readable);
    expect(seamcall(bench, 'TDH.VP.WR', field).startsWith(NOT_WRITABLE.slice(0, 10))).toBe(!writable);
  });
});

test('V12-17: INIT resets a TD vCPU silently in the first design, with a warning in the second', () => {
  const warnings = (switches: Record<string, boolean>): string[] => {
    const bench = new Bench({ vms: { td: 1 }, switches });
    bench.does({ boot: 'td', vm: 'td', vcpus: 1, run: false });
    bench.does({ kvm: 'kvm_vcpu_reset', vm: 'td', vcpu: 0, init_event: true });
    return bench.events('WARN');
  };
  expect(warnings({ apicv_v1: true })).toEqual([]);
  expect(warnings({})).toEqual(['tdx_vcpu_reset vcpu 0']);
});
