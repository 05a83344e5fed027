import { join } from 'node:path';
import { Input } from '../src-lab/input';
import { SANDBOX, sideBySide, titleOf, type Setup } from '../src-lab/setup';
import type { SetupFault } from '../src-lab/sandbox';
import { Slug } from '../src-lab/slug';
import { transcriptFile } from '../src-lab/transcript';
import type { FactView, InputReply, SessionView } from '../src-lab/view';
import type { TraceFormat } from '../src-sim/export/format';
import type { Action } from '../src-sim/scenario/action';
import { AtomicFile, writeAtomic } from './atomic';
import type {
  EventName,
  Handlers,
  LabSummary,
  Notice,
  Payload,
  Reply,
  SandboxChoices,
  SandboxWanted,
  Settings,
} from './contract';
import type { Log } from './log';
import { noticeOf, paragraphOf, writeFaultOf, type LossReason, type News, type WriteFault } from './notices';
import type { Progress } from './progress';
import { Refusal } from './serve';
import { stamp, type Remembered } from './settings';
import type { Attempt } from './store';
import { cardsOf, type Listing } from './listing';
import { WorkerLost, type Supervisor } from './supervisor';
import type { Opened, Workshop } from './workshop';

/** What the desktop needs of the world; the application gives it Electron, a test gives it less. */
export interface World {
  readonly version: string;
  readonly remembered: Remembered;
  readonly progress: Progress;
  readonly supervisor: Supervisor;
  /** The labs, when they are known without the worker; null when it must be asked. */
  readonly labsAtHand: () => Listing | null;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** A new UUID. */
  readonly uuid: () => string;
  /** Sends an event to the screen; without a screen it is dropped. */
  readonly emit: <N extends EventName>(name: N, payload: Payload<N>) => void;
  /** Asks where to write `name`. @returns a path, or null when the learner changes their mind. */
  readonly askFile: (name: string) => Promise<string | null>;
  /** Asks for a folder. @returns a path, or null when the learner changes their mind. */
  readonly askFolder: () => Promise<string | null>;
  /** Shows the application in this theme. */
  readonly applyTheme: (theme: Settings['theme']) => void;
}

/** The session that is open. `lines` is what was acknowledged: the truth of this run, whatever the disk does. */
interface Open {
  readonly attempt: Attempt;
  readonly lines: string[];
  /** Milliseconds since the start of the latest input; time in a transcript never runs backwards. */
  at: number;
  /** Worker that holds it. */
  generation: number;
}

/** Work under way, and when it was last shown; null: not yet. */
interface Busy {
  readonly what: string;
  readonly since: number;
  shown: number | null;
  /** What the learner's wish to stop it does. */
  cancel: () => void;
}

/** Milliseconds after which work is shown as work. */
const BUSY_AFTER = 1_000;
/** Attempts at the sandbox that are offered: the newest. */
const EARLIER = 20;
/** Milliseconds that the end of the application waits for work under way. */
const CLOSE_WITHIN = 3_000;
/** Milliseconds between two reports of progress. */
const BUSY_EVERY = 100;

/**
 * What the calls of the contract do. Everything that touches the open session goes through one queue, so an input is
 * applied, stored and acknowledged before the next one is looked at.
 */
export class Desktop {
  readonly handlers: Handlers;
  readonly #world: World;
  #open: Open | null = null;
  #queue: Promise<unknown> = Promise.resolve();
  #waiting: Notice[] = [];
  #listening = false;
  #busy: Busy | null = null;
  readonly #toldBroken = new Set<string>();

