import { z } from 'zod';
import { Figure } from './diagram';
import { Slug } from './slug';
import { Layer } from './layer';

/**
 * What a session shows: plain data, safe to send to the screen. Prose is a tree of a few node types, never HTML.
 */

const Text = z.string();

/** A fact of the references, as its card shows it. */
export const FactView = z.strictObject({ fact: Text, source: Text });
export type FactView = z.infer<typeof FactView>;

/** A piece of prose. `term` carries the explanation of a word; `fact` is a fact id of the references. */
export type Inline =
  | { type: 'text'; value: string }
  | { type: 'code'; value: string }
  | { type: 'fact'; value: string }
  | { type: 'term'; value: string; explain: string }
  | { type: 'em' | 'strong'; children: Inline[] };
export const Inline: z.ZodType<Inline> = z.lazy(() =>
  z.union([
    z.strictObject({ type: z.enum(['text', 'code', 'fact']), value: Text }),
    z.strictObject({ type: z.literal('term'), value: Text, explain: Text }),
    z.strictObject({ type: z.enum(['em', 'strong']), children: z.array(Inline) }),
  ]),
) as z.ZodType<Inline>;

/**
 * A block of prose. `checkpoint` and `diagram` mark where one stands; `try` is a button that performs an action.
 */
export type Block =
  | { type: 'p'; children: Inline[] }
  | { type: 'h'; level: number; children: Inline[] }
  | { type: 'list'; ordered: boolean; items: Block[][] }
  | { type: 'code'; lang: string; value: string }
  | { type: 'quote'; children: Block[] }
  | { type: 'note'; tone: 'note' | 'warning' | 'surprise'; children: Block[] }
  | { type: 'table'; head: Inline[][]; rows: Inline[][][] }
  | { type: 'checkpoint'; id: string }
  | { type: 'diagram'; id: string }
  | { type: 'try'; label: string; command: string; action: unknown };
export const Block: z.ZodType<Block> = z.lazy(() =>
  z.union([
    z.strictObject({ type: z.literal('p'), children: z.array(Inline) }),
    z.strictObject({ type: z.literal('h'), level: z.int().min(1).max(6), children: z.array(Inline) }),
    z.strictObject({ type: z.literal('list'), ordered: z.boolean(), items: z.array(z.array(Block)) }),
    z.strictObject({ type: z.literal('code'), lang: Text, value: Text }),
    z.strictObject({ type: z.literal('quote'), children: z.array(Block) }),
    z.strictObject({
      type: z.literal('note'),
      tone: z.enum(['note', 'warning', 'surprise']),
      children: z.array(Block),
    }),
    z.strictObject({
      type: z.literal('table'),
      head: z.array(z.array(Inline)),
      rows: z.array(z.array(z.array(Inline))),
    }),
    z.strictObject({ type: z.literal('checkpoint'), id: Slug }),
    z.strictObject({ type: z.literal('diagram'), id: Slug }),
    z.strictObject({ type: z.literal('try'), label: Text, command: Text, action: z.unknown() }),
  ]),
) as z.ZodType<Block>;

/** A checkpoint as the learner meets it: the question, never the key. */
export const CheckpointView = z.strictObject({
  id: Slug,
  step: Slug,
  kind: z.enum(['state', 'predict', 'order', 'build', 'schedule', 'explain']),
  title: Text,
  ask: z.array(Block),
  points: z.int(),
  /** Price in points of each hint, in the order in which they open. */
  hintCosts: z.array(z.int()),
  form: z.discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('choice'),
      options: z.array(z.strictObject({ value: Text, label: Text })),
    }),
    z.strictObject({ type: z.literal('value'), label: Text, example: Text.optional() }),
    z.strictObject({ type: z.literal('order'), items: z.array(z.strictObject({ id: Slug, label: Text })) }),
    /** `goals`: one sentence a condition. */
    z.strictObject({ type: z.literal('state'), goals: z.array(Text) }),
    /** `only`, `without`: actions by their beginning as commands; `only` is null where all may be used. */
    z.strictObject({
      type: z.literal('build'),
      goals: z.array(z.strictObject({ say: Text, points: z.int().nullable() })),
      max: z.int(),
      only: z.array(Text).nullable(),
      without: z.array(Text),
    }),
    /** `begun`: commands of the actions that are begun when the choices begin. */
    z.strictObject({
      type: z.literal('schedule'),
      goal: Text,
      begun: z.array(Text),
      max: z.int(),
    }),
    /** `least`, `most`: characters. */
    z.strictObject({ type: z.literal('explain'), least: z.int(), most: z.int() }),
  ]),
  /** Actions that "predict, then run" performs, as commands. */
  runs: z.array(Text),
});
export type CheckpointView = z.infer<typeof CheckpointView>;

