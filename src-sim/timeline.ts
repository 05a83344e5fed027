import { Watch, type Broken } from './invariants/watch';
import type { Machine } from './machine/machine';
import { Choices } from './choices';
import { Past, type Moment, type Seeker } from './past';
import { actorOf, commandOf, type Action } from './scenario/action';
import { Trail, TRAIL } from './trail';
import { beginAction, expandBoot, outcomeOf, type Outcome } from './vmm/perform';
import { powerOn, type Platform, type World } from './world';

/** Steps that one settling may take before it is called endless. */
export const STEP_LIMIT = 20_000;
/** Bytes that keyframes may take; beyond, every second one is given up and the distance between them doubles. */
const KEYFRAME_BYTES = 16 * 1024 * 1024;
const FIRST_INTERVAL = 512;

/** One line of history: which thread stepped, or which action began, moment by moment. */
interface Line {
  readonly id: number;
  /** The line it left, and the moment at which it did. */
  readonly parent: number | null;
  readonly from: number;
  readonly choices: Choices;
  readonly actions: Action[];
  /** Moments at which settling was cut off by the step limit. */
  readonly overruns: Set<number>;
  /** The invariant that does not hold; nothing steps any more. */
  broken: Broken | null;
}

/**
 * A machine with its history. The history is the list of choices; bytes of earlier moments come from keyframes and at
 * most one interval of steps. Whatever is done after a jump back begins a new line; the old one is kept.
 */
export class Timeline implements Moment {
  readonly machine: Machine;
  /** Called after every new moment. */
  onMoment: (() => void) | null = null;
  private readonly world: World;
  private readonly lines: Line[] = [];
  private readonly watch: Watch | null;
  private line: Line;
  private interval = FIRST_INTERVAL;
  private frames = new Uint8Array(0);
  private frameTraces: number[] = [];
  private readonly trail: Trail;
  private searched: Past | null = null;

  /**
   * @param options.invariants - ask every invariant after every new moment; see `broken`.
   * @param options.events - events that the trace keeps, a power of two.
   * @throws RangeError for a platform beyond the limits of `powerOn`.
   */
  constructor(
    readonly platform: Platform,
    options: { readonly invariants?: boolean; readonly events?: number } = {},
  ) {
    this.world = powerOn(platform, options.events);
    this.machine = this.world.machine;
    this.trail = new Trail(this.machine);
    this.watch = options.invariants === true ? new Watch(this.machine) : null;
    this.machine.commandOf = (n) => commandOf(this.line.actions[n]!);
    this.line = {
      id: 0,
      parent: null,
      from: 0,
      choices: new Choices(),
      actions: [],
      overruns: new Set(),
      broken: null,
    };
    this.lines.push(this.line);
    this.keyframe();
  }

  /** The moment shown: 0 is power-on; each begun action and each atomic step is one more. */
  get moment(): number {
    return this.machine.moment;
  }
  /** The last moment of the current line. */
  get last(): number {
    return this.line.choices.length;
  }
  /** Lines of history, oldest first. */
  get history(): readonly { id: number; parent: number | null; from: number; length: number }[] {
    return this.lines.map(({ id, parent, from, choices }) => ({ id, parent, from, length: choices.length }));
  }
  get currentLine(): number {
    return this.line.id;
  }
  /** The action begun last as of the moment shown, and how it stands; null before the first. */
  get outcome(): Outcome | null {
    const n = this.machine.actionsBegun;
    if (n === 0) return null;
    return outcomeOf(this.machine, this.line.actions[n - 1]!, this.line.overruns.has(this.moment));
  }

  /** The current line of history, to be searched: on a machine of its own, so that the one shown stays where it is. */
  get past(): Past {
    return (this.searched ??= new Past({
      platform: this.platform,
      last: () => this.last,
      choice: (moment) => this.line.choices.at(moment),
      action: (n) => this.line.actions[n]!,
      overran: (moment) => this.line.overruns.has(moment),
      frame: (moment) => this.frameBefore(moment),
    }));
  }

  /** The invariant that was broken at or before the moment shown; null while all hold, or when none is asked. */
  get broken(): Broken | null {
    const { broken } = this.line;
    return broken !== null && broken.moment <= this.moment ? broken : null;
  }

