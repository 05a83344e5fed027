import { header, last, thread } from './machine/machine';
import type { TraceEvent } from './machine/trace';
import type { Author, Moment, Past, Progress, Seeker } from './past';

/**
 * What made an event possible, found by trying what would have been without it. Nothing is inferred from names or from
 * what usually follows what: a step counts as a cause when the machine, with that step's changes taken back, goes on
 * otherwise.
 */
export interface Cause {
  /**
   * `direct`: without it the event's own step does not produce the event. `before`: without it a step that the thread
   * took on its way to the event does something else. `call`: the routine in which the event happens. `action`: what
   * began the outermost routine.
   */
  readonly kind: 'direct' | 'before' | 'call' | 'action';
  readonly moment: number;
  /** The event that stands for it; null when nothing was recorded at that moment. */
  readonly event: number | null;
  readonly author: Author;
}

/** What was found, the nearest cause first; and since which moment steps of others were tried. */
export interface Causes {
  /** Empty for an action: it has no cause in the machine. */
  readonly causes: readonly Cause[];
  readonly since: number;
}

/** Moments that are looked at before an event, and trials that are made. */
const LOOK_BACK = 4_096;
const TRIALS = 60_000;
const REPORT_EVERY = 256;

/**
 * The causes of an event, in this order:
 *
 * 1. The latest step of another thread, or action, without which the thread's way to the event would have been another:
 *    `direct` or `before`. Looked for since the thread's previous call ended, so that what was left for it while it was
 *    in userspace is found too, such as a vector posted before KVM_RUN; the action of its present call is 3.
 * 2. The call in which the event happens; for a call, the one that calls it.
 * 3. The action that began the thread's outermost call.
 *
 * "Without" means: of what the step changed, what still stands when the other one is taken is put back to what it was.
 *
 * @param moment - of the event, 1 to the last of the line.
 * @param n - the event, one of that moment.
 */
export function causesOf(past: Past, moment: number, n: number, progress?: Progress): Causes {
  past.show(moment);
  const { trace } = past.machine;
  if (n < trace.first || n >= trace.count) return { causes: [], since: moment };
  const event = trace.event(n);
  if (event.type === 'action') return { causes: [], since: moment };
  const own = past.machine.threadInfos.findIndex(({ name }) => name === event.thread);
  const begun = past.previous(new CallBegins(own), moment) ?? moment;
  const causes: Cause[] = [];
  const { found, since } = new Trials(past, own, begun, moment, event).latest(progress);
  if (found !== null) causes.push(found);
  const caller = new CallSeeker(event, n);
  const called = past.previous(caller, moment);
  if (called !== null)
    causes.push({ kind: 'call', moment: called, event: caller.event, author: past.author(called) });
  if (past.stepper(begun) < 0)
    causes.push({ kind: 'action', moment: begun, event: eventOf(past, begun), author: past.author(begun) });
  return { causes, since };
}

/** The event that stands for a moment: its action, else its newest mark or tracepoint, else its newest event. */
function eventOf(past: Past, moment: number): number | null {
  past.show(moment);
  const { trace } = past.machine;
  const events: TraceEvent[] = [];
  for (let n = trace.count - 1; n >= trace.first; n--) {
    const event = trace.event(n);
    if (event.moment < moment) break;
    events.push(event);
  }
  const best =
    events.find(({ type }) => type === 'action') ??
    events.find(({ type }) => type === 'mark' || type === 'tracepoint') ??
    events[0];
  return best?.n ?? null;
}

/** Seeks the moment at which an idle thread enters a routine. */
class CallBegins implements Seeker {
  private depth = 0;
  constructor(private readonly index: number) {}

  begin(at: Moment): void {
    this.depth = this.depthAt(at);
  }
  hits(at: Moment): boolean {
    const before = this.depth;
    this.depth = this.depthAt(at);
    return before === 0 && this.depth > 0;
  }
  private depthAt({ machine }: Moment): number {
    return thread.depth.get(machine, machine.threadRefs[this.index]!);
  }
}

/** Seeks the call in which an event happens; of a call, the one that calls it. */
class CallSeeker implements Seeker {
  event: number | null = null;
  private seen = 0;
  private readonly depth: number;

  constructor(
    private readonly of: TraceEvent,
    private readonly n: number,
  ) {
    this.depth = of.type === 'call' ? of.depth - 1 : of.depth;
  }

  begin({ machine }: Moment): void {
    this.seen = machine.trace.count;
  }
  hits({ machine: { trace } }: Moment): boolean {
    let hit = false;
    for (; this.seen < trace.count; this.seen++) {
      if (this.seen >= this.n || trace.declared(this.seen) >= 0) continue;
      const { type, thread: on, depth } = trace.event(this.seen);
      if (type !== 'call' || on !== this.of.thread || depth !== this.depth) continue;
      this.event = this.seen;
      hit = true;
    }
    return hit;
  }
}

/** What one moment changed: pairs of 32-bit words, so that a value of 64 bits is taken back whole or not at all. */
interface Change {
  /** Index of the first word of the pair. */
  readonly at: number;
  readonly before: readonly [number, number];
  readonly after: readonly [number, number];
}
/** A step of another thread, or an action. */
interface Deed {
  readonly moment: number;
  readonly changes: readonly Change[];
}
/** A step of the event's thread, with the state from which it was taken. */
interface OwnStep {
  readonly moment: number;
  readonly state: Uint32Array;
}

