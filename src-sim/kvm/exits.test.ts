import { describe, expect, test } from 'vitest';
import { SEAMCALL_LEAVES, SEAMCALL_STATUS } from '../names';
import { KVM_EXIT } from '../machine/machine';
import { Bench } from '../testing/bench';
import { kvm_arch_dy_has_pending_interrupt } from './x86_events';

/** Exits of a TD: status, reason, order of tests, and what userspace gets. */

const td = { vm: 'td', vcpu: 0 };
function running(vcpus = 1, switches: Record<string, boolean> = {}): Bench {
  const bench = new Bench({ vms: { td: vcpus }, switches });
  bench.does({ boot: 'td', vm: 'td', vcpus });
  return bench;
}
const run = (bench: Bench, field: string): string => bench.shows(`td.vcpu0.run.${field}`);
const inGuest = (bench: Bench, vcpu = 0): boolean =>
  bench.shows(`td.vcpu${vcpu}.thread.status`) === 'in-guest';
/** Lets TDH.VP.ENTER end with a status, by an exit and the entry after it. */
function enterWith(bench: Bench, status: string, more: Record<string, unknown> = {}): void {
  bench.does({ host: 'SEAMCALL_STATUS', status, ...more });
  bench.does({ host: 'IRQ', ...td });
}
const vmexit = (reason: number, more: Record<string, unknown> = {}) => ({
  guest: 'VMEXIT',
  ...td,
  reason,
  ...more,
});
const lastExit = (bench: Bench): string => bench.events('kvm_exit').at(-1)!;

describe('entry', () => {
  test('RUN-10: while pages are taken away the vCPU turns back before TDH.VP.ENTER and tries again', () => {
    const bench = running();
    bench.starts({ kvm: 'tdx_no_vcpus_enter', vm: 'td' });
    bench.stepTo('vmm', 'kvm_make_all_cpus_request', 'wait');
    bench.stepTo('td.vcpu0', 'tdx_vcpu_run', 'entry');
    bench.stepTo('vmm', 'tdx_no_vcpus_enter', 'zap');
    const from = bench.mark;
    for (let i = 0; i < 100; i++) bench.step('td.vcpu0');
    expect(bench.events('kvm_entry', from)).toEqual([]);
    expect(bench.events('tdx_vcpu_run', from).length).toBeGreaterThan(1);
    bench.stepTo('vmm', 'tdx_no_vcpus_enter', 'stop');
    bench.step('vmm');
    bench.settle();
    expect(inGuest(bench)).toBe(true);
  });

  test('RUN-11: OPERAND_BUSY is tried again without exit handling; kvm_exit shows no reason', () => {
    const bench = running();
    const from = bench.mark;
    enterWith(bench, 'OPERAND_BUSY_TDR', { times: 2 });
    expect(bench.events('kvm_entry', from)).toHaveLength(3);
    expect(
      bench
        .events('kvm_exit', from)
        .slice(1)
        .every((text) => text.includes('reason NONE')),
    ).toBe(true);
    expect(bench.events('kvm_userspace_exit', from)).toEqual([]);
    expect(inGuest(bench)).toBe(true);
  });

  test.each([
    ['SUCCESS', { reason: 49 }],
    ['SEAMCALL_GP', {}],
  ])('RUN-11: %s returns before kvm_exit is traced', (status, more) => {
    const bench = running();
    const from = bench.mark;
    enterWith(bench, status, more);
    expect(bench.events('kvm_entry', from)).toHaveLength(1);
    expect(bench.events('kvm_exit', from)).toHaveLength(1); // the IRQ's, before that entry
  });

  test('RUN-12: after the exit mode is OUTSIDE before the irqs-off handler, interrupts are on before tdx_handle_exit', () => {
    const bench = running();
    bench.starts({ host: 'IRQ', ...td });
    bench.stepTo('td.vcpu0', 'vcpu_enter_guest', 'exit_irqoff');
    expect([bench.shows('td.vcpu0.mode'), bench.shows('cpu1.irqs_off')]).toEqual(['OUTSIDE_GUEST_MODE', '1']);
    bench.stepTo('td.vcpu0', 'tdx_handle_exit', 'dispatch');
    expect(bench.shows('cpu1.irqs_off')).toBe('0');
  });

  test('PI-22: when the entry fails the self-IPI does nothing; ON and PIR are still set', () => {
    const bench = running();
    bench.does({ guest: 'SVR', ...td });
    bench.does({ vmm: 'signal', ...td });
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'FIXED', vector: 0x31 });
    bench.does({ host: 'SEAMCALL_STATUS', status: 'TSC_ROLLBACK' });
    const from = bench.mark;
    expect(bench.does({ vmm: 'KVM_RUN', ...td })).toBe('0');
    expect(bench.events('irq_handled_by_host', from)).toEqual(['cpu 1 vector POSTED_INTR']);
    expect([bench.shows('td.vcpu0.pid.on'), bench.shows('td.vcpu0.pid.pir')]).toEqual(['1', '49']);
    bench.does({ vmm: 'KVM_RUN', ...td });
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
  });
});

