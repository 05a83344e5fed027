import type { Timeline } from '../../src-sim';
import { explore, interleavings } from '../../src-sim/explore/explore';
import { commandOf } from '../../src-sim/scenario/action';
import { Monitor, type Condition } from '../../src-sim/scenario/condition';
import { didYouMean } from '../issue';
import { perform, type Move } from '../machines';
import type { ScheduleCheckpoint } from '../schema';
import { arrange, type Answer, type AnsweredKind, type Ground, type Key, type Watcher } from './kind';
import { lintCondition } from './patterns';

/** The answer by which a learner says that no schedule leads to the goal. */
export const CANNOT = 'cannot';

/** `schedule`: the learner chooses which thread steps next until the goal holds, or says that it cannot. */
export const schedule: AnsweredKind<ScheduleCheckpoint> = {
  how: 'answered',
  demonstratesAttempts: true,

  lint(source, lint) {
    source.begin.forEach((part, i) => {
      if (!('step' in part)) lint.actions([part], ['begin']);
      else if (lint.layout.find(`${part.step}.thread.status`) === null) {
        lint.issue(['begin', i, 'step'], `There is no thread "${part.step}".`, '');
      }
    });
    lint.on(source.on, ['on']);
    lintCondition(source.goal.condition, lint, ['goal', 'condition']);
    source.feedback.forEach(({ when }, i) => {
      if (!('says' in when)) lintCondition(when, lint, ['feedback', i, 'when']);
    });
  },

  form: ({ goal, begin, max }) => ({
    type: 'schedule',
    goal: goal.say,
    begun: begin.flatMap((part) => ('step' in part ? [] : [commandOf(part)])),
    max,
  }),

  runs: () => [],

  demonstrate: (source, answer) => [
    ...begun(source),
    ...(answer === CANNOT ? [] : picksOf(answer).map((thread) => ({ thread }))),
  ],

  key(source, ground) {
    const { path, states, complete } = explore(
      interleavings(beginning(source, ground), source.goal.condition),
      source.budget,
    );
    const none: Omit<Key, 'answer' | 'words'> = { moment: null, event: null };
    if (path !== null) {
      return {
        answer: compressed(path),
        words: compressed(path).join(', '),
        reveal: 'It can happen. The machine has just gone one schedule; step back to see how.',
        ...none,
      };
    }
    const counted = `${states} states were visited`;
    if (!complete) return { answer: '', words: `not known: ${counted}, and there are more`, ...none };
    return {
      answer: CANNOT,
      words: 'it cannot happen',
      reveal: `It cannot happen: ${counted}, all there are, and the goal holds in none.`,
      ...none,
    };
  },

  unfit(source, answer, ground) {
    if (answer === CANNOT) return null;
    if (typeof answer === 'string') return 'Give the threads in the order in which they step, or say cannot.';
    const picks = picksOf(answer);
    if (picks.length === 0) return 'Let at least one thread step.';
    if (picks.length > source.max) return `These are ${picks.length} steps, and at most ${source.max} are allowed.`; // prettier-ignore
    const timeline = beginning(source, ground);
    const { machine } = timeline;
    for (const [i, pick] of picks.entries()) {
      if (timeline.step(pick)) continue;
      const names = machine.threadInfos.map(({ name }) => name);
      if (!names.includes(pick)) return `There is no thread "${pick}". ${didYouMean(pick, names)}`.trim();
      return `Step ${i + 1}: ${pick} cannot step there.`;
    }
    return null;
  },

  grade(source, key, answer, _wrong, ground) {
    const says = answer === CANNOT ? 'cannot' : 'can';
    const watched = source.feedback.flatMap(({ when }) => ('says' in when ? [] : [when]));
    const timeline = beginning(source, ground);
    const monitor = new Monitor(timeline, [reached(source.goal.condition), ...watched]);
    if (says === 'can')
      for (const pick of picksOf(answer)) {
        timeline.step(pick);
        monitor.observe();
      }
    const [goal, ...verdicts] = monitor.verdicts();
    const truth = new Map(watched.map((condition, i) => [condition, verdicts[i]!.holds]));
    const passed = says === 'cannot' ? key.answer === CANNOT : goal!.holds;
    const found = passed
      ? -1
      : source.feedback.findIndex(({ when }) =>
          'says' in when ? when.says === says : says === 'can' && truth.get(when) === true,
        );
    const { observed, moment, event } = goal!;
    const finding = { expected: source.goal.say, observed, moment, event, holds: goal!.holds };
    return {
      passed,
      points: passed ? source.points : 0,
      feedback: found < 0 ? null : found,
      words: says === 'cannot' ? 'it cannot happen' : compressed(picksOf(answer)).join(', '),
      opened: null,
      findings: says === 'cannot' ? [] : [{ ...finding, ...(source.on === 'b' ? { on: source.on } : {}) }],
    };
  },

  doubt(source, key, ground) {
    const where = `"${source.id}"`;
    if (key.answer === '') {
      return {
        message: `Whether the goal of ${where} can be reached is ${key.words}.`,
        remedy: 'Begin fewer actions, take steps beforehand, or raise the budget.',
      };
    }
    if (typeof key.answer !== 'string' && key.answer.length === 0) {
      return { message: `The goal of ${where} holds before anything steps.`, remedy: 'Ask for something that must happen.' }; // prettier-ignore
    }
    const unfit = typeof key.answer === 'string' ? null : this.unfit(source, key.answer, ground);
    if (unfit !== null) return { message: `A schedule of ${where} cannot be given: ${unfit}`, remedy: '' };
    const choices = new Set(beginning(source, ground).machine.threads().filter(({ enabled }) => enabled)); // prettier-ignore
    if (choices.size > 1) return null;
    return {
      message: `There is nothing to choose in ${where}.`,
      remedy: 'Begin actions on several threads.',
    };
  },

  // The other claim; and the schedule of whoever lets each thread run to its end.
  mutants(source, _key, given, ground) {
    if (given !== CANNOT) return [CANNOT];
    const timeline = beginning(source, ground);
    const from = timeline.moment;
    timeline.settle(source.max);
    return [compressed(timeline.stepsSince(from) ?? [])];
  },
};

