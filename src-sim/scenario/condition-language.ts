import type { z } from 'zod';
import {
  ERRNO,
  EVENT_NAMES,
  KVM_EXIT,
  returnName,
  ROUTINE_NAMES,
  type Layout,
  type Leaf,
  type TraceEvent,
} from '../index';
import { ACTIONS, ACTORS } from './action';
import type { Condition, Count, EventPattern, Value } from './condition-schema';
import { nearest } from './nearest';

/**
 * What scenarios expect and labs ask for: conditions on state, results and events, as data. `Monitor` watches them,
 * `checkCondition` finds words that the machine does not know before anything runs.
 */

// State paths -----------------------------------------------------------------------------------------------------

/** Where a state path leads: a leaf, or one bit of it. */
export interface Target {
  readonly leaf: Leaf;
  readonly bit: number | null;
}

/** The target of `td.vcpu1.mp_state`, `td.vcpu1.apic.pending_events[INIT]` or `td.vcpu0.pid.pir[49]`; null for none. */
export function resolve(layout: Layout, path: string): Target | null {
  const [, base, index] = /^(.*?)(?:\[([A-Za-z0-9_]+)\])?$/s.exec(path) as unknown as [
    string,
    string,
    string | undefined,
  ];
  const leaf = layout.find(base);
  if (leaf === null) return null;
  if (index === undefined) return { leaf, bit: null };
  const bit = bitOf(leaf, index);
  return leaf.kind === 'bits' && bit !== null ? { leaf, bit } : null;
}

function bitOf(leaf: Leaf, word: string): number | null {
  const named = word === '' ? -1 : leaf.names.indexOf(word);
  if (named >= 0) return named;
  return /^\d{1,4}$/.test(word) && Number(word) < leaf.width ? Number(word) : null;
}

/** The value at a target as people read it; a bit is `0` or `1`. `shown`: what `Machine.show` answers for the leaf. */
export function readTarget({ leaf, bit }: Target, shown: string): string {
  if (bit === null) return shown;
  return shown.split(' ').includes(leaf.names[bit] || String(bit)) ? '1' : '0';
}

// Values ----------------------------------------------------------------------------------------------------------

/** Whether a shown value is the wanted one. Base and errno spelling do not matter, nor the order of the bits of a set. */
export function sameValue(shown: string | number, wanted: Value): boolean {
  const a = String(shown);
  if (typeof wanted === 'boolean') return (wanted ? ['1', 'true', 'yes'] : ['0', 'false', 'no']).includes(a);
  const b = String(wanted).trim();
  if (a === b || (a === '' && b === 'none')) return true;
  const [x, y] = [integer(a), integer(b)];
  if (x !== null && y !== null) return x === y;
  if (x === null && y === null) return a.includes(' ') && words(a) === words(b);
  return y !== null ? a === returnName(Number(y)) : b === returnName(Number(x));
}

function integer(text: string): bigint | null {
  return /^-?\d{1,20}$|^0x[0-9a-f]{1,16}$/i.test(text) ? BigInt(text) : null;
}
function words(text: string): string {
  return text
    .split(/[\s,]+/)
    .sort()
    .join(' ');
}

// Events ----------------------------------------------------------------------------------------------------------

/** Whether an event is meant by a pattern. An argument that the event does not have matches nothing. */
export function matches(event: TraceEvent, { event: name, type, thread, where }: EventPattern): boolean {
  if (event.name !== name) return false;
  if (type !== undefined && event.type !== type) return false;
  if (thread !== undefined && event.thread !== thread) return false;
  if (where === undefined) return true;
  const args = argsOf(event);
  return Object.entries(where).every(([key, value]) => {
    if (!Object.hasOwn(args, key)) return false;
    return [value].flat().some((one) => sameValue(args[key]!, one));
  });
}

/** Arguments of an event; those of an action are the parameters of its command. */
function argsOf(event: TraceEvent): Readonly<Record<string, string | number>> {
  if (event.type !== 'action') return event.args;
  return Object.fromEntries(event.text.split(' ').map((word) => word.split('=', 2) as [string, string]));
}

// Words -----------------------------------------------------------------------------------------------------------

