import { z } from 'zod';
import { heldLocks, returnName, type Leaf, type Timeline } from '../src-sim';
import { ACTIONS, ACTORS, commandOf, type ActionDeclaration } from '../src-sim/scenario/action';
import { kindOf } from './checkpoints/kinds';
import { figureOf } from './diagram';
import type { Checkpoint, Lab } from './lab';
import { Notebook } from './notebook';
import { switchesOf } from './sandbox';
import type { Applied, LabSession } from './session';
import { eventView, ToldTrace, TraceMatcher } from './trace';
import type {
  ActionDoc,
  CheckpointView,
  Comparison,
  EventView,
  InputReply,
  LabView,
  MachineDelta,
  MachineView,
  OutcomeView,
  ParamDoc,
  SandboxView,
  SessionView,
  ThreadView,
  TraceDelta,
  TraceFilter,
} from './view';
import { TRACE_FILTER } from './view';

/**
 * What the screen knows of a session. It is told everything once, and from then on only what changed, so one `Shown`
 * belongs to one screen.
 */
export class Shown {
  /** Per machine: the value of each leaf that the screen has, and what it knows of the trace. */
  private told: { readonly values: string[]; readonly trace: ToldTrace }[] = [];
  private readonly notebook = new Notebook();

  /**
   * @param scenario - of a sandbox: the shipped scenario whose steps it offers.
   * @param filter - which events have rows, until `show` says otherwise.
   */
  constructor(
    private readonly session: LabSession,
    private readonly scenario: NonNullable<SandboxView['scenario']> | null = null,
    public filter: TraceFilter = TRACE_FILTER,
  ) {}

  /** Everything, from nothing. Later deltas count from here. */
  view(): SessionView {
    const { session } = this;
    const { vms } = session.rig[0].platform;
    this.told = [];
    return {
      session: session.id,
      lab: labView(session.lab),
      progress: session.progress(),
      machine: this.machine(),
      other: this.other(),
      notebook: this.notebook.lines(session.deeds),
      filter: this.filter,
      sandbox: this.sandbox(),
      actions: actionDocs(Object.keys(vms)),
      vms: Object.entries(vms).map(([name, vcpus]) => ({ name, vcpus })),
      inputs: session.inputs,
    };
  }

  /** The answer to one input: the progress, and what changed on the machine since the screen was last told. */
  reply(applied: Applied): InputReply {
    return {
      accepted: applied.accepted,
      refused: applied.accepted ? null : applied.refused,
      inputs: this.session.inputs,
      halted: applied.accepted ? applied.halted : null,
      progress: this.session.progress(),
      machine: this.delta(this.session.viewed),
      other: this.other(),
      notebook: this.notebook.delta(this.session.deeds),
    };
  }

  /** Which events have rows from now on. @returns per machine: the numbers of those that there are. */
  show(filter: TraceFilter): TraceDelta['rows'][] {
    this.filter = filter;
    return this.told.map(({ trace }, i) =>
      trace.filter(this.session.timelines[i]!.machine.trace, new TraceMatcher(filter)),
    );
  }

  /** Events of a machine by number, those that can be read. */
  events(on: 'a' | 'b', numbers: readonly number[]): EventView[] {
    const { rig, timelines } = this.session;
    const { trace } = (timelines[rig.findIndex(({ id }) => id === on)] ?? timelines[0]).machine;
    return numbers.filter((n) => n >= trace.first && n < trace.known).map((n) => eventView(trace, n));
  }

  private sandbox(): SandboxView | null {
    const { rig, setup } = this.session;
    return setup === null ? null : { title: setup.title, switches: switchesOf(rig), scenario: this.scenario };
  }

  private machine(): MachineView {
    const { timeline, viewed } = this.session;
    const { leaves } = timeline.machine.layout;
    const { changed: _changed, ...rest } = this.delta(viewed);
    return {
      fields: fieldsOf(leaves),
      values: [...this.told[viewed]!.values],
      ...rest,
      hash: timeline.machine.hash(),
    };
  }

  /** Of a comparison, what changed on the machine that is not viewed. */
  private other(): MachineDelta | null {
    const { rig, viewed } = this.session;
    this.told.length = rig.length;
    return rig.length < 2 ? null : this.delta(1 - viewed);
  }

  private delta(i: number): MachineDelta {
    const timeline = this.session.timelines[i]!;
    const same = this.session.shown(i);
    // Of a machine that the screen does not know, the trace is told from its beginning.
    const keep = this.told[i] === undefined ? 0 : same;
    const { values, trace } = (this.told[i] ??= {
      values: [],
      trace: new ToldTrace(new TraceMatcher(this.filter)),
    });
    const changed: [number, string][] = [];
    for (const leaf of timeline.machine.layout.leaves) {
      const value = timeline.machine.show(leaf);
      if (value === values[leaf.index]) continue;
      values[leaf.index] = value;
      changed.push([leaf.index, value]);
    }
    return {
      changed,
      trace: trace.delta(timeline.machine.trace, keep),
      ...now(timeline),
      compare: comparison(this.session),
    };
  }
}