describe('the order of tests', () => {
  test('EXIT-6, FATAL-1: status 49 exactly is a bug of KVM: -EIO, KVM_EXIT_UNKNOWN, VM dead', () => {
    const bench = running();
    enterWith(bench, 'SUCCESS', { reason: 49 });
    expect(bench.events('KVM_BUG_ON')).toEqual(['tdx_handle_exit']);
    expect(bench.events('kvm_userspace_exit').at(-1)).toBe('reason KVM_EXIT_UNKNOWN (-EIO)');
    expect(bench.does({ vmm: 'KVM_RUN', ...td })).toBe('-EIO');
  });

  test.each([
    ['SEAMCALL_GP', '0x8000ff000000000d'],
    ['SEAMCALL_UD', '0x8000ff0000000006'],
    ['SEAMCALL_VMFAILINVALID', '0x8000ff00ffff0000'],
  ])('EXIT-6, FATAL-1: %s bugs the VM; KVM_RUN returns 0 with INTERNAL_ERROR, then -EIO', (status, data) => {
    const bench = running();
    enterWith(bench, status);
    expect([run(bench, 'exit_reason'), run(bench, 'suberror'), run(bench, 'data0')]).toEqual([
      'KVM_EXIT_INTERNAL_ERROR',
      '4',
      data,
    ]);
    expect(bench.shows('td.vm_bugged')).toBe('1');
    expect(bench.does({ vmm: 'KVM_RUN', ...td })).toBe('-EIO');
  });

  test('EXIT-6: a fastpath that is not NONE comes first: no other test sees the status', () => {
    const bench = running();
    enterWith(bench, 'OPERAND_BUSY_RCX', { reason: 0x8000_0000 }); // would be a failed entry
    expect(bench.shows('td.vcpu0.run.exit_reason')).toBe('KVM_EXIT_UNKNOWN');
    expect(inGuest(bench)).toBe(true);
  });

  test.each([
    ['MCE_DURING_VMENTRY', '0x0000000080000029', '0x6000000580000029'],
    ['INVALID_STATE', null, '0x6000000280000021'],
  ])('EXIT-10, NUM-10: a failed entry, %s', (reason, failure, status) => {
    const bench = running();
    bench.does({ host: 'ENTRY_FAILURE', ...td, reason });
    bench.does({ host: 'IRQ', ...td });
    expect(bench.shows('td.vcpu0.vp_enter_ret')).toBe(status);
    expect(bench.shows('td.module.fatal')).toBe('1');
    if (failure === null) {
      // Linux does not know the module's NON_RECOVERABLE_TD, so it sees no reason at all.
      expect(run(bench, 'exit_reason')).toBe('KVM_EXIT_INTERNAL_ERROR');
      return;
    }
    expect(run(bench, 'exit_reason')).toBe('KVM_EXIT_FAIL_ENTRY');
    expect(run(bench, 'fail_entry.hardware_entry_failure_reason')).toBe(failure);
    expect(run(bench, 'fail_entry.cpu')).toBe('1');
    expect(lastExit(bench)).toContain('reason MCE_DURING_VMENTRY FAILED_VMENTRY');
    expect(bench.events('page_poisoned')).toEqual(['cpu 1']); // kvm_machine_check()
    expect(bench.events('WARN')).toEqual([]);
  });

  test('EXIT-10: a failed entry whose status is not NON_RECOVERABLE warns once', () => {
    const bench = running();
    for (let i = 0; i < 2; i++) {
      bench.does({ host: 'SEAMCALL_STATUS', status: 'SUCCESS', reason: 0x8000_0021 });
      if (i === 0) bench.does({ host: 'IRQ', ...td });
      else bench.does({ vmm: 'KVM_RUN', ...td });
      expect(run(bench, 'exit_reason')).toBe('KVM_EXIT_FAIL_ENTRY');
    }
    expect(bench.events('WARN')).toEqual(['tdx_handle_exit vcpu 0']);
  });

  test('EXIT-10: an NMI whose entry failed is injected by the next one', () => {
    const bench = new Bench({ vms: { vmx: 1 } });
    bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1, run: false });
    bench.does({ host: 'ENTRY_FAILURE', vm: 'vmx', vcpu: 0, reason: 'INVALID_STATE' });
    bench.does({ vmm: 'KVM_NMI', vm: 'vmx', vcpu: 0 });
    bench.does({ vmm: 'KVM_RUN', vm: 'vmx', vcpu: 0 });
    expect(bench.shows('last.exit')).toBe('KVM_EXIT_FAIL_ENTRY');
    expect(bench.shows('vmx.vcpu0.guest.nmis')).toBe('0');
    bench.does({ vmm: 'KVM_RUN', vm: 'vmx', vcpu: 0 });
    expect(bench.shows('vmx.vcpu0.guest.nmis')).toBe('1');
  });

  test('EXIT-10, x86:UAPI-1: a plain guest reports a failed entry the same way', () => {
    const bench = new Bench({ vms: { vmx: 1 } });
    bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1 });
    bench.does({ host: 'ENTRY_FAILURE', vm: 'vmx', vcpu: 0, reason: 'INVALID_STATE' });
    bench.does({ host: 'IRQ', vm: 'vmx', vcpu: 0 });
    expect(bench.shows('vmx.vcpu0.run.exit_reason')).toBe('KVM_EXIT_FAIL_ENTRY');
    expect(Number(bench.shows('vmx.vcpu0.run.fail_entry.hardware_entry_failure_reason'))).toBe(0x8000_0021);
  });

  test('EXIT-6, EXIT-7: a triple fault is exempt from the test of the NON_RECOVERABLE bit', () => {
    const bench = running();
    bench.does({ guest: 'TRIPLE_FAULT', ...td });
    expect(bench.shows('td.vcpu0.vp_enter_ret')).toBe('0x4000000100000002');
    expect(run(bench, 'exit_reason')).toBe('KVM_EXIT_SHUTDOWN');
  });

  test('EXIT-4: reason 1 without an external interrupt in R9 bugs the VM', () => {
    const bench = running();
    enterWith(bench, 'SUCCESS', { reason: 1 });
    expect(bench.events('KVM_BUG_ON')).toEqual(['handle_external_interrupt_irqoff']);
    expect(bench.does({ vmm: 'KVM_RUN', ...td })).toBe('-EIO');
  });

  test('EXIT-5, V12-16: the irqs-off handler is the one of VMX, for both kinds of guest', () => {
    const bench = new Bench({ vms: { td: 1, vmx: 1 } });
    bench.does({ boot: 'td', vm: 'td', vcpus: 1 });
    bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1 });
    const seen = ['td', 'vmx'].map((vm) => {
      const from = bench.mark;
      bench.does({ host: 'IRQ', vm, vcpu: 0 });
      return bench.events('irq_handled_by_host', from).length;
    });
    expect(seen).toEqual([1, 1]);
  });
});

