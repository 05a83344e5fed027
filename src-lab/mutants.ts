import type { Answer, Key } from './checkpoints/kind';
import type { Checkpoint } from './lab';
import type { OrderCondition } from './schema';

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
