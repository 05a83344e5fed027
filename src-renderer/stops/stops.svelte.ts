import type { Aids, Params, Reply } from '../../src-main/contract';
import type { EventView } from '../../src-lab/view';
import type { MachineState } from '../lab/machine.svelte';
import { stopCommand, watchCommand, type Stop, type WatchExpression } from './command';

export type Question = Params<'lab.ask'>['question'];
export type Found = Reply<'lab.ask'>;
export type Hit = NonNullable<Extract<Found, { ask: 'hit' }>['hit']>;
export type Unknown = NonNullable<Extract<Found, { ask: 'standing' }>['stops'][number]>;
export type Cause = Extract<Found, { ask: 'cause' }>['causes'][number];
type Marks = Extract<Found, { ask: 'marks' }>['marks'];

/** What the stops need of the lab in which they are. */
export interface Ground {
  readonly machine: MachineState;
  /** The learner's own stops, watches and pins. */
  readonly aids: () => Aids;
  readonly keep: (aids: Aids) => void;
  /** Null when the call failed and the learner was told. */
  readonly ask: (question: Question) => Promise<Found | null>;
  readonly jump: (moment: number) => Promise<void>;
  /** Lets every thread go on, with the stops that are on. */
  readonly run: () => Promise<boolean>;
  /** Marks an event of the trace. */
  readonly mark: (event: number | null) => void;
  readonly refuse: (command: string, why: string) => void;
  readonly say: (sentence: string) => void;
}

/** One stop as it is listed. */
export interface StopLine {
  readonly stop: Stop;
  readonly on: boolean;
  readonly command: string;
  /** Null: it can be hit on this machine. */
  readonly unknown: Unknown | null;
  /** Moments of this line of history at which it is the first that is hit. */
  readonly moments: readonly number[];
}
/** One watch as it is listed. */
export interface WatchLine {
  readonly watch: WatchExpression;
  readonly command: string;
  readonly value: string;
  readonly changed: boolean;
  readonly unknown: Unknown | null;
}

/** Where runs halt, what is watched, and the ways through the past. What is kept belongs to the learner, not to the lab. */
export class Stops {
  /** Where a run halted, or the past was searched to; until the next input. */
  hit: Hit | null = $state.raw(null);
  /** Whether `hit` was found in what is known, not by running. */
  found = $state(false);
  #marks: Marks = $state.raw([]);
  /** What was found last of an event's causes; until another input than a jump. */
  because: { readonly of: EventView; readonly causes: readonly Cause[]; readonly since: number } | null =
    $state.raw(null);
  /** Whether there are more hits than are marked. */
  more = $state(false);
  #unknown: readonly (Unknown | null)[] = $state.raw([]);
  #watched: readonly { value: string; unknown: Unknown | null }[] = $state.raw([]);
  #before: readonly string[] = $state.raw([]);
  readonly #ground: () => Ground;
  /** What the marks were asked for: a line of history, up to a moment, and the stops. */
  #asked: { generation: number; last: number; key: string } | null = null;
  #refreshing: Promise<void> | null = null;
  #again = false;

  constructor(ground: () => Ground) {
    this.#ground = ground;
  }

  get aids(): Aids {
    return this.#ground().aids();
  }
  /** The stops that are on: what a run is sent with. */
  get active(): Stop[] {
    return this.aids.stops.filter(({ on }) => on).map(({ stop }) => stop);
  }
  /** Moments at which a stop that is on is hit, ascending. */
  get marks(): readonly number[] {
    return this.#marks.map(([moment]) => moment);
  }

