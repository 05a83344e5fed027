import { describe, expect, test } from 'vitest';
import { Bench, bothRunning, tdReady } from '../testing/bench';

const nmi = (vm: string, vcpu = 0) => ({ vmm: 'KVM_NMI', vm, vcpu });
const run = (vm: string, vcpu = 0) => ({ vmm: 'KVM_RUN', vm, vcpu });
/** A booted pair whose NMI handlers stay until IRET. */
function staying(switches: Record<string, boolean> = {}): Bench {
  const bench = new Bench({ vms: { td: 1, vmx: 1 }, switches });
  bench.does({ boot: 'td', vm: 'td', vcpus: 1 });
  bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1 });
  for (const vm of ['td', 'vmx']) bench.does({ guest: 'NMI_HANDLER', vm, vcpu: 0 });
  return bench;
}
/** An NMI by MSI reaches a running vCPU without waiting for vcpu->mutex. */
const msiNmi = (vm: string) => ({ vmm: 'KVM_SIGNAL_MSI', vm, dest: 0, delivery_mode: 'NMI' });

describe('an NMI for a TD vCPU', () => {
  test('tdx:NMI-1: KVM_NMI queues the NMI, raises KVM_REQ_NMI and returns 0', () => {
    const td = tdReady();
    expect(td.does(nmi('td'))).toBe('0');
    expect(td.shows('vcpu0.nmi_queued')).toBe('1');
    expect(td.shows('vcpu0.requests')).toContain('NMI');
  });

  test('tdx:NMI-2, tdx:NMI-5, tdx:NMI-10: an NMI by MSI kicks the vCPU, KVM sets PEND_NMI, the module injects', () => {
    const bench = bothRunning();
    const from = bench.mark;
    expect(bench.does(msiNmi('td'))).toBe('1');
    expect(bench.events('pend_nmi_set', from)).toEqual(['vcpu 0']);
    expect(bench.events('nmi_injected_by_module', from)).toEqual(['vcpu 0']);
    expect(bench.events('guest_takes_nmi', from)).toEqual(['vcpu 0']);
    expect(bench.shows('td.vcpu0.guest.nmis')).toBe('1');
    expect(bench.shows('td.vcpu0.tdvps.pend_nmi')).toBe('0');
    expect(bench.shows('td.vcpu0.stat.nmi_injections')).toBe('1');
  });

  test.each([2, 3, 10])(
    'tdx:NMI-6: %i NMIs before one entry are one PEND_NMI write and one NMI in the guest',
    (count) => {
      const td = tdReady();
      for (let i = 0; i < count; i++) td.does(nmi('td'));
      td.does(run('td'));
      expect(td.shows('vcpu0.stat.nmi_injections')).toBe('1');
      expect(td.events('pend_nmi_set')).toHaveLength(1);
      expect(td.events('nmi_merged')).toEqual(['vcpu 0']);
      expect(td.shows('vcpu0.guest.nmis')).toBe('1');
      expect(td.shows('vcpu0.nmi_pending')).toBe('0');
    },
  );

  test('tdx:NMI-7: PEND_NMI is 0 or 1; a write of 1 onto 1 is one NMI', () => {
    const bench = staying();
    bench.does(msiNmi('td')); // taken; its handler stays, so NMIs are blocked
    bench.does(msiNmi('td')); // pends in the module
    bench.does(msiNmi('td')); // finds PEND_NMI set
    expect(bench.shows('td.vcpu0.tdvps.pend_nmi')).toBe('1');
    expect(bench.events('pend_nmi_kept')).toEqual(['vcpu 0']);
    bench.does({ guest: 'IRET', vm: 'td', vcpu: 0 });
    expect(bench.shows('td.vcpu0.guest.nmis')).toBe('2');
    expect(bench.shows('td.vcpu0.tdvps.pend_nmi')).toBe('0');
  });

  test('tdx:NMI-10, tdx:NMI-18: the NMI window is the module’s own: no exit reaches KVM, no nmi_window_exits', () => {
    const bench = staying();
    bench.does(msiNmi('td'));
    bench.does(msiNmi('td'));
    const from = bench.mark;
    bench.does({ guest: 'IRET', vm: 'td', vcpu: 0 });
    expect(bench.events('kvm_exit', from)).toEqual([]);
    expect(bench.shows('td.vcpu0.stat.nmi_window_exits')).toBe('0');
  });

  test('tdx:NMI-12: an NMI wakes a vCPU that halted with interrupts blocked', () => {
    const bench = bothRunning();
    bench.does({ guest: 'HLT', vm: 'td', vcpu: 0, interrupts: 'blocked' });
    expect(bench.shows('td.vcpu0.mp_state')).toBe('HALTED');
    bench.does(msiNmi('td'));
    expect(bench.shows('td.vcpu0.mp_state')).toBe('RUNNABLE');
    expect(bench.shows('td.vcpu0.guest.nmis')).toBe('1');
  });

  test('tdx:NMI-14, TDXM-NMI-11: a halted vCPU sleeps although the module still holds PEND_NMI', () => {
    const bench = staying();
    bench.does(msiNmi('td'));
    bench.does(msiNmi('td'));
    bench.does({ guest: 'HLT', vm: 'td', vcpu: 0 });
    expect(bench.shows('td.vcpu0.tdvps.pend_nmi')).toBe('1');
    expect(bench.shows('td.vcpu0.mp_state')).toBe('HALTED');
  });
});

