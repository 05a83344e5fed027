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
  /** Whether the destination is a logical one; physical unless given. */
  logical?: boolean;
}): number {
  return (
    fields.vector |
    (fields.mode << 8) |
    (fields.logical ? APIC_DEST_LOGICAL : 0) |
    (fields.level ? APIC_INT_ASSERT : 0) |
    (fields.trigger ? APIC_INT_LEVELTRIG : 0) |
    (fields.shorthand << 18)
  );
}

/** Broadcast destinations in xAPIC and in x2APIC mode. @source x86:LAPIC-28 */
export const APIC_BROADCAST = 0xff;
export const X2APIC_BROADCAST = 0xffff_ffff;

/** Destination format register: flat, the value at reset, and cluster. @source x86:LAPIC-30 */
export const APIC_DFR_FLAT = 0xffff_ffff;
export const APIC_DFR_CLUSTER = 0x0fff_ffff;

/** As much of a local APIC as decides which messages are meant for it. */
export interface ApicAddress {
  readonly x2apic: boolean;
  /** x2APIC id; the xAPIC id is its low byte. */
  readonly id: number;
  /** Logical APIC id of xAPIC mode: LDR bits 31:24. */
  readonly logicalId: number;
  readonly dfr: number;
}

/** The logical id that x2APIC mode derives from the id; it is read-only. @source x86:LAPIC-27 */
export function kvm_apic_calc_x2apic_ldr(id: number): number {
  return (((id >>> 4) << 16) | (1 << (id & 0xf))) >>> 0;
}

const isBroadcast = ({ x2apic }: ApicAddress, mda: number): boolean =>
  mda === (x2apic ? X2APIC_BROADCAST : APIC_BROADCAST);

/** Whether a physical destination means this APIC. In xAPIC mode an id above 0xff is known too. @source x86:LAPIC-28 */
export function kvm_apic_match_physical_addr(apic: ApicAddress, mda: number): boolean {
  if (isBroadcast(apic, mda)) return true;
  if (apic.id > 0xff && mda === apic.id) return true;
  return mda === (apic.x2apic ? apic.id : apic.id & 0xff);
}

/** Whether a logical destination means this APIC. @source x86:LAPIC-29, x86:LAPIC-30 */
export function kvm_apic_match_logical_addr(apic: ApicAddress, mda: number): boolean {
  if (isBroadcast(apic, mda)) return true;
  if (apic.x2apic) {
    const ldr = kvm_apic_calc_x2apic_ldr(apic.id);
    return ldr >>> 16 === mda >>> 16 && (ldr & mda & 0xffff) !== 0;
  }
  const { logicalId, dfr } = apic;
  if (dfr === APIC_DFR_FLAT) return (logicalId & mda) !== 0;
  if (dfr === APIC_DFR_CLUSTER) return logicalId >> 4 === mda >>> 4 && (logicalId & mda & 0xf) !== 0;
  return false;
}

/** IA32_APIC_BASE. @source NUM-16 */
export const APIC_DEFAULT_PHYS_BASE = 0xfee0_0000;
export const MSR_IA32_APICBASE_BSP = 0x100;
export const X2APIC_ENABLE = 0x400;
export const MSR_IA32_APICBASE_ENABLE = 0x800;

/** MSR numbers. @source NUM-17 */
export const MSR_X2APIC_SVR = 0x80f;
export const MSR_X2APIC_ICR = 0x830;
export const APIC_SPIV_APIC_ENABLED = 0x100;
