import type { Timeline } from '../src-sim';
import type { Action } from '../src-sim/scenario/action';
import type { Stop } from '../src-sim/scenario/condition-schema';
import { StopSeeker } from '../src-sim/scenario/stop';
import type { Answer, AnsweredKind, Finding, Graded, Key, Watcher, WrittenKind } from './checkpoints/kind';
import { kindOf } from './checkpoints/kinds';
import { begun, watchGoal } from './checkpoints/schedule';
import { forbidden, misfit } from './fits';
import { hitView } from './hit';
import type { Input } from './input';
import { didYouMean } from './issue';
import type { Checkpoint, Lab, Step } from './lab';
import { Machines, type Deed, type Move, type Rig } from './machines';
import { faultsOf, rigOf } from './sandbox';
import { SANDBOX, type Setup } from './setup';
import type { CheckpointSource } from './schema';
import { MAX_INPUTS } from './transcript';
import type { ArrangedView, Block, CheckpointProgress, Hit, ProgressView, Verdict } from './view';

/** What became of an input. A refused one changed nothing and is no part of the transcript. */
export type Applied =
  | {
      readonly accepted: true;
      /** Checkpoints that it settled. */
      readonly settled: readonly string[];
      /** Which stop halted it; null when it went to its end. */
      readonly halted: Hit | null;
    }
  | { readonly accepted: false; readonly refused: string };

/** The answer by which a learner gives up a `state` checkpoint. */
export const GIVE_UP = 'give-up';
/** How a learner stands with a checkpoint. */
interface Standing {
  state: CheckpointProgress['state'];
  attempts: number;
  wrong: number;
  /** Points before the price of hints. */
  gross: number;
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

/** The machine is where the choices of a `schedule` checkpoint begin, or further on. */
interface Arranged {
  readonly checkpoint: Checkpoint;
  /** The machine of a comparison that it is about. */
  readonly timeline: Timeline;
  readonly from: number;
  readonly goal: Watcher;
}

/**
 * One learner at one lab: a reducer over inputs. The same lab and the same accepted inputs give the same progress and
 * the same machine, everywhere. Total: no input of the schema makes it throw.
 */
export class LabSession {
  /** The learner's machines. They are replaced when a situation begins anew. */
  private machines: Machines;
  /** Inputs accepted so far. */
  inputs = 0;
  /** What a sandbox was built as. */
  private built: (Pick<Step, 'situation' | 'rig'> & { readonly setup: Setup }) | null = null;
  private stepIndex = 0;
  private readonly standings: ReadonlyMap<string, Standing>;
  private watches: Watch[] = [];
  /** Moment of each machine at which watching began. */
  private watchedFrom: readonly number[] = [];
  private arranged: Arranged | null = null;
  /** Where the inputs have left the machine while another moment is looked at; null while it is shown. */
  private left: number | null = null;

  /** @param id - UUID of the session. */
  constructor(
    readonly lab: Lab,
    readonly id: string,
  ) {
    this.standings = new Map(lab.checkpoints.map((checkpoint) => [checkpoint.id, fresh()]));
    this.machines = new Machines(this.ground.rig, this.ground.situation);
    this.watch();
  }

  /** The machine that is shown. */
  get timeline(): Timeline {
    return this.machines.shown;
  }

  /** What a sandbox was built as; null in a lab. */
  get setup(): Setup | null {
    return this.built?.setup ?? null;
  }

  /** The machines, for whoever shows a comparison. */
  get rig(): Rig {
    return this.machines.rig;
  }
  get viewed(): number {
    return this.machines.viewed;
  }
  get timelines(): Machines['timelines'] {
    return this.machines.timelines;
  }
  get differences(): Machines['differences'] {
    return this.machines.differences;
  }
  /** What was done to the machines since power-on, on the line of history that is shown. */
  get deeds(): readonly Deed[] {
    return this.machines.deeds;
  }

  /** The step at which the learner is. */
  get step(): Step {
    return this.lab.steps[this.stepIndex]!;
  }

