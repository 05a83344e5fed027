import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { MSR_INDEX } from '../names';
import { apicOf, is_td_vcpu, kvm, kvm_lapic, kvm_vcpu, kvmOf } from './kvm_host';
import { TIMER_REGISTERS } from './lapic_timer';

/** MSRs that KVM emulates: kvm_get_msr_common and kvm_x2apic_msr_read, and what a TD may use of them. */

const X2APIC_FIRST = 0x800;
const X2APIC_LAST = 0x8ff;
/** x2APIC registers that exist, besides the groups of ISR, TMR and IRR. @source NUM-17 */
const X2APIC_REGISTERS: ReadonlySet<number> = new Set([
  0x802, 0x803, 0x808, 0x80a, 0x80b, 0x80d, 0x80f, 0x828, 0x82f, 0x830, 0x832, 0x833, 0x834, 0x835, 0x836, 0x837, 0x838,
  0x839, 0x83e, 0x83f,
]); // prettier-ignore
/** Registers that can only be written, and only be read. @source SDM */
const WRITE_ONLY: ReadonlySet<number> = new Set([0x80b, 0x83f]);
const READ_ONLY: ReadonlySet<number> = new Set([0x802, 0x803, 0x80a, 0x80d, 0x839]);

/** MSRs outside the x2APIC range that a TD may use, as far as the model has them; MTRRs and machine-check banks are ranges. @source PI-34, RUN-17 */
const TDX_EMULATED: ReadonlySet<number> = new Set([
  0x8b, 0x10a, 0x1fc, 0x277, 0xfe, 0x2ff, MSR_INDEX.IA32_TSC_DEADLINE, MSR_INDEX.IA32_MISC_ENABLE, 0xce, 0x140,
  MSR_INDEX.IA32_APIC_BASE, MSR_INDEX.EFER, MSR_INDEX.IA32_FEAT_CTL, 0x179, 0x17a, 0x17b, 0x4d0, 0x4b56_4d05,
]); // prettier-ignore
/** MSRs of a plain guest that the model has beyond those. */
const PLAIN: ReadonlySet<number> = new Set([MSR_INDEX.IA32_SMBASE, MSR_INDEX.IA32_SYSENTER_CS]);

/**
 * What KVM emulates for a TD. x2APIC registers that the processor virtualizes are not among them; of the groups ISR, TMR
 * and IRR only the first register is caught, so the other seven of each read as the shadow value.
 *
 * @source PI-34; tdx.c: tdx_has_emulated_msr
 */
export function tdx_has_emulated_msr(msr: number): boolean {
  if (msr < X2APIC_FIRST || msr > X2APIC_LAST) return TDX_EMULATED.has(msr);
  const caught = [MSR_INDEX.X2APIC_TPR, MSR_INDEX.X2APIC_PPR, MSR_INDEX.X2APIC_EOI, 0x810, 0x818, 0x820];
  return !(caught as readonly number[]).includes(msr);
}

/** @source RUN-17 */
function tdx_is_read_only_msr(msr: number): boolean {
  return msr === MSR_INDEX.IA32_APIC_BASE || msr === MSR_INDEX.EFER || msr === MSR_INDEX.IA32_FEAT_CTL;
}

function exists(msr: number, td: boolean): boolean {
  if (msr < X2APIC_FIRST || msr > X2APIC_LAST) return TDX_EMULATED.has(msr) || (!td && PLAIN.has(msr));
  return X2APIC_REGISTERS.has(msr) || (msr >= 0x810 && msr <= 0x827);
}

/** Whether KVM lets the vCPU, or userspace for it, read the MSR. @source RUN-17, PI-34 */
export function kvm_can_get_msr(m: Machine, vcpu: Ref, msr: number): boolean {
  const td = is_td_vcpu(m, vcpu);
  if (td && !tdx_has_emulated_msr(msr)) return false;
  return exists(msr, td) && !WRITE_ONLY.has(msr);
}

/** Whether KVM lets it be written. @source RUN-17, PI-34 */
export function kvm_can_set_msr(m: Machine, vcpu: Ref, msr: number): boolean {
  const td = is_td_vcpu(m, vcpu);
  if (td && (tdx_is_read_only_msr(msr) || !tdx_has_emulated_msr(msr))) return false;
  return exists(msr, td) && !READ_ONLY.has(msr) && !(msr >= 0x810 && msr <= 0x827);
}

/** Low half of an MSR that `kvm_can_get_msr` allows; the high half of all of them is 0 in the model. */
export function kvm_get_msr(m: Machine, vcpu: Ref, msr: number): number {
  const apic = apicOf(vcpu);
  const id = kvm_vcpu.id.get(m, vcpu);
  switch (msr) {
    case MSR_INDEX.IA32_APIC_BASE:
      return kvm_lapic.base.get(m, apic);
    case MSR_INDEX.IA32_FEAT_CTL:
      return 1; // FEAT_CTL_LOCKED, without LMCE
    case MSR_INDEX.EFER:
      return 0xd01; // SCE, LME, LMA, NX: VCPU-3
    case 0x802:
      return id;
    case 0x803:
      return 0x0005_0014; // six LVTs, version 0x14
    case 0x80d:
      return (((id >> 4) << 16) | (1 << (id & 15))) >>> 0;
    case 0x80f:
      return kvm_lapic.svr.get(m, apic);
    case 0x835:
      return kvm_lapic.lvt0.get(m, apic);
    case 0x836:
    case 0x837:
    case 0x833:
    case 0x834:
      return 0x1_0000;
    case TIMER_REGISTERS.LVTT:
      return kvm_lapic.lvtt.get(m, apic);
    case TIMER_REGISTERS.TMICT:
      return kvm_lapic.tmict.get(m, apic);
    case 0x839:
      return currentCount(m, vcpu);
    case TIMER_REGISTERS.TDCR:
      return kvm_lapic.tdcr.get(m, apic);
    case TIMER_REGISTERS.TSC_DEADLINE:
      return kvm_lapic.tscdeadline.get(m, apic) % 0x1_0000_0000;
    default:
      return 0; // shadow ISR, TMR, IRR, TPR, ESR, and MSRs that nobody has written
  }
}

/** TMCCT: what is left of the count, in ticks of the divided bus clock. @source TMR-20, x86:LAPIC-34 */
function currentCount(m: Machine, vcpu: Ref): number {
  const apic = apicOf(vcpu);
  if (!kvm_lapic.timer_armed.get(m, apic)) return 0;
  const tdcr = kvm_lapic.tdcr.get(m, apic);
  const shift = ((tdcr & 3) | ((tdcr & 8) >> 1)) + 1;
  const tick = kvm.apic_bus_cycle_ns.get(m, kvmOf(m, vcpu)) * (1 << (shift & 7));
  return Math.max(0, Math.ceil((kvm_lapic.timer_at.get(m, apic) - m.now) / tick));
}
