import type { Ref } from '../machine/layout';
import { thread, type Machine } from '../machine/machine';
import { routine } from '../machine/routine';
import { event } from '../machine/trace';
import { HOST_KERNEL, pcpu, SEAM_ROOT } from '../platform/pcpu';
import { kvmOf, moduleOf, seam_fault, seamFaultRef, tdvpsOf } from '../kvm/kvm_host';
import { hostTakesNmi, hostTakesSmi } from '../kvm/vmx/common';
import {
  SEAMCALL_LEAVES,
  TDX_OPERAND,
  TDX_STATUS,
  type SeamcallLeaf,
  type TdxOperand,
  type TdxStatus,
} from '../names';
import * as tdx from './tdx_module';
import { tdr, tdvps } from './tdx_module';

/** How a SEAMCALL goes: into the module, the checks that many leaves share, the work, and back. */

/** A leaf number that no leaf has. */
export const NO_LEAF = 0xffff;
const LEAF_NAMES: Readonly<Record<number, string>> = {
  ...Object.fromEntries(Object.entries(SEAMCALL_LEAVES).map(([name, number]) => [number, name])),
  [NO_LEAF]: 'NONE',
};
export const seamcall = event(
  'seamcall',
  'mark',
  'NUM-25',
  { leaf: LEAF_NAMES },
  '{leaf}',
  '{who}: SEAMCALL {leaf}: the TDX module takes over the CPU.',
);
export const seamret = event('seamret', 'mark', 'NUM-21', { leaf: LEAF_NAMES, rax: 'u64' }, '{leaf} rax {rax}',
  '{who}: the TDX module returns {rax} from {leaf}.'); // prettier-ignore
const seam_fault_used = event('seam_fault_used', 'mark', 'simulator', { leaf: LEAF_NAMES, rax: 'u64' }, '{leaf} rax {rax}',
  '{leaf} is made to end with {rax}; the TDX module does nothing.'); // prettier-ignore

/** The CPU on which the current thread runs. */
export function cpuOf(m: Machine): Ref {
  return thread.cpu.get(m, m.thread) as Ref;
}

/** Takes the status that this leaf is made to end with, if there is one. */
export function takeFault(m: Machine, number: number): boolean {
  const ref = seamFaultRef(m);
  const times = seam_fault.times.get(m, ref);
  if (times === 0 || seam_fault.leaf.get(m, ref) !== number) return false;
  seam_fault.times.set(m, ref, times - 1);
  const hi = seam_fault.status.hi(m, ref);
  const lo = seam_fault.status.lo(m, ref);
  thread.rax.set(m, m.thread, hi, lo);
  m.emit(seam_fault_used, number, hi, lo);
  return true;
}

/** The CPU goes back to the host, which now takes what waited: an SMI first, then an NMI. @source TDXM-MODE-8 */
export function returnToHost(m: Machine): void {
  const here = cpuOf(m);
  pcpu.context.set(m, here, HOST_KERNEL);
  hostTakesSmi(m, here);
  if (pcpu.nmi_pending.get(m, here) && !pcpu.nmi_blocked.get(m, here)) {
    pcpu.nmi_pending.set(m, here, 0);
    hostTakesNmi(m, here);
  }
}

// Checks ---------------------------------------------------------------------------------------------------------

/** Ends the leaf with a status; `operand` is its low half. */
export function refuse(m: Machine, status: TdxStatus, operand: TdxOperand | number = 0): false {
  const low = typeof operand === 'number' ? operand : TDX_OPERAND[operand];
  thread.rax.set(m, m.thread, TDX_STATUS[status], low);
  return false;
}

/** Ends the leaf with TDX_SUCCESS. */
export function succeed(m: Machine): true {
  thread.rax.set(m, m.thread, 0, 0);
  return true;
}

export type LockMode = 'shared' | 'exclusive';

/**
 * The page of the TD's root, named by `operand`, and its lock. A vCPU that is inside TDH.VP.ENTER holds it shared.
 *
 * @source TDXM-LIFE-11, TDXM-ENTER-26, TDXM-ENTER-27
 */
export function lockTd(m: Machine, module: Ref, mode: LockMode, operand: TdxOperand): boolean {
  const lifecycle = tdr.lifecycle.get(m, module);
  if (lifecycle === tdx.TD_NONE || lifecycle === tdx.TD_RECLAIMED)
    return refuse(m, 'PAGE_METADATA_INCORRECT', operand);
  if (mode === 'exclusive' && tdr.shared.get(m, module) > 0) return refuse(m, 'OPERAND_BUSY', operand);
  return true;
}

