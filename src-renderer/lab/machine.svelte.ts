import type {
  EventView,
  FieldDoc,
  LockView,
  MachineDelta,
  MachineView,
  OutcomeView,
  ThreadView,
  TraceDelta,
} from '../../src-lab/view';
import { MAX_EVENTS_ASKED } from '../../src-main/contract';
import { Ascending } from './ascending';

/** Marks that come with every world switch: they say how things travel, not what came of them. */
const TRAFFIC: ReadonlySet<string> = new Set([
  'seamcall',
  'seamret',
  'ipi_sent',
  'irq_handled_by_host',
  'vcpu_kicked',
  'guest_ve',
]);
/** Of several events at one moment, which says most. */
const RANK: Readonly<Record<EventView['type'], number>> = {
  mark: 4,
  tracepoint: 3,
  action: 2,
  return: 1,
  call: 0,
};
const NOTHING: ReadonlySet<number> = new Set();
/** Events that are kept beside those at hand: what was looked at last. */
const KEPT = 8_000;

/** Asks main for events of a machine; null when that failed. */
export type ReadEvents = (on: 'a' | 'b', events: number[]) => Promise<EventView[] | null>;

/**
 * The machine as the screen knows it: always what main said last. Values travel by index. Of the trace, numbers are known
 * and the events that belong to the moment shown; others are asked for when they are looked at.
 *
 * After a jump back, events that are known but have not happened yet at the moment shown stay known: from `count` up to
 * `known`. They go when history is left there and a new line begins.
 */
export class MachineState {
  readonly fields: readonly FieldDoc[];
  /** Of the fields, in their order. */
  readonly paths: readonly string[];
  values: readonly string[] = $state.raw([]);
  threads: readonly ThreadView[] = $state.raw([]);
  /** Locks that somebody holds. */
  locks: readonly LockView[] = $state.raw([]);
  moment = $state(0);
  last = $state(0);
  outcome: OutcomeView | null = $state.raw(null);
  /** The two machines of a comparison; all else is of the one that is viewed. */
  compare: MachineView['compare'] = $state.raw(null);
  /** Indices of the fields that the last input changed. */
  changed: ReadonlySet<number> = $state.raw(NOTHING);
  /** Events that have happened at the moment shown. */
  count = $state(0);
  /** Events known, those to come included. */
  known = $state(0);
  /** The newest action's event, or the first at hand when it is further back; 0 when nothing was done yet. */
  lastAction = $state(0);
  /** First of the events that are at hand up to `count`, without asking. */
  from = $state(0);
  /** Numbers of the known events that pass the filter. */
  rows = $state.raw(new Ascending());
  /** Moments at which actions began. */
  actions = $state.raw(new Ascending());
  /** Names of events that the machine has had, on whatever line of history, each once. */
  names: readonly string[] = $state.raw([]);
  /** Grows whenever a known event was replaced by another: whoever keeps a digest of the trace starts anew. */
  generation = $state(0);
  /** Events at hand, by number. */
  #near: ReadonlyMap<number, EventView> = $state.raw(new Map());
  /** Others that were looked at, by number, the latest last. */
  readonly #far = new Map<number, EventView>();
  /** Grows whenever something came to `#far`. */
  #came = $state(0);
  /** Events that are to be asked for next. */
  #wanted: readonly number[] | null = null;
  #asking = false;
  /** The fields as main tells them. */
  readonly #told: MachineView['fields'];
  readonly #indexOf: ReadonlyMap<string, number>;
  readonly #read: ReadEvents;

