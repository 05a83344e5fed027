import { describe, expect, test } from 'vitest';
import { Bench, bothRunning, tdReady } from '../testing/bench';

const set = (events: Record<string, number>, vm = 'td', vcpu = 0) => ({
  vmm: 'KVM_SET_VCPU_EVENTS',
  vm,
  vcpu,
  ...events,
});
const get = (vm = 'td', vcpu = 0) => ({ vmm: 'KVM_GET_VCPU_EVENTS', vm, vcpu });
const run = (vm = 'td', vcpu = 0) => ({ vmm: 'KVM_RUN', vm, vcpu });
const nmi = (vm = 'td') => ({ vmm: 'KVM_NMI', vm, vcpu: 0 });
const REPORTED = [
  'nmi_pending',
  'nmi_injected',
  'nmi_masked',
  'smi_pending',
  'smm',
  'interrupt_injected',
  'exception_injected',
];
/** What KVM_GET_VCPU_EVENTS reports, by field. */
function reported(bench: Bench, vm = 'td'): Record<string, string> {
  expect(bench.does(get(vm))).toBe('0');
  return Object.fromEntries(REPORTED.map((field) => [field, bench.shows(`reply.${field}`)]));
}
const NOTHING = Object.fromEntries(REPORTED.map((field) => [field, '0']));

describe('KVM_GET_VCPU_EVENTS on a TD vCPU', () => {
  test('tdx:LAPIC-6, tdx:SMI-7: it works and reports nothing in normal life', () => {
    expect(reported(tdReady())).toEqual(NOTHING);
  });

  test.each([
    [1, '1'],
    [2, '2'],
    [5, '2'],
  ])(
    'tdx:NMI-15, tdx:NMI-3, tdx:NMI-4: %i NMIs raised: nmi.pending is %s after process_nmi, never injected or masked',
    (count, pending) => {
      const td = tdReady();
      for (let i = 0; i < count; i++) td.does(nmi());
      expect(td.shows('vcpu0.nmi_queued')).toBe(String(count));
      expect(reported(td)).toEqual({ ...NOTHING, nmi_pending: pending });
      expect(td.shows('vcpu0.nmi_queued')).toBe('0');
    },
  );

  test('tdx:NMI-13: an NMI that the module still holds is invisible', () => {
    const td = new Bench({ vms: { td: 1 } });
    td.does({ boot: 'td', vm: 'td', vcpus: 1 });
    td.does({ guest: 'NMI_HANDLER', vm: 'td', vcpu: 0 });
    for (let i = 0; i < 2; i++) td.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'NMI' });
    expect(td.shows('vcpu0.tdvps.pend_nmi')).toBe('1');
    td.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    expect(reported(td)).toEqual(NOTHING);
  });
});

