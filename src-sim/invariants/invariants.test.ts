import { describe, expect, test } from 'vitest';
import { guest_cpu } from '../guest/cpu';
import { guest_run } from '../guest/run';
import { inhibitReason } from '../kvm/apicv';
import * as host from '../kvm/kvm_host';
import { kvm, kvm_lapic, kvm_run, kvm_vcpu } from '../kvm/kvm_host';
import {
  kvm_arch_vcpu_load,
  kvm_make_all_cpus_request,
  kvm_vcpu_block,
  kvm_vcpu_ioctl,
  kvm_vm_ioctl,
  schedule,
} from '../kvm/kvm_main';
import { __apic_accept_irq, kvm_apic_accept_events } from '../kvm/lapic';
import { kvm_inj_virq } from '../kvm/trace';
import { __vmx_deliver_posted_interrupt, vmx_handle_nmi } from '../kvm/vmx/common';
import { tdx_handle_exit, tdx_inject_nmi, tdx_vcpu_ioctl, tdx_vcpu_run, tdx_vm_ioctl } from '../kvm/vmx/tdx';
import { vmx_inject_nmi } from '../kvm/vmx/vmx_events';
import { kvm_vcpu_ioctl_nmi, vcpu_enter_guest } from '../kvm/x86';
import { kvm_check_and_inject_events, kvm_inject_nmi } from '../kvm/x86_inject';
import { kvm_vm_ioctl_create_vcpu } from '../kvm/x86_vm';
import type { Ref } from '../machine/layout';
import { thread, type Machine } from '../machine/machine';
import { HOST_KERNEL, pcpu } from '../platform/pcpu';
import { pi_desc, posted_intr_vmcs, POSTED_INTR_WAKEUP_VECTOR } from '../platform/posted_intr';
import { tdh_vp_wr } from '../seam/fields';
import { tdh_vp_addcx, tdh_vp_init } from '../seam/leaves';
import { tdr, tdvps, VCPU_ACTIVE } from '../seam/tdx_module';
import { tdh_vp_enter } from '../seam/vp_enter';
import { Bench, ipi, msi } from '../testing/bench';
import { defect, withDefects, type Defect } from '../testing/defect';
import { brokenText, INVARIANTS } from './watch';

/** Every invariant catches a seeded defect, and names the step. */

type Given = Record<string, unknown>;
interface Case {
  /** The facts that the invariant states. */
  readonly states: string;
  /** What is done while the defect is there, after `before` without it. */
  readonly before?: readonly Given[];
  readonly does: readonly Given[];
  readonly seeds: readonly Defect[];
  /** The step that breaks it; by default the first seed's. */
  readonly by?: string;
  readonly switches?: Record<string, boolean>;
}

const bootTd: Given = { boot: 'td', vm: 'td' };
const bootVmx: Given = { boot: 'vmx', vm: 'vmx' };
const svr = (vm: string, vcpu: number): Given => ({ guest: 'SVR', vm, vcpu });
const fixed = (vm: string, vector: number): Given => msi(vm, 'FIXED', { vector });
const hlt = (interrupts: string): Given => ({ guest: 'HLT', vm: 'td', vcpu: 1, interrupts });
const run = (vm: string, vcpu: number): Given => ({ vmm: 'KVM_RUN', vm, vcpu });
const on = (verb: string): Given => ({ host: verb, vm: 'td', vcpu: 1 });
const listening = [bootTd, svr('td', 1)];
const fatal = [bootTd, on('MCE')];
const dead = [bootTd, { kvm: 'set_apicv_inhibit', vm: 'td', reason: 'DISABLED' }];

const vcpuOf = (l: Record<string, number>): Ref => l.vcpu as Ref;
const cpuOf = (m: Machine, l: Record<string, number>): Ref => kvm_vcpu.cpu.get(m, vcpuOf(l)) as Ref;
/** The step does what it should, and this too. */
const also =
  (more: (m: Machine, l: Record<string, number>) => void): Defect['wrong'] =>
  (m, l, right) => {
    const vcpu = { ...l, vcpu: l.vcpu!, target: l.target!, vm: l.vm!, arg: l.arg! };
    const next = right();
    more(m, vcpu);
    return next;
  };
