import type { Layer, Ref, Word64 } from '../machine/layout';
import { frame, last, OUTCOME_KIND, thread, WHY, type Machine, type Why } from '../machine/machine';
import { returnName } from '../machine/trace';
import * as cpu from '../guest/cpu';
import { guest_cpu } from '../guest/cpu';
import { giveInstruction } from '../guest/run';
import { __kvm_set_or_clear_apicv_inhibit, inhibitReason } from '../kvm/apicv';
import {
  guestOf, is_td_vcpu, kvm, KVM_MP_STATE_RUNNABLE, KVM_REQ_PMI, kvm_msi_route, kvm_run, kvm_vcpu, routeOf, runOf, seam_fault, seamFaultRef, smram, smramOf, variant, variantRef, VM_DEFAULT, VM_NONE, VM_TDX,
} from '../kvm/kvm_host'; // prettier-ignore
import * as run from '../kvm/kvm_run';
import { kvm_intel_load } from '../kvm/vmx/bring_up';
import { tdx_no_vcpus_enter } from '../kvm/vmx/tdx';
import { vcpuIoctl, vmIoctl, type VcpuIoctlName, type VmIoctlName } from '../kvm/ioctls';
import {
  kvm_make_request,
  kvm_vcpu_ioctl,
  kvm_vcpu_kick_now,
  kvm_vcpu_wake_up,
  kvm_vm_ioctl,
} from '../kvm/kvm_main';
import { kvm_apic_get_state, lapicBuffer } from '../kvm/lapic_state';
import { kvm_lapic_state } from '../kvm/reply';
import { lapic_in_kernel } from '../kvm/x86_events';
import * as ops from '../kvm/kvm_x86_ops';
import { hrtimerFires, nextTimer, TIMER_REGISTERS } from '../kvm/lapic_timer';
import { kvm_set_irq, packRoute } from '../kvm/irq_comm';
import { iommuPosts, usesPostedInterrupts } from '../kvm/vmx/posted_intr';
import { packCapabilities, packCommand } from '../kvm/vmx/tdx';
import {
  CPUID_AMD,
  CPUID_NO_LM,
  CPUID_X2APIC,
  RUN_IMMEDIATE_EXIT,
  RUN_REQUEST_INTERRUPT_WINDOW,
  RUN_SYNC_REGS,
} from '../kvm/x86';
import { CR4_RESERVED } from '../kvm/smm';
import { canTake, cpuOfThread, migrate } from '../kvm/sched';
import { kvm_vcpu_reset } from '../kvm/x86_reset';
import { kvm_destroy_vm } from '../kvm/x86_vm';
import { packVcpuEvents } from '../kvm/x86_vcpu_events';
import {
  CAPABILITY_NAMES, DELIVERY_MODES, MP_STATES, MSR_INDEX, SEAMCALL_LEAVES, SEAMCALL_STATUS, SHORTHANDS, TDVMCALL_STATUS, type MsrName,
} from '../names'; // prettier-ignore
import { icrLow, MSR_X2APIC_EOI, MSR_X2APIC_ICR, MSR_X2APIC_SVR } from '../platform/apic';
import { host_nmi_handled, host_nmi_nested, smi_handled } from '../kvm/trace';
import { inNonRoot, pcpu, SEAM_NON_ROOT, SEAM_ROOT, sendIpi } from '../platform/pcpu';
import { RESCHEDULE_VECTOR } from '../platform/posted_intr';
import { operandOf, packRax, seamcall_past_kvm } from '../seam/past_kvm';
import { statusText } from '../seam/status';
import { commandOf, type Action, type Actor, type VerbOf } from '../scenario/action';
import type { VmSlot, World } from '../world';

/** What each action does: which thread enters which routine. One entry per entry of `ACTIONS`, or it does not compile. */

/** How the last action stands, in words. */
export interface Outcome {
  readonly action: Action;
  readonly kind: 'returned' | 'pending' | 'queued' | 'refused' | 'unmodelled' | 'limit';
  /** What the ioctl returned: 0, a positive count, or a negative errno; null unless `returned`. */
  readonly value: number | null;
  /** KVM_EXIT_* when KVM_RUN returned. */
  readonly exit: string | null;
  readonly say: string;
}

type ActionOf<A extends Actor, V extends VerbOf<A>> = Extract<Action, { readonly [K in A]: V }>;
/** Where an action acts. */
interface Target {
  readonly m: Machine;
  readonly slot: VmSlot;
  /** The vCPU; 0 for actions on a VM. */
  readonly vcpu: Ref;
}
/** Begins the action. Answers why it cannot, or null when it has begun or has answered itself. */
type Begin<A extends Action> = (target: Target, action: A) => Why | null;
type BeginTable = { [A in Exclude<Actor, 'boot'>]: { [V in VerbOf<A>]: Begin<ActionOf<A, V>> } };

const VMM_THREAD = 0;

function threadIndex(m: Machine, vcpu: Ref): number {
  return m.threadRefs.indexOf(kvm_vcpu.thread.get(m, vcpu) as Ref);
}
function isIdle(m: Machine, i: number): boolean {
  return thread.depth.get(m, m.threadRefs[i]!) === 0;
}