  /** Applies one input. Never throws. */
  apply(input: Input): Applied {
    this.peekNoMore();
    if (this.inputs >= MAX_INPUTS)
      return no(`A session has at most ${MAX_INPUTS} inputs. Begin the lab anew.`);
    const applied = this.dispatch(input);
    if (applied.accepted) this.inputs++;
    return applied;
  }

  /** Shows another moment without going there: it is no input, and the next one begins where the last one has ended. */
  peek(moment: number): Applied {
    const { moment: left } = this.timeline;
    const jumped = this.jump(moment);
    if (jumped.accepted) this.left ??= left;
    return jumped;
  }

  /** Shows the machine where the inputs have left it. */
  peekNoMore(): void {
    if (this.left !== null) this.machines.jump(this.left);
    this.left = null;
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
      complete: checkpoints.length > 0 && this.lab.checkpoints.every(({ id }) => this.settled(id)),
      arranged: this.arrangedView(),
    };
  }

  /**
   * Notes that the screen has been shown the trace of a machine as it is.
   *
   * @param i - index of the machine.
   * @returns how many events at its beginning were the same when this was called before.
   */
  shown(i: number): number {
    return this.machines.toldEvents(i);
  }

  private dispatch(input: Input): Applied {
    switch (input.kind) {
      case 'act': {
        const { action: act, hold, on, stops } = input;
        const why = forbidden(act, this.step.allowed) ?? this.misfits(act);
        if (why !== null) return no(why);
        return this.operate({ act, hold }, on, stops);
      }
      case 'step': {
        const { thread, times, on, stops } = input;
        const why = this.cannotStep(thread, on);
        return why === null ? this.operate({ thread, times }, on, stops) : no(why);
      }
      case 'run':
        if (this.actor(input.on).machine.nextThread() < 0)
          return no('Nothing can step: every thread is idle or waits.');
        return this.operate({ run: true }, input.on, input.stops);
      case 'jump':
        return this.jump(input.moment);
      case 'reset':
        this.restart(this.ground.situation, this.ground.rig);
        return yes();
      case 'build':
        return this.build(input.setup);
      case 'goto':
        return this.goto(input.step);
      case 'look':
        return this.look(input.at);
      case 'arrange':
        return this.arrange(input.checkpoint);
      case 'answer':
        return this.answer(input.checkpoint, input.answer);
      case 'hint':
        return this.hint(input.checkpoint);
    }
  }

  // The machine ----------------------------------------------------------------------------------------------------

  /** The situation and the machines with which the learner begins here. */
  private get ground(): Pick<Step, 'situation' | 'rig'> {
    return this.built ?? this.step;
  }

  /** @param on - the machine that alone makes the move. */
  private operate(move: Move, on?: 'a' | 'b', stops: readonly Stop[] = []): Applied {
    if (this.machines.full) return no('The history of this machine is full. Reset it to go on.');
    if (on !== undefined && this.built === null) return no('Both machines get the same inputs here.');
    if (on !== undefined && this.rig.length < 2) return no('There is only one machine here.');
    this.leaveLine();
    const seekers = this.timelines.map(() => (stops.length === 0 ? null : new StopSeeker(stops)));
    this.machines.operate([move], on === undefined ? null : this.indexOf(on), seekers);
    return yes(this.lookAtGoals(), this.halted(seekers));
  }

  /** Where the machine that is shown halted, else the other one of a comparison; null when neither did. */
  private halted(seekers: readonly (StopSeeker | null)[]): Hit | null {
    const { viewed, rig, timelines } = this.machines;
    const halted = seekers[viewed]?.hit ? viewed : seekers.findIndex((seeker) => seeker?.hit);
    const hit = seekers[halted]?.hit;
    if (!hit) return null;
    const view = hitView(hit, timelines[halted]!.past);
    return rig.length < 2 ? view : { ...view, on: rig[halted]!.id };
  }