describe('exit reasons', () => {
  test.each([
    [3, 'INIT_SIGNAL'],
    [9, 'TASK_SWITCH'],
    [74, 'BUS_LOCK'],
    [75, 'NOTIFY'],
    [42, '42'],
  ])(
    'EXIT-8, tdx:SMI-19: reason %i is handed over with SUCCESS and ends in INTERNAL_ERROR',
    (reason, shown) => {
      const bench = running();
      bench.does(vmexit(reason));
      expect(lastExit(bench)).toContain(`reason ${shown} `);
      expect(run(bench, 'exit_reason')).toBe('KVM_EXIT_INTERNAL_ERROR');
      expect(Number(run(bench, 'data0'))).toBe(reason);
      expect(bench.shows('td.module.fatal')).toBe('0');
      bench.does({ vmm: 'KVM_RUN', ...td });
      expect(inGuest(bench)).toBe(true);
    },
  );

  test.each([10, 28, 31, 32, 55])('EXIT-9: reason %i is handled by the module alone', (reason) => {
    const bench = running();
    const from = bench.mark;
    bench.does(vmexit(reason));
    expect(bench.events('td_exit_handled', from)[0]).toContain('injects nothing');
    expect(bench.events('kvm_exit', from)).toEqual([]);
    expect(inGuest(bench)).toBe(true);
  });

  test.each([
    [[12, 13, 18, 30, 54, 56, 65], '#VE'],
    [[11, 17, 19, 27, 36, 39, 50, 59, 76], '#UD'],
    [[15, 72], '#GP'],
  ])('EXIT-9: reasons %j become %s in the guest', (reasons, injected) => {
    const bench = running();
    for (const reason of reasons) {
      const from = bench.mark;
      bench.does(vmexit(reason));
      expect(bench.events('td_exit_handled', from)[0]).toContain(`injects ${injected}`);
    }
    expect(bench.shows('td.vcpu0.stat.exits')).toBe('0');
  });

  test.each([
    ['INIT-16', 4, '0x6000000200000004'],
    ['EXIT-9', 7, '0x6000000200000007'],
    ['EXIT-9', 40, '0x6000000200000028'],
    ['EXIT-9', 45, '0x600000020000002d'],
    ['EXIT-9', 99, '0x6000000200000063'],
  ])(
    '%s, EXIT-2a, NUM-24: reason %i is unexpected: the TD is fatal, and Linux knows no such status',
    (_id, reason, data) => {
      const bench = running(2);
      bench.does(vmexit(reason));
      expect(run(bench, 'data0')).toBe(data);
      expect(bench.shows('td.vcpu0.exit_reason')).toBe('0xffffffff');
      expect(lastExit(bench)).toMatch(/reason NONE .* info1 0x0 info2 0x0 intr_info 0x0 error_code 0x0/);
      expect(bench.does({ vmm: 'KVM_RUN', ...td })).toBe('0');
      expect(run(bench, 'data0')).toBe('0xe000060400000000'); // TD_FATAL
      expect(bench.shows('td.vcpu0.tdvps.state')).toBe('ACTIVE');
      bench.does({ host: 'IRQ', vm: 'td', vcpu: 1 });
      expect(bench.shows('td.vcpu1.run.data0')).toBe('0x6000000500000001');
    },
  );

  test('EXIT-12, EXIT-7, UP-4: an exception that nobody asked for is KVM_EXIT_EXCEPTION; only the second posting logged it', () => {
    for (const nmi_readback of [false, true]) {
      const bench = running(1, { nmi_readback });
      enterWith(bench, 'SUCCESS', { intr_info: 0x8000_0b0e });
      expect([run(bench, 'exit_reason'), run(bench, 'ex.exception'), run(bench, 'ex.error_code')]).toEqual([
        'KVM_EXIT_EXCEPTION',
        '14',
        '0',
      ]);
      expect(bench.events('unexpected_exception')).toHaveLength(nmi_readback ? 1 : 0);
    }
  });

  test('EXIT-12: in practice the module lets no other exception out: it gives up itself', () => {
    const bench = running();
    bench.starts(vmexit(0, { vector: 14 }));
    bench.settle();
    expect(bench.events('kvm_exit')).toEqual([]);
    expect(bench.shows('td.vcpu0.thread.status')).toBe('idle');
  });

  test('EXIT-20, EXIT-1: kvm_exit shows qualification, extended qualification and interruption information', () => {
    const bench = running();
    bench.does(vmexit(9, { qualification: 0x1234 }));
    expect(lastExit(bench)).toContain('info1 0x1234 info2 0x0 intr_info 0x0 error_code 0x0');
    bench.does({ vmm: 'KVM_RUN', ...td });
    bench.does({ host: 'IRQ', ...td, vector: 0x41 });
    expect(lastExit(bench)).toContain('info1 0x0 info2 0x0 intr_info 0x80000041');
    bench.does({ vmm: 'KVM_SET_MEMORY_ATTRIBUTES', vm: 'td', page: 2, private: false });
    bench.does({ guest: 'TOUCH', ...td, page: 2, access: 'accept' });
    expect(lastExit(bench)).toContain('info1 0x2 info2 0x1 intr_info 0x0');
    expect(bench.shows('td.vcpu0.args.r8')).toBe('0x0000000080002000');
  });
});

