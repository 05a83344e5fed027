import type { Ref } from '../../machine/layout';
import { thread, type Machine } from '../../machine/machine';
import { E, routine } from '../../machine/routine';
import { vmxip } from '../../guest/cpu';
import { INTR_INFO_MCE } from '../../platform/intr_info';
import { EEQ_PENDING_EPT_VIOLATION } from '../../guest/touch';
import { TDVPS_FIELDS, TDX_STATUS } from '../../names';
import { X2APIC_ENABLE } from '../../platform/apic';
import { pcpu, sendIpi } from '../../platform/pcpu';
import { awaitsAcks, smp_call_function_many } from '../../platform/smp';
import { pi_desc, POSTED_INTR_VECTOR } from '../../platform/posted_intr';
import { td_vp_write, tdh_vp_rd } from '../../seam/fields';
import * as seam from '../../seam/leaves';
import {
  TDX_NON_RECOVERABLE_TD,
  TDX_NON_RECOVERABLE_TD_WRONG_APIC_MODE,
  TDX_SW_ERROR,
} from '../../seam/status';
import { tdh_vp_enter } from '../../seam/vp_enter';
import * as host from '../kvm_host';
import {
  apicOf,
  argsOf,
  guestOf,
  kvm,
  vp_enter_args,
  kvm_lapic,
  kvm_regs,
  variant,
  kvm_vcpu,
  kvm_vcpu_stat,
  kvmOf,
  pidOf,
  regsOf,
} from '../kvm_host';
import { __kvm_set_or_clear_apicv_inhibit, inhibitReason } from '../apicv';
import {
  KVM_BUG_ON, kvm_check_request, kvm_make_all_cpus_request, kvm_vm_dead, NO_REQUEST, thisCpu, warnOnce,
} from '../kvm_main'; // prettier-ignore
import { kvm_wait_lapic_expire } from '../lapic_timer';
import { kvm_mmu_page_fault, RET_PF_RETRY } from '../mmu';
import {
  KVM_TDX_CAPABILITIES,
  KVM_TDX_FINALIZE_VM,
  KVM_TDX_INIT_MEM_REGION,
  KVM_TDX_INIT_VCPU,
  KVM_TDX_INIT_VM,
} from '../kvm_x86_ops';
import { reply } from '../reply';
import { cpuOfThread } from '../sched';
import * as trace from '../trace';
import {
  EXIT_REASON_EXCEPTION_NMI, EXIT_REASON_EXTERNAL_INTERRUPT, EXIT_REASON_OTHER_SMI, EXIT_REASON_TRIPLE_FAULT, exitedByNmi, handle_triple_fault, vmx_handle_nmi, EXIT_REASON_HLT, EXIT_REASON_MSR_WRITE, EXIT_REASON_TDCALL, EXIT_REASON_CPUID, EXIT_REASON_EPT_MISCONFIG, EXIT_REASON_EPT_VIOLATION, EXIT_REASON_IO_INSTRUCTION,
  EXIT_REASON_MCE_DURING_VMENTRY, EXIT_REASON_MSR_READ, EXIT_REASON_VMCALL, EXIT_FASTPATH_EXIT_HANDLED, EXIT_FASTPATH_NONE,
  exception_exit, fail_entry, FAILED_VMENTRY, is_nmi, kvm_emulate_halt_noskip, kvm_emulate_rdmsr, kvm_emulate_wrmsr,
  kvm_machine_check, MSR_REFUSED, MSR_TO_USERSPACE, msrValue, msrValueHigh, unhandled_exit,
} from './common'; // prettier-ignore
import { kvm_vcpu_has_events } from '../x86_events';
import { pi_has_pending_interrupt } from './posted_intr';
import {
  handle_tdvmcall, tdvmcall_leaf, tdvmcall_set_return_code, tdvmcall_set_return_val, tdx_emulate_cpuid, tdx_emulate_io,
  tdx_emulate_mmio, tdx_emulate_vmcall,
} from './tdvmcall'; // prettier-ignore

/** Mirrors arch/x86/kvm/vmx/tdx.c. */

const BUG_SITE_SEAMCALL = 0;
const BUG_SITE_REFRESH_APICV = 3;
const BUG_SITE_HANDLE_EXIT = 4;
const BUG_SITE_EPT_VIOLATION = 5;

/** @source VM-1 */
export function tdx_vm_init(m: Machine, vm: Ref): number {
  if (!isV1(m)) kvm.has_protected_state.set(m, vm, 1); // VM-2
  kvm.has_protected_eoi.set(m, vm, variant.protected_eoi.get(m, host.variantRef(m))); // EOI-13
  return 0;
}

/** @source VCPU-2, VCPU-3 */
export function tdx_vcpu_create(m: Machine, vcpu: Ref): number {
  const vm = kvmOf(m, vcpu);
  if (kvm.td_state.get(m, vm) !== host.TD_STATE_INITIALIZED) return E('EIO');
  const mode = kvm.irqchip_mode.get(m, vm);
  const suits = isV1(m) ? mode !== host.KVM_IRQCHIP_NONE : mode === host.KVM_IRQCHIP_SPLIT; // V12-4
  if (!suits) return E('EINVAL');
  if (kvm_vcpu.created.get(m, vcpu)) return 0;
  kvm_lapic.guest_apic_protected.set(m, apicOf(vcpu), 1);
  pi_desc.nv.set(m, pidOf(vcpu), POSTED_INTR_VECTOR);
  pi_desc.sn.set(m, pidOf(vcpu), 1);
  return 0;
}

