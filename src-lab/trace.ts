import { ACTION, CALL, leafOf, RETURN, tookOf, type Trace, type TraceEvent } from '../src-sim';
import type { EventView, TraceDelta, TraceFilter } from './view';

/** Events that are sent with one delta at most, the last ones; the others can be asked for. */
export const MAX_EVENTS = 2_000;

/** What a screen was told of one trace, and what it must be told next. */
export class ToldTrace {
  /** Events that the screen has at hand since then, whatever else it keeps. */
  private at = { from: 0, to: 0 };
  private readonly names = new Set<string>();
  /** What has its name among them, as kind and id. */
  private readonly named = new Set<number>();

  constructor(private matcher: TraceMatcher) {}

  /** @param keep - events at the beginning that are still what the screen was told. */
  delta(trace: Trace, keep: number): TraceDelta {
    const { count, known, first } = trace;
    const begun = newestAction(trace, count) ?? first;
    const from = Math.max(first, count - MAX_EVENTS, Math.min(begun, keep));
    const lastAction = Math.max(begun, from);
    const events = this.unsent(trace, from, keep).map((n) => eventView(trace, n));
    this.at = { from, to: count };
    const rows = this.matcher.rows(trace, keep);
    return { keep, count, known, lastAction, from, events, rows, actions: actions(trace, keep), names: this.newNames(trace, keep) }; // prettier-ignore
  }

  /** Shows what another filter does, from now on. @returns the numbers of those events. */
  filter(trace: Trace, matcher: TraceMatcher): TraceDelta['rows'] {
    this.matcher = matcher;
    return matcher.rows(trace, 0);
  }

  /** Of the events from `from` on that have happened, those that the screen does not have at hand as they are now. */
  private unsent(trace: Trace, from: number, keep: number): number[] {
    const { at } = this;
    const told = from >= at.from && from <= at.to ? Math.max(from, Math.min(at.to, keep)) : from;
    // The last event of all may be a call that has got its return.
    const isOpen = told === keep && keep < trace.known && told > from && trace.kindOf(told - 1) === CALL;
    const begin = isOpen ? told - 1 : told;
    return Array.from({ length: Math.max(0, trace.count - begin) }, (_, i) => begin + i);
  }

  private newNames(trace: Trace, keep: number): string[] {
    if (keep === 0) {
      this.names.clear();
      this.named.clear();
    }
    const news: string[] = [];
    for (let n = Math.max(keep, trace.first); n < trace.known; n++) {
      const kind = trace.kindOf(n);
      // A return has the name of its call.
      if (kind === RETURN) continue;
      const key = kind === ACTION ? null : (trace.idOf(n) << 4) | kind;
      if (key !== null && this.named.has(key)) continue;
      if (key !== null) this.named.add(key);
      const name = trace.nameOf(n);
      if (this.names.has(name)) continue;
      this.names.add(name);
      news.push(name);
    }
    return news;
  }
}

/** An event as the screen shows it. */
export function eventView(trace: Trace, n: number): EventView {
  const { moment, ns, thread, cpu, layer, depth, type, name, text, say, source } = trace.event(n);
  const returned = leafOf(trace, n);
  const took = tookOf(trace, returned ?? n);
  const leaf = returned === null ? null : trace.event(returned).text;
  return { n, moment, ns, thread, cpu, layer, depth, type, name, text, say, source, took, leaf };
}

/** Moments at which the actions from event `keep` on began, and how many there were before. */
function actions(trace: Trace, keep: number): TraceDelta['actions'] {
  const before = newestAction(trace, keep);
  const moments: number[] = [];
  for (let n = Math.max(keep, trace.first); n < trace.known; n++) {
    if (trace.kindOf(n) === ACTION) moments.push(trace.momentOf(n));
  }
  return { keep: before === null ? 0 : trace.idOf(before) + 1, moments: Int32Array.from(moments) };
}

/** The newest action before event `before`; null when there is none. */
function newestAction(trace: Trace, before: number): number | null {
  for (let n = before - 1; n >= trace.first; n--) if (trace.kindOf(n) === ACTION) return n;
  return null;
}

