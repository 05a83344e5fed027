import type { Ref } from '../../machine/layout';
import { type Machine } from '../../machine/machine';
import { routine } from '../../machine/routine';
import { guest_cpu } from '../../guest/cpu';
import { INTR_INFO_EXTERNAL, INTR_INFO_MCE, INTR_INFO_NMI } from '../../platform/intr_info';
import {
  APIC_ICR_BUSY, APIC_INT_LEVELTRIG, APIC_SELF_IPI, apicOffset, isX2apicMsr, MSR_X2APIC_ICR, SHORTHAND_SELF, x2apicMsr,
} from '../../platform/apic'; // prettier-ignore
import { pcpu, sendIpi, takeIrq } from '../../platform/pcpu';
import { pi_desc, POSTED_INTR_VECTOR } from '../../platform/posted_intr';
import {
  apicOf, COMPLETIONS, guestOf, IN_GUEST_MODE, is_td_vcpu, KVM_REQ_EVENT, kvm, KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_SHUTDOWN, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON, kvm_lapic, KVM_MP_STATE_HALTED,
  kvm_run, kvm_vcpu, kvm_vcpu_stat, kvmOf, variant, variantRef, pidOf, runOf, statOf,
} from '../kvm_host'; // prettier-ignore
import { KVM_BUG_ON, kvm_vcpu_kick, kvm_vcpu_wake_up } from '../kvm_main';
import {
  KVM_EXIT_EXCEPTION, KVM_EXIT_FAIL_ENTRY, KVM_EXIT_X86_RDMSR, KVM_EXIT_X86_WRMSR, run_ex, run_fail_entry, run_msr,
} from '../kvm_run'; // prettier-ignore
import { kvm_can_get_msr, kvm_can_set_msr, kvm_get_msr, kvm_get_msr_high } from '../x86_msr';
import { kvm_x2apic_icr_write } from '../lapic';
import { kvm_lapic_reg_write } from '../lapic_reg';
import { kvm_lapic_timer_write, TIMER_REGISTERS } from '../lapic_timer';
import {
  host_nmi_handled,
  irq_coalesced,
  kvm_apic,
  kvm_apic_accept_irq,
  kvm_apicv_accept_irq,
  kvm_msr,
  page_poisoned,
  smi_handled,
} from '../trace';
import { kvm_vcpu_has_events } from '../x86_events';

/** What a TD and a plain VMX guest share; mirrors arch/x86/kvm/vmx/common.h and the shared parts of vmx.c and x86.c. */

const BUG_SITE_EXTERNAL_INTERRUPT = 1;

/** Exit reasons. @source NUM-11 */
export const EXIT_REASON_EXCEPTION_NMI = 0;
export const EXIT_REASON_EXTERNAL_INTERRUPT = 1;
export const EXIT_REASON_TRIPLE_FAULT = 2;
export const EXIT_REASON_OTHER_SMI = 6;
export const EXIT_REASON_INTERRUPT_WINDOW = 7;
export const EXIT_REASON_NMI_WINDOW = 8;
export const EXIT_REASON_TASK_SWITCH = 9;
export const EXIT_REASON_HLT = 12;
export const EXIT_REASON_MSR_WRITE = 32;
export const EXIT_REASON_TPR_BELOW_THRESHOLD = 43;
export const EXIT_REASON_EOI_INDUCED = 45;
export const EXIT_REASON_TDCALL = 77;
export const EXIT_REASON_CPUID = 10;
export const EXIT_REASON_VMCALL = 18;
export const EXIT_REASON_CR_ACCESS = 28;
export const EXIT_REASON_IO_INSTRUCTION = 30;
export const EXIT_REASON_MSR_READ = 31;
export const EXIT_REASON_MCE_DURING_VMENTRY = 41;
export const EXIT_REASON_APIC_ACCESS = 44;
export const EXIT_REASON_EPT_VIOLATION = 48;
export const EXIT_REASON_EPT_MISCONFIG = 49;
export const EXIT_REASON_PML_FULL = 62;
export const EXIT_REASON_NOTIFY = 75;
/** Bit 31 of the full reason: the entry failed. @source NUM-10 */
export const FAILED_VMENTRY = 0x8000_0000;

/** Exit fastpath. @source NUM-14 */
export const EXIT_FASTPATH_NONE = 0;
export const EXIT_FASTPATH_EXIT_HANDLED = 2;