/** A TD vCPU is never reset by INIT: only a warning. @source VCPU-5, INIT-13 */
export function tdx_vcpu_reset(m: Machine, vcpu: Ref, init_event: boolean): void {
  if (init_event && !isV1(m)) warnOnce(m, 'tdx_vcpu_reset', vcpu); // V12-17
}

/** Whether the first design is in force: APICv of a TD is inhibited. @source APICV-2 */
function isV1(m: Machine): boolean {
  return variant.apicv_v1.get(m, host.variantRef(m)) === 1;
}

/** APICv of a live TD was switched off: the VM is bugged; in the first design only a warning. @source APICV-8, VAPIC-1 */
export function tdx_refresh_apicv_exec_ctrl(m: Machine, vcpu: Ref): void {
  if (isV1(m)) warnOnce(m, 'vt_refresh_apicv_exec_ctrl', vcpu);
  else if (!kvm_lapic.apicv_active.get(m, apicOf(vcpu)))
    KVM_BUG_ON(m, kvmOf(m, vcpu), BUG_SITE_REFRESH_APICV);
}

/** Event injection does not exist for a TD: the vector is marked injected and lost. @source PI-38, tdx:LAPIC-9 */
export const tdx_inject_irq = routine(
  {
    name: 'tdx_inject_irq',
    layer: 'kvm',
    source: 'PI-38',
    args: ['vcpu', 'reinjected'],
    steps: { nothing: ['For a TD this op does nothing.', 'PI-38'] },
  },
  () => ({
    nothing(m, l) {
      if (!l.reinjected) m.emit(trace.irq_injection_lost, kvm_vcpu.id.get(m, l.vcpu as Ref));
      return m.ret(0);
    },
  }),
);

/** @source RUN-4 */
export function tdx_vcpu_pre_run(m: Machine, vcpu: Ref): number {
  const ready =
    kvm_vcpu.tdx_state.get(m, vcpu) === host.VCPU_TD_STATE_INITIALIZED &&
    kvm.td_state.get(m, kvmOf(m, vcpu)) === host.TD_STATE_RUNNABLE;
  return ready ? 1 : E('EINVAL');
}

/** @source HLT-3 */
export function tdx_interrupt_allowed(m: Machine, vcpu: Ref): boolean {
  if (variant.no_halt_flag.get(m, host.variantRef(m))) return true; // HLT-2
  return kvm_vcpu.last_exit.get(m, vcpu) !== EXIT_REASON_HLT || kvm_vcpu.halt_irqs_blocked.get(m, vcpu) === 0;
}

/** Whether the descriptor or, after a HLT with interrupts enabled, the virtual APIC has one to take. @source PEND-1 */
export function tdx_protected_apic_has_interrupt(m: Machine, vcpu: Ref): boolean {
  if (pi_has_pending_interrupt(m, vcpu)) return true;
  if (variant.no_halt_flag.get(m, host.variantRef(m))) return false; // PEND-2
  if (kvm_vcpu.last_exit.get(m, vcpu) !== EXIT_REASON_HLT || kvm_vcpu.halt_irqs_blocked.get(m, vcpu))
    return false;
  return vmxip(m, guestOf(vcpu)); // TDH.VP.RD of VCPU_STATE_DETAILS
}

/** Completion statuses whose low half is an exit reason. @source EXIT-2 */
const KNOWN_STATUS: readonly number[] = [
  TDX_STATUS.SUCCESS,
  TDX_STATUS.NON_RECOVERABLE_VCPU,
  TDX_NON_RECOVERABLE_TD,
  TDX_STATUS.NON_RECOVERABLE_TD_NON_ACCESSIBLE,
  TDX_NON_RECOVERABLE_TD_WRONG_APIC_MODE,
];
/** ERROR and NON_RECOVERABLE, bits 63 and 62. @source NUM-21 */
const ERROR_OR_NON_RECOVERABLE = 0xc000_0000;
const NON_RECOVERABLE = 0x4000_0000;

/** exit_reason.full for "no exit reason". @source EXIT-2 */
const NO_EXIT_REASON = 0xffff_ffff;

/** @source EXIT-2 */
function tdx_to_vmx_exit_reason(m: Machine, vcpu: Ref): number {
  if (!KNOWN_STATUS.includes(kvm_vcpu.vp_enter_ret.hi(m, vcpu))) return NO_EXIT_REASON;
  const reason = kvm_vcpu.vp_enter_ret.lo(m, vcpu);
  if (reason === EXIT_REASON_EPT_MISCONFIG) return NO_EXIT_REASON;
  return reason === EXIT_REASON_TDCALL ? tdcall_to_vmx_exit_reason(m, vcpu) : reason;
}

