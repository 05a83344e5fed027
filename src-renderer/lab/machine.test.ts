import { describe, expect, test } from 'vitest';
import type { EventView } from '../../src-lab/view';
import { delta, event, sessionView, thread, told } from '../testing';
import { MachineState, type ReadEvents } from './machine.svelte';

const machine = (read: ReadEvents = async () => null): MachineState =>
  new MachineState(sessionView().machine, read);
const names = (state: MachineState): (string | undefined)[] =>
  Array.from({ length: state.known }, (_, n) => state.event(n)?.name);

test('values are known by path; what the last input changed is marked', () => {
  const state = machine();
  expect(state.value('td.vcpu0.mp_state')).toBe('RUNNABLE');
  expect(state.value('no.such.path')).toBeUndefined();
  state.apply(delta({ changed: [[0, 'HALTED']], moment: 1, last: 1 }));
  expect(state.value('td.vcpu0.mp_state')).toBe('HALTED');
  expect([state.hasChanged('td.vcpu0.mp_state'), state.hasChanged('last.return')]).toEqual([true, false]);
  state.apply(delta({ changed: [[1, '1']], moment: 2, last: 2 }));
  expect([state.hasChanged('td.vcpu0.mp_state'), state.hasChanged('last.return')]).toEqual([false, true]);
});

test('an input that touched nothing of the machine leaves the marks', () => {
  const state = machine();
  state.apply(delta({ changed: [[0, 'HALTED']], moment: 1, last: 1 }));
  state.apply(delta({ moment: 1, last: 1 }));
  expect(state.hasChanged('td.vcpu0.mp_state')).toBe(true);
});

test('of a machine that is seen for the first time nothing has changed', () => {
  const other = machine().first(delta({ changed: [[0, 'HALTED']], moment: 1, last: 1 }));
  expect(other.value('td.vcpu0.mp_state')).toBe('HALTED');
  expect(other.hasChanged('td.vcpu0.mp_state')).toBe(false);
});

