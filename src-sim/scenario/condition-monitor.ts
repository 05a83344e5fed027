import type { Moment, TraceEvent } from '../index';
import {
  conditionText,
  matches,
  patternText,
  readTarget,
  resolve,
  sameValue,
  type Target,
} from './condition-language';
import type { Condition, EventPattern, When } from './condition-schema';

/** How a condition stands, in words, and where it went wrong. */
export interface Verdict {
  readonly holds: boolean;
  /** What was expected: a sentence without its full stop. */
  readonly expected: string;
  /** What was seen instead, or as well. */
  readonly observed: string;
  /** Moment at which it first went wrong; null when it holds, or when what is missing never happened. */
  readonly moment: number | null;
  /** Trace event at or before that moment; null when there is none. */
  readonly event: number | null;
}

/**
 * Watches conditions on a machine, from the moment at which it is made.
 *
 * `ever`, `never`, `always` and events are about the moments since then on the line of history that is shown: what was
 * done on a line that was left, by a jump back and another action, does not count. Per moment only the bytes of the
 * watched state are compared.
 */
export class Monitor {
  private readonly watches: readonly Watch[];
  /** Last moment that was observed on this line. */
  private observed: number;
  /** Names of the events that any condition asks for. */
  private readonly names: ReadonlySet<string>;

  constructor(
    private readonly timeline: Moment,
    conditions: readonly Condition[],
  ) {
    this.watches = conditions.map((condition) => watch(condition, timeline));
    this.names = new Set(conditions.flatMap(eventsOf));
    this.observed = timeline.moment;
    const at = this.here();
    for (const one of this.watches) one.begin(at);
  }

  /** To be called after every new moment: `timeline.onMoment = () => monitor.observe()`. */
  observe(): void {
    const { moment } = this.timeline;
    if (moment <= this.observed) {
      // A jump back, and something new from there: what was seen later belongs to the line that was left.
      for (const one of this.watches) one.rewind(moment);
      this.observed = moment - 1;
    }
    const at = this.here();
    if (this.names.size > 0)
      for (const event of this.since(this.observed)) for (const one of this.watches) one.event(event, at);
    for (const one of this.watches) one.look(at);
    this.observed = moment;
  }

  /** How every condition stands at the moment that the timeline shows, in the order given. */
  verdicts(): Verdict[] {
    return this.watches.map((_, i) => this.verdict(i));
  }

  /** How the `i`-th condition stands at the moment that the timeline shows. */
  verdict(i: number): Verdict {
    const { moment } = this.timeline;
    if (moment > this.observed) this.observe();
    const one = this.watches[i]!;
    const holds = one.holds(moment);
    const place = holds ? null : one.place(moment);
    return {
      holds,
      expected: one.expected,
      observed: one.observed(moment),
      moment: place?.moment ?? null,
      event: place?.event ?? null,
    };
  }

  /** Whether the `i`-th condition holds at the moment that the timeline shows: `verdict` without its words. */
  holds(i: number): boolean {
    const { moment } = this.timeline;
    if (moment > this.observed) this.observe();
    return this.watches[i]!.holds(moment);
  }

  /**
   * What the past has left that can still matter: two histories with equal memories and equal machines stand alike from
   * here on. It is about the moment shown, which must have been observed.
   */
  memory(): string {
    const { moment } = this.timeline;
    return this.watches.map((one) => one.memory(moment)).join(';');
  }

  /** Events of later moments than `moment` that are asked for, oldest first. */
  private since(moment: number): TraceEvent[] {
    const { trace } = this.timeline.machine;
    const events: TraceEvent[] = [];
    for (let n = trace.count - 1; n >= trace.first && trace.momentOf(n) > moment; n--) {
      if (this.names.has(trace.nameOf(n))) events.push(trace.event(n));
    }
    return events.reverse();
  }

  private here(): Place {
    const { moment, machine } = this.timeline;
    return { moment, event: machine.trace.count > 0 ? machine.trace.count - 1 : null };
  }
}

interface Place {
  readonly moment: number;
  /** The newest event at that moment. */
  readonly event: number | null;
}

/** One condition under watch. All questions are about a moment of the line shown, since the watch began. */
interface Watch {
  readonly expected: string;
  begin(at: Place): void;
  event(event: TraceEvent, at: Place): void;
  look(at: Place): void;
  rewind(moment: number): void;
  holds(moment: number): boolean;
  observed(moment: number): string;
  place(moment: number): Place | null;
  /** What of its past can still matter. */
  memory(moment: number): string;
}

