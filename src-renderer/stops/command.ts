import type { EventView } from '../../src-lab/view';
import { Aids } from '../../src-main/contract';
import type { CommandError, Completion, Span, Vocabulary } from '../timeline/command';
import { nearest } from '../timeline/nearest';

export type Stop = Aids['stops'][number]['stop'];
export type WatchExpression = Aids['watches'][number];
type Pattern = Extract<Stop, { event: unknown }>['event'];
type Condition = Extract<Stop, { becomes: unknown }>['becomes'];
type Value = string | number | boolean;

/** What the console can be asked besides inputs: what runs halt at, what is watched, and where in the past to go. */
export type AidCommand =
  | { readonly word: 'stop'; readonly stop: Stop }
  | { readonly word: 'watch'; readonly watch: WatchExpression }
  | { readonly word: 'pin' | 'last-change' | 'next-change'; readonly path: string }
  | { readonly word: 'cause'; readonly event: number | null }
  | { readonly word: 'run-back' | 'run-on' };
export type AidParsed =
  { readonly ok: true; readonly command: AidCommand } | { readonly ok: false; readonly error: CommandError };

/** The words and what they do. Keys of stops and watches are those of scenario files. */
export const AID_WORDS: Readonly<Record<AidCommand['word'], string>> = {
  stop: 'Halts runs: event=…, changes=PATH, or path=PATH is=VALUE.',
  watch: 'Watches a state path, or whether path=PATH is=VALUE.',
  pin: 'Shows a state path first.',
  'run-back': 'Goes back to the last earlier moment at which a stop is hit.',
  'run-on': 'Goes on to the next moment at which a stop is hit.',
  'last-change': 'Goes to where a state path changed last.',
  'next-change': 'Goes to where a state path changes next.',
  cause: 'Goes to what made an event possible: the marked one, or cause NUMBER.',
};
const PATTERN_KEYS = ['type', 'thread'] as const;
const RELATIONS = ['is', 'not', 'in'] as const;
const CONDITION_KEYS = ['path', 'return', 'exit', 'outcome'] as const;

interface Token extends Span {
  readonly key: string | null;
  readonly value: string;
}

function tokensOf(line: string): Token[] {
  return [...line.matchAll(/\S+/g)].map((match) => {
    const text = match[0];
    const equals = text.indexOf('=');
    const span = { from: match.index, to: match.index + text.length };
    return equals < 0
      ? { ...span, key: null, value: text }
      : { ...span, key: text.slice(0, equals), value: text.slice(equals + 1) };
  });
}

const fail = ({ from, to }: Span, message: string, near: readonly string[] = []): AidParsed => ({
  ok: false,
  error: { at: { from, to }, message, nearest: near },
});

/** Reads such a command. Null: the line is none of these, but an input. Names of the machine are checked by whoever knows it. */
export function parseAid(line: string, vocabulary: Vocabulary): AidParsed | null {
  const read = readAid(line, vocabulary);
  if (read?.ok !== true || fits(read.command)) return read;
  return fail({ from: 0, to: line.length }, 'A name or a value in it is longer or other than any can be.');
}

/** Whether main would keep it. */
function fits(command: AidCommand): boolean {
  const { stops, watches, pins } = Aids.shape;
  if (command.word === 'stop') return stops.element.shape.stop.safeParse(command.stop).success;
  if (command.word === 'watch') return watches.element.safeParse(command.watch).success;
  return !('path' in command) || pins.element.safeParse(command.path).success;
}

