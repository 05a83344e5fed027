import { describe, expect, test } from 'vitest';
import { NO_AIDS } from '../../src-main/contract';
import type { InputReply } from '../../src-lab/view';
import { delta, event, reply, sessionView, thread, told } from '../testing';
import { shortly } from '../testing.svelte';
import { LabState, type Checkpoint, type Input } from './lab.svelte';

interface Desk {
  readonly lab: LabState;
  readonly sent: (Input | { readonly peek: number })[];
  readonly said: string[];
  readonly filtered: string[];
}
/** A lab whose inputs are answered by `answer`; null is a call that failed. */
function lab(answer: (input: Input) => Partial<InputReply> | null = () => ({}), view = sessionView()): Desk {
  const sent: Desk['sent'] = [];
  const said: string[] = [];
  const filtered: string[] = [];
  const state = new LabState(view, {
    say: (sentence) => said.push(sentence),
    ask: async () => null,
    aids: () => NO_AIDS,
    keep: () => {},
    send: async (_, input) => {
      sent.push(input);
      const given = answer(input);
      return given === null ? null : reply(view, given);
    },
    peek: async (_, moment) => {
      sent.push({ peek: moment });
      return reply(view, answer({ kind: 'jump', moment }) ?? {});
    },
    filter: async (_, filter) => (filtered.push(filter.text), [Int32Array.of(filtered.length)]),
    events: async () => [],
  });
  return { lab: state, sent, said, filtered };
}

describe('inputs', () => {
  test('a refused input says so and changes nothing of the progress', async () => {
    const { lab: state, said } = lab(() => ({ accepted: false, refused: 'Nothing can step.', inputs: 0 }));
    expect(await state.run()).toBe(false);
    expect(state.refused).toEqual({ command: 'run', why: 'Nothing can step.' });
    expect(said).toEqual(['run was refused. Nothing can step.']);
  });

  test('the next accepted input clears the refusal', async () => {
    let refuse = true;
    const { lab: state } = lab(() => (refuse ? { accepted: false, refused: 'No.' } : {}));
    await state.run();
    refuse = false;
    await state.reset();
    expect(state.refused).toBeNull();
  });

  test('a call that failed leaves everything as it was', async () => {
    const { lab: state, said } = lab(() => null);
    expect(await state.act({ vmm: 'KVM_RUN' }, 'vmm KVM_RUN')).toBe(false);
    expect([state.inputs, state.refused, said]).toEqual([0, null, []]);
  });

  test('an action is followed by its outcome, for those who listen', async () => {
    const outcome = {
      command: 'vmm KVM_RUN',
      kind: 'returned' as const,
      value: '-EINVAL',
      exit: null,
      say: 'KVM_RUN returned -EINVAL.',
    };
    const { lab: state, said } = lab(() => ({ machine: delta({ outcome }) }));
    await state.act({ vmm: 'KVM_RUN' }, 'vmm KVM_RUN');
    expect(said).toEqual(['KVM_RUN returned -EINVAL.']);
  });
});

describe('scrubbing', () => {
  const far = { ...sessionView(), machine: { ...sessionView().machine, moment: 0, last: 100 } };
  const toMoment = (input: Input): Partial<InputReply> => ({
    machine: delta({ moment: input.kind === 'jump' ? input.moment : 0, last: 100 }),
  });

  test('sends one jump at a time, and of those that waited only the last', async () => {
    const { lab: state, sent } = lab(toMoment, far);
    const first = state.jump(10);
    for (const moment of [20, 30, 40]) void state.jump(moment);
    await first;
    expect(sent).toEqual([
      { kind: 'jump', moment: 10 },
      { kind: 'jump', moment: 40 },
    ]);
    expect(state.machine.moment).toBe(40);
  });

  test('shows moments on the way without going there; only where the learner stops becomes an input', async () => {
    const { lab: state, sent } = lab(toMoment, far);
    const first = state.peek(10);
    for (const moment of [20, 30]) void state.peek(moment);
    expect([state.heading, state.machine.moment]).toEqual([30, 0]);
    await first;
    expect([state.heading, state.machine.moment]).toEqual([null, 30]);
    await state.jump(30);
    expect(sent).toEqual([{ peek: 10 }, { peek: 30 }, { kind: 'jump', moment: 30 }]);
    await state.jump(30);
    expect(sent).toHaveLength(3);
  });

  test('stays within the line of history', async () => {
    const { lab: state, sent } = lab(toMoment, far);
    await state.jump(-5);
    await state.jump(500);
    expect(sent).toEqual([{ kind: 'jump', moment: 100 }]);
  });

  test('a finding leads to its event and its moment', async () => {
    const { lab: state, sent } = lab(toMoment, far);
    await state.showEvent(7, 42);
    expect(sent).toEqual([{ kind: 'jump', moment: 42 }]);
    expect([state.event, state.region, state.tab]).toEqual([7, 'timeline', 'trace']);
  });
});