/** What an answer, or the machine's state, was worth. */
export const Verdict = z.strictObject({
  passed: z.boolean(),
  /** Points that this attempt earns before hints. */
  points: z.number(),
  misconception: Slug.nullable(),
  say: z.array(Block),
  /**
   * `state`: every goal, whether it holds or not. `predict`, `order`: one comparison; `expected` is what the learner
   * said, `observed` what the machine did, null while that is not shown (or, after a second wrong order, how far it is
   * right).
   */
  findings: z.array(
    z.strictObject({
      expected: Text.nullable(),
      observed: Text.nullable(),
      /** Moment and trace event where it first went wrong; null when it never happened. */
      moment: z.int().nullable(),
      event: z.int().nullable(),
      holds: z.boolean(),
      /** The machine of a comparison that it is about. */
      on: z.enum(['a', 'b']).optional(),
    }),
  ),
});
export type Verdict = z.infer<typeof Verdict>;

/** How a learner stands with one checkpoint. */
export const CheckpointProgress = z.strictObject({
  id: Slug,
  state: z.enum(['open', 'passed', 'failed', 'revealed']),
  attempts: z.int(),
  earned: z.number(),
  /** Hints opened so far, as prose. */
  hints: z.array(z.array(Block)),
  /** The learner's last answer; the right one when `revealed`. Null for `state`. */
  answer: z.union([Text, z.array(Text)]).nullable(),
  verdict: Verdict.nullable(),
});
export type CheckpointProgress = z.infer<typeof CheckpointProgress>;

/** A picture of the guide, and the words that stand for it. */
export const DiagramView = z.strictObject({
  id: Slug,
  title: Text,
  text: z.array(Block),
  figure: Figure,
});
export type DiagramView = z.infer<typeof DiagramView>;

export const LabView = z.strictObject({
  id: Slug,
  number: z.int(),
  title: Text,
  summary: Text,
  minutes: z.int(),
  objectives: z.array(Text),
  prerequisites: z.array(Text),
  points: z.int(),
  policy: z.strictObject({
    retry: z.enum(['best', 'last', 'first']),
    wrongCosts: z.number(),
    revealAfter: z.int(),
  }),
  /** `gate`: the next step opens only when this step's checkpoints are settled. */
  steps: z.array(
    z.strictObject({
      id: Slug,
      title: Text,
      gate: z.boolean(),
      body: z.array(Block),
      /** Actions that are accepted, by their beginning as commands; null: all. `lock`: those that are not. */
      offer: z.array(Text).nullable(),
      lock: z.array(Text),
    }),
  ),
  checkpoints: z.array(CheckpointView),
  diagrams: z.array(DiagramView),
  contentHash: Text,
});
export type LabView = z.infer<typeof LabView>;

/** The machine is where the choices of a `schedule` checkpoint begin, or some steps further. */
export const ArrangedView = z.strictObject({
  checkpoint: Slug,
  /** Threads that have stepped since, in order. */
  picks: z.array(Text),
  /** Whether the goal holds now. */
  holds: z.boolean(),
});
export type ArrangedView = z.infer<typeof ArrangedView>;

export const ProgressView = z.strictObject({
  step: Slug,
  /** Steps that may be visited. */
  reachable: z.array(Slug),
  checkpoints: z.array(CheckpointProgress),
  score: z.number(),
  points: z.int(),
  complete: z.boolean(),
  /** Null when the machine was put to other use. */
  arranged: ArrangedView.nullable(),
});
export type ProgressView = z.infer<typeof ProgressView>;

export { Layer };

