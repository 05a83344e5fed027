import type { Ref } from '../../machine/layout';
import { thread, type Machine } from '../../machine/machine';
import { E, routine } from '../../machine/routine';
import { guest_cpu, vmxip } from '../../guest/cpu';
import { endShadow } from '../../guest/events';
import { guest_run } from '../../guest/run';
import { MSR_IA32_APICBASE_ENABLE, X2APIC_ENABLE } from '../../platform/apic';
import { INTR_INFO_MCE, INTR_INFO_UD, INTR_INFO_VALID } from '../../platform/intr_info';
import { HOST_KERNEL, pcpu, sendIpi, VMX_NON_ROOT } from '../../platform/pcpu';
import { pi_desc, RESCHEDULE_VECTOR } from '../../platform/posted_intr';
import {
  apicOf,
  CPU_BASED_HLT_EXITING,
  CPU_BASED_INTR_WINDOW_EXITING,
  CPU_BASED_NMI_WINDOW_EXITING,
  CPU_BASED_TPR_SHADOW,
  guestOf,
  guestStateOf,
  kvm,
  kvm_lapic,
  kvm_regs,
  KVM_EXIT_SET_TPR,
  KVM_EXIT_INTERNAL_ERROR,
  KVM_INTERNAL_ERROR_DELIVERY_EV,
  KVM_REQ_EVENT,
  KVM_REQ_TRIPLE_FAULT,
  kvm_run,
  kvm_vcpu,
  kvm_vcpu_stat,
  kvmOf,
  pidOf,
  PIN_BASED_EXT_INTR,
  PIN_BASED_NMI_EXITING,
  PIN_BASED_POSTED_INTR,
  PIN_BASED_VIRTUAL_NMIS,
  regsOf,
  runOf,
  statOf,
  vmcs,
  vmcs_guest_state,
  type Completion,
  vmcsOf,
} from '../kvm_host';
import { apic_update_ppr, kvm_apic_set_eoi_accelerated } from '../lapic_reg';
import { kvm_wait_lapic_expire } from '../lapic_timer';
import { emulator_leave_smm } from '../smm';
import * as trace from '../trace';
import {
  EXIT_REASON_CR_ACCESS, EXIT_REASON_EOI_INDUCED, EXIT_REASON_TPR_BELOW_THRESHOLD, EXIT_REASON_EXCEPTION_NMI, EXIT_REASON_EXTERNAL_INTERRUPT, EXIT_REASON_INTERRUPT_WINDOW, EXIT_REASON_NMI_WINDOW, EXIT_REASON_OTHER_SMI, EXIT_REASON_TRIPLE_FAULT, exitedByNmi, handle_triple_fault, vmx_handle_nmi, EXIT_REASON_HLT, EXIT_REASON_MSR_WRITE, EXIT_REASON_CPUID, EXIT_REASON_MSR_READ, EXIT_REASON_IO_INSTRUCTION, EXIT_REASON_EPT_MISCONFIG, EXIT_REASON_EPT_VIOLATION, EXIT_REASON_VMCALL, FAILED_VMENTRY, exception_exit, fail_entry, is_nmi, kvm_emulate_rdmsr, MSR_TO_USERSPACE, msrValue, msrValueHigh, kvm_emulate_halt_noskip, kvm_emulate_wrmsr, unhandled_exit, EXIT_REASON_APIC_ACCESS, EXIT_REASON_MCE_DURING_VMENTRY, EXIT_REASON_NOTIFY, EXIT_REASON_PML_FULL, EXIT_REASON_TASK_SWITCH, MSR_REFUSED, kvm_machine_check,
} from './common'; // prettier-ignore
import { KVM_BUG_ON } from '../kvm_main';
import { run_io, run_mmio, run_msr } from '../kvm_run';
import { kvm_mmu_page_fault } from '../mmu';
import { kvm_cpuid } from '../x86_cpuid';
import { lapic_in_kernel } from '../x86_events';
import { kvm_inject_gp, kvm_queue_exception } from '../x86_exceptions';
import { pi_has_pending_interrupt } from './posted_intr';
import { exitForIo, exitForMmio } from './tdvmcall';
import {
  blockNmisAgain, enable_vnmi, guessEndOfNmi, noteEntryTime, vmx_complete_interrupts, vmx_recover_nmi_blocking,
} from './vmx_events'; // prettier-ignore

