/** Pixels that an element may be high: a browser lays out 2^25 of the screen's, and a screen may have three for each. */
export const TALLEST = 10_000_000;
/** Pixels at both ends in which the element and the list are scrolled alike, so that either end of both is the other's. */
const EDGE = 100_000;
/** With each pixel a scroll bar moves a tall element by more than this; wheel, finger and keys move any by less. */
const LEAP = 2_000;

/**
 * Where a list is scrolled to that may be taller than any element. The element is then `TALLEST` high, and what it shows is
 * drawn `shift` pixels above its place in the list: a wheel scrolls both alike, a scroll bar goes through the whole list.
 * Of a list that fits, `shift` is 0.
 */
export class TallScroll {
  /** Height of the list in pixels. */
  #height = $state(0);
  /** Pixels by which the list is scrolled further than its element. */
  shift = $state(0);
  /** Where the element was scrolled to last. */
  #top = 0;

  /** Height of the element. */
  get space(): number {
    return Math.min(this.#height, TALLEST);
  }

  /** @returns whether `go` must bring it back to where it was, since the element's place for that is another now. */
  resize(height: number): boolean {
    const moves = height !== this.#height && Math.max(height, this.#height) > TALLEST;
    this.#height = height;
    return moves;
  }

  /** The element was scrolled to `top`. @returns where the list is. */
  scrolled(top: number): number {
    if (Math.abs(top - this.#top) > LEAP) this.shift = this.#stretched(top, this.space, this.#height) - top;
    this.#top = top;
    return top + this.shift;
  }

  /** Scrolls the list to `offset`. @returns where the element must be scrolled to. */
  go(offset: number): number {
    this.#top = this.#stretched(offset, this.#height, this.space);
    this.shift = offset - this.#top;
    return this.#top;
  }

  /** Where what is at `offset` of a height of `from` lies when that becomes `to`, whose ends stay as they are. */
  #stretched(offset: number, from: number, to: number): number {
    if (from === to || offset <= EDGE) return offset;
    if (offset >= from - EDGE) return offset + to - from;
    return EDGE + Math.round(((offset - EDGE) * (to - 2 * EDGE)) / (from - 2 * EDGE));
  }
}
