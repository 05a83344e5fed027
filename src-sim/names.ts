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
