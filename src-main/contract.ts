import { z } from 'zod';
import { Input, MAX_TIMES } from '../src-lab/input';
import { Found, Question, Watches } from '../src-lab/question';
import { Slug } from '../src-lab/slug';
import {
  EventView,
  FactView,
  InputReply,
  Numbers,
  SessionView,
  SwitchDoc,
  TRACE_FILTER,
  TraceFilter,
} from '../src-lab/view';
import { TRACE_FORMATS } from '../src-sim/export/format';
import { MAX_STOPS, StatePath, Stop } from '../src-sim/scenario/condition-schema';

/** Imports nothing of Electron, Node or the DOM: main, preload and renderer all read this file. */

const Session = z.uuid();
const Empty = z.strictObject({});
const call = <P extends z.ZodType, R extends z.ZodType>(doc: string, params: P, reply: R) => ({
  doc,
  params,
  reply,
});
const event = <P extends z.ZodType>(doc: string, payload: P) => ({ doc, payload });

/** What a learner debugs with: kept over restarts, and the same in every lab. */
export const Aids = z.strictObject({
  /** Where runs halt, while `on`. */
  stops: z.array(z.strictObject({ stop: Stop, on: z.boolean() })).max(MAX_STOPS),
  watches: Watches,
  /** State paths that the inspector shows first. */
  pins: z.array(StatePath).max(40),
});
export type Aids = z.infer<typeof Aids>;
export const NO_AIDS: Aids = { stops: [], watches: [], pins: [] };

export { MAX_TIMES, TraceFilter };
/** What stands beside what happened. `took`: how long a call took. */
export const TraceColumn = z.enum(['moment', 'time', 'cpu', 'layer', 'thread', 'took', 'source']);
export type TraceColumn = z.infer<typeof TraceColumn>;
/** Filters of the trace that can be kept. */
export const MAX_KEPT_FILTERS = 20;
/** How the trace is shown, in every lab. */
export const TraceLook = z.strictObject({
  columns: z.array(TraceColumn).max(TraceColumn.options.length),
  filter: TraceFilter,
  /** Filters to come back to. */
  kept: z.array(TraceFilter).max(MAX_KEPT_FILTERS),
});
export type TraceLook = z.infer<typeof TraceLook>;
export const TRACE_LOOK: TraceLook = {
  columns: ['moment', 'time', 'layer', 'thread', 'took', 'source'],
  filter: TRACE_FILTER,
  kept: [],
};

export const Theme = z.enum(['system', 'light', 'dark']);
export const Settings = z.strictObject({
  theme: Theme,
  /** Text size in percent of the default, 80 to 200. */
  textScale: z.int().min(80).max(200),
  reducedMotion: z.boolean(),
  /** The learner has seen the tour, or does not want to. */
  toured: z.boolean(),
  /** Pane sizes in percent by pane id; the screen decides the ids. */
  panes: z.record(z.string().max(40), z.array(z.number().min(0).max(100)).max(6)),
  aids: Aids,
  trace: TraceLook,
});
export type Settings = z.infer<typeof Settings>;
/** Those of who has never been here. */
export const DEFAULT_SETTINGS: Settings = {
  theme: 'system',
  textScale: 100,
  reducedMotion: false,
  toured: false,
  panes: {},
  aids: NO_AIDS,
  trace: TRACE_LOOK,
};

const LabSummary = z.strictObject({
  id: Slug,
  number: z.int(),
  title: z.string(),
  summary: z.string(),
  minutes: z.int(),
  points: z.int(),
  /** Null: not begun. */
  progress: z
    .strictObject({
      session: Session,
      score: z.number(),
      checkpoints: z.int(),
      settled: z.int(),
      complete: z.boolean(),
    })
    .nullable(),
  checkpoints: z.int(),
});
export type LabSummary = z.infer<typeof LabSummary>;

/** A VM of a sandbox as the learner asks for it; `boot`: what it has become when the learner begins. */
const WantedVm = z.strictObject({
  name: z.string().max(40),
  vcpus: z.number(),
  boot: z.enum(['none', 'td', 'vmx']),
});
/** Names of what is switched on. */
const SwitchNames = z.array(z.string().max(40)).max(40);

