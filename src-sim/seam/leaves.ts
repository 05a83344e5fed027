import type { Ref } from '../machine/layout';
import { thread, type Machine } from '../machine/machine';
import { routine } from '../machine/routine';
import { event } from '../machine/trace';
import { HOST_KERNEL, pcpu, SEAM_NON_ROOT, SEAM_ROOT } from '../platform/pcpu';
import { POSTED_INTR_VECTOR, posted_intr_vmcs } from '../platform/posted_intr';
import { guest_cpu } from '../guest/cpu';
import { ENTRY_FAILURE, EXIT_NMI_WINDOW, guest_run, INTR_INFO_NMI } from '../guest/run';
import {
  argsOf, guest_page, guestOf, kvm_vcpu, kvmOf, moduleOf, pageAt, seam_fault, seamFaultRef, SEPT_FREE, SEPT_PENDING, tdvpsOf,
  variant, variantRef, vmcs, vmcsOf, vp_enter_args,
} from '../kvm/kvm_host'; // prettier-ignore
import { EXIT_REASON, pend_nmi_kept, pend_nmi_set } from '../kvm/trace';
import {
  disposition,
  HANDLED,
  DISABLE_VCPU,
  injectedFor,
  MODULE_FATAL,
  NOT_ACCESSIBLE,
  UNEXPECTED,
} from './exits';
import * as tdx from './tdx_module';
import { tdr, tdvps } from './tdx_module';

/** The SEAMCALL leaves that building and running a TD uses. Numbers: NUM-25; status words: NUM-21, NUM-24. */

/** High halves of completion status words. @source NUM-22, NUM-24 */
export const TDX_SUCCESS = 0;
export const TDX_OP_STATE_INCORRECT = 0xc000_0608;
export const TDX_TD_FATAL = 0xe000_0604;
export const TDX_NON_RECOVERABLE_VCPU = 0x4000_0001;
/** As the module produces it, and as Linux has it, which therefore does not know it. @source NUM-24, EXIT-2a */
export const TDX_NON_RECOVERABLE_TD_MODULE = 0x6000_0002;
export const TDX_NON_RECOVERABLE_TD = 0x4000_0002;
export const TDX_OPERAND_BUSY = 0x8000_0200;
export const TDX_SW_ERROR = 0x8000_ff00;
export const TDX_EPT_ENTRY_STATE_INCORRECT = 0xc000_0b0d;
export const TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE = 0x6000_0005;
export const TDX_NON_RECOVERABLE_TD_WRONG_APIC_MODE = 0x6000_0007;
export const TDX_NON_RECOVERABLE_TD_WRONG_APIC_MODE_MODULE = 0xe000_0007;
export const TDX_VCPU_STATE_INCORRECT = 0xc000_0700;
export const TDX_TDCX_NUM_INCORRECT = 0xc000_0610;
export const TDX_TD_VMCS_FIELD_NOT_INITIALIZED = 0xc000_0730;
export const TDX_TD_KEYS_NOT_CONFIGURED = 0x8000_0810;

const LEAF: Readonly<Record<number, string>> = {
  0: 'TDH.VP.ENTER', 1: 'TDH.MNG.ADDCX', 2: 'TDH.MEM.PAGE.ADD', 4: 'TDH.VP.ADDCX', 6: 'TDH.MEM.PAGE.AUG', 8: 'TDH.MNG.KEY.CONFIG',
  9: 'TDH.MNG.CREATE', 10: 'TDH.VP.CREATE', 17: 'TDH.MR.FINALIZE', 21: 'TDH.MNG.INIT', 22: 'TDH.VP.INIT', 26: 'TDH.VP.RD', 43: 'TDH.VP.WR',
}; // prettier-ignore
const seamcall = event(
  'seamcall',
  'mark',
  'NUM-25',
  { leaf: LEAF },
  '{leaf}',
  '{who}: SEAMCALL {leaf}: the TDX module takes over the CPU.',
);
const seamret = event('seamret', 'mark', 'NUM-21', { leaf: LEAF, rax: 'u64' }, '{leaf} rax {rax}',
  '{who}: the TDX module returns {rax} from {leaf}.'); // prettier-ignore

const td_fatal = event('td_fatal', 'mark', 'tdx:SMI-13', { by: ['MSMI', 'machine check', 'unexpected exit', 'wrong APIC mode'] }, '{by}',
  'The TDX module marks the TD fatal ({by}): no vCPU of it will ever enter again.'); // prettier-ignore