/** Whether the VMM's own thread closes the VM: then userspace has no file descriptor of it any more. */
function isClosing(m: Machine, vm: Ref): boolean {
  if (isIdle(m, VMM_THREAD)) return false;
  const outermost = thread.frames.at(m.threadRefs[VMM_THREAD]!);
  return frame.routine.get(m, outermost) === kvm_destroy_vm.id && m.i32[(outermost >> 2) + 1] === vm;
}

/** An ioctl on a VM, issued by the VMM's own thread. */
function vmCall({ m, slot }: Target, name: VmIoctlName, arg = 0, arg2 = 0): Why | null {
  if (kvm.type.get(m, slot.ref) === VM_NONE) return 'no_vm';
  return m.begin(VMM_THREAD, kvm_vm_ioctl, slot.ref, vmIoctl(name), arg, arg2) ? null : 'thread_busy';
}

/** An ioctl on a vCPU: from the vCPU's own thread when that is in userspace, else from the VMM's, which then waits. */
function vcpuCall({ m, vcpu }: Target, name: VcpuIoctlName, arg = 0, arg2 = 0): Why | null {
  if (!kvm_vcpu.created.get(m, vcpu)) return 'no_vcpu';
  if (isClosing(m, kvm_vcpu.kvm.get(m, vcpu) as Ref)) return 'vm_closing';
  const own = threadIndex(m, vcpu);
  const from = isIdle(m, own) ? own : VMM_THREAD;
  if (name === 'KVM_RUN' && from !== own) return 'thread_busy';
  return m.begin(from, kvm_vcpu_ioctl, vcpu, vcpuIoctl(name), arg, arg2) ? null : 'thread_busy';
}

const tdxVm =
  (id: number): Begin<Action> =>
  (t) =>
    vmCall(t, 'KVM_MEMORY_ENCRYPT_OP', id);
const tdxVcpu =
  (id: number): Begin<Action> =>
  (t) =>
    vcpuCall(t, 'KVM_MEMORY_ENCRYPT_OP', id);

/** A register value from a number that may have 53 bits. */
function setWord(m: Machine, field: Word64, ref: Ref, value: number): void {
  field.set(m, ref, Math.floor(value / 0x1_0000_0000), value % 0x1_0000_0000);
}

/** An instruction whose operands lie in registers of a TDVMCALL: R11 to R15. */
function instructWith(t: Target, op: number, ...registers: readonly number[]): Why | null {
  const refused = instruct(t, op);
  if (refused !== null) return refused;
  const { r11, r12, r13, r14, r15 } = guest_cpu;
  const fields = [r11, r12, r13, r14, r15];
  fields.forEach((field, i) => setWord(t.m, field, guestOf(t.vcpu), registers[i] ?? 0));
  return null;
}

/** Up to three MSRs in one argument: one byte each, 0 for none. */
function msrList(a: { first: MsrName; second?: MsrName | undefined; third?: MsrName | undefined }): number {
  const names = Object.keys(MSR_INDEX);
  const at = (name: MsrName | undefined): number => (name === undefined ? 0 : names.indexOf(name) + 1);
  return at(a.first) | (at(a.second) << 8) | (at(a.third) << 16);
}

/** Basic exit reasons of a failed entry. @source NUM-11 */
const ENTRY_FAILURES = { INVALID_STATE: 33, MSR_LOAD_FAIL: 34, MCE_DURING_VMENTRY: 41 } as const;
/** Basic reasons of exits that can interrupt the delivery of an event. @source x86:VMX-21 */
const DELIVERY_EXITS = {
  EPT_VIOLATION: 48, EPT_MISCONFIG: 49, PML_FULL: 62, APIC_ACCESS: 44, NOTIFY: 75, BUS_LOCK: 74,
} as const; // prettier-ignore
const SHARED_BIT = 0x8000_0000_0000;

function instruct({ m, vcpu }: Target, op: number, msr = 0, hi = 0, lo = 0): Why | null {
  if (!guest_cpu.started.get(m, guestOf(vcpu))) return 'no_guest_code';
  const how = giveInstruction(m, vcpu, op, msr, hi, lo);
  if (how === 'busy') return 'guest_busy';
  if (how === 'executes') m.answer('returned', 'none', 0);
  else m.answer('queued', 'guest_queued', 0);
  return null;
}

/** The page that the VMM has read, with the registers that it changes. */
function fillLapicBuffer({ m, vcpu }: Target, a: ActionOf<'vmm', 'KVM_SET_LAPIC'>): void {
  if (!lapic_in_kernel(m, vcpu)) return;
  kvm_apic_get_state(m, vcpu);
  const to = lapicBuffer(m);
  if (a.tpr !== undefined) kvm_lapic_state.tpr.set(m, to, a.tpr);
  if (a.svr !== undefined) kvm_lapic_state.svr.set(m, to, a.svr);
  if (a.ldr !== undefined) kvm_lapic_state.ldr.set(m, to, a.ldr * 0x100_0000);
  if (a.dfr !== undefined) kvm_lapic_state.dfr.set(m, to, a.dfr);
  if (a.lvt0 !== undefined) kvm_lapic_state.lvt0.set(m, to, a.lvt0);
  if (a.irr !== undefined) kvm_lapic_state.irr.set(m, to, a.irr);
  if (a.isr !== undefined) kvm_lapic_state.isr.set(m, to, a.isr);
}

