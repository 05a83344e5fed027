import { z } from 'zod';
import { explain as explainSource, type SourceError } from '../src-sim/scenario/errors';
import { nearest } from '../src-sim/scenario/nearest';
import { readSource, SOURCE_LIMITS } from '../src-sim/scenario/source';
import { didYouMean, suggest, type LabIssue, type Place } from './issue';

/** Path to a value of a YAML file: keys and indexes from the root. */
export type Path = readonly PropertyKey[];

/** A YAML file that was read: its value by schema, and where each part of it stands. */
export interface YamlFile<T> {
  readonly value: T;
  /** Place of the value at `path`, or of its nearest ancestor that the file has. */
  at(path: Path): Place;
  /** Place in the file of a place inside the text at `path`. Exact for block texts (`|`), else the text's beginning. */
  within(path: Path, place: Place): Place;
}

export type YamlRead<T> =
  { readonly ok: true; readonly file: YamlFile<T> } | { readonly ok: false; readonly issues: LabIssue[] };

/**
 * Reads a YAML file against a schema.
 *
 * @param name - path of the file, for the issues.
 * @returns every issue at once, each with its place. Never throws, whatever the text.
 */
export function readYaml<S extends z.ZodType>(schema: S, name: string, text: string): YamlRead<z.output<S>> {
  const issue = (place: Place, message: string, remedy = ''): LabIssue => ({
    file: name,
    line: place.line,
    column: place.column,
    message,
    remedy,
  });
  const source = readSource(text);
  if (!source.ok) {
    return { ok: false, issues: source.errors.map((error) => issue(error.at, sourceText(error))) };
  }
  const { data, at: placeAt, key: placeOfKey } = source.value;
  const at = (path: Path): Place => placeAt(path as readonly (string | number)[]);
  const parsed = schema.safeParse(data);
  if (!parsed.success) {
    const issues = parsed.error.issues.flatMap((fault) =>
      explain(fault, data).map(({ path, key, message, remedy }) =>
        key === undefined
          ? issue(at(path), message, remedy)
          : issue(
              placeOfKey([...(path as readonly (string | number)[]), key]),
              message,
              suggest(nearest(key, keysOf(schema))) || remedy,
            ),
      ),
    );
    return { ok: false, issues };
  }
  const rows = text.split('\n');
  const within = (path: Path, place: Place): Place => {
    const begin = at(path);
    const isBlock = /^[|>]/.test(rows[begin.line - 1]?.slice(begin.column - 1) ?? '');
    if (!isBlock) return begin;
    const indent = /^ */.exec(rows.slice(begin.line).find((row) => row.trim() !== '') ?? '')![0].length;
    return { line: begin.line + place.line, column: place.column + indent };
  };
  return { ok: true, file: { value: parsed.data, at, within } };
}

/** What is wrong with a text as YAML, in words for a lab; a scenario says some of it otherwise. */
function sourceText(error: SourceError): string {
  switch (error.code) {
    case 'tag':
      return 'YAML tags are not used in labs. Remove the tag.';
    case 'too_deep':
      return `Nothing nests deeper than ${SOURCE_LIMITS.depth} levels in a lab. Flatten it.`;
    case 'too_many_entries':
      return `A list may have ${SOURCE_LIMITS.entries} entries; this is one more. Shorten it.`;
    case 'second_document':
      return 'A file is one document. Remove the "---" and what follows it.';
    default:
      return explainSource(error);
  }
}

/** Every key that a file of this schema can have, somewhere. */
function keysOf(schema: z.ZodType): Set<string> {
  const keys = new Set<string>();
  JSON.stringify(z.toJSONSchema(schema, { io: 'input' }), (key, value: unknown) => {
    if (key === 'properties') for (const name of Object.keys(value as object)) keys.add(name);
    return value;
  });
  return keys;
}

/** An issue of the schema in the words of an author. `key`: it is about this key, not about a value. */
export interface Explained {
  readonly path: Path;
  readonly key?: string;
  readonly message: string;
  readonly remedy: string;
}

type Fault = z.core.$ZodIssue;

/**
 * Turns an issue of zod into sentences. Of a union it explains the variant that comes closest, and what several equally
 * close ones expect.
 *
 * @param root - the whole value that was parsed; `fault.path` leads from it to what is wrong.
 */