/** A condition as a sentence without its full stop: what was expected. */
export function conditionText(condition: Condition): string {
  const timed = 'when' in condition ? (condition.when ?? 'now') : 'now';
  if ('path' in condition) {
    const verb = { now: 'is', ever: 'is at some moment', never: 'is never', always: 'is always' }[timed];
    if ('in' in condition) return `${condition.path} ${verb} ${oneOf(condition.in)}`;
    if ('is' in condition) return `${condition.path} ${verb} ${shown(condition.is)}`;
    return `${condition.path} ${verb} other than ${shown(condition.not)}`;
  }
  if ('return' in condition) {
    const call = condition.of ?? 'the call';
    const verb = {
      now: 'returns',
      ever: 'returns at some moment',
      never: 'never returns',
      always: 'always returns',
    }[timed];
    return `${call} ${verb} ${oneOf([condition.return].flat())}`;
  }
  if ('exit' in condition) {
    const verb = {
      now: 'returns',
      ever: 'returns at some moment',
      never: 'never returns',
      always: 'always returns',
    }[timed];
    return `KVM_RUN ${verb} with ${oneOf([condition.exit].flat())}`;
  }
  if ('outcome' in condition) {
    const verb = { now: 'is', ever: 'is at some moment', never: 'is never', always: 'is always' }[timed];
    return `the action ${verb} ${oneOf([condition.outcome].flat())}`;
  }
  if ('event' in condition) {
    const { count } = condition;
    const name = patternText(condition);
    if (count === undefined) return `${name} happens`;
    if (count === 0) return `${name} never happens`;
    return `${name} happens ${countText(count)}`;
  }
  if ('absent' in condition) return `${patternText(condition.absent)} never happens`;
  if ('order' in condition) return condition.order.map(patternText).join(', then ');
  const prefix = { now: '', ever: 'at some moment: ', never: 'never: ', always: 'always: ' }[timed];
  if ('all' in condition) return prefix + condition.all.map(nested).join(' and ');
  if ('any' in condition) return prefix + condition.any.map(nested).join(' or ');
  return `${prefix}not ${nested(condition.not)}`;
}

function nested(condition: Condition): string {
  const compound = 'all' in condition || 'any' in condition || 'order' in condition;
  return compound ? `(${conditionText(condition)})` : conditionText(condition);
}

/** `kvm_exit (vcpu 1, reason TDCALL) of td.vcpu1`. */
export function patternText({ event, type, thread, where }: EventPattern): string {
  const args = Object.entries(where ?? {}).map(([key, value]) => `${key} ${oneOf([value].flat())}`);
  const kind = type === 'call' || type === 'return' ? `${type} of ` : '';
  return `${kind}${event}${args.length > 0 ? ` (${args.join(', ')})` : ''}${thread === undefined ? '' : ` on ${thread}`}`;
}

function countText(count: z.infer<typeof Count>): string {
  if (typeof count === 'number') return times(count);
  const { min, max } = count;
  if (max === undefined) return `at least ${times(min!)}`;
  return min === undefined ? `at most ${times(max)}` : `${min} to ${times(max)}`;
}
function times(n: number): string {
  return n === 1 ? 'once' : `${n} times`;
}
/** A value as a sentence shows it: an empty set of bits, or no exit, is `none`. */
function shown(value: Value): string {
  return value === '' ? 'none' : String(value);
}
function oneOf(values: readonly Value[]): string {
  const list = values.map(shown);
  return list.length < 2 ? (list[0] ?? '') : `${list.slice(0, -1).join(', ')} or ${list.at(-1)!}`;
}

// Checks before anything runs -------------------------------------------------------------------------------------

/** A word of a condition that the machine does not know. `at` leads from the condition to the value. */
export type Problem = { readonly at: readonly (string | number)[]; readonly nearest: readonly string[] } & (
  | { readonly code: 'unknown_path'; readonly path: string }
  | { readonly code: 'unknown_bit'; readonly path: string }
  | {
      readonly code: 'unknown_value';
      readonly path: string;
      readonly value: string;
      readonly expected: string;
    }
  | { readonly code: 'unknown_event'; readonly event: string }
  | { readonly code: 'unknown_thread'; readonly thread: string }
  | { readonly code: 'unknown_call'; readonly call: string }
);

/** One sentence of what is wrong, without the suggestions of `nearest`. */
export function problemText(problem: Problem): string {
  switch (problem.code) {
    case 'unknown_path':
      return `No state has the path "${problem.path}".`;
    case 'unknown_bit':
      return `"${problem.path}" names no bit of a bit field.`;
    case 'unknown_value':
      return `"${problem.path}" is never "${problem.value}": it is ${problem.expected}.`;
    case 'unknown_event':
      return `No event, routine or action is called "${problem.event}".`;
    case 'unknown_thread':
      return `There is no thread "${problem.thread}".`;
    case 'unknown_call':
      return `There is no call "${problem.call}".`;
  }
}

/** Everything that can be the name of an event: tracepoints, marks, routines and the verbs of actions. */
export function eventNames(): ReadonlySet<string> {
  return (known ??= new Set([...EVENT_NAMES, ...ROUTINE_NAMES, ...verbs()]));
}
let known: ReadonlySet<string> | null = null;

function verbs(): string[] {
  return ACTORS.filter((actor) => actor !== 'boot').flatMap((actor) => Object.keys(ACTIONS[actor]));
}

/** What of a pattern the machine does not know. `at`: prefix of the places. */
export function checkPattern(
  pattern: EventPattern,
  layout: Layout,
  at: readonly (string | number)[] = [],
): Problem[] {
  const { event, thread } = pattern;
  const problems: Problem[] = [];
  if (!eventNames().has(event)) {
    problems.push({
      code: 'unknown_event',
      at: [...at, 'event'],
      event,
      nearest: nearest(event, eventNames()),
    });
  }
  const threads = layout.leaves.flatMap(({ path }) => /^(.*)\.thread\.status$/.exec(path)?.[1] ?? []);
  if (thread !== undefined && !threads.includes(thread)) {
    problems.push({
      code: 'unknown_thread',
      at: [...at, 'thread'],
      thread,
      nearest: nearest(thread, threads),
    });
  }
  return problems;
}

