import type { ActionDoc } from '../../src-lab/view';
import { MAX_TIMES, type Params } from '../../src-main/contract';
import { AID_WORDS, completeAid } from '../stops/command';
import { nearest } from './nearest';

type Input = Params<'lab.input'>['input'];
type ParamDoc = ActionDoc['params'][number];

/** What a command can name: the actions, the VMs of the platform with their vCPUs, and the threads. */
export interface Vocabulary {
  readonly actions: readonly ActionDoc[];
  readonly vms: readonly { readonly name: string; readonly vcpus: number }[];
  readonly threads: readonly string[];
  /** State paths, and names of events that are known: what stops can name. */
  readonly paths?: readonly string[];
  readonly events?: readonly string[];
}

/** A part of the typed line, as positions in it. */
export interface Span {
  readonly from: number;
  readonly to: number;
}
/** What is wrong with a command: where, why, and which words would do. */
export interface CommandError {
  readonly at: Span;
  readonly message: string;
  readonly nearest: readonly string[];
}
export type Parsed =
  { readonly ok: true; readonly input: Input } | { readonly ok: false; readonly error: CommandError };

/** Commands of the session itself, beside the actions. `hold` goes before an action: it only begins it. */
export const SESSION_WORDS = {
  run: { doc: 'Lets every thread go on until none can.', argument: null },
  step: { doc: 'Lets one thread take its next atomic step, or several: times=N.', argument: 'thread' },
  jump: { doc: 'Shows another moment, 0 to the last.', argument: 'moment' },
  reset: { doc: "Puts the machine back to the beginning of this step's situation.", argument: null },
  hold: { doc: 'Only begins the action that follows; you then choose every step.', argument: 'action' },
} as const;
type SessionWord = keyof typeof SESSION_WORDS;

interface Token extends Span {
  readonly text: string;
}

function tokensOf(line: string): Token[] {
  return [...line.matchAll(/\S+/g)].map((match) => ({
    text: match[0],
    from: match.index,
    to: match.index + match[0].length,
  }));
}

const isSessionWord = (word: string): word is SessionWord => Object.hasOwn(SESSION_WORDS, word);
const sameWord = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
const actorsOf = (actions: readonly ActionDoc[]): string[] => [...new Set(actions.map(({ actor }) => actor))];

function fail(at: Span, message: string, near: readonly string[] = []): { ok: false; error: CommandError } {
  return { ok: false, error: { at: { from: at.from, to: at.to }, message, nearest: near } };
}

/**
 * Reads a typed command: `vmm KVM_RUN vm=td vcpu=0`, `hold guest ICR ...`, `step td.vcpu1 times=3`, `run`, `jump 12`,
 * `reset`.
 * Verbs and choices may be typed in any case. Ranges of numbers are checked here, what the machine makes of them is not.
 *
 * @returns the input to send, or the first error with its place in the line.
 */
export function parseCommand(line: string, vocabulary: Vocabulary): Parsed {
  const tokens = tokensOf(line);
  const [first, ...rest] = tokens;
  const end: Span = { from: line.length, to: line.length };
  if (first === undefined) return fail(end, 'Type a command, for example: run.');
  const word = first.text.toLowerCase();
  if (word === 'hold') return parseAction(rest, end, vocabulary, true);
  if (isSessionWord(word)) return parseSession(word, rest, end, vocabulary);
  return parseAction(tokens, end, vocabulary, false);
}

function parseSession(word: SessionWord, rest: readonly Token[], end: Span, { threads }: Vocabulary): Parsed {
  const [argument, ...more] = rest;
  if (SESSION_WORDS[word].argument === null) {
    if (argument !== undefined) return fail(argument, `"${word}" stands alone.`);
    return { ok: true, input: { kind: word as 'run' | 'reset' } };
  }
  if (argument === undefined) {
    return word === 'step'
      ? fail(end, 'Which thread takes the step?', threads)
      : fail(end, 'Which moment? For example: jump 0.');
  }
  if (word === 'step') return parseStep(argument, more, threads);
  if (more[0] !== undefined) return fail(more[0], `"${word}" takes one word only.`);
  const moment = Number(argument.text);
  if (!Number.isInteger(moment) || moment < 0)
    return fail(argument, 'A moment is a whole number, 0 or more.');
  return { ok: true, input: { kind: 'jump', moment } };
}