  /** Why an action cannot be done on the machine of a sandbox: a file of what was done there must be one that runs. */
  private misfits(action: Action): string | null {
    if (this.setup === null) return null;
    const wrong = misfit(this.rig[0].platform, action);
    return wrong === null ? null : `${wrong.message} ${wrong.remedy}`.trim();
  }

  private indexOf(machine: 'a' | 'b'): number {
    return this.rig.findIndex(({ id }) => id === machine);
  }

  /** The machine that decides whether a move can be made: the one that makes it, else the one that is shown. */
  private actor(on?: 'a' | 'b'): Timeline {
    return (on === undefined ? undefined : this.timelines[this.indexOf(on)]) ?? this.timeline;
  }

  /** The first input of a sandbox: what its machine is. */
  private build(setup: Setup): Applied {
    if (this.lab.id !== SANDBOX) return no('The machine of a lab is built by its author.');
    if (this.inputs > 0) return no('This machine is built already. Begin the sandbox anew for another.');
    const [fault] = faultsOf(setup);
    if (fault !== undefined) return no(fault.say);
    this.built = { setup, rig: rigOf(setup), situation: setup.begin };
    this.restart(this.ground.situation, this.ground.rig);
    return yes();
  }

  private cannotStep(name: string, on?: 'a' | 'b'): string | null {
    const threads = this.actor(on).machine.threads();
    const thread = threads.find((other) => other.name === name);
    if (!thread) {
      const known = threads.map((other) => other.name);
      return `There is no thread "${name}". ${didYouMean(name, known)}`.trim();
    }
    if (thread.enabled) return null;
    const why = {
      idle: 'no call is under way on it',
      blocked: 'it sleeps in KVM',
      waiting: 'it waits for another thread',
      'in-guest': 'its guest has nothing to do',
      ready: 'it is not its turn',
    } as const;
    return `${name} cannot step: ${why[thread.status]}.`;
  }

  private jump(moment: number): Applied {
    const { timeline } = this;
    if (moment > timeline.last) return no(`This line of history has moments 0 to ${timeline.last}.`);
    this.machines.jump(moment);
    return yes();
  }

  private look(at: 'a' | 'b'): Applied {
    if (this.rig.length < 2) return no('There is only one machine here.');
    this.machines.viewed = this.indexOf(at);
    return yes();
  }

  /** Puts the learner's machines into a situation and, for all to see, does what follows there. */
  private restart(situation: readonly Action[], rig: Rig, moves: readonly Move[] = []): void {
    const { viewed } = this.machines;
    this.machines = new Machines(rig, situation);
    this.machines.viewed = Math.min(viewed, rig.length - 1);
    this.arranged = null;
    if (moves.length > 0) this.machines.operate(moves);
    this.watch();
  }

  // The choices of schedule checkpoints ----------------------------------------------------------------------------

  private arrange(id: string): Applied {
    const checkpoint = this.find(id);
    if (typeof checkpoint === 'string') return no(checkpoint);
    const { source } = checkpoint;
    if (source.kind !== 'schedule') return no('There is nothing to arrange for this checkpoint.');
    if (checkpoint.step !== this.step.id)
      return no(`This checkpoint belongs to another step. Go to "${checkpoint.step}" first.`);
    this.restart(checkpoint.situation, checkpoint.rig, begun(source));
    const on = source.on === 'b' ? 1 : 0;
    this.machines.viewed = on;
    const timeline = this.machines.timelines[on]!;
    this.arranged = { checkpoint, timeline, from: timeline.moment, goal: watchGoal(source, timeline) };
    return yes();
  }

  private arrangedView(): ArrangedView | null {
    if (this.arranged === null) return null;
    const { checkpoint, timeline, from, goal } = this.arranged;
    const picks = timeline.moment < from ? null : timeline.stepsSince(from);
    return picks === null ? null : { checkpoint: checkpoint.id, picks, holds: goal.look().passed };
  }

  // The goals of state checkpoints ---------------------------------------------------------------------------------

