import type { EventView } from '../../src-lab/view';
import type { TraceFilter } from '../../src-main/contract';
import { CallGraph } from './graph';

function admits(filter: TraceFilter, event: EventView, needle: string): boolean {
  if (filter.without.includes(event.layer)) return false;
  if (!filter.calls && (event.type === 'call' || event.type === 'return')) return false;
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
  /** What the function graph knows of the rows. */
  graph = new CallGraph(true);
  #rows: number[] = [];
  #seen = 0;
  #filter: TraceFilter | null = null;
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
      // Who looks for a result looks for the return.
      this.graph = new CallGraph(filter.text.trim() === '');
      this.#seen = 0;
      this.#filter = filter;
      this.#generation = generation;
    }
    const needle = filter.text.trim().toLowerCase();
    for (let n = this.#seen; n < known; n++) {
      const one = event(n);
      // Every event counts for the graph, also one that is not shown.
      if (one !== undefined && this.graph.add(one) && admits(filter, one, needle)) this.#rows.push(n);
    }
    this.#seen = known;
    return this.#rows;
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

const LAYER_WORDS: Readonly<Record<EventView['layer'], string>> = {
  guest: 'guest',
  seam: 'TDX module',
  kvm: 'KVM',
  vmm: 'VMM',
  hardware: 'hardware',
};

/** A filter in words, as the list of kept ones names it: `"kvm_exit": tracepoints, marks, without guest`. */
export function filterText({ calls, tracepoints, marks, without, text }: TraceFilter): string {
  const types = [calls && 'calls', tracepoints && 'tracepoints', marks && 'marks'].filter(
    (type) => type !== false,
  );
  const left =
    without.length === 0 ? '' : `, without ${without.map((layer) => LAYER_WORDS[layer]).join(' and ')}`;
  const needle = text.trim() === '' ? '' : `"${text.trim()}": `;
  return `${needle}${types.length === 0 ? 'actions alone' : types.join(', ')}${left}`;
}