function parseStep(name: Token, [times, more]: readonly Token[], threads: readonly string[]): Parsed {
  const thread = threads.find((one) => sameWord(one, name.text));
  if (thread === undefined)
    return fail(name, `There is no thread "${name.text}".`, nearest(name.text, threads));
  if (times === undefined) return { ok: true, input: { kind: 'step', thread } };
  const count = Number(/^times=(\d+)$/i.exec(times.text)?.[1]);
  if (!(count >= 1 && count <= MAX_TIMES))
    return fail(times, `After the thread stands how many steps it takes, 1 to ${MAX_TIMES}.`, ['times=10']);
  if (more !== undefined) return fail(more, 'Nothing stands after the number of steps.');
  return { ok: true, input: { kind: 'step', thread, times: count } };
}

function parseAction(tokens: readonly Token[], end: Span, vocabulary: Vocabulary, hold: boolean): Parsed {
  const [actorToken, verbToken, ...paramTokens] = tokens;
  const actors = actorsOf(vocabulary.actions);
  if (actorToken === undefined) return fail(end, 'Who acts?', actors);
  const actor = actors.find((name) => sameWord(name, actorToken.text));
  if (actor === undefined) {
    const whose = vocabulary.actions.filter(({ verb }) => sameWord(verb, actorToken.text));
    if (whose.length > 0) {
      return fail(
        actorToken,
        `A command begins with who acts.`,
        whose.map((doc) => `${doc.actor} ${doc.verb}`),
      );
    }
    const words = [...actors, ...Object.keys(SESSION_WORDS), ...Object.keys(AID_WORDS)];
    return fail(actorToken, `Nothing here is called "${actorToken.text}".`, nearest(actorToken.text, words));
  }
  const docs = vocabulary.actions.filter((doc) => doc.actor === actor);
  const verbs = docs.map(({ verb }) => verb);
  if (verbToken === undefined) return fail(end, `What does ${actor} do?`, verbs.slice(0, 3));
  const doc = docs.find(({ verb }) => sameWord(verb, verbToken.text));
  if (doc === undefined) {
    return fail(verbToken, `${actor} has no "${verbToken.text}".`, nearest(verbToken.text, verbs));
  }
  const values: Record<string, string | number | boolean> = {};
  for (const token of paramTokens) {
    const equals = token.text.indexOf('=');
    const name = equals < 0 ? token.text : token.text.slice(0, equals);
    const names = doc.params.map((param) => param.name);
    const param = doc.params.find((candidate) => sameWord(candidate.name, name));
    if (param === undefined)
      return fail(token, `${doc.verb} has no parameter "${name}".`, nearest(name, names));
    if (equals < 0 || equals === token.text.length - 1) {
      return fail(token, `${param.name} needs a value: ${param.name}=${exampleOf(param, vocabulary)}.`);
    }
    if (Object.hasOwn(values, param.name)) return fail(token, `${param.name} is given twice.`);
    const value = parseValue(param, token.text.slice(equals + 1), vocabulary);
    if ('message' in value) {
      return fail({ from: token.from + equals + 1, to: token.to }, value.message, value.nearest);
    }
    values[param.name] = value.value;
  }
  const missing = doc.params.find((param) => param.required && !Object.hasOwn(values, param.name));
  if (missing !== undefined) {
    return fail(end, `${missing.name} is missing: ${missing.doc}.`, [
      `${missing.name}=${exampleOf(missing, vocabulary)}`,
    ]);
  }
  const action = { [doc.actor]: doc.verb, ...values };
  return { ok: true, input: (hold ? { kind: 'act', action, hold: true } : { kind: 'act', action }) as Input };
}

