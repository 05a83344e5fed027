import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { apicOf, guestOf, is_td_vcpu, kvm_lapic } from '../kvm/kvm_host';
import { kvm_get_msr } from '../kvm/x86_msr';
import { MSR_INDEX } from '../names';
import { guest_cpu, vppr } from './cpu';

/** Which MSRs the processor virtualizes inside a guest, which do not exist, and which leave it. @source PI-33, TDXM-APIC-6 to TDXM-APIC-8 */

const FIRST_X2APIC_MSR = 0x800;
const X2APIC_ISR = 0x810;
const X2APIC_TMR = 0x818;
const X2APIC_IRR = 0x820;
const X2APIC_SELF_IPI = 0x83f;
const X2APIC_TMCCT = 0x839;

const isX2apic = (msr: number): boolean => msr >= FIRST_X2APIC_MSR && msr <= 0x8ff;

/** Registers that do not exist in x2APIC mode. */
function isReserved(msr: number): boolean {
  if (msr <= 0x801 || (msr >= 0x804 && msr <= 0x807)) return true;
  return (msr >= 0x829 && msr <= 0x82e) || msr === 0x831 || msr >= 0x840;
}

/** Whether the access is #GP inside the guest, without an exit. */
export function raisesGp(m: Machine, vcpu: Ref, msr: number): boolean {
  return is_td_vcpu(m, vcpu) && isX2apic(msr) && isReserved(msr);
}

/** Whether the processor serves the access itself, without an exit. */
export function isNativeMsr(m: Machine, vcpu: Ref, msr: number, write: boolean): boolean {
  const td = is_td_vcpu(m, vcpu);
  if (!td && !kvm_lapic.apicv_active.get(m, apicOf(vcpu))) return false;
  if (td && msr === MSR_INDEX.EFER) return true; // the TDX module's own
  // KVM lets a plain guest read every register of the virtual-APIC page but the current count, which lives elsewhere.
  if (!td && !write && isX2apic(msr)) return !isReserved(msr) && msr !== X2APIC_TMCCT;
  switch (msr) {
    case MSR_INDEX.X2APIC_TPR:
      return true;
    case MSR_INDEX.X2APIC_EOI:
    case X2APIC_SELF_IPI:
      return write || td;
    case MSR_INDEX.X2APIC_PPR:
      return !write || td;
    default:
      return (!write || td) && msr >= X2APIC_ISR && msr < X2APIC_IRR + 8;
  }
}

/** A write that the processor serves. */
export function nativeWrmsr(m: Machine, vcpu: Ref, msr: number): void {
  const guest = guestOf(vcpu);
  const value = guest_cpu.value.lo(m, guest) & 0xff;
  if (msr === MSR_INDEX.X2APIC_TPR) guest_cpu.tpr.set(m, guest, value);
  else if (msr === X2APIC_SELF_IPI) guest_cpu.virr.set(m, guest, value);
  else if (msr === MSR_INDEX.X2APIC_EOI) {
    const vector = guest_cpu.visr.highest(m, guest);
    if (vector >= 0) guest_cpu.visr.clear(m, guest, vector);
  }
}

/** A read that the processor serves; the value is in `value`. */
export function nativeRdmsr(m: Machine, vcpu: Ref, msr: number): void {
  const guest = guestOf(vcpu);
  const ofPage = msr >= X2APIC_ISR || msr === MSR_INDEX.X2APIC_TPR || msr === MSR_INDEX.X2APIC_PPR;
  const own = is_td_vcpu(m, vcpu) || (ofPage && msr < X2APIC_IRR + 8);
  guest_cpu.value.set(m, guest, 0, own ? nativeValue(m, guest, msr) : kvm_get_msr(m, vcpu, msr));
}

function nativeValue(m: Machine, guest: Ref, msr: number): number {
  if (msr === MSR_INDEX.EFER) return 0xd01; // SCE, LME, LMA, NX: VCPU-3
  if (msr === MSR_INDEX.X2APIC_TPR) return guest_cpu.tpr.get(m, guest);
  if (msr === MSR_INDEX.X2APIC_PPR) return vppr(m, guest);
  if (msr >= X2APIC_IRR && msr < X2APIC_IRR + 8) return word(m, guest, guest_cpu.virr, msr - X2APIC_IRR);
  if (msr >= X2APIC_ISR && msr < X2APIC_TMR) return word(m, guest, guest_cpu.visr, msr - X2APIC_ISR);
  return 0;
}

function word(m: Machine, guest: Ref, field: typeof guest_cpu.virr, n: number): number {
  let value = 0;
  for (let bit = 0; bit < 32; bit++) if (field.test(m, guest, n * 32 + bit)) value |= 1 << bit;
  return value >>> 0;
}