  get lines(): readonly StopLine[] {
    let n = -1;
    return this.aids.stops.map(({ stop, on }, i) => {
      if (on) n += 1;
      const own = n;
      const moments = on ? this.#marks.filter(([, first]) => first === own).map(([moment]) => moment) : [];
      return { stop, on, command: stopCommand(stop), unknown: this.#unknown[i] ?? null, moments };
    });
  }

  get watches(): readonly WatchLine[] {
    return this.aids.watches.map((watch, i) => {
      const { value, unknown } = this.#watched[i] ?? { value: '', unknown: null };
      const before = this.#before[i];
      const changed = before !== undefined && before !== value;
      return { watch, command: watchCommand(watch), value, changed, unknown };
    });
  }

  /** Adds a stop, switched on; one that is there already is switched on. */
  add(stop: Stop): void {
    const command = stopCommand(stop);
    const others = this.aids.stops.filter((one) => stopCommand(one.stop) !== command);
    const stops = [...others, { stop, on: true }];
    if (stops.length > MOST) return this.#ground().refuse(command, `There are at most ${MOST} stops.`);
    this.#keep({ stops }, `Runs halt: ${command}.`);
  }
  switch(i: number, on: boolean): void {
    const stops = this.aids.stops.map((one, n) => (n === i ? { ...one, on } : one));
    this.#keep({ stops }, on ? 'The stop is on.' : 'The stop is off.');
  }
  remove(i: number): void {
    this.#keep({ stops: this.aids.stops.filter((_, n) => n !== i) }, 'The stop is gone.');
  }

  watch(watch: WatchExpression): void {
    const command = watchCommand(watch);
    if (this.aids.watches.some((one) => watchCommand(one) === command)) return;
    if (this.aids.watches.length >= MOST)
      return this.#ground().refuse(command, `There are at most ${MOST} watches.`);
    this.#before = [];
    this.#keep({ watches: [...this.aids.watches, watch] }, `Watched: ${command}.`);
  }
  unwatch(i: number): void {
    this.#before = [];
    this.#keep({ watches: this.aids.watches.filter((_, n) => n !== i) }, 'No longer watched.');
  }

  isPinned(path: string): boolean {
    return this.aids.pins.includes(path);
  }
  /** Pins a state path, or takes it off. */
  pin(path: string): void {
    const pins = this.isPinned(path)
      ? this.aids.pins.filter((one) => one !== path)
      : [...this.aids.pins, path];
    if (pins.length > MOST) return this.#ground().refuse(`pin ${path}`, `There are at most ${MOST} pins.`);
    this.#keep({ pins }, this.isPinned(path) ? `${path} is no longer pinned.` : `${path} is pinned.`);
  }

  /** Whether runs halt where a state path changes. */
  watchesChange(path: string): boolean {
    return this.aids.stops.some(({ stop, on }) => on && 'changes' in stop && stop.changes === path);
  }
  /** Sets a watchpoint on a state path, or takes it away. */
  toggleChange(path: string): void {
    const i = this.aids.stops.findIndex(({ stop }) => 'changes' in stop && stop.changes === path);
    if (i < 0 || !this.aids.stops[i]!.on) this.add({ changes: path });
    else this.remove(i);
  }

  /** Goes back to the last earlier moment at which a stop is hit. */
  async back(): Promise<boolean> {
    const { machine } = this.#ground();
    const hit = await this.#find(this.active, machine.moment - 1, true);
    if (hit === undefined) return false;
    if (hit !== null) return this.#show(hit);
    return this.#refuse('run-back', `No stop is hit before moment ${machine.moment}.`);
  }

  /** Goes on to the next moment at which a stop is hit: first among those that are known, then by running. */
  async on(): Promise<boolean> {
    const { machine, jump, run } = this.#ground();
    const hit = await this.#find(this.active, machine.moment, false);
    if (hit === undefined) return false;
    if (hit !== null) return this.#show(hit);
    await jump(machine.last);
    if (machine.threads.some(({ enabled }) => enabled)) return run();
    return this.#refuse('run-on', 'No stop is hit up to the last moment, and no thread can go on.');
  }

  /** Goes to where a state path got the value that it shows. */
  async lastChange(path: string): Promise<boolean> {
    const { moment } = this.#ground().machine;
    const hit = await this.#change(path, moment, true);
    if (hit === undefined) return false;
    // Asked again where it changed, it goes on to the change before.
    const to = hit?.moment === moment ? await this.#change(path, moment - 1, true) : hit;
    if (to === undefined) return false;
    if (to !== null) return this.#show(to);
    return this.#refuse(`last-change ${path}`, `${path} has not changed before moment ${moment}.`);
  }
  async nextChange(path: string): Promise<boolean> {
    const { moment } = this.#ground().machine;
    const hit = await this.#change(path, moment, false);
    if (hit === undefined) return false;
    if (hit !== null) return this.#show(hit);
    return this.#refuse(
      `next-change ${path}`,
      `${path} does not change after moment ${moment} on this line of history.`,
    );
  }