/** A TDVMCALL that stands for an instruction counts as that instruction's exit. @source EXIT-2 */
function tdcall_to_vmx_exit_reason(m: Machine, vcpu: Ref): number {
  const { r10 } = vp_enter_args;
  if (r10.hi(m, argsOf(vcpu)) !== 0 || r10.lo(m, argsOf(vcpu)) !== 0) return EXIT_REASON_VMCALL;
  const leaf = tdvmcall_leaf(m, vcpu);
  switch (leaf) {
    case EXIT_REASON_CPUID:
    case EXIT_REASON_HLT:
    case EXIT_REASON_IO_INSTRUCTION:
    case EXIT_REASON_MSR_READ:
    case EXIT_REASON_MSR_WRITE:
      return leaf;
    case EXIT_REASON_EPT_VIOLATION:
      return EXIT_REASON_EPT_MISCONFIG;
    default:
      return EXIT_REASON_TDCALL;
  }
}

/** @source RUN-11 */
function isSoftwareError(m: Machine, vcpu: Ref): boolean {
  const hi = kvm_vcpu.vp_enter_ret.hi(m, vcpu);
  return (hi & TDX_SW_ERROR) >>> 0 === TDX_SW_ERROR;
}
function isEptMisconfig(m: Machine, vcpu: Ref): boolean {
  const { vp_enter_ret } = kvm_vcpu;
  return vp_enter_ret.hi(m, vcpu) === 0 && vp_enter_ret.lo(m, vcpu) === EXIT_REASON_EPT_MISCONFIG;
}
/** @source EXIT-6 */
function tdx_failed_vmentry(m: Machine, vcpu: Ref): boolean {
  const full = kvm_vcpu.exit_reason.get(m, vcpu);
  return full >= FAILED_VMENTRY && full !== NO_EXIT_REASON;
}

/** This CPU as the module counts them. */
function thisLp(m: Machine): number {
  return 1 + pcpu.index.get(m, thisCpu(m));
}

/** The CPU on which the TD vCPU was before lets it go: TDH.VP.FLUSH there, by a function call. */
export const tdx_flush_vp_on_cpu = routine(
  {
    name: 'tdx_flush_vp_on_cpu',
    layer: 'kvm',
    source: 'PI-23',
    args: ['vcpu'],
    steps: {
      ask: ['smp_call_function_single: interrupt that CPU.', 'PI-23'],
      wait: ['Wait until it has taken the interrupt.', 'PI-23'],
      flush: ['TDH.VP.FLUSH, unless the vCPU was never initialized.', 'TDXM-VCPU-10'],
      flushed: ['The vCPU belongs to this CPU now. A failure is a bug of KVM.', 'TDXM-TEAR-1'],
    },
  },
  (at) => ({
    ask(m, l) {
      const before = kvm_vcpu.cpu.get(m, l.vcpu as Ref) as Ref;
      smp_call_function_many(m, 1 << pcpu.index.get(m, before));
      return at.wait;
    },
    wait: (m) => (awaitsAcks(m) ? m.block('waiting') : at.flush),
    flush(m, l) {
      const loaded = kvm_vcpu.loaded_cpu.get(m, l.vcpu as Ref);
      return loaded === 0 ? m.ret(0) : m.call(at.flushed, seam.tdh_vp_flush, l.vcpu, loaded);
    },
    flushed(m, l) {
      const vcpu = l.vcpu as Ref;
      kvm_vcpu.loaded_cpu.set(m, vcpu, 1 + pcpu.index.get(m, cpuOfThread(m, vcpu)));
      const gone = m.retval === 0 || thread.rax.hi(m, m.thread) === TDX_STATUS.VCPU_NOT_ASSOCIATED;
      if (!gone) KVM_BUG_ON(m, kvmOf(m, vcpu), BUG_SITE_SEAMCALL);
      return m.ret(0);
    },
  }),
);

