import { guest_run } from '../guest/run';
import * as host from '../kvm/kvm_host';
import { kvm, kvm_vcpu } from '../kvm/kvm_host';
import { kvm_make_all_cpus_request, NO_REQUEST } from '../kvm/kvm_main';
import { tdx_no_vcpus_enter } from '../kvm/vmx/tdx';
import type { Ref } from '../machine/layout';
import { tdh_vp_enter } from '../seam/vp_enter';
import { invariant } from './invariant';
import { at, type Look } from './look';

/** What the sender of a request to all vCPUs may rely on when it goes on. */

const WAIT = at(kvm_make_all_cpus_request, 'wait');
const ZAP = at(tdx_no_vcpus_enter, 'zap');

/** Whether no vCPU of the VM is inside `routine`; with a request, none that still has it. */
function nobodyIn(look: Look, vm: Ref, routine: typeof guest_run, request = NO_REQUEST): boolean {
  const { m } = look;
  for (let i = 0; i < kvm.slots.get(m, vm); i++) {
    const vcpu = host.vcpuAt(m, vm, i);
    if (request !== NO_REQUEST && !kvm_vcpu.requests.test(m, vcpu, request)) continue;
    if (look.isIn(m, kvm_vcpu.thread.get(m, vcpu) as Ref, routine, vcpu)) return false;
  }
  return true;
}

export const requests = [
  invariant(
    'vm',
    'everybody_knows',
    'NUM-15',
    'When the sender of a request that waits goes on, no vCPU executes guest code without having seen the request.',
    (look, vm) => {
      if (!look.did(WAIT) || look.word(0) !== vm || !look.returned()) return true;
      const request = look.word(1) | 0;
      return request === NO_REQUEST || nobodyIn(look, vm, guest_run, request);
    },
  ),
  invariant(
    'td',
    'nobody_inside_while_pages_go',
    'RUN-10, NUM-15',
    'While a page is taken away no vCPU is inside TDH.VP.ENTER.',
    (look, vm) => !look.did(ZAP) || look.word(0) !== vm || nobodyIn(look, vm, tdh_vp_enter),
  ),
];
