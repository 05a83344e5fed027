import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { E, routine } from '../machine/routine';
import { MSR_INDEX } from '../names';
import { tdh_mem_page_remove } from '../seam/leaves';
import { guest_page, kvm, pageAt } from './kvm_host';
import { kvm_can_get_msr, kvm_can_set_msr } from './x86_msr';

/** Capabilities and attributes that decide which exits userspace gets, and the MSR lists; arch/x86/kvm/x86.c. */

const vmIoctl = (
  name: string,
  source: string,
  doc: string,
  body: (m: Machine, vm: Ref, arg: number, arg2: number) => number,
) =>
  routine(
    { name, layer: 'kvm', source, args: ['vm', 'arg', 'arg2'], steps: { handle: [doc, source] } },
    () => ({
      handle: (m, l) => m.ret(body(m, l.vm as Ref, l.arg, l.arg2)),
    }),
  );

/** Hypercalls that can go to userspace: KVM_HC_MAP_GPA_RANGE, bit 12. */
const KVM_EXIT_HYPERCALL_VALID_MASK = 0x1000;
/** INVAL, UNKNOWN, FILTER. */
const KVM_MSR_EXIT_REASON_VALID_MASK = 7;

/** KVM_ENABLE_CAP(KVM_CAP_EXIT_HYPERCALL). @source HLT-12 */
export const kvm_enable_cap_exit_hypercall = vmIoctl(
  'kvm_enable_cap_exit_hypercall',
  'HLT-12',
  'Refuse hypercalls that cannot exit; store the mask.',
  (m, vm, mask) => {
    if (mask & ~KVM_EXIT_HYPERCALL_VALID_MASK) return E('EINVAL');
    kvm.hypercall_exit.set(m, vm, mask);
    return 0;
  },
);

/** KVM_ENABLE_CAP(KVM_CAP_X86_USER_SPACE_MSR). @source NUM-2 */
export const kvm_enable_cap_user_space_msr = vmIoctl(
  'kvm_enable_cap_user_space_msr',
  'NUM-2',
  'Refuse unknown reasons; store the mask.',
  (m, vm, mask) => {
    if (mask & ~KVM_MSR_EXIT_REASON_VALID_MASK) return E('EINVAL');
    kvm.user_space_msr.set(m, vm, mask);
    return 0;
  },
);

/** KVM_X2APIC_API_*. @source x86:LAPIC-31 */
const KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK = 2;
const KVM_X2APIC_API_VALID_FLAGS = 3;

/** KVM_ENABLE_CAP(KVM_CAP_X2APIC_API). @source x86:LAPIC-31 */
export const kvm_enable_cap_x2apic_api = vmIoctl(
  'kvm_enable_cap_x2apic_api',
  'x86:LAPIC-31',
  'Refuse unknown flags; the second makes 0xff an x2APIC id like any other.',
  (m, vm, flags) => {
    if (flags & ~KVM_X2APIC_API_VALID_FLAGS) return E('EINVAL');
    if (flags & KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK) kvm.x2apic_broadcast_quirk_disabled.set(m, vm, 1);
    return 0;
  },
);

/** KVM_ENABLE_CAP(KVM_CAP_EXCEPTION_PAYLOAD): pending and injected exceptions are told apart. @source x86:UAPI-8 */
export const kvm_enable_cap_exception_payload = vmIoctl(
  'kvm_enable_cap_exception_payload',
  'x86:UAPI-8',
  'Store whether it is on.',
  (m, vm, on) => {
    kvm.exception_payload_enabled.set(m, vm, on);
    return 0;
  },
);
/** KVM_ENABLE_CAP(KVM_CAP_X86_TRIPLE_FAULT_EVENT): a pending triple fault is part of the events. @source x86:UAPI-8 */
export const kvm_enable_cap_triple_fault_event = vmIoctl(
  'kvm_enable_cap_triple_fault_event',
  'x86:UAPI-8',
  'Store whether it is on.',
  (m, vm, on) => {
    kvm.triple_fault_event.set(m, vm, on);
    return 0;
  },
);

/** KVM_SET_MEMORY_ATTRIBUTES: what was mapped as the other kind is taken away. @source EXIT-7 */
export const kvm_vm_ioctl_set_mem_attributes = vmIoctl(
  'kvm_vm_ioctl_set_mem_attributes',
  'EXIT-7',
  'Store whether the page is private, unmap the other alias; only a VM with private memory has this.',
  (m, vm, index, isPrivate) => {
    if (!kvm.has_protected_state.get(m, vm)) return E('EINVAL');
    const page = pageAt(vm, index);
    guest_page.shared.set(m, page, isPrivate ? 0 : 1);
    if (isPrivate) guest_page.shared_mapped.set(m, page, 0);
    else tdh_mem_page_remove(m, vm, index);
    return 0;
  },
);

/** KVM_GET_MSRS and KVM_SET_MSRS: the number of MSRs done before the first that is refused. @source RUN-17 */
const msr_io = (name: string, doc: string, allowed: (m: Machine, vcpu: Ref, msr: number) => boolean) =>
  routine(
    { name, layer: 'kvm', source: 'RUN-17', args: ['vcpu', 'list'], steps: { each: [doc, 'RUN-17'] } },
    () => ({
      each(m, l) {
        let done = 0;
        for (let shift = 0; shift < 24; shift += 8) {
          const n = (l.list >> shift) & 0xff;
          if (n === 0) break;
          if (!allowed(m, l.vcpu as Ref, MSRS[n - 1]!)) break;
          done++;
        }
        return m.ret(done);
      },
    }),
  );
const MSRS = Object.values(MSR_INDEX);

export const msr_io_get = msr_io('msr_io_get', 'Read one after the other.', kvm_can_get_msr);
export const msr_io_set = msr_io('msr_io_set', 'Write one after the other.', kvm_can_set_msr);
