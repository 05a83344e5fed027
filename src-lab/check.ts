import { STEP_LIMIT, Timeline } from '../src-sim';
import { commandOf } from '../src-sim/scenario/action';
import { matches } from '../src-sim/scenario/condition';
import { readAttempt, type Attempt } from './attempt';
import { arrange, type Answer, type AnsweredKind, type Key } from './checkpoints/kind';
import { kindOf } from './checkpoints/kinds';
import { plain } from './guide';
import type { Input } from './input';
import { didYouMean, sortIssues, type LabIssue, type Place } from './issue';
import { loadLab, type Checkpoint, type Lab, type LabFiles } from './lab';
import { Machines, perform } from './machines';
import { answersMeant } from './mutants';
import { LabSource, SolutionSource, WrongSource, type CheckpointSource, type Facts } from './schema';
import { keyOf, LabSession } from './session';
import { canonical } from './transcript';
import type { Block, CheckpointProgress, Inline } from './view';
import { readYaml, type Path } from './yaml';

/** What a check found, and the figures that it prints. */
export interface Check {
  readonly issues: readonly LabIssue[];
  /** Null when the lab could not be loaded. */
  readonly lab: Lab | null;
  readonly solutions: number;
  readonly wrong: number;
  /** Altered answers that were tried in place of the solution's. */
  readonly mutants: number;
  /** Minutes that reading guide and questions takes, at 200 words a minute. */
  readonly reading: number;
}

const WORDS_A_MINUTE = 200;
const SOLUTION = /^solution(?:-[0-9]+)?\.yaml$/;
const WRONG = /^wrong\/[a-z0-9]+(?:-[a-z0-9]+)*\.yaml$/;

/**
 * Checks a lab as its author must leave it: it loads; every solution earns every point and none of its answers can be
 * changed without losing some; nothing is earned by doing nothing, and every checkpoint can be failed; every hint opens
 * and every feedback is told to somebody; every wrong attempt is told the misconception it names, and every
 * misconception has one; all cited facts are known; nothing else lies about.
 *
 * @param files - all files of the lab's folder.
 * @param facts - the facts that may be cited: those of `labs/facts`.
 * @returns every issue, in file order. Never throws.
 */
export function checkLab(files: LabFiles, facts: Facts): Check {
  const issues: LabIssue[] = [];
  for (const file of files.keys()) {
    if (file === 'lab.yaml' || file === 'guide.md' || SOLUTION.test(file) || WRONG.test(file)) continue;
    const remedy = 'A lab has lab.yaml, guide.md, solution.yaml, solution-2.yaml, wrong/NAME.yaml.';
    issues.push({ file, line: 1, column: 1, message: 'This file does not belong to a lab.', remedy });
  }
  const load = loadLab(files);
  if (!load.ok) {
    return {
      issues: sortIssues([...issues, ...load.issues]),
      lab: null,
      solutions: 0,
      wrong: 0,
      mutants: 0,
      reading: 0,
    };
  }
  const checker = new Checker(load.lab, files, facts, issues);
  checker.facts();
  checker.words();
  checker.comesToRest();
  checker.keys();
  checker.nothingForNothing();
  checker.solutionFiles();
  checker.wrongFiles();
  checker.feedback();
  const reading = checker.readingTime();
  const { solutions, wrong, mutants } = checker;
  return { issues: sortIssues(issues), lab: load.lab, solutions, wrong, mutants, reading };
}

class Checker {
  solutions = 0;
  wrong = 0;
  mutants = 0;
  /** Per checkpoint, first blocks of what attempts were told. A block stands for the text it begins. */
  private readonly told = new Map<string, Set<Block>>();

  constructor(
    private readonly lab: Lab,
    private readonly files: LabFiles,
    private readonly known: Facts,
    private readonly issues: LabIssue[],
  ) {}

