import type { Layer } from './layout';
import type { Machine } from './machine';
import { ERRNO } from './trace';

/**
 * A routine is one function of KVM, the TDX module, hardware, guest or VMM, cut into atomic steps where another
 * processor could see or change something. Its program counter and locals live in the state.
 */

/** What a step answers: the index of the next step, or one of these. */
export const RET = -1;
export const CALLED = -2;
/** The thread left the ready state; when it is ready again, the same step runs again, as in a wait loop. */
export const BLOCKED = -3;

/** 32-bit words of arguments and locals that a frame can hold. */
export const FRAME_LOCALS = 7;

/** Arguments and locals by name; they are words of the current frame. */
export type Locals<N extends string> = { [K in N]: number };
export type Step<N extends string> = (m: Machine, l: Locals<N>) => number;

/** Meaning of a step, and the fact it obeys where that is narrower than the routine's. */
export type StepDoc = readonly [doc: string, source?: string];

export interface RoutineSpec<A extends string, L extends string, S extends string> {
  readonly name: string;
  readonly layer: Layer;
  /** Fact id or kernel path. */
  readonly source: string;
  readonly args: readonly A[];
  readonly locals?: readonly L[];
  readonly steps: Readonly<Record<S, StepDoc>>;
}

/**
 * The frame of the step under way, which the locals of its routine read and write. One for all machines: a step runs to
 * its end before another begins, and a place that never moves is what V8 makes fast.
 */
export const frameUnderWay = {
  i32: new Int32Array(0) as Int32Array,
  /** Index of the first word. */ base: 0,
};

/** Accessors of the words of that frame, `FRAME_LOCALS` of them, each short enough for V8 to put it into any code. */
const f = frameUnderWay;
const WORDS: readonly PropertyDescriptor[] = [
  { get: () => f.i32[f.base], set: (v: number) => void (f.i32[f.base] = v) },
  { get: () => f.i32[f.base + 1], set: (v: number) => void (f.i32[f.base + 1] = v) },
  { get: () => f.i32[f.base + 2], set: (v: number) => void (f.i32[f.base + 2] = v) },
  { get: () => f.i32[f.base + 3], set: (v: number) => void (f.i32[f.base + 3] = v) },
  { get: () => f.i32[f.base + 4], set: (v: number) => void (f.i32[f.base + 4] = v) },
  { get: () => f.i32[f.base + 5], set: (v: number) => void (f.i32[f.base + 5] = v) },
  { get: () => f.i32[f.base + 6], set: (v: number) => void (f.i32[f.base + 6] = v) },
];

export interface Routine<A extends string = string> {
  /** Position in the sorted list of all routines; -1 until the first machine is made. */
  id: number;
  readonly name: string;
  readonly layer: Layer;
  readonly source: string;
  readonly args: readonly A[];
  /** Arguments and locals. */
  readonly words: number;
  readonly stepNames: readonly string[];
  readonly stepDocs: readonly StepDoc[];
  readonly code: readonly Step<string>[];
  /** Arguments and locals of the frame under way. */
  readonly locals: Locals<string>;
}

const registry: Routine[] = [];
let sorted = 0;

/**
 * Declares a routine. The names of its steps are the values of its program counter: a misspelt successor does not
 * compile.
 *
 * @param body - given the index of every step by name, answers the code of every step.
 * @throws Error if the name is taken or arguments and locals do not fit a frame.
 */
export function routine<const A extends string, const S extends string, const L extends string = never>(
  spec: RoutineSpec<A, L, S>,
  body: (at: Readonly<Record<S, number>>) => Readonly<Record<NoInfer<S>, Step<A | L>>>,
): Routine<A> {
  const names: readonly string[] = [...spec.args, ...(spec.locals ?? [])];
  if (registry.some((r) => r.name === spec.name)) throw new Error(`routine ${spec.name} is declared twice`);
  if (names.length > FRAME_LOCALS)
    throw new Error(`routine ${spec.name} has more than ${FRAME_LOCALS} words`);
  const stepNames = Object.keys(spec.steps) as S[];
  const at = Object.fromEntries(stepNames.map((step, i) => [step, i])) as Record<S, number>;
  const code = body(at);
  // A class of its own for each: V8 then knows every accessor, and puts it into the code of the steps.
  // eslint-disable-next-line @typescript-eslint/no-extraneous-class -- its prototype is filled below
  const FrameLocals = class {};
  names.forEach((key, i) => Object.defineProperty(FrameLocals.prototype, key, WORDS[i]!));
  const made: Routine<A> = {
    id: -1,
    name: spec.name,
    layer: spec.layer,
    source: spec.source,
    args: spec.args,
    words: names.length,
    stepNames,
    stepDocs: stepNames.map((step) => spec.steps[step]),
    code: stepNames.map((step) => code[step] as Step<string>),
    locals: new FrameLocals() as Locals<string>,
  };
  registry.push(made as unknown as Routine);
  return made;
}

/**
 * All routines, sorted by name and numbered. The order in which files happen to be loaded must not reach the state:
 * the same machine has the same bytes in every program that contains it.
 */
export function allRoutines(): readonly Routine[] {
  if (sorted !== registry.length) {
    registry.sort((a, b) => (a.name < b.name ? -1 : 1));
    registry.forEach((r, i) => (r.id = i));
    sorted = registry.length;
  }
  return registry;
}

/** Negative errno by name: `E('EINVAL')` is -22. @source NUM-1 */
export function E(name: string): number {
  for (const [value, errno] of Object.entries(ERRNO)) if (errno === name) return -Number(value);
  throw new Error(`no errno ${name}`);
}
