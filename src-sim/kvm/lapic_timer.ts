import type { Ref } from '../machine/layout';
import { type Machine } from '../machine/machine';
import { routine } from '../machine/routine';
import { APIC_LVT_MASKED, APIC_SPIV_APIC_ENABLED } from '../platform/apic';
import { LOCAL_TIMER_VECTOR, onHostIrq, pcpu, sendIpi } from '../platform/pcpu';
import * as host from './kvm_host';
import { kvm_lapic, kvm_vcpu } from './kvm_host';
import { __apic_accept_irq } from './lapic';
import { kvm_make_request, kvm_vcpu_kick_now } from './kvm_main';
import {
  lapic_timer_armed,
  lapic_timer_cancelled,
  lapic_timer_expired,
  lapic_timer_migrated,
  lapic_timer_posted,
  lapic_timer_waited,
} from './trace';
import { kvm_x86_ops } from './kvm_x86_ops';

/** The LAPIC timer of arch/x86/kvm/lapic.c: KVM's own emulation on a host hrtimer. @source TMR-1, TMR-2 */

/** LVTT bits 18:17. @source TMR-14 */
export const TIMER_MODE = { ONESHOT: 0, PERIODIC: 1, TSCDEADLINE: 2 } as const;
/** Limits of the timer advance, in nanoseconds; the model's TSC runs at 1 GHz. @source NUM-19 */
export const LAPIC_TIMER_ADVANCE_NS_INIT = 1000;
const LAPIC_TIMER_ADVANCE_NS_MAX = 5000;
const LAPIC_TIMER_ADVANCE_ADJUST_MIN = 100;
const LAPIC_TIMER_ADVANCE_ADJUST_MAX = 10_000;
const LAPIC_TIMER_ADVANCE_ADJUST_STEP = 8;
/** Shorter periods are stretched: min_timer_period_us. @source x86:LAPIC-37 */
const MIN_TIMER_PERIOD_NS = 200_000;
export const timerMode = (m: Machine, apic: Ref): number => (kvm_lapic.lvtt.get(m, apic) >>> 17) & 3;
/** Divider by TDCR bits 3, 1, 0. @source x86:LAPIC-34 */
function divider(m: Machine, apic: Ref): number {
  const tdcr = kvm_lapic.tdcr.get(m, apic);
  const shift = ((tdcr & 3) | ((tdcr & 8) >> 1)) + 1;
  return 1 << (shift & 7);
}

/** Length of a tick in nanoseconds: the divided bus clock. @source x86:LAPIC-34, VM-6 */
const tick = (m: Machine, vcpu: Ref): number =>
  divider(m, host.apicOf(vcpu)) * host.kvm.apic_bus_cycle_ns.get(m, host.kvmOf(m, vcpu));

/** Nanoseconds from TMICT to zero; a period that is too short is stretched. @source VM-6, x86:LAPIC-37 */
function ticks(m: Machine, vcpu: Ref): number {
  const apic = host.apicOf(vcpu);
  const ns = kvm_lapic.tmict.get(m, apic) * tick(m, vcpu);
  return timerMode(m, apic) === TIMER_MODE.PERIODIC ? Math.max(ns, MIN_TIMER_PERIOD_NS) : ns;
}

/** TMCCT: what is left of the count; 0 in TSC-deadline mode. @source TMR-20, x86:LAPIC-34, x86:LAPIC-35 */
export function currentCount(m: Machine, vcpu: Ref): number {
  const apic = host.apicOf(vcpu);
  if (!kvm_lapic.timer_armed.get(m, apic) || timerMode(m, apic) === TIMER_MODE.TSCDEADLINE) return 0;
  return Math.max(0, Math.ceil((kvm_lapic.timer_at.get(m, apic) - m.now) / tick(m, vcpu)));
}

function lvttDeliverable(m: Machine, apic: Ref): boolean {
  const enabled = (kvm_lapic.svr.get(m, apic) & APIC_SPIV_APIC_ENABLED) !== 0;
  return enabled && (kvm_lapic.lvtt.get(m, apic) & APIC_LVT_MASKED) === 0;
}

