import type { Ref, Word64 } from '../../machine/layout';
import type { Machine } from '../../machine/machine';
import { TDVMCALL_STATUS, type TdvmcallStatus } from '../../names';
import * as host from '../kvm_host';
import { argsOf, kvm, kvm_run, kvm_vcpu, kvm_vcpu_stat, kvmOf, runOf, vp_enter_args } from '../kvm_host';
import * as run from '../kvm_run';
import { kvm_cpuid } from '../x86_cpuid';
import { kvm_vcpu_has_events } from '../x86_events';

/**
 * The part of arch/x86/kvm/vmx/tdx.c that serves TDVMCALLs. R10 is 0 when a standard leaf comes in, so a handler that
 * leaves it alone has answered SUCCESS. Every handler answers 1 (stay in KVM_RUN) or 0 (to userspace).
 */

export const TDVMCALL_GET_TD_VM_CALL_INFO = 0x1_0000;
export const TDVMCALL_MAP_GPA = 0x1_0001;
export const TDVMCALL_GET_QUOTE = 0x1_0002;
export const TDVMCALL_REPORT_FATAL_ERROR = 0x1_0003;
export const TDVMCALL_SETUP_EVENT_NOTIFY_INTERRUPT = 0x1_0004;

/** The shared bit of a guest physical address, 47, within the high half. @source VM-22 */
const SHARED_BIT_HIGH = 0x8000;
/** Highest byte that a GPA of 48 bits can name, plus one. */
const GPA_LIMIT = 0x1_0000_0000_0000;
const TWO_32 = 0x1_0000_0000;
/** MapGPA is done in pieces, so that interrupts are not held up for long. @source HLT-12 */
const TDX_MAP_GPA_MAX_LEN = 2 * 1024 * 1024;
export const KVM_HC_MAP_GPA_RANGE = 12;
const KVM_HC_VAPIC_POLL_IRQ = 1;
/** `KVM_MAP_GPA_RANGE_ENCRYPTED` in args[2]. */
const MAP_GPA_RANGE_ENCRYPTED = 0x10;

type Field = 'r10' | 'r11' | 'r12' | 'r13' | 'r14' | 'r15';
const hi = (m: Machine, vcpu: Ref, r: Field): number => vp_enter_args[r].hi(m, argsOf(vcpu));
const lo = (m: Machine, vcpu: Ref, r: Field): number => vp_enter_args[r].lo(m, argsOf(vcpu));
/** The register as a number; exact up to 2^53. */
const value = (m: Machine, vcpu: Ref, r: Field): number => hi(m, vcpu, r) * TWO_32 + lo(m, vcpu, r);
const write = (m: Machine, vcpu: Ref, r: Field, h: number, l: number): void =>
  vp_enter_args[r].set(m, argsOf(vcpu), h, l);
const setNumber = (m: Machine, field: Word64, ref: Ref, n: number): void =>
  field.set(m, ref, Math.floor(n / TWO_32), n % TWO_32);

export function tdvmcall_set_return_code(m: Machine, vcpu: Ref, status: TdvmcallStatus): void {
  const code = TDVMCALL_STATUS[status];
  write(m, vcpu, 'r10', code[0], code[1]);
}
/** Value of a read: R11. */
export function tdvmcall_set_return_val(m: Machine, vcpu: Ref, h: number, l: number): void {
  write(m, vcpu, 'r11', h, l);
}

function vt_is_tdx_private_gpa(m: Machine, vcpu: Ref, r: Field): boolean {
  return (hi(m, vcpu, r) & SHARED_BIT_HIGH) === 0;
}

function exitToUser(m: Machine, vcpu: Ref, reason: number, completion: host.Completion): 0 {
  kvm_run.exit_reason.set(m, runOf(vcpu), reason);
  kvm_vcpu.complete_userspace_io.set(m, vcpu, host.COMPLETIONS.indexOf(completion));
  return 0;
}

function refuse(m: Machine, vcpu: Ref, status: TdvmcallStatus): 1 {
  tdvmcall_set_return_code(m, vcpu, status);
  return 1;
}

/** The leaf, or -1 when R11 does not fit 32 bits. */
export function tdvmcall_leaf(m: Machine, vcpu: Ref): number {
  return hi(m, vcpu, 'r11') === 0 ? lo(m, vcpu, 'r11') : -1;
}

