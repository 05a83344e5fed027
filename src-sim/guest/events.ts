import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { event } from '../machine/trace';
import { guestOf, is_td_vcpu, kvm_vcpu, PAGES, PIN_BASED_VIRTUAL_NMIS, vmcs, vmcsOf } from '../kvm/kvm_host';
import {
  DF_VECTOR, INTR_INFO_VALID, INTR_TYPE_EXT_INTR, INTR_INFO_UNBLOCK_NMI, INTR_TYPE_HARD_EXCEPTION, INTR_TYPE_NMI_INTR, intrInfo, PF_VECTOR, typeOf,
} from '../platform/intr_info'; // prettier-ignore
import { guest_cpu, inShadow, IRET_FAULT } from './cpu';

/** How events enter and leave the guest: NMI handlers, deliveries and IRETs that run into an exit, the shadow of STI and MOV SS. */

const guest_takes_nmi = event('guest_takes_nmi', 'mark', 'tdx:NMI-10', { vcpu: 'num' }, 'vcpu {vcpu}',
  'The guest takes an NMI on vCPU {vcpu}; further NMIs are blocked until its handler returns.'); // prettier-ignore
const guest_nmi_nests = event('guest_nmi_nests', 'mark', 'x86:EDGE-16', { vcpu: 'num' }, 'vcpu {vcpu}',
  'That NMI has interrupted the handler of another on vCPU {vcpu}.'); // prettier-ignore
const guest_iret = event('guest_iret', 'mark', 'SDM', { vcpu: 'num' }, 'vcpu {vcpu}',
  'The NMI handler on vCPU {vcpu} returns: NMIs are unblocked.'); // prettier-ignore
const guest_delivery_faults = event('guest_delivery_faults', 'mark', 'x86:VMX-15', { vcpu: 'num', info: 'hex' },
  'vcpu {vcpu} info {info}', 'The delivery of an event ({info}) runs into an exit of vCPU {vcpu}.'); // prettier-ignore

const EXIT_EPT_VIOLATION = 48;
/** Reasons with which an IRET that faults leaves, by `IRET_FAULT`; an exception leaves with 0. */
const IRET_EXITS = {
  EPT_VIOLATION: EXIT_EPT_VIOLATION,
  PML_FULL: 62,
  NOTIFY: 75,
  PAGE_FAULT: 0,
  DOUBLE_FAULT: 0,
};
/** The guest's stack lies in the last of its pages. */
const STACK_PAGE = PAGES - 1;
const WRITE = 2;

/** The handler of an NMI begins; the gate it goes through disables interrupts. Without virtual NMIs nothing blocks the next. */
export function enterNmi(m: Machine, vcpu: Ref): void {
  const guest = guestOf(vcpu);
  const depth = guest_cpu.nmi_depth.get(m, guest);
  blockNmis(m, vcpu);
  guest_cpu.saved_if.set(
    m,
    guest,
    ((guest_cpu.saved_if.get(m, guest) << 1) | guest_cpu.if.get(m, guest)) & 0xff,
  );
  guest_cpu.if.set(m, guest, 0);
  guest_cpu.nmi_depth.set(m, guest, Math.min(8, depth + 1));
  guest_cpu.nmis.set(m, guest, guest_cpu.nmis.get(m, guest) + 1);
  m.emit(guest_takes_nmi, kvm_vcpu.id.get(m, vcpu));
  if (depth > 0) m.emit(guest_nmi_nests, kvm_vcpu.id.get(m, vcpu));
}

/** The TDX module always uses virtual NMIs; KVM does for plain guests where it can. @source x86:VMX-7 */
function blockNmis(m: Machine, vcpu: Ref): void {
  const virtual = is_td_vcpu(m, vcpu) || vmcs.pin_based.test(m, vmcsOf(vcpu), PIN_BASED_VIRTUAL_NMIS) === 1;
  if (virtual) guest_cpu.in_nmi.set(m, guestOf(vcpu), 1);
}

