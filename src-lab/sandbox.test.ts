import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ActionSchema } from '../src-sim/scenario/action';
import { runScenario } from '../src-sim/scenario/runner';
import { parseScenario } from '../src-sim/scenario/scenario';
import { writeScenario } from '../src-sim/scenario/write';
import { Input } from './input';
import { stepsOf } from './notebook';
import { faultsOf, inputsOf, SANDBOX_LAB, scriptOf, switchDocs } from './sandbox';
import type { Setup } from './setup';
import { Shown } from './show';
import { inputsOf as anyInputsOf } from './testing/inputs';
import { act, INIT, jump, Learner, reset, run } from './testing/play';
import { tinyLab } from './testing/tiny';
import { InputReply, SessionView } from './view';

const setup = (rest: Partial<Setup> = {}): Setup => ({
  title: 'td with 2 vCPUs',
  platform: { vms: { td: 2, vmx: 2 }, switches: {} },
  begin: [],
  scenario: null,
  compare: null,
  ...rest,
});
const build = (rest: Partial<Setup> = {}): Input => Input.parse({ kind: 'build', setup: setup(rest) });
const sandbox = (rest: Partial<Setup> = {}) => new Learner(SANDBOX_LAB).does(build(rest));
const v1AndV2: Partial<Setup> = {
  compare: { a: { label: 'v1', switches: { apicv_v1: true } }, b: { label: 'v2', switches: {} } },
};
const BOOT = ActionSchema.parse({ boot: 'td', vm: 'td' });
const boot: Input = { kind: 'act', action: BOOT };
const create = act('vmm KVM_CREATE_VM vm=td type=KVM_X86_TDX_VM');

/** The machine that is shown, saved as a scenario file and read back. */
function saved(learner: Learner) {
  const { timeline, deeds, viewed, rig } = learner;
  const text = writeScenario('Saved: "so"', rig[viewed]!.platform, stepsOf(timeline, deeds, viewed));
  const read = parseScenario(text);
  if (!read.ok) throw new Error(`${text}\n${JSON.stringify(read.errors)}`);
  return { text, scenario: read.value };
}

describe('a sandbox', () => {
  test('is built by its first input, and by no other; a lab is not', () => {
    expect(sandbox({ platform: { vms: { one: 3 }, switches: {} } }).timeline.platform.vms).toEqual({
      one: 3,
    });
    expect(sandbox().refusal(build())).toContain('built already');
    expect(new Learner(tinyLab()).refusal(build())).toContain('built by its author');
  });

  test('an action that the platform has no room for is refused: a file of it could not be run', () => {
    expect(sandbox().refusal(act('vmm KVM_CREATE_VCPU vm=td vcpu=5'))).toContain('"td" has 2 vCPUs');
  });

  test('is reset to what it began with', () => {
    const learner = sandbox({ begin: [BOOT] });
    const at = learner.timeline.machine.hash();
    learner.does(INIT('td'));
    expect(learner.timeline.machine.hash()).not.toBe(at);
    expect(learner.does(reset).timeline.machine.hash()).toBe(at);
  });

  test('is never complete: there is nothing to settle', () => {
    expect(sandbox().progress()).toMatchObject({ complete: false, score: 0, checkpoints: [] });
  });

  test('tells the screen what it was built as, in the words of the machine', () => {
    const view = SessionView.parse(new Shown(sandbox(v1AndV2)).view());
    expect(view.sandbox).toMatchObject({ title: 'td with 2 vCPUs', scenario: null });
    expect(view.sandbox!.switches).toEqual([[switchDocs().find(({ name }) => name === 'apicv_v1')], []]);
    expect(view.vms).toEqual([
      { name: 'td', vcpus: 2 },
      { name: 'vmx', vcpus: 2 },
    ]);
    expect(new Shown(new Learner(tinyLab())).view().sandbox).toBeNull();
  });

  test('a platform that cannot be built is told of in words, each with the VM it is about', () => {
    const of = (vms: Record<string, number>, begin: Setup['begin'] = []) =>
      faultsOf({ platform: { vms, switches: {} }, begin, compare: null });
    expect(of({ td: 2 })).toEqual([]);
    expect(of({})).toEqual([{ at: null, say: 'The platform must have at least one VM.' }]);
    expect(of({ a: 4, b: 5 })).toEqual([{ at: null, say: 'The platform must have at most 8 vCPUs in all.' }]);
    expect(of({ td: 9 })[0]).toEqual({ at: 'td', say: '"td" must have 1 to 8 vCPUs.' });
    expect(of({ vmm: 1 })).toEqual([
      { at: 'vmm', say: '"vmm" cannot be the name of a VM: it must be a name that no other state has.' },
    ]);
    expect(of({ 'My VM': 1 })[0]!.say).toContain('a lower-case name');
    expect(of({ td: 1 }, [BOOT])[0]!.say).toContain('"td" has 1 vCPUs');
  });
});

