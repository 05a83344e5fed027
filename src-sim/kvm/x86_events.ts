import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import {
  apicOf, KVM_APIC_INIT, KVM_APIC_SIPI, kvm_lapic, KVM_MP_STATE_RUNNABLE, KVM_REQ_NMI, KVM_REQ_PMI, KVM_REQ_SMI, kvm_vcpu,
} from './kvm_host'; // prettier-ignore
import { kvm_x86_ops } from './kvm_x86_ops';

/** The part of arch/x86/kvm/x86.c and lapic.h that asks whether a vCPU has something to do. */

export function lapic_in_kernel(m: Machine, vcpu: Ref): boolean {
  return kvm_lapic.in_kernel.get(m, apicOf(vcpu)) === 1;
}

/** Whether INIT or SIPI is latched. @source arch/x86/kvm/lapic.h: kvm_apic_has_pending_init_or_sipi */
export function kvm_apic_has_pending_init_or_sipi(m: Machine, vcpu: Ref): boolean {
  if (!lapic_in_kernel(m, vcpu)) return false;
  const apic = apicOf(vcpu);
  const { pending_events } = kvm_lapic;
  return (
    pending_events.test(m, apic, KVM_APIC_INIT) === 1 || pending_events.test(m, apic, KVM_APIC_SIPI) === 1
  );
}

/** Whether INIT and SIPI may act on the vCPU: not in SMM, and not where the vendor blocks them. @source INIT-2 */
export function kvm_apic_init_sipi_allowed(m: Machine, vcpu: Ref): boolean {
  return !kvm_vcpu.smm.get(m, vcpu) && !kvm_x86_ops.apic_init_signal_blocked(m, vcpu);
}

/** Whether something makes the vCPU run on. @source HLT-5, x86:INJ-20; arch/x86/kvm/x86.c: kvm_vcpu_has_events */
export function kvm_vcpu_has_events(m: Machine, vcpu: Ref): boolean {
  if (kvm_apic_has_pending_init_or_sipi(m, vcpu) && kvm_apic_init_sipi_allowed(m, vcpu)) return true;
  if (kvm_vcpu.pv_unhalted.get(m, vcpu)) return true;
  if (kvm_vcpu.exception_pending.get(m, vcpu)) return true;
  if (kvm_vcpu.requests.test(m, vcpu, KVM_REQ_NMI)) return true;
  if (kvm_vcpu.nmi_pending.get(m, vcpu) > 0 && kvm_x86_ops.nmi_allowed(m, vcpu)) return true;
  if (kvm_vcpu.requests.test(m, vcpu, KVM_REQ_SMI)) return true;
  if (kvm_vcpu.smi_pending.get(m, vcpu) && kvm_x86_ops.smi_allowed(m, vcpu)) return true;
  if (kvm_vcpu.requests.test(m, vcpu, KVM_REQ_PMI)) return true;
  return kvm_x86_ops.has_interrupt(m, vcpu);
}

export function kvm_vcpu_running(m: Machine, vcpu: Ref): boolean {
  return kvm_vcpu.mp_state.get(m, vcpu) === KVM_MP_STATE_RUNNABLE;
}

/** @source arch/x86/kvm/x86.c: kvm_arch_vcpu_runnable */
export function kvm_arch_vcpu_runnable(m: Machine, vcpu: Ref): boolean {
  return kvm_vcpu_running(m, vcpu) || kvm_vcpu_has_events(m, vcpu);
}

/**
 * Whether a preempted vCPU should be yielded to, because an interrupt waits for it. Asked only when another vCPU spins on
 * PAUSE, which a production TD never leaves for.
 *
 * @source HLT-14; arch/x86/kvm/x86.c: kvm_arch_dy_has_pending_interrupt
 */
export function kvm_arch_dy_has_pending_interrupt(m: Machine, vcpu: Ref): boolean {
  return (
    kvm_lapic.apicv_active.get(m, apicOf(vcpu)) === 1 && kvm_x86_ops.dy_apicv_has_pending_interrupt(m, vcpu)
  );
}