/** Posts a vector. Three atomic steps: another processor may run between any two of them. */
export const __vmx_deliver_posted_interrupt = routine(
  {
    name: '__vmx_deliver_posted_interrupt',
    layer: 'kvm',
    source: 'PI-10',
    args: ['vcpu', 'low'],
    steps: {
      set_pir: ['Test and set PIR[vector]; already set means that someone else carries on.', 'PI-10'],
      set_on: ['Test and set ON; already set means that a notification is outstanding.', 'PI-10'],
      notify: ['Read vcpu->mode: notify the CPU, or wake the vCPU.', 'PI-11'],
      accepted: ['Trace that the vector was accepted.', 'PI-9'],
    },
  },
  (at) => ({
    set_pir(m, l) {
      const vector = l.low & 0xff;
      if (!pi_desc.pir.testAndSet(m, pidOf(l.vcpu as Ref), vector)) return at.set_on;
      m.emit(irq_coalesced, kvm_vcpu.id.get(m, l.vcpu as Ref), vector);
      return at.accepted;
    },
    set_on(m, l) {
      return pi_desc.on.testAndSet(m, pidOf(l.vcpu as Ref)) ? at.accepted : at.notify;
    },
    notify(m, l) {
      const vcpu = l.vcpu as Ref;
      const self = kvm_vcpu.thread.get(m, vcpu) === m.thread;
      if (kvm_vcpu.mode.get(m, vcpu) !== IN_GUEST_MODE) kvm_vcpu_wake_up(m, vcpu);
      else if (!self) sendIpi(m, kvm_vcpu.cpu.get(m, vcpu) as Ref, POSTED_INTR_VECTOR);
      return at.accepted;
    },
    accepted(m, l) {
      const trigger = l.low & APIC_INT_LEVELTRIG ? 1 : 0;
      m.emit(
        kvm_apicv_accept_irq,
        kvm_vcpu.id.get(m, l.vcpu as Ref),
        l.low & 0xff,
        (l.low >> 8) & 7,
        trigger,
      );
      return m.ret(0);
    },
  }),
);

/** Posts a vector from interrupt context. @source PI-10, PI-11, TMR-3 */
export function deliverPostedInterruptNow(m: Machine, vcpu: Ref, vector: number): void {
  const id = kvm_vcpu.id.get(m, vcpu);
  m.emit(kvm_apic_accept_irq, id, vector, 0, 0);
  const coalesced = pi_desc.pir.testAndSet(m, pidOf(vcpu), vector);
  if (coalesced) m.emit(irq_coalesced, id, vector);
  else if (!pi_desc.on.testAndSet(m, pidOf(vcpu))) {
    if (kvm_vcpu.mode.get(m, vcpu) !== IN_GUEST_MODE) kvm_vcpu_wake_up(m, vcpu);
    else sendIpi(m, kvm_vcpu.cpu.get(m, vcpu) as Ref, POSTED_INTR_VECTOR);
  }
  m.emit(kvm_apicv_accept_irq, id, vector, 0, 0);
}

/** Without APICv a plain guest's vector goes into the IRR, and KVM injects it. @source x86:IRQ-1 */
export const vmx_deliver_interrupt = routine(
  {
    name: 'vmx_deliver_interrupt',
    layer: 'kvm',
    source: 'x86:IRQ-1',
    args: ['vcpu', 'low'],
    steps: {
      choose: [
        'With APICv, or for a TD, post it; else set it in the IRR and raise KVM_REQ_EVENT.',
        'x86:IRQ-1',
      ],
      kicked: ['The vCPU has been kicked.', 'x86:IRQ-1'],
    },
  },
  (at) => ({
    choose(m, l) {
      const vcpu = l.vcpu as Ref;
      if (is_td_vcpu(m, vcpu) || kvm_lapic.apicv_active.get(m, apicOf(vcpu))) {
        return m.tail(__vmx_deliver_posted_interrupt, vcpu, l.low);
      }
      guest_cpu.virr.set(m, guestOf(vcpu), l.low & 0xff);
      kvm_vcpu.requests.set(m, vcpu, KVM_REQ_EVENT);
      return m.call(at.kicked, kvm_vcpu_kick, vcpu);
    },
    kicked: (m) => m.ret(0),
  }),
);