/** The page of the vCPU's root, named by `operand`, and its lock. @source TDXM-LIFE-11, TDXM-ENTER-26 */
export function lockVcpu(m: Machine, vcpu: Ref, mode: LockMode, operand: TdxOperand): boolean {
  const ref = tdvpsOf(vcpu);
  if (tdvps.state.get(m, ref) === tdx.VCPU_NONE) return refuse(m, 'PAGE_METADATA_INCORRECT', operand);
  if (mode === 'exclusive' && tdvps.shared.get(m, ref)) return refuse(m, 'OPERAND_BUSY', operand);
  return true;
}

/** The check that most leaves on a TD make first. @source TDXM-LIFE-8 */
export function usableTd(m: Machine, module: Ref, opStates: readonly number[]): boolean {
  if (tdr.fatal.get(m, module)) return refuse(m, 'TD_FATAL');
  if (tdr.lifecycle.get(m, module) !== tdx.TD_KEYS_CONFIGURED) return refuse(m, 'TD_KEYS_NOT_CONFIGURED');
  if (tdr.tdcx.get(m, module) < tdx.TDCX_MIN) return refuse(m, 'TDCS_NOT_ALLOCATED');
  return opStates.includes(tdr.op_state.get(m, module)) || refuse(m, 'OP_STATE_INCORRECT');
}

/** A vCPU with all its pages in one of these states; it then belongs to the CPU `here`. @source TDXM-VCPU-7, TDXM-VCPU-14 */
export function usableVcpu(m: Machine, vcpu: Ref, states: readonly number[], here: Ref): boolean {
  const ref = tdvpsOf(vcpu);
  if (tdvps.pages.get(m, ref) !== tdx.TDVPS_PAGES) return refuse(m, 'TDCX_NUM_INCORRECT');
  if (!states.includes(tdvps.state.get(m, ref))) return refuse(m, 'VCPU_STATE_INCORRECT');
  return associate(m, vcpu, here);
}

/** A free vCPU is taken for the CPU; only TDH.VP.FLUSH gives it up. @source TDXM-VCPU-4 to TDXM-VCPU-6 */
export function associate(m: Machine, vcpu: Ref, here: Ref): boolean {
  const ref = tdvpsOf(vcpu);
  const lp = 1 + pcpu.index.get(m, here);
  const owner = tdvps.assoc.get(m, ref);
  if (owner === lp) return true;
  if (owner !== 0) return refuse(m, 'VCPU_ASSOCIATED');
  const module = moduleOf(kvmOf(m, vcpu));
  tdvps.assoc.set(m, ref, lp);
  tdr.num_assoc_vcpus.set(m, module, tdr.num_assoc_vcpus.get(m, module) + 1);
  return true;
}

// The leaf itself ------------------------------------------------------------------------------------------------

/** The work of a leaf. It ends with `succeed` or `refuse`; `arg` is an operand where there is one. */
export type LeafBody = (m: Machine, target: Ref, arg: number) => boolean;

/** A leaf whose work is one step: SEAMCALL, body, SEAMRET. Answers 0 or 1, the status is in RAX. */
export const leaf = (name: SeamcallLeaf | 'NONE', source: string, doc: string, body: LeafBody) => {
  const number = name === 'NONE' ? NO_LEAF : SEAMCALL_LEAVES[name];
  return routine(
    {
      name: name === 'NONE' ? 'seamcall_refused' : name.toLowerCase().replaceAll('.', '_'),
      layer: 'seam',
      source,
      args: ['target', 'arg'],
      steps: {
        seamcall: ['SEAMCALL: the CPU enters SEAM root mode.', 'TDXM-MODE-3'],
        execute: [doc, source],
        seamret: ['SEAMRET to the host, which takes what has waited meanwhile.', 'TDXM-MODE-8'],
      },
    },
    (at) => ({
      seamcall(m) {
        m.emit(seamcall, number);
        pcpu.context.set(m, cpuOf(m), SEAM_ROOT);
        return at.execute;
      },
      execute(m, l) {
        if (!takeFault(m, number)) body(m, l.target as Ref, l.arg);
        return at.seamret;
      },
      seamret(m) {
        const { rax } = thread;
        m.emit(seamret, number, rax.hi(m, m.thread), rax.lo(m, m.thread));
        returnToHost(m);
        return m.ret(rax.hi(m, m.thread) === 0 ? 0 : 1);
      },
    }),
  );
};
