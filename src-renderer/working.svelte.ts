/** Milliseconds after which work is shown as work. */
const SHOW_AFTER = 100;

/** Counts what is under way; `shown` only once it has lasted long enough to be noticed. */
export class Working {
  #count = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  shown = $state(false);

  async during<T>(work: Promise<T>): Promise<T> {
    if (this.#count++ === 0) this.#timer = setTimeout(() => (this.shown = true), SHOW_AFTER);
    try {
      return await work;
    } finally {
      if (--this.#count === 0) {
        clearTimeout(this.#timer);
        this.shown = false;
      }
    }
  }
}
