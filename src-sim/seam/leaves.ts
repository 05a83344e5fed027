import { guest_page, kvm, kvmOf, moduleOf, pageAt, SEPT_FREE, SEPT_PENDING, tdvpsOf } from '../kvm/kvm_host';
import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { pcpu } from '../platform/pcpu';
import { posted_intr_vmcs } from '../platform/posted_intr';
import { associate, cpuOf, leaf, lockTd, lockVcpu, refuse, succeed, usableTd } from './leaf';
import * as tdx from './tdx_module';
import { tdr, tdvps } from './tdx_module';

/** The SEAMCALL leaves that build a TD and take it down. Numbers: NUM-25. Entry and fields have files of their own. */

const BUILDING = [tdx.OP_INITIALIZED];

function addPages(m: Machine, module: Ref, pages: number): void {
  tdr.chldcnt.set(m, module, tdr.chldcnt.get(m, module) + pages);
}

export const tdh_mng_create = leaf('TDH.MNG.CREATE', 'TDXM-BUILD-1', 'Make the TD root and give it a key id.', (m, vm) => {
  const module = moduleOf(vm);
  if (tdr.lifecycle.get(m, module) !== tdx.TD_NONE) return refuse(m, 'PAGE_METADATA_INCORRECT', 'RCX');
  tdr.lifecycle.set(m, module, tdx.TD_HKID_ASSIGNED);
  return succeed(m);
}); // prettier-ignore

/** The machine has one package: once is enough. @source TDXM-BUILD-2 */
export const tdh_mng_key_config = leaf('TDH.MNG.KEY.CONFIG', 'TDXM-BUILD-2', 'Configure the key on this package.', (m, vm) => {
  const module = moduleOf(vm);
  if (!lockTd(m, module, 'exclusive', 'RCX')) return false;
  if (tdr.fatal.get(m, module)) return refuse(m, 'TD_FATAL');
  if (tdr.lifecycle.get(m, module) !== tdx.TD_HKID_ASSIGNED) return refuse(m, 'LIFECYCLE_STATE_INCORRECT');
  tdr.lifecycle.set(m, module, tdx.TD_KEYS_CONFIGURED);
  return succeed(m);
}); // prettier-ignore

/** The first call stands for those that add the pages that a TD needs; each further one adds a page. @source TDXM-BUILD-3 */
export const tdh_mng_addcx = leaf('TDH.MNG.ADDCX', 'TDXM-BUILD-3', 'Add control pages to the TD.', (m, vm) => {
  const module = moduleOf(vm);
  if (!lockTd(m, module, 'exclusive', 'RDX')) return false;
  if (tdr.fatal.get(m, module)) return refuse(m, 'TD_FATAL');
  if (tdr.lifecycle.get(m, module) !== tdx.TD_KEYS_CONFIGURED) return refuse(m, 'TD_KEYS_NOT_CONFIGURED');
  const pages = tdr.tdcx.get(m, module);
  if (pages >= tdx.TDCX_MIN && tdr.op_state.get(m, module) !== tdx.OP_UNINITIALIZED)
    return refuse(m, 'OP_STATE_INCORRECT');
  if (pages >= tdx.TDCX_MAX) return refuse(m, 'TDCX_NUM_INCORRECT');
  const more = pages === 0 ? tdx.TDCX_MIN : 1;
  tdr.tdcx.set(m, module, pages + more);
  addPages(m, module, more);
  return succeed(m);
}); // prettier-ignore

export const tdh_mng_init = leaf('TDH.MNG.INIT', 'TDXM-BUILD-4', 'Take attributes and XFAM; OP_STATE becomes INITIALIZED.', (m, vm) => {
  const module = moduleOf(vm);
  if (!lockTd(m, module, 'exclusive', 'RCX') || !usableTd(m, module, [tdx.OP_UNINITIALIZED])) return false;
  tdr.op_state.set(m, module, tdx.OP_INITIALIZED);
  return succeed(m);
}); // prettier-ignore

