import type { Ref } from '../../machine/layout';
import { thread, type Machine } from '../../machine/machine';
import { routine } from '../../machine/routine';
import { guest_cpu, vmxip } from '../../guest/cpu';
import { guest_run, INTR_INFO_EXTERNAL, INTR_INFO_MCE, INTR_INFO_NMI, INTR_INFO_UD } from '../../guest/run';
import { MSR_IA32_APICBASE_ENABLE, X2APIC_ENABLE } from '../../platform/apic';
import { HOST_KERNEL, pcpu, sendIpi, VMX_NON_ROOT } from '../../platform/pcpu';
import { pi_desc, RESCHEDULE_VECTOR } from '../../platform/posted_intr';
import {
  apicOf,
  guestOf,
  guestStateOf,
  kvm_lapic,
  kvm_regs,
  KVM_EXIT_SET_TPR,
  KVM_REQ_EVENT,
  KVM_REQ_TRIPLE_FAULT,
  kvm_run,
  kvm_vcpu,
  kvm_vcpu_stat,
  pidOf,
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
  EXIT_REASON_CR_ACCESS, EXIT_REASON_EOI_INDUCED, EXIT_REASON_TPR_BELOW_THRESHOLD, EXIT_REASON_EXCEPTION_NMI, EXIT_REASON_EXTERNAL_INTERRUPT, EXIT_REASON_INTERRUPT_WINDOW, EXIT_REASON_NMI_WINDOW, EXIT_REASON_OTHER_SMI, EXIT_REASON_TRIPLE_FAULT, exitedByNmi, handle_triple_fault, vmx_handle_nmi, EXIT_REASON_HLT, EXIT_REASON_MSR_WRITE, EXIT_REASON_CPUID, EXIT_REASON_MSR_READ, EXIT_REASON_IO_INSTRUCTION, EXIT_REASON_EPT_MISCONFIG, EXIT_REASON_EPT_VIOLATION, EXIT_REASON_VMCALL, FAILED_VMENTRY, exception_exit, fail_entry, is_nmi, kvm_emulate_rdmsr, MSR_TO_USERSPACE, msrValue, msrValueHigh, kvm_emulate_halt_noskip, kvm_emulate_wrmsr, unhandled_exit,
} from './common'; // prettier-ignore
import { run_io, run_mmio, run_msr } from '../kvm_run';
import { kvm_mmu_page_fault } from '../mmu';
import { kvm_cpuid } from '../x86_cpuid';
import { pi_has_pending_interrupt } from './posted_intr';
import { exitForIo, exitForMmio } from './tdvmcall';

/** Mirrors arch/x86/kvm/vmx/vmx.c, for plain guests with APICv. */

/** What the registers are after a reset. @source SDM; vmx.c: vmx_vcpu_reset */
function resetGuestState(m: Machine, vcpu: Ref): void {
  const state = guestStateOf(vcpu);
  vmcs_guest_state.cr0.set(m, state, 0x6000_0010);
  vmcs_guest_state.cr4.set(m, state, 0);
  vmcs_guest_state.efer.set(m, state, 0);
  vmcs_guest_state.dr7.set(m, state, 0x400);
  vmcs_guest_state.idt_base.set(m, state, 0);
  vmcs_guest_state.ds_selector.set(m, state, 0);
  vmcs_guest_state.ds_base.set(m, state, 0);
  for (const limit of [vmcs_guest_state.idt_limit, vmcs_guest_state.cs_limit, vmcs_guest_state.ds_limit])
    limit.set(m, state, 0xffff);
}

