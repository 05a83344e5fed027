/**
 * Sizes after the divider behind pane `i` was moved. Only its two neighbours give way, neither below its least size.
 *
 * @param sizes - percent, adding up to 100.
 * @param by - percent; positive moves the divider forward.
 * @param least - least size of each pane, percent. Where the two least sizes do not fit, nothing moves.
 */
export function moveDivider(
  sizes: readonly number[],
  i: number,
  by: number,
  least: readonly number[],
): number[] {
  const next = [...sizes];
  const before = sizes[i]!;
  const both = before + sizes[i + 1]!;
  const low = least[i]!;
  const high = both - least[i + 1]!;
  if (low > high) return next;
  next[i] = Math.max(low, Math.min(high, before + by));
  next[i + 1] = both - next[i]!;
  return next;
}

/** Remembered sizes if they fit what there is now, else the initial ones. */
export function usableSizes(
  remembered: readonly number[] | null,
  initial: readonly number[],
): readonly number[] {
  const sum = remembered?.reduce((total, size) => total + size, 0) ?? 0;
  return remembered?.length === initial.length && Math.abs(sum - 100) < 2 ? remembered : initial;
}
