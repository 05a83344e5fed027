import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { Timeline } from '../index';
import { ActionSchema } from './action';
import { checkCondition, Condition, matches, Monitor, problemText, type Verdict } from './condition';

const act = (action: Record<string, unknown>) => ActionSchema.parse(action);
const icr = (delivery_mode: string, vector = 0) =>
  act({ guest: 'ICR', vm: 'vmx', vcpu: 0, dest: 1, delivery_mode, vector });
const setMpState = (mp_state: string, vm = 'td') => act({ vmm: 'KVM_SET_MP_STATE', vm, vcpu: 1, mp_state });
/** The AP, parked at the INIT, returned -EAGAIN to userspace, which runs it again: x86:SIPI-9. */
const rerun = act({ vmm: 'KVM_RUN', vm: 'vmx', vcpu: 1 });
const startAp = (t: Timeline, vector: number) => {
  t.perform(icr('INIT'));
  t.perform(rerun);
  t.perform(icr('STARTUP', vector));
};
const getMpState = act({ vmm: 'KVM_GET_MP_STATE', vm: 'td', vcpu: 0 });

function booted(run = false): Timeline {
  const t = new Timeline({ vms: { td: 2, vmx: 2 } });
  t.perform(act({ boot: 'td', vm: 'td', run }));
  t.perform(act({ boot: 'vmx', vm: 'vmx', run }));
  return t;
}
/** Watches conditions, as they are written in YAML, while `during` acts. */
function watch(t: Timeline, conditions: unknown[], during: () => void): Verdict[] {
  const monitor = new Monitor(
    t,
    conditions.map((condition) => Condition.parse(condition)),
  );
  t.onMoment = () => monitor.observe();
  during();
  t.onMoment = null;
  return monitor.verdicts();
}
const truths = (verdicts: readonly Verdict[]): boolean[] => verdicts.map(({ holds }) => holds);

describe('conditions on state', () => {
  test('a value that a line of history left behind is seen when it comes again on the new line', () => {
    const t = booted();
    const condition = { path: 'td.vcpu1.mp_state', is: 'HALTED' };
    const leaf = t.machine.layout.find(condition.path)!;
    const verdicts = watch(t, [condition, { ...condition, when: 'ever' }], () => {
      t.perform(setMpState('HALTED'));
      let at = t.moment;
      while (t.machine.show(leaf) === 'HALTED') t.jump(--at);
      t.settle(1); // the very next moment brings it again
    });
    expect(t.machine.show(leaf)).toBe('HALTED');
    expect(truths(verdicts)).toEqual([true, true]);
  });

  test('is, not and in compare the value shown', () => {
    const t = booted();
    const path = 'td.vcpu1.mp_state';
    const conditions = [
      { path, is: 'UNINITIALIZED' },
      { path, not: 'UNINITIALIZED' },
      { path, in: ['HALTED', 'UNINITIALIZED'] },
      { path, in: ['HALTED', 'RUNNABLE'] },
    ];
    const verdicts = watch(t, conditions, () => t.perform(setMpState('UNINITIALIZED')));
    expect(truths(verdicts)).toEqual([true, false, true, false]);
  });

  test('numbers compare by value whatever their base, bits in any order, flags as booleans too', () => {
    const t = booted(true);
    const verdicts = watch(
      t,
      [
        { path: 'vmx.vcpu1.regs.cs_base', is: 0x9a000 },
        { path: 'vmx.vcpu1.regs.cs_base', is: '0x9A000' },
        { path: 'vmx.vcpu1.regs.cs_base', is: 0x9a001 },
        { path: 'td.vcpu0.created', is: true },
        { path: 'td.vcpu0.created', is: 1 },
        { path: 'td.vcpu0.created', is: false },
      ],
      () => startAp(t, 0x9a),
    );
    expect(truths(verdicts)).toEqual([true, true, false, true, true, false]);
  });

  test('one bit of a bit field is a path of its own', () => {
    const t = booted();
    const verdicts = watch(
      t,
      [
        { path: 'td.vcpu1.apic.pending_events[INIT]', is: 1 },
        { path: 'td.vcpu1.apic.pending_events[1]', is: 1 },
        { path: 'td.vcpu1.apic.pending_events', is: 'INIT' },
        { path: 'td.vcpu0.apic.pending_events', is: 'none' },
      ],
      () => t.perform(act({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 1, delivery_mode: 'INIT' })),
    );
    expect(truths(verdicts)).toEqual([true, false, true, true]);
  });

  test('ever, never and always look at every moment, and name the first that decides', () => {
    const t = booted(true);
    const path = 'vmx.vcpu1.mp_state';
    const begin = t.moment;
    const verdicts = watch(
      t,
      [
        { path, is: 'INIT_RECEIVED', when: 'ever' },
        { path, is: 'HALTED', when: 'ever' },
        { path, is: 'INIT_RECEIVED', when: 'never' },
        { path, is: 'HALTED', when: 'never' },
        { path, is: 'UNINITIALIZED', when: 'always' },
        { path, in: ['UNINITIALIZED', 'INIT_RECEIVED', 'RUNNABLE'], when: 'always' },
        { path, is: 'RUNNABLE' },
      ],
      () => startAp(t, 0x10),
    );
    expect(truths(verdicts)).toEqual([true, false, false, true, false, true, true]);
    const [, halted, init] = verdicts as [Verdict, Verdict, Verdict];
    expect(halted.observed).toBe('UNINITIALIZED, INIT_RECEIVED, RUNNABLE');
    expect(halted.moment).toBeNull();
    expect(init.observed).toBe(`INIT_RECEIVED at moment ${init.moment}`);
    expect(init.moment).toBeGreaterThan(begin);
    t.jump(init.moment!);
    expect(t.machine.show(t.machine.layout.find(path)!)).toBe('INIT_RECEIVED');
    t.jump(init.moment! - 1);
    expect(t.machine.show(t.machine.layout.find(path)!)).not.toBe('INIT_RECEIVED');
  });
});

