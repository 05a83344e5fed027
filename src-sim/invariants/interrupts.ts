import { guest_cpu, inShadow, vmxip, vppr } from '../guest/cpu';
import { guest_run } from '../guest/run';
import * as host from '../kvm/kvm_host';
import { kvm_lapic, kvm_vcpu } from '../kvm/kvm_host';
import { kvm_vcpu_kick } from '../kvm/kvm_main';
import { __apic_accept_irq, kvm_apic_present } from '../kvm/lapic';
import { device_posts, kvm_enter_smm, kvm_inj_virq, lapic_timer_posted } from '../kvm/trace';
import { __vmx_deliver_posted_interrupt, EXIT_REASON_HLT, vmx_deliver_interrupt } from '../kvm/vmx/common';
import { pi_has_pending_interrupt } from '../kvm/vmx/posted_intr';
import { vmx_has_interrupt } from '../kvm/vmx/vmx';
import { kvm_arch_vcpu_ioctl_set_mpstate, kvm_vcpu_ioctl_set_lapic } from '../kvm/x86';
import { kvm_vcpu_ioctl_x86_set_vcpu_events } from '../kvm/x86_vcpu_events';
import { kvm_vcpu_reset } from '../kvm/x86_reset';
import type { Bits, Ref, Views } from '../machine/layout';
import { thread, THREAD_STATUS } from '../machine/machine';
import { APIC_DM_FIXED, APIC_SPIV_APIC_ENABLED } from '../platform/apic';
import { pcpu } from '../platform/pcpu';
import {
  pi_desc,
  POSTED_INTR_VECTOR,
  POSTED_INTR_WAKEUP_VECTOR,
  RESCHEDULE_VECTOR,
} from '../platform/posted_intr';
import { invariant } from './invariant';
import { at, type Look } from './look';

/** Interrupts on their way: posted, harvested, delivered, waking who sleeps. */

const SET_PIR = at(__vmx_deliver_posted_interrupt, 'set_pir');
const BEFORE_SET_ON = at(__vmx_deliver_posted_interrupt, 'set_on');
const BEFORE_NOTIFY = at(__vmx_deliver_posted_interrupt, 'notify');
const SET_IRR = at(vmx_deliver_interrupt, 'choose');
const SELF_IPI = at(guest_run, 'execute');
const BEFORE_KICK_IPI = at(kvm_vcpu_kick, 'send');
const BEFORE_WAKE = at(kvm_vcpu_kick, 'wake');
const BEFORE_KICK = at(__apic_accept_irq, 'kick');
const DECIDE = at(__apic_accept_irq, 'decide');

/** Bits of a 256-bit set, word by word: those that appeared, or went, in this moment. */
const gained = (look: Look, set: Bits, r: Ref, word: number): number => {
  const i = ((r + set.byte) >> 2) + word;
  return look.m.u32[i]! & ~look.before.u32[i]!;
};
const gone = (look: Look, set: Bits, r: Ref, word: number): number => {
  const i = ((r + set.byte) >> 2) + word;
  return look.before.u32[i]! & ~look.m.u32[i]!;
};
const wordNow = (look: Look, set: Bits, r: Ref, word: number): number =>
  look.m.u32[((r + set.byte) >> 2) + word]!;
const wordBefore = (look: Look, set: Bits, r: Ref, word: number): number =>
  look.before.u32[((r + set.byte) >> 2) + word]!;
const WORDS = 8;

/** What empties an APIC rightly: a reset, and userspace that loads another state. */
const setAnew = (look: Look): boolean => look.didOf(kvm_vcpu_reset) || look.didOf(kvm_vcpu_ioctl_set_lapic);

const isAsleep = (look: Look, vcpu: Ref): boolean =>
  thread.status.get(look.m, kvm_vcpu.thread.get(look.m, vcpu)) === THREAD_STATUS.indexOf('blocked');

