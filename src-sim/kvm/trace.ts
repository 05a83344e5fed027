import { event } from '../machine/trace';
import { APICV_INHIBIT_REASONS, MP_STATES } from '../names';
import { KVM_EXIT } from '../machine/machine';

/** KVM's tracepoints (arch/x86/kvm/trace.h, include/trace/events/kvm.h), and the marks for what no tracepoint shows. */

/** VMX exit reasons, basic. @source NUM-11 */
export const EXIT_REASON: Readonly<Record<number, string>> = {
  0: 'EXCEPTION_NMI', 1: 'EXTERNAL_INTERRUPT', 2: 'TRIPLE_FAULT', 3: 'INIT_SIGNAL', 4: 'SIPI_SIGNAL', 6: 'OTHER_SMI',
  7: 'INTERRUPT_WINDOW', 8: 'NMI_WINDOW', 9: 'TASK_SWITCH', 10: 'CPUID', 12: 'HLT', 18: 'VMCALL', 28: 'CR_ACCESS', 30: 'IO_INSTRUCTION',
  31: 'MSR_READ', 32: 'MSR_WRITE', 33: 'INVALID_STATE', 34: 'MSR_LOAD_FAIL', 41: 'MCE_DURING_VMENTRY', 43: 'TPR_BELOW_THRESHOLD', 74: 'BUS_LOCK',
  75: 'NOTIFY', 44: 'APIC_ACCESS', 45: 'EOI_INDUCED', 62: 'PML_FULL', 48: 'EPT_VIOLATION', 49: 'EPT_MISCONFIG', 77: 'TDCALL', 0xffff: 'NONE',
}; // prettier-ignore
/** As kvm_exit prints it: a failed entry carries a flag. Its number is the basic reason + FAILED. @source NUM-10 */
export const FAILED = 0x1_0000;
const EXIT_REASON_SHOWN: Readonly<Record<number, string>> = {
  ...EXIT_REASON,
  [FAILED + 33]: 'INVALID_STATE FAILED_VMENTRY',
  [FAILED + 34]: 'MSR_LOAD_FAIL FAILED_VMENTRY',
  [FAILED + 41]: 'MCE_DURING_VMENTRY FAILED_VMENTRY',
};

const EDGE_LEVEL = ['edge', 'level'];
/** As the kernel prints them: `kvm_deliver_mode` and the shorthands of `kvm_apic_ipi`. */
const DELIVER_MODE = ['Fixed', 'LowPrio', 'SMI', 'Res3', 'NMI', 'INIT', 'SIPI', 'ExtINT'];
const DEST_MODE = ['physical', 'logical'];
/** One slot for both: an event has six. */
const DEST_MODE_AND_LEVEL = DEST_MODE.flatMap((mode) => [`${mode}|de-assert`, `${mode}|assert`]);
const IPI_SHORTHAND = ['dst', 'self', 'all', 'all-but-self'];
const NO_YES = ['no', 'yes'];

export const kvm_entry = event('kvm_entry', 'tracepoint', 'TRC-1', { vcpu: 'num', rip: 'hex' }, 'vcpu {vcpu}, rip {rip}',
  '{who}: KVM enters the guest.'); // prettier-ignore
export const kvm_exit = event('kvm_exit', 'tracepoint', 'TRC-1',
  { vcpu: 'num', reason: EXIT_REASON_SHOWN, rip: 'hex', info1: 'hex', intr_info: 'hex', info2: 'hex' },
  'vcpu {vcpu} reason {reason} rip {rip} info1 {info1} info2 {info2} intr_info {intr_info} error_code 0x0',
  '{who}: the guest exits, reason {reason}.'); // prettier-ignore
/** A call that a signal cut short is printed as `restart`, whatever the reason says. @source TRC-1 */
const USERSPACE_EXIT = { ...KVM_EXIT, [-1]: 'restart' };
export const kvm_userspace_exit = event('kvm_userspace_exit', 'tracepoint', 'TRC-1', { reason: KVM_EXIT, errno: 'ret', shown: USERSPACE_EXIT },
  'reason {shown} ({errno})', '{who}: KVM_RUN returns {errno} to userspace, {reason}.'); // prettier-ignore
export const kvm_msi_set_irq = event('kvm_msi_set_irq', 'tracepoint', 'TRC-1',
  { dst: 'num', vec: 'num', delivery_mode: DELIVER_MODE, trigger_mode: EDGE_LEVEL, dest_mode: DEST_MODE },
  'dst {dst} vec {vec} ({delivery_mode}|{dest_mode}|{trigger_mode})',
  'An MSI for APIC id {dst} arrives: {delivery_mode}, vector {vec}.'); // prettier-ignore
