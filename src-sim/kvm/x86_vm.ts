import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { E, routine } from '../machine/routine';
import {
  __kvm_set_or_clear_apicv_inhibit,
  inhibitReason,
  kvm_apicv_activated,
  kvm_apicv_init,
} from './apicv';
import * as host from './kvm_host';
import { kvm, kvm_lapic, kvm_vcpu, variant } from './kvm_host';
import { kvm_make_request } from './kvm_main';
import { kvm_irq_delivery_to_apic } from './lapic';
import { kvm_msi_set_irq } from './trace';
import { kvm_x86_ops } from './kvm_x86_ops';
import { kvm_vcpu_reset } from './x86_reset';

/** The VM ioctls of arch/x86/kvm/x86.c and virt/kvm/kvm_main.c, and the MSI path of irq_comm.c. */

const vmIoctl = (
  name: string,
  source: string,
  doc: string,
  body: (m: Machine, vm: Ref, arg: number) => number,
) =>
  routine(
    { name, layer: 'kvm', source, args: ['vm', 'arg', 'arg2'], steps: { handle: [doc, source] } },
    () => ({
      handle: (m, l) => m.ret(body(m, l.vm as Ref, l.arg)),
    }),
  );

/** KVM_CREATE_VM. `arg`: VM_DEFAULT or VM_TDX. @source VM-1, VM-4 */
export const kvm_create_vm = vmIoctl(
  'kvm_create_vm',
  'VM-1',
  'Set up the VM of the wanted type.',
  (m, vm, type) => {
    const noTdx =
      variant.no_apicv.get(m, host.variantRef(m)) === 1 && !variant.apicv_v1.get(m, host.variantRef(m));
    if (type === host.VM_TDX && noTdx) return E('EINVAL'); // enable_apicv=0 turns TDX off: BRING-3, V12-3
    kvm.type.set(m, vm, type);
    kvm_apicv_init(m, vm);
    return kvm_x86_ops.vm_init(m, vm);
  },
);

/** I/O APIC pins there can be. @source VM-10 */
const MAX_NR_RESERVED_IOAPIC_PINS = 1024;

const hasIrqchip = (m: Machine, vm: Ref): boolean => kvm.irqchip_mode.get(m, vm) !== host.KVM_IRQCHIP_NONE;

/** An ioctl that gives the VM its irqchip; with it the reason ABSENT goes away. `check` answers an errno or 0. */
const irqchipIoctl = (
  name: string,
  source: string,
  doc: string,
  mode: number,
  check: (m: Machine, vm: Ref, arg: number) => number,
) =>
  routine(
    {
      name,
      layer: 'kvm',
      source,
      args: ['vm', 'arg', 'arg2'],
      steps: { check: [doc, source], done: ['The irqchip is there.', source] },
    },
    (at) => ({
      check(m, l) {
        const vm = l.vm as Ref;
        const refused = check(m, vm, l.arg);
        if (refused !== 0) return m.ret(refused);
        kvm.irqchip_mode.set(m, vm, mode);
        return m.call(at.done, __kvm_set_or_clear_apicv_inhibit, vm, inhibitReason('ABSENT'), 0);
      },
      done: (m) => m.ret(0),
    }),
  );

/** KVM_ENABLE_CAP(KVM_CAP_SPLIT_IRQCHIP). @source VM-10 */
export const kvm_vm_ioctl_enable_cap = irqchipIoctl(
  'kvm_vm_ioctl_enable_cap',
  'VM-10',
  'Check the pins, the irqchip and that no vCPU exists; then the mode is SPLIT.',
  host.KVM_IRQCHIP_SPLIT,
  (m, vm, pins) => {
    if (pins > MAX_NR_RESERVED_IOAPIC_PINS) return E('EINVAL');
    return hasIrqchip(m, vm) || kvm.created_vcpus.get(m, vm) !== 0 ? E('EEXIST') : 0;
  },
);

