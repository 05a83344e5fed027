import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import * as apic from '../platform/apic';
import { guest_cpu, vmxip, vppr } from '../guest/cpu';
import * as host from './kvm_host';
import { kvm, kvm_lapic, kvm_vcpu } from './kvm_host';
import { kvm_make_request } from './kvm_main';
import {
  apic_manage_nmi_watchdog,
  kvm_lapic_lvt_supported,
  LVTS,
  maskLvts,
  nr_lvt_entries,
  type Lvt,
} from './lapic_lvt';
import { cancel_apic_timer, currentCount, timerMode, TIMER_MODE } from './lapic_timer';
import * as trace from './trace';

/**
 * The registers of arch/x86/kvm/lapic.c: kvm_lapic_reg_read and kvm_lapic_reg_write, priorities and EOI. TPR, IRR and
 * ISR of a plain guest lie in its virtual-APIC page, `guest`; a TD's are the TDX module's, and KVM's own stay 0.
 */

/** Version, number of LVTs, and directed EOI where the guest has x2APIC and the I/O APIC is outside. @source x86:LAPIC-5 */
function kvm_apic_version(m: Machine, vcpu: Ref): number {
  const ioapic_in_kernel = kvm.irqchip_mode.get(m, host.kvmOf(m, vcpu)) === host.KVM_IRQCHIP_KERNEL;
  const directed = kvm_vcpu.cpuid_x2apic.get(m, vcpu) && !ioapic_in_kernel;
  const entries = (nr_lvt_entries(m, vcpu) - 1) << 16;
  return apic.APIC_VERSION | entries | (directed ? apic.APIC_LVR_DIRECTED_EOI : 0);
}

/** 32 vectors of a register group. */
function group(m: Machine, field: typeof guest_cpu.virr, ref: Ref, offset: number): number {
  const first = ((offset & 0x7f) >> 4) * 32;
  let value = 0;
  for (let bit = 0; bit < 32; bit++) if (field.test(m, ref, first + bit)) value |= 1 << bit;
  return value >>> 0;
}

/** A register as KVM's page has it. Of a TD nothing that the TDX module virtualizes is in it. @source PI-34 */
export function kvm_lapic_reg_read(m: Machine, vcpu: Ref, offset: number): number {
  const ref = host.apicOf(vcpu);
  const lvt = LVTS.find((entry) => entry.offset === offset);
  if (lvt) return lvt.field.get(m, ref);
  switch (offset) {
    case apic.APIC_ID:
      return kvm_vcpu.id.get(m, vcpu);
    case apic.APIC_LVR:
      return kvm_apic_version(m, vcpu);
    case apic.APIC_LDR:
      return apic.kvm_apic_calc_x2apic_ldr(kvm_vcpu.id.get(m, vcpu));
    case apic.APIC_SPIV:
      return kvm_lapic.svr.get(m, ref);
    case apic.APIC_ESR:
      return kvm_lapic.esr.get(m, ref);
    case apic.APIC_ICR:
      return kvm_lapic.icr.lo(m, ref);
    case apic.APIC_TMICT:
      return kvm_lapic.tmict.get(m, ref);
    case apic.APIC_TMCCT:
      return currentCount(m, vcpu);
    case apic.APIC_TDCR:
      return kvm_lapic.tdcr.get(m, ref);
  }
  if (offset >= apic.APIC_TMR && offset < apic.APIC_IRR) return group(m, kvm_lapic.tmr, ref, offset);
  if (host.is_td_vcpu(m, vcpu)) return 0;
  const guest = host.guestOf(vcpu);
  if (offset === apic.APIC_TASKPRI) return guest_cpu.tpr.get(m, guest);
  if (offset === apic.APIC_PROCPRI) return vppr(m, guest);
  if (offset >= apic.APIC_ISR && offset < apic.APIC_TMR) return group(m, guest_cpu.visr, guest, offset);
  return group(m, guest_cpu.virr, guest, offset);
}

/**
 * Writes a register that neither sends an IPI nor starts the timer.
 *
 * @returns 0, or 1 when the value is refused: #GP for a plain guest.
 * @source x86:LAPIC-14
 */
export function kvm_lapic_reg_write(m: Machine, vcpu: Ref, offset: number, value: number): 0 | 1 {
  const ref = host.apicOf(vcpu);
  const lvt = LVTS.find((entry) => entry.offset === offset);
  if (lvt) {
    if (!kvm_lapic_lvt_supported(m, vcpu, offset)) return 1;
    if (offset === apic.APIC_LVTT) writeLvtt(m, vcpu, lvt, value);
    else lvt.field.set(m, ref, lvtValue(m, vcpu, lvt, value));
    if (offset === apic.APIC_LVT0) apic_manage_nmi_watchdog(m, vcpu);
    return 0;
  }
  switch (offset) {
    case apic.APIC_SPIV:
      writeSpiv(m, vcpu, value);
      return 0;
    case apic.APIC_ESR:
      return value === 0 ? 0 : 1;
    case apic.APIC_TASKPRI:
      apic_set_tpr(m, vcpu, value & 0xff);
      return 0;
    case apic.APIC_EOI:
      apic_set_eoi(m, vcpu); // whatever was written: x86:LAPIC-15
      return 0;
    default:
      return 1;
  }
}