export const kvm_set_irq_line = event('kvm_set_irq', 'tracepoint', 'EOI-11', { gsi: 'num', level: 'num' }, 'gsi {gsi} level {level} source 0',
  'The line of GSI {gsi} is set to {level}.'); // prettier-ignore
export const kvm_eoi = event('kvm_eoi', 'tracepoint', 'x86:LAPIC-24', { apicid: 'num', vector: 'num' }, 'apicid {apicid} vector {vector}',
  'KVM learns that vector {vector} has ended on vCPU {apicid}.'); // prettier-ignore
export const kvm_apic_ipi = event('kvm_apic_ipi', 'tracepoint', 'TRC-1',
  { dst: 'num', vec: 'num', delivery_mode: DELIVER_MODE, level: DEST_MODE_AND_LEVEL, trigger_mode: EDGE_LEVEL, shorthand: IPI_SHORTHAND },
  'dst {dst} vec {vec} ({delivery_mode}|{level}|{trigger_mode}|{shorthand})',
  '{who} sends an IPI to APIC id {dst}: {delivery_mode}, vector {vec}.'); // prettier-ignore
export const kvm_apic = event('kvm_apic', 'tracepoint', 'TRC-1', { reg: 'hex', value: 'hex', rw: ['write', 'read'] }, 'apic_{rw} {reg} = {value}',
  '{who}: KVM emulates a {rw} of APIC register {reg}: {value}.'); // prettier-ignore
export const kvm_msr = event('kvm_msr', 'tracepoint', 'TRC-1', { ecx: 'hex', data: 'u64', exception: NO_YES, rw: ['write', 'read'] },
  'msr_{rw} {ecx} = {data} (exception: {exception})', '{who}: KVM emulates a {rw} of MSR {ecx}.'); // prettier-ignore
export const kvm_apic_accept_irq = event('kvm_apic_accept_irq', 'tracepoint', 'PI-4',
  { apicid: 'num', vec: 'num', delivery_mode: DELIVER_MODE, trigger_mode: EDGE_LEVEL },
  'apicid {apicid} vec {vec} ({delivery_mode}|{trigger_mode})',
  'The local APIC of vCPU {apicid} looks at a message: {delivery_mode}, vector {vec}.'); // prettier-ignore
export const kvm_apicv_accept_irq = event('kvm_apicv_accept_irq', 'tracepoint', 'PI-9',
  { apicid: 'num', vec: 'num', delivery_mode: DELIVER_MODE, trigger_mode: EDGE_LEVEL },
  'apicid {apicid} vec {vec} ({delivery_mode}|{trigger_mode})', 'Vector {vec} is posted for vCPU {apicid}.'); // prettier-ignore
export const kvm_vcpu_wakeup = event('kvm_vcpu_wakeup', 'tracepoint', 'TRC-1', { vcpu: 'num', valid: ['invalid', 'valid'] },
  'vcpu {vcpu}, {valid}', 'vCPU {vcpu} ends its sleep ({valid} wake-up).'); // prettier-ignore

export const init_latched = event('init_latched', 'mark', 'INIT-3', { vcpu: 'num' }, 'vcpu {vcpu} pending_events = INIT',
  'INIT is latched for vCPU {vcpu}; a SIPI that was pending is overwritten.'); // prettier-ignore
export const init_deassert_ignored = event('init_deassert_ignored', 'mark', 'INIT-4', { vcpu: 'num' }, 'vcpu {vcpu}',
  'The level-triggered INIT de-assert for vCPU {vcpu} is ignored.'); // prettier-ignore
export const sipi_latched = event('sipi_latched', 'mark', 'INIT-6', { vcpu: 'num', vector: 'hex' }, 'vcpu {vcpu} vector {vector}',
  'A SIPI with vector {vector} is latched for vCPU {vcpu}.'); // prettier-ignore
export const init_blocked = event('init_blocked', 'mark', 'INIT-2', { vcpu: 'num' }, 'vcpu {vcpu}',
  'vt_apic_init_signal_blocked answers true for vCPU {vcpu}: INIT stays latched and acts on nothing.'); // prettier-ignore
export const sipi_blocked = event('sipi_blocked', 'mark', 'INIT-5', { vcpu: 'num' }, 'vcpu {vcpu}',
  'INIT and SIPI are blocked for vCPU {vcpu}: the pending SIPI is dropped.'); // prettier-ignore
