import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { E, routine } from '../machine/routine';
import * as host from './kvm_host';
import { guest_cpu, vmxip } from '../guest/cpu';
import { kvm_lapic, kvm_vcpu } from './kvm_host';
import { kvm_make_request } from './kvm_main';
import { kvm_x86_ops } from './kvm_x86_ops';
import { enter_smm } from './smm';
import { nmi_collapsed } from './trace';
import { lapic_in_kernel } from './x86_events';
import { kvm_inject_exception } from './x86_exceptions';

/** The part of arch/x86/kvm/x86.c that turns requests into pending events and pending events into injected ones. */

/** Raises an NMI. It does not kick. @source tdx:NMI-1, x86:PNMI-1 */
export function kvm_inject_nmi(m: Machine, vcpu: Ref): void {
  kvm_vcpu.nmi_queued.set(m, vcpu, Math.min(255, kvm_vcpu.nmi_queued.get(m, vcpu) + 1));
  kvm_make_request(m, vcpu, host.KVM_REQ_NMI);
}

/** Raises an SMI. @returns 0, or -ENOTTY where SMM does not exist for this VM. @source tdx:SMI-1, x86:SMI-1 */
export function kvm_inject_smi(m: Machine, vcpu: Ref): number {
  const configured = !host.variant.no_smm.get(m, host.variantRef(m));
  if (!configured || !kvm_x86_ops.has_emulated_smbase(m, vcpu)) return E('ENOTTY');
  kvm_make_request(m, vcpu, host.KVM_REQ_SMI);
  return 0;
}

/** Moves queued NMIs to pending ones: at most two, at most one while NMIs are masked. @source tdx:NMI-3, x86:PNMI-5 */
export function process_nmi(m: Machine, vcpu: Ref): void {
  const masked = kvm_x86_ops.get_nmi_mask(m, vcpu) || kvm_vcpu.nmi_injected.get(m, vcpu) === 1;
  const limit = masked ? 1 : 2;
  const wanted = kvm_vcpu.nmi_pending.get(m, vcpu) + kvm_vcpu.nmi_queued.get(m, vcpu);
  if (wanted > limit) m.emit(nmi_collapsed, kvm_vcpu.id.get(m, vcpu), wanted, limit);
  kvm_vcpu.nmi_pending.set(m, vcpu, Math.min(wanted, limit));
  kvm_vcpu.nmi_queued.set(m, vcpu, 0);
  if (wanted > 0) kvm_make_request(m, vcpu, host.KVM_REQ_EVENT);
}

/** Any number of SMI requests becomes one pending SMI. @source x86:SMI-2 */
export function process_smi(m: Machine, vcpu: Ref): void {
  kvm_vcpu.smi_pending.set(m, vcpu, 1);
  kvm_make_request(m, vcpu, host.KVM_REQ_EVENT);
}

/** Whether the vCPU takes interrupts of a PIC: no LAPIC, or LVT0 unmasked in ExtINT mode. @source tdx:LAPIC-8 */
function kvm_apic_accept_pic_intr(m: Machine, vcpu: Ref): boolean {
  if (!lapic_in_kernel(m, vcpu)) return true;
  return (kvm_lapic.lvt0.get(m, host.apicOf(vcpu)) & 0x1_0700) === 0x700;
}

function has_external_interrupt(m: Machine, vcpu: Ref): boolean {
  return kvm_vcpu.pending_external_vector.get(m, vcpu) >= 0 && kvm_apic_accept_pic_intr(m, vcpu);
}

/** Whether an interrupt of userspace's PIC could be accepted: none waits already. @source tdx:LAPIC-13 */
export function kvm_cpu_accept_dm_intr(m: Machine, vcpu: Ref): boolean {
  return !has_external_interrupt(m, vcpu) && kvm_apic_accept_pic_intr(m, vcpu);
}

/** Whether KVM itself must inject an interrupt: never one of the LAPIC while APICv is active. @source PI-39, x86:IRQ-2 */
export function kvm_cpu_has_injectable_intr(m: Machine, vcpu: Ref): boolean {
  if (has_external_interrupt(m, vcpu)) return true;
  const apic = host.apicOf(vcpu);
  if (kvm_lapic.apicv_active.get(m, apic) || kvm_lapic.guest_apic_protected.get(m, apic)) return false;
  kvm_x86_ops.sync_pir_to_irr(m, vcpu); // what was posted before APICv was switched off: x86:IRQ-15
  return vmxip(m, host.guestOf(vcpu));
}

/** Takes the vector to inject: IRR to ISR, or the external one. @source x86:LAPIC-26 */
function kvm_cpu_get_interrupt(m: Machine, vcpu: Ref): number {
  if (has_external_interrupt(m, vcpu)) {
    const vector = kvm_vcpu.pending_external_vector.get(m, vcpu);
    kvm_vcpu.pending_external_vector.set(m, vcpu, -1);
    return vector;
  }
  const guest = host.guestOf(vcpu);
  const vector = guest_cpu.virr.highest(m, guest);
  guest_cpu.virr.clear(m, guest, vector);
  guest_cpu.visr.set(m, guest, vector);
  return vector;
}

/** An interrupt is on its way into the guest. @source x86:IRQ-7; arch/x86/kvm/x86.h */
export function kvm_queue_interrupt(m: Machine, vcpu: Ref, vector: number, soft: 0 | 1): void {
  kvm_vcpu.interrupt_injected.set(m, vcpu, 1);
  kvm_vcpu.interrupt_soft.set(m, vcpu, soft);
  kvm_vcpu.interrupt_nr.set(m, vcpu, vector);
}