  constructor(world: World) {
    this.#world = world;
    for (const news of world.remembered.news) this.tell(news);
    this.handlers = {
      'app.start': () => this.#start(),
      'settings.set': (change) => this.#set(change),
      'labs.list': () => this.#labs(),
      'facts.list': () => this.#facts(),
      'lab.open': ({ lab }) => this.#serial('Opening the lab', () => this.#openLab(lab)),
      'lab.restart': ({ lab }) => this.#serial('Restarting the lab', () => this.#restart(lab)),
      'lab.close': () => this.#serial('Closing the lab', () => this.#close()),
      'lab.input': ({ session, input }) =>
        this.#serial('Running the machine', () => this.#input(session, input)),
      'lab.peek': ({ session, moment }) =>
        this.#serial('Going through the past', () => this.#ofSession('peek', session, moment)),
      'lab.ask': ({ session, question }) =>
        this.#serial('Searching the past', () => this.#ofSession('ask', session, question)),
      'lab.export': ({ session }) => this.#export(session),
      'file.save': ({ name, content }) => this.#save(`seamlab-${name}.svg`, content),
      'sandbox.choices': () => this.#serial('Looking for scenarios', () => this.#sandboxChoices()),
      'sandbox.begin': ({ wanted }) => this.#serial('Building the machine', () => this.#beginSandbox(wanted)),
      'trace.filter': ({ session, filter }) =>
        this.#serial('Filtering the trace', () => this.#ofSession('filter', session, filter)),
      'trace.events': ({ session, on, events: numbers }) =>
        this.#serial('Reading the trace', () => this.#ofSession('events', session, on, numbers)),
      'trace.save': ({ session, format }) => this.#saveTrace(session, format),
      'sandbox.save': ({ session, title }) => this.#saveScenario(session, title),
      'work.cancel': async () => {
        this.#busy?.cancel();
        return {};
      },
    };
  }

