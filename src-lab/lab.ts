import type { Action } from '../src-sim/scenario/action';
import { Timeline } from '../src-sim';
import type { Platform, Switches } from '../src-sim/scenario/platform';
import { patternFault } from './action-pattern';
import { KINDS, kindOf } from './checkpoints/kinds';
import type { Ground, Lint } from './checkpoints/kind';
import { diagramFaults, figureOf, type DiagramSource } from './diagram';
import { forbidden, misfit, type Allowed } from './fits';
import { readGuide, readProse, type Guide, type Placement } from './guide';
import { didYouMean, sortIssues, type LabIssue, type Place } from './issue';
import type { Rig } from './machines';
import { LabSource, type CheckpointSource } from './schema';
import { sha256Hex } from './transcript';
import type { Block } from './view';
import { readYaml, type Path, type YamlFile } from './yaml';

/** Texts of one lab by path relative to its folder, with `/` between parts. */
export type LabFiles = ReadonlyMap<string, string>;

/** A step, ready to be visited. */
export interface Step {
  readonly id: string;
  readonly title: string;
  readonly gate: boolean;
  /** Whether a visit begins with a machine of its own. */
  readonly fresh: boolean;
  /** Actions from power-on that lead to where it begins: its own, or those of the nearest earlier step that has some. */
  readonly situation: readonly Action[];
  /** Its machine, or the two that it compares: its own, or those of the nearest earlier step with a setup. */
  readonly rig: Rig;
  /** Actions that it accepts. */
  readonly allowed: Allowed;
  readonly body: readonly Block[];
}

/** A misconception: what a learner who holds it is told. */
export interface Misconception {
  readonly name: string;
  readonly say: readonly Block[];
}

/** A checkpoint with its prose read. */
export interface Checkpoint {
  readonly id: string;
  readonly step: string;
  readonly source: CheckpointSource;
  readonly ask: readonly Block[];
  readonly hints: readonly { readonly cost: number; readonly say: readonly Block[] }[];
  /** Per entry of `source.feedback`: the misconception it names, and what is said. */
  readonly feedback: readonly { readonly misconception: string; readonly say: readonly Block[] }[];
  /** Actions from power-on before its run. */
  readonly situation: readonly Action[];
  /** The machines on which its run is shown: those of its step, or one with switches of its own. */
  readonly rig: Rig;
  /** The machine that it is about. */
  readonly ground: Ground;
  /** `explain`: a model answer; else nothing. */
  readonly model: readonly Block[];
}

/** A picture of the guide, with the words that stand for it read. */
export interface Diagram {
  readonly id: string;
  readonly source: DiagramSource;
  readonly text: readonly Block[];
}

/** A comparison of two machines must begin anew, and so must whatever follows it. */
const NO_SETUP = 'Machines are built with their switches: give the step a setup.';

/** A lab that holds together: everything that it names exists. Immutable, shared by sessions. */
export interface Lab {
  readonly source: LabSource;
  readonly id: string;
  readonly steps: readonly Step[];
  readonly checkpoints: readonly Checkpoint[];
  readonly diagrams: readonly Diagram[];
  readonly misconceptions: ReadonlyMap<string, Misconception>;
  readonly points: number;
  /** SHA-256 over what a learner meets: `lab.yaml` and `guide.md`. Solutions do not count. */
  readonly contentHash: string;
}

export type LabLoad =
  { readonly ok: true; readonly lab: Lab } | { readonly ok: false; readonly issues: readonly LabIssue[] };

const MAX_TEXT = 256 * 1024;

/**
 * Reads a lab: its `lab.yaml` and `guide.md`.
 *
 * @param files - other files of the lab are ignored here; `checkLab` reads them.
 * @returns the lab, or every issue in file order. Never throws, whatever the texts.
 */
