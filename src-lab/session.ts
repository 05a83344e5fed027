import { Timeline } from '../src-sim';
import type { Action } from '../src-sim/scenario/action';
import {
  performAll,
  type Answer,
  type AnsweredKind,
  type Finding,
  type Key,
  type Watcher,
} from './checkpoints/kind';
import { kindOf } from './checkpoints/kinds';
import type { Input } from './input';
import { didYouMean } from './issue';
import type { Checkpoint, Lab, Step } from './lab';
import type { CheckpointSource } from './schema';
import { MAX_INPUTS } from './transcript';
import type { Block, CheckpointProgress, ProgressView, Verdict } from './view';

/** What became of an input. A refused one changed nothing and is no part of the transcript. */
export type Applied =
  | { readonly accepted: true; /** Checkpoints that it settled. */ readonly settled: readonly string[] }
  | { readonly accepted: false; readonly refused: string };

/** The answer by which a learner gives up a `state` checkpoint. */
export const GIVE_UP = 'give-up';
/** Moments, actions and lines of history that one machine may have before it must be reset: they are kept in memory. */
export const MACHINE_LIMITS = { moments: 200_000, actions: 30_000, lines: 200 } as const;

/** How a learner stands with a checkpoint. */
interface Standing {
  state: CheckpointProgress['state'];
  attempts: number;
  wrong: number;
  earned: number;
  hints: number;
  /** Price of the hints that were opened while they could still help. */
  hintCosts: number;
  answer: Answer | null;
  verdict: Verdict | null;
}

/** A `state` checkpoint of the current step that is not settled. */
interface Watch {
  readonly checkpoint: Checkpoint;
  readonly watcher: Watcher;
  readonly heldAtFirst: boolean;
  /** All goals hold without the learner's doing: they must first fail. */
  dormant: boolean;
  /** Which feedback was true when last looked at. */
  told: readonly boolean[];
}

/**
 * One learner at one lab: a reducer over inputs. The same lab and the same accepted inputs give the same progress and
 * the same machine, everywhere. Total: no input of the schema makes it throw.
 */
export class LabSession {
  /** The learner's machine. It is replaced when a situation begins anew. */
  timeline: Timeline;
  /** Inputs accepted so far. */
  inputs = 0;
  /** Events at the beginning of the trace that no input since `shown()` has touched. */
  private untouched = 0;
  private stepIndex = 0;
  private readonly standings: ReadonlyMap<string, Standing>;
  private watches: Watch[] = [];
  /** Moment at which watching began. */
  private watchedFrom = 0;

  /** @param id - UUID of the session. */
  constructor(
    readonly lab: Lab,
    readonly id: string,
  ) {
    this.standings = new Map(lab.checkpoints.map((checkpoint) => [checkpoint.id, fresh()]));
    this.timeline = this.begin(this.step.situation);
  }

  /** The step at which the learner is. */
  get step(): Step {
    return this.lab.steps[this.stepIndex]!;
  }

  /** Applies one input. Never throws. */
  apply(input: Input): Applied {
    if (this.inputs >= MAX_INPUTS)
      return no(`A session has at most ${MAX_INPUTS} inputs. Begin the lab anew.`);
    const applied = this.dispatch(input);
    if (applied.accepted) this.inputs++;
    return applied;
  }

  /** How far the learner has come. */
  progress(): ProgressView {
    const checkpoints = this.lab.checkpoints.map((checkpoint) => this.standing(checkpoint));
    return {
      step: this.step.id,
      reachable: this.lab.steps.slice(0, this.reach + 1).map(({ id }) => id),
      checkpoints,
      score: checkpoints.reduce((sum, { earned }) => sum + earned, 0),
      points: this.lab.points,
      complete: this.lab.checkpoints.every(({ id }) => this.settled(id)),
    };
  }

  /**
   * Notes that the screen has been shown the trace as it is.
   *
   * @returns how many events at its beginning were the same when this was called before.
   */
  shown(): number {
    const { count } = this.timeline.machine.trace;
    const same = Math.min(this.untouched, count);
    this.untouched = count;
    return same;
  }