describe('conditions on results', () => {
  test('a return value by errno, by number, of one call', () => {
    const t = booted();
    const verdicts = watch(
      t,
      [
        { return: '-EINVAL' },
        { return: -22 },
        { return: 0 },
        { return: [0, '-EINVAL'] },
        { return: '-EINVAL', of: 'KVM_SET_MP_STATE' },
        { return: '-EINVAL', of: 'KVM_GET_MP_STATE' },
        { return: 0, of: 'KVM_GET_MP_STATE', when: 'ever' },
        { outcome: 'returned' },
      ],
      () => {
        t.perform(getMpState);
        t.perform(setMpState('INIT_RECEIVED'));
      },
    );
    expect(truths(verdicts)).toEqual([true, true, false, true, true, false, true, true]);
    expect(verdicts[2]).toMatchObject({ expected: 'the call returns 0', observed: '-EINVAL' });
    expect(verdicts[5]!.observed).toBe('a call of KVM_SET_MP_STATE');
  });

  test('a call that waits has neither returned nor exited', () => {
    const t = booted(true);
    const run = act({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    t.perform(act({ vmm: 'signal', vm: 'td', vcpu: 0 }));
    const conditions = [{ return: 0 }, { exit: 'none' }, { outcome: 'pending' }];
    expect(truths(watch(t, conditions, () => t.perform(run)))).toEqual([false, false, true]);
  });

  test('the exit with which KVM_RUN returned; a call that is no KVM_RUN has none', () => {
    const t = booted();
    const conditions = [
      { return: '-EINTR' },
      { exit: 'KVM_EXIT_UNKNOWN' },
      { exit: ['none', 'KVM_EXIT_HLT'] },
    ];
    const run = act({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0, immediate_exit: 1 });
    expect(truths(watch(t, conditions, () => t.perform(run)))).toEqual([true, true, false]);
    expect(truths(watch(t, conditions, () => t.perform(getMpState)))).toEqual([false, false, true]);
  });
});

describe('conditions on events', () => {
  const conversation = (t: Timeline) => () => {
    startAp(t, 0x10);
    t.perform(icr('STARTUP', 0x20));
  };

  test('present, absent and counted', () => {
    const t = booted(true);
    const verdicts = watch(
      t,
      [
        { event: 'init_latched' },
        { event: 'init_latched', where: { vcpu: 1 } },
        { event: 'init_latched', where: { vcpu: 0 } },
        { event: 'sipi_latched', count: 2 },
        { event: 'sipi_latched', count: { min: 1, max: 2 } },
        { event: 'sipi_latched', count: { max: 1 } },
        { absent: { event: 'sipi_latched', where: { vector: 0x30 } } },
        { absent: { event: 'sipi_latched', where: { vector: [0x30, '0x20'] } } },
        { event: 'ICR', type: 'action', where: { delivery_mode: 'INIT' }, count: 1 },
        { event: 'init_latched', thread: 'td.vcpu0' },
      ],
      conversation(t),
    );
    expect(truths(verdicts)).toEqual([true, true, false, true, true, false, true, false, true, false]);
    expect(verdicts[2]).toMatchObject({ observed: 'it never happened', moment: null });
    const [, , , , , many] = verdicts;
    expect(many!.observed).toMatch(/^it happened 2 times, first at moment \d+$/);
    expect(t.machine.trace.event(many!.event!)).toMatchObject({
      name: 'sipi_latched',
      args: { vector: '0x20' },
    });
  });

  test('events in order, others between', () => {
    const t = booted(true);
    const [good, bad] = watch(
      t,
      [
        { order: [{ event: 'init_latched' }, { event: 'vcpu_reset' }, { event: 'sipi_delivered' }] },
        { order: [{ event: 'sipi_delivered' }, { event: 'vcpu_reset' }] },
      ],
      conversation(t),
    ) as [Verdict, Verdict];
    expect(good.holds).toBe(true);
    expect(bad.holds).toBe(false);
    expect(bad.observed).toMatch(/^vcpu_reset happened at moment \d+, but not after sipi_delivered$/);
    expect(t.machine.trace.event(bad.event!).name).toBe('vcpu_reset');
  });

  test('events before the watch began do not count', () => {
    const t = booted(true);
    conversation(t)();
    expect(truths(watch(t, [{ event: 'init_latched' }], () => t.perform(getMpState)))).toEqual([false]);
  });

  test('an argument that the event lacks matches nothing', () => {
    const t = booted(true);
    t.perform(icr('INIT'));
    const { trace } = t.machine;
    const events = Array.from({ length: trace.count - trace.first }, (_, i) => trace.event(trace.first + i));
    const latched = events.find(({ name }) => name === 'init_latched')!;
    expect(matches(latched, { event: 'init_latched', where: { vcpu: 1 } })).toBe(true);
    expect(matches(latched, { event: 'init_latched', where: { vpcu: 1 } })).toBe(false);
    expect(matches(latched, { event: 'init_latched', where: { constructor: 1 } })).toBe(false);
  });
});

describe('compounds', () => {
  test('all, any and not', () => {
    const t = booted();
    const yes = { path: 'td.created_vcpus', is: 2 };
    const no = { path: 'td.created_vcpus', is: 1 };
    const conditions = [
      { all: [yes, no] },
      { all: [yes, yes] },
      { any: [yes, no] },
      { any: [no, no] },
      { not: no },
      { not: yes },
    ];
    const verdicts = watch(t, conditions, () => t.perform(getMpState));
    expect(truths(verdicts)).toEqual([false, true, true, false, true, false]);
    expect(verdicts[0]!.observed).toBe('td.created_vcpus is 1: 2');
  });

  test('what never holds at once may hold one after the other', () => {
    const t = booted(true);
    const waits = { path: 'vmx.vcpu1.mp_state', is: 'INIT_RECEIVED' };
    const starts = { path: 'vmx.vcpu1.mp_state', is: 'RUNNABLE' };
    const verdicts = watch(
      t,
      [
        { all: [waits, starts], when: 'never' },
        { any: [waits, starts], when: 'ever' },
        { not: waits, when: 'always' },
        {
          all: [
            { ...waits, when: 'ever' },
            { ...starts, when: 'ever' },
          ],
        },
      ],
      () => startAp(t, 0x10),
    );
    expect(truths(verdicts)).toEqual([true, true, false, true]);
    expect(verdicts[2]!.observed).toBe(`not so at moment ${verdicts[2]!.moment}`);
  });
});

describe('time travel', () => {
  const path = 'td.vcpu1.mp_state';
  const conditions = [
    { path, is: 'HALTED', when: 'ever' },
    { path, is: 'UNINITIALIZED' },
    { event: 'KVM_SET_MP_STATE', type: 'action', count: 2 },
  ].map((condition) => Condition.parse(condition));

  test('verdicts are those of the moment shown', () => {
    const t = booted();
    const monitor = new Monitor(t, conditions);
    t.onMoment = () => monitor.observe();
    t.perform(setMpState('HALTED'));
    const halted = t.moment;
    t.perform(setMpState('UNINITIALIZED'));
    const end = t.moment;
    expect(truths(monitor.verdicts())).toEqual([true, true, true]);
    t.jump(halted);
    expect(truths(monitor.verdicts())).toEqual([true, false, false]);
    t.jump(end);
    expect(truths(monitor.verdicts())).toEqual([true, true, true]);
  });

  test('what was done on a line that was left does not count', () => {
    const t = booted();
    const begin = t.moment;
    const monitor = new Monitor(t, conditions);
    t.onMoment = () => monitor.observe();
    t.perform(setMpState('HALTED'));
    t.perform(setMpState('HALTED'));
    t.jump(begin);
    t.perform(setMpState('UNINITIALIZED'));
    expect(truths(monitor.verdicts())).toEqual([false, true, false]);
  });
});

describe('words that the machine does not know', () => {
  const { layout } = new Timeline({ vms: { td: 2, vmx: 1 } }).machine;
  const problems = (condition: unknown) =>
    checkCondition(Condition.parse(condition), layout).map((problem) => ({
      at: problem.at.join('.'),
      says: problemText(problem),
      nearest: problem.nearest,
    }));

  test.each<[unknown, string, string | RegExp, string]>([
    [{ path: 'td.vcpu1.mpstate', is: 'RUNNABLE' }, 'path', /^No state has the path/, 'td.vcpu1.mp_state'],
    [{ path: 'td.vcpu3.mp_state', is: 'RUNNABLE' }, 'path', /^No state/, 'td.vcpu0.mp_state'],
    [{ path: 'td.vcpu1.mp_state', is: 'RUNABLE' }, 'is', /is never "RUNABLE": it is RUNNABLE, /, 'RUNNABLE'],
    [{ path: 'td.vcpu1.mp_state', in: ['RUNNABLE', 'HALTET'] }, 'in.1', /"HALTET"/, 'HALTED'],
    [{ path: 'td.vcpu1.apic.pending_events', is: 'INIT SIPPI' }, 'is', /a list of bits \(INIT SIPI\)/, ''],
    [
      { path: 'td.vcpu1.apic.pending_events[INT]', is: 1 },
      'path',
      /names no bit/,
      'td.vcpu1.apic.pending_events[INIT]',
    ],
    [{ path: 'td.vcpu1.mp_state[0]', is: 1 }, 'path', /names no bit/, ''],
    [{ path: 'td.vm_dead', is: 2 }, 'is', /it is 0 or 1/, ''],
    [{ return: '-EINVALL' }, 'return', /a negative errno/, '-EINVAL'],
    [{ return: 0, of: 'KVM_SETMP_STATE' }, 'of', 'There is no call "KVM_SETMP_STATE".', 'KVM_SET_MP_STATE'],
    [{ exit: ['none', 'KVM_EXIT_HTL'] }, 'exit.1', /a KVM_EXIT_\*/, 'KVM_EXIT_HLT'],
    [{ event: 'init_lached' }, 'event', /^No event/, 'init_latched'],
    [
      { absent: { event: 'kvm_entry', thread: 'td.vcpu7' } },
      'absent.thread',
      /^There is no thread/,
      'td.vcpu0',
    ],
    [{ order: [{ event: 'kvm_entry' }, { event: 'kvm_exitt' }] }, 'order.1.event', /^No event/, 'kvm_exit'],
    [{ any: [{ not: { event: 'x' } }] }, 'any.0.not.event', /^No event/, ''],
    [{ path: 'td.vcpu0.vp_enter_ret', is: 2 ** 60 }, 'is', /in quotes/, ''],
  ])('%j', (condition, at, says, near) => {
    const found = problems(condition);
    expect(found).toHaveLength(1);
    expect(found[0]!.at).toBe(at);
    expect(found[0]!.says).toMatch(says);
    if (near !== '') expect(found[0]!.nearest).toContain(near);
  });

  test.each<[unknown]>([
    [{ path: 'vmx.vcpu0.mp_state', is: 'RUNNABLE' }],
    [{ path: 'td.vcpu0.vp_enter_ret', is: '0x6000000500000006' }],
    [{ path: 'last.exit', is: 'KVM_EXIT_HLT' }],
    [{ path: 'td.vcpu0.run.exit_reason', not: 'KVM_EXIT_MEMORY_FAULT' }],
    [{ path: 'last.return', in: [0, '-EINVAL'] }],
    [{ path: 'td.vcpu0.requests', is: 'EVENT' }],
    [{ event: 'tdx_vcpu_run', type: 'call' }],
    [{ event: 'KVM_RUN', type: 'action' }],
  ])('%j is known', (condition) => expect(problems(condition)).toEqual([]));

  test('a condition on unknown state never holds, even when nothing checked it', () => {
    const t = booted();
    const path = 'td.vcpu1.mpstate';
    const conditions = [
      { path, is: 'RUNNABLE' },
      { path, not: 'RUNNABLE' },
      { path, in: ['no such state'] },
    ];
    expect(truths(watch(t, conditions, () => t.perform(getMpState)))).toEqual([false, false, false]);
  });
});

test('the conditions have a JSON Schema', () => {
  const schema = z.toJSONSchema(Condition, { io: 'input' });
  expect(JSON.stringify(schema)).toContain('"additionalProperties":false');
});