export function loadLab(files: LabFiles): LabLoad {
  const yaml = files.get('lab.yaml');
  const guideText = files.get('guide.md');
  const missing = (file: string): LabIssue => ({
    file,
    line: 1,
    column: 1,
    message: `The lab has no ${file}.`,
    remedy: 'Every lab has lab.yaml and guide.md.',
  });
  if (yaml === undefined) return { ok: false, issues: [missing('lab.yaml')] };
  if (guideText === undefined) return { ok: false, issues: [missing('guide.md')] };
  for (const [file, text] of [['lab.yaml', yaml] as const, ['guide.md', guideText] as const]) {
    if (text.length <= MAX_TEXT) continue;
    const message = `The file is larger than ${MAX_TEXT / 1024} KiB.`;
    return { ok: false, issues: [{ file, line: 1, column: 1, message, remedy: 'Split the lab.' }] };
  }
  const read = readYaml(LabSource, 'lab.yaml', yaml);
  if (!read.ok) return { ok: false, issues: sortIssues(read.issues) };
  const loader = new Loader(read.file, readGuide(guideText, read.file.value.terms));
  const lab = loader.load(sha256Hex(`${yaml.length}\n${yaml}\n${guideText}`));
  if (loader.issues.length > 0) return { ok: false, issues: sortIssues(loader.issues) };
  return { ok: true, lab };
}

class Loader {
  readonly issues: LabIssue[] = [];
  private readonly source: LabSource;
  private readonly layout;

  constructor(
    private readonly file: YamlFile<LabSource>,
    private readonly guide: Guide,
  ) {
    this.source = file.value;
    this.layout = new Timeline(this.source.platform).machine.layout;
    this.issues.push(...guide.issues);
  }

  load(contentHash: string): Lab {
    const { source } = this;
    for (const [name, actions] of Object.entries(source.situations))
      this.actions(actions, ['situations', name]);
    const misconceptions = new Map(
      Object.entries(source.misconceptions).map(([id, { name, say }]) => [
        id,
        { name, say: this.prose(say, ['misconceptions', id, 'say']) },
      ]),
    );
    const steps = this.steps();
    const checkpoints = source.checkpoints.map((checkpoint, i) =>
      this.checkpoint(checkpoint, i, steps, misconceptions),
    );
    this.unique(
      source.checkpoints.map(({ id }) => id),
      (i) => ['checkpoints', i, 'id'],
      'checkpoint',
    );
    const diagrams = this.diagrams();
    this.placements();
    const points = source.checkpoints.reduce((sum, checkpoint) => sum + checkpoint.points, 0);
    return { source, id: source.id, steps, checkpoints, diagrams, misconceptions, points, contentHash };
  }

  private steps(): Step[] {
    const { source, guide } = this;
    this.unique(
      source.steps.map(({ id }) => id),
      (i) => ['steps', i, 'id'],
      'step',
    );
    let situation: readonly Action[] = [];
    let rig: Rig = [{ id: 'a', label: '', platform: source.platform }];
    const ids = source.steps.map(({ id }) => id);
    for (const [i, section] of guide.sections.entries()) {
      if (!ids.includes(section.id)) {
        this.inGuide(section, `There is no step "${section.id}".`, didYouMean(section.id, ids));
      } else if (guide.sections.findIndex(({ id }) => id === section.id) !== i) {
        this.inGuide(section, `The step "${section.id}" has a section already.`, 'Join the two.');
      }
    }
    const order = guide.sections
      .map(({ id }) => id)
      .filter((id, i, all) => ids.includes(id) && all.indexOf(id) === i);
    return source.steps.map((step, i) => {
      const path = ['steps', i, 'setup'];
      if (step.setup !== undefined) {
        situation = this.situation(step.setup, path);
        rig = this.rig(step);
      } else if (step.switches !== undefined) {
        this.issue(['steps', i, 'switches'], 'This step goes on with the machine of another.', NO_SETUP);
      } else if (step.compare !== undefined) {
        this.issue(['steps', i, 'compare'], 'This step goes on with the machine of another.', NO_SETUP);
      }
      for (const list of ['offer', 'lock'] as const) this.patterns(step[list] ?? [], ['steps', i, list]);
      const section = guide.sections.find(({ id }) => id === step.id);
      if (!section) {
        this.issue(
          ['steps', i, 'id'],
          `guide.md has no section for the step "${step.id}".`,
          `Add # Title {#${step.id}}.`,
        );
      } else if (order.length === ids.length && order[i] !== step.id) {
        this.inGuide(
          section,
          `The sections are not in the order of the steps.`,
          `Step ${i + 1} is "${step.id}".`,
        );
      }
      return {
        id: step.id,
        title: section?.title ?? step.id,
        gate: step.gate,
        fresh: step.setup !== undefined || i === 0,
        situation,
        rig,
        allowed: { only: step.offer ?? null, without: step.lock ?? [] },
        body: section?.blocks ?? [],
      };
    });
  }