/** Mirrors arch/x86/kvm/vmx/vmx.c, for plain guests with APICv. */

/** CR0.NW and CD, and ET, which is always set. @source x86:SIPI-16 */
const CR0_CACHE = 0x6000_0000;
const CR0_ET = 0x10;

/** What the registers are after a reset; INIT keeps the cache bits. @source x86:SIPI-16; vmx.c: vmx_vcpu_reset */
function resetGuestState(m: Machine, vcpu: Ref, init_event: boolean): void {
  const state = guestStateOf(vcpu);
  const cache = init_event ? vmcs_guest_state.cr0.get(m, state) & CR0_CACHE : CR0_CACHE;
  vmcs_guest_state.cr0.set(m, state, cache | CR0_ET);
  vmcs_guest_state.cr4.set(m, state, 0);
  vmcs_guest_state.efer.set(m, state, 0);
  vmcs_guest_state.dr7.set(m, state, 0x400);
  vmcs_guest_state.idt_base.set(m, state, 0);
  vmcs_guest_state.ds_selector.set(m, state, 0);
  vmcs_guest_state.ds_base.set(m, state, 0);
  for (const limit of [vmcs_guest_state.idt_limit, vmcs_guest_state.cs_limit, vmcs_guest_state.ds_limit])
    limit.set(m, state, 0xffff);
}

/** The controls with which a vCPU begins; INIT leaves them. @source x86:VMX-1, x86:VMX-2, x86:VMX-7 */
function init_vmcs(m: Machine, vcpu: Ref): void {
  const { pin_based, cpu_based } = vmcs;
  const ref = vmcsOf(vcpu);
  pin_based.clearAll(m, ref);
  pin_based.set(m, ref, PIN_BASED_EXT_INTR);
  pin_based.set(m, ref, PIN_BASED_NMI_EXITING);
  if (enable_vnmi(m)) pin_based.set(m, ref, PIN_BASED_VIRTUAL_NMIS);
  vmx_refresh_apicv_exec_ctrl(m, vcpu);
  cpu_based.clearAll(m, ref);
  if (lapic_in_kernel(m, vcpu)) cpu_based.set(m, ref, CPU_BASED_TPR_SHADOW);
  if (!kvm.hlt_in_guest.get(m, kvmOf(m, vcpu))) cpu_based.set(m, ref, CPU_BASED_HLT_EXITING);
}

/** Posted interrupts are processed while APICv is active. @source x86:VMX-1, x86:IRQ-14 */
export function vmx_refresh_apicv_exec_ctrl(m: Machine, vcpu: Ref): void {
  const active = kvm_lapic.apicv_active.get(m, apicOf(vcpu)) === 1;
  if (active) vmcs.pin_based.set(m, vmcsOf(vcpu), PIN_BASED_POSTED_INTR);
  else vmcs.pin_based.clear(m, vmcsOf(vcpu), PIN_BASED_POSTED_INTR);
}

/** INIT throws away what the guest was doing; the guest's interrupts are disabled. @source x86:SIPI-16 */
export function vmx_vcpu_reset(m: Machine, vcpu: Ref, init_event: boolean): void {
  const guest = guestOf(vcpu);
  guest_cpu.op.set(m, guest, 0);
  guest_cpu.if.set(m, guest, 0);
  guest_cpu.virr.clearAll(m, guest);
  guest_cpu.visr.clearAll(m, guest);
  guest_cpu.tpr.set(m, guest, 0);
  resetGuestState(m, vcpu, init_event);
  vmcs.tpr_threshold.set(m, vmcsOf(vcpu), 0);
  guest_cpu.in_nmi.set(m, guest, 0); // the reset unblocks NMIs: x86:VMX-22
  guest_cpu.nmi_depth.set(m, guest, 0);
  guest_cpu.saved_if.set(m, guest, 0);
  endShadow(m, guest);
  vmcs.entry_intr_info.set(m, vmcsOf(vcpu), 0);
  if (!init_event) {
    init_vmcs(m, vcpu);
    return;
  }
  guest_cpu.started.set(m, guest, 0);
  guest_cpu.resets.set(m, guest, guest_cpu.resets.get(m, guest) + 1);
}

