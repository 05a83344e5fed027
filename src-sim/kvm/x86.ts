import type { Ref } from '../machine/layout';
import { thread, type Machine } from '../machine/machine';
import { guest_cpu } from '../guest/cpu';
import { E, routine } from '../machine/routine';
import { enableIrqs, pcpu } from '../platform/pcpu';
import { APIC_DEFAULT_PHYS_BASE, MSR_IA32_APICBASE_ENABLE } from '../platform/apic';
import {
  __kvm_set_or_clear_apicv_inhibit,
  __kvm_vcpu_update_apicv,
  inhibitReason,
  kvm_apicv_activated,
} from './apicv';
import * as host from './kvm_host';
import { kvm, kvm_lapic, kvm_regs, kvm_run, kvm_vcpu, kvm_vcpu_stat, variant } from './kvm_host';
import { kvm_check_request, kvm_make_request, kvm_vcpu_block, schedule, thisCpu, warnOnce } from './kvm_main';
import { need_resched } from './sched';
import { vcpu_scan_ioapic } from './irq_comm';
import { kvm_apic_accept_events, kvm_pmu_deliver_pmi } from './lapic';
import { kvm_apic_get_state, kvm_apic_set_state } from './lapic_state';
import {
  __kvm_migrate_apic_timer,
  hasDeliverableTimer,
  kvm_apic_inject_pending_timer_irqs,
} from './lapic_timer';
import { KVM_RUN_X86_SMM } from './kvm_run';
import { reply } from './reply';
import { kvm_vcpu_wakeup, mp_state_read } from './trace';
import { kvm_x86_ops } from './kvm_x86_ops';
import {
  kvm_check_and_inject_events,
  kvm_cpu_accept_dm_intr,
  kvm_event_needs_reinjection,
  kvm_inject_nmi,
  kvm_inject_smi,
  process_nmi,
  process_smi,
} from './x86_inject';
import {
  kvm_apic_init_sipi_allowed,
  kvm_arch_vcpu_runnable,
  kvm_vcpu_running,
  lapic_in_kernel,
} from './x86_events';

/** Mirrors arch/x86/kvm/x86.c: the run loop, guest entry, and the ioctls of a vCPU. */

function signalPending(m: Machine): boolean {
  return thread.signal.get(m, m.thread) === 1;
}

/** A signal ends KVM_RUN. @source RUN-5; kvm_handle_signal_exit */
function signalExit(m: Machine, vcpu: Ref): number {
  const stat = host.statOf(vcpu);
  kvm_run.exit_reason.set(m, host.runOf(vcpu), host.KVM_EXIT_INTR);
  kvm_vcpu_stat.signal_exits.set(m, stat, kvm_vcpu_stat.signal_exits.get(m, stat) + 1);
  return m.ret(E('EINTR'));
}

