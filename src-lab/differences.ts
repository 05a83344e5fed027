import type { Leaf, Timeline, TraceEvent } from '../src-sim';
import type { Differences } from './view';

/** Fields that are listed at once; there are rarely more than a few. */
const MAX_FIELDS = 60;

type Fields = Differences['now'];

/**
 * Compares two machines of the same slots, from the moment at which it is made: the first event and the first state in
 * which they differ, moment by moment, and everything that differs now. Their switches do not count.
 */
export class Differ {
  private readonly from: readonly [Place, Place];
  private readonly leaves: readonly Leaf[];
  /** Leaves that lie in each 32-bit word that is compared. */
  private readonly byWord = new Map<number, Leaf[]>();
  private readonly before: Fields;
  private readonly known: ReadonlySet<string>;
  /** Events and moments since the beginning up to which both are the same. */
  private events = 0;
  private moments = 0;
  private event: Differences['event'] = null;
  private state: Differences['state'] = null;

  constructor(
    private readonly a: Timeline,
    private readonly b: Timeline,
  ) {
    this.from = [placeOf(a), placeOf(b)];
    this.leaves = a.machine.layout.leaves.filter((leaf) => !isOwn(leaf));
    for (const leaf of this.leaves) {
      const from = leaf.ref + leaf.field.byte;
      for (let word = from >> 2; word <= (from + Math.max(1, leaf.width >> 3) - 1) >> 2; word++) {
        const leaves = this.byWord.get(word);
        if (leaves) leaves.push(leaf);
        else this.byWord.set(word, [leaf]);
      }
    }
    this.before = this.fields();
    this.known = new Set(this.before.map(({ path }) => path));
  }

  get found(): Differences {
    return { before: this.before, event: this.event, state: this.state, now: this.fields() };
  }

  /** To be called after whatever was done, a jump included. */
  update(): void {
    this.compareEvents();
    this.compareStates();
  }

  private compareEvents(): void {
    const [a, b] = [this.a.machine.trace, this.b.machine.trace];
    const [from, than] = [this.from[0].event, this.from[1].event];
    const [ends, end] = [a.count - from, b.count - than];
    if (this.event?.a && this.event.b && this.events < ends && this.events < end) return;
    // Of a trace that has grown too long, the beginning is gone: it was the same as far as it was seen.
    this.events = Math.max(Math.min(this.events, ends, end), a.first - from, b.first - than);
    while (this.events < ends && this.events < end) {
      if (!same(a.event(from + this.events), b.event(than + this.events))) break;
      this.events++;
    }
    const at = (trace: typeof a, n: number): EventPlace | null =>
      n >= trace.first && n < trace.count ? eventPlace(trace.event(n)) : null;
    const pair = { a: at(a, from + this.events), b: at(b, than + this.events) };
    this.event = pair.a === null && pair.b === null ? null : pair;
  }

  private compareStates(): void {
    const { a, b } = this;
    const now: [number, number] = [a.moment, b.moment];
    const [from, than] = [this.from[0].moment, this.from[1].moment];
    const end = Math.min(now[0] - from, now[1] - than);
    if (this.state !== null && this.moments < end) return;
    this.state = null;
    this.moments = Math.max(0, Math.min(this.moments, end));
    while (this.moments < end) {
      a.jump(from + this.moments + 1);
      b.jump(than + this.moments + 1);
      const fields = this.fields().filter(({ path }) => !this.known.has(path));
      if (fields.length > 0) {
        this.state = { a: a.moment, b: b.moment, fields };
        break;
      }
      this.moments++;
    }
    a.jump(now[0]);
    b.jump(now[1]);
  }

  /** What differs at the moments shown, in the order of the layout. */
  private fields(): Fields {
    const [a, b] = [this.a.machine, this.b.machine];
    const leaves = new Set<Leaf>();
    for (const [word, those] of this.byWord)
      if (a.u32[word] !== b.u32[word]) for (const leaf of those) leaves.add(leaf);
    if (leaves.size === 0) return [];
    return [...leaves]
      .sort((one, two) => one.index - two.index)
      .map((leaf) => ({ path: leaf.path, a: a.show(leaf), b: b.show(leaf) }))
      .filter((field) => field.a !== field.b)
      .slice(0, MAX_FIELDS);
  }
}

interface Place {
  readonly moment: number;
  readonly event: number;
}
function placeOf({ moment, machine }: Timeline): Place {
  return { moment, event: machine.trace.count };
}

type EventPlace = NonNullable<NonNullable<Differences['event']>['a']>;
function eventPlace({ n, moment, thread, name, text, say }: TraceEvent): EventPlace {
  return { n, moment, thread, name, text, say };
}

/** Whether two events are the same but for their time. */
function same(a: TraceEvent, b: TraceEvent): boolean {
  return a.name === b.name && a.type === b.type && a.thread === b.thread && a.text === b.text;
}

/** What says only which machine it is, what time it is, and where the threads are: the trace says that better. */
function isOwn({ path }: Leaf): boolean {
  return path === 'now' || path.startsWith('variant.') || /(?:^|\.)thread\.(?:status|depth|ret)$/.test(path);
}
