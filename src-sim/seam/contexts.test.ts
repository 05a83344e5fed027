import { describe, expect, test } from 'vitest';
import { Bench } from '../testing/bench';

/** Host, module, TD: who has the CPU, and what becomes of an event in each of them. */

const td = { vm: 'td', vcpu: 0 };
function running(switches: Record<string, boolean> = {}, vcpus = 1): Bench {
  const bench = new Bench({ vms: { td: vcpus }, switches });
  bench.does({ boot: 'td', vm: 'td', vcpus });
  return bench;
}
const context = (bench: Bench): string => bench.shows('cpu1.context');
/** Names of what happened from `from` on, of those that are asked for. */
function order(bench: Bench, from: number, ...names: string[]): string[] {
  const seen: string[] = [];
  for (let n = from; n < bench.mark; n++) {
    const event = bench.machine.trace.event(n);
    if (names.includes(event.name) && event.type !== 'return') seen.push(event.name);
  }
  return seen;
}
/** A vCPU on its way into the TD: the module runs. */
function entering(switches: Record<string, boolean> = {}): Bench {
  const bench = running(switches);
  bench.does({ vmm: 'signal', ...td });
  bench.starts({ vmm: 'KVM_RUN', ...td, immediate_exit: 0 });
  bench.stepTo('td.vcpu0', 'tdh_vp_enter', 'commit');
  expect(context(bench)).toBe('SEAM_ROOT');
  return bench;
}
/** A vCPU on its way out after a host interrupt: the module runs. */
function leaving(action: Record<string, unknown>, switches: Record<string, boolean> = {}): Bench {
  const bench = running(switches);
  bench.starts(action);
  bench.stepTo('td.vcpu0', 'tdh_vp_enter', 'seamret');
  expect(context(bench)).toBe('SEAM_ROOT');
  return bench;
}

describe('who has the CPU', () => {
  test('TDXM-MODE-1: host to module to TD and back through the module, never straight to the host', () => {
    const bench = running();
    bench.starts({ host: 'IRQ', ...td });
    const seen = [context(bench)];
    while (bench.step('td.vcpu0')) if (context(bench) !== seen.at(-1)) seen.push(context(bench));
    expect(seen).toEqual(['SEAM_NON_ROOT', 'SEAM_ROOT', 'HOST_KERNEL', 'SEAM_ROOT', 'SEAM_NON_ROOT']);
  });

  test('TDXM-MODE-2: exits that the module deals with are inside the one SEAMCALL', () => {
    const bench = running();
    const from = bench.mark;
    for (const reason of [10, 11, 28]) bench.does({ guest: 'VMEXIT', ...td, reason });
    expect(bench.events('td_exit_handled', from)).toHaveLength(3);
    expect(order(bench, from, 'seamcall', 'seamret', 'kvm_exit')).toEqual([]);
  });

  test('TDXM-MODE-29: the module never waits: a call that meets a lock ends at once', () => {
    const bench = running();
    const from = bench.moment;
    bench.does({ host: 'SEAMCALL', ...td, leaf: 'TDH.MR.FINALIZE', from: 'vmm' });
    expect(bench.shows('vmm.thread.rax')).toBe('0x8000020000000001');
    expect(bench.moment - from).toBeLessThan(8);
  });
});