/** One attempt to run the guest: requests, INIT/SIPI, entry, exit. Answers 1 to go on, 0 or an errno to leave. */
export const vcpu_enter_guest = routine(
  {
    name: 'vcpu_enter_guest',
    layer: 'kvm',
    source: 'RUN-6',
    args: ['vcpu'],
    steps: {
      requests: [
        'Serve the requests: dead VM, triple fault, PMI, SMI, NMI, EOI of a level-triggered vector, APICv.',
        'RUN-6',
      ],
      events: ['If KVM_REQ_EVENT was raised or userspace wants a window, process INIT and SIPI.', 'RUN-7'],
      accepted: ['A vCPU that INIT has put into wait-for-SIPI does not enter.', 'x86:SIPI-18'],
      inject: ['Inject pending events.', 'RUN-8'],
      irqs_off: ['Disable host interrupts.', 'RUN-9'],
      in_guest_mode: ['vcpu->mode = IN_GUEST_MODE, then a full barrier.', 'RUN-9'],
      sync_pir: ['Merge posted vectors into the virtual IRR; KVM may not do that for a TD.', 'PI-13'],
      last_test: ['The last test: a request or a kick since then stops the entry.', 'RUN-9'],
      run: ['Enter the guest.', 'RUN-10'],
      exited: ['vcpu->mode = OUTSIDE_GUEST_MODE.', 'RUN-12'],
      exit_irqoff: [
        'Handle what must be handled before interrupts are on: the interrupt that caused the exit.',
        'EXIT-3',
      ],
      irqs_on: ['Enable host interrupts, count the exit.', 'RUN-12'],
      handle: ['Handle the exit.', 'EXIT-6'],
    },
    locals: ['fastpath', 'injecting', 'immediate_exit', 'window'],
  },
  (at) => ({
    requests(m, l) {
      const vcpu = l.vcpu as Ref;
      if (kvm_vcpu.requests.test(m, vcpu, host.KVM_REQ_VM_DEAD)) return m.ret(E('EIO'));
      if (kvm_check_request(m, vcpu, host.KVM_REQ_MIGRATE_TIMER)) __kvm_migrate_apic_timer(m, vcpu);
      if (kvm_check_request(m, vcpu, host.KVM_REQ_TRIPLE_FAULT)) {
        kvm_run.exit_reason.set(m, host.runOf(vcpu), host.KVM_EXIT_SHUTDOWN);
        return m.ret(0);
      }
      if (kvm_check_request(m, vcpu, host.KVM_REQ_PMI)) return m.call(at.requests, kvm_pmu_deliver_pmi, vcpu);
      if (kvm_check_request(m, vcpu, host.KVM_REQ_SMI)) process_smi(m, vcpu);
      if (kvm_check_request(m, vcpu, host.KVM_REQ_NMI)) process_nmi(m, vcpu);
      if (kvm_check_request(m, vcpu, host.KVM_REQ_IOAPIC_EOI_EXIT)) {
        kvm_run.exit_reason.set(m, host.runOf(vcpu), host.KVM_EXIT_IOAPIC_EOI); // x86:LAPIC-25
        return m.ret(0);
      }
      if (kvm_check_request(m, vcpu, host.KVM_REQ_SCAN_IOAPIC)) vcpu_scan_ioapic(m, vcpu);
      if (kvm_check_request(m, vcpu, host.KVM_REQ_APICV_UPDATE))
        return m.call(at.events, __kvm_vcpu_update_apicv, vcpu);
      return at.events;
    },
    events(m, l) {
      const vcpu = l.vcpu as Ref;
      l.window = windowWanted(m, vcpu) && kvm_cpu_accept_dm_intr(m, vcpu) ? 1 : 0;
      if (!kvm_check_request(m, vcpu, host.KVM_REQ_EVENT) && !l.window) return at.irqs_off;
      return m.call(at.accepted, kvm_apic_accept_events, l.vcpu);
    },
    accepted(m, l) {
      const waits = kvm_vcpu.mp_state.get(m, l.vcpu as Ref) === host.KVM_MP_STATE_INIT_RECEIVED;
      l.injecting = 1;
      return waits ? m.ret(1) : at.inject;
    },
    inject(m, l) {
      return m.call(at.irqs_off, kvm_check_and_inject_events, l.vcpu);
    },
    irqs_off(m, l) {
      l.immediate_exit = l.injecting ? m.retval : 0;
      if (l.window) kvm_x86_ops.enable_irq_window(m, l.vcpu as Ref);
      if (l.injecting) update_cr8_intercept(m, l.vcpu as Ref);
      pcpu.irqs_off.set(m, thisCpu(m), 1);
      return at.in_guest_mode;
    },
    in_guest_mode(m, l) {
      kvm_vcpu.mode.set(m, l.vcpu as Ref, host.IN_GUEST_MODE);
      return at.sync_pir;
    },
    sync_pir(m, l) {
      if (lapic_in_kernel(m, l.vcpu as Ref)) kvm_x86_ops.sync_pir_to_irr(m, l.vcpu as Ref);
      return at.last_test;
    },
    last_test(m, l) {
      const vcpu = l.vcpu as Ref;
      const stop =
        kvm_vcpu.mode.get(m, vcpu) === host.EXITING_GUEST_MODE ||
        !kvm_vcpu.requests.isEmpty(m, vcpu) ||
        signalPending(m) ||
        need_resched(m);
      if (!stop) {
        if (l.immediate_exit) kvm_make_request(m, vcpu, host.KVM_REQ_EVENT); // the next pass decides: x86:INJ-14
        return at.run;
      }
      kvm_vcpu.mode.set(m, vcpu, host.OUTSIDE_GUEST_MODE);
      enableIrqs(m, thisCpu(m));
      if (l.immediate_exit) kvm_make_request(m, vcpu, host.KVM_REQ_EVENT);
      kvm_x86_ops.cancel_injection(m, vcpu); // what was to be injected is injected by the next pass
      return m.ret(1);
    },
    run(m, l) {
      const vcpu = l.vcpu as Ref;
      const active = kvm_lapic.apicv_active.get(m, host.apicOf(vcpu)) === 1;
      const enabled = (kvm_lapic.base.get(m, host.apicOf(vcpu)) & MSR_IA32_APICBASE_ENABLE) !== 0;
      const looked = lapic_in_kernel(m, vcpu) && enabled;
      const differs = looked && active !== kvm_apicv_activated(m, host.kvmOf(m, vcpu));
      if (differs) warnOnce(m, 'vcpu_enter_guest', vcpu); // APICV-13
      return m.call(at.exited, kvm_x86_ops.vcpu_run, vcpu, l.immediate_exit);
    },
    exited(m, l) {
      l.fastpath = m.retval;
      kvm_vcpu.mode.set(m, l.vcpu as Ref, host.OUTSIDE_GUEST_MODE);
      return at.exit_irqoff;
    },
    exit_irqoff(m, l) {
      kvm_x86_ops.handle_exit_irqoff(m, l.vcpu as Ref);
      return at.irqs_on;
    },
    irqs_on(m, l) {
      const stat = host.statOf(l.vcpu as Ref);
      enableIrqs(m, thisCpu(m));
      kvm_vcpu_stat.exits.set(m, stat, kvm_vcpu_stat.exits.get(m, stat) + 1);
      return at.handle;
    },
    handle(m, l) {
      return m.tail(kvm_x86_ops.handle_exit, l.vcpu, l.fastpath);
    },
  }),
);