  /** Begins to watch the machine, as it is, for the checkpoints of this step that are not settled. */
  private watch(): void {
    const { machines, step } = this;
    const { timelines } = machines;
    // What another machine than the step's shows, does not count.
    const counts = machines.rig === step.rig;
    this.watches = this.lab.checkpoints.flatMap((checkpoint) => {
      const kind = kindOf(checkpoint.source);
      if (checkpoint.step !== step.id || kind.how !== 'watched' || this.settled(checkpoint.id)) return [];
      this.standings.get(checkpoint.id)!.verdict = counts ? null : otherMachine();
      if (!counts) return [];
      const watcher = kind.watch(checkpoint.source, timelines);
      const { passed, feedback } = watcher.look();
      return [{ checkpoint, watcher, heldAtFirst: passed, dormant: passed, told: feedback }];
    });
    this.watchedFrom = timelines.map(({ moment }) => moment);
    timelines.forEach((timeline, i) => {
      timeline.onMoment = () => {
        for (const { watcher } of this.watches) watcher.observe(i);
        if (this.arranged?.timeline === timeline) this.arranged.goal.observe(0);
      };
    });
  }

  /** Before something new is done at an earlier moment: what was reached later belongs to the line that is left. */
  private leaveLine(): void {
    const { timeline } = this;
    if (timeline.moment === timeline.last) return;
    if (timeline.moment < this.watchedFrom[this.viewed]!) return this.watch();
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
        this.pass(standing, this.worth(checkpoint.source.points, standing), look.findings);
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
    const { fresh } = this.step;
    const { situation, rig } = this.ground;
    // A machine that was built otherwise cannot go on here.
    if (fresh || this.machines.rig !== rig) this.restart(situation, rig);
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
      return this.giveUp(checkpoint, standing, kind.way(checkpoint.source));
    }
    if (kind.how === 'written') return this.write(kind, checkpoint, standing, answer);
    const unfit = kind.unfit(checkpoint.source, answer, checkpoint.ground);
    if (unfit !== null) return no(unfit);
    return this.grade(kind, checkpoint, standing, answer);
  }

  private write(
    kind: WrittenKind<CheckpointSource>,
    checkpoint: Checkpoint,
    standing: Standing,
    answer: Answer,
  ): Applied {
    const unfit = kind.unfit(checkpoint.source, answer);
    if (unfit !== null) return no(unfit);
    standing.attempts++;
    standing.answer = answer;
    const say = [p('This is one way to say it:'), ...checkpoint.model];
    standing.state = 'passed';
    standing.verdict = { passed: true, points: 0, misconception: null, say, findings: [] };
    return yes([checkpoint.id]);
  }

  private grade(
    kind: AnsweredKind<CheckpointSource>,
    checkpoint: Checkpoint,
    standing: Standing,
    answer: Answer,
  ): Applied {
    const { source } = checkpoint;
    const { retry, reveal_after } = this.lab.source.policy;
    const key = keyOf(checkpoint);
    const graded = kind.grade(source, key, answer, standing.wrong, checkpoint.ground);
    const worth = this.worth(graded.points, standing);
    standing.attempts++;
    standing.answer = answer;
    if (graded.passed) {
      this.pass(standing, worth, findingsOf(graded, key, true));
      this.demonstrate(kind, checkpoint, answer);
      return yes([checkpoint.id]);
    }
    standing.wrong++;
    standing.gross = retry === 'best' ? Math.max(standing.gross, worth) : worth;
    const left = (retry === 'first' ? 1 : reveal_after) - standing.wrong;
    const revealed = left <= 0;
    standing.state = revealed ? 'revealed' : 'failed';
    const told = graded.feedback === null ? null : checkpoint.feedback[graded.feedback]!;
    const say = told === null ? [p('That is not what the machine does.')] : [...told.say];
    if (graded.points > 0) say.push(p(`Part of it is right: ${pointsWords(worth)}.`));
    say.push(
      p(
        revealed
          ? (key.reveal ?? `The machine answers: ${key.words}.`)
          : `${attemptsWords(left)} before the answer is shown.`,
      ),
    );
    standing.verdict = {
      passed: false,
      points: worth,
      misconception: told?.misconception ?? null,
      say,
      findings: findingsOf(graded, key, revealed),
    };
    if (!revealed) {
      if (kind.demonstratesAttempts) this.demonstrate(kind, checkpoint, answer);
      return yes();
    }
    standing.answer = key.answer;
    this.demonstrate(kind, checkpoint, key.answer);
    return yes([checkpoint.id]);
  }

  private demonstrate(
    kind: AnsweredKind<CheckpointSource>,
    { source, situation, rig }: Checkpoint,
    answer: Answer,
  ): void {
    this.restart(situation, rig, kind.demonstrate(source, answer));
  }

  private giveUp(checkpoint: Checkpoint, standing: Standing, way: readonly Action[]): Applied {
    standing.state = 'revealed';
    standing.gross = 0;
    const watch = this.watches.find((other) => other.checkpoint === checkpoint);
    standing.verdict = {
      passed: false,
      points: 0,
      misconception: null,
      say: [p('This is one way to do it. The machine has just gone it; step back to see how.')],
      findings: [...(watch?.watcher.look().findings ?? [])],
    };
    const { situation, rig } = this.step;
    this.restart(
      situation,
      rig,
      way.map((act) => ({ act })),
    );
    return yes([checkpoint.id]);
  }

  private pass(standing: Standing, worth: number, findings: readonly Finding[]): void {
    const best = this.lab.source.policy.retry === 'best';
    const points = best ? Math.max(standing.gross, worth) : worth;
    standing.state = 'passed';
    standing.gross = points;
    const say = [p(`Right: ${pointsWords(points)}.`)];
    standing.verdict = { passed: true, points, misconception: null, say, findings: [...findings] };
  }

  /** What points are worth now, after the costs of wrong attempts and before those of hints. */
  private worth(points: number, standing: Standing): number {
    return Math.max(0, points - this.lab.source.policy.wrong_costs * standing.wrong);
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
    const { state, attempts, gross, hintCosts, hints, answer, verdict } = this.standings.get(checkpoint.id)!;
    return {
      id: checkpoint.id,
      state,
      attempts,
      earned: Math.max(0, gross - hintCosts),
      hints: checkpoint.hints.slice(0, hints).map(({ say }) => [...say]),
      answer: answer === null || typeof answer === 'string' ? answer : [...answer],
      verdict,
    };
  }
}

