import type { FactView, SessionView } from '../src-lab/view';
import { DEFAULT_SETTINGS } from '../src-main/contract';
import type {
  LabSummary,
  MenuCommand,
  Name,
  Notice,
  Params,
  Payload,
  Reply,
  SandboxChoices,
  SandboxWanted,
  Settings,
} from '../src-main/contract';
import type { Answer, Client, Fault } from './bridge';
import { commandsOf } from './commands';
import { LabState } from './lab/lab.svelte';
import { DEFAULT_BINDINGS, type Bindings, type CommandId } from './shortcuts';
import { Working } from './working.svelte';

export type Dialog = 'settings' | 'shortcuts' | 'palette' | 'restart' | 'compare';
/** Text sizes that the screen offers, in percent. */
export const TEXT_SIZES = [80, 90, 100, 110, 125, 150, 175, 200] as const;

/** Milliseconds of quiet after which pane sizes are written. */
const PANES_SETTLE = 400;

/** The whole screen: where the learner is, what they must be told, how things look. */
export class App {
  screen: 'starting' | 'home' | 'sandbox' | 'lab' | 'failed' = $state('starting');
  fault: Fault | null = $state.raw(null);
  version = $state('');
  platform = $state('');
  settings: Settings = $state.raw({ ...DEFAULT_SETTINGS, toured: true });
  labs: readonly LabSummary[] | null = $state.raw(null);
  /** What a sandbox can be made of; null: not asked yet, or not known. */
  sandbox: SandboxChoices | null = $state.raw(null);
  lab: LabState | null = $state.raw(null);
  /** Whether more of the screen than Home is needed: a lab is opened or was, or Home is there and time is left. */
  needsAll = $state(false);
  notices: readonly Notice[] = $state.raw([]);
  dialog: Dialog | null = $state(null);
  /** Whether the lab screen is being explained. */
  tour = $state(false);
  /** Long work in main. */
  busy: { readonly what: string; readonly progress: number } | null = $state.raw(null);
  /** What was said last, and how often something was said: the same sentence twice is heard twice. */
  said = $state.raw({ sentence: '', times: 0 });
  bindings: Bindings = DEFAULT_BINDINGS;
  /** Facts by id; none until the first lab is shown. */
  #facts: Readonly<Record<string, FactView>> = $state.raw({});
  readonly working = new Working();
  /** What a region of the lab screen does about a command; filled in by the components that are there. */
  readonly doers = new Map<CommandId, () => void>();
  readonly #client: Client;
  readonly #commands = commandsOf(this);
  #faults = 0;
  #panesTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: Client) {
    this.#client = client;
    client.on('notice', (notice) => this.notify(notice));
    client.on('busy', (busy) => this.#showBusy(busy));
    client.on('session.restored', ({ session, view }) => {
      if (this.lab?.session === session) this.lab.restore(view);
    });
    client.on('menu', ({ command }) => this.#menu(command));
    client.on('lab.wanted', ({ lab }) => void this.open(lab));
  }

  get isMac(): boolean {
    return this.platform === 'darwin';
  }

  /** Asks main where the learner was, and goes there. */
  async start(): Promise<void> {
    const started = await this.#client.call('app.start', {});
    if (!started.ok) {
      this.fault = started.fault;
      this.screen = 'failed';
      return;
    }
    const { version, platform, settings, open, notices } = started.value;
    this.version = version;
    this.platform = platform;
    this.settings = settings;
    for (const notice of notices) this.notify(notice);
    if (open === null || !(await this.open(open))) await this.home();
  }

  /** The course. A lab that was open stays where it is. */
  async home(): Promise<void> {
    await this.#leave('home');
    const labs = await this.working.during(this.#client.call('labs.list', {}));
    if (labs.ok) this.labs = labs.value.toSorted((a, b) => a.number - b.number);
    else {
      this.labs = [];
      this.#tell(labs.fault);
    }
    this.needsAll = true;
  }

  /** A fact of the references; null for one that is not known, and for whatever else is given as a source. */
  fact(id: string): FactView | null {
    return Object.hasOwn(this.#facts, id) ? this.#facts[id]! : null;
  }

  /** Where a machine without a lab is chosen. What was open stays where it is. */
  async showSandbox(): Promise<void> {
    await this.#leave('sandbox');
    await this.loadSandbox();
  }

  /** Asks main what a sandbox can be made of. */
  async loadSandbox(): Promise<void> {
    const choices = await this.working.during(this.#client.call('sandbox.choices', {}));
    if (choices.ok) this.sandbox = choices.value;
    else this.#tell(choices.fault);
  }

  /**
   * Builds a machine without a lab and goes there.
   *
   * @returns what keeps it from being built; empty when it was, or when the learner was told why not.
   */
  async build(wanted: SandboxWanted): Promise<Reply<'sandbox.begin'>['faults']> {
    const begun = await this.working.during(this.#client.call('sandbox.begin', { wanted }));
    if (!begun.ok) {
      this.#tell(begun.fault);
      return [];
    }
    const { view, faults, leftOut } = begun.value;
    if (view === null) return faults;
    this.#show({ ok: true, value: view });
    if (leftOut > 0) this.say(`${leftOut} of the steps could not be done on this machine.`);
    return [];
  }

  /** Writes what was done in the sandbox as a scenario. */
  async saveScenario(title: string): Promise<void> {
    if (this.lab === null) return;
    const saved = await this.#client.call('sandbox.save', { session: this.lab.session, title });
    if (!saved.ok) return this.#tell(saved.fault);
    const { file } = saved.value;
    if (file === null) return;
    this.notify({
      id: `scenario-${++this.#faults}`,
      tone: 'info',
      what: `The scenario was written to ${file}.`,
      kept: 'The sandbox stays as it is.',
      todo: `Run it anywhere with: npx seamlab run ${file}`,
    });
  }

  /** @returns whether the lab is open now; otherwise the learner was told why not. */
  async open(lab: string): Promise<boolean> {
    this.needsAll = true;
    return this.#show(await this.working.during(this.#client.call('lab.open', { lab })));
  }

  /** Begins the open lab anew; the earlier attempt is kept by main. */
  async restart(): Promise<void> {
    if (this.lab === null) return;
    this.#show(await this.working.during(this.#client.call('lab.restart', { lab: this.lab.lab.id })));
  }

  async export(): Promise<void> {
    if (this.lab === null) return;
    const { session } = this.lab;
    const done = await this.#client.call('lab.export', { session });
    if (!done.ok) return this.#tell(done.fault);
    const { file, inputs } = done.value;
    if (file === null) return;
    this.notify({
      id: `exported-${++this.#faults}`,
      tone: 'info',
      what: `The transcript was written to ${file}.`,
      kept: `It holds ${inputs === 1 ? '1 input' : `${inputs} inputs`}; the attempt stays in Seamlab as well.`,
      todo: `Grade it anywhere with: npx seamlab grade ${file}`,
    });
  }

  /** Saves a picture of the open lab where the learner wants it. `svg`: an SVG document. */
  async savePicture(svg: string): Promise<void> {
    if (this.lab === null) return;
    const name = `${this.lab.lab.id}-moment-${this.lab.machine.moment}`;
    const done = await this.#client.call('file.save', { kind: 'picture', name, content: svg });
    if (!done.ok) return this.#tell(done.fault);
    const { file } = done.value;
    if (file === null) return;
    this.notify({
      id: `picture-${++this.#faults}`,
      tone: 'info',
      what: `The picture was written to ${file}.`,
      kept: 'It is an SVG document: it stays sharp at every size, and its words stay words.',
      todo: '',
    });
  }

  /** Saves the trace of the machine that is shown where the learner wants it. */
  async saveTrace(format: Params<'trace.save'>['format']): Promise<void> {
    if (this.lab === null) return;
    const { session } = this.lab;
    const done = await this.working.during(this.#client.call('trace.save', { session, format }));
    if (!done.ok) return this.#tell(done.fault);
    const { file, events, lost } = done.value;
    if (file === null) return;
    this.notify({
      id: `trace-${++this.#faults}`,
      tone: lost === 0 ? 'info' : 'warning',
      what: `The trace was written to ${file}.`,
      kept: `It holds ${events} events${lost === 0 ? '' : `; the first ${lost} are not kept any more`}.`,
      todo: format === 'perfetto' ? 'Open it at ui.perfetto.dev, which reads it in your browser.' : '',
    });
  }

  /** The learner has seen the tour, or has had enough of it. */
  async endTour(): Promise<void> {
    this.tour = false;
    if (!this.settings.toured) await this.change({ toured: true });
  }

  async change(settings: Partial<Settings>): Promise<void> {
    this.settings = { ...this.settings, ...settings };
    const saved = await this.#client.call('settings.set', settings);
    if (!saved.ok) this.#tell(saved.fault);
  }

  /** The next larger (1) or smaller (-1) size of the text; undefined at the end. */
  nextTextSize(by: 1 | -1): number | undefined {
    const now = this.settings.textScale;
    return by > 0 ? TEXT_SIZES.find((size) => size > now) : TEXT_SIZES.findLast((size) => size < now);
  }

  async resizeText(by: 1 | -1): Promise<void> {
    const textScale = this.nextTextSize(by);
    if (textScale !== undefined) await this.change({ textScale });
  }

  /** Sizes of the panes of a split, in percent; null: never changed. */
  panes(id: string): readonly number[] | null {
    return this.settings.panes[id] ?? null;
  }

  /** Remembers them, once the learner lets go. */
  setPanes(id: string, sizes: readonly number[]): void {
    const rounded = sizes.map((size) => Math.round(size * 10) / 10);
    this.settings = { ...this.settings, panes: { ...this.settings.panes, [id]: rounded } };
    clearTimeout(this.#panesTimer);
    this.#panesTimer = setTimeout(() => this.leave(), PANES_SETTLE);
  }

  /** The screen is about to go: what waits to be written is written now. */
  leave(): void {
    if (this.#panesTimer === undefined) return;
    clearTimeout(this.#panesTimer);
    this.#panesTimer = undefined;
    void this.change({ panes: this.settings.panes });
  }

  notify(notice: Notice): void {
    // The newest of a kind replaces the older ones: they are about the same thing.
    const kind = (id: string): string => id.replace(/-\d+$/, '');
    this.notices = [...this.notices.filter(({ id }) => kind(id) !== kind(notice.id)), notice];
  }

  dismiss(id: string): void {
    this.notices = this.notices.filter((notice) => notice.id !== id);
  }

  say(sentence: string): void {
    if (sentence !== '') this.said = { sentence, times: this.said.times + 1 };
  }

  async cancel(): Promise<void> {
    await this.#ask('work.cancel', {});
  }

  /** Whether a command makes sense now. */
  can(id: CommandId): boolean {
    return this.#commands[id].can();
  }

  /** Does what a key, a menu item or the palette asks for; nothing when it makes no sense now. */
  async do(id: CommandId): Promise<void> {
    if (this.can(id)) await this.#commands[id].run();
  }

  /** Leaves the lab that is open, if one is. */
  async #leave(screen: 'home' | 'sandbox'): Promise<void> {
    const wasOpen = this.screen === 'lab';
    this.tour = false;
    this.lab = null;
    this.screen = screen;
    if (wasOpen) await this.#ask('lab.close', {});
  }

  #show(opened: Answer<SessionView>): boolean {
    if (!opened.ok) {
      this.#tell(opened.fault);
      return false;
    }
    this.lab = new LabState(opened.value, {
      say: (sentence) => this.say(sentence),
      ask: (session, question) => this.#value('lab.ask', { session, question }),
      aids: () => this.settings.aids,
      keep: (aids) => void this.change({ aids }),
      send: (session, input) => this.#value('lab.input', { session, input }),
      peek: (session, moment) => this.#value('lab.peek', { session, moment }),
      filter: (session, filter) => this.#value('trace.filter', { session, filter }),
      events: (session, on, events) => this.#value('trace.events', { session, on, events }),
    });
    this.screen = 'lab';
    if (!this.settings.toured) this.tour = true;
    void this.#learnFacts();
    return true;
  }

  /** Reads the facts after the lab is shown, with every lab: its author may have written some. Without them, ids stay ids. */
  async #learnFacts(): Promise<void> {
    const facts = await this.#client.call('facts.list', {});
    if (facts.ok) this.#facts = facts.value;
  }

  /** What main answers about a session; null when it did not, and the learner was told, unless they have left it. */
  async #value<N extends Name>(
    name: N,
    params: Params<N> & { readonly session: string },
  ): Promise<Reply<N> | null> {
    const answer = await this.working.during(this.#client.call(name, params));
    if (answer.ok) return answer.value;
    const isLeft = answer.fault.code === 'not_open' && this.lab?.session !== params.session;
    if (!isLeft) this.#tell(answer.fault);
    return null;
  }

  async #ask(name: 'lab.close' | 'work.cancel', params: Record<string, never>): Promise<void> {
    const answer = await this.#client.call(name, params);
    if (!answer.ok) this.#tell(answer.fault);
  }

  #tell({ code, message }: Fault): void {
    this.notify({ id: `${code}-${++this.#faults}`, tone: 'error', what: message, kept: '', todo: '' });
  }

  #showBusy({ what, progress }: Payload<'busy'>): void {
    this.busy = progress === null ? null : { what, progress };
  }

  #menu(command: MenuCommand): void {
    void this.do(command);
  }
}
