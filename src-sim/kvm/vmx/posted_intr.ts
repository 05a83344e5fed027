import type { Ref } from '../../machine/layout';
import type { Machine } from '../../machine/machine';
import { onHostIrq, pcpu, sendIpi } from '../../platform/pcpu';
import { pi_desc, POSTED_INTR_VECTOR, POSTED_INTR_WAKEUP_VECTOR } from '../../platform/posted_intr';
import { is_td_vcpu, kvm_vcpu, pidOf, variant, variantRef } from '../kvm_host';
import { kvm_vcpu_wake_up } from '../kvm_main';
import { kvm_x86_ops } from '../kvm_x86_ops';
import { device_posts, pi_wakeup } from '../trace';
import { lapic_in_kernel } from '../x86_events';

/** Mirrors arch/x86/kvm/vmx/posted_intr.c. */

/**
 * KVM uses posted interrupts at all: APICv is enabled (the first design asked for it of plain guests only), and the LAPIC is
 * in the kernel. @source PI-24; vmx_can_use_vtd_pi
 */
export function usesPostedInterrupts(m: Machine, vcpu: Ref): boolean {
  const v1 = is_td_vcpu(m, vcpu) && variant.apicv_v1.get(m, variantRef(m)) === 1;
  return (v1 || !variant.no_apicv.get(m, variantRef(m))) && lapic_in_kernel(m, vcpu);
}

/** The vCPU belongs to this CPU: NDST, NV, SN = 0; what devices posted meanwhile becomes ON. @source PI-24, PI-25 */
export function vmx_vcpu_pi_load(m: Machine, vcpu: Ref, cpu: Ref): void {
  if (!usesPostedInterrupts(m, vcpu)) return;
  const pid = pidOf(vcpu);
  const suppressed = pi_desc.sn.get(m, pid);
  kvm_vcpu.wakeup_cpu.set(m, vcpu, -1);
  pi_desc.ndst.set(m, pid, pcpu.index.get(m, cpu));
  pi_desc.nv.set(m, pid, POSTED_INTR_VECTOR);
  pi_desc.sn.set(m, pid, 0);
  if (suppressed && !pi_desc.pir.isEmpty(m, pid)) pi_desc.on.set(m, pid, 1);
}

/** Only a device whose interrupts the IOMMU posts needs it: a TD has no IPI virtualization. @source PI-27, PI-28 */
function vmx_needs_pi_wakeup(m: Machine): boolean {
  return variant.assigned_device.get(m, variantRef(m)) === 1;
}

/** The vCPU leaves its CPU: asleep it waits on the wakeup list, else devices stay silent. @source PI-26 */
export function vmx_vcpu_pi_put(m: Machine, vcpu: Ref, blocking: boolean): void {
  if (!vmx_needs_pi_wakeup(m) || !usesPostedInterrupts(m, vcpu)) return;
  const pid = pidOf(vcpu);
  if (!blocking || !kvm_x86_ops.interrupt_allowed(m, vcpu)) {
    pi_desc.sn.set(m, pid, 1);
    return;
  }
  const cpu = kvm_vcpu.cpu.get(m, vcpu) as Ref;
  kvm_vcpu.wakeup_cpu.set(m, vcpu, pcpu.index.get(m, cpu));
  pi_desc.nv.set(m, pid, POSTED_INTR_WAKEUP_VECTOR);
  if (pi_desc.on.get(m, pid)) sendIpi(m, cpu, POSTED_INTR_WAKEUP_VECTOR);
}

/** pi_wakeup_handler: wakes what sleeps on this CPU's list and has ON set. @source PI-29 */
onHostIrq(POSTED_INTR_WAKEUP_VECTOR, (m, cpu) => {
  const here = pcpu.index.get(m, cpu);
  m.emit(pi_wakeup, here);
  for (const vcpu of m.vcpus) {
    if (kvm_vcpu.wakeup_cpu.get(m, vcpu) === here && pi_desc.on.get(m, pidOf(vcpu)))
      kvm_vcpu_wake_up(m, vcpu);
  }
});

/** The IOMMU posts a vector of a device: unlike KVM it honours SN. @source PI-2, PI-25 */
export function iommuPosts(m: Machine, vcpu: Ref, vector: number): void {
  const pid = pidOf(vcpu);
  pi_desc.pir.set(m, pid, vector);
  const notify = !pi_desc.sn.get(m, pid) && !pi_desc.on.testAndSet(m, pid);
  m.emit(device_posts, kvm_vcpu.id.get(m, vcpu), vector, notify ? 1 : 0);
  if (notify) sendIpi(m, m.cpus[pi_desc.ndst.get(m, pid)]!, pi_desc.nv.get(m, pid));
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