/** Whether a virtual interrupt could be taken now. @source HLT-5 */
export function vmx_has_interrupt(m: Machine, vcpu: Ref): boolean {
  const guest = guestOf(vcpu);
  if (!guest_cpu.if.get(m, guest)) return false;
  return pi_has_pending_interrupt(m, vcpu) || vmxip(m, guest);
}

/**
 * PIR becomes part of the virtual IRR; ON is cleared. Without APICv nobody but KVM looks at the IRR, so that it must when
 * the highest vector has just come.
 *
 * @source x86:IRQ-11, x86:IRQ-15
 */
export function vmx_sync_pir_to_irr(m: Machine, vcpu: Ref): void {
  if (!pi_desc.on.get(m, pidOf(vcpu))) return;
  const posted = pi_desc.pir.highest(m, pidOf(vcpu));
  pi_desc.on.set(m, pidOf(vcpu), 0);
  guest_cpu.virr.take(m, guestOf(vcpu), pi_desc.pir, pidOf(vcpu));
  const got = posted >= 0 && guest_cpu.virr.highest(m, guestOf(vcpu)) === posted;
  if (got && !kvm_lapic.apicv_active.get(m, apicOf(vcpu))) kvm_vcpu.requests.set(m, vcpu, KVM_REQ_EVENT);
}

/** Whether the timer vector is in the ISR, or with APICv in the IRR. @source TMR-11 */
export function vmx_timer_int_injected(m: Machine, vcpu: Ref): boolean {
  const vector = kvm_lapic.lvtt.get(m, apicOf(vcpu)) & 0xff;
  const guest = guestOf(vcpu);
  return guest_cpu.visr.test(m, guest, vector) === 1 || guest_cpu.virr.test(m, guest, vector) === 1;
}

/** The EOI of these vectors exits; without APICv every EOI does. @source x86:IRQ-13 */
export function vmx_load_eoi_exitmap(m: Machine, vcpu: Ref): void {
  if (!kvm_lapic.apicv_active.get(m, apicOf(vcpu))) return;
  vmcs.eoi_exit_bitmap.copy(m, vmcsOf(vcpu), kvm_lapic.ioapic_handled_vectors, apicOf(vcpu));
}

/** MOV to CR8 exits where the local APIC is userspace's, which is told when the value falls. @source x86:UAPI-1; vmx.c: handle_cr */
function handle_mov_cr8(m: Machine, vcpu: Ref): 0 | 1 {
  const guest = guestOf(vcpu);
  const before = guest_cpu.tpr.get(m, guest);
  const after = (guest_cpu.value.lo(m, guest) & 0xf) << 4;
  guest_cpu.tpr.set(m, guest, after);
  if (before <= after) return 1;
  kvm_run.exit_reason.set(m, runOf(vcpu), KVM_EXIT_SET_TPR);
  return 0;
}

const UD_VECTOR = 6;
/** RSM is #UD outside the SMM of the hardware, in which no guest is: KVM emulates it. @source x86:SMI-13; vmx.c: handle_ud */
function emulateRsm(m: Machine, vcpu: Ref): 1 {
  guest_cpu.rsm.set(m, guestOf(vcpu), 0);
  if (!kvm_vcpu.smm.get(m, vcpu)) kvm_queue_exception(m, vcpu, UD_VECTOR);
  else if (!emulator_leave_smm(m, vcpu)) kvm_vcpu.requests.set(m, vcpu, KVM_REQ_TRIPLE_FAULT);
  return 1;
}

/**
 * Arms the TPR threshold while the highest vector in the IRR waits behind the TPR, so that lowering it exits.
 *
 * @source x86:IRQ-8; x86.c: update_cr8_intercept
 */
export function vmx_update_cr8_intercept(m: Machine, vcpu: Ref): void {
  const guest = guestOf(vcpu);
  const irr = guest_cpu.virr.highest(m, guest) >> 4;
  const waits = irr >= 0 && guest_cpu.tpr.get(m, guest) >> 4 >= irr;
  vmcs.tpr_threshold.set(m, vmcsOf(vcpu), waits ? irr : 0);
}

