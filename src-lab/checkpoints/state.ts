import { Monitor } from '../../src-sim/scenario/condition';
import type { StateCheckpoint } from '../schema';
import type { WatchedKind } from './kind';
import { lintCondition } from './patterns';

/** `state`: the learner operates the machine until all goals hold at once. */
export const state: WatchedKind<StateCheckpoint> = {
  how: 'watched',

  lint(source, lint) {
    lint.actions(source.way, ['way']);
    source.goals.forEach(({ condition, on }, i) => {
      lintCondition(condition, lint, ['goals', i, 'condition']);
      lint.on(on, ['goals', i, 'on']);
    });
    source.feedback.forEach(({ when, on }, i) => {
      lintCondition(when, lint, ['feedback', i, 'when']);
      lint.on(on, ['feedback', i, 'on']);
    });
  },

  form: (source) => ({ type: 'state', goals: source.goals.map(({ say }) => say) }),

  way: (source) => source.way,

  watch(source, timelines) {
    const watched = [
      ...source.goals.map(({ condition, on }) => ({ condition, on: machineOf(on) })),
      ...source.feedback.map(({ when, on }) => ({ condition: when, on: machineOf(on) })),
    ];
    const monitors = timelines.map(
      (timeline, i) =>
        new Monitor(
          timeline,
          watched.filter(({ on }) => on === i).map(({ condition }) => condition),
        ),
    );
    return {
      observe: (i) => monitors[i]?.observe(),
      look() {
        const rest = monitors.map((monitor) => monitor.verdicts());
        const verdicts = watched.map(({ on }) => rest[on]!.shift()!);
        const findings = verdicts.slice(0, source.goals.length);
        return {
          passed: findings.every(({ holds }) => holds),
          findings: findings.map(({ expected, observed, moment, event, holds }, i) => ({
            expected,
            observed,
            moment,
            event,
            holds,
            // A machine is named where there are two.
            ...(timelines.length > 1 ? { on: source.goals[i]!.on ?? 'a' } : {}),
          })),
          feedback: verdicts.slice(source.goals.length).map(({ holds }) => holds),
        };
      },
    };
  },
};

/** Index of a machine of a comparison. */
function machineOf(on: 'a' | 'b' | undefined): number {
  return on === 'b' ? 1 : 0;
}