export function explain(fault: Fault, root: unknown): Explained[] {
  const { path } = fault;
  const got = valueAt(root, path);
  const name =
    path.length === 0 ? 'The file' : `"${path.filter((key) => typeof key === 'string').at(-1) ?? 'it'}"`;
  const one = (message: string, remedy = ''): Explained[] => [{ path, message, remedy }];
  switch (fault.code) {
    case 'unrecognized_keys':
      return fault.keys.map((key) => ({
        path,
        key,
        message: `There is no key "${key}" here.`,
        remedy: 'Remove it, or correct its spelling.',
      }));
    case 'invalid_type':
      if (got === undefined) return one(`${name} is missing.`, `Give it: ${typeWords(fault.expected)}.`);
      return one(`${name} must be ${typeWords(fault.expected)}, not ${shown(got)}.`);
    case 'invalid_value': {
      const known = fault.values.map(String);
      if (got === undefined)
        return one(
          `${name} is missing.`,
          known.length === 1 ? `Write ${known[0]}.` : `One of: ${known.join(', ')}.`,
        );
      const all = `One of: ${known.join(', ')}.`;
      const near = nearest(String(got), known);
      return one(
        `${name} cannot be ${shown(got)}.`,
        near.length > 0 ? didYouMean(String(got), known) : known.length <= 40 ? all : '',
      );
    }
    case 'invalid_union':
      return explainUnion(fault, root);
    case 'too_small':
      return one(
        `${name} is too ${fault.origin === 'array' ? 'short' : 'small'}: at least ${fault.minimum}${unit(fault.origin)}.`,
      );
    case 'too_big':
      return one(
        `${name} is too ${fault.origin === 'number' || fault.origin === 'int' ? 'large' : 'long'}: at most ${fault.maximum}${unit(fault.origin)}.`,
      );
    case 'invalid_format':
      return one(
        `${name} cannot be ${shown(got)}.`,
        `It must be ${fault.message.replace(/^Invalid string: must match pattern .*$/, 'of the documented form')}.`,
      );
    case 'invalid_key':
      return fault.issues.flatMap((inner) => [
        {
          path: path.slice(0, -1),
          key: String(path.at(-1)),
          message: `"${String(path.at(-1))}" cannot be a name here.`,
          remedy: `It must be ${inner.message}.`,
        },
      ]);
    default:
      return one(sentence(fault.message));
  }
}

function explainUnion(fault: Extract<Fault, { code: 'invalid_union' }>, root: unknown): Explained[] {
  const { path } = fault;
  const got = valueAt(root, path);
  if (fault.errors.length === 0) {
    // A discriminated union that has no such variant.
    const key =
      'discriminator' in fault && typeof fault.discriminator === 'string' ? fault.discriminator : 'kind';
    const known = 'options' in fault && Array.isArray(fault.options) ? fault.options.map(String) : [];
    const word = valueAt(got, [key]);
    if (path.at(-1) === key || word === undefined) {
      const value = path.at(-1) === key ? got : word;
      if (value === undefined)
        return [
          {
            path,
            message: `"${key}" is missing.`,
            remedy: known.length > 0 ? `One of: ${known.join(', ')}.` : '',
          },
        ];
      return [
        { path, message: `"${key}" cannot be ${shown(value)}.`, remedy: didYouMean(String(value), known) },
      ];
    }
    return [
      {
        path: [...path, key],
        message: `"${key}" cannot be ${shown(word)}.`,
        remedy: didYouMean(String(word), known),
      },
    ];
  }
  const rebased = fault.errors.map((issues) =>
    issues.map((issue) => ({ ...issue, path: [...path, ...issue.path] }) as Fault),
  );
  const best = Math.min(...rebased.map((issues) => badness(issues, path, root)));
  const closest = rebased.filter((issues) => badness(issues, path, root) === best);
  const merged = mergeValues(closest);
  if (merged) return explain(merged, root);
  return closest[0]!.flatMap((issue) => explain(issue, root));
}

/** How far a variant is from what was written: wrong kinds of value weigh most, then wrong words, then details. */
function badness(issues: readonly Fault[], path: Path, root: unknown): number {
  let sum = 0;
  for (const issue of issues) {
    const own = issue.path.length === path.length;
    if (issue.code === 'invalid_type' && own) sum += 100;
    else if (issue.code === 'invalid_type' && valueAt(root, issue.path) === undefined) sum += 4;
    else if (issue.code === 'invalid_value' && issue.values.length === 1)
      sum += 12; // another variant's name
    else if (issue.code === 'invalid_value') sum += 5;
    else if (issue.code === 'unrecognized_keys') sum += 3 * issue.keys.length;
    else if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      sum += Math.min(
        ...issue.errors.map((inner) =>
          badness(
            inner.map((i) => ({ ...i, path: [...issue.path, ...i.path] }) as Fault),
            issue.path,
            root,
          ),
        ),
      );
    } else sum += 2;
  }
  return sum;
}

/** Several variants that differ only in the word they want at one place: one issue with all those words. */
function mergeValues(variants: readonly (readonly Fault[])[]): Fault | null {
  if (variants.length < 2 || variants.some((issues) => issues.length === 0)) return null;
  const firsts = variants.map((issues) => issues[0]!);
  const place = JSON.stringify(firsts[0]!.path.map(String));
  const values: (string | number | boolean)[] = [];
  for (const issue of firsts) {
    if (issue.code !== 'invalid_value' || JSON.stringify(issue.path.map(String)) !== place) return null;
    values.push(...(issue.values as (string | number | boolean)[]));
  }
  return { ...(firsts[0] as Extract<Fault, { code: 'invalid_value' }>), values };
}

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

function shown(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  const text = String(value);
  return `"${text.length > 40 ? `${text.slice(0, 40)}…` : text}"`;
}

function typeWords(expected: string): string {
  const words: Record<string, string> = {
    string: 'a text',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
    array: 'a list',
    tuple: 'a list',
    object: 'a mapping',
    record: 'a mapping',
  };
  return words[expected] ?? expected;
}

function unit(origin: string): string {
  return origin === 'string' ? ' characters' : origin === 'array' ? ' entries' : '';
}

function sentence(text: string): string {
  const trimmed = text.trim().split('\n')[0]!;
  return /[.!?]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}