describe('an event while the module runs', () => {
  test.each([
    ['an external interrupt', { host: 'IRQ' }, 'irr', '236', 'kvm_exit'],
    ['an NMI', { host: 'NMI' }, 'nmi_pending', '1', 'host_nmi_handled'],
    ['an SMI', { host: 'SMI' }, 'smi_pending', '1', 'smi_handled'],
  ])('TDXM-MODE-3, TDXM-ENTER-24: %s waits, and makes the TD exit right after it was entered', (_what, action, field, value, event) => {
    const bench = entering();
    const from = bench.mark;
    bench.starts({ ...action, ...td });
    expect(bench.shows(`cpu1.${field}`)).toBe(value);
    expect(bench.events(event, from)).toEqual([]);
    bench.settle();
    expect(bench.events('kvm_exit', from)).toHaveLength(1);
    expect(bench.events(event, from)).toHaveLength(1);
    expect(bench.shows('td.vcpu0.thread.status')).toBe('in-guest');
  }); // prettier-ignore

  test('TDXM-MODE-4, TDXM-MODE-19: INIT waits too, and then makes the TD exit with reason 3', () => {
    const bench = entering();
    bench.starts({ host: 'INIT', ...td });
    expect(bench.shows('cpu1.init_pending')).toBe('1');
    bench.settle();
    expect(bench.shows('td.vcpu0.vp_enter_ret')).toBe('0x0000000000000003');
    const host = running();
    host.does({ vmm: 'signal', ...td });
    expect(host.does({ host: 'INIT', ...td })).toBe('refused'); // in the host it is the host's
  });

  test('TDXM-MODE-8: one that comes on the way out is taken right after SEAMRET, an SMI before an NMI', () => {
    const bench = leaving({ host: 'IRQ', ...td });
    bench.starts({ host: 'NMI', ...td });
    bench.starts({ host: 'SMI', ...td });
    const from = bench.mark;
    bench.step('td.vcpu0');
    expect(order(bench, from, 'seamret', 'smi_handled', 'host_nmi_handled', 'kvm_exit')).toEqual([
      'seamret', 'smi_handled', 'host_nmi_handled',
    ]);
    expect([bench.shows('cpu1.nmi_pending'), bench.shows('cpu1.smi_pending')]).toEqual(['0', '0']);
  }); // prettier-ignore
});

describe('an event while the TD runs', () => {
  test('TDXM-MODE-9, TDXM-MODE-12, TDXM-NUM-1: an interrupt: reason 1, acknowledged; only KVM’s call gives it to its handler', () => {
    const bench = leaving({ host: 'IRQ', ...td, vector: 0xec });
    const from = bench.mark;
    bench.stepTo('td.vcpu0', 'tdx_vcpu_run', 'traced');
    expect(bench.shows('td.vcpu0.vp_enter_ret')).toBe('0x0000000000000001');
    expect(bench.shows('td.vcpu0.intr_info')).toBe('0x800000ec');
    for (const r of ['rcx', 'rdx', 'r8']) expect(Number(bench.shows(`td.vcpu0.args.${r}`))).toBe(0);
    expect(bench.events('irq_handled_by_host', from)).toEqual([]);
    bench.settle();
    expect(bench.events('irq_handled_by_host', from)).toEqual(['cpu 1 vector LOCAL_TIMER']);
  });

  test('TDXM-MODE-13, TDXM-APIC-14: the notification vector makes no exit; PIR moves over whatever IF says, delivery waits for IF', () => {
    const bench = running();
    bench.does({ guest: 'SVR', ...td });
    bench.does({ guest: 'IF', ...td, enabled: false });
    const from = bench.mark;
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'FIXED', vector: 0x61 });
    expect(bench.events('pir_harvested', from)).toEqual(['vcpu 0']);
    expect([bench.shows('td.vcpu0.guest.virr'), bench.shows('td.vcpu0.guest.irqs')]).toEqual(['97', '0']);
    expect(bench.events('kvm_exit', from)).toEqual([]);
    bench.does({ guest: 'IF', ...td, enabled: true });
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
  });

  test('TDXM-MODE-14: with posted interrupts off the same vector is an external interrupt like any other', () => {
    const bench = running();
    bench.does({ vmm: 'signal', ...td });
    const off = { leaf: 'TDH.VP.WR', field: 'PIN_BASED_CONTROLS', value: 0, mask: 0x80 };
    bench.does({ host: 'SEAMCALL', ...td, ...off });
    bench.does({ vmm: 'KVM_RUN', ...td });
    const from = bench.mark;
    bench.does({ host: 'IRQ', ...td, vector: 0xf2 });
    expect(bench.events('kvm_exit', from)).toHaveLength(1);
    expect(bench.events('pir_harvested', from)).toEqual([]);
  });

  test('TDXM-MODE-10, TDXM-MODE-15, TDXM-NUM-2: an NMI is used up by its exit; KVM calls the handler', () => {
    const bench = leaving({ host: 'NMI', ...td });
    expect(bench.shows('cpu1.nmi_pending')).toBe('0');
    bench.stepTo('td.vcpu0', 'vmx_handle_nmi', 'enter');
    expect(bench.shows('td.vcpu0.vp_enter_ret')).toBe('0x0000000000000000');
    expect(bench.shows('td.vcpu0.intr_info')).toBe('0x80000202');
    expect(bench.shows('cpu1.nmis')).toBe('0');
    bench.settle();
    expect(bench.shows('cpu1.nmis')).toBe('1');
  });

  test('TDXM-MODE-11, TDXM-MODE-16, TDXM-MC-4: an SMI is not used up: it is taken after SEAMRET, and nothing else changes', () => {
    const bench = leaving({ host: 'SMI', ...td });
    expect(bench.shows('cpu1.smi_pending')).toBe('1');
    const from = bench.mark;
    bench.step('td.vcpu0');
    expect(order(bench, from, 'seamret', 'smi_handled')).toEqual(['seamret', 'smi_handled']);
    bench.settle();
    expect(bench.shows('td.module.fatal')).toBe('0');
    expect(bench.events('kvm_exit', from)[0]).toContain('info1 0x0');
  });

  test('TDXM-MODE-17, TDXM-MC-14, TDXM-NUM-7: an MSMI: fatal, SEAMRET, SMM, machine-check handler, and then KVM looks', () => {
    const bench = running({ emca: true });
    const from = bench.mark;
    bench.does({ host: 'MCE', ...td });
    expect(order(bench, from, 'td_fatal', 'seamret', 'smi_handled', 'page_poisoned', 'kvm_exit', 'kvm_userspace_exit')).toEqual([
      'td_fatal', 'seamret', 'smi_handled', 'page_poisoned', 'kvm_exit', 'kvm_userspace_exit',
    ]);
    expect(bench.shows('td.vcpu0.vp_enter_ret')).toBe('0x6000000500000006');
    expect(Number(bench.shows('td.vcpu0.args.rcx')) & 1).toBe(1);
  }); // prettier-ignore

  test('TDXM-MODE-18, TDXM-MC-5: a machine check that is no SMI has the reason of an NMI; R9 and the status tell them apart', () => {
    const bench = running();
    bench.does({ host: 'MCE', ...td });
    expect(bench.shows('td.vcpu0.vp_enter_ret')).toBe('0x6000000500000000');
    expect(bench.shows('td.vcpu0.intr_info')).toBe('0x80000312');
    expect(bench.shows('cpu1.nmis')).toBe('0');
  });

  test('TDXM-MODE-20: a start-up IPI of the CPU is not expected: the TD is fatal', () => {
    const bench = running();
    bench.does({ guest: 'VMEXIT', ...td, reason: 4 });
    expect(bench.shows('td.module.fatal')).toBe('1');
  });

  test('TDXM-MODE-22: the host knows that a TD met the error: it gives up the page, not the system', () => {
    const bench = running({}, 2);
    bench.does({ host: 'MCE', ...td });
    expect(bench.shows('td.poisoned_pages')).toBe('1');
    expect(bench.shows('td.vm_dead')).toBe('0');
  });
});