/** A vCPU that may not run sleeps until something makes it runnable. */
export const vcpu_block = routine(
  {
    name: 'vcpu_block',
    layer: 'kvm',
    source: 'HLT-6',
    args: ['vcpu'],
    steps: {
      block: ['Sleep, unless there is an event already.', 'HLT-6'],
      woken: [
        'Still not runnable: a signal or a request ended the sleep; the run loop looks at it.',
        'HLT-6',
      ],
      accepted: ['A halted vCPU with an event is RUNNABLE again; one that waits for SIPI stays so.', 'HLT-7'],
    },
  },
  (at) => ({
    block(m, l) {
      return kvm_arch_vcpu_runnable(m, l.vcpu as Ref) ? at.woken : m.call(at.woken, kvm_vcpu_block, l.vcpu);
    },
    woken(m, l) {
      const vcpu = l.vcpu as Ref;
      const runnable = kvm_arch_vcpu_runnable(m, vcpu);
      if (kvm_vcpu.mp_state.get(m, vcpu) === host.KVM_MP_STATE_HALTED) {
        m.emit(kvm_vcpu_wakeup, kvm_vcpu.id.get(m, vcpu), runnable ? 1 : 0);
      }
      return runnable ? m.call(at.accepted, kvm_apic_accept_events, vcpu) : m.ret(1);
    },
    accepted(m, l) {
      const vcpu = l.vcpu as Ref;
      const mp_state = kvm_vcpu.mp_state.get(m, vcpu);
      if (mp_state === host.KVM_MP_STATE_HALTED || mp_state === host.KVM_MP_STATE_AP_RESET_HOLD) {
        kvm_vcpu.pv_unhalted.set(m, vcpu, 0);
        kvm_vcpu.mp_state.set(m, vcpu, host.KVM_MP_STATE_RUNNABLE);
      }
      return m.ret(1);
    },
  }),
);