describe('memory', () => {
  const touch = (more: Record<string, unknown> = {}) => ({ guest: 'TOUCH', ...td, ...more });

  test('EXIT-18: accepting a page that is not there is one EPT violation; KVM adds the page', () => {
    const bench = running();
    const from = bench.mark;
    bench.does(touch({ page: 1, access: 'accept' }));
    expect(bench.events('kvm_exit', from)).toHaveLength(1);
    expect(bench.shows('td.page1.sept')).toBe('MAPPED');
    bench.does(touch({ page: 1, access: 'write' }));
    expect(bench.events('kvm_exit', from)).toHaveLength(1);
  });

  test('EXIT-18: an access before acceptance kills the VM with -EIO, without a KVM_BUG_ON', () => {
    const bench = running();
    bench.does(touch());
    expect(bench.events('guest_access_before_accept')).toEqual(['vcpu 0']);
    expect([bench.shows('td.vm_dead'), bench.shows('td.vm_bugged')]).toEqual(['1', '0']);
    expect(bench.events('kvm_userspace_exit').at(-1)).toBe('reason KVM_EXIT_UNKNOWN (-EIO)');
    expect(bench.does({ vmm: 'KVM_RUN', ...td })).toBe('-EIO');
  });

  test('EXIT-18: an instruction fetch from shared memory is a bug', () => {
    const bench = running();
    bench.does({ vmm: 'KVM_SET_MEMORY_ATTRIBUTES', vm: 'td', page: 0, private: false });
    bench.does(touch({ space: 'shared', access: 'fetch' }));
    expect(bench.events('KVM_BUG_ON')).toEqual(['tdx_handle_ept_violation']);
    expect(bench.shows('td.vm_bugged')).toBe('1');
  });

  test('EXIT-7: a private access to a shared page is a memory fault with -EFAULT and the PRIVATE flag', () => {
    const bench = running();
    bench.does({ vmm: 'KVM_SET_MEMORY_ATTRIBUTES', vm: 'td', page: 5, private: false });
    bench.does(touch({ page: 5, access: 'accept' }));
    expect(bench.events('kvm_userspace_exit').at(-1)).toContain('-EFAULT');
    expect(
      ['exit_reason', 'memory_fault.flags', 'memory_fault.gpa', 'memory_fault.size'].map((f) =>
        run(bench, f),
      ),
    ).toEqual(['KVM_EXIT_MEMORY_FAULT', '8', '0x0000000080005000', '4096']);
  });

  const contended = (times: number): Bench => {
    const bench = running();
    bench.does({ guest: 'SVR', ...td });
    bench.does({ host: 'SEAMCALL_STATUS', leaf: 'TDH.MEM.PAGE.AUG', status: 'OPERAND_BUSY_SEPT', times });
    return bench;
  };

  test('HLT-13, NUM-23: a busy TDH.MEM.PAGE.AUG is tried again inside KVM, without an entry', () => {
    const bench = contended(3);
    const from = bench.mark;
    bench.does(touch({ access: 'accept' }));
    expect(bench.events('kvm_mmu_page_fault', from)).toHaveLength(4);
    expect(bench.events('kvm_entry', from)).toHaveLength(1);
    expect(bench.events('seamret', from)).toContain('TDH.MEM.PAGE.AUG rax 0x8000020000000092');
  });

  test('HLT-13, PEND-4: an interrupt or a signal ends the local retry early; the guest runs and faults again', () => {
    for (const event of ['KVM_SIGNAL_MSI', 'signal']) {
      const bench = contended(100);
      bench.starts(touch({ access: 'accept' }));
      bench.stepTo('td.vcpu0', 'tdx_handle_ept_violation', 'retry');
      const from = bench.mark;
      const msi = { dest: 0, delivery_mode: 'FIXED', vector: 0x31 };
      bench.starts(event === 'signal' ? { vmm: 'signal', ...td } : { vmm: event, vm: 'td', ...msi });
      if (event === 'signal') {
        bench.settle();
        expect(bench.events('kvm_userspace_exit', from)).toEqual(['reason restart (-EINTR)']);
      } else {
        bench.stepTo('vmm', 'kvm_vm_ioctl', 'done');
        bench.stepTo('td.vcpu0', 'guest_run', 'execute');
        bench.step('td.vcpu0');
        expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
      }
      expect(bench.events('kvm_mmu_page_fault', from)).toEqual([]);
    }
  });

  test('HLT-13: KVM_REQ_VM_DEAD, raised by the fault of another vCPU, ends it with -EIO', () => {
    const bench = running(2);
    bench.does({ vmm: 'KVM_SET_MEMORY_ATTRIBUTES', vm: 'td', page: 3, private: false });
    const status = 'OPERAND_BUSY_SEPT';
    bench.does({ host: 'SEAMCALL_STATUS', leaf: 'TDH.MEM.PAGE.AUG', status, times: 100 });
    bench.starts(touch({ access: 'accept' }));
    bench.stepTo('td.vcpu0', 'tdx_handle_ept_violation', 'retry');
    bench.starts({ guest: 'TOUCH', vm: 'td', vcpu: 1, page: 3, space: 'shared', access: 'fetch' });
    bench.stepTo('td.vcpu1', 'vcpu_run', 'after');
    expect(bench.shows('td.vm_dead')).toBe('1');
    const from = bench.mark;
    bench.stepTo('td.vcpu0', 'kvm_vcpu_ioctl', 'put');
    expect(bench.events('kvm_mmu_page_fault', from)).toEqual([]);
    expect(bench.shows('td.vcpu0.thread.ret')).toBe('-EIO');
  });

  test('EXIT-18: any other error of TDH.MEM.PAGE.AUG bugs the VM', () => {
    const bench = running();
    const status = 'EPT_ENTRY_STATE_INCORRECT';
    bench.does({ host: 'SEAMCALL_STATUS', leaf: 'TDH.MEM.PAGE.AUG', status });
    bench.does(touch({ access: 'accept' }));
    expect(bench.events('KVM_BUG_ON')).toEqual(['tdx_mem_page_aug']);
  });
});

