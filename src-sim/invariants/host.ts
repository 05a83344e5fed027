import { INTR_INFO_NMI } from '../platform/intr_info';
import * as kvm_host from '../kvm/kvm_host';
import { kvm_vcpu, variant } from '../kvm/kvm_host';
import { host_nmi_nested } from '../kvm/trace';
import { EXIT_REASON_EXCEPTION_NMI, EXIT_REASON_EXTERNAL_INTERRUPT, vmx_handle_nmi } from '../kvm/vmx/common';
import { tdx_vcpu_run } from '../kvm/vmx/tdx';
import { vmx_vcpu_run } from '../kvm/vmx/vmx';
import { vcpu_enter_guest } from '../kvm/x86';
import { pcpu } from '../platform/pcpu';
import { invariant } from './invariant';
import { at } from './look';

/** Events of the host that hit a CPU while a guest runs on it. */

const TDX_EXITED = at(tdx_vcpu_run, 'exited');
const VMX_EXITED = at(vmx_vcpu_run, 'vmexit');
const EXIT_IRQOFF = at(vcpu_enter_guest, 'exit_irqoff');

export const hostEvents = [
  invariant(
    'cpu',
    'host_nmi_with_interrupts_off',
    'tdx:INV-23',
    'The host NMI handler runs with interrupts off.',
    ({ m }, cpu) => pcpu.nmi_depth.get(m, cpu) === 0 || pcpu.irqs_off.get(m, cpu) === 1,
  ),
  invariant(
    'vcpu',
    'host_nmi_handled_at_once',
    'tdx:INV-23, tdx:NMI-21, TDXM-INV-24',
    'An exit by an NMI calls the host NMI handler before anything else is done about the exit.',
    (look, vcpu) => {
      if (!(look.did(TDX_EXITED) || look.did(VMX_EXITED)) || look.word(0) !== vcpu) return true;
      const { m } = look;
      const byNmi =
        kvm_vcpu.last_exit.get(m, vcpu) === EXIT_REASON_EXCEPTION_NMI &&
        kvm_vcpu.intr_info.get(m, vcpu) === INTR_INFO_NMI;
      return !byNmi || look.isTop(m, look.thread, vmx_handle_nmi);
    },
  ),
  invariant(
    'vcpu',
    'host_irq_with_interrupts_off',
    'tdx:INV-24, TDXM-INV-23',
    'The interrupt that caused an exit is handled before host interrupts are enabled.',
    (look, vcpu) => {
      if (!look.did(EXIT_IRQOFF) || look.word(0) !== vcpu) return true;
      const { m } = look;
      if (kvm_vcpu.last_exit.get(m, vcpu) !== EXIT_REASON_EXTERNAL_INTERRUPT) return true;
      return pcpu.irr.test(m, kvm_vcpu.cpu.get(m, vcpu), kvm_vcpu.intr_info.get(m, vcpu) & 0xff) === 0;
    },
  ),
  invariant(
    'cpu',
    'no_nested_host_nmi',
    'tdx:INV-25, TDXM-INV-25, tdx:NMI-24',
    'With a module that leaves NMIs blocked, none is delivered inside the handler of the first.',
    (look, cpu) => {
      const { m } = look;
      if (!variant.module_nmi_fix.get(m, kvm_host.variantRef(m))) return true;
      if (look.emitted(host_nmi_nested)) return false;
      return pcpu.nmi_depth.get(m, cpu) === 0 || pcpu.nmi_blocked.get(m, cpu) === 1;
    },
  ),
  invariant(
    'vcpu',
    'smi_taken_in_the_host',
    'TDXM-INV-22, tdx:SMI-10',
    'An SMI that waited for the guest to exit is taken before KVM acts on the exit.',
    (look, vcpu) => {
      if (!look.did(EXIT_IRQOFF) || look.word(0) !== vcpu) return true;
      return pcpu.smi_pending.get(look.m, kvm_vcpu.cpu.get(look.m, vcpu)) === 0;
    },
  ),
];
