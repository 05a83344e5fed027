import type { Ref } from '../machine/layout';
import { thread, type Machine } from '../machine/machine';
import { routine } from '../machine/routine';
import { event } from '../machine/trace';
import { inNonRoot, pcpu } from '../platform/pcpu';
import { pi_desc, posted_intr_vmcs, POSTED_INTR_VECTOR } from '../platform/posted_intr';
import { TDX_OPERAND, TDX_STATUS } from '../names';
import {
  CPU_BASED_INTR_WINDOW_EXITING, CPU_BASED_NMI_WINDOW_EXITING, guestOf, guestStateOf, is_td_vcpu, kvm_vcpu, pidOf, tdvpsOf,
  vmcs, vmcs_guest_state, vmcsOf,
} from '../kvm/kvm_host'; // prettier-ignore
import {
  GP_VECTOR, INTR_INFO_EXTERNAL, INTR_INFO_MCE, INTR_INFO_NMI, INTR_INFO_UD, INTR_TYPE_HARD_EXCEPTION, INTR_TYPE_NMI_INTR, typeOf,
} from '../platform/intr_info'; // prettier-ignore
import {
  handlerEoi, isNativeMsr, movCr8, msrExit, nativeRdmsr, nativeWrmsr, raisesGp, virtualizesApic,
} from './msr'; // prettier-ignore
import { operands } from './operands';
import { touch } from './touch';
import { tdvps } from '../seam/tdx_module';
import { injectVe, tdg_vp_veinfo_get, VE } from '../seam/ve';
import * as cpu from './cpu';
import { guest_cpu, inShadow, vppr } from './cpu';
import { deliveryFaults, endShadow, enterNmi, invalidGuestState, iret, iretFaults } from './events';

/** Guest code in non-root mode: what the virtual processor does until the next VM exit. */

const guest_starts = event('guest_starts', 'mark', 'VCPU-9', { vcpu: 'num' }, 'vcpu {vcpu}',
  'The guest executes its first instruction on vCPU {vcpu}.'); // prettier-ignore
const guest_ve = event('guest_ve', 'mark', 'PI-32', { vcpu: 'num', op: cpu.GUEST_OP }, 'vcpu {vcpu} {op}',
  '{op} raises #VE in the TD; its handler asks the host by TDVMCALL.'); // prettier-ignore
const guest_df = event('guest_df', 'mark', 'TDXM-VE-3', { vcpu: 'num', op: cpu.GUEST_OP }, 'vcpu {vcpu} {op}',
  '{op} would raise a second #VE before the information of the first was fetched: the guest on vCPU {vcpu} gets #DF.'); // prettier-ignore
const guest_takes_irq = event('guest_takes_irq', 'mark', 'PI-15', { vcpu: 'num', vec: 'num' }, 'vcpu {vcpu} vec {vec}',
  'The guest takes vector {vec} on vCPU {vcpu}.'); // prettier-ignore
const pir_harvested = event('pir_harvested', 'mark', 'PI-15', { vcpu: 'num' }, 'vcpu {vcpu}',
  'The processor takes the notification: ON is cleared, PIR moves into the virtual IRR of vCPU {vcpu}; no exit.'); // prettier-ignore
const guest_takes_exception = event('guest_takes_exception', 'mark', 'x86:INJ-9', { vcpu: 'num', vector: 'num' },
  'vcpu {vcpu} vector {vector}', 'The guest takes exception {vector} on vCPU {vcpu}, which KVM has injected.'); // prettier-ignore

const guest_gp = event('guest_gp', 'mark', 'PI-33', { vcpu: 'num', msr: 'hex' }, 'vcpu {vcpu} msr {msr}',
  'The MSR {msr} does not exist: #GP in the guest on vCPU {vcpu}, no exit.'); // prettier-ignore
const tdcall_refused = event('tdcall_refused', 'mark', 'EXIT-19', { vcpu: 'num', rcx: 'hex' }, 'vcpu {vcpu} rcx {rcx}',
  'TDG.VP.VMCALL may not pass RAX, RCX or RSP (RCX = {rcx}): the TDX module refuses it, no exit.'); // prettier-ignore

