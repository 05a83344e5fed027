import { guest_cpu, inShadow } from '../guest/cpu';
import { ENTRY_FAILURE, guest_run } from '../guest/run';
import * as host from '../kvm/kvm_host';
import { kvm, kvm_vcpu, variant } from '../kvm/kvm_host';
import { tdx_inject_nmi } from '../kvm/vmx/tdx';
import { vmx_vcpu_run } from '../kvm/vmx/vmx';
import { kvm_vcpu_ioctl_nmi, kvm_vcpu_ioctl_smi, vcpu_enter_guest } from '../kvm/x86';
import { kvm_vcpu_ioctl_x86_set_vcpu_events } from '../kvm/x86_vcpu_events';
import { kvm_check_and_inject_events } from '../kvm/x86_inject';
import { kvm_vcpu_reset } from '../kvm/x86_reset';
import type { Ref, Views } from '../machine/layout';
import { E } from '../machine/routine';
import { INTR_INFO_NMI } from '../platform/intr_info';
import { tdh_vp_wr } from '../seam/fields';
import { tdr, tdvps } from '../seam/tdx_module';
import { invariant } from './invariant';
import { at, type Look } from './look';

/** NMIs towards the guest: in KVM, in the module, in the guest. */

const MERGE = at(tdx_inject_nmi, 'merge');
const REQUESTS = at(vcpu_enter_guest, 'requests');
const RESUME = at(guest_run, 'resume');
const LAST_TEST = at(vcpu_enter_guest, 'last_test');
const VMENTER = at(vmx_vcpu_run, 'vmenter');
const VMEXIT = at(vmx_vcpu_run, 'vmexit');
const TRACED = at(vmx_vcpu_run, 'traced');
const ENOTTY = E('ENOTTY');

/** 1 while guest code is about to be entered with an NMI. */
function underWay(look: Look, s: Views, vcpu: Ref): number {
  const t = kvm_vcpu.thread.get(look.m, vcpu) as Ref;
  const resumes = look.isTop(s, t, guest_run) && look.topStep(s, t) === RESUME.step;
  return resumes && look.topWord(s, t, 1) >>> 0 === INTR_INFO_NMI ? 1 : 0;
}

/** NMIs that were raised and that the guest has not taken yet. One being injected is on its way to PEND_NMI: they are one. */
function outstanding(look: Look, s: Views, vcpu: Ref): number {
  return (
    kvm_vcpu.nmi_queued.get(s, vcpu) +
    kvm_vcpu.nmi_pending.get(s, vcpu) +
    (host.is_td_vcpu(look.m, vcpu) ? inTheModule(look, s, vcpu) : injected(look, s, vcpu))
  );
}

function inTheModule(look: Look, s: Views, vcpu: Ref): number {
  const asked = tdvps.pend_nmi.get(s, host.tdvpsOf(vcpu));
  return Math.max(kvm_vcpu.nmi_injected.get(s, vcpu), asked) + underWay(look, s, vcpu);
}

/** 1 while a plain guest is given an NMI: as KVM has it, but from the entry to the exit's end as the VMCS has it. */
function injected(look: Look, s: Views, vcpu: Ref): number {
  const t = kvm_vcpu.thread.get(look.m, vcpu) as Ref;
  const entered = look.isAt(s, t, VMEXIT, vcpu) || look.isAt(s, t, TRACED, vcpu);
  if (!entered) return kvm_vcpu.nmi_injected.get(s, vcpu);
  const interrupted = host.vmcs.idt_vectoring_info.get(s, host.vmcsOf(vcpu)) === INTR_INFO_NMI;
  return interrupted ? 1 : carried(s, vcpu);
}

/** 1 while the entry's event in the VMCS is an NMI. */
function carried(s: Views, vcpu: Ref): number {
  return host.vmcs.entry_intr_info.get(s, host.vmcsOf(vcpu)) === INTR_INFO_NMI ? 1 : 0;
}

/** NMIs that the guest has taken in this moment; its counter has 8 bits. */
function taken(look: Look, vcpu: Ref): number {
  const guest = host.guestOf(vcpu);
  return (guest_cpu.nmis.get(look.m, guest) - guest_cpu.nmis.get(look.before, guest)) & 0xff;
}

