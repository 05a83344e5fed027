import { kvmOf, moduleOf } from '../kvm/kvm_host';
import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { routine, type Routine } from '../machine/routine';
import {
  SEAMCALL_LEAVES, TD_FIELDS, TDVPS_FIELDS, type SeamcallLeaf, type TdField, type TdvpsField,
} from '../names'; // prettier-ignore
import { tdh_mng_rd, tdh_vp_rd, tdh_vp_wr } from './fields';
import { pcpu, USERSPACE } from '../platform/pcpu';
import { cpuOf, leaf, NO_LEAF, refuse } from './leaf';
import * as leaves from './leaves';
import { tdr } from './tdx_module';

/** A SEAMCALL that the host makes past KVM: any leaf but TDH.VP.ENTER, with any operands, from any CPU. */

type Leaf = Routine<'target' | 'arg'>;
type Name = Exclude<SeamcallLeaf, 'TDH.VP.ENTER'>;

/** Leaves whose target is a TD. */
const ON_TD: Partial<Record<Name, Leaf>> = {
  'TDH.MNG.CREATE': leaves.tdh_mng_create,
  'TDH.MNG.KEY.CONFIG': leaves.tdh_mng_key_config,
  'TDH.MNG.ADDCX': leaves.tdh_mng_addcx,
  'TDH.MNG.INIT': leaves.tdh_mng_init,
  'TDH.MEM.PAGE.ADD': leaves.tdh_mem_page_add,
  'TDH.MEM.PAGE.AUG': leaves.tdh_mem_page_aug,
  'TDH.MR.FINALIZE': leaves.tdh_mr_finalize,
  'TDH.MNG.RD': tdh_mng_rd,
  'TDH.MNG.VPFLUSHDONE': leaves.tdh_mng_vpflushdone,
  'TDH.PHYMEM.CACHE.WB': leaves.tdh_phymem_cache_wb,
  'TDH.MNG.KEY.FREEID': leaves.tdh_mng_key_freeid,
  'TDH.MNG.KEY.RECLAIMID': leaves.tdh_mng_key_reclaimid,
  'TDH.PHYMEM.PAGE.RECLAIM': leaves.tdh_phymem_page_reclaim,
};
/** Leaves whose target is a vCPU. */
const ON_VCPU: Partial<Record<Name, Leaf>> = {
  'TDH.VP.CREATE': leaves.tdh_vp_create,
  'TDH.VP.ADDCX': leaves.tdh_vp_addcx,
  'TDH.VP.INIT': leaves.tdh_vp_init,
  'TDH.VP.FLUSH': leaves.tdh_vp_flush,
  'TDH.VP.RD': tdh_vp_rd,
  'TDH.VP.WR': tdh_vp_wr,
};
/** Leaves that have a version 1. @source TDXM-MODE-28 */
const VERSIONED: readonly number[] = [11, 22, 26];

const RESERVED_BIT = 0x100_0000;

/** RAX of a SEAMCALL. @source TDXM-MODE-26 */
export function packRax(name: SeamcallLeaf | 'NONE', version: number, reserved: boolean): number {
  const number = name === 'NONE' ? NO_LEAF : SEAMCALL_LEAVES[name];
  return number | (version << 16) | (reserved ? RESERVED_BIT : 0);
}

/** The operand besides R8 and R9 that the leaf takes. */
export function operandOf(a: {
  readonly leaf: SeamcallLeaf | 'NONE';
  readonly field: TdvpsField | TdField;
  readonly value: number;
  readonly root: boolean;
}): number {
  switch (a.leaf) {
    case 'TDH.VP.RD':
    case 'TDH.VP.WR':
      return TDVPS_FIELDS.indexOf(a.field as TdvpsField);
    case 'TDH.MNG.RD':
      return TD_FIELDS.indexOf(a.field as TdField);
    case 'TDH.PHYMEM.PAGE.RECLAIM':
      return a.root ? 1 : 0;
    case 'TDH.MEM.PAGE.AUG':
      return a.value % 8;
    case 'TDH.PHYMEM.CACHE.WB':
    case 'TDH.VP.INIT':
      return a.value | 0;
    default:
      return 0;
  }
}

/** What the dispatcher refuses before any leaf runs. @source TDXM-MODE-27 */
const refused = leaf(
  'NONE',
  'TDXM-MODE-27',
  'Reserved bits, a version that the leaf does not have, no such leaf.',
  (m) => refuse(m, 'OPERAND_INVALID', 'RAX'),
);

const BY_NUMBER = new Map<number, { readonly leaf: Leaf; readonly onTd: boolean }>();
for (const [table, onTd] of [[ON_TD, true], [ON_VCPU, false]] as const)
  for (const [name, routine] of Object.entries(table))
    BY_NUMBER.set(SEAMCALL_LEAVES[name as Name], { leaf: routine, onTd }); // prettier-ignore

function dispatch(m: Machine, next: number, vcpu: Ref, rax: number, operand: number): number {
  const number = rax & 0xffff;
  const version = (rax >>> 16) & 0xff;
  const found = BY_NUMBER.get(number);
  const wrong = (rax & RESERVED_BIT) !== 0 || (version > 0 && !VERSIONED.includes(number)) || !found;
  if (wrong) return m.call(next, refused, vcpu);
  return m.call(next, found.leaf, found.onTd ? kvmOf(m, vcpu) : vcpu, operand);
}

export const seamcall_past_kvm = routine(
  {
    name: 'seamcall_past_kvm',
    layer: 'hardware',
    source: 'TDXM-MODE-26',
    args: ['vcpu', 'rax', 'operand'],
    steps: {
      issue: ['Somebody other than KVM executes SEAMCALL.', 'TDXM-MODE-26'],
      done: ['The status is in RAX; KVM has not seen any of it.', 'TDXM-MODE-26'],
    },
  },
  (at) => ({
    issue(m, l) {
      const vcpu = l.vcpu as Ref;
      tdr.past_kvm.set(m, moduleOf(kvmOf(m, vcpu)), 1);
      return dispatch(m, at.done, vcpu, l.rax, l.operand);
    },
    done(m) {
      pcpu.context.set(m, cpuOf(m), USERSPACE);
      return m.ret(0);
    },
  }),
);