/** Leaves without an exit reason of their own. @source EXIT-14 */
export function handle_tdvmcall(m: Machine, vcpu: Ref): number {
  switch (tdvmcall_leaf(m, vcpu)) {
    case TDVMCALL_MAP_GPA:
      return tdx_map_gpa(m, vcpu);
    case TDVMCALL_REPORT_FATAL_ERROR:
      return tdx_report_fatal_error(m, vcpu);
    case TDVMCALL_GET_TD_VM_CALL_INFO:
      return tdx_get_td_vm_call_info(m, vcpu);
    case TDVMCALL_GET_QUOTE:
      return tdx_get_quote(m, vcpu);
    case TDVMCALL_SETUP_EVENT_NOTIFY_INTERRUPT:
      return tdx_setup_event_notify_interrupt(m, vcpu);
    default:
      return refuse(m, vcpu, 'SUBFUNC_UNSUPPORTED');
  }
}

/** @source EXIT-14: leaf 0 says "nothing beyond the base set", leaf 1 asks userspace. */
function tdx_get_td_vm_call_info(m: Machine, vcpu: Ref): number {
  const leaf = value(m, vcpu, 'r12');
  if (leaf > 1) return refuse(m, vcpu, 'INVALID_OPERAND');
  if (leaf === 0) {
    for (const r of ['r11', 'r12', 'r13', 'r14'] as const) write(m, vcpu, r, 0, 0);
    return refuse(m, vcpu, 'SUCCESS');
  }
  const tdx = kvm_run.tdx.at(runOf(vcpu));
  beginTdxExit(m, tdx, TDVMCALL_GET_TD_VM_CALL_INFO, 'SUCCESS');
  run.run_tdx.leaf.set(m, tdx, 1);
  run.run_tdx.r11.set(m, tdx, 0, 0);
  return exitToUser(m, vcpu, run.KVM_EXIT_TDX, 'TD_VM_CALL_INFO');
}

/** `ret` is preset: a VMM that does not know the leaf need not do anything. @source EXIT-15 */
function beginTdxExit(m: Machine, tdx: Ref, nr: number, ret: TdvmcallStatus): void {
  const code = TDVMCALL_STATUS[ret];
  run.run_tdx.nr.set(m, tdx, nr);
  run.run_tdx.flags.set(m, tdx, 0);
  run.run_tdx.ret.set(m, tdx, code[0], code[1]);
}

/** The buffer must be named by its shared alias. Alignment is userspace's business. @source EXIT-14; tdx.c: tdx_get_quote */
function tdx_get_quote(m: Machine, vcpu: Ref): number {
  if (vt_is_tdx_private_gpa(m, vcpu, 'r12')) return refuse(m, vcpu, 'INVALID_OPERAND');
  const tdx = kvm_run.tdx.at(runOf(vcpu));
  beginTdxExit(m, tdx, TDVMCALL_GET_QUOTE, 'SUBFUNC_UNSUPPORTED');
  run.run_tdx.gpa.set(m, tdx, hi(m, vcpu, 'r12') & ~SHARED_BIT_HIGH, lo(m, vcpu, 'r12'));
  run.run_tdx.size.set(m, tdx, hi(m, vcpu, 'r13'), lo(m, vcpu, 'r13'));
  return exitToUser(m, vcpu, run.KVM_EXIT_TDX, 'SIMPLE');
}

/** KVM stores nothing: userspace sends the vector as an MSI when there is something to tell. @source EXIT-16 */
function tdx_setup_event_notify_interrupt(m: Machine, vcpu: Ref): number {
  const vector = value(m, vcpu, 'r12');
  if (vector < 32 || vector > 255) return refuse(m, vcpu, 'INVALID_OPERAND');
  const tdx = kvm_run.tdx.at(runOf(vcpu));
  beginTdxExit(m, tdx, TDVMCALL_SETUP_EVENT_NOTIFY_INTERRUPT, 'SUBFUNC_UNSUPPORTED');
  run.run_tdx.vector.set(m, tdx, vector);
  return exitToUser(m, vcpu, run.KVM_EXIT_TDX, 'SIMPLE');
}