/** INIT throws away what the guest was doing; the guest's interrupts are disabled. @source x86:SIPI-16 */
export function vmx_vcpu_reset(m: Machine, vcpu: Ref, init_event: boolean): void {
  const guest = guestOf(vcpu);
  guest_cpu.op.set(m, guest, 0);
  guest_cpu.if.set(m, guest, 0);
  guest_cpu.virr.clearAll(m, guest);
  guest_cpu.visr.clearAll(m, guest);
  guest_cpu.tpr.set(m, guest, 0);
  resetGuestState(m, vcpu);
  vmcs.tpr_threshold.set(m, vmcsOf(vcpu), 0);
  guest_cpu.in_nmi.set(m, guest, 0); // the reset unblocks NMIs: x86:VMX-22
  vmcs.entry_intr_info.set(m, vmcsOf(vcpu), 0);
  vmcs.nmi_window.set(m, vmcsOf(vcpu), 0);
  if (!init_event) return;
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

/** Blocking by NMI, as the interruptibility state shows it. @source x86:VMX-10 */
export function vmx_nmi_blocked(m: Machine, vcpu: Ref): boolean {
  return guest_cpu.in_nmi.get(m, guestOf(vcpu)) === 1;
}

export function vmx_set_nmi_mask(m: Machine, vcpu: Ref, masked: 0 | 1): void {
  guest_cpu.in_nmi.set(m, guestOf(vcpu), masked);
}

/** NMI-window exiting tells when the guest unblocks NMIs. @source x86:VMX-12 */
export function vmx_enable_nmi_window(m: Machine, vcpu: Ref): void {
  vmcs.nmi_window.set(m, vmcsOf(vcpu), 1);
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
      kvm_vcpu_stat.nmi_injections.set(m, stat, kvm_vcpu_stat.nmi_injections.get(m, stat) + 1);
      vmcs.entry_intr_info.set(m, vmcsOf(vcpu), INTR_INFO_NMI);
      return m.ret(0);
    },
  }),
);

/** The next VM entry delivers an external interrupt. @source x86:IRQ-3 */
export const vmx_inject_irq = routine(
  {
    name: 'vmx_inject_irq',
    layer: 'kvm',
    source: 'x86:IRQ-3',
    args: ['vcpu', 'vector'],
    steps: {
      write: ['Trace and count; VM-entry interruption information = 0x80000000 + vector.', 'x86:IRQ-3'],
    },
  },
  () => ({
    write(m, l) {
      const vcpu = l.vcpu as Ref;
      if (l.vector < 0) return m.ret(0); // still in the VMCS from the pass before
      const stat = statOf(vcpu);
      m.emit(trace.kvm_inj_virq, l.vector);
      kvm_vcpu_stat.irq_injections.set(m, stat, kvm_vcpu_stat.irq_injections.get(m, stat) + 1);
      vmcs.entry_intr_info.set(m, vmcsOf(vcpu), INTR_INFO_EXTERNAL + l.vector);
      return m.ret(0);
    },
  }),
);

/** Interrupt-window exiting tells when the guest can take an interrupt. @source x86:IRQ-4 */
export function vmx_enable_irq_window(m: Machine, vcpu: Ref): void {
  vmcs.irq_window.set(m, vmcsOf(vcpu), 1);
}

