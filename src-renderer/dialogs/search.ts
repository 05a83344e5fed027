import type { Entry } from './entries';

/** How well an entry answers to one word; 0: not at all. The beginning of its name counts most. */
function rank({ title, detail, group }: Entry, word: string): number {
  const name = title.toLowerCase();
  if (name.startsWith(word)) return 4;
  if (name.split(/[\s_:.]+/).some((part) => part.startsWith(word))) return 3;
  if (name.includes(word)) return 2;
  return `${detail} ${group}`.toLowerCase().includes(word) ? 1 : 0;
}

/** The entries that answer to every word of `query`, best first; all of them, in their order, when it is empty. */
export function search(entries: readonly Entry[], query: string): readonly Entry[] {
  const words = query
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  if (words.length === 0) return entries;
  return entries
    .map((entry) => {
      const ranks = words.map((word) => rank(entry, word));
      return { entry, rank: ranks.includes(0) ? 0 : ranks.reduce((sum, one) => sum + one, 0) };
    })
    .filter((found) => found.rank > 0)
    .sort((a, b) => b.rank - a.rank)
    .map(({ entry }) => entry);
}