/** Enters the TD and comes back with the exit. Answers the fastpath: EXIT_HANDLED when the entry is to be tried again. */
export const tdx_vcpu_run = routine(
  {
    name: 'tdx_vcpu_run',
    layer: 'kvm',
    source: 'RUN-10',
    args: ['vcpu', 'immediate_exit'],
    steps: {
      entry: ['TDX cannot force an immediate exit: warn once, enter anyway. Trace the entry.', 'RUN-10'],
      flushed: ['The CPU that had the vCPU before has let it go.', 'TDXM-VCPU-10'],
      self_ipi: [
        'ON is set: send the notification vector to this very CPU, to be taken inside the TD.',
        'PI-14',
      ],
      exited: ['Decode status and exit reason; a host NMI is handled here, in noinstr code.', 'tdx:NMI-21'],
      traced: ['Trace the exit.', 'RUN-11'],
      readback: [
        'Second posting: is the NMI still pending in the module? Then it is injected again.',
        'tdx:NMI-17',
      ],
    },
  },
  (at) => ({
    entry(m, l) {
      const vcpu = l.vcpu as Ref;
      if (l.immediate_exit) warnOnce(m, 'tdx_vcpu_run', vcpu);
      if (kvm.wait_for_sept_zap.get(m, kvmOf(m, vcpu))) {
        m.giveWay();
        return m.ret(EXIT_FASTPATH_EXIT_HANDLED);
      }
      const loaded = kvm_vcpu.loaded_cpu.get(m, vcpu);
      if (loaded !== thisLp(m)) {
        kvm_vcpu.loaded_cpu.set(m, vcpu, thisLp(m));
        return m.call(at.flushed, seam.tdh_vp_flush, vcpu, loaded);
      }
      m.emit(trace.kvm_entry, kvm_vcpu.id.get(m, vcpu), kvm_regs.rip.get(m, regsOf(vcpu)));
      return at.self_ipi;
    },
    flushed(m, l) {
      const gone = m.retval === 0 || thread.rax.hi(m, m.thread) === TDX_STATUS.VCPU_NOT_ASSOCIATED;
      if (!gone) KVM_BUG_ON(m, kvmOf(m, l.vcpu as Ref), BUG_SITE_SEAMCALL);
      return at.entry;
    },
    self_ipi(m, l) {
      const vcpu = l.vcpu as Ref;
      if (pi_desc.on.get(m, pidOf(vcpu))) {
        sendIpi(m, kvm_vcpu.cpu.get(m, vcpu) as Ref, POSTED_INTR_VECTOR);
        const timerVector = kvm_lapic.lvtt.get(m, apicOf(vcpu)) & 0xff;
        if (pi_desc.pir.test(m, pidOf(vcpu), timerVector)) kvm_wait_lapic_expire(m, vcpu); // PI-17
      }
      return m.call(at.exited, tdh_vp_enter, vcpu);
    },
    exited(m, l) {
      const vcpu = l.vcpu as Ref;
      const full = tdx_to_vmx_exit_reason(m, vcpu);
      kvm_vcpu.exit_reason.set(m, vcpu, full);
      kvm_vcpu.last_exit.set(m, vcpu, full & 0xffff);
      if (full === EXIT_REASON_HLT)
        kvm_vcpu.halt_irqs_blocked.set(m, vcpu, vp_enter_args.r12.lo(m, argsOf(vcpu)) & 1);
      return exitedByNmi(m, vcpu) ? m.call(at.traced, vmx_handle_nmi, vcpu) : at.traced;
    },
    traced(m, l) {
      const vcpu = l.vcpu as Ref;
      if (isEptMisconfig(m, vcpu) || isSoftwareError(m, vcpu)) return m.ret(EXIT_FASTPATH_NONE);
      const full = kvm_vcpu.exit_reason.get(m, vcpu);
      const none = full === NO_EXIT_REASON;
      if ((full & 0xffff) === EXIT_REASON_MCE_DURING_VMENTRY) kvm_machine_check(m, vcpu);
      const failed = tdx_failed_vmentry(m, vcpu);
      const rip = kvm_regs.rip.get(m, regsOf(vcpu));
      const reason = (full & 0xffff) + (failed ? trace.FAILED : 0);
      const { rcx, rdx } = vp_enter_args;
      const info1 = none ? 0 : rcx.lo(m, argsOf(vcpu));
      const info2 = none ? 0 : rdx.lo(m, argsOf(vcpu));
      const intr_info = none ? 0 : kvm_vcpu.intr_info.get(m, vcpu);
      m.emit(trace.kvm_exit, kvm_vcpu.id.get(m, vcpu), reason, rip, info1, intr_info, info2);
      if (kvm_vcpu.vp_enter_ret.hi(m, vcpu) === TDX_STATUS.OPERAND_BUSY)
        return m.ret(EXIT_FASTPATH_EXIT_HANDLED);
      return kvm_vcpu.nmi_injected.get(m, vcpu) && readsBackNmi(m)
        ? m.call(at.readback, tdh_vp_rd, vcpu, TDVPS_FIELDS.indexOf('PEND_NMI'))
        : m.ret(0);
    },
    readback(m, l) {
      const vcpu = l.vcpu as Ref;
      kvm_vcpu.nmi_injected.set(m, vcpu, thread.r8.lo(m, m.thread) ? 1 : 0);
      return m.ret(0);
    },
  }),
);

