import { describe, expect, test } from 'vitest';
import { pi_desc } from '../platform/posted_intr';
import { Bench, bothRunning } from '../testing/bench';
import { pidOf } from './kvm_host';
import { kvm_cpu_has_injectable_intr } from './x86_inject';
import { kvm_x86_ops } from './kvm_x86_ops';

const VECTOR = 0x41;
const post = (vm = 'td') => ({ vmm: 'KVM_SIGNAL_MSI', vm, dest: 0, delivery_mode: 'FIXED', vector: VECTOR });
const device = (vm = 'td') => ({ device: 'post', vm, vcpu: 0, vector: VECTOR });
const run = (vm = 'td') => ({ vmm: 'KVM_RUN', vm, vcpu: 0 });
const signal = (vm = 'td') => ({ vmm: 'signal', vm, vcpu: 0 });
const halt = (interrupts = 'enabled') => ({ guest: 'HLT', vm: 'td', vcpu: 0, interrupts });

/** A TD of one vCPU, running, its APIC enabled. */
function running(assigned_device = false): Bench {
  const bench = new Bench({ vms: { td: 1 }, switches: { assigned_device } });
  bench.does({ boot: 'td', vm: 'td', vcpus: 1 });
  bench.does({ guest: 'SVR', vm: 'td', vcpu: 0 });
  return bench;
}
const pid = (bench: Bench) => ['nv', 'sn', 'on', 'pir'].map((field) => bench.shows(`td.vcpu0.pid.${field}`));

describe('the posted-interrupt descriptor', () => {
  test('PI-1: 64 bytes, aligned to 64, one for each vCPU, the same bytes for KVM, module, device and processor', () => {
    const { machine } = bothRunning();
    expect(pi_desc.info.size).toBe(64);
    const places = machine.vcpus.map((vcpu) => pidOf(vcpu));
    expect(new Set(places).size).toBe(4);
    expect(places.every((place) => place % 8 === 0)).toBe(true);
  });

  test.each([
    [{ on: 1, sn: 0, pir: false }, true],
    [{ on: 0, sn: 1, pir: true }, true],
    [{ on: 0, sn: 0, pir: true }, false],
    [{ on: 0, sn: 1, pir: false }, false],
  ])('PI-30, PEND-5: with %j an interrupt is pending: %s', (fields, pending) => {
    const bench = running();
    const { machine } = bench;
    const at = pidOf(machine.vcpus[0]!);
    pi_desc.on.set(machine, at, fields.on);
    pi_desc.sn.set(machine, at, fields.sn);
    if (fields.pir) pi_desc.pir.set(machine, at, VECTOR);
    expect(kvm_x86_ops.has_interrupt(machine, machine.vcpus[0]!)).toBe(pending);
  });

  test('PI-18: one self-IPI an entry, and a harmless one when ON is set with an empty PIR', () => {
    const bench = running();
    bench.does(signal());
    bench.does(post());
    bench.does({ ...post(), vector: VECTOR + 1 });
    const from = bench.mark;
    bench.does(run());
    const self = () => bench.events('ipi_sent', from).filter((text) => text.includes('POSTED_INTR'));
    expect(self()).toHaveLength(1);
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('2');
    bench.does(signal());
    pi_desc.on.set(bench.machine, pidOf(bench.machine.vcpus[0]!), 1);
    bench.does(run());
    expect(self()).toHaveLength(2);
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('2');
  });
});