export const tdh_mem_page_add = leaf('TDH.MEM.PAGE.ADD', 'VCPU-11', 'Copy, encrypt and measure initial pages.', (m, vm) => {
  const module = moduleOf(vm);
  if (!lockTd(m, module, 'exclusive', 'RDX') || !usableTd(m, module, BUILDING)) return false;
  tdr.pages.set(m, module, tdr.pages.get(m, module) + 1);
  addPages(m, module, 1);
  return succeed(m);
}); // prettier-ignore

/** The count alone decides, also one that a refused TDH.VP.INIT has left behind. @source TDXM-BUILD-14, TDXM-BUILD-15 */
export const tdh_mr_finalize = leaf('TDH.MR.FINALIZE', 'TDXM-BUILD-14', 'End the measurement; OP_STATE becomes RUNNABLE.', (m, vm) => {
  const module = moduleOf(vm);
  if (!lockTd(m, module, 'exclusive', 'RCX') || !usableTd(m, module, BUILDING)) return false;
  if (tdr.num_vcpus.get(m, module) === 0) return refuse(m, 'NO_VCPUS');
  tdr.op_state.set(m, module, tdx.OP_RUNNABLE);
  return succeed(m);
}); // prettier-ignore

/** `arg`: page. Only an entry that is FREE takes a page; the guest has to accept it. @source TDXM-OPST-7, VCPU-11 */
export const tdh_mem_page_aug = leaf('TDH.MEM.PAGE.AUG', 'TDXM-OPST-7', 'Map a page into the TD; its entry becomes PENDING.', (m, vm, page) => {
  const module = moduleOf(vm);
  const ref = pageAt(vm, page);
  if (!lockTd(m, module, 'shared', 'RDX')) return false;
  if (!usableTd(m, module, [tdx.OP_INITIALIZED, tdx.OP_RUNNABLE])) return false;
  if (guest_page.sept.get(m, ref) !== SEPT_FREE) return refuse(m, 'EPT_ENTRY_STATE_INCORRECT', 'RCX');
  guest_page.sept.set(m, ref, SEPT_PENDING);
  addPages(m, module, 1);
  return succeed(m);
}); // prettier-ignore

/**
 * Takes a page back from a TD. Stands for TDH.MEM.RANGE.BLOCK, TDH.MEM.TRACK and TDH.MEM.PAGE.REMOVE, which do nothing
 * to a fatal TD or one without its key.
 *
 * @source TDXM-INV-16, TDXM-MC-11
 */
export function tdh_mem_page_remove(m: Machine, vm: Ref, page: number): void {
  const module = moduleOf(vm);
  const ref = pageAt(vm, page);
  if (tdr.fatal.get(m, module) || tdr.lifecycle.get(m, module) !== tdx.TD_KEYS_CONFIGURED) return;
  if (guest_page.sept.get(m, ref) === SEPT_FREE) return;
  guest_page.sept.set(m, ref, SEPT_FREE);
  addPages(m, module, -1);
}

export const tdh_vp_create = leaf('TDH.VP.CREATE', 'TDXM-BUILD-6', 'Make the TDVPS root page.', (m, vcpu) => {
  const module = moduleOf(kvmOf(m, vcpu));
  if (tdvps.state.get(m, tdvpsOf(vcpu)) !== tdx.VCPU_NONE) return refuse(m, 'PAGE_METADATA_INCORRECT', 'RCX');
  if (!lockTd(m, module, 'shared', 'RDX') || !usableTd(m, module, BUILDING)) return false;
  tdvps.state.set(m, tdvpsOf(vcpu), tdx.VCPU_UNINITIALIZED);
  addPages(m, module, 1);
  return succeed(m);
}); // prettier-ignore

/** One call stands for all that are needed. @source TDXM-BUILD-7 */
export const tdh_vp_addcx = leaf('TDH.VP.ADDCX', 'TDXM-BUILD-7', 'Add the other TDVPS pages.', (m, vcpu) => {
  const module = moduleOf(kvmOf(m, vcpu));
  const ref = tdvpsOf(vcpu);
  if (!lockVcpu(m, vcpu, 'exclusive', 'RDX') || !lockTd(m, module, 'shared', 'TDR')) return false;
  if (!usableTd(m, module, BUILDING)) return false;
  if (tdvps.state.get(m, ref) !== tdx.VCPU_UNINITIALIZED) return refuse(m, 'VCPU_STATE_INCORRECT');
  if (tdvps.pages.get(m, ref) === tdx.TDVPS_PAGES) return refuse(m, 'TDCX_NUM_INCORRECT');
  tdvps.pages.set(m, ref, tdx.TDVPS_PAGES);
  addPages(m, module, tdx.TDVPS_PAGES);
  return succeed(m);
}); // prettier-ignore

