import { hex64, type Layer } from './layout';

const LAYERS: readonly Layer[] = ['guest', 'seam', 'kvm', 'vmm', 'hardware'];

/** How an argument of an event is printed. `u64` takes two slots (high half first); a table prints names. */
export type ArgKind = 'num' | 'hex' | 'u64' | 'ret' | readonly string[] | Readonly<Record<number, string>>;
export type EventType = 'tracepoint' | 'mark';

/** What an event is: declared once, by the file whose function emits it. */
export interface EventDeclaration {
  readonly id: number;
  readonly name: string;
  /** `tracepoint`: the kernel has one of this name; `mark`: ours, for what no tracepoint shows. */
  readonly type: EventType;
  readonly args: Readonly<Record<string, ArgKind>>;
  /** The kernel's own format, with `{argument}`. */
  readonly print: string;
  /** One sentence, with `{argument}` and `{who}`, the thread. */
  readonly say: string;
  readonly source: string;
}

const declarations: EventDeclaration[] = [];
/** Per declaration: its templates, read once. */
const templates: { readonly print: Template; readonly say: Template }[] = [];
const known = new Set<string>();

/**
 * Declares an event.
 *
 * @throws Error if the name is taken, or the arguments need more than six slots.
 */
export function event(
  name: string,
  type: EventType,
  source: string,
  args: Readonly<Record<string, ArgKind>>,
  print: string,
  say: string,
): EventDeclaration {
  if (known.has(name)) throw new Error(`event ${name} is declared twice`);
  const slots = Object.values(args).reduce((sum, kind) => sum + (kind === 'u64' ? 2 : 1), 0);
  if (slots > ARGS) throw new Error(`event ${name} needs ${slots} slots`);
  known.add(name);
  const declaration = { id: declarations.length, name, type, args, print, say, source };
  declarations.push(declaration);
  templates.push({ print: templateOf(print), say: templateOf(say) });
  return declaration;
}

/** What is said as it stands, and what an argument stands for, in turns. */
type Template = readonly string[];

function templateOf(text: string): Template {
  return text.split(/\{(\w+)\}/);
}

function fill(template: Template, args: Readonly<Record<string, string | number>>, who: string): string {
  let text = template[0]!;
  for (let i = 1; i < template.length; i += 2) {
    const key = template[i]!;
    text += key === 'who' ? who : String(args[key] ?? '');
    text += template[i + 1]!;
  }
  return text;
}

/** Names of all declared tracepoints and marks. */
export const EVENT_NAMES: ReadonlySet<string> = known;

/** A routine as the trace needs it. */
export interface TracedRoutine {
  readonly name: string;
  readonly layer: Layer;
  readonly source: string;
  readonly args: readonly string[];
}
/** A thread as the trace needs it. */
export interface TracedThread {
  readonly name: string;
}
/** Where the machine keeps what every event is stamped with: time, two indices into its words of 64 bits, and CPUs. */
export interface TracedClock {
  readonly f64: Float64Array;
  /** Virtual nanoseconds since power-on. */
  readonly now: number;
  /** Moments so far: what happens now belongs to the next one. */
  readonly moments: number;
  readonly u8: Uint8Array;
  /** Per thread, index of the byte that says on which CPU it runs. */
  readonly cpus: readonly number[];
}

/** One event of the trace, ready to show and to match. */
export interface TraceEvent {
  /** Index in the trace, from 0. */
  readonly n: number;
  /** First moment at which it has happened. */
  readonly moment: number;
  /** Virtual nanoseconds since power-on. */
  readonly ns: number;
  readonly thread: string;
  /** CPU on which the thread ran then. */
  readonly cpu: number;
  readonly layer: Layer;
  /** Nesting of routines, 0 outermost. */
  readonly depth: number;
  readonly type: 'call' | 'return' | 'action' | EventType;
  readonly name: string;
  /** Arguments as printed. */
  readonly args: Readonly<Record<string, string | number>>;
  readonly text: string;
  readonly say: string;
  readonly source: string;
}

