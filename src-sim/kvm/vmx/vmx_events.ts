import type { Ref } from '../../machine/layout';
import type { Machine } from '../../machine/machine';
import { routine } from '../../machine/routine';
import { endShadow } from '../../guest/events';
import { guest_cpu, inShadow } from '../../guest/cpu';
import {
  DF_VECTOR, INTR_INFO_DELIVER_CODE, INTR_INFO_NMI, INTR_INFO_UNBLOCK_NMI, INTR_INFO_VALID, INTR_TYPE_EXT_INTR,
  INTR_TYPE_HARD_EXCEPTION, INTR_TYPE_NMI_INTR, INTR_TYPE_SOFT_INTR, intrInfo, typeOf,
} from '../../platform/intr_info'; // prettier-ignore
import {
  CPU_BASED_INTR_WINDOW_EXITING, CPU_BASED_NMI_WINDOW_EXITING, guestOf, KVM_REQ_EVENT, kvm_vcpu, kvm_vcpu_stat, statOf, variant, variantRef, vmcs, vmcsOf,
} from '../kvm_host'; // prettier-ignore
import { kvm_make_request } from '../kvm_main';
import * as trace from '../trace';
import { hasErrorCode, kvm_clear_exception_queue, kvm_requeue_exception } from '../x86_exceptions';
import { kvm_queue_interrupt } from '../x86_inject';

/** The part of arch/x86/kvm/vmx/vmx.c that puts events into VM entries and finds out what became of them. */

/** Whether the processor tracks NMI blocking of plain guests: bit 5 of the pin-based controls. @source x86:VMX-7 */
export function enable_vnmi(m: Machine): boolean {
  return !variant.no_vnmi.get(m, variantRef(m));
}

/** Bits of the shadow as userspace sees them. @source x86:UAPI-8 */
export const KVM_X86_SHADOW_INT_MOV_SS = 1;
export const KVM_X86_SHADOW_INT_STI = 2;

/** @source x86:VMX-6 */
export function vmx_get_interrupt_shadow(m: Machine, vcpu: Ref): number {
  const guest = guestOf(vcpu);
  return (
    (guest_cpu.sti_blocking.get(m, guest) ? KVM_X86_SHADOW_INT_STI : 0) |
    (guest_cpu.mov_ss_blocking.get(m, guest) ? KVM_X86_SHADOW_INT_MOV_SS : 0)
  );
}

/** Blocking by MOV SS wins where both are asked for. @source x86:VMX-6 */
export function vmx_set_interrupt_shadow(m: Machine, vcpu: Ref, mask: number): void {
  const guest = guestOf(vcpu);
  endShadow(m, guest);
  if (mask & KVM_X86_SHADOW_INT_MOV_SS) guest_cpu.mov_ss_blocking.set(m, guest, 1);
  else if (mask & KVM_X86_SHADOW_INT_STI) guest_cpu.sti_blocking.set(m, guest, 1);
}

/** Whether NMIs are masked; "unmasked" is remembered until the next injection. @source x86:VMX-9 */
export function vmx_get_nmi_mask(m: Machine, vcpu: Ref): boolean {
  if (!enable_vnmi(m)) return kvm_vcpu.soft_vnmi_blocked.get(m, vcpu) === 1;
  if (kvm_vcpu.nmi_known_unmasked.get(m, vcpu)) return false;
  const masked = guest_cpu.in_nmi.get(m, guestOf(vcpu)) === 1;
  kvm_vcpu.nmi_known_unmasked.set(m, vcpu, masked ? 0 : 1);
  return masked;
}

/** @source x86:VMX-9, x86:UAPI-13 */
export function vmx_set_nmi_mask(m: Machine, vcpu: Ref, masked: 0 | 1): void {
  if (enable_vnmi(m)) {
    kvm_vcpu.nmi_known_unmasked.set(m, vcpu, 1 - masked);
    guest_cpu.in_nmi.set(m, guestOf(vcpu), masked);
  } else if (kvm_vcpu.soft_vnmi_blocked.get(m, vcpu) !== masked) {
    kvm_vcpu.soft_vnmi_blocked.set(m, vcpu, masked);
    kvm_vcpu.vnmi_blocked_time.set(m, vcpu, 0);
  }
}

/** Blocking by NMI, by STI and by MOV SS, or KVM's own flag. @source x86:VMX-10 */
export function vmx_nmi_blocked(m: Machine, vcpu: Ref): boolean {
  if (!enable_vnmi(m) && kvm_vcpu.soft_vnmi_blocked.get(m, vcpu)) return true;
  const guest = guestOf(vcpu);
  return guest_cpu.in_nmi.get(m, guest) === 1 || inShadow(m, guest);
}

