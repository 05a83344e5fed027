import { compareScores, short, type Before, type Direction, type Score } from '../../src-lab/gradebook';
import { SIM_VERSION } from '../../src-sim';
import type { Marked } from './marking';
import { table } from './terminal';

/** Forms in which a gradebook is printed. */
export type Format = 'table' | 'csv' | 'json';

type Graded = { readonly file: string } & Score;

/** A gradebook: every transcript that has a score, and in JSON and CSV the others with the reason. */
export function gradebook(marked: readonly Marked[], format: Format): string {
  const graded = marked.flatMap((one): Graded[] =>
    one.kind === 'marked' && one.mark.ok ? [{ file: one.file, ...one.mark }] : [],
  );
  if (format === 'json') {
    return `${JSON.stringify({ seamlab: 'grades/1', simulator: SIM_VERSION, grades: marked.map(plain) })}\n`;
  }
  if (format === 'csv') return csvBook(marked, graded);
  if (graded.length === 1) return oneAttempt(graded[0]!);
  return [...byLab(graded).values()].map(labTable).join('\n');
}

/** Attempts by lab and version: only these have the same checkpoints. */
function byLab(graded: readonly Graded[]): Map<string, Graded[]> {
  const labs = new Map<string, Graded[]>();
  for (const one of graded) labs.set(`${one.lab} ${one.version}`, [...(labs.get(`${one.lab} ${one.version}`) ?? []), one]); // prettier-ignore
  return labs;
}

function oneAttempt(graded: Graded): string {
  const overview = table(['FILE', 'LAB', 'POINTS', 'PASSED', 'INPUTS', 'MINUTES'], [
    [graded.file, graded.lab, `${graded.score} of ${graded.points}`, passed(graded), graded.inputs, minutes(graded)],
  ]); // prettier-ignore
  const rows = graded.checkpoints.map(({ id, state, attempts, earned, points, hints, title }) => [
    id, state, `${earned} of ${points}`, attempts, hints, title,
  ]); // prettier-ignore
  return `${overview}\n${table(['CHECKPOINT', 'STATE', 'POINTS', 'ATTEMPTS', 'HINTS', 'TITLE'], rows)}`;
}

/** One lab's attempts, a column of points for every checkpoint, and how the class did. */
function labTable(attempts: readonly Graded[]): string {
  const [{ lab, title, version, points, checkpoints }] = attempts as [Graded];
  const numbers = checkpoints.map((_, i) => String(i + 1));
  const head = ['FILE', 'SESSION', 'POINTS', 'PASSED', 'HINTS', 'INPUTS', 'MINUTES', ...numbers];
  const rows = attempts.map((one) => [
    one.file,
    one.session.slice(0, 8),
    `${one.score} of ${one.points}`,
    passed(one),
    hints(one),
    one.inputs,
    minutes(one),
    ...one.checkpoints.map(({ earned }) => earned),
  ]);
  const mean = (values: readonly number[]): string =>
    (values.reduce((sum, value) => sum + value, 0) / values.length).toFixed(1);
  const legend = checkpoints.map((checkpoint, i) => [
    i + 1,
    checkpoint.id,
    checkpoint.points,
    mean(attempts.map((one) => one.checkpoints[i]!.earned)),
    attempts.filter((one) => one.checkpoints[i]!.state === 'passed').length,
    checkpoint.title,
  ]);
  const count = attempts.length === 1 ? '1 attempt' : `${attempts.length} attempts`;
  return [
    `${lab}: ${title}. Content ${short(version)}, ${count}, ${mean(attempts.map(({ score }) => score))} of ${points} points on average\n`,
    table(head, rows),
    table(['', 'CHECKPOINT', 'POINTS', 'MEAN', 'PASSED', 'TITLE'], legend),
  ].join('\n');
}

function passed({ checkpoints }: Graded): string {
  return `${checkpoints.filter(({ state }) => state === 'passed').length} of ${checkpoints.length}`;
}

function hints({ checkpoints }: Graded): number {
  return checkpoints.reduce((sum, { hints }) => sum + hints, 0);
}

function minutes({ milliseconds }: Graded): number {
  return Math.round(milliseconds / 60_000);
}

