import { Timeline } from '../src-sim';
import type { Action } from '../src-sim/scenario/action';
import type { Platform } from '../src-sim/scenario/platform';
import { Differ } from './differences';
import type { Differences } from './view';

/** One machine of a comparison, or the only one. */
export interface Variant {
  readonly id: 'a' | 'b';
  /** What tells it from the other; empty where there is none. */
  readonly label: string;
  readonly platform: Platform;
}
/** What machines a step runs: one, or the two of a comparison, `a` first. */
export type Rig = readonly [Variant, ...Variant[]];

/** One thing done to the machines. */
export type Move =
  { readonly act: Action; /** Only begin it. */ readonly hold?: boolean } | { readonly thread: string };

/** Moments, actions and lines of history that one machine may have before it must be reset: they are kept in memory. */
export const MACHINE_LIMITS = { moments: 200_000, actions: 30_000, lines: 200 } as const;

/**
 * The machine that a learner operates, or the two of a comparison: whatever is done is done to both. One of them is
 * shown; moments are those of the one that is shown.
 */
export class Machines {
  readonly timelines: readonly [Timeline, ...Timeline[]];
  /** Index of the machine that is shown. */
  viewed = 0;
  /** Moments of every machine after the situation and after each thing that was done since. */
  private marks: number[][];
  private readonly differ: Differ | null;

  /** @param situation - actions from power-on. */
  constructor(
    readonly rig: Rig,
    situation: readonly Action[],
  ) {
    this.timelines = rig.map(({ platform }) => new Timeline(platform)) as [Timeline, ...Timeline[]];
    for (const timeline of this.timelines) perform(timeline, situation.map((act) => ({ act }))); // prettier-ignore
    this.marks = [this.moments()];
    const [a, b] = this.timelines;
    this.differ = b === undefined ? null : new Differ(a, b);
  }

  get shown(): Timeline {
    return this.timelines[this.viewed]!;
  }

  /** Whether one more thing can be done. */
  get full(): boolean {
    return this.timelines.some(isFull);
  }

  /** Does something to every machine. Done at an earlier moment, it leaves the line of history there, on each. */
  operate(act: (timeline: Timeline) => void): void {
    const at = this.shown.moment;
    if (at < this.shown.last) {
      this.marks = this.marks.filter((mark) => mark[this.viewed]! < at);
      this.marks.push(this.moments());
    }
    for (const timeline of this.timelines) act(timeline);
    this.marks.push(this.moments());
    this.differ?.update();
  }

  /** Shows a moment of the machine that is shown; the other goes to the same place within the same input. */
  jump(moment: number): void {
    const others = this.timelines.map((_, i) => this.corresponding(moment, i));
    this.timelines.forEach((timeline, i) => timeline.jump(i === this.viewed ? moment : others[i]!));
    this.differ?.update();
  }

  /** What tells the two machines apart; null where there is only one. */
  get differences(): Differences | null {
    return this.differ?.found ?? null;
  }

  private moments(): number[] {
    return this.timelines.map(({ moment }) => moment);
  }

  /** The moment of machine `i` that stands for one of the machine that is shown. */
  private corresponding(moment: number, i: number): number {
    const { marks, viewed } = this;
    const at = marks.findIndex((mark) => mark[viewed]! >= moment);
    if (at < 0) return marks.at(-1)![i]!;
    const end = marks[at]!;
    if (end[viewed] === moment) return end[i]!;
    const begin = marks[at - 1];
    return Math.min((begin?.[i] ?? 0) + moment - (begin?.[viewed] ?? 0), end[i]!);
  }
}

function isFull(timeline: Timeline): boolean {
  const { moments, actions, lines } = MACHINE_LIMITS;
  return (
    timeline.last >= moments || timeline.machine.actionsBegun >= actions || timeline.history.length >= lines
  );
}

/** Does one thing after the other, each to its end unless it says otherwise. What a full history cannot hold is left out. */
export function perform(timeline: Timeline, moves: readonly Move[]): void {
  for (const move of moves) {
    if (isFull(timeline)) return;
    if ('thread' in move) timeline.step(move.thread);
    else if (move.hold === true) timeline.begin(move.act);
    else timeline.perform(move.act);
  }
}