describe('pending interrupts and HLT', () => {
  const post = (vector: number) => ({
    vmm: 'KVM_SIGNAL_MSI',
    vm: 'td',
    dest: 0,
    delivery_mode: 'FIXED',
    vector,
  });
  function enabled(switches: Record<string, boolean> = {}): Bench {
    const bench = running(1, switches);
    bench.does({ guest: 'SVR', ...td });
    return bench;
  }
  const state = (bench: Bench): string => bench.shows('td.vcpu0.mp_state');
  const tpr = (value: number) => ({ guest: 'WRMSR', ...td, msr: 0x808, value });
  const hlt = (interrupts = 'enabled') => ({ guest: 'HLT', ...td, interrupts });

  test.each([
    [0x3f, 0x30, 'HALTED'],
    [0x41, 0x3f, 'RUNNABLE'],
  ])('NUM-27, PEND-6: RVI %i against PPR %i: only the upper four bits count', (vector, ppr, expected) => {
    const bench = enabled();
    bench.does({ guest: 'IF', ...td, enabled: false });
    bench.does(tpr(ppr));
    bench.does(post(vector));
    expect(bench.shows('td.vcpu0.guest.virr')).toBe(String(vector));
    bench.does({ guest: 'TDVMCALL', ...td, leaf: 12, r12: 0 });
    expect(state(bench)).toBe(expected);
  });

  test('HLT-11: a vector whose class is not above PPR does not keep the vCPU awake', () => {
    const bench = enabled();
    bench.does(tpr(0x50));
    bench.does(post(0x45));
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('0');
    bench.does(hlt());
    expect(state(bench)).toBe('HALTED');
  });

  test('PEND-3: a vector in the virtual IRR counts after a HLT with interrupts enabled, and after no other exit', () => {
    const bench = enabled();
    bench.does({ guest: 'IF', ...td, enabled: false });
    bench.does(post(0x45));
    const blocked = bench.moment;
    bench.does(hlt('blocked'));
    expect(state(bench)).toBe('HALTED');
    bench.jump(blocked);
    bench.does({ guest: 'TDVMCALL', ...td, leaf: 12, r12: 0 });
    expect(state(bench)).toBe('RUNNABLE');
  });

  test('PEND-5: between P1 and P2 of a sender a vector is in the PIR and not pending; P2 and P3 follow', () => {
    const bench = enabled();
    bench.does(hlt());
    bench.starts(post(0x31));
    bench.stepTo('vmm', '__vmx_deliver_posted_interrupt', 'set_on');
    expect([bench.shows('td.vcpu0.pid.pir'), bench.shows('td.vcpu0.pid.on')]).toEqual(['49', '0']);
    const vcpu = bench.machine.vcpus[0]!;
    expect(kvm_arch_dy_has_pending_interrupt(bench.machine, vcpu)).toBe(false);
    bench.settle();
    expect(state(bench)).toBe('RUNNABLE');
  });

  test('HLT-14: the hint for yielding is the descriptor, while APICv is active; the first design always said no', () => {
    for (const apicv_v1 of [false, true]) {
      const bench = enabled({ apicv_v1 });
      bench.does({ vmm: 'signal', ...td });
      const vcpu = bench.machine.vcpus[0]!;
      expect(kvm_arch_dy_has_pending_interrupt(bench.machine, vcpu)).toBe(false);
      bench.does(post(0x31));
      expect(kvm_arch_dy_has_pending_interrupt(bench.machine, vcpu)).toBe(!apicv_v1);
    }
  });

  test('HLT-2, UP-2: the second posting ignores the flag: an interrupt wakes a vCPU that halted with interrupts blocked', () => {
    for (const no_halt_flag of [false, true]) {
      const bench = enabled({ no_halt_flag });
      bench.does(hlt('blocked'));
      bench.does(post(0x31));
      expect(state(bench)).toBe(no_halt_flag ? 'RUNNABLE' : 'HALTED');
    }
  });

  test('PEND-2, UP-3: the second posting asked the descriptor only: a vector already harvested did not keep it awake', () => {
    for (const no_halt_flag of [false, true]) {
      const bench = enabled({ no_halt_flag });
      bench.does({ guest: 'IF', ...td, enabled: false });
      bench.does(post(0x31));
      bench.does({ guest: 'TDVMCALL', ...td, leaf: 12, r12: 0 });
      expect(state(bench)).toBe(no_halt_flag ? 'HALTED' : 'RUNNABLE');
    }
  });

  test('HLT-5: an NMI makes a halted vCPU runnable, INIT and SIPI do not', () => {
    for (const [delivery_mode, expected] of [
      ['NMI', 'RUNNABLE'],
      ['INIT', 'HALTED'],
      ['STARTUP', 'HALTED'],
    ]) {
      const bench = enabled();
      bench.does(hlt('blocked'));
      bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode, vector: 0x10 });
      expect(state(bench)).toBe(expected);
    }
  });

  test('HLT-6: a timer ends the sleep; not runnable yet, the loop posts the vector and the vCPU sleeps again', () => {
    const bench = enabled();
    bench.does({ guest: 'TIMER', ...td, register: 'LVTT', value: 0x40 });
    bench.does({ guest: 'TIMER', ...td, register: 'TMICT', value: 300_000 });
    bench.does(hlt('blocked'));
    const from = bench.mark;
    bench.does({ host: 'pass', ns: 1_000_000 });
    expect(bench.events('kvm_vcpu_wakeup', from)[0]).toContain('invalid');
    expect(bench.shows('td.vcpu0.pid.pir')).toBe('64');
    expect(state(bench)).toBe('HALTED');
    expect(bench.events('vcpu_sleeps', from)).toHaveLength(1);
  });

  test('HLT-7: waking sets RUNNABLE, the TD is entered, and TDVMCALL returns SUCCESS', () => {
    const bench = enabled();
    bench.does(hlt());
    const from = bench.mark;
    bench.does(post(0x31));
    expect(state(bench)).toBe('RUNNABLE');
    expect(bench.events('kvm_entry', from)).toHaveLength(1);
    expect(bench.shows('td.vcpu0.guest.r10')).toBe('0x0000000000000000');
  });

  test('HLT-9: after the wake-up the HLT exit still says whether interrupts are allowed, until another exit', () => {
    const bench = enabled();
    bench.does(hlt('blocked'));
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'NMI' });
    expect(state(bench)).toBe('RUNNABLE');
    expect([bench.shows('td.vcpu0.last_exit'), bench.shows('td.vcpu0.halt_irqs_blocked')]).toEqual([
      '12',
      '1',
    ]);
    bench.does({ host: 'IRQ', ...td });
    expect(bench.shows('td.vcpu0.last_exit')).toBe('1');
  });
});