/** Exit reasons of the guest's own doing. @source NUM-11 */
const EXIT_EXCEPTION_NMI = 0;
const EXIT_EXTERNAL_INTERRUPT = 1;
const EXIT_TRIPLE_FAULT = 2;
const EXIT_OTHER_SMI = 6;
const EXIT_INTERRUPT_WINDOW = 7;
export const EXIT_NMI_WINDOW = 8;
const EXIT_INIT = 3;
const EXIT_HLT = 12;
const EXIT_MSR_WRITE = 32;
const EXIT_INVALID_STATE = 33;
const EXIT_TDCALL = 77;
/** Bit 31: the VM entry failed. @source NUM-10 */
export const ENTRY_FAILURE = 0x8000_0000;
/** Reasons with which a plain guest leaves for each instruction. */
const EXIT_REASON_OF: Readonly<Record<number, number>> = {
  [cpu.OP_WRMSR]: EXIT_MSR_WRITE,
  [cpu.OP_RDMSR]: 31,
  [cpu.OP_HLT]: EXIT_HLT,
  [cpu.OP_CPUID]: 10,
  [cpu.OP_IO]: 30,
  [cpu.OP_MMIO]: 49,
  [cpu.OP_TDVMCALL]: 18, // a plain guest executes VMCALL instead
};
/** Bits of RCX that TDG.VP.VMCALL refuses: RAX, RCX and RSP. @source EXIT-19 */
const RCX_RESERVED = 0x13;

/** A vector is deliverable when its class is above the virtual processor priority. @source PI-15 */
function deliverable(m: Machine, guest: Ref): number {
  const vector = guest_cpu.virr.highest(m, guest);
  if (vector < 0 || !guest_cpu.if.get(m, guest) || inShadow(m, guest)) return -1;
  return vector >> 4 > vppr(m, guest) >> 4 ? vector : -1;
}

