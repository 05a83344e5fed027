import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { E, routine } from '../machine/routine';
import { __kvm_set_or_clear_apicv_inhibit, inhibitReason, kvm_apicv_init } from './apicv';
import * as host from './kvm_host';
import { kvm, kvm_lapic, kvm_vcpu, variant } from './kvm_host';
import { kvm_make_request, vcpu_load } from './kvm_main';
import { cpuOfThread } from './sched';
import { LAPIC_TIMER_ADVANCE_NS_INIT } from './lapic_timer';
import { CAPABILITY_NAMES } from '../names';
import { kvm_x86_ops } from './kvm_x86_ops';
import { tdx_unavailable, tdxUnavailable } from './vmx/bring_up';
import { vm_destroyed } from './trace';
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
    const missing = tdxUnavailable(m);
    if (type === host.VM_TDX && missing >= 0) {
      m.emit(tdx_unavailable, missing);
      return E('EINVAL'); // BRING-6
    }
    kvm.type.set(m, vm, type);
    kvm_apicv_init(m, vm);
    kvm.apic_bus_cycle_ns.set(m, vm, APIC_BUS_CYCLE_NS_DEFAULT);
    return kvm_x86_ops.vm_init(m, vm);
  },
);

/** @source VM-6 */
const APIC_BUS_CYCLE_NS_DEFAULT = 1;

/** I/O APIC pins there can be. @source VM-10 */
const MAX_NR_RESERVED_IOAPIC_PINS = 1024;

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
    return host.irqchip_in_kernel(m, vm) || kvm.created_vcpus.get(m, vm) !== 0 ? E('EEXIST') : 0;
  },
);

/**
 * KVM_CREATE_IRQCHIP: succeeds on a TD, and the refusal comes with the first vCPU; since 6.18 it is refused where KVM sees
 * no EOI.
 *
 * @source VM-11, EOI-13
 */
export const kvm_arch_vm_ioctl_create_irqchip = irqchipIoctl(
  'kvm_vm_ioctl_create_irqchip',
  'VM-11',
  'Check that there is no irqchip and no vCPU; then the mode is KERNEL.',
  host.KVM_IRQCHIP_KERNEL,
  (m, vm) => {
    if (host.irqchip_in_kernel(m, vm)) return E('EEXIST');
    if (kvm.has_protected_eoi.get(m, vm)) return E('ENOTTY');
    return kvm.created_vcpus.get(m, vm) === 0 ? 0 : E('EINVAL');
  },
);

/** The last file descriptor is closed: the VM gives back what it has, and its slot is as at power-on. */
export const kvm_destroy_vm = routine(
  {
    name: 'kvm_destroy_vm',
    layer: 'kvm',
    source: 'FATAL-5',
    args: ['vm'],
    steps: {
      vendor: ['Let the vendor give back what belongs to it.', 'FATAL-5'],
      free: ['Free vCPUs and VM. Pages that the host has poisoned stay out of circulation.', 'tdx:SMI-14'],
    },
  },
  (at) => ({
    vendor: (m, l) => m.call(at.free, kvm_x86_ops.vm_destroy, l.vm),
    free(m, l) {
      const vm = l.vm as Ref;
      for (let i = 0; i < kvm.slots.get(m, vm); i++) freeVcpu(m, host.vcpuAt(m, vm, i));
      const [index, slots, first] = [kvm.index.get(m, vm), kvm.slots.get(m, vm), kvm.first.get(m, vm)];
      const poisoned = kvm.poisoned_pages.get(m, vm);
      m.u8.fill(0, vm, vm + kvm.info.size);
      kvm.index.set(m, vm, index);
      kvm.slots.set(m, vm, slots);
      kvm.first.set(m, vm, first);
      kvm.poisoned_pages.set(m, vm, poisoned);
      m.emit(vm_destroyed, index);
      return m.ret(0);
    },
  }),
);

/** A vCPU slot as at power-on: who it is stays, all else goes. */
function freeVcpu(m: Machine, vcpu: Ref): void {
  const { id, index, kvm: vm, thread, cpu } = kvm_vcpu;
  const identity = [id, index, vm, thread, cpu];
  const values = identity.map((field) => field.get(m, vcpu));
  m.u8.fill(0, vcpu, vcpu + kvm_vcpu.info.size);
  identity.forEach((field, i) => field.set(m, vcpu, values[i]!));
}

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
      // Whatever inhibits it now: the first entry looks at the reasons (kvm_create_lapic).
      const enable_apicv = !variant.no_apicv.get(m, host.variantRef(m));
      kvm_lapic.apicv_active.set(m, apic, in_kernel && enable_apicv ? 1 : 0);
      kvm_vcpu.pending_external_vector.set(m, vcpu, -1);
      kvm_vcpu.wakeup_cpu.set(m, vcpu, -1);
      kvm_lapic.timer_advance_ns.set(m, apic, LAPIC_TIMER_ADVANCE_NS_INIT);
      if (in_kernel && enable_apicv) kvm_make_request(m, vcpu, host.KVM_REQ_APICV_UPDATE);
      kvm_vcpu.cpu.set(m, vcpu, cpuOfThread(m, vcpu));
      return vcpu_load(m, at.reset, vcpu);
    },
    reset(m, l) {
      return m.call(at.done, kvm_vcpu_reset, l.vcpu, 0);
    },
    done(m, l) {
      kvm_x86_ops.vcpu_put(m, l.vcpu as Ref, false);
      kvm_vcpu.created.set(m, l.vcpu as Ref, 1);
      kvm.created_vcpus.set(m, l.vm as Ref, kvm.created_vcpus.get(m, l.vm as Ref) + 1);
      return m.ret(0);
    },
  }),
);

