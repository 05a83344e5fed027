import type { Ref } from '../machine/layout';
import { thread, THREAD_STATUS, type Machine } from '../machine/machine';
import { event } from '../machine/trace';
import { inNonRoot, pcpu, putOn, sendIpi } from '../platform/pcpu';
import { RESCHEDULE_VECTOR } from '../platform/posted_intr';
import { kvm_vcpu } from './kvm_host';

/**
 * The scheduler, as far as KVM notices it: it moves the thread of a vCPU to another CPU, at once while the thread does
 * not run, else where the kernel would preempt it. A CPU has one thread; whoever had the other CPU takes this one.
 */

const sched_migrate_task = event('sched_migrate_task', 'tracepoint', 'PI-23',
  { vcpu: 'num', orig_cpu: 'num', dest_cpu: 'num' }, 'comm=CPU {vcpu}/KVM orig_cpu={orig_cpu} dest_cpu={dest_cpu}',
  'The scheduler moves the thread of vCPU {vcpu} from CPU {orig_cpu} to CPU {dest_cpu}.'); // prettier-ignore

const IDLE = THREAD_STATUS.indexOf('idle');
const BLOCKED = THREAD_STATUS.indexOf('blocked');

/** The CPU on which the thread of a vCPU runs, whether or not KVM has loaded the vCPU there. */
export function cpuOfThread(m: Machine, vcpu: Ref): Ref {
  return thread.cpu.get(m, kvm_vcpu.thread.get(m, vcpu)) as Ref;
}

/** Whether a thread does not run, so that it can be put anywhere. */
function isOff(m: Machine, t: Ref): boolean {
  const status = thread.status.get(m, t);
  return status === IDLE || status === BLOCKED;
}

/** Whether the scheduler can give the CPU away. */
export function canTake(m: Machine, cpu: Ref): boolean {
  return isOff(m, pcpu.thread.get(m, cpu) as Ref);
}

/**
 * Moves the thread of a vCPU to a CPU that `canTake`: now if it does not run, else at its next preemption point; a
 * guest is interrupted for that.
 */
export function migrate(m: Machine, vcpu: Ref, to: Ref): void {
  const t = kvm_vcpu.thread.get(m, vcpu) as Ref;
  const from = thread.cpu.get(m, t) as Ref;
  if (from === to) return;
  thread.migrate_to.set(m, t, 1 + pcpu.index.get(m, to));
  if (isOff(m, t)) moveIfAsked(m, vcpu);
  else if (inNonRoot(m, from)) sendIpi(m, from, RESCHEDULE_VECTOR);
}

/** Whether the current thread is to be moved: like a signal it keeps a vCPU from entering the guest. */
export function need_resched(m: Machine): boolean {
  return thread.migrate_to.get(m, m.thread) !== 0;
}

/** A preemption point of the vCPU's thread: it moves, unless the other CPU has been taken meanwhile. */
export function moveIfAsked(m: Machine, vcpu: Ref): void {
  const t = kvm_vcpu.thread.get(m, vcpu) as Ref;
  const asked = thread.migrate_to.get(m, t);
  if (asked === 0) return;
  thread.migrate_to.set(m, t, 0);
  const from = thread.cpu.get(m, t) as Ref;
  const to = m.cpus[asked - 1]!;
  if (!canTake(m, to)) return;
  m.emit(sched_migrate_task, kvm_vcpu.id.get(m, vcpu), pcpu.index.get(m, from), asked - 1);
  const context = pcpu.context.get(m, from);
  pcpu.context.set(m, from, pcpu.context.get(m, to));
  pcpu.context.set(m, to, context);
  putOn(m, pcpu.thread.get(m, to) as Ref, from);
  putOn(m, t, to);
}
