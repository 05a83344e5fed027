import type { Ref } from '../machine/layout';
import { thread, type Machine } from '../machine/machine';
import { routine } from '../machine/routine';
import { APICV_INHIBIT_REASONS, type ApicvInhibitReason } from '../names';
import { MSR_IA32_APICBASE_ENABLE } from '../platform/apic';
import * as host from './kvm_host';
import { kvm, kvm_lapic, variant } from './kvm_host';
import { kvm_make_all_cpus_request, kvm_make_request } from './kvm_main';
import { kvm_x86_ops } from './kvm_x86_ops';
import { kvm_apicv_inhibit_changed } from './trace';

/** The part of arch/x86/kvm/x86.c that switches APICv: inhibit reasons, and what a vCPU does about them. */

export const inhibitReason = (name: ApicvInhibitReason): number => APICV_INHIBIT_REASONS.indexOf(name);
/** Reasons 0 to 6: the ones that VMX honours; in the first design also TDX. @source APICV-4 */
const VMX_REQUIRED_APICV_INHIBITS = 7;

function honoured(m: Machine, reason: number): boolean {
  if (reason < VMX_REQUIRED_APICV_INHIBITS) return true;
  return reason === inhibitReason('TDX') && variant.apicv_v1.get(m, host.variantRef(m)) === 1;
}

/** A new VM: ABSENT with enable_apicv, DISABLED without. @source VM-4 */
export function kvm_apicv_init(m: Machine, vm: Ref): void {
  const disabled = variant.no_apicv.get(m, host.variantRef(m)) === 1;
  kvm.apicv_inhibit_reasons.clearAll(m, vm);
  kvm.apicv_inhibit_reasons.set(m, vm, inhibitReason(disabled ? 'DISABLED' : 'ABSENT'));
}

/** Whether the VM's reasons allow APICv. @source APICV-3 */
export function kvm_apicv_activated(m: Machine, vm: Ref): boolean {
  return kvm.apicv_inhibit_reasons.isEmpty(m, vm);
}

/** Sets or clears one reason. Only the step from none to some, or back, concerns the vCPUs. */
export const __kvm_set_or_clear_apicv_inhibit = routine(
  {
    name: '__kvm_set_or_clear_apicv_inhibit',
    layer: 'kvm',
    source: 'APICV-6',
    args: ['vm', 'reason', 'set'],
    steps: {
      check: ['A reason that the vendor does not honour changes nothing.', 'APICV-5'],
      decide: [
        'Trace the change. From none to some, or back: KVM_REQ_APICV_UPDATE for every vCPU.',
        'APICV-6',
      ],
      store: ['Store the mask; vCPUs may look at it now.', 'APICV-6'],
    },
  },
  (at) => ({
    check(m, l) {
      if (!honoured(m, l.reason)) return m.ret(0);
      kvm.apicv_update_lock.set(m, l.vm as Ref, m.thread);
      return at.decide;
    },
    decide(m, l) {
      const vm = l.vm as Ref;
      const { apicv_inhibit_reasons } = kvm;
      const before = kvm_apicv_activated(m, vm);
      const was = apicv_inhibit_reasons.test(m, vm, l.reason);
      change(m, vm, l.reason, l.set);
      const after = kvm_apicv_activated(m, vm);
      m.emit(kvm_apicv_inhibit_changed, l.reason, l.set, apicvMask(m, vm));
      change(m, vm, l.reason, was); // stored only when the vCPUs have been told
      if (before === after) return at.store;
      return m.call(at.store, kvm_make_all_cpus_request, vm, host.KVM_REQ_APICV_UPDATE);
    },
    store(m, l) {
      const vm = l.vm as Ref;
      change(m, vm, l.reason, l.set);
      kvm.apicv_update_lock.set(m, vm, 0);
      for (const t of m.threadRefs) if (thread.waiting_on.get(m, t) === vm) m.wake(t);
      return m.ret(0);
    },
  }),
);

function change(m: Machine, vm: Ref, reason: number, set: number): void {
  if (set) kvm.apicv_inhibit_reasons.set(m, vm, reason);
  else kvm.apicv_inhibit_reasons.clear(m, vm, reason);
}

function apicvMask(m: Machine, vm: Ref): number {
  let mask = 0;
  for (let bit = 0; bit < 16; bit++) mask |= kvm.apicv_inhibit_reasons.test(m, vm, bit) << bit;
  return mask;
}

/** A vCPU looks whether APICv is still allowed. @source APICV-7 */
export const __kvm_vcpu_update_apicv = routine(
  {
    name: '__kvm_vcpu_update_apicv',
    layer: 'kvm',
    source: 'APICV-7',
    args: ['vcpu'],
    steps: {
      lock: ['Wait while the mask is being changed.', 'APICV-6'],
      update: ['Has the answer changed? Then store it and refresh the execution controls.', 'APICV-7'],
    },
  },
  (at) => ({
    lock(m, l) {
      const vm = host.kvmOf(m, l.vcpu as Ref);
      const holder = kvm.apicv_update_lock.get(m, vm);
      if (holder !== 0 && holder !== m.thread) {
        thread.waiting_on.set(m, m.thread, vm);
        return m.block('waiting');
      }
      thread.waiting_on.set(m, m.thread, 0);
      return at.update;
    },
    update(m, l) {
      const vcpu = l.vcpu as Ref;
      const apic = host.apicOf(vcpu);
      const enabled = (kvm_lapic.base.get(m, apic) & MSR_IA32_APICBASE_ENABLE) !== 0;
      const activate = enabled && kvm_apicv_activated(m, host.kvmOf(m, vcpu)) ? 1 : 0;
      if (kvm_lapic.apicv_active.get(m, apic) === activate) return m.ret(0);
      kvm_lapic.apicv_active.set(m, apic, activate);
      kvm_x86_ops.refresh_apicv_exec_ctrl(m, vcpu);
      if (!activate) kvm_make_request(m, vcpu, host.KVM_REQ_EVENT);
      return m.ret(0);
    },
  }),
);
