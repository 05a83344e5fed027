import { describe, expect, test } from 'vitest';
import { SEAMCALL_LEAVES, SEAMCALL_STATUS, type SeamcallStatus } from '../names';
import { Bench } from '../testing/bench';
import * as leaves from './leaves';

/** The TDX module: its statuses, what TDH.VP.ENTER gives back, and what becomes of every VM exit. */

const td = { vm: 'td', vcpu: 0 };
function running(vcpus = 1): Bench {
  const bench = new Bench({ vms: { td: vcpus } });
  bench.does({ boot: 'td', vm: 'td', vcpus });
  return bench;
}
const rax = (bench: Bench): string => bench.shows('td.vcpu0.vp_enter_ret');
const vcpuState = (bench: Bench): string => bench.shows('td.vcpu0.tdvps.state');
const vmexit = (reason: number, more: Record<string, unknown> = {}) => ({
  guest: 'VMEXIT',
  ...td,
  reason,
  ...more,
});

describe('what becomes of a VM exit', () => {
  test.each([
    ['TDXM-EXIT-6', { host: 'NMI', ...td }, '0x0000000000000000'],
    ['TDXM-EXIT-7', { host: 'MCE', ...td }, '0x6000000500000000'],
    ['TDXM-EXIT-9', { host: 'IRQ', ...td }, '0x0000000000000001'],
    ['TDXM-EXIT-10', { guest: 'TRIPLE_FAULT', ...td }, '0x4000000100000002'],
    ['TDXM-EXIT-11', { host: 'INIT', ...td }, '0x0000000000000003'],
    ['TDXM-EXIT-12', vmexit(4), '0x6000000200000004'],
    ['TDXM-EXIT-13', vmexit(5), '0x6000000200000005'],
    ['TDXM-EXIT-14', { host: 'SMI', ...td }, '0x0000000000000006'],
    ['TDXM-EXIT-15', vmexit(6, { qualification: 1 }), '0x6000000500000006'],
    ['TDXM-EXIT-16', vmexit(7), '0x6000000200000007'],
    ['TDXM-EXIT-18', vmexit(9), '0x0000000000000009'],
    ['TDXM-EXIT-23', vmexit(16), '0x6000000200000010'],
    ['TDXM-EXIT-29', vmexit(29), '0x600000020000001d'],
    ['TDXM-EXIT-36', vmexit(40), '0x6000000200000028'],
    ['TDXM-EXIT-38', vmexit(42), '0x000000000000002a'],
    ['TDXM-EXIT-39', vmexit(43), '0x600000020000002b'],
    ['TDXM-EXIT-40, TDXM-APIC-4', vmexit(45), '0x600000020000002d'],
    ['TDXM-EXIT-41', vmexit(46), '0x600000020000002e'],
    ['TDXM-EXIT-50', vmexit(69), '0x6000000200000045'],
    ['TDXM-EXIT-52', vmexit(74), '0x000000000000004a'],
    ['TDXM-EXIT-53', vmexit(75), '0x000000000000004b'],
    ['TDXM-EXIT-53', vmexit(75, { qualification: 1 }), '0x600000020000004b'],
    ['TDXM-EXIT-55', { guest: 'TDVMCALL', ...td, leaf: 99 }, '0x000000000000004d'],
    ['TDXM-EXIT-56', vmexit(99), '0x6000000200000063'],
  ])('%s: %j gives RAX %s', (_id, action, expected) => {
    const bench = running();
    bench.does(action);
    expect(rax(bench)).toBe(expected);
  });

  test.each([
    ['TDXM-EXIT-32', 'INVALID_STATE', '0x6000000280000021'],
    ['TDXM-EXIT-37', 'MCE_DURING_VMENTRY', '0x6000000580000029'],
  ])('%s: a failed entry, %s, gives RAX %s', (_id, reason, expected) => {
    const bench = running();
    bench.does({ host: 'ENTRY_FAILURE', ...td, reason });
    bench.does({ host: 'IRQ', ...td });
    expect(rax(bench)).toBe(expected);
    expect(bench.shows('td.module.fatal')).toBe('1');
  });

  test.each([
    ['TDXM-EXIT-19', 10, 'nothing'],
    ['TDXM-EXIT-20', 11, '#UD'],
    ['TDXM-EXIT-21, TDXM-EXIT-59', 12, '#VE'],
    ['TDXM-EXIT-22', 13, '#VE'],
    ['TDXM-EXIT-24', 15, '#GP'],
    ['TDXM-EXIT-25', 17, '#UD'],
    ['TDXM-EXIT-26', 18, '#VE'],
    ['TDXM-EXIT-27', 19, '#UD'],
    ['TDXM-EXIT-28', 28, 'nothing'],
    ['TDXM-EXIT-30', 30, '#VE'],
    ['TDXM-EXIT-31', 31, 'nothing'],
    ['TDXM-EXIT-34', 36, '#UD'],
    ['TDXM-EXIT-44', 54, '#VE'],
    ['TDXM-EXIT-45', 55, 'nothing'],
    ['TDXM-EXIT-46', 56, '#VE'],
    ['TDXM-EXIT-47', 59, '#UD'],
    ['TDXM-EXIT-49', 65, '#VE'],
    ['TDXM-EXIT-51', 72, '#GP'],
    ['TDXM-EXIT-54', 76, '#UD'],
  ])('%s: reason %i never reaches the host; the guest gets %s', (_id, reason, injected) => {
    const bench = running();
    bench.does(vmexit(reason));
    expect(bench.events('td_exit_handled')[0]).toContain(`injects ${injected}`);
    expect(bench.events('kvm_exit')).toEqual([]);
    expect(vcpuState(bench)).toBe('ACTIVE');
  });

  test.each([
    ['TDXM-EXIT-8', vmexit(0, { vector: 14 })],
    ['TDXM-EXIT-48', vmexit(62)],
  ])('%s: the module shuts itself down, and the run ends with a name', (_id, action) => {
    const bench = running();
    bench.does(action);
    expect(bench.events('kvm_exit')).toEqual([]);
    expect(bench.shows('td.vcpu0.thread.status')).toBe('idle');
  });

  test('TDXM-EXIT-1, TDXM-EXIT-2: once the TD is fatal, every exit of its other vCPUs becomes NON_ACCESSIBLE with its own reason', () => {
    for (const [more, low] of [
      [{ host: 'IRQ' }, '00000001'],
      [{ guest: 'VMEXIT', reason: 10 }, '0000000a'],
    ] as const) {
      const bench = running(2);
      bench.does(vmexit(4));
      bench.does({ ...more, vm: 'td', vcpu: 1 });
      expect(bench.shows('td.vcpu1.vp_enter_ret')).toBe(`0x60000005${low}`);
    }
  });

  test('TDXM-EXIT-58: after an interrupt-type exit the vCPU is READY and goes on where it was', () => {
    for (const host of ['IRQ', 'NMI', 'SMI']) {
      const bench = running();
      bench.does({ host, ...td });
      expect(bench.shows('td.vcpu0.thread.status')).toBe('in-guest');
      bench.does({ vmm: 'signal', ...td });
      expect(vcpuState(bench)).toBe('READY');
    }
  });
});

