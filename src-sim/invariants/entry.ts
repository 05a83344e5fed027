import { ENTRY_FAILURE, guest_run } from '../guest/run';
import * as host from '../kvm/kvm_host';
import { kvm, kvm_lapic, kvm_run, kvm_vcpu } from '../kvm/kvm_host';
import { kvm_vcpu_ioctl, kvm_vm_ioctl } from '../kvm/kvm_main';
import { hasDeliverableTimer } from '../kvm/lapic_timer';
import { EXIT_REASON_OTHER_SMI } from '../kvm/vmx/common';
import { tdx_handle_exit } from '../kvm/vmx/tdx';
import { vcpu_enter_guest } from '../kvm/x86';
import type { Ref } from '../machine/layout';
import { thread } from '../machine/machine';
import { E } from '../machine/routine';
import { INTR_INFO_VALID } from '../platform/intr_info';
import { tdr, tdvps } from '../seam/tdx_module';
import { tdh_vp_enter } from '../seam/vp_enter';
import { invariant } from './invariant';
import { at, type Look } from './look';

/** Entering the guest, leaving it, and who may not. */

const LAST_TEST = at(vcpu_enter_guest, 'last_test');
const RUN = at(vcpu_enter_guest, 'run');
const VCPU_DEAD = at(kvm_vcpu_ioctl, 'dead');
const VM_DEAD = at(kvm_vm_ioctl, 'dead');
const HANDLE_EXIT = at(tdx_handle_exit, 'dispatch');
const EIO = E('EIO');

/** `kvm_run.exit_reason` values that a TD never causes: HLT, SET_TPR, IOAPIC_EOI, AP_RESET_HOLD. @source NUM-2 */
const NEVER_FROM_A_TD: readonly number[] = [5, 11, 26, 32];

const threadOf = (look: Look, vcpu: Ref): Ref => kvm_vcpu.thread.get(look.m, vcpu) as Ref;
/** The last test before entry was passed in this moment. */
const passedLastTest = (look: Look, vcpu: Ref): boolean =>
  look.did(LAST_TEST) && look.word(0) === vcpu && look.goesOnAt(RUN);