  /** Tells the learner: now when the screen listens, else with the reply to its next `app.start`. */
  tell(news: News): void {
    const notice = noticeOf(news);
    this.#world.log('told', { code: news.code });
    if (this.#listening) this.#world.emit('notice', notice);
    else this.#waiting.push(notice);
  }

  /** The screen is gone or loads anew: what it must be told waits for its next start. */
  deaf(): void {
    this.#listening = false;
  }

  /** The screen crashed and is being loaded again. */
  screenCrashed(): void {
    this.deaf();
    this.tell({ code: 'screen_crashed', inputs: this.#open?.lines.length ?? 0 });
  }

  /** The command line names a lab: the next start of the screen opens it, or the running screen is asked to. */
  want(name: string): void {
    const lab = Slug.safeParse(name);
    if (!lab.success) return this.tell({ code: 'no_such_lab', name: name.slice(0, 40) });
    if (this.#listening) this.#world.emit('lab.wanted', { lab: lab.data });
    else this.remember({ open: lab.data });
  }

  /**
   * The files of the lab that its author previews were saved: shows the lab as it is now, with the inputs that were
   * made before as far as it still takes them, or says what is wrong with it.
   *
   * @param folder - name of the lab's folder.
   */
  previewChanged(folder: string): Promise<void> {
    return this.#serial('Reading the lab', async () => {
      const { labs, broken } = await this.#insist('labs');
      const fault = broken.find((lab) => lab.folder === folder);
      if (fault !== undefined) return this.tell({ code: 'preview_broken', errors: fault.errors });
      const card = labs.find((lab) => lab.folder === folder);
      if (card === undefined) return this.tell({ code: 'no_such_lab', name: folder });
      const open = this.#open;
      if (open?.attempt.labHash === card.hash) return;
      if (open === null) return this.want(card.id);
      await this.#leave();
      this.#world.progress.end(open.attempt.id);
      const { session } = await this.#openNew(card.id);
      let leftOut = 0;
      for (const line of open.lines) {
        const { input } = JSON.parse(line) as { input: Input };
        if (!(await this.#input(session, input)).accepted) leftOut++;
      }
      const inputs = open.lines.length - leftOut;
      this.tell({ code: 'preview_shown', title: card.title, inputs, leftOut });
      this.want(card.id);
    }).catch((error: unknown) => this.#world.log('preview failed', error));
  }

  /** The worker was lost. Work under way deals with it itself; an idle session is opened again here. */
  workerLost(why: LossReason): void {
    void this.#serial('Restarting the simulator', async () => {
      const open = this.#open;
      if (open === null || open.generation === this.#world.supervisor.generation) return;
      if (await this.#restore(why))
        this.tell({ code: 'simulator_restarted', why, inputs: open.lines.length });
    }).catch((error: unknown) => this.#world.log('restart failed', error));
  }

  /** The worker reports that replaying goes on. */
  workerProgress(done: number, total: number): void {
    const busy = this.#busy;
    if (busy === null || this.#world.now() - busy.since < BUSY_AFTER) return;
    this.#report(total === 0 ? 0 : done / total);
  }

  /** Writes every attempt ever made to a folder that the learner chooses. */
  async exportEvery(): Promise<void> {
    const { progress } = this.#world;
    const folder = await this.#world.askFolder();
    if (folder === null) return;
    try {
      const attempts = progress.attempts(null);
      for (const attempt of attempts) {
        writeAtomic(
          join(folder, fileNameOf(attempt)),
          transcriptFile(attempt.header, progress.lines(attempt.id)),
          0o644,
        );
      }
      this.tell({ code: 'exported', folder, attempts: attempts.length });
    } catch (error) {
      this.tell({ code: 'not_exported', why: this.#exportFault(error) });
    }
  }

  /** Lets what was asked for be done, unless it hangs; then ends the worker and closes the store. */
  readonly close = async (): Promise<void> => {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise((resolve) => (timer = setTimeout(resolve, CLOSE_WITHIN)));
    await Promise.race([this.#queue, patience]);
    clearTimeout(timer);
    void this.#world.supervisor.stop();
    this.#world.progress.close();
  };

  async #start() {
    const { version, remembered } = this.#world;
    const notices = this.#waiting;
    this.#waiting = [];
    this.#listening = true;
    return {
      version,
      platform: process.platform,
      settings: remembered.settings,
      open: remembered.open,
      notices,
    };
  }

  async #set(change: Partial<{ [K in keyof Settings]: Settings[K] | undefined }>): Promise<Settings> {
    const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
    const settings = { ...this.#world.remembered.settings, ...(given as Partial<Settings>) };
    this.remember({ settings });
    this.#world.applyTheme(settings.theme);
    return settings;
  }

  async #labs(): Promise<LabSummary[]> {
    const { supervisor, labsAtHand } = this.#world;
    const atHand = supervisor.generation === 0 ? labsAtHand() : null;
    const { labs, broken } = atHand === null ? await this.#insist('labs') : cardsOf(atHand);
    // Home is shown first: whatever is chosen there needs the worker.
    setImmediate(() => supervisor.start());
    for (const { folder, why } of broken) {
      if (this.#toldBroken.has(folder + why)) continue;
      this.#toldBroken.add(folder + why);
      this.tell({ code: 'lab_broken', folder, why });
    }
    const attempts = this.#world.progress.attempts(null);
    return labs.map(({ folder: _folder, hash, ...lab }) => {
      const latest = attempts.find((attempt) => attempt.lab === lab.id && attempt.ended === null);
      const standing = latest?.labHash === hash ? latest.standing : null;
      const progress = latest !== undefined && standing !== null ? { session: latest.id, ...standing } : null;
      return { ...lab, progress };
    });
  }

  /** None when a file of them cannot be read: labs are shown without. Their author learns of it from `lab check`. */
  async #facts(): Promise<Record<string, FactView>> {
    const read = await this.#insist('facts');
    if (!read.ok) {
      this.#world.log('facts cannot be read', { why: read.why });
      return {};
    }
    return Object.fromEntries(
      Object.entries(read.facts).map(([id, { fact, source }]) => [id, { fact, source }]),
    );
  }

  async #openLab(lab: string): Promise<SessionView> {
    const { supervisor, progress } = this.#world;
    if (
      this.#open !== null &&
      this.#open.attempt.lab === lab &&
      this.#open.generation === supervisor.generation
    ) {
      const view = await this.#insist('view', this.#open.attempt.id);
      if (view !== null) return view;
    }
    await this.#leave();
    const kept = progress.attempts(lab).find((attempt) => attempt.ended === null);
    if (kept !== undefined) {
      const lines = progress.lines(kept.id);
      const opened = await this.#insist('open', {
        lab,
        session: kept.id,
        started: kept.started,
        kept: { header: kept.header, lines },
        filter: this.#world.remembered.settings.trace.filter,
      });
      if (opened.kind === 'open') return this.#opened(kept, opened, lines);
      if (opened.kind === 'changed') {
        const code = opened.what === 'lab' ? 'lab_changed' : 'simulator_changed';
        this.tell({ code, title: opened.title, inputs: kept.inputs });
      } else if (opened.kind === 'damaged') {
        this.tell({ code: 'not_replayable', title: opened.title, inputs: kept.inputs, line: opened.line });
      } else throw this.#unopenable(lab, opened);
      progress.end(kept.id);
    }
    // The kept one could not be replayed; the same machine can still be built.
    if (lab === SANDBOX) return this.#buildSandbox(this.#setupOfKept(kept));
    return this.#openNew(lab);
  }

  async #openNew(lab: string): Promise<SessionView> {
    const { uuid, now } = this.#world;
    const session = uuid();
    const started = now();
    const { filter } = this.#world.remembered.settings.trace;
    const opened = await this.#insist('open', { lab, session, started, kept: null, filter });
    if (opened.kind !== 'open') throw this.#unopenable(lab, opened);
    // The name was a folder's: continue what was begun under the lab's own id.
    if (
      opened.lab !== lab &&
      this.#world.progress.attempts(opened.lab).some((attempt) => attempt.ended === null)
    ) {
      await this.#insist('close', session);
      return this.#openLab(opened.lab);
    }
    const { labHash, simVersion, header } = opened;
    return this.#opened({ id: session, lab: opened.lab, labHash, simVersion, started, header }, opened, []);
  }

  #opened(attempt: Attempt, opened: Opened & { kind: 'open' }, lines: string[]): SessionView {
    const { id, lab, labHash, simVersion, started, header } = attempt;
    this.#open = {
      attempt: { id, lab, labHash, simVersion, started, header },
      lines,
      at: opened.at,
      generation: this.#world.supervisor.generation,
    };
    this.remember({ open: lab });
    return opened.view;
  }

  #unopenable(lab: string, opened: Opened): Refusal {
    if (this.#world.remembered.open === lab) this.remember({ open: null });
    if (opened.kind === 'broken') {
      return new Refusal('lab_broken', paragraphOf({ code: 'lab_broken', folder: lab, why: opened.why }));
    }
    return new Refusal('no_such_lab', paragraphOf({ code: 'no_such_lab', name: lab }));
  }

  async #restart(lab: string): Promise<SessionView> {
    const { progress } = this.#world;
    await this.#leave();
    const kept = progress.attempts(lab).filter(({ ended }) => ended === null);
    const setup = lab === SANDBOX ? this.#setupOfKept(kept[0]) : null;
    for (const { id } of kept) progress.end(id);
    return setup === null ? this.#openNew(lab) : this.#buildSandbox(setup);
  }

  // The sandbox ----------------------------------------------------------------------------------------------------

  async #sandboxChoices(): Promise<SandboxChoices> {
    const { progress } = this.#world;
    const { switches, scenarios } = await this.#insist('sandbox');
    const attempts = progress.attempts(SANDBOX);
    const kept = attempts.find(({ ended }) => ended === null);
    const current = this.#setupOfKept(kept);
    return {
      switches,
      scenarios: scenarios.map((card) => ({ ...card, vms: { ...card.vms }, switches: [...card.switches] })),
      kept: kept === undefined ? null : { title: current.title, inputs: Math.max(0, kept.inputs - 1) },
      earlier: attempts
        .filter(({ ended }) => ended !== null)
        .slice(0, EARLIER)
        .map((attempt) => {
          const { id: session, inputs, started } = attempt;
          const setup = this.#setupOfKept(attempt);
          const comparable = haveSameVms(setup, current);
          return { session, title: setup.title, comparable, inputs: Math.max(0, inputs - 1), started };
        }),
    };
  }

  /** What a kept sandbox was built as; the default when there is none. */
  #setupOfKept(kept: Attempt | undefined): Setup {
    return setupOf(kept === undefined ? null : this.#world.progress.firstLine(kept.id));
  }

  async #beginSandbox(wanted: SandboxWanted): Promise<Reply<'sandbox.begin'>> {
    const { setup, inputs, faults } = await this.#setupFor(wanted);
    if (setup === null) return { view: null, faults: [...faults], leftOut: 0 };
    const { progress } = this.#world;
    await this.#leave();
    for (const { id, ended } of progress.attempts(SANDBOX)) if (ended === null) progress.end(id);
    const { session } = await this.#buildSandbox(setup);
    let leftOut = 0;
    for (const input of inputs) if (!(await this.#input(session, input)).accepted) leftOut++;
    return { view: await this.#insist('view', session), faults: [], leftOut };
  }

  /** What is to be built, and done at once; null when it cannot be built. */
  async #setupFor(wanted: SandboxWanted): Promise<{
    readonly setup: Setup | null;
    readonly inputs: readonly Input[];
    readonly faults: readonly SetupFault[];
  }> {
    const planned = await this.#planOf(wanted);
    if ('say' in planned) return { setup: null, inputs: [], faults: [{ at: null, say: planned.say }] };
    const against = 'against' in wanted ? wanted.against : null;
    const setup = {
      ...planned.setup,
      ...(against === null ? {} : { compare: comparisonOf(planned.setup, against) }),
    };
    const faults = await this.#insist('faults', setup);
    return faults.length > 0
      ? { setup: null, inputs: [], faults }
      : { setup, inputs: planned.inputs, faults };
  }

  async #planOf(
    wanted: SandboxWanted,
  ): Promise<{ readonly setup: Setup; readonly inputs: readonly Input[] } | { readonly say: string }> {
    switch (wanted.from) {
      case 'platform': {
        const twice = wanted.vms.find(({ name }, i) => wanted.vms.findIndex((vm) => vm.name === name) !== i);
        if (twice !== undefined) return { say: `There are two VMs called "${twice.name}".` };
        return { setup: platformSetup(wanted), inputs: [] };
      }
      case 'scenario': {
        const found = await this.#insist('scenario', wanted.scenario);
        if (found === null) return { say: `There is no scenario "${wanted.scenario}".` };
        const { id, title, vms, switches } = found.card;
        const platform = { vms: { ...vms }, switches: switchesOn(switches) };
        const setup: Setup = { title, platform, begin: [], scenario: id, compare: null };
        return { setup, inputs: wanted.perform ? found.steps : [] };
      }
      case 'session': {
        const run = await this.#runOf(wanted.session);
        return run ?? { say: 'This machine is not open any more.' };
      }
      case 'attempts': {
        const mine = await this.#runOf(wanted.session);
        if (mine === null) return { say: 'This machine is not open any more.' };
        const earlier = await this.#earlierRun(wanted.earlier);
        return 'say' in earlier ? earlier : twoRuns(mine, earlier);
      }
    }
  }

  /** What the open machine is, and what was done to it; null when it is not open. */
  async #runOf(session: string): Promise<Run | null> {
    const open = this.#open;
    const done = await this.#insist('done', session);
    return open === null || done === null || open.attempt.id !== session ? null : runOf(open.lines, done);
  }