describe('statuses', () => {
  const names = Object.keys(SEAMCALL_STATUS) as SeamcallStatus[];
  const hi = (name: SeamcallStatus): number => SEAMCALL_STATUS[name][0];
  const hex = (n: number): string => n.toString(16).padStart(8, '0');

  test.each([
    ['TDXM-CODE-1', leaves.TDX_SUCCESS, 0],
    ['TDXM-CODE-2', leaves.TDX_NON_RECOVERABLE_VCPU, 0x40000001],
    ['TDXM-CODE-3', leaves.TDX_NON_RECOVERABLE_TD_MODULE, 0x60000002],
    ['TDXM-CODE-4', hi('INTERRUPTED_RESUMABLE'), 0x80000003],
    ['TDXM-CODE-6', leaves.TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE, 0x60000005],
    ['TDXM-CODE-8', leaves.TDX_NON_RECOVERABLE_TD_WRONG_APIC_MODE_MODULE, 0xe0000007],
    ['TDXM-CODE-9', hi('CROSS_TD_FAULT'), 0x80000008],
    ['TDXM-CODE-10', hi('CROSS_TD_TRAP'), 0x90000009],
    ['TDXM-CODE-11', hi('NON_RECOVERABLE_TD_CORRUPTED_MD'), 0x6000000a],
    ['TDXM-CODE-12', hi('OPERAND_INVALID_RCX'), 0xc0000100],
    ['TDXM-CODE-14', hi('OPERAND_BUSY_RCX'), 0x80000200],
    ['TDXM-CODE-17', hi('RND_NO_ENTROPY'), 0x80000203],
    ['TDXM-CODE-19', hi('HOST_PRIORITY_BUSY_TIMEOUT'), 0x90000205],
    ['TDXM-CODE-27', leaves.TDX_TD_FATAL, 0xe0000604],
    ['TDXM-CODE-31', leaves.TDX_OP_STATE_INCORRECT, 0xc0000608],
    ['TDXM-CODE-33', leaves.TDX_TDCX_NUM_INCORRECT, 0xc0000610],
    ['TDXM-CODE-35', leaves.TDX_VCPU_STATE_INCORRECT, 0xc0000700],
    ['TDXM-CODE-36', hi('VCPU_ASSOCIATED'), 0x80000701],
    ['TDXM-CODE-37', hi('VCPU_NOT_ASSOCIATED'), 0x80000702],
    ['TDXM-CODE-40', hi('TSC_ROLLBACK'), 0xc0000706],
    ['TDXM-CODE-42', leaves.TDX_TD_VMCS_FIELD_NOT_INITIALIZED, 0xc0000730],
    ['TDXM-CODE-45', leaves.TDX_TD_KEYS_NOT_CONFIGURED, 0x80000810],
    ['TDXM-CODE-52', hi('FLUSHVP_NOT_DONE'), 0x80000824],
    ['TDXM-CODE-65', leaves.TDX_EPT_ENTRY_STATE_INCORRECT, 0xc0000b0d],
    ['TDXM-CODE-70', hi('METADATA_FIELD_VALUE_NOT_VALID'), 0xc0000c03],
  ])('%s: %i', (_id, value, expected) => {
    expect(value).toBe(expected);
  });

  test('TDXM-STAT-1, TDXM-STAT-7: bits 59:48 are 0; a retryable error has bit 63 and not bit 62', () => {
    const module = names.filter((name) => !name.startsWith('SEAMCALL'));
    for (const name of module) expect(hi(name) & 0x0fff_0000, name).toBe(0);
    const retryable = module.filter((name) => hi(name) >>> 30 === 2);
    expect(retryable).toContain('OPERAND_BUSY_RCX');
    expect(retryable).not.toContain('OPERAND_INVALID_RCX');
  });

  test('TDXM-STAT-4, TDXM-STAT-5: NON_RECOVERABLE without ERROR is a TD exit; WRONG_APIC_MODE alone has both', () => {
    const error = (status: number): boolean => status >>> 31 === 1;
    expect(error(leaves.TDX_NON_RECOVERABLE_VCPU)).toBe(false);
    expect(error(leaves.TDX_NON_RECOVERABLE_TD_MODULE)).toBe(false);
    expect(error(leaves.TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE)).toBe(false);
    expect(error(leaves.TDX_NON_RECOVERABLE_TD_WRONG_APIC_MODE_MODULE)).toBe(true);
  });

  test('TDXM-STAT-8: bit 60, the recoverability hint, is in CROSS_TD_TRAP and HOST_PRIORITY_BUSY_TIMEOUT only', () => {
    const hinted = names.filter((name) => hi(name) & 0x1000_0000);
    expect(hinted.sort()).toEqual(['CROSS_TD_TRAP', 'HOST_PRIORITY_BUSY_TIMEOUT']);
  });

  test('TDXM-STAT-9: what the kernel makes up itself begins with 0x8000ff00', () => {
    const own = names.filter((name) => hi(name) === leaves.TDX_SW_ERROR);
    expect(own.map((name) => hex(SEAMCALL_STATUS[name][1]))).toEqual(['0000000d', '00000006', 'ffff0000']);
  });

  test('TDXM-EXIT-62: a host-priority timeout leaves with reason 0 and R9 = 0, and KVM does not take it for an NMI', () => {
    const bench = running();
    bench.does({ host: 'SEAMCALL_STATUS', status: 'HOST_PRIORITY_BUSY_TIMEOUT' });
    bench.does({ host: 'IRQ', ...td });
    expect(rax(bench)).toBe('0x9000020500000000');
    expect(bench.shows('td.vcpu0.intr_info')).toBe('0x0');
    expect(bench.events('host_nmi_handled')).toEqual([]);
  });
});

