import { matches } from '../../src-sim/scenario/condition';
import { compare, didYouMean } from '../issue';
import type { OrderCheckpoint, OrderCondition } from '../schema';
import { sha256Hex } from '../transcript';
import { perform } from '../machines';
import { arrange, type Answer, type AnsweredKind, type Key } from './kind';
import { lintPattern } from './patterns';

/** `order`: the learner puts events into the order in which the machine produces them, and leaves out what never happens. */
export const order: AnsweredKind<OrderCheckpoint> = {
  how: 'answered',
  demonstratesAttempts: false,

  lint(source, lint) {
    lint.actions(source.run, ['run']);
    lint.on(source.on, ['on']);
    const ids = source.items.map(({ id }) => id);
    ids.forEach((id, i) => {
      if (ids.indexOf(id) !== i)
        lint.issue(['items', i, 'id'], `There are two items "${id}".`, 'Rename one.');
      lintPattern(source.items[i]!.event, lint, ['items', i, 'event']);
    });
    const known = (id: string, path: readonly PropertyKey[]): void => {
      if (!ids.includes(id)) lint.issue(path, `There is no item "${id}".`, didYouMean(id, ids));
    };
    source.unordered.forEach((set, i) => set.forEach((id, j) => known(id, ['unordered', i, j])));
    source.feedback.forEach(({ when }, i) => {
      for (const condition of [when].flat())
        for (const id of namesOf(condition)) known(id, ['feedback', i, 'when']);
    });
  },

  // Not the author's order, which tends to be the right one, nor anything that chance decides.
  form: (source) => ({
    type: 'order',
    items: source.items
      .map(({ id, label }) => ({ id, label, rank: sha256Hex(`${source.id} ${id}`) }))
      .sort((a, b) => compare(a.rank, b.rank))
      .map(({ id, label }) => ({ id, label })),
  }),

  runs: (source) => source.run,
  demonstrate: (source) => source.run.map((act) => ({ act })),

  key(source, ground) {
    const timeline = arrange(ground);
    const { trace } = timeline.machine;
    let seen = trace.count;
    const first = new Map<string, { event: number; moment: number }>();
    timeline.onMoment = () => {
      for (let n = Math.max(seen, trace.first); n < trace.count; n++) {
        const event = trace.event(n);
        for (const item of source.items) {
          if (!first.has(item.id) && matches(event, item.event))
            first.set(item.id, { event: n, moment: timeline.moment });
        }
      }
      seen = trace.count;
    };
    perform(timeline, this.demonstrate(source, []));
    const answer = [...first].sort(([, a], [, b]) => a.event - b.event).map(([id]) => id);
    const begin = first.get(answer[0] ?? '');
    return {
      answer,
      words: inWords(source, answer),
      moment: begin?.moment ?? null,
      event: begin?.event ?? null,
    } satisfies Key;
  },

  unfit(source, answer) {
    if (typeof answer === 'string') return 'Give the events in their order, not one value.';
    const ids = source.items.map(({ id }) => id);
    const unknown = answer.find((id) => !ids.includes(id));
    if (unknown !== undefined)
      return `There is no event "${unknown}" here. ${didYouMean(unknown, ids)}`.trim();
    if (new Set(answer).size !== answer.length) return 'An event stands in the order twice.';
    return answer.length === 0 ? 'Put at least one event into the order.' : null;
  },

  grade(source, key, answer, wrong) {
    const given = answer as readonly string[];
    const wanted = key.answer as readonly string[];
    const right = agreeing(source, wanted, given);
    const found = source.feedback.findIndex(({ when }) =>
      [when].flat().every((condition) => holds(condition, given)),
    );
    const passed = right === wanted.length && given.length === wanted.length;
    return {
      passed,
      points: passed ? source.points : source.partial ? partOf(source, wanted, given) : 0,
      feedback: found < 0 ? null : found,
      words: inWords(source, given),
      opened:
        passed || wrong === 0
          ? null
          : right === 0
            ? 'The first event is not right yet.'
            : `The first ${right} are right.`,
      findings: null,
    };
  },

  doubt: () => null,

  // Two neighbours exchanged, one left out, one too many.
  mutants(source, _key, given) {
    const ids = [...(given as readonly string[])];
    const swapped = ids.slice(1).map((_, i) => ids.with(i, ids[i + 1]!).with(i + 1, ids[i]!));
    const allowed = (order: readonly string[], i: number): boolean =>
      source.unordered.some((set) => set.includes(order[i]!) && set.includes(order[i + 1]!));
    const extra = source.items.filter(({ id }) => !ids.includes(id)).map(({ id }) => [...ids, id]);
    return [
      ...swapped.filter((order, i) => !allowed(order, i)),
      ...ids.map((_, i) => ids.toSpliced(i, 1)),
      ...extra,
    ];
  },
};

/**
 * Points for an order that is partly right: its longest part in the machine's order, less what never happens, in
 * proportion, rounded down. Never all of them.
 */
function partOf(source: OrderCheckpoint, wanted: readonly string[], given: readonly string[]): number {
  const extra = given.filter((id) => !wanted.includes(id)).length;
  const share = Math.max(0, inOrder(wanted, given) - extra) / Math.max(1, wanted.length);
  return Math.min(source.points - 1, Math.floor(source.points * share));
}

/** Length of the longest common subsequence. */
function inOrder(wanted: readonly string[], given: readonly string[]): number {
  let row = new Array<number>(given.length + 1).fill(0);
  for (const id of wanted) {
    const next = [0];
    given.forEach((other, i) => next.push(other === id ? row[i]! + 1 : Math.max(row[i + 1]!, next[i]!)));
    row = next;
  }
  return row.at(-1)!;
}

function namesOf(condition: OrderCondition): readonly string[] {
  if ('includes' in condition) return [condition.includes];
  if ('omits' in condition) return [condition.omits];
  return condition.before;
}

function holds(condition: OrderCondition, given: readonly string[]): boolean {
  if ('includes' in condition) return given.includes(condition.includes);
  if ('omits' in condition) return !given.includes(condition.omits);
  const [a, b] = condition.before.map((id) => given.indexOf(id)) as [number, number];
  return a >= 0 && b >= 0 && a < b;
}

/**
 * How many events from the beginning are where the machine had them. Neighbours in the machine's order that belong to
 * one `unordered` set may have changed places among themselves.
 */
function agreeing(source: OrderCheckpoint, wanted: readonly string[], given: readonly string[]): number {
  let at = 0;
  while (at < wanted.length) {
    const set = source.unordered.find((ids) => ids.includes(wanted[at]!)) ?? [wanted[at]!];
    let end = at + 1;
    while (end < wanted.length && set.includes(wanted[end]!)) end++;
    const group = wanted.slice(at, end);
    for (let i = at; i < end; i++)
      if (!group.includes(given[i] ?? '') || given.indexOf(given[i]!) !== i) return i;
    at = end;
  }
  return at;
}

function inWords(source: OrderCheckpoint, answer: Answer): string {
  const labels = [answer].flat().map((id) => source.items.find((item) => item.id === id)?.label ?? id);
  return labels.length === 0 ? 'none of them' : labels.map((label, i) => `${i + 1}. ${label}`).join('  ');
}