type Value =
  | { readonly value: string | number | boolean }
  | { readonly message: string; readonly nearest: readonly string[] };

function parseValue(param: ParamDoc, text: string, vocabulary: Vocabulary): Value {
  switch (param.type) {
    case 'integer':
    case 'vcpu': {
      const value = /^(0x[0-9a-f]+|-?\d+)$/i.test(text) ? Number(text) : NaN;
      if (!Number.isSafeInteger(value)) {
        return { message: `${param.name} is a whole number, decimal or 0x.`, nearest: [] };
      }
      if ((param.min !== null && value < param.min) || (param.max !== null && value > param.max)) {
        return { message: `${param.name} is ${param.min ?? 'any'} to ${param.max ?? 'any'}.`, nearest: [] };
      }
      return { value };
    }
    case 'boolean':
      if (sameWord(text, 'true') || text === '1') return { value: true };
      if (sameWord(text, 'false') || text === '0') return { value: false };
      return { message: `${param.name} is true or false.`, nearest: nearest(text, ['true', 'false']) };
    case 'choice':
    case 'vm': {
      const words = param.type === 'vm' ? vocabulary.vms.map(({ name }) => name) : param.choices;
      const value = words.find((candidate) => sameWord(candidate, text));
      if (value !== undefined) return { value };
      const what = param.type === 'vm' ? `There is no VM "${text}".` : `${param.name} cannot be "${text}".`;
      const near = nearest(text, words);
      return { message: what, nearest: near.length > 0 ? near : words.slice(0, 3) };
    }
  }
}

/** A value that a parameter could have, for messages. */
export function exampleOf(param: ParamDoc, { vms }: Vocabulary): string {
  if (param.default !== null) return param.default;
  if (param.type === 'vm') return vms[0]?.name ?? 'td';
  if (param.type === 'choice') return param.choices[0] ?? '';
  if (param.type === 'boolean') return 'true';
  return String(param.min ?? 0);
}

/** What a parameter has in a new form: empty where it may be left out and has no default. */
export function initialOf(param: ParamDoc, vocabulary: Vocabulary): string {
  return param.required || param.default !== null ? exampleOf(param, vocabulary) : '';
}

/** The one-line command of an action, with the parameters in the order of its declaration. */
export function commandLine(doc: ActionDoc, values: Readonly<Record<string, string>>): string {
  const words = doc.params
    .filter(({ name }) => (values[name] ?? '') !== '')
    .map(({ name }) => `${name}=${values[name]}`);
  return [doc.actor, doc.verb, ...words].join(' ');
}

/** The command without the parameters that are as they would be by default. A command that is not understood stays. */
export function withoutDefaults(line: string, { actions }: Vocabulary): string {
  const [actor, verb, ...words] = line.split(' ');
  const doc = actions.find((one) => one.actor === actor && one.verb === verb);
  if (doc === undefined) return line;
  const given = words.filter(
    (word) => !doc.params.some(({ name, default: value }) => word === `${name}=${value}`),
  );
  return [actor, verb, ...given].join(' ');
}

/** A way to go on with the word at the cursor. */
export interface Completion {
  readonly text: string;
  readonly detail: string;
}
/** What can stand at the cursor: `options` replace the span. */
export interface Completions extends Span {
  readonly options: readonly Completion[];
}

