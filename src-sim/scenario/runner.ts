import {
  returnName,
  SIM_VERSION,
  STEP_LIMIT,
  Timeline,
  type Leaf,
  type Outcome,
  type TraceEvent,
} from '../index';
import { thread } from '../machine/machine';
import { commandOf } from './action';
import { Monitor, patternText, matches, type EventPattern } from './condition';
import type { ChangeReport, ExpectationReport, Report, StepReport } from './runner-report';
import type { Expectation, Scenario, Step } from './scenario-format';

/** What one run may cost. Beyond, it ends with outcome `limit`. */
export const RUN_LIMITS = {
  /** Atomic steps and begun actions. */
  moments: 1_000_000,
  /** Looks at watched conditions: conditions times moments. */
  looks: 20_000_000,
  /** Events that the report keeps. */
  events: 100_000,
} as const;

/** A run that ended, and its machine, which can show every moment of it. */
export interface Run {
  readonly report: Report;
  readonly timeline: Timeline;
}

/** Runs a scenario. Deterministic: the same scenario gives the same report everywhere. */
export function runScenario(scenario: Scenario): Report {
  return playScenario(scenario).report;
}

/** As `runScenario`; the machine is kept, for looking at earlier moments. */
export function playScenario(scenario: Scenario): Run {
  return new Runner(scenario).run();
}

/** How one step of the scenario ended, before its place in the report is known. */
type Ended = Pick<StepReport, 'outcome' | 'value' | 'exit' | 'say'>;

class Runner {
  private readonly timeline: Timeline;
  /** Watches what is expected of the whole run: stand-alone `expect` steps, then the end. */
  private readonly whole: Monitor;
  /** How many conditions of `whole` were judged already. */
  private judged = 0;
  private readonly standing: number;
  private readonly recorder: Recorder;
  private readonly steps: StepReport[] = [];
  private readonly expectations: ExpectationReport[] = [];
  private looks = 0;
  private limit: string | null = null;

  constructor(private readonly scenario: Scenario) {
    this.timeline = new Timeline(scenario.platform, { invariants: true });
    const later = [
      ...scenario.steps.flatMap((step) => (step.kind === 'expect' ? step.expect : [])),
      ...scenario.expect,
    ];
    this.standing = later.length;
    this.whole = new Monitor(
      this.timeline,
      later.map(({ condition }) => condition),
    );
    this.recorder = new Recorder(this.timeline);
  }

  run(): Run {
    const { scenario, timeline } = this;
    for (const [i, step] of scenario.steps.entries()) {
      this.step(step, i + 1);
      if (this.limit !== null || timeline.broken) break;
    }
    if (this.limit === null && !timeline.broken) this.judge(scenario.expect, null);
    const failed =
      this.expectations.some(({ holds }) => !holds) || this.steps.some(({ outcome }) => outcome === 'stuck');
    const { machine } = timeline;
    const { vms, switches } = scenario.platform;
    const report: Report = {
      seamlab: 'report/1',
      simulator: SIM_VERSION,
      title: scenario.title,
      cites: [...scenario.cites],
      outcome: timeline.broken ? 'broken' : this.limit !== null ? 'limit' : failed ? 'failed' : 'held',
      limit: this.limit,
      broken: timeline.broken,
      platform: {
        vms: { ...vms },
        ...(switches && { switches: { ...switches } as Record<string, boolean> }),
      },
      steps: this.steps,
      expectations: this.expectations,
      trace: this.recorder.events as Report['trace'],
      omitted: machine.trace.count - this.recorder.events.length,
      changes: this.recorder.changes,
      moments: timeline.last,
      state: Object.fromEntries(machine.layout.leaves.map((leaf) => [leaf.path, machine.show(leaf)])),
      hash: machine.hash(),
    };
    timeline.onMoment = null;
    return { report, timeline };
  }

  private step(step: Step, n: number): void {
    const { timeline } = this;
    const from = timeline.moment;
    const own = step.kind === 'expect' ? [] : step.expect.map(({ condition }) => condition);
    const monitor = own.length > 0 ? new Monitor(timeline, own) : null;
    const watched = this.standing - this.judged + own.length;
    timeline.onMoment = () => {
      this.looks += watched;
      this.whole.observe();
      monitor?.observe();
      this.recorder.observe();
    };
    const ended = this.perform(step);
    const { line, column } = step.at;
    this.steps.push({ n, line, column, command: commandText(step), ...ended, from, to: timeline.moment });
    if (ended.outcome === 'limit') this.limit = ended.say;
    else if (timeline.moment >= RUN_LIMITS.moments)
      this.limit = `The run has reached ${RUN_LIMITS.moments} moments.`;
    else if (this.looks > RUN_LIMITS.looks) this.limit = 'The run watches too many conditions for too long.';
    if (this.limit !== null || timeline.broken) return;
    if (step.kind === 'expect') this.judge(step.expect, n);
    else step.expect.forEach((expectation, i) => this.note(expectation, n, monitor!, i));
  }

  /** Judges the next conditions of `whole`. */
  private judge(expectations: readonly Expectation[], n: number | null): void {
    for (const expectation of expectations) this.note(expectation, n, this.whole, this.judged++);
  }

  private note({ at }: Expectation, step: number | null, monitor: Monitor, i: number): void {
    this.expectations.push({ step, line: at.line, column: at.column, ...monitor.verdict(i) });
  }

