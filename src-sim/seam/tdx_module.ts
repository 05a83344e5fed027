import { flag, name, num, record, sub } from '../machine/layout';
import { posted_intr_vmcs } from '../platform/posted_intr';

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
  hkid_assigned: flag('A private key id is assigned and configured', { source: 'VM-22' }),
  fatal: flag('TDR.FATAL: no vCPU may enter any more', { source: 'TDXM-ENTER-6' }),
  op_state: name(OP_STATE, 'TDCS.OP_STATE', { source: 'TDXM-LIFE-2' }),
  num_vcpus: num(8, 'vCPUs initialized by TDH.VP.INIT', { source: 'TDXM-BUILD-8' }),
  pages: num(16, 'Initial memory regions added by TDH.MEM.PAGE.ADD', { source: 'VCPU-11' }),
});

/** What the TDX module keeps of a TD vCPU. */
export const tdvps = record('tdvps', 'seam', 'TD vCPU state in the TDX module', {
  state: name(VCPU_STATE, 'TDVPS.VCPU_STATE', { source: 'TDXM-VCPU-1' }),
  pages: num(8, 'TDVPS pages beyond the root', { source: 'TDXM-BUILD-7' }),
  last_exit_vmcall: flag('LAST_TD_EXIT is TDVMCALL', { source: 'TDXM-VCPU-2' }),
  pend_nmi: num(8, 'PEND_NMI: one NMI is to be injected as soon as possible', { source: 'NUM-26' }),
  ext_qualification: num(32, 'Extended exit qualification of an EPT violation', { source: 'TDXM-OUT-12' }),
  nmi_window: flag('NMI-window exiting is on', { source: 'tdx:NMI-10' }),
  vmcs: sub(posted_intr_vmcs),
});
