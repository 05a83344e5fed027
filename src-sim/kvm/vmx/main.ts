import type { Ref } from '../../machine/layout';
import type { Machine } from '../../machine/machine';
import { E, routine } from '../../machine/routine';
import { is_td, is_td_vcpu, kvm_vcpu, kvmOf } from '../kvm_host';
import { KVM_BUG_ON } from '../kvm_main';
import { kvm_x86_vendor_init } from '../kvm_x86_ops';
import { deliverPostedInterruptNow, vmx_deliver_interrupt, vmx_handle_exit_irqoff } from './common';
import {
  pi_apicv_pre_state_restore,
  pi_has_pending_interrupt,
  vmx_vcpu_pi_load,
  vmx_vcpu_pi_put,
} from './posted_intr';
import * as tdx from './tdx';
import { tdx_vm_destroy } from './tdx_destroy';
import { TDX_COMPLETIONS } from './tdvmcall';
import * as vmx from './vmx';
import * as events from './vmx_events';

/** Mirrors arch/x86/kvm/vmx/main.c: every op asks first whether it deals with a TD. */

/** Whether INIT and SIPI stay latched instead of acting on the vCPU. @source INIT-2 */
export function vt_apic_init_signal_blocked(m: Machine, vcpu: Ref): boolean {
  return is_td_vcpu(m, vcpu); // a plain guest blocks them only in VMX root operation (x86:SIPI-13), which the model has not
}

/** @source INIT-13 */
export function vt_vcpu_reset(m: Machine, vcpu: Ref, init_event: boolean): void {
  if (is_td_vcpu(m, vcpu)) tdx.tdx_vcpu_reset(m, vcpu, init_event);
  else vmx.vmx_vcpu_reset(m, vcpu, init_event);
}

/** KVM_MEMORY_ENCRYPT_OP on a VM: -ENOTTY without such an op. @source VM-20 */
export const vt_mem_enc_ioctl = routine(
  {
    name: 'vt_mem_enc_ioctl',
    layer: 'kvm',
    source: 'VM-20',
    args: ['vm', 'arg', 'arg2'],
    steps: { handle: ['Only a TD has this op.', 'VM-20'] },
  },
  () => ({
    handle: (m, l) =>
      is_td(m, l.vm as Ref) ? m.tail(tdx.tdx_vm_ioctl, l.vm, l.arg, l.arg2) : m.ret(E('ENOTTY')),
  }),
);

/** KVM_MEMORY_ENCRYPT_OP on a vCPU. @source VCPU-6 */
export const vt_vcpu_mem_enc_ioctl = routine(
  {
    name: 'vt_vcpu_mem_enc_ioctl',
    layer: 'kvm',
    source: 'VCPU-6',
    args: ['vcpu', 'arg'],
    steps: { handle: ['Only a TD vCPU has this op.', 'VCPU-6'] },
  },
  () => ({
    handle: (m, l) =>
      is_td_vcpu(m, l.vcpu as Ref) ? m.tail(tdx.tdx_vcpu_ioctl, l.vcpu, l.arg) : m.ret(E('EINVAL')),
  }),
);

/** @source RUN-10 */
export const vt_vcpu_run = routine(
  {
    name: 'vt_vcpu_run',
    layer: 'kvm',
    source: 'RUN-10',
    args: ['vcpu', 'immediate_exit'],
    steps: { dispatch: ['A TD or a plain VMX guest?', 'RUN-10'] },
  },
  () => ({
    dispatch: (m, l) =>
      m.tail(is_td_vcpu(m, l.vcpu as Ref) ? tdx.tdx_vcpu_run : vmx.vmx_vcpu_run, l.vcpu, l.immediate_exit),
  }),
);

/** @source EXIT-6 */
export const vt_handle_exit = routine(
  {
    name: 'vt_handle_exit',
    layer: 'kvm',
    source: 'EXIT-6',
    args: ['vcpu', 'fastpath'],
    steps: { dispatch: ['A TD or a plain VMX guest?', 'EXIT-6'] },
  },
  () => ({
    dispatch: (m, l) =>
      m.tail(is_td_vcpu(m, l.vcpu as Ref) ? tdx.tdx_handle_exit : vmx.vmx_handle_exit, l.vcpu, l.fastpath),
  }),
);