/** RFLAGS.IF, and no NMI handler under way. @source x86:IRQ-3 */
export function vmx_interrupt_allowed(m: Machine, vcpu: Ref): boolean {
  return guest_cpu.if.get(m, guestOf(vcpu)) === 1 && !vmx_nmi_blocked(m, vcpu);
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

/** RSM is #UD outside the SMM of the hardware, in which no guest is: KVM emulates it. @source x86:SMI-13; vmx.c: handle_ud */
function emulateRsm(m: Machine, vcpu: Ref): 1 {
  guest_cpu.rsm.set(m, guestOf(vcpu), 0);
  if (!emulator_leave_smm(m, vcpu)) kvm_vcpu.requests.set(m, vcpu, KVM_REQ_TRIPLE_FAULT);
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
      traced: ['Trace the exit.', 'TRC-1'],
    },
  },
  (at) => ({
    entry(m, l) {
      const vcpu = l.vcpu as Ref;
      if (l.immediate_exit) sendIpi(m, kvm_vcpu.cpu.get(m, vcpu) as Ref, RESCHEDULE_VECTOR);
      m.emit(trace.kvm_entry, kvm_vcpu.id.get(m, vcpu), kvm_regs.rip.get(m, regsOf(vcpu)));
      kvm_wait_lapic_expire(m, vcpu);
      return at.vmenter;
    },
    vmenter(m, l) {
      const apic = apicOf(l.vcpu as Ref);
      pcpu.context.set(m, thread.cpu.get(m, m.thread) as Ref, VMX_NON_ROOT);
      const base = kvm_lapic.base.get(m, apic);
      if (base & MSR_IA32_APICBASE_ENABLE) kvm_lapic.base.set(m, apic, base | X2APIC_ENABLE); // the firmware does this first
      const vcpu = l.vcpu as Ref;
      // An entry that fails delivers nothing: what was to be injected stays so (vmx_complete_interrupts is not reached).
      if (pcpu.entry_failure.get(m, thread.cpu.get(m, m.thread)))
        return m.call(at.vmexit, guest_run, vcpu, 0);
      const injected = vmcs.entry_intr_info.get(m, vmcsOf(vcpu));
      vmcs.entry_intr_info.set(m, vmcsOf(vcpu), 0);
      kvm_vcpu.nmi_injected.set(m, vcpu, 0); // delivered with the entry: vmx_complete_interrupts
      kvm_vcpu.interrupt_injected.set(m, vcpu, 0);
      kvm_vcpu.exception_injected.set(m, vcpu, 0);
      return m.call(at.vmexit, guest_run, vcpu, injected);
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
      const rip = kvm_regs.rip.get(m, regsOf(vcpu));
      const intr_info = kvm_vcpu.intr_info.get(m, vcpu);
      const full = kvm_vcpu.exit_reason.get(m, vcpu);
      const reason = (full & 0xffff) + (full >= FAILED_VMENTRY ? trace.FAILED : 0);
      const qualification = vmcs.exit_qualification.get(m, vmcsOf(vcpu));
      m.emit(trace.kvm_exit, kvm_vcpu.id.get(m, vcpu), reason, rip, qualification, intr_info);
      return m.ret(0);
    },
  }),
);

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
      switch (reason) {
        case EXIT_REASON_EXCEPTION_NMI: {
          const info = kvm_vcpu.intr_info.get(m, vcpu);
          if (info === INTR_INFO_UD && guest_cpu.rsm.get(m, guestOf(vcpu))) return m.ret(emulateRsm(m, vcpu));
          return m.ret(is_nmi(info) || info === INTR_INFO_MCE ? 1 : exception_exit(m, vcpu));
        }
        case EXIT_REASON_EXTERNAL_INTERRUPT:
        case EXIT_REASON_OTHER_SMI:
          return m.ret(1);
        case EXIT_REASON_CPUID:
          guest_cpu.r14.set(m, guestOf(vcpu), 0, kvm_cpuid(m, vcpu, guest_cpu.r12.lo(m, guestOf(vcpu))));
          return m.ret(1);
        case EXIT_REASON_MSR_READ: {
          const how = kvm_emulate_rdmsr(m, vcpu, guest_cpu.ecx.get(m, guestOf(vcpu)));
          guest_cpu.value.set(m, guestOf(vcpu), msrValueHigh, msrValue);
          return m.ret(how === MSR_TO_USERSPACE ? 0 : 1);
        }
        case EXIT_REASON_IO_INSTRUCTION: {
          const guest = guestOf(vcpu);
          const { r12, r13, r14, r15 } = guest_cpu;
          const port = r14.lo(m, guest) & 0xffff;
          return m.ret(exitForIo(m, vcpu, r13.lo(m, guest), r12.lo(m, guest), port, r15.lo(m, guest)));
        }
        case EXIT_REASON_EPT_MISCONFIG: {
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
        case EXIT_REASON_EPT_VIOLATION:
          return m.tail(kvm_mmu_page_fault, vcpu, 0);
        case EXIT_REASON_TRIPLE_FAULT:
          return m.ret(handle_triple_fault(m, vcpu));
        case EXIT_REASON_INTERRUPT_WINDOW: {
          const stat = statOf(vcpu);
          vmcs.irq_window.set(m, vmcsOf(vcpu), 0);
          kvm_vcpu_stat.irq_window_exits.set(m, stat, kvm_vcpu_stat.irq_window_exits.get(m, stat) + 1);
          kvm_vcpu.requests.set(m, vcpu, KVM_REQ_EVENT);
          return m.ret(1);
        }
        case EXIT_REASON_NMI_WINDOW: {
          const stat = statOf(vcpu);
          vmcs.nmi_window.set(m, vmcsOf(vcpu), 0);
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
    wrmsr_done(m) {
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
  if (what === 'RDMSR') {
    const msr = kvm_run.msr.at(run);
    guest_cpu.value.set(m, guest, run_msr.data.hi(m, msr), run_msr.data.lo(m, msr));
  }
  return 1;
}
