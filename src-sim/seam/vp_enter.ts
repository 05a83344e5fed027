import type { Ref } from '../machine/layout';
import { thread, type Machine } from '../machine/machine';
import { routine } from '../machine/routine';
import { event } from '../machine/trace';
import { pcpu, SEAM_NON_ROOT, SEAM_ROOT } from '../platform/pcpu';
import { guest_cpu, OP_NONE } from '../guest/cpu';
import { ENTRY_FAILURE, EXIT_NMI_WINDOW, guest_run } from '../guest/run';
import { INTR_INFO_NMI } from '../platform/intr_info';
import {
  argsOf, guestOf, kvm_vcpu, kvmOf, moduleOf, seam_fault, seamFaultRef, tdvpsOf, variant, variantRef, vmcs, vmcsOf, vp_enter_args,
} from '../kvm/kvm_host'; // prettier-ignore
import { EXIT_REASON } from '../kvm/trace';
import { MSR_INDEX, TDX_STATUS, type TdxStatus } from '../names';
import {
  disposition,
  HANDLED,
  DISABLE_VCPU,
  injectedFor,
  MODULE_FATAL,
  NOT_ACCESSIBLE,
  UNEXPECTED,
} from './exits';
import {
  cpuOf,
  lockTd,
  lockVcpu,
  refuse,
  returnToHost,
  seamcall,
  seamret,
  succeed,
  takeFault,
  usableTd,
  usableVcpu,
} from './leaf';
import { MSR_IA32_TSC_ADJUST } from './leaves';
import * as tdx from './tdx_module';
import { tdr, tdvps } from './tdx_module';
import { armNmiWindow, injectVe, VE } from './ve';

/** TDH.VP.ENTER: the one leaf that runs a guest. */

const td_fatal = event('td_fatal', 'mark', 'tdx:SMI-13', { by: ['MSMI', 'machine check', 'unexpected exit', 'wrong APIC mode'] }, '{by}',
  'The TDX module marks the TD fatal ({by}): no vCPU of it will ever enter again.'); // prettier-ignore
const nmi_injected_by_module = event('nmi_injected_by_module', 'mark', 'tdx:NMI-10', { vcpu: 'num' }, 'vcpu {vcpu}',
  'NMI window: the TDX module injects the NMI into vCPU {vcpu} and clears PEND_NMI. KVM sees nothing.'); // prettier-ignore
const td_exit_handled = event('td_exit_handled', 'mark', 'TDXM-EXIT-3',
  { vcpu: 'num', reason: EXIT_REASON, injects: { 0: 'nothing', 6: '#UD', 8: '#DF', 13: '#GP', 20: '#VE' } },
  'vcpu {vcpu} reason {reason} injects {injects}',
  'The TDX module deals with the exit of vCPU {vcpu} itself ({reason}; the guest gets {injects}). KVM sees nothing.'); // prettier-ignore
const td_stepped = event('td_stepped', 'mark', 'tdx:NMI-28', { vcpu: 'num' }, 'vcpu {vcpu}',
  'The exit of vCPU {vcpu} came suspiciously early: the TDX module lets the guest execute a few more instructions first.'); // prettier-ignore

const EXIT_TDCALL = 77;
const EXIT_EPT_VIOLATION = 48;
/** Besides the dispositions of `exits.ts`: the stepping filter found no local APIC to step with. @source tdx:NMI-28 */
const WRONG_APIC_MODE = 8;

/** The name of the status with which the module reports what it did with an exit. @source TDXM-RET-2 to TDXM-RET-10 */
function statusOf(how: number): TdxStatus {
  if (how === NOT_ACCESSIBLE) return 'NON_RECOVERABLE_TD_NON_ACCESSIBLE';
  if (how === UNEXPECTED) return 'NON_RECOVERABLE_TD';
  if (how === WRONG_APIC_MODE) return 'NON_RECOVERABLE_TD_WRONG_APIC_MODE';
  return how === DISABLE_VCPU ? 'NON_RECOVERABLE_VCPU' : 'SUCCESS';
}

