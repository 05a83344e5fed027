import type { Machine } from './machine/machine';

/** Moments that a trail keeps. */
export const TRAIL = 64;

/**
 * The states of the moments before one that was gone back to, kept while the machine was stepped there from a keyframe.
 * Whoever takes a step back takes several: each further one is then a copy instead of half an interval of steps.
 */
export class Trail {
  /** The moments that are kept: `from` to `end - 1`. */
  private from = 0;
  private end = 0;
  private bytes = new Uint8Array(0);
  private readonly events = new Float64Array(TRAIL);

  constructor(private readonly machine: Machine) {}

  /** Keeps the state of the moment shown, which follows the last one kept; after another one a new trail begins. */
  keep(): void {
    const { u8, trace, moment } = this.machine;
    if (this.bytes.length === 0) this.bytes = new Uint8Array(TRAIL * u8.length);
    if (moment !== this.end) this.from = moment;
    this.end = moment + 1;
    this.from = Math.max(this.from, this.end - TRAIL);
    const slot = moment % TRAIL;
    this.bytes.set(u8, slot * u8.length);
    this.events[slot] = trace.count;
  }

  /** Shows a moment, if it is kept and the events before it can still be read. @returns whether it does. */
  show(moment: number): boolean {
    const { u8, trace } = this.machine;
    const slot = moment % TRAIL;
    if (moment < this.from || moment >= this.end || !trace.reaches(this.events[slot]!)) return false;
    u8.set(this.bytes.subarray(slot * u8.length, (slot + 1) * u8.length));
    trace.rewind(this.events[slot]!);
    return true;
  }

  /** Another line of history begins at a moment. */
  leaveLine(moment: number): void {
    this.end = Math.min(this.end, moment + 1);
  }
}
