import type { Ref } from '../machine/layout';
import { thread, type Machine } from '../machine/machine';
import { CALLED, E, routine, type Routine } from '../machine/routine';
import { HOST_KERNEL, inNonRoot, pcpu, sendIpi, USERSPACE } from '../platform/pcpu';
import { RESCHEDULE_VECTOR } from '../platform/posted_intr';
import { awaitsAcks, smp_call_function_many } from '../platform/smp';
import {
  EXITING_GUEST_MODE, apicOf, IN_GUEST_MODE, OUTSIDE_GUEST_MODE, kvm, kvm_lapic, KVM_REQ_MIGRATE_TIMER, KVM_REQ_UNBLOCK, KVM_REQ_VM_DEAD, kvm_run, kvm_vcpu, kvmOf, runOf, vcpuAt, warned, warnedRef,
} from './kvm_host'; // prettier-ignore
import {
  KVM_BUG_ON as BUG, kvm_userspace_exit, vcpu_kicked, vcpu_sleeps, vcpu_woken, WARN, warn_once_silent, WARN_SITES,
} from './trace'; // prettier-ignore
import { kvm_arch_vcpu_runnable } from './x86_events';
import { kvm_x86_ops } from './kvm_x86_ops';
import { cpuOfThread, moveIfAsked } from './sched';

/** Mirrors virt/kvm/kvm_main.c. */

/** The CPU on which the current thread runs. */
export function thisCpu(m: Machine): Ref {
  return thread.cpu.get(m, m.thread) as Ref;
}

export function kvm_make_request(m: Machine, vcpu: Ref, request: number): void {
  kvm_vcpu.requests.set(m, vcpu, request);
}

/** Tests and clears a request. */
export function kvm_check_request(m: Machine, vcpu: Ref, request: number): boolean {
  return kvm_vcpu.requests.testAndClear(m, vcpu, request) === 1;
}

/**
 * Whether the vCPU must be interrupted before the sender of a request may go on: it is in guest mode, or on its way out
 * of it. From now on it is on its way out.
 *
 * @source NUM-15; virt/kvm/kvm_main.c: kvm_request_needs_ipi, with KVM_REQUEST_WAIT
 */
function kvm_request_needs_ipi(m: Machine, vcpu: Ref): boolean {
  const mode = kvm_vcpu.mode.get(m, vcpu);
  if (mode === IN_GUEST_MODE) {
    kvm_vcpu.mode.set(m, vcpu, EXITING_GUEST_MODE);
    m.emit(vcpu_kicked, kvm_vcpu.id.get(m, vcpu));
  }
  return mode !== OUTSIDE_GUEST_MODE && kvm_vcpu.thread.get(m, vcpu) !== m.thread;
}

/** In place of a request: the vCPUs need only leave guest mode. @source RUN-10; KVM_REQ_OUTSIDE_GUEST_MODE */
export const NO_REQUEST = -1;

/** Raises a request for every vCPU of a VM and waits until none runs the guest without knowing of it. Nobody is woken. */
export const kvm_make_all_cpus_request = routine(
  {
    name: 'kvm_make_all_cpus_request',
    layer: 'kvm',
    source: 'NUM-15',
    args: ['vm', 'request'],
    locals: ['i', 'cpus'],
    steps: {
      request: [
        'Raise the request, vCPU by vCPU, up to one that has to be taken out of guest mode.',
        'NUM-15',
      ],
      kick: ['Interrupt the CPUs of those that must leave guest mode.', 'NUM-15'],
      wait: ['Wait until each of these CPUs has taken the interrupt: its vCPU has left the guest.', 'NUM-15'],
    },
  },
  (at) => ({
    request(m, l) {
      const vm = l.vm as Ref;
      while (l.i < kvm.slots.get(m, vm)) {
        const vcpu = vcpuAt(m, vm, l.i++);
        if (!kvm_vcpu.created.get(m, vcpu)) continue;
        if (l.request !== NO_REQUEST) kvm_make_request(m, vcpu, l.request);
        if (!kvm_request_needs_ipi(m, vcpu)) continue;
        l.cpus |= 1 << pcpu.index.get(m, kvm_vcpu.cpu.get(m, vcpu));
        return at.request;
      }
      return l.cpus === 0 ? m.ret(0) : at.kick;
    },
    kick(m, l) {
      smp_call_function_many(m, l.cpus);
      return at.wait;
    },
    wait: (m) => (awaitsAcks(m) ? m.block('waiting') : m.ret(0)),
  }),
);

