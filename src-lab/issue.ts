import type { Place } from '../src-sim/scenario/errors';
import { nearest } from '../src-sim/scenario/nearest';

export type { Place };

/** One thing that is wrong with a lab, for its author: where, what, and what to do. */
export interface LabIssue extends Place {
  /** Path relative to the lab's folder, with `/`. */
  readonly file: string;
  /** A sentence: what is wrong. */
  readonly message: string;
  /** A sentence: what to do about it; empty when the message says it all. */
  readonly remedy: string;
}

/** `lab.yaml:12:5: There is no step "boot". Did you mean "boots"?` */
export function printIssue({ file, line, column, message, remedy }: LabIssue): string {
  return `${file}:${line}:${column}: ${message}${remedy === '' ? '' : ` ${remedy}`}`;
}

/** In file order, the order in which an author mends them. */
export function sortIssues(issues: readonly LabIssue[]): LabIssue[] {
  return [...issues].sort(
    (a, b) =>
      compare(a.file, b.file) || a.line - b.line || a.column - b.column || compare(a.message, b.message),
  );
}

/** Order of strings by code units: the same everywhere, unlike `localeCompare`. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `Did you mean "a" or "b"?` of the words of `known` near to `word`; else all of them when they are few; else nothing. */
export function didYouMean(word: string, known: Iterable<string>): string {
  const all = [...new Set(known)];
  const near = nearest(word, all);
  if (near.length > 0) return suggest(near);
  return all.length > 0 && all.length <= 12 ? `Known: ${all.join(', ')}.` : '';
}

/** `Did you mean "a" or "b"?`; nothing when there is nothing to suggest. */
export function suggest(near: readonly string[]): string {
  return near.length === 0 ? '' : `Did you mean ${near.map((name) => `"${name}"`).join(' or ')}?`;
}
