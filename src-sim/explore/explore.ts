import type { Timeline } from '../timeline';
import { header } from '../machine/machine';
import { Monitor, type Condition } from '../scenario/condition';

/** What a search needs to know of whatever it searches. Choices and states are as their owner likes. */
export interface Space<C, S> {
  /** What can be chosen in the current state, the most likely first. */
  choices(): readonly C[];
  /** Goes to the state after a choice. */
  take(choice: C): void;
  save(): S;
  restore(state: S): void;
  /** Equal for states from which the same can happen. */
  key(): string;
  /** Whether the current state is one of those looked for. */
  found(): boolean;
}

/** What a search found. */
export interface Exploration<C> {
  /** Choices that lead to a state looked for; null when none was found. */
  readonly path: readonly C[] | null;
  /** Different states that were visited. */
  readonly states: number;
  /** Whether nothing was left out: without a path there is none. */
  readonly complete: boolean;
}

/**
 * Searches all sequences of choices, depth first, visiting no state twice. Deterministic.
 *
 * @param budget - states that may be visited.
 */
export function explore<C, S>(space: Space<C, S>, budget: number): Exploration<C> {
  const visited = new Set([space.key()]);
  if (space.found()) return { path: [], states: 1, complete: true };
  const start = space.save();
  const stack: { readonly state: S; readonly choices: readonly C[]; next: number }[] = [
    { state: start, choices: space.choices(), next: 0 },
  ];
  const path: C[] = [];
  const end = (result: Exploration<C>): Exploration<C> => {
    space.restore(start);
    return result;
  };
  while (stack.length > 0) {
    const here = stack.at(-1)!;
    if (here.next >= here.choices.length) {
      stack.pop();
      path.pop();
      continue;
    }
    const choice = here.choices[here.next]!;
    if (here.next > 0) space.restore(here.state);
    here.next++;
    space.take(choice);
    const key = space.key();
    if (visited.has(key)) {
      space.restore(here.state);
      continue;
    }
    if (visited.size >= budget) return end({ path: null, states: visited.size, complete: false });
    visited.add(key);
    path.push(choice);
    if (space.found()) return end({ path: [...path], states: visited.size, complete: true });
    stack.push({ state: space.save(), choices: space.choices(), next: 0 });
  }
  return end({ path: null, states: visited.size, complete: true });
}

interface Saved {
  readonly bytes: Uint8Array;
  readonly events: number;
}

/**
 * All interleavings of the threads of a machine, until a condition holds. A state is the machine and what the condition
 * remembers of the past; a choice is the thread that takes the next atomic step.
 *
 * @param timeline - is left as it was. Its machine is used in between, so nobody else may look at it.
 */
export function interleavings(timeline: Timeline, condition: Condition): Space<string, Saved> {
  const { machine } = timeline;
  const monitor = new Monitor(timeline, [condition]);
  const names = machine.threadInfos.map(({ name }) => name);
  return {
    choices() {
      const enabled = names.flatMap((name, i) => (machine.enabled(i) ? [{ name, i }] : []));
      // Whoever stepped last goes on first: schedules then switch seldom.
      const current = machine.nextThread();
      return enabled
        .sort((a, b) => Number(b.i === current) - Number(a.i === current))
        .map(({ name }) => name);
    },
    take(name) {
      machine.step(names.indexOf(name));
      monitor.observe();
    },
    save: () => ({ bytes: machine.bytes(), events: machine.trace.count }),
    restore({ bytes, events }) {
      machine.u8.set(bytes);
      machine.trace.count = events;
    },
    key() {
      // Who stepped last, and how often anybody did, decides nothing.
      const moments = header.moments.get(machine, machine.header);
      const current = header.current.get(machine, machine.header);
      header.moments.set(machine, machine.header, 0);
      header.current.set(machine, machine.header, 0);
      const hash = machine.hash();
      header.moments.set(machine, machine.header, moments);
      header.current.set(machine, machine.header, current);
      return `${hash} ${monitor.memory()}`;
    },
    found: () => monitor.holds(0),
  };
}
