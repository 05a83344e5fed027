import { flag, name, num, record, sub } from '../machine/layout';
import { posted_intr_vmcs } from '../platform/posted_intr';

/** TDR.LIFECYCLE_STATE; the first and the last stand for a page that is no TD. @source TDXM-LIFE-1 */
export const LIFECYCLE = [
  'NONE', 'HKID_ASSIGNED', 'KEYS_CONFIGURED', 'BLOCKED', 'TEARDOWN', 'RECLAIMED',
] as const; // prettier-ignore
export const TD_NONE = 0;
export const TD_HKID_ASSIGNED = 1;
export const TD_KEYS_CONFIGURED = 2;
export const TD_BLOCKED = 3;
export const TD_TEARDOWN = 4;
export const TD_RECLAIMED = 5;

/** Control pages that a TD needs, and may have. @source TDXM-BUILD-3 */
export const TDCX_MIN = 6;
export const TDCX_MAX = 9;
/** Pages of a TDVPS beyond the root. @source TDXM-BUILD-7 */
export const TDVPS_PAGES = 5;

/** TDCS.OP_STATE, by value. @source TDXM-LIFE-2 */
export const OP_STATE = ['UNINITIALIZED', 'INITIALIZED', 'RUNNABLE'] as const;
export const OP_UNINITIALIZED = 0;
export const OP_INITIALIZED = 1;
export const OP_RUNNABLE = 2;

/** TDVPS.VCPU_STATE by the module's names. @source TDXM-VCPU-1 */
export const VCPU_STATE = ['NONE', 'UNINITIALIZED', 'READY', 'ACTIVE', 'DISABLED'] as const;
export const VCPU_NONE = 0;
export const VCPU_UNINITIALIZED = 1;
export const VCPU_READY = 2;
export const VCPU_ACTIVE = 3;
export const VCPU_DISABLED = 4;

/** What the TDX module keeps of a TD. KVM sees none of it except through SEAMCALLs. */
export const tdr = record('tdr', 'seam', 'TD root and control structure in the TDX module', {
  lifecycle: name(LIFECYCLE, 'TDR.LIFECYCLE_STATE', { source: 'TDXM-LIFE-1' }),
  fatal: flag('TDR.FATAL: no vCPU may enter any more', { source: 'TDXM-ENTER-6' }),
  flushed: flag('Caches have been written back since the key was blocked', { source: 'TDXM-TEAR-6' }),
  past_kvm: flag('A SEAMCALL past KVM has worked on it: KVM and module may differ', { source: 'simulator' }),
  op_state: name(OP_STATE, 'TDCS.OP_STATE', { source: 'TDXM-LIFE-2' }),
  tdcx: num(8, 'Control pages', { source: 'TDXM-BUILD-3' }),
  num_vcpus: num(8, 'NUM_VCPUS: calls of TDH.VP.INIT that were counted', { source: 'TDXM-BUILD-8' }),
  num_assoc_vcpus: num(8, 'NUM_ASSOC_VCPUS: vCPUs that belong to some CPU', { source: 'TDXM-VCPU-5' }),
  shared: num(8, 'TDH.VP.ENTERs under way: each holds the page lock of the TD shared', {
    source: 'TDXM-ENTER-26',
  }),
  chldcnt: num(16, 'CHLDCNT: pages of the TD besides its root', { source: 'TDXM-LIFE-4' }),
  pages: num(16, 'Initial memory regions added by TDH.MEM.PAGE.ADD', { source: 'VCPU-11' }),
});

/** What the TDX module keeps of a TD vCPU. */
export const tdvps = record('tdvps', 'seam', 'TD vCPU state in the TDX module', {
  state: name(VCPU_STATE, 'TDVPS.VCPU_STATE', { source: 'TDXM-VCPU-1' }),
  pages: num(8, 'TDVPS pages beyond the root', { source: 'TDXM-BUILD-7' }),
  index: num(8, 'VCPU_INDEX: order of TDH.VP.INIT, from 0', { source: 'TDXM-FLD-3' }),
  x2apic_id: num(32, 'x2APIC id that TDH.VP.INIT was given', { source: 'TDXM-BUILD-8' }),
  assoc: num(8, 'ASSOC_LPID: 1 + number of the CPU that it belongs to, 0 for none', {
    source: 'TDXM-VCPU-4',
  }),
  shared: flag('TDH.VP.ENTER holds its page lock shared', { source: 'TDXM-ENTER-26' }),
  last_exit_vmcall: flag('LAST_TD_EXIT is TDVMCALL', { source: 'TDXM-VCPU-2' }),
  pend_nmi: num(8, 'PEND_NMI: one NMI is to be injected as soon as possible', { source: 'NUM-26' }),
  ext_qualification: num(32, 'Extended exit qualification of an EPT violation', { source: 'TDXM-OUT-12' }),
  nmi_window: flag('NMI-window exiting is on', { source: 'tdx:NMI-10' }),
  vmcs: sub(posted_intr_vmcs),
});
