import { availableParallelism } from 'node:os';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeAtomic } from '../atomic';
import { Course } from '../course';
import { changesOf, changesText, earlierKey, gradebook, type Earlier, type Format } from './gradebook';
import { Marker, type Marked, type Task } from './marking';
import { answerAll, threadsFor } from './pool';
import { STATUS, worst, type Status, type Terminal } from './terminal';

export interface GradeOptions {
  readonly format?: Format;
  readonly json?: true;
  /** File to write instead of standard output. */
  readonly out?: string;
  /** Folder of the labs. */
  readonly labs: string;
  /** Threads; default: as many as grade this much soonest. */
  readonly jobs?: number;
  readonly regrade?: true;
  /** For the scores before: a folder of the labs as they were, or a gradebook in JSON. */
  readonly before?: string;
}

/** Names of transcripts in a folder. */
const TRANSCRIPT = /\.(?:jsonl|seamlab)$/;
/** Levels of folders below one that is named: a class, its groups, its learners. */
const DEPTH = 4;

/** `seamlab grade FILE|FOLDER...`: the score of every transcript, by replaying it on the labs that are here. */
export async function gradeFiles(
  paths: readonly string[],
  options: GradeOptions,
  terminal: Terminal,
): Promise<Status> {
  const format = options.json ? 'json' : (options.format ?? 'table');
  const found = paths.flatMap((path) => transcriptsIn(path));
  const files = found.flatMap((one) => (typeof one === 'string' ? [one] : []));
  for (const one of found) if (typeof one !== 'string') terminal.err(`${one.path}: ${one.why}\n`);
  const strange = found.length > files.length ? STATUS.wrong : STATUS.held;
  const { before } = options;
  const book = before === undefined || isFolder(before) ? null : readBook(before);
  if (typeof book === 'string') {
    terminal.err(`${before}: ${book}\n`);
    return STATUS.wrong;
  }

  const tasks = files.map((file): Task => ({
    file,
    labs: options.labs,
    regrade: options.regrade === true,
    before: before !== undefined && book === null ? before : null,
  })); // prettier-ignore
  const stop = new AbortController();
  const resume = terminal.onInterrupt(() => stop.abort());
  let marked: Marked[];
  try {
    const threads = options.jobs ?? threadsFor(bytesOf(files), availableParallelism());
    marked = await work(tasks, threads, terminal, stop.signal);
  } finally {
    resume();
  }
  if (stop.signal.aborted) {
    const nothing = options.out === undefined ? 'printed' : 'written';
    terminal.err(`Stopped after ${marked.length} of ${tasks.length} transcripts. Nothing was ${nothing}.\n`);
    return STATUS.interrupted;
  }

  tellFaults(marked, options.regrade === true, terminal);
  const text = options.regrade
    ? changesText(changesOf(marked, book ?? new Map()), format)
    : gradebook(marked, format);
  const put = options.out === undefined ? null : write(options.out, text);
  if (options.out === undefined) terminal.out(text);
  else
    terminal.err(
      put === null
        ? `${options.out}: ${marked.length === 1 ? '1 transcript' : `${marked.length} transcripts`}.\n`
        : `${options.out}: ${put}\n`,
    );
  return worst([strange, put === null ? STATUS.held : STATUS.wrong, ...marked.map(statusOf)]);
}

/** A transcript that was to be graded again and can be is no failure of that. */
function statusOf(one: Marked): Status {
  if (one.kind === 'unreadable') return STATUS.wrong;
  return one.mark.ok || one.again !== null ? STATUS.held : STATUS.failed;
}

/** Names every transcript without a score, and those of a session that another one is of, too. */
function tellFaults(marked: readonly Marked[], preview: boolean, terminal: Terminal): void {
  const sessions = new Map<string, string>();
  for (const one of marked) {
    if (one.kind === 'unreadable') {
      terminal.err(`${one.file}: ${one.why}\n`);
      continue;
    }
    const { mark } = one;
    if (!mark.ok) {
      if (!preview || one.again === null)
        terminal.err(`${one.file}:${mark.line}:${mark.column}: ${mark.message}\n`);
      continue;
    }
    const twin = sessions.get(mark.session);
    if (twin === undefined) sessions.set(mark.session, one.file);
    else terminal.err(`${one.file}: This is the same session as ${twin}.\n`);
  }
}