/**
 * Marks the VM bugged and dead and asks every vCPU to leave. A halted vCPU is not woken by it.
 *
 * @source RUN-14; include/linux/kvm_host.h: KVM_BUG_ON, kvm_vm_bugged, kvm_vm_dead
 */
export function KVM_BUG_ON(m: Machine, vm: Ref, site: number): void {
  m.emit(BUG, site);
  kvm.vm_bugged.set(m, vm, 1);
  kvm_vm_dead(m, vm);
}

/**
 * The VM is finished: every later ioctl is -EIO, every vCPU is asked to leave. All in one step, after which the caller's
 * thread waits for those that were in the guest.
 *
 * @source RUN-14, EXIT-18, NUM-15
 */
export function kvm_vm_dead(m: Machine, vm: Ref): void {
  kvm.vm_dead.set(m, vm, 1);
  let cpus = 0;
  for (let i = 0; i < kvm.slots.get(m, vm); i++) {
    const vcpu = vcpuAt(m, vm, i);
    if (!kvm_vcpu.created.get(m, vcpu)) continue;
    kvm_make_request(m, vcpu, KVM_REQ_VM_DEAD);
    if (kvm_request_needs_ipi(m, vcpu)) cpus |= 1 << pcpu.index.get(m, kvm_vcpu.cpu.get(m, vcpu));
  }
  smp_call_function_many(m, cpus);
  if (awaitsAcks(m)) m.block('waiting');
}

/** The WARN_ON_ONCE sites, in the order of their numbers in the trace. */
export type WarnSite =
  | 'tdx_vcpu_reset'
  | 'kvm_apic_accept_events'
  | 'tdx_vcpu_run'
  | 'vt_refresh_apicv_exec_ctrl'
  | 'vcpu_enter_guest'
  | 'tdx_handle_exit';

/** WARN_ON_ONCE: the first time since power-on shows, later ones are silent. @source INIT-13 */
export function warnOnce(m: Machine, site: WarnSite, vcpu: Ref): void {
  const again = warned[site].testAndSet(m, warnedRef(m));
  m.emit(again ? warn_once_silent : WARN, WARN_SITES.indexOf(site), kvm_vcpu.id.get(m, vcpu));
}

/** Wakes the vCPU's thread if it sleeps in KVM. @returns whether it did. */
export function kvm_vcpu_wake_up(m: Machine, vcpu: Ref): boolean {
  const t = kvm_vcpu.thread.get(m, vcpu) as Ref;
  if (thread.status.get(m, t) !== 2) return false;
  m.wake(t);
  m.emit(vcpu_woken, kvm_vcpu.id.get(m, vcpu));
  return true;
}

/** The same as `kvm_vcpu_kick`, from interrupt context: nothing can come between its parts there. @source PI-36 */
export function kvm_vcpu_kick_now(m: Machine, vcpu: Ref): void {
  if (kvm_vcpu_wake_up(m, vcpu)) return;
  if (kvm_vcpu.mode.get(m, vcpu) !== IN_GUEST_MODE) return;
  kvm_vcpu.mode.set(m, vcpu, EXITING_GUEST_MODE);
  const cpu = kvm_vcpu.cpu.get(m, vcpu) as Ref;
  if (inNonRoot(m, cpu)) sendIpi(m, cpu, RESCHEDULE_VECTOR);
}

/** Makes a vCPU notice a request: wakes it, or takes it out of the guest. */
export const kvm_vcpu_kick = routine(
  {
    name: 'kvm_vcpu_kick',
    layer: 'kvm',
    source: 'PI-36',
    args: ['vcpu'],
    steps: {
      wake: ['Wake the vCPU if its thread sleeps; then nothing more is needed.', 'PI-36'],
      should_kick: ['Read vcpu->mode: only a vCPU in guest mode must be interrupted.', 'PI-36'],
      send: ['Send the reschedule interrupt to its CPU.', 'PI-36'],
    },
  },
  (at) => ({
    wake(m, l) {
      return kvm_vcpu_wake_up(m, l.vcpu as Ref) ? m.ret() : at.should_kick;
    },
    should_kick(m, l) {
      const vcpu = l.vcpu as Ref;
      if (kvm_vcpu.mode.get(m, vcpu) !== IN_GUEST_MODE) return m.ret();
      kvm_vcpu.mode.set(m, vcpu, EXITING_GUEST_MODE);
      if (kvm_vcpu.thread.get(m, vcpu) === m.thread) return m.ret();
      m.emit(vcpu_kicked, kvm_vcpu.id.get(m, vcpu));
      return at.send;
    },
    send(m, l) {
      sendIpi(m, kvm_vcpu.cpu.get(m, l.vcpu as Ref) as Ref, RESCHEDULE_VECTOR);
      return m.ret();
    },
  }),
);