/** Runs guest code; answers the basic exit reason. `kvm_vcpu.last_exit` is KVM's business, not decided here. */
export const guest_run = routine(
  {
    name: 'guest_run',
    layer: 'guest',
    source: 'SDM',
    args: ['vcpu', 'injected'],
    locals: ['vector'],
    steps: {
      resume: ['The guest goes on where it was; an injected event comes first.', 'SDM'],
      nmi_handler: ['The guest handles the NMI.', 'SDM'],
      boundary: ['Instruction boundary: a pending event of the CPU comes first.', 'TDXM-ENTER-24'],
      execute: ['Take a deliverable interrupt, else execute the next instruction.', 'PI-15'],
      handler: ['The interrupt handler ends with an EOI.', 'EOI-1'],
      ve: [
        'The #VE handler fetches the information (TDG.VP.VEINFO.GET), then asks the host by TDVMCALL.',
        'PI-32',
      ],
    },
  },
  (at) => ({
    resume(m, l) {
      const guest = guestOf(l.vcpu as Ref);
      const here = thread.cpu.get(m, m.thread) as Ref;
      const failure = pcpu.entry_failure.get(m, here);
      if (failure !== 0) {
        pcpu.entry_failure.set(m, here, 0);
        kvm_vcpu.intr_info.set(m, l.vcpu as Ref, 0);
        return m.ret(ENTRY_FAILURE | failure);
      }
      if (!is_td_vcpu(m, l.vcpu as Ref) && invalidGuestState(m, l.vcpu as Ref, l.injected >>> 0)) {
        kvm_vcpu.intr_info.set(m, l.vcpu as Ref, 0);
        return m.ret(ENTRY_FAILURE | EXIT_INVALID_STATE);
      }
      if (!guest_cpu.started.testAndSet(m, guest)) {
        guest_cpu.if.set(m, guest, 1);
        if (!is_td_vcpu(m, l.vcpu as Ref)) enterLongMode(m, l.vcpu as Ref);
        m.emit(guest_starts, kvm_vcpu.id.get(m, l.vcpu as Ref));
      }
      vmcs.entry_intr_info.set(m, vmcsOf(l.vcpu as Ref), 0); // the processor has taken the event
      const injected = l.injected >>> 0;
      if (injected === 0) return at.boundary;
      const exit = deliveryFaults(m, l.vcpu as Ref, injected);
      if (exit >= 0) return m.ret(exit);
      l.vector = injected & 0xff;
      switch (typeOf(injected)) {
        case INTR_TYPE_NMI_INTR:
          enterNmi(m, l.vcpu as Ref);
          return at.nmi_handler;
        case INTR_TYPE_HARD_EXCEPTION:
          guest_cpu.exceptions.set(m, guest, guest_cpu.exceptions.get(m, guest) + 1);
          guest_cpu.exception.set(m, guest, l.vector);
          if (l.vector === GP_VECTOR) guest_cpu.gps.set(m, guest, guest_cpu.gps.get(m, guest) + 1);
          m.emit(guest_takes_exception, kvm_vcpu.id.get(m, l.vcpu as Ref), l.vector);
          return at.boundary;
        default:
          takeIrq(m, l.vcpu as Ref, l.vector);
          return at.handler;
      }
    },
    nmi_handler(m, l) {
      const guest = guestOf(l.vcpu as Ref);
      if (!guest_cpu.stay_in_nmi.get(m, guest)) iret(m, l.vcpu as Ref);
      return at.boundary;
    },
    boundary(m, l) {
      const vcpu = l.vcpu as Ref;
      const here = thread.cpu.get(m, m.thread) as Ref;
      kvm_vcpu.intr_info.set(m, vcpu, 0);
      vmcs.exit_qualification.set(m, vmcsOf(vcpu), 0);
      if (pcpu.init_pending.get(m, here)) {
        pcpu.init_pending.set(m, here, 0);
        return m.ret(EXIT_INIT);
      }
      if (pcpu.mce_pending.get(m, here)) {
        pcpu.mce_pending.set(m, here, 0);
        kvm_vcpu.intr_info.set(m, vcpu, INTR_INFO_MCE);
        return m.ret(EXIT_EXCEPTION_NMI);
      }
      if (pcpu.smi_pending.get(m, here)) {
        vmcs.exit_qualification.set(m, vmcsOf(vcpu), pcpu.msmi.get(m, here));
        return m.ret(EXIT_OTHER_SMI); // it stays pending until the host takes it: tdx:SMI-10
      }
      if (pcpu.nmi_pending.get(m, here)) {
        pcpu.nmi_pending.set(m, here, 0);
        pcpu.nmi_blocked.set(m, here, 1);
        kvm_vcpu.intr_info.set(m, vcpu, INTR_INFO_NMI);
        return m.ret(EXIT_EXCEPTION_NMI);
      }
      if (nmiWindow(m, vcpu)) return m.ret(EXIT_NMI_WINDOW);
      if (irqWindow(m, vcpu)) return m.ret(EXIT_INTERRUPT_WINDOW);
      const vector = pcpu.irr.highest(m, here);
      if (vector < 0) return at.execute;
      if (!isNotification(m, vcpu, vector)) {
        kvm_vcpu.intr_info.set(m, vcpu, INTR_INFO_EXTERNAL + vector);
        return m.ret(EXIT_EXTERNAL_INTERRUPT);
      }
      pcpu.irr.clear(m, here, vector);
      pi_desc.on.set(m, pidOf(vcpu), 0);
      guest_cpu.virr.take(m, guestOf(vcpu), pi_desc.pir, pidOf(vcpu));
      m.emit(pir_harvested, kvm_vcpu.id.get(m, vcpu));
      return at.boundary;
    },
    execute(m, l) {
      const vcpu = l.vcpu as Ref;
      const guest = guestOf(vcpu);
      const ve = guest_cpu.ve_valid.get(m, guest) === 1 || guest_cpu.ve_fetched.get(m, guest) === 1;
      if (ve && !(guest_cpu.stay_in_ve.get(m, guest) && guest_cpu.ve_valid.get(m, guest))) return at.ve;
      const vector = virtualizesApic(m, vcpu) && !ve ? deliverable(m, guest) : -1; // a #VE handler has interrupts off
      if (vector >= 0) {
        guest_cpu.virr.clear(m, guest, vector);
        guest_cpu.visr.set(m, guest, vector);
        const exit = deliveryFaults(m, vcpu, INTR_INFO_EXTERNAL | vector);
        if (exit >= 0) return m.ret(exit);
        takeIrq(m, vcpu, vector);
        l.vector = vector;
        return at.handler;
      }
      const op = guest_cpu.op.get(m, guest);
      if (op === cpu.OP_NONE) {
        l.vector = 0;
        if (inShadow(m, guest)) {
          endShadow(m, guest); // by whatever the guest executes next
          return at.boundary;
        }
        return parkAtBoundary(m, thread.cpu.get(m, m.thread) as Ref, at.boundary);
      }
      if (op !== cpu.OP_TOUCH) endShadow(m, guest); // an access that faults is executed again
      if (op === cpu.OP_STI || op === cpu.OP_MOV_SS) {
        guest_cpu.op.set(m, guest, cpu.OP_NONE);
        if (op === cpu.OP_MOV_SS) guest_cpu.mov_ss_blocking.set(m, guest, 1);
        else if (!guest_cpu.if.testAndSet(m, guest)) guest_cpu.sti_blocking.set(m, guest, 1);
        return at.boundary;
      }
      if (op === cpu.OP_IRET) {
        const exit = iretFaults(m, vcpu);
        if (exit >= 0) return m.ret(exit); // the instruction is executed again
        guest_cpu.op.set(m, guest, cpu.OP_NONE);
        iret(m, vcpu);
        return at.boundary;
      }
      if (op === cpu.OP_VEINFO_GET) {
        guest_cpu.op.set(m, guest, cpu.OP_NONE);
        const waits = guest_cpu.ve_valid.get(m, guest) === 1;
        guest_cpu.rax.set(m, guest, waits ? TDX_STATUS.SUCCESS : TDX_STATUS.NO_VALID_VE_INFO, 0);
        if (waits) tdg_vp_veinfo_get(m, vcpu);
        guest_cpu.ve_fetched.set(m, guest, 0);
        return at.boundary;
      }
      if (op === cpu.OP_TRIPLE_FAULT) {
        guest_cpu.op.set(m, guest, cpu.OP_NONE);
        return m.ret(EXIT_TRIPLE_FAULT);
      }
      if (op === cpu.OP_VMEXIT) {
        guest_cpu.op.set(m, guest, cpu.OP_NONE);
        const reason = guest_cpu.exit_reason.get(m, guest);
        const exception =
          reason === EXIT_EXCEPTION_NMI ? 0x8000_0300 | guest_cpu.exit_vector.get(m, guest) : 0;
        kvm_vcpu.intr_info.set(m, vcpu, exception);
        vmcs.exit_qualification.set(m, vmcsOf(vcpu), guest_cpu.exit_qualification.get(m, guest));
        return m.ret(reason);
      }
      if (op === cpu.OP_TOUCH) {
        const reason = touch(m, vcpu);
        if (reason >= 0) return m.ret(reason); // the instruction is executed again: EXIT-18
        endShadow(m, guest);
        guest_cpu.op.set(m, guest, cpu.OP_NONE);
        return at.boundary;
      }
      if (op === cpu.OP_RDMSR || op === cpu.OP_WRMSR) {
        const msr = guest_cpu.msr.get(m, guest);
        const gp = raisesGp(m, vcpu, msr);
        if (gp || isNativeMsr(m, vcpu, msr, op === cpu.OP_WRMSR)) {
          guest_cpu.op.set(m, guest, cpu.OP_NONE);
          if (gp) m.emit(guest_gp, kvm_vcpu.id.get(m, vcpu), msr);
          else if (op === cpu.OP_RDMSR) nativeRdmsr(m, vcpu, msr);
          else return leave(m, nativeWrmsr(m, vcpu, msr), at.boundary);
          return at.boundary;
        }
      }
      if (op === cpu.OP_HLT && guest_cpu.value.lo(m, guest) > 0) {
        guest_cpu.if.set(m, guest, guest_cpu.value.lo(m, guest) - 1); // queued with 1 + the flag that it needs
        guest_cpu.value.set(m, guest, 0, 0);
      }
      if (op === cpu.OP_RSM) {
        guest_cpu.op.set(m, guest, cpu.OP_NONE);
        guest_cpu.rsm.set(m, guest, 1);
        kvm_vcpu.intr_info.set(m, vcpu, INTR_INFO_UD);
        return m.ret(EXIT_EXCEPTION_NMI);
      }
      if (op === cpu.OP_MOV_CR8) {
        guest_cpu.op.set(m, guest, cpu.OP_NONE);
        return leave(m, movCr8(m, vcpu), at.boundary);
      }
      if (is_td_vcpu(m, vcpu)) {
        if (op === cpu.OP_TDVMCALL) return at.ve; // no #VE: the guest calls by itself
        if (injectVe(m, vcpu, op) === VE) m.emit(guest_ve, kvm_vcpu.id.get(m, vcpu), op);
        else m.emit(guest_df, kvm_vcpu.id.get(m, vcpu), op);
        return at.boundary;
      }
      guest_cpu.op.set(m, guest, cpu.OP_NONE);
      const reason = EXIT_REASON_OF[op]!;
      if (op !== cpu.OP_RDMSR && op !== cpu.OP_WRMSR) return m.ret(reason);
      const { msr, value } = guest_cpu;
      return m.ret(msrExit(m, vcpu, reason, msr.get(m, guest), value.hi(m, guest), value.lo(m, guest)));
    },
    handler(m, l) {
      const vcpu = l.vcpu as Ref;
      if (guest_cpu.stay_in_irq.get(m, guestOf(vcpu))) return at.boundary; // it goes on, until the guest writes EOI
      return leave(m, handlerEoi(m, vcpu, l.vector), at.boundary);
    },
    ve(m, l) {
      const vcpu = l.vcpu as Ref;
      const guest = guestOf(vcpu);
      if (guest_cpu.ve_valid.get(m, guest) && !guest_cpu.stay_in_ve.get(m, guest)) {
        tdg_vp_veinfo_get(m, vcpu);
        if (nmiWindow(m, vcpu)) return at.boundary; // an NMI that has waited for this comes first: TDXM-NMI-7
      }
      const handles = guest_cpu.ve_fetched.get(m, guest) === 1;
      const op = (handles ? guest_cpu.ve_op : guest_cpu.op).get(m, guest);
      guest_cpu.ve_fetched.set(m, guest, 0);
      if (!handles) guest_cpu.op.set(m, guest, cpu.OP_NONE);
      else if (op === cpu.OP_NONE) return at.boundary; // nothing that the host could do
      operands(m, guest, op);
      if (guest_cpu.rcx.get(m, guest) & RCX_RESERVED) {
        guest_cpu.rax.set(m, guest, TDX_STATUS.OPERAND_INVALID, TDX_OPERAND.RCX);
        m.emit(tdcall_refused, kvm_vcpu.id.get(m, l.vcpu as Ref), guest_cpu.rcx.get(m, guest));
        return at.boundary;
      }
      return m.ret(EXIT_TDCALL);
    },
  }),
);

