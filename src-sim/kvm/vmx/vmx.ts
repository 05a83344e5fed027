import type { Ref } from '../../machine/layout';
import { thread, type Machine } from '../../machine/machine';
import { routine } from '../../machine/routine';
import { guest_cpu } from '../../guest/cpu';
import { guest_run } from '../../guest/run';
import { X2APIC_ENABLE } from '../../platform/apic';
import { HOST_KERNEL, pcpu, VMX_NON_ROOT } from '../../platform/pcpu';
import { pi_desc } from '../../platform/posted_intr';
import { apicOf, guestOf, kvm_lapic, kvm_regs, kvm_vcpu, pidOf, regsOf } from '../kvm_host';
import * as trace from '../trace';
import {
  EXIT_REASON_EXTERNAL_INTERRUPT, EXIT_REASON_HLT, EXIT_REASON_MSR_WRITE, kvm_emulate_halt_noskip, kvm_emulate_wrmsr, unhandled_exit,
} from './common'; // prettier-ignore
import { pi_has_pending_interrupt } from './posted_intr';

/** Mirrors arch/x86/kvm/vmx/vmx.c, for plain guests with APICv. */

/** INIT throws away what the guest was doing; the guest's interrupts are disabled. @source x86:SIPI-16 */
export function vmx_vcpu_reset(m: Machine, vcpu: Ref, init_event: boolean): void {
  const guest = guestOf(vcpu);
  guest_cpu.op.set(m, guest, 0);
  guest_cpu.if.set(m, guest, 0);
  guest_cpu.virr.clearAll(m, guest);
  guest_cpu.visr.clearAll(m, guest);
  if (!init_event) return;
  guest_cpu.started.set(m, guest, 0);
  guest_cpu.resets.set(m, guest, guest_cpu.resets.get(m, guest) + 1);
}

/** Whether a virtual interrupt could be taken now. @source HLT-5 */
export function vmx_has_interrupt(m: Machine, vcpu: Ref): boolean {
  const guest = guestOf(vcpu);
  if (!guest_cpu.if.get(m, guest)) return false;
  return (
    pi_has_pending_interrupt(m, vcpu) ||
    guest_cpu.virr.highest(m, guest) >> 4 > guest_cpu.visr.highest(m, guest) >> 4
  );
}

/** PIR becomes part of the virtual IRR; ON is cleared. @source x86:IRQ-11 */
export function vmx_sync_pir_to_irr(m: Machine, vcpu: Ref): void {
  if (!pi_desc.on.get(m, pidOf(vcpu))) return;
  pi_desc.on.set(m, pidOf(vcpu), 0);
  guest_cpu.virr.take(m, guestOf(vcpu), pi_desc.pir, pidOf(vcpu));
}

/** Enters the guest and comes back with the exit. */
export const vmx_vcpu_run = routine(
  {
    name: 'vmx_vcpu_run',
    layer: 'kvm',
    source: 'arch/x86/kvm/vmx/vmx.c',
    args: ['vcpu'],
    steps: {
      entry: ['Trace the entry.', 'TRC-1'],
      vmenter: ['VM entry: the CPU enters VMX non-root mode.', 'SDM'],
      vmexit: ['VM exit: back in the host, trace the exit.', 'SDM'],
    },
  },
  (at) => ({
    entry(m, l) {
      const vcpu = l.vcpu as Ref;
      m.emit(trace.kvm_entry, kvm_vcpu.id.get(m, vcpu), kvm_regs.rip.get(m, regsOf(vcpu)));
      return at.vmenter;
    },
    vmenter(m, l) {
      const apic = apicOf(l.vcpu as Ref);
      pcpu.context.set(m, thread.cpu.get(m, m.thread) as Ref, VMX_NON_ROOT);
      kvm_lapic.base.set(m, apic, kvm_lapic.base.get(m, apic) | X2APIC_ENABLE); // the guest's firmware does this first
      return m.call(at.vmexit, guest_run, l.vcpu);
    },
    vmexit(m, l) {
      const vcpu = l.vcpu as Ref;
      pcpu.context.set(m, thread.cpu.get(m, m.thread) as Ref, HOST_KERNEL);
      kvm_vcpu.last_exit.set(m, vcpu, m.retval);
      m.emit(trace.kvm_exit, kvm_vcpu.id.get(m, vcpu), m.retval, kvm_regs.rip.get(m, regsOf(vcpu)));
      return m.ret(0);
    },
  }),
);

/** Answers 1, 0 or an errno. */
export const vmx_handle_exit = routine(
  {
    name: 'vmx_handle_exit',
    layer: 'kvm',
    source: 'arch/x86/kvm/vmx/vmx.c',
    args: ['vcpu', 'fastpath'],
    steps: {
      dispatch: ['Call the handler of the exit reason.', 'UAPI-5'],
      wrmsr_done: ['Skip the instruction; stay in KVM_RUN.', 'x86:LAPIC-14'],
    },
  },
  (at) => ({
    dispatch(m, l) {
      const vcpu = l.vcpu as Ref;
      const reason = kvm_vcpu.last_exit.get(m, vcpu);
      switch (reason) {
        case EXIT_REASON_EXTERNAL_INTERRUPT:
          return m.ret(1);
        case EXIT_REASON_HLT:
          return m.ret(kvm_emulate_halt_noskip(m, vcpu));
        case EXIT_REASON_MSR_WRITE:
          return m.call(at.wrmsr_done, kvm_emulate_wrmsr, vcpu);
        default:
          return m.ret(unhandled_exit(m, vcpu, 0, reason));
      }
    },
    wrmsr_done(m) {
      return m.ret(1);
    },
  }),
);