export const sipi_ignored = event('sipi_ignored', 'mark', 'x86:SIPI-19', { vcpu: 'num', mp_state: MP_STATES }, 'vcpu {vcpu} mp_state {mp_state}',
  'vCPU {vcpu} does not wait for a SIPI ({mp_state}): the SIPI is dropped.'); // prettier-ignore
export const vcpu_reset = event('vcpu_reset', 'mark', 'x86:SIPI-16', { vcpu: 'num', init_event: NO_YES }, 'vcpu {vcpu} init_event {init_event}',
  'KVM resets vCPU {vcpu} (by INIT: {init_event}).'); // prettier-ignore
export const sipi_delivered = event('sipi_delivered', 'mark', 'x86:SIPI-12', { vcpu: 'num', cs_base: 'hex' }, 'vcpu {vcpu} cs_base {cs_base} rip 0x0',
  'The SIPI starts vCPU {vcpu} at {cs_base}.'); // prettier-ignore
export const vcpu_kicked = event('vcpu_kicked', 'mark', 'PI-36', { vcpu: 'num' }, 'vcpu {vcpu} mode EXITING_GUEST_MODE',
  'vCPU {vcpu} is kicked out of guest mode.'); // prettier-ignore
export const vcpu_woken = event(
  'vcpu_woken',
  'mark',
  'PI-36',
  { vcpu: 'num' },
  'vcpu {vcpu}',
  'The sleeping thread of vCPU {vcpu} is woken.',
);
export const vcpu_sleeps = event('vcpu_sleeps', 'mark', 'HLT-6', { vcpu: 'num' }, 'vcpu {vcpu}',
  'Nothing makes vCPU {vcpu} runnable; its thread sleeps in KVM.'); // prettier-ignore
export const irq_dropped = event('irq_dropped', 'mark', 'PI-5', { vcpu: 'num', vec: 'num' }, 'vcpu {vcpu} vec {vec}',
  'The shadow APIC of vCPU {vcpu} is not enabled: vector {vec} is dropped.'); // prettier-ignore
export const irq_coalesced = event('irq_coalesced', 'mark', 'PI-3', { vcpu: 'num', vec: 'num' }, 'vcpu {vcpu} vec {vec}',
  'Vector {vec} already waits in the PIR of vCPU {vcpu}: the two are one.'); // prettier-ignore
export const lapic_timer_armed = event('lapic_timer_armed', 'mark', 'TMR-1', { vcpu: 'num', ns: 'num' }, 'vcpu {vcpu} in {ns} ns',
  'KVM arms the host timer of vCPU {vcpu}, {ns} ns ahead.'); // prettier-ignore
export const lapic_timer_migrated = event('lapic_timer_migrated', 'mark', 'TMR-16', { vcpu: 'num', cpu: 'num' }, 'vcpu {vcpu} cpu {cpu}',
  'The running timer of vCPU {vcpu} is cancelled and started again on CPU {cpu}.'); // prettier-ignore
export const lapic_timer_cancelled = event('lapic_timer_cancelled', 'mark', 'TMR-13', { vcpu: 'num' }, 'vcpu {vcpu}',
  'The timer of vCPU {vcpu} is cancelled; an expiry that was only pending is lost.'); // prettier-ignore
export const lapic_timer_expired = event('lapic_timer_expired', 'mark', 'TMR-3', { vcpu: 'num' }, 'vcpu {vcpu}',
  'The timer of vCPU {vcpu} has expired: pending = 1, KVM_REQ_UNBLOCK.'); // prettier-ignore
export const lapic_timer_posted = event('lapic_timer_posted', 'mark', 'TMR-6', { vcpu: 'num' }, 'vcpu {vcpu}',
  'The timer of vCPU {vcpu} has expired on a housekeeping CPU while the vCPU is in the guest: its vector is posted, no exit.'); // prettier-ignore
export const lapic_timer_waited = event('lapic_timer_waited', 'mark', 'TMR-12', { vcpu: 'num', ns: 'num' }, 'vcpu {vcpu} {ns} ns',
  'KVM waits {ns} ns before it enters vCPU {vcpu}: the timer fired ahead of its deadline.'); // prettier-ignore
export const pi_wakeup = event('pi_wakeup_handler', 'mark', 'PI-29', { cpu: 'num' }, 'cpu {cpu}',
  'CPU {cpu} takes the wakeup vector: every vCPU on its list whose ON is set is woken.'); // prettier-ignore
