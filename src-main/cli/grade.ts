import { gradeTranscript, type Grade } from '../../src-lab/grade';
import { loadLab, type Lab } from '../../src-lab/lab';
import { MAX_INPUTS, parseTranscript } from '../../src-lab/transcript';
import { SIM_VERSION } from '../../src-sim';
import { labFolders, labPath, readLab } from '../labs';
import { readInput } from './files';
import { STATUS, table, worst, type Status, type Terminal } from './terminal';

/** Bytes of a transcript: far more than `MAX_INPUTS` inputs need. */
const LIMIT = MAX_INPUTS * 4 * 1024;

type Graded =
  | { readonly file: string; readonly kind: 'graded'; readonly grade: Extract<Grade, { ok: true }> }
  | { readonly file: string; readonly kind: 'refused'; readonly grade: Extract<Grade, { ok: false }> }
  | { readonly file: string; readonly kind: 'unreadable'; readonly why: string };

type FindLab = (id: string) => Lab | null;

/** `seamlab grade FILE...`: the score of every transcript, by replaying it on the labs that are here. */
export function gradeFiles(
  files: readonly string[],
  options: { readonly json?: true; readonly labs: string },
  terminal: Terminal,
): Status {
  let labs: ReadonlyMap<string, Lab> | null = null;
  const find: FindLab = (id) => {
    // Once, and not at all for transcripts that are refused before their lab is asked for.
    labs ??= new Map(readLabs(options.labs).map((lab) => [lab.id, lab]));
    return labs.get(id) ?? null;
  };
  const results = files.map((file) => gradeFile(file, find));
  for (const result of results) {
    if (result.kind === 'unreadable') terminal.err(`${result.file}: ${result.why}\n`);
    if (result.kind !== 'refused') continue;
    const { line, column, message } = result.grade;
    terminal.err(`${result.file}:${line}:${column}: ${message}\n`);
  }
  if (options.json) {
    const content = { seamlab: 'grades/1', simulator: SIM_VERSION, grades: results.map(plain) };
    terminal.out(`${JSON.stringify(content)}\n`);
  } else terminal.out(text(results.filter((result) => result.kind === 'graded')));
  return worst(
    results.map(
      ({ kind }) => ({ graded: STATUS.held, refused: STATUS.failed, unreadable: STATUS.wrong })[kind],
    ),
  );
}

/** The labs of a folder that can be loaded. A lab that cannot is one that is not here. */
function readLabs(root: string): Lab[] {
  return labFolders(root).flatMap((folder) => {
    const read = readLab(labPath(root, folder)!);
    const load = read.ok ? loadLab(read.files) : null;
    return load?.ok ? [load.lab] : [];
  });
}

function gradeFile(file: string, find: FindLab): Graded {
  const read = readInput(file, LIMIT);
  if (!read.ok) return { file, kind: 'unreadable', why: read.why };
  // Byte by byte: a column is then a byte, and a byte that is no letter is found like any other.
  const content = read.bytes.toString('latin1');
  const grade = gradeTranscript(content, find);
  if (grade.ok) return { file, kind: 'graded', grade };
  return {
    file,
    kind: 'refused',
    grade: { ...grade, message: `${grade.message}${versions(grade.code, content, find)}` },
  };
}

/** Which content of the lab was meant, and which is here. */
function versions(code: string, content: string, find: FindLab): string {
  const parsed = code === 'other_lab_content' ? parseTranscript(content) : null;
  if (!parsed?.ok) return '';
  const { lab, labHash } = parsed.transcript.head;
  return ` Content then: ${labHash.slice(0, 12)}, here: ${find(lab)!.contentHash.slice(0, 12)}.`;
}

function text(graded: readonly Extract<Graded, { kind: 'graded' }>[]): string {
  if (graded.length === 0) return '';
  const rows = graded.map(({ file, grade: { lab, transcript, progress } }) => {
    const settled = progress.checkpoints.filter(({ state }) => state === 'passed').length;
    const minutes = Math.round((transcript.entries.at(-1)?.at ?? 0) / 60_000);
    const points = `${progress.score} of ${progress.points}`;
    return [
      file,
      lab.id,
      points,
      `${settled} of ${progress.checkpoints.length}`,
      transcript.entries.length,
      minutes,
    ];
  });
  const overview = table(['FILE', 'LAB', 'POINTS', 'PASSED', 'INPUTS', 'MINUTES'], rows);
  return graded.length === 1 ? `${overview}\n${checkpoints(graded[0]!.grade)}` : overview;
}

function checkpoints({ lab, progress }: Extract<Grade, { ok: true }>): string {
  const rows = progress.checkpoints.map(({ id, state, attempts, earned, hints }) => {
    const { title, points } = lab.checkpoints.find((checkpoint) => checkpoint.id === id)!.source;
    return [id, state, `${earned} of ${points}`, attempts, hints.length, title];
  });
  return table(['CHECKPOINT', 'STATE', 'POINTS', 'ATTEMPTS', 'HINTS', 'TITLE'], rows);
}

/** A grade as data. Documented in docs/scenarios.md; keys are added, not renamed. */
function plain(result: Graded): unknown {
  const { file, kind } = result;
  if (kind === 'unreadable')
    return { file, ok: false, code: 'unreadable', line: null, column: null, message: result.why };
  if (kind === 'refused') {
    const { code, line, column, message } = result.grade;
    return { file, ok: false, code, line, column, message };
  }
  const { lab, transcript, progress, machine } = result.grade;
  const { head, entries } = transcript;
  return {
    file,
    ok: true,
    lab: lab.id,
    title: lab.source.title,
    session: head.session,
    started: head.started,
    inputs: entries.length,
    milliseconds: entries.at(-1)?.at ?? 0,
    score: progress.score,
    points: progress.points,
    complete: progress.complete,
    checkpoints: progress.checkpoints.map(({ id, state, attempts, earned, hints, verdict }) => ({
      id,
      state,
      attempts,
      earned,
      points: lab.checkpoints.find((checkpoint) => checkpoint.id === id)!.source.points,
      hints: hints.length,
      misconception: verdict?.misconception ?? null,
    })),
    machine,
  };
}