/** IRET unblocks NMIs and goes back to what the handler has interrupted. */
export function iret(m: Machine, vcpu: Ref): void {
  const guest = guestOf(vcpu);
  const depth = guest_cpu.nmi_depth.get(m, guest);
  if (depth === 0 && !guest_cpu.in_nmi.get(m, guest)) return; // of no NMI handler
  guest_cpu.in_nmi.set(m, guest, 0);
  if (depth > 0) {
    const saved = guest_cpu.saved_if.get(m, guest);
    guest_cpu.if.set(m, guest, saved & 1);
    guest_cpu.saved_if.set(m, guest, saved >> 1);
    guest_cpu.nmi_depth.set(m, guest, depth - 1);
  }
  m.emit(guest_iret, kvm_vcpu.id.get(m, vcpu));
}

/**
 * Whether the IRET faults. It has unblocked NMIs by then; bit 12 of the exit's information says so.
 *
 * @returns the exit reason, or -1.
 * @source x86:VMX-16
 */
export function iretFaults(m: Machine, vcpu: Ref): number {
  const guest = guestOf(vcpu);
  const fault = IRET_FAULT[guest_cpu.iret_fault.get(m, guest)]!;
  if (fault === 'NONE') return -1;
  const unblocked = guest_cpu.in_nmi.get(m, guest) ? INTR_INFO_UNBLOCK_NMI : 0;
  guest_cpu.iret_fault.set(m, guest, 0);
  guest_cpu.in_nmi.set(m, guest, 0);
  if (fault === 'PAGE_FAULT' || fault === 'DOUBLE_FAULT') {
    const vector = fault === 'PAGE_FAULT' ? PF_VECTOR : DF_VECTOR;
    kvm_vcpu.intr_info.set(m, vcpu, intrInfo(INTR_TYPE_HARD_EXCEPTION, vector) | unblocked);
  } else {
    guest_cpu.page.set(m, guest, STACK_PAGE);
    vmcs.exit_qualification.set(m, vmcsOf(vcpu), unblocked);
  }
  return IRET_EXITS[fault];
}

/**
 * Whether the delivery of an event runs into an exit: the event is then in the IDT-vectoring information. An NMI has
 * blocked further ones already.
 *
 * @returns the exit reason, or -1.
 * @source x86:VMX-15
 */
export function deliveryFaults(m: Machine, vcpu: Ref, info: number): number {
  const guest = guestOf(vcpu);
  const left = guest_cpu.delivery_faults.get(m, guest);
  if (left === 0) return -1;
  const reason = guest_cpu.delivery_exit.get(m, guest);
  guest_cpu.delivery_faults.set(m, guest, left - 1);
  if (typeOf(info) === INTR_TYPE_NMI_INTR) blockNmis(m, vcpu);
  kvm_vcpu.intr_info.set(m, vcpu, 0);
  guest_cpu.page.set(m, guest, STACK_PAGE);
  vmcs.idt_vectoring_info.set(m, vmcsOf(vcpu), info);
  vmcs.exit_qualification.set(m, vmcsOf(vcpu), reason === EXIT_EPT_VIOLATION ? WRITE : 0);
  m.emit(guest_delivery_faults, kvm_vcpu.id.get(m, vcpu), info);
  return reason;
}

/**
 * Whether VM entry refuses the event that it carries together with what blocks events. KVM never asks for that by
 * itself; userspace can, with KVM_SET_VCPU_EVENTS.
 *
 * @source x86:VMX-6; SDM, checks on guest non-register state
 */
export function invalidGuestState(m: Machine, vcpu: Ref, info: number): boolean {
  const guest = guestOf(vcpu);
  const open = guest_cpu.if.get(m, guest) === 1;
  if (guest_cpu.sti_blocking.get(m, guest) && !open) return true;
  if (info < INTR_INFO_VALID) return false;
  switch (typeOf(info)) {
    case INTR_TYPE_EXT_INTR:
      return !open || inShadow(m, guest);
    case INTR_TYPE_NMI_INTR:
      return guest_cpu.in_nmi.get(m, guest) === 1 || inShadow(m, guest);
    default:
      return false;
  }
}

/** The instruction after STI or MOV SS has executed. */
export function endShadow(m: Machine, guest: Ref): void {
  guest_cpu.sti_blocking.set(m, guest, 0);
  guest_cpu.mov_ss_blocking.set(m, guest, 0);
}