describe('the filter of the trace', () => {
  const words = (text: string) => ({ ...sessionView().filter, text });

  test('is asked for one at a time, and of those that waited only the last; rows say which one they are of', async () => {
    const { lab: state, filtered } = lab();
    const first = state.show(words('k'));
    for (const text of ['kv', 'kvm']) void state.show(words(text));
    expect([state.filter.text, state.filtered.text]).toEqual(['kvm', '']);
    await first;
    expect([filtered, state.filtered.text, state.machine.rows.at(0)]).toEqual([['k', 'kvm'], 'kvm', 2]);
  });

  test('is asked for anew when the session comes back with another', async () => {
    const { lab: state, filtered } = lab();
    await state.show(words('exit'));
    state.restore(sessionView());
    await expect.poll(() => filtered).toEqual(['exit', 'exit']);
  });
});

describe('the chosen thread', () => {
  const threads = [thread('vmm'), thread('td.vcpu0')];

  test('follows who acted last until one is chosen', async () => {
    const { lab: state } = lab(() => ({
      machine: delta({ threads, trace: told([event(0, { thread: 'td.vcpu0' })]), moment: 1, last: 1 }),
    }));
    expect(state.thread?.name).toBe('vmm');
    await state.run();
    expect([state.thread?.name, state.follows]).toEqual(['td.vcpu0', true]);
    state.choose('vmm');
    await state.run();
    expect([state.thread?.name, state.follows]).toEqual(['vmm', false]);
    state.choose(null);
    expect(state.thread?.name).toBe('td.vcpu0');
  });
});

describe('steps', () => {
  test('the next step is reachable when main says so, not before', () => {
    const { lab: state } = lab();
    expect(state.nextStep?.id).toBe('two');
    expect(state.isReachable('two')).toBe(false);
    expect(state.previousStep).toBeUndefined();
  });

  test('a step is settled when its own checkpoints are passed or shown', () => {
    const view = sessionView();
    const passed = {
      ...view.progress,
      checkpoints: view.progress.checkpoints.map((one) =>
        one.id === 'first' ? { ...one, state: 'revealed' as const } : one,
      ),
    };
    const { lab: state } = lab(() => ({}), { ...view, progress: passed });
    expect([state.isSettled('one'), state.isSettled('two')]).toEqual([true, false]);
  });

  describe('what is being written survives leaving the step', () => {
    const view = sessionView();
    const items = ['a', 'b'].map((id) => ({ id, label: id }));
    const forms: Checkpoint['form'][] = [
      { type: 'order', items },
      { type: 'build', goals: [], max: 3, only: null, without: [] },
    ];
    const checkpoints = view.lab.checkpoints.map((one, i) => ({ ...one, form: forms[i]! }));
    const { lab: state } = lab(() => ({}), { ...view, lab: { ...view.lab, checkpoints } });

    test('a sequence', () => {
      shortly(() => state.ordering('first')).put('b');
      expect(state.ordering('first').placed).toEqual(['b']);
    });

    test('a script, with what could follow', () => {
      const { line } = shortly(() => {
        const [row] = state.script('second').rows;
        expect(row!.line.isOpen).toBe(false);
        return row!;
      });
      line.put('ru');
      expect(line.completions.options.map(({ text }) => text)).toEqual(['run', 'run-back', 'run-on']);
    });
  });
});