/**
 * The CPU of the vCPU's thread has the vCPU from now on: `next`, or a call first if another CPU had it before. An ioctl
 * counts as made on that CPU whoever makes it.
 *
 * @source PI-24
 */
export function vcpu_load(m: Machine, next: number, vcpu: Ref): number {
  const cpu = cpuOfThread(m, vcpu);
  kvm_x86_ops.vcpu_load(m, vcpu, cpu);
  return kvm_vcpu.cpu.get(m, vcpu) === cpu ? next : m.call(next, kvm_arch_vcpu_load, vcpu);
}

/** The rest of loading a vCPU that was on another CPU. */
export const kvm_arch_vcpu_load = routine(
  {
    name: 'kvm_arch_vcpu_load',
    layer: 'kvm',
    source: 'PI-23',
    args: ['vcpu'],
    steps: {
      leave: ['The CPU that had the vCPU before drops what it keeps of it.', 'PI-23'],
      moved: ['vcpu->cpu is this CPU; KVM_REQ_MIGRATE_TIMER.', 'TMR-16'],
    },
  },
  (at) => ({
    leave: (m, l) => m.call(at.moved, kvm_x86_ops.vcpu_leave_cpu, l.vcpu),
    moved(m, l) {
      const vcpu = l.vcpu as Ref;
      kvm_vcpu.cpu.set(m, vcpu, cpuOfThread(m, vcpu));
      kvm_make_request(m, vcpu, KVM_REQ_MIGRATE_TIMER);
      return m.ret(0);
    },
  }),
);

/** The scheduler takes the CPU from a vCPU that runs, and gives it another one. @source PI-23; kvm_sched_out, kvm_sched_in */
export const schedule = routine(
  {
    name: 'schedule',
    layer: 'kvm',
    source: 'PI-23',
    args: ['vcpu'],
    steps: {
      kvm_sched_out: ['vcpu_put; the thread moves.', 'PI-26'],
      kvm_sched_in: ['vcpu_load on the CPU where it is now.', 'PI-24'],
      done: ['The vCPU goes on there.', 'PI-23'],
    },
  },
  (at) => ({
    kvm_sched_out(m, l) {
      kvm_x86_ops.vcpu_put(m, l.vcpu as Ref, false);
      moveIfAsked(m, l.vcpu as Ref);
      return at.kvm_sched_in;
    },
    kvm_sched_in: (m, l) => vcpu_load(m, at.done, l.vcpu as Ref),
    done: (m) => m.ret(0),
  }),
);

/** Sleeps until the vCPU is runnable, a signal comes, or KVM_REQ_UNBLOCK is raised. */
export const kvm_vcpu_block = routine(
  {
    name: 'kvm_vcpu_block',
    layer: 'kvm',
    source: 'HLT-6',
    args: ['vcpu'],
    locals: ['slept'],
    steps: { check: ['kvm_vcpu_check_block: is there a reason to end the sleep?', 'HLT-6'] },
  },
  (at) => ({
    check(m, l) {
      const vcpu = l.vcpu as Ref;
      if (l.slept && vcpu_load(m, at.check, vcpu) !== at.check) return CALLED; // it has woken up on another CPU
      const stop =
        kvm_arch_vcpu_runnable(m, vcpu) ||
        thread.signal.get(m, m.thread) === 1 ||
        kvm_check_request(m, vcpu, KVM_REQ_UNBLOCK) ||
        kvm_lapic.timer_pending.get(m, apicOf(vcpu)) > 0;
      if (stop) return m.ret(l.slept);
      l.slept = 1;
      m.emit(vcpu_sleeps, kvm_vcpu.id.get(m, vcpu));
      const asleep = m.block('blocked');
      kvm_x86_ops.vcpu_put(m, vcpu, true);
      moveIfAsked(m, vcpu);
      return asleep;
    },
  }),
);

/** A vCPU ioctl of the model: its number in the table is what the thread carries. */
export interface VcpuIoctl {
  readonly name: string;
  readonly handler: Routine<'vcpu' | 'arg'>;
}
const vcpuIoctls: VcpuIoctl[] = [];
let post_kvm_run_save: (m: Machine, vcpu: Ref) => void;
/** The handlers of vCPU ioctls, filled in by `ioctls.ts` in a fixed order; and what KVM_RUN leaves in kvm_run. */
export function setVcpuIoctls(list: readonly VcpuIoctl[], save: typeof post_kvm_run_save): void {
  vcpuIoctls.splice(0, vcpuIoctls.length, ...list);
  post_kvm_run_save = save;
}

