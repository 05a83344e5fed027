import { Monitor, type Condition } from '../../src-sim/scenario/condition';
import { commandOf, type Action } from '../../src-sim/scenario/action';
import { fitsPattern } from '../action-pattern';
import { parseCommand } from '../command';
import { forbidden, misfit, type Allowed } from '../fits';
import { perform } from '../machines';
import type { BuildCheckpoint, BuildCondition } from '../schema';
import { arrange, type Answer, type AnsweredKind, type Ground } from './kind';
import { lintCondition } from './patterns';

/** `build`: the learner writes actions that reach the goals, within the constraints. */
export const build: AnsweredKind<BuildCheckpoint> = {
  how: 'answered',
  demonstratesAttempts: true,

  lint(source, lint) {
    lint.actions(source.way, ['way']);
    lint.on(source.on, ['on']);
    lint.patterns(source.only ?? [], ['only']);
    lint.patterns(source.without, ['without']);
    source.goals.forEach(({ condition }, i) => lintCondition(condition, lint, ['goals', i, 'condition']));
    const worth = source.goals.map(({ points }) => points);
    const sum = worth.reduce<number>((total, points = 0) => total + points, 0);
    if (worth.some((points) => points !== undefined) && sum !== source.points) {
      lint.issue(
        ['goals'],
        `The goals are worth ${sum} points, the checkpoint ${source.points}.`,
        'Give points to every goal that earns some, or to none.',
      );
    }
    source.feedback.forEach(({ when }, i) => {
      for (const condition of [when].flat()) {
        if ('uses' in condition) lint.patterns([condition.uses], ['feedback', i, 'when']);
        else if ('lacks' in condition) lint.patterns([condition.lacks], ['feedback', i, 'when']);
        else lintCondition(condition, lint, ['feedback', i, 'when']);
      }
    });
  },

  form: ({ goals, max, only, without }) => ({
    type: 'build',
    goals: goals.map(({ say, points }) => ({ say, points: points ?? null })),
    max,
    only: only ?? null,
    without,
  }),

  // What would be run is what the learner writes.
  runs: () => [],

  demonstrate: (_source, answer) => actionsOf(answer).map((act) => ({ act })),

  key: ({ way }) => ({
    answer: way.map(commandOf),
    words: way.map(commandOf).join('; '),
    reveal: 'This is one way to do it. The machine has just gone it; step back to see how.',
    moment: null,
    event: null,
  }),

  unfit(source, answer, { platform }) {
    if (typeof answer === 'string') return 'Give the actions in their order, as commands.';
    if (answer.length === 0) return 'Write at least one action.';
    if (answer.length > source.max) return `These are ${answer.length} actions, and at most ${source.max} may be used.`; // prettier-ignore
    for (const [i, line] of answer.entries()) {
      const read = parseCommand(line);
      if (!read.ok) return `Line ${i + 1}: ${read.message} ${read.remedy}`.trim();
      const why = misfit(platform, read.action)?.message ?? forbidden(read.action, allowedOf(source));
      if (why !== null) return `Line ${i + 1}: ${why}`;
    }
    return null;
  },

  grade(source, _key, answer, _wrong, ground) {
    const { goals } = source;
    const actions = actionsOf(answer);
    const conditions = source.feedback.map(({ when }) => [when].flat());
    const watched = conditions.flat().filter(isWatched);
    const verdicts = replay(ground, actions, [...goals.map(({ condition }) => condition), ...watched]);
    const findings = verdicts.slice(0, goals.length);
    const truth = new Map<BuildCondition, boolean>(
      watched.map((condition, i) => [condition, verdicts[goals.length + i]!.holds]),
    );
    const holds = (condition: BuildCondition): boolean => {
      if ('uses' in condition) return actions.some((action) => fitsPattern(action, condition.uses));
      if ('lacks' in condition) return !actions.some((action) => fitsPattern(action, condition.lacks));
      return truth.get(condition) === true;
    };
    const passed = findings.every((finding) => finding.holds);
    const found = passed ? -1 : conditions.findIndex((list) => list.every(holds));
    const earned = goals.reduce((sum, { points = 0 }, i) => sum + (findings[i]!.holds ? points : 0), 0);
    return {
      passed,
      points: passed ? source.points : earned,
      feedback: found < 0 ? null : found,
      words: actions.map(commandOf).join('; '),
      opened: null,
      findings: findings.map(({ expected, observed, moment, event, holds: held }) => ({
        expected,
        observed,
        moment,
        event,
        holds: held,
        ...(source.on === 'b' ? { on: source.on } : {}),
      })),
    };
  },

  doubt(source, key, ground) {
    const conditions = source.goals.map(({ condition }) => condition);
    const before = replay(ground, [], conditions);
    if (before.every(({ holds }) => holds)) {
      return {
        message: `The goals of "${source.id}" hold before anything is done.`,
        remedy: 'Ask for something that must be brought about.',
      };
    }
    const given = source.goals.findIndex(({ points }, i) => points !== undefined && before[i]!.holds);
    if (given >= 0) {
      return {
        message: `Goal ${given + 1} of "${source.id}" holds before anything is done, and earns points.`,
        remedy: 'Give the points to a goal that must be brought about.',
      };
    }
    const missed = replay(ground, source.way, conditions).filter(({ holds }) => !holds);
    if (missed.length === 0) return null;
    return {
      message: `The way of "${source.id}" does not reach its goals.`,
      remedy: missed.map(({ expected, observed }) => `Expected ${expected}, observed ${observed}.`).join(' '),
    };
  },

  // One action less: it must have been needed.
  mutants: (_source, _key, given) =>
    (given as readonly string[]).length < 2
      ? []
      : (given as readonly string[]).map((_, i) => (given as readonly string[]).toSpliced(i, 1)),
};

/** Performs actions where the checkpoint begins, and judges the end. */
function replay(ground: Ground, actions: readonly Action[], conditions: readonly Condition[]) {
  const timeline = arrange(ground);
  const monitor = new Monitor(timeline, conditions);
  timeline.onMoment = () => monitor.observe();
  perform(
    timeline,
    actions.map((act) => ({ act })),
  );
  return monitor.verdicts();
}

function isWatched(condition: BuildCondition): condition is Condition {
  return !('uses' in condition || 'lacks' in condition);
}

function allowedOf({ only, without }: BuildCheckpoint): Allowed {
  return { only: only ?? null, without };
}

/** The actions of an answer that `unfit` has let pass. */
function actionsOf(answer: Answer): Action[] {
  return [answer].flat().flatMap((line) => {
    const read = parseCommand(line);
    return read.ok ? [read.action] : [];
  });
}