/** The guest's code executes: nothing of KVM or the module is under way on its thread. */
export const executes = (look: Look, vcpu: Ref): boolean =>
  look.isTop(look.m, kvm_vcpu.thread.get(look.m, vcpu) as Ref, guest_run);

/** Class of the processor priority: of the TPR, or of what is in service. */
const priorityClass = (s: Views, vcpu: Ref): number => vppr(s, host.guestOf(vcpu)) >> 4;

export const interrupts = [
  invariant(
    'vcpu',
    'posted_not_lost',
    'tdx:INV-1, PI-10 to PI-25',
    'What leaves the PIR is in the virtual IRR, or in service.',
    (look, vcpu) => {
      for (let w = 0; w < WORDS; w++) {
        const lost =
          gone(look, pi_desc.pir, host.pidOf(vcpu), w) &
          ~wordNow(look, guest_cpu.virr, host.guestOf(vcpu), w) &
          ~gained(look, guest_cpu.visr, host.guestOf(vcpu), w); // KVM merges and takes it in one step
        if (lost !== 0 && !setAnew(look)) return false;
      }
      return true;
    },
  ),
  invariant(
    'vcpu',
    'harvested_not_lost',
    'tdx:INV-1, x86:LAPIC-26',
    'What leaves the virtual IRR is in service.',
    (look, vcpu) => {
      for (let w = 0; w < WORDS; w++) {
        const guest = host.guestOf(vcpu);
        const lost = gone(look, guest_cpu.virr, guest, w) & ~wordNow(look, guest_cpu.visr, guest, w);
        if (lost !== 0 && !setAnew(look)) return false;
      }
      return true;
    },
  ),
  invariant(
    'vcpu',
    'deliveries_come_from_posts',
    'tdx:INV-29',
    'A vector gets into the PIR by a post, from there or by SELF_IPI into the virtual IRR, from there into service.',
    (look, vcpu) => {
      const pid = host.pidOf(vcpu);
      const guest = host.guestOf(vcpu);
      for (let w = 0; w < WORDS; w++) {
        if (gained(look, pi_desc.pir, pid, w) !== 0 && !postedTo(look, vcpu)) return false;
        const harvested = gained(look, guest_cpu.virr, guest, w) & ~wordBefore(look, pi_desc.pir, pid, w);
        if (harvested !== 0 && !look.did(SET_IRR) && !look.did(SELF_IPI) && !setAnew(look)) return false;
        const served =
          gained(look, guest_cpu.visr, guest, w) &
          ~wordBefore(look, guest_cpu.virr, guest, w) &
          ~wordBefore(look, pi_desc.pir, pid, w);
        if (served !== 0 && !setAnew(look)) return false;
      }
      return true;
    },
  ),
  invariant(
    'vcpu',
    'pir_implies_on',
    'tdx:INV-2, x86:INV-22',
    'A vector in the PIR has ON beside it, unless SN is set or its sender has still to set ON.',
    pirImpliesOn,
  ),
  invariant(
    'vcpu',
    'notification_under_way',
    'tdx:INV-3',
    'While the guest executes with ON set, the notification waits at its CPU, or its sender or a kick is under way.',
    (look, vcpu) => {
      const { m } = look;
      if (!pi_desc.on.get(m, host.pidOf(vcpu)) || !executes(look, vcpu)) return true;
      const cpu = kvm_vcpu.cpu.get(m, vcpu);
      if (pcpu.irr.test(m, cpu, POSTED_INTR_VECTOR) || pcpu.irr.test(m, cpu, RESCHEDULE_VECTOR)) return true;
      return look.anyAt(BEFORE_NOTIFY, vcpu) || look.anyAt(BEFORE_KICK_IPI, vcpu);
    },
  ),
  invariant(
    'vcpu',
    'fixed_needs_an_enabled_apic',
    'tdx:INV-30, PI-5',
    'A FIXED interrupt is accepted only while the shadow local APIC is enabled.',
    (look, vcpu) => {
      if (!look.did(DECIDE) || look.word(0) !== vcpu || ((look.word(1) >> 8) & 7) !== APIC_DM_FIXED)
        return true;
      const svr = kvm_lapic.svr.get(look.before, host.apicOf(vcpu));
      return (svr & APIC_SPIV_APIC_ENABLED) !== 0 || (look.returned() && look.m.retval === 0);
    },
  ),
  invariant(
    'vcpu',
    'wakeup_not_lost',
    'tdx:INV-21, HLT-6',
    'A vCPU sleeps only while no interrupt and no NMI waits for it, or while who raised it is about to wake it.',
    (look, vcpu) => {
      const { m } = look;
      if (!isAsleep(look, vcpu)) return true;
      const raised = kvm_vcpu.requests.test(m, vcpu, host.KVM_REQ_NMI) === 1 || takable(look, vcpu);
      if (!raised) return true;
      return (
        look.anyAt(BEFORE_NOTIFY, vcpu) || look.anyAt(BEFORE_KICK, vcpu) || look.anyAt(BEFORE_WAKE, vcpu)
      );
    },
  ),
  invariant(
    'td_vcpu',
    'blocked_halt_sleeps_on',
    'tdx:INV-20, HLT-3',
    'A TD vCPU that halted with interrupts blocked does not become RUNNABLE by a FIXED interrupt.',
    (look, vcpu) => {
      const { m, before } = look;
      if (host.variant.no_halt_flag.get(m, host.variantRef(m))) return true; // that design knew no flag: HLT-2
      const left =
        kvm_vcpu.mp_state.get(before, vcpu) === host.KVM_MP_STATE_HALTED &&
        kvm_vcpu.mp_state.get(m, vcpu) === host.KVM_MP_STATE_RUNNABLE;
      if (!left || !kvm_vcpu.halt_irqs_blocked.get(before, vcpu)) return true;
      if (kvm_vcpu.last_exit.get(before, vcpu) !== EXIT_REASON_HLT) return true;
      if (look.didOf(kvm_arch_vcpu_ioctl_set_mpstate)) return true;
      return (
        kvm_vcpu.pv_unhalted.get(before, vcpu) === 1 || // a remote-read message is no interrupt: x86:LAPIC-7
        kvm_vcpu.nmi_pending.get(m, vcpu) > 0 ||
        kvm_vcpu.smi_pending.get(m, vcpu) === 1 ||
        kvm_vcpu.requests.test(m, vcpu, host.KVM_REQ_NMI) === 1
      );
    },
  ),
  invariant(
    'vcpu',
    'priority_is_respected',
    'x86:INV-20, x86:LAPIC-21, x86:LAPIC-26',
    'A vector comes into service only when its class is above the PPR, and the PPR is at least that class afterwards.',
    (look, vcpu) => {
      for (let w = 0; w < WORDS; w++) {
        const taken = gained(look, guest_cpu.visr, host.guestOf(vcpu), w);
        if (taken === 0 || setAnew(look)) continue;
        const lowest = w * 32 + 31 - Math.clz32(taken & -taken);
        if (lowest >> 4 <= priorityClass(look.before, vcpu)) return false;
        if (priorityClass(look.m, vcpu) < lowest >> 4) return false;
      }
      return true;
    },
  ),
  invariant(
    'vmx_vcpu',
    'window_for_what_waits',
    'x86:INV-21',
    'Without APICv a plain guest executes with interrupts open and a deliverable vector in its IRR only while KVM_REQ_EVENT or an interrupt window will bring KVM back to it.',
    (look, vcpu) => {
      const { m } = look;
      const guest = host.guestOf(vcpu);
      if (kvm_lapic.apicv_active.get(m, host.apicOf(vcpu)) || !executes(look, vcpu)) return true;
      if (!vmxip(m, guest) || !kvm_apic_present(m, vcpu)) return true;
      if (!guest_cpu.if.get(m, guest) || inShadow(m, guest)) return true;
      if (kvm_vcpu.guest_debug_blockirq.get(m, vcpu)) return true; // userspace holds it back: x86:INJ-10
      return (
        kvm_vcpu.requests.test(m, vcpu, host.KVM_REQ_EVENT) === 1 ||
        host.vmcs.cpu_based.test(m, host.vmcsOf(vcpu), host.CPU_BASED_INTR_WINDOW_EXITING) === 1
      );
    },
  ),
  invariant(
    'vmx_vcpu',
    'one_event_an_entry',
    'x86:INV-14, x86:INV-15',
    'KVM puts at most one of NMI and interrupt into the entry event field; only userspace can ask for both.',
    (look, vcpu) =>
      !bothInjected(look.m, vcpu) ||
      bothInjected(look.before, vcpu) ||
      look.didOf(kvm_vcpu_ioctl_x86_set_vcpu_events),
  ),
  invariant(
    'td_vcpu',
    'nothing_injected_into_a_td',
    'tdx:INV-15, tdx:INV-19, TRC-2',
    'The thread of a TD vCPU traces neither kvm_inj_virq nor kvm_enter_smm.',
    (look, vcpu) => {
      if (look.thread !== kvm_vcpu.thread.get(look.m, vcpu)) return true;
      if (look.didOf(kvm_vcpu_ioctl_x86_set_vcpu_events)) return true; // userspace can say that it is in SMM: tdx:SMI-6
      return !look.emitted(kvm_inj_virq) && !look.emitted(kvm_enter_smm);
    },
  ),
  invariant(
    'td_vcpu',
    'wakeup_vector_means_listed',
    'tdx:INV-27, tdx:INV-28',
    'The notification vector is the wake-up vector while the vCPU is on a wakeup list, which needs an assigned device.',
    ({ m }, vcpu) => {
      if (!kvm_vcpu.created.get(m, vcpu)) return true;
      const wakeup = pi_desc.nv.get(m, host.pidOf(vcpu)) === POSTED_INTR_WAKEUP_VECTOR;
      const listed = kvm_vcpu.wakeup_cpu.get(m, vcpu) >= 0;
      return wakeup === listed && (!wakeup || host.variant.assigned_device.get(m, host.variantRef(m)) === 1);
    },
  ),
];