/** The firmware and the system's first instructions are behind it: paging, PAE and long mode are on. */
function enterLongMode(m: Machine, vcpu: Ref): void {
  const state = guestStateOf(vcpu);
  vmcs_guest_state.cr0.set(m, state, 0x8000_0011);
  vmcs_guest_state.cr4.set(m, state, 0x20);
  vmcs_guest_state.efer.set(m, state, 0x500);
}

/** Leaves the guest with `reason`, or goes on at step `next` when there is none. */
const leave = (m: Machine, reason: number, next: number): number => (reason < 0 ? next : m.ret(reason));

/** The guest's handler of a vector begins. */
function takeIrq(m: Machine, vcpu: Ref, vector: number): void {
  const guest = guestOf(vcpu);
  guest_cpu.irqs.set(m, guest, guest_cpu.irqs.get(m, guest) + 1);
  m.emit(guest_takes_irq, kvm_vcpu.id.get(m, vcpu), vector);
}

/** The vector that makes the processor look into the PIR: of a TD the one in its VMCS, while posting is on. @source TDXM-MODE-13, TDXM-MODE-14 */
function isNotification(m: Machine, vcpu: Ref, vector: number): boolean {
  if (!is_td_vcpu(m, vcpu)) return virtualizesApic(m, vcpu) && vector === POSTED_INTR_VECTOR;
  const ofTd = tdvps.vmcs.at(tdvpsOf(vcpu));
  return posted_intr_vmcs.pin_bit.get(m, ofTd) === 1 && posted_intr_vmcs.nv.get(m, ofTd) === vector;
}

