import { STEP_LIMIT, Timeline, type Outcome } from '../src-sim';
import type { StopSeeker } from '../src-sim/scenario/stop';
import { commandOf, type Action } from '../src-sim/scenario/action';
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
  | { readonly act: Action; /** Only begin it. */ readonly hold?: boolean | undefined }
  | {
      readonly thread: string;
      /** Atomic steps that it takes, 1 unless it says so. */ readonly times?: number | undefined;
    }
  | { readonly run: true };

/** A move that was made, on every machine or on one. */
export interface Deed {
  readonly move: Move;
  /** The machine that alone did it; null: all did. */
  readonly on: number | null;
  /** Whether it belongs to the situation in which the machines began. */
  readonly given: boolean;
  /** Only its beginning was made: history was left in the middle of it, or it halted at a stop. */
  readonly cut: boolean;
  /** Moments of every machine before and after it, and what came of the newest action on each. */
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly outcomes: readonly (Outcome | null)[];
  /** State that differs after it; `news`: some of it did not differ before. Null where there is one machine. */
  readonly differing: { readonly count: number; readonly news: boolean } | null;
}

/**
 * What one machine may have before it must be reset, since it is kept in memory: moments, events and actions of the line
 * of history that is shown; lines, and moments of all of them together.
 */
export const MACHINE_LIMITS = {
  moments: 1_500_000,
  events: 1_000_000,
  actions: 60_000,
  lines: 200,
  momentsOfLines: 10_000_000,
} as const;
/** Events that its trace keeps: all that there can be, and what one more thing adds to them. */
const EVENTS_KEPT = 1 << 21;

/**
 * The machine that a learner operates, or the two of a comparison: whatever is done is done to both unless it is said
 * to one. One of them is shown; moments are those of the one that is shown.
 */
export class Machines {
  readonly timelines: readonly [Timeline, ...Timeline[]];
  /** Index of the machine that is shown. */
  viewed = 0;
  /** What was done since power-on, the situation first. */
  deeds: readonly Deed[] = [];
  private readonly differ: Differ | null;
  /** Paths of the state that differed last. */
  private differing: ReadonlySet<string> = new Set();
  /** Per machine: events at the beginning of its trace that are still true since `toldEvents`. */
  private readonly untouched: number[];

  /** @param situation - actions from power-on. */
  constructor(
    readonly rig: Rig,
    situation: readonly Action[],
  ) {
    this.timelines = rig.map(({ platform }) => new Timeline(platform, { events: EVENTS_KEPT })) as [
      Timeline,
      ...Timeline[],
    ];
    this.untouched = rig.map(() => 0);
    this.make(
      situation.map((act) => ({ act })),
      null,
      true,
    );
    const [a, b] = this.timelines;
    this.differ = b === undefined ? null : new Differ(a, b);
    this.differing = new Set(this.differences?.now.map(({ path }) => path));
  }

  get shown(): Timeline {
    return this.timelines[this.viewed]!;
  }

  /** Whether one more thing can be done. */
  get full(): boolean {
    return this.timelines.some(isFull);
  }

  /**
   * Does something to every machine, or to one. Done at an earlier moment, it leaves the line of history there, on each.
   *
   * @param on - index of the machine that alone does it.
   * @param seekers - per machine: where it halts.
   */
  operate(
    moves: readonly Move[],
    on: number | null = null,
    seekers: readonly (StopSeeker | null)[] = [],
  ): void {
    const { shown } = this;
    if (shown.moment < shown.last) this.leaveLine(shown.moment);
    this.make(moves, on, false, seekers);
  }

  /** Shows a moment of the machine that is shown; the other goes to the same place within the same move. */
  jump(moment: number): void {
    const others = this.timelines.map((_, i) => this.corresponding(moment, i));
    this.timelines.forEach((timeline, i) => timeline.jump(i === this.viewed ? moment : others[i]!));
    this.differ?.update();
  }

  /** What tells the two machines apart; null where there is only one. */
  get differences(): Differences | null {
    return this.differ?.found ?? null;
  }

  /**
   * Notes that someone was told the trace of a machine as it is, what is still to come included.
   *
   * @returns how many events at its beginning were the same when this was called before.
   */
  toldEvents(i: number): number {
    const same = this.untouched[i]!;
    this.untouched[i] = this.timelines[i]!.machine.trace.known;
    return same;
  }