/** Every vCPU ioctl: dead VM, mutex, load, handler, put. */
export const kvm_vcpu_ioctl = routine(
  {
    name: 'kvm_vcpu_ioctl',
    layer: 'kvm',
    source: 'RUN-1',
    args: ['vcpu', 'cmd', 'arg', 'arg2'],
    steps: {
      dead: ['A dead VM refuses every ioctl with -EIO.', 'RUN-1'],
      lock: ['Take vcpu->mutex; whoever is inside KVM_RUN holds it.', 'tdx:NMI-1'],
      load: ['vcpu_load: the vCPU belongs to this CPU now.', 'PI-24'],
      handle: ['Hand over to the handler of this ioctl.', 'RUN-1'],
      put: ['vcpu_put, release the mutex, return to userspace.', 'PI-26'],
    },
  },
  (at) => ({
    dead(m, l) {
      pcpu.context.set(m, thisCpu(m), HOST_KERNEL);
      if (!kvm.vm_dead.get(m, kvmOf(m, l.vcpu as Ref))) return at.lock;
      pcpu.context.set(m, thisCpu(m), USERSPACE);
      return m.ret(E('EIO'));
    },
    lock(m, l) {
      const vcpu = l.vcpu as Ref;
      const owner = kvm_vcpu.mutex.get(m, vcpu);
      if (owner !== 0) {
        thread.waiting_on.set(m, m.thread, vcpu);
        return m.block('waiting');
      }
      thread.waiting_on.set(m, m.thread, 0);
      kvm_vcpu.mutex.set(m, vcpu, m.thread);
      return at.load;
    },
    load: (m, l) => vcpu_load(m, at.handle, l.vcpu as Ref),
    handle(m, l) {
      return m.call(at.put, vcpuIoctls[l.cmd]!.handler, l.vcpu, l.arg, l.arg2);
    },
    put(m, l) {
      const vcpu = l.vcpu as Ref;
      const result = m.retval;
      if (vcpuIoctls[l.cmd]!.name === 'KVM_RUN') {
        post_kvm_run_save(m, vcpu);
        const exit = kvm_run.exit_reason.get(m, runOf(vcpu));
        m.emit(kvm_userspace_exit, exit, result, result === E('EINTR') ? -1 : exit);
        m.answerExit(exit);
        thread.signal.set(m, m.thread, 0); // its handler runs in userspace
        kvm_run.immediate_exit.set(m, runOf(vcpu), 0);
      }
      kvm_x86_ops.vcpu_put(m, vcpu, false);
      kvm_vcpu.mutex.set(m, vcpu, 0);
      for (const t of m.threadRefs) if (thread.waiting_on.get(m, t) === vcpu) m.wake(t);
      pcpu.context.set(m, thisCpu(m), USERSPACE);
      if (kvm_vcpu.thread.get(m, vcpu) === m.thread) moveIfAsked(m, vcpu);
      return m.ret(result);
    },
  }),
);

/** A VM ioctl: like `VcpuIoctl`, without a mutex of its own. */
export interface VmIoctl {
  readonly name: string;
  readonly handler: Routine<'vm' | 'arg'>;
}
const vmIoctls: VmIoctl[] = [];
/** The handlers of VM ioctls, filled in by `ioctls.ts` in a fixed order. */
export function setVmIoctls(list: readonly VmIoctl[]): void {
  vmIoctls.splice(0, vmIoctls.length, ...list);
}

/** Every VM ioctl: dead VM, handler. KVM_CREATE_VM, an ioctl of /dev/kvm, takes the same way in. */
export const kvm_vm_ioctl = routine(
  {
    name: 'kvm_vm_ioctl',
    layer: 'kvm',
    source: 'RUN-1',
    args: ['vm', 'cmd', 'arg', 'arg2'],
    steps: {
      dead: ['A dead VM refuses every ioctl with -EIO.', 'RUN-1'],
      done: ['Return to userspace.', 'RUN-1'],
    },
  },
  (at) => ({
    dead(m, l) {
      pcpu.context.set(m, thisCpu(m), HOST_KERNEL);
      if (!kvm.vm_dead.get(m, l.vm as Ref))
        return m.call(at.done, vmIoctls[l.cmd]!.handler, l.vm, l.arg, l.arg2);
      thread.ret.set(m, m.thread, E('EIO'));
      return at.done;
    },
    done(m) {
      const result = m.retval;
      pcpu.context.set(m, thisCpu(m), USERSPACE);
      return m.ret(result);
    },
  }),
);