  /** The same of an attempt that was left. */
  async #earlierRun(session: string): Promise<Run | { readonly say: string }> {
    const { progress, remembered } = this.#world;
    const attempt = progress.attempt(session);
    if (attempt?.lab !== SANDBOX) return { say: 'There is no such attempt.' };
    const lines = progress.lines(session);
    const { started, header } = attempt;
    const opened = await this.#insist('open', {
      lab: SANDBOX,
      session,
      started,
      kept: { header, lines },
      filter: remembered.settings.trace.filter,
    });
    if (opened.kind === 'changed')
      return {
        say: 'That attempt was made with another version of the simulator, which may answer otherwise.',
      };
    const done = await this.#insist('done', session);
    await this.#insist('close', session);
    return done === null
      ? { say: 'That attempt cannot be replayed: its record is damaged.' }
      : runOf(lines, done);
  }

  async #buildSandbox(setup: Setup): Promise<SessionView> {
    const { session } = await this.#openNew(SANDBOX);
    const { accepted, refused } = await this.#input(session, { kind: 'build', setup });
    if (!accepted) throw new Error(`the sandbox was not built: ${refused}`);
    return (await this.#insist('view', session))!;
  }

  async #saveScenario(session: string, title: string): Promise<Reply<'sandbox.save'>> {
    const text = await this.#serial('Writing the scenario', () => this.#insist('written', session, title));
    if (text === null) throw new Refusal('not_open', 'This machine is not open any more. Open it again.');
    const name = `${title
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, '')
      .slice(0, 60)}.yaml`;
    return this.#save(name, text);
  }

  async #saveTrace(session: string, format: TraceFormat): Promise<Reply<'trace.save'>> {
    const ending = format === 'perfetto' ? 'json' : 'txt';
    const file = await this.#world.askFile(`seamlab-trace-${format}.${ending}`);
    if (file === null) return { file, events: 0, lost: 0 };
    return this.#serial('Writing the trace', async (busy) => {
      const { events, lost } = await this.#ofSession('trace', session, format);
      let stopped = false;
      busy.cancel = () => (stopped = true);
      await this.#write(file, async (append) => {
        for (;;) {
          const piece = await this.#world.supervisor.call('traceText', session);
          if (stopped) throw new Refusal('stopped', paragraphOf({ code: 'stopped', why: 'cancelled' }));
          if (piece === null) return;
          append(piece.text);
          this.workerProgress(piece.events, events);
        }
      });
      return { file, events, lost };
    });
  }

  async #close(): Promise<Record<string, never>> {
    await this.#leave();
    this.remember({ open: null });
    return {};
  }

  /** Forgets the open session in the worker; its transcript stays. */
  async #leave(): Promise<void> {
    const open = this.#open;
    this.#open = null;
    if (open !== null && open.generation === this.#world.supervisor.generation) {
      await this.#insist('close', open.attempt.id);
    }
  }

  /** The open session, in the worker that there is now. */
  async #current(session: string): Promise<Open> {
    if (this.#open !== null && this.#open.generation !== this.#world.supervisor.generation)
      await this.#restore('died');
    const open = this.#open;
    if (open === null || open.attempt.id !== session) {
      throw new Refusal(
        'not_open',
        'This lab is not open any more. Everything you did in it is kept. Open it again.',
      );
    }
    return open;
  }

  /** Something about the open session that is no input. */
  async #ofSession<K extends 'ask' | 'peek' | 'filter' | 'events' | 'trace'>(
    name: K,
    session: string,
    ...rest: Rest<Parameters<Workshop[K]>>
  ) {
    await this.#current(session);
    const found = await this.#world.supervisor.call(
      name,
      ...([session, ...rest] as unknown as Parameters<Workshop[K]>),
    );
    if (found === null) throw new Error('the worker does not know the open session');
    return found;
  }

  async #input(session: string, input: Input): Promise<InputReply> {
    const { supervisor, progress, now } = this.#world;
    const open = await this.#current(session);
    const at = Math.max(open.at, now() - open.attempt.started);
    let applied;
    try {
      applied = await supervisor.call('apply', session, input, at);
    } catch (error) {
      if (!(error instanceof WorkerLost)) {
        // The session may be half changed: the transcript knows how it was.
        await this.#restore('died');
        throw error;
      }
      await this.#restore(error.why);
      throw new Refusal(
        'input_stopped',
        paragraphOf({ code: 'input_stopped', why: error.why, inputs: open.lines.length }),
      );
    }
    if (applied === null) throw new Error('the worker does not know the open session');
    if (!applied.accepted) return applied.reply;
    const why = progress.append(open.attempt, open.lines, applied.line, applied.standing);
    if (why !== null) {
      await this.#restore('died');
      throw new Refusal(why.code, paragraphOf(why));
    }
    open.lines.push(applied.line);
    open.at = at;
    return applied.reply;
  }

  /**
   * Brings the open session back to what was acknowledged, in whatever worker there is now, and shows it.
   *
   * @returns false when replaying failed; the lab is then closed and the learner was told.
   */
  async #restore(why: LossReason): Promise<boolean> {
    const open = this.#open;
    if (open === null) return false;
    const { id, header, lab, started } = open.attempt;
    try {
      const opened = await this.#insist('open', {
        lab,
        session: id,
        started,
        kept: { header, lines: open.lines },
        filter: this.#world.remembered.settings.trace.filter,
      });
      if (opened.kind === 'open') {
        open.generation = this.#world.supervisor.generation;
        this.#world.emit('session.restored', { session: id, view: opened.view });
        return true;
      }
      this.#world.log('session cannot be restored', { kind: opened.kind });
    } catch (error) {
      this.#world.log('session cannot be restored', error);
    }
    this.#open = null;
    this.tell({ code: 'simulator_down', why });
    return false;
  }

  /** A call that may be repeated: when the worker is lost, the next one is asked once more. */
  async #insist<K extends Exclude<keyof Workshop, 'apply'>>(name: K, ...args: Parameters<Workshop[K]>) {
    try {
      return await this.#world.supervisor.call(name, ...args);
    } catch (error) {
      if (!(error instanceof WorkerLost) || error.why === 'cancelled') throw error;
      return this.#world.supervisor.call(name, ...args);
    }
  }

  async #export(session: string) {
    const open = this.#open?.attempt.id === session ? this.#open : null;
    const attempt = open?.attempt ?? this.#world.progress.attempt(session);
    if (attempt === null) throw new Refusal('no_attempt', 'There is no such attempt to export.');
    const lines = open !== null ? [...open.lines] : this.#world.progress.lines(session);
    const { file } = await this.#save(fileNameOf(attempt), transcriptFile(attempt.header, lines));
    return { file, inputs: lines.length };
  }

  /** Writes a file where the learner wants it; null: they changed their mind. */
  async #save(name: string, content: string): Promise<{ file: string | null }> {
    const file = await this.#world.askFile(name);
    if (file !== null) await this.#write(file, async (append) => append(content));
    return { file };
  }

  /** Writes a file that the learner has chosen, whole or not at all. */
  async #write(file: string, pieces: (append: (text: string) => void) => Promise<void>): Promise<void> {
    let writing: AtomicFile | null = null;
    try {
      writing = new AtomicFile(file, 0o644);
      await pieces((text) => writing!.append(text));
      writing.commit();
    } catch (error) {
      if (error instanceof Refusal || error instanceof WorkerLost) throw error;
      throw new Refusal('not_exported', paragraphOf({ code: 'not_exported', why: this.#exportFault(error) }));
    } finally {
      writing?.abandon();
    }
  }

  /** Logs the error's code only: the path that the learner chose may hold names. */
  #exportFault(error: unknown): WriteFault {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    this.#world.log('export failed', { code });
    return writeFaultOf(code);
  }

  /** Keeps a change of settings, open lab or window place; tells the learner when it cannot be written. */
  remember(change: Parameters<Remembered['change']>[0]): void {
    const news = this.#world.remembered.change(change);
    if (news !== null) this.tell(news);
  }

  /** One after the other. Work that takes long is shown, with what it is. */
  #serial<T>(what: string, work: (busy: Busy) => Promise<T>): Promise<T> {
    const run = this.#queue.then(async () => {
      const { now, supervisor } = this.#world;
      const busy: Busy = { what, since: now(), shown: null, cancel: () => supervisor.cancel() };
      this.#busy = busy;
      const timer = setTimeout(() => {
        if (busy.shown === null) this.#report(0);
      }, BUSY_AFTER);
      try {
        return await work(busy);
      } catch (error) {
        if (error instanceof WorkerLost)
          throw new Refusal('stopped', paragraphOf({ code: 'stopped', why: error.why }));
        throw error;
      } finally {
        clearTimeout(timer);
        if (busy.shown !== null) this.#world.emit('busy', { what, progress: null });
        this.#busy = null;
      }
    });
    this.#queue = run.catch(() => {});
    return run;
  }

  #report(progress: number): void {
    const busy = this.#busy;
    if (busy === null) return;
    const now = this.#world.now();
    if (busy.shown !== null && now - busy.shown < BUSY_EVERY) return;
    busy.shown = now;
    this.#world.emit('busy', { what: busy.what, progress: Math.min(1, progress) });
  }
}