  /** Every fact that the lab cites is known. */
  facts(): void {
    const cite = (file: string, id: string, needle: string): void => {
      if (Object.hasOwn(this.known, id)) return;
      const remedy = didYouMean(id, Object.keys(this.known));
      this.issue(file, this.textPlace(file, needle), `There is no fact "${id}".`, remedy);
    };
    for (const { source } of this.lab.checkpoints) for (const id of source.facts) cite('lab.yaml', id, id);
    const lab = this.lab.checkpoints.flatMap(({ ask, hints, feedback }) => [
      ...ask,
      ...hints.flatMap(({ say }) => say),
      ...feedback.flatMap(({ say }) => say),
    ]);
    lab.push(...this.lab.diagrams.flatMap(({ text }) => text));
    for (const id of new Set(factsOf(lab))) cite('lab.yaml', id, `:fact[${id}]`);
    for (const id of new Set(factsOf(this.lab.steps.flatMap(({ body }) => body))))
      cite('guide.md', id, `:fact[${id}]`);
  }

  /** What is done to the machine on the learner's behalf ends. */
  comesToRest(): void {
    for (const { id, source, ground } of this.lab.checkpoints) {
      const kind = kindOf(source);
      const run =
        kind.how === 'answered' ? kind.runs(source) : kind.how === 'watched' ? kind.way(source) : [];
      const timeline = new Timeline(ground.platform);
      const actions = [...ground.situation, ...run];
      const endless = actions.find((action) => timeline.perform(action).kind === 'limit');
      if (endless === undefined) continue;
      this.issue(
        'lab.yaml',
        this.textPlace('lab.yaml', `id: ${id}`),
        `"${commandOf(endless)}" of "${id}" does not come to rest.`,
        `It is cut off after ${STEP_LIMIT} steps. Choose actions that end.`,
      );
    }
  }

  /** Whatever a learner may be shown says something: Markdown can be there and yet be nothing. */
  words(): void {
    const { checkpoints, diagrams, misconceptions } = this.lab;
    const say = (blocks: readonly Block[], what: string, path: Path): void => {
      if (wordsOf(blocks).trim() === '') this.inLab(path, `${what} says nothing.`, 'Write words.');
    };
    checkpoints.forEach(({ id, ask, hints, feedback, source, model }, i) => {
      const path = ['checkpoints', i];
      if (source.kind === 'explain') say(model, `The model answer of "${id}"`, [...path, 'model']);
      say(ask, `The question of "${id}"`, [...path, 'ask']);
      hints.forEach((hint, n) => say(hint.say, `Hint ${n + 1} of "${id}"`, [...path, 'hints', n]));
      feedback.forEach((entry, n) =>
        say(entry.say, `Feedback ${n + 1} of "${id}"`, [...path, 'feedback', n]),
      );
    });
    for (const { id, text } of diagrams)
      say(text, `The text of the diagram "${id}"`, ['diagrams', id, 'text']);
    for (const [id, misconception] of misconceptions)
      say(misconception.say, `The misconception "${id}"`, ['misconceptions', id]);
  }

  /** The machine answers every question; the answer can be given, others fail, no feedback calls it a misconception. */
  keys(): void {
    for (const checkpoint of this.lab.checkpoints) {
      const { source, id } = checkpoint;
      const kind = kindOf(source);
      if (kind.how !== 'answered') continue;
      const key = keyOf(checkpoint);
      const { ground } = checkpoint;
      const at = this.textPlace('lab.yaml', `id: ${id}`);
      const doubt = kind.doubt(source, key, ground);
      if (doubt !== null) {
        this.issue('lab.yaml', at, doubt.message, doubt.remedy);
        continue;
      }
      const unfit = kind.unfit(source, key.answer, ground);
      if (
        unfit !== null &&
        !(source.kind === 'predict' && source.choices === undefined && key.words === 'none')
      ) {
        this.issue(
          'lab.yaml',
          at,
          `The machine's answer to "${id}" cannot be given: ${unfit}`,
          `The machine answers: ${key.words}.`,
        );
      } else if (kind.grade(source, key, key.answer, 0, ground).feedback !== null) {
        this.issue(
          'lab.yaml',
          at,
          `Feedback of "${id}" calls the right answer a misconception.`,
          `The machine answers: ${key.words}.`,
        );
      }
      const others = kind.mutants(source, key, key.answer, ground);
      const fails = others.some(
        (other) =>
          kind.unfit(source, other, ground) === null && !kind.grade(source, key, other, 0, ground).passed,
      );
      if (others.length > 0 && !fails)
        this.issue('lab.yaml', at, `No answer to "${id}" fails.`, 'Let some answer be wrong.');
    }
  }

