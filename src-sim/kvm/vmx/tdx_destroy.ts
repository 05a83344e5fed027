import type { Ref } from '../../machine/layout';
import type { Machine } from '../../machine/machine';
import { routine } from '../../machine/routine';
import * as seam from '../../seam/leaves';
import { TD_NONE, tdr } from '../../seam/tdx_module';
import { kvm, kvm_vcpu, moduleOf, vcpuAt } from '../kvm_host';
import { td_leaked, TD_LEAK_SITES } from '../trace';

/** The end of a TD: tdx_mmu_release_hkid and tdx_vm_destroy of arch/x86/kvm/vmx/tdx.c. */

/** What the module refuses to give back is lost for good; KVM says so and goes on. */
function leaked(m: Machine, site: (typeof TD_LEAK_SITES)[number]): number {
  m.emit(td_leaked, TD_LEAK_SITES.indexOf(site));
  return m.ret(0);
}

/** Gives the key and every page of a TD back to the host, whether or not the TD is fatal. */
export const tdx_vm_destroy = routine(
  {
    name: 'tdx_vm_destroy',
    layer: 'kvm',
    source: 'FATAL-5',
    args: ['vm'],
    locals: ['i', 'root'],
    steps: {
      flush: [
        'tdx_flush_vp: the next vCPU leaves the CPU that it belongs to; then ask for the end.',
        'TDXM-TEAR-1',
      ],
      blocked: ['Every vCPU is flushed and the key blocked: write back the caches.', 'TDXM-TEAR-4'],
      written: ['Free the key id.', 'TDXM-TEAR-6'],
      freed: ['The pages may go back now.', 'TDXM-TEAR-6'],
      reclaim: ['tdx_reclaim_page: take the next page back, the root last.', 'TDXM-TEAR-7'],
      reclaimed: ['Is another page left?', 'TDXM-TEAR-7'],
    },
  },
  (at) => ({
    flush(m, l) {
      const vm = l.vm as Ref;
      if (tdr.lifecycle.get(m, moduleOf(vm)) === TD_NONE) return m.ret(0);
      while (l.i < kvm.slots.get(m, vm)) {
        const vcpu = vcpuAt(m, vm, l.i++);
        const loaded = kvm_vcpu.loaded_cpu.get(m, vcpu);
        if (loaded !== 0) return m.call(at.flush, seam.tdh_vp_flush, vcpu, loaded);
      }
      return m.call(at.blocked, seam.tdh_mng_vpflushdone, vm, 0);
    },
    blocked(m, l) {
      if (m.retval !== 0) return leaked(m, 'TDH.MNG.VPFLUSHDONE');
      return m.call(at.written, seam.tdh_phymem_cache_wb, l.vm, 0);
    },
    written(m, l) {
      if (m.retval !== 0) return leaked(m, 'TDH.PHYMEM.CACHE.WB');
      return m.call(at.freed, seam.tdh_mng_key_freeid, l.vm, 0);
    },
    freed: (m) => (m.retval !== 0 ? leaked(m, 'TDH.MNG.KEY.FREEID') : at.reclaim),
    reclaim(m, l) {
      l.root = tdr.chldcnt.get(m, moduleOf(l.vm as Ref)) === 0 ? 1 : 0;
      return m.call(at.reclaimed, seam.tdh_phymem_page_reclaim, l.vm, l.root);
    },
    reclaimed(m, l) {
      if (m.retval !== 0) return leaked(m, 'TDH.PHYMEM.PAGE.RECLAIM');
      return l.root ? m.ret(0) : at.reclaim;
    },
  }),
);
