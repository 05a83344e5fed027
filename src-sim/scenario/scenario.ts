import type { z } from 'zod';
import type { Layout } from '../index';
import { powerOn, SWITCHES } from '../world';
import { ActionSchema, ACTORS, type Action } from './action';
import { checkCondition, checkPattern, type Problem } from './condition-language';
import { CONDITION_SHAPES, EventPattern, type Condition } from './condition-schema';
import type { Place, Result, ScenarioError } from './errors';
import { nearest } from './nearest';
import { Platform } from './platform';
import {
  FactId,
  FILE_KEYS,
  FORMAT,
  SCENARIO_LIMITS,
  SCHED,
  stepSchema,
  Title,
  VERBS,
  type Expectation,
  type Scenario,
  type Step,
} from './scenario-format';
import { readSource, type Path, type Source } from './source';

export type { Expectation, Scenario, Step } from './scenario-format';

/** Errors of one file that are told; who has more than that reads no list. */
const MAX_ERRORS = 50;

/**
 * Reads a scenario file.
 *
 * @returns the scenario, or what is wrong with the file: all errors at once, in file order, each with its place. Names
 *          are checked against the platform, so that a sound scenario can be run. Never throws, whatever the text.
 */
export function parseScenario(text: string): Result<Scenario, ScenarioError> {
  const source = readSource(text);
  if (!source.ok) return source;
  const reader = new ScenarioReader(source.value);
  const scenario = reader.read();
  const { errors } = reader;
  if (scenario !== null && errors.length === 0) return { ok: true, value: scenario };
  const inOrder = [...errors].sort((a, b) => a.at.line - b.at.line || a.at.column - b.at.column);
  return { ok: false, errors: inOrder.slice(0, MAX_ERRORS) };
}

type Mapping = Readonly<Record<string, unknown>>;
type WithoutPlace<E> = E extends unknown ? Omit<E, 'at'> : never;

class ScenarioReader {
  readonly errors: ScenarioError[] = [];
  private platform: Platform | null = null;
  private layout: Layout | null = null;

  constructor(private readonly source: Source) {}

  read(): Scenario | null {
    const file = this.mapping([], 'a mapping that begins with seamlab: scenario/1', 'The file');
    if (file === null) return null;
    if (typeof file['seamlab'] === 'string' && file['seamlab'] !== FORMAT) {
      this.error({ code: 'other_format', format: file['seamlab'].slice(0, 40) }, ['seamlab']);
      return null;
    }
    this.keys(file, FILE_KEYS, [], 'A scenario');
    if (!Object.hasOwn(file, 'seamlab')) this.missing('seamlab', FORMAT, [], 'A scenario');
    const title = this.value(file, 'title', Title, [], 'A scenario');
    const cites = this.list(file['cites'], ['cites'], 40).map((_, i) => this.one(FactId, ['cites', i]));
    this.readPlatform(file);
    if (!Object.hasOwn(file, 'steps')) this.missing('steps', 'a list of who does what', [], 'A scenario');
    const steps = this.list(file['steps'], ['steps'], SCENARIO_LIMITS.steps).flatMap(
      (_, i) => this.step(['steps', i]) ?? [],
    );
    const expect = this.expectations(file['expect'], ['expect']);
    if (this.errors.length > 0 || this.platform === null) return null;
    return { title: title as string, cites: cites as string[], platform: this.platform, steps, expect };
  }

  // The platform ---------------------------------------------------------------------------------------------------

  private readPlatform(file: Mapping): void {
    if (!Object.hasOwn(file, 'platform'))
      return this.missing('platform', 'for example { vms: { td: 2 } }', [], 'A scenario');
    const given = this.mapping(['platform'], 'a mapping such as { vms: { td: 2 } }', '"platform"');
    if (given === null) return;
    const parsed = Platform.safeParse(given);
    if (parsed.success) {
      this.platform = parsed.data;
      this.layout = powerOn(parsed.data).machine.layout;
      return;
    }
    const { issues } = parsed.error;
    // Sums over numbers that are wrong themselves say nothing.
    const telling = issues.some(({ code }) => code !== 'custom')
      ? issues.filter(({ code }) => code !== 'custom')
      : issues;
    for (const issue of telling) {
      const path: Path = ['platform', ...(issue.path as (string | number)[])];
      if (issue.code === 'unrecognized_keys') {
        const known: readonly string[] = path.at(-1) === 'switches' ? SWITCHES : ['vms', 'switches'];
        for (const key of issue.keys) this.unknownKey(key, known, path, `"${path.at(-1)}"`);
      } else if (issue.code === 'invalid_key') {
        const key = String(path.at(-1));
        this.wrong(
          'vms',
          `"${key}"`,
          'a lower-case name of at most 12 letters and digits that nothing else has',
          [],
          this.source.key(path),
        );
      } else {
        const given = valueAt(this.source.data, path);
        const expected =
          issue.code === 'custom' ? issue.message : (PLATFORM_EXPECTS[String(path[1])] ?? 'a mapping');
        this.wrong(String(path.at(-1)), shown(given), expected, [], this.source.at(path));
      }
    }
  }