/** Every word of a condition that a machine of this layout does not know: paths, values, events, threads, calls. */
export function checkCondition(
  condition: Condition,
  layout: Layout,
  at: readonly (string | number)[] = [],
): Problem[] {
  if ('path' in condition) return checkPath(condition, layout, at);
  if ('return' in condition) {
    const { of } = condition;
    const calls = Object.keys(ACTIONS.vmm);
    const call: Problem[] =
      of === undefined || calls.includes(of)
        ? []
        : [{ code: 'unknown_call', at: [...at, 'of'], call: of, nearest: nearest(of, calls) }];
    return [...call, ...checkResults(condition.return, RETURNS, 'last.return', [...at, 'return'])];
  }
  if ('exit' in condition) return checkResults(condition.exit, EXITS, 'last.exit', [...at, 'exit']);
  if ('event' in condition) return checkPattern(condition, layout, at);
  if ('absent' in condition) return checkPattern(condition.absent, layout, [...at, 'absent']);
  if ('order' in condition)
    return condition.order.flatMap((one, i) => checkPattern(one, layout, [...at, 'order', i]));
  if ('all' in condition)
    return condition.all.flatMap((one, i) => checkCondition(one, layout, [...at, 'all', i]));
  if ('any' in condition)
    return condition.any.flatMap((one, i) => checkCondition(one, layout, [...at, 'any', i]));
  if ('not' in condition) return checkCondition(condition.not, layout, [...at, 'not']);
  return [];
}

interface Spelling {
  readonly words: readonly string[];
  readonly numbers: boolean;
  readonly expected: string;
}
const RETURNS: Spelling = {
  words: Object.values(ERRNO).map((errno) => `-${errno}`),
  numbers: true,
  expected: 'a number, or a negative errno such as -EINVAL',
};
const EXITS: Spelling = {
  words: ['none', ...Object.values(KVM_EXIT)],
  numbers: false,
  expected: 'a KVM_EXIT_*, or none',
};

function checkResults(
  value: Value | Value[],
  spelling: Spelling,
  path: string,
  at: readonly (string | number)[],
): Problem[] {
  if (Array.isArray(value)) return value.flatMap((one, i) => checkValue(one, spelling, path, [...at, i]));
  return checkValue(value, spelling, path, at);
}

function checkPath(
  condition: Extract<Condition, { path: string }>,
  layout: Layout,
  at: readonly (string | number)[],
): Problem[] {
  const { path } = condition;
  const target = resolve(layout, path);
  if (target === null) {
    const base = path.replace(/\[[^\]]*\]?$/, '');
    const leaf = base === path ? null : layout.find(base);
    if (leaf === null)
      return [
        { code: 'unknown_path', at: [...at, 'path'], path, nearest: layout.nearest(path.slice(0, 80)) },
      ];
    const bits = leaf.names.filter((name) => name !== '').map((name) => `${base}[${name}]`);
    return [{ code: 'unknown_bit', at: [...at, 'path'], path, nearest: nearest(path, bits) }];
  }
  const spelling = spellingOf(target);
  const [key, value] =
    'in' in condition
      ? (['in', condition.in] as const)
      : 'is' in condition
        ? (['is', condition.is] as const)
        : (['not', condition.not] as const);
  return checkResults(value, spelling, path, [...at, key]);
}

/** What a value of a target can look like. */
function spellingOf({ leaf, bit }: Target): Spelling {
  if (bit !== null || leaf.kind === 'flag')
    return { words: ['0', '1', 'true', 'false'], numbers: false, expected: '0 or 1' };
  if (leaf.kind === 'name') return { words: leaf.names, numbers: false, expected: oneOf(leaf.names) };
  if (leaf.kind === 'bits') {
    const names = leaf.names.filter((name) => name !== '');
    return {
      words: ['', 'none', ...names],
      numbers: true,
      expected: `a list of bits${names.length > 0 ? ` (${names.join(' ')})` : ''}, or none`,
    };
  }
  if (/(?:^|\.)(?:exit|exit_reason)$/.test(leaf.path))
    return { ...EXITS, words: ['', ...EXITS.words], numbers: true };
  if (/(?:^|\.)(?:return|ret)$/.test(leaf.path)) return RETURNS;
  return { words: [], numbers: true, expected: 'a number' };
}

function checkValue(
  value: Value,
  spelling: Spelling,
  path: string,
  at: readonly (string | number)[],
): Problem[] {
  const wrong = (expected: string): Problem[] => [
    {
      code: 'unknown_value',
      at,
      path,
      value: String(value),
      expected,
      nearest: nearest(String(value), spelling.words),
    },
  ];
  if (typeof value === 'number' && !Number.isSafeInteger(value))
    return wrong('a whole number; write a large one in quotes');
  const text = String(value).trim();
  const parts = text === '' ? [''] : text.split(/[\s,]+/);
  const sound = parts.every(
    (part) => spelling.words.includes(part) || (spelling.numbers && integer(part) !== null),
  );
  return sound ? [] : wrong(spelling.expected);
}
