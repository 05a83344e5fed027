import { describe, expect, test } from 'vitest';
import * as host from './kvm_host';
import { MP_STATES } from '../names';
import { Bench, bothRunning, ipi, msi, tdReady } from '../testing/bench';

/** A plain guest of two vCPUs, of which none has been run. */
function plainReady(): Bench {
  const bench = new Bench({ vms: { vmx: 2 } });
  bench.does({ boot: 'vmx', vm: 'vmx', run: false });
  return bench;
}

describe('INIT and SIPI at a TD vCPU', () => {
  test('INIT-1, INIT-12: every vCPU of a TD is RUNNABLE after KVM_TDX_INIT_VCPU, with no INIT or SIPI', () => {
    const td = new Bench({ vms: { td: 2 } });
    for (const step of [
      { vmm: 'KVM_CREATE_VM', vm: 'td', type: 'KVM_X86_TDX_VM' },
      { vmm: 'KVM_CAP_SPLIT_IRQCHIP', vm: 'td' },
      { vmm: 'KVM_TDX_INIT_VM', vm: 'td' },
      { vmm: 'KVM_CREATE_VCPU', vm: 'td', vcpu: 0 },
      { vmm: 'KVM_CREATE_VCPU', vm: 'td', vcpu: 1 },
      { vmm: 'KVM_SET_CPUID2', vm: 'td', vcpu: 1 },
    ]) {
      expect(td.does(step)).toBe('0');
    }
    expect([td.shows('vcpu0.mp_state'), td.shows('vcpu1.mp_state')]).toEqual(['RUNNABLE', 'UNINITIALIZED']);
    expect(td.does({ vmm: 'KVM_TDX_INIT_VCPU', vm: 'td', vcpu: 1 })).toBe('0');
    expect(td.shows('vcpu1.mp_state')).toBe('RUNNABLE');
  });

  test('INIT-3: the sender of an INIT sees success, by MSI and by IPI', () => {
    const bench = bothRunning();
    expect(bench.does(msi('td', 'INIT'))).toBe('1');
    expect(bench.does(ipi('td', 'INIT'))).toBe('0');
    expect(bench.shows('td.vcpu1.apic.pending_events')).toBe('INIT');
    expect(bench.cited()).toContain('INIT-3');
  });

  test('INIT-3: a new INIT overwrites a SIPI that is pending', () => {
    const td = tdReady();
    td.does(msi('td', 'STARTUP', { vector: 0x10 }));
    expect(td.shows('vcpu1.apic.pending_events')).toBe('SIPI');
    td.does(msi('td', 'INIT'));
    expect(td.shows('vcpu1.apic.pending_events')).toBe('INIT');
  });

  test('INIT-4: a level-triggered de-assert is ignored, and the sender is told 0', () => {
    const td = tdReady();
    expect(td.does(msi('td', 'INIT', { trigger_mode: 'LEVEL', level: 0 }))).toBe('0');
    expect(td.shows('vcpu1.apic.pending_events')).toBe('');
    expect(td.does(msi('td', 'INIT', { trigger_mode: 'LEVEL', level: 1 }))).toBe('1');
  });

  test('INIT-5: a pending SIPI is dropped, the INIT latch stays, mp_state does not move', () => {
    const bench = bothRunning();
    bench.does(ipi('td', 'INIT'));
    bench.does(ipi('td', 'STARTUP', { vector: 0x10 }));
    expect(bench.shows('td.vcpu1.apic.pending_events')).toBe('INIT');
    expect(bench.shows('td.vcpu1.mp_state')).toBe('RUNNABLE');
    expect(bench.events('sipi_blocked')).toEqual(['vcpu 1']);
    expect(bench.cited()).toContain('INIT-5');
  });

  test('INIT-6: the SIPI vector is stored, and kvm_vcpu_deliver_sipi_vector never reached', () => {
    const bench = bothRunning();
    bench.does(ipi('td', 'STARTUP', { vector: 0x9a }));
    expect(bench.shows('td.vcpu1.apic.sipi_vector')).toBe('0x9a');
    expect(bench.events('sipi_delivered')).toEqual([]);
  });

  test('INIT-7: the latch is smi.latched_init for userspace, which alone can clear it', () => {
    const td = tdReady();
    td.does(msi('td', 'INIT'));
    expect(td.does({ vmm: 'KVM_GET_VCPU_EVENTS', vm: 'td', vcpu: 1 })).toBe('0');
    expect(td.shows('reply.latched_init')).toBe('1');
    expect(td.does({ vmm: 'KVM_SET_VCPU_EVENTS', vm: 'td', vcpu: 1, latched_init: 0 })).toBe('0');
    expect(td.shows('vcpu1.apic.pending_events')).toBe('');
  });

  test('INIT-8: INIT is latched though the shadow APIC is not enabled; a FIXED interrupt is lost (PI-6)', () => {
    const td = tdReady();
    expect(td.shows('vcpu1.apic.svr')).toBe('0xff');
    expect(td.does(msi('td', 'FIXED', { vector: 0x31 }))).toBe('0');
    expect(td.shows('vcpu1.pid.pir')).toBe('');
    expect(td.does(msi('td', 'INIT'))).toBe('1');
  });

  test('INIT-9: a running target leaves the guest exactly once and enters again; the guest sees nothing', () => {
    const bench = bothRunning();
    const from = bench.mark;
    const before = bench.machine.layout.leaves
      .filter((leaf) => leaf.path.startsWith('td.vcpu1.guest.') || leaf.path.startsWith('td.vcpu1.tdvps.'))
      .map((leaf) => [leaf.path, bench.machine.show(leaf)]);
    bench.does(msi('td', 'INIT'));
    expect(bench.events('kvm_exit', from)).toEqual([
      expect.stringContaining('vcpu 1 reason EXTERNAL_INTERRUPT'),
    ]);
    expect(bench.events('kvm_entry', from)).toHaveLength(1);
    for (const [path, value] of before) expect(bench.shows(path!), path).toBe(value);
  });

  test.each(['enabled', 'blocked'])(
    'INIT-9: one halted with interrupts %s wakes and sleeps again',
    (interrupts) => {
      const bench = bothRunning();
      bench.does({ guest: 'HLT', vm: 'td', vcpu: 1, interrupts });
      expect(bench.shows('td.vcpu1.mp_state')).toBe('HALTED');
      const from = bench.mark;
      bench.does(ipi('td', 'INIT'));
      expect(bench.events('vcpu_woken', from)).toEqual(['vcpu 1']);
      expect(bench.events('vcpu_sleeps', from)).toEqual(['vcpu 1']);
      expect(bench.shows('td.vcpu1.mp_state')).toBe('HALTED');
    },
  );

  test.each([
    ['RUNNABLE', '0'],
    ['UNINITIALIZED', '0'],
    ['INIT_RECEIVED', '-EINVAL'],
    ['HALTED', '0'],
    ['SIPI_RECEIVED', '-EINVAL'],
    ['STOPPED', '-EINVAL'],
    ['CHECK_STOP', '-EINVAL'],
    ['OPERATING', '-EINVAL'],
    ['LOAD', '-EINVAL'],
    ['AP_RESET_HOLD', '0'],
    ['SUSPENDED', '-EINVAL'],
  ])('INIT-10: KVM_SET_MP_STATE %s returns %s', (mp_state, result) => {
    const td = tdReady();
    expect(td.does({ vmm: 'KVM_SET_MP_STATE', vm: 'td', vcpu: 1, mp_state })).toBe(result);
    expect(td.shows('vcpu1.mp_state')).toBe(result === '0' ? mp_state : 'RUNNABLE');
  });

  test('INIT-10: a vCPU set to UNINITIALIZED blocks in KVM_RUN; INIT and SIPI do not release it', () => {
    const td = tdReady();
    td.does({ vmm: 'KVM_SET_MP_STATE', vm: 'td', vcpu: 1, mp_state: 'UNINITIALIZED' });
    expect(td.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 1 })).toBe('pending');
    td.does(msi('td', 'INIT'));
    td.does(msi('td', 'STARTUP', { vector: 1 }));
    expect(td.shows('vcpu1.thread.status')).toBe('blocked');
    expect(td.shows('vcpu1.mp_state')).toBe('UNINITIALIZED');
  });

  test('INIT-11: KVM_GET_MP_STATE drops a pending SIPI before it reports', () => {
    const td = tdReady();
    td.does(msi('td', 'STARTUP', { vector: 1 }));
    expect(td.does({ vmm: 'KVM_GET_MP_STATE', vm: 'td', vcpu: 1 })).toBe('0');
    expect(td.shows('reply.mp_state')).toBe('RUNNABLE');
    expect(td.shows('vcpu1.apic.pending_events')).toBe('');
  });

  test('INIT-13: a reset with init_event warns once per boot, and moves neither mp_state nor the module', () => {
    const td = tdReady();
    const reset = { kvm: 'kvm_vcpu_reset', vm: 'td', vcpu: 1, init_event: true };
    const module = td.shows('vcpu1.tdvps.state');
    td.does(reset);
    td.does(reset);
    expect(td.events('WARN')).toEqual(['tdx_vcpu_reset vcpu 1']);
    expect(td.events('warn_once_silent')).toHaveLength(1);
    expect(td.shows('warned.tdx_vcpu_reset')).toBe('1');
    expect(td.shows('vcpu1.mp_state')).toBe('RUNNABLE');
    expect(td.shows('vcpu1.tdvps.state')).toBe(module);
  });

  test('INIT-13: a reset as at creation does not warn', () => {
    const td = tdReady();
    td.does({ kvm: 'kvm_vcpu_reset', vm: 'td', vcpu: 1, init_event: false });
    expect(td.events('WARN')).toEqual([]);
  });

  test('INIT-15: a physical INIT ends KVM_RUN with KVM_EXIT_INTERNAL_ERROR, suberror 4, data[0] = 3', () => {
    const bench = bothRunning();
    bench.does({ host: 'INIT', vm: 'td', vcpu: 1 });
    expect(bench.shows('td.vcpu1.run.exit_reason')).toBe('KVM_EXIT_INTERNAL_ERROR');
    expect(bench.shows('td.vcpu1.run.suberror')).toBe('4');
    expect(bench.shows('td.vcpu1.run.data0')).toBe('0x0000000000000003');
    expect(bench.shows('td.vcpu1.thread.ret')).toBe('0');
    expect(bench.shows('td.vm_dead')).toBe('0');
    expect(bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 1 })).toBe('pending');
  });

  test('INIT-17: a vector in the PIR survives INIT', () => {
    const bench = bothRunning();
    bench.does({ guest: 'SVR', vm: 'td', vcpu: 1 });
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 1 });
    expect(bench.does(msi('td', 'FIXED', { vector: 0x31 }))).toBe('1');
    bench.does(msi('td', 'INIT'));
    expect(bench.shows('td.vcpu1.pid.pir')).toBe('49');
    expect(bench.shows('td.vcpu1.pid.on')).toBe('1');
  });
});

