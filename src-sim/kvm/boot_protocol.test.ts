import { describe, expect, test } from 'vitest';
import { Bench, msi } from '../testing/bench';

/** INIT and SIPI as a state machine: what is processed in which state, and what becomes of the vCPU. A plain guest's AP. */

const ap = { vm: 'vmx', vcpu: 1 };
const VECTOR = 0x9a;

/** A plain guest that never ran; its AP is in this state. */
function inState(mp_state: string, vcpu = 1): Bench {
  const bench = new Bench({ vms: { vmx: 2 } });
  bench.does({ boot: 'vmx', vm: 'vmx', run: false });
  if (mp_state === 'INIT_RECEIVED') {
    bench.does(msi('vmx', 'INIT'));
    bench.does({ vmm: 'KVM_GET_MP_STATE', ...ap });
  } else bench.does({ vmm: 'KVM_SET_MP_STATE', vm: 'vmx', vcpu, mp_state });
  return bench;
}
const send = (bench: Bench, ...events: readonly string[]): void => {
  for (const event of events)
    bench.does(msi('vmx', event, { dest: 1, ...(event === 'STARTUP' ? { vector: VECTOR } : {}) }));
};
const state = (bench: Bench, vcpu = 1): string => bench.shows(`vmx.vcpu${vcpu}.mp_state`);
const resets = (bench: Bench): number =>
  bench.events('vcpu_reset').filter((text) => text.includes('init_event yes')).length;
const cs = (bench: Bench): string => bench.shows('vmx.vcpu1.regs.cs_base');

describe('what is processed, and what becomes of the AP', () => {
  test.each([
    ['x86:SMS-1', 'UNINITIALIZED', ['INIT'], 'INIT_RECEIVED', 1, false],
    ['x86:SMS-2', 'UNINITIALIZED', ['STARTUP'], 'UNINITIALIZED', 0, false],
    ['x86:SMS-3', 'UNINITIALIZED', ['INIT', 'STARTUP'], 'RUNNABLE', 1, true],
    ['x86:SMS-4', 'INIT_RECEIVED', ['STARTUP'], 'RUNNABLE', 0, true],
    ['x86:SMS-5', 'INIT_RECEIVED', ['INIT'], 'INIT_RECEIVED', 1, false],
    ['x86:SMS-6', 'RUNNABLE', ['INIT'], 'INIT_RECEIVED', 1, false],
    ['x86:SMS-6', 'HALTED', ['INIT'], 'INIT_RECEIVED', 1, false],
    ['x86:SMS-8', 'RUNNABLE', ['STARTUP'], 'RUNNABLE', 0, false],
    ['x86:SMS-8', 'HALTED', ['STARTUP'], 'HALTED', 0, false],
    ['x86:SMS-9', 'RUNNABLE', ['INIT', 'STARTUP'], 'RUNNABLE', 1, true],
    ['x86:SMS-9', 'HALTED', ['INIT', 'STARTUP'], 'RUNNABLE', 1, true],
    ['x86:EDGE-11', 'UNINITIALIZED', ['STARTUP', 'INIT'], 'INIT_RECEIVED', 1, false],
  ] as const)('%s, x86:EDGE-10: %s, %j: %s', (_id, from, events, to, reset, started) => {
    const bench = inState(from);
    const [before, csBefore] = [resets(bench), cs(bench)];
    send(bench, ...events);
    expect(state(bench)).toBe(from); // nothing acts before it is processed
    bench.does({ vmm: 'KVM_GET_MP_STATE', ...ap });
    expect(bench.events('mp_state_read').at(-1)).toContain(to);
    expect(state(bench)).toBe(to);
    expect(resets(bench) - before).toBe(reset);
    expect(cs(bench)).toBe(started ? '0x9a000' : reset ? '0xffff0000' : csBefore);
    expect(bench.shows('vmx.vcpu1.apic.pending_events')).toBe('');
  });

  test.each([
    ['x86:SMS-1', ['INIT'], 'INIT_RECEIVED'],
    ['x86:SMS-3', ['INIT', 'STARTUP'], 'RUNNABLE'],
  ] as const)('%s: KVM_RUN of an UNINITIALIZED AP with %j pending is -EAGAIN', (_id, events, to) => {
    const bench = inState('UNINITIALIZED');
    send(bench, ...events);
    expect(bench.does({ vmm: 'KVM_RUN', ...ap })).toBe('-EAGAIN');
    expect(state(bench)).toBe(to);
  });

  test.each(['RUNNABLE', 'HALTED'])(
    'x86:SMS-7, x86:EDGE-11: %s in SMM: INIT stays latched, SIPI is lost',
    (from) => {
      const bench = inState(from);
      bench.does({ vmm: 'KVM_SET_VCPU_EVENTS', ...ap, smm: 1 });
      send(bench, 'INIT', 'STARTUP');
      bench.does({ vmm: 'KVM_GET_MP_STATE', ...ap });
      expect([state(bench), resets(bench)]).toEqual([from, 0]);
      expect(bench.shows('vmx.vcpu1.apic.pending_events')).toBe('INIT');
    },
  );

  test('x86:SMS-10: an INIT that was latched in SMM acts when RSM ends it', () => {
    const bench = inState('UNINITIALIZED');
    send(bench, 'INIT', 'STARTUP');
    bench.does({ vmm: 'KVM_GET_MP_STATE', ...ap });
    bench.does({ vmm: 'KVM_RUN', ...ap });
    send(bench, 'SMI');
    expect(bench.shows('vmx.vcpu1.smm')).toBe('1');
    send(bench, 'INIT');
    expect([state(bench), bench.shows('vmx.vcpu1.apic.pending_events')]).toEqual(['RUNNABLE', 'INIT']);
    bench.does({ guest: 'RSM', ...ap });
    expect([state(bench), bench.shows('vmx.vcpu1.apic.pending_events')]).toEqual(['INIT_RECEIVED', '']);
  });

  test('x86:SMS-11: the boot CPU starts again at the reset vector, and takes no SIPI', () => {
    const bench = inState('RUNNABLE', 0);
    bench.does(msi('vmx', 'INIT', { dest: 0 }));
    bench.does(msi('vmx', 'STARTUP', { dest: 0, vector: VECTOR }));
    bench.does({ vmm: 'KVM_GET_MP_STATE', vm: 'vmx', vcpu: 0 });
    expect([state(bench, 0), resets(bench)]).toEqual(['RUNNABLE', 1]);
    expect([bench.shows('vmx.vcpu0.regs.rip'), bench.shows('vmx.vcpu0.regs.cs_selector')]).toEqual([
      '0xfff0',
      '0xf000',
    ]);
    expect(bench.events('sipi_delivered')).toEqual([]);
  });

  test('x86:SMS-12, x86:SMS-13: HLT without an event makes it HALTED, an event RUNNABLE', () => {
    const bench = new Bench({ vms: { vmx: 1 } });
    bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1 });
    bench.does({ guest: 'SVR', vm: 'vmx', vcpu: 0 });
    bench.does({ guest: 'HLT', vm: 'vmx', vcpu: 0 });
    expect(state(bench, 0)).toBe('HALTED');
    bench.does(msi('vmx', 'FIXED', { dest: 0, vector: 0x31 }));
    expect(state(bench, 0)).toBe('RUNNABLE');
  });
});