/** By KVM's routine, by the IOMMU, or from the interrupt of a timer on another CPU. */
function postedTo(look: Look, vcpu: Ref): boolean {
  if (look.did(SET_PIR) && look.word(0) === vcpu) return true;
  return look.emitted(device_posts) || look.emitted(lapic_timer_posted);
}

function bothInjected(s: Views, vcpu: Ref): boolean {
  return kvm_vcpu.nmi_injected.get(s, vcpu) === 1 && kvm_vcpu.interrupt_injected.get(s, vcpu) === 1;
}

function pirImpliesOn(look: Look, vcpu: Ref): boolean {
  const pid = host.pidOf(vcpu);
  const { m } = look;
  if (pi_desc.pir.isEmpty(m, pid) || pi_desc.on.get(m, pid) || pi_desc.sn.get(m, pid)) return true;
  return look.anyAt(BEFORE_SET_ON, vcpu);
}

/** Whether an interrupt waits that the vCPU could take, as far as KVM knows. */
function takable(look: Look, vcpu: Ref): boolean {
  const { m } = look;
  if (!host.is_td_vcpu(m, vcpu)) return vmx_has_interrupt(m, vcpu);
  const blocked =
    kvm_vcpu.last_exit.get(m, vcpu) === EXIT_REASON_HLT && kvm_vcpu.halt_irqs_blocked.get(m, vcpu) === 1;
  return !blocked && pi_has_pending_interrupt(m, vcpu);
}
