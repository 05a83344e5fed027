import type { Answer, Key } from './checkpoints/kind';
import type { Checkpoint } from './lab';
import type { OrderCondition } from './schema';

/**
 * Answers that differ from the right one in a single thing: all other choices, or values of another kind; orders with
 * two neighbours exchanged, one event left out, one too many.
 *
 * @param given - the right answer as a solution writes it.
 * @returns an empty list for kinds that take no answer.
 */
export function otherAnswers({ source }: Checkpoint, { answer: right }: Key, given: Answer): Answer[] {
  if (source.kind === 'predict') {
    const choices = (source.choices ?? []).map((choice) =>
      typeof choice === 'string' ? choice : choice.value,
    );
    return choices.length > 0
      ? choices.filter((value) => value !== right && value !== given)
      : [`${String(right)}0`, 'RUNNABLE 7'];
  }
  if (source.kind !== 'order') return [];
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
}

/**
 * Answers that the `entry`-th feedback of a checkpoint is meant for.
 *
 * @returns null for kinds whose feedback is not about answers alone: only an attempt can show that it is told.
 */
export function answersMeant({ source }: Checkpoint, { answer: right }: Key, entry: number): Answer[] | null {
  if (source.kind === 'predict') return [source.feedback[entry]!.when].flat();
  if (source.kind !== 'order') return null;
  const conditions = [source.feedback[entry]!.when].flat();
  const key = right as readonly string[];
  return [key, key.toReversed(), []].map((order) => conditions.reduce<readonly string[]>(meeting, order));
}

/** An order changed as little as it takes to meet a condition. */
function meeting(order: readonly string[], condition: OrderCondition): readonly string[] {
  if ('omits' in condition) return order.filter((id) => id !== condition.omits);
  if ('includes' in condition)
    return order.includes(condition.includes) ? order : [...order, condition.includes];
  const [first, second] = condition.before;
  const others = order.filter((id) => id !== first);
  const at = others.indexOf(second);
  return at < 0 ? [...others, first, second] : others.toSpliced(at, 0, first);
}
