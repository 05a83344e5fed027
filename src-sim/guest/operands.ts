import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import * as cpu from './cpu';
import { guest_cpu } from './cpu';

/** Leaves of TDG.VP.VMCALL that stand for an instruction carry the number of its exit reason. @source EXIT-2 */
const LEAF: Readonly<Record<number, number>> = {
  [cpu.OP_CPUID]: 10,
  [cpu.OP_HLT]: 12,
  [cpu.OP_IO]: 30,
  [cpu.OP_RDMSR]: 31,
  [cpu.OP_WRMSR]: 32,
  [cpu.OP_MMIO]: 48,
};
/** R10 to R15. @source TDXM-OUT-15 */
export const PASS_R10_TO_R15 = 0xfc00;

/**
 * The #VE handler puts the operands of the instruction into the registers of the TDVMCALL. Those of CPUID, I/O and MMIO
 * are there already, and so is everything of a TDVMCALL that the guest makes by itself.
 */
export function operands(m: Machine, guest: Ref, op: number): void {
  const leaf = LEAF[op];
  if (leaf === undefined) return;
  guest_cpu.rcx.set(m, guest, PASS_R10_TO_R15);
  guest_cpu.r10.set(m, guest, 0, 0);
  guest_cpu.r11.set(m, guest, 0, leaf);
  if (op === cpu.OP_HLT) guest_cpu.r12.set(m, guest, 0, 1 - guest_cpu.if.get(m, guest));
  if (op !== cpu.OP_RDMSR && op !== cpu.OP_WRMSR) return;
  guest_cpu.r12.set(m, guest, 0, guest_cpu.msr.get(m, guest));
  guest_cpu.r13.set(m, guest, guest_cpu.value.hi(m, guest), guest_cpu.value.lo(m, guest));
}