const nmi_injected_by_module = event('nmi_injected_by_module', 'mark', 'tdx:NMI-10', { vcpu: 'num' }, 'vcpu {vcpu}',
  'NMI window: the TDX module injects the NMI into vCPU {vcpu} and clears PEND_NMI. KVM sees nothing.'); // prettier-ignore

const seam_fault_used = event('seam_fault_used', 'mark', 'simulator', { leaf: LEAF, rax: 'u64' }, '{leaf} rax {rax}',
  '{leaf} is made to end with {rax}; the TDX module does nothing.'); // prettier-ignore
const td_exit_handled = event('td_exit_handled', 'mark', 'TDXM-EXIT-3',
  { vcpu: 'num', reason: EXIT_REASON, injects: { 0: 'nothing', 6: '#UD', 13: '#GP', 20: '#VE' } },
  'vcpu {vcpu} reason {reason} injects {injects}',
  'The TDX module deals with the exit of vCPU {vcpu} itself ({reason}; the guest gets {injects}). KVM sees nothing.'); // prettier-ignore
const td_stepped = event('td_stepped', 'mark', 'tdx:NMI-28', { vcpu: 'num' }, 'vcpu {vcpu}',
  'The exit of vCPU {vcpu} came suspiciously early: the TDX module lets the guest execute a few more instructions first.'); // prettier-ignore

/** Takes the status that this leaf is made to end with, if there is one. */
function takeFault(m: Machine, number: number): boolean {
  const ref = seamFaultRef(m);
  const times = seam_fault.times.get(m, ref);
  if (times === 0 || seam_fault.leaf.get(m, ref) !== number) return false;
  seam_fault.times.set(m, ref, times - 1);
  const hi = seam_fault.status.hi(m, ref);
  const lo = seam_fault.status.lo(m, ref);
  thread.rax.set(m, m.thread, hi, lo);
  m.emit(seam_fault_used, number, hi, lo);
  return true;
}

/** Pages of a TDVPS beyond the root. @source TDXM-BUILD-7 */
export const TDVPS_PAGES = 5;

function cpuOf(m: Machine): Ref {
  return thread.cpu.get(m, m.thread) as Ref;
}

/** A leaf whose work is one step: SEAMCALL, body, SEAMRET. The body answers the high half of the status. */
const leaf = (
  name: string,
  number: number,
  source: string,
  doc: string,
  body: (m: Machine, target: Ref, arg: number) => number,
) =>
  routine(
    {
      name,
      layer: 'seam',
      source,
      args: ['target', 'arg'],
      steps: {
        seamcall: ['SEAMCALL: the CPU enters SEAM root mode.', 'TDXM-MODE-4'],
        execute: [doc, source],
        seamret: ['SEAMRET to the host.', 'NUM-21'],
      },
    },
    (at) => ({
      seamcall(m) {
        m.emit(seamcall, number);
        pcpu.context.set(m, cpuOf(m), SEAM_ROOT);
        return at.execute;
      },
      execute(m, l) {
        if (!takeFault(m, number)) thread.rax.set(m, m.thread, body(m, l.target as Ref, l.arg), 0);
        return at.seamret;
      },
      seamret(m) {
        pcpu.context.set(m, cpuOf(m), HOST_KERNEL);
        m.emit(seamret, number, thread.rax.hi(m, m.thread), thread.rax.lo(m, m.thread));
        return m.ret(thread.rax.hi(m, m.thread) === 0 ? 0 : 1);
      },
    }),
  );

/** A TD-level leaf: fatal TD, keys, OP_STATE, then the work. @source TDXM-OPST-2, TDXM-OPST-15 */
const tdLeaf = (
  name: string,
  number: number,
  source: string,
  doc: string,
  opState: number,
  effect: (m: Machine, module: Ref) => void,
) =>
  leaf(name, number, source, doc, (m, vm) => {
    const module = moduleOf(vm);
    if (tdr.fatal.get(m, module)) return TDX_TD_FATAL;
    if (!tdr.hkid_assigned.get(m, module)) return TDX_TD_KEYS_NOT_CONFIGURED;
    if (tdr.op_state.get(m, module) !== opState) return TDX_OP_STATE_INCORRECT;
    effect(m, module);
    return TDX_SUCCESS;
  });

