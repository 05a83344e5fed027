import { flag, int32, name, num, record, sub, word64 } from '../machine/layout';
import { KVM_EXIT } from '../machine/machine';

/**
 * `struct kvm_run`, mirrors include/uapi/linux/kvm.h. What the kernel keeps in one union lies side by side here, so
 * that the details of an exit stay readable after the next one.
 */

/** `kvm_run.exit_reason` values used here. @source NUM-2 */
export const KVM_EXIT_EXCEPTION = 1;
export const KVM_EXIT_IO = 2;
export const KVM_EXIT_HYPERCALL = 3;
export const KVM_EXIT_MMIO = 6;
export const KVM_EXIT_FAIL_ENTRY = 9;
export const KVM_EXIT_SYSTEM_EVENT = 24;
export const KVM_EXIT_X86_RDMSR = 29;
export const KVM_EXIT_X86_WRMSR = 30;
export const KVM_EXIT_MEMORY_FAULT = 39;
export const KVM_EXIT_TDX = 40;

/** `kvm_run.flags`: the vCPU is in SMM. @source x86:SMI-16 */
export const KVM_RUN_X86_SMM = 1;
/** `kvm_run.io.direction`. */
export const KVM_EXIT_IO_OUT = 1;
/** @source NUM-4 */
export const KVM_SYSTEM_EVENT_TDX_FATAL = 7;
/** Registers that a report of a fatal error carries: RAX to R15 in ascending order. @source EXIT-14 */
export const SYSTEM_EVENT_NDATA = 16;
/** `kvm_run.memory_fault.flags`: the access was private. */
export const KVM_MEMORY_EXIT_FLAG_PRIVATE = 8;

export const run_ex = record('run_ex', 'vmm', 'Details of KVM_EXIT_EXCEPTION', {
  exception: num(8, 'ex.exception: vector', { source: 'EXIT-12' }),
  error_code: num(32, 'ex.error_code', { source: 'EXIT-12' }),
});
export const run_fail_entry = record('run_fail_entry', 'vmm', 'Details of KVM_EXIT_FAIL_ENTRY', {
  hardware_entry_failure_reason: word64('fail_entry.hardware_entry_failure_reason', { source: 'EXIT-10' }),
  cpu: num(32, 'fail_entry.cpu: CPU of the last entry', { source: 'EXIT-10' }),
});
export const run_io = record('run_io', 'vmm', 'Details of KVM_EXIT_IO', {
  direction: name(['IN', 'OUT'], 'io.direction', { source: 'NUM-2' }),
  size: num(8, 'io.size in bytes', { source: 'NUM-2' }),
  port: num(16, 'io.port', { source: 'NUM-2', as: 'hex' }),
  count: num(32, 'io.count', { source: 'NUM-2' }),
  data: num(32, 'The value written, or the one that userspace puts there for a read', { as: 'hex' }),
});
export const run_mmio = record('run_mmio', 'vmm', 'Details of KVM_EXIT_MMIO', {
  phys_addr: word64('mmio.phys_addr, without the shared bit', { source: 'EXIT-7' }),
  data: word64('mmio.data: the value written, or the one that userspace puts there for a read', {
    source: 'NUM-2',
  }),
  len: num(32, 'mmio.len in bytes', { source: 'NUM-2' }),
  is_write: flag('mmio.is_write', { source: 'NUM-2' }),
});
export const run_hypercall = record('run_hypercall', 'vmm', 'Details of KVM_EXIT_HYPERCALL', {
  nr: num(32, 'hypercall.nr', { source: 'HLT-12' }),
  gpa: word64('hypercall.args[0]: guest physical address', { source: 'HLT-12' }),
  pages: word64('hypercall.args[1]: pages', { source: 'HLT-12' }),
  attributes: word64('hypercall.args[2]: bit 4 set asks for private memory', { source: 'HLT-12' }),
  ret: word64('hypercall.ret: what userspace answers', { source: 'HLT-12' }),
});
const run_register = record('run_register', 'vmm', 'A register of the guest', {
  value: word64('Value', { source: 'EXIT-14' }),
});
export const run_system_event = record('run_system_event', 'vmm', 'Details of KVM_EXIT_SYSTEM_EVENT', {
  type: num(32, 'system_event.type; 7 is KVM_SYSTEM_EVENT_TDX_FATAL', { source: 'NUM-4' }),
  ndata: num(32, 'system_event.ndata', { source: 'EXIT-14' }),
  data: sub(run_register, SYSTEM_EVENT_NDATA),
});
export const run_msr = record('run_msr', 'vmm', 'Details of KVM_EXIT_X86_RDMSR and KVM_EXIT_X86_WRMSR', {
  error: flag('msr.error: userspace refuses the access', { source: 'NUM-2' }),
  reason: num(32, 'msr.reason: 1 is KVM_MSR_EXIT_REASON_INVAL', { source: 'NUM-2' }),
  index: num(32, 'msr.index', { source: 'NUM-2', as: 'hex' }),
  data: word64('msr.data', { source: 'NUM-2' }),
});
export const run_memory_fault = record('run_memory_fault', 'vmm', 'Details of KVM_EXIT_MEMORY_FAULT', {
  flags: num(32, 'memory_fault.flags; 8 is KVM_MEMORY_EXIT_FLAG_PRIVATE', { source: 'EXIT-7' }),
  gpa: word64('memory_fault.gpa', { source: 'EXIT-7' }),
  size: num(32, 'memory_fault.size in bytes', { source: 'EXIT-7' }),
});
export const run_tdx = record('run_tdx', 'vmm', 'Details of KVM_EXIT_TDX', {
  nr: num(32, 'tdx.nr: leaf of the TDVMCALL', { source: 'EXIT-14', as: 'hex' }),
  flags: num(32, 'tdx.flags', { source: 'EXIT-15' }),
  ret: word64('tdx.*.ret: status for the guest, preset by KVM', { source: 'EXIT-15' }),
  gpa: word64('tdx.get_quote.gpa, without the shared bit', { source: 'EXIT-14' }),
  size: word64('tdx.get_quote.size', { source: 'EXIT-14' }),
  vector: num(8, 'tdx.setup_event_notify.vector', { source: 'EXIT-16' }),
  leaf: num(32, 'tdx.get_tdvmcall_info.leaf', { source: 'EXIT-14' }),
  r11: word64('tdx.get_tdvmcall_info.r11: what userspace supports', { source: 'EXIT-15' }),
});