/** Documentation of state fields that differ in their paths alone, as those of two vCPUs do. */
const FieldKind = z.strictObject({
  doc: Text,
  source: Text,
  layer: Layer,
  /** `bits`: the value lists the set bits, as `48 49`; `width` is the number of bits. */
  kind: z.enum(['number', 'flag', 'name', 'bits', 'hex']),
  width: z.int(),
  /** Every value a `name` field can have. */
  names: z.array(Text),
});

/** Every state field; constant for a session. Values travel separately, by index. */
const Fields = z
  .strictObject({
    paths: z.array(Text),
    kinds: z.array(FieldKind),
    /** Of each path, the index of its kind. */
    kindOf: z.array(z.int()),
  })
  .refine(
    ({ paths, kinds, kindOf }) => kindOf.length === paths.length && kindOf.every((kind) => kind in kinds),
    'every path has a kind',
  );

/** Documentation of one state field. */
export interface FieldDoc extends z.infer<typeof FieldKind> {
  readonly path: string;
}

export const ThreadView = z.strictObject({
  /** `vmm`, `td.vcpu0`, ... */
  name: Text,
  cpu: z.int(),
  /** Layer in which the processor of this thread is now. */
  layer: Layer,
  status: z.enum(['idle', 'ready', 'blocked', 'waiting', 'in-guest']),
  /** Whether `step` is possible. */
  enabled: z.boolean(),
  /** Innermost last: routine, the step that comes next and what that step does, with its source. */
  stack: z.array(z.strictObject({ routine: Text, step: Text, doc: Text, source: Text, layer: Layer })),
});
export type ThreadView = z.infer<typeof ThreadView>;

/** A lock of KVM that a thread holds. */
export const LockView = z.strictObject({
  /** `vcpu->mutex`, `apicv_update_lock`. */
  name: Text,
  /** Path of the vCPU or VM whose lock it is. */
  of: Text,
  holder: Text,
  /** Threads that wait for it. */
  waiting: z.array(Text),
});
export type LockView = z.infer<typeof LockView>;

export const EventView = z.strictObject({
  /** Index in the trace. */
  n: z.int(),
  /** Moment after which it is visible. */
  moment: z.int(),
  ns: z.number(),
  thread: Text,
  cpu: z.int(),
  layer: Layer,
  depth: z.int(),
  /** `call` and `return` make the function graph; the others are tracepoints (the kernel's) and marks (ours). */
  type: z.enum(['call', 'return', 'tracepoint', 'mark', 'action']),
  name: Text,
  /** Arguments as the kernel prints them. */
  text: Text,
  /** One sentence for people and screen readers. */
  say: Text,
  source: Text,
  /** Virtual nanoseconds from a call to its return; of the return, and of a call that is a `leaf`. Null: not known. */
  took: z.number().nullable(),
  /** What a call returned in which nothing else happened: its return is the next event. Null for all else. */
  leaf: Text.nullable(),
});
export type EventView = z.infer<typeof EventView>;

/** Which events the trace shows. */
export const TraceFilter = z.strictObject({
  /** Calls and returns, as the kernel's function graph. */
  calls: z.boolean(),
  tracepoints: z.boolean(),
  marks: z.boolean(),
  /** Layers that are left out. */
  without: z.array(Layer).max(5),
  /** Part of name, arguments, thread or source, in any case. */
  text: Text.max(200),
});
export type TraceFilter = z.infer<typeof TraceFilter>;
/** What it shows to who has never chosen. */
export const TRACE_FILTER: TraceFilter = {
  calls: false,
  tracepoints: true,
  marks: true,
  without: [],
  text: '',
};

/** Numbers by the thousand, so they are not looked at one by one. */
export const Numbers = z.instanceof(Int32Array);

/**
 * What changed about the trace. The screen keeps numbers and what it shows now; other events it asks for.
 */