/**
 * Emulates an MSR write, of the guest's WRMSR or TDVMCALL.
 *
 * @returns 0, or 1 when the write is refused; -1 when userspace is asked.
 */
export const kvm_emulate_wrmsr = routine(
  {
    name: 'kvm_emulate_wrmsr',
    layer: 'kvm',
    source: 'PI-32',
    args: ['vcpu', 'msr', 'hi', 'lo'],
    locals: ['known'],
    steps: {
      write: ['Find the register that the MSR stands for and write it.', 'PI-32'],
      done: ['Trace the write.', 'TRC-1'],
    },
  },
  (at) => ({
    write(m, l) {
      const { msr } = l;
      const vcpu = l.vcpu as Ref;
      const low = l.lo >>> 0;
      const wide = isX2apicMsr(msr) && msr !== MSR_X2APIC_ICR && l.hi !== 0; // bits 63:32 are reserved: x86:LAPIC-14
      l.known = !wide && kvm_can_set_msr(m, vcpu, msr >>> 0) ? 1 : 0;
      if (!l.known) return at.done;
      if (isX2apicMsr(msr)) m.emit(kvm_apic, apicOffset(msr), low);
      if (TIMER_MSRS.includes(msr)) return m.call(at.done, kvm_lapic_timer_write, vcpu, msr, low);
      if (msr === MSR_X2APIC_ICR) return m.call(at.done, kvm_x2apic_icr_write, vcpu, l.hi, low);
      if (msr === MSR_SELF_IPI && low <= 0xff)
        return m.call(at.done, kvm_x2apic_icr_write, vcpu, 0, (SHORTHAND_SELF << 18) | low);
      if (isX2apicMsr(msr)) l.known = 1 - kvm_lapic_reg_write(m, vcpu, apicOffset(msr), low);
      return at.done;
    },
    done(m, l) {
      const refused = !l.known || (l.msr === MSR_X2APIC_ICR && m.retval !== 0) ? 1 : 0;
      if (refused && msrToUserspace(m, l.vcpu as Ref, l.msr, true, l.hi, l.lo)) return m.ret(-1);
      if (l.msr === MSR_X2APIC_ICR && !refused)
        kvm_lapic.icr.set(m, apicOf(l.vcpu as Ref), l.hi, l.lo & ~APIC_ICR_BUSY);
      m.emit(kvm_msr, l.msr, l.hi, l.lo, refused);
      return m.ret(refused);
    },
  }),
);
const MSR_SELF_IPI = x2apicMsr(APIC_SELF_IPI);

/** Outcome of an MSR read: refused, done with the value in `msrValue`, or handed to userspace. */
export const MSR_REFUSED = 1;
export const MSR_DONE = 0;
export const MSR_TO_USERSPACE = -1;
/** Halves of the value that `kvm_emulate_rdmsr` has just read. */
export let msrValue = 0;
export let msrValueHigh = 0;

/** Emulates an MSR read. @source PI-34, TMR-20 */
export function kvm_emulate_rdmsr(m: Machine, vcpu: Ref, msr: number): number {
  msrValue = 0;
  msrValueHigh = 0;
  if (!kvm_can_get_msr(m, vcpu, msr)) {
    if (msrToUserspace(m, vcpu, msr, false, 0, 0)) return MSR_TO_USERSPACE;
    m.emit(kvm_msr, msr, 0, 0, 1, 1);
    return MSR_REFUSED;
  }
  msrValue = kvm_get_msr(m, vcpu, msr);
  msrValueHigh = kvm_get_msr_high(m, vcpu, msr);
  if (isX2apicMsr(msr)) m.emit(kvm_apic, apicOffset(msr), msrValue, 1);
  m.emit(kvm_msr, msr, msrValueHigh, msrValue, 0, 1);
  return MSR_DONE;
}

/** With KVM_CAP_X86_USER_SPACE_MSR a refused access goes to userspace. @source NUM-2; x86.c: kvm_msr_user_space */
function msrToUserspace(m: Machine, vcpu: Ref, msr: number, write: boolean, hi: number, lo: number): boolean {
  if (!(kvm.user_space_msr.get(m, kvmOf(m, vcpu)) & KVM_MSR_EXIT_REASON_INVAL)) return false;
  const to = kvm_run.msr.at(runOf(vcpu));
  run_msr.error.set(m, to, 0);
  run_msr.reason.set(m, to, KVM_MSR_EXIT_REASON_INVAL);
  run_msr.index.set(m, to, msr);
  run_msr.data.set(m, to, hi, lo);
  kvm_run.exit_reason.set(m, runOf(vcpu), write ? KVM_EXIT_X86_WRMSR : KVM_EXIT_X86_RDMSR);
  kvm_vcpu.complete_userspace_io.set(m, vcpu, COMPLETIONS.indexOf(write ? 'WRMSR' : 'RDMSR'));
  return true;
}
export const KVM_MSR_EXIT_REASON_INVAL = 1;

