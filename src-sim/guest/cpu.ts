import { bits, flag, name, num, record, word64, type Ref, type Views } from '../machine/layout';

/** An instruction the guest executes next. */
export const GUEST_OP = [
  'NONE', 'WRMSR', 'HLT', 'IRET', 'TRIPLE_FAULT', 'TDVMCALL', 'RDMSR', 'CPUID', 'IO', 'MMIO', 'TOUCH', 'VMEXIT',
  'MOV_CR8', 'VEINFO_GET', 'RSM', 'STI', 'MOV_SS',
] as const; // prettier-ignore
export const OP_NONE = 0;
export const OP_WRMSR = 1;
export const OP_HLT = 2;
export const OP_IRET = 3;
export const OP_TRIPLE_FAULT = 4;
export const OP_TDVMCALL = 5;
export const OP_RDMSR = 6;
export const OP_CPUID = 7;
export const OP_IO = 8;
export const OP_MMIO = 9;
export const OP_TOUCH = 10;
export const OP_VMEXIT = 11;
export const OP_MOV_CR8 = 12;
export const OP_VEINFO_GET = 13;
export const OP_RSM = 14;
export const OP_STI = 15;
export const OP_MOV_SS = 16;

/** What an IRET runs into after it has unblocked NMIs: nothing, or an exit whose information has bit 12 set. @source x86:VMX-16 */
export const IRET_FAULT = [
  'NONE',
  'EPT_VIOLATION',
  'PML_FULL',
  'NOTIFY',
  'PAGE_FAULT',
  'DOUBLE_FAULT',
] as const;

/** How a memory access is made; `accept` is TDG.MEM.PAGE.ACCEPT. */
export const ACCESS = ['read', 'write', 'fetch', 'accept'] as const;
export const ACCESS_FETCH = 2;
export const ACCESS_ACCEPT = 3;
/** Which alias of a page is used: without or with the shared bit. */
export const SPACE = ['private', 'shared'] as const;
export const SPACE_SHARED = 1;

