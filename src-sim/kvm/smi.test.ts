import { describe, expect, test } from 'vitest';
import { Bench } from '../testing/bench';

function running(switches: Record<string, boolean> = {}): Bench {
  const bench = new Bench({ vms: { td: 2, vmx: 1 }, switches });
  bench.does({ boot: 'td', vm: 'td', vcpus: 2 });
  bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1 });
  return bench;
}
const mce = { host: 'MCE', vm: 'td', vcpu: 0 };

describe('an SMI requested for a vCPU', () => {
  test('tdx:SMI-1: KVM_SMI on a TD vCPU is -ENOTTY and raises nothing; on a plain one it is 0', () => {
    const bench = new Bench({ vms: { td: 1, vmx: 1 } });
    bench.does({ boot: 'td', vm: 'td', vcpus: 1, run: false });
    bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1, run: false });
    const before = bench.shows('td.vcpu0.requests');
    expect(bench.does({ vmm: 'KVM_SMI', vm: 'td', vcpu: 0 })).toBe('-ENOTTY');
    expect(bench.shows('td.vcpu0.requests')).toBe(before);
    expect(bench.does({ vmm: 'KVM_SMI', vm: 'vmx', vcpu: 0 })).toBe('0');
    bench.does({ vmm: 'KVM_RUN', vm: 'vmx', vcpu: 0 });
    expect(bench.events('kvm_enter_smm')).toEqual(['vcpu 0: entering SMM, smbase 0x30000']);
  });

  test('tdx:SMI-2: an SMI by MSI is dropped, the sender is told 0, the target is not kicked', () => {
    const bench = running();
    const from = bench.mark;
    expect(bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'SMI' })).toBe('0');
    expect(bench.events('kvm_vcpu_kick', from)).toEqual([]);
  });
});

describe('an SMI on the host while a TD runs', () => {
  test('tdx:SMI-10, tdx:SMI-12: it exits with reason 6, KVM resumes, nothing else changes', () => {
    const bench = running();
    const from = bench.mark;
    bench.does({ host: 'SMI', vm: 'td', vcpu: 0 });
    expect(bench.events('kvm_exit', from)).toEqual([expect.stringContaining('reason OTHER_SMI')]);
    expect(bench.events('kvm_exit', from)[0]).toContain('info1 0x0');
    expect(bench.events('smi_handled', from)).toEqual(['cpu 1']);
    expect(bench.shows('td.vcpu0.vp_enter_ret')).toBe('0x0000000000000006');
    expect(bench.shows('td.module.fatal')).toBe('0');
    expect(bench.shows('td.vcpu0.thread.status')).toBe('in-guest');
  });

  test('tdx:SMI-11: there is no I/O SMI: with one waiting, IN and OUT are still #VE and TDVMCALL, and the SMI is reason 6', () => {
    const bench = running();
    const from = bench.mark;
    bench.starts({ guest: 'IO', vm: 'td', vcpu: 0, port: 0xb2 });
    bench.starts({ host: 'SMI', vm: 'td', vcpu: 0 });
    bench.settle();
    const reasons = bench.events('kvm_exit', from).map((text) => /reason (\w+)/.exec(text)![1]);
    expect(reasons).toEqual(['OTHER_SMI', 'IO_INSTRUCTION']);
    expect(bench.events('guest_ve', from)).toEqual(['vcpu 0 IO']);
    expect(bench.shows('td.vcpu0.vp_enter_ret')).toBe('0x000000000000004d'); // TDCALL
    expect(bench.shows('td.vcpu0.run.exit_reason')).toBe('KVM_EXIT_IO');
  });

  test('tdx:SMI-20: an SMI while the vCPU is in the host is invisible to KVM and the TD', () => {
    const bench = running();
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    const from = bench.mark;
    bench.does({ host: 'SMI', vm: 'td', vcpu: 0 });
    expect(bench.events('kvm_exit', from)).toEqual([]);
    expect(bench.shows('cpu1.smi_pending')).toBe('0');
  });
});