/** Whether something that was begun has still to be delivered: nothing new goes before it. @source x86:INJ-8 */
export function kvm_event_needs_reinjection(m: Machine, vcpu: Ref): boolean {
  return (
    kvm_vcpu.exception_injected.get(m, vcpu) === 1 ||
    kvm_vcpu.interrupt_injected.get(m, vcpu) === 1 ||
    kvm_vcpu.nmi_injected.get(m, vcpu) === 1
  );
}

/** Injects what is pending, in the fixed order: what was begun first, then exception, SMI, NMI, interrupt. Answers 1 to ask for an immediate exit. */
export const kvm_check_and_inject_events = routine(
  {
    name: 'kvm_check_and_inject_events',
    layer: 'kvm',
    source: 'RUN-8',
    args: ['vcpu'],
    locals: ['can_inject'],
    steps: {
      reinject: [
        'Inject again what was marked injected and not delivered; nothing new goes before it.',
        'x86:INJ-6',
      ],
      exception: ['A pending exception comes first.', 'x86:INJ-9'],
      smi: ['Then a pending SMI; may the vCPU take it?', 'x86:INJ-11'],
      nmi: ['Then a pending NMI.', 'x86:INJ-12'],
      window: ['If an NMI is still pending, ask to be told when it can be taken.', 'x86:INJ-12'],
      irq: ['Last a pending interrupt.', 'x86:INJ-13'],
      done: ['Is another one waiting? Then ask for an interrupt window.', 'x86:INJ-13'],
    },
  },
  (at) => ({
    reinject(m, l) {
      const vcpu = l.vcpu as Ref;
      if (kvm_vcpu.exception_injected.get(m, vcpu)) {
        kvm_inject_exception(m, vcpu); // for a TD the op does nothing: tdx:LAPIC-10
        return at.smi;
      }
      if (kvm_vcpu.exception_pending.get(m, vcpu)) return at.exception; // before an NMI or interrupt again: x86:INJ-18
      if (kvm_vcpu.nmi_injected.get(m, vcpu)) return m.call(at.smi, kvm_x86_ops.inject_nmi, vcpu);
      if (kvm_vcpu.interrupt_injected.get(m, vcpu)) return m.call(at.smi, kvm_x86_ops.inject_irq, vcpu, 1);
      return at.smi;
    },
    exception(m, l) {
      const vcpu = l.vcpu as Ref;
      kvm_inject_exception(m, vcpu);
      kvm_vcpu.exception_pending.set(m, vcpu, 0);
      kvm_vcpu.exception_injected.set(m, vcpu, 1);
      return at.smi;
    },
    smi(m, l) {
      const vcpu = l.vcpu as Ref;
      l.can_inject = kvm_event_needs_reinjection(m, vcpu) ? 0 : 1;
      if (kvm_vcpu.guest_debug_blockirq.get(m, vcpu)) return m.ret(0); // KVM_GUESTDBG_BLOCKIRQ: x86:INJ-10
      if (!kvm_vcpu.smi_pending.get(m, vcpu)) return at.nmi;
      if (!l.can_inject) return m.ret(1); // the next pass decides: x86:INJ-16
      if (!kvm_x86_ops.smi_allowed(m, vcpu)) return at.nmi;
      kvm_vcpu.smi_pending.set(m, vcpu, 0);
      l.can_inject = 0;
      kvm_vcpu.smi_count.set(m, vcpu, kvm_vcpu.smi_count.get(m, vcpu) + 1);
      enter_smm(m, vcpu);
      return at.nmi;
    },
    nmi(m, l) {
      const vcpu = l.vcpu as Ref;
      const pending = kvm_vcpu.nmi_pending.get(m, vcpu);
      if (pending === 0) return at.irq;
      if (!l.can_inject) return m.ret(1);
      if (!kvm_x86_ops.nmi_allowed(m, vcpu)) return at.window;
      kvm_vcpu.nmi_pending.set(m, vcpu, pending - 1);
      kvm_vcpu.nmi_injected.set(m, vcpu, 1);
      l.can_inject = 0;
      return m.call(at.window, kvm_x86_ops.inject_nmi, vcpu);
    },
    window(m, l) {
      if (kvm_vcpu.nmi_pending.get(m, l.vcpu as Ref) > 0) kvm_x86_ops.enable_nmi_window(m, l.vcpu as Ref);
      return at.irq;
    },
    irq(m, l) {
      const vcpu = l.vcpu as Ref;
      if (!kvm_cpu_has_injectable_intr(m, vcpu)) return m.ret(0);
      if (!l.can_inject) return m.ret(1);
      if (!kvm_x86_ops.interrupt_allowed(m, vcpu)) {
        kvm_x86_ops.enable_irq_window(m, vcpu);
        return m.ret(0);
      }
      kvm_queue_interrupt(m, vcpu, kvm_cpu_get_interrupt(m, vcpu), 0);
      return m.call(at.done, kvm_x86_ops.inject_irq, vcpu, 0);
    },
    done(m, l) {
      if (kvm_cpu_has_injectable_intr(m, l.vcpu as Ref)) kvm_x86_ops.enable_irq_window(m, l.vcpu as Ref);
      return m.ret(0);
    },
  }),
);
