import { describe, expect, test } from 'vitest';
import { Bench } from '../testing/bench';

/** A vCPU whose thread the scheduler moves to another CPU. */

function running(switches: Record<string, boolean> = {}): Bench {
  const bench = new Bench({ vms: { td: 1, vmx: 1 }, switches });
  bench.does({ boot: 'td', vm: 'td', vcpus: 1 });
  bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1 });
  bench.does({ guest: 'SVR', vm: 'td', vcpu: 0 });
  return bench;
}
const move = (cpu: number, vm = 'td') => ({ host: 'migrate', vm, vcpu: 0, cpu });
const on = (bench: Bench, thread: string): string => bench.shows(`${thread}.thread.on_cpu`);
const seamcalls = (bench: Bench, from: number): string[] => bench.events('seamcall', from);

describe('the thread of a vCPU moves', () => {
  test('out of the guest, by a reschedule IPI, at the next preemption point; who was there takes its place', () => {
    const bench = running();
    const from = bench.mark;
    expect(bench.does(move(0))).toBe('0');
    expect(bench.events('ipi_sent', from)[0]).toBe('cpu 1 vector RESCHEDULE');
    expect(bench.events('sched_migrate_task', from)).toEqual(['comm=CPU 0/KVM orig_cpu=1 dest_cpu=0']);
    expect([on(bench, 'td.vcpu0'), on(bench, 'vmm')]).toEqual(['0', '1']);
    expect([bench.shows('cpu0.context'), bench.shows('cpu1.context')]).toEqual([
      'SEAM_NON_ROOT',
      'USERSPACE',
    ]);
    const { trace } = bench.machine;
    const cpus = Array.from({ length: trace.count - from }, (_, i) => trace.event(from + i))
      .filter(
        ({ thread, name, type }) =>
          thread === 'td.vcpu0' && type === 'tracepoint' && name.startsWith('kvm_e'),
      )
      .map(({ name, cpu }) => `${name} ${cpu}`);
    expect(cpus).toEqual(['kvm_exit 1', 'kvm_entry 0']);
    expect(bench.machine.threads().map(({ cpu }) => cpu)).toEqual([1, 0, 2]);
    bench.jump(0);
    expect(bench.machine.threads().map(({ cpu }) => cpu)).toEqual([0, 1, 2]);
  });

  test('not to a CPU on which a thread runs, nor to one that does not exist', () => {
    const bench = running();
    expect(bench.does(move(2))).toBe('refused');
    expect(bench.does(move(7))).toBe('refused');
    expect(on(bench, 'td.vcpu0')).toBe('1');
  });

  test('while it sleeps or is in userspace at once, and without a trace in KVM until it runs again', () => {
    const bench = running();
    bench.does({ guest: 'HLT', vm: 'td', vcpu: 0 });
    const from = bench.mark;
    bench.does(move(0));
    expect(on(bench, 'td.vcpu0')).toBe('0');
    expect(bench.events('kvm_arch_vcpu_load', from)).toEqual([]);
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'FIXED', vector: 0x31 });
    expect(bench.events('kvm_arch_vcpu_load', from)).toHaveLength(1);
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
  });
});

