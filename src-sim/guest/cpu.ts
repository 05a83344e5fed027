import { bits, flag, name, num, record, word64 } from '../machine/layout';

/** An instruction the guest executes next. */
export const GUEST_OP = ['NONE', 'WRMSR', 'HLT', 'IRET', 'TRIPLE_FAULT', 'TDVMCALL'] as const;
export const OP_NONE = 0;
export const OP_WRMSR = 1;
export const OP_HLT = 2;
export const OP_IRET = 3;
export const OP_TRIPLE_FAULT = 4;
export const OP_TDVMCALL = 5;

/** A guest vCPU as the guest itself sees it. For a TD this is protected: KVM cannot read it. */
export const guest_cpu = record('guest_cpu', 'guest', 'The virtual processor, seen from inside', {
  op: name(GUEST_OP, 'Instruction to execute next'),
  msr: num(16, 'MSR that WRMSR names', { source: 'NUM-17', as: 'hex' }),
  value: word64('Value that WRMSR writes'),
  if: flag('RFLAGS.IF: interrupts are enabled', { source: 'SDM' }),
  ve_valid: flag('A #VE was delivered and its information not yet fetched', { source: 'tdx:NMI-11' }),
  in_nmi: flag('The NMI handler runs: further NMIs are blocked', { source: 'SDM' }),
  stay_in_nmi: flag('The NMI handler does not return by itself', { source: 'simulator' }),
  nmis: num(8, 'NMIs that the guest has taken', { source: 'tdx:NMI-7' }),
  irqs: num(16, 'Interrupts that the guest has taken', { source: 'PI-15' }),
  started: flag('The guest has executed code on this vCPU', { source: 'VCPU-9' }),
  resets: num(8, 'Times this vCPU was reset by INIT since it first ran', { source: 'x86:SIPI-16' }),
  starts: num(8, 'Times this vCPU was started by SIPI', { source: 'x86:SIPI-12' }),
  eoi_vector: num(8, 'Vector whose EOI exited last', { source: 'x86:IRQ-13' }),
  virr: bits(256, 'Virtual IRR: vectors harvested from the PIR', { source: 'PI-15' }),
  visr: bits(256, 'Virtual ISR: vectors in service', { source: 'PI-15' }),
});