describe('statuses', () => {
  test.each([
    'INTERRUPTED_RESUMABLE',
    'RND_NO_ENTROPY',
    'HOST_PRIORITY_BUSY_TIMEOUT',
    'CROSS_TD_FAULT',
    'CROSS_TD_TRAP',
    'VCPU_ASSOCIATED',
    'VCPU_NOT_ASSOCIATED',
  ] as const)('FATAL-7: %s from TDH.VP.ENTER is not tried again', (status) => {
    const bench = running();
    enterWith(bench, status);
    const [hi, lo] = SEAMCALL_STATUS[status];
    const hex = (n: number): string => n.toString(16).padStart(8, '0');
    expect(run(bench, 'data0')).toBe(`0x${hex(hi)}${hex(lo)}`);
    expect(run(bench, 'exit_reason')).toBe('KVM_EXIT_INTERNAL_ERROR');
    expect(bench.shows('td.vm_dead')).toBe('0');
    bench.does({ vmm: 'KVM_RUN', ...td });
    expect(inGuest(bench)).toBe(true);
  });

  test('NUM-23: the low half of a busy or invalid operand names the operand', () => {
    const low = (status: keyof typeof SEAMCALL_STATUS): number => SEAMCALL_STATUS[status][1];
    expect([low('OPERAND_BUSY_RCX'), low('OPERAND_BUSY_TDR'), low('OPERAND_BUSY_SEPT')]).toEqual([
      1, 0x80, 0x92,
    ]);
    const bench = running();
    enterWith(bench, 'OPERAND_INVALID_RCX');
    expect(run(bench, 'data0')).toBe('0xc000010000000001');
    const again = running();
    again.does({ host: 'SEAMCALL_STATUS', status: 'OPERAND_BUSY_TD_EPOCH' });
    again.does({ host: 'IRQ', ...td });
    expect(again.events('seamret')).toContain('TDH.VP.ENTER rax 0x80000200000000a9');
  });

  test('NUM-10: bit 31 marks a failed entry, bits 15:0 are the basic reason', () => {
    const bench = running();
    enterWith(bench, 'SUCCESS', { reason: 0x8000_0022 });
    expect([bench.shows('td.vcpu0.exit_reason'), bench.shows('td.vcpu0.last_exit')]).toEqual([
      '0x80000022',
      '34',
    ]);
    expect(lastExit(bench)).toContain('reason MSR_LOAD_FAIL FAILED_VMENTRY');
  });

  test('tdx:NMI-28: the stepping filter delays an interrupt-type exit; KVM sees the same exit a little later', () => {
    for (const kind of ['IRQ', 'NMI', 'SMI', 'INIT']) {
      const bench = running();
      bench.does({ host: 'STEP', ...td });
      bench.does({ host: kind, ...td });
      expect(bench.events('td_stepped')).toEqual(['vcpu 0']);
      expect(bench.events('kvm_exit')).toHaveLength(1);
    }
  });

  test('tdx:NMI-28, FATAL-1: without a physical APIC the stepping filter kills the TD: WRONG_APIC_MODE', () => {
    const bench = running();
    bench.does({ host: 'STEP', ...td, lapic: 'disabled' });
    bench.does({ host: 'IRQ', ...td });
    expect(run(bench, 'data0')).toBe('0xe000000700000001');
    expect(bench.shows('td.vcpu0.exit_reason')).toBe('0xffffffff');
    expect(bench.shows('td.module.fatal')).toBe('1');
  });

  test('NUM-25: SEAMCALL leaves have their numbers', () => {
    expect(SEAMCALL_LEAVES['TDH.VP.ENTER']).toBe(0);
    expect(SEAMCALL_LEAVES['TDH.MEM.PAGE.AUG']).toBe(6);
    expect(SEAMCALL_LEAVES['TDH.VP.WR']).toBe(43);
  });
});