/** WRMSR of a value that may have 53 bits. */
const wrmsr = (t: Target, msr: number, value: number): Why | null =>
  instruct(t, cpu.OP_WRMSR, msr, Math.floor(value / 0x1_0000_0000), value % 0x1_0000_0000);

/** An event of the physical CPU: guest code that runs there meets it at its next instruction boundary. */
function physical(m: Machine, vcpu: Ref, raise: (cpuRef: Ref) => void): null {
  const target = cpuOfThread(m, vcpu);
  raise(target);
  if (inNonRoot(m, target)) m.wake(kvm_vcpu.thread.get(m, vcpu) as Ref);
  return null;
}

/** An SMI is held in SEAM root, exits from a guest, and is taken at once in the host. @source tdx:SMI-10, tdx:SMI-20 */
function hostSmi(m: Machine, vcpu: Ref, msmi: 0 | 1): null {
  const target = cpuOfThread(m, vcpu);
  m.answer('returned', 'none', 0);
  if (!inNonRoot(m, target) && pcpu.context.get(m, target) !== SEAM_ROOT) {
    m.emit(smi_handled, pcpu.index.get(m, target));
    return null;
  }
  return physical(m, vcpu, (cpuRef) => {
    pcpu.smi_pending.set(m, cpuRef, 1);
    pcpu.msmi.set(m, cpuRef, msmi);
  });
}