export const TraceDelta = z.strictObject({
  /** Events that are known are still true up to this one; the later ones are replaced. */
  keep: z.int(),
  /** Events that have happened at the moment shown. */
  count: z.int(),
  /** Events of this line of history, those to come included. */
  known: z.int(),
  /** First of the events that the screen has from now on up to `count`. */
  from: z.int(),
  /** The newest action, or `from` when it is further back. */
  lastAction: z.int(),
  /** Of these, what it was not told yet. */
  events: z.array(EventView),
  /** Numbers, ascending, of the events from `keep` on that pass the filter. */
  rows: Numbers,
  /** Of the actions, the first `keep` are still true; then these follow, by the moment at which each began. */
  actions: z.strictObject({ keep: z.int(), moments: Numbers }),
  /** Names of events that the machine did not have before, on whatever line of history; with a `keep` of 0, all. */
  names: z.array(Text),
});
export type TraceDelta = z.infer<typeof TraceDelta>;

/** Result of the last action, as userspace sees it. */
export const OutcomeView = z.strictObject({
  command: Text,
  kind: z.enum(['returned', 'pending', 'queued', 'refused', 'unmodelled', 'limit']),
  /** `0`, `1`, `-EINVAL`, ... when `returned`. */
  value: Text.nullable(),
  /** `KVM_EXIT_...` when KVM_RUN returned. */
  exit: Text.nullable(),
  say: Text,
});
export type OutcomeView = z.infer<typeof OutcomeView>;

const EventPlace = z.strictObject({
  n: z.int(),
  moment: z.int(),
  thread: Text,
  name: Text,
  text: Text,
  say: Text,
});
const DifferentField = z.strictObject({ path: Text, a: Text, b: Text });
/** What tells two machines apart that were given the same inputs. */
export const Differences = z.strictObject({
  /** State that differed in the situation already. */
  before: z.array(DifferentField),
  /** The first event since in which they differ; null on the side that has no more events. */
  event: z.strictObject({ a: EventPlace.nullable(), b: EventPlace.nullable() }).nullable(),
  /** The first moment since at which other state differs, as either counts it, and that state. */
  state: z.strictObject({ a: z.int(), b: z.int(), fields: z.array(DifferentField) }).nullable(),
  /** All state that differs at the moments shown. */
  now: z.array(DifferentField),
});
export type Differences = z.infer<typeof Differences>;

/** A step that runs two machines on the same inputs. */
export const Comparison = z.strictObject({
  viewed: z.enum(['a', 'b']),
  /** What each machine is called, and what it is built with: `apicv_v1`. */
  variants: z.array(z.strictObject({ id: z.enum(['a', 'b']), label: Text, switches: z.array(Text) })),
  differences: Differences,
});
export type Comparison = z.infer<typeof Comparison>;

/** One thing that was done to the machines since power-on. */
export const NotebookLine = z.strictObject({
  /** As the console takes it: `hold vmm KVM_RUN vm=td vcpu=0`, `step td.vcpu0`, `run`. */
  command: Text,
  /** Whether the machines began with it. */
  given: z.boolean(),
  /** Only its beginning was done: history was left there. */
  cut: z.boolean(),
  /** The machine of a comparison that alone did it; null: all did. */
  on: z.enum(['a', 'b']).nullable(),
  /** Per machine: moments before and after it, and what it returned, as `-EINVAL`, or how the action stands. */
  at: z.array(z.strictObject({ from: z.int(), to: z.int(), value: Text })),
  /** State that differs after it; `news`: some of it did not before. Null where there is one machine. */
  differing: z.strictObject({ count: z.int(), news: z.boolean() }).nullable(),
});
export type NotebookLine = z.infer<typeof NotebookLine>;
/** What changed in the notebook: it keeps its first `keep` lines, then these follow. */
export const NotebookDelta = z.strictObject({ keep: z.int(), lines: z.array(NotebookLine) });
export type NotebookDelta = z.infer<typeof NotebookDelta>;

/** A design variant of the machine, by the name that scenario files give it. */
export const SwitchDoc = z.strictObject({ name: Text, doc: Text, source: Text });
export type SwitchDoc = z.infer<typeof SwitchDoc>;

/** The machine without a lab, and what it was built as. */
export const SandboxView = z.strictObject({
  title: Text,
  /** What is on, of each machine in turn. */
  switches: z.array(z.array(SwitchDoc)),
  /** The shipped scenario whose steps are offered. */
  scenario: z
    .strictObject({
      id: Text,
      title: Text,
      description: Text,
      /** `input`: what doing it sends; as the notebook words it. */
      steps: z.array(z.strictObject({ command: Text, input: z.unknown() })),
    })
    .nullable(),
});
export type SandboxView = z.infer<typeof SandboxView>;

