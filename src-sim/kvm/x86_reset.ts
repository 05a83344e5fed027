import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { routine } from '../machine/routine';
import {
  APIC_DEFAULT_PHYS_BASE,
  APIC_DFR_FLAT,
  MSR_IA32_APICBASE_BSP,
  MSR_IA32_APICBASE_ENABLE,
} from '../platform/apic';
import { apicOf, kvm_lapic, kvm_regs, KVM_REQ_EVENT, kvm_vcpu, regsOf } from './kvm_host';
import { kvm_make_request } from './kvm_main';
import { resetLvts } from './lapic_lvt';
import { kvm_x86_ops } from './kvm_x86_ops';
import { vcpu_reset } from './trace';
import { lapic_in_kernel } from './x86_events';
import { kvm_clear_exception_queue } from './x86_exceptions';

/** The reset of a vCPU: arch/x86/kvm/x86.c kvm_vcpu_reset and arch/x86/kvm/lapic.c kvm_lapic_reset. */

/**
 * Resets the shadow local APIC. INIT keeps the APIC base, so x2APIC mode survives.
 *
 * @source VCPU-4, x86:SIPI-17
 */
function kvm_lapic_reset(m: Machine, vcpu: Ref, init_event: boolean): void {
  const ref = apicOf(vcpu);
  const bsp = kvm_vcpu.id.get(m, vcpu) === 0;
  kvm_x86_ops.apicv_pre_state_restore(m, vcpu);
  if (!init_event) {
    const base = APIC_DEFAULT_PHYS_BASE | MSR_IA32_APICBASE_ENABLE | (bsp ? MSR_IA32_APICBASE_BSP : 0);
    kvm_lapic.base.set(m, ref, base);
  }
  kvm_lapic.timer_armed.set(m, ref, 0); // the reset cancels the timer: x86:SIPI-17
  kvm_lapic.timer_pending.set(m, ref, 0);
  kvm_lapic.tmict.set(m, ref, 0);
  kvm_lapic.tdcr.set(m, ref, 0);
  kvm_lapic.tscdeadline.set(m, ref, 0);
  kvm_lapic.svr.set(m, ref, 0xff);
  kvm_lapic.ldr.set(m, ref, 0);
  kvm_lapic.dfr.set(m, ref, APIC_DFR_FLAT);
  kvm_lapic.tmr.clearAll(m, ref);
  kvm_lapic.icr.set(m, ref, 0, 0);
  resetLvts(m, vcpu, bsp);
}

/** SMBASE after RESET; INIT keeps what a handler has chosen. @source x86:SMI-8 */
const DEFAULT_SMBASE = 0x3_0000;

/**
 * Resets a vCPU.
 *
 * @param init_event - 1: by INIT; 0: as at power-on.
 */
export const kvm_vcpu_reset = routine(
  {
    name: 'kvm_vcpu_reset',
    layer: 'kvm',
    source: 'x86:SIPI-16',
    args: ['vcpu', 'init_event'],
    steps: {
      lapic: ['Reset the shadow local APIC.', 'x86:SIPI-17'],
      vendor: ['Let the vendor reset its own state: vt_vcpu_reset.', 'INIT-13'],
      registers: ['Write the reset values of the registers, raise KVM_REQ_EVENT.', 'x86:SIPI-16'],
    },
  },
  (at) => ({
    lapic(m, l) {
      const vcpu = l.vcpu as Ref;
      m.emit(vcpu_reset, kvm_vcpu.id.get(m, vcpu), l.init_event);
      if (lapic_in_kernel(m, vcpu)) kvm_lapic_reset(m, vcpu, l.init_event === 1);
      return at.vendor;
    },
    vendor(m, l) {
      kvm_x86_ops.vcpu_reset(m, l.vcpu as Ref, l.init_event === 1);
      return at.registers;
    },
    registers(m, l) {
      const vcpu = l.vcpu as Ref;
      const regs = regsOf(vcpu);
      kvm_regs.rip.set(m, regs, 0xfff0);
      kvm_regs.cs_selector.set(m, regs, 0xf000);
      kvm_regs.cs_base.set(m, regs, 0xffff0000);
      kvm_vcpu.nmi_queued.set(m, vcpu, 0);
      kvm_vcpu.nmi_pending.set(m, vcpu, 0);
      kvm_vcpu.nmi_injected.set(m, vcpu, 0);
      kvm_vcpu.smi_pending.set(m, vcpu, 0);
      kvm_vcpu.smi_count.set(m, vcpu, 0);
      if (!l.init_event) kvm_vcpu.smbase.set(m, vcpu, DEFAULT_SMBASE);
      kvm_vcpu.interrupt_injected.set(m, vcpu, 0);
      kvm_clear_exception_queue(m, vcpu);
      kvm_make_request(m, vcpu, KVM_REQ_EVENT);
      return m.ret(0);
    },
  }),
);
