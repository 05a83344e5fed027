import type { Author, Layout, Moment, Seeker } from '../index';
import {
  checkCondition,
  checkPattern,
  conditionText,
  matches,
  patternText,
  type Problem,
} from './condition-language';
import type { Condition, EventPattern, Stop } from './condition-schema';
import { Monitor, pathProbe, type Probe } from './condition-monitor';

/**
 * Stops: where a run halts, forwards or backwards. They are made of the words of scenarios: a breakpoint is an event
 * pattern, a watchpoint a state path, and a condition stops where it becomes true.
 */

/** Every word of a stop that a machine of this layout does not know. Such a stop is never hit. */
export function checkStop(stop: Stop, layout: Layout): Problem[] {
  if ('event' in stop) return checkPattern(stop.event, layout);
  if ('becomes' in stop) return checkCondition(stop.becomes, layout);
  return checkCondition({ path: stop.changes, not: '' }, layout).filter(
    ({ code }) => code !== 'unknown_value',
  );
}

/** A stop as a sentence without its full stop: `td.vcpu0.pid.on changes`. */
export function stopText(stop: Stop): string {
  if ('event' in stop) return `${patternText(stop.event)} happens`;
  return 'changes' in stop ? `${stop.changes} changes` : conditionText(stop.becomes);
}

/** What made a run halt, or was found in the past. */
export interface Hit {
  /** Indices of the stops that were hit at this moment, ascending. */
  readonly stops: readonly number[];
  readonly moment: number;
  /** The event of the first stop, or the newest event of that moment; null when nothing was recorded there. */
  readonly event: number | null;
  /** What came true, one sentence without its full stop a stop. */
  readonly why: readonly string[];
}

/** Halts a run, or is looked for in the past. `hit` is about the last moment at which a stop was hit. */
export class StopSeeker implements Seeker {
  hit: Hit | null = null;
  private readonly watches: readonly Watch[];

  constructor(stops: readonly Stop[]) {
    this.watches = stops.map(watch);
  }

  begin(at: Moment): void {
    for (const one of this.watches) one.begin(at);
  }

  hits(at: Moment): boolean {
    const stops: number[] = [];
    const why: string[] = [];
    let event: number | null = null;
    this.watches.forEach((one, i) => {
      const seen = one.hits(at);
      if (seen === null) return;
      stops.push(i);
      why.push(seen.why);
      event ??= seen.event;
    });
    if (stops.length === 0) return false;
    const { moment, machine } = at;
    this.hit = { stops, moment, event: event ?? newestEvent(machine, moment), why };
    return true;
  }
}

/** Newest event of a moment; null when nothing was recorded there. */
function newestEvent({ trace }: Moment['machine'], moment: number): number | null {
  const n = trace.count - 1;
  return n >= trace.first && trace.event(n).moment === moment ? n : null;
}

/** Who made a moment, as a sentence says it: `td.vcpu0 in vcpu_enter_guest`, or the action's command. */
export function authorText(author: Author): string {
  return author.kind === 'action' ? `the action ${author.command}` : `${author.thread} in ${author.routine}`;
}

/** One stop under watch, asked at every moment since `begin`. */
interface Watch {
  begin(at: Moment): void;
  hits(at: Moment): { readonly why: string; readonly event: number | null } | null;
}

function watch(stop: Stop): Watch {
  if ('event' in stop) return new EventWatch(stop.event);
  return 'changes' in stop ? new ChangeWatch(stop.changes) : new ConditionWatch(stop.becomes);
}

class EventWatch implements Watch {
  private seen = 0;
  private readonly text: string;

  constructor(private readonly pattern: EventPattern) {
    this.text = patternText(pattern);
  }

  begin({ machine }: Moment): void {
    this.seen = machine.trace.count;
  }
  hits({ machine: { trace } }: Moment): { why: string; event: number } | null {
    for (let n = this.seen; n < trace.count; n++) {
      if (trace.nameOf(n) !== this.pattern.event || !matches(trace.event(n), this.pattern)) continue;
      this.seen = trace.count;
      return { why: `${this.text} happened`, event: n };
    }
    this.seen = trace.count;
    return null;
  }
}

class ChangeWatch implements Watch {
  private probe: Probe | null = null;
  private value = '';

  constructor(private readonly path: string) {}

  begin(at: Moment): void {
    this.probe = pathProbe(this.path, at);
    this.value = this.probe.read();
  }
  hits(): { why: string; event: null } | null {
    if (!this.probe!.changed()) return null;
    const from = this.value;
    this.value = this.probe!.read();
    if (this.value === from) return null;
    return { why: `${this.path} changed from ${from || 'none'} to ${this.value || 'none'}`, event: null };
  }
}

class ConditionWatch implements Watch {
  private monitor!: Monitor;
  private held = false;
  private readonly text: string;

  constructor(private readonly condition: Condition) {
    this.text = conditionText(condition);
  }

  begin(at: Moment): void {
    this.monitor = new Monitor(at, [this.condition]);
    this.held = this.monitor.holds(0);
  }
  hits(): { why: string; event: null } | null {
    this.monitor.observe();
    const before = this.held;
    this.held = this.monitor.holds(0);
    return this.held && !before ? { why: this.text, event: null } : null;
  }
}
