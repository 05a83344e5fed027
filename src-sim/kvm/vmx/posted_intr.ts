import type { Ref } from '../../machine/layout';
import type { Machine } from '../../machine/machine';
import { pcpu } from '../../platform/pcpu';
import { pi_desc, POSTED_INTR_VECTOR } from '../../platform/posted_intr';
import { kvm_vcpu, pidOf } from '../kvm_host';

/** Mirrors arch/x86/kvm/vmx/posted_intr.c. */

/** The vCPU belongs to this CPU: NDST, NV, SN = 0; what devices posted meanwhile becomes ON. @source PI-24, PI-25 */
export function vmx_vcpu_pi_load(m: Machine, vcpu: Ref): void {
  const pid = pidOf(vcpu);
  const wasSuppressed = pi_desc.sn.get(m, pid);
  pi_desc.ndst.set(m, pid, pcpu.index.get(m, kvm_vcpu.cpu.get(m, vcpu) as Ref));
  pi_desc.nv.set(m, pid, POSTED_INTR_VECTOR);
  pi_desc.sn.set(m, pid, 0);
  if (wasSuppressed && !pi_desc.pir.isEmpty(m, pid)) pi_desc.on.set(m, pid, 1);
}

/** ON and PIR are cleared before the state of the LAPIC is set anew. @source VCPU-4 */
export function pi_apicv_pre_state_restore(m: Machine, vcpu: Ref): void {
  pi_desc.on.set(m, pidOf(vcpu), 0);
  pi_desc.pir.clearAll(m, pidOf(vcpu));
}

/** Whether an interrupt waits in the descriptor. @source PI-30 */
export function pi_has_pending_interrupt(m: Machine, vcpu: Ref): boolean {
  const pid = pidOf(vcpu);
  return pi_desc.on.get(m, pid) === 1 || (pi_desc.sn.get(m, pid) === 1 && !pi_desc.pir.isEmpty(m, pid));
}
