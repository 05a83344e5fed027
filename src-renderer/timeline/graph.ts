import type { EventView } from '../../src-lab/view';

/** What the function graph knows of one event beyond the event itself. */
export interface GraphRow {
  /** Virtual nanoseconds from the call to its return; null while it has not returned, and for what is no call. */
  readonly took: number | null;
  /** The return of a call in which nothing else happened: both are one row, that of the call. */
  readonly leaf: EventView | null;
}

const PLAIN: GraphRow = { took: null, leaf: null };

/** Pairs calls with their returns, event by event as they come: what the kernel's function_graph tracer shows besides. */
export class CallGraph {
  readonly #rows = new Map<number, GraphRow>();
  /** Calls under way by thread, outermost first. */
  readonly #calls = new Map<string, EventView[]>();
  #before: EventView | null = null;

  /** @param joins - whether a call and the return that follows it at once are one row. */
  constructor(private readonly joins: boolean) {}

  /** @returns false for a return that is told in the row of its call. */
  add(event: EventView): boolean {
    const before = this.#before;
    this.#before = event;
    if (event.type !== 'call' && event.type !== 'return') return true;
    const calls = this.#callsOf(event.thread);
    // Calls that are as deep never returned: the model gave them up.
    calls.length = Math.min(calls.length, event.type === 'call' ? event.depth : event.depth + 1);
    if (event.type === 'call') {
      calls[event.depth] = event;
      return true;
    }
    const call = calls[event.depth];
    calls.length = Math.min(calls.length, event.depth);
    if (call === undefined) return true; // the trace begins after it
    const leaf = this.joins && call === before ? event : null;
    this.#rows.set(leaf === null ? event.n : call.n, { took: event.ns - call.ns, leaf });
    return leaf === null;
  }

  of(event: EventView): GraphRow {
    return this.#rows.get(event.n) ?? PLAIN;
  }

  #callsOf(thread: string): EventView[] {
    const known = this.#calls.get(thread);
    if (known !== undefined) return known;
    const made: EventView[] = [];
    this.#calls.set(thread, made);
    return made;
  }
}

/** A row in the words of the function graph: the name, and what follows it. */
export function graphText(
  event: EventView,
  { leaf }: GraphRow = PLAIN,
): { readonly name: string; readonly rest: string } {
  const { type, name, text } = event;
  switch (type) {
    case 'call':
      return leaf === null
        ? { name: `${name}() {`, rest: text }
        : { name: `${name}();`, rest: `= ${leaf.text}` };
    case 'return':
      return { name: '}', rest: `${name} = ${text}` };
    default:
      return { name, rest: text };
  }
}

/** How long a call took, as the tracer prints it: `0.050 us`. */
export function showTook(took: number | null): string {
  return took === null ? '' : `${(took / 1_000).toFixed(3)} us`;
}
