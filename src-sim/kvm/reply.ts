import { bits, flag, int32, name, num, record, sub, word64 } from '../machine/layout';
import { MP_STATES } from '../names';

/** `struct kvm_lapic_state` in userspace's buffer: what KVM_GET_LAPIC has read, and what KVM_SET_LAPIC writes. */
export const kvm_lapic_state = record('kvm_lapic_state', 'vmm', 'Buffer of KVM_GET_LAPIC and KVM_SET_LAPIC', {
  id: num(32, 'ID: in bits 31:24 in xAPIC mode', { source: 'x86:LAPIC-1', as: 'hex' }),
  version: num(32, 'Version', { source: 'x86:LAPIC-5', as: 'hex' }),
  tpr: num(8, 'TPR', { source: 'x86:LAPIC-1', as: 'hex' }),
  ppr: num(8, 'PPR', { source: 'x86:LAPIC-20', as: 'hex' }),
  ldr: num(32, 'LDR: in bits 31:24 in xAPIC mode', { source: 'x86:LAPIC-27', as: 'hex' }),
  dfr: num(32, 'DFR', { source: 'x86:LAPIC-30', as: 'hex' }),
  svr: num(16, 'SVR', { source: 'x86:LAPIC-1', as: 'hex' }),
  icr: word64('ICR and, in xAPIC mode, ICR2', { source: 'x86:LAPIC-3' }),
  lvt0: num(32, 'LVT LINT0', { source: 'x86:LAPIC-4', as: 'hex' }),
  isr: bits(256, 'ISR', { source: 'x86:LAPIC-2' }),
  tmr: bits(256, 'TMR', { source: 'x86:LAPIC-2' }),
  irr: bits(256, 'IRR', { source: 'x86:LAPIC-2' }),
});

/** What the last reading ioctl wrote into userspace's buffer. */
export const reply = record('reply', 'vmm', 'What the last reading ioctl reported', {
  mp_state: name(MP_STATES, 'KVM_GET_MP_STATE: mp_state', { source: 'INIT-11' }),
  latched_init: flag('KVM_GET_VCPU_EVENTS: smi.latched_init', { source: 'INIT-7' }),
  nmi_pending: num(8, 'KVM_GET_VCPU_EVENTS: nmi.pending', { source: 'tdx:NMI-15' }),
  nmi_injected: flag('KVM_GET_VCPU_EVENTS: nmi.injected', { source: 'tdx:NMI-15' }),
  nmi_masked: flag('KVM_GET_VCPU_EVENTS: nmi.masked', { source: 'tdx:NMI-15' }),
  smi_pending: flag('KVM_GET_VCPU_EVENTS: smi.pending', { source: 'tdx:SMI-7' }),
  smm: flag('KVM_GET_VCPU_EVENTS: smi.smm', { source: 'tdx:SMI-7' }),
  interrupt_injected: flag('KVM_GET_VCPU_EVENTS: interrupt.injected', { source: 'tdx:LAPIC-6' }),
  interrupt_nr: num(8, 'KVM_GET_VCPU_EVENTS: interrupt.nr', { source: 'x86:UAPI-9' }),
  interrupt_shadow: num(8, 'KVM_GET_VCPU_EVENTS: interrupt.shadow; 1 MOV SS, 2 STI', {
    source: 'x86:UAPI-8',
  }),
  exception_nr: num(8, 'KVM_GET_VCPU_EVENTS: exception.nr', { source: 'x86:UAPI-9' }),
  exception_injected: flag('KVM_GET_VCPU_EVENTS: exception.injected', { source: 'tdx:LAPIC-6' }),
  exception_pending: flag('KVM_GET_VCPU_EVENTS: exception.pending', { source: 'x86:UAPI-9' }),
  smm_inside_nmi: flag('KVM_GET_VCPU_EVENTS: smi.smm_inside_nmi', { source: 'x86:UAPI-10' }),
  triple_fault: flag('KVM_GET_VCPU_EVENTS: triple_fault.pending', { source: 'x86:UAPI-8' }),
  events_flags: num(8, 'KVM_GET_VCPU_EVENTS: flags', { source: 'x86:UAPI-8', as: 'hex' }),
  irq_status: int32('KVM_IRQ_LINE_STATUS: status', { source: 'EOI-11' }),
  cpuid_configs: num(8, 'KVM_TDX_CAPABILITIES: cpuid.nent', { source: 'VM-21' }),
  lapic: sub(kvm_lapic_state),
  rip: num(32, 'KVM_GET_REGS: rip', { source: 'RUN-16', as: 'hex' }),
  cs_selector: num(16, 'KVM_GET_SREGS: cs.selector', { source: 'RUN-16', as: 'hex' }),
  cs_base: num(32, 'KVM_GET_SREGS: cs.base', { source: 'RUN-16', as: 'hex' }),
});