/** Words that can stand at `cursor`, given what stands before it. Nothing when the word is complete or unknown. */
export function complete(line: string, cursor: number, vocabulary: Vocabulary): Completions {
  const before = tokensOf(line.slice(0, cursor));
  const inWord = before.at(-1)?.to === cursor;
  const partial = inWord ? before.pop()! : { text: '', from: cursor, to: cursor };
  const isHeld = sameWord(before[0]?.text ?? '', 'hold');
  const words = (isHeld ? before.slice(1) : before).map(({ text }) => text);
  const nextSpace = line.slice(cursor).search(/\s|$/);
  const span: Span = { from: partial.from, to: inWord ? cursor + nextSpace : cursor };
  const options = optionsAfter(words, partial.text, isHeld, vocabulary);
  const typed = partial.text.toLowerCase();
  const starts = options.filter(({ text }) => text.toLowerCase().startsWith(typed));
  const includes =
    typed.length < 2
      ? []
      : options.filter((option) => !starts.includes(option) && option.text.toLowerCase().includes(typed));
  const matching = [...starts, ...includes];
  const isWhole = matching.length === 1 && matching[0]!.text === partial.text;
  return { ...span, options: isWhole ? [] : matching };
}

function optionsAfter(
  words: readonly string[],
  partial: string,
  isHeld: boolean,
  vocabulary: Vocabulary,
): Completion[] {
  const { actions, vms, threads } = vocabulary;
  const [first, second, ...rest] = words;
  if (first === undefined) {
    const actors = actorsOf(actions).map((actor) => ({
      text: actor,
      detail: `${actions.filter((doc) => doc.actor === actor).length} actions`,
    }));
    const session = Object.entries(SESSION_WORDS).map(([text, { doc }]) => ({ text, detail: doc }));
    const aids = Object.entries(AID_WORDS).map(([text, detail]) => ({ text, detail }));
    return isHeld ? actors : [...actors, ...session, ...aids];
  }
  if (Object.hasOwn(AID_WORDS, first.toLowerCase()))
    return completeAid(first.toLowerCase(), words.slice(1), partial, vocabulary);
  if (sameWord(first, 'step')) {
    if (second === undefined) return threads.map((text) => ({ text, detail: 'thread' }));
    return rest.length > 0 ? [] : [{ text: 'times=', detail: `How many steps, 1 to ${MAX_TIMES}` }];
  }
  const docs = actions.filter((doc) => sameWord(doc.actor, first));
  if (second === undefined) return docs.map(({ verb, doc }) => ({ text: verb, detail: doc }));
  const doc = docs.find(({ verb }) => sameWord(verb, second));
  if (doc === undefined) return [];
  const given = new Set(rest.map((word) => word.split('=', 1)[0]!.toLowerCase()));
  const equals = partial.indexOf('=');
  if (equals < 0) {
    return doc.params
      .filter(({ name }) => !given.has(name.toLowerCase()))
      .map((param) => ({ text: `${param.name}=`, detail: describe(param) }));
  }
  const param = doc.params.find(({ name }) => sameWord(name, partial.slice(0, equals)));
  if (param === undefined) return [];
  const vm = rest.find((word) => word.toLowerCase().startsWith('vm='))?.slice(3);
  const values = (): string[] => {
    if (param.type === 'vm') return vms.map(({ name }) => name);
    if (param.type === 'choice') return param.choices;
    if (param.type === 'boolean') return ['true', 'false'];
    if (param.type === 'vcpu') {
      const count =
        vms.find(({ name }) => name === vm)?.vcpus ?? Math.max(0, ...vms.map(({ vcpus }) => vcpus));
      return Array.from({ length: count }, (_, i) => String(i));
    }
    return param.default === null ? [] : [param.default];
  };
  return values().map((value) => ({
    text: `${param.name}=${value}`,
    detail: value === param.default ? 'default' : '',
  }));
}

/** What a parameter is and what it may be, in one line. */
export function describe(param: ParamDoc): string {
  const range =
    param.type === 'integer' && param.min !== null && param.max !== null
      ? `, ${param.min} to ${param.max}`
      : '';
  const otherwise =
    param.default !== null ? `; default ${param.default}` : param.required ? '' : '; may be left out';
  return `${param.doc}${param.doc.includes(' to ') ? '' : range}${otherwise}`;
}
