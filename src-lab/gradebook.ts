import { SIM_VERSION } from '../src-sim';
import { gradeTranscript, replay, type Grade } from './grade';
import type { Lab } from './lab';
import { LabSession } from './session';
import { parseTranscript, type TranscriptHead } from './transcript';
import type { ProgressView } from './view';

/** How one checkpoint of an attempt stands. */
export interface CheckpointMark {
  readonly id: string;
  readonly title: string;
  readonly state: ProgressView['checkpoints'][number]['state'];
  readonly attempts: number;
  readonly earned: number;
  readonly points: number;
  /** Hints that were opened. */
  readonly hints: number;
  /** What the last answer was told; null: nothing. */
  readonly misconception: string | null;
  /** Of an `explain` that was written: the text, and what its author says to look for. */
  readonly written?: { readonly text: string; readonly rubric: readonly string[] };
}

/** The score of an attempt: plain data that crosses threads and is printed. */
export interface Score {
  readonly lab: string;
  readonly title: string;
  /** Content hash of the lab. */
  readonly version: string;
  readonly session: string;
  /** Milliseconds since 1970. */
  readonly started: number;
  readonly inputs: number;
  /** From the start to the last input. */
  readonly milliseconds: number;
  readonly score: number;
  readonly points: number;
  readonly complete: boolean;
  readonly checkpoints: readonly CheckpointMark[];
  /** Hash of the machine at the end. */
  readonly machine: string;
}

/** Why a transcript has no score, and where. */
export interface Refused {
  readonly code: Extract<Grade, { ok: false }>['code'];
  readonly line: number;
  readonly column: number;
  readonly message: string;
  /** What it claims to be; null when it is damaged. */
  readonly head: TranscriptHead | null;
}

export type Mark = ({ readonly ok: true } & Score) | ({ readonly ok: false } & Refused);

/**
 * The mark of one transcript, as `gradeTranscript` gives it.
 *
 * @param text - as for `gradeTranscript`.
 */
export function markOf(text: string, find: (id: string) => Lab | null): Mark {
  const grade = gradeTranscript(text, find);
  if (grade.ok) {
    const { lab, transcript, progress, machine } = grade;
    return { ok: true, ...scoreOf(lab, transcript, progress), machine };
  }
  const { code, line, column } = grade;
  const read = code === 'damaged' ? null : parseTranscript(text);
  const head = read?.ok ? read.transcript.head : null;
  const here = code === 'other_lab_content' && head !== null ? find(head.lab) : null;
  const versions =
    here === null ? '' : ` Content then: ${short(head!.labHash)}, here: ${short(here.contentHash)}.`;
  return { ok: false, code, line, column, message: grade.message + versions, head };
}

/** A hash as people compare it. */
export function short(hash: string): string {
  return hash.slice(0, 12);
}

function scoreOf(
  lab: Lab,
  { head, entries }: { readonly head: TranscriptHead; readonly entries: readonly { readonly at: number }[] },
  progress: ProgressView,
): Omit<Score, 'machine'> {
  return {
    lab: lab.id,
    title: lab.source.title,
    version: lab.contentHash,
    session: head.session,
    started: head.started,
    inputs: entries.length,
    milliseconds: entries.at(-1)?.at ?? 0,
    score: progress.score,
    points: progress.points,
    complete: progress.complete,
    checkpoints: progress.checkpoints.map(({ id, state, attempts, earned, hints, answer, verdict }) => {
      const { source } = lab.checkpoints.find((checkpoint) => checkpoint.id === id)!;
      const { title, points } = source;
      const misconception = verdict?.misconception ?? null;
      const mark = { id, title, state, attempts, earned, points, hints: hints.length, misconception };
      if (source.kind !== 'explain' || typeof answer !== 'string') return mark;
      return { ...mark, written: { text: answer, rubric: [...source.rubric] } };
    }),
  };
}

/** What a transcript of another version of a lab would earn on the version that is here. */
export interface Regraded {
  readonly now: Score;
  /** Inputs that are not possible here, and why. They are left out. */
  readonly leftOut: readonly { readonly n: number; readonly why: string }[];
}

/**
 * Replays a transcript on the lab that is here, though it was made with other content or another simulator. A preview:
 * what a learner answered to other questions says little about these.
 *
 * @returns null when the transcript is damaged, or the lab is not here.
 */
export function regrade(text: string, find: (id: string) => Lab | null): Regraded | null {
  const read = parseTranscript(text);
  if (!read.ok) return null;
  const { transcript } = read;
  const lab = find(transcript.head.lab);
  if (lab === null) return null;
  const session = new LabSession(lab, transcript.head.session);
  const leftOut: { n: number; why: string }[] = [];
  for (const { n, input } of transcript.entries) {
    const applied = session.apply(input);
    if (!applied.accepted) leftOut.push({ n, why: applied.refused });
  }
  const machine = session.timeline.machine.hash();
  return { now: { ...scoreOf(lab, transcript, session.progress()), machine }, leftOut };
}

/** The score on the lab as it was: only the very content that the transcript names. Null when that is not at hand. */
export function scoreThen(text: string, find: (id: string) => Lab | null): Score | null {
  const read = parseTranscript(text);
  if (!read.ok) return null;
  const { head, entries } = read.transcript;
  const lab = find(head.lab);
  // Another simulator may have told the learner something else; what it did cannot be replayed here.
  if (lab === null || lab.contentHash !== head.labHash || head.simVersion !== SIM_VERSION) return null;
  const replayed = replay(lab, head.session, entries);
  if (!replayed.ok) return null;
  const { session } = replayed;
  const machine = session.timeline.machine.hash();
  return { ...scoreOf(lab, read.transcript, session.progress()), machine };
}

/** Who goes up, who goes down. `unknown`: nobody knows the score before. */
export type Direction = 'up' | 'down' | 'same' | 'unknown';

/** As much of an earlier score as a comparison needs. */
export type Before = Pick<Score, 'score' | 'points'> & {
  readonly checkpoints: readonly Pick<CheckpointMark, 'id' | 'earned'>[];
};

/** Compares scores before and after, checkpoint by checkpoint. @returns the direction, and a sentence per reason. */
export function compareScores(
  before: Before | null,
  { now, leftOut }: Regraded,
): { readonly direction: Direction; readonly why: readonly string[] } {
  const why: string[] = [];
  if (before !== null) {
    for (const mark of now.checkpoints) {
      const was = before.checkpoints.find(({ id }) => id === mark.id);
      if (was === undefined) why.push(`"${mark.id}" is new: ${mark.earned} of ${mark.points}`);
      else if (was.earned !== mark.earned)
        why.push(`"${mark.id}" ${was.earned} -> ${mark.earned}${toldNow(mark)}`);
    }
    for (const { id, earned } of before.checkpoints)
      if (!now.checkpoints.some((mark) => mark.id === id)) why.push(`"${id}" is gone: it had ${earned}`);
  }
  const [first] = leftOut;
  if (first !== undefined) {
    const more = leftOut.length === 1 ? '' : `, and ${leftOut.length - 1} more`;
    why.push(`input ${first.n} is left out (${first.why})${more}`);
  }
  const change = before === null ? 0 : now.score - before.score;
  const direction = before === null ? 'unknown' : change > 0 ? 'up' : change < 0 ? 'down' : 'same';
  return { direction, why };
}

function toldNow({ state, misconception }: CheckpointMark): string {
  return misconception === null ? ` (${state})` : ` (${state}: ${misconception})`;
}