  private rig({ switches, compare }: LabSource['steps'][number]): Rig {
    const platform = withSwitches(this.source.platform, switches);
    if (compare === undefined) return [{ id: 'a', label: '', platform }];
    const { a, b } = compare;
    return [
      { id: 'a', label: a.label, platform: withSwitches(platform, a.switches) },
      { id: 'b', label: b.label, platform: withSwitches(platform, b.switches) },
    ];
  }

  private checkpoint(
    source: CheckpointSource,
    index: number,
    steps: readonly Step[],
    misconceptions: ReadonlyMap<string, Misconception>,
  ): Checkpoint {
    const path: Path = ['checkpoints', index];
    const step = steps.find(({ id }) => id === source.step);
    if (!step) {
      const known = steps.map(({ id }) => id);
      this.issue([...path, 'step'], `There is no step "${source.step}".`, didYouMean(source.step, known));
    }
    const hints = 'hints' in source ? source.hints : [];
    const costs = hints.reduce((sum, { cost }) => sum + cost, 0);
    if (hints.length > 0 && costs >= source.points) {
      const remedy = 'Hints must leave at least one point.';
      this.issue([...path, 'hints'], `The hints cost ${costs} of ${source.points} points.`, remedy);
    }
    const own = 'situation' in source && source.situation !== undefined ? source.situation : null;
    const switched = 'switches' in source && source.switches !== undefined;
    const lint: Lint = {
      layout: this.layout,
      issue: (inner, message, remedy) => this.issue([...path, ...inner], message, remedy),
      actions: (actions, inner) => this.actions(actions, [...path, ...inner]),
      patterns: (patterns, inner) => this.patterns(patterns, [...path, ...inner]),
      on: (on, inner) => {
        if (on === undefined || (step !== undefined && step.rig.length > 1 && !switched)) return;
        this.issue([...path, ...inner], 'There is only one machine here.', 'Remove it, or compare two.');
      },
    };
    kindOf(source).lint(source, lint);
    if (source.kind === 'state' && step !== undefined) {
      source.way.forEach((action, i) => {
        const why = forbidden(action, step.allowed);
        if (why !== null) this.issue([...path, 'way', i], `The step does not accept this: ${why}`, '');
      });
    }
    const given = 'feedback' in source ? source.feedback : [];
    const feedback = given.map(({ misconception, say }, i) => {
      const known = misconceptions.get(misconception);
      if (!known) {
        const at = [...path, 'feedback', i, 'misconception'];
        this.issue(
          at,
          `There is no misconception "${misconception}".`,
          didYouMean(misconception, misconceptions.keys()),
        );
      }
      const told = say === undefined ? (known?.say ?? []) : this.prose(say, [...path, 'feedback', i, 'say']);
      return { misconception, say: told };
    });
    const situation = own === null ? (step?.situation ?? []) : this.situation(own, [...path, 'situation']);
    const first: Rig = step?.rig ?? [{ id: 'a', label: '', platform: this.source.platform }];
    const rig: Rig = switched
      ? [{ id: 'a', label: '', platform: withSwitches(this.source.platform, source.switches) }]
      : first;
    const on = 'on' in source && source.on === 'b' ? rig[1] : rig[0];
    return {
      id: source.id,
      step: source.step,
      source,
      ask: this.prose(source.ask, [...path, 'ask']),
      hints: hints.map(({ cost, say }, i) => ({
        cost,
        say: this.prose(say, [...path, 'hints', i, 'say']),
      })),
      feedback,
      situation,
      rig,
      ground: { platform: (on ?? rig[0]).platform, situation },
      model: source.kind === 'explain' ? this.prose(source.model, [...path, 'model']) : [],
    };
  }

