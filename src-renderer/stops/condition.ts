import type { Aids } from '../../src-main/contract';
import type { CommandError, Completion, Span } from '../timeline/command';
import { nearest } from '../timeline/nearest';

/**
 * Conditions in one line, with the keys of scenario files: `path=PATH is=VALUE`, joined by `and` and `or`, after `not`,
 * in parentheses.
 */

export type Condition = Extract<Aids['stops'][number]['stop'], { becomes: unknown }>['becomes'];
export type Value = string | number | boolean;

/** A word of a command. `key`: what stands before its first `=`; null: it has none. */
export interface Token extends Span {
  readonly key: string | null;
  readonly value: string;
}
export type Made<T> = { readonly made: T } | { readonly error: CommandError };

const RELATIONS = ['is', 'not', 'in'] as const;
const KEYS = ['path', 'return', 'exit', 'outcome'] as const;
/** Words of the longest condition that is read; they may be nested as deep. */
const MOST_WORDS = 200;

export function tokensOf(line: string, words = /\S+/g, at = 0): Token[] {
  return [...line.matchAll(words)].map((match) => {
    const text = match[0];
    const equals = text.indexOf('=');
    const from = at + match.index;
    const key = equals < 0 ? null : text.slice(0, equals);
    return { from, to: from + text.length, key, value: text.slice(equals + 1) };
  });
}

export function wrong(
  { from, to }: Span,
  message: string,
  near: readonly string[] = [],
): { error: CommandError } {
  return { error: { at: { from, to }, message, nearest: near } };
}

/** `a` is one value, `a,b` two of which one must match. */
export function valuesOf(text: string): Value | Value[] {
  return text.includes(',') ? text.split(',') : text;
}

/** Whether a word without `=` is one of conditions. */
export function isConditionWord(word: string): boolean {
  return /^(\(.*|and|or|not)$/i.test(word);
}

/** Reads the end of a line, from `from` on, as a condition. */
export function parseCondition(line: string, from: number): Made<Condition> {
  const rest = tokensOf(line.slice(from), /[()]|[^\s()]+/g, from);
  if (rest.length > MOST_WORDS)
    return wrong({ from, to: line.length }, 'This is longer than a condition can be.');
  const reader = new Reader(rest, { from: line.length, to: line.length });
  const read = reader.oneOf();
  const [extra] = rest;
  return 'error' in read || extra === undefined ? read : wrong(extra, 'No parenthesis is open here.');
}

/** Takes the words of a condition one by one. */
class Reader {
  /** @param rest - words that are not taken yet. @param end - of the line. */
  constructor(
    private readonly rest: Token[],
    private readonly end: Span,
  ) {}

  /** Some with `or` between them: one must hold. */
  oneOf(): Made<Condition> {
    const any: Condition[] = [];
    do {
      const part = this.allOf();
      if ('error' in part) return part;
      any.push(part.made);
    } while (this.took('or'));
    return { made: any.length === 1 ? any[0]! : ({ any } as Condition) };
  }

  /** Some beside each other, or with `and` between them: all must hold. */
  private allOf(): Made<Condition> {
    const all: Condition[] = [];
    do {
      const part = this.one();
      if ('error' in part) return part;
      all.push(part.made);
    } while (this.took('and') || !(this.rest.length === 0 || this.isNext('or') || this.isNext(')')));
    return { made: all.length === 1 ? all[0]! : ({ all } as Condition) };
  }

  private one(): Made<Condition> {
    const { rest } = this;
    const open = rest[0];
    if (this.took('not')) {
      const part = this.one();
      return 'error' in part ? part : { made: { not: part.made } as Condition };
    }
    if (this.took('(')) {
      const group = this.oneOf();
      return 'error' in group || this.took(')') ? group : wrong(open!, 'This parenthesis is not closed.');
    }
    return this.leaf(rest.shift() ?? { ...this.end, key: null, value: '' });
  }

  private leaf(token: Token): Made<Condition> {
    const { key, value } = token;
    if (key === null || value === '') return wrong(token, 'A condition is of the form path=PATH is=VALUE.');
    if (!isOneOf(KEYS, key))
      return wrong(token, `"${key}" does not belong here.`, nearest(key, [...KEYS, ...RELATIONS]));
    const [next] = this.rest;
    if (key === 'path') {
      if (next === undefined || next.key === null || !isOneOf(RELATIONS, next.key) || next.value === '')
        return wrong(token, 'A state path needs one of is=, not= and in=.', ['is=', 'not=', 'in=']);
      this.rest.shift();
      const values = next.key === 'in' ? [valuesOf(next.value)].flat() : next.value;
      return { made: { path: value, [next.key]: values } as unknown as Condition };
    }
    const made: Record<string, unknown> = { [key]: valuesOf(value) };
    if (key === 'return' && next?.key === 'of') made['of'] = this.rest.shift()!.value;
    return { made: made as unknown as Condition };
  }

  private isNext(word: string): boolean {
    const [next] = this.rest;
    return next?.key === null && next.value.toLowerCase() === word;
  }
  private took(word: string): boolean {
    return this.isNext(word) && this.rest.shift() !== undefined;
  }
}

function isOneOf<T extends string>(words: readonly T[], word: string): word is T {
  return (words as readonly string[]).includes(word);
}

/** A condition as `parseCondition` reads it. */
export function conditionWords(condition: Condition): string {
  if ('all' in condition) return condition.all.map((part) => grouped(part)).join(' and ');
  if ('any' in condition)
    return condition.any.map((part) => ('all' in part ? conditionWords(part) : grouped(part))).join(' or ');
  if (!('path' in condition) && 'not' in condition) return `not ${grouped(condition.not as Condition)}`;
  return Object.entries(condition)
    .map(([key, value]) => `${key}=${[value].flat().join(',')}`)
    .join(' ');
}

function grouped(condition: Condition): string {
  const words = conditionWords(condition);
  return 'all' in condition || 'any' in condition ? `(${words})` : words;
}

/**
 * Words that can follow in a condition.
 *
 * @param last - the word before; undefined: it begins here. @param partial - what was typed of the next one.
 */
export function completeCondition(
  last: string | undefined,
  partial: string,
  paths: readonly string[],
): Completion[] {
  const [open] = /^\(*/.exec(partial)!;
  if (partial.startsWith('path=', open.length))
    return paths.map((path) => ({ text: `${open}path=${path}`, detail: 'state' }));
  if (last !== undefined && /^\(*path=/.test(last))
    return RELATIONS.map((key) => ({ text: `${key}=`, detail: 'value' }));
  if (last === undefined || /^(and|or|not|\(+)$/i.test(last)) {
    return [
      { text: `${open}path=`, detail: 'A state path, then is=, not= or in=' },
      { text: `${open}return=`, detail: 'What the last call returned' },
      { text: `${open}not`, detail: 'The opposite of what follows' },
    ];
  }
  if (!/=|\)$/.test(last)) return [];
  return [
    { text: 'and', detail: 'Both must hold' },
    { text: 'or', detail: 'One must hold' },
  ];
}