function readAid(line: string, vocabulary: Vocabulary): AidParsed | null {
  const [first, ...rest] = tokensOf(line);
  const word = first?.value.toLowerCase();
  if (word === undefined || first!.key !== null || !Object.hasOwn(AID_WORDS, word)) return null;
  const end: Span = { from: line.length, to: line.length };
  const [argument, extra] = rest;
  switch (word as AidCommand['word']) {
    case 'run-back':
    case 'run-on':
      if (argument !== undefined) return fail(argument, `"${word}" stands alone.`);
      return { ok: true, command: { word: word as 'run-back' } };
    case 'cause': {
      if (argument === undefined) return { ok: true, command: { word: 'cause', event: null } };
      if (extra !== undefined || !/^\d+$/.test(argument.value))
        return fail(extra ?? argument, 'An event is a whole number: its place in the trace.');
      return { ok: true, command: { word: 'cause', event: Number(argument.value) } };
    }
    case 'pin':
    case 'last-change':
    case 'next-change':
      if (argument === undefined) return fail(end, 'Which state path?');
      if (extra !== undefined) return fail(extra, `"${word}" takes one state path only.`);
      return { ok: true, command: { word: word as 'pin', path: argument.value } };
    case 'watch': {
      if (argument === undefined) return fail(end, 'What is watched? For example: watch td.vcpu0.mp_state.');
      if (argument.key === null && extra === undefined)
        return { ok: true, command: { word: 'watch', watch: { path: argument.value } } };
      const condition = conditionOf(rest);
      return 'error' in condition
        ? condition.error
        : { ok: true, command: { word: 'watch', watch: condition.made } };
    }
    case 'stop': {
      if (argument === undefined)
        return fail(end, 'Where do runs halt? For example: stop event=kvm_exit.', [
          'event=',
          'changes=',
          'path=',
        ]);
      const stop = stopOf(rest, vocabulary);
      return 'error' in stop ? stop.error : { ok: true, command: { word: 'stop', stop: stop.made } };
    }
  }
}

type Made<T> = { readonly made: T } | { readonly error: AidParsed };

function stopOf(tokens: readonly Token[], { paths = [] }: Vocabulary): Made<Stop> {
  const [first, extra] = tokens as [Token, ...Token[]];
  if (first.key === 'event') return eventOf(first.value, tokens.slice(1));
  if (first.key === 'changes' || first.key === null) {
    // A bare word is a path when there is such a path, else the name of an event.
    const bare = first.value.replace(/\[\w+\]$/, '');
    if (first.key === null && !paths.includes(bare)) return eventOf(first.value, tokens.slice(1));
    if (extra !== undefined) return { error: fail(extra, 'A change of state needs nothing else.') };
    return { made: { changes: first.value } };
  }
  const condition = conditionOf(tokens);
  return 'error' in condition ? condition : { made: { becomes: condition.made } };
}

function eventOf(event: string, tokens: readonly Token[]): Made<Stop> {
  const pattern: Record<string, string> = {};
  const where: Record<string, Value | Value[]> = {};
  for (const token of tokens) {
    if (token.key === null || token.value === '')
      return { error: fail(token, 'Arguments of an event are of the form name=value.') };
    if ((PATTERN_KEYS as readonly string[]).includes(token.key)) pattern[token.key] = token.value;
    else where[token.key] = valuesOf(token.value);
  }
  const made = { event, ...pattern, ...(Object.keys(where).length === 0 ? {} : { where }) };
  return { made: { event: made as Pattern } };
}

/** One condition, or several that must hold together. */
function conditionOf(tokens: readonly Token[]): Made<Condition> {
  const parts: Record<string, unknown>[] = [];
  for (const { key, value, ...span } of tokens) {
    if (key === null || value === '')
      return { error: fail(span, 'A condition is of the form path=PATH is=VALUE.') };
    const open = parts.at(-1);
    if ((CONDITION_KEYS as readonly string[]).includes(key)) {
      parts.push({ [key]: key === 'path' ? value : valuesOf(value) });
    } else if ((RELATIONS as readonly string[]).includes(key) && open !== undefined && 'path' in open) {
      open[key] = key === 'in' ? [valuesOf(value)].flat() : value;
    } else if (key === 'of' && open !== undefined && 'return' in open) {
      open['of'] = value;
    } else {
      return {
        error: fail(span, `"${key}" does not belong here.`, nearest(key, [...CONDITION_KEYS, ...RELATIONS])),
      };
    }
  }
  const bare = parts.findIndex((part) => 'path' in part && Object.keys(part).length !== 2);
  if (bare >= 0) {
    const at = tokens.filter(
      ({ key }) => key !== null && (CONDITION_KEYS as readonly string[]).includes(key),
    )[bare]!;
    return { error: fail(at, 'A state path needs one of is=, not= and in=.', ['is=', 'not=', 'in=']) };
  }
  return { made: (parts.length === 1 ? parts[0]! : { all: parts }) as Condition };
}

