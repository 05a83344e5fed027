import type { TraceEvent } from '../machine/trace';

/** Process ids of threads: the real machine has them, the simulated one none. From 1000 on, as threads come up. */
export class Tasks {
  private readonly known = new Map<string, number>();
  pidOf({ thread }: TraceEvent): number {
    const known = this.known.get(thread) ?? 1000 + this.known.size;
    this.known.set(thread, known);
    return known;
  }
}

/** Seconds since power-on with nine digits, as `trace-cmd report -t` prints them. */
export function seconds(ns: number): string {
  return `${Math.floor(ns / 1e9)}.${String(ns % 1e9).padStart(9, '0')}`;
}

/**
 * Calls under way, thread by thread, so that a return finds when its call began without looking back: `tookOf` of
 * `machine/calls.ts` for a whole trace in one pass, which may begin within calls.
 */
export class Calls {
  private readonly stacks = new Map<string, TraceEvent[]>();

  private of(thread: string): TraceEvent[] {
    const stack = this.stacks.get(thread);
    if (stack) return stack;
    const made: TraceEvent[] = [];
    this.stacks.set(thread, made);
    return made;
  }

  /**
   * Calls that a new event shows to be over although they never returned: the model gave them up.
   *
   * @returns them, innermost first.
   */
  givenUp({ thread, depth, type }: TraceEvent): TraceEvent[] {
    if (type !== 'call' && type !== 'return') return [];
    const stack = this.of(thread);
    const deepest = type === 'call' ? depth - 1 : depth;
    return stack.splice(stack.findLastIndex((call) => call.depth <= deepest) + 1).reverse();
  }
  begin(call: TraceEvent): void {
    this.of(call.thread).push(call);
  }
  /** The call that returns, once those given up are gone; null when the trace begins after it. */
  end({ thread, depth }: TraceEvent): TraceEvent | null {
    const stack = this.of(thread);
    return stack.at(-1)?.depth === depth ? stack.pop()! : null;
  }
}
