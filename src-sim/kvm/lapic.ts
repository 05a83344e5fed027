import type { Ref } from '../machine/layout';
import { type Machine } from '../machine/machine';
import { routine } from '../machine/routine';
import { guest_cpu } from '../guest/cpu';
import * as apic from '../platform/apic';
import {
  apicOf, guestOf, kvm, KVM_APIC_INIT, KVM_APIC_SIPI, kvm_lapic, KVM_MP_STATE_INIT_RECEIVED, KVM_MP_STATE_RUNNABLE, KVM_REQ_EVENT, kvm_regs,
  kvm_vcpu, kvmOf, regsOf, vcpuAt,
} from './kvm_host'; // prettier-ignore
import { kvm_make_request, kvm_vcpu_kick, warnOnce } from './kvm_main';
import * as trace from './trace';
import { kvm_x86_ops } from './kvm_x86_ops';
import { kvm_apic_has_pending_init_or_sipi, kvm_apic_init_sipi_allowed, lapic_in_kernel } from './x86_events';
import { kvm_inject_nmi, kvm_inject_smi } from './x86_inject';
import { kvm_vcpu_reset } from './x86_reset';

/** Mirrors arch/x86/kvm/lapic.c: what a local APIC accepts, and how INIT and SIPI act. */

const vectorOf = (low: number): number => low & 0xff;
const modeOf = (low: number): number => (low >> 8) & 7;
const triggerOf = (low: number): number => (low & apic.APIC_INT_LEVELTRIG ? 1 : 0);

/** Hardware enable and SVR bit 8. */
export function kvm_apic_sw_enabled(m: Machine, vcpu: Ref): boolean {
  return (kvm_lapic.svr.get(m, apicOf(vcpu)) & apic.APIC_SPIV_APIC_ENABLED) !== 0;
}

export function kvm_vcpu_is_bsp(m: Machine, vcpu: Ref): boolean {
  return (kvm_lapic.base.get(m, apicOf(vcpu)) & apic.MSR_IA32_APICBASE_BSP) !== 0;
}

/**
 * A message reaches a local APIC.
 *
 * @param low - vector, delivery mode and trigger as in the ICR's low word.
 * @returns 1 when accepted, 0 when dropped.
 */
export const __apic_accept_irq = routine(
  {
    name: '__apic_accept_irq',
    layer: 'kvm',
    source: 'PI-4',
    args: ['vcpu', 'low'],
    steps: {
      decide: ['Trace the message, then decide by its delivery mode.', 'PI-4'],
      latch_init: ['pending_events becomes exactly {INIT}: a pending SIPI is overwritten.', 'INIT-3'],
      latch_sipi: ['Store the vector and add SIPI to pending_events.', 'INIT-6'],
      request: ['Raise KVM_REQ_EVENT.', 'INIT-3'],
      kick: ['Kick the vCPU so that it looks at the request.', 'INIT-9'],
      deliver: ['Hand the vector to the vendor: APICv posts it.', 'PI-9'],
      accepted: ['Answer 1: accepted.', 'PI-8'],
    },
  },
  (at) => ({
    decide(m, l) {
      const vcpu = l.vcpu as Ref;
      const id = kvm_vcpu.id.get(m, vcpu);
      const vector = vectorOf(l.low);
      const trigger = triggerOf(l.low);
      const level = (l.low & apic.APIC_INT_ASSERT) !== 0;
      m.emit(trace.kvm_apic_accept_irq, id, vector, modeOf(l.low), trigger);
      switch (modeOf(l.low)) {
        case apic.APIC_DM_FIXED:
        case apic.APIC_DM_LOWEST:
          if (trigger && !level) return m.ret(0);
          if (kvm_apic_sw_enabled(m, vcpu)) {
            if (trigger) kvm_lapic.tmr.set(m, apicOf(vcpu), vector);
            else kvm_lapic.tmr.clear(m, apicOf(vcpu), vector);
            return at.deliver;
          }
          m.emit(trace.irq_dropped, id, vector);
          return m.ret(0);
        case apic.APIC_DM_REMRD: // KVM's paravirtual unhalt: PI-7
          kvm_vcpu.pv_unhalted.set(m, vcpu, 1);
          return at.request;
        case apic.APIC_DM_INIT:
          if (!trigger || level) return at.latch_init;
          m.emit(trace.init_deassert_ignored, id);
          return m.ret(0);
        case apic.APIC_DM_STARTUP:
          return at.latch_sipi;
        case apic.APIC_DM_NMI:
          kvm_inject_nmi(m, vcpu);
          return at.kick;
        case apic.APIC_DM_SMI:
          return kvm_inject_smi(m, vcpu) === 0 ? at.kick : m.ret(0);
        default: // ExtINT: only the PIC's own path uses it: PI-7
          return m.ret(0);
      }
    },
    latch_init(m, l) {
      const { pending_events } = kvm_lapic;
      const ref = apicOf(l.vcpu as Ref);
      pending_events.clearAll(m, ref);
      pending_events.set(m, ref, KVM_APIC_INIT);
      m.emit(trace.init_latched, kvm_vcpu.id.get(m, l.vcpu as Ref));
      return at.request;
    },
    latch_sipi(m, l) {
      const ref = apicOf(l.vcpu as Ref);
      kvm_lapic.sipi_vector.set(m, ref, vectorOf(l.low));
      kvm_lapic.pending_events.set(m, ref, KVM_APIC_SIPI);
      m.emit(trace.sipi_latched, kvm_vcpu.id.get(m, l.vcpu as Ref), vectorOf(l.low));
      return at.request;
    },
    request(m, l) {
      kvm_make_request(m, l.vcpu as Ref, KVM_REQ_EVENT);
      return at.kick;
    },
    kick(m, l) {
      return m.call(at.accepted, kvm_vcpu_kick, l.vcpu);
    },
    deliver(m, l) {
      return m.call(at.accepted, kvm_x86_ops.deliver_interrupt, l.vcpu, l.low);
    },
    accepted(m) {
      return m.ret(1);
    },
  }),
);

