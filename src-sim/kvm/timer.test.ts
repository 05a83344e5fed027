import { describe, expect, test } from 'vitest';
import { Bench } from '../testing/bench';
import { apicOf, kvm_lapic } from './kvm_host';

const VECTOR = 0xec;
const timer = (register: string, value: number, vm = 'td') => ({
  guest: 'TIMER',
  vm,
  vcpu: 0,
  register,
  value,
});
const pass = (ns: number) => ({ host: 'pass', ns });

/** A TD and a plain guest whose APICs are enabled and whose LVTT is one-shot and unmasked. */
function ready(switches: Record<string, boolean> = {}): Bench {
  const bench = new Bench({ vms: { td: 1, vmx: 1 }, switches });
  for (const vm of ['td', 'vmx']) {
    bench.does({ boot: vm, vm, vcpus: 1 });
    bench.does({ guest: 'SVR', vm, vcpu: 0 });
    bench.does(timer('LVTT', VECTOR, vm));
  }
  return bench;
}

describe('the LAPIC timer of a TD', () => {
  test('TMR-1, TMR-10: expiry exits once, is pending, is posted by the run loop and taken by self-IPI', () => {
    const bench = ready();
    bench.does(timer('TMICT', 50_000));
    expect(bench.shows('td.vcpu0.apic.timer_armed')).toBe('1');
    const from = bench.mark;
    bench.does(pass(200_000));
    expect(bench.events('kvm_exit', from)).toEqual([expect.stringContaining('EXTERNAL_INTERRUPT')]);
    const names = [];
    for (let n = from; n < bench.mark; n++) names.push(bench.machine.trace.event(n).name);
    const order = [
      'lapic_timer_expired',
      'kvm_apicv_accept_irq',
      'kvm_entry',
      'pir_harvested',
      'guest_takes_irq',
    ];
    expect(names.filter((name) => order.includes(name))).toEqual(order);
    expect(bench.shows('td.vcpu0.apic.timer_pending')).toBe('0');
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
  });

  test('TMR-14: TMICT is ignored in TSC-deadline mode, TSC_DEADLINE in the others', () => {
    const bench = ready();
    bench.does(timer('TSC_DEADLINE', 0xffff_ffff));
    expect(bench.shows('td.vcpu0.apic.timer_armed')).toBe('0');
    bench.does(timer('LVTT', 0x4_0000 | VECTOR));
    bench.does(timer('TMICT', 1000));
    expect(bench.shows('td.vcpu0.apic.timer_armed')).toBe('0');
    bench.does(timer('TSC_DEADLINE', 0xffff_ffff));
    expect(bench.shows('td.vcpu0.apic.timer_armed')).toBe('1');
  });

  test('TMR-15: a deadline that is past is posted at once, with APICv active; nothing is ever pending', () => {
    const bench = ready();
    bench.does(timer('LVTT', 0x4_0000 | VECTOR));
    const from = bench.mark;
    bench.does(timer('TSC_DEADLINE', 1));
    expect(bench.events('lapic_timer_expired', from)).toEqual([]);
    expect(bench.events('kvm_apicv_accept_irq', from)).toHaveLength(1);
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
  });

  test('TMR-15, V12-8: in the first design it is pending first, and the loop delivers it in the same turn', () => {
    const bench = ready({ apicv_v1: true });
    bench.does(timer('LVTT', 0x4_0000 | VECTOR));
    const from = bench.mark;
    bench.does(timer('TSC_DEADLINE', 1));
    expect(bench.events('lapic_timer_expired', from)).toEqual(['vcpu 0']);
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
    expect(bench.events('kvm_exit', from)).toHaveLength(1);
  });

  test.each([
    ['a write of TMICT', timer('TMICT', 0)],
    ['a change of timer mode', timer('LVTT', 0x4_0000 | VECTOR)],
  ])('TMR-13: %s cancels the timer', (_what, write) => {
    const bench = ready();
    bench.does(timer('TMICT', 50_000));
    bench.does(write);
    bench.does(pass(200_000));
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('0');
  });

  test('TMR-13, x86:LAPIC-38: clearing SVR bit 8 masks LVTT', () => {
    const bench = ready();
    bench.does({ guest: 'SVR', vm: 'td', vcpu: 0, value: 0xff });
    expect(bench.shows('td.vcpu0.apic.lvtt')).toBe('0x100ec');
  });

  test.each([
    ['enabled', 'RUNNABLE', '1'],
    ['blocked', 'HALTED', '0'],
  ])(
    'TMR-19, HLT-8: a vCPU halted with interrupts %s: the vector is posted, mp_state %s',
    (interrupts, mp_state, irqs) => {
      const bench = ready();
      bench.does(timer('TMICT', 50_000));
      bench.does({ guest: 'HLT', vm: 'td', vcpu: 0, interrupts });
      bench.does(pass(200_000));
      expect(bench.shows('td.vcpu0.mp_state')).toBe(mp_state);
      expect(bench.shows('td.vcpu0.guest.irqs')).toBe(irqs);
      if (irqs === '0') expect(bench.shows('td.vcpu0.pid.pir')).toBe(String(VECTOR));
    },
  );

  test('x86:LAPIC-34: TDCR divides: 0xb by 1, 0x0 by 2', () => {
    const bench = ready();
    bench.does(timer('TDCR', 0xb));
    bench.does(timer('TMICT', 50_000));
    const by1 = Number(bench.shows('td.vcpu0.apic.timer_at'));
    bench.does(timer('TDCR', 0));
    bench.does(timer('TMICT', 50_000));
    expect(Number(bench.shows('td.vcpu0.apic.timer_at')) - by1).toBeGreaterThan(50_000);
  });

  test('a periodic timer fires again and again', () => {
    const bench = ready();
    bench.does(timer('TDCR', 0xb));
    bench.does(timer('LVTT', 0x2_0000 | VECTOR));
    bench.does(timer('TMICT', 300_000));
    bench.does(pass(1_000_000));
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('3');
  });
});

