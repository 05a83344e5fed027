import { describe, expect, test } from 'vitest';
import { Bench } from '../testing/bench';
import * as host from './kvm_host';
import { kvm_inject_nmi } from './x86_inject';

/** Requests to all vCPUs of a VM: who is interrupted, and what their sender waits for. */

function running(vcpus = 2): Bench {
  const bench = new Bench({ vms: { td: vcpus, vmx: vcpus } });
  bench.does({ boot: 'td', vm: 'td', vcpus });
  bench.does({ boot: 'vmx', vm: 'vmx', vcpus });
  return bench;
}
const inhibit = (vm: string) => ({ kvm: 'set_apicv_inhibit', vm, reason: 'ABSENT' });
const status = (bench: Bench, thread: string): string => bench.shows(`${thread}.thread.status`);
const sendUntilItWaits = (bench: Bench, vm: string): void => {
  bench.starts(inhibit(vm));
  bench.stepTo('vmm', 'kvm_make_all_cpus_request', 'wait');
  bench.step('vmm');
};

describe('the sender of a request that waits', () => {
  test('NUM-15: it goes on when every vCPU that was in the guest has left it, in whatever order', () => {
    const bench = running();
    sendUntilItWaits(bench, 'td');
    const sent = bench.events('ipi_sent').slice(-2);
    expect(sent).toEqual(['cpu 1 vector CALL_FUNCTION', 'cpu 2 vector CALL_FUNCTION']);
    expect([status(bench, 'vmm'), bench.shows('vmm.thread.acks')]).toEqual(['waiting', '1 2']);
    expect(bench.outcome?.say).toContain('every vCPU has left the guest: no answer yet from CPU 1, 2.');
    bench.stepTo('td.vcpu1', 'vcpu_enter_guest', 'irqs_on');
    expect([status(bench, 'vmm'), bench.shows('vmm.thread.acks')]).toEqual(['waiting', '1']);
    bench.stepTo('td.vcpu0', 'vcpu_enter_guest', 'exit_irqoff');
    expect(status(bench, 'vmm')).toBe('waiting');
    bench.step('td.vcpu0');
    expect([status(bench, 'vmm'), bench.shows('vmm.thread.acks')]).toEqual(['ready', '']);
    expect(bench.shows('td.apicv_inhibit_reasons')).toBe(''); // stored only now
    bench.settle();
    expect(bench.shows('td.apicv_inhibit_reasons')).toBe('ABSENT');
    expect(bench.outcome?.kind).toBe('returned');
  });

  test('NUM-15: a vCPU outside guest mode is not interrupted, and one that sleeps is not woken', () => {
    const bench = running();
    bench.does({ vmm: 'signal', vm: 'vmx', vcpu: 0 });
    expect(status(bench, 'vmx.vcpu1')).toBe('blocked'); // it waits for a SIPI
    const from = bench.mark;
    bench.does(inhibit('vmx'));
    expect(bench.events('ipi_sent', from)).toEqual([]);
    expect(bench.events('acks_awaited', from)).toEqual([]);
    expect(status(bench, 'vmx.vcpu1')).toBe('blocked');
    expect(bench.shows('vmx.vcpu1.requests')).toContain('APICV_UPDATE');
  });

  test('NUM-15: a vCPU that is on its way out counts as in the guest; with interrupts off it answers late', () => {
    const bench = running();
    bench.starts({ host: 'IRQ', vm: 'vmx', vcpu: 0, vector: 0xec });
    bench.stepTo('vmx.vcpu0', 'vcpu_enter_guest', 'last_test');
    bench.starts({ vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 0, delivery_mode: 'NMI' });
    bench.stepTo('vmm', 'kvm_vcpu_kick', 'send');
    bench.step('vmm');
    for (let i = 0; i < 10; i++) bench.step('vmm');
    expect(bench.shows('vmx.vcpu0.mode')).toBe('EXITING_GUEST_MODE');
    sendUntilItWaits(bench, 'vmx');
    expect(bench.shows('vmm.thread.acks')).toBe('3');
    bench.step('vmx.vcpu0'); // back outside guest mode, interrupts on
    expect(bench.shows('vmm.thread.acks')).toBe('');
  });

  test('NUM-15: without a vCPU in the guest nobody waits', () => {
    const bench = new Bench({ vms: { vmx: 2 } });
    bench.does({ boot: 'vmx', vm: 'vmx', run: false });
    const from = bench.mark;
    bench.does(inhibit('vmx'));
    expect(bench.events('kvm_make_all_cpus_request', from)).toHaveLength(1);
    expect(bench.events('acks_awaited', from)).toEqual([]);
  });

  test('NUM-15, RUN-14: who marks a VM dead waits until the others have left the guest', () => {
    const bench = running();
    bench.does({ host: 'SEAMCALL_STATUS', leaf: 'TDH.VP.ENTER', status: 'SEAMCALL_UD' });
    bench.starts({ host: 'IRQ', vm: 'td', vcpu: 0 });
    for (const exit of ['interrupt', 'failed entry']) {
      bench.stepTo('td.vcpu0', 'tdx_handle_exit', 'dispatch');
      expect(bench.shows('td.vm_dead'), exit).toBe('0');
      bench.step('td.vcpu0');
    }
    expect(bench.shows('td.vm_dead')).toBe('1');
    expect([status(bench, 'td.vcpu0'), bench.shows('td.vcpu0.thread.acks')]).toEqual(['waiting', '2']);
    bench.settle();
    expect([status(bench, 'td.vcpu0'), status(bench, 'td.vcpu1')]).toEqual(['idle', 'idle']);
  });

  test('RUN-10, NUM-15: a page is taken away only when no vCPU is inside the TD any more', () => {
    const bench = running();
    bench.starts({ kvm: 'tdx_no_vcpus_enter', vm: 'td' });
    for (let i = 0; i < 20; i++) bench.step('vmm');
    expect(status(bench, 'vmm')).toBe('waiting');
    expect(bench.shows('td.vcpu0.requests')).toBe(''); // NO_ACTION: nothing is raised
    bench.settle();
    expect(bench.shows('td.wait_for_sept_zap')).toBe('0');
    expect(status(bench, 'td.vcpu1')).toBe('in-guest');
  });
});

