import { editDistance } from '../machine/layout';

/** Letters of a word that are compared; what is longer is no slip of the finger. */
const COMPARED = 60;

/**
 * Up to three of `known` that look most like `word`, best first; none that differs in more than half its letters.
 * The order of equally near ones does not depend on the order of `known`.
 */
export function nearest(word: string, known: Iterable<string>): string[] {
  const given = word.slice(0, COMPARED).toLowerCase();
  return [...new Set(known)]
    .map((name) => ({ name, distance: editDistance(given, name.slice(0, COMPARED).toLowerCase()) }))
    .filter(({ name, distance }) => distance <= Math.max(2, Math.min(given.length, name.length) / 2))
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, 3)
    .map(({ name }) => name);
}

/** ` Did you mean "a" or "b"?`, with its leading blank; empty when nothing is near. */
export function didYouMean(near: readonly string[]): string {
  return near.length === 0 ? '' : ` Did you mean ${near.map((name) => `"${name}"`).join(' or ')}?`;
}