/** Stops the timer and forgets an expiry that is only pending. What is in the PIR already stays. @source TMR-13 */
export function cancel_apic_timer(m: Machine, vcpu: Ref): void {
  const apic = host.apicOf(vcpu);
  const running = kvm_lapic.timer_armed.get(m, apic) || kvm_lapic.timer_pending.get(m, apic) > 0;
  if (running) m.emit(lapic_timer_cancelled, kvm_vcpu.id.get(m, vcpu));
  kvm_lapic.timer_armed.set(m, apic, 0);
  kvm_lapic.timer_pending.set(m, apic, 0);
}

/** Whether timer interrupts may be posted from a housekeeping CPU. @source TMR-5, TMR-7, TMR-8 */
function kvm_can_post_timer_interrupt(m: Machine, vcpu: Ref): boolean {
  const vm = host.kvmOf(m, vcpu);
  const idlesInGuest = host.kvm.mwait_in_guest.get(m, vm) || host.kvm.hlt_in_guest.get(m, vm);
  const housekeeping = host.variant.nohz_full.get(m, host.variantRef(m));
  return !!housekeeping && kvm_lapic.apicv_active.get(m, host.apicOf(vcpu)) === 1 && !!idlesInGuest;
}

/** Posted, and the vCPU is in the guest at this moment. @source TMR-6 */
function kvm_use_posted_timer_interrupt(m: Machine, vcpu: Ref): boolean {
  return kvm_can_post_timer_interrupt(m, vcpu) && kvm_vcpu.mode.get(m, vcpu) === host.IN_GUEST_MODE;
}

/**
 * Waits for the deadline of an expiry that is about to be delivered, and learns how early the timer was.
 *
 * @source TMR-12, NUM-19
 */
export function kvm_wait_lapic_expire(m: Machine, vcpu: Ref): void {
  const apic = host.apicOf(vcpu);
  const deadline = kvm_lapic.expired_tscdeadline.get(m, apic);
  const advance = kvm_lapic.timer_advance_ns.get(m, apic);
  if (deadline === 0 || advance === 0 || !kvm_x86_ops.timer_int_injected(m, vcpu)) return;
  kvm_lapic.expired_tscdeadline.set(m, apic, 0);
  const late = m.now - deadline;
  if (late < 0) {
    m.emit(lapic_timer_waited, kvm_vcpu.id.get(m, vcpu), -late);
    m.passTo(deadline);
  }
  const size = Math.abs(late);
  if (size < LAPIC_TIMER_ADVANCE_ADJUST_MIN || size > LAPIC_TIMER_ADVANCE_ADJUST_MAX) return;
  const adjusted = advance + Math.sign(late) * Math.floor(size / LAPIC_TIMER_ADVANCE_ADJUST_STEP);
  const sane = adjusted >= 0 && adjusted <= LAPIC_TIMER_ADVANCE_NS_MAX;
  kvm_lapic.timer_advance_ns.set(m, apic, sane ? adjusted : LAPIC_TIMER_ADVANCE_NS_INIT);
}

/**
 * Arms the hrtimer, or finds the deadline past.
 *
 * @returns whether it had expired already, so that the caller must deliver now (TMR-15).
 */
function arm(m: Machine, vcpu: Ref, at: number): boolean {
  const apic = host.apicOf(vcpu);
  const elsewhere = kvm_can_post_timer_interrupt(m, vcpu);
  kvm_lapic.timer_pending.set(m, apic, 0);
  kvm_lapic.timer_at.set(m, apic, at);
  const cpu = elsewhere ? HOUSEKEEPING_CPU : pcpu.index.get(m, kvm_vcpu.cpu.get(m, vcpu)); // pinned: TMR-18
  kvm_lapic.timer_cpu.set(m, apic, cpu);
  if (at <= m.now) return true;
  kvm_lapic.timer_armed.set(m, apic, 1);
  m.emit(lapic_timer_armed, kvm_vcpu.id.get(m, vcpu), Math.min(at - m.now, 0xffff_ffff));
  return false;
}

/**
 * The timer has expired.
 *
 * @param fromTimerFn - whether the hrtimer's own interrupt says so, on the CPU where it was armed.
 * @source TMR-3; the last branch is the only path of the default configuration (TMR-10)
 */
