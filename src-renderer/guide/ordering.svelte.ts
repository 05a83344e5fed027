/** A sequence being put together: the items that are in it, in order. Holds no DOM. */
export class Ordering {
  /** Ids in the order that the learner says. */
  placed: readonly string[] = $state.raw([]);

  /**
   * @param ids - every item there is.
   * @param answer - an earlier answer to begin with.
   */
  constructor(ids: readonly string[], answer: readonly string[] = []) {
    this.placed = answer.filter((id) => ids.includes(id));
  }

  /** Puts an item at the end, or before the `at`-th. One that stands elsewhere moves. */
  put(id: string, at: number = this.placed.length): void {
    const from = this.placed.indexOf(id);
    const rest = this.placed.filter((other) => other !== id);
    rest.splice(from >= 0 && from < at ? at - 1 : at, 0, id);
    this.placed = rest;
  }

  leaveOut(id: string): void {
    this.placed = this.placed.filter((other) => other !== id);
  }

  /** Moves an item one place towards the beginning (-1) or the end (1). */
  move(id: string, by: 1 | -1): void {
    const from = this.placed.indexOf(id);
    const to = from + by;
    if (from < 0 || to < 0 || to >= this.placed.length) return;
    const next = [...this.placed];
    [next[from], next[to]] = [next[to]!, next[from]!];
    this.placed = next;
  }
}