/** Marks all files: on several threads, or here. */
async function work(
  tasks: readonly Task[],
  threads: number,
  terminal: Terminal,
  stop: AbortSignal,
): Promise<Marked[]> {
  const progress = reporter(tasks.length, terminal);
  try {
    if (terminal.grader !== null && threads > 1)
      return await answerAll(tasks, { file: terminal.grader, threads, done: progress.report, stop });
    const marker = new Marker(new Course(terminal.course));
    const answers: Marked[] = [];
    for (const task of tasks) {
      if (stop.aborted) break;
      answers.push(marker.answer(task));
      progress.report(answers.length);
      await new Promise((resolve) => setImmediate(resolve)); // lets an interrupt come in
    }
    return answers;
  } finally {
    progress.end();
  }
}

/** Milliseconds between two reports: on a terminal that shows them on one line, and elsewhere. */
const LIVE_EVERY = 100;
const PLAIN_EVERY = 5_000;

function reporter(total: number, terminal: Terminal): { report: (done: number) => void; end: () => void } {
  const every = terminal.live ? LIVE_EVERY : PLAIN_EVERY;
  let last = performance.now();
  let shown = false;
  return {
    report: (done) => {
      const now = performance.now();
      if (now - last < every) return;
      last = now;
      shown = true;
      const line = `${done} of ${total} transcripts`;
      terminal.err(terminal.live ? `\r${line} ` : `${line}\n`);
    },
    end: () => {
      if (shown && terminal.live) terminal.err('\r\u001b[K');
    },
  };
}

/** The transcripts that a path names, in order of their names: of a folder, all below it. */
function transcriptsIn(
  path: string,
  depth = 0,
): (string | { readonly path: string; readonly why: string })[] {
  if (!isFolder(path)) return [path];
  try {
    const found = readdirSync(path, { withFileTypes: true })
      .filter(({ name }) => !name.startsWith('.'))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((entry) => {
        const inner = join(path, entry.name);
        if (entry.isDirectory()) return depth < DEPTH ? transcriptsIn(inner, depth + 1) : [];
        return entry.isFile() && TRANSCRIPT.test(entry.name) ? [inner] : [];
      });
    if (depth > 0 || found.length > 0) return found;
    return [{ path, why: 'There are no transcripts (*.jsonl, *.seamlab) in this folder.' }];
  } catch (error) {
    return [
      { path, why: `The folder cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'}).` },
    ];
  }
}

/** What is not there has none. */
function bytesOf(files: readonly string[]): number {
  return files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** What is read of an earlier gradebook; it may have been through other hands. */
const Book = z.object({
  seamlab: z.literal('grades/1'),
  grades: z.array(
    z.discriminatedUnion('ok', [
      z.object({ ok: z.literal(false) }),
      z.object({
        ok: z.literal(true),
        lab: z.string(),
        version: z.string(),
        session: z.string(),
        score: z.number(),
        points: z.number(),
        checkpoints: z.array(z.object({ id: z.string(), earned: z.number() })),
      }),
    ]),
  ),
});

/** The scores of a gradebook that was printed as JSON, or why there are none. */
function readBook(path: string): Earlier | string {
  let data: unknown;
  try {
    data = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return 'This is neither a folder of labs nor a gradebook in JSON.';
  }
  const book = Book.safeParse(data);
  if (!book.success) return 'This is no gradebook as "seamlab grade --format json" prints it.';
  return new Map(book.data.grades.flatMap((one) => (one.ok ? [[earlierKey(one), one] as const] : [])));
}

/** Writes a file whole or not at all. @returns null, or why not. */
function write(path: string, text: string): string | null {
  try {
    writeAtomic(path, text, 0o644);
    return null;
  } catch (error) {
    return `The file cannot be written (${(error as NodeJS.ErrnoException).code ?? 'unknown'}).`;
  }
}
