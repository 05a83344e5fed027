import type { Layout, Timeline } from '../../src-sim';
import type { Action } from '../../src-sim/scenario/action';
import type { Platform } from '../../src-sim/scenario/platform';
import type { CheckpointSource, Kind } from '../schema';
import type { CheckpointView, Verdict } from '../view';
import type { Path } from '../yaml';

export type Answer = string | readonly string[];
export type Form = CheckpointView['form'];
export type Finding = Verdict['findings'][number];

/** Where a kind reports what its source names and the machine does not have. Paths lead from the checkpoint. */
export interface Lint {
  readonly layout: Layout;
  issue(path: Path, message: string, remedy: string): void;
  /** Checks that the platform has the VMs and vCPUs of the actions. */
  actions(actions: readonly Action[], path: Path): void;
}

/** How the machine answered: the key of a checkpoint, never written in the lab. */
export interface Key {
  /** The right answer, as a learner would give it. */
  readonly answer: Answer;
  /** The right answer in words. */
  readonly words: string;
  /** Moment and event of the run in which it shows; null when nothing happened. */
  readonly moment: number | null;
  readonly event: number | null;
}

/** What one answer is worth. */
export interface Graded {
  readonly passed: boolean;
  /** Index into `feedback` of the first entry that explains the answer; null when none does. */
  readonly feedback: number | null;
  /** The answer in words. */
  readonly words: string;
  /** What may be said about a wrong answer while the checkpoint is open, by the number of wrong attempts. */
  readonly opened: string | null;
}

/**
 * Watches the machine for one `state` checkpoint, from the moment at which it is made. It knows lines of history: what
 * happened on one that was left does not count.
 */
export interface Watcher {
  /** To be called after every new moment. */
  observe(): void;
  /** How things stand at the moment shown. */
  look(): {
    readonly passed: boolean;
    readonly findings: readonly Finding[];
    /** Per entry of `feedback`: whether its condition is true. */
    readonly feedback: readonly boolean[];
  };
}

/** The learner answers; the machine is run and says whether they are right. */
export interface AnsweredKind<S extends CheckpointSource> {
  readonly how: 'answered';
  /** Reports names that do not exist. Never throws. */
  lint(source: S, lint: Lint): void;
  form(source: S): Form;
  /** Actions that are performed for all to see once the checkpoint is settled. */
  run(source: S): readonly Action[];
  /** Runs the machine. Pure: the same source and situation give the same key. */
  key(source: S, platform: Platform, situation: readonly Action[]): Key;
  /** Why an answer cannot be graded at all; null when it can. Such an answer is refused and costs nothing. */
  unfit(source: S, answer: Answer): string | null;
  /** @param wrong - wrong attempts before this one. */
  grade(source: S, key: Key, answer: Answer, wrong: number): Graded;
}

/** The learner operates the machine until the goals hold. */
export interface WatchedKind<S extends CheckpointSource> {
  readonly how: 'watched';
  lint(source: S, lint: Lint): void;
  form(source: S): Form;
  /** Actions that are performed when the learner gives up. */
  run(source: S): readonly Action[];
  /** Begins to watch the machine as it is at this moment. */
  watch(source: S, timeline: Timeline): Watcher;
}

export type CheckpointKind<S extends CheckpointSource> = AnsweredKind<S> | WatchedKind<S>;
export type SourceOf<K extends Kind> = Extract<CheckpointSource, { kind: K }>;

/** Performs actions one after the other, each to its end. */
export function performAll(timeline: Timeline, actions: readonly Action[]): void {
  for (const action of actions) timeline.perform(action);
}
