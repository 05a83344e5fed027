/** What the TDX module does with each VM exit of a TD: the rows of TDXM-EXIT-6 to TDXM-EXIT-56, production TD. */

/** Hand it to the host with TDX_SUCCESS. */
export const TO_HOST = 0;
/** Hand it to the host, this vCPU never runs again: NON_RECOVERABLE_VCPU. */
export const DISABLE_VCPU = 1;
/** The TD is fatal, NON_RECOVERABLE_TD. */
export const UNEXPECTED = 2;
/** The TD is fatal and its memory is not touched any more: NON_RECOVERABLE_TD_NON_ACCESSIBLE. */
export const NOT_ACCESSIBLE = 3;
/** The module deals with it and enters the TD again. */
export const HANDLED = 4;
/** The module itself shuts down on this platform. */
export const MODULE_FATAL = 5;

const isVmxInstruction = (reason: number): boolean =>
  (reason >= 19 && reason <= 27) || reason === 50 || reason === 53;

/** Reasons that the module hands over as they are: interrupt, INIT, SMI, task switch, C-state SMI, EPT, bus lock, TDCALL. */
const HOST = [1, 3, 9, 42, 48, 49, 74, 77];
/** CPUID, CR access, RDMSR, WRMSR, monitor trap, XSETBV: done by the module. */
const OWN = [8, 10, 28, 31, 32, 37, 55];
/** HLT, INVD, VMCALL, I/O, WBINVD, APIC write, PCONFIG: #VE in the guest. */
const VE = [12, 13, 18, 30, 54, 56, 65];
/** GETSEC, RSM, MWAIT, MONITOR, VMFUNC, ENCLS, ENCLV, ENQCMDS, SEAMCALL: #UD in the guest. */
const UD = [11, 17, 36, 39, 59, 60, 70, 73, 76];
/** RDPMC, ENQCMD: #GP in the guest. */
const GP = [15, 72];

/**
 * @param reason - basic reason.
 * @param failed - whether the VM entry failed (bit 31).
 * @param qualification - exit qualification.
 * @param vector - of an exception exit; 2 is an NMI.
 */
export function disposition(reason: number, failed: boolean, qualification: number, vector: number): number {
  if (failed) {
    if (reason === 41) return NOT_ACCESSIBLE; // TDXM-EXIT-37
    return reason === 34 ? MODULE_FATAL : UNEXPECTED; // TDXM-EXIT-32, TDXM-EXIT-33
  }
  switch (reason) {
    case 0: // TDXM-EXIT-6 to TDXM-EXIT-8
      if (vector === 2) return TO_HOST;
      return vector === 18 ? NOT_ACCESSIBLE : MODULE_FATAL;
    case 2:
      return DISABLE_VCPU; // TDXM-EXIT-10
    case 6:
      return qualification & 1 ? NOT_ACCESSIBLE : TO_HOST; // TDXM-EXIT-14, TDXM-EXIT-15
    case 62:
      return MODULE_FATAL; // TDXM-EXIT-48
    case 75:
      return qualification & 1 ? UNEXPECTED : TO_HOST; // TDXM-EXIT-53
  }
  if (HOST.includes(reason)) return TO_HOST;
  if (OWN.includes(reason) || injectedFor(reason) !== 0) return HANDLED;
  return UNEXPECTED; // TDXM-EXIT-5, TDXM-EXIT-56
}

/** What the guest gets for an exit that never reaches the host: 0 nothing, else an exception vector. */
export function injectedFor(reason: number): number {
  if (VE.includes(reason)) return 20;
  if (UD.includes(reason) || isVmxInstruction(reason)) return 6;
  return GP.includes(reason) ? 13 : 0;
}