const ARGS = 6;
const WORDS = 12;
/** Rows of a new trace. */
const FIRST_ROWS = 1 << 10;
/** What a row is, in the low four bits of its second word. */
export const CALL = 0;
export const RETURN = 1;
export const ACTION = 2;
export const EVENT = 3;

/** Errno values the model returns. @source NUM-1 */
export const ERRNO: Readonly<Record<number, string>> = {
  1: 'EPERM', 2: 'ENOENT', 4: 'EINTR', 5: 'EIO', 6: 'ENXIO', 7: 'E2BIG', 11: 'EAGAIN', 12: 'ENOMEM', 14: 'EFAULT',
  16: 'EBUSY', 17: 'EEXIST', 19: 'ENODEV', 22: 'EINVAL', 25: 'ENOTTY', 95: 'EOPNOTSUPP',
}; // prettier-ignore

/** A return value as people read it: `0`, `1`, `-EINVAL`. */
export function returnName(value: number): string {
  return value < 0 && ERRNO[-value] ? `-${ERRNO[-value]}` : String(value);
}

/**
 * The trace: a ring of fixed-size rows, written without allocation, read into objects on demand. When more than
 * `capacity` events happened, the oldest are gone; replaying the history brings them back.
 */
export class Trace {
  private written = 0;
  /** The most that `written` was before it was set back. */
  private high = 0;
  /** Events before the first one that was written here. */
  private base = 0;
  private rows: Int32Array;
  /** Rows there are, minus one: a power of two minus one. They grow up to `capacity`, since most traces are short. */
  private mask: number;

  /** @param capacity - events kept, a power of two. */
  constructor(
    readonly capacity: number,
    private readonly clock: TracedClock,
    private readonly threads: readonly TracedThread[],
    private readonly routines: () => readonly TracedRoutine[],
    /** Command of the n-th begun action, for rows of type `action`. */
    private readonly command: (n: number) => string,
  ) {
    const rows = Math.min(capacity, FIRST_ROWS);
    this.rows = new Int32Array(rows * WORDS);
    this.mask = rows - 1;
  }

  /** Events recorded on this line of history, 0 upwards. */
  get count(): number {
    return this.written;
  }
  /** Shows the trace as it was when so many events had happened. */
  set count(events: number) {
    this.high = this.known;
    this.written = events;
  }
  /** Index of the oldest event that is still kept. */
  get first(): number {
    return Math.max(this.base, Math.min(this.written, this.known - this.capacity));
  }
  /** Events of this line of history that can be read, those after `count` included: `first` to `known - 1`. */
  get known(): number {
    return Math.max(this.high, this.written);
  }

  /** Whether events before the `count`-th can be read when the trace is set back to when so many had happened. */
  reaches(count: number): boolean {
    return count >= this.base && count <= this.known && count >= this.known - this.capacity;
  }

  /**
   * Goes to when `count` events had happened. The later ones stay readable, until another line of history begins; but
   * not where what is recorded again would take the place of other rows, nor where those before were never recorded.
   */
  rewind(count: number): void {
    if (count < this.known - this.capacity || count > this.known) this.resumeAt(count);
    else this.count = count;
  }

  /** Another line of history begins here: what was recorded after `count` is not of it. */
  leaveLine(): void {
    this.base = this.first;
    this.high = this.written;
  }

  // Arguments that an event does not use are zero: what compares rows looks at all of them.

  call(thread: number, depth: number, routine: number, a: number, b: number, c: number): void {
    const at = this.row(CALL, thread | (depth << 8), routine);
    const { rows } = this;
    rows[at] = a;
    rows[at + 1] = b;
    rows[at + 2] = c;
    rows[at + 3] = 0;
    rows[at + 4] = 0;
    rows[at + 5] = 0;
  }
  return(thread: number, depth: number, routine: number, value: number): void {
    this.single(RETURN, thread | (depth << 8), routine, value);
  }
  action(thread: number, n: number, layer: Layer): void {
    this.single(ACTION, thread, n, LAYERS.indexOf(layer));
  }
  private single(type: number, who: number, id: number, a: number): void {
    const at = this.row(type, who, id);
    const { rows } = this;
    rows[at] = a;
    rows[at + 1] = 0;
    rows[at + 2] = 0;
    rows[at + 3] = 0;
    rows[at + 4] = 0;
    rows[at + 5] = 0;
  }
  /** `within`: the routine whose step emits it, for its layer. */
  emit(
    thread: number,
    depth: number,
    within: number,
    e: EventDeclaration,
    a: number,
    b: number,
    c: number,
    d: number,
    f: number,
    g: number,
  ): void {
    const at = this.row(EVENT + (within << 4), thread | (depth << 8), e.id);
    const { rows } = this;
    rows[at] = a;
    rows[at + 1] = b;
    rows[at + 2] = c;
    rows[at + 3] = d;
    rows[at + 4] = f;
    rows[at + 5] = g;
  }

