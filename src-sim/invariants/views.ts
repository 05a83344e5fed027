import { guest_run } from '../guest/run';
import * as host from '../kvm/kvm_host';
import { kvm, kvm_vcpu } from '../kvm/kvm_host';
import { kvm_vcpu_ioctl } from '../kvm/kvm_main';
import { usesPostedInterrupts } from '../kvm/vmx/posted_intr';
import { kvm_destroy_vm } from '../kvm/x86_vm';
import type { Ref, Views } from '../machine/layout';
import { thread } from '../machine/machine';
import { pcpu, SEAM_NON_ROOT, VMX_NON_ROOT } from '../platform/pcpu';
import { pi_desc, posted_intr_vmcs } from '../platform/posted_intr';
import { tdh_vp_init } from '../seam/leaves';
import * as module from '../seam/tdx_module';
import { tdr, tdvps } from '../seam/tdx_module';
import { tdh_vp_enter } from '../seam/vp_enter';
import { invariant } from './invariant';
import { at, type Look } from './look';

/** What KVM, the TDX module and the hardware believe of each other. */

const CHECK = at(tdh_vp_enter, 'check');
const COMMIT = at(tdh_vp_enter, 'commit');

/** vCPUs that are ready in the module, less those that it counts. */
function uncounted({ m }: Look, s: Views, vm: Ref): number {
  let ready = 0;
  for (let i = 0; i < kvm.slots.get(s, vm); i++) {
    if (tdvps.state.get(s, host.tdvpsOf(host.vcpuAt(m, vm, i))) >= module.VCPU_READY) ready++;
  }
  return ready - tdr.num_vcpus.get(s, host.moduleOf(vm));
}

