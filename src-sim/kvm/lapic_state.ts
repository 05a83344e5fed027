import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import * as apic from '../platform/apic';
import { guest_cpu, vppr } from '../guest/cpu';
import * as host from './kvm_host';
import { kvm_lapic } from './kvm_host';
import { kvm_make_request } from './kvm_main';
import { apic_manage_nmi_watchdog } from './lapic_lvt';
import { kvm_lapic_reg_read } from './lapic_reg';
import { kvm_lapic_state, reply } from './reply';
import { kvm_x86_ops } from './kvm_x86_ops';

/** kvm_apic_get_state and kvm_apic_set_state of arch/x86/kvm/lapic.c: the page of registers, to and from userspace. */

/** Userspace's buffer. */
export const lapicBuffer = (m: Machine): Ref => reply.lapic.at(host.replyRef(m));

const isX2apic = (m: Machine, vcpu: Ref): boolean =>
  (kvm_lapic.base.get(m, host.apicOf(vcpu)) & apic.X2APIC_ENABLE) !== 0;

/** Fills userspace's buffer with the page. @source tdx:LAPIC-1, x86:LAPIC-1 */
export function kvm_apic_get_state(m: Machine, vcpu: Ref): void {
  const [to, ref, guest] = [lapicBuffer(m), host.apicOf(vcpu), host.guestOf(vcpu)];
  const own = !host.is_td_vcpu(m, vcpu); // of a TD the page has only what KVM emulates: VAPIC-2
  const id = kvm_lapic_reg_read(m, vcpu, apic.APIC_ID);
  kvm_lapic_state.id.set(m, to, isX2apic(m, vcpu) ? id : id * 0x100_0000);
  const logical = isX2apic(m, vcpu)
    ? apic.kvm_apic_calc_x2apic_ldr(id)
    : kvm_lapic.ldr.get(m, ref) * 0x100_0000;
  kvm_lapic_state.ldr.set(m, to, logical);
  kvm_lapic_state.dfr.set(m, to, kvm_lapic.dfr.get(m, ref));
  kvm_lapic_state.version.set(m, to, kvm_lapic_reg_read(m, vcpu, apic.APIC_LVR));
  kvm_lapic_state.svr.set(m, to, kvm_lapic.svr.get(m, ref));
  kvm_lapic_state.icr.set(m, to, kvm_lapic.icr.hi(m, ref), kvm_lapic.icr.lo(m, ref));
  kvm_lapic_state.lvt0.set(m, to, kvm_lapic.lvt0.get(m, ref));
  kvm_lapic_state.tmr.copy(m, to, kvm_lapic.tmr, ref);
  kvm_lapic_state.tpr.set(m, to, own ? guest_cpu.tpr.get(m, guest) : 0);
  kvm_lapic_state.ppr.set(m, to, own ? vppr(m, guest) : 0);
  if (own) {
    kvm_lapic_state.isr.copy(m, to, guest_cpu.visr, guest);
    kvm_lapic_state.irr.copy(m, to, guest_cpu.virr, guest);
  } else {
    kvm_lapic_state.isr.clearAll(m, to);
    kvm_lapic_state.irr.clearAll(m, to);
  }
}

/**
 * The page as userspace wants it. ID, version and, in x2APIC mode, LDR are what they must be, whatever is written; what was
 * posted and not yet merged is gone; an expiry of the timer that is only pending is dropped.
 *
 * @source tdx:LAPIC-1, x86:LAPIC-23
 */
export function kvm_apic_set_state(m: Machine, vcpu: Ref): void {
  kvm_x86_ops.apicv_pre_state_restore(m, vcpu);
  const [from, ref, guest] = [lapicBuffer(m), host.apicOf(vcpu), host.guestOf(vcpu)];
  kvm_lapic.svr.set(m, ref, kvm_lapic_state.svr.get(m, from));
  kvm_lapic.ldr.set(m, ref, kvm_lapic_state.ldr.get(m, from) >>> 24);
  kvm_lapic.dfr.set(m, ref, kvm_lapic_state.dfr.get(m, from));
  kvm_lapic.icr.set(m, ref, kvm_lapic_state.icr.hi(m, from), kvm_lapic_state.icr.lo(m, from));
  kvm_lapic.lvt0.set(m, ref, kvm_lapic_state.lvt0.get(m, from));
  kvm_lapic.tmr.copy(m, ref, kvm_lapic_state.tmr, from);
  apic_manage_nmi_watchdog(m, vcpu);
  kvm_lapic.timer_pending.set(m, ref, 0);
  kvm_lapic.expired_tscdeadline.set(m, ref, 0);
  if (!host.is_td_vcpu(m, vcpu)) {
    guest_cpu.tpr.set(m, guest, kvm_lapic_state.tpr.get(m, from));
    guest_cpu.visr.copy(m, guest, kvm_lapic_state.isr, from);
    guest_cpu.virr.copy(m, guest, kvm_lapic_state.irr, from);
  }
  kvm_make_request(m, vcpu, host.KVM_REQ_EVENT);
}
