import { bits, flag, float, int32, name, num, record, sub, word64, type Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { pi_desc } from '../platform/posted_intr';
import { guest_cpu } from '../guest/cpu';
import { kvm_run } from './kvm_run';
import { tdr, tdvps } from '../seam/tdx_module';
import { APICV_INHIBIT_REASONS, MP_STATES } from '../names';

/** KVM's own data, mirrors arch/x86/include/asm/kvm_host.h, include/linux/kvm_host.h and include/uapi/linux/kvm.h. */

/** mp_state, by value. @source NUM-5, x86:SIPI-1 to x86:SIPI-3 */
export const KVM_MP_STATE_RUNNABLE = 0;
export const KVM_MP_STATE_UNINITIALIZED = 1;
export const KVM_MP_STATE_INIT_RECEIVED = 2;
export const KVM_MP_STATE_HALTED = 3;
export const KVM_MP_STATE_SIPI_RECEIVED = 4;
export const KVM_MP_STATE_AP_RESET_HOLD = 9;

/** `vcpu->mode`. @source NUM-13 */
export const OUTSIDE_GUEST_MODE = 0;
export const IN_GUEST_MODE = 1;
export const EXITING_GUEST_MODE = 2;

/** Requests: generic numbers, and architecture numbers from 8 on. @source NUM-15 */
export const KVM_REQ_VM_DEAD = 1;
export const KVM_REQ_UNBLOCK = 2;
export const KVM_REQ_MIGRATE_TIMER = 8 + 0;
export const KVM_REQ_EVENT = 8 + 6;
export const KVM_REQ_NMI = 8 + 9;
export const KVM_REQ_PMI = 8 + 11;
export const KVM_REQ_SMI = 8 + 12;
export const KVM_REQ_TRIPLE_FAULT = 8 + 2;
export const KVM_REQ_APICV_UPDATE = 8 + 25;
export const KVM_REQ_SCAN_IOAPIC = 8 + 15;
export const KVM_REQ_IOAPIC_EOI_EXIT = 8 + 19;
const REQUEST_NAMES = Array.from({ length: 48 }, () => '');
REQUEST_NAMES[KVM_REQ_VM_DEAD] = 'VM_DEAD';
REQUEST_NAMES[KVM_REQ_UNBLOCK] = 'UNBLOCK';
REQUEST_NAMES[KVM_REQ_MIGRATE_TIMER] = 'MIGRATE_TIMER';
REQUEST_NAMES[KVM_REQ_EVENT] = 'EVENT';
REQUEST_NAMES[KVM_REQ_NMI] = 'NMI';
REQUEST_NAMES[KVM_REQ_PMI] = 'PMI';
REQUEST_NAMES[KVM_REQ_SMI] = 'SMI';
REQUEST_NAMES[KVM_REQ_TRIPLE_FAULT] = 'TRIPLE_FAULT';
REQUEST_NAMES[KVM_REQ_APICV_UPDATE] = 'APICV_UPDATE';
REQUEST_NAMES[KVM_REQ_SCAN_IOAPIC] = 'SCAN_IOAPIC';
REQUEST_NAMES[KVM_REQ_IOAPIC_EOI_EXIT] = 'IOAPIC_EOI_EXIT';

/** `kvm_run.exit_reason` values used here. @source NUM-2 */
export const KVM_EXIT_UNKNOWN = 0;
export const KVM_EXIT_IRQ_WINDOW_OPEN = 7;
export const KVM_EXIT_SHUTDOWN = 8;
export const KVM_EXIT_INTR = 10;
export const KVM_EXIT_SET_TPR = 11;
export const KVM_EXIT_INTERNAL_ERROR = 17;
export const KVM_EXIT_IOAPIC_EOI = 26;
/** @source NUM-3 */
export const KVM_INTERNAL_ERROR_DELIVERY_EV = 3;
export const KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON = 4;

/** `apic->pending_events`. @source NUM-18 */
export const KVM_APIC_INIT = 0;
export const KVM_APIC_SIPI = 1;

/** Irqchip modes. @source NUM-8 */
export const KVM_IRQCHIP_NONE = 0;
export const KVM_IRQCHIP_KERNEL = 1;
export const KVM_IRQCHIP_SPLIT = 2;

/** VM types of the model; the field's index is ours, the kernel's values are 0 and 5. @source NUM-6 */
export const VM_NONE = 0;
export const VM_DEFAULT = 1;
export const VM_TDX = 2;

/** kvm_tdx.state. @source VM-3 */
export const TD_STATE = ['UNINITIALIZED', 'INITIALIZED', 'RUNNABLE'] as const;
export const TD_STATE_UNINITIALIZED = 0;
export const TD_STATE_INITIALIZED = 1;
export const TD_STATE_RUNNABLE = 2;
/** vcpu_tdx.state. @source NUM-29 */
export const VCPU_TD_STATE_UNINITIALIZED = 0;
export const VCPU_TD_STATE_INITIALIZED = 1;

const kvm_lapic = record('kvm_lapic', 'kvm', 'Shadow local APIC', {
  base: num(32, 'IA32_APIC_BASE', { source: 'NUM-16', as: 'hex' }),
  ldr: num(8, 'Logical id in xAPIC mode: LDR bits 31:24. x2APIC mode derives its own from the id', {
    source: 'x86:LAPIC-30',
    as: 'hex',
  }),
  dfr: num(32, 'Destination format of xAPIC mode: flat or cluster', { source: 'x86:LAPIC-30', as: 'hex' }),
  tmr: bits(256, 'TMR: vectors that were accepted as level-triggered', { source: 'x86:LAPIC-16' }),
  icr: word64('ICR: destination in bits 63:32', { source: 'x86:LAPIC-14' }),
  svr: num(16, 'Spurious-vector register; bit 8 enables the APIC', { source: 'VCPU-4', as: 'hex' }),
  pending_events: bits(8, 'INIT and SIPI that are latched', { source: 'NUM-18', names: ['INIT', 'SIPI'] }),
  sipi_vector: num(8, 'Vector of the last SIPI', { source: 'INIT-6', as: 'hex' }),
  esr: num(32, 'Error status register: KVM reports no errors', { source: 'x86:LAPIC-2', as: 'hex' }),
  lvt0: num(32, 'LVT LINT0', { source: 'VCPU-4', as: 'hex' }),
  lvt1: num(32, 'LVT LINT1', { source: 'x86:LAPIC-4', as: 'hex' }),
  lvtthmr: num(32, 'LVT thermal sensor', { source: 'x86:LAPIC-4', as: 'hex' }),
  lvtpc: num(32, 'LVT performance counters', { source: 'x86:LAPIC-4', as: 'hex' }),
  lvterr: num(32, 'LVT error', { source: 'x86:LAPIC-4', as: 'hex' }),
  lvtcmci: num(32, 'LVT corrected machine checks; there only with CMCI', {
    source: 'x86:LAPIC-4',
    as: 'hex',
  }),
  lvt0_in_nmi_mode: flag('LINT0 is unmasked in NMI mode: the vCPU uses the NMI watchdog of the PIT', {
    source: 'x86:LAPIC-40',
  }),
  ioapic_handled_vectors: bits(256, 'Vectors whose EOI an I/O APIC wants to know', {
    source: 'x86:LAPIC-24',
  }),
  lvtt: num(32, 'LVT timer: vector, mask, mode in bits 18:17', { source: 'TMR-14', as: 'hex' }),
  tmict: num(32, 'Timer initial count', { source: 'TMR-1' }),
  tdcr: num(32, 'Timer divide configuration', { source: 'x86:LAPIC-34', as: 'hex' }),
  tscdeadline: float('TSC deadline, in nanoseconds of virtual time', { source: 'TMR-14' }),
  timer_at: float('When the hrtimer fires', { source: 'TMR-1' }),
  timer_armed: flag('The hrtimer is armed', { source: 'TMR-1' }),
  timer_cpu: num(8, 'CPU on which the hrtimer is armed', { source: 'TMR-18' }),
  expired_tscdeadline: float('Deadline of an expiry that has not reached the guest yet, 0 for none', {
    source: 'TMR-3',
  }),
  timer_advance_ns: num(32, 'How much earlier the hrtimer of a TSC deadline fires', { source: 'NUM-19' }),
  timer_due: flag('The hrtimer has fired; its interrupt is under way', { source: 'TMR-10' }),
  timer_pending: num(8, 'lapic_timer.pending: expiries not yet delivered', { source: 'TMR-3' }),
  in_kernel: flag('The local APIC is modelled by the kernel', { source: 'x86:SIPI-23' }),
  guest_apic_protected: flag('The real APIC state is hidden from KVM', { source: 'VCPU-3' }),
  apicv_active: flag('APICv is active for this vCPU', { source: 'VCPU-1' }),
});

const kvm_regs = record('kvm_regs', 'kvm', "KVM's copy of guest registers; of a TD only the reset values", {
  rip: num(32, 'RIP', { source: 'x86:SIPI-16', as: 'hex' }),
  cs_selector: num(16, 'CS selector', { source: 'x86:SIPI-12', as: 'hex' }),
  cs_base: num(32, 'CS base', { source: 'x86:SIPI-12', as: 'hex' }),
});

const kvm_vcpu_stat = record('kvm_vcpu_stat', 'kvm', 'Counters', {
  exits: num(32, 'VM exits', { source: 'TRC-5' }),
  irq_exits: num(32, 'External-interrupt exits', { source: 'EXIT-7' }),
  halt_exits: num(32, 'HLT exits', { source: 'HLT-4' }),
  io_exits: num(32, 'Port I/O exits', { source: 'EXIT-7' }),
  irq_injections: num(32, 'Interrupts injected by KVM', { source: 'PI-38' }),
  request_irq_exits: num(32, 'Returns to userspace because it may inject an interrupt', {
    source: 'tdx:LAPIC-14',
  }),
  irq_window_exits: num(32, 'Interrupt-window exits', { source: 'x86:IRQ-4' }),
  nmi_injections: num(32, 'NMIs injected', { source: 'tdx:NMI-5' }),
  nmi_window_exits: num(32, 'NMI-window exits', { source: 'x86:VMX-13' }),
  signal_exits: num(32, 'Returns to userspace because of a signal', { source: 'TRC-5' }),
});

/** Guest-state area of a plain guest's VMCS, as far as SMM changes it. @source x86:SMI-10, x86:SMI-11 */
const vmcs_guest_state = record(
  'vmcs_guest_state',
  'hardware',
  'Guest-state area of the VMCS of a plain guest',
  {
    cr0: num(32, 'CR0', { source: 'x86:SMI-10', as: 'hex' }),
    cr4: num(32, 'CR4', { source: 'x86:SMI-10', as: 'hex' }),
    efer: num(32, 'IA32_EFER', { source: 'x86:SMI-10', as: 'hex' }),
    dr7: num(32, 'DR7', { source: 'x86:SMI-10', as: 'hex' }),
    idt_base: num(32, 'Base of the IDT', { source: 'x86:SMI-10', as: 'hex' }),
    idt_limit: num(16, 'Limit of the IDT', { source: 'x86:SMI-10', as: 'hex' }),
    cs_limit: num(32, 'Limit of CS', { source: 'x86:SMI-11', as: 'hex' }),
    ds_selector: num(16, 'Selector of DS, ES, FS, GS and SS', { source: 'x86:SMI-11', as: 'hex' }),
    ds_base: num(32, 'Base of DS, ES, FS, GS and SS', { source: 'x86:SMI-11', as: 'hex' }),
    ds_limit: num(32, 'Limit of DS, ES, FS, GS and SS', { source: 'x86:SMI-11', as: 'hex' }),
  },
);

/** The save image, in guest memory at SMBASE + 0xfe00. @source x86:SMI-6, x86:SMI-8 */
const smram = record('smram', 'guest', 'State that the last SMI has saved, at SMBASE + 0xfe00', {
  revision: num(32, 'Layout: 0x20064 for 64, 0x20000 for 32 bits', { source: 'x86:SMI-6', as: 'hex' }),
  smbase: num(32, 'SMBASE; a handler may put another one here', { source: 'x86:SMI-13', as: 'hex' }),
  rflags: num(32, 'RFLAGS', { source: 'x86:SMI-13', as: 'hex' }),
  rip: num(32, 'RIP', { source: 'x86:SMI-13', as: 'hex' }),
  cs_selector: num(16, 'CS selector', { source: 'x86:SMI-13', as: 'hex' }),
  cs_base: num(32, 'CS base', { source: 'x86:SMI-13', as: 'hex' }),
  cr0: num(32, 'CR0', { source: 'x86:SMI-13', as: 'hex' }),
  cr4: num(32, 'CR4', { source: 'x86:SMI-13', as: 'hex' }),
  efer: num(32, 'IA32_EFER, in the 64-bit layout', { source: 'x86:SMI-13', as: 'hex' }),
  dr7: num(32, 'DR7', { source: 'x86:SMI-13', as: 'hex' }),
  idt_base: num(32, 'Base of the IDT', { source: 'x86:SMI-13', as: 'hex' }),
  idt_limit: num(16, 'Limit of the IDT', { source: 'x86:SMI-13', as: 'hex' }),
  cs_limit: num(32, 'Limit of CS', { source: 'x86:SMI-13', as: 'hex' }),
  ds_selector: num(16, 'Selector of the data segments', { source: 'x86:SMI-13', as: 'hex' }),
  ds_base: num(32, 'Base of the data segments', { source: 'x86:SMI-13', as: 'hex' }),
  ds_limit: num(32, 'Limit of the data segments', { source: 'x86:SMI-13', as: 'hex' }),
  int_shadow: num(8, 'Interrupt shadow: 1 MOV SS, 2 STI', { source: 'x86:SMI-6' }),
});
/** Pin-based controls, by bit. @source x86:VMX-1 */
export const PIN_BASED_EXT_INTR = 0;
export const PIN_BASED_NMI_EXITING = 3;
export const PIN_BASED_VIRTUAL_NMIS = 5;
export const PIN_BASED_VMX_PREEMPTION_TIMER = 6;
export const PIN_BASED_POSTED_INTR = 7;
const PIN_BASED_NAMES = Array.from({ length: 32 }, () => '');
PIN_BASED_NAMES[PIN_BASED_EXT_INTR] = 'EXT_INTR';
PIN_BASED_NAMES[PIN_BASED_NMI_EXITING] = 'NMI_EXITING';
PIN_BASED_NAMES[PIN_BASED_VIRTUAL_NMIS] = 'VIRTUAL_NMIS';
PIN_BASED_NAMES[PIN_BASED_VMX_PREEMPTION_TIMER] = 'VMX_PREEMPTION_TIMER';
PIN_BASED_NAMES[PIN_BASED_POSTED_INTR] = 'POSTED_INTR';
/** Primary processor-based controls, by bit. @source x86:VMX-2 */
export const CPU_BASED_INTR_WINDOW_EXITING = 2;
export const CPU_BASED_HLT_EXITING = 7;
export const CPU_BASED_TPR_SHADOW = 21;
export const CPU_BASED_NMI_WINDOW_EXITING = 22;
const CPU_BASED_NAMES = Array.from({ length: 32 }, () => '');
CPU_BASED_NAMES[CPU_BASED_INTR_WINDOW_EXITING] = 'INTR_WINDOW';
CPU_BASED_NAMES[CPU_BASED_HLT_EXITING] = 'HLT';
CPU_BASED_NAMES[CPU_BASED_TPR_SHADOW] = 'TPR_SHADOW';
CPU_BASED_NAMES[CPU_BASED_NMI_WINDOW_EXITING] = 'NMI_WINDOW';

const vmcs = record('vmcs', 'hardware', 'Event fields of the VMCS of a plain VMX guest', {
  entry_intr_info: num(32, 'VM-entry interruption information', { source: 'x86:VMX-3', as: 'hex' }),
  idt_vectoring_info: num(32, 'IDT-vectoring information: the event whose delivery the exit interrupted', {
    source: 'x86:VMX-15',
    as: 'hex',
  }),
  exit_qualification: num(32, 'Exit qualification', { source: 'EXIT-1', as: 'hex' }),
  guest_physical_address: word64('Guest physical address of an EPT violation', { source: 'EXIT-1' }),
  tpr_threshold: num(8, 'TPR threshold: a TPR class below it exits', { source: 'x86:IRQ-8' }),
  pin_based: bits(32, 'Pin-based VM-execution controls', { source: 'x86:VMX-1', names: PIN_BASED_NAMES }),
  cpu_based: bits(32, 'Primary processor-based VM-execution controls', {
    source: 'x86:VMX-2',
    names: CPU_BASED_NAMES,
  }),
  eoi_exit_bitmap: bits(256, 'Vectors whose EOI exits', { source: 'EOI-7' }),
  guest: sub(vmcs_guest_state),
});

/** A GSI's entry in the routing table, when it is an MSI. */
export const kvm_msi_route = record('kvm_msi_route', 'kvm', 'An MSI route', {
  set: flag('The GSI has a route', { source: 'VM-13' }),
  irqfd: flag('An eventfd is bound to the GSI', { source: 'VM-13' }),
  dest: num(32, 'Destination x2APIC id', { source: 'x86:LAPIC-27' }),
  data: num(32, 'MSI data: vector, delivery mode, trigger mode', { source: 'x86:LAPIC-7', as: 'hex' }),
});
/** GSIs of the model: 0 to 3. */
export const GSIS = 4;

/** What TDH.VP.ENTER gives back besides RAX; on a TDVMCALL the guest's registers. @source EXIT-1 */
const vp_enter_args = record('vp_enter_args', 'kvm', 'Registers of the last TDH.VP.ENTER', {
  rcx: word64('RCX: exit qualification; of a TDVMCALL the mask of the registers passed', {
    source: 'EXIT-1',
  }),
  rdx: word64('RDX: extended exit qualification', { source: 'EXIT-1' }),
  r8: word64('R8: guest physical address', { source: 'EXIT-1' }),
  r10: word64('R10 of a TDVMCALL, and the status that KVM answers', { source: 'NUM-20' }),
  r11: word64('R11 of a TDVMCALL: the leaf; then an output', { source: 'EXIT-2' }),
  r12: word64('R12', { source: 'EXIT-14' }),
  r13: word64('R13', { source: 'EXIT-14' }),
  r14: word64('R14', { source: 'EXIT-14' }),
  r15: word64('R15', { source: 'EXIT-14' }),
});

/** What KVM_RUN does first after an exit to userspace. @source RUN-3 */
export const COMPLETIONS = [
  'NONE', 'PIO_OUT', 'PIO_IN', 'MMIO_READ', 'SIMPLE', 'TD_VM_CALL_INFO', 'MAP_GPA', 'HYPERCALL', 'RDMSR', 'WRMSR',
] as const; // prettier-ignore
export type Completion = (typeof COMPLETIONS)[number];

/** Secure EPT entry of a private page, as far as KVM and guest bring it. @source TDXM-EPT-4, TDXM-EPT-5 */
export const SEPT_FREE = 0;
export const SEPT_PENDING = 1;
export const SEPT_MAPPED = 2;
/** Guest pages of the model that are accessed one by one, besides the initial memory. */
export const PAGES = 8;
const guest_page = record('guest_page', 'kvm', 'A page of guest memory', {
  sept: name(['FREE', 'PENDING', 'MAPPED'], 'Secure EPT entry in the TDX module', {
    source: 'TDXM-EPT-5',
    layer: 'seam',
  }),
  shared_mapped: flag('The shared EPT, or the EPT of a plain guest, maps it', { source: 'EXIT-18' }),
  shared: flag('Memory attribute: userspace has made it shared', { source: 'EXIT-7' }),
});

export const kvm_vcpu = record('kvm_vcpu', 'kvm', 'A vCPU', {
  created: flag('KVM_CREATE_VCPU has made it', { source: 'VCPU-1' }),
  cpuid_x2apic: flag('Its CPUID offers X2APIC', { source: 'VCPU-7' }),
  cpuid_amd: flag('Its CPUID describes a processor of AMD', { source: 'x86:LAPIC-39' }),
  cpuid_no_lm: flag('Its CPUID offers no long mode', { source: 'x86:SMI-6' }),
  cpuid_set: flag('KVM_SET_CPUID2 was called', { source: 'VCPU-8' }),
  halt_irqs_blocked: flag('R12 of the last TDVMCALL<HLT>: interrupts were blocked', { source: 'HLT-1' }),
  tdx_state: name(['UNINITIALIZED', 'INITIALIZED'], 'vcpu_tdx.state', { source: 'NUM-29' }),
  loaded_cpu: num(8, '1 + number of the CPU on which KVM has last worked on the TD vCPU, 0 for none', {
    source: 'TDXM-VCPU-10',
  }),
  mp_state: name(MP_STATES, 'Multiprocessing state', { source: 'NUM-5' }),
  mode: name(['OUTSIDE_GUEST_MODE', 'IN_GUEST_MODE', 'EXITING_GUEST_MODE'], 'vcpu->mode', {
    source: 'NUM-13',
  }),
  last_exit: num(16, 'Basic reason of the last VM exit', { source: 'NUM-29' }),
  exit_reason: num(32, 'exit_reason.full of the last exit; 0xffffffff for none', {
    source: 'EXIT-2',
    as: 'hex',
  }),
  complete_userspace_io: name(COMPLETIONS, 'What the next KVM_RUN completes first', { source: 'RUN-3' }),
  map_gpa_next: word64('MapGPA: next address', { source: 'HLT-12' }),
  map_gpa_end: word64('MapGPA: end of the range', { source: 'HLT-12' }),
  args: sub(vp_enter_args),
  intr_info: num(32, 'VM-exit interruption information of the last exit', { source: 'EXIT-1', as: 'hex' }),
  nmi_queued: num(8, 'NMIs raised and not yet processed', { source: 'tdx:NMI-1' }),
  nmi_pending: num(8, 'NMIs to inject', { source: 'tdx:NMI-3' }),
  nmi_injected: flag('An NMI is being injected', { source: 'tdx:NMI-5' }),
  smi_pending: flag('An SMI is to be injected', { source: 'tdx:SMI-6' }),
  pending_external_vector: int32('Vector of KVM_INTERRUPT that waits, -1 for none', {
    source: 'tdx:LAPIC-7',
  }),
  interrupt_injected: flag('interrupt.injected', { source: 'tdx:LAPIC-9' }),
  interrupt_soft: flag('interrupt.soft: by INTn', { source: 'x86:IRQ-3' }),
  interrupt_nr: num(8, 'interrupt.nr: its vector', { source: 'x86:IRQ-7' }),
  exception_pending: flag('exception.pending: to be injected', { source: 'x86:INJ-9' }),
  exception_injected: flag('exception.injected', { source: 'tdx:LAPIC-10' }),
  mcg_cmci: flag('KVM_X86_SETUP_MCE has given it CMCI', { source: 'x86:LAPIC-5' }),
  pv_unhalted: flag('arch.pv.pv_unhalted: a remote-read message ended its HLT', { source: 'x86:LAPIC-7' }),
  exception_vector: num(8, 'exception.vector', { source: 'x86:INJ-9' }),
  soft_vnmi_blocked: flag(
    'loaded_vmcs->soft_vnmi_blocked: without virtual NMIs, KVM takes NMIs for blocked',
    {
      source: 'x86:VMX-7',
    },
  ),
  nmi_known_unmasked: flag('loaded_vmcs->nmi_known_unmasked: the last look found blocking by NMI clear', {
    source: 'x86:VMX-9',
  }),
  vnmi_blocked_time: num(32, 'Nanoseconds that the guest has run since soft_vnmi_blocked was set', {
    source: 'x86:VMX-17',
  }),
  vnmi_entry_time: float('When the guest was entered with soft_vnmi_blocked set', { source: 'x86:VMX-17' }),
  at_instruction_boundary: flag('The last exit left the guest between two instructions', {
    source: 'x86:VMX-19',
  }),
  smm: flag('HF_SMM_MASK: the vCPU is in SMM, as far as KVM knows', { source: 'tdx:SMI-6' }),
  smm_inside_nmi: flag('HF_SMM_INSIDE_NMI_MASK: NMIs were masked when it entered SMM', {
    source: 'x86:SMI-9',
  }),
  smbase: num(32, 'SMBASE', { source: 'x86:SMI-8', as: 'hex' }),
  smi_count: num(32, 'SMIs taken since the last reset: MSR_SMI_COUNT', { source: 'x86:SMI-15' }),
  smram: sub(smram),
  guest_debug_blockirq: flag('KVM_GUESTDBG_BLOCKIRQ', { source: 'x86:INJ-10' }),
  wakeup_cpu: int32('CPU on whose wakeup list the vCPU is, -1 for none', { source: 'PI-26' }),
  requests: bits(48, 'Pending requests', { source: 'NUM-15', names: REQUEST_NAMES }),
  vp_enter_ret: word64('Result of the last TDH.VP.ENTER', { source: 'EXIT-1' }),
  apic: sub(kvm_lapic),
  pid: sub(pi_desc),
  run: sub(kvm_run),
  regs: sub(kvm_regs),
  stat: sub(kvm_vcpu_stat),
  vmcs: sub(vmcs),
  tdvps: sub(tdvps),
  guest: sub(guest_cpu),
  id: num(8, 'vcpu_id', { hidden: true }),
  index: num(8, 'Position among all vCPUs', { hidden: true }),
  kvm: num(16, 'Its VM', { hidden: true }),
  thread: num(16, 'Its thread', { hidden: true }),
  cpu: num(16, 'vcpu->cpu: the CPU on which it was loaded last', { hidden: true }),
  mutex: num(16, 'Thread that holds vcpu->mutex', { hidden: true }),
});

export const kvm = record('kvm', 'kvm', 'A VM', {
  type: name(['NONE', 'KVM_X86_DEFAULT_VM', 'KVM_X86_TDX_VM'], 'VM type; NONE before KVM_CREATE_VM', {
    source: 'NUM-6',
  }),
  irqchip_mode: name(['NONE', 'KERNEL', 'SPLIT'], 'Which irqchip the kernel models', { source: 'NUM-8' }),
  td_state: name(TD_STATE, 'kvm_tdx.state', { source: 'VM-3' }),
  created_vcpus: num(8, 'vCPUs created', { source: 'VCPU-1' }),
  vm_dead: flag('Every ioctl is refused with -EIO', { source: 'RUN-1' }),
  vm_bugged: flag('KVM_BUG_ON fired', { source: 'RUN-14' }),
  has_protected_state: flag('Register state is protected: a TD', { source: 'VM-1' }),
  has_protected_eoi: flag('KVM sees no EOI: a TD, since 6.18', { source: 'EOI-13' }),
  pre_fault_allowed: flag('Memory may be pre-faulted', { source: 'VM-5' }),
  apicv_inhibit_reasons: bits(16, 'Why APICv is inhibited', {
    source: 'APICV-4',
    names: APICV_INHIBIT_REASONS,
  }),
  apic_bus_cycle_ns: num(32, 'Length of a LAPIC timer tick', { source: 'VM-6' }),
  hlt_in_guest: flag('HLT does not exit: KVM_CAP_X86_DISABLE_EXITS', { source: 'TMR-5' }),
  mwait_in_guest: flag('MWAIT does not exit: KVM_CAP_X86_DISABLE_EXITS', { source: 'TMR-5' }),
  pit: flag('The PIT is modelled by the kernel', { source: 'EOI-9' }),
  gsi: sub(kvm_msi_route, GSIS),
  blockirq_vcpus: num(8, 'vCPUs with KVM_GUESTDBG_BLOCKIRQ', { source: 'x86:IRQ-16' }),
  poisoned_pages: num(8, 'Pages that the host machine-check handler has poisoned', { source: 'tdx:SMI-14' }),
  apicv_update_lock: num(16, 'Thread that holds apicv_update_lock', { hidden: true }),
  x2apic_broadcast_quirk_disabled: flag(
    'Destination 0xff is an x2APIC id: KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK',
    {
      source: 'x86:LAPIC-31',
    },
  ),
  exception_payload_enabled: flag('KVM_CAP_EXCEPTION_PAYLOAD', { source: 'x86:UAPI-8' }),
  triple_fault_event: flag('KVM_CAP_X86_TRIPLE_FAULT_EVENT', { source: 'x86:UAPI-8' }),
  vapics_in_nmi_mode: num(8, 'vCPUs whose LINT0 is in NMI mode', { source: 'x86:LAPIC-40' }),
  hypercall_exit: num(32, 'KVM_CAP_EXIT_HYPERCALL: hypercalls that go to userspace, by bit', {
    source: 'HLT-12',
    as: 'hex',
  }),
  user_space_msr: num(32, 'KVM_CAP_X86_USER_SPACE_MSR: reasons for which MSR accesses go to userspace', {
    source: 'NUM-2',
  }),
  wait_for_sept_zap: flag('No vCPU may enter: pages are being taken away', { source: 'RUN-10' }),
  page: sub(guest_page, PAGES),
  hkid_assigned: flag('kvm_tdx.hkid is assigned', { source: 'VM-22' }),
  module: sub(tdr),
  index: num(8, 'Position among all VMs', { hidden: true }),
  slots: num(8, 'vCPUs it may have', { hidden: true }),
  first: num(16, 'Its vCPU 0', { hidden: true }),
});

/** Design variants: switches of the platform, fixed at power-on. */
export const variant = record('variant', 'hardware', 'Switches of the platform', {
  module_nmi_fix: flag('The TDX module leaves NMIs blocked after an NMI-induced exit', {
    source: 'tdx:NMI-24',
  }),
  fred: flag('The host uses FRED', { source: 'tdx:NMI-26' }),
  apicv_v1: flag('First design: APICv of a TD is inhibited', { source: 'APICV-2' }),
  no_apicv: flag('enable_apicv=0', { source: 'BRING-3' }),
  no_tdx: flag('Module parameter tdx=0', { source: 'BRING-1' }),
  no_ept: flag('enable_ept=0', { source: 'BRING-2' }),
  no_tdp_mmu: flag('tdp_mmu=0', { source: 'BRING-2' }),
  no_mmio_caching: flag('mmio_caching=0', { source: 'BRING-2' }),
  no_ept_ad_bits: flag('eptad=0', { source: 'BRING-2' }),
  no_osxsave: flag('The host does not use XSAVE', { source: 'BRING-2' }),
  no_movdir64b: flag('The CPU lacks MOVDIR64B', { source: 'BRING-2' }),
  no_selfsnoop: flag('The CPU lacks SELFSNOOP', { source: 'BRING-2' }),
  no_tdx_host_platform: flag('The host kernel has not found TDX', { source: 'BRING-2' }),
  no_virt_at_load: flag('enable_virt_at_load=0', { source: 'BRING-2' }),
  old_tdx_module: flag('The TDX module is older than 1.5.06.00.0744', { source: 'BRING-7' }),
  no_topology_enum: flag('The TDX module lacks TOPOLOGY_ENUM', { source: 'BRING-4' }),
  few_td_vcpus: flag('The TDX module allows a TD fewer vCPUs than the host has CPUs', { source: 'BRING-4' }),
  no_halt_flag: flag('Second posting of the series: TDVMCALL<HLT> carries no flag', { source: 'HLT-2' }),
  emca: flag('eMCA: machine checks are morphed into SMIs', { source: 'tdx:SMI-13' }),
  nmi_readback: flag('Second posting of the series: PEND_NMI is read back after the exit', {
    source: 'tdx:NMI-17',
  }),
  no_vnmi: flag('enable_vnmi=0, or a CPU without virtual NMIs', { source: 'x86:VMX-7' }),
  no_smm: flag('CONFIG_KVM_SMM is off', { source: 'tdx:SMI-5' }),
  nohz_full: flag('Timers live on a housekeeping CPU; KVM may post them', { source: 'TMR-5' }),
  protected_eoi: flag('Linux 6.18 and later: the full irqchip is refused where KVM sees no EOI', {
    source: 'EOI-13',
  }),
  assigned_device: flag('Every VM has a device whose interrupts the IOMMU posts', { source: 'PI-27' }),
});

/** WARN_ON_ONCE call sites that have warned since power-on. */
export const warned = record('warned', 'kvm', 'WARN_ON_ONCE sites that have fired', {
  tdx_vcpu_run: flag('tdx_vcpu_run: an immediate exit was asked for', { source: 'RUN-10' }),
  vt_refresh_apicv_exec_ctrl: flag(
    'vt_refresh_apicv_exec_ctrl, first design: APICv of a TD cannot be switched',
    { source: 'VAPIC-1' },
  ),
  tdx_vcpu_reset: flag('tdx_vcpu_reset: init_event is true', { source: 'INIT-13' }),
  vcpu_enter_guest: flag('vcpu_enter_guest: apicv_active is not what the mask implies', {
    source: 'APICV-13',
  }),
  tdx_handle_exit: flag('tdx_handle_exit: a failed entry of a protected guest that is not NON_RECOVERABLE', {
    source: 'EXIT-10',
  }),
  kvm_apic_accept_events: flag('kvm_apic_accept_events: INIT_RECEIVED although INIT is blocked', {
    source: 'INIT-5',
  }),
});

/** A status that a later SEAMCALL is made to end with. */
export const seam_fault = record(
  'seam_fault',
  'seam',
  'A status that the next SEAMCALLs of one leaf end with',
  {
    times: num(8, 'How many more of them', { source: 'simulator' }),
    leaf: num(8, 'Leaf', { source: 'NUM-25' }),
    status: word64('Completion status', { source: 'NUM-21' }),
    intr_info: num(32, 'R9: VM-exit interruption information', { source: 'EXIT-1', as: 'hex' }),
  },
);

/** Where the records that exist once lie among the placements: see `powerOn`. */
export const warnedRef = (m: Machine): Ref => m.placed[0]!;
export const replyRef = (m: Machine): Ref => m.placed[1]!;
export const variantRef = (m: Machine): Ref => m.placed[2]!;
export const seamFaultRef = (m: Machine): Ref => m.placed[3]!;

/** Reference to the `i`-th vCPU of a VM, 0 to `slots - 1`. */
export function vcpuAt(m: Machine, vm: Ref, i: number): Ref {
  return (kvm.first.get(m, vm) + i * kvm_vcpu.info.size) as Ref;
}

/** The VM of a vCPU. */
export function kvmOf(m: Machine, vcpu: Ref): Ref {
  return kvm_vcpu.kvm.get(m, vcpu) as Ref;
}

export function is_td(m: Machine, vm: Ref): boolean {
  return kvm.type.get(m, vm) === VM_TDX;
}

/** Whether the kernel models an irqchip, whole or split. @source NUM-8; arch/x86/kvm/irq.h */
export function irqchip_in_kernel(m: Machine, vm: Ref): boolean {
  return kvm.irqchip_mode.get(m, vm) !== KVM_IRQCHIP_NONE;
}

export function is_td_vcpu(m: Machine, vcpu: Ref): boolean {
  return is_td(m, kvmOf(m, vcpu));
}

// Sub-records of a vCPU, as the kernel writes vcpu->arch.apic, vcpu->run, ...
export const apicOf = (vcpu: Ref): Ref => kvm_vcpu.apic.at(vcpu);
export const pidOf = (vcpu: Ref): Ref => kvm_vcpu.pid.at(vcpu);
export const runOf = (vcpu: Ref): Ref => kvm_vcpu.run.at(vcpu);
export const regsOf = (vcpu: Ref): Ref => kvm_vcpu.regs.at(vcpu);
export const statOf = (vcpu: Ref): Ref => kvm_vcpu.stat.at(vcpu);
export const tdvpsOf = (vcpu: Ref): Ref => kvm_vcpu.tdvps.at(vcpu);
export const guestOf = (vcpu: Ref): Ref => kvm_vcpu.guest.at(vcpu);
/** The route of a GSI, 0 to `GSIS - 1`. */
export const routeOf = (vm: Ref, gsi: number): Ref => kvm.gsi.nth(vm, gsi);
export const argsOf = (vcpu: Ref): Ref => kvm_vcpu.args.at(vcpu);
export const pageAt = (vm: Ref, i: number): Ref => kvm.page.nth(vm, i);
export const vmcsOf = (vcpu: Ref): Ref => kvm_vcpu.vmcs.at(vcpu);
export const guestStateOf = (vcpu: Ref): Ref => vmcs.guest.at(vmcsOf(vcpu));
export const smramOf = (vcpu: Ref): Ref => kvm_vcpu.smram.at(vcpu);
export const moduleOf = (vm: Ref): Ref => kvm.module.at(vm);
export {
  guest_page, kvm_lapic, kvm_regs, kvm_run, kvm_vcpu_stat, smram, vmcs, vmcs_guest_state, vp_enter_args,
}; // prettier-ignore