  // Steps ----------------------------------------------------------------------------------------------------------

  private step(path: Path): Step | null {
    const step = this.mapping(path, 'a mapping such as { vmm: KVM_RUN, vm: td, vcpu: 0 }', 'A step');
    if (step === null) return null;
    const at = this.source.at(path);
    const actor = Object.keys(step).find((key) => Object.hasOwn(VERBS, key) || key === 'sched');
    if (actor === undefined) return this.stepOfNobody(step, path, at);
    const expect = this.expectations(step['expect'], [...path, 'expect']);
    const rest = Object.fromEntries(Object.entries(step).filter(([key]) => key !== 'expect'));
    const verbs: object = actor === 'sched' ? SCHED : VERBS[actor]!;
    const verb = step[actor];
    if (typeof verb !== 'string' || !Object.hasOwn(verbs, verb)) {
      const known = Object.keys(verbs);
      if (typeof verb === 'string') {
        this.error(
          { code: 'unknown_action', actor, word: verb.slice(0, 80), nearest: nearest(verb, known) },
          [...path, actor],
        );
      } else {
        this.wrong(actor, shown(verb), `one of ${known.join(', ')}`, [], this.source.at([...path, actor]));
      }
      return null;
    }
    const sound = this.errors.length;
    const values = this.object(rest, stepSchema(actor, verb), path, `${actor} ${verb}`);
    if (this.errors.length > sound) return null;
    return actor === 'sched'
      ? this.schedule(values, path, expect, at)
      : this.action(values, path, expect, at);
  }

  private stepOfNobody(step: Mapping, path: Path, at: Place): Step | null {
    const known = [...ACTORS, 'sched', 'expect'];
    const keys = Object.keys(step);
    const [first] = keys;
    if (keys.length === 1 && first === 'expect') {
      return { kind: 'expect', at, expect: this.expectations(step['expect'], [...path, 'expect']) };
    }
    const word = keys.find((key) => !STEP_WORDS.has(key));
    if (word === undefined) this.error({ code: 'no_step', expected: known }, path);
    else
      this.errors.push({
        code: 'unknown_actor',
        word: word.slice(0, 80),
        nearest: nearest(word, known),
        at: this.source.key([...path, word]),
      });
    return null;
  }

  private action(values: Mapping, path: Path, expect: readonly Expectation[], at: Place): Step | null {
    const { hold = false, ...given } = values;
    const action = ActionSchema.parse(given);
    this.checkTarget(action, path);
    return { kind: 'action', action, hold: hold as boolean, expect, at };
  }

  private schedule(values: Mapping, path: Path, expect: readonly Expectation[], at: Place): Step | null {
    if (values['sched'] === 'run') return { kind: 'run', expect, at };
    const thread = values['thread'] as string;
    // The language of patterns finds a thread that does not exist, and says so.
    const pattern = { event: 'kvm_entry', ...values } as EventPattern;
    if (this.layout !== null) this.words(checkPattern(pattern, this.layout), path);
    if (values['sched'] === 'step')
      return { kind: 'step', thread, times: values['times'] as number, expect, at };
    const { event, type, where } = values as unknown as EventPattern;
    const wanted = {
      event,
      thread,
      ...(type !== undefined && { type }),
      ...(where !== undefined && { where }),
    };
    return { kind: 'until', thread, pattern: wanted, expect, at };
  }

  /** Whether the platform has the VM and the vCPU of an action. */
  private checkTarget(action: Action, path: Path): void {
    if (this.platform === null || !('vm' in action)) return;
    const { vm } = action;
    const { vms } = this.platform;
    if (!Object.hasOwn(vms, vm)) {
      return this.error({ code: 'unknown_vm', vm, nearest: nearest(vm, Object.keys(vms)) }, [...path, 'vm']);
    }
    const has = vms[vm]!;
    if ('vcpu' in action && action.vcpu >= has) {
      this.error({ code: 'no_such_vcpu', vm, has, given: action.vcpu }, [...path, 'vcpu']);
    }
    if ('vcpus' in action && action.vcpus > has) {
      this.error({ code: 'no_such_vcpu', vm, has, given: action.vcpus }, [...path, 'vcpus']);
    }
  }

  // Expectations ---------------------------------------------------------------------------------------------------