describe('a machine check in a TD', () => {
  test('tdx:SMI-13, tdx:SMI-15, tdx:SMI-16: as an MSMI it makes the TD fatal and ends KVM_RUN with 0x6000000500000006', () => {
    const bench = running({ emca: true });
    const from = bench.mark;
    bench.does(mce);
    expect(bench.events('td_fatal', from)).toEqual(['MSMI']);
    expect(bench.events('kvm_exit', from)[0]).toContain('reason OTHER_SMI rip 0xfff0 info1 0x1');
    expect(bench.shows('td.module.fatal')).toBe('1');
    expect(bench.shows('td.vcpu0.run.exit_reason')).toBe('KVM_EXIT_INTERNAL_ERROR');
    expect(bench.shows('td.vcpu0.run.suberror')).toBe('4');
    expect(bench.shows('td.vcpu0.run.data0')).toBe('0x6000000500000006');
    expect(bench.shows('td.vcpu0.thread.ret')).toBe('0');
  });

  test('tdx:SMI-14: the host machine-check handler poisons the page, once', () => {
    const bench = running({ emca: true });
    bench.does(mce);
    expect(bench.shows('td.poisoned_pages')).toBe('1');
  });

  test('tdx:SMI-17, FATAL-3: the VM is not dead, and every later entry fails with TD_FATAL', () => {
    const bench = running({ emca: true });
    bench.does(mce);
    expect(bench.shows('td.vm_dead')).toBe('0');
    const from = bench.mark;
    for (let i = 0; i < 2; i++) {
      expect(bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 })).toBe('0');
      expect(bench.shows('last.exit')).toBe('KVM_EXIT_INTERNAL_ERROR');
      expect(bench.shows('td.vcpu0.run.data0')).toBe('0xe000060400000000');
    }
    expect(bench.events('kvm_exit', from)).toEqual([
      expect.stringContaining('NONE'),
      expect.stringContaining('NONE'),
    ]);
    expect(bench.events('guest_run', from)).toEqual([]);
  });

  test('tdx:SMI-18: a neighbour that runs meets the fatal TD at its next exit, with its own reason', () => {
    const bench = running({ emca: true });
    bench.does(mce);
    expect(bench.shows('td.vcpu1.thread.status')).toBe('in-guest');
    bench.does({ host: 'IRQ', vm: 'td', vcpu: 1 });
    expect(bench.shows('td.vcpu1.run.data0')).toBe('0x6000000500000001');
    expect(bench.shows('td.vcpu1.run.exit_reason')).toBe('KVM_EXIT_INTERNAL_ERROR');
  });

  test('EXIT-13: without morphing the status is 0x6000000500000000 and stage B calls kvm_machine_check', () => {
    const bench = running();
    bench.does(mce);
    expect(bench.shows('td.vcpu0.run.data0')).toBe('0x6000000500000000');
    expect(bench.shows('td.poisoned_pages')).toBe('1');
    expect(bench.shows('td.module.fatal')).toBe('1');
  });

  test('FATAL-4: a fatal TD still accepts posted interrupts; an NMI bugs the VM when KVM writes PEND_NMI', () => {
    const bench = running({ emca: true });
    bench.does({ guest: 'SVR', vm: 'td', vcpu: 0 });
    bench.does(mce);
    expect(
      bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'FIXED', vector: 0x31 }),
    ).toBe('1');
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    expect([bench.shows('td.vcpu0.pid.on'), bench.shows('td.vcpu0.pid.pir')]).toEqual(['1', '49']);
    expect(bench.does({ vmm: 'KVM_NMI', vm: 'td', vcpu: 0 })).toBe('0');
    expect(bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 })).toBe('-EIO');
    expect(bench.shows('td.vm_bugged')).toBe('1');
    expect(bench.does({ vmm: 'KVM_GET_MP_STATE', vm: 'td', vcpu: 0 })).toBe('-EIO');
  });
});

