import { bits, name, num, record, flag, type Ref } from '../machine/layout';
import { thread, type Machine } from '../machine/machine';
import { event } from '../machine/trace';
import {
  CALL_FUNCTION_VECTOR,
  LOCAL_TIMER_VECTOR,
  POSTED_INTR_VECTOR,
  RESCHEDULE_VECTOR,
} from './posted_intr';

/** What a processor executes. */
export const CONTEXT = ['USERSPACE', 'HOST_KERNEL', 'SEAM_ROOT', 'SEAM_NON_ROOT', 'VMX_NON_ROOT'] as const;
export const USERSPACE = 0;
export const HOST_KERNEL = 1;
export const SEAM_ROOT = 2;
export const SEAM_NON_ROOT = 3;
export const VMX_NON_ROOT = 4;

/** A host CPU. Every thread has one to itself; the scheduler may let two of them change places. */
export const pcpu = record('pcpu', 'hardware', 'A host CPU', {
  context: name(CONTEXT, 'What the CPU executes', { source: 'TDXM-MODE-1' }),
  irqs_off: flag('Host interrupts are disabled (RFLAGS.IF = 0)', { source: 'RUN-9' }),
  init_pending: flag('A physical INIT waits', { source: 'INIT-15' }),
  nmi_pending: flag('A physical NMI waits', { source: 'tdx:NMI-27' }),
  nmi_blocked: flag('NMIs are blocked until the handler returns', { source: 'tdx:NMI-24' }),
  smi_pending: flag('An SMI waits', { source: 'tdx:SMI-10' }),
  msmi: flag('The SMI that waits is a machine check: MSMI', { source: 'tdx:SMI-13' }),
  mce_pending: flag('A machine check waits', { source: 'EXIT-13' }),
  entry_failure: num(8, 'Basic reason with which the next VM entry fails, 0 for none', { source: 'EXIT-10' }),
  stepping: flag('The next exit comes so soon that the stepping filter of the TDX module takes it', {
    source: 'tdx:NMI-28',
  }),
  lapic_disabled: flag('The physical local APIC is disabled', { source: 'tdx:NMI-28' }),
  limit_cpuid: flag('IA32_MISC_ENABLE hides CPUID leaves', { source: 'TDXM-ENTER-2' }),
  tsc_adjusted: flag('IA32_TSC_ADJUST is not what it was when the TDX module started', {
    source: 'TDXM-ENTER-16',
  }),
  tsc_back: flag('The TSC is behind its value at the last TD exit', { source: 'TDXM-ENTER-17' }),
  monitor_off: flag('IA32_MISC_ENABLE switches MONITOR off', { source: 'TDXM-ENTER-18' }),
  nmi_depth: num(8, 'Host NMI handlers under way', { source: 'tdx:NMI-25' }),
  nmis: num(8, 'NMIs that the host has handled', { source: 'tdx:NMI-21' }),
  index: num(8, 'CPU number', { hidden: true }),
  thread: num(16, 'Thread that runs here', { hidden: true }),
  irr: bits(256, 'Interrupts pending in the physical local APIC', { source: 'SDM' }),
});

export { LOCAL_TIMER_VECTOR };
const VECTOR_NAMES = {
  [LOCAL_TIMER_VECTOR]: 'LOCAL_TIMER',
  [POSTED_INTR_VECTOR]: 'POSTED_INTR',
  [RESCHEDULE_VECTOR]: 'RESCHEDULE',
  [CALL_FUNCTION_VECTOR]: 'CALL_FUNCTION',
};

const ipi = event('ipi_sent', 'mark', 'PI-36', { cpu: 'num', vector: VECTOR_NAMES }, 'cpu {cpu} vector {vector}',
  'The {vector} interrupt goes to CPU {cpu}.'); // prettier-ignore
const host_irq = event('irq_handled_by_host', 'mark', 'PI-16', { cpu: 'num', vector: VECTOR_NAMES }, 'cpu {cpu} vector {vector}',
  'The host on CPU {cpu} takes the {vector} interrupt.'); // prettier-ignore

/** Whether guest code runs on the CPU, so that its interrupts are events of the guest. */
export function inNonRoot(m: Machine, cpu: Ref): boolean {
  return pcpu.context.get(m, cpu) >= SEAM_NON_ROOT;
}

/** The CPU runs this thread from now on. */
export function putOn(m: Machine, t: Ref, cpu: Ref): void {
  pcpu.thread.set(m, cpu, t);
  thread.cpu.set(m, t, cpu);
  thread.on_cpu.set(m, t, pcpu.index.get(m, cpu));
}

type HostIrqHandler = (m: Machine, cpu: Ref) => void;
const handlers = new Map<number, HostIrqHandler>();
/** What the host does for a vector besides acknowledging it. Declared by the file that owns the vector. */
export function onHostIrq(vector: number, handler: HostIrqHandler): void {
  handlers.set(vector, handler);
}

function handleIrq(m: Machine, cpu: Ref, vector: number): void {
  m.emit(host_irq, pcpu.index.get(m, cpu), vector);
  handlers.get(vector)?.(m, cpu);
}

/**
 * An interrupt arrives at the local APIC of a CPU: pending while interrupts are off, an event of the guest in non-root
 * mode, otherwise taken by the host at once.
 */
export function sendIpi(m: Machine, cpu: Ref, vector: number): void {
  m.emit(ipi, pcpu.index.get(m, cpu), vector);
  if (!pcpu.irqs_off.get(m, cpu) && !inNonRoot(m, cpu)) {
    handleIrq(m, cpu, vector);
    return;
  }
  pcpu.irr.set(m, cpu, vector);
  if (inNonRoot(m, cpu)) m.wake(pcpu.thread.get(m, cpu) as Ref);
}

/** The host takes an interrupt that waits: the one that caused a VM exit, or the highest. */
export function takeIrq(m: Machine, cpu: Ref, vector: number): void {
  pcpu.irr.clear(m, cpu, vector);
  handleIrq(m, cpu, vector);
}

/** Host interrupts are enabled again: what waited is taken by the host, highest vector first. */
export function enableIrqs(m: Machine, cpu: Ref): void {
  pcpu.irqs_off.set(m, cpu, 0);
  for (let v = pcpu.irr.highest(m, cpu); v >= 0; v = pcpu.irr.highest(m, cpu)) takeIrq(m, cpu, v);
}