describe('NMIs of the host after an NMI exit', () => {
  const second = (bench: Bench): void => bench.starts({ host: 'NMI', ...td });

  test.each([
    [false, '0', ['seamret', 'host_nmi_handled']],
    [true, '1', ['seamret']],
  ])('TDXM-NMI-14 to TDXM-NMI-16: module with the fix %s: NMIs blocked %s after SEAMRET, so a second one is %j', (module_nmi_fix, blocked, seen) => {
    const bench = leaving({ host: 'NMI', ...td }, { module_nmi_fix });
    second(bench);
    const from = bench.mark;
    bench.step('td.vcpu0');
    expect(bench.shows('cpu1.nmi_blocked')).toBe(blocked);
    // Before KVM has dispatched the first one.
    expect(order(bench, from, 'seamret', 'host_nmi_handled')).toEqual(seen);
    bench.settle();
    expect(bench.shows('cpu1.nmis')).toBe('2');
    expect(bench.shows('cpu1.nmi_blocked')).toBe('0');
  }); // prettier-ignore

  test('TDXM-NMI-17, TDXM-NMI-18: 1.5.06, which the machine has unless told otherwise, forgets the blocking', () => {
    expect(leaving({ host: 'NMI', ...td }).shows('cpu1.nmi_blocked')).toBe('0');
  });

  test.each([false, true])('TDXM-NMI-20: after another exit NMIs are open, with the fix or without (%s)', (module_nmi_fix) => {
    const bench = leaving({ host: 'IRQ', ...td }, { module_nmi_fix });
    second(bench);
    expect(bench.shows('cpu1.nmi_blocked')).toBe('0');
    bench.step('td.vcpu0');
    expect([bench.shows('cpu1.nmis'), bench.shows('cpu1.nmi_pending')]).toEqual(['1', '0']);
  }); // prettier-ignore
});