/**
 * Which events of a trace a filter shows. What an event says is looked at once for all events that differ in time, depth
 * and CPU alone, so a trace of a million events costs little more than reading its rows.
 */
export class TraceMatcher {
  private readonly needle: string;
  /** An open-addressing table of `2 * (n + 1) + (shown ? 1 : 0)`, one entry for all events that are like event `n`. */
  private table = new Int32Array(1 << 10);
  private entries = 0;
  /** The trace when it was last looked at: its oldest event, and how many were known. */
  private seen = { first: 0, known: 0 };

  constructor(readonly filter: TraceFilter) {
    this.needle = filter.text.trim().toLowerCase();
  }

  /**
   * Numbers of the events from `from` on that are shown, ascending, those after the moment shown included.
   *
   * @param from - the events before it are still what they were when this was called before; 0: it may be another trace.
   */
  rows(trace: Trace, from: number): Int32Array<ArrayBuffer> {
    const { first, known } = trace;
    if (from === 0 || from < this.seen.known || first !== this.seen.first) this.forget();
    this.seen = { first, known };
    const begin = Math.max(from, first);
    const rows = new Int32Array(Math.max(0, known - begin));
    let length = 0;
    for (let n = begin; n < known; n++) if (this.shows(trace, n)) rows[length++] = n;
    return rows.slice(0, length);
  }

  /** Events were replaced: what was found out about them is worth nothing. */
  private forget(): void {
    this.table.fill(0);
    this.entries = 0;
  }

  private shows(trace: Trace, n: number): boolean {
    const kind = trace.kindOf(n);
    if (!this.filter.calls && (kind === CALL || kind === RETURN)) return false;
    // Who looks for a result looks for the return; otherwise it stands in the row of a call that had no other events.
    if (kind === RETURN && this.needle === '' && n > trace.first && leafOf(trace, n - 1) !== null)
      return false;
    // Hardly any two actions are alike.
    if (kind === ACTION) return this.showsAction(trace, n);
    const mask = this.table.length - 1;
    let at = trace.digestOf(n) & mask;
    for (let entry = this.table[at]!; entry !== 0; entry = this.table[at]!) {
      if (trace.isLike((entry >> 1) - 1, n)) return (entry & 1) === 1;
      at = (at + 1) & mask;
    }
    const shown = admits(this.filter, this.needle, trace.event(n));
    this.table[at] = 2 * (n + 1) + (shown ? 1 : 0);
    if (++this.entries * 2 > mask) this.grow(trace);
    return shown;
  }

  private showsAction(trace: Trace, n: number): boolean {
    if (this.filter.without.includes(trace.layerOf(n))) return false;
    if (this.needle === '') return true;
    const [verb, params] = trace.actionOf(n);
    return [verb, params, trace.threadNameOf(n)].some((word) => word.toLowerCase().includes(this.needle));
  }

  private grow(trace: Trace): void {
    const old = this.table;
    this.table = new Int32Array(old.length * 4);
    const mask = this.table.length - 1;
    for (const entry of old) {
      if (entry === 0) continue;
      let at = trace.digestOf((entry >> 1) - 1) & mask;
      while (this.table[at] !== 0) at = (at + 1) & mask;
      this.table[at] = entry;
    }
  }
}

/** Whether a filter shows an event, whatever stands beside it. */
export function admits(filter: TraceFilter, needle: string, event: TraceEvent): boolean {
  const { type, layer, name, text, thread, source } = event;
  if (filter.without.includes(layer)) return false;
  if (!filter.calls && (type === 'call' || type === 'return')) return false;
  if (!filter.tracepoints && type === 'tracepoint') return false;
  if (!filter.marks && type === 'mark') return false;
  if (needle === '') return true;
  return (
    name.toLowerCase().includes(needle) ||
    text.toLowerCase().includes(needle) ||
    thread.toLowerCase().includes(needle) ||
    source.toLowerCase().includes(needle)
  );
}
