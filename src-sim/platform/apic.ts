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

/** Registers by their xAPIC offset. ISR, TMR and IRR have eight of 32 vectors each. @source x86:LAPIC-1 to x86:LAPIC-4 */
export const APIC_ID = 0x20;
export const APIC_LVR = 0x30;
export const APIC_TASKPRI = 0x80;
export const APIC_PROCPRI = 0xa0;
export const APIC_EOI = 0xb0;
export const APIC_LDR = 0xd0;
export const APIC_DFR = 0xe0;
export const APIC_SPIV = 0xf0;
export const APIC_ISR = 0x100;
export const APIC_TMR = 0x180;
export const APIC_IRR = 0x200;
export const APIC_ESR = 0x280;
export const APIC_LVTCMCI = 0x2f0;
export const APIC_ICR = 0x300;
export const APIC_ICR2 = 0x310;
export const APIC_LVTT = 0x320;
export const APIC_LVTTHMR = 0x330;
export const APIC_LVTPC = 0x340;
export const APIC_LVT0 = 0x350;
export const APIC_LVT1 = 0x360;
export const APIC_LVTERR = 0x370;
export const APIC_TMICT = 0x380;
export const APIC_TMCCT = 0x390;
export const APIC_TDCR = 0x3e0;
export const APIC_SELF_IPI = 0x3f0;

const FIRST_X2APIC_MSR = 0x800;
/** Whether the MSR is one of the x2APIC range. @source NUM-17 */
export const isX2apicMsr = (msr: number): boolean => msr >= FIRST_X2APIC_MSR && msr <= 0x8ff;
/** The x2APIC MSR of a register. @source x86:LAPIC-1 */
export const x2apicMsr = (offset: number): number => FIRST_X2APIC_MSR + (offset >> 4);
/** The register of an x2APIC MSR. */
export const apicOffset = (msr: number): number => (msr - FIRST_X2APIC_MSR) << 4;

/** MSR numbers. @source NUM-17 */
export const MSR_X2APIC_EOI = x2apicMsr(APIC_EOI);
export const MSR_X2APIC_SVR = x2apicMsr(APIC_SPIV);
export const MSR_X2APIC_ICR = x2apicMsr(APIC_ICR);

/** SVR: bits that exist; bit 8 enables the APIC; bit 12 keeps EOIs from the I/O APICs, where the version says so. */
export const APIC_SPIV_MASK = 0x3ff;
export const APIC_SPIV_APIC_ENABLED = 0x100;
export const APIC_SPIV_DIRECTED_EOI = 0x1000;
/** Version register: integrated APIC; bit 24: directed EOI. @source x86:LAPIC-5 */
export const APIC_VERSION = 0x14;
export const APIC_LVR_DIRECTED_EOI = 0x100_0000;

/** Fields of an LVT. @source x86:LAPIC-12, x86:LAPIC-13 */
export const APIC_LVT_MASKED = 0x1_0000;
const APIC_SEND_PENDING = 0x1000;
const APIC_MODE_MASK = 0x700;
const APIC_LVT_TIMER_MODE = 0x6_0000;
const APIC_LVT_PIN = 0xe000;
const LVT_MASK = APIC_LVT_MASKED | APIC_SEND_PENDING | 0xff;
/** Which bits of each LVT exist: a pin has polarity, remote IRR and trigger mode, the timer its mode. */
export const LVT_BITS = {
  TIMER: LVT_MASK | APIC_LVT_TIMER_MODE,
  SENSOR: LVT_MASK | APIC_MODE_MASK,
  PIN: LVT_MASK | APIC_MODE_MASK | APIC_LVT_PIN,
  ERROR: LVT_MASK,
} as const;
