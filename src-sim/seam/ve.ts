import { guest_cpu, OP_NONE } from '../guest/cpu';
import { guestOf, tdvpsOf } from '../kvm/kvm_host';
import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { tdvps } from './tdx_module';

/** #VE information, and what waits for it to be read. */

/** Vectors of exceptions that the module injects. */
export const DF = 8;
export const VE = 20;

/** PEND_NMI asks for NMI-window exiting, unless #VE information waits to be read. @source TDXM-NMI-4, tdx:NMI-11 */
export function armNmiWindow(m: Machine, vcpu: Ref): void {
  const wanted = tdvps.pend_nmi.get(m, tdvpsOf(vcpu)) === 1 && !guest_cpu.ve_valid.get(m, guestOf(vcpu));
  tdvps.nmi_window.set(m, tdvpsOf(vcpu), wanted ? 1 : 0);
}

/**
 * Injects a #VE; while the information of another one waits to be read, a #DF instead.
 *
 * @param op - the instruction that its handler will ask the host for; OP_NONE for one that is only looked at.
 * @returns the vector that the guest gets.
 * @source TDXM-VE-3
 */
export function injectVe(m: Machine, vcpu: Ref, op: number): typeof VE | typeof DF {
  const guest = guestOf(vcpu);
  guest_cpu.op.set(m, guest, OP_NONE);
  if (guest_cpu.ve_valid.testAndSet(m, guest)) {
    guest_cpu.dfs.set(m, guest, guest_cpu.dfs.get(m, guest) + 1);
    return DF;
  }
  guest_cpu.ve_op.set(m, guest, op);
  return VE;
}

/**
 * TDG.VP.VEINFO.GET: hands the information over, whose place is free again; a pending NMI asks for its window at once.
 *
 * @source TDXM-VE-5, TDXM-NMI-7
 */
export function tdg_vp_veinfo_get(m: Machine, vcpu: Ref): void {
  guest_cpu.ve_valid.set(m, guestOf(vcpu), 0);
  guest_cpu.ve_fetched.set(m, guestOf(vcpu), 1);
  armNmiWindow(m, vcpu);
}