describe('a device whose interrupts the IOMMU posts', () => {
  test('PI-24, PI-26: KVM_RUN clears SN, its return sets it', () => {
    const bench = running(true);
    expect(pid(bench)).toEqual(['0xf2', '0', '0', '']);
    bench.does(signal());
    expect(pid(bench)).toEqual(['0xf2', '1', '0', '']);
  });

  test('PI-25: what was posted while SN was 1 becomes ON at the load, and is taken by self-IPI', () => {
    const bench = running(true);
    bench.does(signal());
    bench.does(device());
    expect(bench.events('device_posts')).toEqual([`vcpu 0 vec ${VECTOR} notified no`]);
    expect(pid(bench)).toEqual(['0xf2', '1', '0', String(VECTOR)]);
    const from = bench.mark;
    bench.does(run());
    expect(bench.events('ipi_sent', from)[0]).toContain('POSTED_INTR');
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
  });

  test('PI-26, PI-29, tdx:INV-28: asleep the vCPU is on the wakeup list with NV 0xf1; vector 0xf1 wakes it', () => {
    const bench = running(true);
    bench.does(halt());
    expect(pid(bench)).toEqual(['0xf1', '0', '0', '']);
    expect(bench.shows('td.vcpu0.wakeup_cpu')).toBe('1');
    bench.does(device());
    expect(bench.events('pi_wakeup_handler')).toEqual(['cpu 1']);
    expect(bench.shows('td.vcpu0.mp_state')).toBe('RUNNABLE');
    expect(bench.shows('td.vcpu0.wakeup_cpu')).toBe('-1');
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
  });

  test('PI-26: asleep with interrupts blocked it only gets SN = 1', () => {
    const bench = running(true);
    bench.does(halt('blocked'));
    expect(pid(bench).slice(0, 2)).toEqual(['0xf2', '1']);
    expect(bench.shows('td.vcpu0.wakeup_cpu')).toBe('-1');
  });

  test.each([
    ['KVM_CREATE_VM without an irqchip', { assigned_device: true }],
    ['enable_apicv=0', { assigned_device: true, no_apicv: true }],
  ])('PI-24: with %s KVM has no interrupts of a device posted', (_, switches) => {
    const bench = new Bench({ vms: { vmx: 1 }, switches });
    bench.does({ vmm: 'KVM_CREATE_VM', vm: 'vmx', type: 'KVM_X86_DEFAULT_VM' });
    if ('no_apicv' in switches) bench.does({ vmm: 'KVM_CAP_SPLIT_IRQCHIP', vm: 'vmx' });
    bench.does({ vmm: 'KVM_CREATE_VCPU', vm: 'vmx', vcpu: 0 });
    expect(bench.does(device('vmx'))).toBe('refused');
    expect(bench.events('device_posts')).toEqual([]);
    expect(bench.shows('vmx.vcpu0.pid.on')).toBe('0');
  });

  test('PI-27: without such a device put does nothing: a TD has no IPI virtualization', () => {
    const bench = running();
    bench.does(halt());
    expect(pid(bench)).toEqual(['0xf2', '0', '0', '']);
    expect(bench.does(device())).toBe('refused');
  });

  test('PI-2: a running vCPU is notified at once, without an exit', () => {
    const bench = running(true);
    const from = bench.mark;
    bench.does(device());
    expect(bench.events('kvm_exit', from)).toEqual([]);
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
  });
});

describe('who has something to inject', () => {
  test('PI-39: with APICv active KVM never injects an interrupt of the LAPIC; one of a PIC it does', () => {
    const bench = running();
    const { machine } = bench;
    const vcpu = machine.vcpus[0]!;
    bench.does(signal());
    bench.does(post());
    expect(kvm_cpu_has_injectable_intr(machine, vcpu)).toBe(false);
    bench.does({ vmm: 'KVM_INTERRUPT', vm: 'td', vcpu: 0 });
    expect(kvm_cpu_has_injectable_intr(machine, vcpu)).toBe(true);
  });

  test('PI-40: of a protected LAPIC KVM sees the descriptor, never the IRR', () => {
    const bench = running();
    bench.does({ guest: 'IF', vm: 'td', vcpu: 0, enabled: false });
    bench.does(post());
    expect(bench.shows('td.vcpu0.guest.virr')).toBe(String(VECTOR));
    bench.does(signal());
    const { machine } = bench;
    expect(kvm_x86_ops.has_interrupt(machine, machine.vcpus[0]!)).toBe(false);
    bench.does({ ...post(), vector: VECTOR + 1 });
    expect(kvm_x86_ops.has_interrupt(machine, machine.vcpus[0]!)).toBe(true);
  });

  test.each([
    ['asleep', ['vcpu_woken'], 'RUNNABLE'],
    ['in the guest', ['vcpu_kicked', 'ipi_sent'], 'RUNNABLE'],
    ['in userspace', [], 'RUNNABLE'],
  ])('PI-36: a kick of a vCPU %s: %j', (where, marks, mp_state) => {
    const bench = running();
    if (where === 'asleep') bench.does(halt('blocked'));
    if (where === 'in userspace') bench.does(signal());
    const from = bench.mark;
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'NMI' });
    const names: string[] = [];
    for (let n = from; n < bench.mark; n++) names.push(bench.machine.trace.event(n).name);
    expect(names.filter((name) => ['vcpu_woken', 'vcpu_kicked', 'ipi_sent'].includes(name))).toEqual(marks);
    expect(bench.shows('td.vcpu0.mp_state')).toBe(mp_state);
  });
});
