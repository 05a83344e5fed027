import { guestOf, kvm_vcpu, kvmOf, moduleOf, tdvpsOf } from '../kvm/kvm_host';
import { pend_nmi_kept, pend_nmi_set } from '../kvm/trace';
import { vmxip } from '../guest/cpu';
import type { Ref, Word64 } from '../machine/layout';
import { thread, type Machine } from '../machine/machine';
import type { Routine } from '../machine/routine';
import { TD_FIELDS, TDVPS_FIELDS, type TdField, type TdvpsField } from '../names';
import { posted_intr_vmcs } from '../platform/posted_intr';
import { cpuOf, leaf, lockTd, lockVcpu, refuse, succeed, usableTd, usableVcpu } from './leaf';
import * as tdx from './tdx_module';
import { tdr, tdvps } from './tdx_module';

/** What the host may read and write of a TD and its vCPUs: TDH.MNG.RD, TDH.VP.RD, TDH.VP.WR. */

/** High and low half. */
type Halves = readonly [hi: number, lo: number];
const NO_BITS: Halves = [0, 0];
const ALL_ONES = 0xffff_ffff;

interface VcpuField {
  /** Absent: the host of a production TD may not read it. */
  readonly read?: (m: Machine, vcpu: Ref) => Halves;
  /** Bits that the host may write. */
  readonly writable: Halves;
  /** Checks and writes the new value; `lo` has only bits that may be written, and the others as they were. */
  readonly write?: (m: Machine, vcpu: Ref, hi: number, lo: number) => boolean;
}

const vmcsOf = (vcpu: Ref): Ref => tdvps.vmcs.at(tdvpsOf(vcpu));

/** Pin-based controls as TDH.VP.INIT sets them: external-interrupt and NMI exiting, virtual NMIs. @source TDXM-APIC-2 */
const PIN_BASED_INITIAL = 0x29;
const PROCESS_POSTED_INTERRUPTS = 0x80;
const NV_UNSET = 0xffff;
/** VMCS encodings that TDX_TD_VMCS_FIELD_NOT_INITIALIZED names. @source TDXM-APIC-11 */
const VMCS_POSTED_INTR_NV = 0x0002;
const VMCS_POSTED_INTR_DESC_ADDR = 0x2016;
/** Bits 63 to 46 of a physical address: beyond MAXPA, or a private key id. @source TDXM-APIC-10 */
const NOT_SHARED_MEMORY = 0xffff_c000;

/** A number of up to 32 bits that can only be read. */
const readOnly = (read: (m: Machine, vcpu: Ref) => number): VcpuField => ({
  read: (m, vcpu) => [0, read(m, vcpu)],
  writable: NO_BITS,
});
const HIDDEN: VcpuField = { writable: NO_BITS };

