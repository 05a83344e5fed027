import { describe, expect, test } from 'vitest';
import {
  APIC_DFR_CLUSTER,
  APIC_DFR_FLAT,
  kvm_apic_calc_x2apic_ldr,
  kvm_apic_match_logical_addr,
  kvm_apic_match_physical_addr,
  type ApicAddress,
} from '../platform/apic';
import { Bench } from '../testing/bench';

/** Three vCPUs of a plain guest in x2APIC mode, running, whose APICs are enabled. */
function running(enabled = [0, 1, 2]): Bench {
  const bench = new Bench({ vms: { vmx: 3 } });
  bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 3 });
  for (const delivery_mode of ['INIT', 'STARTUP']) bench.does(icr({ shorthand: 'OTHERS', delivery_mode }));
  for (const vcpu of [1, 2]) bench.does({ vmm: 'KVM_RUN', vm: 'vmx', vcpu }); // the first ended in -EAGAIN
  for (const vcpu of enabled) bench.does({ guest: 'SVR', vm: 'vmx', vcpu });
  return bench;
}
const icr = (more: Record<string, unknown>) => ({
  guest: 'ICR', vm: 'vmx', vcpu: 0, delivery_mode: 'FIXED', vector: 0x31, ...more,
}); // prettier-ignore
const signal = (more: Record<string, unknown>) => ({
  vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 0, delivery_mode: 'FIXED', vector: 0x31, ...more,
}); // prettier-ignore
/** Interrupts that each vCPU has taken. */
const taken = (bench: Bench): string[] => [0, 1, 2].map((i) => bench.shows(`vmx.vcpu${i}.guest.irqs`));

const x2apic = (id: number): ApicAddress => ({ x2apic: true, id, logicalId: 0, dfr: APIC_DFR_FLAT });
const xapic = (id: number, logicalId = 0, dfr = APIC_DFR_FLAT): ApicAddress => ({
  x2apic: false, id, logicalId, dfr,
}); // prettier-ignore