  /** Doing nothing earns nothing, and the way that a `state` checkpoint shows leads to its goals. */
  nothingForNothing(): void {
    const { lab } = this;
    for (const { source, step: of } of lab.checkpoints) {
      const kind = kindOf(source);
      if (kind.how !== 'watched') continue;
      const step = lab.steps.find(({ id }) => id === of)!;
      const { timelines } = new Machines(step.rig, step.situation);
      const watcher = kind.watch(source, timelines);
      timelines.forEach((timeline, i) => (timeline.onMoment = () => watcher.observe(i)));
      const at = this.textPlace('lab.yaml', `id: ${source.id}`);
      if (watcher.look().passed) {
        this.issue(
          'lab.yaml',
          at,
          `The goals of "${source.id}" hold before anything is done.`,
          'Ask for something that must be brought about.',
        );
      }
      const way = kind.way(source).map((act) => ({ act }));
      for (const timeline of timelines) perform(timeline, way);
      const look = watcher.look();
      if (look.passed) continue;
      const missed = look.findings
        .filter(({ holds }) => !holds)
        .map(
          ({ expected, observed }) => `expected ${expected ?? 'nothing'}, observed ${observed ?? 'nothing'}`,
        );
      this.issue(
        'lab.yaml',
        at,
        `The way of "${source.id}" does not reach its goals.`,
        `${missed.join('; ')}.`,
      );
    }
    for (const [i, step] of lab.steps.entries()) {
      if (!step.gate) continue;
      const at = this.textPlace('lab.yaml', `id: ${step.id}`);
      if (!lab.checkpoints.some(({ step: of }) => of === step.id)) {
        this.issue(
          'lab.yaml',
          at,
          `The gate of "${step.id}" has nothing to wait for.`,
          'Give the step a checkpoint, or remove the gate.',
        );
      } else if (i === lab.steps.length - 1) {
        this.issue(
          'lab.yaml',
          at,
          `The gate of "${step.id}" leads nowhere.`,
          'Remove the gate of the last step.',
        );
      }
    }
    const score = new LabSession(lab, NOBODY).progress().score;
    if (score !== 0) this.issue('lab.yaml', START, `An empty attempt earns ${score} points.`, '');
  }

  /** Every solution earns everything, and each of its answers matters. */
  solutionFiles(): void {
    const seen = new Set<string>();
    if (!this.files.has('solution.yaml'))
      this.issue(
        'solution.yaml',
        START,
        'The lab has no solution.yaml.',
        'Write the inputs that earn every point.',
      );
    for (const [file, text] of this.files) {
      if (!SOLUTION.test(file)) continue;
      const read = readYaml(SolutionSource, file, text);
      const attempt = read.ok ? readAttempt(file, read.file) : null;
      this.issues.push(...(read.ok ? attempt!.issues : read.issues));
      if (attempt === null || attempt.issues.length > 0) continue;
      this.solutions++;
      const inputs = canonical(attempt.inputs.map(({ input }) => input));
      if (seen.has(inputs))
        this.issue(file, START, 'This solution is the same as another.', 'Go another way, or remove it.');
      seen.add(inputs);
      const session = this.play(file, attempt);
      if (session === null) continue;
      const { score, points, checkpoints } = session.progress();
      if (score !== points) {
        const short = checkpoints.filter(
          ({ id, earned }) => earned < this.lab.checkpoints.find((c) => c.id === id)!.source.points,
        );
        this.issue(
          file,
          START,
          `The solution earns ${score} of ${points} points.`,
          `Short of points: ${short.map(said).join('; ')}.`,
        );
        continue;
      }
      this.mutate(file, attempt);
      if (this.solutions === 1) this.hints(file, attempt);
    }
  }