/** The loop of KVM_RUN. */
export const vcpu_run = routine(
  {
    name: 'vcpu_run',
    layer: 'kvm',
    source: 'RUN-5',
    args: ['vcpu'],
    steps: {
      begin: ['exit_reason = KVM_EXIT_UNKNOWN.', 'NUM-2'],
      turn: ['RUNNABLE: enter the guest; anything else: block.', 'RUN-5'],
      after: ['A result of 0 or less leaves; deliver an expired timer.', 'RUN-5'],
      window: ['Userspace wants to inject and may: leave with KVM_EXIT_IRQ_WINDOW_OPEN.', 'tdx:LAPIC-14'],
      signals: ['A pending signal leaves with -EINTR; the scheduler may take the CPU away here.', 'RUN-5'],
    },
  },
  (at) => ({
    begin(m, l) {
      kvm_run.exit_reason.set(m, host.runOf(l.vcpu as Ref), host.KVM_EXIT_UNKNOWN);
      return at.turn;
    },
    turn(m, l) {
      const running = kvm_vcpu_running(m, l.vcpu as Ref);
      kvm_vcpu.at_instruction_boundary.set(m, l.vcpu as Ref, 0);
      return m.call(at.after, running ? vcpu_enter_guest : vcpu_block, l.vcpu);
    },
    after(m, l) {
      if (m.retval <= 0) return m.ret(m.retval);
      kvm_check_request(m, l.vcpu as Ref, host.KVM_REQ_UNBLOCK);
      if (!hasDeliverableTimer(m, l.vcpu as Ref)) return at.window;
      return m.call(at.window, kvm_apic_inject_pending_timer_irqs, l.vcpu);
    },
    window(m, l) {
      const vcpu = l.vcpu as Ref;
      if (!windowWanted(m, vcpu) || !readyForInterruptInjection(m, vcpu)) return at.signals;
      const stat = host.statOf(vcpu);
      kvm_vcpu_stat.request_irq_exits.set(m, stat, kvm_vcpu_stat.request_irq_exits.get(m, stat) + 1);
      kvm_run.exit_reason.set(m, host.runOf(vcpu), host.KVM_EXIT_IRQ_WINDOW_OPEN);
      return m.ret(0);
    },
    signals(m, l) {
      if (signalPending(m)) return signalExit(m, l.vcpu as Ref);
      return need_resched(m) ? m.call(at.turn, schedule, l.vcpu) : at.turn;
    },
  }),
);

/** Without APICv KVM must notice when the TPR falls. @source x86:IRQ-8 */
function update_cr8_intercept(m: Machine, vcpu: Ref): void {
  const apic = host.apicOf(vcpu);
  if (!lapic_in_kernel(m, vcpu) || kvm_lapic.apicv_active.get(m, apic)) return;
  kvm_x86_ops.update_cr8_intercept(m, vcpu); // also of an APIC that software has disabled: what waits is still delivered
}

/** Userspace wants to inject; with a PIC in the kernel it has nothing to inject. @source x86:IRQ-18 */
function windowWanted(m: Machine, vcpu: Ref): boolean {
  if (kvm.irqchip_mode.get(m, host.kvmOf(m, vcpu)) === host.KVM_IRQCHIP_KERNEL) return false;
  return kvm_run.request_interrupt_window.get(m, host.runOf(vcpu)) === 1;
}

/** Whether an interrupt of userspace could be injected right now. @source tdx:LAPIC-13 */
function readyForInterruptInjection(m: Machine, vcpu: Ref): boolean {
  const free = !kvm_event_needs_reinjection(m, vcpu) && !kvm_vcpu.exception_pending.get(m, vcpu);
  return free && kvm_x86_ops.interrupt_allowed(m, vcpu) && kvm_cpu_accept_dm_intr(m, vcpu);
}

/** What KVM_RUN leaves in the shared page. @source RUN-13 */
export function post_kvm_run_save(m: Machine, vcpu: Ref): void {
  const run = host.runOf(vcpu);
  const td = host.is_td_vcpu(m, vcpu);
  kvm_run.if_flag.set(m, run, td ? 0 : guest_cpu.if.get(m, host.guestOf(vcpu))); // a TD's RFLAGS cannot be read
  kvm_run.cr8.set(m, run, td ? 0 : guest_cpu.tpr.get(m, host.guestOf(vcpu)) >> 4);
  kvm_run.flags.set(m, run, kvm_vcpu.smm.get(m, vcpu) ? KVM_RUN_X86_SMM : 0);
  kvm_run.apic_base.set(m, run, kvm_lapic.base.get(m, host.apicOf(vcpu)));
  kvm_run.ready_for_interrupt_injection.set(m, run, readyForInterruptInjection(m, vcpu) ? 1 : 0);
}

/** What userspace puts into kvm_run before the call, as KVM_RUN's argument. */
export const RUN_IMMEDIATE_EXIT = 1;
export const RUN_REQUEST_INTERRUPT_WINDOW = 2;
export const RUN_SYNC_REGS = 4;

