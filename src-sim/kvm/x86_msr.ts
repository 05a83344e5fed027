import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { MSR_INDEX } from '../names';
import * as apic from '../platform/apic';
import { apicOf, is_td_vcpu, kvm_lapic, kvm_vcpu } from './kvm_host';
import { kvm_lapic_lvt_supported } from './lapic_lvt';
import { kvm_lapic_reg_read } from './lapic_reg';
import { lapic_in_kernel } from './x86_events';
import { TIMER_MODE, timerMode, TIMER_REGISTERS } from './lapic_timer';

/** MSRs that KVM emulates: kvm_get_msr_common and kvm_x2apic_msr_read, and what a TD may use of them. */

/** Registers that exist in x2APIC mode, besides the groups of ISR, TMR and IRR. @source NUM-17, x86:LAPIC-1 to x86:LAPIC-4 */
const X2APIC_REGISTERS: ReadonlySet<number> = new Set([
  apic.APIC_ID, apic.APIC_LVR, apic.APIC_TASKPRI, apic.APIC_PROCPRI, apic.APIC_EOI, apic.APIC_LDR, apic.APIC_SPIV,
  apic.APIC_ESR, apic.APIC_LVTCMCI, apic.APIC_ICR, apic.APIC_LVTT, apic.APIC_LVTTHMR, apic.APIC_LVTPC, apic.APIC_LVT0,
  apic.APIC_LVT1, apic.APIC_LVTERR, apic.APIC_TMICT, apic.APIC_TMCCT, apic.APIC_TDCR, apic.APIC_SELF_IPI,
]); // prettier-ignore
/** Registers that can only be written, and only be read. @source SDM */
const WRITE_ONLY: ReadonlySet<number> = new Set([apic.APIC_EOI, apic.APIC_SELF_IPI]);
const READ_ONLY: ReadonlySet<number> = new Set([
  apic.APIC_ID, apic.APIC_LVR, apic.APIC_PROCPRI, apic.APIC_LDR, apic.APIC_TMCCT,
]); // prettier-ignore
const isGroup = (offset: number): boolean => offset >= apic.APIC_ISR && offset < apic.APIC_ESR;

/** MSRs outside the x2APIC range that a TD may use, as far as the model has them; MTRRs and machine-check banks are ranges. @source PI-34, RUN-17 */
const TDX_EMULATED: ReadonlySet<number> = new Set([
  0x8b, 0x10a, 0x1fc, 0x277, 0xfe, 0x2ff, MSR_INDEX.IA32_TSC_DEADLINE, MSR_INDEX.IA32_MISC_ENABLE, 0xce, 0x140,
  MSR_INDEX.IA32_APIC_BASE, MSR_INDEX.EFER, MSR_INDEX.IA32_FEAT_CTL, 0x179, 0x17a, 0x17b, 0x4d0, 0x4b56_4d05,
]); // prettier-ignore
/** MSRs of a plain guest that the model has beyond those. */
const PLAIN: ReadonlySet<number> = new Set([
  MSR_INDEX.IA32_SMBASE,
  MSR_INDEX.IA32_SYSENTER_CS,
  MSR_INDEX.SMI_COUNT,
]);

/**
 * What KVM emulates for a TD. x2APIC registers that the processor virtualizes are not among them; of the groups ISR, TMR
 * and IRR only the first register is caught, so the other seven of each read as the shadow value.
 *
 * @source PI-34; tdx.c: tdx_has_emulated_msr
 */
export function tdx_has_emulated_msr(msr: number): boolean {
  if (!apic.isX2apicMsr(msr)) return TDX_EMULATED.has(msr);
  const caught = [MSR_INDEX.X2APIC_TPR, MSR_INDEX.X2APIC_PPR, MSR_INDEX.X2APIC_EOI, 0x810, 0x818, 0x820];
  return !(caught as readonly number[]).includes(msr);
}

/** @source RUN-17 */
function tdx_is_read_only_msr(msr: number): boolean {
  return msr === MSR_INDEX.IA32_APIC_BASE || msr === MSR_INDEX.EFER || msr === MSR_INDEX.IA32_FEAT_CTL;
}

function exists(m: Machine, vcpu: Ref, msr: number): boolean {
  if (!apic.isX2apicMsr(msr)) return TDX_EMULATED.has(msr) || (!is_td_vcpu(m, vcpu) && PLAIN.has(msr));
  if (!lapic_in_kernel(m, vcpu)) return false;
  const offset = apic.apicOffset(msr);
  return isGroup(offset) || (X2APIC_REGISTERS.has(offset) && kvm_lapic_lvt_supported(m, vcpu, offset));
}

/** Whether KVM lets the vCPU, or userspace for it, read the MSR. @source RUN-17, PI-34 */
export function kvm_can_get_msr(m: Machine, vcpu: Ref, msr: number): boolean {
  if (is_td_vcpu(m, vcpu) && !tdx_has_emulated_msr(msr)) return false;
  return exists(m, vcpu, msr) && !(apic.isX2apicMsr(msr) && WRITE_ONLY.has(apic.apicOffset(msr)));
}

/** Whether KVM lets it be written. @source RUN-17, PI-34 */
export function kvm_can_set_msr(m: Machine, vcpu: Ref, msr: number): boolean {
  const td = is_td_vcpu(m, vcpu);
  if (td && (tdx_is_read_only_msr(msr) || !tdx_has_emulated_msr(msr))) return false;
  if (!exists(m, vcpu, msr)) return false;
  if (!apic.isX2apicMsr(msr)) return true;
  const offset = apic.apicOffset(msr);
  return !READ_ONLY.has(offset) && !isGroup(offset);
}

/** Low half of an MSR that `kvm_can_get_msr` allows. */
export function kvm_get_msr(m: Machine, vcpu: Ref, msr: number): number {
  if (apic.isX2apicMsr(msr)) return kvm_lapic_reg_read(m, vcpu, apic.apicOffset(msr));
  const ref = apicOf(vcpu);
  switch (msr) {
    case MSR_INDEX.IA32_APIC_BASE:
      return kvm_lapic.base.get(m, ref);
    case MSR_INDEX.SMI_COUNT:
      return kvm_vcpu.smi_count.get(m, vcpu);
    case MSR_INDEX.IA32_SMBASE:
      return kvm_vcpu.smbase.get(m, vcpu);
    case MSR_INDEX.IA32_FEAT_CTL:
      return 1; // FEAT_CTL_LOCKED, without LMCE
    case MSR_INDEX.EFER:
      return 0xd01; // SCE, LME, LMA, NX: VCPU-3
    case TIMER_REGISTERS.TSC_DEADLINE: // 0 in other modes: x86:LAPIC-35
      return timerMode(m, ref) === TIMER_MODE.TSCDEADLINE
        ? kvm_lapic.tscdeadline.get(m, ref) % 0x1_0000_0000
        : 0;
    default:
      return 0; // MSRs that nobody has written
  }
}

/** High half; only the ICR has one. @source x86:LAPIC-14 */
export function kvm_get_msr_high(m: Machine, vcpu: Ref, msr: number): number {
  return msr === apic.MSR_X2APIC_ICR ? kvm_lapic.icr.hi(m, apicOf(vcpu)) : 0;
}