/** A write to the LVT of the timer. A switch to or from TSC-deadline mode stops the timer. @source x86:LAPIC-35, TMR-13 */
function writeLvtt(m: Machine, vcpu: Ref, lvt: Lvt, value: number): void {
  const ref = host.apicOf(vcpu);
  const before = timerMode(m, ref) === TIMER_MODE.TSCDEADLINE;
  kvm_lapic.lvtt.set(m, ref, lvtValue(m, vcpu, lvt, value));
  if (before === (timerMode(m, ref) === TIMER_MODE.TSCDEADLINE)) return;
  cancel_apic_timer(m, vcpu);
  kvm_lapic.tmict.set(m, ref, 0);
  kvm_lapic.tscdeadline.set(m, ref, 0);
}

/** What becomes of a value written to an LVT: bits that do not exist are 0; a disabled APIC keeps it masked. @source x86:LAPIC-38 */
function lvtValue(m: Machine, vcpu: Ref, { bits }: Lvt, value: number): number {
  const enabled = (kvm_lapic.svr.get(m, host.apicOf(vcpu)) & apic.APIC_SPIV_APIC_ENABLED) !== 0;
  return (value | (enabled ? 0 : apic.APIC_LVT_MASKED)) & bits;
}

/** SVR bit 8 enables the APIC; clearing it masks every LVT and drops a pending timer tick. @source TMR-13, x86:LAPIC-38 */
function writeSpiv(m: Machine, vcpu: Ref, value: number): void {
  const ref = host.apicOf(vcpu);
  const directed = kvm_apic_version(m, vcpu) & apic.APIC_LVR_DIRECTED_EOI ? apic.APIC_SPIV_DIRECTED_EOI : 0;
  kvm_lapic.svr.set(m, ref, value & (apic.APIC_SPIV_MASK | directed));
  if (value & apic.APIC_SPIV_APIC_ENABLED) return;
  maskLvts(m, vcpu);
  kvm_lapic.timer_pending.set(m, ref, 0);
}

/** Raises KVM_REQ_EVENT if a lower priority has made a vector deliverable. @source x86:LAPIC-23 */
export function apic_update_ppr(m: Machine, vcpu: Ref): void {
  if (vmxip(m, host.guestOf(vcpu))) kvm_make_request(m, vcpu, host.KVM_REQ_EVENT);
}

function apic_set_tpr(m: Machine, vcpu: Ref, tpr: number): void {
  guest_cpu.tpr.set(m, host.guestOf(vcpu), tpr);
  apic_update_ppr(m, vcpu);
}

/** EOI as KVM emulates it, without APICv: the highest vector in service ends. @source x86:LAPIC-24 */
function apic_set_eoi(m: Machine, vcpu: Ref): void {
  const guest = host.guestOf(vcpu);
  const vector = guest_cpu.visr.highest(m, guest);
  m.emit(trace.kvm_eoi, kvm_vcpu.id.get(m, vcpu), vector);
  if (vector < 0) return;
  guest_cpu.visr.clear(m, guest, vector);
  kvm_ioapic_send_eoi(m, vcpu, vector);
  kvm_make_request(m, vcpu, host.KVM_REQ_EVENT);
}

/** EOI that the processor has virtualized already and left the guest for. @source x86:LAPIC-24 */
export function kvm_apic_set_eoi_accelerated(m: Machine, vcpu: Ref, vector: number): void {
  m.emit(trace.kvm_eoi, kvm_vcpu.id.get(m, vcpu), vector);
  kvm_ioapic_send_eoi(m, vcpu, vector);
  kvm_make_request(m, vcpu, host.KVM_REQ_EVENT);
}

/** Tells userspace's I/O APIC, at the next entry, that a vector of one of its pins has ended. @source x86:LAPIC-25 */
function kvm_ioapic_send_eoi(m: Machine, vcpu: Ref, vector: number): void {
  if (!kvm_lapic.ioapic_handled_vectors.test(m, host.apicOf(vcpu), vector)) return;
  host.kvm_run.eoi_vector.set(m, host.runOf(vcpu), vector);
  kvm_make_request(m, vcpu, host.KVM_REQ_IOAPIC_EOI_EXIT);
}