/**
 * A performance counter of the guest has overflowed: its LVT says what becomes of it. A processor of Intel then masks the
 * LVT, so that the handler has to unmask it.
 */
export const kvm_pmu_deliver_pmi = routine(
  {
    name: 'kvm_pmu_deliver_pmi',
    layer: 'kvm',
    source: 'x86:LAPIC-39',
    args: ['vcpu'],
    steps: {
      deliver: ['kvm_apic_local_deliver: an unmasked LVT is a message to the own APIC.', 'x86:LAPIC-39'],
      mask: ['Mask the LVT after an accepted delivery, for a processor of Intel.', 'x86:LAPIC-39'],
    },
  },
  (at) => ({
    deliver(m, l) {
      const vcpu = l.vcpu as Ref;
      const lvtpc = kvm_lapic.lvtpc.get(m, apicOf(vcpu));
      if (!kvm_apic_present(m, vcpu) || lvtpc & apic.APIC_LVT_MASKED) return m.ret(0);
      return m.call(at.mask, __apic_accept_irq, vcpu, lvtpc & 0x7ff);
    },
    mask(m, l) {
      const vcpu = l.vcpu as Ref;
      const ref = apicOf(vcpu);
      if (m.retval && !kvm_vcpu.cpuid_amd.get(m, vcpu))
        kvm_lapic.lvtpc.set(m, ref, kvm_lapic.lvtpc.get(m, ref) | apic.APIC_LVT_MASKED);
      return m.ret(0);
    },
  }),
);

/** As much of the vCPU's local APIC as decides which messages are meant for it. */
function addressOf(m: Machine, vcpu: Ref): apic.ApicAddress {
  const ref = apicOf(vcpu);
  const x2apic = (kvm_lapic.base.get(m, ref) & apic.X2APIC_ENABLE) !== 0;
  const id = kvm_vcpu.id.get(m, vcpu);
  return { x2apic, id, logicalId: kvm_lapic.ldr.get(m, ref), dfr: kvm_lapic.dfr.get(m, ref) };
}

/** The destination as the target reads it: 0xff in a message that is no IPI is a broadcast. @source x86:LAPIC-31 */
function kvm_apic_mda(m: Machine, vcpu: Ref, src: Ref, dest: number, x2apic: boolean): number {
  const quirk = !kvm.x2apic_broadcast_quirk_disabled.get(m, kvmOf(m, vcpu));
  return quirk && src === 0 && dest === apic.APIC_BROADCAST && x2apic ? apic.X2APIC_BROADCAST : dest;
}

/** Whether the vCPU has a local APIC that is enabled in its base: any message needs that. @source x86:LAPIC-17 */
export function kvm_apic_present(m: Machine, vcpu: Ref): boolean {
  if (!kvm_vcpu.created.get(m, vcpu) || !lapic_in_kernel(m, vcpu)) return false;
  return (kvm_lapic.base.get(m, apicOf(vcpu)) & apic.MSR_IA32_APICBASE_ENABLE) !== 0;
}