/** What is done before the choices of a schedule begin. */
export function begun({ begin }: ScheduleCheckpoint): Move[] {
  return begin.flatMap((part): Move[] =>
    'step' in part
      ? Array.from({ length: part.times }, () => ({ thread: part.step }))
      : [{ act: part, hold: true }],
  );
}

/** Watches whether the goal of a schedule was reached, from where its choices begin. */
export function watchGoal({ goal }: ScheduleCheckpoint, timeline: Timeline): Watcher {
  const monitor = new Monitor(timeline, [reached(goal.condition)]);
  return {
    observe: () => monitor.observe(),
    look: () => ({ passed: monitor.holds(0), findings: [], feedback: [] }),
  };
}

/** A goal that was reached stays reached: a schedule may go on. */
function reached(condition: Condition): Condition {
  return { all: [condition], when: 'ever' };
}

function beginning(source: ScheduleCheckpoint, ground: Ground): Timeline {
  const timeline = arrange(ground);
  perform(timeline, begun(source));
  return timeline;
}

/** `['vmm', 'vmm', 'td.vcpu0']` as `['vmm x2', 'td.vcpu0']`. */
export function compressed(picks: readonly string[]): string[] {
  const runs: { name: string; times: number }[] = [];
  for (const name of picks) {
    const last = runs.at(-1);
    if (last?.name === name) last.times++;
    else runs.push({ name, times: 1 });
  }
  return runs.map(({ name, times }) => (times === 1 ? name : `${name} x${times}`));
}

/** One name a step; of a number that no schedule may have, the first. */
function picksOf(answer: Answer): string[] {
  return [answer].flat().flatMap((pick) => {
    const [, name = '', times = '1'] = /^(.*?)(?: x([0-9]{1,4}))?$/s.exec(pick) ?? [];
    return Array.from({ length: Math.min(2_001, Number(times)) }, () => name);
  });
}