/** TDH.MNG.CREATE and TDH.MNG.KEY.CONFIG: the TD root exists and has its key. */
export const tdh_mng_create = leaf(
  'tdh_mng_create',
  9,
  'TDXM-BUILD-1',
  'Make the TD root and configure its key id.',
  (m, vm) => {
    tdr.hkid_assigned.set(m, moduleOf(vm), 1);
    return TDX_SUCCESS;
  },
);

export const tdh_mng_init = tdLeaf('tdh_mng_init', 21, 'TDXM-BUILD-4', 'Take attributes and XFAM; OP_STATE becomes INITIALIZED.',
  tdx.OP_UNINITIALIZED, (m, module) => tdr.op_state.set(m, module, tdx.OP_INITIALIZED)); // prettier-ignore

export const tdh_mem_page_add = tdLeaf('tdh_mem_page_add', 2, 'VCPU-11', 'Copy, encrypt and measure initial pages.',
  tdx.OP_INITIALIZED, (m, module) => tdr.pages.set(m, module, tdr.pages.get(m, module) + 1)); // prettier-ignore

export const tdh_mr_finalize = tdLeaf('tdh_mr_finalize', 17, 'TDXM-BUILD-15', 'End the measurement; OP_STATE becomes RUNNABLE.',
  tdx.OP_INITIALIZED, (m, module) => tdr.op_state.set(m, module, tdx.OP_RUNNABLE)); // prettier-ignore

/** `arg`: page. Only an entry that is FREE takes a page; the guest has to accept it. @source TDXM-OPST-7, VCPU-11 */
export const tdh_mem_page_aug = leaf('tdh_mem_page_aug', 6, 'TDXM-OPST-7', 'Map a page into the running TD; its entry becomes PENDING.',
  (m, vm, page) => {
    const module = moduleOf(vm);
    if (tdr.fatal.get(m, module)) return TDX_TD_FATAL;
    if (tdr.op_state.get(m, module) !== tdx.OP_RUNNABLE) return TDX_OP_STATE_INCORRECT;
    const ref = pageAt(vm, page);
    if (guest_page.sept.get(m, ref) !== SEPT_FREE) return TDX_EPT_ENTRY_STATE_INCORRECT;
    guest_page.sept.set(m, ref, SEPT_PENDING);
    return TDX_SUCCESS;
  }); // prettier-ignore

/** A vCPU-level build leaf: possible only while OP_STATE is INITIALIZED. @source TDXM-OPST-22 */
const vpLeaf = (
  name: string,
  number: number,
  source: string,
  doc: string,
  state: number,
  effect: (m: Machine, vcpu: Ref) => number,
) =>
  leaf(name, number, source, doc, (m, vcpu) => {
    const module = moduleOf(kvmOf(m, vcpu));
    if (tdr.fatal.get(m, module)) return TDX_TD_FATAL;
    if (tdr.op_state.get(m, module) !== tdx.OP_INITIALIZED) return TDX_OP_STATE_INCORRECT;
    if (tdvps.state.get(m, tdvpsOf(vcpu)) !== state) return TDX_VCPU_STATE_INCORRECT;
    return effect(m, vcpu);
  });

export const tdh_vp_create = vpLeaf(
  'tdh_vp_create',
  10,
  'TDXM-BUILD-6',
  'Make the TDVPS root page.',
  tdx.VCPU_NONE,
  (m, vcpu) => {
    tdvps.state.set(m, tdvpsOf(vcpu), tdx.VCPU_UNINITIALIZED);
    return TDX_SUCCESS;
  },
);

export const tdh_vp_addcx = vpLeaf(
  'tdh_vp_addcx',
  4,
  'TDXM-BUILD-7',
  'Add the other TDVPS pages.',
  tdx.VCPU_UNINITIALIZED,
  (m, vcpu) => {
    tdvps.pages.set(m, tdvpsOf(vcpu), TDVPS_PAGES);
    return TDX_SUCCESS;
  },
);