  private perform(step: Step): Ended {
    const { timeline } = this;
    switch (step.kind) {
      case 'action': {
        const outcome = step.hold ? timeline.begin(step.action) : timeline.perform(step.action);
        return outcome.kind === 'limit' ? LIMIT : endOf(outcome);
      }
      case 'run':
        return this.settle() === 'limit' ? LIMIT : done('No thread can go on.');
      case 'step':
        return this.take(step.thread, step.times);
      case 'until':
        return this.takeUntil(step.thread, step.pattern);
      case 'expect':
        return done('');
    }
  }

  private settle(): ReturnType<Timeline['settle']> {
    return this.timeline.settle(Math.min(STEP_LIMIT, Math.max(1, RUN_LIMITS.moments - this.timeline.moment)));
  }

  private take(thread: string, times: number): Ended {
    for (let taken = 0; taken < times; taken++) {
      if (!this.timeline.step(thread)) return this.stuck(thread, `after ${taken} of ${times} steps`);
    }
    return done(`${thread} took ${times === 1 ? 'one step' : `${times} steps`}.`);
  }

  private takeUntil(thread: string, pattern: EventPattern): Ended {
    const { trace } = this.timeline.machine;
    const wanted = patternText({ ...pattern, thread: undefined });
    for (let taken = 0; taken < STEP_LIMIT; taken++) {
      const before = trace.count;
      if (!this.timeline.step(thread)) return this.stuck(thread, `before ${wanted}`);
      for (let n = before; n < trace.count; n++) {
        if (matches(trace.event(n), pattern)) return done(`${thread} stepped until ${wanted}.`);
      }
    }
    return LIMIT;
  }

  private stuck(thread: string, where: string): Ended {
    if (this.timeline.broken) return done('Nothing goes on from a state in which an invariant is broken.');
    const status = this.timeline.machine.threads().find(({ name }) => name === thread)?.status ?? 'unknown';
    return {
      outcome: 'stuck',
      value: null,
      exit: null,
      say: `${thread} cannot step ${where}: it is ${status}.`,
    };
  }
}

const LIMIT: Ended = {
  outcome: 'limit',
  value: null,
  exit: null,
  say: `The threads do not come to rest within ${STEP_LIMIT} steps.`,
};

function done(say: string): Ended {
  return { outcome: 'done', value: null, exit: null, say };
}

function endOf({ kind, value, exit, say }: Outcome): Ended {
  return { outcome: kind, value: value === null ? null : returnName(value), exit, say };
}

/** A step as one line, as the console takes it where it can. */
function commandText(step: Step): string {
  switch (step.kind) {
    case 'action':
      return commandOf(step.action);
    case 'run':
      return 'sched run';
    case 'step':
      return `sched step thread=${step.thread} times=${step.times}`;
    case 'until':
      return `sched until thread=${step.thread} event=${patternText({ ...step.pattern, thread: undefined })}`;
    case 'expect':
      return 'expect';
  }
}

/** Keeps every event and every change of state, moment by moment. */
class Recorder {
  readonly events: TraceEvent[] = [];
  readonly changes: ChangeReport[] = [];
  private seen = 0;
  private ns = 0;
  private readonly before: Uint32Array;
  /** Leaves that lie in each 32-bit word of the state. */
  private readonly byWord = new Map<number, Leaf[]>();
  private readonly values = new Map<Leaf, string>();
  /** How many routines each thread had under way before the step. */
  private readonly depths: number[];

  constructor(private readonly timeline: Timeline) {
    const { machine } = timeline;
    this.before = machine.u32.slice();
    this.depths = machine.threadRefs.map((ref) => thread.depth.get(machine, ref));
    for (const leaf of machine.layout.leaves) {
      if (isBookkeeping(leaf)) continue;
      this.values.set(leaf, machine.show(leaf));
      const from = leaf.ref + leaf.field.byte;
      for (let word = from >> 2; word <= (from + Math.max(1, leaf.width >> 3) - 1) >> 2; word++) {
        const leaves = this.byWord.get(word);
        if (leaves) leaves.push(leaf);
        else this.byWord.set(word, [leaf]);
      }
    }
  }

  observe(): void {
    const { trace } = this.timeline.machine;
    const full = this.events.length >= RUN_LIMITS.events;
    for (let n = this.seen; !full && n < trace.count; n++) this.events.push(trace.event(n));
    this.seen = trace.count;
    const { machine } = this.timeline;
    const i = machine.threadRefs.indexOf(machine.thread);
    if (!full) this.compare(machine.threadInfos[i]!.name, Math.max(0, this.depths[i]! - 1));
    this.depths[i] = thread.depth.get(machine, machine.thread);
    this.ns = machine.now;
  }

  private compare(thread: string, depth: number): void {
    const { machine, moment } = this.timeline;
    const { u32 } = machine;
    for (let word = 0; word < u32.length; word++) {
      if (u32[word] === this.before[word]) continue;
      this.before[word] = u32[word]!;
      for (const leaf of this.byWord.get(word) ?? []) {
        const from = this.values.get(leaf)!;
        const to = machine.show(leaf);
        if (from === to) continue;
        this.values.set(leaf, to);
        this.changes.push({ moment, ns: this.ns, thread, depth, path: leaf.path, from, to });
      }
    }
  }
}

/** State that says only where the threads are: the calls of the trace say it better. */
function isBookkeeping({ path }: Leaf): boolean {
  return path === 'now' || path.startsWith('last.') || /(?:^|\.)thread\.(?:status|depth|ret)$/.test(path);
}