export const views = [
  invariant(
    'td',
    'kvm_never_ahead_of_the_module',
    'tdx:INV-31, tdx:INV-32, VM-24, TDXM-OPST-2',
    "KVM's state of a TD is never ahead of the module's, and a TD that KVM has initialized has its key, until KVM destroys it.",
    (look, vm) => {
      const { m } = look;
      const state = kvm.td_state.get(m, vm);
      const ref = host.moduleOf(vm);
      if (tdr.past_kvm.get(m, ref)) return true;
      if (state > tdr.op_state.get(m, ref)) return false;
      if (look.anyIn(m, kvm_destroy_vm, vm)) return true;
      return state === host.TD_STATE_UNINITIALIZED || tdr.lifecycle.get(m, ref) === module.TD_KEYS_CONFIGURED;
    },
  ),
  invariant(
    'td_vcpu',
    'initialized_in_both',
    'VCPU-9, VCPU-10, tdx:INV-32',
    'A vCPU that KVM takes for initialized is so in the module, posts interrupts there, and with the same vector.',
    ({ m }, vcpu) => {
      if (kvm_vcpu.tdx_state.get(m, vcpu) === host.VCPU_TD_STATE_UNINITIALIZED) return true;
      if (tdr.past_kvm.get(m, host.moduleOf(host.kvmOf(m, vcpu)))) return true;
      const ref = host.tdvpsOf(vcpu);
      if (tdvps.state.get(m, ref) < module.VCPU_READY) return false;
      const vmcs = tdvps.vmcs.at(ref);
      if (!posted_intr_vmcs.pin_bit.get(m, vmcs)) return false;
      const asleep = kvm_vcpu.wakeup_cpu.get(m, vcpu) >= 0; // the descriptor alone names the wake-up vector then
      return asleep || posted_intr_vmcs.nv.get(m, vmcs) === pi_desc.nv.get(m, host.pidOf(vcpu));
    },
  ),
  invariant(
    'td_vcpu',
    'posting_needs_its_fields',
    'TDXM-INV-27',
    'The module processes posted interrupts only with a notification vector and a descriptor.',
    ({ m }, vcpu) => {
      const vmcs = tdvps.vmcs.at(host.tdvpsOf(vcpu));
      if (!posted_intr_vmcs.pin_bit.get(m, vmcs)) return true;
      return (
        posted_intr_vmcs.nv.get(m, vmcs) <= 0xff && posted_intr_vmcs.desc_addr.hi(m, vmcs) !== 0xffff_ffff
      );
    },
  ),
  invariant(
    'td_vcpu',
    'active_while_inside',
    'TDXM-INV-2, TDXM-INV-3',
    'The module takes a vCPU for ACTIVE exactly while it is inside TDH.VP.ENTER; one that a fatal TD left stays so.',
    (look, vcpu) => {
      const { m } = look;
      const active = tdvps.state.get(m, host.tdvpsOf(vcpu)) === module.VCPU_ACTIVE;
      const t = kvm_vcpu.thread.get(m, vcpu) as Ref;
      if (look.isIn(m, t, guest_run, vcpu) && !active) return false;
      return (
        !active ||
        look.isIn(m, t, tdh_vp_enter, vcpu) ||
        tdr.fatal.get(m, host.moduleOf(host.kvmOf(m, vcpu))) === 1
      );
    },
  ),
  invariant(
    'vcpu',
    'cpu_knows_who_runs',
    'TDXM-INV-4, RUN-10',
    'The CPU of a vCPU is in non-root mode while its guest executes.',
    (look, vcpu) => {
      const { m } = look;
      if (!look.isTop(m, kvm_vcpu.thread.get(m, vcpu) as Ref, guest_run)) return true;
      const mode = host.is_td_vcpu(m, vcpu) ? SEAM_NON_ROOT : VMX_NON_ROOT;
      return pcpu.context.get(m, kvm_vcpu.cpu.get(m, vcpu)) === mode;
    },
  ),
  invariant(
    'cpu',
    'one_thread_a_cpu',
    'TDXM-INV-4',
    'A CPU runs one thread, which runs nowhere else: so it runs at most one vCPU, and a vCPU on one CPU.',
    ({ m }, cpu) => {
      const t = pcpu.thread.get(m, cpu) as Ref;
      return thread.cpu.get(m, t) === cpu && thread.on_cpu.get(m, t) === pcpu.index.get(m, cpu);
    },
  ),
  invariant(
    'vcpu',
    'loaded_where_it_runs',
    'PI-23, PI-24',
    'While the guest executes, KVM has the vCPU loaded on the CPU of its thread, and NDST names that CPU.',
    (look, vcpu) => {
      const { m } = look;
      const t = kvm_vcpu.thread.get(m, vcpu) as Ref;
      if (!look.isTop(m, t, guest_run)) return true;
      const cpu = thread.cpu.get(m, t) as Ref;
      if (kvm_vcpu.cpu.get(m, vcpu) !== cpu) return false;
      return (
        !usesPostedInterrupts(m, vcpu) || pi_desc.ndst.get(m, host.pidOf(vcpu)) === pcpu.index.get(m, cpu)
      );
    },
  ),
  invariant(
    'vcpu',
    'one_ioctl_at_a_time',
    'RUN-1, tdx:NMI-1',
    'Who holds the mutex of a vCPU is inside an ioctl of it.',
    (look, vcpu) => {
      const owner = kvm_vcpu.mutex.get(look.m, vcpu) as Ref;
      return owner === 0 || look.isIn(look.m, owner, kvm_vcpu_ioctl, vcpu);
    },
  ),
  invariant(
    'td',
    'the_module_never_goes_back',
    'TDXM-INV-1',
    'A TD that is fatal stays so; its life cycle and its OP_STATE never go back.',
    ({ m, before }, vm) => {
      const ref = host.moduleOf(vm);
      if (tdr.fatal.get(m, ref) < tdr.fatal.get(before, ref)) return false;
      if (tdr.lifecycle.get(m, ref) < tdr.lifecycle.get(before, ref)) return false;
      return tdr.op_state.get(m, ref) >= tdr.op_state.get(before, ref);
    },
  ),
  invariant(
    'td',
    'the_module_counts_its_vcpus',
    'TDXM-BUILD-8',
    'The module counts the vCPUs that TDH.VP.INIT has made ready, and those that it refused after it had counted them.',
    (look, vm) => {
      const more = uncounted(look, look.m, vm) - uncounted(look, look.before, vm);
      const refused = look.didOf(tdh_vp_init) && thread.rax.hi(look.m, look.thread) !== 0;
      return more === 0 || (more === -1 && refused);
    },
  ),
  invariant(
    'td',
    'pages_are_counted',
    'TDXM-INV-16, TDXM-LIFE-4',
    "CHLDCNT is the number of the TD's pages besides its root until pages are reclaimed; the root goes when it is 0.",
    ({ m, before }, vm) => {
      const ref = host.moduleOf(vm);
      const pages = tdr.chldcnt.get(m, ref);
      const lifecycle = tdr.lifecycle.get(m, ref);
      if (lifecycle === module.TD_RECLAIMED) return pages === 0;
      if (lifecycle === module.TD_TEARDOWN) return pages <= tdr.chldcnt.get(before, ref);
      let owned = tdr.tdcx.get(m, ref) + tdr.pages.get(m, ref);
      for (let i = 0; i < host.PAGES; i++)
        if (host.guest_page.sept.get(m, host.pageAt(vm, i)) !== host.SEPT_FREE) owned++;
      for (let i = 0; i < kvm.slots.get(m, vm); i++) {
        const of = host.tdvpsOf(host.vcpuAt(m, vm, i));
        if (tdvps.state.get(m, of) !== module.VCPU_NONE) owned += 1 + tdvps.pages.get(m, of);
      }
      return pages === owned;
    },
  ),
  invariant(
    'td',
    'associations_are_counted',
    'TDXM-INV-5',
    'The module counts the vCPUs that belong to some CPU.',
    ({ m }, vm) => {
      let associated = 0;
      for (let i = 0; i < kvm.slots.get(m, vm); i++)
        if (tdvps.assoc.get(m, host.tdvpsOf(host.vcpuAt(m, vm, i)))) associated++;
      return associated === tdr.num_assoc_vcpus.get(m, host.moduleOf(vm));
    },
  ),
  invariant(
    'td',
    'entries_hold_their_locks',
    'TDXM-INV-9, TDXM-INV-13',
    'The page of a TD is held shared once for each of its vCPUs that is being entered or runs, and by nobody else.',
    ({ m }, vm) => {
      let held = 0;
      for (let i = 0; i < kvm.slots.get(m, vm); i++)
        held += tdvps.shared.get(m, host.tdvpsOf(host.vcpuAt(m, vm, i)));
      return held === tdr.shared.get(m, host.moduleOf(vm));
    },
  ),
  invariant(
    'td_vcpu',
    'runs_where_it_belongs',
    'TDXM-INV-3, TDXM-ENTER-26',
    'A vCPU whose guest executes belongs to that CPU and is locked; its TD had its keys and was runnable.',
    (look, vcpu) => {
      const { m } = look;
      if (!look.isIn(m, kvm_vcpu.thread.get(m, vcpu) as Ref, guest_run, vcpu)) return true;
      const ref = host.tdvpsOf(vcpu);
      const td = host.moduleOf(host.kvmOf(m, vcpu));
      return (
        tdvps.shared.get(m, ref) === 1 &&
        tdvps.assoc.get(m, ref) === 1 + pcpu.index.get(m, kvm_vcpu.cpu.get(m, vcpu) as Ref) &&
        tdr.lifecycle.get(m, td) === module.TD_KEYS_CONFIGURED &&
        tdr.op_state.get(m, td) === module.OP_RUNNABLE
      );
    },
  ),
  invariant(
    'td_vcpu',
    'refused_entry_changes_nothing',
    'TDXM-INV-29',
    'A TDH.VP.ENTER that is refused leaves what the module keeps of the vCPU as it was, but for the CPU it belongs to.',
    (look, vcpu) => {
      if (!look.did(CHECK) || look.word(0) !== vcpu || look.goesOnAt(COMMIT)) return true;
      const from = host.tdvpsOf(vcpu) as number;
      for (let i = from; i < from + tdvps.info.size; i++)
        if (i !== from + tdvps.assoc.byte && look.m.u8[i] !== look.before.u8[i]) return false;
      return true;
    },
  ),
  invariant(
    'td_vcpu',
    'status_words_make_sense',
    'TDXM-INV-32, NUM-21',
    'A status that says fatal says non-recoverable too.',
    ({ m }, vcpu) => {
      const hi = kvm_vcpu.vp_enter_ret.hi(m, vcpu);
      const rax = thread.rax.hi(m, kvm_vcpu.thread.get(m, vcpu));
      return saysBoth(hi) && saysBoth(rax);
    },
  ),
];

/** Bit 61 of a status word, fatal, implies bit 62, not recoverable. */
function saysBoth(hi: number): boolean {
  return (hi & 0x2000_0000) === 0 || (hi & 0x4000_0000) !== 0;
}