/** What a sandbox is begun from. `against`: a second machine beside the first, with these switches; null: one machine. */
export const SandboxWanted = z.discriminatedUnion('from', [
  z.strictObject({
    from: z.literal('platform'),
    vms: z.array(WantedVm).max(16),
    switches: SwitchNames,
    against: SwitchNames.nullable(),
  }),
  z.strictObject({
    from: z.literal('scenario'),
    scenario: z.string().max(80),
    /** Whether its steps are done at once; otherwise the learner does them. */
    perform: z.boolean(),
    against: SwitchNames.nullable(),
  }),
  /** The machine that is open, and everything that was done to it, anew. */
  z.strictObject({ from: z.literal('session'), session: Session, against: SwitchNames.nullable() }),
  /** The machine that is open and one of an earlier attempt, each with what was done to it. */
  z.strictObject({ from: z.literal('attempts'), session: Session, earlier: Session }),
]);
export type SandboxWanted = z.infer<typeof SandboxWanted>;

/** What a sandbox can be made of, and the one that is under way. */
export const SandboxChoices = z.strictObject({
  switches: z.array(SwitchDoc),
  scenarios: z.array(
    z.strictObject({
      id: z.string(),
      title: z.string(),
      description: z.string(),
      vms: z.record(z.string(), z.int()),
      switches: z.array(z.string()),
      steps: z.int(),
    }),
  ),
  /** Null: none was begun. `inputs`: what was done since. */
  kept: z.strictObject({ title: z.string(), inputs: z.int() }).nullable(),
  /** Attempts that were left for a new one, newest first. `started`: milliseconds since 1970. */
  earlier: z.array(
    z.strictObject({
      session: Session,
      title: z.string(),
      /** With the machine under way: it has the same VMs. */
      comparable: z.boolean(),
      inputs: z.int(),
      started: z.number(),
    }),
  ),
});
export type SandboxChoices = z.infer<typeof SandboxChoices>;

/** Something the learner must know: what happened, what was kept, what to do. */
export const Notice = z.strictObject({
  id: z.string(),
  tone: z.enum(['info', 'warning', 'error']),
  what: z.string(),
  kept: z.string(),
  todo: z.string(),
});
export type Notice = z.infer<typeof Notice>;

/** Events that can be asked for at once. */
export const MAX_EVENTS_ASKED = 512;

const FileName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,79}$/);
/** Characters of a file that the screen hands over. */
const MAX_FILE = 8_000_000;

/** Every call from the screen to the desktop. Adding one is an entry here and a handler; nothing else knows names. */
export const contract = {
  'app.start': call(
    'What the screen needs before it draws: settings, the lab to reopen, notices since the last start.',
    Empty,
    z.strictObject({
      version: z.string(),
      platform: z.string(),
      settings: Settings,
      /** Lab that was open, or that the command line names; null: show the home screen. */
      open: Slug.nullable(),
      notices: z.array(Notice),
    }),
  ),
  'settings.set': call('Changes settings; they are on disk before the reply.', Settings.partial(), Settings),
  'labs.list': call('The course, with progress.', Empty, z.array(LabSummary)),
  'facts.list': call(
    'Every fact that labs and the machine cite, by id: what it says and where it is from.',
    Empty,
    z.record(z.string().max(40), FactView),
  ),
  'lab.open': call(
    'Opens a lab where the learner left it, or at its beginning.',
    z.strictObject({ lab: Slug }),
    SessionView,
  ),
  'lab.restart': call(
    'Begins a lab anew. The earlier attempt is kept in the progress store.',
    z.strictObject({ lab: Slug }),
    SessionView,
  ),
  'lab.close': call('Returns to the home screen; the next start does not reopen the lab.', Empty, Empty),
  'lab.input': call(
    'Applies one input of the learner. It is on disk before the reply is sent.',
    z.strictObject({ session: Session, input: Input }),
    InputReply,
  ),
  'lab.ask': call(
    'Answers a question about the open session, which stays as it is: where stops are hit, what caused an event.',
    z.strictObject({ session: Session, question: Question }),
    Found,
  ),
  'lab.export': call(
    'Writes the transcript of a session to a file that the learner chooses.',
    z.strictObject({ session: Session }),
    z.strictObject({ file: z.string().nullable(), inputs: z.int() }),
  ),
  'file.save': call(
    'Writes what the screen has made to a file that the learner chooses.',
    z.discriminatedUnion('kind', [
      z.strictObject({
        kind: z.literal('picture'),
        /** Of the file, without its ending. */
        name: FileName,
        /** An SVG document. */
        content: z
          .string()
          .max(MAX_FILE)
          .regex(/^<svg [^]*<\/svg>\s*$/)
          .refine((svg) => !/<script|<[^>]*\son\w+=/i.test(svg), 'a picture runs nothing'),
      }),
    ]),
    z.strictObject({ file: z.string().nullable() }),
  ),
  'lab.peek': call(
    'Shows another moment while the learner looks for one. It is no input: the next one begins where the last one ended.',
    z.strictObject({ session: Session, moment: z.int().min(0) }),
    InputReply,
  ),
  'trace.filter': call(
    'Chooses which events of the open session have rows, until it is chosen again.',
    z.strictObject({ session: Session, filter: TraceFilter }),
    /** Per machine: numbers, ascending, of all that there are. */
    z.array(Numbers),
  ),
  'trace.events': call(
    'Events of a machine by number; those that are not known are left out.',
    z.strictObject({
      session: Session,
      on: z.enum(['a', 'b']),
      events: z.array(z.int().min(0)).max(MAX_EVENTS_ASKED),
    }),
    z.array(EventView),
  ),
  'trace.save': call(
    'Writes the trace of the machine that is shown, up to the moment shown, to a file that the learner chooses.',
    z.strictObject({ session: Session, format: z.enum(TRACE_FORMATS) }),
    z.strictObject({
      file: z.string().nullable(),
      events: z.int(),
      /** Events at its beginning that are not kept any more. */
      lost: z.int(),
    }),
  ),
  'sandbox.choices': call('What a sandbox can be made of, and the one under way.', Empty, SandboxChoices),
  'sandbox.begin': call(
    'Builds a machine without a lab. The earlier one is kept in the progress store.',
    z.strictObject({ wanted: SandboxWanted }),
    z.strictObject({
      /** Null: it cannot be built, and `faults` says why; what was open stays open. */
      view: SessionView.nullable(),
      /** `at`: the VM that it is about; null: all of it. */
      faults: z.array(z.strictObject({ at: z.string().nullable(), say: z.string() })),
      /** Of what was to be done at once, how much the machine refused. */
      leftOut: z.int(),
    }),
  ),
  'sandbox.save': call(
    'Writes what was done as a scenario file, where the learner chooses. `seamlab run` runs it.',
    z.strictObject({ session: Session, title: z.string().trim().min(1).max(120) }),
    z.strictObject({ file: z.string().nullable() }),
  ),
  'work.cancel': call(
    'Stops the work that `busy` reports. An input that was under way is not kept; the session goes on before it.',
    Empty,
    Empty,
  ),
} as const;