function apic_timer_expired(m: Machine, vcpu: Ref, fromTimerFn: boolean): void {
  const apic = host.apicOf(vcpu);
  if (kvm_lapic.timer_pending.get(m, apic) > 0) return;
  noteDeadline(m, apic);
  if (kvm_use_posted_timer_interrupt(m, vcpu)) {
    const deadline = kvm_lapic.expired_tscdeadline.get(m, apic);
    kvm_lapic.expired_tscdeadline.set(m, apic, 0);
    m.passTo(deadline);
    m.emit(lapic_timer_posted, kvm_vcpu.id.get(m, vcpu));
    if (lvttDeliverable(m, apic))
      kvm_x86_ops.deliver_interrupt_now(m, vcpu, kvm_lapic.lvtt.get(m, apic) & 0xff);
    forgetDeadline(m, apic);
    return;
  }
  m.emit(lapic_timer_expired, kvm_vcpu.id.get(m, vcpu));
  kvm_lapic.timer_pending.set(m, apic, 1);
  kvm_make_request(m, vcpu, host.KVM_REQ_UNBLOCK);
  if (fromTimerFn) kvm_vcpu_kick_now(m, vcpu);
}

/** In TSC-deadline mode an expiry remembers its deadline: the guest must not see it earlier. @source TMR-3 */
function noteDeadline(m: Machine, apic: Ref): void {
  if (timerMode(m, apic) === TIMER_MODE.TSCDEADLINE)
    kvm_lapic.expired_tscdeadline.set(m, apic, kvm_lapic.tscdeadline.get(m, apic));
}

/** What was delivered has no deadline any more. @source TMR-4 */
function forgetDeadline(m: Machine, apic: Ref): void {
  if (timerMode(m, apic) === TIMER_MODE.TSCDEADLINE) kvm_lapic.tscdeadline.set(m, apic, 0);
}

/** The earliest armed timer, or null. Ties go to the vCPU that comes first. */
export function nextTimer(m: Machine, vcpus: readonly Ref[]): { vcpu: Ref; at: number } | null {
  let next: { vcpu: Ref; at: number } | null = null;
  for (const vcpu of vcpus) {
    const apic = host.apicOf(vcpu);
    if (!kvm_lapic.timer_armed.get(m, apic)) continue;
    const at = kvm_lapic.timer_at.get(m, apic);
    if (next === null || at < next.at) next = { vcpu, at };
  }
  return next;
}

/** A timer that runs follows its vCPU to the CPU where that is now, unless it may fire anywhere. @source TMR-16 */
export function __kvm_migrate_apic_timer(m: Machine, vcpu: Ref): void {
  const apic = host.apicOf(vcpu);
  const cpu = pcpu.index.get(m, kvm_vcpu.cpu.get(m, vcpu));
  if (!kvm_lapic.in_kernel.get(m, apic) || kvm_can_post_timer_interrupt(m, vcpu)) return;
  if (!kvm_lapic.timer_armed.get(m, apic)) return;
  kvm_lapic.timer_cpu.set(m, apic, cpu);
  m.emit(lapic_timer_migrated, kvm_vcpu.id.get(m, vcpu), cpu);
}

/** The hrtimer of a vCPU is due: its interrupt hits the CPU on which it was armed. @source TMR-10, TMR-18 */
export function hrtimerFires(m: Machine, vcpu: Ref): void {
  const apic = host.apicOf(vcpu);
  kvm_lapic.timer_armed.set(m, apic, 0);
  kvm_lapic.timer_due.set(m, apic, 1);
  sendIpi(m, m.cpus[kvm_lapic.timer_cpu.get(m, apic)]!, LOCAL_TIMER_VECTOR);
}

/** With nohz_full the VMM's own CPU keeps house. */
const HOUSEKEEPING_CPU = 0;

onHostIrq(LOCAL_TIMER_VECTOR, (m, cpu) => {
  const here = pcpu.index.get(m, cpu);
  for (const vcpu of m.vcpus) {
    const apic = host.apicOf(vcpu);
    if (kvm_lapic.timer_cpu.get(m, apic) !== here || !kvm_lapic.timer_due.get(m, apic)) continue;
    kvm_lapic.timer_due.set(m, apic, 0);
    apic_timer_expired(m, vcpu, true);
    if (timerMode(m, apic) === TIMER_MODE.PERIODIC) {
      const pending = kvm_lapic.timer_pending.get(m, apic);
      arm(m, vcpu, kvm_lapic.timer_at.get(m, apic) + ticks(m, vcpu));
      kvm_lapic.timer_pending.set(m, apic, pending);
    }
  }
});

