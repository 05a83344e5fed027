/** Names of kernel values that both the machine and the language of actions use. No imports: the screen reads it too. */

/** `kvm_mp_state.mp_state`, in the order of its values. @source NUM-5 */
export const MP_STATES = [
  'RUNNABLE', 'UNINITIALIZED', 'INIT_RECEIVED', 'HALTED', 'SIPI_RECEIVED', 'STOPPED',
  'CHECK_STOP', 'OPERATING', 'LOAD', 'AP_RESET_HOLD', 'SUSPENDED',
] as const; // prettier-ignore

/** Delivery mode of an interrupt message: ICR or MSI data bits 10:8. @source x86:LAPIC-7 */
export const DELIVERY_MODES = [
  'FIXED',
  'LOWEST',
  'SMI',
  'REMRD',
  'NMI',
  'INIT',
  'STARTUP',
  'EXTINT',
] as const;

/** Destination shorthand of the ICR, bits 19:18. @source x86:LAPIC-11 */
export const SHORTHANDS = ['NONE', 'SELF', 'ALL', 'OTHERS'] as const;

/** `kvm_apicv_inhibit`, by value. @source APICV-4 */
export const APICV_INHIBIT_REASONS = [
  'DISABLED', 'HYPERV', 'ABSENT', 'BLOCKIRQ', 'PHYSICAL_ID_ALIASED', 'APIC_ID_MODIFIED', 'APIC_BASE_MODIFIED', 'NESTED',
  'IRQWIN', 'PIT_REINJ', 'SEV', 'LOGICAL_ID_ALIASED', 'TDX',
] as const; // prettier-ignore
export type ApicvInhibitReason = (typeof APICV_INHIBIT_REASONS)[number];

/** Capabilities that KVM_CHECK_EXTENSION is asked for. @source tdx:SMI-8, VM-1 */
export const CAPABILITY_NAMES = ['KVM_CAP_X86_SMM', 'KVM_CAP_MAX_VCPUS', 'KVM_CAP_SPLIT_IRQCHIP'] as const;

/** Status of a TDVMCALL, as R10 shows it to the guest: high and low half. @source NUM-20 */
export const TDVMCALL_STATUS = {
  SUCCESS: [0, 0],
  RETRY: [0, 1],
  INVALID_OPERAND: [0x8000_0000, 0],
  ALIGN_ERROR: [0x8000_0000, 2],
  SUBFUNC_UNSUPPORTED: [0x8000_0000, 3],
} as const satisfies Readonly<Record<string, readonly [hi: number, lo: number]>>;
export type TdvmcallStatus = keyof typeof TDVMCALL_STATUS;

/**
 * Completion statuses that a SEAMCALL can be made to end with: high and low half.
 *
 * @source NUM-22 to NUM-24; operand ids in the low half: NUM-23; the last three are the host's own: TDXM-STAT-9
 */
export const SEAMCALL_STATUS = {
  SUCCESS: [0, 0],
  OPERAND_BUSY_RCX: [0x8000_0200, 0x1],
  OPERAND_BUSY_TDR: [0x8000_0200, 0x80],
  OPERAND_BUSY_SEPT: [0x8000_0200, 0x92],
  OPERAND_BUSY_TD_EPOCH: [0x8000_0200, 0xa9],
  OPERAND_INVALID_RCX: [0xc000_0100, 0x1],
  INTERRUPTED_RESUMABLE: [0x8000_0003, 0],
  RND_NO_ENTROPY: [0x8000_0203, 0],
  HOST_PRIORITY_BUSY_TIMEOUT: [0x9000_0205, 0],
  CROSS_TD_FAULT: [0x8000_0008, 0],
  CROSS_TD_TRAP: [0x9000_0009, 0],
  NON_RECOVERABLE_TD: [0x6000_0002, 0],
  NON_RECOVERABLE_TD_WRONG_APIC_MODE: [0xe000_0007, 0],
  NON_RECOVERABLE_TD_CORRUPTED_MD: [0x6000_000a, 0],
  VCPU_ASSOCIATED: [0x8000_0701, 0],
  VCPU_NOT_ASSOCIATED: [0x8000_0702, 0],
  TSC_ROLLBACK: [0xc000_0706, 0],
  FLUSHVP_NOT_DONE: [0x8000_0824, 0],
  EPT_ENTRY_STATE_INCORRECT: [0xc000_0b0d, 0x1],
  METADATA_FIELD_VALUE_NOT_VALID: [0xc000_0c03, 0],
  SEAMCALL_GP: [0x8000_ff00, 0xd],
  SEAMCALL_UD: [0x8000_ff00, 0x6],
  SEAMCALL_VMFAILINVALID: [0x8000_ff00, 0xffff_0000],
} as const satisfies Readonly<Record<string, readonly [hi: number, lo: number]>>;
export type SeamcallStatus = keyof typeof SEAMCALL_STATUS;

/** SEAMCALL leaves that the machine issues. @source NUM-25, TDXM-LEAF-1 */
export const SEAMCALL_LEAVES = {
  'TDH.VP.ENTER': 0, 'TDH.MEM.PAGE.ADD': 2, 'TDH.VP.ADDCX': 4, 'TDH.MEM.PAGE.AUG': 6, 'TDH.MNG.CREATE': 9,
  'TDH.VP.CREATE': 10, 'TDH.MR.FINALIZE': 17, 'TDH.MNG.INIT': 21, 'TDH.VP.INIT': 22, 'TDH.VP.RD': 26, 'TDH.VP.WR': 43,
} as const; // prettier-ignore
export type SeamcallLeaf = keyof typeof SEAMCALL_LEAVES;

/** MSRs by name. @source NUM-17; SDM */
export const MSR_INDEX = {
  IA32_APIC_BASE: 0x1b,
  IA32_FEAT_CTL: 0x3a,
  IA32_SMBASE: 0x9e,
  IA32_SYSENTER_CS: 0x174,
  IA32_MISC_ENABLE: 0x1a0,
  IA32_TSC_DEADLINE: 0x6e0,
  X2APIC_TPR: 0x808,
  X2APIC_PPR: 0x80a,
  X2APIC_EOI: 0x80b,
  X2APIC_SVR: 0x80f,
  X2APIC_LVTT: 0x832,
  EFER: 0xc000_0080,
} as const;
export type MsrName = keyof typeof MSR_INDEX;