  /**
   * Tries other answers in place of each that the solution gives: one that earns as much is a hole. A score is a sum
   * over checkpoints, so one that fails here, or is refused, has lost its points - unless the solution answers the
   * checkpoint once more, or the answer passes: only these are played to the end.
   */
  private mutate(file: string, attempt: Attempt): void {
    const answers = attempt.inputs.flatMap(({ input }) =>
      input.kind === 'answer' ? [input.checkpoint] : [],
    );
    attempt.inputs.forEach(({ input, line, column }, i) => {
      if (input.kind !== 'answer') return;
      const checkpoint = this.lab.checkpoints.find(({ id }) => id === input.checkpoint)!;
      const { source, ground } = checkpoint;
      const kind = kindOf(source);
      if (kind.how !== 'answered') return;
      const key = keyOf(checkpoint);
      const once = answers.filter((id) => id === input.checkpoint).length === 1;
      for (const answer of kind.mutants(source, key, input.answer, ground)) {
        this.mutants++;
        const passes =
          kind.unfit(source, answer, ground) === null && kind.grade(source, key, answer, 0, ground).passed;
        if (once && !passes) continue;
        const session = new LabSession(this.lab, NOBODY);
        for (const [j, { input: other }] of attempt.inputs.entries()) {
          session.apply(j === i ? ({ ...input, answer } as Input) : other); // what a gate then refuses earns nothing
        }
        if (session.progress().score < this.lab.points) continue;
        const message = `"${input.checkpoint}" is passed as well by the answer ${[answer].flat().join(', ')}.`;
        this.issue(file, { line, column }, message, 'Let only the right answer pass.');
      }
    });
  }

  /** Opens every hint as soon as its checkpoint is there, and goes the solution's way: only the hints' price is lost. */
  private hints(file: string, attempt: Attempt): void {
    const { lab } = this;
    const session = new LabSession(lab, NOBODY);
    const open = (): void => {
      for (const { id, step, hints } of lab.checkpoints) {
        if (step !== session.step.id) continue;
        for (let n = 0; n < hints.length; n++) session.apply({ kind: 'hint', checkpoint: id });
      }
    };
    open();
    for (const { input } of attempt.inputs) {
      session.apply(input);
      if (input.kind === 'goto') open();
    }
    for (const { id, hints, earned } of session.progress().checkpoints) {
      const checkpoint = lab.checkpoints.find((other) => other.id === id)!;
      const left = checkpoint.source.points - checkpoint.hints.reduce((sum, { cost }) => sum + cost, 0);
      const at = this.textPlace('lab.yaml', `id: ${id}`);
      if (hints.length < checkpoint.hints.length)
        this.issue('lab.yaml', at, `A hint of "${id}" cannot be opened.`, `${file} never comes to its step.`);
      else if (earned !== left)
        this.issue('lab.yaml', at, `With all hints "${id}" earns ${earned} points, not ${left}.`, '');
    }
  }