export const tdh_vp_init = vpLeaf('tdh_vp_init', 22, 'TDXM-BUILD-10', 'Initialize registers, TD VMCS and virtual-APIC page; the vCPU is READY.',
  tdx.VCPU_UNINITIALIZED, (m, vcpu) => {
    const ref = tdvpsOf(vcpu);
    if (tdvps.pages.get(m, ref) !== TDVPS_PAGES) return TDX_TDCX_NUM_INCORRECT;
    const module = moduleOf(kvmOf(m, vcpu));
    tdr.num_vcpus.set(m, module, tdr.num_vcpus.get(m, module) + 1);
    tdvps.state.set(m, ref, tdx.VCPU_READY);
    posted_intr_vmcs.nv.set(m, tdvps.vmcs.at(ref), 0xffff);
    return TDX_SUCCESS;
  }); // prettier-ignore

/** Fields that KVM writes with TDH.VP.WR. @source VCPU-9, VCPU-10 */
export const POSTED_INTR_NV = 0;
export const POSTED_INTR_DESC_ADDR = 1;
export const PIN_BASED_VM_EXEC_CONTROL = 2;
export const PEND_NMI = 3;

export const tdh_vp_wr = leaf(
  'tdh_vp_wr',
  43,
  'VCPU-10',
  'Check and write one field of the TD VMCS.',
  (m, vcpu, field) => {
    const vmcs = tdvps.vmcs.at(tdvpsOf(vcpu));
    if (tdr.fatal.get(m, moduleOf(kvmOf(m, vcpu)))) return TDX_TD_FATAL; // TDXM-MC-11
    if (tdvps.state.get(m, tdvpsOf(vcpu)) !== tdx.VCPU_READY) return TDX_VCPU_STATE_INCORRECT;
    switch (field) {
      case POSTED_INTR_NV:
        posted_intr_vmcs.nv.set(m, vmcs, POSTED_INTR_VECTOR);
        return TDX_SUCCESS;
      case PEND_NMI:
        m.emit(tdvps.pend_nmi.get(m, tdvpsOf(vcpu)) ? pend_nmi_kept : pend_nmi_set, kvm_vcpu.id.get(m, vcpu));
        tdvps.pend_nmi.set(m, tdvpsOf(vcpu), 1);
        return TDX_SUCCESS;
      case POSTED_INTR_DESC_ADDR:
        posted_intr_vmcs.desc_set.set(m, vmcs, 1);
        return TDX_SUCCESS;
      default: {
        const ready =
          posted_intr_vmcs.nv.get(m, vmcs) !== 0xffff && posted_intr_vmcs.desc_set.get(m, vmcs) === 1;
        if (!ready) return TDX_TD_VMCS_FIELD_NOT_INITIALIZED;
        posted_intr_vmcs.pin_bit.set(m, vmcs, 1);
        return TDX_SUCCESS;
      }
    }
  },
);

/** TDH.VP.RD of PEND_NMI: the value is what the field holds. @source tdx:NMI-17, NUM-26 */
export const tdh_vp_rd = leaf('tdh_vp_rd', 26, 'NUM-26', 'Check and read PEND_NMI.', (m, vcpu) =>
  tdr.fatal.get(m, moduleOf(kvmOf(m, vcpu))) ? TDX_TD_FATAL : TDX_SUCCESS,
);

/** PEND_NMI asks for NMI-window exiting, unless a #VE waits to be fetched. @source tdx:NMI-10, tdx:NMI-11 */
function armNmiWindow(m: Machine, vcpu: Ref): void {
  const wanted = tdvps.pend_nmi.get(m, tdvpsOf(vcpu)) === 1 && !guest_cpu.ve_valid.get(m, guestOf(vcpu));
  tdvps.nmi_window.set(m, tdvpsOf(vcpu), wanted ? 1 : 0);
}

const EXIT_TDCALL = 77;
const EXIT_EPT_VIOLATION = 48;
/** Besides the dispositions of `exits.ts`: the stepping filter found no local APIC to step with. @source tdx:NMI-28 */
const WRONG_APIC_MODE = 8;