function watch(condition: Condition, timeline: Moment): Watch {
  if ('path' in condition)
    return new StateWatch(condition, pathProbe(condition.path, timeline), pathTest(condition));
  if ('return' in condition) {
    const accepted = [condition.return].flat();
    const test = (value: string): boolean => accepted.some((one) => sameValue(value, one));
    return new StateWatch(condition, returnProbe(timeline, condition.of), test);
  }
  if ('exit' in condition) {
    const accepted = [condition.exit].flat();
    return new StateWatch(condition, exitProbe(timeline), (value) =>
      accepted.some((one) => sameValue(value, one)),
    );
  }
  if ('outcome' in condition) {
    const accepted: readonly string[] = [condition.outcome].flat();
    const read = (): string => timeline.outcome?.kind ?? 'none';
    return new StateWatch(condition, { changed: () => true, read }, (value) => accepted.includes(value));
  }
  if ('event' in condition) return new CountWatch(condition, condition, bounds(condition.count));
  if ('absent' in condition) return new CountWatch(condition, condition.absent, { min: 0, max: 0 });
  if ('order' in condition) return new OrderWatch(condition, condition.order);
  const parts = 'all' in condition ? condition.all : 'any' in condition ? condition.any : [condition.not];
  const join = 'all' in condition ? 'all' : 'any' in condition ? 'any' : 'not';
  return new CompoundWatch(
    condition,
    join,
    parts.map((part) => watch(part, timeline)),
    condition.when ?? 'now',
  );
}

/** Names of the events that a condition mentions. */
function eventsOf(condition: Condition): string[] {
  if ('event' in condition) return [condition.event];
  if ('absent' in condition) return [condition.absent.event];
  if ('order' in condition) return condition.order.map(({ event }) => event);
  if ('all' in condition) return condition.all.flatMap(eventsOf);
  if ('any' in condition) return condition.any.flatMap(eventsOf);
  return 'not' in condition && !('path' in condition) ? eventsOf(condition.not) : [];
}

// History of one value --------------------------------------------------------------------------------------------

interface Entry<T> extends Place {
  readonly value: T;
}

/** The values that something had, each with the moment from which on. */
class Track<T> {
  private readonly entries: Entry<T>[] = [];

  add(at: Place, value: T): void {
    if (this.entries.length === 0 || this.entries.at(-1)!.value !== value)
      this.entries.push({ ...at, value });
  }
  rewind(moment: number): void {
    while (this.entries.length > 0 && this.entries.at(-1)!.moment >= moment) this.entries.pop();
  }
  /** Entries up to a moment, oldest first; before the watch began, what it began with. */
  until(moment: number): readonly Entry<T>[] {
    const end = this.entries.findIndex((entry) => entry.moment > moment);
    return end < 0 ? this.entries : this.entries.slice(0, Math.max(1, end));
  }
}

/** The entry that decides a temporal claim: the first one that breaks `always` and `never`, or grants `ever`. */
function decisive<T>(
  entries: readonly Entry<T>[],
  timed: When,
  test: (value: T) => boolean,
): Entry<T> | null {
  if (timed === 'now') return entries.at(-1) ?? null;
  return entries.find(({ value }) => test(value) === (timed !== 'always')) ?? null;
}

function claims<T>(entries: readonly Entry<T>[], timed: When, test: (value: T) => boolean): boolean {
  const entry = decisive(entries, timed, test);
  if (timed === 'now') return entry !== null && test(entry.value);
  return (entry !== null) === (timed === 'ever');
}

// State -----------------------------------------------------------------------------------------------------------

export interface Probe {
  /** Whether the value can differ from what `read` answered last. */
  changed(): boolean;
  read(): string;
}

const NO_SUCH_STATE = 'no such state';

export function pathProbe(path: string, { machine }: Moment): Probe {
  const target: Target | null = resolve(machine.layout, path);
  if (target === null) return { changed: () => false, read: () => NO_SUCH_STATE };
  const from = target.leaf.ref + target.leaf.field.byte;
  const kept = new Uint8Array(Math.max(1, target.leaf.width >> 3));
  return {
    changed() {
      for (let i = 0; i < kept.length; i++) if (kept[i] !== machine.u8[from + i]) return true;
      return false;
    },
    read() {
      kept.set(machine.u8.subarray(from, from + kept.length));
      return readTarget(target, machine.show(target.leaf));
    },
  };
}

function pathTest(condition: Extract<Condition, { path: string }>): (value: string) => boolean {
  if ('in' in condition)
    return (value) => value !== NO_SUCH_STATE && condition.in.some((one) => sameValue(value, one));
  if ('is' in condition) return (value) => value !== NO_SUCH_STATE && sameValue(value, condition.is);
  return (value) => value !== NO_SUCH_STATE && !sameValue(value, condition.not);
}