describe('the trace', () => {
  const rows = (state: MachineState): (number | undefined)[] =>
    Array.from({ length: state.rows.length }, (_, i) => state.rows.at(i));
  const grown = (read?: ReadEvents): MachineState => {
    const state = machine(read);
    state.apply(delta({ trace: told([event(0), event(1), event(2)]), moment: 3, last: 3 }));
    return state;
  };
  const back = (count: number) => told([], { keep: 3, count, known: 3, from: count - 1 });

  test('grows by the events of a delta', () => {
    const state = grown();
    state.apply(delta({ trace: told([event(3)], { keep: 3 }), moment: 4, last: 4 }));
    expect(names(state)).toEqual(['event_0', 'event_1', 'event_2', 'event_3']);
    expect([rows(state), state.generation]).toEqual([[0, 1, 2, 3], 0]);
  });

  test('after a jump back what is to come stays known', () => {
    const state = grown();
    state.apply(delta({ trace: back(1), moment: 1, last: 3 }));
    expect([state.count, state.known]).toEqual([1, 3]);
    expect([names(state), rows(state)]).toEqual([
      ['event_0', 'event_1', 'event_2'],
      [0, 1, 2],
    ]);
    state.apply(delta({ trace: back(3), moment: 3, last: 3 }));
    expect([state.count, state.known, state.generation]).toEqual([3, 3, 0]);
  });

  test('doing something else there forgets it', () => {
    const state = grown();
    state.apply(delta({ trace: back(1), moment: 1, last: 3 }));
    state.apply(delta({ trace: told([event(1, { name: 'other' })], { keep: 1 }), moment: 2, last: 2 }));
    expect([names(state), rows(state)]).toEqual([
      ['event_0', 'other'],
      [0, 1],
    ]);
    expect(state.generation).toBe(1);
  });

  test('a hint read in the past forgets nothing', () => {
    const state = grown();
    for (let i = 0; i < 2; i++) state.apply(delta({ trace: back(1), moment: 1, last: 3 }));
    expect([state.count, state.known, state.generation]).toEqual([1, 3, 0]);
  });

  test('knows the moments of actions and the names of events, each once, of this line of history', () => {
    const state = machine();
    const action = (n: number) => event(n, { type: 'action', name: 'KVM_RUN' });
    state.apply(delta({ trace: told([action(0), event(1, { name: 'kvm_exit' }), action(2)]) }));
    expect([state.names, state.actions.length]).toEqual([['KVM_RUN', 'kvm_exit'], 2]);
    const actions = { keep: 1, moments: Int32Array.of(9) };
    state.apply(delta({ trace: told([event(2, { name: 'ICR' })], { keep: 2, actions }) }));
    expect([state.names, state.actions.at(1)]).toEqual([['ICR', 'KVM_RUN', 'kvm_exit'], 9]);
  });

  test('asks for events that are looked at, of several looks at once for the last, and never twice', async () => {
    const asked: number[][] = [];
    const answers: (() => void)[] = [];
    const state = machine((_, numbers) => {
      asked.push(numbers);
      return new Promise((resolve) => answers.push(() => resolve(numbers.map((n) => event(n)))));
    });
    state.apply(delta({ trace: told([event(99)], { keep: 0, from: 99 }), moment: 100, last: 100 }));
    state.look([10, 11, 99]);
    state.look([20]);
    state.look([11, 30]);
    expect([asked, state.event(10)]).toEqual([[[10, 11]], undefined]);
    answers[0]!();
    await expect.poll(() => asked).toEqual([[10, 11], [30]]);
    expect(state.event(11)?.name).toBe('event_11');
    answers[1]!();
    await expect.poll(() => state.event(30)?.n).toBe(30);
    state.look([10, 30]);
    expect([asked.length, state.event(20)]).toEqual([2, undefined]);
  });

  test('an event that was looked at is forgotten when another line of history replaces it', async () => {
    const state = machine(async (_, numbers) => numbers.map((n) => event(n)));
    state.apply(delta({ trace: told([event(99)], { from: 99 }), moment: 100, last: 100 }));
    await state.fetch(10);
    await state.fetch(60);
    state.apply(delta({ trace: told([event(50)], { keep: 50, from: 50 }), moment: 51, last: 51 }));
    expect([state.event(10)?.n, state.event(60)]).toEqual([10, undefined]);
  });

  test('a call that was known without its return is asked for again', async () => {
    let text: string | null = null;
    const read = async (): Promise<EventView[]> => [event(1, { type: 'call', leaf: text })];
    const state = machine(read);
    state.apply(delta({ trace: told([], { count: 2, known: 2, from: 2 }) }));
    expect((await state.fetch(1))?.leaf).toBeNull();
    text = '0';
    state.apply(delta({ trace: told([event(2, { type: 'return' })], { keep: 2, from: 2 }) }));
    expect((await state.fetch(1))?.leaf).toBe('0');
  });
});

describe('what happened', () => {
  const after = (...events: ReturnType<typeof event>[]): string | undefined => {
    const state = machine();
    state.apply(delta({ trace: told(events), moment: events.at(-1)!.moment, last: 99 }));
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
    state.apply(delta({ trace: told(events), moment: 50, last: 50 }));
    expect(state.happened?.name).toBe('init_blocked');
  });

  test('never reaches back behind the newest action', () => {
    const state = machine();
    const events = [
      event(0, { name: 'init_blocked' }),
      event(1, { type: 'action', name: 'KVM_RUN' }),
      event(2, { type: 'call', name: 'ioctl' }),
    ];
    state.apply(delta({ trace: told(events), moment: 50, last: 50 }));
    expect(state.happened?.name).toBe('ioctl');
  });
});

test('a thread is found by its name', () => {
  const state = machine();
  state.apply(delta({ threads: [thread('td.vcpu1', { status: 'ready' })] }));
  expect(state.thread('td.vcpu1')?.status).toBe('ready');
  expect(state.thread('td.vcpu0')).toBeUndefined();
});
