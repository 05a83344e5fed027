import { expect, test } from 'vitest';
import { Timeline } from '../index';
import type { Action } from '../scenario/action';
import { Monitor, type Condition } from '../scenario/condition';
import { explore, interleavings, type Space } from './explore';

/** Two threads that each read a counter and write it back one greater: the textbook's lost update. */
function counters(locked: boolean): Space<number, string> {
  let s = { pc: [0, 0], read: [0, 0], count: 0, owner: -1 };
  return {
    choices: () => [0, 1].filter((i) => s.pc[i]! < 2 && (!locked || s.owner < 0 || s.owner === i)),
    take(i) {
      if (s.pc[i] === 0) [s.read[i], s.owner] = [s.count, i];
      else [s.count, s.owner] = [s.read[i]! + 1, -1];
      s.pc[i]!++;
    },
    save: () => JSON.stringify(s),
    restore: (saved) => void (s = JSON.parse(saved)),
    key: () => JSON.stringify(s),
    found: () => s.pc.every((pc) => pc === 2) && s.count === 1,
  };
}

test('a lost update is found, with the choices that lead to it', () => {
  const { path, complete } = explore(counters(false), 1_000);
  expect(complete).toBe(true);
  const space = counters(false);
  for (const choice of path!) space.take(choice);
  expect(space.found()).toBe(true);
});

test('with a lock there is none, and every state was counted once', () => {
  expect(explore(counters(true), 1_000)).toEqual({ path: null, states: 9, complete: true });
});

test('a budget that is too small proves nothing, and says so', () => {
  expect(explore(counters(true), 8)).toEqual({ path: null, states: 8, complete: false });
  expect(explore(counters(true), 9)).toMatchObject({ complete: true });
});

test('what holds at the beginning needs no choice', () => {
  expect(explore({ ...counters(false), found: () => true }, 10)).toEqual({
    path: [],
    states: 1,
    complete: true,
  });
});

const INIT = { vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 1, delivery_mode: 'INIT', vector: 0, trigger_mode: 'EDGE', level: 1 } as Action; // prettier-ignore
const KVM_RUN: Action = { vmm: 'KVM_RUN', vm: 'vmx', vcpu: 1, immediate_exit: 0 };

/** An AP whose thread is in userspace, an INIT on its way to it, and a KVM_RUN that has just begun. */
function race(): Timeline {
  const timeline = new Timeline({ vms: { vmx: 2 } });
  timeline.perform({ boot: 'vmx', vm: 'vmx', vcpus: 2, run: true });
  timeline.perform({ vmm: 'signal', vm: 'vmx', vcpu: 1 });
  timeline.begin(INIT);
  timeline.begin(KVM_RUN);
  return timeline;
}

/** Whether the condition holds at some moment of one of many schedules that a simple generator draws. */
function byChance(condition: Condition, schedules: number): boolean {
  const timeline = race();
  const from = timeline.moment;
  const monitor = new Monitor(timeline, [condition]);
  timeline.onMoment = () => monitor.observe();
  let seed = 1;
  for (let n = 0; n < schedules; n++) {
    timeline.jump(from);
    for (;;) {
      if (monitor.holds(0)) return true;
      const ready = timeline.machine.threads().filter(({ enabled }) => enabled);
      if (ready.length === 0) break;
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 1;
      timeline.step(ready[(seed >> 8) % ready.length]!.name);
    }
  }
  return false;
}

const CONDITIONS: [string, Condition, boolean][] = [
  ['a state', { path: 'vmx.vcpu1.mp_state', is: 'INIT_RECEIVED' }, true],
  ['events in an order', { order: [{ event: 'vcpu_sleeps' }, { event: 'init_latched' }] }, true],
  ['the other order', { order: [{ event: 'init_latched' }, { event: 'vcpu_sleeps' }] }, false],
  ['an event that never comes', { event: 'sipi_delivered' }, false],
  ['a state together with the past', { all: [{ path: 'vmx.vcpu1.mp_state', is: 'INIT_RECEIVED' }, { absent: { event: 'vcpu_sleeps' } }] }, true],
]; // prettier-ignore

test.each(CONDITIONS)(
  'a machine: %s is found or not, as schedules drawn by chance say',
  (_, condition, held) => {
    const { path, complete } = explore(interleavings(race(), condition), 10_000);
    expect(complete).toBe(true);
    expect(path !== null).toBe(held);
    expect(byChance(condition, 100)).toBe(held);
  },
);

test('the schedule that is found leads there, and the machine is left as it was', () => {
  const timeline = race();
  const { machine } = timeline;
  const before = { hash: machine.hash(), events: machine.trace.count, moment: timeline.moment };
  const condition: Condition = { order: [{ event: 'vcpu_sleeps' }, { event: 'init_latched' }] };
  const { path } = explore(interleavings(timeline, condition), 10_000);
  expect({ hash: machine.hash(), events: machine.trace.count, moment: timeline.moment }).toEqual(before);
  const monitor = new Monitor(timeline, [condition]);
  timeline.onMoment = () => monitor.observe();
  for (const name of path!) expect(timeline.step(name)).toBe(true);
  expect(monitor.verdict(0).holds).toBe(true);
});