/** Stage C of exit handling. Answers 1, 0 or an errno. */
export const tdx_handle_exit = routine(
  {
    name: 'tdx_handle_exit',
    layer: 'kvm',
    source: 'EXIT-6',
    args: ['vcpu', 'fastpath'],
    steps: {
      dispatch: ['First match: error status, then the exit reason.', 'EXIT-6'],
      wrmsr_done: ['R10 tells the guest whether the write was done; stay in KVM_RUN.', 'PI-32'],
    },
  },
  (at) => ({
    dispatch(m, l) {
      const vcpu = l.vcpu as Ref;
      const args = argsOf(vcpu);
      const hi = kvm_vcpu.vp_enter_ret.hi(m, vcpu);
      const lo = kvm_vcpu.vp_enter_ret.lo(m, vcpu);
      if (l.fastpath !== EXIT_FASTPATH_NONE) return m.ret(1);
      if (isEptMisconfig(m, vcpu)) {
        KVM_BUG_ON(m, kvmOf(m, vcpu), BUG_SITE_HANDLE_EXIT);
        return m.ret(E('EIO'));
      }
      if (isSoftwareError(m, vcpu)) {
        KVM_BUG_ON(m, kvmOf(m, vcpu), BUG_SITE_HANDLE_EXIT);
        return m.ret(unhandled_exit(m, vcpu, hi, lo));
      }
      if (tdx_failed_vmentry(m, vcpu)) {
        if (!(hi & NON_RECOVERABLE)) warnOnce(m, 'tdx_handle_exit', vcpu);
        return m.ret(fail_entry(m, vcpu));
      }
      const reason = kvm_vcpu.last_exit.get(m, vcpu);
      const failed = (hi & ERROR_OR_NON_RECOVERABLE) !== 0 && reason !== EXIT_REASON_TRIPLE_FAULT;
      if (failed) return m.ret(unhandled_exit(m, vcpu, hi, lo));
      switch (reason) {
        case EXIT_REASON_EXCEPTION_NMI:
          return m.ret(tdx_handle_exception_nmi(m, vcpu));
        case EXIT_REASON_EXTERNAL_INTERRUPT:
        case EXIT_REASON_OTHER_SMI: // not an MSMI, that has failed above: tdx:SMI-12, tdx:SMI-15
          return m.ret(1);
        case EXIT_REASON_TRIPLE_FAULT:
          return m.ret(handle_triple_fault(m, vcpu));
        case EXIT_REASON_CPUID:
          return m.ret(tdx_emulate_cpuid(m, vcpu));
        case EXIT_REASON_HLT:
          return m.ret(kvm_emulate_halt_noskip(m, vcpu));
        case EXIT_REASON_TDCALL:
          return m.ret(handle_tdvmcall(m, vcpu));
        case EXIT_REASON_VMCALL:
          return m.ret(tdx_emulate_vmcall(m, vcpu));
        case EXIT_REASON_IO_INSTRUCTION:
          return m.ret(tdx_emulate_io(m, vcpu));
        case EXIT_REASON_MSR_READ:
          return m.ret(tdx_emulate_rdmsr(m, vcpu));
        case EXIT_REASON_MSR_WRITE: {
          const { r12, r13 } = vp_enter_args;
          const [high, low] = [r13.hi(m, args), r13.lo(m, args)];
          return m.call(at.wrmsr_done, kvm_emulate_wrmsr, vcpu, r12.lo(m, args), high, low);
        }
        case EXIT_REASON_EPT_MISCONFIG:
          return m.ret(tdx_emulate_mmio(m, vcpu));
        case EXIT_REASON_EPT_VIOLATION:
          return m.tail(tdx_handle_ept_violation, vcpu);
        default:
          return m.ret(unhandled_exit(m, vcpu, hi, lo));
      }
    },
    wrmsr_done(m, l) {
      if (m.retval === MSR_REFUSED) tdvmcall_set_return_code(m, l.vcpu as Ref, 'INVALID_OPERAND');
      return m.ret(m.retval === MSR_TO_USERSPACE ? 0 : 1);
    },
  }),
);

/** NMI and machine check are done already; anything else is unexpected. @source EXIT-7, EXIT-12 */
function tdx_handle_exception_nmi(m: Machine, vcpu: Ref): number {
  const info = kvm_vcpu.intr_info.get(m, vcpu);
  if (is_nmi(info) || info === INTR_INFO_MCE) return 1;
  if (readsBackNmi(m)) m.emit(trace.unexpected_exception, kvm_vcpu.id.get(m, vcpu), info & 0xff);
  return exception_exit(m, vcpu);
}

/** @source PI-34, TMR-20 */
function tdx_emulate_rdmsr(m: Machine, vcpu: Ref): number {
  const how = kvm_emulate_rdmsr(m, vcpu, vp_enter_args.r12.lo(m, argsOf(vcpu)));
  if (how === MSR_TO_USERSPACE) return 0;
  if (how === MSR_REFUSED) tdvmcall_set_return_code(m, vcpu, 'INVALID_OPERAND');
  else tdvmcall_set_return_val(m, vcpu, msrValueHigh, msrValue);
  return 1;
}