/** SMM does not exist for a TD: asking whether it may be entered is a bug of KVM's own. @source tdx:SMI-4 */
export function vt_smi_allowed(m: Machine, vcpu: Ref): boolean {
  if (!is_td_vcpu(m, vcpu)) return !kvm_vcpu.smm.get(m, vcpu); // x86:SMI-3
  KVM_BUG_ON(m, kvmOf(m, vcpu), BUG_SITE_SMI_ALLOWED);
  return false;
}
const BUG_SITE_SMI_ALLOWED = 2;

/** @source tdx:NMI-5 */
export const vt_inject_nmi = routine(
  {
    name: 'vt_inject_nmi',
    layer: 'kvm',
    source: 'tdx:NMI-5',
    args: ['vcpu'],
    steps: { dispatch: ['A TD or a plain VMX guest?', 'tdx:NMI-5'] },
  },
  () => ({
    dispatch: (m, l) =>
      m.tail(is_td_vcpu(m, l.vcpu as Ref) ? tdx.tdx_inject_nmi : events.vmx_inject_nmi, l.vcpu),
  }),
);

/** @source PI-38 */
export const vt_inject_irq = routine(
  {
    name: 'vt_inject_irq',
    layer: 'kvm',
    source: 'PI-38',
    args: ['vcpu', 'reinjected'],
    steps: { dispatch: ['A TD or a plain VMX guest?', 'PI-38'] },
  },
  () => ({
    dispatch: (m, l) =>
      m.tail(is_td_vcpu(m, l.vcpu as Ref) ? tdx.tdx_inject_irq : events.vmx_inject_irq, l.vcpu, l.reinjected),
  }),
);

/** @source FATAL-5 */
export const vt_vm_destroy = routine(
  {
    name: 'vt_vm_destroy',
    layer: 'kvm',
    source: 'FATAL-5',
    args: ['vm'],
    steps: { dispatch: ['Only a TD has something to give back.', 'FATAL-5'] },
  },
  () => ({ dispatch: (m, l) => (is_td(m, l.vm as Ref) ? m.tail(tdx_vm_destroy, l.vm) : m.ret(0)) }),
);

/** @source PI-23 */
export const vt_vcpu_leave_cpu = routine(
  {
    name: 'vt_vcpu_leave_cpu',
    layer: 'kvm',
    source: 'PI-23',
    args: ['vcpu'],
    steps: { dispatch: ['Only of a TD vCPU a CPU keeps something that the model has.', 'PI-23'] },
  },
  () => ({
    dispatch: (m, l) => (is_td_vcpu(m, l.vcpu as Ref) ? m.tail(tdx.tdx_flush_vp_on_cpu, l.vcpu) : m.ret(0)),
  }),
);