/** `a` is one value, `a,b` two of which one must match. */
function valuesOf(text: string): Value | Value[] {
  return text.includes(',') ? text.split(',') : text;
}

/** A stop on events like this one: of its name, type and thread. */
export function stopOn({ name, type, thread }: EventView): Stop {
  const isRoutine = type === 'call' || type === 'return';
  return { event: { event: name, ...(isRoutine ? { type } : {}), thread } };
}

/** The command that sets a stop, as the console takes it; of conditions that it has no words for, the condition itself. */
export function stopCommand(stop: Stop): string {
  if ('changes' in stop) return `stop changes=${stop.changes}`;
  if ('becomes' in stop) return `stop ${conditionWords(stop.becomes)}`;
  const { event, type, thread, where = {} } = stop.event;
  const words = [`event=${event}`];
  if (type !== undefined) words.push(`type=${type}`);
  if (thread !== undefined) words.push(`thread=${thread}`);
  for (const [key, value] of Object.entries(where)) words.push(`${key}=${[value].flat().join(',')}`);
  return `stop ${words.join(' ')}`;
}

export function watchCommand(watch: WatchExpression): string {
  const isValue = 'path' in watch && Object.keys(watch).length === 1;
  return `watch ${isValue ? (watch as { path: string }).path : conditionWords(watch as Condition)}`;
}

function conditionWords(condition: Condition): string {
  if ('all' in condition) return condition.all.map(conditionWords).join(' ');
  const plain = Object.entries(condition).every(
    ([, value]) => typeof value !== 'object' || Array.isArray(value),
  );
  if (!plain || 'any' in condition) return JSON.stringify(condition);
  return Object.entries(condition)
    .map(([key, value]) => `${key}=${[value].flat().join(',')}`)
    .join(' ');
}

/** Words that can follow `word` and what was typed after it. */
export function completeAid(
  word: string,
  given: readonly string[],
  partial: string,
  vocabulary: Vocabulary,
): Completion[] {
  const { paths = [], events = [], threads } = vocabulary;
  const asPaths = (prefix = ''): Completion[] =>
    paths.map((path) => ({ text: prefix + path, detail: 'state' }));
  const has = (key: string): boolean => given.some((one) => one.startsWith(`${key}=`));
  switch (word as AidCommand['word']) {
    case 'pin':
    case 'last-change':
    case 'next-change':
      return given.length === 0 ? asPaths() : [];
    case 'watch':
    case 'stop': {
      if (partial.startsWith('event='))
        return events.map((name) => ({ text: `event=${name}`, detail: 'event' }));
      if (partial.startsWith('changes=')) return asPaths('changes=');
      if (partial.startsWith('path=')) return asPaths('path=');
      if (partial.startsWith('thread='))
        return threads.map((name) => ({ text: `thread=${name}`, detail: '' }));
      if (has('event'))
        return [
          { text: 'thread=', detail: 'Only of this thread' },
          { text: 'type=', detail: 'call, return, tracepoint, mark or action' },
        ];
      if (has('changes')) return [];
      if (has('path')) return RELATIONS.map((key) => ({ text: `${key}=`, detail: 'value' }));
      const condition: Completion[] = [
        { text: 'path=', detail: 'A state path, then is=, not= or in=' },
        { text: 'return=', detail: 'What the last call returned' },
      ];
      if (word === 'watch') return [...condition, ...asPaths()];
      return [
        { text: 'event=', detail: 'Where such an event happens' },
        { text: 'changes=', detail: 'Where this state changes' },
        ...condition,
      ];
    }
    default:
      return [];
  }
}

/** A stop or a watch in which one word stands for another: what was mistyped, or is called otherwise on this machine. */
export function replaced<T extends Stop | WatchExpression>(of: T, word: string, by: string): T {
  return JSON.parse(JSON.stringify(of), (_, value: unknown) => (value === word ? by : value)) as T;
}