/** NMI-window exiting, which the TDX module controls for a TD and KVM for a plain guest. @source tdx:NMI-10, x86:VMX-2 */
function nmiWindow(m: Machine, vcpu: Ref): boolean {
  const guest = guestOf(vcpu);
  if (guest_cpu.in_nmi.get(m, guest) || guest_cpu.mov_ss_blocking.get(m, guest)) return false;
  return is_td_vcpu(m, vcpu)
    ? tdvps.nmi_window.get(m, tdvpsOf(vcpu)) === 1
    : vmcs.cpu_based.test(m, vmcsOf(vcpu), CPU_BASED_NMI_WINDOW_EXITING) === 1;
}

/** Interrupt-window exiting: interrupts are open, and no instruction before holds them back. @source x86:VMX-2 */
function irqWindow(m: Machine, vcpu: Ref): boolean {
  const guest = guestOf(vcpu);
  return (
    vmcs.cpu_based.test(m, vmcsOf(vcpu), CPU_BASED_INTR_WINDOW_EXITING) === 1 &&
    guest_cpu.if.get(m, guest) === 1 &&
    !inShadow(m, guest)
  );
}

/**
 * Nothing to execute: the guest idles until an event of its CPU or a new instruction wakes the thread. An event that
 * came after the boundary has woken nobody, so it is looked for once more.
 */