describe('what kvm-unit-tests look at', () => {
  const self = { guest: 'ICR', vm: 'vmx', vcpu: 0, shorthand: 'SELF', delivery_mode: 'NMI' };
  const handled = (bench: Bench): string => bench.shows('vmx.vcpu0.guest.nmis');
  function running(): Bench {
    const bench = new Bench({ vms: { vmx: 1 } });
    bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1 });
    bench.does({ guest: 'SVR', vm: 'vmx', vcpu: 0 });
    return bench;
  }

  test('x86:TEST-1: an NMI of its own and one from elsewhere, processed in one pass: two runs of the handler', () => {
    const bench = running();
    bench.starts(self);
    bench.stepTo('vmx.vcpu0', 'vcpu_enter_guest', 'requests');
    bench.starts(msi('vmx', 'NMI', { dest: 0 }));
    for (let i = 0; i < 60 && bench.shows('vmx.vcpu0.nmi_queued') !== '2'; i++) bench.step('vmm');
    expect(bench.shows('vmx.vcpu0.nmi_queued')).toBe('2');
    bench.settle();
    expect(handled(bench)).toBe('2');
  });

  test.each([1, 2, 3, 10])(
    'x86:INV-4: of %i NMIs that are processed in one pass two are delivered, or one',
    (raised) => {
      const bench = running();
      bench.does({ vmm: 'signal', vm: 'vmx', vcpu: 0 });
      for (let i = 0; i < raised; i++) bench.does({ vmm: 'KVM_NMI', vm: 'vmx', vcpu: 0 });
      bench.does({ vmm: 'KVM_RUN', vm: 'vmx', vcpu: 0 });
      expect(handled(bench)).toBe(String(Math.min(raised, 2)));
    },
  );

  test('x86:TEST-2: ten of its own from inside the handler: one more run', () => {
    const bench = running();
    bench.does({ guest: 'NMI_HANDLER', vm: 'vmx', vcpu: 0, stay: true });
    bench.does(msi('vmx', 'NMI', { dest: 0 }));
    for (let i = 0; i < 10; i++) bench.does(self);
    bench.does({ guest: 'NMI_HANDLER', vm: 'vmx', vcpu: 0, stay: false });
    expect(handled(bench)).toBe('1');
    bench.does({ guest: 'IRET', vm: 'vmx', vcpu: 0 });
    expect(handled(bench)).toBe('2');
  });
});