/**
 * Whether a message for `dest` is meant for the vCPU.
 *
 * @param src - the sending vCPU, 0 for a device or userspace.
 * @source x86:LAPIC-28 to x86:LAPIC-31, x86:LAPIC-33
 */
export function kvm_apic_match_dest(m: Machine, vcpu: Ref, src: Ref, dest: number, low: number): boolean {
  if (!kvm_apic_present(m, vcpu)) return false;
  switch ((low >> 18) & 3) {
    case apic.SHORTHAND_SELF:
      return vcpu === src;
    case apic.SHORTHAND_ALL:
      return true;
    case apic.SHORTHAND_OTHERS:
      return vcpu !== src;
    default: {
      const address = addressOf(m, vcpu);
      const mda = kvm_apic_mda(m, vcpu, src, dest, address.x2apic);
      return low & apic.APIC_DEST_LOGICAL
        ? apic.kvm_apic_match_logical_addr(address, mda)
        : apic.kvm_apic_match_physical_addr(address, mda);
    }
  }
}

/**
 * The one vCPU to which a lowest-priority message goes: by vector hashing, the (vector mod n)-th of the n candidates.
 *
 * @returns null when no APIC that matches is enabled.
 * @source x86:LAPIC-32; lapic.c: kvm_vector_to_index
 */
function lowestPriorityTarget(m: Machine, vm: Ref, src: Ref, dest: number, low: number): Ref | null {
  const candidates = m.vcpus.filter(
    (vcpu) =>
      kvmOf(m, vcpu) === vm && kvm_apic_match_dest(m, vcpu, src, dest, low) && kvm_apic_sw_enabled(m, vcpu),
  );
  return candidates[vectorOf(low) % candidates.length] ?? null;
}

/**
 * Brings a message to every local APIC it is meant for, a lowest-priority one to a single one.
 *
 * @param src - the sending vCPU, 0 for a device or userspace.
 * @returns how many accepted it; 0 when all dropped it; -1 when no APIC has that id (x86:LAPIC-19).
 */
export const kvm_irq_delivery_to_apic = routine(
  {
    name: 'kvm_irq_delivery_to_apic',
    layer: 'kvm',
    source: 'PI-8',
    args: ['vm', 'src', 'dest', 'low'],
    locals: ['i', 'r'],
    steps: {
      begin: ['No APIC has matched yet.', 'x86:LAPIC-19'],
      match: [
        'Find the next vCPU that the destination names; of a lowest-priority message the one.',
        'x86:LAPIC-28',
      ],
      count: ['Count the vCPU if its APIC accepted.', 'PI-8'],
    },
  },
  (at) => ({
    begin(_, l) {
      l.r = -1;
      return at.match;
    },
    match(m, l) {
      const vm = l.vm as Ref;
      const src = l.src as Ref;
      const dest = l.dest >>> 0;
      const slots = kvm.slots.get(m, vm);
      if (modeOf(l.low) === apic.APIC_DM_LOWEST && l.i < slots) {
        l.i = slots;
        const target = lowestPriorityTarget(m, vm, src, dest, l.low);
        if (target !== null) return m.call(at.count, __apic_accept_irq, target, l.low);
      }
      while (l.i < slots) {
        const vcpu = vcpuAt(m, vm, l.i++);
        if (kvm_apic_match_dest(m, vcpu, src, dest, l.low))
          return m.call(at.count, __apic_accept_irq, vcpu, l.low);
      }
      return m.ret(l.r);
    },
    count(m, l) {
      l.r = Math.max(l.r, 0) + m.retval;
      return at.match;
    },
  }),
);

/**
 * The guest wrote the x2APIC ICR; KVM sends the IPI.
 *
 * @returns 0, or 1 when a reserved bit is set (#GP for a plain guest, INVALID_OPERAND for a TD).
 */
export const kvm_x2apic_icr_write = routine(
  {
    name: 'kvm_x2apic_icr_write',
    layer: 'kvm',
    source: 'PI-32',
    args: ['vcpu', 'dest', 'low'],
    steps: {
      check: ['Refuse reserved bits, clear the busy bit, trace the IPI.', 'PI-32'],
      sent: ['The sender sees success whatever the target did.', 'INIT-3'],
    },
  },
  (at) => ({
    check(m, l) {
      if (l.low & apic.X2APIC_ICR_RESERVED) return m.ret(1);
      l.low &= ~apic.APIC_ICR_BUSY;
      const logical = l.low & apic.APIC_DEST_LOGICAL ? 2 : 0;
      m.emit(
        trace.kvm_apic_ipi,
        l.dest,
        vectorOf(l.low),
        modeOf(l.low),
        logical + (l.low & apic.APIC_INT_ASSERT ? 1 : 0),
        triggerOf(l.low),
        (l.low >> 18) & 3,
      );
      return m.call(at.sent, kvm_irq_delivery_to_apic, kvmOf(m, l.vcpu as Ref), l.vcpu, l.dest, l.low);
    },
    sent(m) {
      return m.ret(0);
    },
  }),
);