  /** Every wrong attempt fails with the misconception it names; every misconception has such an attempt. */
  wrongFiles(): void {
    const { lab } = this;
    const reached = new Set<string>();
    for (const [file, text] of this.files) {
      if (!WRONG.test(file)) continue;
      const read = readYaml(WrongSource, file, text);
      if (!read.ok) {
        this.issues.push(...read.issues);
        continue;
      }
      const { checkpoint: id, misconception, event } = read.file.value;
      const checkpoint = lab.checkpoints.find((other) => other.id === id);
      const unknown = (key: string, what: string, name: string, names: Iterable<string>): void =>
        this.issue(file, read.file.at([key]), `There is no ${what} "${name}".`, didYouMean(name, names));
      if (!checkpoint)
        unknown(
          'checkpoint',
          'checkpoint',
          id,
          lab.checkpoints.map((other) => other.id),
        );
      if (!lab.misconceptions.has(misconception))
        unknown('misconception', 'misconception', misconception, lab.misconceptions.keys());
      const attempt = readAttempt(file, read.file);
      this.issues.push(...attempt.issues);
      if (!checkpoint || attempt.issues.length > 0) continue;
      this.wrong++;
      const session = this.play(file, attempt);
      if (session === null) continue;
      const progress = session.progress().checkpoints.find((other) => other.id === id)!;
      if (progress.state === 'passed') {
        this.issue(
          file,
          START,
          `The wrong attempt passes "${id}".`,
          'Correct the checkpoint or the attempt.',
        );
      } else if (progress.verdict?.misconception !== misconception) {
        const told = progress.verdict?.misconception ?? 'no misconception';
        this.issue(
          file,
          START,
          `The attempt is told "${told}", not "${misconception}".`,
          'Add or correct the feedback.',
        );
      } else {
        reached.add(misconception);
        if (event !== undefined) {
          const kind = kindOf(checkpoint.source);
          const pointed =
            kind.how === 'answered' && !kind.demonstratesAttempts
              ? runEvent(checkpoint, keyOf(checkpoint), kind)
              : findingEvents(session, progress);
          if (!pointed.some((found) => matches(found, event))) {
            this.issue(
              file,
              read.file.at(['event']),
              'The finding does not point to this event.',
              `It points to ${pointed.map(({ name }) => name).join(', ') || 'none'}.`,
            );
          }
        }
      }
    }
    for (const id of lab.misconceptions.keys()) {
      if (reached.has(id)) continue;
      this.issue(
        'lab.yaml',
        this.textPlace('lab.yaml', `${id}:`),
        `No wrong attempt meets the misconception "${id}".`,
        'Write wrong/NAME.yaml for it.',
      );
    }
  }

  /** Every feedback is told to somebody: to an answer it is meant for, or else in one of the attempts. */
  feedback(): void {
    this.lab.checkpoints.forEach((checkpoint, i) => {
      const { source, id, ground } = checkpoint;
      const kind = kindOf(source);
      checkpoint.feedback.forEach(({ say, misconception }, entry) => {
        const path = ['checkpoints', i, 'feedback', entry];
        const meant = kind.how === 'answered' ? answersMeant(checkpoint, keyOf(checkpoint), entry) : null;
        if (kind.how !== 'answered' || meant === null) {
          if (this.told.get(id)?.has(say[0]!)) return;
          const remedy = 'Write a wrong attempt that meets it, or remove it.';
          this.inLab(path, `No attempt is told this feedback of "${id}" (${misconception}).`, remedy);
          return;
        }
        const key = keyOf(checkpoint);
        const isTold = (answer: Answer): boolean => {
          if (kind.unfit(source, answer, ground) !== null) return false;
          const graded = kind.grade(source, key, answer, 0, ground);
          return !graded.passed && graded.feedback === entry;
        };
        if (meant.some(isTold) || this.told.get(id)?.has(say[0]!)) return;
        const remedy = 'An earlier entry fits first, or no wrong answer meets its condition.';
        this.inLab(path, `No answer to "${id}" is told this feedback (${misconception}).`, remedy);
      });
    });
  }