function parkAtBoundary(m: Machine, here: Ref, boundary: number): number {
  const waits =
    pcpu.irr.highest(m, here) >= 0 ||
    pcpu.init_pending.get(m, here) === 1 ||
    pcpu.mce_pending.get(m, here) === 1 ||
    pcpu.smi_pending.get(m, here) === 1 ||
    pcpu.nmi_pending.get(m, here) === 1;
  if (!waits) m.block('in-guest');
  return boundary;
}

/** Gives the guest an instruction. @returns whether it executes now, or waits for the vCPU to run. */
export function giveInstruction(
  m: Machine,
  vcpu: Ref,
  op: number,
  msr = 0,
  hi = 0,
  lo = 0,
): 'executes' | 'queued' | 'busy' {
  const guest = guestOf(vcpu);
  if (guest_cpu.op.get(m, guest) !== cpu.OP_NONE) return 'busy';
  guest_cpu.op.set(m, guest, op);
  guest_cpu.msr.set(m, guest, msr);
  guest_cpu.value.set(m, guest, hi, lo);
  const t = kvm_vcpu.thread.get(m, vcpu) as Ref;
  const running = inNonRoot(m, thread.cpu.get(m, t) as Ref);
  if (running) m.wake(t);
  return running ? 'executes' : 'queued';
}