describe('destinations', () => {
  test('x86:LAPIC-27: the logical id of x2APIC mode is cluster and bit, from the id: 17 gives 0x00010002', () => {
    expect(kvm_apic_calc_x2apic_ldr(17)).toBe(0x0001_0002);
    expect(kvm_apic_calc_x2apic_ldr(0)).toBe(1);
    expect(kvm_apic_calc_x2apic_ldr(0xfff)).toBe(0x00ff_8000);
  });

  test('x86:LAPIC-28: physical: equality or the broadcast of the mode; xAPIC mode knows an id above 0xff', () => {
    const matches = kvm_apic_match_physical_addr;
    expect([matches(x2apic(1), 1), matches(x2apic(1), 2)]).toEqual([true, false]);
    expect([matches(x2apic(1), 0xffff_ffff), matches(x2apic(1), 0xff)]).toEqual([true, false]);
    expect([matches(xapic(1), 0xff), matches(xapic(1), 0xffff_ffff)]).toEqual([true, false]);
    expect([matches(xapic(0x101), 0x101), matches(xapic(0x101), 0x01)]).toEqual([true, true]);
    expect(matches(x2apic(0x101), 0x01)).toBe(false);
  });

  test('x86:LAPIC-29: x2APIC logical: the same cluster, and one of the bits; or broadcast', () => {
    const matches = (mda: number) => kvm_apic_match_logical_addr(x2apic(17), mda);
    expect([0x0001_0002, 0x0001_0003, 0xffff_ffff].map(matches)).toEqual([true, true, true]);
    expect([0x0001_0001, 0x0002_0002, 0x0000_0002].map(matches)).toEqual([false, false, false]);
  });

  test('x86:LAPIC-30: xAPIC logical: flat intersects, cluster compares the high nibble, other formats never match', () => {
    const matches = kvm_apic_match_logical_addr;
    expect([matches(xapic(0, 0x24), 0x04), matches(xapic(0, 0x24), 0x03)]).toEqual([true, false]);
    const cluster = xapic(0, 0x24, APIC_DFR_CLUSTER);
    expect([0x24, 0x2f, 0x21, 0x14].map((mda) => matches(cluster, mda))).toEqual([true, true, false, false]);
    expect(matches(xapic(0, 0x24, 0), 0x24)).toBe(false);
    expect(matches(xapic(0, 0, 0), 0xff)).toBe(true);
  });

  test('x86:LAPIC-8, x86:LAPIC-29: a logical destination reaches every vCPU whose bit it has, a physical one the id', () => {
    const bench = running();
    expect(bench.does(signal({ dest: 0b110, dest_mode: 'LOGICAL' }))).toBe('2');
    expect(taken(bench)).toEqual(['0', '1', '1']);
    expect(bench.does(signal({ dest: 0b010 }))).toBe('1');
    expect(taken(bench)).toEqual(['0', '1', '2']);
    expect(bench.events('kvm_msi_set_irq')).toEqual([
      'dst 6 vec 49 (Fixed|logical|edge)',
      'dst 2 vec 49 (Fixed|physical|edge)',
    ]);
  });

  test('x86:LAPIC-31: 0xff of a device is a broadcast to x2APIC targets, unless the quirk is disabled; of an IPI never', () => {
    const bench = running();
    expect(bench.does(signal({ dest: 0xff }))).toBe('3');
    bench.does(icr({ dest: 0xff }));
    expect(taken(bench)).toEqual(['1', '1', '1']);
    bench.does(icr({ dest: 0xffff_ffff }));
    expect(taken(bench)).toEqual(['2', '2', '2']);
    expect(bench.does({ vmm: 'KVM_CAP_X2APIC_API', vm: 'vmx', flags: 4 })).toBe('-EINVAL');
    expect(bench.does(signal({ dest: 0xff }))).toBe('3');
    expect(bench.does({ vmm: 'KVM_CAP_X2APIC_API', vm: 'vmx', flags: 2 })).toBe('0');
    expect(bench.does(signal({ dest: 0xff }))).toBe('-EPERM');
  });

  test('x86:LAPIC-32: lowest priority goes to one: the (vector mod n)-th of the enabled candidates', () => {
    const bench = running();
    const lowest = (vector: number) =>
      signal({ dest: 0b111, dest_mode: 'LOGICAL', delivery_mode: 'LOWEST', vector });
    expect(bench.does(lowest(0x31))).toBe('1'); // 49 mod 3
    expect(taken(bench)).toEqual(['0', '1', '0']);
    bench.does(lowest(0x30)); // 48 mod 3
    bench.does(lowest(0x32)); // 50 mod 3
    expect(taken(bench)).toEqual(['1', '1', '1']);
  });

  test('x86:LAPIC-32: a vCPU whose APIC is off is no candidate; without any the answer is -1', () => {
    const lowest = signal({ dest: 0b111, dest_mode: 'LOGICAL', delivery_mode: 'LOWEST', vector: 0x31 });
    const bench = running([0, 2]);
    bench.does(lowest); // 49 mod 2
    expect(taken(bench)).toEqual(['0', '0', '1']);
    expect(running([]).does(lowest)).toBe('-EPERM');
  });

  test.each([
    ['SELF', ['1', '0', '0']],
    ['ALL', ['1', '1', '1']],
    ['OTHERS', ['0', '1', '1']],
    ['NONE', ['0', '0', '1']],
  ])('x86:LAPIC-11, x86:LAPIC-33: shorthand %s', (shorthand, expected) => {
    const bench = running();
    bench.does(icr({ shorthand, dest: 2 }));
    expect(taken(bench)).toEqual(expected);
  });
});