  private make(
    moves: readonly Move[],
    on: number | null,
    given: boolean,
    seekers: readonly (StopSeeker | null)[] = [],
  ): void {
    const deeds = [...this.deeds];
    for (const move of moves) {
      if (this.full) break;
      const from = this.moments();
      this.timelines.forEach((timeline, i) => {
        if (on !== null && on !== i) return;
        // What comes after the moment shown is left with its line of history.
        this.untouched[i] = Math.min(this.untouched[i]!, timeline.machine.trace.count);
        perform(timeline, [move], seekers[i] ?? null);
      });
      const outcomes = this.timelines.map(({ outcome }) => outcome);
      deeds.push({
        move,
        on,
        given,
        cut: seekers.some((seeker) => seeker?.hit),
        from,
        to: this.moments(),
        outcomes,
        differing: this.compare(),
      });
    }
    this.deeds = deeds;
  }

  private compare(): Deed['differing'] {
    if (!this.differ) return null;
    this.differ.update();
    const paths = this.differ.found.now.map(({ path }) => path);
    const news = paths.some((path) => !this.differing.has(path));
    this.differing = new Set(paths);
    return { count: paths.length, news };
  }

  /** What was done after a moment of the machine that is shown belongs to the line that is left. */
  private leaveLine(moment: number): void {
    const at = this.deedAt(moment);
    const deed = this.deeds[at];
    const kept = this.deeds.slice(0, at);
    if (deed === undefined) return;
    const isWhole = deed.to[this.viewed] === moment;
    if (isWhole) kept.push(deed);
    else if (moment > 0) {
      const outcomes = this.timelines.map(({ outcome }) => outcome);
      kept.push({ ...deed, cut: true, to: this.moments(), outcomes });
    }
    this.deeds = kept;
    this.differing = new Set(this.differences?.now.map(({ path }) => path));
  }

  private moments(): number[] {
    return this.timelines.map(({ moment }) => moment);
  }

  /** Index of the deed in or after which a moment of the machine that is shown lies: the last that ends with it. */
  private deedAt(moment: number): number {
    const { deeds, viewed } = this;
    const last = deeds.findLastIndex(({ to }) => to[viewed] === moment);
    return last >= 0 ? last : deeds.findIndex(({ to }) => to[viewed]! > moment);
  }

  /** The moment of machine `i` that stands for one of the machine that is shown. */
  private corresponding(moment: number, i: number): number {
    const deed = this.deeds[this.deedAt(moment)];
    if (deed === undefined) return 0;
    const [from, to] = [deed.from[this.viewed]!, deed.to[this.viewed]!];
    if (to === moment) return deed.to[i]!;
    return Math.min(deed.from[i]! + moment - from, deed.to[i]!);
  }
}

function isFull(timeline: Timeline): boolean {
  const { moments, events, actions, lines, momentsOfLines } = MACHINE_LIMITS;
  const { last, machine, history } = timeline;
  return (
    last >= moments ||
    machine.trace.count >= events ||
    machine.actionsBegun >= actions ||
    history.length >= lines ||
    history.reduce((sum, { from, length }) => sum + length - from, 0) >= momentsOfLines
  );
}

/** Does one thing after the other, each to its end unless it says otherwise. What a full history cannot hold is left out. */
export function perform(timeline: Timeline, moves: readonly Move[], seeker: StopSeeker | null = null): void {
  seeker?.begin(timeline);
  for (const move of moves) {
    if (isFull(timeline)) return;
    if ('run' in move) timeline.settle(STEP_LIMIT, seeker);
    else if ('thread' in move) {
      for (let n = move.times ?? 1; n > 0 && timeline.step(move.thread); n--)
        if (seeker?.hits(timeline) === true) break;
    } else if (move.hold === true) timeline.begin(move.act);
    else timeline.perform(move.act, seeker);
  }
}

/** A move as the console takes it: `hold vmm KVM_RUN vm=td vcpu=0`, `step td.vcpu0 times=3`, `run`. */
export function wordsOf(move: Move): string {
  if ('run' in move) return 'run';
  if ('thread' in move) return `step ${move.thread}${(move.times ?? 1) > 1 ? ` times=${move.times}` : ''}`;
  return `${move.hold === true ? 'hold ' : ''}${commandOf(move.act)}`;
}