/** The second posting keeps nmi_injected until it has read PEND_NMI back: it counts an NMI twice. @source tdx:NMI-17 */
function readsBack({ m }: Look): boolean {
  return variant.nmi_readback.get(m, host.variantRef(m)) === 1;
}

/** Whether SEAMCALLs past KVM have worked on the TD. */
function isPastKvm(look: Look, vcpu: Ref): boolean {
  return tdr.past_kvm.get(look.m, host.moduleOf(host.kvmOf(look.m, vcpu))) === 1;
}

/**
 * An entry, made, failed or called off, of which the VMCS and KVM's nmi_injected say different things: an exception went
 * first (x86:INJ-18); a failed entry before it left its event in the VMCS (x86:VMX-15; SDM, failures of VM entry while guest
 * state is loaded); userspace wrote nmi_injected, as KVM_SET_VCPU_EVENTS does without KVM_REQ_EVENT when it then refuses a
 * triple fault; or another thread reset the vCPU.
 */
function carriesOther(look: Look, vcpu: Ref): boolean {
  const failed = look.did(TRACED) && kvm_vcpu.exit_reason.get(look.m, vcpu) >= ENTRY_FAILURE;
  const passes = failed || look.did(VMENTER) || look.did(LAST_TEST);
  return (
    passes &&
    look.word(0) === vcpu &&
    carried(look.before, vcpu) !== kvm_vcpu.nmi_injected.get(look.before, vcpu)
  );
}

/** What may drop NMIs: a reset, userspace that writes them, an entry with another event, a bugged VM. @source x86:INV-14 */
function mayDrop(look: Look, vcpu: Ref): boolean {
  return (
    look.didOf(kvm_vcpu_reset) ||
    look.didOf(kvm_vcpu_ioctl_x86_set_vcpu_events) ||
    carriesOther(look, vcpu) ||
    kvm.vm_bugged.get(look.m, host.kvmOf(look.m, vcpu)) === 1 ||
    isPastKvm(look, vcpu)
  );
}

/** Whether KVM takes NMIs for masked: what vmx_get_nmi_mask answers. @source x86:VMX-9 */
function maskedForKvm(s: Views, vcpu: Ref, no_vnmi: boolean): boolean {
  if (no_vnmi) return kvm_vcpu.soft_vnmi_blocked.get(s, vcpu) === 1;
  return !kvm_vcpu.nmi_known_unmasked.get(s, vcpu) && guest_cpu.in_nmi.get(s, host.guestOf(vcpu)) === 1;
}