type Rest<A extends readonly unknown[]> = A extends readonly [unknown, ...infer R] ? R : never;

const DEFAULT_SETUP: Setup = {
  title: titleOf({ td: 2 }, []),
  platform: { vms: { td: 2 }, switches: {} },
  begin: [],
  scenario: null,
  compare: null,
};

/** What a sandbox was built as: its first input says so. Of one that cannot be read, the default. */
function setupOf(first: string | null): Setup {
  if (first === null) return DEFAULT_SETUP;
  const input = Input.safeParse((JSON.parse(first) as { input?: unknown }).input);
  return input.success && input.data.kind === 'build' ? input.data.setup : DEFAULT_SETUP;
}

function switchesOn(names: readonly string[]): Record<string, boolean> {
  return Object.fromEntries(names.map((name) => [name, true]));
}

function platformSetup({ vms, switches }: Extract<SandboxWanted, { from: 'platform' }>): Setup {
  const counts = Object.fromEntries(vms.map(({ name, vcpus }) => [name, vcpus]));
  const begin = vms.flatMap(({ name: vm, vcpus, boot }) =>
    boot === 'none' ? [] : [{ boot, vm, vcpus, run: true } as Action],
  );
  return {
    title: titleOf(counts, switches),
    platform: { vms: counts, switches: switchesOn(switches) },
    begin,
    scenario: null,
    compare: null,
  };
}