  private expectations(given: unknown, path: Path): Expectation[] {
    if (Array.isArray(given) && given.length === 0) {
      this.wrong('expect', 'an empty list', 'at least one condition', [], this.source.at(path));
    }
    return this.list(given, path, SCENARIO_LIMITS.expectations).flatMap((_, i) => {
      const own = [...path, i];
      const sound = this.errors.length;
      const condition = this.condition(own);
      if (this.errors.length > sound) return [];
      if (this.layout !== null) this.words(checkCondition(condition as Condition, this.layout), own);
      return [{ condition: condition as Condition, at: this.source.at(own) }];
    });
  }

  /** A condition as plain data. What is wrong with it is reported. */
  private condition(path: Path): unknown {
    const given = this.mapping(
      path,
      'a condition such as { path: td.vcpu0.mp_state, is: RUNNABLE }',
      'A condition',
    );
    if (given === null) return null;
    const kind = CONDITION_KEYS.find((key) => Object.hasOwn(given, key));
    if (kind === undefined) {
      const [word = ''] = Object.keys(given);
      const at = this.source.key([...path, word]);
      this.errors.push({
        code: 'unknown_condition',
        word: word.slice(0, 80),
        nearest: nearest(word, CONDITION_KEYS),
        at,
      });
      return null;
    }
    if (kind === 'all' || kind === 'any' || kind === 'not') return this.compound(kind, given, path);
    if (kind === 'absent') {
      this.keys(given, ['absent'], path, 'A condition on absent');
      return { absent: this.pattern([...path, 'absent']) };
    }
    if (kind === 'order') {
      this.keys(given, ['order'], path, 'A condition on order');
      const order = this.list(given['order'], [...path, 'order'], 12).map((_, i) =>
        this.pattern([...path, 'order', i]),
      );
      if (order.length < 2)
        this.wrong(
          'order',
          `a list of ${order.length}`,
          'at least two events',
          [],
          this.source.at([...path, 'order']),
        );
      return { order };
    }
    return this.object(given, this.shapeOf(kind, given), path, `A condition on ${kind}`);
  }

  private shapeOf(
    kind: Exclude<keyof typeof CONDITION_SHAPES, 'pathIs' | 'pathNot' | 'pathIn'> | 'path',
    given: Mapping,
  ): z.ZodObject {
    if (kind !== 'path') return CONDITION_SHAPES[kind];
    if (Object.hasOwn(given, 'in')) return CONDITION_SHAPES.pathIn;
    return Object.hasOwn(given, 'not') ? CONDITION_SHAPES.pathNot : CONDITION_SHAPES.pathIs;
  }

  private compound(kind: 'all' | 'any' | 'not', given: Mapping, path: Path): unknown {
    const inner = [...path, kind];
    this.keys(given, [kind, 'when'], path, `A condition on ${kind}`);
    const parts =
      kind === 'not'
        ? this.condition(inner)
        : this.list(given[kind], inner, 20).map((_, i) => this.condition([...inner, i]));
    if (Array.isArray(parts) && parts.length === 0)
      this.wrong(kind, 'empty', 'a list of conditions', [], this.source.at(inner));
    if (given['when'] === undefined) return { [kind]: parts };
    return { [kind]: parts, when: this.one(CONDITION_SHAPES.return.shape.when, [...path, 'when']) };
  }

  private pattern(path: Path): unknown {
    const given = this.mapping(path, 'an event such as { event: kvm_entry }', 'An event');
    return given === null ? null : this.object(given, EventPattern, path, 'An event');
  }

  private words(problems: readonly Problem[], path: Path): void {
    for (const problem of problems) {
      this.error({ code: 'unknown_word', problem, nearest: problem.nearest }, [...path, ...problem.at]);
    }
  }

  // Values ---------------------------------------------------------------------------------------------------------

  private mapping(path: Path, expected: string, what: string): Mapping | null {
    const value = valueAt(this.source.data, path);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Mapping;
    this.wrong(what.replaceAll('"', ''), shown(value), expected, [], this.source.at(path));
    return null;
  }

  private list(value: unknown, path: Path, limit: number): readonly unknown[] {
    if (value === undefined) return [];
    if (!Array.isArray(value)) {
      this.wrong(String(path.at(-1)), shown(value), 'a list', [], this.source.at(path));
      return [];
    }
    if (value.length <= limit) return value;
    this.error({ code: 'too_many_entries', limit }, [...path, limit]);
    return value.slice(0, limit);
  }