export const kvm_run = record('kvm_run', 'vmm', 'The page that KVM_RUN shares with userspace', {
  exit_reason: int32('Why KVM_RUN returned', { source: 'NUM-2', labels: KVM_EXIT }),
  immediate_exit: flag('KVM_RUN returns -EINTR at once', { source: 'RUN-3' }),
  request_interrupt_window: flag('Userspace wants to inject an interrupt', { source: 'tdx:LAPIC-14' }),
  ready_for_interrupt_injection: flag('KVM_INTERRUPT would be taken now', { source: 'tdx:LAPIC-13' }),
  flags: num(16, 'flags: KVM_RUN_X86_SMM 1', { source: 'x86:SMI-16', as: 'hex' }),
  if_flag: flag('RFLAGS.IF; of a TD always 0', { source: 'RUN-13' }),
  cr8: num(8, 'CR8, the task priority; of a TD always 0', { source: 'RUN-13' }),
  apic_base: num(32, 'IA32_APIC_BASE', { source: 'RUN-13', as: 'hex' }),
  eoi_vector: num(8, 'eoi.vector', { source: 'EOI-7' }),
  suberror: num(8, 'internal.suberror', { source: 'NUM-3' }),
  ndata: num(8, 'internal.ndata', { source: 'EXIT-11' }),
  data0: word64('internal.data[0]: result of TDH.VP.ENTER', { source: 'EXIT-11' }),
  data1: word64('internal.data[1]: CPU of the last entry', { source: 'EXIT-11' }),
  ex: sub(run_ex),
  fail_entry: sub(run_fail_entry),
  io: sub(run_io),
  mmio: sub(run_mmio),
  hypercall: sub(run_hypercall),
  system_event: sub(run_system_event),
  msr: sub(run_msr),
  memory_fault: sub(run_memory_fault),
  tdx: sub(run_tdx),
});
