import type { Ref, Views } from '../machine/layout';
import { frame, header, thread, type Machine } from '../machine/machine';
import type { Routine } from '../machine/routine';
import type { EventDeclaration } from '../machine/trace';

/** A step of a routine: where a thread can stand, and what a moment can have done. */
export interface At {
  readonly routine: AnyRoutine;
  readonly step: number;
}
type AnyRoutine = Pick<Routine, 'id' | 'name' | 'stepNames'>;

/** @throws Error if the routine has no such step. */
export function at(routine: AnyRoutine, step: string): At {
  const index = routine.stepNames.indexOf(step);
  if (index < 0) throw new Error(`${routine.name} has no step ${step}`);
  return { routine, step: index };
}

const FRAME_BYTES = frame.info.size;

/**
 * What an invariant sees of one moment: the state before it and after it, which step was taken, and what it left in the
 * trace. One object serves all moments: nothing is allocated by looking.
 */
export class Look {
  /** State before the moment; every field can be read from it as from the machine. */
  readonly before: Views;
  /** The thread that stepped, or from which the action came. */
  thread = 0 as Ref;
  /** Number of the routine whose step was taken; -1 when an action began. */
  routine = -1;
  step = 0;
  private eventsBefore = 0;
  private readonly copy: Uint8Array;

  constructor(readonly m: Machine) {
    this.copy = m.u8.slice();
    const { buffer } = this.copy;
    this.before = {
      u8: this.copy,
      u16: new Uint16Array(buffer),
      u32: new Uint32Array(buffer),
      i32: new Int32Array(buffer),
      f64: new Float64Array(buffer),
    };
    this.keep();
  }

  /** The state now is the state before the next moment. */
  keep(): void {
    this.copy.set(this.m.u8);
    this.eventsBefore = this.m.trace.count;
  }

  /** Finds out what the moment that has just passed was. */
  open(): void {
    const { m, before } = this;
    this.thread = m.thread;
    this.routine = -1;
    if (header.actions.get(m, m.header) !== header.actions.get(before, m.header)) return;
    const depth = thread.depth.get(before, m.thread);
    if (depth === 0) return;
    const f = frameAt(m.thread, depth - 1);
    this.routine = before.u16[f >> 1]!;
    this.step = before.u8[f + 2]!;
  }

  /** Whether the moment was this step. */
  did(place: At): boolean {
    return this.routine === place.routine.id && this.step === place.step;
  }
  /** Whether the moment was a step of this routine. */
  didOf(routine: AnyRoutine): boolean {
    return this.routine === routine.id;
  }
  /** The i-th argument or local of the routine whose step was taken, as it was before. */
  word(i: number): number {
    const depth = thread.depth.get(this.before, this.thread);
    return this.before.i32[(frameAt(this.thread, depth - 1) >> 2) + 1 + i]!;
  }
  /** Whether the routine whose step was taken is still the innermost one, and goes on at this step. */
  goesOnAt(place: At): boolean {
    return this.isTop(this.m, this.thread, place.routine) && this.topStep(this.m, this.thread) === place.step;
  }
  /** Whether the routine whose step was taken has returned. */
  returned(): boolean {
    return thread.depth.get(this.m, this.thread) < thread.depth.get(this.before, this.thread);
  }

  /** Whether `routine` is the innermost one of thread `t`. */
  isTop(s: Views, t: Ref, routine: AnyRoutine): boolean {
    const depth = thread.depth.get(s, t);
    return depth > 0 && s.u16[frameAt(t, depth - 1) >> 1] === routine.id;
  }
  /** Next step of the innermost routine of a thread that has one. */
  topStep(s: Views, t: Ref): number {
    return s.u8[frameAt(t, thread.depth.get(s, t) - 1) + 2]!;
  }
  /** A word of the innermost routine of a thread that has one. */
  topWord(s: Views, t: Ref, i: number): number {
    return s.i32[(frameAt(t, thread.depth.get(s, t) - 1) >> 2) + 1 + i]!;
  }
  /** Whether `routine`, called with `first` as its first argument, is under way on thread `t`. */
  isIn(s: Views, t: Ref, routine: AnyRoutine, first: number): boolean {
    for (let d = thread.depth.get(s, t) - 1; d >= 0; d--) {
      const f = frameAt(t, d);
      if (s.u16[f >> 1] === routine.id && s.i32[(f >> 2) + 1] === first) return true;
    }
    return false;
  }
  /** Whether any thread is in `routine`, called with `first`. */
  anyIn(s: Views, routine: AnyRoutine, first: number): boolean {
    const { threadRefs } = this.m;
    for (let i = 0; i < threadRefs.length; i++) if (this.isIn(s, threadRefs[i]!, routine, first)) return true;
    return false;
  }
  /** Whether any thread stands before this step of a routine that was called with `first`. */
  anyAt(place: At, first: number): boolean {
    const { m } = this;
    for (let i = 0; i < m.threadRefs.length; i++)
      if (this.isAt(m, m.threadRefs[i]!, place, first)) return true;
    return false;
  }
  /** Whether thread `t` stands before this step of a routine that was called with `first`. */
  isAt(s: Views, t: Ref, place: At, first: number): boolean {
    for (let d = thread.depth.get(s, t) - 1; d >= 0; d--) {
      const f = frameAt(t, d);
      const here = s.u16[f >> 1] === place.routine.id && s.u8[f + 2] === place.step;
      if (here && s.i32[(f >> 2) + 1] === first) return true;
    }
    return false;
  }

  /** Whether the moment left such an event. */
  emitted(event: EventDeclaration): boolean {
    const { trace } = this.m;
    for (let n = this.eventsBefore; n < trace.count; n++) if (trace.declared(n) === event.id) return true;
    return false;
  }
}

function frameAt(t: Ref, depth: number): number {
  return thread.frames.at(t) + depth * FRAME_BYTES;
}