/** R8 to R15 stand at the end of the registers reported; before them RAX, RCX, RDX, and what the model has not. @source EXIT-14 */
function tdx_report_fatal_error(m: Machine, vcpu: Ref): number {
  const event = kvm_run.system_event.at(runOf(vcpu));
  const { data } = run.run_system_event;
  const args = argsOf(vcpu);
  const put = (i: number, field: Word64, ref: Ref): void => {
    const { value: register } = registerOf(data);
    register.set(m, data.nth(event, i), field.hi(m, ref), field.lo(m, ref));
  };
  run.run_system_event.type.set(m, event, run.KVM_SYSTEM_EVENT_TDX_FATAL);
  run.run_system_event.ndata.set(m, event, run.SYSTEM_EVENT_NDATA);
  put(0, kvm_vcpu.vp_enter_ret, vcpu);
  put(1, vp_enter_args.rcx, args);
  put(2, vp_enter_args.rdx, args);
  put(8, vp_enter_args.r8, args);
  put(10, vp_enter_args.r10, args);
  put(11, vp_enter_args.r11, args);
  put(12, vp_enter_args.r12, args);
  put(13, vp_enter_args.r13, args);
  put(14, vp_enter_args.r14, args);
  put(15, vp_enter_args.r15, args);
  return exitToUser(m, vcpu, run.KVM_EXIT_SYSTEM_EVENT, 'NONE');
}

function registerOf(data: typeof run.run_system_event.data): { value: Word64 } {
  return data.record.fields as unknown as { value: Word64 };
}

/** MapGPA: userspace changes pages between private and shared, 2 MiB at a time. @source HLT-12 */
function tdx_map_gpa(m: Machine, vcpu: Ref): number {
  const gpa = value(m, vcpu, 'r12');
  const size = value(m, vcpu, 'r13');
  const status = mapGpaStatus(m, vcpu, gpa, size);
  if (status !== 'SUCCESS') {
    write(m, vcpu, 'r11', hi(m, vcpu, 'r12'), lo(m, vcpu, 'r12'));
    return refuse(m, vcpu, status);
  }
  setNumber(m, kvm_vcpu.map_gpa_end, vcpu, gpa + size);
  setNumber(m, kvm_vcpu.map_gpa_next, vcpu, gpa);
  return __tdx_map_gpa(m, vcpu);
}

function mapGpaStatus(m: Machine, vcpu: Ref, gpa: number, size: number): TdvmcallStatus {
  if (!exitsToUser(m, vcpu, KVM_HC_MAP_GPA_RANGE)) return 'SUBFUNC_UNSUPPORTED';
  const last = gpa + size - 1;
  const shared = (address: number): boolean => Math.floor(address / TWO_32 / SHARED_BIT_HIGH) % 2 === 1;
  if (size === 0 || last >= GPA_LIMIT || shared(gpa) !== shared(last)) return 'INVALID_OPERAND';
  return gpa % 4096 === 0 && size % 4096 === 0 ? 'SUCCESS' : 'ALIGN_ERROR';
}

/** user_exit_on_hypercall(). */
function exitsToUser(m: Machine, vcpu: Ref, nr: number): boolean {
  return (kvm.hypercall_exit.get(m, kvmOf(m, vcpu)) & (1 << nr)) !== 0;
}

const number = (m: Machine, field: Word64, ref: Ref): number => field.hi(m, ref) * TWO_32 + field.lo(m, ref);

function __tdx_map_gpa(m: Machine, vcpu: Ref): 0 {
  const next = number(m, kvm_vcpu.map_gpa_next, vcpu);
  const size = Math.min(number(m, kvm_vcpu.map_gpa_end, vcpu) - next, TDX_MAP_GPA_MAX_LEN);
  const call = kvm_run.hypercall.at(runOf(vcpu));
  const high = kvm_vcpu.map_gpa_next.hi(m, vcpu);
  const { run_hypercall } = run;
  run_hypercall.nr.set(m, call, KVM_HC_MAP_GPA_RANGE);
  run_hypercall.ret.set(m, call, 0, 0);
  run_hypercall.gpa.set(m, call, high & ~SHARED_BIT_HIGH, kvm_vcpu.map_gpa_next.lo(m, vcpu));
  setNumber(m, run_hypercall.pages, call, size / 4096);
  run_hypercall.attributes.set(m, call, 0, high & SHARED_BIT_HIGH ? 0 : MAP_GPA_RANGE_ENCRYPTED);
  return exitToUser(m, vcpu, run.KVM_EXIT_HYPERCALL, 'MAP_GPA');
}