/** The host's machine-check handler keeps the page out of circulation for good. @source tdx:SMI-14 */
export function kvm_machine_check(m: Machine, vcpu: Ref): void {
  const vm = kvmOf(m, vcpu);
  kvm.poisoned_pages.set(m, vm, kvm.poisoned_pages.get(m, vm) + 1);
  m.emit(page_poisoned, pcpu.index.get(m, kvm_vcpu.cpu.get(m, vcpu) as Ref));
}

/** A triple fault goes to userspace. @source EXIT-7 */
export function handle_triple_fault(m: Machine, vcpu: Ref): number {
  kvm_run.exit_reason.set(m, runOf(vcpu), KVM_EXIT_SHUTDOWN);
  return 0;
}

const TIMER_MSRS: readonly number[] = [
  TIMER_REGISTERS.TMICT,
  TIMER_REGISTERS.TDCR,
  TIMER_REGISTERS.TSC_DEADLINE,
];

/** The guest halted: HALTED, unless an event is there already. Stays in KVM_RUN. @source HLT-4 */
export function kvm_emulate_halt_noskip(m: Machine, vcpu: Ref): number {
  const stat = statOf(vcpu);
  kvm_vcpu_stat.halt_exits.set(m, stat, kvm_vcpu_stat.halt_exits.get(m, stat) + 1);
  if (!kvm_vcpu_has_events(m, vcpu)) kvm_vcpu.mp_state.set(m, vcpu, KVM_MP_STATE_HALTED);
  return 1;
}

/** An exit KVM has no case for: KVM_EXIT_INTERNAL_ERROR with the raw reason. @source EXIT-11 */
export function unhandled_exit(m: Machine, vcpu: Ref, hi: number, lo: number): number {
  const run = runOf(vcpu);
  kvm_run.exit_reason.set(m, run, KVM_EXIT_INTERNAL_ERROR);
  kvm_run.suberror.set(m, run, KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON);
  kvm_run.ndata.set(m, run, 2);
  kvm_run.data0.set(m, run, hi, lo);
  kvm_run.data1.set(m, run, 0, pcpu.index.get(m, kvm_vcpu.cpu.get(m, vcpu) as Ref));
  return 0;
}

/** Calls the host NMI handler for an NMI that caused the exit, still in noinstr code. @source tdx:NMI-21, tdx:NMI-22 */
export const vmx_handle_nmi = routine(
  {
    name: 'vmx_handle_nmi',
    layer: 'kvm',
    source: 'tdx:NMI-22',
    args: ['vcpu'],
    steps: {
      enter: ['Mark the interrupted context as guest, enter the host NMI handler.', 'tdx:NMI-22'],
      handler: ['The handler runs; a further NMI waits or nests.', 'tdx:NMI-26'],
      leave: ['IRET or ERETS: NMIs are unblocked; one that waited is handled now.', 'tdx:NMI-24'],
    },
  },
  (at) => ({
    enter(m, l) {
      const cpu = kvm_vcpu.cpu.get(m, l.vcpu as Ref) as Ref;
      pcpu.nmi_depth.set(m, cpu, 1);
      pcpu.nmis.set(m, cpu, pcpu.nmis.get(m, cpu) + 1);
      m.emit(host_nmi_handled, pcpu.index.get(m, cpu), variant.fred.get(m, variantRef(m)));
      return at.handler;
    },
    handler: () => at.leave,
    leave(m, l) {
      const cpu = kvm_vcpu.cpu.get(m, l.vcpu as Ref) as Ref;
      pcpu.nmi_depth.set(m, cpu, 0);
      pcpu.nmi_blocked.set(m, cpu, 0);
      if (!pcpu.nmi_pending.get(m, cpu)) return m.ret(0);
      pcpu.nmi_pending.set(m, cpu, 0);
      pcpu.nmi_blocked.set(m, cpu, 1);
      return at.enter;
    },
  }),
);

