import type { Comparison, FieldDoc, NotebookLine } from '../../src-lab/view';

/** What the differences of two machines are read from; `MachineState` is one. */
export interface Compared {
  readonly fields: readonly FieldDoc[];
  readonly values: readonly string[];
}

export interface Difference {
  readonly path: string;
  readonly a: string;
  readonly b: string;
}

/**
 * State that tells two machines apart at the moments shown, in the order of the layout. What only says which machine it is,
 * what time it is and where the threads are, does not count: as in `src-lab/differences.ts`, which finds the first.
 */
export function differencesOf(a: Compared, b: Compared): Difference[] {
  return a.fields.flatMap(({ path }, i) =>
    a.values[i] === b.values[i] || isOwn(path) ? [] : [{ path, a: a.values[i]!, b: b.values[i]! }],
  );
}

function isOwn(path: string): boolean {
  return path === 'now' || path.startsWith('variant.') || /(?:^|\.)thread\.(?:status|depth|ret)$/.test(path);
}

/** Moments of one machine at which something begins to differ, ascending: the first event, the first state, and whatever came with an input. */
export function momentsOf(
  side: 'a' | 'b',
  { event, state }: Comparison['differences'],
  notebook: readonly NotebookLine[],
): number[] {
  const at = side === 'a' ? 0 : 1;
  const all = [
    ...(event?.[side] ? [event[side].moment] : []),
    ...(state === null ? [] : [state[side]]),
    ...notebook.flatMap(({ given, differing, at: moments }) =>
      !given && differing?.news === true ? [moments[at]!.to] : [],
    ),
  ];
  return [...new Set(all)].sort((one, two) => one - two);
}

/** The moment after which one looks next: the first beyond `moment`, else the first of all; null when there is none. */
export function nextOf(moments: readonly number[], moment: number): number | null {
  return moments.find((one) => one > moment) ?? moments[0] ?? null;
}

/** Where a machine stands to a moment: `here`, `12 moments ahead`, `12 moments back`. */
export function sayDistance(to: number, moment: number): string {
  if (to === moment) return 'here';
  const by = Math.abs(to - moment);
  return `${by} ${by === 1 ? 'moment' : 'moments'} ${to > moment ? 'ahead' : 'back'}`;
}