describe('an NMI for a plain VMX vCPU', () => {
  test('x86:VMX-8, x86:VMX-13: a second NMI waits in KVM for the NMI window, which exits', () => {
    const bench = staying();
    bench.does(msiNmi('vmx'));
    bench.does(msiNmi('vmx'));
    expect(bench.shows('vmx.vcpu0.nmi_pending')).toBe('1');
    expect(bench.shows('vmx.vcpu0.vmcs.cpu_based')).toContain('NMI_WINDOW');
    const from = bench.mark;
    bench.does({ guest: 'IRET', vm: 'vmx', vcpu: 0 });
    expect(bench.events('kvm_exit', from)[0]).toContain('NMI_WINDOW');
    expect(bench.shows('vmx.vcpu0.guest.nmis')).toBe('2');
    expect(bench.shows('vmx.vcpu0.stat.nmi_window_exits')).toBe('1');
  });

  test('x86:PNMI-16, x86:PNMI-17: two NMIs are kept while none is masked, one while masked', () => {
    const bench = staying();
    bench.does({ vmm: 'signal', vm: 'vmx', vcpu: 0 });
    for (let i = 0; i < 3; i++) bench.does(nmi('vmx'));
    bench.does(run('vmx'));
    expect(bench.events('nmi_collapsed')).toEqual(['vcpu 0 raised 3 kept 2']);
    for (let i = 0; i < 2; i++) bench.does(msiNmi('vmx'));
    expect(bench.shows('vmx.vcpu0.nmi_pending')).toBe('1');
  });

  test('x86:VMX-22, x86:PNMI-19: INIT unblocks NMIs and forgets the pending ones', () => {
    const bench = staying();
    bench.does(msiNmi('vmx'));
    bench.does(msiNmi('vmx'));
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 0, delivery_mode: 'INIT' });
    expect(bench.shows('vmx.vcpu0.nmi_pending')).toBe('0');
    expect(bench.shows('vmx.vcpu0.guest.in_nmi')).toBe('0');
  });
});

describe('a host NMI while a TD runs', () => {
  const hit = { host: 'NMI', vm: 'td', vcpu: 0 };
  /** Steps the vCPU's thread until it is inside the host NMI handler. */
  function toHandler(bench: Bench): void {
    bench.begin({ host: 'NMI', vm: 'td', vcpu: 0 });
    for (let i = 0; i < 50 && bench.shows('cpu1.nmi_depth') === '0'; i++) bench.step('td.vcpu0');
    expect(bench.shows('cpu1.nmi_depth')).toBe('1');
  }

  test('tdx:NMI-20, tdx:NMI-21, tdx:NMI-23: it exits, is handled before the exit is traced, and the vCPU goes on', () => {
    const bench = bothRunning();
    const from = bench.mark;
    bench.does(hit);
    const names: string[] = [];
    for (let n = from; n < bench.machine.trace.count; n++) names.push(bench.machine.trace.event(n).name);
    expect(names.indexOf('host_nmi_handled')).toBeLessThan(names.indexOf('kvm_exit'));
    expect(bench.events('kvm_exit', from)[0]).toContain('reason EXCEPTION_NMI');
    expect(bench.events('kvm_exit', from)[0]).toContain('intr_info 0x80000202');
    expect(bench.shows('cpu1.context')).toBe('SEAM_NON_ROOT');
    expect(bench.shows('td.vcpu0.guest.nmis')).toBe('0');
  });

  test.each([
    [true, false, 'pends', []],
    [true, true, 'pends', []],
    [false, false, 'nests', ['cpu 1 harmless']],
    [false, true, 'nests', ['cpu 1 FRED entry corrupted']],
  ])(
    'tdx:NMI-26, TDXM-NMI-19: fixed module %s, FRED %s: a second NMI during the handler %s',
    (module_nmi_fix, fred, _how, nested) => {
      const bench = staying({ module_nmi_fix, fred });
      toHandler(bench);
      expect(bench.shows('cpu1.nmi_blocked')).toBe(module_nmi_fix ? '1' : '0');
      bench.begin({ host: 'NMI', vm: 'td', vcpu: 0 });
      expect(bench.events('host_nmi_nested')).toEqual(nested);
      bench.settle();
      expect(bench.shows('cpu1.nmis')).toBe('2');
      expect(bench.shows('cpu1.nmi_blocked')).toBe('0');
    },
  );
});