/** KVM_CREATE_IRQCHIP: succeeds on a TD; the refusal comes with the first vCPU. @source VM-11 */
export const kvm_arch_vm_ioctl_create_irqchip = irqchipIoctl(
  'kvm_vm_ioctl_create_irqchip',
  'VM-11',
  'Check that there is no irqchip and no vCPU; then the mode is KERNEL.',
  host.KVM_IRQCHIP_KERNEL,
  (m, vm) => {
    if (hasIrqchip(m, vm)) return E('EEXIST');
    return kvm.created_vcpus.get(m, vm) === 0 ? 0 : E('EINVAL');
  },
);

/** KVM_CREATE_VCPU. `vcpu`: the slot that carries the wanted id. */
export const kvm_vm_ioctl_create_vcpu = routine(
  {
    name: 'kvm_vm_ioctl_create_vcpu',
    layer: 'kvm',
    source: 'VCPU-1',
    args: ['vm', 'vcpu', 'arg2'],
    steps: {
      vendor: ['Let the vendor decide whether a vCPU may be created now.', 'VCPU-2'],
      arch: ['Create the vCPU: mp_state, shadow local APIC.', 'VCPU-1'],
      reset: ['Reset it with init_event = false.', 'VCPU-4'],
      done: ['The vCPU exists.', 'VCPU-1'],
    },
  },
  (at) => ({
    vendor(m, l) {
      const r = kvm_x86_ops.vcpu_create(m, l.vcpu as Ref);
      if (r !== 0) return m.ret(r);
      return kvm_vcpu.created.get(m, l.vcpu as Ref) ? m.ret(E('EEXIST')) : at.arch;
    },
    arch(m, l) {
      const vcpu = l.vcpu as Ref;
      const in_kernel = kvm.irqchip_mode.get(m, l.vm as Ref) !== host.KVM_IRQCHIP_NONE;
      const apic = host.apicOf(vcpu);
      const bsp = kvm_vcpu.id.get(m, vcpu) === 0;
      const runnable = !in_kernel || bsp;
      kvm_vcpu.mp_state.set(m, vcpu, runnable ? host.KVM_MP_STATE_RUNNABLE : host.KVM_MP_STATE_UNINITIALIZED);
      kvm_lapic.in_kernel.set(m, apic, in_kernel ? 1 : 0);
      kvm_lapic.apicv_active.set(m, apic, in_kernel && kvm_apicv_activated(m, l.vm as Ref) ? 1 : 0);
      kvm_vcpu.pending_external_vector.set(m, vcpu, -1);
      if (in_kernel) kvm_make_request(m, vcpu, host.KVM_REQ_APICV_UPDATE);
      kvm_x86_ops.vcpu_load(m, vcpu);
      return at.reset;
    },
    reset(m, l) {
      return m.call(at.done, kvm_vcpu_reset, l.vcpu, 0);
    },
    done(m, l) {
      kvm_vcpu.created.set(m, l.vcpu as Ref, 1);
      kvm.created_vcpus.set(m, l.vm as Ref, kvm.created_vcpus.get(m, l.vm as Ref) + 1);
      return m.ret(0);
    },
  }),
);

/** KVM_SIGNAL_MSI. `dest` and `low` describe the message. Answers how many vCPUs accepted. */
export const kvm_send_userspace_msi = routine(
  {
    name: 'kvm_send_userspace_msi',
    layer: 'kvm',
    source: 'PI-8',
    args: ['vm', 'dest', 'low'],
    steps: {
      send: ['Without an irqchip refuse; else trace the message and deliver it.', 'VM-14'],
      sent: ['Answer the number of vCPUs that accepted.', 'PI-8'],
    },
  },
  (at) => ({
    send(m, l) {
      if (kvm.irqchip_mode.get(m, l.vm as Ref) === host.KVM_IRQCHIP_NONE) return m.ret(E('EINVAL'));
      m.emit(kvm_msi_set_irq, l.dest, l.low & 0xff, (l.low >> 8) & 7, (l.low >> 15) & 1);
      return m.call(at.sent, kvm_irq_delivery_to_apic, l.vm, 0, l.dest, l.low);
    },
    sent(m) {
      return m.ret(m.retval);
    },
  }),
);
