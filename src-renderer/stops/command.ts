import type { EventView } from '../../src-lab/view';
import { Aids } from '../../src-main/contract';
import type { CommandError, Completion, Span, Vocabulary } from '../timeline/command';
import {
  completeCondition,
  conditionWords,
  isConditionWord,
  parseCondition,
  tokensOf,
  valuesOf,
  wrong,
  type Condition,
  type Made,
  type Token,
  type Value,
} from './condition';

export type Stop = Aids['stops'][number]['stop'];
export type WatchExpression = Aids['watches'][number];
type Pattern = Extract<Stop, { event: unknown }>['event'];

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
  stop: 'Halts runs: event=…, changes=PATH, or path=PATH is=VALUE with and, or, not.',
  watch: 'Watches a state path, or whether path=PATH is=VALUE, with and, or, not.',
  pin: 'Shows a state path first.',
  'run-back': 'Goes back to the last earlier moment at which a stop is hit.',
  'run-on': 'Goes on to the next moment at which a stop is hit.',
  'last-change': 'Goes to where a state path changed last.',
  'next-change': 'Goes to where a state path changes next.',
  cause: 'Goes to what made an event possible: the marked one, or cause NUMBER.',
};
const PATTERN_KEYS = ['type', 'thread'] as const;

const fail = (at: Span, message: string, near: readonly string[] = []): AidParsed => ({
  ok: false,
  ...wrong(at, message, near),
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
      const condition = parseCondition(line, argument.from);
      return 'error' in condition
        ? { ok: false, ...condition }
        : { ok: true, command: { word: 'watch', watch: condition.made } };
    }
    case 'stop': {
      if (argument === undefined)
        return fail(end, 'Where do runs halt? For example: stop event=kvm_exit.', [
          'event=',
          'changes=',
          'path=',
        ]);
      const stop = stopOf(line, rest, vocabulary);
      return 'error' in stop
        ? { ok: false, ...stop }
        : { ok: true, command: { word: 'stop', stop: stop.made } };
    }
  }
}

function stopOf(line: string, tokens: readonly Token[], { paths = [] }: Vocabulary): Made<Stop> {
  const [first, extra] = tokens as [Token, ...Token[]];
  if (first.key === 'event') return eventOf(first.value, tokens.slice(1));
  if (first.key === 'changes' || (first.key === null && !isConditionWord(first.value))) {
    // A bare word is a path when there is such a path, else the name of an event.
    const bare = first.value.replace(/\[\w+\]$/, '');
    if (first.key === null && !paths.includes(bare)) return eventOf(first.value, tokens.slice(1));
    if (extra !== undefined) return wrong(extra, 'A change of state needs nothing else.');
    return { made: { changes: first.value } };
  }
  const condition = parseCondition(line, first.from);
  return 'error' in condition ? condition : { made: { becomes: condition.made } };
}

function eventOf(event: string, tokens: readonly Token[]): Made<Stop> {
  const pattern: Record<string, string> = {};
  const where: Record<string, Value | Value[]> = {};
  for (const token of tokens) {
    if (token.key === null || token.value === '')
      return wrong(token, 'Arguments of an event are of the form name=value.');
    if ((PATTERN_KEYS as readonly string[]).includes(token.key)) pattern[token.key] = token.value;
    else where[token.key] = valuesOf(token.value);
  }
  const made = { event, ...pattern, ...(Object.keys(where).length === 0 ? {} : { where }) };
  return { made: { event: made as Pattern } };
}

/** A stop on events like this one: of its name, type and thread. */
export function stopOn({ name, type, thread }: EventView): Stop {
  const isRoutine = type === 'call' || type === 'return';
  return { event: { event: name, ...(isRoutine ? { type } : {}), thread } };
}

/** The command that sets a stop, as the console takes it. */
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
      if (partial.startsWith('thread='))
        return threads.map((name) => ({ text: `thread=${name}`, detail: '' }));
      if (has('event'))
        return [
          { text: 'thread=', detail: 'Only of this thread' },
          { text: 'type=', detail: 'call, return, tracepoint, mark or action' },
        ];
      if (has('changes')) return [];
      const condition = completeCondition(given.at(-1), partial, paths);
      if (given.length > 0) return condition;
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