  private dispatch(input: Input): Applied {
    switch (input.kind) {
      case 'act':
        return this.operate(
          () => void (input.hold ? this.timeline.begin(input.action) : this.timeline.perform(input.action)),
        );
      case 'step': {
        const why = this.cannotStep(input.thread);
        return why === null ? this.operate(() => void this.timeline.step(input.thread)) : no(why);
      }
      case 'run':
        if (this.timeline.machine.nextThread() < 0)
          return no('Nothing can step: every thread is idle or waits.');
        return this.operate(() => void this.timeline.settle());
      case 'jump':
        return this.jump(input.moment);
      case 'reset':
        this.restart(this.step.situation);
        return yes();
      case 'goto':
        return this.goto(input.step);
      case 'answer':
        return this.answer(input.checkpoint, input.answer);
      case 'hint':
        return this.hint(input.checkpoint);
    }
  }

  // The machine ----------------------------------------------------------------------------------------------------

  private operate(act: () => void): Applied {
    const { timeline } = this;
    const { moments, actions, lines } = MACHINE_LIMITS;
    if (
      timeline.last >= moments ||
      timeline.machine.actionsBegun >= actions ||
      timeline.history.length >= lines
    ) {
      return no('The history of this machine is full. Reset it to go on.');
    }
    this.leaveLine();
    act();
    return yes(this.lookAtGoals());
  }

  private cannotStep(name: string): string | null {
    const threads = this.timeline.machine.threads();
    const thread = threads.find((other) => other.name === name);
    if (!thread) {
      const known = threads.map((other) => other.name);
      return `There is no thread "${name}". ${didYouMean(name, known)}`.trim();
    }
    if (thread.enabled) return null;
    const why = {
      idle: 'no call is under way on it',
      blocked: 'it sleeps in KVM',
      waiting: 'it waits for a lock',
      'in-guest': 'its guest has nothing to do',
      ready: 'it is not its turn',
    } as const;
    return `${name} cannot step: ${why[thread.status]}.`;
  }

  private jump(moment: number): Applied {
    const { timeline } = this;
    if (moment > timeline.last) return no(`This line of history has moments 0 to ${timeline.last}.`);
    timeline.jump(moment);
    this.untouched = Math.min(this.untouched, timeline.machine.trace.count);
    return yes();
  }

  /** A new machine in a situation, not yet watched. */
  private begin(situation: readonly Action[]): Timeline {
    const timeline = new Timeline(this.lab.source.platform);
    performAll(timeline, situation);
    this.timeline = timeline;
    this.untouched = 0;
    this.watch();
    return timeline;
  }

  /** Puts the learner's machine into a situation and, for all to see, performs `run` there. */
  private restart(situation: readonly Action[], run: readonly Action[] = []): void {
    this.begin(situation);
    if (run.length === 0) return;
    performAll(this.timeline, run);
    this.watch();
  }

  // The goals of state checkpoints ---------------------------------------------------------------------------------

  /** Begins to watch the machine, as it is, for the checkpoints of this step that are not settled. */
  private watch(): void {
    const { timeline, step } = this;
    this.watches = this.lab.checkpoints.flatMap((checkpoint) => {
      const kind = kindOf(checkpoint.source);
      if (checkpoint.step !== step.id || kind.how !== 'watched' || this.settled(checkpoint.id)) return [];
      const watcher = kind.watch(checkpoint.source, timeline);
      const { passed, feedback } = watcher.look();
      this.standings.get(checkpoint.id)!.verdict = null; // what was said was about the machine before
      return [{ checkpoint, watcher, heldAtFirst: passed, dormant: passed, told: feedback }];
    });
    this.watchedFrom = timeline.moment;
    timeline.onMoment = () => {
      for (const { watcher } of this.watches) watcher.observe();
    };
  }

  /** Before something new is done at an earlier moment: what was reached later belongs to the line that is left. */
  private leaveLine(): void {
    const { timeline } = this;
    if (timeline.moment === timeline.last) return;
    if (timeline.moment < this.watchedFrom) return this.watch();
    for (const watch of this.watches) {
      const { passed, feedback } = watch.watcher.look();
      watch.dormant = watch.heldAtFirst && passed;
      watch.told = feedback;
      this.standings.get(watch.checkpoint.id)!.verdict = null;
    }
  }

