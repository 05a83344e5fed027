import type { Found, Question } from '../src-lab/question';
import type { Input } from '../src-lab/input';
import type { SetupFault } from '../src-lab/sandbox';
import type { Setup } from '../src-lab/setup';
import type { EventView, InputReply, SessionView, SwitchDoc, TraceDelta, TraceFilter } from '../src-lab/view';
import type { FactsRead } from './facts';
import type { Standing } from './store';
import type { TraceFormat } from '../src-sim/export/format';

/** Where the worker finds what it works on: its `workerData`. */
export interface Folders {
  /** Holds the lab folders. */
  readonly labs: string;
  /** Folders of labs whose facts are known, the one that counts last. */
  readonly facts: readonly string[];
  /** Holds the scenarios that a sandbox offers; one that is not there holds none. */
  readonly scenarios: string;
}

/** What the worker does for main. Arguments and results are plain data: they cross a thread. */
export interface Workshop {
  /** Answers at once when the worker is alive. @returns bytes of its heap and of its buffers outside the heap. */
  ping(): { heap: number; buffers: number };
  /** The labs on disk, read anew; a lab is parsed again only when its files changed. */
  labs(): Promise<{ labs: LabCard[]; broken: readonly BrokenLab[] }>;
  /** The facts on disk, read anew: those of the course, and of the folder of labs that is shown. */
  facts(): FactsRead;
  /**
   * Opens a session, replaying its inputs; one that is open under the same id is replaced. Reports `progress`.
   * A kept attempt is opened only when replaying it today means what it meant: same lab content, same simulator.
   */
  open(request: OpenRequest): Promise<Opened>;
  /** The whole state of an open session. @returns null when it is not open. */
  view(session: string): SessionView | null;
  /**
   * Applies one input.
   *
   * @param at - milliseconds since the session started.
   * @returns null when the session is not open.
   */
  apply(session: string, input: Input, at: number): Applied | null;
  /**
   * Answers a question about an open session, which stays as it is. Reports `progress`.
   *
   * @returns null when the session is not open.
   */
  ask(session: string, question: Question): Found | null;
  close(session: string): void;
  /** What a sandbox can be made of. */
  sandbox(): { switches: SwitchDoc[]; scenarios: ScenarioCard[] };
  /** What keeps a sandbox from being built; empty when it can be. */
  faults(setup: Setup): SetupFault[];
  /** A shipped scenario, with its steps as inputs. @returns null when there is none of that name. */
  scenario(id: string): { card: ScenarioCard; steps: Input[] } | null;
  /**
   * What was done in an open session to the machine that it shows, beyond what that began with, as inputs.
   *
   * @returns null when it is not open. `switches`: what is on.
   */
  done(session: string): { inputs: Input[]; switches: string[] } | null;
  /** The machine that an open session shows, as a scenario file. @returns null when the session is not open. */
  written(session: string, title: string): string | null;
  /** Shows another moment of an open session; it is no input. @returns null when the session is not open. */
  peek(session: string, moment: number): InputReply | null;
  /** Chooses which events have rows. @returns per machine: their numbers; null when the session is not open. */
  filter(session: string, filter: TraceFilter): TraceDelta['rows'][] | null;
  /** Events by number. @returns those that are known; null when the session is not open. */
  events(session: string, on: 'a' | 'b', numbers: readonly number[]): EventView[] | null;
  /**
   * Begins to write the trace of the machine that an open session shows, up to the moment shown, as the content of a
   * file: `traceText` has it, piece by piece, as long as nothing else is asked of the session.
   *
   * @returns null when the session is not open. `lost`: events at its beginning that are not kept any more.
   */
  trace(session: string, format: TraceFormat): { events: number; lost: number } | null;
  /** The next piece of the trace that is being written, and how many events are written now; null at its end. */
  traceText(session: string): { text: string; events: number } | null;
}

/** A scenario that ships with the application. */
export interface ScenarioCard {
  /** File name without its ending. */
  readonly id: string;
  readonly title: string;
  /** What its author says of it, one line. */
  readonly description: string;
  readonly vms: Readonly<Record<string, number>>;
  readonly switches: readonly string[];
  /** Steps that the learner can do. */
  readonly steps: number;
}

/** What main does for the worker. */
export interface Foreman {
  /** Replaying, or a search, goes on: also the sign that the worker is not stuck. */
  progress(done: number, total: number): void;
}

/** A lab as the home screen lists it. */
export interface LabCard {
  readonly id: string;
  readonly folder: string;
  readonly number: number;
  readonly title: string;
  readonly summary: string;
  readonly minutes: number;
  readonly points: number;
  readonly checkpoints: number;
  readonly hash: string;
}

/** A lab folder that cannot be used, and the first thing that is wrong with it. */
export interface BrokenLab {
  readonly folder: string;
  readonly why: string;
  /** All that is wrong, each with file, line, column and remedy. */
  readonly errors: readonly string[];
}

export interface OpenRequest {
  /** Id or folder name of the lab. */
  readonly lab: string;
  readonly session: string;
  /** Milliseconds since 1970. */
  readonly started: number;
  /** The transcript so far; null for a new session. */
  readonly kept: { readonly header: string; readonly lines: readonly string[] } | null;
  /** Which events of the trace have rows at first. */
  readonly filter: TraceFilter;
}

export type Opened =
  | {
      readonly kind: 'open';
      readonly lab: string;
      readonly labHash: string;
      readonly simVersion: string;
      readonly header: string;
      /** Milliseconds since the start at which the last input was made; 0 when there is none. */
      readonly at: number;
      readonly view: SessionView;
    }
  | { readonly kind: 'no_lab' }
  | { readonly kind: 'broken'; readonly why: string }
  /** The kept attempt belongs to other lab content or another simulator. */
  | { readonly kind: 'changed'; readonly what: 'lab' | 'simulator'; readonly title: string }
  /** The kept transcript does not hold together; `line` counts from 1, the header. */
  | { readonly kind: 'damaged'; readonly line: number; readonly title: string };

/** The reply for the screen and, when the input was accepted, the transcript line that makes it last. */
export type Applied =
  | {
      readonly accepted: true;
      readonly line: string;
      readonly standing: Standing;
      readonly reply: InputReply;
    }
  | { readonly accepted: false; readonly reply: InputReply };