/** Why a TD is fatal, as the mark names it. */
function fatalBy(how: number, reason: number): number {
  if (how === WRONG_APIC_MODE) return 3;
  if (how === UNEXPECTED) return 2;
  return reason === 6 ? 0 : 1;
}

/** The stepping filter looks at exits for interrupts, plain SMIs, NMIs and INITs. @source tdx:NMI-28 */
function isSuspicious(m: Machine, here: Ref, reason: number, qualification: number): boolean {
  if (!pcpu.stepping.get(m, here)) return false;
  return reason <= 1 || reason === 3 || (reason === 6 && (qualification & 1) === 0);
}

/** On an asynchronous exit the host sees nothing of the guest's registers. @source EXIT-19, TDXM-OUT-6 */
function clearOutputs(m: Machine, vcpu: Ref): void {
  const args = argsOf(vcpu);
  if (tdvps.last_exit_vmcall.get(m, tdvpsOf(vcpu))) return; // they are inputs now: TDXM-ENTER-25
  for (const field of OUTPUTS) field.set(m, args, 0, 0);
}
const OUTPUTS = [
  vp_enter_args.rcx, vp_enter_args.rdx, vp_enter_args.r8, vp_enter_args.r10, vp_enter_args.r11, vp_enter_args.r12,
  vp_enter_args.r13, vp_enter_args.r14, vp_enter_args.r15,
]; // prettier-ignore
/** R10 to R15, by bit of RCX, in guest and host. */
const PASSED = [
  [10, guest_cpu.r10, vp_enter_args.r10],
  [11, guest_cpu.r11, vp_enter_args.r11],
  [12, guest_cpu.r12, vp_enter_args.r12],
  [13, guest_cpu.r13, vp_enter_args.r13],
  [14, guest_cpu.r14, vp_enter_args.r14],
  [15, guest_cpu.r15, vp_enter_args.r15],
] as const;

/** What the host gets besides RAX. @source TDXM-OUT-2 to TDXM-OUT-5, TDXM-OUT-15 */
function giveOutputs(m: Machine, vcpu: Ref, reason: number, byTdvmcall: boolean): void {
  const args = argsOf(vcpu);
  const guest = guestOf(vcpu);
  for (const field of OUTPUTS) field.set(m, args, 0, 0);
  if (byTdvmcall) {
    const mask = guest_cpu.rcx.get(m, guest);
    vp_enter_args.rcx.set(m, args, 0, mask);
    for (const [bit, from, to] of PASSED)
      if (mask & (1 << bit)) to.set(m, args, from.hi(m, guest), from.lo(m, guest));
    return;
  }
  vp_enter_args.rcx.set(m, args, 0, vmcs.exit_qualification.get(m, vmcsOf(vcpu)));
  if (reason !== EXIT_EPT_VIOLATION) return;
  const { guest_physical_address: gpa } = vmcs;
  vp_enter_args.rdx.set(m, args, 0, tdvps.ext_qualification.get(m, tdvpsOf(vcpu)));
  vp_enter_args.r8.set(m, args, gpa.hi(m, vmcsOf(vcpu)), gpa.lo(m, vmcsOf(vcpu)));
}

/** After a TDVMCALL the guest gets the registers it has named; RAX is 0. @source TDXM-ENTER-25 */
function giveRegisters(m: Machine, vcpu: Ref): void {
  const args = argsOf(vcpu);
  const guest = guestOf(vcpu);
  const mask = guest_cpu.rcx.get(m, guest);
  guest_cpu.rax.set(m, guest, 0, 0);
  for (const [bit, to, from] of PASSED)
    if (mask & (1 << bit)) to.set(m, guest, from.hi(m, args), from.lo(m, args));
}

/**
 * The checks of an entry, in their order; the first that fails gives the status. Association, once made, stays.
 *
 * @source TDXM-ENTER-2 to TDXM-ENTER-18
 */
