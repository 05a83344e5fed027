import type { Num, Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import * as apic from '../platform/apic';
import * as host from './kvm_host';
import { kvm, kvm_lapic, kvm_vcpu } from './kvm_host';

/** The local vector table of arch/x86/kvm/lapic.c: which entries there are, what a reset and a disabled APIC make of them. */

/** One entry of the local vector table. */
export interface Lvt {
  readonly offset: number;
  readonly field: Num;
  readonly bits: number;
}
/** In the order of the kernel's apic_lvt_mask; the last is there only with CMCI. @source x86:LAPIC-4, x86:LAPIC-12 */
export const LVTS: readonly Lvt[] = [
  { offset: apic.APIC_LVTT, field: kvm_lapic.lvtt, bits: apic.LVT_BITS.TIMER },
  { offset: apic.APIC_LVTTHMR, field: kvm_lapic.lvtthmr, bits: apic.LVT_BITS.SENSOR },
  { offset: apic.APIC_LVTPC, field: kvm_lapic.lvtpc, bits: apic.LVT_BITS.SENSOR },
  { offset: apic.APIC_LVT0, field: kvm_lapic.lvt0, bits: apic.LVT_BITS.PIN },
  { offset: apic.APIC_LVT1, field: kvm_lapic.lvt1, bits: apic.LVT_BITS.PIN },
  { offset: apic.APIC_LVTERR, field: kvm_lapic.lvterr, bits: apic.LVT_BITS.ERROR },
  { offset: apic.APIC_LVTCMCI, field: kvm_lapic.lvtcmci, bits: apic.LVT_BITS.SENSOR },
];

/** LVTs that the vCPU has: six, seven with CMCI. @source x86:LAPIC-5 */
export function nr_lvt_entries(m: Machine, vcpu: Ref): number {
  return kvm_vcpu.mcg_cmci.get(m, vcpu) ? LVTS.length : LVTS.length - 1;
}

/** Whether the vCPU has the LVT, or the register is none. */
export function kvm_lapic_lvt_supported(m: Machine, vcpu: Ref, offset: number): boolean {
  return offset !== apic.APIC_LVTCMCI || nr_lvt_entries(m, vcpu) === LVTS.length;
}

/** After a reset: everything is masked, LINT0 of a BSP excepted, which takes the interrupts of a PIC. @source x86:SIPI-17 */
export function resetLvts(m: Machine, vcpu: Ref, bsp: boolean): void {
  const ref = host.apicOf(vcpu);
  for (const { field } of LVTS) field.set(m, ref, apic.APIC_LVT_MASKED);
  if (bsp) kvm_lapic.lvt0.set(m, ref, apic.APIC_DM_EXTINT << 8);
  apic_manage_nmi_watchdog(m, vcpu);
}

/** Masks every LVT, as a software-disabled APIC does. @source x86:LAPIC-38 */
export function maskLvts(m: Machine, vcpu: Ref): void {
  const ref = host.apicOf(vcpu);
  for (const { field } of LVTS) field.set(m, ref, field.get(m, ref) | apic.APIC_LVT_MASKED);
}

/** Counts the vCPUs whose LINT0 is unmasked in NMI mode: for them the PIT's ticks become NMIs. @source x86:LAPIC-40 */
export function apic_manage_nmi_watchdog(m: Machine, vcpu: Ref): void {
  const ref = host.apicOf(vcpu);
  const vm = host.kvmOf(m, vcpu);
  const mode = kvm_lapic.lvt0.get(m, ref) & (apic.APIC_LVT_MASKED | 0x700);
  const now = mode === apic.APIC_DM_NMI << 8 ? 1 : 0;
  const before = kvm_lapic.lvt0_in_nmi_mode.get(m, ref);
  kvm_lapic.lvt0_in_nmi_mode.set(m, ref, now);
  kvm.vapics_in_nmi_mode.set(m, vm, kvm.vapics_in_nmi_mode.get(m, vm) + now - before);
}