/** The machine as it is, and the same with other switches. */
function comparisonOf({ platform }: Setup, against: readonly string[]): Setup['compare'] {
  const own = Object.keys(platform.switches).filter((name) => platform.switches[name] === true);
  const other = switchesOn(against);
  return {
    a: { label: labelOf(own), switches: platform.switches },
    b: { label: labelOf(against), switches: other },
  };
}

/** A sandbox of one machine, and what was done to it. */
interface Run {
  readonly setup: Setup;
  readonly inputs: readonly Input[];
}

function runOf(
  lines: readonly string[],
  done: { inputs: readonly Input[]; switches: readonly string[] },
): Run {
  const { platform, ...setup } = setupOf(lines[0] ?? null);
  const { inputs, switches } = done;
  return {
    setup: { ...setup, platform: { ...platform, switches: switchesOn(switches) }, compare: null },
    inputs,
  };
}

/** Whether two machines can be compared: the names of their VMs are the same, and the vCPUs of each. */
function haveSameVms(a: Setup, b: Setup): boolean {
  const [one, other] = [a, b].map(({ platform }) => JSON.stringify(Object.entries(platform.vms).sort()));
  return one === other;
}

/** Two runs as one comparison. What each began with is done first, so that it may differ. */
function twoRuns(a: Run, b: Run): Run | { readonly say: string } {
  if (!haveSameVms(a.setup, b.setup))
    return { say: 'That attempt has other VMs; only machines of the same VMs are compared.' };
  const whole = ({ setup, inputs }: Run): Input[] => [
    ...setup.begin.map((action): Input => ({ kind: 'act', action })),
    ...inputs,
  ];
  const [left, right] = [a, b].map(({ setup }) => setup.platform.switches) as [
    Setup['platform']['switches'],
    Setup['platform']['switches'],
  ];
  const labels = [left, right].map((switches) => labelOf(Object.keys(switches)));
  const [one, other] = labels[0] === labels[1] ? ['this attempt', 'the earlier one'] : labels;
  return {
    setup: {
      ...a.setup,
      begin: [],
      compare: { a: { label: one!, switches: left }, b: { label: other!, switches: right } },
    },
    inputs: sideBySide(whole(a), whole(b)),
  };
}

/** What tells a machine from another: its switches. */
function labelOf(switches: readonly string[]): string {
  return switches.length === 0 ? 'as upstream' : switches.join(', ').slice(0, 60);
}

/** `seamlab-init-sipi-2026-11-21T10-22-33-123.jsonl` */
function fileNameOf(attempt: Attempt): string {
  return `seamlab-${attempt.lab}-${stamp(attempt.started)}.jsonl`;
}