/** A fault of Secure EPT, or of the shared EPT. @returns 1, 0 or an errno. */
export const tdx_handle_ept_violation = routine(
  {
    name: 'tdx_handle_ept_violation',
    layer: 'kvm',
    source: 'EXIT-18',
    args: ['vcpu'],
    locals: ['private'],
    steps: {
      classify: ['Private or shared? An access before acceptance, a fetch from shared memory?', 'EXIT-18'],
      fault: ['Map the page.', 'EXIT-18'],
      retry: [
        'A contended private fault is tried again here, unless the vCPU has something to do.',
        'HLT-13',
      ],
    },
  },
  (at) => ({
    classify(m, l) {
      const vcpu = l.vcpu as Ref;
      const args = argsOf(vcpu);
      const { r8, rcx, rdx } = vp_enter_args;
      l.private = r8.hi(m, args) & SHARED_BIT_HIGH ? 0 : 1;
      if (l.private && rdx.lo(m, args) === EEQ_PENDING_EPT_VIOLATION) {
        m.emit(trace.guest_access_before_accept, kvm_vcpu.id.get(m, vcpu));
        kvm_vm_dead(m, kvmOf(m, vcpu));
        return m.ret(E('EIO'));
      }
      if (!l.private && rcx.lo(m, args) & EPT_VIOLATION_ACC_INSTR) {
        KVM_BUG_ON(m, kvmOf(m, vcpu), BUG_SITE_EPT_VIOLATION);
        return m.ret(E('EIO'));
      }
      const qualification = l.private ? EPT_VIOLATION_ACC_WRITE : rcx.lo(m, args);
      const id = kvm_vcpu.id.get(m, vcpu);
      m.emit(trace.kvm_page_fault, id, r8.hi(m, args), r8.lo(m, args), qualification);
      return at.fault;
    },
    fault(m, l) {
      return m.call(at.retry, kvm_mmu_page_fault, l.vcpu, l.private);
    },
    retry(m, l) {
      const vcpu = l.vcpu as Ref;
      if (m.retval !== RET_PF_RETRY || !l.private) return m.ret(m.retval);
      if (kvm_vcpu_has_events(m, vcpu) || thread.signal.get(m, m.thread)) return m.ret(m.retval);
      return kvm_check_request(m, vcpu, host.KVM_REQ_VM_DEAD) ? m.ret(E('EIO')) : at.fault;
    },
  }),
);
const SHARED_BIT_HIGH = 0x8000;
const EPT_VIOLATION_ACC_WRITE = 2;
const EPT_VIOLATION_ACC_INSTR = 4;

/**
 * Takes pages away from a running TD: no vCPU may enter meanwhile, and those inside are made to leave.
 *
 * @source RUN-10; tdx.c: tdx_no_vcpus_enter_start, tdx_no_vcpus_enter_stop
 */
export const tdx_no_vcpus_enter = routine(
  {
    name: 'tdx_no_vcpus_enter',
    layer: 'kvm',
    source: 'RUN-10',
    args: ['vm'],
    steps: {
      start: ['wait_for_sept_zap = true.', 'RUN-10'],
      kick: ['KVM_REQ_OUTSIDE_GUEST_MODE: wait until every vCPU has left the TD.', 'RUN-10'],
      zap: ['The SEAMCALL that needs the TD to itself.', 'RUN-10'],
      stop: ['wait_for_sept_zap = false: vCPUs may enter again.', 'RUN-10'],
    },
  },
  (at) => ({
    start(m, l) {
      kvm.wait_for_sept_zap.set(m, l.vm as Ref, 1);
      return at.kick;
    },
    kick: (m, l) => m.call(at.zap, kvm_make_all_cpus_request, l.vm, NO_REQUEST),
    zap: () => at.stop,
    stop(m, l) {
      kvm.wait_for_sept_zap.set(m, l.vm as Ref, 0);
      return m.ret(0);
    },
  }),
);

/** Asks the module for one NMI. KVM keeps none: a second one that is pending is merged. @source tdx:NMI-5, tdx:NMI-6 */
export const tdx_inject_nmi = routine(
  {
    name: 'tdx_inject_nmi',
    layer: 'kvm',
    source: 'tdx:NMI-5',
    args: ['vcpu'],
    steps: {
      write: ['Count the injection; TDH.VP.WR of PEND_NMI = 1.', 'tdx:NMI-5'],
      merge: ['nmi_injected = false; what is still pending in KVM is merged into that one.', 'tdx:NMI-6'],
    },
  },
  (at) => ({
    write(m, l) {
      const stat = host.statOf(l.vcpu as Ref);
      kvm_vcpu_stat.nmi_injections.set(m, stat, kvm_vcpu_stat.nmi_injections.get(m, stat) + 1);
      return td_vp_write(m, at.merge, l.vcpu as Ref, 'PEND_NMI', 0, 1, 0xff);
    },
    merge(m, l) {
      const vcpu = l.vcpu as Ref;
      seamcallFailed(m, kvmOf(m, vcpu));
      if (kvm_vcpu.nmi_pending.get(m, vcpu) > 0) m.emit(trace.nmi_merged, kvm_vcpu.id.get(m, vcpu));
      if (!readsBackNmi(m)) kvm_vcpu.nmi_injected.set(m, vcpu, 0);
      kvm_vcpu.nmi_pending.set(m, vcpu, 0);
      return m.ret(0);
    },
  }),
);

/** @source tdx:NMI-17 */
function readsBackNmi(m: Machine): boolean {
  return variant.nmi_readback.get(m, host.variantRef(m)) === 1;
}

/** A SEAMCALL that must not fail did: the VM is bugged. @source VCPU-9 */
function seamcallFailed(m: Machine, vm: Ref): boolean {
  if (m.retval === 0) return false;
  KVM_BUG_ON(m, vm, BUG_SITE_SEAMCALL);
  return true;
}

/** CPUID leaves that userspace may configure. @source simulator */
const CPUID_CONFIGS = 24;
/** Flags and nent of KVM_TDX_CAPABILITIES in one word. */
export const packCapabilities = (flags: number, nent: number): number => (flags << 16) | nent;