/** Tries which deeds of others a thread's way to an event depends on. */
class Trials {
  private left = TRIALS;
  private readonly deeds: Deed[] = [];
  private readonly steps: OwnStep[] = [];
  private readonly start: number;

  constructor(
    private readonly past: Past,
    private readonly own: number,
    private readonly begun: number,
    private readonly moment: number,
    private readonly event: TraceEvent,
  ) {
    let idle = begun - 1;
    while (idle > 0 && moment - idle < LOOK_BACK && past.stepper(idle) !== own) idle -= 1;
    this.start = Math.max(idle, moment - LOOK_BACK);
  }

  latest(progress?: Progress): { found: Cause | null; since: number } {
    const { past, moment } = this;
    // What an action itself recorded, it caused itself.
    if (past.stepper(moment) !== this.own) return { found: null, since: moment };
    this.collect();
    for (let i = this.deeds.length - 1; i >= 0; i--) {
      const deed = this.deeds[i]!;
      if ((this.deeds.length - i) % REPORT_EVERY === 0) progress?.(this.deeds.length - i, this.deeds.length);
      const kind = this.decides(deed);
      if (kind !== null) {
        const event = eventOf(past, deed.moment);
        const found: Cause = { kind, moment: deed.moment, event, author: past.author(deed.moment) };
        return { found, since: deed.moment };
      }
      if (this.left <= 0) return { found: null, since: deed.moment };
    }
    return { found: null, since: this.start + 1 };
  }

  /** Goes once through the moments, and keeps what each changed, or from where the thread's own step was taken. */
  private collect(): void {
    const { past, start, begun, moment, own } = this;
    past.show(start);
    const { machine } = past;
    let before = machine.u32.slice();
    for (let at = start + 1; at <= moment; at++) {
      past.advance();
      const isOwn = past.stepper(at) === own;
      if (isOwn && at > begun) this.steps.push({ moment: at, state: before });
      const after = machine.u32.slice();
      if (!isOwn && at !== begun && at < moment)
        this.deeds.push({ moment: at, changes: this.changes(before, after) });
      before = after;
    }
  }

  private changes(before: Uint32Array, after: Uint32Array): Change[] {
    const changes: Change[] = [];
    for (let at = 0; at < after.length; at += 2) {
      if (before[at] === after[at] && before[at + 1] === after[at + 1]) continue;
      if (this.isClockwork(at * 4)) continue;
      changes.push({
        at,
        before: [before[at]!, before[at + 1] ?? 0],
        after: [after[at]!, after[at + 1] ?? 0],
      });
    }
    return changes;
  }

  /** Time, and what `last` says of the newest action, change with everything and are no means of one thread to another. */
  private isClockwork(byte: number): boolean {
    const { header: clock, last: outcome } = this.past.machine;
    return (
      (byte >= clock - 4 && byte < clock + header.info.size) ||
      (byte >= outcome - 4 && byte < outcome + last.info.size)
    );
  }

  /** How a deed decides the thread's way to the event; null when it does not. */
  private decides(deed: Deed): 'direct' | 'before' | null {
    const own = this.steps.at(-1)!;
    if (this.alters(deed, own, true)) return 'direct';
    for (let i = this.steps.length - 2; i >= 0; i--) {
      const step = this.steps[i]!;
      if (step.moment < deed.moment) return null;
      if (this.alters(deed, step, false)) return 'before';
    }
    return null;
  }

  /** Whether, with a deed taken back, a step does something else: does not record the event, or leaves another state. */
  private alters(deed: Deed, step: OwnStep, mustRecord: boolean): boolean {
    const state = step.state.slice();
    const undone = new Map<number, number>();
    for (const { at, before, after } of deed.changes) {
      const bits = [before[0] ^ after[0], before[1] ^ after[1]] as const;
      const stands =
        ((state[at]! ^ after[0]) & bits[0]) === 0 && (((state[at + 1] ?? 0) ^ after[1]) & bits[1]) === 0;
      if (!stands) continue;
      bits.forEach((changed, i) => {
        if (changed === 0) return;
        state[at + i]! ^= changed;
        undone.set(at + i, changed);
      });
    }
    if (undone.size === 0 || this.left <= 0) return false;
    this.left -= 1;
    const { past, own } = this;
    const { machine } = past;
    if (!past.suppose(state, own)) return true;
    if (mustRecord) return !this.recorded();
    const without = machine.u32.slice();
    past.suppose(step.state, own);
    return machine.u32.some((word, at) => ((word ^ without[at]!) & ~(undone.get(at) ?? 0)) !== 0);
  }

  /** Whether the step that was tried has recorded the event. */
  private recorded(): boolean {
    const { trace } = this.past.machine;
    const { type, name, text, depth } = this.event;
    for (let n = trace.first; n < trace.count; n++) {
      const other = trace.event(n);
      if (other.name === name && other.type === type && other.text === text && other.depth === depth)
        return true;
    }
    return false;
  }
}
