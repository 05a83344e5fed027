import type { Ref } from '../machine/layout';
import { thread, type Machine } from '../machine/machine';
import { routine } from '../machine/routine';
import { event } from '../machine/trace';
import { HOST_KERNEL, pcpu, SEAM_NON_ROOT, SEAM_ROOT } from '../platform/pcpu';
import { POSTED_INTR_VECTOR, posted_intr_vmcs } from '../platform/posted_intr';
import { guest_cpu } from '../guest/cpu';
import { EXIT_NMI_WINDOW, guest_run, INTR_INFO_MCE, INTR_INFO_NMI } from '../guest/run';
import { guestOf, kvm_vcpu, kvmOf, moduleOf, tdvpsOf, variant, variantRef } from '../kvm/kvm_host';
import { pend_nmi_kept, pend_nmi_set } from '../kvm/trace';
import * as tdx from './tdx_module';
import { tdr, tdvps } from './tdx_module';

/** The SEAMCALL leaves that building and running a TD uses. Numbers: NUM-25; status words: NUM-21, NUM-24. */

/** High halves of completion status words. @source NUM-22, NUM-24 */
export const TDX_SUCCESS = 0;
export const TDX_OP_STATE_INCORRECT = 0xc000_0608;
export const TDX_TD_FATAL = 0xe000_0604;
export const TDX_NON_RECOVERABLE_VCPU = 0x4000_0001;
export const TDX_NON_RECOVERABLE_TD = 0x4000_0002;
export const TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE = 0x6000_0005;
export const TDX_NON_RECOVERABLE_TD_WRONG_APIC_MODE = 0x6000_0007;
export const TDX_VCPU_STATE_INCORRECT = 0xc000_0700;
export const TDX_TDCX_NUM_INCORRECT = 0xc000_0610;
export const TDX_TD_VMCS_FIELD_NOT_INITIALIZED = 0xc000_0730;
export const TDX_TD_KEYS_NOT_CONFIGURED = 0x8000_0810;

const LEAF: Readonly<Record<number, string>> = {
  0: 'TDH.VP.ENTER', 1: 'TDH.MNG.ADDCX', 2: 'TDH.MEM.PAGE.ADD', 4: 'TDH.VP.ADDCX', 8: 'TDH.MNG.KEY.CONFIG',
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

const td_fatal = event('td_fatal', 'mark', 'tdx:SMI-13', { by: ['MSMI', 'machine check'] }, '{by}',
  'The TDX module marks the TD fatal ({by}): no vCPU of it will ever enter again.'); // prettier-ignore
const nmi_injected_by_module = event('nmi_injected_by_module', 'mark', 'tdx:NMI-10', { vcpu: 'num' }, 'vcpu {vcpu}',
  'NMI window: the TDX module injects the NMI into vCPU {vcpu} and clears PEND_NMI. KVM sees nothing.'); // prettier-ignore

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
        thread.rax.set(m, m.thread, body(m, l.target as Ref, l.arg), 0);
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
      seamcall: ['SEAMCALL: the CPU enters SEAM root mode; every interrupt is held off.', 'S000'],
      check: ['Fatal TD, OP_STATE, vCPU state: may this vCPU be entered?', 'TDXM-ENTER-6'],
      commit: ['The vCPU is ACTIVE; PEND_NMI asks for an NMI window; VM entry into the TD.', 'TDXM-ENTER-25'],
      vmexit: ['VM exit to the module: is the TD fatal, who handles the exit?', 'TDXM-EXIT-1'],
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
      if (tdr.fatal.get(m, module)) status = TDX_TD_FATAL;
      else if (tdr.op_state.get(m, module) !== tdx.OP_RUNNABLE) status = TDX_OP_STATE_INCORRECT;
      else if (tdvps.state.get(m, tdvpsOf(vcpu)) !== tdx.VCPU_READY) status = TDX_VCPU_STATE_INCORRECT;
      thread.rax.set(m, m.thread, status, 0);
      return status === TDX_SUCCESS ? at.commit : at.seamret;
    },
    commit(m, l) {
      const vcpu = l.vcpu as Ref;
      tdvps.state.set(m, tdvpsOf(vcpu), tdx.VCPU_ACTIVE);
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
      const reason = m.retval;
      pcpu.context.set(m, cpuOf(m), SEAM_ROOT);
      const alreadyFatal = tdr.fatal.get(m, module) === 1;
      if (!alreadyFatal && reason === EXIT_NMI_WINDOW) return at.inject_nmi;
      const msmi = reason === 6 && pcpu.msmi.get(m, cpuOf(m)) === 1;
      const mce = reason === 0 && kvm_vcpu.intr_info.get(m, vcpu) === INTR_INFO_MCE;
      if (!alreadyFatal && (msmi || mce)) {
        tdr.fatal.set(m, module, 1);
        m.emit(td_fatal, msmi ? 0 : 1);
      }
      let status = TDX_SUCCESS;
      if (alreadyFatal || msmi || mce)
        status = TDX_NON_RECOVERABLE_TD_NON_ACCESSIBLE; // stays ACTIVE: TDXM-RET-10
      else if (reason === 2) status = TDX_NON_RECOVERABLE_VCPU;
      if (status === TDX_SUCCESS) tdvps.state.set(m, ref, tdx.VCPU_READY);
      else if (status === TDX_NON_RECOVERABLE_VCPU) tdvps.state.set(m, ref, tdx.VCPU_DISABLED);
      tdvps.last_exit_vmcall.set(m, ref, reason === 77 ? 1 : 0);
      if (reason === 0 && !mce && !variant.module_nmi_fix.get(m, variantRef(m))) {
        pcpu.nmi_blocked.set(m, cpuOf(m), 0); // the bug of older modules: tdx:NMI-25
      }
      thread.rax.set(m, m.thread, status, reason);
      return at.seamret;
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