kvm_x86_vendor_init({
  vm_init: (m, vm) => (is_td(m, vm) ? tdx.tdx_vm_init(m, vm) : 0),
  vm_destroy: vt_vm_destroy,
  vcpu_create: (m, vcpu) => (is_td_vcpu(m, vcpu) ? tdx.tdx_vcpu_create(m, vcpu) : 0),
  vcpu_load: vmx_vcpu_pi_load,
  vcpu_leave_cpu: vt_vcpu_leave_cpu,
  vcpu_put: vmx_vcpu_pi_put,
  vcpu_reset: vt_vcpu_reset,
  vcpu_pre_run: (m, vcpu) => (is_td_vcpu(m, vcpu) ? tdx.tdx_vcpu_pre_run(m, vcpu) : 1),
  apic_init_signal_blocked: vt_apic_init_signal_blocked,
  apicv_pre_state_restore: pi_apicv_pre_state_restore,
  sync_pir_to_irr: (m, vcpu) => {
    if (!is_td_vcpu(m, vcpu)) vmx.vmx_sync_pir_to_irr(m, vcpu); // for a TD it answers -1 and does nothing: PI-13
  },
  has_interrupt: (m, vcpu) =>
    is_td_vcpu(m, vcpu)
      ? tdx.tdx_interrupt_allowed(m, vcpu) && tdx.tdx_protected_apic_has_interrupt(m, vcpu)
      : vmx.vmx_has_interrupt(m, vcpu),
  dy_apicv_has_pending_interrupt: pi_has_pending_interrupt,
  get_nmi_mask: (m, vcpu) => !is_td_vcpu(m, vcpu) && events.vmx_get_nmi_mask(m, vcpu), // a TD's mask cannot be read: tdx:NMI-4
  set_nmi_mask: (m, vcpu, masked) => {
    if (!is_td_vcpu(m, vcpu)) events.vmx_set_nmi_mask(m, vcpu, masked);
  },
  get_interrupt_shadow: (m, vcpu) => (is_td_vcpu(m, vcpu) ? 0 : events.vmx_get_interrupt_shadow(m, vcpu)),
  set_interrupt_shadow: (m, vcpu, mask) => {
    if (!is_td_vcpu(m, vcpu)) events.vmx_set_interrupt_shadow(m, vcpu, mask);
  },
  nmi_allowed: (m, vcpu) => is_td_vcpu(m, vcpu) || !events.vmx_nmi_blocked(m, vcpu),
  enable_nmi_window: (m, vcpu) => {
    if (!is_td_vcpu(m, vcpu)) events.vmx_enable_nmi_window(m, vcpu);
  },
  inject_nmi: vt_inject_nmi,
  smi_allowed: vt_smi_allowed,
  has_emulated_smbase: (m, vcpu) => !is_td_vcpu(m, vcpu),
  refresh_apicv_exec_ctrl: (m, vcpu) => {
    if (is_td_vcpu(m, vcpu)) tdx.tdx_refresh_apicv_exec_ctrl(m, vcpu);
    else vmx.vmx_refresh_apicv_exec_ctrl(m, vcpu);
  },
  interrupt_allowed: (m, vcpu) =>
    is_td_vcpu(m, vcpu) ? tdx.tdx_interrupt_allowed(m, vcpu) : !events.vmx_interrupt_blocked(m, vcpu),
  enable_irq_window: (m, vcpu) => {
    if (!is_td_vcpu(m, vcpu)) events.vmx_enable_irq_window(m, vcpu);
  },
  inject_exception: (m, vcpu) => {
    if (!is_td_vcpu(m, vcpu)) events.vmx_inject_exception(m, vcpu);
  },
  cancel_injection: (m, vcpu) => {
    if (!is_td_vcpu(m, vcpu)) events.vmx_cancel_injection(m, vcpu);
  },
  update_cr8_intercept: (m, vcpu) => {
    if (!is_td_vcpu(m, vcpu)) vmx.vmx_update_cr8_intercept(m, vcpu);
  },
  inject_irq: vt_inject_irq,
  load_eoi_exitmap: (m, vcpu) => {
    if (!is_td_vcpu(m, vcpu)) vmx.vmx_load_eoi_exitmap(m, vcpu); // a TD's EOIs never exit: EOI-3
  },
  vcpu_run: vt_vcpu_run,
  complete_userspace_io(m, vcpu, what) {
    if (what === 'NONE') return 1;
    return is_td_vcpu(m, vcpu)
      ? TDX_COMPLETIONS[what](m, vcpu)
      : vmx.vmx_complete_userspace_io(m, vcpu, what);
  },
  handle_exit_irqoff: vmx_handle_exit_irqoff,
  handle_exit: vt_handle_exit,
  deliver_interrupt: vmx_deliver_interrupt,
  deliver_interrupt_now: deliverPostedInterruptNow,
  timer_int_injected: (m, vcpu) => is_td_vcpu(m, vcpu) || vmx.vmx_timer_int_injected(m, vcpu), // TMR-11
  mem_enc_ioctl: vt_mem_enc_ioctl,
  vcpu_mem_enc_ioctl: vt_vcpu_mem_enc_ioctl,
});
