import type {
  EventView,
  FieldDoc,
  LockView,
  MachineDelta,
  MachineView,
  OutcomeView,
  ThreadView,
} from '../../src-lab/view';

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

/**
 * The machine as the screen knows it: always what main said last. Values travel by index, events in order.
 *
 * After a jump back, events that are known but have not happened yet at the moment shown stay known: from `count` up to
 * `known`. They go when history is left there and a new line begins.
 */
export class MachineState {
  readonly fields: readonly FieldDoc[];
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
  /** Grows whenever a known event was replaced by another: whoever keeps a digest of the trace starts anew. */
  generation = $state(0);
  /** By `n`. Of a very long trace main sends only the end: then the beginning is missing here. */
  readonly #events: (EventView | undefined)[] = [];
  readonly #indexOf: ReadonlyMap<string, number>;

  constructor(view: MachineView) {
    this.fields = view.fields;
    this.#indexOf = new Map(view.fields.map(({ path }, i) => [path, i]));
    this.values = view.values;
    this.threads = view.threads;
    this.locks = view.locks;
    for (const event of view.events) this.#events[event.n] = event;
    this.moment = view.moment;
    this.last = view.last;
    this.outcome = view.outcome;
    this.compare = view.compare;
    this.count = this.known = this.#events.length;
  }

  /** A machine of the same fields, as it is told from nothing: to who sees it first nothing has changed. */
  first(delta: MachineDelta): MachineState {
    const machine = new MachineState({
      fields: [...this.fields],
      values: this.fields.map(() => ''),
      threads: [],
      locks: [],
      events: [],
      moment: 0,
      last: 0,
      outcome: null,
      hash: '',
      compare: null,
    });
    machine.apply(delta, false);
    machine.changed = NOTHING;
    return machine;
  }

  /**
   * Takes over what an input changed.
   *
   * @param staysOnLine - the input was a jump: events beyond the moment shown are still to come.
   */
  apply(delta: MachineDelta, staysOnLine: boolean): void {
    const isStill =
      delta.events.length === 0 &&
      delta.keep === this.count &&
      delta.moment === this.moment &&
      delta.last === this.last;
    if (delta.changed.length > 0) {
      const values = [...this.values];
      for (const [i, value] of delta.changed) values[i] = value;
      this.values = values;
    }
    if (!isStill || delta.changed.length > 0) {
      this.changed = delta.changed.length === 0 ? NOTHING : new Set(delta.changed.map(([i]) => i));
    }
    this.threads = delta.threads;
    this.locks = delta.locks;
    this.moment = delta.moment;
    this.last = delta.last;
    this.outcome = delta.outcome;
    this.compare = delta.compare;
    if (isStill) return;
    const count = delta.events.length === 0 ? delta.keep : delta.events.at(-1)!.n + 1;
    if (!staysOnLine && delta.keep < this.known) this.generation += 1;
    if (!staysOnLine) this.#events.length = delta.keep;
    for (const event of delta.events) this.#events[event.n] = event;
    this.count = count;
    this.known = this.#events.length;
  }

  /** The n-th event; undefined outside 0 to `known - 1`, and where main sent only the end of a very long trace. */
  event(n: number): EventView | undefined {
    void this.generation;
    void this.known;
    return this.#events[n];
  }

  /** Names of the events that are known, each once. */
  readonly names: readonly string[] = $derived.by(() => {
    void this.known;
    void this.generation;
    return [...new Set(this.#events.map((event) => event?.name ?? ''))].filter((name) => name !== '').sort();
  });

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

  /** Index of the newest action's event; 0 when nothing was done yet. */
  readonly lastAction: number = $derived.by(() => {
    for (let n = this.count - 1; n >= 0; n--) {
      const event = this.event(n);
      if (event === undefined) return n + 1;
      if (event.type === 'action') return n;
    }
    return 0;
  });

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