describe('KVM_SET_VCPU_EVENTS on a TD vCPU', () => {
  test('tdx:NMI-16: nmi.injected = 1 makes the next event pass write PEND_NMI', () => {
    const td = tdReady();
    expect(td.does(set({ nmi_injected: 1 }))).toBe('0');
    td.does(run());
    expect(td.events('pend_nmi_set')).toEqual(['vcpu 0']);
    expect(td.shows('vcpu0.nmi_injected')).toBe('0');
    expect(td.shows('vcpu0.guest.nmis')).toBe('1');
  });

  test('tdx:NMI-16: nmi.pending replaces what is pending; 7 become 2, and one NMI reaches the guest', () => {
    const td = tdReady();
    td.does(nmi());
    td.does(set({ nmi_pending: 7 }));
    expect([td.shows('vcpu0.nmi_pending'), td.shows('vcpu0.nmi_queued')]).toEqual(['0', '7']);
    expect(reported(td).nmi_pending).toBe('2');
    td.does(run());
    expect(td.shows('vcpu0.guest.nmis')).toBe('1');
  });

  test('tdx:SMI-6: smi.pending = 1 is accepted; the next event pass bugs the VM, KVM_RUN is -EIO', () => {
    const td = tdReady();
    expect(td.does(set({ smi_pending: 1 }))).toBe('0');
    expect(td.shows('vcpu0.smi_pending')).toBe('1');
    expect(td.does(run())).toBe('-EIO');
    expect(td.events('KVM_BUG_ON')).toEqual(['vt_smi_allowed']);
  });

  test('tdx:SMI-3, tdx:SMI-4: asking whether the SMI may be taken is KVM_BUG_ON; SMM is never entered', () => {
    const bench = bothRunning();
    for (const vm of ['td', 'vmx']) {
      bench.does({ vmm: 'signal', vm, vcpu: 0 });
      bench.does(set({ smi_pending: 1 }, vm));
      bench.does(run(vm));
    }
    expect(bench.events('kvm_enter_smm')).toEqual(['vcpu 0: entering SMM, smbase 0x30000']); // the plain guest's
    expect([bench.shows('td.vm_bugged'), bench.shows('vmx.vm_bugged')]).toEqual(['1', '0']);
  });

  test('tdx:SMI-6: smi.smm = 1 sets the flag of the vCPU and touches no TD state', () => {
    const td = tdReady();
    td.does(set({ smm: 1 }));
    expect(reported(td)).toEqual({ ...NOTHING, smm: '1' });
    td.does(run());
    expect(td.shows('vcpu0.guest.started')).toBe('1');
    expect(td.shows('td.vm_bugged')).toBe('0');
  });

  test('tdx:SMI-5, tdx:SMI-6: without CONFIG_KVM_SMM both are -EINVAL', () => {
    const td = new Bench({ vms: { td: 1 }, switches: { no_smm: true } });
    td.does({ boot: 'td', vm: 'td', vcpus: 1, run: false });
    expect(td.does(set({ smm: 1 }))).toBe('-EINVAL');
    expect(td.does(set({ smi_pending: 1 }))).toBe('-EINVAL');
    expect(td.does(set({ latched_init: 1 }))).toBe('0');
  });

  test.each(['interrupt_injected', 'exception_injected'])(
    'tdx:LAPIC-10: %s = 1 stops every later injection, until both are set to 0',
    (field) => {
      const td = tdReady();
      td.does(set({ [field]: 1 }));
      td.does(nmi());
      td.does(run());
      expect(td.shows('vcpu0.nmi_pending')).toBe('1');
      expect(td.shows('vcpu0.guest.nmis')).toBe('0');
      td.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
      td.does(set({}));
      td.does(run());
      expect(td.shows('vcpu0.guest.nmis')).toBe('1');
    },
  );
});

describe('an NMI on its way into a TD', () => {
  test('tdx:NMI-9: when TDH.VP.WR of PEND_NMI fails the VM is bugged', () => {
    const td = new Bench({ vms: { td: 2 }, switches: { emca: true } });
    td.does({ boot: 'td', vm: 'td' });
    td.does({ vmm: 'signal', vm: 'td', vcpu: 1 });
    td.does({ host: 'MCE', vm: 'td', vcpu: 0 }); // the TD is fatal: the field cannot be written
    td.does({ vmm: 'KVM_NMI', vm: 'td', vcpu: 1 });
    expect(td.does(run('td', 1))).toBe('-EIO');
    expect(td.events('KVM_BUG_ON')).toEqual(['seamcall']);
  });

  test('tdx:NMI-11, TDXM-NMI-6, TDXM-NMI-7: while the guest has not fetched its #VE information the NMI waits', () => {
    const td = new Bench({ vms: { td: 1 } });
    td.does({ boot: 'td', vm: 'td', vcpus: 1 });
    td.begin({ guest: 'SVR', vm: 'td', vcpu: 0, value: 0x1ff });
    for (let i = 0; i < 20 && td.shows('vcpu0.guest.ve_valid') === '0'; i++) td.step('td.vcpu0');
    td.begin({
      vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'NMI', vector: 0, trigger_mode: 'EDGE', level: 1,
    }); // prettier-ignore
    while (td.step('vmm')); // the kick takes the vCPU out of the guest before the handler goes on
    const from = td.mark;
    td.settle();
    const names: string[] = [];
    for (let n = from; n < td.mark; n++) names.push(td.machine.trace.event(n).name);
    const order = ['pend_nmi_set', 'kvm_entry', 'nmi_injected_by_module', 'guest_takes_nmi'];
    // The entry with the #VE still open injects nothing; TDG.VP.VEINFO.GET does, before the TDVMCALL of the handler.
    expect(names.filter((name) => order.includes(name))).toEqual([
      'pend_nmi_set',
      'kvm_entry',
      'nmi_injected_by_module',
      'guest_takes_nmi',
      'kvm_entry',
    ]);
  });

  test('tdx:NMI-8: NMIs merge while one is handled: the guest must poll all sources', () => {
    const td = new Bench({ vms: { td: 1 } });
    td.does({ boot: 'td', vm: 'td', vcpus: 1 });
    td.does({ guest: 'NMI_HANDLER', vm: 'td', vcpu: 0 });
    for (let i = 0; i < 5; i++) td.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'NMI' });
    td.does({ guest: 'IRET', vm: 'td', vcpu: 0 });
    expect(td.shows('vcpu0.guest.nmis')).toBe('2');
  });

  test('tdx:NMI-17: the second posting read PEND_NMI back: an undelivered NMI is injected again at the next entry', () => {
    const raised = (switches: Record<string, boolean>): Bench => {
      const td = new Bench({ vms: { td: 1 }, switches });
      td.does({ boot: 'td', vm: 'td', vcpus: 1 });
      td.does({ guest: 'NMI_HANDLER', vm: 'td', vcpu: 0 });
      const msi = { vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'NMI' };
      td.does(msi); // taken, the handler stays
      td.does(msi); // held by the module
      td.does({ host: 'IRQ', vm: 'td', vcpu: 0 });
      return td;
    };
    expect(raised({}).shows('vcpu0.nmi_injected')).toBe('0');
    const td = raised({ nmi_readback: true });
    expect(td.shows('vcpu0.nmi_injected')).toBe('1');
    td.does({ guest: 'IRET', vm: 'td', vcpu: 0 });
    td.does({ host: 'IRQ', vm: 'td', vcpu: 0 });
    expect(td.shows('vcpu0.nmi_injected')).toBe('0');
    expect(td.events('seamcall').filter((leaf) => leaf === 'TDH.VP.RD').length).toBeGreaterThan(0);
  });
});