  /** Begins a row. `who`: thread in the low byte, depth above. @returns where its arguments go. */
  private row(type: number, who: number, id: number): number {
    if (this.written > this.mask && this.mask + 1 < this.capacity) this.grow();
    const { rows, clock } = this;
    const at = (this.written++ & this.mask) * WORDS;
    const ns = clock.f64[clock.now]!;
    rows[at] = clock.f64[clock.moments]! + 1;
    rows[at + 1] = type;
    rows[at + 2] = who | (clock.u8[clock.cpus[who & 0xff]!]! << 16);
    rows[at + 3] = id;
    rows[at + 4] = ns; // an Int32Array takes the low half
    rows[at + 5] = ns / 0x1_0000_0000;
    return at + WORDS - ARGS;
  }

  /** Twice as many rows. Nothing has been overwritten yet, so every row keeps its place. */
  private grow(): void {
    const grown = new Int32Array(this.rows.length * 2);
    grown.set(this.rows);
    this.rows = grown;
    this.mask = grown.length / WORDS - 1;
  }

  // How single things are read without making an object: of the n-th event, `first` to `known - 1` -------------------

  private word(n: number, i: number): number {
    return this.rows[(n & this.mask) * WORDS + i]!;
  }
  momentOf(n: number): number {
    return this.word(n, 0);
  }
  /** `CALL`, `RETURN`, `ACTION` or `EVENT`. */
  kindOf(n: number): number {
    return this.word(n, 1) & 0xf;
  }
  /** Index of its thread. */
  threadOf(n: number): number {
    return this.word(n, 2) & 0xff;
  }
  threadNameOf(n: number): string {
    return this.threads[this.threadOf(n)]!.name;
  }
  depthOf(n: number): number {
    return (this.word(n, 2) >> 8) & 0xff;
  }
  nsOf(n: number): number {
    return (this.word(n, 4) >>> 0) + this.word(n, 5) * 0x1_0000_0000;
  }
  /** Of an action, how many began before it; of anything else, what it is an event, a call or a return of. */
  idOf(n: number): number {
    return this.word(n, 3);
  }

  layerOf(n: number): Layer {
    switch (this.kindOf(n)) {
      case ACTION:
        return LAYERS[this.word(n, WORDS - ARGS)]!;
      case EVENT:
        return this.routines()[this.word(n, 1) >> 4]?.layer ?? 'hardware';
      default:
        return this.routines()[this.idOf(n)]!.layer;
    }
  }
  /** Of an action, its verb and its parameters. */
  actionOf(n: number): readonly [verb: string, params: string] {
    const command = this.command(this.idOf(n));
    const verb = command.indexOf(' ') + 1;
    const end = command.indexOf(' ', verb);
    return end < 0 ? [command.slice(verb), ''] : [command.slice(verb, end), command.slice(end + 1)];
  }

