import { thread, THREAD_STATUS, type Machine } from '../machine/machine';
import { event } from '../machine/trace';
import { onHostIrq, pcpu, sendIpi } from './pcpu';
import { CALL_FUNCTION_VECTOR } from './posted_intr';

/** Mirrors kernel/smp.c: a function that other CPUs execute in an interrupt, while the caller waits for all of them. */

const awaits = event('acks_awaited', 'mark', 'NUM-15', { cpus: 'hex' }, 'cpus {cpus}',
  '{who} waits until every CPU of the mask {cpus} has taken its interrupt.'); // prettier-ignore
const WAITING = THREAD_STATUS.indexOf('waiting');

/**
 * Interrupts CPUs on behalf of the current thread, which then waits: `awaitsAcks`. A CPU whose interrupts are on answers
 * at once; one that runs a guest answers when it has exited, one with interrupts off when they are on again. With its
 * own interrupts off the caller does not wait: the kernel warns there, since two of them could wait for each other.
 *
 * @param cpus - their numbers, as bits.
 */
export function smp_call_function_many(m: Machine, cpus: number): void {
  const { acks } = thread;
  const waits = !pcpu.irqs_off.get(m, thread.cpu.get(m, m.thread));
  for (let i = 0; waits && i < m.cpus.length; i++) if (cpus & (1 << i)) acks.set(m, m.thread, i);
  for (let i = 0; i < m.cpus.length; i++) if (cpus & (1 << i)) sendIpi(m, m.cpus[i]!, CALL_FUNCTION_VECTOR);
  if (awaitsAcks(m)) m.emit(awaits, cpus);
}

/** Whether a CPU has not yet answered the current thread. */
export function awaitsAcks(m: Machine): boolean {
  return !thread.acks.isEmpty(m, m.thread);
}

/** The CPU has executed what it was asked to; whoever waited for it last goes on. */
onHostIrq(CALL_FUNCTION_VECTOR, (m, cpu) => {
  const here = pcpu.index.get(m, cpu);
  for (const t of m.threadRefs) {
    if (!thread.acks.testAndClear(m, t, here) || !thread.acks.isEmpty(m, t)) continue;
    if (thread.status.get(m, t) === WAITING) m.wake(t);
  }
});