  /** Settles the checkpoints whose goals hold now. @returns their ids. */
  private lookAtGoals(): string[] {
    const passed: string[] = [];
    for (const watch of this.watches) {
      const { checkpoint, watcher } = watch;
      const standing = this.standings.get(checkpoint.id)!;
      const look = watcher.look();
      const news = look.feedback.findIndex((holds, i) => holds && !watch.told[i]);
      watch.told = look.feedback;
      if (!look.passed) {
        watch.dormant = false;
        const told = news < 0 ? null : checkpoint.feedback[news]!;
        const before = standing.verdict;
        standing.verdict = {
          passed: false,
          points: 0,
          misconception: told?.misconception ?? before?.misconception ?? null,
          say: told ? [...told.say] : (before?.say ?? []),
          findings: [...look.findings],
        };
      } else if (watch.dormant) {
        const say = [
          p('The goals hold in this situation already. Reset the machine, and bring them about yourself.'),
        ];
        standing.verdict = {
          passed: false,
          points: 0,
          misconception: null,
          say,
          findings: [...look.findings],
        };
      } else {
        standing.attempts++;
        this.pass(
          checkpoint,
          standing,
          [p(`Right: ${pointsWords(this.worth(checkpoint, standing))}.`)],
          look.findings,
        );
        passed.push(checkpoint.id);
      }
    }
    if (passed.length > 0)
      this.watches = this.watches.filter(({ checkpoint }) => !this.settled(checkpoint.id));
    return passed;
  }

  // The way through the lab ----------------------------------------------------------------------------------------

  /** Index of the last step that may be visited. */
  private get reach(): number {
    const shut = this.lab.steps.findIndex(
      (step) =>
        step.gate && this.lab.checkpoints.some(({ id, step: of }) => of === step.id && !this.settled(id)),
    );
    return shut < 0 ? this.lab.steps.length - 1 : shut;
  }

  private goto(id: string): Applied {
    const index = this.lab.steps.findIndex((step) => step.id === id);
    if (index < 0)
      return no(
        `There is no step "${id}". ${didYouMean(
          id,
          this.lab.steps.map((step) => step.id),
        )}`.trim(),
      );
    if (index > this.reach) return no(this.locked(id));
    this.stepIndex = index;
    if (this.step.fresh) this.restart(this.step.situation);
    else this.watch();
    return yes();
  }

  private locked(id: string): string {
    const gate = this.lab.steps[this.reach]!;
    return `The step "${id}" opens when the checkpoints of "${gate.title}" are settled.`;
  }

  /** The checkpoint, or why it is not at hand. */
  private find(id: string): Checkpoint | string {
    const checkpoint = this.lab.checkpoints.find((other) => other.id === id);
    if (!checkpoint) {
      return `There is no checkpoint "${id}". ${didYouMean(
        id,
        this.lab.checkpoints.map((other) => other.id),
      )}`.trim();
    }
    const index = this.lab.steps.findIndex((step) => step.id === checkpoint.step);
    return index > this.reach ? this.locked(checkpoint.step) : checkpoint;
  }

  // Answers --------------------------------------------------------------------------------------------------------

  private answer(id: string, answer: Answer): Applied {
    const checkpoint = this.find(id);
    if (typeof checkpoint === 'string') return no(checkpoint);
    const standing = this.standings.get(id)!;
    if (checkpoint.step !== this.step.id)
      return no(`This checkpoint belongs to another step. Go to "${checkpoint.step}" first.`);
    if (standing.state === 'revealed') return no('This checkpoint is settled: the answer was shown.');
    if (standing.state === 'passed' && this.lab.source.policy.retry !== 'last')
      return no('This checkpoint is settled: you passed it.');
    const kind = kindOf(checkpoint.source);
    if (kind.how === 'watched') {
      if (answer !== GIVE_UP)
        return no('This checkpoint watches the machine: bring its goals about; it takes no answer.');
      if (standing.state === 'passed') return no('This checkpoint is settled: you passed it.');
      return this.giveUp(checkpoint, standing, kind.run(checkpoint.source));
    }
    const unfit = kind.unfit(checkpoint.source, answer);
    if (unfit !== null) return no(unfit);
    return this.grade(kind, checkpoint, standing, answer);
  }

