import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { E } from '../machine/routine';
import * as host from './kvm_host';
import { kvm, kvm_lapic, kvm_vcpu, variant } from './kvm_host';
import { kvm_check_request, kvm_make_request } from './kvm_main';
import { kvm_x86_ops } from './kvm_x86_ops';
import { reply } from './reply';
import { ioctl } from './x86';
import { kvm_smm_changed } from './smm';
import { lapic_in_kernel } from './x86_events';
import { process_nmi, process_smi } from './x86_inject';

/** KVM_GET_VCPU_EVENTS and KVM_SET_VCPU_EVENTS of arch/x86/kvm/x86.c. */

/** What userspace writes; a part that is left out carries no VALID flag, or is 0 where there is no such flag. */
export interface VcpuEvents {
  readonly latched_init?: number | undefined;
  readonly smi_pending?: number | undefined;
  readonly smm?: number | undefined;
  readonly nmi_pending?: number | undefined;
  readonly nmi_injected?: number | undefined;
  readonly nmi_masked?: number | undefined;
  readonly interrupt_injected?: number | undefined;
  readonly interrupt_nr?: number | undefined;
  readonly interrupt_soft?: number | undefined;
  readonly interrupt_shadow?: number | undefined;
  readonly exception_injected?: number | undefined;
  readonly exception_nr?: number | undefined;
  readonly sipi_vector?: number | undefined;
  readonly smm_inside_nmi?: number | undefined;
  readonly triple_fault?: number | undefined;
  readonly exception_pending?: number | undefined;
  /** A flag that the kernel does not know. */
  readonly unknown_flag?: boolean | undefined;
}

/** `kvm_vcpu_events.flags`, as KVM_GET_VCPU_EVENTS reports them. @source x86:UAPI-8 */
const KVM_VCPUEVENT_VALID_NMI_PENDING = 0x01;
const KVM_VCPUEVENT_VALID_SHADOW = 0x04;
const KVM_VCPUEVENT_VALID_SMM = 0x08;
const KVM_VCPUEVENT_VALID_PAYLOAD = 0x10;
const KVM_VCPUEVENT_VALID_TRIPLE_FAULT = 0x20;

const VALID_SMM = 1;
const VALID_NMI_PENDING = 2;
const LATCHED_INIT = 4;
const SMI_PENDING = 8;
const SMM = 16;
const NMI_INJECTED = 32;
const INTERRUPT_INJECTED = 64;
const EXCEPTION_INJECTED = 128;
const NMI_MASKED = 256;
const INTERRUPT_SOFT = 512;
const VALID_SHADOW = 1024;
const VALID_SIPI_VECTOR = 2048;
const NMI_PENDING_SHIFT = 16;
const SIPI_VECTOR_SHIFT = 24;
/** Of the second word. */
const INTERRUPT_NR_SHIFT = 8;
const SHADOW_SHIFT = 16;
const SMM_INSIDE_NMI = 1 << 18;
const VALID_TRIPLE_FAULT = 1 << 19;
const TRIPLE_FAULT = 1 << 20;
const VALID_PAYLOAD = 1 << 21;
const EXCEPTION_PENDING = 1 << 22;
const UNKNOWN_FLAG = 1 << 23;

/** `struct kvm_vcpu_events` in two words, as the ioctl's arguments. */
export function packVcpuEvents(events: VcpuEvents): readonly [arg: number, arg2: number] {
  const { latched_init, smi_pending, smm, smm_inside_nmi } = events;
  const smi = [latched_init, smi_pending, smm, smm_inside_nmi].some((part) => part !== undefined);
  return [
    (smi ? VALID_SMM : 0) |
      (events.nmi_pending === undefined ? 0 : VALID_NMI_PENDING | (events.nmi_pending << NMI_PENDING_SHIFT)) |
      (events.sipi_vector === undefined ? 0 : VALID_SIPI_VECTOR | (events.sipi_vector << SIPI_VECTOR_SHIFT)) |
      (events.interrupt_shadow === undefined ? 0 : VALID_SHADOW) |
      (events.latched_init ? LATCHED_INIT : 0) |
      (events.smi_pending ? SMI_PENDING : 0) |
      (events.smm ? SMM : 0) |
      (events.nmi_injected ? NMI_INJECTED : 0) |
      (events.nmi_masked ? NMI_MASKED : 0) |
      (events.interrupt_injected ? INTERRUPT_INJECTED : 0) |
      (events.interrupt_soft ? INTERRUPT_SOFT : 0) |
      (events.exception_injected ? EXCEPTION_INJECTED : 0),
    (events.exception_nr ?? 0) |
      ((events.interrupt_nr ?? 0) << INTERRUPT_NR_SHIFT) |
      ((events.interrupt_shadow ?? 0) << SHADOW_SHIFT) |
      (events.smm_inside_nmi ? SMM_INSIDE_NMI : 0) |
      (events.triple_fault === undefined ? 0 : VALID_TRIPLE_FAULT) |
      (events.triple_fault ? TRIPLE_FAULT : 0) |
      (events.exception_pending === undefined ? 0 : VALID_PAYLOAD) |
      (events.exception_pending ? EXCEPTION_PENDING : 0) |
      (events.unknown_flag ? UNKNOWN_FLAG : 0),
  ];
}

