import type { Ref } from '../machine/layout';
import { thread, type Machine } from '../machine/machine';
import { E, routine } from '../machine/routine';
import { TDX_STATUS } from '../names';
import { tdh_mem_page_aug } from '../seam/leaves';
import { guest_cpu } from '../guest/cpu';
import { guest_page, guestOf, is_td_vcpu, kvm_run, kvmOf, pageAt, runOf, vmcs, vmcsOf } from './kvm_host';
import { KVM_BUG_ON } from './kvm_main';
import { KVM_EXIT_MEMORY_FAULT, KVM_MEMORY_EXIT_FLAG_PRIVATE, run_memory_fault } from './kvm_run';

/** The part of arch/x86/kvm/mmu that maps one page of the model into a guest. */

/** The fault has to be tried again, or is solved. Both let the vCPU go on. */
export const RET_PF_RETRY = 1;
export const RET_PF_FIXED = 4;
const BUG_SITE_PAGE_AUG = 6;
const SHARED_BIT_HIGH = 0x8000;

/**
 * Maps the page that the guest has touched.
 *
 * @returns RET_PF_FIXED, RET_PF_RETRY, or a negative errno.
 */
export const kvm_mmu_page_fault = routine(
  {
    name: 'kvm_mmu_page_fault',
    layer: 'kvm',
    source: 'EXIT-18',
    args: ['vcpu', 'private'],
    steps: {
      attributes: ['Does the access suit what userspace has made of the page?', 'EXIT-7'],
      augmented: ['TDH.MEM.PAGE.AUG done: busy means try again, any other error bugs the VM.', 'EXIT-18'],
    },
  },
  (at) => ({
    attributes(m, l) {
      const vcpu = l.vcpu as Ref;
      const vm = kvmOf(m, vcpu);
      const index = guest_cpu.page.get(m, guestOf(vcpu));
      const page = pageAt(vm, index);
      if (is_td_vcpu(m, vcpu) && guest_page.shared.get(m, page) === l.private) {
        return m.ret(memoryFault(m, vcpu, l.private));
      }
      if (l.private) return m.call(at.augmented, tdh_mem_page_aug, vm, index);
      guest_page.shared_mapped.set(m, page, 1);
      return m.ret(RET_PF_FIXED);
    },
    augmented(m, l) {
      if (m.retval === 0) return m.ret(RET_PF_FIXED);
      if (thread.rax.hi(m, m.thread) === TDX_STATUS.OPERAND_BUSY) return m.ret(RET_PF_RETRY);
      KVM_BUG_ON(m, kvmOf(m, l.vcpu as Ref), BUG_SITE_PAGE_AUG);
      return m.ret(E('EIO'));
    },
  }),
);

/** Userspace has to convert the page first. @source EXIT-7; kvm_mmu_prepare_memory_fault_exit */
function memoryFault(m: Machine, vcpu: Ref, isPrivate: number): number {
  const to = kvm_run.memory_fault.at(runOf(vcpu));
  const { guest_physical_address: gpa } = vmcs;
  kvm_run.exit_reason.set(m, runOf(vcpu), KVM_EXIT_MEMORY_FAULT);
  run_memory_fault.flags.set(m, to, isPrivate ? KVM_MEMORY_EXIT_FLAG_PRIVATE : 0);
  run_memory_fault.gpa.set(m, to, gpa.hi(m, vmcsOf(vcpu)) & ~SHARED_BIT_HIGH, gpa.lo(m, vmcsOf(vcpu)));
  run_memory_fault.size.set(m, to, 0x1000);
  return E('EFAULT');
}