/** KVM_RUN. */
export const kvm_arch_vcpu_ioctl_run = routine(
  {
    name: 'kvm_arch_vcpu_ioctl_run',
    layer: 'kvm',
    source: 'RUN-2',
    args: ['vcpu', 'asked'],
    locals: ['immediate_exit'],
    steps: {
      uninitialized: ['An UNINITIALIZED vCPU blocks here; it never enters the guest in this call.', 'RUN-2'],
      woken: ['Process INIT and SIPI.', 'x86:SIPI-24'],
      again: ['Return -EAGAIN, or -EINTR with KVM_EXIT_INTR on a signal.', 'x86:SIPI-24'],
      immediate: [
        'Registers cannot be synchronized with a protected guest; complete an exit; immediate_exit: -EINTR.',
        'RUN-3',
      ],
      pre_run: ['Is the vCPU, and for a TD the TD, ready to run?', 'RUN-4'],
      out: ['Leave KVM_RUN.', 'RUN-13'],
    },
  },
  (at) => ({
    uninitialized(m, l) {
      const vcpu = l.vcpu as Ref;
      const run = host.runOf(vcpu);
      l.immediate_exit = l.asked & RUN_IMMEDIATE_EXIT;
      kvm_run.immediate_exit.set(m, run, l.immediate_exit);
      kvm_run.request_interrupt_window.set(m, run, l.asked & RUN_REQUEST_INTERRUPT_WINDOW ? 1 : 0);
      if (kvm_vcpu.mp_state.get(m, vcpu) !== host.KVM_MP_STATE_UNINITIALIZED) return at.immediate;
      return l.immediate_exit ? m.ret(E('EINTR')) : m.call(at.woken, kvm_vcpu_block, vcpu);
    },
    woken(m, l) {
      return m.call(at.again, kvm_apic_accept_events, l.vcpu);
    },
    again(m, l) {
      return signalPending(m) ? signalExit(m, l.vcpu as Ref) : m.ret(E('EAGAIN'));
    },
    immediate(m, l) {
      if (l.asked & RUN_SYNC_REGS && registersProtected(m, l.vcpu as Ref)) return m.ret(E('EINVAL')); // VM-7
      const vcpu = l.vcpu as Ref;
      const pending = kvm_vcpu.complete_userspace_io.get(m, vcpu);
      if (pending !== 0) {
        kvm_vcpu.complete_userspace_io.set(m, vcpu, 0);
        const r = kvm_x86_ops.complete_userspace_io(m, vcpu, host.COMPLETIONS[pending]!);
        if (r <= 0) return m.ret(r);
      }
      return l.immediate_exit ? m.ret(E('EINTR')) : at.pre_run;
    },
    pre_run(m, l) {
      const r = kvm_x86_ops.vcpu_pre_run(m, l.vcpu as Ref);
      return r <= 0 ? m.ret(r) : m.call(at.out, vcpu_run, l.vcpu);
    },
    out(m) {
      return m.ret(m.retval);
    },
  }),
);

/** KVM_GET_MP_STATE: reading can perform the INIT reset. @source INIT-11, x86:SIPI-29 */
export const kvm_arch_vcpu_ioctl_get_mpstate = routine(
  {
    name: 'kvm_arch_vcpu_ioctl_get_mpstate',
    layer: 'kvm',
    source: 'INIT-11',
    args: ['vcpu', 'arg'],
    steps: {
      process: ['Process pending INIT and SIPI first.', 'INIT-11'],
      report: ['Report mp_state.', 'INIT-11'],
    },
  },
  (at) => ({
    process(m, l) {
      return m.call(at.report, kvm_apic_accept_events, l.vcpu);
    },
    report(m, l) {
      const vcpu = l.vcpu as Ref;
      const halted = kvm_vcpu.mp_state.get(m, vcpu);
      const waits = halted === host.KVM_MP_STATE_HALTED || halted === host.KVM_MP_STATE_AP_RESET_HOLD;
      const mp_state = waits && kvm_vcpu.pv_unhalted.get(m, vcpu) ? host.KVM_MP_STATE_RUNNABLE : halted;
      reply.mp_state.set(m, host.replyRef(m), mp_state);
      m.emit(mp_state_read, kvm_vcpu.id.get(m, vcpu), mp_state);
      return m.ret(0);
    },
  }),
);

