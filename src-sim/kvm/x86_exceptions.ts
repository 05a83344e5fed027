import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { DF_VECTOR, GP_VECTOR, PF_VECTOR } from '../platform/intr_info';
import { KVM_REQ_EVENT, KVM_REQ_TRIPLE_FAULT, kvm_vcpu } from './kvm_host';
import { kvm_make_request } from './kvm_main';
import { kvm_inj_exception } from './trace';
import { kvm_x86_ops } from './kvm_x86_ops';

/** The exception queue of arch/x86/kvm/x86.c. It holds one exception: pending, or injected and not known to be delivered. */

/** #DE, #TS, #NP, #SS and #GP. @source x86:INJ-19; exception_class */
const CONTRIBUTORY: readonly number[] = [0, 10, 11, 12, GP_VECTOR];
/** Exceptions that push an error code; the model's is always 0. @source SDM */
const WITH_ERROR_CODE: readonly number[] = [DF_VECTOR, 10, 11, 12, GP_VECTOR, PF_VECTOR, 17, 21];

export const hasErrorCode = (vector: number): boolean => WITH_ERROR_CODE.includes(vector);

/**
 * An exception for the guest. On top of another it becomes #DF, a triple fault, or takes its place.
 *
 * @source x86:INJ-19; kvm_multiple_exception
 */
export function kvm_queue_exception(m: Machine, vcpu: Ref, vector: number): void {
  kvm_make_request(m, vcpu, KVM_REQ_EVENT);
  const there = kvm_vcpu.exception_pending.get(m, vcpu) || kvm_vcpu.exception_injected.get(m, vcpu);
  const first = kvm_vcpu.exception_vector.get(m, vcpu);
  if (there && first === DF_VECTOR) {
    kvm_make_request(m, vcpu, KVM_REQ_TRIPLE_FAULT);
    return;
  }
  const contributory = CONTRIBUTORY.includes(vector);
  const faultsTwice =
    (CONTRIBUTORY.includes(first) && contributory) ||
    (first === PF_VECTOR && (contributory || vector === PF_VECTOR));
  kvm_vcpu.exception_injected.set(m, vcpu, 0);
  kvm_vcpu.exception_pending.set(m, vcpu, 1);
  kvm_vcpu.exception_vector.set(m, vcpu, there && faultsTwice ? DF_VECTOR : vector);
}

/** #GP for what the guest may not do. @source x86:INJ-9; kvm_inject_gp */
export function kvm_inject_gp(m: Machine, vcpu: Ref): void {
  kvm_queue_exception(m, vcpu, GP_VECTOR);
}

/** The delivery of an exception was interrupted: it counts as injected. @source x86:INJ-6; kvm_requeue_exception */
export function kvm_requeue_exception(m: Machine, vcpu: Ref, vector: number): void {
  kvm_vcpu.exception_injected.set(m, vcpu, 1);
  kvm_vcpu.exception_vector.set(m, vcpu, vector);
}

/** Nothing is pending or injected any more. @source kvm_clear_exception_queue */
export function kvm_clear_exception_queue(m: Machine, vcpu: Ref): void {
  kvm_vcpu.exception_pending.set(m, vcpu, 0);
  kvm_vcpu.exception_injected.set(m, vcpu, 0);
}

/** Hands the exception to the vendor. @source x86:INJ-6, x86:INJ-9 */
export function kvm_inject_exception(m: Machine, vcpu: Ref): void {
  const vector = kvm_vcpu.exception_vector.get(m, vcpu);
  const again = kvm_vcpu.exception_injected.get(m, vcpu);
  m.emit(kvm_inj_exception, vector, hasErrorCode(vector) ? 1 : 0, again);
  kvm_x86_ops.inject_exception(m, vcpu);
}