const BEGIN: BeginTable = {
  vmm: {
    KVM_CREATE_VM({ m, slot }, { type }) {
      if (kvm_intel_load(m) !== 0) return 'no_kvm';
      if (kvm.type.get(m, slot.ref) !== VM_NONE) return 'vm_exists';
      const wanted = type === 'KVM_X86_TDX_VM' ? VM_TDX : VM_DEFAULT;
      return m.begin(VMM_THREAD, kvm_vm_ioctl, slot.ref, vmIoctl('KVM_CREATE_VM'), wanted, 0)
        ? null
        : 'thread_busy';
    },
    KVM_CAP_SPLIT_IRQCHIP: (t, { pins }) => vmCall(t, 'KVM_ENABLE_CAP', pins),
    KVM_CREATE_IRQCHIP: (t) => vmCall(t, 'KVM_CREATE_IRQCHIP'),
    KVM_TDX_INIT_VM: tdxVm(ops.KVM_TDX_INIT_VM),
    KVM_TDX_FINALIZE_VM: tdxVm(ops.KVM_TDX_FINALIZE_VM),
    KVM_CREATE_VCPU: (t) => vmCall(t, 'KVM_CREATE_VCPU', t.vcpu),
    KVM_SET_CPUID2: (t, { x2apic, vendor, lm }) =>
      vcpuCall(
        t,
        'KVM_SET_CPUID2',
        (x2apic ? CPUID_X2APIC : 0) | (vendor === 'AMD' ? CPUID_AMD : 0) | (lm === false ? CPUID_NO_LM : 0),
      ),
    KVM_TDX_INIT_VCPU: tdxVcpu(ops.KVM_TDX_INIT_VCPU),
    KVM_TDX_INIT_MEM_REGION: tdxVcpu(ops.KVM_TDX_INIT_MEM_REGION),
    KVM_RUN: (t, a) =>
      vcpuCall(
        t,
        'KVM_RUN',
        a.immediate_exit * RUN_IMMEDIATE_EXIT +
          (a.request_interrupt_window ?? 0) * RUN_REQUEST_INTERRUPT_WINDOW +
          (a.sync_regs ?? 0) * RUN_SYNC_REGS,
      ),
    KVM_X86_SET_MCE: (t) => vcpuCall(t, 'KVM_X86_SET_MCE'),
    KVM_X86_SETUP_MCE: (t, { cmci }) => vcpuCall(t, 'KVM_X86_SETUP_MCE', cmci ? 1 : 0),
    KVM_TDX_CAPABILITIES: (t, { flags, nent }) =>
      vmCall(t, 'KVM_MEMORY_ENCRYPT_OP', ops.KVM_TDX_CAPABILITIES, packCapabilities(flags, nent)),
    KVM_MEMORY_ENCRYPT_OP: (t, a) =>
      vmCall(t, 'KVM_MEMORY_ENCRYPT_OP', packCommand(a.id, a.hw_error, a.readable)),
    KVM_CHECK_EXTENSION: (t, { cap, fd }) =>
      vmCall(t, 'KVM_CHECK_EXTENSION', CAPABILITY_NAMES.indexOf(cap), fd === 'kvm' ? 1 : 0),
    KVM_CAP_X86_DISABLE_EXITS: (t, { exits }) => vmCall(t, 'KVM_CAP_X86_DISABLE_EXITS', exits),
    KVM_CAP_X86_APIC_BUS_CYCLES_NS: (t, { ns }) => vmCall(t, 'KVM_CAP_X86_APIC_BUS_CYCLES_NS', ns),
    KVM_CREATE_PIT2: (t) => vmCall(t, 'KVM_CREATE_PIT2'),
    KVM_GET_PIT2: (t) => vmCall(t, 'KVM_GET_PIT2'),
    KVM_SET_PIT2: (t) => vmCall(t, 'KVM_GET_PIT2'),
    KVM_REINJECT_CONTROL: (t) => vmCall(t, 'KVM_GET_PIT2'),
    KVM_GET_IRQCHIP: (t) => vmCall(t, 'KVM_GET_IRQCHIP'),
    KVM_SET_IRQCHIP: (t) => vmCall(t, 'KVM_GET_IRQCHIP'),
    KVM_SET_GSI_ROUTING: (t, a) => {
      const trigger = a.trigger_mode === 'LEVEL' ? 1 : 0;
      const mode = DELIVERY_MODES.indexOf(a.delivery_mode);
      const logical = a.dest_mode === 'LOGICAL';
      const data = icrLow({ vector: a.vector, mode, level: 0, trigger, shorthand: 0, logical });
      return vmCall(t, 'KVM_SET_GSI_ROUTING', a.dest, packRoute(a.gsi, a.type === 'IRQCHIP', data));
    },
    KVM_IRQ_LINE: (t, { gsi, level }) => vmCall(t, 'KVM_IRQ_LINE', gsi | (level << 4)),
    KVM_IRQFD: (t, { gsi, resample }) => vmCall(t, 'KVM_IRQFD', gsi, resample ? 1 : 0),
    KVM_GET_MP_STATE: (t) => vcpuCall(t, 'KVM_GET_MP_STATE'),
    KVM_SET_MP_STATE: (t, { mp_state }) => vcpuCall(t, 'KVM_SET_MP_STATE', MP_STATES.indexOf(mp_state)),
    KVM_GET_VCPU_EVENTS: (t) => vcpuCall(t, 'KVM_GET_VCPU_EVENTS'),
    KVM_SET_VCPU_EVENTS: (t, events) => vcpuCall(t, 'KVM_SET_VCPU_EVENTS', ...packVcpuEvents(events)),
    KVM_NMI: (t) => vcpuCall(t, 'KVM_NMI'),
    KVM_SMI: (t) => vcpuCall(t, 'KVM_SMI'),
    KVM_GET_REGS: (t) => vcpuCall(t, 'KVM_GET_REGS'),
    KVM_GET_SREGS: (t) => vcpuCall(t, 'KVM_GET_SREGS'),
    KVM_GET_LAPIC: (t) => vcpuCall(t, 'KVM_GET_LAPIC'),
    KVM_SET_LAPIC(t, a) {
      const refused = vcpuCall(t, 'KVM_SET_LAPIC');
      if (refused === null) fillLapicBuffer(t, a);
      return refused;
    },
    KVM_SET_SREGS: (t, { apic_base }) => vcpuCall(t, 'KVM_SET_SREGS', apic_base),
    KVM_SET_GUEST_DEBUG: (t, { blockirq }) => vcpuCall(t, 'KVM_SET_GUEST_DEBUG', blockirq ? 1 : 0),
    KVM_INTERRUPT: (t, { vector }) => vcpuCall(t, 'KVM_INTERRUPT', vector),
    KVM_SIGNAL_MSI: (t, a) => {
      const mode = DELIVERY_MODES.indexOf(a.delivery_mode);
      const trigger = a.trigger_mode === 'LEVEL' ? 1 : 0;
      const logical = a.dest_mode === 'LOGICAL';
      const low = icrLow({ vector: a.vector, mode, level: a.level, trigger, shorthand: 0, logical });
      return vmCall(t, 'KVM_SIGNAL_MSI', a.dest, low);
    },
    answer({ m, vcpu }, { ret, data }) {
      if (!kvm_vcpu.created.get(m, vcpu)) return 'no_vcpu';
      const page = runOf(vcpu);
      const status = TDVMCALL_STATUS[ret];
      const refused = ret === 'SUCCESS' ? 0 : 1;
      run.run_tdx.ret.set(m, kvm_run.tdx.at(page), status[0], status[1]);
      setWord(m, run.run_tdx.r11, kvm_run.tdx.at(page), data);
      run.run_hypercall.ret.set(m, kvm_run.hypercall.at(page), 0, refused);
      run.run_io.data.set(m, kvm_run.io.at(page), data % 0x1_0000_0000);
      setWord(m, run.run_mmio.data, kvm_run.mmio.at(page), data);
      run.run_msr.error.set(m, kvm_run.msr.at(page), refused);
      setWord(m, run.run_msr.data, kvm_run.msr.at(page), data);
      m.answer('returned', 'none', 0);
      return null;
    },
    KVM_CAP_EXIT_HYPERCALL: (t, { mask }) => vmCall(t, 'KVM_CAP_EXIT_HYPERCALL', mask),
    KVM_CAP_X86_USER_SPACE_MSR: (t, { mask }) => vmCall(t, 'KVM_CAP_X86_USER_SPACE_MSR', mask),
    KVM_CAP_X2APIC_API: (t, { flags }) => vmCall(t, 'KVM_CAP_X2APIC_API', flags),
    KVM_CAP_EXCEPTION_PAYLOAD: (t, { enable }) => vmCall(t, 'KVM_CAP_EXCEPTION_PAYLOAD', enable),
    KVM_CAP_X86_TRIPLE_FAULT_EVENT: (t, { enable }) => vmCall(t, 'KVM_CAP_X86_TRIPLE_FAULT_EVENT', enable),
    KVM_SET_MEMORY_ATTRIBUTES: (t, a) => vmCall(t, 'KVM_SET_MEMORY_ATTRIBUTES', a.page, a.private ? 1 : 0),
    KVM_GET_MSRS: (t, a) => vcpuCall(t, 'KVM_GET_MSRS', msrList(a)),
    KVM_SET_MSRS: (t, a) => vcpuCall(t, 'KVM_SET_MSRS', msrList(a)),
    close({ m, slot }) {
      if (kvm.type.get(m, slot.ref) === VM_NONE) return 'no_vm';
      if (slot.vcpus.some((vcpu) => !isIdle(m, threadIndex(m, vcpu)))) return 'vm_busy';
      return m.begin(VMM_THREAD, kvm_destroy_vm, slot.ref) ? null : 'thread_busy';
    },
    signal({ m, vcpu }) {
      const t = kvm_vcpu.thread.get(m, vcpu) as Ref;
      const target = cpuOfThread(m, vcpu);
      m.answer('returned', 'none', 0);
      if (thread.depth.get(m, t) === 0) return null; // its handler runs in userspace, and that is all
      thread.signal.set(m, t, 1);
      kvm_vcpu_wake_up(m, vcpu);
      if (inNonRoot(m, target)) sendIpi(m, target, RESCHEDULE_VECTOR);
      return null;
    },
  },
  guest: {
    ICR(t, a) {
      const mode = DELIVERY_MODES.indexOf(a.delivery_mode);
      const trigger = a.trigger_mode === 'LEVEL' ? 1 : 0;
      const shorthand = SHORTHANDS.indexOf(a.shorthand);
      const logical = a.dest_mode === 'LOGICAL';
      const low = icrLow({ vector: a.vector, mode, level: a.level, trigger, shorthand, logical });
      return instruct(t, cpu.OP_WRMSR, MSR_X2APIC_ICR, a.dest, low);
    },
    SVR: (t, { value }) => instruct(t, cpu.OP_WRMSR, MSR_X2APIC_SVR, 0, value),
    NMI_HANDLER({ m, vcpu }, { stay }) {
      guest_cpu.stay_in_nmi.set(m, guestOf(vcpu), stay ? 1 : 0);
      m.answer('returned', 'none', 0);
      return null;
    },
    IRQ_HANDLER({ m, vcpu }, { stay }) {
      guest_cpu.stay_in_irq.set(m, guestOf(vcpu), stay ? 1 : 0);
      m.answer('returned', 'none', 0);
      return null;
    },
    EOI: (t, { value }) => wrmsr(t, MSR_X2APIC_EOI, value),
    CR8: (t, { value }) => instruct(t, cpu.OP_MOV_CR8, 0, 0, value),
    VE_HANDLER({ m, vcpu }, { stay }) {
      guest_cpu.stay_in_ve.set(m, guestOf(vcpu), stay ? 1 : 0);
      m.answer('returned', 'none', 0);
      if (inNonRoot(m, cpuOfThread(m, vcpu))) m.wake(kvm_vcpu.thread.get(m, vcpu) as Ref);
      return null;
    },
    VEINFO_GET: (t) => instruct(t, cpu.OP_VEINFO_GET),
    IF({ m, vcpu }, { enabled }) {
      if (!guest_cpu.started.get(m, guestOf(vcpu))) return 'no_guest_code';
      if (kvm_vcpu.mp_state.get(m, vcpu) !== KVM_MP_STATE_RUNNABLE) return 'guest_halted';
      guest_cpu.if.set(m, guestOf(vcpu), enabled ? 1 : 0);
      m.answer('returned', 'none', 0);
      if (inNonRoot(m, cpuOfThread(m, vcpu))) m.wake(kvm_vcpu.thread.get(m, vcpu) as Ref);
      return null;
    },
    IRET(t, { fault }) {
      if (fault !== undefined && kvm.type.get(t.m, t.slot.ref) === VM_TDX) return 'plain_only';
      const refused = instruct(t, cpu.OP_IRET);
      if (refused === null)
        guest_cpu.iret_fault.set(t.m, guestOf(t.vcpu), fault ? cpu.IRET_FAULT.indexOf(fault) : 0);
      return refused;
    },
    RSM(t, { smbase, damaged }) {
      if (is_td_vcpu(t.m, t.vcpu)) return 'td_smm';
      const refused = instruct(t, cpu.OP_RSM);
      if (refused !== null || !kvm_vcpu.smm.get(t.m, t.vcpu)) return refused;
      if (smbase !== undefined) smram.smbase.set(t.m, smramOf(t.vcpu), smbase);
      if (damaged) smram.cr4.set(t.m, smramOf(t.vcpu), CR4_RESERVED);
      return null;
    },
    STI: (t) => instruct(t, cpu.OP_STI),
    MOV_SS: (t) => instruct(t, cpu.OP_MOV_SS),
    DELIVERY_FAULT({ m, slot, vcpu }, { exit, times }) {
      if (kvm.type.get(m, slot.ref) === VM_TDX) return 'plain_only';
      guest_cpu.delivery_faults.set(m, guestOf(vcpu), times);
      guest_cpu.delivery_exit.set(m, guestOf(vcpu), DELIVERY_EXITS[exit]);
      m.answer('returned', 'none', 0);
      return null;
    },
    TRIPLE_FAULT: (t) => instruct(t, cpu.OP_TRIPLE_FAULT),
    TIMER: (t, { register, value }) => instruct(t, cpu.OP_WRMSR, TIMER_REGISTERS[register], 0, value),
    RDMSR: (t, { msr }) => instruct(t, cpu.OP_RDMSR, msr),
    WRMSR: (t, { msr, value }) => wrmsr(t, msr, value),
    CPUID: (t, { leaf }) => instructWith(t, cpu.OP_CPUID, 0, leaf),
    IO: (t, a) => instructWith(t, cpu.OP_IO, 0, a.size, a.direction === 'OUT' ? 1 : 0, a.port, a.value),
    MMIO: (t, a) => {
      const td = kvm.type.get(t.m, t.slot.ref) === VM_TDX;
      const gpa = (a.gpa % SHARED_BIT) + (td ? SHARED_BIT : 0);
      return instructWith(t, cpu.OP_MMIO, 0, a.size, a.direction === 'OUT' ? 1 : 0, gpa, a.value);
    },
    TDVMCALL(t, a) {
      const refused = instructWith(t, cpu.OP_TDVMCALL, a.leaf, a.r12, a.r13, a.r14, a.r15);
      if (refused !== null) return refused;
      setWord(t.m, guest_cpu.r10, guestOf(t.vcpu), a.r10);
      guest_cpu.rcx.set(t.m, guestOf(t.vcpu), a.rcx);
      return null;
    },
    TOUCH(t, a) {
      const refused = instruct(t, cpu.OP_TOUCH);
      if (refused !== null) return refused;
      const guest = guestOf(t.vcpu);
      guest_cpu.page.set(t.m, guest, a.page);
      guest_cpu.space.set(t.m, guest, cpu.SPACE.indexOf(a.space));
      guest_cpu.access.set(t.m, guest, cpu.ACCESS.indexOf(a.access));
      return null;
    },
    VMEXIT(t, a) {
      const refused = instruct(t, cpu.OP_VMEXIT);
      if (refused !== null) return refused;
      const guest = guestOf(t.vcpu);
      guest_cpu.exit_reason.set(t.m, guest, a.reason);
      guest_cpu.exit_qualification.set(t.m, guest, a.qualification);
      guest_cpu.exit_vector.set(t.m, guest, a.vector);
      return null;
    },
    HLT(t, { interrupts }) {
      const flag = interrupts === 'enabled' ? 1 : 0;
      const now = inNonRoot(t.m, cpuOfThread(t.m, t.vcpu)); // else the flag changes with the instruction, not before it
      const refused = instruct(t, cpu.OP_HLT, 0, 0, now ? 0 : 1 + flag);
      if (refused === null && now) guest_cpu.if.set(t.m, guestOf(t.vcpu), flag);
      return refused;
    },
  },
  device: {
    post({ m, vcpu }, { vector }) {
      if (!variant.assigned_device.get(m, variantRef(m))) return 'no_device';
      if (!kvm_vcpu.created.get(m, vcpu)) return 'no_vcpu';
      if (!usesPostedInterrupts(m, vcpu)) return 'not_posted';
      iommuPosts(m, vcpu, vector);
      m.answer('returned', 'none', 0);
      return null;
    },
    irqfd({ m, slot }, { gsi }) {
      const bound = kvm_msi_route.irqfd.get(m, routeOf(slot.ref, gsi)) === 1;
      if (!bound) return 'no_irqfd';
      return m.begin(VMM_THREAD, kvm_set_irq, slot.ref, gsi, 1) ? null : 'thread_busy';
    },
  },
  kvm: {
    set_apicv_inhibit({ m, slot }, { reason, set }) {
      if (kvm.type.get(m, slot.ref) === VM_NONE) return 'no_vm';
      const begun = m.begin(
        VMM_THREAD,
        __kvm_set_or_clear_apicv_inhibit,
        slot.ref,
        inhibitReason(reason),
        set ? 1 : 0,
      );
      return begun ? null : 'thread_busy';
    },
    tdx_no_vcpus_enter({ m, slot }) {
      if (kvm.type.get(m, slot.ref) !== VM_TDX) return 'not_tdx';
      return m.begin(VMM_THREAD, tdx_no_vcpus_enter, slot.ref) ? null : 'thread_busy';
    },
    kvm_vcpu_reset({ m, vcpu }, { init_event }) {
      if (!kvm_vcpu.created.get(m, vcpu)) return 'no_vcpu';
      if (kvm.vm_dead.get(m, kvm_vcpu.kvm.get(m, vcpu) as Ref)) return 'reset_dead_vm';
      return m.begin(VMM_THREAD, kvm_vcpu_reset, vcpu, init_event ? 1 : 0) ? null : 'thread_busy';
    },
  },
  host: {
    pass({ m }, { ns }) {
      const until = m.now + ns;
      const next = nextTimer(m, m.vcpus);
      const due = next !== null && next.at <= until ? next : null;
      m.passTo(due ? Math.max(due.at, m.now) : until);
      if (due) hrtimerFires(m, due.vcpu);
      m.answer('returned', 'none', 0);
      return null;
    },
    NMI({ m, vcpu }) {
      const target = cpuOfThread(m, vcpu);
      m.answer('returned', 'none', 0);
      if (
        inNonRoot(m, target) ||
        pcpu.context.get(m, target) === SEAM_ROOT ||
        pcpu.nmi_blocked.get(m, target)
      ) {
        return physical(m, vcpu, (cpuRef) => pcpu.nmi_pending.set(m, cpuRef, 1)); // pends: tdx:NMI-27
      }
      const nested = pcpu.nmi_depth.get(m, target) > 0;
      pcpu.nmis.set(m, target, pcpu.nmis.get(m, target) + 1);
      const index = pcpu.index.get(m, target);
      if (nested) m.emit(host_nmi_nested, index, variant.fred.get(m, variantRef(m)));
      else m.emit(host_nmi_handled, index, variant.fred.get(m, variantRef(m)));
      return null;
    },
    PMI({ m, vcpu }) {
      if (!kvm_vcpu.created.get(m, vcpu)) return 'no_vcpu';
      if (is_td_vcpu(m, vcpu)) return 'td_pmu';
      kvm_make_request(m, vcpu, KVM_REQ_PMI); // by the host NMI of the counter, which ends guest mode
      kvm_vcpu_kick_now(m, vcpu);
      m.answer('returned', 'none', 0);
      return null;
    },
    migrate({ m, vcpu }, a) {
      const to = m.cpus[a.cpu];
      if (to === undefined) return 'no_cpu';
      if (to !== cpuOfThread(m, vcpu) && !canTake(m, to)) return 'cpu_taken';
      m.answer('returned', 'none', 0);
      migrate(m, vcpu, to);
      return null;
    },
    SMI: ({ m, vcpu }) => hostSmi(m, vcpu, 0),
    MCE({ m, vcpu }) {
      const target = cpuOfThread(m, vcpu);
      if (!inNonRoot(m, target)) return 'host_mce';
      m.answer('returned', 'none', 0);
      if (variant.emca.get(m, variantRef(m))) return hostSmi(m, vcpu, 1);
      return physical(m, vcpu, (cpuRef) => pcpu.mce_pending.set(m, cpuRef, 1));
    },
    IRQ({ m, vcpu }, { vector }) {
      m.answer('returned', 'none', 0);
      sendIpi(m, cpuOfThread(m, vcpu), vector);
      return null;
    },
    ENTRY_FAILURE({ m, vcpu }, { reason }) {
      pcpu.entry_failure.set(m, cpuOfThread(m, vcpu), ENTRY_FAILURES[reason]);
      m.answer('returned', 'none', 0);
      return null;
    },
    STEP({ m, vcpu }, { lapic }) {
      const target = cpuOfThread(m, vcpu);
      pcpu.stepping.set(m, target, 1);
      pcpu.lapic_disabled.set(m, target, lapic === 'disabled' ? 1 : 0);
      m.answer('returned', 'none', 0);
      return null;
    },
    SEAMCALL_STATUS({ m }, { leaf, status, reason, intr_info, times }) {
      const ref = seamFaultRef(m);
      const [hi, lo] = SEAMCALL_STATUS[status];
      seam_fault.leaf.set(m, ref, SEAMCALL_LEAVES[leaf]);
      seam_fault.status.set(m, ref, hi, (lo | reason) >>> 0);
      seam_fault.intr_info.set(m, ref, intr_info);
      seam_fault.times.set(m, ref, times);
      m.answer('returned', 'none', 0);
      return null;
    },
    SEAMCALL({ m, slot, vcpu }, a) {
      if (kvm.type.get(m, slot.ref) !== VM_TDX) return 'not_tdx';
      const i = a.from === 'vmm' ? VMM_THREAD : threadIndex(m, vcpu);
      if (!isIdle(m, i)) return 'thread_busy';
      const t = m.threadRefs[i]!;
      setWord(m, thread.r8, t, a.value);
      setWord(m, thread.r9, t, a.mask);
      const rax = packRax(a.leaf, a.version, a.reserved);
      return m.begin(i, seamcall_past_kvm, vcpu, rax, operandOf(a)) ? null : 'thread_busy';
    },
    MSR({ m, vcpu }, { what, changed }) {
      const { limit_cpuid, tsc_adjusted, tsc_back, monitor_off } = pcpu;
      const field = {
        LIMIT_CPUID: limit_cpuid,
        TSC_ADJUST: tsc_adjusted,
        TSC_BACK: tsc_back,
        MONITOR_OFF: monitor_off,
      };
      field[what].set(m, cpuOfThread(m, vcpu), changed ? 1 : 0);
      m.answer('returned', 'none', 0);
      return null;
    },
    INIT({ m, vcpu }) {
      const target = cpuOfThread(m, vcpu);
      const context = pcpu.context.get(m, target);
      if (context !== SEAM_NON_ROOT && context !== SEAM_ROOT) return 'host_init';
      pcpu.init_pending.set(m, target, 1);
      if (context === SEAM_NON_ROOT) m.wake(kvm_vcpu.thread.get(m, vcpu) as Ref);
      m.answer('returned', 'none', 0);
      return null;
    },
  },
};