/** KVM_MAX_VCPUS of a default configuration. @source VM-1 */
const KVM_MAX_VCPUS = 1024;

/** KVM_CHECK_EXTENSION; `arg2` is 1 when /dev/kvm is asked. @source tdx:SMI-8, VM-1 */
export const kvm_vm_ioctl_check_extension = routine(
  {
    name: 'kvm_vm_ioctl_check_extension',
    layer: 'kvm',
    source: 'tdx:SMI-8',
    args: ['vm', 'arg', 'arg2'],
    steps: { answer: ['Answer for this VM, or for the kernel as a whole.', 'tdx:SMI-8'] },
  },
  () => ({
    answer(m, l) {
      const td = !l.arg2 && host.is_td(m, l.vm as Ref);
      switch (CAPABILITY_NAMES[l.arg]) {
        case 'KVM_CAP_X86_SMM':
          return m.ret(td || variant.no_smm.get(m, host.variantRef(m)) ? 0 : 1);
        case 'KVM_CAP_MAX_VCPUS':
          return m.ret(td ? Math.min(KVM_MAX_VCPUS, m.threadRefs.length) : KVM_MAX_VCPUS); // one CPU a thread
        default:
          return m.ret(1);
      }
    },
  }),
);

/** KVM_X86_DISABLE_EXITS_*. @source NUM-9 */
const DISABLE_EXITS_MWAIT = 1;
const DISABLE_EXITS_HLT = 2;

/** KVM_ENABLE_CAP(KVM_CAP_X86_DISABLE_EXITS). @source TMR-5, NUM-9 */
export const kvm_cap_x86_disable_exits = vmIoctl(
  'kvm_cap_x86_disable_exits',
  'NUM-9',
  'Check the bits and that no vCPU exists; store what no longer exits.',
  (m, vm, exits) => {
    if (exits >>> 4 !== 0 || kvm.created_vcpus.get(m, vm) !== 0) return E('EINVAL');
    kvm.mwait_in_guest.set(m, vm, exits & DISABLE_EXITS_MWAIT ? 1 : 0);
    kvm.hlt_in_guest.set(m, vm, exits & DISABLE_EXITS_HLT ? 1 : 0);
    return 0;
  },
);

/** KVM_ENABLE_CAP(KVM_CAP_X86_APIC_BUS_CYCLES_NS). @source VM-6 */
export const kvm_cap_x86_apic_bus_cycles_ns = vmIoctl(
  'kvm_cap_x86_apic_bus_cycles_ns',
  'VM-6',
  'Check that a LAPIC will be in the kernel and that no vCPU exists; store the length of a tick.',
  (m, vm, ns) => {
    if (ns === 0) return E('EINVAL');
    if (!host.irqchip_in_kernel(m, vm)) return E('ENXIO');
    if (kvm.created_vcpus.get(m, vm) !== 0) return E('EINVAL');
    kvm.apic_bus_cycle_ns.set(m, vm, ns);
    return 0;
  },
);

const hasPic = (m: Machine, vm: Ref): boolean => kvm.irqchip_mode.get(m, vm) === host.KVM_IRQCHIP_KERNEL;

/** KVM_CREATE_PIT2: needs the PIC in the kernel. @source VM-13, EOI-9 */
export const kvm_vm_ioctl_create_pit = vmIoctl(
  'kvm_create_pit',
  'VM-13',
  'Refuse a second PIT, and any without the PIC in the kernel.',
  (m, vm) => {
    if (kvm.pit.get(m, vm)) return E('EEXIST');
    if (!hasPic(m, vm)) return E('ENOENT');
    kvm.pit.set(m, vm, 1);
    return 0;
  },
);
/** KVM_GET_PIT2, KVM_SET_PIT2, KVM_REINJECT_CONTROL. @source VM-13 */
export const kvm_vm_ioctl_pit = vmIoctl('kvm_vm_ioctl_pit', 'VM-13', 'Refuse without a PIT.', (m, vm) =>
  kvm.pit.get(m, vm) ? 0 : E('ENXIO'),
);
/** KVM_GET_IRQCHIP, KVM_SET_IRQCHIP. @source VM-13 */
export const kvm_vm_ioctl_irqchip = vmIoctl(
  'kvm_vm_ioctl_irqchip',
  'VM-13',
  'Refuse unless PIC and I/O APIC are in the kernel.',
  (m, vm) => (hasPic(m, vm) ? 0 : E('ENXIO')),
);