/** An ioctl whose work is one atomic step. */
export const ioctl = (
  name: string,
  source: string,
  doc: string,
  body: (m: Machine, vcpu: Ref, arg: number, arg2: number) => number,
) =>
  routine(
    { name, layer: 'kvm', source, args: ['vcpu', 'arg', 'arg2'], steps: { handle: [doc, source] } },
    () => ({
      handle: (m, l) => m.ret(body(m, l.vcpu as Ref, l.arg, l.arg2)),
    }),
  );

/** KVM_SET_MP_STATE. On a TD vCPU INIT_RECEIVED and SIPI_RECEIVED are -EINVAL. @source INIT-10, x86:SIPI-26 to x86:SIPI-28 */
export const kvm_arch_vcpu_ioctl_set_mpstate = ioctl(
  'kvm_arch_vcpu_ioctl_set_mpstate',
  'INIT-10',
  'Check the wanted state, store it, raise KVM_REQ_EVENT.',
  (m, vcpu, wanted) => {
    const wantsInit =
      wanted === host.KVM_MP_STATE_INIT_RECEIVED || wanted === host.KVM_MP_STATE_SIPI_RECEIVED;
    const needsLapic =
      wantsInit ||
      wanted === host.KVM_MP_STATE_UNINITIALIZED ||
      wanted === host.KVM_MP_STATE_HALTED ||
      wanted === host.KVM_MP_STATE_AP_RESET_HOLD;
    if (!needsLapic && wanted !== host.KVM_MP_STATE_RUNNABLE) return E('EINVAL');
    if (needsLapic && !lapic_in_kernel(m, vcpu)) return E('EINVAL');
    const refused = !kvm_apic_init_sipi_allowed(m, vcpu) || kvm_vcpu.smi_pending.get(m, vcpu) === 1; // x86:SIPI-28
    if (wantsInit && refused) return E('EINVAL');
    if (wanted === host.KVM_MP_STATE_SIPI_RECEIVED) {
      kvm_vcpu.mp_state.set(m, vcpu, host.KVM_MP_STATE_INIT_RECEIVED);
      kvm_lapic.pending_events.set(m, host.apicOf(vcpu), host.KVM_APIC_SIPI);
    } else {
      kvm_vcpu.mp_state.set(m, vcpu, wanted);
    }
    kvm_make_request(m, vcpu, host.KVM_REQ_EVENT);
    return 0;
  },
);

/** Registers of a protected guest cannot be read. @source RUN-16 */
function registersProtected(m: Machine, vcpu: Ref): boolean {
  return kvm.has_protected_state.get(m, host.kvmOf(m, vcpu)) === 1;
}

/** KVM_GET_REGS. @source RUN-16 */
export const kvm_arch_vcpu_ioctl_get_regs = ioctl(
  'kvm_arch_vcpu_ioctl_get_regs',
  'RUN-16',
  'Refuse for a protected guest, else report RIP.',
  (m, vcpu) => {
    if (registersProtected(m, vcpu)) return E('EINVAL');
    reply.rip.set(m, host.replyRef(m), kvm_regs.rip.get(m, host.regsOf(vcpu)));
    return 0;
  },
);

/** KVM_GET_SREGS. @source RUN-16 */
export const kvm_arch_vcpu_ioctl_get_sregs = ioctl(
  'kvm_arch_vcpu_ioctl_get_sregs',
  'RUN-16',
  'Refuse for a protected guest, else report CS.',
  (m, vcpu) => {
    if (registersProtected(m, vcpu)) return E('EINVAL');
    reply.cs_selector.set(m, host.replyRef(m), kvm_regs.cs_selector.get(m, host.regsOf(vcpu)));
    reply.cs_base.set(m, host.replyRef(m), kvm_regs.cs_base.get(m, host.regsOf(vcpu)));
    return 0;
  },
);

/** In the first design userspace may read and write a TD's shadow APIC. @source V12-5 */
function apicProtected(m: Machine, vcpu: Ref): boolean {
  const v1 = variant.apicv_v1.get(m, host.variantRef(m)) === 1;
  return !v1 && kvm_lapic.guest_apic_protected.get(m, host.apicOf(vcpu)) === 1;
}