describe('the LAPIC timer of a plain guest', () => {
  test('x86:LAPIC-36: an expired timer reaches the guest', () => {
    const bench = ready();
    bench.does(timer('TMICT', 50_000, 'vmx'));
    bench.does(pass(200_000));
    expect(bench.shows('vmx.vcpu0.guest.irqs')).toBe('1');
  });

  test('x86:SIPI-17: INIT cancels it', () => {
    const bench = ready();
    bench.does(timer('TMICT', 50_000, 'vmx'));
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 0, delivery_mode: 'INIT' });
    expect(bench.shows('vmx.vcpu0.apic.timer_armed')).toBe('0');
  });
});

describe('a timer on a housekeeping CPU', () => {
  const DEADLINE_MODE = 0x4_0000 | VECTOR;
  /** A running TD whose VMM lets HLT run without an exit, or not, on a nohz_full host, or not. */
  function housekept({ nohz_full = true, exits = 2, apicv_v1 = false } = {}): Bench {
    const bench = new Bench({ vms: { td: 1 }, switches: { nohz_full, apicv_v1 } });
    bench.does({ vmm: 'KVM_CREATE_VM', vm: 'td', type: 'KVM_X86_TDX_VM' });
    bench.does({ vmm: 'KVM_CAP_SPLIT_IRQCHIP', vm: 'td' });
    if (exits) bench.does({ vmm: 'KVM_CAP_X86_DISABLE_EXITS', vm: 'td', exits });
    bench.does({ vmm: 'KVM_TDX_INIT_VM', vm: 'td' });
    for (const vmm of ['KVM_CREATE_VCPU', 'KVM_SET_CPUID2', 'KVM_TDX_INIT_VCPU', 'KVM_TDX_INIT_MEM_REGION'])
      bench.does({ vmm, vm: 'td', vcpu: 0 });
    bench.does({ vmm: 'KVM_TDX_FINALIZE_VM', vm: 'td' });
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    bench.does({ guest: 'SVR', vm: 'td', vcpu: 0 });
    bench.does(timer('LVTT', VECTOR));
    return bench;
  }
  /** How an expiry reaches the guest. */
  function expiry(bench: Bench): string {
    bench.does(timer('TMICT', 50_000));
    const from = bench.mark;
    bench.does(pass(200_000));
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
    const exits = bench.events('kvm_exit', from).length;
    return bench.events('lapic_timer_posted', from).length === 1
      ? `posted, ${exits} exits`
      : `pending, ${exits} exits`;
  }

  test.each([
    ['nohz_full and HLT in the guest', {}, 'posted, 0 exits'],
    ['nohz_full and MWAIT in the guest', { exits: 1 }, 'posted, 0 exits'],
    ['nohz_full alone', { exits: 0 }, 'pending, 1 exits'],
    ['HLT in the guest alone', { nohz_full: false }, 'pending, 1 exits'],
    ['the first design', { apicv_v1: true }, 'pending, 1 exits'],
  ])('TMR-5, TMR-6, TMR-7, TMR-8, V12-9, V12-10: %s: %j: %s', (_why, given, how) => {
    expect(expiry(housekept(given))).toBe(how);
  });

  test('TMR-6, TMR-17: the mode decides at the expiry: a vCPU that is not in the guest gets it pending', () => {
    const bench = housekept();
    bench.does(timer('TMICT', 50_000));
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    bench.does(pass(200_000));
    expect(bench.events('lapic_timer_posted')).toEqual([]);
    expect(bench.shows('td.vcpu0.apic.timer_pending')).toBe('1');
  });

  test('TMR-18: a pinned hrtimer forces the exit that makes posting into a running vCPU impossible', () => {
    const pinned = housekept({ nohz_full: false });
    pinned.does(timer('TMICT', 50_000));
    expect(pinned.shows('td.vcpu0.apic.timer_cpu')).toBe('1');
    const elsewhere = housekept();
    elsewhere.does(timer('TMICT', 50_000));
    expect(elsewhere.shows('td.vcpu0.apic.timer_cpu')).toBe('0');
  });

  test('TMR-13, V12-11: an expiry that was posted survives a new TMICT; one that was pending is lost', () => {
    const bench = housekept();
    bench.does({ guest: 'IF', vm: 'td', vcpu: 0, enabled: false });
    bench.does(timer('TMICT', 50_000));
    bench.does(pass(100_000)); // posted, harvested, held back by IF
    bench.does(timer('TMICT', 0));
    bench.does({ guest: 'IF', vm: 'td', vcpu: 0, enabled: true });
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
  });

  /** Lets a TSC deadline pass in a TD that runs: how late the guest took its vector, and the advance afterwards. */
  function deadline(bench: Bench): { late: number; advance: number; waited: number } {
    const at = bench.machine.now + 300_000;
    bench.does(timer('TSC_DEADLINE', at));
    const from = bench.mark;
    bench.does(pass(400_000));
    let taken = 0;
    for (let n = from; n < bench.mark; n++) {
      const event = bench.machine.trace.event(n);
      if (event.name === 'guest_takes_irq') taken = event.ns;
    }
    expect(bench.shows('td.vcpu0.apic.expired_tscdeadline')).toBe('0');
    const waited = bench.events('lapic_timer_waited', from).length;
    return { late: taken - at, advance: Number(bench.shows('td.vcpu0.apic.timer_advance_ns')), waited };
  }

  test('TMR-12, TMR-11, PI-17: a timer that fires ahead of its deadline is held back at the entry, not delivered early', () => {
    const bench = ready();
    bench.does(timer('LVTT', DEADLINE_MODE));
    expect(bench.shows('td.vcpu0.apic.timer_advance_ns')).toBe('1000');
    kvm_lapic.timer_advance_ns.set(bench.machine, apicOf(bench.machine.vcpus[0]!), 4_000);
    const { late, advance, waited } = deadline(bench);
    expect(waited).toBe(1);
    expect(late).toBeGreaterThanOrEqual(0);
    expect(advance).toBeLessThan(4_000);
  });

  test('NUM-19, TMR-12: the advance starts at 1,000 ns and learns, an eighth at a time, until the entry is on time', () => {
    const bench = ready();
    bench.does(timer('LVTT', DEADLINE_MODE));
    const runs = Array.from({ length: 40 }, () => deadline(bench));
    expect(runs[0]!.advance).not.toBe(1_000);
    expect(Math.abs(runs.at(-1)!.advance - runs.at(-2)!.advance)).toBe(0);
    expect(runs.at(-1)!.late).toBeLessThan(runs[0]!.late);
    expect(runs.every(({ late }) => late >= 0)).toBe(true);
  });

  test('TMR-2: a TD never uses the preemption timer: a host timer is armed, and no exit 52 comes', () => {
    const bench = ready();
    bench.does(timer('TMICT', 50_000));
    expect(bench.shows('td.vcpu0.apic.timer_armed')).toBe('1');
    bench.does(pass(200_000));
    expect(bench.events('kvm_exit').filter((text) => text.includes('PREEMPTION'))).toEqual([]);
  });

  test('TMR-3: an expiry while one is pending is that one', () => {
    const bench = ready();
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    bench.does(timer('LVTT', 0x2_0000 | VECTOR)); // periodic
    bench.does(timer('TMICT', 200_000));
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    bench.does(pass(5_000_000));
    expect(bench.shows('td.vcpu0.apic.timer_pending')).toBe('1');
    expect(bench.shows('td.vcpu0.requests')).toContain('UNBLOCK');
  });

  test('TMR-4, TMR-9: delivery posts LVTT as FIXED, edge, and forgets pending; several expiries are one interrupt', () => {
    const bench = ready();
    bench.does(timer('LVTT', DEADLINE_MODE));
    bench.does(timer('TSC_DEADLINE', bench.machine.now + 100_000));
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    bench.does(pass(1_000_000));
    expect(bench.shows('td.vcpu0.apic.timer_pending')).toBe('1');
    const from = bench.mark;
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    expect(bench.events('kvm_apic_accept_irq', from)).toEqual([`apicid 0 vec ${VECTOR} (Fixed|edge)`]);
    expect(bench.shows('td.vcpu0.apic.timer_pending')).toBe('0');
    expect(bench.shows('td.vcpu0.apic.tscdeadline')).toBe('0');
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
  });
});