/**
 * KVM_GET_VCPU_EVENTS: queued SMIs and NMIs are processed first. Without KVM_CAP_EXCEPTION_PAYLOAD a pending exception
 * counts as injected.
 *
 * @source tdx:NMI-15, tdx:SMI-7, tdx:LAPIC-6, x86:UAPI-8 to x86:UAPI-10
 */
export const kvm_vcpu_ioctl_x86_get_vcpu_events = ioctl(
  'kvm_vcpu_ioctl_x86_get_vcpu_events',
  'tdx:LAPIC-6',
  'Process queued SMIs and NMIs, report what is pending and injected, and the INIT latch as smi.latched_init.',
  (m, vcpu) => {
    const vm = host.kvmOf(m, vcpu);
    const payload = kvm.exception_payload_enabled.get(m, vm) === 1;
    if (kvm_check_request(m, vcpu, host.KVM_REQ_SMI)) process_smi(m, vcpu);
    if (kvm_check_request(m, vcpu, host.KVM_REQ_NMI)) process_nmi(m, vcpu);
    const to = host.replyRef(m);
    reply.latched_init.set(m, to, kvm_lapic.pending_events.test(m, host.apicOf(vcpu), host.KVM_APIC_INIT));
    reply.nmi_pending.set(m, to, kvm_vcpu.nmi_pending.get(m, vcpu));
    reply.nmi_injected.set(m, to, kvm_vcpu.nmi_injected.get(m, vcpu));
    reply.nmi_masked.set(m, to, kvm_x86_ops.get_nmi_mask(m, vcpu) ? 1 : 0);
    reply.smi_pending.set(m, to, kvm_vcpu.smi_pending.get(m, vcpu));
    reply.smm.set(m, to, kvm_vcpu.smm.get(m, vcpu));
    const interrupt =
      kvm_vcpu.interrupt_injected.get(m, vcpu) && !kvm_vcpu.interrupt_soft.get(m, vcpu) ? 1 : 0;
    reply.interrupt_injected.set(m, to, interrupt);
    reply.interrupt_nr.set(m, to, kvm_vcpu.interrupt_nr.get(m, vcpu));
    reply.interrupt_shadow.set(m, to, kvm_x86_ops.get_interrupt_shadow(m, vcpu));
    reply.exception_nr.set(m, to, kvm_vcpu.exception_vector.get(m, vcpu));
    const pending = kvm_vcpu.exception_pending.get(m, vcpu);
    reply.exception_injected.set(m, to, kvm_vcpu.exception_injected.get(m, vcpu) || (payload ? 0 : pending));
    reply.exception_pending.set(m, to, pending);
    reply.smm_inside_nmi.set(m, to, kvm_vcpu.smm_inside_nmi.get(m, vcpu));
    const faults = kvm.triple_fault_event.get(m, vm);
    reply.triple_fault.set(m, to, faults && kvm_vcpu.requests.test(m, vcpu, host.KVM_REQ_TRIPLE_FAULT));
    reply.events_flags.set(
      m,
      to,
      KVM_VCPUEVENT_VALID_NMI_PENDING |
        KVM_VCPUEVENT_VALID_SHADOW |
        KVM_VCPUEVENT_VALID_SMM |
        (payload ? KVM_VCPUEVENT_VALID_PAYLOAD : 0) |
        (faults ? KVM_VCPUEVENT_VALID_TRIPLE_FAULT : 0),
    );
    return 0;
  },
);

/**
 * KVM_SET_VCPU_EVENTS: the way around KVM_SMI's refusal, and the only one that clears the INIT latch. What is wrong with
 * SMM or the triple fault shows only when the rest has been stored.
 *
 * @source INIT-7, tdx:NMI-16, tdx:SMI-6, tdx:LAPIC-10, x86:UAPI-11 to x86:UAPI-17
 */