describe('INIT and SIPI at a plain VMX guest', () => {
  test('x86:SIPI-23: the boot vCPU is RUNNABLE, every other UNINITIALIZED', () => {
    const bench = bothRunning();
    expect(bench.shows('vmx.vcpu0.mp_state')).toBe('RUNNABLE');
    expect(bench.shows('vmx.vcpu1.mp_state')).toBe('UNINITIALIZED');
  });

  test.each([
    ['0x500', { level: 0 }, '|de-assert|edge|'],
    ['0x4500', { level: 1 }, '|assert|edge|'],
    ['0xc500', { trigger_mode: 'LEVEL', level: 1 }, '|assert|level|'],
  ])('x86:SIPI-4, x86:SIPI-6: INIT of ICR %s is accepted and leaves no SIPI pending', (_icr, how, shown) => {
    const bench = bothRunning();
    bench.does(ipi('vmx', 'INIT', how));
    expect(bench.events('kvm_apic_ipi').at(-1)).toContain(shown);
    expect(bench.shows('vmx.vcpu1.mp_state')).toBe('INIT_RECEIVED');
    const still = plainReady();
    still.does(msi('vmx', 'STARTUP', { vector: 0x10 }));
    expect(still.does(msi('vmx', 'INIT', how))).toBe('1');
    expect(still.shows('vmx.vcpu1.apic.pending_events')).toBe('INIT');
  });

  test('x86:SIPI-5, x86:SIPI-6: INIT of ICR 0x8500, the de-assert, is ignored; the sender is told 0', () => {
    const deassert = { trigger_mode: 'LEVEL', level: 0 };
    const bench = bothRunning();
    bench.does(ipi('vmx', 'INIT', deassert));
    expect(bench.events('kvm_apic_ipi').at(-1)).toContain('|de-assert|level|');
    expect(bench.shows('vmx.vcpu1.mp_state')).toBe('UNINITIALIZED');
    const still = plainReady();
    expect(still.does(msi('vmx', 'INIT', deassert))).toBe('0');
    expect(still.shows('vmx.vcpu1.apic.pending_events')).toBe('');
  });

  test('x86:SIPI-7, x86:SIPI-8: a SIPI is accepted whatever its target does; a later one replaces the vector', () => {
    const bench = plainReady();
    for (const mp_state of ['RUNNABLE', 'HALTED', 'UNINITIALIZED']) {
      bench.does({ vmm: 'KVM_SET_MP_STATE', vm: 'vmx', vcpu: 1, mp_state });
      expect(bench.does(msi('vmx', 'STARTUP', { vector: 0x10 })), mp_state).toBe('1');
    }
    bench.does(msi('vmx', 'INIT'));
    for (const vector of [0x10, 0x9a]) bench.does(msi('vmx', 'STARTUP', { vector }));
    expect(bench.shows('vmx.vcpu1.apic.pending_events')).toBe('INIT SIPI');
    expect(bench.shows('vmx.vcpu1.apic.sipi_vector')).toBe('0x9a');
  });

  test('x86:SIPI-10, x86:SIPI-24: INIT resets a waiting AP; KVM_RUN returns -EAGAIN and it waits for SIPI', () => {
    const bench = bothRunning();
    bench.does(ipi('vmx', 'INIT'));
    expect(bench.shows('vmx.vcpu1.mp_state')).toBe('INIT_RECEIVED');
    expect(bench.shows('vmx.vcpu1.thread.ret')).toBe('-EAGAIN');
    expect(bench.shows('vmx.vcpu1.apic.pending_events')).toBe('');
  });

  test('x86:SIPI-11, x86:SIPI-12: vector 0x9a starts the AP at CS 0x9a00, base 0x9a000, RIP 0', () => {
    const bench = bothRunning();
    bench.does(ipi('vmx', 'INIT'));
    bench.does({ vmm: 'KVM_RUN', vm: 'vmx', vcpu: 1 });
    bench.does(ipi('vmx', 'STARTUP', { vector: 0x9a }));
    expect(bench.shows('vmx.vcpu1.mp_state')).toBe('RUNNABLE');
    expect(bench.shows('vmx.vcpu1.regs.cs_selector')).toBe('0x9a00');
    expect(bench.shows('vmx.vcpu1.regs.cs_base')).toBe('0x9a000');
    expect(bench.shows('vmx.vcpu1.regs.rip')).toBe('0x0');
    expect(bench.shows('vmx.vcpu1.guest.starts')).toBe('1');
    expect(bench.shows('cpu4.context')).toBe('VMX_NON_ROOT');
  });

  test('x86:SIPI-17: INIT keeps the APIC base: BSP bit, x2APIC mode', () => {
    const bench = bothRunning();
    const base = bench.shows('vmx.vcpu0.apic.base');
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 0, delivery_mode: 'INIT' });
    expect(bench.shows('vmx.vcpu0.apic.base')).toBe(base);
    expect(base).toBe('0xfee00d00');
  });

  test('x86:SIPI-10: INIT at the BSP resets it and lets it run again at the reset vector', () => {
    const bench = bothRunning();
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 0, delivery_mode: 'INIT' });
    expect(bench.shows('vmx.vcpu0.mp_state')).toBe('RUNNABLE');
    expect(bench.shows('vmx.vcpu0.regs.rip')).toBe('0xfff0');
    expect(bench.shows('vmx.vcpu0.guest.resets')).toBe('1');
  });

  test('x86:SIPI-11, x86:SIPI-19: SIPI without a preceding INIT never starts an AP', () => {
    const bench = bothRunning();
    bench.does(ipi('vmx', 'STARTUP', { vector: 0x9a }));
    expect(bench.shows('vmx.vcpu1.mp_state')).toBe('UNINITIALIZED');
    expect(bench.shows('vmx.vcpu1.guest.starts')).toBe('0');
    expect(bench.events('sipi_ignored')).toEqual(['vcpu 1 mp_state UNINITIALIZED']);
  });

  test('x86:SIPI-24: INIT and SIPI together still end KVM_RUN with -EAGAIN, and the AP is RUNNABLE', () => {
    const bench = plainReady();
    bench.does(msi('vmx', 'INIT'));
    bench.does(msi('vmx', 'STARTUP', { vector: 0x9a }));
    expect(bench.does({ vmm: 'KVM_RUN', vm: 'vmx', vcpu: 1 })).toBe('-EAGAIN');
    expect(bench.shows('vmx.vcpu1.mp_state')).toBe('RUNNABLE');
    expect(bench.shows('vmx.vcpu1.regs.cs_base')).toBe('0x9a000');
  });

  test('x86:SIPI-27: SIPI_RECEIVED stores INIT_RECEIVED and makes a SIPI pending', () => {
    const bench = plainReady();
    expect(bench.does({ vmm: 'KVM_SET_MP_STATE', vm: 'vmx', vcpu: 1, mp_state: 'SIPI_RECEIVED' })).toBe('0');
    expect(bench.shows('vmx.vcpu1.mp_state')).toBe('INIT_RECEIVED');
    expect(bench.shows('vmx.vcpu1.apic.pending_events')).toBe('SIPI');
  });

  test('x86:SIPI-1, x86:SIPI-2: the states by number', () => {
    const numbers = Object.fromEntries(MP_STATES.map((state, number) => [state, number]));
    expect(numbers).toMatchObject({
      RUNNABLE: 0,
      UNINITIALIZED: 1,
      INIT_RECEIVED: 2,
      HALTED: 3,
      SIPI_RECEIVED: 4,
    });
    expect(numbers).toMatchObject({ STOPPED: 5, CHECK_STOP: 6, OPERATING: 7, LOAD: 8, SUSPENDED: 10 });
    expect([
      host.KVM_MP_STATE_RUNNABLE,
      host.KVM_MP_STATE_UNINITIALIZED,
      host.KVM_MP_STATE_INIT_RECEIVED,
      host.KVM_MP_STATE_HALTED,
      host.KVM_MP_STATE_SIPI_RECEIVED,
    ]).toEqual([0, 1, 2, 3, 4]);
  });

  test.each([
    ['RUNNABLE', '0', '0'],
    ['UNINITIALIZED', '0', '-EINVAL'],
    ['INIT_RECEIVED', '0', '-EINVAL'],
    ['HALTED', '0', '-EINVAL'],
    ['SIPI_RECEIVED', '0', '-EINVAL'],
    ['AP_RESET_HOLD', '0', '-EINVAL'],
    ['STOPPED', '-EINVAL', '-EINVAL'],
    ['CHECK_STOP', '-EINVAL', '-EINVAL'],
    ['OPERATING', '-EINVAL', '-EINVAL'],
    ['LOAD', '-EINVAL', '-EINVAL'],
    ['SUSPENDED', '-EINVAL', '-EINVAL'],
  ])(
    'x86:SIPI-2, x86:SIPI-26: setting %s is %s, and %s without an APIC in the kernel',
    (mp_state, has, hasNot) => {
      const bench = plainReady();
      const bare = new Bench({ vms: { vmx: 1 } });
      bare.does({ vmm: 'KVM_CREATE_VM', vm: 'vmx', type: 'KVM_X86_DEFAULT_VM' });
      bare.does({ vmm: 'KVM_CREATE_VCPU', vm: 'vmx', vcpu: 0 });
      expect(bench.does({ vmm: 'KVM_SET_MP_STATE', vm: 'vmx', vcpu: 0, mp_state })).toBe(has);
      expect(bare.does({ vmm: 'KVM_SET_MP_STATE', vm: 'vmx', vcpu: 0, mp_state })).toBe(hasNot);
    },
  );

  test.each([
    ['in SMM', { smm: 1 }],
    ['with an SMI pending', { smi_pending: 1 }],
  ])('x86:SIPI-28: %s the states of the boot protocol are refused, others are not', (_, events) => {
    const answers = (bench: Bench): string[] =>
      ['INIT_RECEIVED', 'SIPI_RECEIVED', 'HALTED', 'UNINITIALIZED'].map((mp_state) =>
        bench.does({ vmm: 'KVM_SET_MP_STATE', vm: 'vmx', vcpu: 1, mp_state }),
      );
    const bench = plainReady();
    bench.does({ vmm: 'KVM_SET_VCPU_EVENTS', vm: 'vmx', vcpu: 1, ...events });
    expect(answers(bench)).toEqual(['-EINVAL', '-EINVAL', '0', '0']);
    expect(answers(plainReady())).toEqual(['0', '0', '0', '0']);
  });

  test('x86:SIPI-29: KVM_GET_MP_STATE can perform the reset', () => {
    const bench = plainReady();
    bench.does(msi('vmx', 'INIT'));
    expect(bench.does({ vmm: 'KVM_GET_MP_STATE', vm: 'vmx', vcpu: 1 })).toBe('0');
    expect(bench.shows('reply.mp_state')).toBe('INIT_RECEIVED');
    expect(bench.events('vcpu_reset').at(-1)).toBe('vcpu 1 init_event yes');
  });

  test('x86:SIPI-18: INIT at a running AP takes it out of the guest, into wait-for-SIPI', () => {
    const bench = bothRunning();
    bench.does(ipi('vmx', 'INIT'));
    bench.does({ vmm: 'KVM_RUN', vm: 'vmx', vcpu: 1 });
    bench.does(ipi('vmx', 'STARTUP', { vector: 1 }));
    bench.does(ipi('vmx', 'INIT'));
    expect(bench.shows('vmx.vcpu1.mp_state')).toBe('INIT_RECEIVED');
    expect(bench.shows('vmx.vcpu1.thread.status')).toBe('blocked');
    expect(bench.shows('vmx.vcpu1.guest.resets')).toBe('2');
  });

  test('RUN-16: the registers of a plain guest can be read, those of a TD are -EINVAL', () => {
    const bench = new Bench({ vms: { td: 1, vmx: 1 } });
    bench.does({ boot: 'td', vm: 'td', vcpus: 1, run: false });
    bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1, run: false });
    for (const call of ['KVM_GET_REGS', 'KVM_GET_SREGS', 'KVM_GET_LAPIC']) {
      expect(bench.does({ vmm: call, vm: 'vmx', vcpu: 0 }), call).toBe('0');
      expect(bench.does({ vmm: call, vm: 'td', vcpu: 0 }), call).toBe('-EINVAL');
    }
    expect(bench.shows('reply.cs_selector')).toBe('0xf000');
  });
});