/** Begins one action, `boot` excepted: a moment passes, and `last` tells how it stands. Never throws. */
export function beginAction({ machine: m, vms }: World, action: Exclude<Action, { boot: string }>): void {
  const [actor, verb] = Object.entries(action)[actorPosition(action)]! as [Exclude<Actor, 'boot'>, string];
  const slot = 'vm' in action ? vms.get(action.vm) : [...vms.values()][0]; // an action on no VM looks at none
  const id = 'vcpu' in action ? action.vcpu : 0;
  const vcpu = slot?.vcpus[id];
  const onGuest = actor === 'guest' && vcpu !== undefined;
  m.newAction(onGuest ? threadIndex(m, vcpu) : VMM_THREAD, ACTOR_LAYER[actor]);
  let why: Why | null = 'no_slot';
  if (slot && vcpu !== undefined) {
    const begin = (BEGIN[actor] as Record<string, Begin<Action>>)[verb]!;
    why = begin({ m, slot, vcpu }, action);
  }
  if (why !== null) m.answer('refused', why, 0);
  m.tick();
}

/** Whose accent an action has in the trace. */
const ACTOR_LAYER = {
  vmm: 'vmm',
  guest: 'guest',
  kvm: 'kvm',
  device: 'hardware',
  host: 'hardware',
} as const satisfies Record<Exclude<Actor, 'boot'>, Layer>;