const CMD_UNREADABLE = 0x100;
const CMD_HW_ERROR = 0x200;
/** A command in one word: its number, and what is wrong with its block. @source VM-20 */
export const packCommand = (id: number, hw_error: number, readable: boolean): number =>
  id | (readable ? 0 : CMD_UNREADABLE) | (hw_error ? CMD_HW_ERROR : 0);

/** @source VM-21 */
function tdx_get_capabilities(m: Machine, request: number): number {
  if (request >>> 16) return E('EINVAL');
  reply.cpuid_configs.set(m, host.replyRef(m), CPUID_CONFIGS);
  return (request & 0xffff) < CPUID_CONFIGS ? E('E2BIG') : 0;
}

/** A SEAMCALL of tdx_td_init failed: the key id is given back. @source VM-22 */
function tdInitFailed(m: Machine, vm: Ref): number {
  kvm.hkid_assigned.set(m, vm, 0);
  return m.ret(E('EIO'));
}

/** Where the descriptor of a vCPU lies in the host's memory: KVM gives the module its address. @source PI-1 */
function pidAddress(m: Machine, vcpu: Ref): number {
  return PIDS + 64 * kvm_vcpu.index.get(m, vcpu);
}
const PIDS = 0x4000_0000;
/** Pin-based control bit 7. @source VCPU-10 */
const PROCESS_POSTED_INTR = 0x80;

/** KVM_TDX_CAPABILITIES, KVM_TDX_INIT_VM and KVM_TDX_FINALIZE_VM. */
export const tdx_vm_ioctl = routine(
  {
    name: 'tdx_vm_ioctl',
    layer: 'kvm',
    source: 'VM-20',
    args: ['vm', 'arg', 'arg2'],
    steps: {
      dispatch: ['Which sub-command?', 'VM-20'],
      init: ['tdx_td_init: only once, before any vCPU.', 'VM-22'],
      key_config: ['The TD root exists: configure its key on every package.', 'TDXM-BUILD-2'],
      addcx: ['Add the control pages.', 'TDXM-BUILD-3'],
      mng_init: ['TDH.MNG.INIT.', 'VM-22'],
      initialized: ['The TD is INITIALIZED; the first design inhibits APICv now.', 'VM-3'],
      inhibited: ['Reason TDX is set: KVM takes APICv for inactive.', 'V12-1'],
      finalize: ['tdx_td_finalize: only an INITIALIZED TD with its key.', 'VM-24'],
      finalized: ['The TD is RUNNABLE; memory may be pre-faulted.', 'VM-24'],
    },
  },
  (at) => ({
    dispatch(m, l) {
      if (l.arg & CMD_UNREADABLE) return m.ret(E('EFAULT'));
      if (l.arg & CMD_HW_ERROR) return m.ret(E('EINVAL'));
      if (l.arg === KVM_TDX_INIT_VM) return at.init;
      if (l.arg === KVM_TDX_CAPABILITIES) return m.ret(tdx_get_capabilities(m, l.arg2));
      return l.arg === KVM_TDX_FINALIZE_VM ? at.finalize : m.ret(E('EINVAL'));
    },
    init(m, l) {
      const vm = l.vm as Ref;
      if (kvm.td_state.get(m, vm) !== host.TD_STATE_UNINITIALIZED) return m.ret(E('EINVAL'));
      if (kvm.created_vcpus.get(m, vm) !== 0) return m.ret(E('EBUSY'));
      kvm.hkid_assigned.set(m, vm, 1);
      return m.call(at.key_config, seam.tdh_mng_create, vm);
    },
    key_config: (m, l) =>
      m.retval === 0 ? m.call(at.addcx, seam.tdh_mng_key_config, l.vm) : tdInitFailed(m, l.vm as Ref),
    addcx: (m, l) =>
      m.retval === 0 ? m.call(at.mng_init, seam.tdh_mng_addcx, l.vm) : tdInitFailed(m, l.vm as Ref),
    mng_init: (m, l) =>
      m.retval === 0 ? m.call(at.initialized, seam.tdh_mng_init, l.vm) : tdInitFailed(m, l.vm as Ref),
    initialized(m, l) {
      if (m.retval !== 0) return tdInitFailed(m, l.vm as Ref);
      kvm.td_state.set(m, l.vm as Ref, host.TD_STATE_INITIALIZED);
      if (!isV1(m)) return m.ret(0);
      return m.call(at.inhibited, __kvm_set_or_clear_apicv_inhibit, l.vm, inhibitReason('TDX'), 1);
    },
    inhibited: (m) => m.ret(0),
    finalize(m, l) {
      const vm = l.vm as Ref;
      const ready = kvm.hkid_assigned.get(m, vm) === 1 && kvm.td_state.get(m, vm) !== host.TD_STATE_RUNNABLE;
      return ready ? m.call(at.finalized, seam.tdh_mr_finalize, vm) : m.ret(E('EINVAL'));
    },
    finalized(m, l) {
      const vm = l.vm as Ref;
      if (seamcallFailed(m, vm)) return m.ret(E('EIO'));
      kvm.td_state.set(m, vm, host.TD_STATE_RUNNABLE);
      kvm.pre_fault_allowed.set(m, vm, 1);
      return m.ret(0);
    },
  }),
);