  private grade(
    kind: AnsweredKind<CheckpointSource>,
    checkpoint: Checkpoint,
    standing: Standing,
    answer: Answer,
  ): Applied {
    const { source } = checkpoint;
    const { retry, reveal_after } = this.lab.source.policy;
    const key = keyOf(this.lab, checkpoint);
    const graded = kind.grade(source, key, answer, standing.wrong);
    standing.attempts++;
    standing.answer = answer;
    const told = graded.feedback === null ? null : checkpoint.feedback[graded.feedback]!;
    const finding = (open: boolean): Finding => ({
      expected: graded.words,
      observed: open ? key.words : graded.opened,
      moment: open ? key.moment : null,
      event: open ? key.event : null,
      holds: graded.passed,
    });
    if (graded.passed) {
      this.pass(
        checkpoint,
        standing,
        [p(`Right: ${pointsWords(this.worth(checkpoint, standing))}.`)],
        [finding(true)],
      );
      this.restart(checkpoint.situation, kind.run(source));
      return yes([checkpoint.id]);
    }
    standing.wrong++;
    standing.earned = 0;
    const left = (retry === 'first' ? 1 : reveal_after) - standing.wrong;
    const revealed = left <= 0;
    standing.state = revealed ? 'revealed' : 'failed';
    const say = told === null ? [p('That is not what the machine does.')] : [...told.say];
    say.push(
      p(
        revealed
          ? `The machine answers: ${key.words}.`
          : `${attemptsWords(left)} before the answer is shown.`,
      ),
    );
    standing.verdict = {
      passed: false,
      points: 0,
      misconception: told?.misconception ?? null,
      say,
      findings: [finding(revealed)],
    };
    if (!revealed) return yes();
    standing.answer = key.answer;
    this.restart(checkpoint.situation, kind.run(source));
    return yes([checkpoint.id]);
  }

  private giveUp(checkpoint: Checkpoint, standing: Standing, way: readonly Action[]): Applied {
    standing.state = 'revealed';
    standing.earned = 0;
    const watch = this.watches.find((other) => other.checkpoint === checkpoint);
    standing.verdict = {
      passed: false,
      points: 0,
      misconception: null,
      say: [p('This is one way to do it. The machine has just gone it; step back to see how.')],
      findings: [...(watch?.watcher.look().findings ?? [])],
    };
    this.restart(this.step.situation, way);
    return yes([checkpoint.id]);
  }

  private pass(checkpoint: Checkpoint, standing: Standing, say: Block[], findings: readonly Finding[]): void {
    const points = this.worth(checkpoint, standing);
    standing.state = 'passed';
    standing.earned = Math.max(0, points - standing.hintCosts);
    standing.verdict = { passed: true, points, misconception: null, say, findings: [...findings] };
  }

  /** Points for passing now, before hints. */
  private worth(checkpoint: Checkpoint, standing: Standing): number {
    return Math.max(0, checkpoint.source.points - this.lab.source.policy.wrong_costs * standing.wrong);
  }

  private hint(id: string): Applied {
    const checkpoint = this.find(id);
    if (typeof checkpoint === 'string') return no(checkpoint);
    const standing = this.standings.get(id)!;
    const hint = checkpoint.hints[standing.hints];
    if (!hint) return no('All hints of this checkpoint are open.');
    standing.hints++;
    if (!this.settled(id)) standing.hintCosts += hint.cost;
    return yes();
  }

  private settled(id: string): boolean {
    const { state } = this.standings.get(id)!;
    return state === 'passed' || state === 'revealed';
  }

  private standing(checkpoint: Checkpoint): CheckpointProgress {
    const { state, attempts, earned, hints, answer, verdict } = this.standings.get(checkpoint.id)!;
    return {
      id: checkpoint.id,
      state,
      attempts,
      earned,
      hints: checkpoint.hints.slice(0, hints).map(({ say }) => [...say]),
      answer: answer === null || typeof answer === 'string' ? answer : [...answer],
      verdict,
    };
  }
}

const keys = new WeakMap<Checkpoint, Key>();

/** How the machine answers a checkpoint. Run once for a lab; every session of it asks the same machine. */
export function keyOf(lab: Lab, checkpoint: Checkpoint): Key {
  const known = keys.get(checkpoint);
  if (known) return known;
  const kind = kindOf(checkpoint.source);
  if (kind.how !== 'answered') throw new TypeError(`${checkpoint.id} takes no answer`);
  const key = kind.key(checkpoint.source, lab.source.platform, checkpoint.situation);
  keys.set(checkpoint, key);
  return key;
}

function fresh(): Standing {
  return {
    state: 'open',
    attempts: 0,
    wrong: 0,
    earned: 0,
    hints: 0,
    hintCosts: 0,
    answer: null,
    verdict: null,
  };
}

function yes(settled: readonly string[] = []): Applied {
  return { accepted: true, settled };
}

function no(refused: string): Applied {
  return { accepted: false, refused };
}

function p(value: string): Block {
  return { type: 'p', children: [{ type: 'text', value }] };
}

function pointsWords(points: number): string {
  return points === 1 ? '1 point' : `${points} points`;
}

function attemptsWords(left: number): string {
  return left === 1 ? 'One more attempt' : `${left} more attempts`;
}
