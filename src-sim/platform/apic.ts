/** Local APIC encodings. @source x86:LAPIC-6 to x86:LAPIC-14, NUM-17; mirrors arch/x86/include/asm/apicdef.h */

/** Delivery modes, bits 10:8. */
export const APIC_DM_FIXED = 0;
export const APIC_DM_LOWEST = 1;
export const APIC_DM_SMI = 2;
export const APIC_DM_REMRD = 3;
export const APIC_DM_NMI = 4;
export const APIC_DM_INIT = 5;
export const APIC_DM_STARTUP = 6;
export const APIC_DM_EXTINT = 7;

/** Bits of the ICR's low word. */
export const APIC_DEST_LOGICAL = 0x800;
export const APIC_ICR_BUSY = 0x1000;
export const APIC_INT_ASSERT = 0x4000;
export const APIC_INT_LEVELTRIG = 0x8000;
/** Destination shorthand, bits 19:18. */
export const SHORTHAND_NONE = 0;
export const SHORTHAND_SELF = 1;
export const SHORTHAND_ALL = 2;
export const SHORTHAND_OTHERS = 3;
/** Bits 31:20, 17:16 and 13 of an x2APIC ICR write must be 0. @source PI-32 */
export const X2APIC_ICR_RESERVED = 0xfff3_2000;

/** The ICR's low word. */
export function icrLow(fields: {
  vector: number;
  mode: number;
  level: number;
  trigger: number;
  shorthand: number;
}): number {
  return (
    fields.vector |
    (fields.mode << 8) |
    (fields.level ? APIC_INT_ASSERT : 0) |
    (fields.trigger ? APIC_INT_LEVELTRIG : 0) |
    (fields.shorthand << 18)
  );
}

/** Broadcast destination in x2APIC mode. @source x86:LAPIC-28 */
export const X2APIC_BROADCAST = 0xffff_ffff;

/** IA32_APIC_BASE. @source NUM-16 */
export const APIC_DEFAULT_PHYS_BASE = 0xfee0_0000;
export const MSR_IA32_APICBASE_BSP = 0x100;
export const X2APIC_ENABLE = 0x400;
export const MSR_IA32_APICBASE_ENABLE = 0x800;

/** MSR numbers. @source NUM-17 */
export const MSR_X2APIC_SVR = 0x80f;
export const MSR_X2APIC_ICR = 0x830;
export const APIC_SPIV_APIC_ENABLED = 0x100;