/** RFLAGS.IF, STI and MOV SS. @source x86:IRQ-3 */
export function vmx_interrupt_blocked(m: Machine, vcpu: Ref): boolean {
  const guest = guestOf(vcpu);
  return !guest_cpu.if.get(m, guest) || inShadow(m, guest);
}

/** NMI-window exiting; where it would not tell in time, interrupt-window exiting. @source x86:VMX-12 */
export function vmx_enable_nmi_window(m: Machine, vcpu: Ref): void {
  if (!enable_vnmi(m) || guest_cpu.sti_blocking.get(m, guestOf(vcpu))) vmx_enable_irq_window(m, vcpu);
  else vmcs.cpu_based.set(m, vmcsOf(vcpu), CPU_BASED_NMI_WINDOW_EXITING);
}

/** Interrupt-window exiting tells when the guest can take an interrupt. @source x86:IRQ-4 */
export function vmx_enable_irq_window(m: Machine, vcpu: Ref): void {
  vmcs.cpu_based.set(m, vmcsOf(vcpu), CPU_BASED_INTR_WINDOW_EXITING);
}

/** The next VM entry delivers an NMI. @source x86:VMX-8, x86:VMX-3 */
export const vmx_inject_nmi = routine(
  {
    name: 'vmx_inject_nmi',
    layer: 'kvm',
    source: 'x86:VMX-8',
    args: ['vcpu'],
    steps: { write: ['Count the injection; VM-entry interruption information = 0x80000202.', 'x86:VMX-3'] },
  },
  () => ({
    write(m, l) {
      const vcpu = l.vcpu as Ref;
      const stat = statOf(vcpu);
      if (!enable_vnmi(m)) {
        kvm_vcpu.soft_vnmi_blocked.set(m, vcpu, 1);
        kvm_vcpu.vnmi_blocked_time.set(m, vcpu, 0);
      }
      kvm_vcpu_stat.nmi_injections.set(m, stat, kvm_vcpu_stat.nmi_injections.get(m, stat) + 1);
      kvm_vcpu.nmi_known_unmasked.set(m, vcpu, 0);
      vmcs.entry_intr_info.set(m, vmcsOf(vcpu), INTR_INFO_NMI);
      return m.ret(0);
    },
  }),
);

/** The next VM entry delivers an interrupt: the one in `interrupt_nr`. @source x86:IRQ-3 */
export const vmx_inject_irq = routine(
  {
    name: 'vmx_inject_irq',
    layer: 'kvm',
    source: 'x86:IRQ-3',
    args: ['vcpu', 'reinjected'],
    steps: {
      write: ['Trace and count; VM-entry interruption information = 0x80000000 + vector.', 'x86:IRQ-3'],
    },
  },
  () => ({
    write(m, l) {
      const vcpu = l.vcpu as Ref;
      const stat = statOf(vcpu);
      const vector = kvm_vcpu.interrupt_nr.get(m, vcpu);
      const soft = kvm_vcpu.interrupt_soft.get(m, vcpu);
      m.emit(trace.kvm_inj_virq, soft, vector, l.reinjected);
      kvm_vcpu_stat.irq_injections.set(m, stat, kvm_vcpu_stat.irq_injections.get(m, stat) + 1);
      const type = soft ? INTR_TYPE_SOFT_INTR : INTR_TYPE_EXT_INTR;
      vmcs.entry_intr_info.set(m, vmcsOf(vcpu), intrInfo(type, vector));
      return m.ret(0);
    },
  }),
);

/** The next VM entry delivers the exception of the queue. @source x86:INJ-9 */
export function vmx_inject_exception(m: Machine, vcpu: Ref): void {
  const vector = kvm_vcpu.exception_vector.get(m, vcpu);
  const code = hasErrorCode(vector) ? INTR_INFO_DELIVER_CODE : 0;
  vmcs.entry_intr_info.set(m, vmcsOf(vcpu), intrInfo(INTR_TYPE_HARD_EXCEPTION, vector) | code);
}

/**
 * What was injected is delivered, unless `info` names it: then it counts as injected and not delivered.
 *
 * @param info - IDT-vectoring information, or the entry's own when the entry is given up.
 * @source x86:VMX-15; __vmx_complete_interrupts
 */