describe('numbers', () => {
  test.each([
    ['x86:UAPI-1, NUM-2', ['UNKNOWN', 'EXCEPTION', 'IO', 'HYPERCALL', 'DEBUG', 'HLT', 'MMIO'], 0],
    ['x86:UAPI-1, NUM-2', ['IRQ_WINDOW_OPEN', 'SHUTDOWN', 'FAIL_ENTRY', 'INTR', 'SET_TPR', 'TPR_ACCESS'], 7],
    ['x86:UAPI-2, NUM-2', ['NMI', 'INTERNAL_ERROR'], 16],
    ['x86:UAPI-2, NUM-2', ['SYSTEM_EVENT'], 24],
    ['x86:UAPI-2, NUM-2', ['IOAPIC_EOI', 'HYPERV'], 26],
    ['x86:UAPI-2, NUM-2', ['X86_RDMSR', 'X86_WRMSR', 'DIRTY_RING_FULL'], 29],
    ['x86:UAPI-3, NUM-2', ['AP_RESET_HOLD', 'X86_BUS_LOCK', 'XEN'], 32],
    ['x86:UAPI-3, NUM-2', ['NOTIFY'], 37],
    ['x86:UAPI-3, NUM-2', ['MEMORY_FAULT', 'TDX'], 39],
  ])('%s: %j from %i on', (_ids, names, first) => {
    expect(names.map((_, i) => KVM_EXIT[first + i])).toEqual(names.map((name) => `KVM_EXIT_${name}`));
  });

  test('x86:UAPI-7, HLT-4: HLT with the local APIC in the kernel is no exit: mp_state is HALTED, or RUNNABLE by an event', () => {
    const bench = new Bench({ vms: { vmx: 1 } });
    bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1 });
    bench.does({ guest: 'HLT', vm: 'vmx', vcpu: 0 });
    expect(bench.shows('vmx.vcpu0.mp_state')).toBe('HALTED');
    expect(bench.events('kvm_userspace_exit')).toEqual([]);
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 0, delivery_mode: 'NMI' });
    expect(bench.shows('vmx.vcpu0.mp_state')).toBe('RUNNABLE');
  });
});

describe('a plain guest', () => {
  const vmx = { vm: 'vmx', vcpu: 0 };
  function plain(): Bench {
    const bench = new Bench({ vms: { vmx: 1 } });
    bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1 });
    return bench;
  }

  test('EXIT-7: I/O and MMIO reach userspace without a #VE, and the value read comes back', () => {
    const bench = plain();
    bench.does({ guest: 'IO', ...vmx, direction: 'IN', port: 0x60 });
    expect(bench.events('guest_ve')).toEqual([]);
    expect([bench.shows('vmx.vcpu0.run.exit_reason'), bench.shows('vmx.vcpu0.run.io.port')]).toEqual([
      'KVM_EXIT_IO',
      '0x60',
    ]);
    bench.does({ vmm: 'answer', ...vmx, data: 0x1c });
    bench.does({ vmm: 'KVM_RUN', ...vmx });
    expect(bench.shows('vmx.vcpu0.guest.r11')).toBe('0x000000000000001c');
    bench.does({ guest: 'MMIO', ...vmx, gpa: 0xfec0_0000, value: 3 });
    expect(bench.shows('vmx.vcpu0.run.mmio.phys_addr')).toBe('0x00000000fec00000');
  });

  test('x86:UAPI-5: its exits have the same reasons; an unknown one is INTERNAL_ERROR', () => {
    const bench = plain();
    bench.does({ guest: 'RDMSR', ...vmx, msr: 0x80f }); // in the virtual-APIC page: no exit
    expect(bench.shows('vmx.vcpu0.guest.value')).toBe('0x00000000000000ff');
    bench.does({ guest: 'RDMSR', ...vmx, msr: 0x839 });
    bench.does({ guest: 'CPUID', ...vmx });
    bench.does({ guest: 'TOUCH', ...vmx, page: 1 });
    bench.does({ guest: 'VMEXIT', ...vmx, reason: 9 });
    const reasons = bench.events('kvm_exit').map((text) => /reason (\w+)/.exec(text)?.[1]);
    expect(reasons).toEqual(['MSR_READ', 'CPUID', 'EPT_VIOLATION', 'TASK_SWITCH']);
    expect(bench.shows('vmx.vcpu0.run.exit_reason')).toBe('KVM_EXIT_INTERNAL_ERROR');
  });
});