export const device_posts = event('device_posts', 'mark', 'PI-25', { vcpu: 'num', vec: 'num', notified: NO_YES }, 'vcpu {vcpu} vec {vec} notified {notified}',
  'The IOMMU posts vector {vec} for vCPU {vcpu} (notification sent: {notified}).'); // prettier-ignore
export const kvm_apicv_inhibit_changed = event('kvm_apicv_inhibit_changed', 'tracepoint', 'APICV-6',
  { reason: APICV_INHIBIT_REASONS, set: ['cleared', 'set'], inhibits: 'hex' }, '{set} reason={reason}, inhibits={inhibits}',
  'APICv inhibit reason {reason} is {set}; the mask is now {inhibits}.'); // prettier-ignore
const REINJECTED = ['', ' [reinjected]'];
export const kvm_inj_virq = event('kvm_inj_virq', 'tracepoint', 'x86:IRQ-3',
  { kind: ['IRQ', 'Soft/INTn'], vec: 'hex', reinjected: REINJECTED }, '{kind} {vec}{reinjected}',
  'KVM injects vector {vec} by event injection.'); // prettier-ignore
/** As the kernel prints them: kvm_trace_sym_exc. */
const EXCEPTION: Readonly<Record<number, string>> = {
  0: '#DE', 1: '#DB', 3: '#BP', 4: '#OF', 5: '#BR', 6: '#UD', 7: '#NM', 8: '#DF', 10: '#TS', 11: '#NP', 12: '#SS', 13: '#GP',
  14: '#PF', 16: '#MF', 17: '#AC', 18: '#MC',
}; // prettier-ignore
export const kvm_inj_exception = event('kvm_inj_exception', 'tracepoint', 'x86:INJ-9',
  { exception: EXCEPTION, has_error: ['', ' (0x0)'], reinjected: REINJECTED }, '{exception}{has_error}{reinjected}',
  'KVM injects the exception {exception}.'); // prettier-ignore
export const nmi_blocked_too_long = event('nmi_blocked_too_long', 'mark', 'x86:VMX-17', { vcpu: 'num' },
  'Breaking out of NMI-blocked state on VCPU {vcpu} after 1 s timeout',
  'KVM has waited a second of guest time for the NMI handler of vCPU {vcpu}, and takes it for ended.'); // prettier-ignore
export const irq_injection_lost = event('irq_injection_lost', 'mark', 'tdx:LAPIC-9', { vcpu: 'num' }, 'vcpu {vcpu}',
  'KVM marks the interrupt of vCPU {vcpu} injected, but a TD has no event injection: the guest never gets it.'); // prettier-ignore
export const WARN_SITES = [
  'tdx_vcpu_reset', 'kvm_apic_accept_events', 'tdx_vcpu_run', 'vt_refresh_apicv_exec_ctrl', 'vcpu_enter_guest',
  'tdx_handle_exit',
]; // prettier-ignore
export const WARN = event('WARN', 'mark', 'INIT-13', { site: WARN_SITES, vcpu: 'num' }, '{site} vcpu {vcpu}',
  'WARN_ON_ONCE in {site}: vCPU {vcpu}. The kernel log shows a stack trace; nothing else happens.'); // prettier-ignore
export const warn_once_silent = event('warn_once_silent', 'mark', 'INIT-13', { site: WARN_SITES }, '{site}',
  'WARN_ON_ONCE in {site} has fired before and stays silent.'); // prettier-ignore
export const nmi_collapsed = event('nmi_collapsed', 'mark', 'tdx:NMI-6', { vcpu: 'num', raised: 'num', kept: 'num' }, 'vcpu {vcpu} raised {raised} kept {kept}',
  'NMIs of vCPU {vcpu} collapse in KVM: {raised} raised, {kept} kept.'); // prettier-ignore
export const nmi_merged = event('nmi_merged', 'mark', 'tdx:NMI-6', { vcpu: 'num' }, 'vcpu {vcpu}',
  'A second NMI pending in KVM for vCPU {vcpu} is merged into the one in the TDX module.'); // prettier-ignore
export const pend_nmi_set = event('pend_nmi_set', 'mark', 'tdx:NMI-5', { vcpu: 'num' }, 'vcpu {vcpu}',
  'KVM asks the TDX module for an NMI: PEND_NMI of vCPU {vcpu} becomes 1.'); // prettier-ignore
export const pend_nmi_kept = event('pend_nmi_kept', 'mark', 'tdx:NMI-7', { vcpu: 'num' }, 'vcpu {vcpu}',
  'PEND_NMI of vCPU {vcpu} is 1 already: two NMIs have become one.'); // prettier-ignore