/** Whether the exit was caused by an NMI of the host. */
export function exitedByNmi(m: Machine, vcpu: Ref): boolean {
  const nmi = kvm_vcpu.intr_info.get(m, vcpu) === INTR_INFO_NMI;
  return nmi && kvm_vcpu.last_exit.get(m, vcpu) === EXIT_REASON_EXCEPTION_NMI;
}

/** The host takes an SMI that has waited; one that stands for a machine check reaches its handler. @source tdx:SMI-10, TDXM-MC-14 */
export function hostTakesSmi(m: Machine, cpu: Ref): void {
  if (!pcpu.smi_pending.get(m, cpu)) return;
  m.emit(smi_handled, pcpu.index.get(m, cpu));
  const t = pcpu.thread.get(m, cpu);
  const vcpu = m.vcpus.find((ref) => kvm_vcpu.thread.get(m, ref) === t);
  if (pcpu.msmi.get(m, cpu) && vcpu !== undefined) kvm_machine_check(m, vcpu);
  pcpu.smi_pending.set(m, cpu, 0);
  pcpu.msmi.set(m, cpu, 0);
}

/** The host takes an NMI outside every handler of one. @source tdx:NMI-21 */
export function hostTakesNmi(m: Machine, cpu: Ref): void {
  pcpu.nmis.set(m, cpu, pcpu.nmis.get(m, cpu) + 1);
  m.emit(host_nmi_handled, pcpu.index.get(m, cpu), variant.fred.get(m, variantRef(m)));
}

/**
 * Stage B, interrupts off: the interrupt that caused the exit, a machine check. An SMI that waited is taken by the
 * hardware as soon as the CPU is back in the host.
 *
 * @source EXIT-3, EXIT-17, tdx:SMI-10, tdx:SMI-14
 */
export function vmx_handle_exit_irqoff(m: Machine, vcpu: Ref): void {
  const cpu = kvm_vcpu.cpu.get(m, vcpu) as Ref;
  hostTakesSmi(m, cpu);
  if (kvm_vcpu.intr_info.get(m, vcpu) === INTR_INFO_MCE) kvm_machine_check(m, vcpu);
  if (kvm_vcpu.last_exit.get(m, vcpu) !== EXIT_REASON_EXTERNAL_INTERRUPT) return;
  const info = kvm_vcpu.intr_info.get(m, vcpu);
  if (info >>> 8 !== INTR_INFO_EXTERNAL >>> 8) {
    KVM_BUG_ON(m, kvmOf(m, vcpu), BUG_SITE_EXTERNAL_INTERRUPT); // EXIT-4
    return;
  }
  const stat = statOf(vcpu);
  kvm_vcpu_stat.irq_exits.set(m, stat, kvm_vcpu_stat.irq_exits.get(m, stat) + 1);
  takeIrq(m, cpu, info & 0xff);
  kvm_vcpu.at_instruction_boundary.set(m, vcpu, 1);
}

/** A failed entry: KVM_EXIT_FAIL_ENTRY with the full reason. @source EXIT-10 */
export function fail_entry(m: Machine, vcpu: Ref): number {
  const run = runOf(vcpu);
  const to = kvm_run.fail_entry.at(run);
  kvm_run.exit_reason.set(m, run, KVM_EXIT_FAIL_ENTRY);
  run_fail_entry.hardware_entry_failure_reason.set(m, to, 0, kvm_vcpu.exit_reason.get(m, vcpu));
  run_fail_entry.cpu.set(m, to, pcpu.index.get(m, kvm_vcpu.cpu.get(m, vcpu) as Ref));
  return 0;
}

/** Interruption type, bits 10:8, of an NMI. */
export function is_nmi(info: number): boolean {
  return (info & 0x700) === 0x200;
}

/** An exception that nobody asked for goes to userspace. @source EXIT-12 */
export function exception_exit(m: Machine, vcpu: Ref): number {
  const to = kvm_run.ex.at(runOf(vcpu));
  kvm_run.exit_reason.set(m, runOf(vcpu), KVM_EXIT_EXCEPTION);
  run_ex.exception.set(m, to, kvm_vcpu.intr_info.get(m, vcpu) & 0xff);
  run_ex.error_code.set(m, to, 0);
  return 0;
}