  /** A number for what the event is, says and belongs to: the same for events that differ in time, depth and CPU alone. */
  digestOf(n: number): number {
    const { rows } = this;
    const at = (n & this.mask) * WORDS;
    let hash = rows[at + 1]! ^ ((rows[at + 2]! & 0xff) << 24);
    hash = Math.imul(hash ^ rows[at + 3]!, 0x85eb_ca6b);
    for (let i = WORDS - ARGS; i < WORDS; i++) {
      hash = Math.imul(hash ^ (hash >>> 15) ^ rows[at + i]!, 0x2c1b_3c6d);
    }
    return hash ^ (hash >>> 16);
  }
  /** Whether two events differ in time, depth and CPU alone. */
  isLike(n: number, other: number): boolean {
    const { rows } = this;
    const a = (n & this.mask) * WORDS;
    const b = (other & this.mask) * WORDS;
    if (rows[a + 1] !== rows[b + 1] || (rows[a + 2]! & 0xff) !== (rows[b + 2]! & 0xff)) return false;
    if (rows[a + 3] !== rows[b + 3]) return false;
    for (let i = WORDS - ARGS; i < WORDS; i++) if (rows[a + i] !== rows[b + i]) return false;
    return true;
  }

  /** `EventDeclaration.id` of the n-th event; -1 for a call, a return or an action. */
  declared(n: number): number {
    return this.kindOf(n) === EVENT ? this.idOf(n) : -1;
  }

  /** Name of the n-th event, as `event(n)` has it. */
  nameOf(n: number): string {
    const at = (n & this.mask) * WORDS;
    const id = this.rows[at + 3]!;
    switch (this.rows[at + 1]! & 0xf) {
      case EVENT:
        return declarations[id]!.name;
      case ACTION:
        return this.actionOf(n)[0];
      default:
        return this.routines()[id]!.name;
    }
  }

  /** Goes on after `count` events that this trace never saw: none of them can be read here. */
  resumeAt(count: number): void {
    this.written = this.high = this.base = count;
  }

  /**
   * The n-th event.
   *
   * @param n - `first` to `known - 1`.
   * @throws RangeError outside.
   */
  event(n: number): TraceEvent {
    if (n < this.first || n >= this.known)
      throw new RangeError(`event ${n} is not in ${this.first}..${this.known - 1}`);
    const id = this.idOf(n);
    const who = this.threadNameOf(n);
    switch (this.kindOf(n)) {
      case ACTION: {
        const [verb, text] = this.actionOf(n);
        const actor = this.command(id).split(' ', 1)[0]!;
        return this.made(n, 'action', verb, {}, text, `${actor}: ${verb} ${text}.`, '');
      }
      case CALL: {
        const { name, source } = this.routines()[id]!;
        return this.made(n, 'call', name, {}, '', `${who}: ${name} begins.`, source);
      }
      case RETURN: {
        const { name, source } = this.routines()[id]!;
        const value = this.word(n, WORDS - ARGS);
        const text = returnName(value);
        return this.made(n, 'return', name, { value }, text, `${who}: ${name} returns ${text}.`, source);
      }
      default: {
        const { type, name, source, args: kinds } = declarations[id]!;
        const args: Record<string, string | number> = {};
        let slot = WORDS - ARGS;
        for (const key in kinds) {
          const kind = kinds[key]!;
          args[key] = printArg(kind, this.word(n, slot), kind === 'u64' ? this.word(n, slot + 1) : 0);
          slot += kind === 'u64' ? 2 : 1;
        }
        const { print, say } = templates[id]!;
        return this.made(n, type, name, args, fill(print, args, who), fill(say, args, who), source);
      }
    }
  }

  /** In one piece: an object that is put together by spreading takes several times as long. */
  private made(
    n: number,
    type: TraceEvent['type'],
    name: string,
    args: TraceEvent['args'],
    text: string,
    say: string,
    source: string,
  ): TraceEvent {
    return {
      n,
      moment: this.momentOf(n),
      ns: this.nsOf(n),
      thread: this.threadNameOf(n),
      cpu: this.word(n, 2) >> 16,
      layer: this.layerOf(n),
      depth: this.depthOf(n),
      type,
      name,
      args,
      text,
      say,
      source,
    };
  }
}

function printArg(kind: ArgKind, value: number, low: number): string | number {
  if (kind === 'num') return value;
  if (kind === 'hex') return `0x${(value >>> 0).toString(16)}`;
  if (kind === 'u64') return hex64(value, low);
  if (kind === 'ret') return returnName(value);
  return (kind as Readonly<Record<number, string>>)[value] ?? String(value);
}
