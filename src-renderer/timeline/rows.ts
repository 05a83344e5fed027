import type { EventView } from '../../src-lab/view';

/** Which events a trace shows. */
export interface TraceFilter {
  /** Whether calls and returns are shown, as the kernel's function graph. */
  readonly graph: boolean;
  readonly tracepoints: boolean;
  readonly marks: boolean;
  /** Layers that are left out. */
  readonly without: ReadonlySet<EventView['layer']>;
  /** Part of name, text, thread or source, in any case. */
  readonly text: string;
}

export const NO_FILTER: TraceFilter = {
  graph: true,
  tracepoints: true,
  marks: true,
  without: new Set(),
  text: '',
};

function admits(filter: TraceFilter, event: EventView, needle: string): boolean {
  if (filter.without.has(event.layer)) return false;
  if (!filter.graph && (event.type === 'call' || event.type === 'return')) return false;
  if (!filter.tracepoints && event.type === 'tracepoint') return false;
  if (!filter.marks && event.type === 'mark') return false;
  if (needle === '') return true;
  return (
    event.name.toLowerCase().includes(needle) ||
    event.text.toLowerCase().includes(needle) ||
    event.thread.includes(needle) ||
    event.source.toLowerCase().includes(needle)
  );
}

/**
 * The rows of a filtered trace: indices into it. Growing by events costs what the new events cost; only another filter or
 * a replaced event (another `generation`) looks at everything again.
 */
export class TraceRows {
  #rows: number[] = [];
  #seen = 0;
  #filter: TraceFilter = NO_FILTER;
  #generation = -1;

  /**
   * @param known - events there are.
   * @returns the indices of those that `filter` admits, ascending. The array is the same object as long as it only grows.
   */
  of(
    event: (n: number) => EventView | undefined,
    known: number,
    generation: number,
    filter: TraceFilter,
  ): readonly number[] {
    if (generation !== this.#generation || filter !== this.#filter || known < this.#seen) {
      this.#rows = [];
      this.#seen = 0;
      this.#filter = filter;
      this.#generation = generation;
    }
    const needle = filter.text.trim().toLowerCase();
    for (let n = this.#seen; n < known; n++) {
      const one = event(n);
      if (one !== undefined && admits(filter, one, needle)) this.#rows.push(n);
    }
    this.#seen = known;
    return this.#rows;
  }
}

/** How a row of the function graph reads: what stands before its name, the name, and what follows. */
export function graphText({ type, name, text }: EventView): { readonly name: string; readonly rest: string } {
  switch (type) {
    case 'call':
      return { name: `${name}() {`, rest: text };
    case 'return':
      return { name: '}', rest: `${name} = ${text}` };
    default:
      return { name, rest: text };
  }
}

/** First index of `rows` whose event is `n` or later; `rows.length` when there is none. */
export function rowOf(rows: readonly number[], n: number): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle]! < n) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Nanoseconds with thin groups: `17 450`. */
export function showNs(ns: number): string {
  return String(ns).replace(/\B(?=(\d{3})+$)/g, ' ');
}
