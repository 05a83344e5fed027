/** Ascending numbers, by the million. What grows out of a list shares its memory; the list itself is then done with. */
export class Ascending {
  readonly #numbers: Int32Array;

  constructor(
    numbers: Int32Array = new Int32Array(0),
    readonly length = numbers.length,
  ) {
    this.#numbers = numbers;
  }

  /** @returns undefined outside 0 to `length - 1`. */
  at(index: number): number | undefined {
    return index < this.length ? this.#numbers[index] : undefined;
  }

  /** First index at which stands `n` or more; `length` when there is none. */
  indexOf(n: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#numbers[middle]! < n) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The first `keep`, then others. It costs what the others cost. */
  followedBy(keep: number, others: Int32Array): Ascending {
    const length = keep + others.length;
    let numbers = this.#numbers;
    if (length > numbers.length) {
      numbers = new Int32Array(Math.max(length, 2 * keep));
      numbers.set(this.#numbers.subarray(0, keep));
    }
    numbers.set(others, keep);
    return new Ascending(numbers, length);
  }
}
