import { describe, expect, test } from 'vitest';
import { SEAMCALL_LEAVES, SEAMCALL_STATUS, TDX_OPERAND, TDX_STATUS, type TdxStatus } from '../names';
import { Bench } from '../testing/bench';
import { decodeStatus, statusText, TDX_SW_ERROR } from './status';

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
    ['TDXM-EXIT-5, TDXM-EXIT-12', vmexit(4), '0x6000000200000004'],
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
    ['TDXM-EXIT-42', { guest: 'TOUCH', ...td, page: 3, access: 'accept' }, '0x0000000000000030'],
    ['TDXM-EXIT-43', vmexit(49), '0x0000000000000031'],
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

  test('TDXM-EXIT-33: an entry that fails for a list of MSRs, which there is not, is the end of the module', () => {
    const bench = new Bench({ vms: { td: 1 } });
    bench.does({ boot: 'td', vm: 'td', vcpus: 1, run: false });
    bench.does({ host: 'ENTRY_FAILURE', ...td, reason: 'MSR_LOAD_FAIL' });
    expect(bench.does({ vmm: 'KVM_RUN', ...td })).toBe('unmodelled');
    expect(bench.events('kvm_exit')).toEqual([]);
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
  test.each<[string, TdxStatus, number]>([
    ['TDXM-CODE-1', 'SUCCESS', 0x00000000],
    ['TDXM-CODE-2', 'NON_RECOVERABLE_VCPU', 0x40000001],
    ['TDXM-CODE-3', 'NON_RECOVERABLE_TD', 0x60000002],
    ['TDXM-CODE-4', 'INTERRUPTED_RESUMABLE', 0x80000003],
    ['TDXM-CODE-5', 'INTERRUPTED_RESTARTABLE', 0x80000004],
    ['TDXM-CODE-6', 'NON_RECOVERABLE_TD_NON_ACCESSIBLE', 0x60000005],
    ['TDXM-CODE-7', 'INVALID_RESUMPTION', 0xc0000006],
    ['TDXM-CODE-8', 'NON_RECOVERABLE_TD_WRONG_APIC_MODE', 0xe0000007],
    ['TDXM-CODE-9', 'CROSS_TD_FAULT', 0x80000008],
    ['TDXM-CODE-10', 'CROSS_TD_TRAP', 0x90000009],
    ['TDXM-CODE-11', 'NON_RECOVERABLE_TD_CORRUPTED_MD', 0x6000000a],
    ['TDXM-CODE-12', 'OPERAND_INVALID', 0xc0000100],
    ['TDXM-CODE-13', 'OPERAND_ADDR_RANGE_ERROR', 0xc0000101],
    ['TDXM-CODE-14', 'OPERAND_BUSY', 0x80000200],
    ['TDXM-CODE-15', 'PREVIOUS_TLB_EPOCH_BUSY', 0x80000201],
    ['TDXM-CODE-16', 'SYS_BUSY', 0x80000202],
    ['TDXM-CODE-17', 'RND_NO_ENTROPY', 0x80000203],
    ['TDXM-CODE-18', 'OPERAND_BUSY_HOST_PRIORITY', 0x80000204],
    ['TDXM-CODE-19', 'HOST_PRIORITY_BUSY_TIMEOUT', 0x90000205],
    ['TDXM-CODE-20', 'PAGE_METADATA_INCORRECT', 0xc0000300],
    ['TDXM-CODE-21', 'PAGE_ALREADY_FREE', 0x00000301],
    ['TDXM-CODE-22', 'PAGE_NOT_OWNED_BY_TD', 0xc0000302],
    ['TDXM-CODE-23', 'PAGE_NOT_FREE', 0xc0000303],
    ['TDXM-CODE-24', 'TD_ASSOCIATED_PAGES_EXIST', 0xc0000400],
    ['TDXM-CODE-25', 'SYS_NOT_READY', 0xc0000505],
    ['TDXM-CODE-26', 'SYS_SHUTDOWN', 0xc0000506],
    ['TDXM-CODE-27', 'TD_FATAL', 0xe0000604],
    ['TDXM-CODE-28', 'TD_NON_DEBUG', 0xc0000605],
    ['TDXM-CODE-29', 'TDCS_NOT_ALLOCATED', 0xc0000606],
    ['TDXM-CODE-30', 'LIFECYCLE_STATE_INCORRECT', 0xc0000607],
    ['TDXM-CODE-31', 'OP_STATE_INCORRECT', 0xc0000608],
    ['TDXM-CODE-32', 'NO_VCPUS', 0xc0000609],
    ['TDXM-CODE-33', 'TDCX_NUM_INCORRECT', 0xc0000610],
    ['TDXM-CODE-34', 'X2APIC_ID_NOT_UNIQUE', 0xc0000621],
    ['TDXM-CODE-35', 'VCPU_STATE_INCORRECT', 0xc0000700],
    ['TDXM-CODE-36', 'VCPU_ASSOCIATED', 0x80000701],
    ['TDXM-CODE-37', 'VCPU_NOT_ASSOCIATED', 0x80000702],
    ['TDXM-CODE-38', 'NO_VALID_VE_INFO', 0xc0000704],
    ['TDXM-CODE-39', 'MAX_VCPUS_EXCEEDED', 0xc0000705],
    ['TDXM-CODE-40', 'TSC_ROLLBACK', 0xc0000706],
    ['TDXM-CODE-41', 'INTERRUPTIBILITY_BLOCKED', 0xc0000707],
    ['TDXM-CODE-42', 'TD_VMCS_FIELD_NOT_INITIALIZED', 0xc0000730],
    ['TDXM-CODE-43', 'TD_VMCS_FIELD_ERROR', 0xc0000731],
    ['TDXM-CODE-44', 'KEY_GENERATION_FAILED', 0x80000800],
    ['TDXM-CODE-45', 'TD_KEYS_NOT_CONFIGURED', 0x80000810],
    ['TDXM-CODE-46', 'KEY_STATE_INCORRECT', 0xc0000811],
    ['TDXM-CODE-47', 'KEY_CONFIGURED', 0x00000815],
    ['TDXM-CODE-48', 'WBCACHE_NOT_COMPLETE', 0x80000817],
    ['TDXM-CODE-49', 'HKID_NOT_FREE', 0xc0000820],
    ['TDXM-CODE-50', 'NO_HKID_READY_TO_WBCACHE', 0x00000821],
    ['TDXM-CODE-51', 'WBCACHE_RESUME_ERROR', 0xc0000823],
    ['TDXM-CODE-52', 'FLUSHVP_NOT_DONE', 0x80000824],
    ['TDXM-CODE-53', 'LIMIT_CPUID_MAXVAL_SET', 0xc0000901],
    ['TDXM-CODE-54', 'INCONSISTENT_MSR', 0xc0000920],
    ['TDXM-CODE-55', 'INCORRECT_MSR_VALUE', 0xc0000921],
    ['TDXM-CODE-56', 'EPT_WALK_FAILED', 0xc0000b00],
    ['TDXM-CODE-57', 'EPT_ENTRY_NOT_PRESENT', 0xc0000b03],
    ['TDXM-CODE-58', 'GPA_RANGE_NOT_BLOCKED', 0xc0000b06],
    ['TDXM-CODE-59', 'GPA_RANGE_ALREADY_BLOCKED', 0x00000b07],
    ['TDXM-CODE-60', 'TLB_TRACKING_NOT_DONE', 0xc0000b08],
    ['TDXM-CODE-61', 'EPT_INVALID_PROMOTE_CONDITIONS', 0xc0000b09],
    ['TDXM-CODE-62', 'PAGE_ALREADY_ACCEPTED', 0x00000b0a],
    ['TDXM-CODE-63', 'PAGE_SIZE_MISMATCH', 0xc0000b0b],
    ['TDXM-CODE-64', 'GPA_RANGE_BLOCKED', 0xc0000b0c],
    ['TDXM-CODE-65', 'EPT_ENTRY_STATE_INCORRECT', 0xc0000b0d],
    ['TDXM-CODE-66', 'EPT_PAGE_NOT_FREE', 0xc0000b0e],
    ['TDXM-CODE-67', 'METADATA_FIELD_ID_INCORRECT', 0xc0000c00],
    ['TDXM-CODE-68', 'METADATA_FIELD_NOT_WRITABLE', 0xc0000c01],
    ['TDXM-CODE-69', 'METADATA_FIELD_NOT_READABLE', 0xc0000c02],
    ['TDXM-CODE-70', 'METADATA_FIELD_VALUE_NOT_VALID', 0xc0000c03],
    ['TDXM-CODE-71', 'METADATA_FIELD_CURRENTLY_NOT_WRITABLE', 0xc0000c09],
    ['TDXM-CODE-72', 'METADATA_WR_MASK_NOT_VALID', 0xc0000c0a],
    ['TDXM-CODE-73', 'L2_EXIT_HOST_ROUTED_ASYNC', 0x00001100],
    ['TDXM-CODE-74', 'L2_EXIT_HOST_ROUTED_TDVMCALL', 0x00001101],
    ['TDXM-CODE-75', 'L2_EXIT_PENDING_INTERRUPT', 0x00001102],
    ['TDXM-CODE-76', 'PENDING_INTERRUPT', 0x00001120],
  ])('%s: TDX_%s has its number in the upper half, and KVM is told so', (_id, status, expected) => {
    const bench = running();
    bench.does({ host: 'SEAMCALL_STATUS', status });
    bench.does({ host: 'IRQ', ...td });
    expect(rax(bench).slice(2, 10)).toBe(expected.toString(16).padStart(8, '0'));
    expect(decodeStatus(expected).name).toBe(`TDX_${status}`);
  });

  test('TDXM-STAT-1, TDXM-STAT-7, TDXM-STAT-10: error, permanent, fatal, class and detail of every status', () => {
    for (const [name, hi] of Object.entries(TDX_STATUS)) expect(hi & 0x0fff_0000, name).toBe(0);
    expect(decodeStatus(TDX_STATUS.OPERAND_BUSY)).toMatchObject({
      error: true, nonRecoverable: false, fatal: false, retryable: true, class: 2, detail: 0, low: 'operand',
    }); // prettier-ignore
    expect(decodeStatus(TDX_STATUS.EPT_WALK_FAILED)).toMatchObject({ retryable: false, class: 0xb });
    expect(decodeStatus(TDX_STATUS.TD_FATAL)).toMatchObject({
      fatal: true,
      class: 6,
      detail: 4,
      low: 'operand',
    });
    expect(decodeStatus(TDX_STATUS.NON_RECOVERABLE_TD).low).toBe('exit reason');
    expect(decodeStatus(TDX_STATUS.SUCCESS).low).toBe('exit reason');
  });

  test('TDXM-STAT-2: the upper half alone names the status', () => {
    expect(statusText(0x8000_0200, 0x92)).toBe('TDX_OPERAND_BUSY, SEPT_TREE (0x8000020000000092)');
    expect(statusText(0x8000_0200, 0x01)).toBe('TDX_OPERAND_BUSY, RCX (0x8000020000000001)');
    expect(statusText(0xc000_0100, 0)).toBe('TDX_OPERAND_INVALID, RAX (0xc000010000000000)');
  });

  test('TDXM-STAT-3: a low half that is an MSR or a field of the VMCS is not taken for an operand', () => {
    expect(statusText(TDX_STATUS.INCONSISTENT_MSR, 0x3b)).toBe('TDX_INCONSISTENT_MSR (0xc00009200000003b)');
    expect(statusText(TDX_STATUS.TD_VMCS_FIELD_NOT_INITIALIZED, 2)).toBe(
      'TDX_TD_VMCS_FIELD_NOT_INITIALIZED (0xc000073000000002)',
    );
  });

  test('TDXM-STAT-4, TDXM-STAT-5: not recoverable without an error is an exit; WRONG_APIC_MODE alone has all three', () => {
    const exits = [
      'NON_RECOVERABLE_VCPU',
      'NON_RECOVERABLE_TD',
      'NON_RECOVERABLE_TD_NON_ACCESSIBLE',
    ] as const;
    for (const name of exits)
      expect(decodeStatus(TDX_STATUS[name])).toMatchObject({ error: false, nonRecoverable: true });
    const all = Object.values(TDX_STATUS).map(decodeStatus);
    const exit = all.filter((s) => s.error && s.nonRecoverable && s.fatal && s.low === 'exit reason');
    expect(exit.map(({ name }) => name)).toEqual(['TDX_NON_RECOVERABLE_TD_WRONG_APIC_MODE']);
  });

  test('TDXM-STAT-6: statuses without an error that are not TDX_SUCCESS', () => {
    const all = Object.values(TDX_STATUS).map(decodeStatus);
    const fine = all
      .filter(({ error, nonRecoverable }) => !error && !nonRecoverable)
      .map(({ name }) => name!);
    expect(fine).toEqual([
      'TDX_SUCCESS', 'TDX_PAGE_ALREADY_FREE', 'TDX_KEY_CONFIGURED', 'TDX_NO_HKID_READY_TO_WBCACHE',
      'TDX_GPA_RANGE_ALREADY_BLOCKED', 'TDX_PAGE_ALREADY_ACCEPTED', 'TDX_L2_EXIT_HOST_ROUTED_ASYNC',
      'TDX_L2_EXIT_HOST_ROUTED_TDVMCALL', 'TDX_L2_EXIT_PENDING_INTERRUPT', 'TDX_PENDING_INTERRUPT',
    ]); // prettier-ignore
  });

  test('TDXM-STAT-8: bit 60, the hint, is in CROSS_TD_TRAP and HOST_PRIORITY_BUSY_TIMEOUT only', () => {
    const hinted = Object.entries(TDX_STATUS).filter(([, hi]) => decodeStatus(hi).hint);
    expect(hinted.map(([name]) => name).sort()).toEqual(['CROSS_TD_TRAP', 'HOST_PRIORITY_BUSY_TIMEOUT']);
  });

  test('TDXM-STAT-9: what the kernel makes up itself begins with 0x8000ff00, and is no status of the module', () => {
    const own = ['SEAMCALL_GP', 'SEAMCALL_UD', 'SEAMCALL_VMFAILINVALID'] as const;
    expect(own.map((name) => SEAMCALL_STATUS[name])).toEqual([
      [TDX_SW_ERROR, 0xd], [TDX_SW_ERROR, 0x6], [TDX_SW_ERROR, 0xffff_0000],
    ]); // prettier-ignore
    expect(decodeStatus(TDX_SW_ERROR).name).toBeNull();
  });

  test('TDXM-STAT-11: the classes that there are', () => {
    const classes = new Set(Object.values(TDX_STATUS).map((hi) => decodeStatus(hi).class));
    expect([...classes].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xb, 0xc, 0x11]);
  });

  test('TDXM-STAT-13: the exit that makes a TD fatal never says TD_FATAL; every call after it does', () => {
    for (const action of [vmexit(4), { host: 'MCE', ...td }, vmexit(6, { qualification: 1 })]) {
      const bench = running();
      bench.does(action);
      expect(bench.shows('td.module.fatal')).toBe('1');
      expect(rax(bench)).not.toMatch(/^0xe0000604/);
      bench.does({ vmm: 'KVM_RUN', ...td });
      expect(rax(bench)).toBe('0xe000060400000000');
    }
  });

  test('TDXM-OPND-1, TDXM-OPND-3: ids of operands', () => {
    expect(TDX_OPERAND).toMatchObject({
      RAX: 0, RCX: 1, RDX: 2, R8: 8, TDR: 0x80, TDVPR: 0x82, SEPT_TREE: 0x92, TD_EPOCH: 0xa9, OP_STATE: 0xac, KOT: 0xba,
    }); // prettier-ignore
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

  test('TDXM-EPT-4, TDXM-EPT-5, TDXM-NUM-6: an access to a page that is not there exits with type 0, one to a PENDING page with type 6', () => {
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
    expect(Object.values(SEAMCALL_LEAVES)).toEqual([
      0, 1, 2, 4, 6, 8, 9, 10, 11, 17, 18, 19, 20, 21, 22, 26, 27, 28, 40, 43,
    ]);
  });
});