/** What a menu item or a shortcut of the system asks the screen to do. */
export const MenuCommand = z.enum([
  'home',
  'sandbox',
  'restart',
  'run-back',
  'run-on',
  'stops',
  'export',
  'picture',
  'trace-text',
  'tour',
  'palette',
  'shortcuts',
  'theme-system',
  'theme-light',
  'theme-dark',
  'text-larger',
  'text-smaller',
  'text-reset',
]);
export type MenuCommand = z.infer<typeof MenuCommand>;

/** Every message from the desktop to the screen. */
export const events = {
  notice: event('Something the learner must know now.', Notice),
  'session.restored': event(
    'The simulator was restarted and the session replayed; this is its state.',
    z.strictObject({ session: Session, view: SessionView }),
  ),
  busy: event(
    'Long work in main: progress 0 to 1, or null when it ended.',
    z.strictObject({ what: z.string(), progress: z.number().nullable() }),
  ),
  menu: event(
    'A menu item or global shortcut asks for an action of the screen.',
    z.strictObject({ command: MenuCommand }),
  ),
  'lab.wanted': event(
    'A second start of the application names a lab: the screen opens it.',
    z.strictObject({ lab: Slug }),
  ),
} as const;

export type Name = keyof typeof contract;
export type Params<N extends Name> = z.input<(typeof contract)[N]['params']>;
export type Reply<N extends Name> = z.output<(typeof contract)[N]['reply']>;
export type EventName = keyof typeof events;
export type Payload<N extends EventName> = z.output<(typeof events)[N]['payload']>;

/** What main must provide; a call without a handler does not compile. Params arrive parsed, defaults filled in. */
export type Handlers = {
  readonly [N in Name]: (params: z.output<(typeof contract)[N]['params']>) => Promise<Reply<N>>;
};

/** Every reply that crosses the bridge: an error is a value with words for the learner. */
export const Envelope = z.discriminatedUnion('ok', [
  z.strictObject({ ok: z.literal(true), value: z.unknown() }),
  z.strictObject({ ok: z.literal(false), code: z.string(), message: z.string() }),
]);
export type Envelope = z.infer<typeof Envelope>;

/** What the preload script exposes as `window.seamlab`: two functions, no more. */
export interface Bridge {
  call(name: string, params: unknown): Promise<Envelope>;
  /** @returns a function that ends the subscription. */
  on(name: string, listener: (payload: unknown) => void): () => void;
}