  /** @param on - which one of a comparison it is; `a` where there is only one. */
  constructor(
    view: MachineView,
    read: ReadEvents,
    readonly on: 'a' | 'b' = view.compare?.viewed ?? 'a',
  ) {
    this.#read = read;
    const { paths, kinds, kindOf } = (this.#told = view.fields);
    this.fields = paths.map((path, i) => ({ path, ...kinds[kindOf[i]!]! }));
    this.paths = paths;
    this.#indexOf = new Map(this.paths.map((path, i) => [path, i]));
    this.values = view.values;
    this.#takeOver(view);
  }

  /** The other machine of a comparison, as it is told from nothing: to who sees it first nothing has changed. */
  first({ changed, ...now }: MachineDelta): MachineState {
    const values = this.fields.map(() => '');
    for (const [i, value] of changed) values[i] = value;
    const view = { ...now, fields: this.#told, values, hash: '' };
    return new MachineState(view, this.#read, this.on === 'a' ? 'b' : 'a');
  }

  /** Takes over what an input changed. */
  apply(delta: MachineDelta): void {
    const { trace, moment, last, changed } = delta;
    const isStill =
      moment === this.moment &&
      last === this.last &&
      trace.count === this.count &&
      trace.known === this.known &&
      trace.keep === this.known;
    if (changed.length > 0) {
      const values = [...this.values];
      for (const [i, value] of changed) values[i] = value;
      this.values = values;
    }
    if (!isStill || changed.length > 0) {
      this.changed = changed.length === 0 ? NOTHING : new Set(changed.map(([i]) => i));
    }
    this.#takeOver(delta);
  }

  #takeOver({ threads, locks, moment, last, outcome, compare, trace }: MachineView | MachineDelta): void {
    this.threads = threads;
    this.locks = locks;
    this.moment = moment;
    this.last = last;
    this.outcome = outcome;
    this.compare = compare;
    this.#grow(trace);
  }

  #grow({ keep, count, known, lastAction, from, events, rows, actions, names }: TraceDelta): void {
    if (keep < this.known) {
      this.generation += 1;
      for (const n of this.#far.keys()) if (n >= keep) this.#far.delete(n);
    }
    for (const [n, event] of this.#near) if (n < keep) this.#keep(event);
    // It may have got its return.
    if (known > keep && this.#far.get(keep - 1)?.type === 'call') this.#far.delete(keep - 1);
    for (const event of events) this.#keep(event);
    const near = new Map<number, EventView>();
    for (let n = from; n < count; n++) {
      const event = this.#far.get(n);
      if (event !== undefined) near.set(n, event);
    }
    this.#near = near;
    this.#forget();
    if (keep < this.known || rows.length > 0) this.rows = this.rows.followedBy(this.rows.indexOf(keep), rows);
    if (actions.keep < this.actions.length || actions.moments.length > 0)
      this.actions = this.actions.followedBy(actions.keep, actions.moments);
    if (keep === 0 || names.length > 0) this.names = [...(keep === 0 ? [] : this.names), ...names].sort();
    this.count = count;
    this.known = known;
    this.lastAction = lastAction;
    this.from = from;
    this.#came += 1;
  }

  /** Another filter: the numbers of all events that pass it. */
  filtered(rows: Int32Array): void {
    this.rows = new Ascending(rows);
  }

  /** The n-th event; undefined outside 0 to `known - 1`, and when it has to be asked for. */
  event(n: number): EventView | undefined {
    if (n >= this.from && n < this.count) return this.#near.get(n);
    void this.#came;
    return this.#far.get(n);
  }

  /** Looks at events: those that are not here are asked for. Of calls that come meanwhile only the last one counts. */
  look(events: readonly number[]): void {
    for (const n of events) {
      const event = this.#far.get(n);
      if (event !== undefined) this.#keep(event);
    }
    this.#wanted = events;
    if (!this.#asking) void this.#ask();
  }

  /** The n-th event, asked for when it is not here; undefined outside 0 to `known - 1`. */
  async fetch(n: number): Promise<EventView | undefined> {
    if (!this.#isHere(n) && n >= 0 && n < this.known) this.#come(await this.#read(this.on, [n]));
    return this.#near.get(n) ?? this.#far.get(n);
  }

  #isHere(n: number): boolean {
    return this.#near.has(n) || this.#far.has(n);
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    while (this.#wanted !== null) {
      const events: number[] = this.#wanted.filter((n) => !this.#isHere(n)).slice(0, MAX_EVENTS_ASKED);
      this.#wanted = null;
      if (events.length > 0) this.#come(await this.#read(this.on, events));
    }
    this.#asking = false;
  }

  #come(events: readonly EventView[] | null): void {
    for (const event of events ?? []) this.#keep(event);
    this.#forget();
    this.#came += 1;
  }

  #keep(event: EventView): void {
    this.#far.delete(event.n);
    this.#far.set(event.n, event);
  }

  /** Forgets what was not looked at for longest. */
  #forget(): void {
    for (const n of this.#far.keys()) {
      if (this.#far.size <= KEPT) break;
      this.#far.delete(n);
    }
  }

  /** The value of the field at `path`; undefined when the platform has none. */
  value(path: string): string | undefined {
    const i = this.#indexOf.get(path);
    return i === undefined ? undefined : this.values[i];
  }

  /** Whether the last input changed the field at `path`. */
  hasChanged(path: string): boolean {
    const i = this.#indexOf.get(path);
    return i !== undefined && this.changed.has(i);
  }

  /**
   * What is worth a sentence: what happened at the moment shown; where nothing did, the newest mark since the newest
   * action that is more than the traffic between layers; else the newest event.
   */
  readonly happened: EventView | undefined = $derived.by(() => {
    let newest: EventView | undefined;
    let now: EventView | undefined;
    for (let n = this.count - 1; n >= this.lastAction; n--) {
      const event = this.event(n);
      if (event === undefined) break;
      newest ??= event;
      if (event.moment === this.moment && (now === undefined || RANK[event.type] > RANK[now.type]))
        now = event;
      else if (
        event.moment < this.moment &&
        (now !== undefined || (event.type === 'mark' && !TRAFFIC.has(event.name)))
      ) {
        return now ?? event;
      }
    }
    return now ?? newest;
  });

  thread(name: string): ThreadView | undefined {
    return this.threads.find((thread) => thread.name === name);
  }
}
