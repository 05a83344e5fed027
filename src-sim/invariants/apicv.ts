import { __kvm_set_or_clear_apicv_inhibit, inhibitReason, kvm_apicv_activated } from '../kvm/apicv';
import * as host from '../kvm/kvm_host';
import { kvm, kvm_lapic, kvm_vcpu, variant } from '../kvm/kvm_host';
import { kvm_vcpu_ioctl_x86_set_vcpu_events } from '../kvm/x86_vcpu_events';
import { kvm_create_vm } from '../kvm/x86_vm';
import { thread, type Machine } from '../machine/machine';
import { invariant } from './invariant';

/** APICv of TDs, the irqchip they need, and SMM, which they do not have. */

const isV1 = (m: Machine): boolean => variant.apicv_v1.get(m, host.variantRef(m)) === 1;
/** The mask of a VM at its creation, and what an irqchip takes away. */
const ABSENT = 1 << inhibitReason('ABSENT');

export const apicv = [
  invariant(
    'td_vcpu',
    'apicv_stays_active',
    'tdx:INV-12, V12-2',
    'APICv of a TD vCPU is active, or the VM is bugged; in the first design it is inactive from KVM_TDX_INIT_VCPU on, as long as a reason is set.',
    ({ m, before }, vcpu) => {
      const apic = host.apicOf(vcpu);
      const active = kvm_lapic.apicv_active.get(m, apic) === 1;
      if (isV1(m)) {
        if (!active || kvm_vcpu.tdx_state.get(m, vcpu) === host.VCPU_TD_STATE_UNINITIALIZED) return true;
        return kvm_lapic.apicv_active.get(before, apic) === 1 || kvm_apicv_activated(m, host.kvmOf(m, vcpu));
      }
      return active || kvm.vm_bugged.get(m, host.kvmOf(m, vcpu)) === 1;
    },
  ),
  invariant(
    'td',
    'only_absent_inhibits',
    'tdx:INV-13, APICV-9',
    'Nothing in KVM sets an APICv inhibit reason of a TD: ABSENT is there from creation, and goes with the irqchip.',
    (look, vm) => {
      const { m } = look;
      if (isV1(m)) return true;
      const byte = vm + kvm.apicv_inhibit_reasons.byte;
      const gained =
        (m.u8[byte]! & ~look.before.u8[byte]!) | ((m.u8[byte + 1]! & ~look.before.u8[byte + 1]!) << 8);
      if (gained === 0) return true;
      if (look.didOf(kvm_create_vm)) return gained === ABSENT;
      // A hypothetical caller is an action of its own: nothing called it.
      const byItself = thread.depth.get(look.before, look.thread) === 1;
      return look.didOf(__kvm_set_or_clear_apicv_inhibit) && byItself;
    },
  ),
  invariant(
    'td_vcpu',
    'td_needs_split_irqchip',
    'tdx:INV-14, V12-4',
    'A TD vCPU exists only in a VM whose irqchip is split; in the first design any irqchip will do.',
    ({ m }, vcpu) => {
      const mode = kvm.irqchip_mode.get(m, host.kvmOf(m, vcpu));
      return isV1(m) ? mode !== host.KVM_IRQCHIP_NONE : mode === host.KVM_IRQCHIP_SPLIT;
    },
  ),
  invariant(
    'td_vcpu',
    'no_smi_for_a_td',
    'tdx:INV-15, tdx:SMI-1, tdx:SMI-6',
    'KVM itself never makes an SMI pending for a TD vCPU; only userspace can, by KVM_SET_VCPU_EVENTS.',
    (look, vcpu) => {
      const made = kvm_vcpu.smi_pending.get(look.m, vcpu) > kvm_vcpu.smi_pending.get(look.before, vcpu);
      return !made || look.didOf(kvm_vcpu_ioctl_x86_set_vcpu_events);
    },
  ),
];
