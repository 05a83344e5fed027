import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { event } from '../machine/trace';
import { apicOf, guestOf, is_td_vcpu, kvm_lapic, kvm_vcpu, vmcs, vmcsOf } from '../kvm/kvm_host';
import { kvm_get_msr, kvm_get_msr_high } from '../kvm/x86_msr';
import { lapic_in_kernel } from '../kvm/x86_events';
import { MSR_INDEX } from '../names';
import { MSR_X2APIC_EOI } from '../platform/apic';
import { guest_cpu, vppr } from './cpu';

/** Which registers the processor virtualizes inside a guest, which do not exist, and which leave it. @source PI-33, TDXM-APIC-6 to TDXM-APIC-8 */

const guest_eoi = event('guest_eoi', 'mark', 'EOI-1', { vcpu: 'num', vec: 'num' }, 'vcpu {vcpu} vec {vec}',
  'The guest ends vector {vec} on vCPU {vcpu}: the EOI is virtualized, no exit.'); // prettier-ignore

const EXIT_CR_ACCESS = 28;
const EXIT_MSR_WRITE = 32;
const EXIT_TPR_BELOW_THRESHOLD = 43;
const EXIT_EOI_INDUCED = 45;
/** An access that needs no exit. */
const NO_EXIT = -1;

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

/** A TD's virtual APIC is always on, whatever KVM believes; a plain guest's is on while APICv is active. @source APICV-1 */
export function virtualizesApic(m: Machine, vcpu: Ref): boolean {
  return is_td_vcpu(m, vcpu) || kvm_lapic.apicv_active.get(m, apicOf(vcpu)) === 1;
}

/** Whether the processor serves the access itself, without an exit. */
export function isNativeMsr(m: Machine, vcpu: Ref, msr: number, write: boolean): boolean {
  const td = is_td_vcpu(m, vcpu);
  if (!virtualizesApic(m, vcpu)) return false;
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

/** A write that the processor serves. @returns the reason with which it leaves the guest all the same, or -1. */
export function nativeWrmsr(m: Machine, vcpu: Ref, msr: number): number {
  const guest = guestOf(vcpu);
  const value = guest_cpu.value.lo(m, guest) & 0xff;
  if (msr === MSR_INDEX.X2APIC_TPR) guest_cpu.tpr.set(m, guest, value);
  else if (msr === X2APIC_SELF_IPI) guest_cpu.virr.set(m, guest, value);
  else if (msr === MSR_INDEX.X2APIC_EOI) return virtualEoi(m, vcpu);
  return NO_EXIT;
}

/** An access that leaves the guest: its operands are in ECX and EDX:EAX. @returns the exit reason. */
export function msrExit(m: Machine, vcpu: Ref, reason: number, msr: number, hi: number, lo: number): number {
  guest_cpu.ecx.set(m, guestOf(vcpu), msr);
  guest_cpu.edx_eax.set(m, guestOf(vcpu), hi, lo);
  return reason;
}

/** EOI virtualization: the highest vector in service ends. @source EOI-1, x86:IRQ-13 */
function virtualEoi(m: Machine, vcpu: Ref): number {
  const guest = guestOf(vcpu);
  const vector = guest_cpu.visr.highest(m, guest);
  if (vector < 0) return NO_EXIT;
  guest_cpu.visr.clear(m, guest, vector);
  m.emit(guest_eoi, kvm_vcpu.id.get(m, vcpu), vector);
  if (!vmcs.eoi_exit_bitmap.test(m, vmcsOf(vcpu), vector)) return NO_EXIT;
  guest_cpu.eoi_vector.set(m, guest, vector);
  return EXIT_EOI_INDUCED;
}

/**
 * A handler ends with an EOI. A vector that is not in service came from a PIC, which gets it.
 *
 * @returns the exit reason, or -1.
 * @source EOI-1, x86:LAPIC-24
 */
export function handlerEoi(m: Machine, vcpu: Ref, vector: number): number {
  if (!guest_cpu.visr.test(m, guestOf(vcpu), vector)) return NO_EXIT;
  return virtualizesApic(m, vcpu)
    ? virtualEoi(m, vcpu)
    : msrExit(m, vcpu, EXIT_MSR_WRITE, MSR_X2APIC_EOI, 0, 0);
}

/** MOV to CR8, the other name of the TPR's class. @returns the exit reason, or -1. @source x86:LAPIC-22, x86:IRQ-8 */
export function movCr8(m: Machine, vcpu: Ref): number {
  const guest = guestOf(vcpu);
  if (!lapic_in_kernel(m, vcpu)) return EXIT_CR_ACCESS;
  const cr8 = guest_cpu.value.lo(m, guest) & 0xf;
  guest_cpu.tpr.set(m, guest, cr8 << 4);
  const below = !virtualizesApic(m, vcpu) && cr8 < vmcs.tpr_threshold.get(m, vmcsOf(vcpu));
  return below ? EXIT_TPR_BELOW_THRESHOLD : NO_EXIT;
}

/** A read that the processor serves; the value is in `value`. The page of a plain guest is KVM's. */
export function nativeRdmsr(m: Machine, vcpu: Ref, msr: number): void {
  const guest = guestOf(vcpu);
  if (is_td_vcpu(m, vcpu)) guest_cpu.value.set(m, guest, 0, nativeValue(m, guest, msr));
  else guest_cpu.value.set(m, guest, kvm_get_msr_high(m, vcpu, msr), kvm_get_msr(m, vcpu, msr));
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
