import { Console } from '../timeline/console.svelte';
import { AID_WORDS } from '../stops/command';
import { parseCommand, SESSION_WORDS, type Vocabulary } from '../timeline/command';

/** One line of a script. */
export interface Row {
  readonly id: number;
  /** The line being typed, and what could follow. It is never sent from here. */
  readonly line: Console;
}

/** Actions being written down, one command a line. Holds no DOM. */
export class Script {
  rows: readonly Row[] = $state.raw([]);
  #next = 0;
  readonly #vocabulary: () => Vocabulary;

  /** @param commands - an earlier answer to begin with. */
  constructor(vocabulary: () => Vocabulary, commands: readonly string[] = []) {
    this.#vocabulary = vocabulary;
    this.rows = (commands.length > 0 ? commands : ['']).map((command) => this.#row(command));
  }

  /** The commands, without empty lines. */
  get commands(): string[] {
    return this.rows.map(({ line }) => line.line.trim()).filter((command) => command !== '');
  }

  /** Adds an empty line below a row; without one, at the end. @returns its id. */
  add(below?: number): number {
    const at = below === undefined ? this.rows.length : this.rows.findIndex(({ id }) => id === below) + 1;
    const row = this.#row('');
    this.rows = this.rows.toSpliced(at, 0, row);
    return row.id;
  }

  /** Removes a row; one line always stays. @returns the row that should be at hand next. */
  remove(id: number): number {
    const at = this.rows.findIndex((row) => row.id === id);
    const rest = this.rows.toSpliced(at, 1);
    this.rows = rest.length > 0 ? rest : [this.#row('')];
    return this.rows[Math.max(0, at - 1)]!.id;
  }

  /** Reads a row. @returns whether it is a command, or empty. */
  check({ line }: Row): boolean {
    line.error = null;
    if (line.line.trim() === '') return true;
    const read = parseCommand(line.line, this.#vocabulary());
    if (read.ok && read.input.kind === 'act' && read.input.hold !== true) return true;
    const whole = { from: 0, to: line.line.length };
    const message = 'Only actions can be written here; each is performed to its end.';
    line.error = read.ok ? { at: whole, message, nearest: [] } : read.error;
    return false;
  }

  /** Reads every row. @returns the first that is no command; null when all are. */
  firstWrong(): Row | null {
    return this.rows.filter((row) => !this.check(row))[0] ?? null;
  }

  #row(command: string): Row {
    const line = new Console(this.#vocabulary, () => Promise.resolve(false));
    line.put(command);
    line.close();
    return { id: this.#next++, line };
  }
}

/** Completions of a line that can be written: the words of the session cannot. */
export function offered(
  line: Console,
): readonly { readonly text: string; readonly detail: string; readonly at: number }[] {
  return line.completions.options
    .map((option, at) => ({ ...option, at }))
    .filter(({ text }) => !Object.hasOwn(SESSION_WORDS, text) && !Object.hasOwn(AID_WORDS, text));
}