function completeInterrupts(m: Machine, vcpu: Ref, info: number): void {
  kvm_vcpu.nmi_injected.set(m, vcpu, 0);
  kvm_clear_exception_queue(m, vcpu);
  kvm_vcpu.interrupt_injected.set(m, vcpu, 0);
  if (info < INTR_INFO_VALID) return;
  kvm_make_request(m, vcpu, KVM_REQ_EVENT);
  switch (typeOf(info)) {
    case INTR_TYPE_NMI_INTR:
      kvm_vcpu.nmi_injected.set(m, vcpu, 1);
      guest_cpu.in_nmi.set(m, guestOf(vcpu), 0); // so that it can be injected again
      break;
    case INTR_TYPE_HARD_EXCEPTION:
      kvm_requeue_exception(m, vcpu, info & 0xff);
      break;
    default:
      kvm_queue_interrupt(m, vcpu, info & 0xff, typeOf(info) === INTR_TYPE_SOFT_INTR ? 1 : 0);
  }
}

/** The exit of a guest that was entered: what became of the event that the entry carried? @source x86:VMX-15 */
export function vmx_complete_interrupts(m: Machine, vcpu: Ref): void {
  completeInterrupts(m, vcpu, vmcs.idt_vectoring_info.get(m, vmcsOf(vcpu)));
}

/** An entry that is given up injects its event the next time. @source x86:INJ-6 */
export function vmx_cancel_injection(m: Machine, vcpu: Ref): void {
  completeInterrupts(m, vcpu, vmcs.entry_intr_info.get(m, vmcsOf(vcpu)));
  vmcs.entry_intr_info.set(m, vmcsOf(vcpu), 0);
}

/** Without virtual NMIs the time in the guest counts: it may be the end of the handler. @source x86:VMX-17 */
export function noteEntryTime(m: Machine, vcpu: Ref): void {
  if (!enable_vnmi(m) && kvm_vcpu.soft_vnmi_blocked.get(m, vcpu))
    kvm_vcpu.vnmi_entry_time.set(m, vcpu, m.now);
}

/** An IRET that faulted out of the guest has not ended the handler. @source x86:VMX-16 */
export function vmx_recover_nmi_blocking(m: Machine, vcpu: Ref): void {
  const guest = guestOf(vcpu);
  if (!enable_vnmi(m)) {
    if (!kvm_vcpu.soft_vnmi_blocked.get(m, vcpu)) return;
    const more = m.now - kvm_vcpu.vnmi_entry_time.get(m, vcpu);
    kvm_vcpu.vnmi_blocked_time.set(
      m,
      vcpu,
      Math.min(0xffff_ffff, kvm_vcpu.vnmi_blocked_time.get(m, vcpu) + more),
    );
    return;
  }
  if (kvm_vcpu.nmi_known_unmasked.get(m, vcpu)) return;
  const info = kvm_vcpu.intr_info.get(m, vcpu);
  const unblocked = info >= INTR_INFO_VALID && (info & INTR_INFO_UNBLOCK_NMI) !== 0;
  const vectoring = vmcs.idt_vectoring_info.get(m, vmcsOf(vcpu)) >= INTR_INFO_VALID;
  if (unblocked && (info & 0xff) !== DF_VECTOR && !vectoring) guest_cpu.in_nmi.set(m, guest, 1);
  else kvm_vcpu.nmi_known_unmasked.set(m, vcpu, 1 - guest_cpu.in_nmi.get(m, guest));
}

/** The same for exits whose qualification has bit 12: EPT violation, PML full, notify. @source x86:VMX-16 */
export function blockNmisAgain(m: Machine, vcpu: Ref): void {
  const unblocked = (vmcs.exit_qualification.get(m, vmcsOf(vcpu)) & INTR_INFO_UNBLOCK_NMI) !== 0;
  const vectoring = vmcs.idt_vectoring_info.get(m, vmcsOf(vcpu)) >= INTR_INFO_VALID;
  if (enable_vnmi(m) && unblocked && !vectoring) guest_cpu.in_nmi.set(m, guestOf(vcpu), 1);
}

/**
 * Without virtual NMIs KVM takes the handler for ended when interrupts are open again, or after a second of guest time
 * in which another NMI waits.
 *
 * @source x86:VMX-17
 */
export function guessEndOfNmi(m: Machine, vcpu: Ref): void {
  if (enable_vnmi(m) || !kvm_vcpu.soft_vnmi_blocked.get(m, vcpu)) return;
  if (!vmx_interrupt_blocked(m, vcpu)) kvm_vcpu.soft_vnmi_blocked.set(m, vcpu, 0);
  else if (
    kvm_vcpu.vnmi_blocked_time.get(m, vcpu) > NMI_BLOCKED_LIMIT_NS &&
    kvm_vcpu.nmi_pending.get(m, vcpu)
  ) {
    m.emit(trace.nmi_blocked_too_long, kvm_vcpu.id.get(m, vcpu));
    kvm_vcpu.soft_vnmi_blocked.set(m, vcpu, 0);
  }
}
const NMI_BLOCKED_LIMIT_NS = 1_000_000_000;
