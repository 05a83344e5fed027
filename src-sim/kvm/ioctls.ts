import { setVcpuIoctls, setVmIoctls, type VcpuIoctl, type VmIoctl } from './kvm_main';
import './vmx/main';
import { kvm_x86_ops } from './kvm_x86_ops';
import * as irq from './irq_comm';
import * as x86 from './x86';
import * as caps from './x86_caps';
import * as events from './x86_vcpu_events';
import * as vm from './x86_vm';

/** Every ioctl of the model and its handler. The order is part of the state's meaning: append, never reorder. */

export const VM_IOCTLS = [
  { name: 'KVM_CREATE_VM', handler: vm.kvm_create_vm },
  { name: 'KVM_ENABLE_CAP', handler: vm.kvm_vm_ioctl_enable_cap },
  { name: 'KVM_CREATE_IRQCHIP', handler: vm.kvm_arch_vm_ioctl_create_irqchip },
  { name: 'KVM_MEMORY_ENCRYPT_OP', handler: kvm_x86_ops.mem_enc_ioctl },
  { name: 'KVM_CREATE_VCPU', handler: vm.kvm_vm_ioctl_create_vcpu },
  { name: 'KVM_SIGNAL_MSI', handler: irq.kvm_send_userspace_msi },
  { name: 'KVM_SET_GSI_ROUTING', handler: irq.kvm_set_irq_routing },
  { name: 'KVM_IRQ_LINE', handler: irq.kvm_vm_ioctl_irq_line },
  { name: 'KVM_IRQFD', handler: irq.kvm_irqfd },
  { name: 'KVM_CHECK_EXTENSION', handler: vm.kvm_vm_ioctl_check_extension },
  { name: 'KVM_CAP_X86_DISABLE_EXITS', handler: vm.kvm_cap_x86_disable_exits },
  { name: 'KVM_CAP_X86_APIC_BUS_CYCLES_NS', handler: vm.kvm_cap_x86_apic_bus_cycles_ns },
  { name: 'KVM_CREATE_PIT2', handler: vm.kvm_vm_ioctl_create_pit },
  { name: 'KVM_GET_PIT2', handler: vm.kvm_vm_ioctl_pit },
  { name: 'KVM_GET_IRQCHIP', handler: vm.kvm_vm_ioctl_irqchip },
  { name: 'KVM_CAP_EXIT_HYPERCALL', handler: caps.kvm_enable_cap_exit_hypercall },
  { name: 'KVM_CAP_X86_USER_SPACE_MSR', handler: caps.kvm_enable_cap_user_space_msr },
  { name: 'KVM_SET_MEMORY_ATTRIBUTES', handler: caps.kvm_vm_ioctl_set_mem_attributes },
  { name: 'KVM_CAP_X2APIC_API', handler: caps.kvm_enable_cap_x2apic_api },
  { name: 'KVM_CAP_EXCEPTION_PAYLOAD', handler: caps.kvm_enable_cap_exception_payload },
  { name: 'KVM_CAP_X86_TRIPLE_FAULT_EVENT', handler: caps.kvm_enable_cap_triple_fault_event },
] as const;

export const VCPU_IOCTLS = [
  { name: 'KVM_RUN', handler: x86.kvm_arch_vcpu_ioctl_run },
  { name: 'KVM_SET_CPUID2', handler: x86.kvm_vcpu_ioctl_set_cpuid2 },
  { name: 'KVM_MEMORY_ENCRYPT_OP', handler: kvm_x86_ops.vcpu_mem_enc_ioctl },
  { name: 'KVM_GET_MP_STATE', handler: x86.kvm_arch_vcpu_ioctl_get_mpstate },
  { name: 'KVM_SET_MP_STATE', handler: x86.kvm_arch_vcpu_ioctl_set_mpstate },
  { name: 'KVM_GET_VCPU_EVENTS', handler: events.kvm_vcpu_ioctl_x86_get_vcpu_events },
  { name: 'KVM_SET_VCPU_EVENTS', handler: events.kvm_vcpu_ioctl_x86_set_vcpu_events },
  { name: 'KVM_GET_REGS', handler: x86.kvm_arch_vcpu_ioctl_get_regs },
  { name: 'KVM_GET_SREGS', handler: x86.kvm_arch_vcpu_ioctl_get_sregs },
  { name: 'KVM_NMI', handler: x86.kvm_vcpu_ioctl_nmi },
  { name: 'KVM_SMI', handler: x86.kvm_vcpu_ioctl_smi },
  { name: 'KVM_SET_LAPIC', handler: x86.kvm_vcpu_ioctl_set_lapic },
  { name: 'KVM_SET_SREGS', handler: x86.kvm_arch_vcpu_ioctl_set_sregs },
  { name: 'KVM_SET_GUEST_DEBUG', handler: x86.kvm_arch_vcpu_ioctl_set_guest_debug },
  { name: 'KVM_INTERRUPT', handler: x86.kvm_vcpu_ioctl_interrupt },
  { name: 'KVM_GET_LAPIC', handler: x86.kvm_vcpu_ioctl_get_lapic },
  { name: 'KVM_X86_SET_MCE', handler: x86.kvm_vcpu_ioctl_x86_set_mce },
  { name: 'KVM_GET_MSRS', handler: caps.msr_io_get },
  { name: 'KVM_SET_MSRS', handler: caps.msr_io_set },
  { name: 'KVM_X86_SETUP_MCE', handler: x86.kvm_vcpu_ioctl_x86_setup_mce },
] as const;

export type VmIoctlName = (typeof VM_IOCTLS)[number]['name'];
export type VcpuIoctlName = (typeof VCPU_IOCTLS)[number]['name'];

setVmIoctls(VM_IOCTLS as unknown as readonly VmIoctl[]);
setVcpuIoctls(VCPU_IOCTLS as unknown as readonly VcpuIoctl[], x86.post_kvm_run_save);

/** Number of a VM ioctl in the table. */
export function vmIoctl(name: VmIoctlName): number {
  return VM_IOCTLS.findIndex((ioctl) => ioctl.name === name);
}
/** Number of a vCPU ioctl in the table. */
export function vcpuIoctl(name: VcpuIoctlName): number {
  return VCPU_IOCTLS.findIndex((ioctl) => ioctl.name === name);
}