/** Named so until 5.11, then kvm_smm_transition; it tells both ways. */
export const kvm_enter_smm = event('kvm_enter_smm', 'tracepoint', 'x86:SMI-8', { vcpu: 'num', entering: ['leaving', 'entering'], smbase: 'hex' },
  'vcpu {vcpu}: {entering} SMM, smbase {smbase}', 'vCPU {vcpu} is {entering} SMM.'); // prettier-ignore
export const smi_lost = event('smi_lost', 'mark', 'x86:SMI-12', { vcpu: 'num', smbase: 'hex' }, 'vcpu {vcpu} smbase {smbase}',
  'There is no memory at SMBASE {smbase} to save the state of vCPU {vcpu}: KVM kills the VM.'); // prettier-ignore
export const TD_LEAK_SITES = [
  'TDH.MNG.VPFLUSHDONE', 'TDH.PHYMEM.CACHE.WB', 'TDH.MNG.KEY.FREEID', 'TDH.PHYMEM.PAGE.RECLAIM',
] as const; // prettier-ignore
export const td_leaked = event('td_leaked', 'mark', 'FATAL-5', { leaf: TD_LEAK_SITES }, '{leaf}',
  '{leaf} fails while KVM destroys the TD: its key or pages are lost to the host.'); // prettier-ignore
export const vm_destroyed = event('vm_destroyed', 'mark', 'FATAL-5', { vm: 'num' }, 'vm {vm}',
  'The last file descriptor of VM {vm} is closed: KVM has destroyed it.'); // prettier-ignore
export const page_poisoned = event('page_poisoned', 'mark', 'tdx:SMI-14', { cpu: 'num' }, 'cpu {cpu}',
  'The host machine-check handler on CPU {cpu} marks the page poisoned; it never returns to the free list.'); // prettier-ignore
export const host_nmi_handled = event('host_nmi_handled', 'mark', 'tdx:NMI-21', { cpu: 'num', entry: ['IDT', 'FRED'] }, 'cpu {cpu} by {entry}',
  'The host NMI handler runs on CPU {cpu}, entered by {entry}, before KVM leaves noinstr code.'); // prettier-ignore
export const host_nmi_nested = event('host_nmi_nested', 'mark', 'tdx:NMI-25', { cpu: 'num', harm: ['harmless', 'FRED entry corrupted'] }, 'cpu {cpu} {harm}',
  'A second NMI interrupts the first handler on CPU {cpu}: {harm}.'); // prettier-ignore
export const smi_handled = event('smi_handled', 'mark', 'tdx:SMI-10', { cpu: 'num' }, 'cpu {cpu}',
  'CPU {cpu} is back in the host and takes the SMI at once.'); // prettier-ignore
export const KVM_BUG_ON = event('KVM_BUG_ON', 'mark', 'RUN-14', { site: ['seamcall', 'handle_external_interrupt_irqoff', 'vt_smi_allowed', 'vt_refresh_apicv_exec_ctrl', 'tdx_handle_exit', 'tdx_handle_ept_violation', 'tdx_mem_page_aug', 'handle_nmi_window'] }, '{site}',
  'KVM_BUG_ON in {site}: the VM is bugged, every later ioctl is -EIO.'); // prettier-ignore
export const mp_state_read = event('mp_state_read', 'mark', 'INIT-11', { vcpu: 'num', mp_state: MP_STATES }, 'vcpu {vcpu} mp_state {mp_state}',
  'Userspace reads mp_state {mp_state} of vCPU {vcpu}.'); // prettier-ignore

export const kvm_page_fault = event('kvm_page_fault', 'tracepoint', 'EXIT-18', { vcpu: 'num', address: 'u64', error_code: 'hex' },
  'vcpu {vcpu} address {address} error_code {error_code}', 'KVM handles a page fault of vCPU {vcpu} at {address}.'); // prettier-ignore
export const guest_access_before_accept = event('guest_access_before_accept', 'mark', 'EXIT-18', { vcpu: 'num' }, 'vcpu {vcpu}',
  'The guest on vCPU {vcpu} uses a page that it has not accepted: KVM kills the VM.'); // prettier-ignore
export const unexpected_exception = event('unexpected_exception', 'mark', 'EXIT-12', { vcpu: 'num', vector: 'num' }, 'vcpu {vcpu} vector {vector}',
  'The second posting of the series logs the exception {vector} of vCPU {vcpu}; later ones are silent.'); // prettier-ignore
