import { Timeline } from '../src-sim';
import { Platform, type Switches } from '../src-sim/scenario/platform';
import { playScenario } from '../src-sim/scenario/runner';
import type { Scenario } from '../src-sim/scenario/scenario';
import { SWITCHES } from '../src-sim/world';
import { misfit } from './fits';
import type { Input } from './input';
import { didYouMean } from './issue';
import type { Lab } from './lab';
import { wordsOf, type Deed, type Move, type Rig } from './machines';
import { piecewise } from './notebook';
import { SANDBOX, type Setup } from './setup';
import { sha256Hex } from './transcript';
import type { SwitchDoc } from './view';

const step = 'sandbox';

/**
 * The machine without a lab, as a lab: one step, no checkpoints. Its first input says what the machine is, so that
 * transcripts, replay and recovery are those of any lab.
 */
export const SANDBOX_LAB: Lab = {
  source: {
    format: 1,
    id: SANDBOX,
    number: 99,
    title: 'Sandbox',
    summary: 'The machine without a lab.',
    minutes: 5,
    objectives: [],
    prerequisites: [],
    platform: { vms: { td: 2 } },
    seeds: [],
    policy: { retry: 'best', wrong_costs: 0, reveal_after: 1 },
    misconceptions: {},
    terms: {},
    situations: {},
    diagrams: {},
    steps: [{ id: step, gate: false }],
    checkpoints: [],
  },
  id: SANDBOX,
  steps: [
    {
      id: step,
      title: 'Sandbox',
      gate: false,
      fresh: true,
      situation: [],
      rig: [{ id: 'a', label: '', platform: { vms: { td: 2 } } }],
      allowed: { only: null, without: [] },
      body: [],
    },
  ],
  checkpoints: [],
  diagrams: [],
  misconceptions: new Map(),
  points: 0,
  contentHash: sha256Hex('sandbox/1'),
};

/** Every switch that a platform can have, with the words of the machine's own declaration. */
export function switchDocs(): SwitchDoc[] {
  const { leaves } = new Timeline({ vms: {} }).machine.layout;
  return leaves.flatMap(({ path, doc, source }) =>
    path.startsWith('variant.') ? [{ name: path.slice('variant.'.length), doc, source }] : [],
  );
}

/** The machines of a sandbox. @param setup - without faults. */
export function rigOf({ platform: { vms, switches }, compare }: Setup): Rig {
  const own = (given: Setup['platform']['switches']): Platform => ({ vms, switches: given as Switches });
  if (compare === null) return [{ id: 'a', label: '', platform: own(switches) }];
  const { a, b } = compare;
  return [
    { id: 'a', label: a.label, platform: own(a.switches) },
    { id: 'b', label: b.label, platform: own(b.switches) },
  ];
}

/** What is wrong with a setup, in words: `at` is the name of a VM, or null where it is all of them. */
export interface SetupFault {
  readonly at: string | null;
  readonly say: string;
}

/** Everything that keeps a platform, and what it begins with, from being built; empty when it can be. */
export function faultsOf({
  platform,
  begin,
  compare,
}: Pick<Setup, 'platform' | 'begin' | 'compare'>): SetupFault[] {
  for (const { switches } of [platform, ...(compare === null ? [] : [compare.a, compare.b])]) {
    const unknown = Object.keys(switches).find((name) => !(SWITCHES as readonly string[]).includes(name));
    if (unknown !== undefined)
      return [{ at: null, say: `There is no switch "${unknown}". ${didYouMean(unknown, SWITCHES)}`.trim() }];
  }
  const parsed = Platform.safeParse(platform);
  if (!parsed.success) {
    return parsed.error.issues.map(({ path, message, code, ...issue }) => {
      const vm = path[0] === 'vms' && path.length > 1 ? String(path[1]) : null;
      if (code === 'invalid_key') {
        const [key] = (issue as { issues: readonly { message: string }[] }).issues;
        return { at: vm, say: `"${vm}" cannot be the name of a VM: it must be ${key?.message}.` };
      }
      if (vm !== null) return { at: vm, say: `"${vm}" must have 1 to 8 vCPUs.` };
      return { at: null, say: `The platform must have ${message}.` };
    });
  }
  return begin.flatMap((action) => {
    const wrong = misfit(parsed.data, action);
    return wrong === null ? [] : [{ at: 'vm' in action ? action.vm : null, say: wrong.message }];
  });
}

/** What is on, of each machine. */
export function switchesOf(rig: Rig): SwitchDoc[][] {
  const docs = switchDocs();
  return rig.map(({ platform: { switches = {} } }) =>
    docs.filter(({ name }) => (switches as Readonly<Record<string, boolean>>)[name] === true),
  );
}

/** A step of a scenario as the learner does it: the words of the notebook, and the input. */
export interface ScriptStep {
  readonly command: string;
  readonly input: Input;
}

/**
 * The steps of a scenario as inputs. What goes on until something happens becomes as many atomic steps as that takes when
 * the scenario is run; expectations are left out.
 */
export function scriptOf(scenario: Scenario): ScriptStep[] {
  const { report, timeline } = playScenario(scenario);
  return scenario.steps
    .flatMap((step, i): Move[] => {
      const { from, to } = report.steps[i] ?? { from: 0, to: 0 };
      if (step.kind === 'expect') return [];
      if (step.kind === 'run') return from === to ? [] : [{ run: true }];
      if (step.kind !== 'action') return piecewise(timeline.choices(from, to));
      return [{ act: step.action, hold: step.hold }];
    })
    .map((move) => ({ command: wordsOf(move), input: inputOf(move) }));
}

function inputOf(move: Move): Input {
  if ('run' in move) return { kind: 'run' };
  if ('thread' in move) return { kind: 'step', thread: move.thread, times: move.times ?? 1 };
  return { kind: 'act', action: move.act, ...(move.hold === true && { hold: true }) };
}

/**
 * What was done to a machine, as inputs of another session: what it began with is left out. Of what was cut off, the steps
 * that were taken are inputs of their own.
 *
 * @param i - index of the machine among those that the deeds were done to.
 */
export function inputsOf(timeline: Timeline, deeds: readonly Deed[], i: number): Input[] {
  return deeds.flatMap(({ move, given, cut, on, from, to }) => {
    if (given || (on !== null && on !== i)) return [];
    const choices = timeline.choices(from[i]!, to[i]!);
    if (choices.length === 0) return [];
    return (cut || 'thread' in move ? piecewise(choices) : [move]).map(inputOf);
  });
}