/** The fields of a layout: those that are declared once are told once. */
function fieldsOf(leaves: readonly Leaf[]): MachineView['fields'] {
  const declared = [...new Map(leaves.map((leaf) => [leaf.field, leaf])).values()];
  const kinds = new Map(declared.map(({ field }, i) => [field, i]));
  return {
    paths: leaves.map(({ path }) => path),
    kinds: declared.map(({ doc, source, layer, kind, width, names }) => ({
      doc,
      source,
      layer,
      kind,
      width,
      names: [...names],
    })),
    kindOf: leaves.map(({ field }) => kinds.get(field)!),
  };
}

function comparison({ rig, viewed, differences }: LabSession): Comparison | null {
  if (differences === null) return null;
  return {
    viewed: rig[viewed]!.id,
    variants: rig.map(({ id, label, platform: { switches = {} } }) => ({
      id,
      label,
      switches: Object.entries(switches).flatMap(([name, on]) => (on ? [name] : [])),
    })),
    differences,
  };
}

/** What is sent whole each time. */
function now(timeline: Timeline): Pick<MachineView, 'threads' | 'locks' | 'moment' | 'last' | 'outcome'> {
  const threads = timeline.machine
    .threads()
    .map(({ name, cpu, layer, status, enabled, stack }): ThreadView => ({
      name,
      cpu,
      layer,
      status,
      enabled,
      stack: stack.map((frame) => ({ ...frame })),
    }));
  const locks = heldLocks(timeline.machine).map((lock) => ({ ...lock, waiting: [...lock.waiting] }));
  return { threads, locks, moment: timeline.moment, last: timeline.last, outcome: outcomeView(timeline) };
}

function outcomeView({ outcome }: Timeline): OutcomeView | null {
  if (outcome === null) return null;
  const { action, kind, value, exit, say } = outcome;
  return { command: commandOf(action), kind, value: value === null ? null : returnName(value), exit, say };
}

/** A lab as the screen shows it: everything but the answers. */
export function labView(lab: Lab): LabView {
  const { number, title, summary, minutes, objectives, prerequisites, policy } = lab.source;
  return {
    id: lab.id,
    number,
    title,
    summary,
    minutes,
    objectives: [...objectives],
    prerequisites: [...prerequisites],
    points: lab.points,
    policy: { retry: policy.retry, wrongCosts: policy.wrong_costs, revealAfter: policy.reveal_after },
    steps: lab.steps.map(({ id, title: name, gate, body, allowed: { only, without } }) => ({
      id,
      title: name,
      gate,
      body: [...body],
      offer: only === null ? null : [...only],
      lock: [...without],
    })),
    checkpoints: lab.checkpoints.map(checkpointView),
    diagrams: lab.diagrams.map(({ id, source, text }) => ({
      id,
      title: source.title,
      text: [...text],
      figure: figureOf(source),
    })),
    contentHash: lab.contentHash,
  };
}

function checkpointView({ source, ask, hints }: Checkpoint): CheckpointView {
  const kind = kindOf(source);
  return {
    id: source.id,
    step: source.step,
    kind: source.kind,
    title: source.title,
    ask: [...ask],
    points: source.points,
    hintCosts: hints.map(({ cost }) => cost),
    form: kind.form(source),
    // What a watched kind would perform is an answer.
    runs: kind.how === 'answered' ? kind.runs(source).map(commandOf) : [],
  };
}

/** The table of actions, for forms, completion and help. `vms`: names of the platform's VMs. */
export function actionDocs(vms: readonly string[]): ActionDoc[] {
  return ACTORS.flatMap((actor) =>
    Object.entries(ACTIONS[actor] as Record<string, ActionDeclaration>).map(
      ([verb, { doc, source, params }]) => ({
        actor,
        verb,
        doc,
        source,
        params: Object.entries(params.shape).map(([name, field]) => paramDoc(name, field as z.ZodType, vms)),
      }),
    ),
  );
}

function paramDoc(name: string, field: z.ZodType, vms: readonly string[]): ParamDoc {
  const schema = z.toJSONSchema(field, { io: 'input' });
  const doc = schema.description ?? schema.title ?? name;
  const fallback = schema.default === undefined ? null : String(schema.default);
  const required = !field.safeParse(undefined).success;
  const base = { name, doc, choices: [] as string[], min: null, max: null, required, default: fallback };
  if (name === 'vm') return { ...base, type: 'vm', choices: [...vms] };
  if (schema.enum) return { ...base, type: 'choice', choices: schema.enum.map(String) };
  if (schema.type === 'boolean') return { ...base, type: 'boolean' };
  const { minimum = null, maximum = null } = schema;
  return { ...base, type: name === 'vcpu' ? 'vcpu' : 'integer', min: minimum, max: maximum };
}