export const entry = [
  invariant(
    'vcpu',
    'in_guest_mode',
    'tdx:INV-4',
    'vcpu->mode is IN_GUEST_MODE, or EXITING_GUEST_MODE after a kick, while the guest or TDH.VP.ENTER runs.',
    (look, vcpu) => {
      const { m } = look;
      const t = threadOf(look, vcpu);
      if (!look.isIn(m, t, guest_run, vcpu) && !look.isIn(m, t, tdh_vp_enter, vcpu)) return true;
      return kvm_vcpu.mode.get(m, vcpu) !== host.OUTSIDE_GUEST_MODE;
    },
  ),
  invariant(
    'vcpu',
    'no_entry_with_a_request',
    'tdx:INV-5, tdx:INV-17',
    'The last test before entry lets no vCPU pass that has a request, was kicked, or has a signal.',
    (look, vcpu) => {
      if (!passedLastTest(look, vcpu)) return true;
      const { before } = look;
      if (!kvm_vcpu.requests.isEmpty(before, vcpu)) return false;
      return (
        kvm_vcpu.mode.get(before, vcpu) === host.IN_GUEST_MODE &&
        !thread.signal.get(before, threadOf(look, vcpu))
      );
    },
  ),
  invariant(
    'vcpu',
    'no_timer_left_at_entry',
    'tdx:INV-22, TMR-9',
    'At entry no expired timer waits that could be delivered.',
    (look, vcpu) =>
      !passedLastTest(look, vcpu) ||
      !hasDeliverableTimer(look.m, vcpu) ||
      !kvm_lapic.in_kernel.get(look.m, host.apicOf(vcpu)),
  ),
  invariant(
    'vmx_vcpu',
    'no_event_left_in_the_vmcs',
    'x86:INJ-6, x86:VMX-15; SDM, VM-entry controls for event injection',
    'Outside of an entry the VMCS carries no event: it was taken, or given back when the entry was called off. Only an entry that fails leaves its event.',
    (look, vcpu) => {
      const { m } = look;
      if (host.vmcs.entry_intr_info.get(m, host.vmcsOf(vcpu)) < INTR_INFO_VALID) return true;
      return (
        look.isIn(m, threadOf(look, vcpu), vcpu_enter_guest, vcpu) ||
        kvm_vcpu.exit_reason.get(m, vcpu) >= ENTRY_FAILURE
      );
    },
  ),
  invariant(
    'td_vcpu',
    'nothing_enters_a_fatal_td',
    'tdx:INV-16, TDXM-INV-21',
    'Once the module has marked a TD fatal, no vCPU of it begins to execute guest code, unless its checks were done before.',
    (look, vcpu) => {
      const { m, before } = look;
      if (!tdr.fatal.get(before, host.moduleOf(host.kvmOf(m, vcpu)))) return true;
      const t = threadOf(look, vcpu);
      const checked = tdvps.shared.get(before, host.tdvpsOf(vcpu)) === 1; // TDXM-MC-9
      return checked || look.isIn(before, t, guest_run, vcpu) || !look.isIn(m, t, guest_run, vcpu);
    },
  ),
  invariant(
    'vcpu',
    'dead_vm_refuses_vcpu_ioctls',
    'tdx:INV-17, RUN-1',
    'Every vCPU ioctl that begins on a dead VM returns -EIO.',
    (look, vcpu) => {
      if (!look.did(VCPU_DEAD) || look.word(0) !== vcpu) return true;
      return (
        !kvm.vm_dead.get(look.before, host.kvmOf(look.m, vcpu)) || (look.returned() && look.m.retval === EIO)
      );
    },
  ),
  invariant(
    'vm',
    'dead_vm_refuses_vm_ioctls',
    'tdx:INV-17, RUN-1',
    'Every VM ioctl that begins on a dead VM returns -EIO.',
    (look, vm) => {
      if (!look.did(VM_DEAD) || look.word(0) !== vm || !kvm.vm_dead.get(look.before, vm)) return true;
      return look.isTop(look.m, look.thread, kvm_vm_ioctl) && look.m.retval === EIO;
    },
  ),
  invariant(
    'td_vcpu',
    'exits_a_td_never_makes',
    'tdx:INV-18',
    'No KVM_EXIT_HLT, KVM_EXIT_SET_TPR, KVM_EXIT_IOAPIC_EOI or KVM_EXIT_AP_RESET_HOLD comes from a TD.',
    ({ m }, vcpu) => !NEVER_FROM_A_TD.includes(kvm_run.exit_reason.get(m, host.runOf(vcpu))),
  ),
  invariant(
    'td',
    'td_state_goes_forward',
    'tdx:INV-31',
    'The state of a TD goes UNINITIALIZED, INITIALIZED, RUNNABLE, and never back.',
    ({ m, before }, vm) => kvm.td_state.get(m, vm) >= kvm.td_state.get(before, vm),
  ),
  invariant(
    'td_vcpu',
    'td_vcpu_state_goes_forward',
    'tdx:INV-31',
    'The state of a TD vCPU goes from UNINITIALIZED to INITIALIZED, and never back.',
    ({ m, before }, vcpu) => kvm_vcpu.tdx_state.get(m, vcpu) >= kvm_vcpu.tdx_state.get(before, vcpu),
  ),
  invariant(
    'td_vcpu',
    'entry_needs_both_built',
    'tdx:INV-32, RUN-4',
    'TDH.VP.ENTER is called only for an INITIALIZED vCPU of a RUNNABLE TD.',
    (look, vcpu) => {
      const { m } = look;
      if (!look.isIn(m, threadOf(look, vcpu), tdh_vp_enter, vcpu)) return true;
      return (
        kvm.td_state.get(m, host.kvmOf(m, vcpu)) === host.TD_STATE_RUNNABLE &&
        kvm_vcpu.tdx_state.get(m, vcpu) === host.VCPU_TD_STATE_INITIALIZED
      );
    },
  ),
  invariant(
    'td_vcpu',
    'smi_changes_nothing',
    'tdx:INV-26, tdx:SMI-12',
    'An SMI that is no MSMI changes nothing of the TD that KVM sees: its exit is handled without touching the vCPU.',
    (look, vcpu) => {
      if (!look.did(HANDLE_EXIT) || look.word(0) !== vcpu) return true;
      const { before, m } = look;
      if (kvm_vcpu.last_exit.get(before, vcpu) !== EXIT_REASON_OTHER_SMI) return true;
      if (kvm_vcpu.vp_enter_ret.hi(before, vcpu) !== 0) return true;
      for (let i = vcpu as number; i < vcpu + kvm_vcpu.info.size; i++)
        if (m.u8[i] !== before.u8[i]) return false;
      return look.returned() && m.retval === 1;
    },
  ),
];