function mayEnter(m: Machine, vcpu: Ref): boolean {
  const here = cpuOf(m);
  const module = moduleOf(kvmOf(m, vcpu));
  if (pcpu.limit_cpuid.get(m, here)) return refuse(m, 'LIMIT_CPUID_MAXVAL_SET');
  if (!lockVcpu(m, vcpu, 'shared', 'RCX') || !lockTd(m, module, 'shared', 'TDR')) return false;
  if (!usableTd(m, module, [tdx.OP_RUNNABLE])) return false;
  if (!usableVcpu(m, vcpu, [tdx.VCPU_READY], here)) return false;
  if (pcpu.tsc_adjusted.get(m, here)) return refuse(m, 'INCONSISTENT_MSR', MSR_IA32_TSC_ADJUST);
  if (pcpu.tsc_back.get(m, here)) return refuse(m, 'TSC_ROLLBACK');
  if (pcpu.monitor_off.get(m, here)) return refuse(m, 'INCORRECT_MSR_VALUE', MSR_INDEX.IA32_MISC_ENABLE);
  return succeed(m);
}

/** From the last check to the end of the exit the pages of vCPU and TD are locked, shared. @source TDXM-ENTER-26, TDXM-RET-12 */
function holdLocks(m: Machine, vcpu: Ref, held: 0 | 1): void {
  const module = moduleOf(kvmOf(m, vcpu));
  tdvps.shared.set(m, tdvpsOf(vcpu), held);
  tdr.shared.set(m, module, tdr.shared.get(m, module) + (held ? 1 : -1));
}

/**
 * TDH.VP.ENTER: checks, runs the TD, and returns with the status in RAX and the exit's details in the vCPU.
 *
 * @source TDXM-ENTER-2 to TDXM-ENTER-25, TDXM-EXIT-1
 */
