import type { Paint } from '../../src-sim/scenario/runner-text';

/** What the command line talks to. Tests put their own in its place. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Whether standard output shows colours. */
  readonly color: boolean;
  /** Folder of the application: it holds `labs/` and `package.json`. */
  readonly root: string;
  /** Whether standard error is a terminal, on which a line can be written over. */
  readonly live: boolean;
  /** The built `grader.ts`; null: there are no threads, everything is graded here. */
  readonly grader: URL | null;
  /** The compiled labs, for `Course`; null: there are none. */
  readonly course: URL | null;
  /** Starts the application with these arguments. @returns its exit status. */
  start(args: readonly string[]): Promise<number>;
  /** Calls `stop` when the user interrupts (Ctrl-C). @returns a function that ends this; an interrupt then ends the process again. */
  onInterrupt(stop: () => void): () => void;
}

/** Whether a stream shows colours: a terminal does, unless its user asked for none. */
export function showsColors({ isTTY }: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  return isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
}

/** Exit statuses, by what they say. Scripts rely on them. */
export const STATUS = {
  held: 0,
  /** An expectation or a lab failed, or a transcript was refused. */
  failed: 1,
  /** A file, or the command itself, is wrong. */
  wrong: 2,
  /** A limit was reached. */
  limit: 3,
  /** The user interrupted it: 128 and the number of SIGINT. */
  interrupted: 130,
} as const;
export type Status = (typeof STATUS)[keyof typeof STATUS];

/** Of several, the one to end with: what is wrong hides what failed, and a limit hides both verdicts. */
const WEIGHT: readonly Status[] = [
  STATUS.held,
  STATUS.failed,
  STATUS.limit,
  STATUS.wrong,
  STATUS.interrupted,
];

/** The status of a command that did several things. */
export function worst(statuses: readonly Status[]): Status {
  return WEIGHT.findLast((status) => statuses.includes(status)) ?? STATUS.held;
}

const code =
  (on: number, off: number) =>
  (text: string): string =>
    `\u001b[${on}m${text}\u001b[${off}m`;
/** Colours of a terminal. */
export const ANSI: Paint = { strong: code(1, 22), dim: code(2, 22), good: code(32, 39), bad: code(31, 39) };

/** Rows as aligned columns, two blanks between; a column whose cells are all numbers stands to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const texts = [head, ...rows.map((row) => row.map(String))];
  const widths = head.map((_, column) => Math.max(...texts.map((row) => row[column]!.length)));
  const right = head.map(
    (_, column) => rows.length > 0 && rows.every((row) => /^\d+(?: of \d+)?$/.test(String(row[column]))),
  );
  return texts
    .map((row) => row.map((cell, i) => (right[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))))
    .map((row) => `${row.join('  ').trimEnd()}\n`)
    .join('');
}