describe('the end of a fatal TD', () => {
  const close = { vmm: 'close', vm: 'td' };
  function fatal(): Bench {
    const bench = running({ emca: true });
    bench.does(mce);
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 1 });
    return bench;
  }

  test('FATAL-5: closing the VM flushes every vCPU, frees the key and takes every page back, the root last', () => {
    const bench = fatal();
    const from = bench.mark;
    const pages = Number(bench.shows('td.module.chldcnt'));
    expect(bench.does(close)).toBe('0');
    const leaves = bench.events('seamcall', from);
    expect(leaves.slice(0, 5)).toEqual([
      'TDH.VP.FLUSH', 'TDH.VP.FLUSH', 'TDH.MNG.VPFLUSHDONE', 'TDH.PHYMEM.CACHE.WB', 'TDH.MNG.KEY.FREEID',
    ]); // prettier-ignore
    expect(leaves.slice(5)).toEqual(Array.from({ length: pages + 1 }, () => 'TDH.PHYMEM.PAGE.RECLAIM'));
    expect(bench.events('td_leaked', from)).toEqual([]);
  });

  test('FATAL-5, tdx:SMI-14: the poisoned page stays out of circulation, and a new TD can be made in its place', () => {
    const bench = fatal();
    bench.does(close);
    expect([bench.shows('td.type'), bench.shows('td.poisoned_pages')]).toEqual(['NONE', '1']);
    expect(bench.does(close)).toBe('refused');
    bench.does({ boot: 'td', vm: 'td', vcpus: 2 });
    expect(bench.shows('td.vcpu0.thread.status')).toBe('in-guest');
    expect(bench.shows('td.module.fatal')).toBe('0');
  });

  test('FATAL-5: from the closing on nothing can be asked of the VM', () => {
    const bench = new Bench({ vms: { td: 1 } });
    bench.does({ boot: 'td', vm: 'td', vcpus: 1, run: false });
    bench.starts(close);
    bench.starts({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    expect(bench.outcome).toMatchObject({ kind: 'refused', say: expect.stringContaining('being closed') });
    bench.settle();
    expect(bench.shows('td.type')).toBe('NONE');
  });

  test('FATAL-5: a VM with a thread inside an ioctl lives on; a page that the module keeps is lost', () => {
    const bench = running({ emca: true });
    bench.does(mce);
    expect(bench.does(close)).toBe('refused');
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 1 });
    const status = 'OPERAND_BUSY_TDR';
    bench.does({ host: 'SEAMCALL_STATUS', leaf: 'TDH.PHYMEM.PAGE.RECLAIM', status });
    expect(bench.does(close)).toBe('0');
    expect(bench.events('td_leaked')).toEqual(['TDH.PHYMEM.PAGE.RECLAIM']);
  });
});

describe('a triple fault', () => {
  test('FATAL-1, FATAL-2: it disables one vCPU: KVM_EXIT_SHUTDOWN, then VCPU_STATE_INCORRECT; the other runs on', () => {
    const bench = running();
    bench.does({ guest: 'TRIPLE_FAULT', vm: 'td', vcpu: 0 });
    expect(bench.shows('td.vcpu0.run.exit_reason')).toBe('KVM_EXIT_SHUTDOWN');
    expect(bench.shows('td.vcpu0.vp_enter_ret')).toBe('0x4000000100000002');
    expect(bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 })).toBe('0');
    expect(bench.shows('td.vcpu0.run.data0')).toBe('0xc000070000000000');
    expect(bench.shows('td.vcpu1.thread.status')).toBe('in-guest');
  });

  test('a plain VMX guest leaves with KVM_EXIT_SHUTDOWN too', () => {
    const bench = running();
    bench.does({ guest: 'TRIPLE_FAULT', vm: 'vmx', vcpu: 0 });
    expect(bench.shows('vmx.vcpu0.run.exit_reason')).toBe('KVM_EXIT_SHUTDOWN');
  });
});