/** Processes a latched INIT or SIPI: at entry, on wake-up, in KVM_RUN of a waiting AP, and in KVM_GET_MP_STATE. */
export const kvm_apic_accept_events = routine(
  {
    name: 'kvm_apic_accept_events',
    layer: 'kvm',
    source: 'x86:SIPI-9',
    args: ['vcpu'],
    steps: {
      pending: ['Is INIT or SIPI latched at all?', 'x86:SIPI-9'],
      blocked: ['INIT and SIPI are blocked: drop SIPI, keep INIT, carry on.', 'INIT-5'],
      init: ['If INIT is latched, clear it and reset the vCPU.', 'x86:SIPI-10'],
      after_reset: ['A BSP runs again; any other vCPU waits for a SIPI.', 'x86:SIPI-10'],
      sipi: ['If SIPI is latched, clear it and start a vCPU that waits for one.', 'x86:SIPI-11'],
    },
  },
  (at) => ({
    pending(m, l) {
      const vcpu = l.vcpu as Ref;
      if (!kvm_apic_has_pending_init_or_sipi(m, vcpu)) return m.ret(0);
      return kvm_apic_init_sipi_allowed(m, vcpu) ? at.init : at.blocked;
    },
    blocked(m, l) {
      const vcpu = l.vcpu as Ref;
      const id = kvm_vcpu.id.get(m, vcpu);
      const ref = apicOf(vcpu);
      if (kvm_vcpu.mp_state.get(m, vcpu) === KVM_MP_STATE_INIT_RECEIVED) {
        warnOnce(m, 'kvm_apic_accept_events', vcpu);
      }
      if (kvm_lapic.pending_events.test(m, ref, KVM_APIC_INIT)) m.emit(trace.init_blocked, id);
      if (kvm_lapic.pending_events.testAndClear(m, ref, KVM_APIC_SIPI)) m.emit(trace.sipi_blocked, id);
      return m.ret(0);
    },
    init(m, l) {
      const vcpu = l.vcpu as Ref;
      if (!kvm_lapic.pending_events.testAndClear(m, apicOf(vcpu), KVM_APIC_INIT)) return at.sipi;
      return m.call(at.after_reset, kvm_vcpu_reset, vcpu, 1);
    },
    after_reset(m, l) {
      const vcpu = l.vcpu as Ref;
      const next = kvm_vcpu_is_bsp(m, vcpu) ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_INIT_RECEIVED;
      kvm_vcpu.mp_state.set(m, vcpu, next);
      return at.sipi;
    },
    sipi(m, l) {
      const vcpu = l.vcpu as Ref;
      if (!kvm_lapic.pending_events.testAndClear(m, apicOf(vcpu), KVM_APIC_SIPI)) return m.ret(0);
      const mp_state = kvm_vcpu.mp_state.get(m, vcpu);
      if (mp_state === KVM_MP_STATE_INIT_RECEIVED) {
        kvm_vcpu_deliver_sipi_vector(m, vcpu, kvm_lapic.sipi_vector.get(m, apicOf(vcpu)));
        kvm_vcpu.mp_state.set(m, vcpu, KVM_MP_STATE_RUNNABLE);
      } else {
        m.emit(trace.sipi_ignored, kvm_vcpu.id.get(m, vcpu), mp_state);
      }
      return m.ret(0);
    },
  }),
);

/** Starts a vCPU at its SIPI vector. @source x86:SIPI-12; arch/x86/kvm/x86.c: kvm_vcpu_deliver_sipi_vector */
function kvm_vcpu_deliver_sipi_vector(m: Machine, vcpu: Ref, vector: number): void {
  const regs = regsOf(vcpu);
  kvm_regs.cs_selector.set(m, regs, vector << 8);
  kvm_regs.cs_base.set(m, regs, vector << 12);
  kvm_regs.rip.set(m, regs, 0);
  const guest = guestOf(vcpu);
  guest_cpu.starts.set(m, guest, guest_cpu.starts.get(m, guest) + 1);
  m.emit(trace.sipi_delivered, kvm_vcpu.id.get(m, vcpu), vector << 12);
}