  /**
   * Goes to what made an event of the trace possible. The other causes stay listed.
   *
   * @param n - null: the marked event, and there is none.
   */
  async cause(n: number | null): Promise<boolean> {
    const { ask, machine } = this.#ground();
    const event = n === null ? undefined : await machine.fetch(n);
    if (event === undefined)
      return this.#refuse('cause', 'Mark an event of the trace first, or name one: cause 12.');
    const found = await ask({ ask: 'cause', event: event.n, moment: event.moment });
    if (found?.ask !== 'cause') return false;
    const [first] = found.causes;
    if (first === undefined)
      return this.#refuse(`cause ${event.n}`, 'An action has no cause in the machine: somebody did it.');
    await this.showCause(first);
    this.because = { of: event, causes: found.causes, since: found.since };
    return true;
  }

  async showCause({ moment, event, say }: Cause): Promise<void> {
    const ground = this.#ground();
    await ground.jump(moment);
    ground.mark(event);
    ground.say(say);
  }

  /** Where a state path got the value that it shows: null when it had it from the start; undefined when nobody knows. */
  changeOf(path: string): Promise<Hit | null | undefined> {
    return this.#change(path, this.#ground().machine.moment, true);
  }

  /**
   * An input was accepted.
   *
   * @param hit - where it halted.
   * @param kind - `jump`: the history is as it was; `branch`: it was left at an earlier moment; `more`: it has grown.
   */
  moved(hit: Hit | null, kind: 'jump' | 'branch' | 'more'): void {
    this.hit = hit;
    this.found = false;
    if (kind !== 'jump') this.because = null;
    if (kind === 'branch') this.#asked = null;
    this.#before = this.#watched.map(({ value }) => value);
    void this.refresh();
  }

  /** Asks how stops and watches stand on the machine as it is now. Calls that come meanwhile are answered together. */
  refresh(): Promise<void> {
    if (this.#refreshing !== null) {
      this.#again = true;
      return this.#refreshing;
    }
    this.#refreshing = (async () => {
      do {
        this.#again = false;
        await this.#ask();
      } while (this.#again);
      this.#refreshing = null;
    })();
    return this.#refreshing;
  }

  /** The session is shown anew: what was known of its history may be wrong. */
  restart(): void {
    this.hit = this.because = null;
    this.#asked = null;
    void this.refresh();
  }

  async #ask(): Promise<void> {
    const { aids, active } = this;
    const { ask, machine } = this.#ground();
    if (aids.stops.length + aids.watches.length === 0) {
      this.#marks = [];
      this.#asked = null;
      return;
    }
    const { generation, last } = machine;
    const key = JSON.stringify(aids.stops);
    // Another moment changes what is watched, and nothing about stops.
    if (aids.watches.length > 0 || this.#asked?.key !== key) {
      const stops = aids.stops.map(({ stop }) => stop);
      const standing = await ask({ ask: 'standing', stops, watches: aids.watches });
      if (standing?.ask !== 'standing') return;
      this.#unknown = standing.stops;
      this.#watched = standing.watches;
    }
    const grown =
      this.#asked?.key === key && this.#asked.generation === generation && last >= this.#asked.last;
    if (active.length === 0) this.#marks = [];
    else if (!grown || last > this.#asked!.last) {
      const from = grown ? this.#asked!.last : 0;
      const found = await ask({ ask: 'marks', stops: active, from });
      if (found?.ask !== 'marks') return;
      this.#marks = from === 0 ? found.marks : [...this.#marks, ...found.marks];
      this.more = found.more;
    }
    this.#asked = { generation, last, key };
  }

  #keep(change: Partial<Aids>, say: string): void {
    const { keep, say: tell } = this.#ground();
    keep({ ...this.aids, ...change });
    tell(say);
    void this.refresh();
  }

  /** Undefined: the question was not answered. */
  async #find(stops: Stop[], from: number, back: boolean): Promise<Hit | null | undefined> {
    if (stops.length === 0 || from < 0) return null;
    const found = await this.#ground().ask({ ask: 'hit', stops, from, back });
    return found?.ask === 'hit' ? found.hit : undefined;
  }

  async #change(path: string, from: number, back: boolean): Promise<Hit | null | undefined> {
    return this.#find([{ changes: path }], from, back);
  }

  async #show(hit: Hit): Promise<boolean> {
    const { jump, mark, say } = this.#ground();
    await jump(hit.moment);
    this.hit = hit;
    this.found = true;
    mark(hit.event);
    say(hit.say);
    return true;
  }

  #refuse(command: string, why: string): false {
    this.#ground().refuse(command, why);
    return false;
  }
}

/** Stops, watches and pins that there can be of each: what main keeps. */
const MOST = 40;