/** What the last call returned, or why it has not; with `of`, of another call: that it is another. */
function returnProbe({ machine }: Moment, of: string | undefined): Probe {
  const kind = machine.layout.find('last.kind')!;
  const value = machine.layout.find('last.return')!;
  const read = (): string => {
    const how = machine.show(kind);
    const n = machine.actionsBegun;
    const call = n === 0 ? 'none' : machine.commandOf(n - 1).split(' ', 2)[1]!;
    if (of !== undefined && call !== of) return `a call of ${call}`;
    return how === 'returned' ? machine.show(value) : how;
  };
  return { changed: () => true, read };
}

function exitProbe({ machine }: Moment): Probe {
  const kind = machine.layout.find('last.kind')!;
  const exit = machine.layout.find('last.exit')!;
  const read = (): string => {
    const how = machine.show(kind);
    if (how !== 'returned') return how;
    return machine.show(exit) || 'none';
  };
  return { changed: () => true, read };
}

/** A state path, or a result: a value at every moment. */
class StateWatch implements Watch {
  readonly expected: string;
  private readonly track = new Track<string>();
  private readonly timed: When;
  /** What was read last belongs to a line that was left. */
  private stale = false;

  constructor(
    condition: Extract<
      Condition,
      { path: string } | { return: unknown } | { exit: unknown } | { outcome: unknown }
    >,
    private readonly probe: Probe,
    private readonly test: (value: string) => boolean,
  ) {
    this.expected = conditionText(condition);
    this.timed = condition.when ?? 'now';
  }

  begin(at: Place): void {
    this.track.add(at, this.probe.read());
  }
  event(): void {}
  look(at: Place): void {
    if (this.stale || this.probe.changed()) this.track.add(at, this.probe.read());
    this.stale = false;
  }
  rewind(moment: number): void {
    this.track.rewind(moment);
    this.stale = true;
  }
  holds(moment: number): boolean {
    return claims(this.track.until(moment), this.timed, this.test);
  }
  memory(moment: number): string {
    if (this.timed === 'now') return ''; // the machine's bytes say it
    return decisive(this.track.until(moment), this.timed, this.test) === null ? '0' : '1';
  }
  observed(moment: number): string {
    const entries = this.track.until(moment);
    const entry = decisive(entries, this.timed, this.test);
    if (this.timed === 'now') return shown(entry?.value ?? '');
    if (entry !== null) return `${shown(entry.value)} at moment ${entry.moment}`;
    const values = [...new Set(entries.map(({ value }) => shown(value)))];
    return values.length > 6
      ? `${values.slice(0, 6).join(', ')} and ${values.length - 6} others`
      : values.join(', ');
  }
  place(moment: number): Place | null {
    const entries = this.track.until(moment);
    const entry = decisive(entries, this.timed, this.test);
    // A value that it had when the watch began did not go wrong at any moment that was watched.
    return entry === null || (this.timed === 'now' && entry === entries[0]) ? null : entry;
  }
}

function shown(value: string): string {
  return value === '' ? 'none' : value;
}

// Events ----------------------------------------------------------------------------------------------------------

function bounds(count: number | { min?: number | undefined; max?: number | undefined } | undefined): Bounds {
  if (count === undefined) return { min: 1, max: Infinity };
  if (typeof count === 'number') return { min: count, max: count };
  return { min: count.min ?? 0, max: count.max ?? Infinity };
}
interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** Occurrences of one pattern. */
class Occurrences {
  private readonly found: Place[] = [];
  constructor(readonly pattern: EventPattern) {}

  event(event: TraceEvent, { moment }: Place): void {
    if (matches(event, this.pattern)) this.found.push({ moment, event: event.n });
  }
  rewind(moment: number): void {
    while (this.found.length > 0 && this.found.at(-1)!.moment >= moment) this.found.pop();
  }
  until(moment: number): readonly Place[] {
    const end = this.found.findIndex((place) => place.moment > moment);
    return end < 0 ? this.found : this.found.slice(0, end);
  }
}

class CountWatch implements Watch {
  readonly expected: string;
  private readonly occurrences: Occurrences;

  constructor(
    condition: Condition,
    pattern: EventPattern,
    private readonly limits: Bounds,
  ) {
    this.expected = conditionText(condition);
    this.occurrences = new Occurrences(pattern);
  }

  begin(): void {}
  event(event: TraceEvent, at: Place): void {
    this.occurrences.event(event, at);
  }
  look(): void {}
  rewind(moment: number): void {
    this.occurrences.rewind(moment);
  }
  holds(moment: number): boolean {
    const { length } = this.occurrences.until(moment);
    return length >= this.limits.min && length <= this.limits.max;
  }
  memory(moment: number): string {
    const { min, max } = this.limits;
    const enough = max === Infinity ? min : max + 1;
    return String(Math.min(enough, this.occurrences.until(moment).length));
  }
  observed(moment: number): string {
    const found = this.occurrences.until(moment);
    if (found.length === 0) return 'it never happened';
    return `it happened ${found.length === 1 ? 'once' : `${found.length} times`}, first at moment ${found[0]!.moment}`;
  }
  place(moment: number): Place | null {
    return this.occurrences.until(moment)[this.limits.max] ?? null; // the first one too many
  }
}