  readingTime(): number {
    const prose = [
      ...this.lab.steps.flatMap(({ body }) => body),
      ...this.lab.checkpoints.flatMap(({ ask }) => ask),
    ];
    const words = wordsOf(prose)
      .split(/\s+/)
      .filter((word) => word !== '').length;
    const minutes = Math.ceil(words / WORDS_A_MINUTE);
    if (minutes > this.lab.source.minutes) {
      this.issue(
        'lab.yaml',
        this.textPlace('lab.yaml', 'minutes:'),
        `Reading alone takes ${minutes} minutes.`,
        'Shorten the guide, or allow more minutes.',
      );
    }
    return minutes;
  }

  /** Plays an attempt, every input of which must be accepted. */
  private play(file: string, attempt: Attempt): LabSession | null {
    const session = new LabSession(this.lab, NOBODY);
    for (const { input, line, column } of attempt.inputs) {
      const applied = session.apply(input);
      if (applied.accepted) {
        for (const { id, verdict } of session.progress().checkpoints) {
          if (verdict?.say[0] === undefined) continue;
          const told = this.told.get(id) ?? new Set();
          this.told.set(id, told.add(verdict.say[0]));
        }
        continue;
      }
      this.issue(file, { line, column }, `This input is refused: ${applied.refused}`, '');
      return null;
    }
    return session;
  }

  /** An issue of `lab.yaml` at a path. The file is read once more for its places: issues are few. */
  private inLab(path: Path, message: string, remedy: string): void {
    const read = readYaml(LabSource, 'lab.yaml', this.files.get('lab.yaml')!);
    this.issue('lab.yaml', read.ok ? read.file.at(path) : START, message, remedy);
  }

  /** Place of the first occurrence of `needle`. */
  private textPlace(file: string, needle: string): Place {
    const before = (this.files.get(file) ?? '').split(needle, 2);
    if (before.length < 2) return START;
    const lines = before[0]!.split('\n');
    return { line: lines.length, column: lines.at(-1)!.length + 1 };
  }

  private issue(file: string, { line, column }: Place, message: string, remedy: string): void {
    this.issues.push({ file, line, column, message, remedy });
  }
}

const START: Place = { line: 1, column: 1 };
/** The session of no learner. */
const NOBODY = '00000000-0000-4000-8000-000000000000';

function runEvent(
  { source, ground }: Checkpoint,
  { event, answer }: Key,
  kind: AnsweredKind<CheckpointSource>,
) {
  if (event === null) return [];
  const timeline = arrange(ground);
  perform(timeline, kind.demonstrate(source, answer));
  const { trace } = timeline.machine;
  return event >= trace.first && event < trace.count ? [trace.event(event)] : [];
}

function findingEvents(session: LabSession, { verdict }: CheckpointProgress) {
  const { trace } = session.timeline.machine;
  return (verdict?.findings ?? []).flatMap(({ event }) =>
    event !== null && event >= trace.first && event < trace.count ? [trace.event(event)] : [],
  );
}

function said({ id, state, earned }: CheckpointProgress): string {
  return `${id} (${state}, ${earned})`;
}

function inlinesOf(blocks: readonly Block[]): Inline[] {
  return blocks.flatMap((block): Inline[] => {
    switch (block.type) {
      case 'p':
      case 'h':
        return [...block.children, { type: 'text', value: ' ' }];
      case 'list':
        return block.items.flatMap(inlinesOf);
      case 'quote':
      case 'note':
        return inlinesOf(block.children);
      case 'table':
        return [block.head, ...block.rows].flat(2);
      case 'try':
        return [{ type: 'text', value: ` ${block.label} ` }];
      case 'code':
        return [{ type: 'code', value: ` ${block.value} ` }];
      case 'checkpoint':
      case 'diagram':
        return [];
    }
  });
}

function wordsOf(blocks: readonly Block[]): string {
  return plain(inlinesOf(blocks));
}

function factsOf(blocks: readonly Block[]): string[] {
  const facts = (inlines: readonly Inline[]): string[] =>
    inlines.flatMap((inline) =>
      inline.type === 'fact' ? [inline.value] : 'children' in inline ? facts(inline.children) : [],
    );
  return facts(inlinesOf(blocks));
}