describe('the notebook', () => {
  test('lists what was done on the line of history that is shown, with what came of it', () => {
    const learner = sandbox({ begin: [BOOT] });
    learner.does(INIT('td'), act('vmm KVM_GET_MP_STATE vm=td vcpu=1'));
    const lines = new Shown(learner).view().notebook;
    expect(lines.map(({ command, given }) => [command.split(' ').slice(0, 2).join(' '), given])).toEqual([
      ['boot td', true],
      ['vmm KVM_SIGNAL_MSI', false],
      ['vmm KVM_GET_MP_STATE', false],
    ]);
    expect(lines[1]!.at).toEqual([{ from: lines[0]!.at[0]!.to, to: lines[2]!.at[0]!.from, value: '1' }]);
  });

  test('what was done in the middle of something leaves only its beginning before it', () => {
    const learner = sandbox().does(boot, INIT('td'));
    const { to } = learner.deeds[0]!;
    learner.does(jump(to[0]! - 3), run);
    expect(learner.deeds.map(({ cut, move }) => [cut, 'run' in move])).toEqual([
      [true, false],
      [false, true],
    ]);
  });

  test('the screen is told what changed only', () => {
    const learner = sandbox();
    const shown = new Shown(learner);
    shown.view();
    const reply = (input: Input) => InputReply.parse(shown.reply(learner.apply(input))).notebook;
    expect(reply(create)).toMatchObject({ keep: 0, lines: [{ given: false, cut: false }] });
    expect(reply(jump(0))).toEqual({ keep: 1, lines: [] });
    expect(reply(create)).toMatchObject({ keep: 0, lines: [{}] });
    expect(reply(reset)).toEqual({ keep: 0, lines: [] });
  });

  test('whatever was done, a file of it leads to the same bytes from power-on', () => {
    const inputs = fc.array(anyInputsOf(tinyLab()), { minLength: 5, maxLength: 25 });
    fc.assert(
      fc.property(inputs, fc.constantFrom({}, v1AndV2), (sequence, of) => {
        const learner = sandbox(of);
        for (const input of sequence) learner.apply(input);
        learner.does(jump(learner.timeline.last));
        const { scenario } = saved(learner);
        expect(runScenario(scenario).hash).toBe(learner.timeline.machine.hash());
      }),
      { numRuns: 60 },
    );
  });

  test('a scenario done step by step is the scenario run', () => {
    const { scenario } = saved(sandbox().does(boot, act('guest SVR vm=td vcpu=1', true), run, INIT('td')));
    const steps = scriptOf(scenario).map(({ input }) => input);
    expect(
      sandbox()
        .does(...steps)
        .timeline.machine.hash(),
    ).toBe(runScenario(scenario).hash);
  });
});

describe('a comparison in a sandbox', () => {
  test('one machine alone can be told to do something, and the other stays', () => {
    const learner = sandbox(v1AndV2).does({ ...create, on: 'b' } as Input);
    expect(learner.timelines.map(({ moment }) => moment > 0)).toEqual([false, true]);
    expect(learner.deeds[0]).toMatchObject({ on: 1, differing: { news: true } });
    expect(sandbox().refusal({ ...create, on: 'b' } as Input)).toBe('There is only one machine here.');
    expect(new Learner(tinyLab()).refusal({ ...create, on: 'b' } as Input)).toContain('the same inputs');
  });

  test('the end of one machine stands beside the end of the other', () => {
    const learner = sandbox(v1AndV2).does(
      { ...create, on: 'b' } as Input,
      { kind: 'look', at: 'a' },
      jump(0),
    );
    expect(learner.timelines.map(({ moment, last }) => moment === last)).toEqual([true, true]);
  });

  test('what was done to one machine can be done again to two', () => {
    const learner = sandbox().does(boot, INIT('td'));
    const again = sandbox(v1AndV2).does(...inputsOf(learner.timeline, learner.deeds, 0));
    expect(again.deeds.map(({ differing }) => (differing?.count ?? 0) > 0)).toEqual([true, true]);
    expect(
      again.timelines[1]!.machine.show(again.timelines[1]!.machine.layout.find('td.vcpu1.mp_state')!),
    ).toBe(learner.shows('td.vcpu1.mp_state'));
  });

  test('deltas of both machines add up, whichever is viewed', () => {
    const learner = sandbox(v1AndV2);
    const shown = new Shown(learner);
    const view = shown.view();
    const values = { a: [...view.machine.values], b: [] as string[] };
    for (const [i, value] of view.other!.changed) values.b[i] = value;
    const inputs: Input[] = [
      boot,
      { kind: 'look', at: 'b' },
      INIT('td'),
      jump(20),
      run,
      { kind: 'look', at: 'a' },
    ];
    for (const input of inputs) {
      const { machine, other } = shown.reply(learner.apply(input));
      const { viewed } = machine.compare!;
      for (const [i, value] of machine.changed) values[viewed][i] = value;
      for (const [i, value] of other!.changed) values[viewed === 'a' ? 'b' : 'a'][i] = value;
    }
    const truth = (i: number) => {
      const { machine } = learner.timelines[i]!;
      return machine.layout.leaves.map((leaf) => machine.show(leaf));
    };
    expect(values).toEqual({ a: truth(0), b: truth(1) });
  });
});
