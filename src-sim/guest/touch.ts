import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { event } from '../machine/trace';
import {
  guest_page, guestOf, is_td_vcpu, kvm_vcpu, kvmOf, pageAt, SEPT_FREE, SEPT_MAPPED, SEPT_PENDING, tdvpsOf, vmcs, vmcsOf,
} from '../kvm/kvm_host'; // prettier-ignore
import { tdvps } from '../seam/tdx_module';
import { ACCESS, ACCESS_ACCEPT, guest_cpu, SPACE, SPACE_SHARED } from './cpu';

/** Memory accesses of the guest. */

const guest_touches = event('guest_touches', 'mark', 'TDXM-EPT-5',
  { vcpu: 'num', page: 'num', space: SPACE, access: ACCESS }, 'vcpu {vcpu} page {page} {space} {access}',
  'The guest on vCPU {vcpu} has accessed page {page} ({space}, {access}).'); // prettier-ignore

const EXIT_EPT_VIOLATION = 48;
/** Extended exit qualification: by ACCEPT, or by an access to a page not accepted yet. @source TDXM-OUT-12 */
export const EEQ_ACCEPT = 1;
export const EEQ_PENDING_EPT_VIOLATION = 6;
/** Guest physical address of page 0; the shared alias has bit 47 set. @source VM-22 */
const FIRST_PAGE = 0x8000_0000;
const SHARED_BIT_HIGH = 0x8000;

/** Read 1, write 2, fetch 4; ACCEPT counts as a write. @source TDXM-EPT-7 */
const QUALIFICATION = [1, 2, 4, 2] as const;

/**
 * Makes the access that the guest's operands describe. A TD is configured so that a page that is not accepted causes an
 * exit instead of a #VE (SEPT_VE_DISABLE).
 *
 * @returns -1 when it succeeded, else the exit reason.
 */
export function touch(m: Machine, vcpu: Ref): number {
  const guest = guestOf(vcpu);
  const page = pageAt(kvmOf(m, vcpu), guest_cpu.page.get(m, guest));
  const access = guest_cpu.access.get(m, guest);
  const shared = guest_cpu.space.get(m, guest) === SPACE_SHARED || !is_td_vcpu(m, vcpu);
  if (shared ? guest_page.shared_mapped.get(m, page) : acceptOrUse(m, page, access)) {
    const number = guest_cpu.page.get(m, guest);
    m.emit(guest_touches, kvm_vcpu.id.get(m, vcpu), number, shared ? SPACE_SHARED : 0, access);
    return -1;
  }
  const pending = !shared && guest_page.sept.get(m, page) === SEPT_PENDING;
  const extended = access === ACCESS_ACCEPT ? EEQ_ACCEPT : 0;
  tdvps.ext_qualification.set(m, tdvpsOf(vcpu), pending ? EEQ_PENDING_EPT_VIOLATION : extended);
  vmcs.exit_qualification.set(m, vmcsOf(vcpu), QUALIFICATION[access]!);
  const gpa = FIRST_PAGE + guest_cpu.page.get(m, guest) * 0x1000;
  const alias = shared && is_td_vcpu(m, vcpu) ? SHARED_BIT_HIGH : 0;
  vmcs.guest_physical_address.set(m, vmcsOf(vcpu), alias, gpa);
  return EXIT_EPT_VIOLATION;
}

/** A private page: ACCEPT turns PENDING into MAPPED; anything else needs MAPPED. @source TDXM-EPT-3 to TDXM-EPT-5 */
function acceptOrUse(m: Machine, page: Ref, access: number): boolean {
  const state = guest_page.sept.get(m, page);
  if (state === SEPT_FREE) return false;
  if (access !== ACCESS_ACCEPT) return state === SEPT_MAPPED;
  guest_page.sept.set(m, page, SEPT_MAPPED);
  return true;
}