const FIELDS: Readonly<Record<Exclude<TdvpsField, 'UNKNOWN'>, VcpuField>> = {
  POSTED_INTR_NV: {
    read: (m, vcpu) => [0, posted_intr_vmcs.nv.get(m, vmcsOf(vcpu))],
    writable: [0, 0xffff],
    write(m, vcpu, _hi, lo) {
      if (lo > 0xff) return refuse(m, 'METADATA_FIELD_VALUE_NOT_VALID'); // TDXM-APIC-9
      posted_intr_vmcs.nv.set(m, vmcsOf(vcpu), lo);
      return true;
    },
  },
  POSTED_INTR_DESC_ADDR: {
    read: (m, vcpu) => halves(m, posted_intr_vmcs.desc_addr, vmcsOf(vcpu)),
    writable: [ALL_ONES, ALL_ONES],
    write(m, vcpu, hi, lo) {
      const usable = (hi & NOT_SHARED_MEMORY) === 0 && (lo & 0x3f) === 0; // 64-byte alignment: TDXM-APIC-10
      if (!usable) return refuse(m, 'METADATA_FIELD_VALUE_NOT_VALID');
      posted_intr_vmcs.desc_addr.set(m, vmcsOf(vcpu), hi, lo);
      return true;
    },
  },
  PIN_BASED_CONTROLS: {
    read: (m, vcpu) => [
      0,
      PIN_BASED_INITIAL | (posted_intr_vmcs.pin_bit.get(m, vmcsOf(vcpu)) ? PROCESS_POSTED_INTERRUPTS : 0),
    ],
    writable: [0, PROCESS_POSTED_INTERRUPTS],
    write(m, vcpu, _hi, lo) {
      const vmcs = vmcsOf(vcpu);
      const on = (lo & PROCESS_POSTED_INTERRUPTS) !== 0;
      if (on && posted_intr_vmcs.nv.get(m, vmcs) === NV_UNSET)
        return refuse(m, 'TD_VMCS_FIELD_NOT_INITIALIZED', VMCS_POSTED_INTR_NV);
      if (on && posted_intr_vmcs.desc_addr.hi(m, vmcs) === ALL_ONES)
        return refuse(m, 'TD_VMCS_FIELD_NOT_INITIALIZED', VMCS_POSTED_INTR_DESC_ADDR);
      posted_intr_vmcs.pin_bit.set(m, vmcs, on ? 1 : 0);
      return true;
    },
  },
  PEND_NMI: {
    read: (m, vcpu) => [0, tdvps.pend_nmi.get(m, tdvpsOf(vcpu))],
    writable: [0, 0xff],
    write(m, vcpu, _hi, lo) {
      const ref = tdvpsOf(vcpu);
      if (lo !== 0) m.emit(tdvps.pend_nmi.get(m, ref) ? pend_nmi_kept : pend_nmi_set, kvm_vcpu.id.get(m, vcpu));
      tdvps.pend_nmi.set(m, ref, lo === 0 ? 0 : 1); // there is no count: TDXM-NMI-1
      return true;
    },
  },
  VCPU_STATE_DETAILS: readOnly((m, vcpu) => (vmxip(m, guestOf(vcpu)) ? 1 : 0)), // bit 0 is VMXIP, the others 0
  VCPU_INDEX: readOnly((m, vcpu) => tdvps.index.get(m, tdvpsOf(vcpu))),
  ASSOC_LPID: readOnly((m, vcpu) => tdvps.assoc.get(m, tdvpsOf(vcpu)) - 1),
  VCPU_STATE: HIDDEN,
  VIRTUAL_APIC_PAGE: HIDDEN,
  EOI_EXIT_BITMAP: HIDDEN,
  ENTRY_INTERRUPTION_INFO: HIDDEN,
}; // prettier-ignore

function halves(m: Machine, field: Word64, ref: Ref): Halves {
  return [field.hi(m, ref), field.lo(m, ref)];
}

/** The field of that number, or null after TDX_METADATA_FIELD_ID_INCORRECT. */
function fieldOf(m: Machine, index: number): VcpuField | null {
  const name = TDVPS_FIELDS[index] ?? 'UNKNOWN';
  if (name !== 'UNKNOWN') return FIELDS[name];
  refuse(m, 'METADATA_FIELD_ID_INCORRECT');
  return null;
}

/** The checks that TDH.VP.RD and TDH.VP.WR share. @source TDXM-VCPU-14 */
function reaches(m: Machine, vcpu: Ref, opStates: readonly number[], states: readonly number[]): boolean {
  const module = moduleOf(kvmOf(m, vcpu));
  return (
    lockVcpu(m, vcpu, 'shared', 'RCX') &&
    lockTd(m, module, 'shared', 'TDR') &&
    usableTd(m, module, opStates) &&
    usableVcpu(m, vcpu, states, cpuOf(m))
  );
}