function actorPosition(action: Action): number {
  return Object.keys(action).findIndex((key) => key in BEGIN);
}

/** The ioctls that a one-word bring-up stands for, in the canonical order. @source ORD-1, x86:SIPI-23 */
export function expandBoot(action: Extract<Action, { boot: string }>): Exclude<Action, { boot: string }>[] {
  const { vm } = action;
  const each = Array.from({ length: action.vcpus }, (_, vcpu) => vcpu);
  const run = action.run
    ? each.map((vcpu) => ({ vmm: 'KVM_RUN', vm, vcpu, immediate_exit: 0 }) as const)
    : [];
  const split = { vmm: 'KVM_CAP_SPLIT_IRQCHIP', vm, pins: 24 } as const;
  const cpuid = each.map((vcpu) => ({ vmm: 'KVM_SET_CPUID2', vm, vcpu, x2apic: true }) as const);
  const create = each.map((vcpu) => ({ vmm: 'KVM_CREATE_VCPU', vm, vcpu }) as const);
  if (action.boot === 'vmx') {
    return [{ vmm: 'KVM_CREATE_VM', vm, type: 'KVM_X86_DEFAULT_VM' }, split, ...create, ...cpuid, ...run];
  }
  return [
    { vmm: 'KVM_CREATE_VM', vm, type: 'KVM_X86_TDX_VM' },
    split,
    { vmm: 'KVM_TDX_INIT_VM', vm },
    ...create,
    ...cpuid,
    ...each.map((vcpu) => ({ vmm: 'KVM_TDX_INIT_VCPU', vm, vcpu }) as const),
    { vmm: 'KVM_TDX_INIT_MEM_REGION', vm, vcpu: 0 },
    { vmm: 'KVM_TDX_FINALIZE_VM', vm },
    ...run,
  ];
}