export const nmi = [
  invariant(
    'td_vcpu',
    'one_nmi_in_the_module',
    'tdx:INV-6',
    'At most one NMI is pending in the TDX module.',
    (look, vcpu) => tdvps.pend_nmi.get(look.m, host.tdvpsOf(vcpu)) <= 1,
  ),
  invariant(
    'vcpu',
    'two_nmis_in_kvm',
    'tdx:INV-7, x86:INV-1',
    'At most two NMIs are pending in KVM.',
    (look, vcpu) => kvm_vcpu.nmi_pending.get(look.m, vcpu) <= 2,
  ),
  invariant(
    'td_vcpu',
    'kvm_keeps_no_nmi',
    'tdx:INV-7, tdx:NMI-6',
    'Once the module was asked for an NMI none is pending in KVM; nmi_injected is set only in between, or by userspace.',
    (look, vcpu) => {
      const { m } = look;
      if (readsBack(look)) return true;
      const injected = kvm_vcpu.nmi_injected.get(m, vcpu) === 1;
      const t = kvm_vcpu.thread.get(m, vcpu) as Ref;
      if (injected && !kvm_vcpu.nmi_injected.get(look.before, vcpu)) {
        const inside = look.isIn(m, t, kvm_check_and_inject_events, vcpu);
        if (!inside && !look.didOf(kvm_vcpu_ioctl_x86_set_vcpu_events)) return false;
      }
      if (!look.did(MERGE) || look.word(0) !== vcpu) return true;
      return !injected && kvm_vcpu.nmi_pending.get(m, vcpu) === 0;
    },
  ),
  invariant(
    'vcpu',
    'nmi_not_lost',
    'tdx:INV-8, x86:INV-7, TDXM-INV-24',
    'Several NMIs may become one, never none: the last one goes only by being taken.',
    (look, vcpu) => {
      if (readsBack(look) && host.is_td_vcpu(look.m, vcpu)) return true;
      if (outstanding(look, look.before, vcpu) === 0 || outstanding(look, look.m, vcpu) > 0) return true;
      return taken(look, vcpu) > 0 || mayDrop(look, vcpu);
    },
  ),
  invariant(
    'vcpu',
    'nmis_are_raised',
    'tdx:INV-9, x86:INV-6',
    'The guest takes no more NMIs than were raised.',
    (look, vcpu) => {
      if (readsBack(look) && host.is_td_vcpu(look.m, vcpu)) return true;
      const more = outstanding(look, look.m, vcpu) + taken(look, vcpu) > outstanding(look, look.before, vcpu);
      if (!more) return true;
      const raised = kvm_vcpu.nmi_queued.get(look.m, vcpu) > kvm_vcpu.nmi_queued.get(look.before, vcpu);
      return (
        raised ||
        carriesOther(look, vcpu) ||
        look.didOf(kvm_vcpu_ioctl_x86_set_vcpu_events) ||
        (look.didOf(tdh_vp_wr) && isPastKvm(look, vcpu))
      );
    },
  ),
  invariant(
    'vcpu',
    'no_nmi_while_masked',
    'x86:INV-3, tdx:NMI-10',
    'The guest takes no NMI while NMIs are blocked, nor right after STI or MOV SS.',
    (look, vcpu) => {
      const guest = host.guestOf(vcpu);
      return (
        taken(look, vcpu) === 0 ||
        (!guest_cpu.in_nmi.get(look.before, guest) && !inShadow(look.before, guest))
      );
    },
  ),
  invariant(
    'vmx_vcpu',
    'one_nmi_while_masked',
    'x86:INV-2',
    'While NMIs are masked or one is being injected, processing keeps at most one pending.',
    (look, vcpu) => {
      const { before } = look;
      if (!look.did(REQUESTS) || look.word(0) !== vcpu) return true;
      const { KVM_REQ_NMI } = host;
      const processed =
        kvm_vcpu.requests.test(before, vcpu, KVM_REQ_NMI) > kvm_vcpu.requests.test(look.m, vcpu, KVM_REQ_NMI);
      const masked =
        maskedForKvm(before, vcpu, variant.no_vnmi.get(before, host.variantRef(look.m)) === 1) ||
        kvm_vcpu.nmi_injected.get(before, vcpu) === 1;
      return !processed || !masked || kvm_vcpu.nmi_pending.get(look.m, vcpu) <= 1;
    },
  ),
  invariant(
    'td_vcpu',
    'pend_nmi_goes_with_its_nmi',
    'TDXM-INV-18, tdx:NMI-10',
    'PEND_NMI is cleared only as the module enters the guest with the NMI, or by a host that writes 0 past KVM.',
    (look, vcpu) => {
      const ref = host.tdvpsOf(vcpu);
      const cleared = tdvps.pend_nmi.get(look.m, ref) < tdvps.pend_nmi.get(look.before, ref);
      const byHost = look.didOf(tdh_vp_wr) && isPastKvm(look, vcpu);
      return !cleared || byHost || underWay(look, look.m, vcpu) === 1;
    },
  ),
  invariant(
    'td_vcpu',
    'nmi_window_has_a_reason',
    'TDXM-INV-19, tdx:NMI-11',
    'NMI-window exiting is switched on only when PEND_NMI is 1 and no #VE waits to be fetched.',
    (look, vcpu) => {
      const ref = host.tdvpsOf(vcpu);
      const on = tdvps.nmi_window.get(look.m, ref) > tdvps.nmi_window.get(look.before, ref);
      return (
        !on || (tdvps.pend_nmi.get(look.m, ref) === 1 && !guest_cpu.ve_valid.get(look.m, host.guestOf(vcpu)))
      );
    },
  ),
  invariant(
    'vcpu',
    'nmi_and_smi_ioctls',
    'x86:INV-23',
    'KVM_NMI returns 0, KVM_SMI 0 or -ENOTTY, whatever the vCPU does.',
    (look, vcpu) => {
      if (look.thread !== kvm_vcpu.mutex.get(look.m, vcpu)) return true;
      if (look.didOf(kvm_vcpu_ioctl_nmi)) return look.m.retval === 0;
      return !look.didOf(kvm_vcpu_ioctl_smi) || look.m.retval === 0 || look.m.retval === ENOTTY;
    },
  ),
];