/** Enters the guest and comes back with the exit. */
export const vmx_vcpu_run = routine(
  {
    name: 'vmx_vcpu_run',
    layer: 'kvm',
    source: 'arch/x86/kvm/vmx/vmx.c',
    args: ['vcpu', 'immediate_exit'],
    steps: {
      entry: ['Trace the entry; a forced immediate exit is an interrupt that already waits.', 'TRC-1'],
      vmenter: ['VM entry: the CPU enters VMX non-root mode.', 'SDM'],
      vmexit: ['VM exit: back in the host; a host NMI is handled here.', 'x86:VMX-18'],
      traced: ['Trace the exit; was the event of the entry delivered?', 'x86:VMX-15'],
    },
  },
  (at) => ({
    entry(m, l) {
      const vcpu = l.vcpu as Ref;
      if (l.immediate_exit) sendIpi(m, kvm_vcpu.cpu.get(m, vcpu) as Ref, RESCHEDULE_VECTOR);
      m.emit(trace.kvm_entry, kvm_vcpu.id.get(m, vcpu), kvm_regs.rip.get(m, regsOf(vcpu)));
      kvm_wait_lapic_expire(m, vcpu);
      noteEntryTime(m, vcpu);
      return at.vmenter;
    },
    vmenter(m, l) {
      const apic = apicOf(l.vcpu as Ref);
      pcpu.context.set(m, thread.cpu.get(m, m.thread) as Ref, VMX_NON_ROOT);
      const base = kvm_lapic.base.get(m, apic);
      if (base & MSR_IA32_APICBASE_ENABLE) kvm_lapic.base.set(m, apic, base | X2APIC_ENABLE); // the firmware does this first
      const vcpu = l.vcpu as Ref;
      vmcs.idt_vectoring_info.set(m, vmcsOf(vcpu), 0);
      return m.call(at.vmexit, guest_run, vcpu, vmcs.entry_intr_info.get(m, vmcsOf(vcpu)));
    },
    vmexit(m, l) {
      const vcpu = l.vcpu as Ref;
      pcpu.context.set(m, thread.cpu.get(m, m.thread) as Ref, HOST_KERNEL);
      kvm_vcpu.last_exit.set(m, vcpu, m.retval & 0xffff);
      kvm_vcpu.exit_reason.set(m, vcpu, m.retval >>> 0);
      return exitedByNmi(m, vcpu) ? m.call(at.traced, vmx_handle_nmi, vcpu) : at.traced;
    },
    traced(m, l) {
      const vcpu = l.vcpu as Ref;
      if (kvm_vcpu.last_exit.get(m, vcpu) === EXIT_REASON_MCE_DURING_VMENTRY) kvm_machine_check(m, vcpu); // x86:VMX-20
      const rip = kvm_regs.rip.get(m, regsOf(vcpu));
      const intr_info = kvm_vcpu.intr_info.get(m, vcpu);
      const full = kvm_vcpu.exit_reason.get(m, vcpu);
      const reason = (full & 0xffff) + (full >= FAILED_VMENTRY ? trace.FAILED : 0);
      const qualification = vmcs.exit_qualification.get(m, vmcsOf(vcpu));
      const vectoring = vmcs.idt_vectoring_info.get(m, vmcsOf(vcpu));
      m.emit(trace.kvm_exit, kvm_vcpu.id.get(m, vcpu), reason, rip, qualification, intr_info, vectoring);
      if (full >= FAILED_VMENTRY) return m.ret(0);
      vmx_recover_nmi_blocking(m, vcpu);
      vmx_complete_interrupts(m, vcpu);
      return m.ret(0);
    },
  }),
);

/** Exits that may interrupt the delivery of an event; after any other KVM does not know how to go on. @source x86:VMX-21 */
const MAY_INTERRUPT_DELIVERY: readonly number[] = [
  EXIT_REASON_EXCEPTION_NMI,
  EXIT_REASON_EPT_VIOLATION,
  EXIT_REASON_EPT_MISCONFIG,
  EXIT_REASON_PML_FULL,
  EXIT_REASON_APIC_ACCESS,
  EXIT_REASON_TASK_SWITCH,
  EXIT_REASON_NOTIFY,
];
const BUG_SITE_NMI_WINDOW = 7;