function statusOf(how: number): number {
  if (how === NOT_ACCESSIBLE) return TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE;
  if (how === UNEXPECTED) return TDX_NON_RECOVERABLE_TD_MODULE;
  if (how === WRONG_APIC_MODE) return TDX_NON_RECOVERABLE_TD_WRONG_APIC_MODE_MODULE;
  return how === DISABLE_VCPU ? TDX_NON_RECOVERABLE_VCPU : TDX_SUCCESS;
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
function giveOutputs(m: Machine, vcpu: Ref, reason: number): void {
  const args = argsOf(vcpu);
  const guest = guestOf(vcpu);
  for (const field of OUTPUTS) field.set(m, args, 0, 0);
  if (reason === EXIT_TDCALL) {
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
      check: ['Fatal TD, OP_STATE, vCPU state: may this vCPU be entered?', 'TDXM-ENTER-6'],
      commit: ['The vCPU is ACTIVE; PEND_NMI asks for an NMI window; VM entry into the TD.', 'TDXM-ENTER-25'],
      vmexit: ['VM exit to the module: is the TD fatal, who handles the exit?', 'TDXM-EXIT-1'],
      again: ['The module has dealt with the exit: VM entry into the TD again.', 'TDXM-EXIT-3'],
      inject_nmi: ['NMI window: inject the NMI, clear PEND_NMI, enter the TD again.', 'tdx:NMI-10'],
      seamret: ['SEAMRET: KVM gets status and exit reason in RAX.', 'TDXM-OUT-1'],
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
      const module = moduleOf(kvmOf(m, vcpu));
      let status = TDX_SUCCESS;
      clearOutputs(m, vcpu);
      if (takeFault(m, 0)) {
        kvm_vcpu.intr_info.set(m, vcpu, seam_fault.intr_info.get(m, seamFaultRef(m)));
        return at.seamret;
      }
      if (tdr.fatal.get(m, module)) status = TDX_TD_FATAL;
      else if (tdr.op_state.get(m, module) !== tdx.OP_RUNNABLE) status = TDX_OP_STATE_INCORRECT;
      else if (tdvps.state.get(m, tdvpsOf(vcpu)) !== tdx.VCPU_READY) status = TDX_VCPU_STATE_INCORRECT;
      thread.rax.set(m, m.thread, status, 0);
      return status === TDX_SUCCESS ? at.commit : at.seamret;
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
      let status: number;
      if (tdr.fatal.get(m, module)) {
        status = TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE; // another vCPU's exit made it fatal: TDXM-EXIT-1
      } else {
        if (reason === EXIT_NMI_WINDOW) return at.inject_nmi;
        if (isSuspicious(m, here, reason, qualification)) {
          pcpu.stepping.set(m, here, 0);
          m.emit(td_stepped, kvm_vcpu.id.get(m, vcpu));
          if (pcpu.lapic_disabled.get(m, here)) how = WRONG_APIC_MODE;
        }
        if (how === MODULE_FATAL) return m.abandon('unmodelled', 'module_fatal');
        if (how === HANDLED) {
          m.emit(td_exit_handled, kvm_vcpu.id.get(m, vcpu), reason, injectedFor(reason));
          armNmiWindow(m, vcpu);
          return at.again;
        }
        status = statusOf(how);
        if (how === NOT_ACCESSIBLE || how === UNEXPECTED || how === WRONG_APIC_MODE) {
          tdr.fatal.set(m, module, 1);
          m.emit(td_fatal, fatalBy(how, reason)); // stays ACTIVE: TDXM-RET-7 to TDXM-RET-10
        }
      }
      if (status === TDX_SUCCESS) tdvps.state.set(m, ref, tdx.VCPU_READY);
      else if (status === TDX_NON_RECOVERABLE_VCPU) tdvps.state.set(m, ref, tdx.VCPU_DISABLED);
      tdvps.last_exit_vmcall.set(m, ref, reason === EXIT_TDCALL ? 1 : 0);
      if (reason === 0 && status === TDX_SUCCESS && !variant.module_nmi_fix.get(m, variantRef(m))) {
        pcpu.nmi_blocked.set(m, here, 0); // the bug of older modules: tdx:NMI-25
      }
      giveOutputs(m, vcpu, reason);
      thread.rax.set(m, m.thread, status, full);
      return at.seamret;
    },
    again(m, l) {
      pcpu.context.set(m, cpuOf(m), SEAM_NON_ROOT);
      return m.call(at.vmexit, guest_run, l.vcpu);
    },
    seamret(m, l) {
      pcpu.context.set(m, cpuOf(m), HOST_KERNEL);
      const hi = thread.rax.hi(m, m.thread);
      const lo = thread.rax.lo(m, m.thread);
      kvm_vcpu.vp_enter_ret.set(m, l.vcpu as Ref, hi, lo);
      m.emit(seamret, 0, hi, lo);
      return m.ret(0);
    },
  }),
);