/** KVM_TDX_INIT_VCPU and KVM_TDX_INIT_MEM_REGION. */
export const tdx_vcpu_ioctl = routine(
  {
    name: 'tdx_vcpu_ioctl',
    layer: 'kvm',
    source: 'VCPU-6',
    args: ['vcpu', 'arg'],
    steps: {
      check: ['Only while the TD is being built.', 'VCPU-6'],
      apic_base: ['Switch the shadow APIC to x2APIC mode; CPUID must offer it.', 'VCPU-7'],
      addcx: ['TDH.VP.CREATE done: add the other pages.', 'VCPU-9'],
      init: ['TDH.VP.ADDCX done: TDH.VP.INIT.', 'VCPU-9'],
      runnable: ['The vCPU is RUNNABLE, BSP or not; then write POSTED_INTR_NV.', 'VCPU-9'],
      desc: ['Write POSTED_INTR_DESC_ADDR.', 'VCPU-9'],
      pin: ['Switch on posted-interrupt processing.', 'VCPU-10'],
      initialized: ['vcpu_tdx.state = INITIALIZED.', 'VCPU-9'],
      mem_region: ['Add initial memory through this vCPU.', 'VCPU-11'],
      added: ['The memory is added.', 'VCPU-11'],
    },
  },
  (at) => {
    /** Goes on at `next` unless the last SEAMCALL failed. */
    const unlessBugged = (m: Machine, vcpu: Ref, next: () => number): number =>
      seamcallFailed(m, kvmOf(m, vcpu)) ? m.ret(E('EIO')) : next();
    return {
      check(m, l) {
        const vm = kvmOf(m, l.vcpu as Ref);
        const building =
          kvm.hkid_assigned.get(m, vm) === 1 && kvm.td_state.get(m, vm) !== host.TD_STATE_RUNNABLE;
        if (!building) return m.ret(E('EINVAL'));
        if (l.arg === KVM_TDX_INIT_VCPU) return at.apic_base;
        return l.arg === KVM_TDX_INIT_MEM_REGION ? at.mem_region : m.ret(E('EINVAL'));
      },
      apic_base(m, l) {
        const vcpu = l.vcpu as Ref;
        if (kvm_vcpu.tdx_state.get(m, vcpu) !== host.VCPU_TD_STATE_UNINITIALIZED) return m.ret(E('EINVAL'));
        if (!kvm_vcpu.cpuid_x2apic.get(m, vcpu)) return m.ret(E('EINVAL'));
        const ref = apicOf(vcpu);
        kvm_lapic.base.set(m, ref, kvm_lapic.base.get(m, ref) | X2APIC_ENABLE);
        if (isV1(m)) kvm_lapic.apicv_active.set(m, ref, 0); // V12-2
        return m.call(at.addcx, seam.tdh_vp_create, vcpu);
      },
      addcx: (m, l) => unlessBugged(m, l.vcpu as Ref, () => m.call(at.init, seam.tdh_vp_addcx, l.vcpu)),
      init: (m, l) =>
        unlessBugged(m, l.vcpu as Ref, () =>
          m.call(at.runnable, seam.tdh_vp_init, l.vcpu, kvm_vcpu.id.get(m, l.vcpu as Ref)),
        ),
      runnable: (m, l) =>
        unlessBugged(m, l.vcpu as Ref, () => {
          kvm_vcpu.mp_state.set(m, l.vcpu as Ref, host.KVM_MP_STATE_RUNNABLE);
          kvm_vcpu.loaded_cpu.set(m, l.vcpu as Ref, thisLp(m));
          return td_vp_write(m, at.desc, l.vcpu as Ref, 'POSTED_INTR_NV', 0, POSTED_INTR_VECTOR);
        }),
      desc: (m, l) =>
        unlessBugged(m, l.vcpu as Ref, () =>
          td_vp_write(m, at.pin, l.vcpu as Ref, 'POSTED_INTR_DESC_ADDR', 0, pidAddress(m, l.vcpu as Ref)),
        ),
      pin: (m, l) =>
        unlessBugged(m, l.vcpu as Ref, () =>
          td_vp_write(
            m,
            at.initialized,
            l.vcpu as Ref,
            'PIN_BASED_CONTROLS',
            0,
            PROCESS_POSTED_INTR,
            PROCESS_POSTED_INTR,
          ),
        ),
      initialized: (m, l) =>
        unlessBugged(m, l.vcpu as Ref, () => {
          kvm_vcpu.tdx_state.set(m, l.vcpu as Ref, host.VCPU_TD_STATE_INITIALIZED);
          return m.ret(0);
        }),
      mem_region(m, l) {
        const initialized = kvm_vcpu.tdx_state.get(m, l.vcpu as Ref) === host.VCPU_TD_STATE_INITIALIZED;
        return initialized
          ? m.call(at.added, seam.tdh_mem_page_add, kvmOf(m, l.vcpu as Ref))
          : m.ret(E('EINVAL'));
      },
      added: (m) => m.ret(m.retval === 0 ? 0 : E('EIO')),
    };
  },
);