/** KVM_SET_LAPIC. @source tdx:LAPIC-1 */
export const kvm_vcpu_ioctl_set_lapic = ioctl(
  'kvm_vcpu_ioctl_set_lapic',
  'tdx:LAPIC-1',
  'Refuse when the guest APIC is protected, else take over the page.',
  (m, vcpu) => {
    if (!lapic_in_kernel(m, vcpu) || apicProtected(m, vcpu)) return E('EINVAL');
    kvm_apic_set_state(m, vcpu);
    return 0;
  },
);

/** KVM_SET_SREGS: the APIC base moves with it. A base that is not the default inhibits APICv. @source tdx:LAPIC-4, APICV-10 */
export const kvm_arch_vcpu_ioctl_set_sregs = routine(
  {
    name: 'kvm_arch_vcpu_ioctl_set_sregs',
    layer: 'kvm',
    source: 'tdx:LAPIC-4',
    args: ['vcpu', 'apic_base'],
    steps: {
      check: ['Refuse for a protected guest, else set the APIC base.', 'tdx:LAPIC-4'],
      done: ['The registers are set.', 'RUN-16'],
    },
  },
  (at) => ({
    check(m, l) {
      const vcpu = l.vcpu as Ref;
      if (registersProtected(m, vcpu)) return m.ret(E('EINVAL'));
      kvm_lapic.base.set(m, host.apicOf(vcpu), l.apic_base);
      const enabled = (l.apic_base & MSR_IA32_APICBASE_ENABLE) !== 0;
      const moved = l.apic_base >>> 12 !== APIC_DEFAULT_PHYS_BASE >>> 12;
      if (!enabled || !moved) return m.call(at.done, __kvm_vcpu_update_apicv, vcpu); // a disabled APIC has no APICv
      const reason = inhibitReason('APIC_BASE_MODIFIED');
      return m.call(at.done, __kvm_set_or_clear_apicv_inhibit, host.kvmOf(m, vcpu), reason, 1);
    },
    done: (m) => m.ret(0),
  }),
);

/** KVM_SET_GUEST_DEBUG: BLOCKIRQ on any vCPU inhibits APICv of the VM. @source RUN-16, x86:IRQ-16 */
export const kvm_arch_vcpu_ioctl_set_guest_debug = routine(
  {
    name: 'kvm_arch_vcpu_ioctl_set_guest_debug',
    layer: 'kvm',
    source: 'RUN-16',
    args: ['vcpu', 'blockirq'],
    steps: {
      check: ['Refuse for a protected guest, else store the controls.', 'RUN-16'],
      done: ['The inhibit reason BLOCKIRQ follows the vCPUs.', 'x86:IRQ-16'],
    },
  },
  (at) => ({
    check(m, l) {
      const vcpu = l.vcpu as Ref;
      const vm = host.kvmOf(m, vcpu);
      if (kvm_vcpu_is_protected(m, vcpu)) return m.ret(E('EINVAL'));
      const before = kvm_vcpu.guest_debug_blockirq.get(m, vcpu);
      kvm_vcpu.guest_debug_blockirq.set(m, vcpu, l.blockirq);
      const blocking = kvm.blockirq_vcpus.get(m, vm) + l.blockirq - before;
      kvm.blockirq_vcpus.set(m, vm, blocking);
      kvm_make_request(m, vcpu, host.KVM_REQ_EVENT); // as kvm_set_rflags() does
      return m.call(
        at.done,
        __kvm_set_or_clear_apicv_inhibit,
        vm,
        inhibitReason('BLOCKIRQ'),
        blocking > 0 ? 1 : 0,
      );
    },
    done: (m) => m.ret(0),
  }),
);

/** Guest state is protected for every TD vCPU, in both designs. @source RUN-16 */
function kvm_vcpu_is_protected(m: Machine, vcpu: Ref): boolean {
  return host.is_td_vcpu(m, vcpu);
}