const keys = new WeakMap<Checkpoint, Key>();

/** How the machine answers a checkpoint. Run once for a lab; every session of it asks the same machine. */
export function keyOf(checkpoint: Checkpoint): Key {
  const known = keys.get(checkpoint);
  if (known) return known;
  const kind = kindOf(checkpoint.source);
  if (kind.how !== 'answered') throw new TypeError(`${checkpoint.id} takes no answer`);
  const key = kind.key(checkpoint.source, checkpoint.ground);
  keys.set(checkpoint, key);
  return key;
}

function fresh(): Standing {
  return {
    state: 'open',
    attempts: 0,
    wrong: 0,
    gross: 0,
    hints: 0,
    hintCosts: 0,
    answer: null,
    verdict: null,
  };
}

/** What is found: by performing the answer, or by comparing it with the machine's. */
function findingsOf(graded: Graded, key: Key, open: boolean): Finding[] {
  if (graded.findings !== null) {
    // Once the right answer is shown on the machine, the places of the wrong one are gone.
    const places = graded.passed || !open;
    return graded.findings.map((finding) => (places ? finding : { ...finding, moment: null, event: null }));
  }
  return [
    {
      expected: graded.words,
      observed: open ? key.words : graded.opened,
      moment: open ? key.moment : null,
      event: open ? key.event : null,
      holds: graded.passed,
    },
  ];
}

function otherMachine(): Verdict {
  const say = [p('This machine is built otherwise than the one of this step. Reset it to go on here.')];
  return { passed: false, points: 0, misconception: null, say, findings: [] };
}

function yes(settled: readonly string[] = [], halted: Hit | null = null): Applied {
  return { accepted: true, settled, halted };
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