describe('what loading it there takes', () => {
  test('PI-23, TDXM-VCPU-10: the CPU that had a TD vCPU flushes it, then TDH.VP.ENTER makes it the new one’s', () => {
    const bench = running();
    expect(bench.shows('td.vcpu0.tdvps.assoc')).toBe('2');
    const from = bench.mark;
    bench.does(move(0));
    expect(seamcalls(bench, from)).toEqual(['TDH.VP.FLUSH', 'TDH.VP.ENTER']);
    expect(bench.events('ipi_sent', from)[1]).toBe('cpu 1 vector CALL_FUNCTION');
    expect(bench.shows('td.vcpu0.tdvps.assoc')).toBe('1');
    const later = bench.mark;
    bench.does({ host: 'IRQ', vm: 'td', vcpu: 0 });
    expect(seamcalls(bench, later)).toEqual(['TDH.VP.ENTER']);
  });

  test('PI-23: a plain guest needs no SEAMCALL', () => {
    const bench = running();
    const from = bench.mark;
    bench.does(move(0, 'vmx'));
    expect(seamcalls(bench, from)).toEqual([]);
    expect(bench.shows('vmx.vcpu0.thread.status')).toBe('in-guest');
  });

  test('PI-24, PI-11: NDST names the new CPU, and what is posted notifies that one', () => {
    const bench = running();
    expect(bench.shows('td.vcpu0.pid.ndst')).toBe('1');
    bench.does(move(0));
    expect(bench.shows('td.vcpu0.pid.ndst')).toBe('0');
    const from = bench.mark;
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'FIXED', vector: 0x31 });
    expect(bench.events('ipi_sent', from)).toEqual(['cpu 0 vector POSTED_INTR']);
    expect(bench.events('kvm_exit', from)).toEqual([]);
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
  });

  test('PI-25, PI-29: a device wakes a sleeper through the CPU where it went to sleep, wherever it wakes', () => {
    const bench = running({ assigned_device: true });
    bench.does({ guest: 'HLT', vm: 'td', vcpu: 0 });
    bench.does(move(0));
    const from = bench.mark;
    bench.does({ device: 'post', vm: 'td', vcpu: 0, vector: 0x31 });
    expect(bench.events('pi_wakeup_handler', from)).toEqual(['cpu 1']);
    expect([bench.shows('td.vcpu0.pid.ndst'), bench.shows('td.vcpu0.guest.irqs')]).toEqual(['0', '1']);
  });

  test('TMR-16: a timer that runs is started again on the new CPU, and fires there', () => {
    const bench = running();
    bench.does({ guest: 'TIMER', vm: 'td', vcpu: 0, register: 'LVTT', value: 0x400ec });
    bench.does({ guest: 'TIMER', vm: 'td', vcpu: 0, register: 'TSC_DEADLINE', value: 1_000_000 });
    expect(bench.shows('td.vcpu0.apic.timer_cpu')).toBe('1');
    const from = bench.mark;
    bench.does(move(0));
    expect(bench.events('lapic_timer_migrated', from)).toEqual(['vcpu 0 cpu 0']);
    expect([bench.shows('td.vcpu0.apic.timer_cpu'), bench.shows('td.vcpu0.requests')]).toEqual(['0', '']);
    bench.does({ host: 'pass', ns: 2_000_000 });
    expect(bench.events('ipi_sent', from)).toContain('cpu 0 vector LOCAL_TIMER');
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
  });

  test('TMR-16: one that may be posted stays on the housekeeping CPU; without a running timer nothing moves', () => {
    const bench = new Bench({ vms: { vmx: 2 }, switches: { nohz_full: true } });
    bench.does({ vmm: 'KVM_CREATE_VM', vm: 'vmx', type: 'KVM_X86_DEFAULT_VM' });
    bench.does({ vmm: 'KVM_CAP_SPLIT_IRQCHIP', vm: 'vmx' });
    bench.does({ vmm: 'KVM_CAP_X86_DISABLE_EXITS', vm: 'vmx', exits: 2 });
    for (const step of ['KVM_CREATE_VCPU', 'KVM_SET_CPUID2', 'KVM_RUN'])
      bench.does({ vmm: step, vm: 'vmx', vcpu: 0 });
    bench.does({ guest: 'SVR', vm: 'vmx', vcpu: 0 });
    bench.does({ guest: 'TIMER', vm: 'vmx', vcpu: 0, register: 'LVTT', value: 0x400ec });
    bench.does({ guest: 'TIMER', vm: 'vmx', vcpu: 0, register: 'TSC_DEADLINE', value: 1_000_000 });
    bench.does(move(2, 'vmx'));
    expect(bench.shows('vmx.vcpu0.apic.timer_cpu')).toBe('0');
    expect(bench.events('lapic_timer_migrated')).toEqual([]);
    expect(on(bench, 'vmx.vcpu0')).toBe('2');
  });
});
