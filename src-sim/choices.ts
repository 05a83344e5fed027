/** Moments of one piece, as a power of two. */
const PIECE_BITS = 12;
const PIECE = 1 << PIECE_BITS;

/**
 * What was chosen, moment by moment: a thread's index, or `-1 - n` for the n-th action. It grows by pieces, and what was
 * begun as the first moments of another shares its whole pieces: a hundred lines of a long history cost little more
 * than one.
 */
export class Choices {
  private readonly pieces: Int32Array[] = [];
  private count = 0;

  get length(): number {
    return this.count;
  }

  /** @param moment - 0 to `length - 1`. */
  at(moment: number): number {
    return this.pieces[moment >> PIECE_BITS]![moment & (PIECE - 1)]!;
  }

  push(choice: number): void {
    const at = this.count & (PIECE - 1);
    if (at === 0) this.pieces.push(new Int32Array(PIECE));
    this.pieces[this.count++ >> PIECE_BITS]![at] = choice;
  }

  /** The first `length` of them, to go on otherwise. */
  first(length: number): Choices {
    const copy = new Choices();
    const whole = length >> PIECE_BITS;
    copy.pieces.push(...this.pieces.slice(0, whole));
    if (length > whole << PIECE_BITS) copy.pieces.push(this.pieces[whole]!.slice());
    copy.count = length;
    return copy;
  }
}