describe('TDH.VP.ENTER', () => {
  test.each([
    ['TDXM-RET-2', { host: 'INIT', ...td }, 'READY', '0', '0'],
    ['TDXM-RET-3', { guest: 'IO', ...td }, 'READY', '1', '0'],
    ['TDXM-RET-6', { guest: 'TRIPLE_FAULT', ...td }, 'DISABLED', '0', '0'],
    ['TDXM-RET-7', vmexit(4), 'ACTIVE', '0', '1'],
    ['TDXM-RET-10', { host: 'MCE', ...td }, 'ACTIVE', '0', '1'],
  ])('%s: %j leaves the vCPU %s, LAST_TD_EXIT TDVMCALL %s, FATAL %s', (_id, action, state, vmcall, fatal) => {
    const bench = running();
    bench.does(action);
    expect(vcpuState(bench)).toBe(state);
    expect(bench.shows('td.vcpu0.tdvps.last_exit_vmcall')).toBe(vmcall);
    expect(bench.shows('td.module.fatal')).toBe(fatal);
  });

  test('TDXM-RET-8: WRONG_APIC_MODE leaves the vCPU ACTIVE and the TD fatal', () => {
    const bench = running();
    bench.does({ host: 'STEP', ...td, lapic: 'disabled' });
    bench.does({ host: 'IRQ', ...td });
    expect([vcpuState(bench), bench.shows('td.module.fatal')]).toEqual(['ACTIVE', '1']);
  });

  test('TDXM-ENTER-6, TDXM-LIFE-3: a fatal TD is never entered again', () => {
    const bench = running();
    bench.does(vmexit(4));
    for (let i = 0; i < 2; i++) {
      bench.does({ vmm: 'KVM_RUN', ...td });
      expect(rax(bench)).toBe('0xe000060400000000');
    }
  });

  test('TDXM-ENTER-12, TDXM-VCPU-3: a DISABLED vCPU is refused, the other ones run on', () => {
    const bench = running(2);
    bench.does({ guest: 'TRIPLE_FAULT', ...td });
    bench.does({ vmm: 'KVM_RUN', ...td });
    expect(rax(bench)).toBe('0xc000070000000000');
    bench.does({ host: 'IRQ', vm: 'td', vcpu: 1 });
    expect(bench.shows('td.vcpu1.thread.status')).toBe('in-guest');
  });

  test('TDXM-OUT-1, TDXM-OUT-2, TDXM-OUT-6: status and reason in RAX, the qualification in RCX, other registers 0', () => {
    const bench = running();
    bench.does(vmexit(9, { qualification: 0x55 }));
    expect(rax(bench)).toBe('0x0000000000000009');
    expect(bench.shows('td.vcpu0.args.rcx')).toBe('0x0000000000000055');
    for (const r of ['rdx', 'r8', 'r10', 'r15'])
      expect(bench.shows(`td.vcpu0.args.${r}`)).toBe('0x0000000000000000');
  });

  test('TDXM-OUT-3, TDXM-OUT-4, TDXM-OUT-12, TDXM-EPT-7: an EPT violation by ACCEPT: type 1, a write, the page', () => {
    const bench = running();
    bench.does({ vmm: 'KVM_SET_MEMORY_ATTRIBUTES', vm: 'td', page: 3, private: false });
    bench.does({ guest: 'TOUCH', ...td, page: 3, access: 'accept' });
    expect(['rcx', 'rdx', 'r8'].map((r) => Number(bench.shows(`td.vcpu0.args.${r}`)))).toEqual([
      2, 1, 0x8000_3000,
    ]);
  });

  test('TDXM-EPT-4: an access to a page that is only PENDING exits with type 6', () => {
    const bench = running();
    bench.does({ guest: 'TOUCH', ...td, page: 3 });
    expect(bench.events('kvm_exit').map((text) => /info2 (\w+)/.exec(text)?.[1])).toEqual(['0x0', '0x6']);
  });

  test('TDXM-EPT-2: a shared address that is not mapped exits; KVM maps it and the guest goes on', () => {
    const bench = running();
    bench.does({ vmm: 'KVM_SET_MEMORY_ATTRIBUTES', vm: 'td', page: 3, private: false });
    bench.does({ guest: 'TOUCH', ...td, page: 3, space: 'shared' });
    expect(bench.events('guest_touches')).toEqual(['vcpu 0 page 3 shared read']);
  });

  test('TDXM-OUT-14, TDXM-OUT-5: R9 of an external interrupt, an NMI and a machine check', () => {
    const info = (host: string): string => {
      const bench = running();
      bench.does({ host, ...td, ...(host === 'IRQ' ? { vector: 0x41 } : {}) });
      return /intr_info (\w+)/.exec(bench.events('kvm_exit')[0]!)![1]!;
    };
    expect([info('IRQ'), info('NMI'), info('MCE')]).toEqual(['0x80000041', '0x80000202', '0x80000312']);
  });

  test('TDXM-OUT-15: of a TDVMCALL RAX is 77 and RCX the mask of what is passed', () => {
    const bench = running();
    bench.does({ guest: 'IO', ...td });
    expect(rax(bench)).toBe('0x000000000000004d');
    expect(bench.shows('td.vcpu0.args.rcx')).toBe('0x000000000000fc00');
  });

  test('TDXM-LEAF-1: leaf numbers', () => {
    expect(Object.values(SEAMCALL_LEAVES)).toEqual([0, 2, 4, 6, 9, 10, 17, 21, 22, 26, 43]);
  });
});
