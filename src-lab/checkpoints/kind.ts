import { Timeline, type Layout } from '../../src-sim';
import type { Action } from '../../src-sim/scenario/action';
import type { Platform } from '../../src-sim/scenario/platform';
import type { ActionPattern } from '../action-pattern';
import type { CheckpointSource, Kind } from '../schema';
import type { Move } from '../machines';
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
  /** Checks that there are actions such as these. */
  patterns(patterns: readonly ActionPattern[], path: Path): void;
  /** Checks that the step compares two machines, if one of them is named. */
  on(on: 'a' | 'b' | undefined, path: Path): void;
}

/** The machine on which a checkpoint is graded, and what was done on it from power-on. */
export interface Ground {
  readonly platform: Platform;
  readonly situation: readonly Action[];
}

/** How the machine answered: the key of a checkpoint, never written in the lab. */
export interface Key {
  /** The right answer, as a learner would give it. */
  readonly answer: Answer;
  /** The right answer in words. */
  readonly words: string;
  /** What a learner is told when no attempt is left; default: the answer in words. */
  readonly reveal?: string;
  /** Moment and event of the run in which it shows; null when nothing happened. */
  readonly moment: number | null;
  readonly event: number | null;
}

/** What one answer is worth. */
export interface Graded {
  readonly passed: boolean;
  /** What it earns before the costs of hints and wrong attempts: all points when passed, some where part of it is right. */
  readonly points: number;
  /** Index into `feedback` of the first entry that explains the answer; null when none does. */
  readonly feedback: number | null;
  /** The answer in words. */
  readonly words: string;
  /** What may be said about a wrong answer while the checkpoint is open, by the number of wrong attempts. */
  readonly opened: string | null;
  /** What is found where the answer was performed; null where the answer is only compared with the key. */
  readonly findings: readonly Finding[] | null;
}

/**
 * Watches the machine for one `state` checkpoint, from the moment at which it is made. It knows lines of history: what
 * happened on one that was left does not count.
 */
export interface Watcher {
  /** To be called after every new moment of machine `i`. */
  observe(i: number): void;
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
  /** Actions that the learner is told beforehand will be run. */
  runs(source: S): readonly Action[];
  /** What is done for all to see, from the situation on, once the checkpoint is settled by `answer`. */
  demonstrate(source: S, answer: Answer): readonly Move[];
  /** Whether attempts that are wrong are demonstrated too. */
  readonly demonstratesAttempts: boolean;
  /** Runs the machine. Pure: the same source and ground give the same key. */
  key(source: S, ground: Ground): Key;
  /** Why an answer cannot be graded at all; null when it can. Such an answer is refused and costs nothing. */
  unfit(source: S, answer: Answer, ground: Ground): string | null;
  /** @param wrong - wrong attempts before this one. */
  grade(source: S, key: Key, answer: Answer, wrong: number, ground: Ground): Graded;
  /** What an author should mend although every name exists; null when all is well. */
  doubt(source: S, key: Key, ground: Ground): { readonly message: string; readonly remedy: string } | null;
  /** Answers near to one that passes, which must be worth less. */
  mutants(source: S, key: Key, given: Answer, ground: Ground): readonly Answer[];
}

/** The learner operates the machine until the goals hold. */
export interface WatchedKind<S extends CheckpointSource> {
  readonly how: 'watched';
  lint(source: S, lint: Lint): void;
  form(source: S): Form;
  /** Actions that are performed when the learner gives up. */
  way(source: S): readonly Action[];
  /** Begins to watch the machines, one or the two of a comparison, as they are at this moment. */
  watch(source: S, timelines: readonly [Timeline, ...Timeline[]]): Watcher;
}

/** The learner writes; people judge. */
export interface WrittenKind<S extends CheckpointSource> {
  readonly how: 'written';
  lint(source: S, lint: Lint): void;
  form(source: S): Form;
  unfit(source: S, answer: Answer): string | null;
}

export type CheckpointKind<S extends CheckpointSource> = AnsweredKind<S> | WatchedKind<S> | WrittenKind<S>;
export type SourceOf<K extends Kind> = Extract<CheckpointSource, { kind: K }>;

/** A machine as it is when a checkpoint begins. */
export function arrange({ platform, situation }: Ground): Timeline {
  const timeline = new Timeline(platform);
  for (const action of situation) timeline.perform(action);
  return timeline;
}