/** Whether another vCPU of the TD has this x2APIC id. */
function isX2apicIdTaken(m: Machine, vcpu: Ref, id: number): boolean {
  const vm = kvmOf(m, vcpu);
  return m.vcpus.some((other) => {
    const ref = tdvpsOf(other);
    const ready = kvmOf(m, other) === vm && tdvps.state.get(m, ref) >= tdx.VCPU_READY;
    return ready && tdvps.x2apic_id.get(m, ref) === id;
  });
}

/** Version 1; `arg`: x2APIC id. Two of its errors leave the count of vCPUs too high. @source TDXM-BUILD-8 to TDXM-BUILD-10 */
export const tdh_vp_init = leaf('TDH.VP.INIT', 'TDXM-BUILD-10', 'Initialize registers, TD VMCS and virtual-APIC page; the vCPU is READY.',
  (m, vcpu, x2apicId) => {
    const vm = kvmOf(m, vcpu);
    const module = moduleOf(vm);
    const ref = tdvpsOf(vcpu);
    if (!lockVcpu(m, vcpu, 'exclusive', 'RCX') || !lockTd(m, module, 'exclusive', 'TDR')) return false;
    if (!usableTd(m, module, BUILDING)) return false;
    if (tdvps.pages.get(m, ref) !== tdx.TDVPS_PAGES) return refuse(m, 'TDCX_NUM_INCORRECT');
    if (tdvps.state.get(m, ref) !== tdx.VCPU_UNINITIALIZED) return refuse(m, 'VCPU_STATE_INCORRECT');
    const index = tdr.num_vcpus.get(m, module);
    if (index >= kvm.slots.get(m, vm)) return refuse(m, 'MAX_VCPUS_EXCEEDED');
    tdr.num_vcpus.set(m, module, index + 1);
    if (isX2apicIdTaken(m, vcpu, x2apicId)) return refuse(m, 'X2APIC_ID_NOT_UNIQUE', x2apicId);
    if (pcpu.tsc_adjusted.get(m, cpuOf(m))) return refuse(m, 'INCONSISTENT_MSR', MSR_IA32_TSC_ADJUST);
    tdvps.index.set(m, ref, index);
    tdvps.x2apic_id.set(m, ref, x2apicId);
    tdvps.state.set(m, ref, tdx.VCPU_READY);
    posted_intr_vmcs.nv.set(m, tdvps.vmcs.at(ref), 0xffff);
    posted_intr_vmcs.desc_addr.set(m, tdvps.vmcs.at(ref), 0xffff_ffff, 0xffff_ffff);
    associate(m, vcpu, cpuOf(m));
    return succeed(m);
  }); // prettier-ignore
export const MSR_IA32_TSC_ADJUST = 0x3b;

/** `arg`: 1 + number of the CPU on which the host executes it, by IPI; 0 for its own. Neither FATAL nor state matters. @source TDXM-TEAR-1, TDXM-TEAR-2 */
export const tdh_vp_flush = leaf('TDH.VP.FLUSH', 'TDXM-TEAR-1', 'Drop what this CPU keeps of the vCPU; it belongs to no CPU any more.', (m, vcpu, lp) => {
  const module = moduleOf(kvmOf(m, vcpu));
  const ref = tdvpsOf(vcpu);
  if (!lockVcpu(m, vcpu, 'exclusive', 'RCX') || !lockTd(m, module, 'shared', 'TDR')) return false;
  if (tdr.lifecycle.get(m, module) !== tdx.TD_KEYS_CONFIGURED) return refuse(m, 'TD_KEYS_NOT_CONFIGURED');
  if (tdvps.pages.get(m, ref) !== tdx.TDVPS_PAGES) return refuse(m, 'TDCX_NUM_INCORRECT');
  const here = lp === 0 ? 1 + pcpu.index.get(m, cpuOf(m)) : lp;
  if (tdvps.assoc.get(m, ref) !== here) return refuse(m, 'VCPU_NOT_ASSOCIATED');
  tdvps.assoc.set(m, ref, 0);
  tdr.num_assoc_vcpus.set(m, module, tdr.num_assoc_vcpus.get(m, module) - 1);
  return succeed(m);
}); // prettier-ignore