  /** Begins an action. `boot` is performed whole, since it stands for many. */
  begin(action: Action): Outcome {
    if (actorOf(action) === 'boot') return this.perform(action);
    this.beginOne(action);
    return this.outcome!;
  }

  private beginOne(action: Action): void {
    this.branch();
    this.line.actions.push(action);
    this.line.choices.push(-this.line.actions.length);
    beginAction(this.world, action as Exclude<Action, { boot: string }>);
    this.arrived();
  }

  /**
   * Lets a thread take one atomic step.
   *
   * @param name - `vmm`, or the path of a vCPU.
   * @returns false, with nothing changed, when there is no such thread, it cannot step, or an invariant is broken.
   */
  step(name: string): boolean {
    const i = this.machine.threadInfos.findIndex((info) => info.name === name);
    if (i < 0 || !this.machine.enabled(i) || this.broken) return false;
    this.branch();
    this.take(i);
    return true;
  }

  /**
   * Threads that took the steps from a moment to the one shown, in order; null when an action began in between.
   *
   * @param moment - 0 to the moment shown; a later one gives none.
   */
  stepsSince(moment: number): string[] | null {
    const choices = this.choices(moment, Math.max(moment, this.moment));
    return choices.every((choice) => typeof choice === 'string') ? choices : null;
  }

  /** What was chosen between two moments of the current line, in order: an action that began, or a thread that stepped. */
  choices(from: number, to: number): (Action | string)[] {
    const { choices, actions } = this.line;
    return Array.from({ length: Math.max(0, Math.min(to, choices.length) - from) }, (_, i) => {
      const choice = choices.at(from + i);
      return choice < 0 ? actions[-1 - choice]! : this.machine.threadInfos[choice]!.name;
    });
  }

  /**
   * Lets threads step, each to completion, until none can, `limit` steps are taken, an invariant is broken, or what is
   * sought is there.
   *
   * @param seeker - has begun at the moment shown, or at an earlier one and has looked at every moment since.
   */
  settle(limit = STEP_LIMIT, seeker: Seeker | null = null): 'quiescent' | 'limit' | 'broken' | 'halted' {
    for (let n = 0; n < limit; n++) {
      if (this.broken) return 'broken';
      const i = this.machine.nextThread();
      if (i < 0) return 'quiescent';
      if (n === 0) this.branch();
      this.take(i);
      if (seeker?.hits(this) === true) return 'halted';
    }
    if (this.machine.nextThread() < 0) return 'quiescent';
    this.line.overruns.add(this.moment);
    return 'limit';
  }

  /**
   * Begins an action and settles; of `boot`, every ioctl.
   *
   * @param seeker - has begun at the moment shown. When what it seeks is there, the rest of the action is not done:
   *                 threads stay where they are, and of a `boot` or of passing time what would have followed is left out.
   */
  perform(action: Action, seeker: Seeker | null = null): Outcome {
    this.carryOut(action, seeker);
    return this.outcome!;
  }

  /** @returns whether it was halted. */
  private carryOut(action: Action, seeker: Seeker | null): boolean {
    if (actorOf(action) === 'boot') {
      return expandBoot(action as Extract<Action, { boot: string }>).some((part) =>
        this.carryOut(part, seeker),
      );
    }
    if (!('host' in action && action.host === 'pass')) return this.beginAndSettle(action, seeker);
    // Time passes from timer to timer; each is dealt with before the next.
    const until = this.machine.now + action.ns;
    while (this.machine.now < until) {
      if (this.beginAndSettle({ ...action, ns: until - this.machine.now }, seeker)) return true;
    }
    return false;
  }

  private beginAndSettle(action: Action, seeker: Seeker | null): boolean {
    this.beginOne(action);
    return seeker?.hits(this) === true || this.settle(STEP_LIMIT, seeker) === 'halted';
  }

  /**
   * Shows another moment of the current line.
   *
   * @param moment - 0 to `last`; outside, the nearest.
   */
  jump(moment: number): void {
    const target = Math.max(0, Math.min(this.last, Math.trunc(moment)));
    const frame = this.frameAt(target);
    const at = this.moment;
    // From here when that is nearer than the keyframe.
    const back = !(at <= target && at >= frame * this.interval);
    if (!back || !this.trail.show(target)) this.replayTo(target, back ? frame : null);
    this.watch?.restart();
  }