export const kvm_vcpu_ioctl_x86_set_vcpu_events = ioctl(
  'kvm_vcpu_ioctl_x86_set_vcpu_events',
  'INIT-7',
  'Check, process queued NMIs, store what is valid, raise KVM_REQ_EVENT.',
  (m, vcpu, events, more) => {
    const nr = more & 0xff;
    const smi = (events & VALID_SMM) !== 0;
    const wantsSmm = smi && (events & (SMM | SMI_PENDING)) !== 0;
    const payload = (more & VALID_PAYLOAD) !== 0;
    const pending = payload && (more & EXCEPTION_PENDING) !== 0;
    const injected = (events & EXCEPTION_INJECTED) !== 0 && !pending;
    if (more & UNKNOWN_FLAG) return E('EINVAL');
    if (payload && !kvm.exception_payload_enabled.get(m, host.kvmOf(m, vcpu))) return E('EINVAL');
    if ((injected || pending) && (nr > LAST_EXCEPTION || nr === NMI_VECTOR)) return E('EINVAL');
    if (wantsSmm && kvm_vcpu.mp_state.get(m, vcpu) === host.KVM_MP_STATE_INIT_RECEIVED) return E('EINVAL');
    process_nmi(m, vcpu);
    kvm_vcpu.exception_pending.set(m, vcpu, pending ? 1 : 0);
    kvm_vcpu.exception_injected.set(m, vcpu, injected ? 1 : 0);
    kvm_vcpu.exception_vector.set(m, vcpu, nr);
    kvm_vcpu.interrupt_injected.set(m, vcpu, events & INTERRUPT_INJECTED ? 1 : 0);
    kvm_vcpu.interrupt_nr.set(m, vcpu, (more >> INTERRUPT_NR_SHIFT) & 0xff);
    kvm_vcpu.interrupt_soft.set(m, vcpu, events & INTERRUPT_SOFT ? 1 : 0);
    if (events & VALID_SHADOW) kvm_x86_ops.set_interrupt_shadow(m, vcpu, (more >> SHADOW_SHIFT) & 3);
    kvm_vcpu.nmi_injected.set(m, vcpu, events & NMI_INJECTED ? 1 : 0);
    if (events & VALID_NMI_PENDING) setNmiPending(m, vcpu, (events >> NMI_PENDING_SHIFT) & 0xff);
    kvm_x86_ops.set_nmi_mask(m, vcpu, events & NMI_MASKED ? 1 : 0);
    if (events & VALID_SIPI_VECTOR && lapic_in_kernel(m, vcpu)) {
      kvm_lapic.sipi_vector.set(m, host.apicOf(vcpu), events >>> SIPI_VECTOR_SHIFT);
    }
    if (smi && !setSmi(m, vcpu, events, more)) return E('EINVAL');
    if (more & VALID_TRIPLE_FAULT && !setTripleFault(m, vcpu, more & TRIPLE_FAULT)) return E('EINVAL');
    kvm_make_request(m, vcpu, host.KVM_REQ_EVENT);
    return 0;
  },
);
const LAST_EXCEPTION = 31;
const NMI_VECTOR = 2;

/** They are processed at the next entry, or by the next ioctl that looks. @source x86:UAPI-13 */
function setNmiPending(m: Machine, vcpu: Ref, count: number): void {
  kvm_vcpu.nmi_pending.set(m, vcpu, 0);
  kvm_vcpu.nmi_queued.set(m, vcpu, count);
  if (count > 0) kvm_make_request(m, vcpu, host.KVM_REQ_NMI);
}

/** @returns false without CONFIG_KVM_SMM, if anything of SMM is wanted. @source x86:UAPI-12, x86:UAPI-15 */
function setSmi(m: Machine, vcpu: Ref, events: number, more: number): boolean {
  const smm = events & SMM ? 1 : 0;
  if (variant.no_smm.get(m, host.variantRef(m))) {
    if (smm || events & SMI_PENDING || more & SMM_INSIDE_NMI) return false;
  } else {
    if (kvm_vcpu.smm.get(m, vcpu) !== smm) kvm_smm_changed(m, vcpu, smm);
    kvm_vcpu.smi_pending.set(m, vcpu, events & SMI_PENDING ? 1 : 0);
    if (smm) kvm_vcpu.smm_inside_nmi.set(m, vcpu, more & SMM_INSIDE_NMI ? 1 : 0);
  }
  if (!lapic_in_kernel(m, vcpu)) return true;
  const { pending_events } = kvm_lapic;
  if (events & LATCHED_INIT) pending_events.set(m, host.apicOf(vcpu), host.KVM_APIC_INIT);
  else pending_events.clear(m, host.apicOf(vcpu), host.KVM_APIC_INIT);
  return true;
}

/** @returns false without KVM_CAP_X86_TRIPLE_FAULT_EVENT. @source x86:UAPI-12 */
function setTripleFault(m: Machine, vcpu: Ref, pending: number): boolean {
  if (!kvm.triple_fault_event.get(m, host.kvmOf(m, vcpu))) return false;
  if (pending) kvm_make_request(m, vcpu, host.KVM_REQ_TRIPLE_FAULT);
  else kvm_check_request(m, vcpu, host.KVM_REQ_TRIPLE_FAULT);
  return true;
}