const first =
  (more: (m: Machine, l: Record<string, number>) => void): Defect['wrong'] =>
  (m, l, right) => {
    more(m, l);
    return right();
  };
const skipTo =
  (step: string): Defect['wrong'] =>
  (_m, _l, _right, to) =>
    to(step);

const CASES: Record<string, Case> = {
  in_guest_mode: {
    states: 'tdx:INV-4',
    before: listening,
    does: [fixed('td', 0x31)],
    seeds: [defect(guest_run, 'boundary', also((m, l) => kvm_vcpu.mode.set(m, vcpuOf(l), 0)))],
  },
  no_entry_with_a_request: {
    states: 'tdx:INV-5, tdx:INV-17',
    does: [bootVmx],
    seeds: [
      defect(vcpu_enter_guest, 'last_test', skipTo('run')),
      defect(vcpu_enter_guest, 'sync_pir', also((m, l) => kvm_vcpu.requests.set(m, vcpuOf(l), host.KVM_REQ_NMI))),
    ],
  },
  no_timer_left_at_entry: {
    states: 'tdx:INV-22, TMR-9',
    does: [bootTd],
    seeds: [
      defect(vcpu_enter_guest, 'last_test', also((m, l) => {
        kvm_lapic.timer_pending.set(m, host.apicOf(vcpuOf(l)), 1);
        kvm_lapic.lvtt.set(m, host.apicOf(vcpuOf(l)), 0xec);
        kvm_lapic.svr.set(m, host.apicOf(vcpuOf(l)), 0x1ff);
      })),
    ],
  },
  no_event_left_in_the_vmcs: {
    states: 'x86:INJ-6, x86:VMX-15; SDM, VM-entry controls for event injection',
    before: [bootVmx],
    does: [msi('vmx', 'NMI', { dest: 0 })],
    seeds: [
      defect(vcpu_enter_guest, 'last_test', (m, l, right) => {
        const of = host.vmcsOf(l.vcpu as Ref);
        const event = host.vmcs.entry_intr_info.get(m, of);
        const next = right();
        host.vmcs.entry_intr_info.set(m, of, event);
        return next;
      }),
      // Something comes after the injection: the entry is called off.
      defect(vcpu_enter_guest, 'sync_pir', also((m, l) => kvm_vcpu.requests.set(m, vcpuOf(l), host.KVM_REQ_EVENT))),
    ],
  },
  nothing_enters_a_fatal_td: {
    states: 'tdx:INV-16, TDXM-INV-21',
    before: fatal,
    does: [run('td', 1)],
    seeds: [
      defect(tdh_vp_enter, 'check', (m, _l, _right, to) => {
        thread.rax.set(m, m.thread, 0, 0);
        return to('commit');
      }),
    ],
    by: 'tdh_vp_enter.commit',
  },
  dead_vm_refuses_vcpu_ioctls: {
    states: 'tdx:INV-17, RUN-1',
    before: dead,
    does: [{ vmm: 'KVM_GET_MP_STATE', vm: 'td', vcpu: 0 }],
    seeds: [defect(kvm_vcpu_ioctl, 'dead', skipTo('lock'))],
  },
  dead_vm_refuses_vm_ioctls: {
    states: 'tdx:INV-17, RUN-1',
    before: dead,
    does: [fixed('td', 0x31)],
    seeds: [defect(kvm_vm_ioctl, 'dead', also((m) => thread.ret.set(m, m.thread, 0)))],
  },
  exits_a_td_never_makes: {
    states: 'tdx:INV-18',
    before: [bootTd],
    does: [hlt('enabled')],
    seeds: [defect(tdx_handle_exit, 'dispatch', first((m, l) => kvm_run.exit_reason.set(m, host.runOf(vcpuOf(l)), 5)))],
  },
  td_state_goes_forward: {
    states: 'tdx:INV-31',
    does: [bootTd],
    seeds: [defect(tdx_vm_ioctl, 'finalized', also((m, l) => kvm.td_state.set(m, l.vm!, 0)))],
  },
  td_vcpu_state_goes_forward: {
    states: 'tdx:INV-31',
    before: [bootTd],
    does: [hlt('enabled'), fixed('td', 0x31), msi('td', 'NMI')],
    seeds: [defect(vcpu_enter_guest, 'requests', first((m, l) => kvm_vcpu.tdx_state.set(m, vcpuOf(l), 0)))],
  },
  entry_needs_both_built: {
    states: 'tdx:INV-32, RUN-4',
    does: [bootTd],
    seeds: [
      defect(tdh_vp_enter, 'seamcall', also((m, l) => kvm.td_state.set(m, host.kvmOf(m, vcpuOf(l)), 1))),
    ],
  },
  smi_changes_nothing: {
    states: 'tdx:INV-26, tdx:SMI-12',
    before: [bootTd],
    does: [on('SMI')],
    seeds: [defect(tdx_handle_exit, 'dispatch', first((m, l) => kvm_vcpu.halt_irqs_blocked.set(m, vcpuOf(l), 1)))],
  },
  posted_not_lost: {
    states: 'tdx:INV-1, PI-10 to PI-25',
    before: listening,
    does: [fixed('td', 0x31)],
    seeds: [defect(guest_run, 'boundary', first((m, l) => pi_desc.pir.clearAll(m, host.pidOf(vcpuOf(l)))))],
  },
  harvested_not_lost: {
    states: 'tdx:INV-1, x86:LAPIC-26',
    before: listening,
    does: [fixed('td', 0x31)],
    seeds: [defect(guest_run, 'execute', first((m, l) => guest_cpu.virr.clearAll(m, host.guestOf(vcpuOf(l)))))],
  },
  deliveries_come_from_posts: {
    states: 'tdx:INV-29',
    before: listening,
    does: [fixed('td', 0x31)],
    seeds: [defect(guest_run, 'boundary', first((m, l) => guest_cpu.virr.set(m, host.guestOf(vcpuOf(l)), 0x77)))],
  },
  pir_implies_on: {
    states: 'tdx:INV-2, x86:INV-22',
    before: listening,
    does: [fixed('td', 0x31)],
    seeds: [defect(__vmx_deliver_posted_interrupt, 'set_on', skipTo('accepted'))],
  },
  notification_under_way: {
    states: 'tdx:INV-3',
    before: listening,
    does: [fixed('td', 0x31)],
    seeds: [defect(__vmx_deliver_posted_interrupt, 'notify', skipTo('accepted'))],
  },
  fixed_needs_an_enabled_apic: {
    states: 'tdx:INV-30, PI-5',
    before: [bootTd],
    does: [fixed('td', 0x31)],
    seeds: [defect(__apic_accept_irq, 'decide', skipTo('deliver'))],
  },
  wakeup_not_lost: {
    states: 'tdx:INV-21, HLT-6',
    before: [...listening, hlt('enabled')],
    does: [fixed('td', 0x31)],
    seeds: [defect(__vmx_deliver_posted_interrupt, 'notify', skipTo('accepted'))],
  },
  blocked_halt_sleeps_on: {
    states: 'tdx:INV-20, HLT-3',
    before: [...listening],
    does: [hlt('blocked')],
    seeds: [defect(kvm_vcpu_block, 'check', first((m, l) => kvm_vcpu.mp_state.set(m, vcpuOf(l), 0)))],
  },
  priority_is_respected: {
    states: 'x86:INV-20, x86:LAPIC-21, x86:LAPIC-26',
    before: listening,
    does: [fixed('td', 0x91), fixed('td', 0x31)],
    seeds: [
      defect(guest_run, 'execute', (m, l, right, to) => {
        const guest = host.guestOf(vcpuOf(l as never));
        const vector = guest_cpu.virr.highest(m, guest);
        if (vector < 0) return right();
        guest_cpu.virr.clear(m, guest, vector);
        guest_cpu.visr.set(m, guest, vector);
        return to('handler');
      }),
      defect(guest_run, 'handler', skipTo('boundary')),
    ],
  },
  window_for_what_waits: {
    states: 'x86:INV-21',
    switches: { no_apicv: true },
    before: [bootVmx, svr('vmx', 0)],
    does: [msi('vmx', 'FIXED', { vector: 0x31, dest: 0 })],
    seeds: [defect(kvm_check_and_inject_events, 'irq', (m) => m.ret(0))],
    by: 'vmx_vcpu_run.vmenter',
  },
  one_event_an_entry: {
    states: 'x86:INV-14, x86:INV-15',
    before: [bootVmx],
    does: [msi('vmx', 'NMI', { dest: 0 })],
    seeds: [
      defect(kvm_check_and_inject_events, 'nmi', first((m, l) => {
        kvm_vcpu.interrupt_injected.set(m, vcpuOf(l), 1);
      })),
    ],
  },
  nothing_injected_into_a_td: {
    states: 'tdx:INV-15, tdx:INV-19, TRC-2',
    does: [bootTd],
    seeds: [defect(tdx_vcpu_run, 'entry', first((m) => m.emit(kvm_inj_virq, 0, 0x31)))],
  },
  wakeup_vector_means_listed: {
    states: 'tdx:INV-27, tdx:INV-28',
    does: [bootTd],
    seeds: [
      defect(vcpu_enter_guest, 'requests', first((m, l) =>
        pi_desc.nv.set(m, host.pidOf(vcpuOf(l)), POSTED_INTR_WAKEUP_VECTOR))),
    ],
  },
  one_nmi_in_the_module: {
    states: 'tdx:INV-6',
    before: [bootTd],
    does: [msi('td', 'NMI')],
    seeds: [defect(tdh_vp_wr, 'execute', also((m, l) => tdvps.pend_nmi.set(m, host.tdvpsOf(l.target as Ref), 2)))],
  },
  two_nmis_in_kvm: {
    states: 'tdx:INV-7, x86:INV-1',
    before: [bootTd],
    does: [msi('td', 'NMI')],
    seeds: [defect(vcpu_enter_guest, 'requests', also((m, l) => kvm_vcpu.nmi_pending.set(m, vcpuOf(l), 3)))],
  },
  kvm_keeps_no_nmi: {
    states: 'tdx:INV-7, tdx:NMI-6',
    before: [bootTd],
    does: [msi('td', 'NMI')],
    seeds: [defect(tdx_inject_nmi, 'merge', (m, l, right) => {
      const vcpu = vcpuOf(l as never);
      const next = right();
      kvm_vcpu.nmi_injected.set(m, vcpu, 1);
      return next;
    })],
  },
  nmi_not_lost: {
    states: 'tdx:INV-8, x86:INV-7, TDXM-INV-24',
    before: [bootTd],
    does: [msi('td', 'NMI')],
    seeds: [
      defect(vcpu_enter_guest, 'requests', first((m, l) => {
        kvm_vcpu.nmi_queued.set(m, vcpuOf(l), 0);
        kvm_vcpu.requests.clear(m, vcpuOf(l), host.KVM_REQ_NMI);
      })),
    ],
  },
  nmis_are_raised: {
    states: 'tdx:INV-9, x86:INV-6',
    before: listening,
    does: [fixed('td', 0x31)],
    seeds: [defect(guest_run, 'execute', first((m, l) => guest_cpu.nmis.set(m, host.guestOf(vcpuOf(l)), 9)))],
  },
  no_nmi_while_masked: {
    states: 'x86:INV-3, tdx:NMI-10',
    before: [bootVmx, { guest: 'NMI_HANDLER', vm: 'vmx', vcpu: 0 }, msi('vmx', 'NMI', { dest: 0 })],
    does: [msi('vmx', 'NMI', { dest: 0 })],
    seeds: [
      defect(kvm_check_and_inject_events, 'nmi', (m, l, _right, to) => {
        const vcpu = vcpuOf(l as never);
        if (kvm_vcpu.nmi_pending.get(m, vcpu) === 0) return to('irq');
        kvm_vcpu.nmi_pending.set(m, vcpu, 0);
        kvm_vcpu.nmi_injected.set(m, vcpu, 1);
        return m.call(to('irq'), vmx_inject_nmi, vcpu);
      }),
      // The processor would refuse that entry.
      defect(guest_run, 'resume', first((m, l) => guest_cpu.in_nmi.set(m, host.guestOf(vcpuOf(l)), 0))),
    ],
    by: 'guest_run.resume',
  },
  one_nmi_while_masked: {
    states: 'x86:INV-2',
    before: [bootVmx, { guest: 'NMI_HANDLER', vm: 'vmx', vcpu: 0 }, msi('vmx', 'NMI', { dest: 0 })],
    does: [msi('vmx', 'NMI', { dest: 0 })],
    seeds: [
      defect(vcpu_enter_guest, 'requests', also((m, l) => kvm_vcpu.nmi_pending.set(m, vcpuOf(l), 2))),
      defect(__apic_accept_irq, 'decide', first((m, l) => kvm_inject_nmi(m, vcpuOf(l)))),
    ],
  },
  pend_nmi_goes_with_its_nmi: {
    states: 'TDXM-INV-18, tdx:NMI-10',
    before: [{ ...bootTd, run: false }, { vmm: 'KVM_NMI', vm: 'td', vcpu: 1 }],
    does: [run('td', 1)],
    seeds: [
      defect(tdh_vp_enter, 'commit', first((m, l) => {
        tdvps.pend_nmi.set(m, host.tdvpsOf(vcpuOf(l)), 0);
        guest_cpu.nmis.set(m, host.guestOf(vcpuOf(l)), 1);
      })),
    ],
  },
  nmi_window_has_a_reason: {
    states: 'TDXM-INV-19, tdx:NMI-11',
    does: [bootTd],
    seeds: [defect(tdh_vp_enter, 'commit', (m, l, right) => {
      const vcpu = vcpuOf(l as never);
      const next = right();
      tdvps.nmi_window.set(m, host.tdvpsOf(vcpu), 1);
      return next;
    })],
  },
  nmi_and_smi_ioctls: {
    states: 'x86:INV-23',
    before: [{ ...bootTd, run: false }],
    does: [{ vmm: 'KVM_NMI', vm: 'td', vcpu: 1 }],
    seeds: [defect(kvm_vcpu_ioctl_nmi, 'handle', (m) => m.ret(-16))],
  },
  init_never_changes_a_td: {
    states: 'tdx:INV-10',
    before: [bootTd],
    does: [ipi('td', 'INIT')],
    seeds: [defect(kvm_apic_accept_events, 'blocked', first((m, l) => kvm_vcpu.mp_state.set(m, vcpuOf(l), 2)))],
  },
  init_stays_latched: {
    states: 'tdx:INV-11',
    before: [bootTd],
    does: [ipi('td', 'INIT')],
    seeds: [
      defect(kvm_apic_accept_events, 'blocked', first((m, l) => kvm_lapic.pending_events.clear(m, host.apicOf(vcpuOf(l)), 0))),
    ],
  },
  init_overwrites_sipi: {
    states: 'x86:INV-16, INIT-3',
    before: [bootTd],
    does: [ipi('td', 'INIT')],
    seeds: [
      defect(__apic_accept_irq, 'latch_init', also((m, l) => kvm_lapic.pending_events.set(m, host.apicOf(vcpuOf(l)), 1))),
    ],
  },
  wait_for_sipi: {
    states: 'x86:INV-17',
    before: [bootVmx, ipi('vmx', 'INIT')],
    does: [run('vmx', 1)],
    seeds: [defect(kvm_vcpu_block, 'check', first((m, l) => kvm_vcpu.mp_state.set(m, vcpuOf(l), 0)))],
  },
  bsp_never_waits: {
    states: 'x86:INV-18',
    before: [bootVmx],
    does: [msi('vmx', 'INIT', { dest: 0 })],
    seeds: [defect(kvm_apic_accept_events, 'after_reset', also((m, l) => kvm_vcpu.mp_state.set(m, vcpuOf(l), 2)))],
  },
  apicv_stays_active: {
    states: 'tdx:INV-12, V12-2',
    does: [bootTd],
    seeds: [
      defect(vcpu_enter_guest, 'requests', first((m, l) => kvm_lapic.apicv_active.set(m, host.apicOf(vcpuOf(l)), 0))),
    ],
  },
  only_absent_inhibits: {
    states: 'tdx:INV-13, APICV-9',
    does: [bootTd],
    seeds: [
      defect(tdx_vm_ioctl, 'initialized', first((m, l) => kvm.apicv_inhibit_reasons.set(m, l.vm!, inhibitReason('TDX')))),
    ],
  },
  td_needs_split_irqchip: {
    states: 'tdx:INV-14, V12-4',
    does: [bootTd],
    seeds: [defect(kvm_vm_ioctl_create_vcpu, 'done', first((m, l) => kvm.irqchip_mode.set(m, l.vm!, 1)))],
  },
  no_smi_for_a_td: {
    states: 'tdx:INV-15, tdx:SMI-1, tdx:SMI-6',
    does: [bootTd],
    seeds: [defect(vcpu_enter_guest, 'requests', first((m, l) => kvm_vcpu.smi_pending.set(m, vcpuOf(l), 1)))],
  },
  host_nmi_with_interrupts_off: {
    states: 'tdx:INV-23',
    before: [bootTd],
    does: [on('NMI')],
    seeds: [defect(vmx_handle_nmi, 'enter', first((m, l) => pcpu.irqs_off.set(m, cpuOf(m, l), 0)))],
  },
  host_nmi_handled_at_once: {
    states: 'tdx:INV-23, tdx:NMI-21, TDXM-INV-24',
    before: [bootTd],
    does: [on('NMI')],
    seeds: [
      defect(tdx_vcpu_run, 'exited', (m, l, _right, to) => {
        kvm_vcpu.last_exit.set(m, vcpuOf(l as never), 0);
        return to('traced');
      }),
    ],
  },
  host_irq_with_interrupts_off: {
    states: 'tdx:INV-24, TDXM-INV-23',
    before: [bootTd],
    does: [on('IRQ')],
    seeds: [defect(vcpu_enter_guest, 'exit_irqoff', skipTo('irqs_on'))],
  },
  no_nested_host_nmi: {
    states: 'tdx:INV-25, TDXM-INV-25, tdx:NMI-24',
    switches: { module_nmi_fix: true },
    before: [bootTd],
    does: [on('NMI')],
    seeds: [defect(vmx_handle_nmi, 'enter', also((m, l) => pcpu.nmi_blocked.set(m, cpuOf(m, l), 0)))],
  },
  smi_taken_in_the_host: {
    states: 'TDXM-INV-22, tdx:SMI-10',
    before: [bootTd],
    does: [on('SMI')],
    seeds: [
      defect(vcpu_enter_guest, 'exit_irqoff', skipTo('irqs_on')),
      defect(tdh_vp_enter, 'seamret', also((m, l) => pcpu.smi_pending.set(m, cpuOf(m, l), 1))), // SEAMRET forgets it
    ],
  },
  everybody_knows: {
    states: 'NUM-15',
    before: [bootTd],
    does: [{ kvm: 'set_apicv_inhibit', vm: 'td', reason: 'DISABLED' }],
    seeds: [defect(kvm_make_all_cpus_request, 'wait', (m) => m.ret(0))],
  },
  nobody_inside_while_pages_go: {
    states: 'RUN-10, NUM-15',
    before: [bootTd],
    does: [{ kvm: 'tdx_no_vcpus_enter', vm: 'td' }],
    seeds: [defect(kvm_make_all_cpus_request, 'wait', (m) => m.ret(0))],
    by: 'tdx_no_vcpus_enter.zap',
  },
  kvm_never_ahead_of_the_module: {
    states: 'tdx:INV-31, tdx:INV-32, VM-24, TDXM-OPST-2',
    does: [bootTd],
    seeds: [defect(tdx_vm_ioctl, 'init', first((m, l) => kvm.td_state.set(m, l.vm!, 1)))],
    by: 'tdx_vm_ioctl.init',
  },
  initialized_in_both: {
    states: 'VCPU-9, VCPU-10, tdx:INV-32',
    does: [bootTd],
    seeds: [
      defect(tdx_vcpu_ioctl, 'initialized', first((m, l) =>
        posted_intr_vmcs.pin_bit.set(m, tdvps.vmcs.at(host.tdvpsOf(vcpuOf(l))), 0))),
    ],
  },
  posting_needs_its_fields: {
    states: 'TDXM-INV-27',
    does: [bootTd],
    seeds: [
      defect(tdh_vp_wr, 'execute', also((m, l) =>
        posted_intr_vmcs.pin_bit.set(m, tdvps.vmcs.at(host.tdvpsOf(l.target as Ref)), 1))),
    ],
  },
  active_while_inside: {
    states: 'TDXM-INV-2, TDXM-INV-3',
    before: [bootTd],
    does: [hlt('enabled')],
    seeds: [
      defect(tdh_vp_enter, 'seamret', first((m, l) => tdvps.state.set(m, host.tdvpsOf(vcpuOf(l)), VCPU_ACTIVE))),
    ],
  },
  cpu_knows_who_runs: {
    states: 'TDXM-INV-4, RUN-10',
    does: [bootTd],
    seeds: [defect(tdh_vp_enter, 'commit', (m, l, right) => {
      const cpu = cpuOf(m, l as never);
      const next = right();
      pcpu.context.set(m, cpu, HOST_KERNEL);
      return next;
    })],
  },
  one_thread_a_cpu: {
    states: 'TDXM-INV-4',
    before: [bootTd],
    does: [{ host: 'migrate', vm: 'td', vcpu: 1, cpu: 0 }],
    seeds: [defect(schedule, 'kvm_sched_out', also((m, l) => pcpu.thread.set(m, cpuOf(m, l), m.thread)))],
  },
  loaded_where_it_runs: {
    states: 'PI-23, PI-24',
    before: [bootTd],
    does: [{ host: 'migrate', vm: 'td', vcpu: 1, cpu: 0 }],
    seeds: [
      defect(kvm_arch_vcpu_load, 'moved', also((m, l) => pi_desc.ndst.set(m, host.pidOf(vcpuOf(l)), 2))),
    ],
    by: 'tdh_vp_enter.commit',
  },
  one_ioctl_at_a_time: {
    states: 'RUN-1, tdx:NMI-1',
    does: [{ ...bootTd, run: false }],
    seeds: [defect(kvm_vcpu_ioctl, 'put', also((m, l) => kvm_vcpu.mutex.set(m, vcpuOf(l), m.thread)))],
  },
  the_module_never_goes_back: {
    states: 'TDXM-INV-1',
    before: fatal,
    does: [run('td', 1)],
    seeds: [
      defect(tdh_vp_enter, 'seamcall', first((m, l) =>
        tdr.fatal.set(m, host.moduleOf(host.kvmOf(m, vcpuOf(l))), 0))),
    ],
  },
  the_module_counts_its_vcpus: {
    states: 'TDXM-BUILD-8',
    does: [bootTd],
    seeds: [
      defect(tdh_vp_init, 'execute', also((m, l) =>
        tdr.num_vcpus.set(m, host.moduleOf(host.kvmOf(m, l.target as Ref)), 7))),
    ],
  },
  pages_are_counted: {
    states: 'TDXM-INV-16, TDXM-LIFE-4',
    does: [bootTd],
    seeds: [
      defect(tdh_vp_addcx, 'execute', also((m, l) =>
        tdr.chldcnt.set(m, host.moduleOf(host.kvmOf(m, l.target as Ref)), 99))),
    ],
  },
  associations_are_counted: {
    states: 'TDXM-INV-5',
    does: [bootTd],
    seeds: [
      defect(tdh_vp_init, 'execute', also((m, l) =>
        tdr.num_assoc_vcpus.set(m, host.moduleOf(host.kvmOf(m, l.target as Ref)), 0))),
    ],
  },
  entries_hold_their_locks: {
    states: 'TDXM-INV-9, TDXM-INV-13',
    before: [bootTd],
    does: [hlt('enabled')],
    seeds: [
      defect(tdh_vp_enter, 'seamret', first((m, l) => tdr.shared.set(m, host.moduleOf(host.kvmOf(m, vcpuOf(l))), 2))),
    ],
  },
  runs_where_it_belongs: {
    states: 'TDXM-INV-3, TDXM-ENTER-26',
    does: [bootTd],
    seeds: [
      defect(tdh_vp_enter, 'commit', first((m, l) => tdvps.assoc.set(m, host.tdvpsOf(vcpuOf(l)), 1))),
    ],
  },
  refused_entry_changes_nothing: {
    states: 'TDXM-INV-29',
    before: fatal,
    does: [run('td', 1)],
    seeds: [
      defect(tdh_vp_enter, 'check', first((m, l) => tdvps.last_exit_vmcall.set(m, host.tdvpsOf(vcpuOf(l)), 1))),
    ],
  },
  status_words_make_sense: {
    states: 'TDXM-INV-32, NUM-21',
    before: [bootTd],
    does: [hlt('enabled')],
    seeds: [defect(tdh_vp_enter, 'seamret', first((m) => thread.rax.set(m, m.thread, 0x2000_0000, 12)))],
  },
}; // prettier-ignore