/** Between two pieces an interrupt may be waiting: then the guest is told to go on later. @source HLT-12 */
function tdx_complete_vmcall_map_gpa(m: Machine, vcpu: Ref): number {
  const call = kvm_run.hypercall.at(runOf(vcpu));
  const next = kvm_vcpu.map_gpa_next;
  if (run.run_hypercall.ret.hi(m, call) !== 0 || run.run_hypercall.ret.lo(m, call) !== 0) {
    write(m, vcpu, 'r11', next.hi(m, vcpu), next.lo(m, vcpu));
    return refuse(m, vcpu, 'INVALID_OPERAND');
  }
  setNumber(m, next, vcpu, number(m, next, vcpu) + TDX_MAP_GPA_MAX_LEN);
  if (number(m, next, vcpu) >= number(m, kvm_vcpu.map_gpa_end, vcpu)) return 1;
  if (!kvm_vcpu_has_events(m, vcpu)) return __tdx_map_gpa(m, vcpu);
  write(m, vcpu, 'r11', next.hi(m, vcpu), next.lo(m, vcpu));
  return refuse(m, vcpu, 'RETRY');
}

/** CPUID: R12 and R13 are EAX and ECX; R12 to R15 come back. @source EXIT-7 */
export function tdx_emulate_cpuid(m: Machine, vcpu: Ref): number {
  const leaf = lo(m, vcpu, 'r12');
  write(m, vcpu, 'r12', 0, 0);
  write(m, vcpu, 'r13', 0, 0);
  write(m, vcpu, 'r14', 0, kvm_cpuid(m, vcpu, leaf));
  write(m, vcpu, 'r15', 0, 0);
  return refuse(m, vcpu, 'SUCCESS');
}

/** Port I/O: size, direction, port, value in R12 to R15. No device lives in the kernel, so it always exits. @source EXIT-7 */
export function tdx_emulate_io(m: Machine, vcpu: Ref): number {
  const stat = host.statOf(vcpu);
  kvm_vcpu_stat.io_exits.set(m, stat, kvm_vcpu_stat.io_exits.get(m, stat) + 1);
  const size = value(m, vcpu, 'r12');
  const direction = value(m, vcpu, 'r13');
  if (direction > 1 || (size !== 1 && size !== 2 && size !== 4)) return refuse(m, vcpu, 'INVALID_OPERAND');
  return exitForIo(m, vcpu, direction, size, lo(m, vcpu, 'r14') & 0xffff, lo(m, vcpu, 'r15'));
}

/** The exit that port I/O makes, of a TD or of a plain guest. @source NUM-2 */
export function exitForIo(
  m: Machine,
  vcpu: Ref,
  direction: number,
  size: number,
  port: number,
  data: number,
): 0 {
  const io = kvm_run.io.at(runOf(vcpu));
  const out = direction === run.KVM_EXIT_IO_OUT;
  const mask = size === 4 ? 0xffff_ffff : 2 ** (8 * size) - 1;
  run.run_io.direction.set(m, io, direction);
  run.run_io.size.set(m, io, size);
  run.run_io.port.set(m, io, port);
  run.run_io.count.set(m, io, 1);
  run.run_io.data.set(m, io, out ? (data & mask) >>> 0 : 0);
  return exitToUser(m, vcpu, run.KVM_EXIT_IO, out ? 'PIO_OUT' : 'PIO_IN');
}

/** MMIO: only a shared address makes sense. @source EXIT-7 */
export function tdx_emulate_mmio(m: Machine, vcpu: Ref): number {
  const size = value(m, vcpu, 'r12');
  const direction = value(m, vcpu, 'r13');
  const valid = (size === 1 || size === 2 || size === 4 || size === 8) && direction <= 1;
  if (!valid || vt_is_tdx_private_gpa(m, vcpu, 'r14')) return refuse(m, vcpu, 'INVALID_OPERAND');
  const high = hi(m, vcpu, 'r14') & ~SHARED_BIT_HIGH;
  return exitForMmio(
    m,
    vcpu,
    direction,
    size,
    high,
    lo(m, vcpu, 'r14'),
    hi(m, vcpu, 'r15'),
    lo(m, vcpu, 'r15'),
  );
}

/** The exit that MMIO makes, of a TD or of a plain guest. @source NUM-2 */
export function exitForMmio(
  m: Machine,
  vcpu: Ref,
  write: number,
  size: number,
  high: number,
  low: number,
  dataHigh: number,
  dataLow: number,
): 0 {
  const mmio = kvm_run.mmio.at(runOf(vcpu));
  run.run_mmio.phys_addr.set(m, mmio, high, low);
  run.run_mmio.len.set(m, mmio, size);
  run.run_mmio.is_write.set(m, mmio, write);
  run.run_mmio.data.set(m, mmio, write ? dataHigh : 0, write ? dataLow : 0);
  return exitToUser(m, vcpu, run.KVM_EXIT_MMIO, write ? 'NONE' : 'MMIO_READ');
}

