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

/** Completion statuses of the TDX module by name without TDX_: the high half. @source TDXM-CODE-1 to TDXM-CODE-76 */
export const TDX_STATUS = {
  SUCCESS: 0,
  NON_RECOVERABLE_VCPU: 0x4000_0001,
  NON_RECOVERABLE_TD: 0x6000_0002,
  INTERRUPTED_RESUMABLE: 0x8000_0003,
  INTERRUPTED_RESTARTABLE: 0x8000_0004,
  NON_RECOVERABLE_TD_NON_ACCESSIBLE: 0x6000_0005,
  INVALID_RESUMPTION: 0xc000_0006,
  NON_RECOVERABLE_TD_WRONG_APIC_MODE: 0xe000_0007,
  CROSS_TD_FAULT: 0x8000_0008,
  CROSS_TD_TRAP: 0x9000_0009,
  NON_RECOVERABLE_TD_CORRUPTED_MD: 0x6000_000a,
  OPERAND_INVALID: 0xc000_0100,
  OPERAND_ADDR_RANGE_ERROR: 0xc000_0101,
  OPERAND_BUSY: 0x8000_0200,
  PREVIOUS_TLB_EPOCH_BUSY: 0x8000_0201,
  SYS_BUSY: 0x8000_0202,
  RND_NO_ENTROPY: 0x8000_0203,
  OPERAND_BUSY_HOST_PRIORITY: 0x8000_0204,
  HOST_PRIORITY_BUSY_TIMEOUT: 0x9000_0205,
  PAGE_METADATA_INCORRECT: 0xc000_0300,
  PAGE_ALREADY_FREE: 0x0000_0301,
  PAGE_NOT_OWNED_BY_TD: 0xc000_0302,
  PAGE_NOT_FREE: 0xc000_0303,
  TD_ASSOCIATED_PAGES_EXIST: 0xc000_0400,
  SYS_NOT_READY: 0xc000_0505,
  SYS_SHUTDOWN: 0xc000_0506,
  TD_FATAL: 0xe000_0604,
  TD_NON_DEBUG: 0xc000_0605,
  TDCS_NOT_ALLOCATED: 0xc000_0606,
  LIFECYCLE_STATE_INCORRECT: 0xc000_0607,
  OP_STATE_INCORRECT: 0xc000_0608,
  NO_VCPUS: 0xc000_0609,
  TDCX_NUM_INCORRECT: 0xc000_0610,
  X2APIC_ID_NOT_UNIQUE: 0xc000_0621,
  VCPU_STATE_INCORRECT: 0xc000_0700,
  VCPU_ASSOCIATED: 0x8000_0701,
  VCPU_NOT_ASSOCIATED: 0x8000_0702,
  NO_VALID_VE_INFO: 0xc000_0704,
  MAX_VCPUS_EXCEEDED: 0xc000_0705,
  TSC_ROLLBACK: 0xc000_0706,
  INTERRUPTIBILITY_BLOCKED: 0xc000_0707,
  TD_VMCS_FIELD_NOT_INITIALIZED: 0xc000_0730,
  TD_VMCS_FIELD_ERROR: 0xc000_0731,
  KEY_GENERATION_FAILED: 0x8000_0800,
  TD_KEYS_NOT_CONFIGURED: 0x8000_0810,
  KEY_STATE_INCORRECT: 0xc000_0811,
  KEY_CONFIGURED: 0x0000_0815,
  WBCACHE_NOT_COMPLETE: 0x8000_0817,
  HKID_NOT_FREE: 0xc000_0820,
  NO_HKID_READY_TO_WBCACHE: 0x0000_0821,
  WBCACHE_RESUME_ERROR: 0xc000_0823,
  FLUSHVP_NOT_DONE: 0x8000_0824,
  LIMIT_CPUID_MAXVAL_SET: 0xc000_0901,
  INCONSISTENT_MSR: 0xc000_0920,
  INCORRECT_MSR_VALUE: 0xc000_0921,
  EPT_WALK_FAILED: 0xc000_0b00,
  EPT_ENTRY_NOT_PRESENT: 0xc000_0b03,
  GPA_RANGE_NOT_BLOCKED: 0xc000_0b06,
  GPA_RANGE_ALREADY_BLOCKED: 0x0000_0b07,
  TLB_TRACKING_NOT_DONE: 0xc000_0b08,
  EPT_INVALID_PROMOTE_CONDITIONS: 0xc000_0b09,
  PAGE_ALREADY_ACCEPTED: 0x0000_0b0a,
  PAGE_SIZE_MISMATCH: 0xc000_0b0b,
  GPA_RANGE_BLOCKED: 0xc000_0b0c,
  EPT_ENTRY_STATE_INCORRECT: 0xc000_0b0d,
  EPT_PAGE_NOT_FREE: 0xc000_0b0e,
  METADATA_FIELD_ID_INCORRECT: 0xc000_0c00,
  METADATA_FIELD_NOT_WRITABLE: 0xc000_0c01,
  METADATA_FIELD_NOT_READABLE: 0xc000_0c02,
  METADATA_FIELD_VALUE_NOT_VALID: 0xc000_0c03,
  METADATA_FIELD_CURRENTLY_NOT_WRITABLE: 0xc000_0c09,
  METADATA_WR_MASK_NOT_VALID: 0xc000_0c0a,
  L2_EXIT_HOST_ROUTED_ASYNC: 0x0000_1100,
  L2_EXIT_HOST_ROUTED_TDVMCALL: 0x0000_1101,
  L2_EXIT_PENDING_INTERRUPT: 0x0000_1102,
  PENDING_INTERRUPT: 0x0000_1120,
} as const satisfies Readonly<Record<string, number>>;
export type TdxStatus = keyof typeof TDX_STATUS;