describe('acceptance', () => {
  test('x86:LAPIC-16: FIXED and LOWEST need an enabled APIC, and an assertion if level-triggered; TMR follows the trigger', () => {
    const bench = running([0]);
    expect(bench.does(signal({ dest: 1 }))).toBe('0');
    expect(bench.does(signal({ trigger_mode: 'LEVEL', level: 0 }))).toBe('0');
    expect(bench.does(signal({ trigger_mode: 'LEVEL' }))).toBe('1');
    expect(bench.shows('vmx.vcpu0.apic.tmr')).toBe('49');
    expect(bench.does(signal({ trigger_mode: 'EDGE' }))).toBe('1');
    expect(bench.shows('vmx.vcpu0.apic.tmr')).toBe('');
  });

  test.each(['SMI', 'NMI', 'INIT', 'STARTUP', 'REMRD'])(
    'x86:LAPIC-17: %s needs no software-enabled APIC, only one that is enabled in its base',
    (delivery_mode) => {
      const bench = running([]);
      expect(bench.does(signal({ dest: 0, delivery_mode }))).toBe('1');
      bench.does({ vmm: 'signal', vm: 'vmx', vcpu: 2 });
      bench.does({ vmm: 'KVM_SET_SREGS', vm: 'vmx', vcpu: 2, apic_base: 0xfee0_0000 });
      expect(bench.does(signal({ dest: 2, delivery_mode }))).toBe('-EPERM');
    },
  );

  test('x86:LAPIC-18: ExtINT by message is accepted by nobody', () => {
    const bench = running();
    expect(bench.does(signal({ delivery_mode: 'EXTINT' }))).toBe('0');
    expect(taken(bench)).toEqual(['0', '0', '0']);
  });

  test('x86:LAPIC-19: the result counts who accepted; 0 when all dropped it; -1 when no APIC matched', () => {
    const bench = running([0, 1]);
    expect(bench.does(signal({ dest: 0xff }))).toBe('2');
    expect(bench.does(signal({ dest: 2 }))).toBe('0');
    expect(bench.does(signal({ dest: 7 }))).toBe('-EPERM');
  });

  test('x86:LAPIC-7: remote read is the paravirtual unhalt: a halted vCPU wakes without an interrupt', () => {
    const bench = running();
    bench.does({ guest: 'HLT', vm: 'vmx', vcpu: 1, interrupts: 'blocked' });
    expect(bench.shows('vmx.vcpu1.mp_state')).toBe('HALTED');
    expect(bench.does(signal({ dest: 1, delivery_mode: 'REMRD' }))).toBe('1');
    expect(bench.shows('vmx.vcpu1.mp_state')).toBe('RUNNABLE');
    expect(bench.shows('vmx.vcpu1.pv_unhalted')).toBe('0');
    expect(taken(bench)).toEqual(['0', '0', '0']);
  });

  test.each([
    ['FIXED', 'Fixed'],
    ['LOWEST', 'LowPrio'],
    ['SMI', 'SMI'],
    ['REMRD', 'Res3'],
    ['NMI', 'NMI'],
    ['INIT', 'INIT'],
    ['STARTUP', 'SIPI'],
    ['EXTINT', 'ExtINT'],
  ])(
    'x86:LAPIC-6, x86:LAPIC-7: ICR bits 10:8 with mode %s arrive as %s with the vector',
    (delivery_mode, shown) => {
      const bench = running();
      const from = bench.mark;
      bench.does(icr({ dest: 1, delivery_mode, vector: 0x99 }));
      expect(bench.events('kvm_apic_ipi', from)).toEqual([
        `dst 1 vec 153 (${shown}|physical|assert|edge|dst)`,
      ]);
      expect(bench.events('kvm_apic_accept_irq', from)[0]).toBe(`apicid 1 vec 153 (${shown}|edge)`);
    },
  );

  test('x86:LAPIC-10: bit 14 is assert, bit 15 level-triggered', () => {
    const bench = running();
    const wrmsr = (value: number) => ({ guest: 'WRMSR', vm: 'vmx', vcpu: 0, msr: 0x830, value });
    bench.does(wrmsr(0x1_0000_0000 + 0x4031));
    bench.does(wrmsr(0x1_0000_0000 + 0xc031));
    bench.does(wrmsr(0x1_0000_0000 + 0x8031));
    expect(bench.events('kvm_apic_ipi').slice(-3)).toEqual([
      'dst 1 vec 49 (Fixed|physical|assert|edge|dst)',
      'dst 1 vec 49 (Fixed|physical|assert|level|dst)',
      'dst 1 vec 49 (Fixed|physical|de-assert|level|dst)',
    ]);
    expect(taken(bench)).toEqual(['0', '2', '0']);
  });
});
