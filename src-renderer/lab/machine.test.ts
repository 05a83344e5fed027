import { describe, expect, test } from 'vitest';
import { delta, event, sessionView, thread } from '../testing';
import { MachineState } from './machine.svelte';

const machine = (): MachineState => new MachineState(sessionView().machine);
const names = (state: MachineState): (string | undefined)[] =>
  Array.from({ length: state.known }, (_, n) => state.event(n)?.name);

test('values are known by path; what the last input changed is marked', () => {
  const state = machine();
  expect(state.value('td.vcpu0.mp_state')).toBe('RUNNABLE');
  expect(state.value('no.such.path')).toBeUndefined();
  state.apply(delta({ changed: [[0, 'HALTED']], moment: 1, last: 1 }), false);
  expect(state.value('td.vcpu0.mp_state')).toBe('HALTED');
  expect([state.hasChanged('td.vcpu0.mp_state'), state.hasChanged('last.return')]).toEqual([true, false]);
  state.apply(delta({ changed: [[1, '1']], moment: 2, last: 2 }), false);
  expect([state.hasChanged('td.vcpu0.mp_state'), state.hasChanged('last.return')]).toEqual([false, true]);
});

test('an input that touched nothing of the machine leaves the marks', () => {
  const state = machine();
  state.apply(delta({ changed: [[0, 'HALTED']], moment: 1, last: 1 }), false);
  state.apply(delta({ moment: 1, last: 1 }), false);
  expect(state.hasChanged('td.vcpu0.mp_state')).toBe(true);
});

test('of a machine that is seen for the first time nothing has changed', () => {
  const other = machine().first(delta({ changed: [[0, 'HALTED']], moment: 1, last: 1 }));
  expect(other.value('td.vcpu0.mp_state')).toBe('HALTED');
  expect(other.hasChanged('td.vcpu0.mp_state')).toBe(false);
});

describe('the trace', () => {
  const grown = (): MachineState => {
    const state = machine();
    state.apply(delta({ keep: 0, events: [event(0), event(1), event(2)], moment: 3, last: 3 }), false);
    return state;
  };

  test('grows by the events of a delta', () => {
    const state = grown();
    state.apply(delta({ keep: 3, events: [event(3)], moment: 4, last: 4 }), false);
    expect(names(state)).toEqual(['event_0', 'event_1', 'event_2', 'event_3']);
    expect(state.generation).toBe(0);
  });

  test('after a jump back what is to come stays known', () => {
    const state = grown();
    state.apply(delta({ keep: 1, events: [], moment: 1, last: 3 }), true);
    expect([state.count, state.known]).toEqual([1, 3]);
    expect(names(state)).toEqual(['event_0', 'event_1', 'event_2']);
    state.apply(delta({ keep: 1, events: [event(1), event(2)], moment: 3, last: 3 }), true);
    expect([state.count, state.known]).toEqual([3, 3]);
  });

  test('doing something else there forgets it', () => {
    const state = grown();
    state.apply(delta({ keep: 1, moment: 1, last: 3 }), true);
    state.apply(delta({ keep: 1, events: [event(1, { name: 'other' })], moment: 2, last: 2 }), false);
    expect(names(state)).toEqual(['event_0', 'other']);
    expect(state.generation).toBe(1);
  });

  test('a hint read in the past forgets nothing', () => {
    const state = grown();
    state.apply(delta({ keep: 1, moment: 1, last: 3 }), true);
    state.apply(delta({ keep: 1, moment: 1, last: 3 }), false);
    expect([state.count, state.known]).toEqual([1, 3]);
  });

  test('of a very long trace only the end is there', () => {
    const state = new MachineState({
      ...sessionView().machine,
      events: [event(100), event(101)],
      moment: 102,
      last: 102,
    });
    expect([state.count, state.known, state.event(99), state.event(101)?.n]).toEqual([
      102,
      102,
      undefined,
      101,
    ]);
    expect(state.lastAction).toBe(100);
  });
});

describe('what happened', () => {
  const after = (...events: ReturnType<typeof event>[]): string | undefined => {
    const state = machine();
    state.apply(delta({ events, moment: events.at(-1)!.moment, last: 99 }), false);
    return state.happened?.name;
  };
  const action = event(0, { type: 'action', name: 'ICR' });

  test('is the event of the moment shown, a mark before a call', () => {
    expect(
      after(
        action,
        event(1, { name: 'init_latched', moment: 5 }),
        event(2, { type: 'call', name: 'kick', moment: 5 }),
      ),
    ).toBe('init_latched');
  });

  test('where the moment has none, it is the newest mark that is more than traffic', () => {
    const state = machine();
    const events = [
      action,
      event(1, { name: 'init_blocked' }),
      event(2, { name: 'seamcall' }),
      event(3, { type: 'tracepoint', name: 'kvm_entry' }),
    ];
    state.apply(delta({ events, moment: 50, last: 50 }), false);
    expect(state.happened?.name).toBe('init_blocked');
  });

  test('never reaches back behind the newest action', () => {
    const state = machine();
    const events = [
      event(0, { name: 'init_blocked' }),
      event(1, { type: 'action', name: 'KVM_RUN' }),
      event(2, { type: 'call', name: 'ioctl' }),
    ];
    state.apply(delta({ events, moment: 50, last: 50 }), false);
    expect(state.happened?.name).toBe('ioctl');
  });
});

test('a thread is found by its name', () => {
  const state = machine();
  state.apply(delta({ threads: [thread('td.vcpu1', { status: 'ready' })] }), false);
  expect(state.thread('td.vcpu1')?.status).toBe('ready');
  expect(state.thread('td.vcpu0')).toBeUndefined();
});
