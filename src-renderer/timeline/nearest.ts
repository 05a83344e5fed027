/** Edits that turn `a` into `b`: insert, delete, replace, swap two neighbours. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    const above = rows[i - 1]!;
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let best = Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, rows[i - 2]![j - 2]! + 1);
      row.push(best);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/**
 * The words that `word` was probably meant to be, most likely first.
 *
 * @returns at most three; none when nothing is near: further than a third of the letters away and no part of a word.
 */
export function nearest(word: string, words: readonly string[]): string[] {
  const typed = word.toLowerCase();
  if (typed === '') return [];
  return words
    .map((candidate) => {
      const known = candidate.toLowerCase();
      const part = known.startsWith(typed)
        ? 0.25
        : typed.length > 2 && known.includes(typed)
          ? 0.5
          : Infinity;
      return { candidate, far: Math.min(part, distance(typed, known)) };
    })
    .filter(({ candidate, far }) => far <= Math.max(1, Math.max(candidate.length, word.length) / 3))
    .sort((a, b) => a.far - b.far)
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}