describe('KVM_RUN and the vCPU mutex', () => {
  test('tdx:NMI-1: an ioctl on a vCPU waits while KVM_RUN holds vcpu->mutex; a signal lets it go on', () => {
    const bench = bothRunning();
    expect(bench.does({ vmm: 'KVM_GET_MP_STATE', vm: 'td', vcpu: 1 })).toBe('pending');
    expect(bench.shows('vmm.thread.status')).toBe('waiting');
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 1 });
    expect(bench.shows('td.vcpu1.thread.ret')).toBe('-EINTR');
    expect(bench.shows('td.vcpu1.run.exit_reason')).toBe('KVM_EXIT_INTR');
    expect(bench.shows('vmm.thread.status')).toBe('idle');
    expect(bench.shows('vmm.thread.ret')).toBe('0');
  });

  test('RUN-15: immediate_exit returns -EINTR without an entry', () => {
    const td = tdReady();
    expect(td.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0, immediate_exit: 1 })).toBe('-EINTR');
    expect(td.events('kvm_entry')).toEqual([]);
    expect(td.shows('last.exit')).toBe('KVM_EXIT_UNKNOWN');
  });

  test('PI-15: a FIXED interrupt reaches a running TD vCPU by notification, without an exit', () => {
    const bench = bothRunning();
    bench.does({ guest: 'SVR', vm: 'td', vcpu: 1 });
    const from = bench.mark;
    expect(bench.does(msi('td', 'FIXED', { vector: 0x31 }))).toBe('1');
    expect(bench.events('kvm_exit', from)).toEqual([]);
    expect(bench.events('guest_takes_irq', from)).toEqual(['vcpu 1 vec 49']);
    expect([bench.shows('td.vcpu1.pid.pir'), bench.shows('td.vcpu1.pid.on')]).toEqual(['', '0']);
  });

  test('PI-14: a vector posted while the vCPU is in userspace is taken by self-IPI at the next entry', () => {
    const bench = bothRunning();
    bench.does({ guest: 'SVR', vm: 'td', vcpu: 1 });
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 1 });
    bench.does(msi('td', 'FIXED', { vector: 0x31 }));
    const from = bench.mark;
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 1 });
    expect(bench.events('ipi_sent', from)).toEqual(['cpu 2 vector POSTED_INTR']);
    expect(bench.events('guest_takes_irq', from)).toEqual(['vcpu 1 vec 49']);
  });
});

describe('a posted interrupt and a plain VMX guest', () => {
  test('x86:IRQ-11: what was posted while the vCPU was outside is merged before entry, without a self-IPI', () => {
    const bench = bothRunning();
    bench.does({ guest: 'SVR', vm: 'vmx', vcpu: 0 });
    bench.does({ vmm: 'signal', vm: 'vmx', vcpu: 0 });
    expect(
      bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 0, delivery_mode: 'FIXED', vector: 0x31 }),
    ).toBe('1');
    const from = bench.mark;
    bench.does({ vmm: 'KVM_RUN', vm: 'vmx', vcpu: 0 });
    expect(bench.events('ipi_sent', from)).toEqual([]);
    expect(bench.events('guest_takes_irq', from)).toEqual(['vcpu 0 vec 49']);
  });
});
