import type { Machine } from './machine/machine';
import { commandOf, type Action } from './scenario/action';
import { beginAction, outcomeOf, type Outcome } from './vmm/perform';
import { powerOn, type Platform, type World } from './world';

/** A machine at one moment of a history: what whoever looks at moments needs of it. */
export interface Moment {
  readonly machine: Machine;
  readonly moment: number;
  /** The action begun last as of this moment, and how it stands; null before the first. */
  readonly outcome: Outcome | null;
}

/** Something that is looked for in a history, moment by moment. */
export interface Seeker {
  /** A stretch of history begins here. */
  begin(at: Moment): void;
  /** One moment has passed since the last call. @returns whether what is sought is there: it came with this moment. */
  hits(at: Moment): boolean;
}

/** Who made a moment: the action that began there, or the thread that stepped, and which step it took. */
export type Author =
  | { readonly kind: 'action'; readonly command: string }
  | { readonly kind: 'step'; readonly thread: string; readonly routine: string; readonly step: string };

/** A line of history, as whoever keeps it lends it to `Past`. Moments are those of the line as it is when asked. */
export interface History {
  readonly platform: Platform;
  last(): number;
  /** What leads from a moment to the next: a thread's index, or `-1 - n` for the n-th action. */
  choice(moment: number): number;
  action(n: number): Action;
  overran(moment: number): boolean;
  /** Some moment at or before the one given, with its bytes and how many events had happened. */
  frame(moment: number): { readonly moment: number; readonly bytes: Uint8Array; readonly events: number };
}

/** Called now and then with how many moments were looked at, and how many there are. May throw to stop. */
export type Progress = (done: number, total: number) => void;

/** Events that the machine of a search keeps: more than one step or action can emit. */
const EVENTS_KEPT = 1 << 10;
/** Moments between two reports of progress. */
const REPORT_EVERY = 4_096;

/**
 * Searches one line of history. It has a machine of its own, put to earlier moments from keyframes and stepped from
 * there; of its trace only the events of the moment shown can be read. A search costs the steps between the moment
 * where it begins and the hit, whichever way it goes, and at most one interval of keyframes more.
 */
export class Past implements Moment {
  private world: World | null = null;

  constructor(private readonly history: History) {}

  get machine(): Machine {
    return this.own.machine;
  }
  get moment(): number {
    return this.machine.moment;
  }
  get outcome(): Outcome | null {
    const n = this.machine.actionsBegun;
    if (n === 0) return null;
    return outcomeOf(this.machine, this.history.action(n - 1), this.history.overran(this.moment));
  }

  /** Shows a moment, 0 to the last of the line, with the events that came with it. */
  show(moment: number): void {
    // From one moment earlier: what came with a keyframe's own moment happened before it was taken.
    this.restore(Math.max(0, moment - 1));
    while (this.moment < moment) this.advance();
  }

  /**
   * The first moment after `from`, up to the last of the line, at which `seeker` hits; null when there is none.
   */
  next(seeker: Seeker, from: number, progress?: Progress): number | null {
    return this.every(seeker, from, progress).next().value ?? null;
  }

  /** The last moment up to `until` at which `seeker` hits; null when there is none. Otherwise as `next`. */
  previous(seeker: Seeker, until: number, progress?: Progress): number | null {
    let end = Math.min(until, this.history.last());
    while (end > 0) {
      const from = this.restore(end - 1);
      seeker.begin(this);
      let hit: number | null = null;
      while (this.moment < end) {
        this.advance();
        if (seeker.hits(this)) hit = this.moment;
      }
      if (hit !== null) return hit;
      if (Math.floor(end / REPORT_EVERY) !== Math.floor(from / REPORT_EVERY)) progress?.(until - from, until);
      end = from;
    }
    return null;
  }

  /** Every moment after `from` at which `seeker` hits, ascending. It is to be read to its end before anything else. */
  *every(seeker: Seeker, from: number, progress?: Progress): Generator<number, undefined> {
    const last = this.history.last();
    if (from >= last) return;
    this.restore(from);
    while (this.moment < from) this.advance();
    seeker.begin(this);
    while (this.moment < last) {
      this.advance();
      if (seeker.hits(this)) yield this.moment;
      const done = this.moment - from;
      if (done % REPORT_EVERY === 0) progress?.(done, last - from);
    }
  }

  /** Index of the thread whose step made a moment, 1 to the last of the line; negative for an action. */
  stepper(moment: number): number {
    return this.history.choice(moment - 1);
  }

  /**
   * Lets a thread step from a state that was never there: what would have been. Only the events of that step can be read.
   *
   * @param state - the bytes, as words.
   * @returns whether the thread can step there.
   */
  suppose(state: Uint32Array, thread: number): boolean {
    this.machine.u32.set(state);
    this.machine.trace.resumeAt(0);
    if (!this.machine.enabled(thread)) return false;
    this.machine.step(thread);
    return true;
  }

  /** Shows the next moment. There must be one. */
  advance(): void {
    const choice = this.history.choice(this.moment);
    if (choice >= 0) this.machine.step(choice);
    else beginAction(this.own, this.history.action(-1 - choice) as Exclude<Action, { boot: string }>);
  }

  /** Who made a moment, 1 to the last of the line. */
  author(moment: number): Author {
    const choice = this.history.choice(moment - 1);
    if (choice < 0) return { kind: 'action', command: commandOf(this.history.action(-1 - choice)) };
    this.show(moment - 1);
    const { name, stack } = this.machine.threads()[choice]!;
    const { routine, step } = stack.at(-1)!;
    return { kind: 'step', thread: name, routine, step };
  }

  private get own(): World {
    if (this.world !== null) return this.world;
    this.world = powerOn(this.history.platform, EVENTS_KEPT);
    this.world.machine.commandOf = (n) => commandOf(this.history.action(n));
    return this.world;
  }

  /** Goes to the nearest keyframe at or before a moment. @returns its moment. */
  private restore(moment: number): number {
    const frame = this.history.frame(moment);
    this.machine.u8.set(frame.bytes);
    this.machine.trace.resumeAt(frame.events);
    return frame.moment;
  }
}
