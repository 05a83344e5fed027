import { flag, int32, name, num, record } from '../machine/layout';
import { MP_STATES } from '../names';

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
  exception_injected: flag('KVM_GET_VCPU_EVENTS: exception.injected', { source: 'tdx:LAPIC-6' }),
  irq_status: int32('KVM_IRQ_LINE_STATUS: status', { source: 'EOI-11' }),
  cpuid_configs: num(8, 'KVM_TDX_CAPABILITIES: cpuid.nent', { source: 'VM-21' }),
  rip: num(32, 'KVM_GET_REGS: rip', { source: 'RUN-16', as: 'hex' }),
  cs_selector: num(16, 'KVM_GET_SREGS: cs.selector', { source: 'RUN-16', as: 'hex' }),
  cs_base: num(32, 'KVM_GET_SREGS: cs.base', { source: 'RUN-16', as: 'hex' }),
});
