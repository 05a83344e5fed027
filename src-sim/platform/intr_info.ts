/** The format of VM-entry and VM-exit interruption information and of IDT-vectoring information: arch/x86/include/asm/vmx.h. */

/** Bit 31. @source x86:VMX-5 */
export const INTR_INFO_VALID = 0x8000_0000;
/** Bit 12 of exit information, and of the qualification of some exits: the IRET that faulted has unblocked NMIs. @source x86:VMX-5 */
export const INTR_INFO_UNBLOCK_NMI = 0x1000;
/** Bit 11: an error code is delivered. @source x86:VMX-5 */
export const INTR_INFO_DELIVER_CODE = 0x800;

/** Types, bits 10:8. @source x86:VMX-4 */
export const INTR_TYPE_EXT_INTR = 0;
export const INTR_TYPE_NMI_INTR = 2;
export const INTR_TYPE_HARD_EXCEPTION = 3;
export const INTR_TYPE_SOFT_INTR = 4;

export const DF_VECTOR = 8;
export const GP_VECTOR = 13;
export const PF_VECTOR = 14;
export const MC_VECTOR = 18;

/** @source TDXM-OUT-14, x86:VMX-3 */
export const INTR_INFO_NMI = 0x80000202;
export const INTR_INFO_MCE = 0x80000312;
export const INTR_INFO_UD = 0x80000306;
export const INTR_INFO_EXTERNAL = 0x80000000;

/** Bits 10:8. */
export function typeOf(info: number): number {
  return (info >>> 8) & 7;
}

/** Interruption information of an event. */
export function intrInfo(type: number, vector: number): number {
  return (INTR_INFO_VALID | (type << 8) | vector) >>> 0;
}
