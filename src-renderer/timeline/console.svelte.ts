import { parseAid, type AidCommand } from '../stops/command';
import { complete, parseCommand, type CommandError, type Completions, type Vocabulary } from './command';
import type { Params } from '../../src-main/contract';

type Input = Params<'lab.input'>['input'];

/** Commands that are remembered. */
const HISTORY = 200;
const CLOSED: Completions = { from: 0, to: 0, options: [] };

/** The console: a line being typed, what could follow, what was typed before, and what is wrong with it. No DOM. */
export class Console {
  line = $state('');
  cursor = $state(0);
  error: CommandError | null = $state.raw(null);
  history: readonly string[] = $state.raw([]);
  /** Chosen completion, or -1. */
  chosen = $state(-1);
  #open = $state(false);
  /** Position in the history; its length: the line being typed. */
  #at = 0;
  #draft = '';
  readonly #vocabulary: () => Vocabulary;
  readonly #send: (input: Input, command: string) => Promise<boolean>;
  readonly #aid: (command: AidCommand) => Promise<boolean>;

  /**
   * @param send - applies an input. @param aid - does what is no input: stops, watches, going through the past. Both say
   *               whether it was done.
   */
  constructor(
    vocabulary: () => Vocabulary,
    send: (input: Input, command: string) => Promise<boolean>,
    aid: (command: AidCommand) => Promise<boolean> = async () => false,
  ) {
    this.#vocabulary = vocabulary;
    this.#send = send;
    this.#aid = aid;
  }

  readonly completions: Completions = $derived.by(() =>
    this.#open ? complete(this.line, this.cursor, this.#vocabulary()) : CLOSED,
  );
  readonly isOpen = $derived(this.completions.options.length > 0);

  /** The learner typed. */
  type(line: string, cursor: number): void {
    this.line = line;
    this.cursor = cursor;
    this.error = null;
    this.chosen = -1;
    this.#open = true;
    this.#at = this.history.length;
  }

  /** Puts a command into the line, ready to be completed or sent. */
  put(line: string): void {
    this.type(line, line.length);
  }

  close(): void {
    this.#open = false;
    this.chosen = -1;
  }

  open(): void {
    this.#open = true;
  }

  /** Moves the choice among the completions; -1 is none. */
  choose(by: 1 | -1): void {
    const { length } = this.completions.options;
    if (length === 0) return;
    this.chosen = Math.max(-1, Math.min(length - 1, this.chosen + by));
  }

  /**
   * Takes over a completion.
   *
   * @param i - which; without it the chosen one, else the first.
   */
  accept(i = Math.max(0, this.chosen)): void {
    const { from, to, options } = this.completions;
    const option = options[i];
    if (option === undefined) return;
    const gap = option.text.endsWith('=') ? '' : ' ';
    const head = this.line.slice(0, from) + option.text + gap;
    this.type(head + this.line.slice(to).replace(/^ /, ''), head.length);
  }

  /** An older (-1) or newer (1) command; what was being typed comes back at the end. */
  recall(by: 1 | -1): void {
    const to = this.#at + by;
    if (to < 0 || to > this.history.length) return;
    if (this.#at === this.history.length) this.#draft = this.line;
    const line = to === this.history.length ? this.#draft : this.history[to]!;
    this.type(line, line.length);
    this.#at = to;
    this.close();
  }

  /** Sends the line. @returns whether main accepted it; the line is then empty. */
  async submit(): Promise<boolean> {
    const line = this.line.trim();
    if (line === '') return false;
    const vocabulary = this.#vocabulary();
    const parsed = parseAid(this.line, vocabulary) ?? parseCommand(this.line, vocabulary);
    this.close();
    if (!parsed.ok) {
      this.error = parsed.error;
      return false;
    }
    this.remember(line);
    const accepted = await ('command' in parsed ? this.#aid(parsed.command) : this.#send(parsed.input, line));
    if (accepted && this.line.trim() === line) this.type('', 0);
    this.close();
    return accepted;
  }

  /** A command that was sent, by typing or by a button: it can be recalled and changed. */
  remember(line: string): void {
    if (this.history.at(-1) !== line) this.history = [...this.history, line].slice(-HISTORY);
    this.#at = this.history.length;
    this.#draft = '';
  }
}