class OrderWatch implements Watch {
  readonly expected: string;
  private readonly steps: readonly Occurrences[];

  constructor(condition: Condition, patterns: readonly EventPattern[]) {
    this.expected = conditionText(condition);
    this.steps = patterns.map((pattern) => new Occurrences(pattern));
  }

  begin(): void {}
  event(event: TraceEvent, at: Place): void {
    for (const step of this.steps) step.event(event, at);
  }
  look(): void {}
  rewind(moment: number): void {
    for (const step of this.steps) step.rewind(moment);
  }
  holds(moment: number): boolean {
    return this.chain(moment).length === this.steps.length;
  }
  memory(moment: number): string {
    return String(this.chain(moment).length);
  }
  observed(moment: number): string {
    const chain = this.chain(moment);
    if (chain.length === this.steps.length) return 'it happened in this order';
    const missing = patternText(this.steps[chain.length]!.pattern);
    const early = this.steps[chain.length]!.until(moment).at(-1);
    if (chain.length === 0) return `${missing} never happened`;
    const before = patternText(this.steps[chain.length - 1]!.pattern);
    if (early === undefined) return `${before} happened, ${missing} never did`;
    return `${missing} happened at moment ${early.moment}, but not after ${before}`;
  }
  place(moment: number): Place | null {
    return this.steps[this.chain(moment).length]?.until(moment).at(-1) ?? null;
  }

  /** The earliest events that follow each other as wanted, as far as they do. */
  private chain(moment: number): Place[] {
    const chain: Place[] = [];
    let after = -1;
    for (const step of this.steps) {
      const next = step.until(moment).find(({ event }) => event! > after);
      if (next === undefined) break;
      chain.push(next);
      after = next.event!;
    }
    return chain;
  }
}

// Compounds -------------------------------------------------------------------------------------------------------

class CompoundWatch implements Watch {
  readonly expected: string;
  private readonly track = new Track<boolean>();

  constructor(
    condition: Condition,
    private readonly join: 'all' | 'any' | 'not',
    private readonly parts: readonly Watch[],
    private readonly timed: When,
  ) {
    this.expected = conditionText(condition);
  }

  begin(at: Place): void {
    for (const part of this.parts) part.begin(at);
    this.note(at);
  }
  event(event: TraceEvent, at: Place): void {
    for (const part of this.parts) part.event(event, at);
  }
  look(at: Place): void {
    for (const part of this.parts) part.look(at);
    this.note(at);
  }
  rewind(moment: number): void {
    for (const part of this.parts) part.rewind(moment);
    this.track.rewind(moment);
  }
  holds(moment: number): boolean {
    return this.timed === 'now' ? this.truth(moment) : claims(this.track.until(moment), this.timed, Boolean);
  }
  observed(moment: number): string {
    if (this.timed !== 'now') {
      const entry = decisive(this.track.until(moment), this.timed, Boolean);
      if (entry === null) return this.timed === 'ever' ? 'at no moment' : 'so at every moment';
      return `${entry.value ? 'so' : 'not so'} at moment ${entry.moment}`;
    }
    return this.telling(moment)
      .map((part) => `${part.expected}: ${part.observed(moment)}`)
      .join('; ');
  }
  place(moment: number): Place | null {
    if (this.timed !== 'now') return decisive(this.track.until(moment), this.timed, Boolean);
    for (const part of this.telling(moment)) {
      const place = part.place(moment);
      if (place !== null) return place;
    }
    return null;
  }

  memory(moment: number): string {
    const own =
      this.timed !== 'now' && decisive(this.track.until(moment), this.timed, Boolean) !== null ? '1' : '';
    return `(${own}${this.parts.map((part) => part.memory(moment)).join(',')})`;
  }

  private note(at: Place): void {
    if (this.timed !== 'now') this.track.add(at, this.truth(at.moment));
  }
  private truth(moment: number): boolean {
    if (this.join === 'all') return this.parts.every((part) => part.holds(moment));
    if (this.join === 'any') return this.parts.some((part) => part.holds(moment));
    return !this.parts[0]!.holds(moment);
  }
  /** The parts that explain how it stands: of `all` the ones that fail, of `any` the ones that hold, else every one. */
  private telling(moment: number): readonly Watch[] {
    if (this.join === 'not') return this.parts;
    const telling = this.parts.filter((part) => part.holds(moment) === (this.join === 'any'));
    return telling.length > 0 ? telling : this.parts;
  }
}