/** Operand ids: the low half of a status that is about an operand. @source TDXM-OPND-1, NUM-23 */
export const TDX_OPERAND = {
  RAX: 0, RCX: 1, RDX: 2, R8: 8, R9: 9, TDR: 0x80, TDCX: 0x81, TDVPR: 0x82, SEPT_TREE: 0x92, TD_EPOCH: 0xa9, OP_STATE: 0xac,
  KOT: 0xba, WBCACHE: 0xbc,
} as const; // prettier-ignore
export type TdxOperand = keyof typeof TDX_OPERAND;

/** Statuses with an operand, and those that the host makes up when the module never ran. @source NUM-23, TDXM-STAT-9 */
const STATUS_VARIANTS = {
  OPERAND_BUSY_RCX: [0x8000_0200, TDX_OPERAND.RCX],
  OPERAND_BUSY_TDR: [0x8000_0200, TDX_OPERAND.TDR],
  OPERAND_BUSY_SEPT: [0x8000_0200, TDX_OPERAND.SEPT_TREE],
  OPERAND_BUSY_TD_EPOCH: [0x8000_0200, TDX_OPERAND.TD_EPOCH],
  OPERAND_INVALID_RCX: [0xc000_0100, TDX_OPERAND.RCX],
  EPT_ENTRY_STATE_INCORRECT: [0xc000_0b0d, TDX_OPERAND.RCX],
  SEAMCALL_GP: [0x8000_ff00, 0xd],
  SEAMCALL_UD: [0x8000_ff00, 0x6],
  SEAMCALL_VMFAILINVALID: [0x8000_ff00, 0xffff_0000],
} as const;

/** Completion statuses that a SEAMCALL can be made to end with: high and low half. @source NUM-22 to NUM-24 */
export const SEAMCALL_STATUS = {
  ...(Object.fromEntries(
    Object.entries(TDX_STATUS).map(([name, hi]) => [name, [hi, 0]]),
  ) as unknown as Readonly<Record<TdxStatus, readonly [hi: number, lo: number]>>),
  ...STATUS_VARIANTS,
};
export type SeamcallStatus = keyof typeof SEAMCALL_STATUS;

/** SEAMCALL leaves of the machine. @source NUM-25, TDXM-LEAF-1 */
export const SEAMCALL_LEAVES = {
  'TDH.VP.ENTER': 0, 'TDH.MNG.ADDCX': 1, 'TDH.MEM.PAGE.ADD': 2, 'TDH.VP.ADDCX': 4, 'TDH.MEM.PAGE.AUG': 6,
  'TDH.MNG.KEY.CONFIG': 8, 'TDH.MNG.CREATE': 9, 'TDH.VP.CREATE': 10, 'TDH.MNG.RD': 11, 'TDH.MR.FINALIZE': 17, 'TDH.VP.FLUSH': 18,
  'TDH.MNG.VPFLUSHDONE': 19, 'TDH.MNG.KEY.FREEID': 20, 'TDH.MNG.INIT': 21, 'TDH.VP.INIT': 22, 'TDH.VP.RD': 26,
  'TDH.MNG.KEY.RECLAIMID': 27, 'TDH.PHYMEM.PAGE.RECLAIM': 28, 'TDH.PHYMEM.CACHE.WB': 40, 'TDH.VP.WR': 43,
} as const; // prettier-ignore
export type SeamcallLeaf = keyof typeof SEAMCALL_LEAVES;

/** Fields of a vCPU in the TDX module that TDH.VP.RD and TDH.VP.WR name here. @source TDXM-FLD-1 to TDXM-FLD-10 */
export const TDVPS_FIELDS = [
  'POSTED_INTR_NV', 'POSTED_INTR_DESC_ADDR', 'PIN_BASED_CONTROLS', 'PEND_NMI', 'VCPU_STATE_DETAILS', 'VCPU_INDEX',
  'ASSOC_LPID', 'VCPU_STATE', 'VIRTUAL_APIC_PAGE', 'EOI_EXIT_BITMAP', 'ENTRY_INTERRUPTION_INFO', 'UNKNOWN',
] as const; // prettier-ignore
export type TdvpsField = (typeof TDVPS_FIELDS)[number];

/** Fields of a TD in the TDX module that TDH.MNG.RD names here. @source TDXM-LIFE-5 */
export const TD_FIELDS = ['FATAL', 'LIFECYCLE_STATE', 'OP_STATE'] as const;
export type TdField = (typeof TD_FIELDS)[number];

/** MSRs by name. @source NUM-17; SDM */
export const MSR_INDEX = {
  IA32_APIC_BASE: 0x1b,
  SMI_COUNT: 0x34,
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