  /** Goes on to a moment, from the one shown or from a keyframe; from there, with a trail of the last moments. */
  private replayTo(target: number, frame: number | null): void {
    if (frame !== null) this.restore(frame);
    const trail = frame === null ? target : target - TRAIL;
    while (this.moment < target) {
      if (this.moment >= trail) this.trail.keep();
      this.replay(this.line.choices.at(this.moment));
    }
  }

  /** Goes to another line of history, at one of its moments. */
  switchTo(id: number, moment: number): void {
    const line = this.lines[id];
    if (!line || line === this.line) return this.jump(moment);
    const shared = commonLength(this.line, line);
    this.line = line;
    this.dropFramesAfter(shared);
    this.trail.leaveLine(shared);
    this.restore(this.frameTraces.length - 1);
    this.machine.trace.leaveLine();
    this.jump(moment);
  }

  private take(i: number): void {
    this.line.choices.push(i);
    this.machine.step(i);
    this.arrived();
  }

  private replay(choice: number): void {
    if (choice >= 0) this.machine.step(choice);
    else beginAction(this.world, this.line.actions[-1 - choice] as Exclude<Action, { boot: string }>);
    this.keyframe();
  }

  private arrived(): void {
    this.keyframe();
    if (this.watch) this.line.broken ??= this.watch.observe();
    this.onMoment?.();
  }

  /** Doing something in the past leaves the line there. */
  private branch(): void {
    const { line, moment } = this;
    if (moment === line.choices.length) return;
    const actions = line.actions.slice(0, this.machine.actionsBegun);
    const overruns = new Set([...line.overruns].filter((at) => at <= moment));
    this.line = {
      id: this.lines.length,
      parent: line.id,
      from: moment,
      choices: line.choices.first(moment),
      actions,
      overruns,
      broken: this.broken,
    };
    this.lines.push(this.line);
    this.machine.trace.leaveLine();
    this.dropFramesAfter(moment);
    this.trail.leaveLine(moment);
  }

  private keyframe(): void {
    const { machine } = this;
    const n = this.frameTraces.length;
    if (machine.moment !== n * this.interval) return; // between keyframes, or already there
    const size = machine.layout.size;
    if ((n + 1) * size > KEYFRAME_BYTES) {
      this.thin();
      return this.keyframe();
    }
    if ((n + 1) * size > this.frames.length) {
      const grown = new Uint8Array(Math.max(8 * size, this.frames.length * 2));
      grown.set(this.frames);
      this.frames = grown;
    }
    this.frames.set(machine.u8, n * size);
    this.frameTraces.push(machine.trace.count);
  }

  /** Gives up every second keyframe. */
  private thin(): void {
    const size = this.machine.layout.size;
    const keep = Math.ceil(this.frameTraces.length / 2);
    for (let i = 1; i < keep; i++) this.frames.copyWithin(i * size, 2 * i * size, (2 * i + 1) * size);
    this.frameTraces = this.frameTraces.filter((_, i) => i % 2 === 0);
    this.interval *= 2;
  }

  /** Index of the last keyframe at or before a moment. */
  private frameAt(moment: number): number {
    return Math.min(Math.floor(moment / this.interval), this.frameTraces.length - 1);
  }

  private frameBefore(moment: number): { moment: number; bytes: Uint8Array; events: number } {
    const frame = this.frameAt(moment);
    const size = this.machine.layout.size;
    const bytes = this.frames.subarray(frame * size, (frame + 1) * size);
    return { moment: frame * this.interval, bytes, events: this.frameTraces[frame]! };
  }

  private dropFramesAfter(moment: number): void {
    this.frameTraces.length = Math.min(this.frameTraces.length, Math.floor(moment / this.interval) + 1);
  }

  private restore(frame: number): void {
    const size = this.machine.layout.size;
    this.machine.u8.set(this.frames.subarray(frame * size, (frame + 1) * size));
    this.machine.trace.rewind(this.frameTraces[frame]!);
  }
}

function commonLength(a: Line, b: Line): number {
  const most = Math.min(a.choices.length, b.choices.length);
  let n = 0;
  while (n < most && a.choices.at(n) === b.choices.at(n) && sameAction(a, b, a.choices.at(n))) n++;
  return n;
}

function sameAction(a: Line, b: Line, choice: number): boolean {
  return choice >= 0 || a.actions[-1 - choice] === b.actions[-1 - choice];
}