test('every invariant has a case, and every case an invariant', () => {
  expect(Object.keys(CASES).sort()).toEqual(INVARIANTS.map(({ name }) => name).sort());
});

test('names are unique, and each states facts in a sentence', () => {
  expect(new Set(INVARIANTS.map(({ name }) => name)).size).toBe(INVARIANTS.length);
  for (const { name, says, source } of INVARIANTS) {
    expect(says, name).toMatch(/^[A-Zv].{20,}\.$/s);
    expect(CASES[name]!.states, name).toBe(source);
  }
});

describe.each(Object.entries(CASES))('%s', (name, { before = [], does, seeds, by, switches = {} }) => {
  const bench = (): Bench => {
    const made = new Bench({ vms: { td: 2, vmx: 2 }, switches });
    for (const action of before) made.does(action);
    return made;
  };

  test('holds while the code is right', () => {
    const right = bench();
    for (const action of does) right.does(action);
    expect(right.broken).toBeNull();
  });

  test('catches the seeded defect, names the step, and nothing goes on', () => {
    const wrong = bench();
    withDefects(seeds, () => does.forEach((action) => wrong.attempt(action)));
    const { broken } = wrong;
    expect(broken?.name).toBe(name);
    expect(`${broken!.routine}.${broken!.step}`).toBe(by ?? `${seeds[0]!.routine.name}.${seeds[0]!.step}`);
    expect(brokenText(broken!)).toContain(broken!.subject);
    wrong.jump(broken!.moment - 1);
    expect(wrong.broken).toBeNull();
    wrong.jump(wrong.last);
    expect(wrong.broken).toBe(broken);
    expect(wrong.machine.threadInfos.some((info) => wrong.step(info.name))).toBe(false);
  });
});