/** How the action that was begun last stands, from the state alone. */
export function outcomeOf(m: Machine, action: Action, overrun: boolean): Outcome {
  const kind = OUTCOME_KIND[last.kind.get(m, m.last)]!;
  const why = WHY[last.why.show(m, m.last) as Why];
  const exitText = last.exit.show(m, m.last);
  const exit = exitText === '' ? null : exitText;
  const value = last.return.get(m, m.last);
  const name = commandOf(action).split(' ', 2)[1]!;
  switch (kind) {
    case 'returned': {
      if ('guest' in action)
        return { action, kind, value, exit, say: `The guest on vCPU ${action.vcpu} executed it.` };
      if ('device' in action && action.device === 'post')
        return { action, kind, value, exit, say: `The IOMMU has posted vector ${action.vector}.` };
      if ('host' in action && action.host === 'SEAMCALL') {
        const t = m.threadRefs.find((ref) => thread.action.get(m, ref) === last.seq.get(m, m.last))!;
        const status = statusText(thread.rax.hi(m, t), thread.rax.lo(m, t));
        return { action, kind, value, exit, say: `${action.leaf} returned ${status}.` };
      }
      if ('host' in action) return { action, kind, value, exit, say: `The platform has done it.` };
      const withExit = exit && value === 0 ? ` with ${exit}` : '';
      return { action, kind, value, exit, say: `${name} returned ${returnName(value)}${withExit}.` };
    }
    case 'queued':
    case 'refused':
    case 'unmodelled':
      return { action, kind, value: null, exit: null, say: why };
    default:
      if (overrun)
        return {
          action,
          kind: 'limit',
          value: null,
          exit: null,
          say: `${name} has not ended within the step limit.`,
        };
      return { action, kind: 'pending', value: null, exit: null, say: waiting(m, name) };
  }
}

/** Where a call that has not returned waits. */
function waiting(m: Machine, name: string): string {
  const seq = last.seq.get(m, m.last);
  const t = m.threadRefs.findIndex(
    (ref) => thread.action.get(m, ref) === seq && thread.depth.get(m, ref) > 0,
  );
  switch (m.threads()[t]?.status) {
    case 'in-guest':
      return `${name} has not returned: the guest is executing.`;
    case 'blocked':
      return `${name} has not returned: the vCPU's thread sleeps in KVM.`;
    case 'waiting': {
      const cpus = thread.acks.show(m, m.threadRefs[t]!);
      return cpus === ''
        ? `${name} waits for vcpu->mutex, which KVM_RUN holds. A signal to the vCPU's thread ends KVM_RUN.`
        : `${name} waits until every vCPU has left the guest: no answer yet from CPU ${cpus.replaceAll(' ', ', ')}.`;
    }
    default:
      return `${name} is under way.`;
  }
}