/** `arg`: field. The value comes back in R8. @source TDXM-VCPU-8, TDXM-VCPU-13 */
export const tdh_vp_rd = leaf('TDH.VP.RD', 'TDXM-VCPU-13', 'Check and read one field of the vCPU.', (m, vcpu, index) => {
  if (!reaches(m, vcpu, [tdx.OP_INITIALIZED, tdx.OP_RUNNABLE], [tdx.VCPU_READY, tdx.VCPU_DISABLED])) return false;
  const field = fieldOf(m, index);
  if (field === null) return false;
  if (!field.read) return refuse(m, 'METADATA_FIELD_NOT_READABLE');
  thread.r8.set(m, m.thread, ...field.read(m, vcpu));
  return succeed(m);
}); // prettier-ignore

/** `arg`: field; R8 is the value, R9 the mask of the bits to write, and the old value comes back in R8. @source TDXM-VCPU-13, TDXM-VCPU-15 */
export const tdh_vp_wr = leaf('TDH.VP.WR', 'TDXM-VCPU-13', 'Check and write one field of the vCPU.', (m, vcpu, index) => {
  if (!reaches(m, vcpu, [tdx.OP_INITIALIZED, tdx.OP_RUNNABLE], [tdx.VCPU_READY])) return false;
  const field = fieldOf(m, index);
  if (field === null) return false;
  const [valueHi, valueLo] = halves(m, thread.r8, m.thread);
  const [maskHi, maskLo] = halves(m, thread.r9, m.thread);
  const [writableHi, writableLo] = field.writable;
  const writes = (writableHi & maskHi) !== 0 || (writableLo & maskLo) !== 0;
  if (!field.read || !field.write || !writes) return refuse(m, 'METADATA_FIELD_NOT_WRITABLE');
  const [oldHi, oldLo] = field.read(m, vcpu);
  const changes = (((valueLo ^ oldLo) & maskLo & ~writableLo) | ((valueHi ^ oldHi) & maskHi & ~writableHi)) !== 0;
  if (changes) return refuse(m, 'METADATA_FIELD_VALUE_NOT_VALID');
  const merge = (old: number, value: number, mask: number): number => ((old & ~mask) | (value & mask)) >>> 0;
  if (!field.write(m, vcpu, merge(oldHi, valueHi, maskHi), merge(oldLo, valueLo, maskLo))) return false;
  thread.r8.set(m, m.thread, oldHi, oldLo);
  return succeed(m);
}); // prettier-ignore

const TD_FIELD_READ: Readonly<Record<TdField, (m: Machine, module: Ref) => number>> = {
  FATAL: (m, module) => tdr.fatal.get(m, module), // 1 is never read: the check before refuses a fatal TD (TDXM-LIFE-6)
  LIFECYCLE_STATE: (m, module) => tdr.lifecycle.get(m, module) - tdx.TD_HKID_ASSIGNED,
  OP_STATE: (m, module) => tdr.op_state.get(m, module),
};

/** `arg`: field. The value comes back in R8. @source TDXM-LIFE-5 */
export const tdh_mng_rd = leaf('TDH.MNG.RD', 'TDXM-LIFE-5', 'Check and read one field of the TD.', (m, vm, index) => {
  const module = moduleOf(vm);
  if (!lockTd(m, module, 'shared', 'RCX') || !usableTd(m, module, [tdx.OP_INITIALIZED, tdx.OP_RUNNABLE])) return false;
  const name = TD_FIELDS[index];
  if (name === undefined) return refuse(m, 'METADATA_FIELD_ID_INCORRECT');
  thread.r8.set(m, m.thread, 0, TD_FIELD_READ[name](m, module));
  return succeed(m);
}); // prettier-ignore

/** As KVM writes a field: all bits that it has. Use as the step's answer, like `m.call`. @source VCPU-10, tdx:NMI-5 */
export function td_vp_write(
  m: Machine,
  next: number,
  vcpu: Ref,
  name: TdvpsField,
  hi: number,
  lo: number,
  mask: number = ALL_ONES,
): number {
  thread.r8.set(m, m.thread, hi, lo);
  thread.r9.set(m, m.thread, mask === ALL_ONES ? ALL_ONES : 0, mask);
  return m.call(next, tdh_vp_wr as Routine<'target' | 'arg'>, vcpu, TDVPS_FIELDS.indexOf(name));
}
