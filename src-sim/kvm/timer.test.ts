import { describe, expect, test } from 'vitest';
import { Bench } from '../testing/bench';

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