  /** Every diagram holds together, and stands in the guide once. */
  private diagrams(): Diagram[] {
    const { guide, source } = this;
    const known = Object.keys(source.diagrams);
    const placed = new Set<string>();
    for (const placement of guide.diagrams) {
      const { id } = placement;
      if (!known.includes(id))
        this.inGuide(
          placement,
          `There is no diagram "${id}".`,
          didYouMean(id, known) || 'Add it to diagrams.',
        );
      else if (placed.has(id))
        this.inGuide(placement, `The diagram "${id}" stands in the guide already.`, 'Place it once.');
      placed.add(id);
    }
    return Object.entries(source.diagrams).map(([id, diagram]) => {
      const path = ['diagrams', id];
      if (!placed.has(id)) {
        const remedy = `Add ::diagram{id=${id}}.`;
        this.issue(path, `The guide does not place the diagram "${id}".`, remedy);
      }
      for (const { path: inner, message, remedy } of diagramFaults(figureOf(diagram)))
        this.issue([...path, ...inner], message, remedy);
      return { id, source: diagram, text: this.prose(diagram.text, [...path, 'text']) };
    });
  }

  /** Every checkpoint stands in the guide once, in the section of its step; every button fits the platform. */
  private placements(): void {
    const { guide, source } = this;
    const placed = new Map<string, Placement>();
    for (const placement of guide.checkpoints) {
      const { id } = placement;
      const checkpoint = source.checkpoints.find((other) => other.id === id);
      if (!checkpoint) {
        const known = source.checkpoints.map((other) => other.id);
        this.inGuide(placement, `There is no checkpoint "${id}".`, didYouMean(id, known));
      } else if (placed.has(id)) {
        this.inGuide(placement, `The checkpoint "${id}" stands in the guide already.`, 'Place it once.');
      } else if (placement.section !== '' && placement.section !== checkpoint.step) {
        this.inGuide(
          placement,
          `The checkpoint "${id}" belongs to the step "${checkpoint.step}".`,
          'Move it there.',
        );
      }
      placed.set(id, placement);
    }
    source.checkpoints.forEach(({ id }, i) => {
      if (placed.has(id)) return;
      this.issue(
        ['checkpoints', i, 'id'],
        `The guide does not place the checkpoint "${id}".`,
        `Add ::checkpoint{id=${id}}.`,
      );
    });
    for (const attempt of guide.tries) {
      const action = attempt.block.action as Action;
      const step = source.steps.find(({ id }) => id === attempt.section);
      const allowed = { only: step?.offer ?? null, without: step?.lock ?? [] };
      const why = forbidden(action, allowed);
      if (why !== null) this.inGuide(attempt, `The step does not accept this button's command: ${why}`, '');
      const wrong = misfit(source.platform, action);
      if (wrong) this.inGuide(attempt, `The button's command is wrong: ${wrong.message}`, wrong.remedy);
    }
  }

  private situation(setup: string | readonly Action[], path: Path): readonly Action[] {
    const { situations } = this.source;
    if (typeof setup !== 'string') {
      this.actions(setup, path);
      return setup;
    }
    if (Object.hasOwn(situations, setup)) return situations[setup]!;
    this.issue(path, `There is no situation "${setup}".`, didYouMean(setup, Object.keys(situations)));
    return [];
  }

  private actions(actions: readonly Action[], path: Path): void {
    actions.forEach((action, i) => {
      const wrong = misfit(this.source.platform, action);
      if (wrong) this.issue([...path, i, wrong.key], wrong.message, wrong.remedy);
    });
  }

  private patterns(patterns: readonly string[], path: Path): void {
    patterns.forEach((pattern, i) => {
      const fault = patternFault(pattern);
      if (fault) this.issue([...path, i], fault.message, fault.remedy);
    });
  }

  private prose(text: string, path: Path): Block[] {
    const { terms } = this.source;
    const place = (at: Place): Place => this.file.within(path, at);
    const prose = readProse(text, { file: 'lab.yaml', terms, place, guide: false });
    this.issues.push(...prose.issues);
    return prose.blocks;
  }

  private unique(ids: readonly string[], path: (i: number) => Path, what: string): void {
    ids.forEach((id, i) => {
      if (ids.indexOf(id) !== i) this.issue(path(i), `There are two ${what}s "${id}".`, 'Rename one.');
    });
  }

  private issue(path: Path, message: string, remedy: string): void {
    this.issues.push({ file: 'lab.yaml', ...this.file.at(path), message, remedy });
  }

  private inGuide({ line, column }: Place, message: string, remedy: string): void {
    this.issues.push({ file: 'guide.md', line, column, message, remedy });
  }
}

/** A platform with more switches. */
function withSwitches(platform: Platform, switches: Switches | undefined): Platform {
  return switches === undefined ? platform : { ...platform, switches: { ...platform.switches, ...switches } };
}

export { KINDS };