  /** Every key of `given` against `schema`, which checks one key at a time. */
  private object(given: Mapping, schema: z.ZodObject, path: Path, of: string): Mapping {
    const { shape } = schema as { shape: Readonly<Record<string, z.ZodType>> };
    this.keys(given, Object.keys(shape), path, of);
    const values: Record<string, unknown> = {};
    for (const key of Object.keys(shape)) {
      const value = this.value(given, key, shape[key]!, path, of);
      if (value !== undefined) values[key] = value;
    }
    return values;
  }

  private value(given: Mapping, key: string, schema: z.ZodType, path: Path, of: string): unknown {
    if (Object.hasOwn(given, key)) return this.one(schema, [...path, key]);
    const absent = schema.safeParse(undefined);
    if (absent.success) return absent.data;
    this.missing(key, expectedOf(schema).expected, path, of);
    return undefined;
  }

  private one(schema: z.ZodType, path: Path): unknown {
    const value = valueAt(this.source.data, path);
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const deeper = parsed.error.issues[0]!.path as (string | number)[];
    const place = [...path, ...deeper];
    const { expected, words } = expectedOf(schema);
    const given = valueAt(this.source.data, place);
    const near = typeof given === 'string' ? nearest(given, words) : [];
    const key = path.findLast((part) => typeof part === 'string')!;
    this.wrong(String(key), shown(given), expected, near, this.source.at(place));
    return undefined;
  }

  // Errors ---------------------------------------------------------------------------------------------------------

  private keys(given: Mapping, known: readonly string[], path: Path, of: string): void {
    for (const key of Object.keys(given)) if (!known.includes(key)) this.unknownKey(key, known, path, of);
  }
  private unknownKey(key: string, known: readonly string[], path: Path, of: string): void {
    this.errors.push({
      code: 'unknown_key',
      key: key.slice(0, 80),
      of,
      nearest: nearest(key, known),
      at: this.source.key([...path, key]),
    });
  }
  private missing(key: string, expected: string, path: Path, of: string): void {
    this.error({ code: 'missing', key, of, expected }, path);
  }
  private wrong(key: string, given: string, expected: string, near: readonly string[], at: Place): void {
    this.errors.push({ code: 'wrong_value', key, given, expected, nearest: near, at });
  }
  private error(error: WithoutPlace<ScenarioError>, path: Path): void {
    this.errors.push({ ...error, at: this.source.at(path) } as ScenarioError);
  }
}

const PLATFORM_EXPECTS: Readonly<Record<string, string>> = {
  vms: 'a number of vCPUs by name of the VM, 1 to 8 each, such as { td: 2 }',
  switches: 'true or false by name of the switch',
};
const CONDITION_KEYS = [
  'path',
  'return',
  'exit',
  'outcome',
  'event',
  'absent',
  'order',
  'all',
  'any',
  'not',
] as const;
/** Keys that do not say who acts. */
const STEP_WORDS: ReadonlySet<string> = new Set([
  'expect',
  'hold',
  ...Object.values(SCHED).flatMap(({ shape }) => Object.keys(shape)),
  ...Object.entries(VERBS).flatMap(([actor, verbs]) => [
    actor,
    ...Object.values(verbs).flatMap(({ params }) => Object.keys(params.shape)),
  ]),
]);

function valueAt(root: unknown, path: Path): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}

/** A value as an error names it. */
function shown(value: unknown): string {
  if (value === null || value === undefined) return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  const text = String(value);
  return `"${text.length > 40 ? `${text.slice(0, 40)}…` : text}"`;
}

/** What a schema wants, in words; `words`: the words it knows. */
function expectedOf(schema: z.ZodType): { expected: string; words: readonly string[] } {
  const inner = unwrap(schema as unknown as Inspected);
  const described = schema.meta()?.description ?? (inner as unknown as z.ZodType).meta()?.description ?? '';
  const doc = described.replace(/^[A-Z](?=[a-z ])/, (letter) => letter.toLowerCase());
  const { def } = inner;
  switch (def.type) {
    case 'enum': {
      const words = Object.values(def.entries ?? {}).map(String);
      return { expected: `one of ${words.join(', ')}`, words };
    }
    case 'boolean':
      return { expected: 'true or false', words: ['true', 'false'] };
    case 'number':
    case 'int':
      return { expected: `a whole number from ${inner.minValue} to ${inner.maxValue}`, words: [] };
    default:
      return { expected: doc || 'something else', words: [] };
  }
}

/** What is read of a schema for its description. */
interface Inspected {
  readonly def: {
    readonly type: string;
    readonly innerType?: Inspected;
    readonly entries?: Readonly<Record<string, unknown>>;
  };
  readonly minValue?: number | null;
  readonly maxValue?: number | null;
}
function unwrap(schema: Inspected): Inspected {
  return schema.def.innerType ? unwrap(schema.def.innerType) : schema;
}