describe('NMIs of the host', () => {
  const hit = (vm: string) => ({ host: 'NMI', vm, vcpu: 0 });

  test.each([
    [false, 'cpu 1 by IDT'],
    [true, 'cpu 1 by FRED'],
  ])('tdx:NMI-22: TD and plain guest share the helper; with FRED %s it is %s', (fred, entry) => {
    const bench = new Bench({ vms: { td: 1, vmx: 1 }, switches: { fred } });
    bench.does({ boot: 'td', vm: 'td', vcpus: 1 });
    bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1 });
    const from = bench.mark;
    bench.does(hit('td'));
    bench.does(hit('vmx'));
    expect(bench.events('vmx_handle_nmi', from)).toHaveLength(2);
    expect(bench.events('host_nmi_handled', from)).toEqual([entry, entry.replace('cpu 1', 'cpu 2')]);
  });

  test.each([
    [true, '1'],
    [false, '0'],
  ])(
    'tdx:NMI-24, tdx:NMI-25: fixed module %s: NMIs blocked after the exit: %s',
    (module_nmi_fix, blocked) => {
      const bench = new Bench({ vms: { td: 1 }, switches: { module_nmi_fix } });
      bench.does({ boot: 'td', vm: 'td', vcpus: 1 });
      bench.begin({ host: 'NMI', vm: 'td', vcpu: 0 });
      for (let i = 0; i < 50 && bench.shows('cpu1.context') !== 'HOST_KERNEL'; i++) bench.step('td.vcpu0');
      expect(bench.shows('cpu1.nmi_blocked')).toBe(blocked);
      bench.settle();
      expect(bench.shows('cpu1.nmi_blocked')).toBe('0');
    },
  );

  test('tdx:NMI-27: in the host it changes nothing in the vCPU; in SEAM root it is held until the TD is entered', () => {
    const bench = new Bench({ vms: { td: 1 } });
    bench.does({ boot: 'td', vm: 'td', vcpus: 1, run: false });
    bench.does(hit('td'));
    expect(bench.events('host_nmi_handled')).toEqual(['cpu 1 by IDT']);
    expect(bench.shows('vcpu0.requests')).not.toContain('NMI');
    bench.begin({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0, immediate_exit: 0 });
    for (let i = 0; i < 80 && bench.shows('cpu1.context') !== 'SEAM_ROOT'; i++) bench.step('td.vcpu0');
    bench.begin({ host: 'NMI', vm: 'td', vcpu: 0 });
    expect(bench.shows('cpu1.nmi_pending')).toBe('1');
    const from = bench.mark;
    bench.settle();
    expect(bench.events('kvm_exit', from)[0]).toContain('EXCEPTION_NMI');
    expect(bench.shows('cpu1.nmis')).toBe('2');
  });
});