describe('bring-up', () => {
  const type = 'KVM_X86_TDX_VM';
  const create = (switches: Record<string, boolean>): [string, Bench] => {
    const bench = new Bench({ vms: { td: 1, vmx: 1 }, switches });
    return [bench.does({ vmm: 'KVM_CREATE_VM', vm: 'td', type }), bench];
  };

  test.each([
    ['BRING-1', 'no_tdx', 'tdx=0'],
    ['BRING-2', 'no_ept', 'enable_ept'],
    ['BRING-2', 'no_tdp_mmu', 'tdp_mmu_enabled'],
    ['BRING-2', 'no_mmio_caching', 'enable_mmio_caching'],
    ['BRING-2', 'no_ept_ad_bits', 'enable_ept_ad_bits'],
    ['BRING-2, BRING-3', 'no_apicv', 'enable_apicv'],
    ['BRING-2', 'no_osxsave', 'CR4.OSXSAVE'],
    ['BRING-2', 'no_movdir64b', 'MOVDIR64B'],
    ['BRING-2', 'no_selfsnoop', 'SELFSNOOP'],
    ['BRING-2', 'no_tdx_host_platform', 'TDX_HOST_PLATFORM'],
    ['BRING-2', 'no_virt_at_load', 'enable_virt_at_load'],
    ['BRING-7', 'old_tdx_module', 'module 1.5.06.00.0744'],
    ['BRING-4, BRING-8', 'no_topology_enum', 'TOPOLOGY_ENUM'],
  ])('%s: %s turns TDX off, ordinary VMs work', (_ids, name, missing) => {
    const [result, bench] = create({ [name]: true });
    expect(result).toBe('-EINVAL');
    expect(bench.events('tdx_unavailable')).toEqual([missing]);
    expect(bench.does({ vmm: 'KVM_CREATE_VM', vm: 'vmx', type: 'KVM_X86_DEFAULT_VM' })).toBe('0');
  });

  test('BRING-2, UP-6: of several the first in the order counts; APICv comes after the checks of the MMU', () => {
    const [, bench] = create({ no_apicv: true, no_virt_at_load: true, no_mmio_caching: true });
    expect(bench.events('tdx_unavailable')).toEqual(['enable_mmio_caching']);
  });

  test('BRING-4, BRING-5: an error other than -ENODEV makes kvm_intel fail to load: there is no VM at all', () => {
    const [result, bench] = create({ few_td_vcpus: true });
    expect(result).toBe('refused');
    expect(bench.does({ vmm: 'KVM_CREATE_VM', vm: 'vmx', type: 'KVM_X86_DEFAULT_VM' })).toBe('refused');
    expect(bench.outcome!.say).toContain('/dev/kvm');
    const [off, without] = create({ few_td_vcpus: true, no_tdx: true });
    expect(off).toBe('-EINVAL');
    expect(without.does({ vmm: 'KVM_CREATE_VM', vm: 'vmx', type: 'KVM_X86_DEFAULT_VM' })).toBe('0');
  });
});

describe('traces', () => {
  test('TRC-1: the events of a TD run, with their arguments', () => {
    const bench = running();
    const from = bench.mark;
    bench.does({ guest: 'SVR', ...td });
    bench.does({ guest: 'RDMSR', ...td, msr: 0x80f });
    bench.does({ guest: 'ICR', ...td, dest: 0, delivery_mode: 'FIXED', vector: 0x31 });
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'FIXED', vector: 0x32 });
    bench.does({ guest: 'HLT', ...td });
    bench.does({ vmm: 'signal', ...td });
    const first = (name: string): string | undefined => bench.events(name, from)[0];
    expect(first('kvm_entry')).toBe('vcpu 0, rip 0xfff0');
    expect(first('kvm_exit')).toBe(
      'vcpu 0 reason MSR_WRITE rip 0xfff0 info1 0xfc00 info2 0x0 intr_info 0x0 error_code 0x0',
    );
    expect(bench.events('kvm_apic', from).slice(0, 2)).toEqual([
      'apic_write 0xf0 = 0x1ff',
      'apic_read 0xf0 = 0x1ff',
    ]);
    expect(bench.events('kvm_msr', from).slice(0, 2)).toEqual([
      'msr_write 0x80f = 0x00000000000001ff (exception: no)',
      'msr_read 0x80f = 0x00000000000001ff (exception: no)',
    ]);
    expect(first('kvm_apic_ipi')).toBe('dst 0 vec 49 (Fixed|physical|assert|edge|dst)');
    expect(first('kvm_apic_accept_irq')).toBe('apicid 0 vec 49 (Fixed|edge)');
    expect(first('kvm_apicv_accept_irq')).toBe('apicid 0 vec 49 (Fixed|edge)');
    expect(first('kvm_msi_set_irq')).toBe('dst 0 vec 50 (Fixed|physical|edge)');
    expect(first('kvm_vcpu_wakeup')).toContain('vcpu 0');
    expect(first('kvm_userspace_exit')).toBe('reason restart (-EINTR)');
  });
});