/** The machine at one moment, whole. Sent when a session opens and after a jump between branches. */
export const MachineView = z.strictObject({
  fields: Fields,
  values: z.array(Text),
  threads: z.array(ThreadView),
  locks: z.array(LockView),
  trace: TraceDelta,
  moment: z.int(),
  /** Moments of the current line of history: 0 to `last`. */
  last: z.int(),
  outcome: OutcomeView.nullable(),
  /** Hash of the machine's bytes, 16 hexadecimal digits: after the same inputs the same everywhere. */
  hash: Text,
  /** Null where there is only one machine. All else is of the one that is viewed. */
  compare: Comparison.nullable(),
});
export type MachineView = z.infer<typeof MachineView>;

/** What changed: only that. */
export const MachineDelta = z.strictObject({
  /** Index into `fields`, new value. */
  changed: z.array(z.tuple([z.int(), Text])),
  threads: z.array(ThreadView),
  locks: z.array(LockView),
  trace: TraceDelta,
  moment: z.int(),
  last: z.int(),
  outcome: OutcomeView.nullable(),
  compare: Comparison.nullable(),
});
export type MachineDelta = z.infer<typeof MachineDelta>;

/** One parameter of an action, for forms, completion and help. */
export const ParamDoc = z.strictObject({
  name: Text,
  doc: Text,
  type: z.enum(['vm', 'vcpu', 'integer', 'boolean', 'choice']),
  choices: z.array(Text),
  min: z.number().nullable(),
  max: z.number().nullable(),
  /** Whether a command without it is refused. */
  required: z.boolean(),
  /** What it is when it is left out, as typed in a command; null: nothing in particular. */
  default: Text.nullable(),
});
export type ParamDoc = z.infer<typeof ParamDoc>;
export const ActionDoc = z.strictObject({
  actor: Text,
  verb: Text,
  doc: Text,
  source: Text,
  params: z.array(ParamDoc),
});
export type ActionDoc = z.infer<typeof ActionDoc>;

/** Everything the screen needs to show a session from nothing. */
export const SessionView = z.strictObject({
  session: z.uuid(),
  lab: LabView,
  progress: ProgressView,
  machine: MachineView,
  /** Of a comparison, the machine that is not viewed, as what changed since power-on on a screen that knows nothing. */
  other: MachineDelta.nullable(),
  notebook: z.array(NotebookLine),
  /** Which events of the traces have rows. */
  filter: TraceFilter,
  /** Null in a lab. */
  sandbox: SandboxView.nullable(),
  actions: z.array(ActionDoc),
  /** Names of the VMs and how many vCPUs each may have. */
  vms: z.array(z.strictObject({ name: Text, vcpus: z.int() })),
  inputs: z.int(),
});
export type SessionView = z.infer<typeof SessionView>;

/** Where stops were hit: by a run, which halted there, or found in the past. */
export const Hit = z.strictObject({
  /** Indices into the stops that were given. */
  stops: z.array(z.int()),
  moment: z.int(),
  /** The event that was hit, or the newest of that moment; null when nothing was recorded there. */
  event: z.int().nullable(),
  /** Who made that moment: `td.vcpu0 in vcpu_enter_guest`, or the command of an action. */
  by: Text,
  /** What was hit and who did it, as a sentence. */
  say: Text,
  /** The machine of a comparison that it is about. */
  on: z.enum(['a', 'b']).optional(),
});
export type Hit = z.infer<typeof Hit>;

/** The answer to one input. `refused`: the input was not applicable and is not part of the transcript. */
export const InputReply = z.strictObject({
  accepted: z.boolean(),
  refused: Text.nullable(),
  /** Number of inputs of the transcript after this one. */
  inputs: z.int(),
  /** Which stop halted it; null when it went to its end. */
  halted: Hit.nullable(),
  progress: ProgressView,
  /** Of the machine that is viewed now. */
  machine: MachineDelta,
  /** Of a comparison, of the machine that is not. */
  other: MachineDelta.nullable(),
  notebook: NotebookDelta,
});
export type InputReply = z.infer<typeof InputReply>;