test('x86:PNMI-1: raising an NMI counts it and raises KVM_REQ_NMI; it kicks nobody', () => {
  const bench = running(1);
  const [vcpu] = bench.machine.vcpus;
  const from = bench.mark;
  kvm_inject_nmi(bench.machine, vcpu!);
  kvm_inject_nmi(bench.machine, vcpu!);
  expect([bench.shows('td.vcpu0.nmi_queued'), bench.shows('td.vcpu0.requests')]).toEqual(['2', 'NMI']);
  expect([bench.shows('td.vcpu0.mode'), status(bench, 'td.vcpu0')]).toEqual(['IN_GUEST_MODE', 'in-guest']);
  expect(bench.mark).toBe(from);
});

describe('requests on the way in', () => {
  const ORDER = [
    'VM_DEAD',
    'MIGRATE_TIMER',
    'TRIPLE_FAULT',
    'PMI',
    'SMI',
    'NMI',
    'IOAPIC_EOI_EXIT',
    'APICV_UPDATE',
  ] as const;
  /** A vCPU in userspace with these requests; answers which are left when KVM_RUN has returned. */
  function left(requests: readonly (typeof ORDER)[number][]): string[] {
    const bench = new Bench({ vms: { vmx: 1 } }, false);
    bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1, run: false });
    const { machine } = bench;
    const [vcpu] = machine.vcpus;
    host.kvm_vcpu.requests.clearAll(machine, vcpu!);
    for (const name of requests) host.kvm_vcpu.requests.set(machine, vcpu!, host[`KVM_REQ_${name}`]);
    if (requests.includes('NMI')) host.kvm_vcpu.nmi_queued.set(machine, vcpu!, 1);
    bench.does({ vmm: 'KVM_RUN', vm: 'vmx', vcpu: 0 });
    return bench.shows('vmx.vcpu0.requests').split(' ');
  }

  test('x86:INJ-1: a dead VM comes before everything', () => {
    expect(left(ORDER)).toEqual(expect.arrayContaining([...ORDER]));
  });

  test.each([
    ['TRIPLE_FAULT', ['MIGRATE_TIMER']],
    ['IOAPIC_EOI_EXIT', ['MIGRATE_TIMER', 'PMI', 'SMI', 'NMI']],
  ] as const)(
    'x86:INJ-1: %s leaves KVM_RUN when %j have been served, and what comes later has not',
    (exit, served) => {
      const requests =
        exit === 'TRIPLE_FAULT' ? ORDER.slice(1) : ORDER.slice(1).filter((name) => name !== 'TRIPLE_FAULT');
      const now = left(requests);
      for (const name of served) expect(now, name).not.toContain(name);
      for (const name of requests.slice(requests.indexOf(exit) + 1)) expect(now, name).toContain(name);
    },
  );
});