export const tdh_vp_enter = routine(
  {
    name: 'tdh_vp_enter',
    layer: 'seam',
    source: 'TDXM-ENTER-1',
    args: ['vcpu'],
    steps: {
      seamcall: ['SEAMCALL: the CPU enters SEAM root mode; every interrupt is held off.', 'TDXM-MODE-3'],
      check: ['CPU, TD, vCPU: may this vCPU be entered here? Then its locks are held.', 'TDXM-ENTER-23'],
      commit: ['The vCPU is ACTIVE; PEND_NMI asks for an NMI window; VM entry into the TD.', 'TDXM-ENTER-25'],
      vmexit: ['VM exit to the module: is the TD fatal, who handles the exit?', 'TDXM-EXIT-1'],
      again: ['The module has dealt with the exit: VM entry into the TD again.', 'TDXM-EXIT-3'],
      inject_nmi: ['NMI window: inject the NMI, clear PEND_NMI, enter the TD again.', 'tdx:NMI-10'],
      seamret: [
        'SEAMRET: KVM gets status and exit reason in RAX; the host takes what has waited.',
        'TDXM-OUT-1',
      ],
    },
  },
  (at) => ({
    seamcall(m) {
      m.emit(seamcall, 0);
      pcpu.context.set(m, cpuOf(m), SEAM_ROOT);
      return at.check;
    },
    check(m, l) {
      const vcpu = l.vcpu as Ref;
      clearOutputs(m, vcpu);
      if (takeFault(m, 0)) {
        kvm_vcpu.intr_info.set(m, vcpu, seam_fault.intr_info.get(m, seamFaultRef(m)));
        return at.seamret;
      }
      if (!mayEnter(m, vcpu)) return at.seamret;
      holdLocks(m, vcpu, 1);
      return at.commit;
    },
    commit(m, l) {
      const vcpu = l.vcpu as Ref;
      tdvps.state.set(m, tdvpsOf(vcpu), tdx.VCPU_ACTIVE);
      if (tdvps.last_exit_vmcall.get(m, tdvpsOf(vcpu))) giveRegisters(m, vcpu);
      tdvps.last_exit_vmcall.set(m, tdvpsOf(vcpu), 0);
      armNmiWindow(m, vcpu);
      pcpu.context.set(m, cpuOf(m), SEAM_NON_ROOT);
      return m.call(at.vmexit, guest_run, vcpu);
    },
    inject_nmi(m, l) {
      const vcpu = l.vcpu as Ref;
      const ref = tdvpsOf(vcpu);
      const inject = tdvps.pend_nmi.get(m, ref) === 1 && !guest_cpu.ve_valid.get(m, guestOf(vcpu)) ? 1 : 0;
      tdvps.nmi_window.set(m, ref, 0);
      if (inject) {
        tdvps.pend_nmi.set(m, ref, 0);
        m.emit(nmi_injected_by_module, kvm_vcpu.id.get(m, vcpu));
      }
      pcpu.context.set(m, cpuOf(m), SEAM_NON_ROOT);
      return m.call(at.vmexit, guest_run, vcpu, inject ? INTR_INFO_NMI : 0);
    },
    vmexit(m, l) {
      const vcpu = l.vcpu as Ref;
      const ref = tdvpsOf(vcpu);
      const module = moduleOf(kvmOf(m, vcpu));
      const full = m.retval >>> 0;
      const reason = full & 0xffff;
      const here = cpuOf(m);
      pcpu.context.set(m, here, SEAM_ROOT);
      const qualification = vmcs.exit_qualification.get(m, vmcsOf(vcpu));
      const vector = kvm_vcpu.intr_info.get(m, vcpu) & 0xff;
      let how = disposition(reason, full >= ENTRY_FAILURE, qualification, vector);
      if (tdr.fatal.get(m, module)) {
        how = NOT_ACCESSIBLE; // another vCPU's exit made it fatal: TDXM-EXIT-1
      } else {
        if (reason === EXIT_NMI_WINDOW) return at.inject_nmi;
        if (isSuspicious(m, here, reason, qualification)) {
          pcpu.stepping.set(m, here, 0);
          m.emit(td_stepped, kvm_vcpu.id.get(m, vcpu));
          if (pcpu.lapic_disabled.get(m, here)) how = WRONG_APIC_MODE;
        }
        if (how === MODULE_FATAL) return m.abandon('unmodelled', 'module_fatal');
        if (how === HANDLED) {
          const exception = injectedFor(reason);
          const injects = exception === VE ? injectVe(m, vcpu, OP_NONE) : exception;
          m.emit(td_exit_handled, kvm_vcpu.id.get(m, vcpu), reason, injects);
          if (injects === 0) armNmiWindow(m, vcpu); // TDXM-EXIT-3
          return at.again;
        }
        if (how === NOT_ACCESSIBLE || how === UNEXPECTED || how === WRONG_APIC_MODE) {
          tdr.fatal.set(m, module, 1);
          m.emit(td_fatal, fatalBy(how, reason)); // stays ACTIVE: TDXM-RET-7 to TDXM-RET-10
        }
      }
      const status = statusOf(how);
      if (status === 'SUCCESS') tdvps.state.set(m, ref, tdx.VCPU_READY);
      else if (status === 'NON_RECOVERABLE_VCPU') tdvps.state.set(m, ref, tdx.VCPU_DISABLED);
      const byTdvmcall = status === 'SUCCESS' && reason === EXIT_TDCALL;
      tdvps.last_exit_vmcall.set(m, ref, byTdvmcall ? 1 : 0);
      if (reason === 0 && status === 'SUCCESS' && !variant.module_nmi_fix.get(m, variantRef(m))) {
        pcpu.nmi_blocked.set(m, here, 0); // the bug of older modules: tdx:NMI-25
      }
      giveOutputs(m, vcpu, reason, byTdvmcall);
      holdLocks(m, vcpu, 0);
      thread.rax.set(m, m.thread, TDX_STATUS[status], full);
      return at.seamret;
    },
    again(m, l) {
      pcpu.context.set(m, cpuOf(m), SEAM_NON_ROOT);
      return m.call(at.vmexit, guest_run, l.vcpu);
    },
    seamret(m, l) {
      const hi = thread.rax.hi(m, m.thread);
      const lo = thread.rax.lo(m, m.thread);
      kvm_vcpu.vp_enter_ret.set(m, l.vcpu as Ref, hi, lo);
      m.emit(seamret, 0, hi, lo);
      returnToHost(m);
      return m.ret(0);
    },
  }),
);