export const tdh_mng_vpflushdone = leaf('TDH.MNG.VPFLUSHDONE', 'TDXM-TEAR-4', 'Every vCPU is flushed: the key is blocked.', (m, vm) => {
  const module = moduleOf(vm);
  if (!lockTd(m, module, 'exclusive', 'RCX')) return false;
  if (tdr.lifecycle.get(m, module) > tdx.TD_KEYS_CONFIGURED) return refuse(m, 'LIFECYCLE_STATE_INCORRECT');
  if (tdr.num_assoc_vcpus.get(m, module) !== 0) return refuse(m, 'FLUSHVP_NOT_DONE');
  tdr.lifecycle.set(m, module, tdx.TD_BLOCKED);
  return succeed(m);
}); // prettier-ignore

/** `arg`: RCX, 0 to start, 1 to go on. Nothing interrupts it in the machine, so there is nothing to go on with. @source TDXM-TEAR-5 */
export const tdh_phymem_cache_wb = leaf('TDH.PHYMEM.CACHE.WB', 'TDXM-TEAR-5', 'Write back the cache lines of blocked keys on this package.', (m, vm, rcx) => {
  const module = moduleOf(vm);
  if (rcx > 1) return refuse(m, 'OPERAND_INVALID', 'RCX');
  if (rcx === 1) return refuse(m, 'WBCACHE_RESUME_ERROR');
  const waits = tdr.lifecycle.get(m, module) === tdx.TD_BLOCKED && tdr.flushed.get(m, module) === 0;
  if (!waits) return refuse(m, 'NO_HKID_READY_TO_WBCACHE');
  tdr.flushed.set(m, module, 1);
  return succeed(m);
}); // prettier-ignore

export const tdh_mng_key_freeid = leaf('TDH.MNG.KEY.FREEID', 'TDXM-TEAR-6', 'Free the key id; the pages of the TD may be reclaimed.', (m, vm) => {
  const module = moduleOf(vm);
  if (!lockTd(m, module, 'exclusive', 'RCX')) return false;
  if (tdr.lifecycle.get(m, module) !== tdx.TD_BLOCKED) return refuse(m, 'LIFECYCLE_STATE_INCORRECT');
  if (!tdr.flushed.get(m, module)) return refuse(m, 'WBCACHE_NOT_COMPLETE');
  tdr.lifecycle.set(m, module, tdx.TD_TEARDOWN);
  return succeed(m);
}); // prettier-ignore

/** Does nothing. @source TDXM-LEAF-1 */
export const tdh_mng_key_reclaimid = leaf(
  'TDH.MNG.KEY.RECLAIMID',
  'TDXM-LEAF-1',
  'Nothing: a leaf of former times.',
  (m) => succeed(m),
);

/** `arg`: 0 for one of the TD's pages, 1 for its root. @source TDXM-TEAR-7 */
export const tdh_phymem_page_reclaim = leaf('TDH.PHYMEM.PAGE.RECLAIM', 'TDXM-TEAR-7', 'Give a page of the TD back to the host.', (m, vm, root) => {
  const module = moduleOf(vm);
  if (!lockTd(m, module, root ? 'exclusive' : 'shared', root ? 'RCX' : 'TDR')) return false;
  const pages = tdr.chldcnt.get(m, module);
  if (!root && pages === 0) return refuse(m, 'PAGE_METADATA_INCORRECT', 'RCX');
  if (tdr.lifecycle.get(m, module) !== tdx.TD_TEARDOWN) return refuse(m, 'LIFECYCLE_STATE_INCORRECT');
  if (root && pages > 0) return refuse(m, 'TD_ASSOCIATED_PAGES_EXIST');
  if (root) tdr.lifecycle.set(m, module, tdx.TD_RECLAIMED);
  else tdr.chldcnt.set(m, module, pages - 1);
  return succeed(m);
}); // prettier-ignore