/** Delivers LVTT as a FIXED interrupt; in the one-shot modes the deadline is forgotten. @source TMR-4 */
export const kvm_apic_inject_pending_timer_irqs = routine(
  {
    name: 'kvm_apic_inject_pending_timer_irqs',
    layer: 'kvm',
    source: 'TMR-4',
    args: ['vcpu'],
    steps: {
      deliver: ['If LVTT is unmasked and the APIC enabled, accept its vector as FIXED, edge.', 'TMR-4'],
      done: ['pending = 0; several expiries have been one interrupt.', 'TMR-9'],
    },
  },
  (at) => ({
    deliver(m, l) {
      const apic = host.apicOf(l.vcpu as Ref);
      if (!lvttDeliverable(m, apic)) return at.done;
      return m.call(at.done, __apic_accept_irq, l.vcpu, kvm_lapic.lvtt.get(m, apic) & 0xff);
    },
    done(m, l) {
      const apic = host.apicOf(l.vcpu as Ref);
      kvm_lapic.timer_pending.set(m, apic, 0);
      forgetDeadline(m, apic);
      return m.ret(0);
    },
  }),
);

/** Whether the run loop has a timer interrupt to deliver. @source TMR-9 */
export function hasDeliverableTimer(m: Machine, vcpu: Ref): boolean {
  const apic = host.apicOf(vcpu);
  return kvm_lapic.timer_pending.get(m, apic) > 0 && lvttDeliverable(m, apic);
}

/** Registers that the guest programs; LVTT is an LVT like the others, `lapic_reg.ts`. @source TMR-1 */
export const TIMER_REGISTERS = { LVTT: 0x832, TMICT: 0x838, TDCR: 0x83e, TSC_DEADLINE: 0x6e0 } as const;

/**
 * The guest writes a register that starts the timer or sets its speed, on the vCPU's own thread. An APICv-active vCPU whose deadline is past gets its
 * vector at once (TMR-15); without APICv the expiry is pending and the loop delivers it.
 */
export const kvm_lapic_timer_write = routine(
  {
    name: 'kvm_lapic_timer_write',
    layer: 'kvm',
    source: 'TMR-1',
    args: ['vcpu', 'msr', 'value'],
    steps: {
      write: ['Store the register; a new start cancels what was pending.', 'TMR-13'],
      done: ['The register is written.', 'TMR-1'],
    },
  },
  (at) => ({
    write(m, l) {
      const vcpu = l.vcpu as Ref;
      const apic = host.apicOf(vcpu);
      const value = l.value >>> 0;
      let expired = false;
      switch (l.msr) {
        case TIMER_REGISTERS.TDCR:
          kvm_lapic.tdcr.set(m, apic, value & 0xb);
          break;
        case TIMER_REGISTERS.TMICT:
          if (timerMode(m, apic) === TIMER_MODE.TSCDEADLINE) break; // ignored: TMR-14
          cancel_apic_timer(m, vcpu);
          kvm_lapic.tmict.set(m, apic, value);
          if (value !== 0) expired = arm(m, vcpu, m.now + ticks(m, vcpu));
          break;
        default:
          if (timerMode(m, apic) !== TIMER_MODE.TSCDEADLINE) break; // ignored: TMR-14
          cancel_apic_timer(m, vcpu);
          kvm_lapic.tscdeadline.set(m, apic, value);
          if (value !== 0)
            expired = arm(m, vcpu, Math.max(value - kvm_lapic.timer_advance_ns.get(m, apic), 0));
      }
      if (!expired) return m.ret(0);
      noteDeadline(m, apic);
      if (kvm_lapic.apicv_active.get(m, apic))
        return m.call(at.done, kvm_apic_inject_pending_timer_irqs, vcpu);
      apic_timer_expired(m, vcpu, false);
      return m.ret(0);
    },
    done: (m) => m.ret(0),
  }),
);