/** KVM's own hypercalls: R10 is the number, R11 to R14 the arguments. @source EXIT-7 */
export function tdx_emulate_vmcall(m: Machine, vcpu: Ref): number {
  const nr = value(m, vcpu, 'r10');
  if (nr === KVM_HC_VAPIC_POLL_IRQ) return refuse(m, vcpu, 'SUCCESS');
  if (nr !== KVM_HC_MAP_GPA_RANGE || !exitsToUser(m, vcpu, nr)) return hypercallError(m, vcpu, KVM_ENOSYS);
  const gpa = value(m, vcpu, 'r11');
  const pages = value(m, vcpu, 'r12');
  if (gpa % 4096 !== 0 || pages === 0) return hypercallError(m, vcpu, KVM_EINVAL);
  const call = kvm_run.hypercall.at(runOf(vcpu));
  run.run_hypercall.nr.set(m, call, KVM_HC_MAP_GPA_RANGE);
  run.run_hypercall.ret.set(m, call, 0, 0);
  setNumber(m, run.run_hypercall.gpa, call, gpa);
  setNumber(m, run.run_hypercall.pages, call, pages);
  run.run_hypercall.attributes.set(m, call, hi(m, vcpu, 'r13'), lo(m, vcpu, 'r13'));
  return exitToUser(m, vcpu, run.KVM_EXIT_HYPERCALL, 'HYPERCALL');
}
const KVM_ENOSYS = 1000;
const KVM_EINVAL = 22;

function hypercallError(m: Machine, vcpu: Ref, error: number): 1 {
  write(m, vcpu, 'r10', 0xffff_ffff, -error >>> 0);
  return 1;
}

/** Completions of a TD vCPU, by name. Each answers 1 to go on into the guest, 0 for another exit. @source RUN-3 */
export const TDX_COMPLETIONS: Readonly<
  Record<Exclude<host.Completion, 'NONE'>, (m: Machine, vcpu: Ref) => number>
> = {
  PIO_OUT: () => 1,
  PIO_IN(m, vcpu) {
    const io = kvm_run.io.at(runOf(vcpu));
    tdvmcall_set_return_val(m, vcpu, 0, run.run_io.data.get(m, io));
    return 1;
  },
  MMIO_READ(m, vcpu) {
    const { data } = run.run_mmio;
    const mmio = kvm_run.mmio.at(runOf(vcpu));
    tdvmcall_set_return_val(m, vcpu, data.hi(m, mmio), data.lo(m, mmio));
    return 1;
  },
  SIMPLE(m, vcpu) {
    const tdx = kvm_run.tdx.at(runOf(vcpu));
    write(m, vcpu, 'r10', run.run_tdx.ret.hi(m, tdx), run.run_tdx.ret.lo(m, tdx));
    return 1;
  },
  TD_VM_CALL_INFO(m, vcpu) {
    const tdx = kvm_run.tdx.at(runOf(vcpu));
    const { ret, r11 } = run.run_tdx;
    write(m, vcpu, 'r10', ret.hi(m, tdx), ret.lo(m, tdx));
    write(m, vcpu, 'r11', r11.hi(m, tdx), r11.lo(m, tdx));
    for (const r of ['r12', 'r13', 'r14'] as const) write(m, vcpu, r, 0, 0);
    return 1;
  },
  MAP_GPA: tdx_complete_vmcall_map_gpa,
  HYPERCALL(m, vcpu) {
    const { ret } = run.run_hypercall;
    const call = kvm_run.hypercall.at(runOf(vcpu));
    write(m, vcpu, 'r10', ret.hi(m, call), ret.lo(m, call));
    return 1;
  },
  RDMSR(m, vcpu) {
    const msr = kvm_run.msr.at(runOf(vcpu));
    if (run.run_msr.error.get(m, msr)) return refuse(m, vcpu, 'INVALID_OPERAND');
    tdvmcall_set_return_val(m, vcpu, run.run_msr.data.hi(m, msr), run.run_msr.data.lo(m, msr));
    return 1;
  },
  WRMSR(m, vcpu) {
    const refused = run.run_msr.error.get(m, kvm_run.msr.at(runOf(vcpu)));
    return refused ? refuse(m, vcpu, 'INVALID_OPERAND') : 1;
  },
};
