import { guest_cpu } from '../guest/cpu';
import * as host from '../kvm/kvm_host';
import { kvm_lapic, kvm_vcpu } from '../kvm/kvm_host';
import { __apic_accept_irq, kvm_apic_accept_events, kvm_vcpu_is_bsp } from '../kvm/lapic';
import { kvm_arch_vcpu_ioctl_set_mpstate } from '../kvm/x86';
import { kvm_vcpu_ioctl_x86_set_vcpu_events } from '../kvm/x86_vcpu_events';
import { invariant } from './invariant';
import { at } from './look';

/** INIT and SIPI. */

const LATCH_INIT = at(__apic_accept_irq, 'latch_init');
const SIPI = at(kvm_apic_accept_events, 'sipi');
const AFTER_RESET = at(kvm_apic_accept_events, 'after_reset');
const ONLY_INIT = 1 << host.KVM_APIC_INIT;
const INIT_AND_SIPI = ONLY_INIT | (1 << host.KVM_APIC_SIPI);

export const init = [
  invariant(
    'td_vcpu',
    'init_never_changes_a_td',
    'tdx:INV-10',
    'A TD vCPU is neither reset by INIT nor started by SIPI; its mp_state is never INIT_RECEIVED or SIPI_RECEIVED.',
    ({ m }, vcpu) => {
      const mp_state = kvm_vcpu.mp_state.get(m, vcpu);
      const guest = host.guestOf(vcpu);
      if (guest_cpu.resets.get(m, guest) > 0 || guest_cpu.starts.get(m, guest) > 0) return false;
      return mp_state !== host.KVM_MP_STATE_INIT_RECEIVED && mp_state !== host.KVM_MP_STATE_SIPI_RECEIVED;
    },
  ),
  invariant(
    'td_vcpu',
    'init_stays_latched',
    'tdx:INV-11',
    'An INIT that is latched for a TD vCPU stays, unless userspace clears it.',
    (look, vcpu) => {
      const apic = host.apicOf(vcpu);
      const was = kvm_lapic.pending_events.test(look.before, apic, host.KVM_APIC_INIT);
      if (!was || kvm_lapic.pending_events.test(look.m, apic, host.KVM_APIC_INIT)) return true;
      return look.didOf(kvm_vcpu_ioctl_x86_set_vcpu_events);
    },
  ),
  invariant(
    'vcpu',
    'init_overwrites_sipi',
    'x86:INV-16, INIT-3',
    'Only INIT and SIPI can be latched; right after INIT was, it is the only one.',
    (look, vcpu) => {
      const pending = look.m.u8[host.apicOf(vcpu) + kvm_lapic.pending_events.byte]!;
      if ((pending & ~INIT_AND_SIPI) !== 0) return false;
      return !look.did(LATCH_INIT) || look.word(0) !== vcpu || pending === ONLY_INIT;
    },
  ),
  invariant(
    'vmx_vcpu',
    'wait_for_sipi',
    'x86:INV-17',
    'An AP leaves INIT_RECEIVED only by a SIPI or by userspace, and a SIPI acts only there.',
    (look, vcpu) => {
      const was = kvm_vcpu.mp_state.get(look.before, vcpu);
      if (was === kvm_vcpu.mp_state.get(look.m, vcpu)) return true;
      if (look.did(SIPI)) return was === host.KVM_MP_STATE_INIT_RECEIVED;
      if (was !== host.KVM_MP_STATE_INIT_RECEIVED || kvm_vcpu_is_bsp(look.m, vcpu)) return true;
      return look.didOf(kvm_arch_vcpu_ioctl_set_mpstate);
    },
  ),
  invariant(
    'vmx_vcpu',
    'bsp_never_waits',
    'x86:INV-18',
    'INIT makes a BSP RUNNABLE, never INIT_RECEIVED.',
    (look, vcpu) => {
      if (!look.did(AFTER_RESET) || look.word(0) !== vcpu || !kvm_vcpu_is_bsp(look.m, vcpu)) return true;
      return kvm_vcpu.mp_state.get(look.m, vcpu) === host.KVM_MP_STATE_RUNNABLE;
    },
  ),
];