/** KVM_INTERRUPT. With the split irqchip the vector waits until the vCPU takes PIC interrupts. @source tdx:LAPIC-7, x86:IRQ-17 */
export const kvm_vcpu_ioctl_interrupt = ioctl(
  'kvm_vcpu_ioctl_interrupt',
  'tdx:LAPIC-7',
  'Check the vector and that none is pending; then it waits for the next event pass.',
  (m, vcpu, vector) => {
    if (vector >= 256) return E('EINVAL');
    if (kvm.irqchip_mode.get(m, host.kvmOf(m, vcpu)) === host.KVM_IRQCHIP_KERNEL) return E('ENXIO');
    if (kvm_vcpu.pending_external_vector.get(m, vcpu) >= 0) return E('EEXIST');
    kvm_vcpu.pending_external_vector.set(m, vcpu, vector);
    kvm_make_request(m, vcpu, host.KVM_REQ_EVENT);
    return 0;
  },
);

/** KVM_GET_LAPIC. @source tdx:LAPIC-1 */
export const kvm_vcpu_ioctl_get_lapic = ioctl(
  'kvm_vcpu_ioctl_get_lapic',
  'tdx:LAPIC-1',
  'Refuse when the guest APIC is protected, else merge what is posted into the IRR and report the page.',
  (m, vcpu) => {
    if (!lapic_in_kernel(m, vcpu) || apicProtected(m, vcpu)) return E('EINVAL');
    kvm_x86_ops.sync_pir_to_irr(m, vcpu);
    kvm_apic_get_state(m, vcpu);
    return 0;
  },
);

/** KVM_X86_SET_MCE with an uncorrected error: without CR4.MCE that is a triple fault. @source tdx:LAPIC-15 */
export const kvm_vcpu_ioctl_x86_set_mce = ioctl(
  'kvm_vcpu_ioctl_x86_set_mce',
  'tdx:LAPIC-15',
  "CR4.MCE as KVM knows it is 0: a TD's is protected, no plain guest of the model sets it. KVM_REQ_TRIPLE_FAULT.",
  (m, vcpu) => {
    kvm_make_request(m, vcpu, host.KVM_REQ_TRIPLE_FAULT);
    return 0;
  },
);

/** KVM_X86_SETUP_MCE: with CMCI the local APIC has a seventh LVT. @source x86:LAPIC-5 */
export const kvm_vcpu_ioctl_x86_setup_mce = ioctl(
  'kvm_vcpu_ioctl_x86_setup_mce',
  'x86:LAPIC-5',
  'Store whether the vCPU reports corrected machine checks by interrupt.',
  (m, vcpu, cmci) => {
    kvm_vcpu.mcg_cmci.set(m, vcpu, cmci);
    return 0;
  },
);

/** KVM_NMI: queues an NMI and returns 0, whatever the LAPIC says. @source tdx:NMI-1, x86:PNMI-2 */
export const kvm_vcpu_ioctl_nmi = ioctl(
  'kvm_vcpu_ioctl_nmi',
  'tdx:NMI-1',
  'nmi_queued + 1, KVM_REQ_NMI.',
  (m, vcpu) => {
    kvm_inject_nmi(m, vcpu);
    return 0;
  },
);

/** KVM_SMI: -ENOTTY on a TD vCPU. @source tdx:SMI-1, x86:SMI-1 */
export const kvm_vcpu_ioctl_smi = ioctl(
  'kvm_vcpu_ioctl_smi',
  'tdx:SMI-1',
  'Does SMM exist for this VM?',
  kvm_inject_smi,
);

/** What of the CPUID table matters here, by bit of the ioctl's argument. */
export const CPUID_X2APIC = 1;
export const CPUID_AMD = 2;
export const CPUID_NO_LM = 4;

/** KVM_SET_CPUID2: whether the table offers X2APIC and long mode, and whose processor it describes. @source VCPU-7, x86:LAPIC-39 */
export const kvm_vcpu_ioctl_set_cpuid2 = ioctl(
  'kvm_vcpu_ioctl_set_cpuid2',
  'VCPU-7',
  'Store the CPUID table.',
  (m, vcpu, table) => {
    kvm_vcpu.cpuid_set.set(m, vcpu, 1);
    kvm_vcpu.cpuid_x2apic.set(m, vcpu, table & CPUID_X2APIC ? 1 : 0);
    kvm_vcpu.cpuid_amd.set(m, vcpu, table & CPUID_AMD ? 1 : 0);
    kvm_vcpu.cpuid_no_lm.set(m, vcpu, table & CPUID_NO_LM ? 1 : 0);
    return 0;
  },
);