/** A guest vCPU as the guest itself sees it. For a TD this is protected: KVM cannot read it. */
export const guest_cpu = record('guest_cpu', 'guest', 'The virtual processor, seen from inside', {
  op: name(GUEST_OP, 'Instruction to execute next'),
  msr: num(32, 'MSR that RDMSR or WRMSR names', { source: 'NUM-17', as: 'hex' }),
  value: word64('Value that WRMSR writes, or that RDMSR has read'),
  ecx: num(32, 'ECX at the last exit for RDMSR or WRMSR: the MSR', { source: 'NUM-17', as: 'hex' }),
  edx_eax: word64('EDX:EAX at the last exit for WRMSR: the value', { source: 'NUM-17' }),
  rax: word64('RAX after the last TDCALL: its completion status', { source: 'TDXM-ENTER-25' }),
  rcx: num(32, 'RCX of a TDVMCALL: which registers it passes', { source: 'EXIT-19', as: 'hex' }),
  r10: word64('R10: 0 for a standard TDVMCALL; afterwards its status', { source: 'NUM-20' }),
  r11: word64('R11: leaf of a TDVMCALL; afterwards an output', { source: 'EXIT-2' }),
  r12: word64('R12', { source: 'EXIT-14' }),
  r13: word64('R13', { source: 'EXIT-14' }),
  r14: word64('R14', { source: 'EXIT-14' }),
  r15: word64('R15', { source: 'EXIT-14' }),
  page: num(8, 'Page that a memory access concerns'),
  access: name(ACCESS, 'How it is accessed'),
  space: name(SPACE, 'Which alias of the page'),
  exit_reason: num(16, 'Basic reason of the VM exit that it provokes', { source: 'NUM-11' }),
  exit_qualification: num(32, 'Qualification of that exit', { source: 'EXIT-1', as: 'hex' }),
  rsm: flag('The #UD with which it left is that of RSM', { source: 'x86:SMI-13' }),
  exit_vector: num(8, 'Exception vector of that exit', { source: 'EXIT-12' }),
  tpr: num(8, 'Virtual TPR', { source: 'NUM-27', as: 'hex' }),
  gps: num(8, '#GP that the guest has taken', { source: 'PI-33' }),
  if: flag('RFLAGS.IF: interrupts are enabled', { source: 'SDM' }),
  dfs: num(8, '#DF that the guest has taken', { source: 'TDXM-VE-3' }),
  ve_valid: flag('A #VE was delivered and its information not yet fetched', { source: 'tdx:NMI-11' }),
  ve_fetched: flag('The #VE handler has fetched the information and goes on', { source: 'TDXM-VE-5' }),
  ve_op: name(GUEST_OP, 'Instruction that has raised the #VE', { source: 'TDXM-VE-2' }),
  stay_in_ve: flag('The #VE handler does not fetch the information by itself', { source: 'simulator' }),
  stay_in_irq: flag('Interrupt handlers do not end by themselves: the guest writes EOI', {
    source: 'simulator',
  }),
  saved_if: num(8, 'RFLAGS.IF of the code that NMI handlers have interrupted, one bit each', {
    source: 'SDM',
  }),
  sti_blocking: flag('Blocking by STI: the next instruction comes before any event', { source: 'x86:VMX-6' }),
  mov_ss_blocking: flag('Blocking by MOV SS: the next instruction comes before any event', {
    source: 'x86:VMX-6',
  }),
  in_nmi: flag('Blocking by NMI: further NMIs wait until an IRET', { source: 'x86:VMX-6' }),
  nmi_depth: num(8, 'NMI handlers under way; two when the second interrupted the first', {
    source: 'x86:EDGE-16',
  }),
  stay_in_nmi: flag('The NMI handler does not return by itself', { source: 'simulator' }),
  nmis: num(8, 'NMIs that the guest has taken', { source: 'tdx:NMI-7' }),
  irqs: num(16, 'Interrupts that the guest has taken', { source: 'PI-15' }),
  exceptions: num(8, 'Exceptions that KVM has injected and the guest has taken', { source: 'x86:INJ-9' }),
  exception: num(8, 'Vector of the last of them', { source: 'x86:INJ-9' }),
  delivery_faults: num(8, 'Deliveries of events that an exit will interrupt', { source: 'x86:VMX-15' }),
  delivery_exit: num(8, 'Basic reason of that exit', { source: 'x86:VMX-21' }),
  iret_fault: name(IRET_FAULT, 'What the IRET runs into', { source: 'x86:VMX-16' }),
  started: flag('The guest has executed code on this vCPU', { source: 'VCPU-9' }),
  resets: num(8, 'Times this vCPU was reset by INIT since it first ran', { source: 'x86:SIPI-16' }),
  starts: num(8, 'Times this vCPU was started by SIPI', { source: 'x86:SIPI-12' }),
  eoi_vector: num(8, 'Vector whose EOI exited last', { source: 'x86:IRQ-13' }),
  virr: bits(256, 'Virtual IRR: vectors harvested from the PIR', { source: 'PI-15' }),
  visr: bits(256, 'Virtual ISR: vectors in service', { source: 'PI-15' }),
});

/** Whether the instruction before this one holds events back: STI with interrupts off before, or MOV SS. @source x86:VMX-6 */
export function inShadow(m: Views, guest: Ref): boolean {
  return guest_cpu.sti_blocking.get(m, guest) === 1 || guest_cpu.mov_ss_blocking.get(m, guest) === 1;
}

/** Virtual processor priority: the higher of TPR and the class in service. @source NUM-27; SDM */
export function vppr(m: Views, guest: Ref): number {
  const inService = guest_cpu.visr.highest(m, guest);
  const tpr = guest_cpu.tpr.get(m, guest);
  return inService < 0 || tpr >> 4 >= inService >> 4 ? tpr : inService & 0xf0;
}

/** VMXIP: a vector in the virtual IRR has a class above the virtual PPR. IF and blocking do not count. @source NUM-27, PEND-6 */
export function vmxip(m: Views, guest: Ref): boolean {
  return guest_cpu.virr.highest(m, guest) >> 4 > vppr(m, guest) >> 4;
}