/** KVM_INTERNAL_ERROR_DELIVERY_EV, with what was delivered and the exit. @source x86:VMX-21; kvm_prepare_event_vectoring_exit */
function event_vectoring_exit(m: Machine, vcpu: Ref): number {
  const run = runOf(vcpu);
  kvm_run.exit_reason.set(m, run, KVM_EXIT_INTERNAL_ERROR);
  kvm_run.suberror.set(m, run, KVM_INTERNAL_ERROR_DELIVERY_EV);
  kvm_run.ndata.set(m, run, 5);
  kvm_run.data0.set(m, run, 0, vmcs.idt_vectoring_info.get(m, vmcsOf(vcpu)));
  kvm_run.data1.set(m, run, 0, kvm_vcpu.exit_reason.get(m, vcpu));
  return 0;
}

/** Answers 1, 0 or an errno. */
export const vmx_handle_exit = routine(
  {
    name: 'vmx_handle_exit',
    layer: 'kvm',
    source: 'arch/x86/kvm/vmx/vmx.c',
    args: ['vcpu', 'fastpath'],
    steps: {
      dispatch: ['Call the handler of the exit reason.', 'x86:UAPI-5'],
      wrmsr_done: ['Skip the instruction; stay in KVM_RUN.', 'x86:LAPIC-14'],
    },
  },
  (at) => ({
    dispatch(m, l) {
      const vcpu = l.vcpu as Ref;
      const reason = kvm_vcpu.last_exit.get(m, vcpu);
      if (kvm_vcpu.exit_reason.get(m, vcpu) >= FAILED_VMENTRY) return m.ret(fail_entry(m, vcpu));
      const vectoring = vmcs.idt_vectoring_info.get(m, vmcsOf(vcpu)) >= INTR_INFO_VALID;
      if (vectoring && !MAY_INTERRUPT_DELIVERY.includes(reason)) return m.ret(event_vectoring_exit(m, vcpu));
      guessEndOfNmi(m, vcpu);
      switch (reason) {
        case EXIT_REASON_EXCEPTION_NMI: {
          const info = kvm_vcpu.intr_info.get(m, vcpu);
          if (info === INTR_INFO_UD && guest_cpu.rsm.get(m, guestOf(vcpu))) return m.ret(emulateRsm(m, vcpu));
          return m.ret(is_nmi(info) || info === INTR_INFO_MCE ? 1 : exception_exit(m, vcpu));
        }
        case EXIT_REASON_EXTERNAL_INTERRUPT:
        case EXIT_REASON_OTHER_SMI:
        case EXIT_REASON_MCE_DURING_VMENTRY:
          return m.ret(1);
        case EXIT_REASON_CPUID:
          guest_cpu.r14.set(m, guestOf(vcpu), 0, kvm_cpuid(m, vcpu, guest_cpu.r12.lo(m, guestOf(vcpu))));
          return m.ret(1);
        case EXIT_REASON_MSR_READ: {
          const how = kvm_emulate_rdmsr(m, vcpu, guest_cpu.ecx.get(m, guestOf(vcpu)));
          guest_cpu.value.set(m, guestOf(vcpu), msrValueHigh, msrValue);
          if (how === MSR_REFUSED) kvm_inject_gp(m, vcpu);
          return m.ret(how === MSR_TO_USERSPACE ? 0 : 1);
        }
        case EXIT_REASON_IO_INSTRUCTION: {
          const guest = guestOf(vcpu);
          const { r12, r13, r14, r15 } = guest_cpu;
          const port = r14.lo(m, guest) & 0xffff;
          return m.ret(exitForIo(m, vcpu, r13.lo(m, guest), r12.lo(m, guest), port, r15.lo(m, guest)));
        }
        case EXIT_REASON_EPT_MISCONFIG: {
          if (vectoring) return m.ret(event_vectoring_exit(m, vcpu)); // MMIO cannot be emulated in the middle of a delivery
          const guest = guestOf(vcpu);
          const { r12, r13, r14, r15 } = guest_cpu;
          const [write, size] = [r13.lo(m, guest), r12.lo(m, guest)];
          return m.ret(
            exitForMmio(
              m,
              vcpu,
              write,
              size,
              r14.hi(m, guest),
              r14.lo(m, guest),
              r15.hi(m, guest),
              r15.lo(m, guest),
            ),
          );
        }
        case EXIT_REASON_VMCALL:
          return m.ret(1); // no paravirtual feature is on: -KVM_ENOSYS
        case EXIT_REASON_APIC_ACCESS: // emulated, and the event is injected again
          return m.ret(1);
        case EXIT_REASON_PML_FULL:
        case EXIT_REASON_NOTIFY:
          blockNmisAgain(m, vcpu);
          return m.ret(1);
        case EXIT_REASON_EPT_VIOLATION:
          blockNmisAgain(m, vcpu);
          return m.tail(kvm_mmu_page_fault, vcpu, 0);
        case EXIT_REASON_TRIPLE_FAULT:
          return m.ret(handle_triple_fault(m, vcpu));
        case EXIT_REASON_INTERRUPT_WINDOW: {
          const stat = statOf(vcpu);
          vmcs.cpu_based.clear(m, vmcsOf(vcpu), CPU_BASED_INTR_WINDOW_EXITING);
          kvm_vcpu_stat.irq_window_exits.set(m, stat, kvm_vcpu_stat.irq_window_exits.get(m, stat) + 1);
          kvm_vcpu.requests.set(m, vcpu, KVM_REQ_EVENT);
          return m.ret(1);
        }
        case EXIT_REASON_NMI_WINDOW: {
          if (!enable_vnmi(m)) {
            KVM_BUG_ON(m, kvmOf(m, vcpu), BUG_SITE_NMI_WINDOW);
            return m.ret(E('EIO'));
          }
          const stat = statOf(vcpu);
          vmcs.cpu_based.clear(m, vmcsOf(vcpu), CPU_BASED_NMI_WINDOW_EXITING);
          kvm_vcpu_stat.nmi_window_exits.set(m, stat, kvm_vcpu_stat.nmi_window_exits.get(m, stat) + 1);
          kvm_vcpu.requests.set(m, vcpu, KVM_REQ_EVENT);
          return m.ret(1);
        }
        case EXIT_REASON_CR_ACCESS:
          return m.ret(handle_mov_cr8(m, vcpu));
        case EXIT_REASON_TPR_BELOW_THRESHOLD: // the guest lowered its TPR: x86:IRQ-8
          apic_update_ppr(m, vcpu);
          return m.ret(1);
        case EXIT_REASON_EOI_INDUCED:
          kvm_apic_set_eoi_accelerated(m, vcpu, guest_cpu.eoi_vector.get(m, guestOf(vcpu)));
          return m.ret(1);
        case EXIT_REASON_HLT:
          return m.ret(kvm_emulate_halt_noskip(m, vcpu));
        case EXIT_REASON_MSR_WRITE:
          return m.call(
            at.wrmsr_done,
            kvm_emulate_wrmsr,
            vcpu,
            guest_cpu.ecx.get(m, guestOf(vcpu)),
            guest_cpu.edx_eax.hi(m, guestOf(vcpu)),
            guest_cpu.edx_eax.lo(m, guestOf(vcpu)),
          );
        default:
          return m.ret(unhandled_exit(m, vcpu, 0, reason));
      }
    },
    wrmsr_done(m, l) {
      if (m.retval === MSR_REFUSED) kvm_inject_gp(m, l.vcpu as Ref);
      return m.ret(m.retval === MSR_TO_USERSPACE ? 0 : 1);
    },
  }),
);

/** What userspace has read for a plain guest goes into its operands. @returns 1. @source RUN-3 */
export function vmx_complete_userspace_io(m: Machine, vcpu: Ref, what: Completion): 1 {
  const guest = guestOf(vcpu);
  const run = runOf(vcpu);
  if (what === 'PIO_IN') guest_cpu.r11.set(m, guest, 0, run_io.data.get(m, kvm_run.io.at(run)));
  if (what === 'MMIO_READ') {
    const mmio = kvm_run.mmio.at(run);
    guest_cpu.r11.set(m, guest, run_mmio.data.hi(m, mmio), run_mmio.data.lo(m, mmio));
  }
  const msr = kvm_run.msr.at(run);
  if (what === 'RDMSR' || what === 'WRMSR') {
    if (run_msr.error.get(m, msr)) kvm_inject_gp(m, vcpu);
  }
  if (what === 'RDMSR' && !run_msr.error.get(m, msr)) {
    guest_cpu.value.set(m, guest, run_msr.data.hi(m, msr), run_msr.data.lo(m, msr));
  }
  return 1;
}
