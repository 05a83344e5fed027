import { Monitor } from '../../src-sim/scenario/condition';
import type { StateCheckpoint } from '../schema';
import type { WatchedKind } from './kind';
import { lintCondition } from './patterns';

/** `state`: the learner operates the machine until all goals hold at once. */
export const state: WatchedKind<StateCheckpoint> = {
  how: 'watched',

  lint(source, lint) {
    lint.actions(source.way, ['way']);
    source.goals.forEach(({ condition }, i) => lintCondition(condition, lint, ['goals', i, 'condition']));
    source.feedback.forEach(({ when }, i) => lintCondition(when, lint, ['feedback', i, 'when']));
  },

  form: (source) => ({ type: 'state', goals: source.goals.map(({ say }) => say) }),

  run: (source) => source.way,

  watch(source, timeline) {
    const goals = source.goals.length;
    const conditions = [
      ...source.goals.map(({ condition }) => condition),
      ...source.feedback.map(({ when }) => when),
    ];
    const monitor = new Monitor(timeline, conditions);
    return {
      observe: () => monitor.observe(),
      look() {
        const verdicts = monitor.verdicts();
        const findings = verdicts.slice(0, goals);
        return {
          passed: findings.every(({ holds }) => holds),
          findings: findings.map(({ expected, observed, moment, event, holds }) => ({
            expected,
            observed,
            moment,
            event,
            holds,
          })),
          feedback: verdicts.slice(goals).map(({ holds }) => holds),
        };
      },
    };
  },
};
