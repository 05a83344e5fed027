import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { E } from '../machine/routine';
import * as host from './kvm_host';
import { kvm_lapic, kvm_vcpu, variant } from './kvm_host';
import { kvm_check_request, kvm_make_request } from './kvm_main';
import { kvm_x86_ops } from './kvm_x86_ops';
import { reply } from './reply';
import { ioctl } from './x86';
import { kvm_smm_changed } from './smm';
import { lapic_in_kernel } from './x86_events';
import { process_nmi } from './x86_inject';

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
}

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

/** `struct kvm_vcpu_events` in two words, as the ioctl's arguments. */
export function packVcpuEvents(events: VcpuEvents): readonly [arg: number, arg2: number] {
  const smi = [events.latched_init, events.smi_pending, events.smm].some((part) => part !== undefined);
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
      ((events.interrupt_shadow ?? 0) << SHADOW_SHIFT),
  ];
}

/** KVM_GET_VCPU_EVENTS: queued NMIs are processed first. @source tdx:NMI-15, tdx:SMI-7, tdx:LAPIC-6, x86:UAPI-10 */
export const kvm_vcpu_ioctl_x86_get_vcpu_events = ioctl(
  'kvm_vcpu_ioctl_x86_get_vcpu_events',
  'tdx:LAPIC-6',
  'Process queued NMIs, report what is pending and injected, and the INIT latch as smi.latched_init.',
  (m, vcpu) => {
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
    reply.exception_injected.set(m, to, kvm_vcpu.exception_injected.get(m, vcpu));
    return 0;
  },
);

/**
 * KVM_SET_VCPU_EVENTS: the way around KVM_SMI's refusal, and the only one that clears the INIT latch.
 *
 * @source INIT-7, tdx:NMI-16, tdx:SMI-6, tdx:LAPIC-10, x86:UAPI-15
 */
export const kvm_vcpu_ioctl_x86_set_vcpu_events = ioctl(
  'kvm_vcpu_ioctl_x86_set_vcpu_events',
  'INIT-7',
  'Check, process queued NMIs, store what is valid, raise KVM_REQ_EVENT.',
  (m, vcpu, events, more) => {
    const nr = more & 0xff;
    const smi = (events & VALID_SMM) !== 0;
    const wantsSmm = smi && (events & (SMM | SMI_PENDING)) !== 0;
    if (wantsSmm && variant.no_smm.get(m, host.variantRef(m))) return E('EINVAL');
    if (events & EXCEPTION_INJECTED && (nr > LAST_EXCEPTION || nr === NMI_VECTOR)) return E('EINVAL');
    if (wantsSmm && kvm_vcpu.mp_state.get(m, vcpu) === host.KVM_MP_STATE_INIT_RECEIVED) return E('EINVAL');
    process_nmi(m, vcpu);
    kvm_vcpu.exception_pending.set(m, vcpu, 0);
    kvm_vcpu.exception_injected.set(m, vcpu, events & EXCEPTION_INJECTED ? 1 : 0);
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
    if (smi) setSmi(m, vcpu, events);
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

function setSmi(m: Machine, vcpu: Ref, events: number): void {
  const smm = events & SMM ? 1 : 0;
  if (kvm_vcpu.smm.get(m, vcpu) !== smm) kvm_smm_changed(m, vcpu, smm);
  kvm_vcpu.smi_pending.set(m, vcpu, events & SMI_PENDING ? 1 : 0);
  if (!lapic_in_kernel(m, vcpu)) return;
  const { pending_events } = kvm_lapic;
  if (events & LATCHED_INIT) pending_events.set(m, host.apicOf(vcpu), host.KVM_APIC_INIT);
  else pending_events.clear(m, host.apicOf(vcpu), host.KVM_APIC_INIT);
}