function csvBook(marked: readonly Marked[], graded: readonly Graded[]): string {
  const columns = new Set(
    graded.flatMap(({ lab, checkpoints }) => checkpoints.map(({ id }) => `${lab}/${id}`)),
  );
  const head = [
    'file', 'status', 'message', 'lab', 'version', 'session', 'started', 'score', 'points', 'complete', 'passed',
    'hints', 'inputs', 'minutes', ...columns,
  ]; // prettier-ignore
  const rows = marked.map((one): (string | number)[] => {
    if (one.kind === 'unreadable') return [one.file, 'unreadable', one.why];
    const { mark } = one;
    if (!mark.ok) {
      const { head: claim } = mark;
      const place = `${mark.line}:${mark.column}: ${mark.message}`;
      return [one.file, mark.code, place, ...(claim ? [claim.lab, claim.labHash, claim.session, when(claim.started)] : [])]; // prettier-ignore
    }
    const graded = { file: one.file, ...mark };
    const earned = new Map(mark.checkpoints.map(({ id, earned }) => [`${mark.lab}/${id}`, earned]));
    return [
      one.file, 'graded', '', mark.lab, mark.version, mark.session, when(mark.started), mark.score, mark.points,
      mark.complete ? 'yes' : 'no', mark.checkpoints.filter(({ state }) => state === 'passed').length, hints(graded),
      mark.inputs, minutes(graded), ...[...columns].map((column) => earned.get(column) ?? ''),
    ]; // prettier-ignore
  });
  return csv([head, ...rows]);
}

/** ISO 8601; a time that no calendar has, as its number. */
function when(started: number): string {
  const date = new Date(started);
  return Number.isNaN(date.getTime()) ? String(started) : date.toISOString();
}

/** Comma-separated values as RFC 4180 has them. */
export function csv(rows: readonly (readonly (string | number)[])[]): string {
  const width = Math.max(...rows.map((row) => row.length));
  return rows
    .map((row) => `${Array.from({ length: width }, (_, i) => cell(row[i] ?? '')).join(',')}\r\n`)
    .join('');
}

function cell(value: string | number): string {
  // A spreadsheet would take such a text for a formula, and files are named by those who hand them in.
  const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A mark as data. Documented in docs/scenarios.md; keys are added, not renamed. */
function plain(one: Marked): unknown {
  const { file } = one;
  if (one.kind === 'unreadable')
    return { file, ok: false, code: 'unreadable', line: null, column: null, message: one.why };
  const { mark } = one;
  if (mark.ok) return { file, ...mark };
  const { code, line, column, message, head } = mark;
  return { file, ok: false, code, line, column, message, head };
}

// The preview of a new grading ------------------------------------------------------------------------------------

/** One transcript of another version: what it had, what it would have. */
export interface Change {
  readonly file: string;
  readonly lab: string;
  readonly session: string;
  /** Null: not known. */
  readonly before: number | null;
  readonly beforePoints: number | null;
  readonly now: number;
  readonly points: number;
  readonly direction: Direction;
  readonly why: readonly string[];
}

/** Scores of an earlier gradebook by session, lab and version. */
export type Earlier = ReadonlyMap<string, Before>;

export function earlierKey({ session, lab, version }: Pick<Score, 'session' | 'lab' | 'version'>): string {
  return `${session} ${lab} ${version}`;
}

const ORDER: readonly Direction[] = ['down', 'up', 'unknown', 'same'];

/** The changes that a new grading would bring, those who lose first. */
export function changesOf(marked: readonly Marked[], earlier: Earlier): Change[] {
  const changes = marked.flatMap((one): Change[] => {
    if (one.kind !== 'marked' || one.mark.ok || one.again === null) return [];
    const { mark, again, file } = one;
    const head = mark.head!;
    const key = earlierKey({ session: head.session, lab: head.lab, version: head.labHash });
    const before = again.before ?? earlier.get(key) ?? null;
    const { now } = again;
    return [
      {
        file,
        lab: head.lab,
        session: head.session,
        before: before?.score ?? null,
        beforePoints: before?.points ?? null,
        now: now.score,
        points: now.points,
        ...compareScores(before, again),
      },
    ];
  });
  return changes.sort((a, b) => ORDER.indexOf(a.direction) - ORDER.indexOf(b.direction));
}

export function changesText(changes: readonly Change[], format: Format): string {
  if (format === 'json')
    return `${JSON.stringify({ seamlab: 'regrades/1', simulator: SIM_VERSION, changes })}\n`;
  const before = ({ before, beforePoints }: Change): string =>
    before === null ? '?' : `${before} of ${beforePoints}`;
  if (format === 'csv') {
    const head = ['file', 'lab', 'session', 'direction', 'before', 'before_points', 'now', 'points', 'why'];
    const rows = changes.map((one) => [one.file, one.lab, one.session, one.direction, one.before ?? '', one.beforePoints ?? '', one.now, one.points, one.why.join('; ')]); // prettier-ignore
    return csv([head, ...rows]);
  }
  const count = (direction: Direction): number => changes.filter((one) => one.direction === direction).length;
  const counts = `${count('up')} up, ${count('down')} down, ${count('same')} the same, ${count('unknown')} unknown`;
  const rows = changes.map((one) => [one.file, one.lab, before(one), `${one.now} of ${one.points}`, one.direction, one.why.join('; ')]); // prettier-ignore
  const list = rows.length === 0 ? '' : table(['FILE', 'LAB', 'BEFORE', 'NOW', 'CHANGE', 'WHY'], rows);
  return `${list}Transcripts of other versions: ${counts}. This is a preview: no score was changed.\n`;
}
