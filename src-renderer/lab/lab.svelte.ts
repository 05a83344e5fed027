import type { DiagramView, InputReply, NotebookLine, SessionView } from '../../src-lab/view';
import type { Aids, Params, Reply, TraceFilter } from '../../src-main/contract';
import { SvelteMap } from 'svelte/reactivity';
import { Ordering } from '../guide/ordering.svelte';
import { Script } from '../guide/script.svelte';
import { sayThread } from '../stage/stage';
import type { AidCommand } from '../stops/command';
import { Stops, type Found, type Hit, type Question } from '../stops/stops.svelte';
import { Console } from '../timeline/console.svelte';
import type { Vocabulary } from '../timeline/command';
import { momentsOf, nextOf } from './compare';
import { MachineState, type ReadEvents } from './machine.svelte';

export type Input = Params<'lab.input'>['input'];
export type LabDoc = SessionView['lab'];
export type Checkpoint = LabDoc['checkpoints'][number];
export type Standing = SessionView['progress']['checkpoints'][number];

/** What became of an input: main's reply, or null when the call itself failed and the learner was told. */
export type Send = (session: string, input: Input) => Promise<InputReply | null>;

/** How a lab is dealt with by whoever holds it. */
export interface Outside {
  readonly send: Send;
  /** Shows another moment without going there; null when that failed and the learner was told. */
  readonly peek: (session: string, moment: number) => Promise<InputReply | null>;
  /** Chooses which events have rows; null when that failed and the learner was told. */
  readonly filter: (session: string, filter: TraceFilter) => Promise<Reply<'trace.filter'> | null>;
  readonly events: (session: string, ...asked: Parameters<ReadEvents>) => ReturnType<ReadEvents>;
  /** Asks about the session, which stays as it is; null when that failed and the learner was told. */
  readonly ask: (session: string, question: Question) => Promise<Found | null>;
  /** The learner's own stops, watches and pins, and how they are changed. */
  readonly aids: () => Aids;
  readonly keep: (aids: Aids) => void;
  /** Says something to whoever listens to the screen instead of seeing it. */
  readonly say: (sentence: string) => void;
}

/** An input that was not applicable: the command as it was given, and why not. */
export interface Refused {
  readonly command: string;
  readonly why: string;
}

/** Parts of the lab screen; each is a landmark, a tab where there is little room, and a stop of F6. */
export const REGIONS = ['guide', 'stage', 'timeline', 'state'] as const;
export type Region = (typeof REGIONS)[number];

/** The open lab. Everything here is what main said last, except what is only of this screen: choices and drafts. */
export class LabState {
  readonly session: string;
  readonly lab: LabDoc;
  readonly actions: SessionView['actions'];
  readonly vms: SessionView['vms'];
  readonly console: Console;
  readonly stops: Stops;
  progress: SessionView['progress'] = $state.raw()!;
  /** The machine that is viewed: the one that everything is about which says nothing else. */
  machine: MachineState = $state.raw()!;
  /** Of a comparison, the other one. */
  other: MachineState | null = $state.raw(null);
  /** What was done to the machines since power-on. */
  notebook: readonly NotebookLine[] = $state.raw([]);
  /** In a sandbox, what it was built as. */
  readonly sandbox: SessionView['sandbox'];
  /** In a sandbox that compares: the machine that alone is told what to do; null: both. */
  only: 'a' | 'b' | null = $state(null);
  inputs = $state(0);
  refused: Refused | null = $state.raw(null);
  /** Thread that `step` means; follows who acted last until the learner chooses one. */
  #chosen: string | null = $state(null);
  /** Which events the trace shows, as chosen last; and which ones its rows are, until those follow. */
  filter: TraceFilter = $state.raw()!;
  filtered: TraceFilter = $state.raw()!;
  /** The moment to which the machine is under way; null: it is where it was asked to be. */
  heading: number | null = $state(null);
  #event: number | null = $state(null);
  /** State path that the inspector explains. */
  path: string | null = $state(null);
  stageAsTable = $state(false);
  /** What the lower region shows. */
  tab: 'trace' | 'action' | 'stops' = $state('trace');
  /** Region that is shown where there is room for one. */
  region: Region = $state('guide');
  /** Actor and verb that the action panel shows. */
  composing: { readonly actor: string; readonly verb: string } | null = $state.raw(null);
  /** Predictions that are written down but not given yet, by checkpoint. */
  readonly predictions = new SvelteMap<string, string>();
  /** Sequences and scripts under way, by checkpoint. */
  readonly #orderings = new Map<string, Ordering>();
  readonly #scripts = new Map<string, Script>();
  readonly #outside: Outside;
  #wanted: { readonly moment: number; readonly stays: boolean } | null = null;
  #jumping = false;
  /** Whether a moment is shown to which no input has gone. */
  #peeking = false;
  #filtering = false;

  constructor(view: SessionView, outside: Outside) {
    this.session = view.session;
    this.lab = view.lab;
    this.actions = view.actions;
    this.vms = view.vms;
    this.sandbox = view.sandbox;
    this.#outside = outside;
    this.filter = view.filter;
    this.stops = new Stops(() => ({
      machine: this.machine,
      aids: outside.aids,
      keep: outside.keep,
      ask: (question) => outside.ask(this.session, question),
      jump: (moment) => this.jump(moment),
      run: () => this.run(),
      mark: (event) => (this.event = event),
      refuse: (command, why) => this.#refuse(command, why),
      say: outside.say,
    }));
    this.restore(view);
    this.#begin();
    this.console = new Console(
      () => this.vocabulary,
      (input, command) => this.send(input, command),
      (command) => this.aid(command),
    );
  }

  /** Shows the session as main has it now. */
  restore(view: SessionView): void {
    this.other = null;
    this.progress = view.progress;
    const read: ReadEvents = (...asked) => this.#outside.events(this.session, ...asked);
    this.machine = new MachineState(view.machine, read);
    this.#showOther(view.other);
    this.filtered = view.filter;
    this.#peeking = false;
    void this.show(this.filter);
    this.notebook = view.notebook;
    this.inputs = view.inputs;
    this.refused = null;
    this.event = null;
    this.stops.restart();
  }

  /** Event of the trace that is marked. */
  get event(): number | null {
    return this.#event;
  }
  set event(n: number | null) {
    this.#event = n;
    if (n !== null) void this.machine.fetch(n);
  }

  get vocabulary(): Vocabulary {
    return {
      actions: this.actions,
      vms: this.vms,
      threads: this.machine.threads.map(({ name }) => name),
      paths: this.machine.paths,
      events: this.machine.names,
    };
  }

  readonly step = $derived.by(
    () => this.lab.steps.find(({ id }) => id === this.progress.step) ?? this.lab.steps[0]!,
  );
  readonly stepIndex = $derived.by(() => this.lab.steps.indexOf(this.step));
  readonly nextStep = $derived.by(() => this.lab.steps[this.stepIndex + 1]);
  readonly previousStep = $derived.by(() => this.lab.steps[this.stepIndex - 1]);

  isReachable(step: string): boolean {
    return this.progress.reachable.includes(step);
  }

  checkpoint(id: string): Checkpoint | undefined {
    return this.lab.checkpoints.find((checkpoint) => checkpoint.id === id);
  }

  diagram(id: string): DiagramView | undefined {
    return this.lab.diagrams.find((diagram) => diagram.id === id);
  }

  standing(id: string): Standing | undefined {
    return this.progress.checkpoints.find((checkpoint) => checkpoint.id === id);
  }

  /** Whether every checkpoint of a step is passed or revealed, so that a gate opens. */
  isSettled(step: string): boolean {
    const own = this.lab.checkpoints.filter((checkpoint) => checkpoint.step === step);
    return own.every(({ id }) => isSettled(this.standing(id)));
  }

  /** The sequence that is being put together for a checkpoint of that form; at first the answer given last. */
  ordering(checkpoint: string): Ordering {
    return this.#orderings.get(checkpoint)!;
  }

  /** The actions that are being written for a checkpoint of that form; at first the answer given last. */
  script(checkpoint: string): Script {
    return this.#scripts.get(checkpoint)!;
  }

  /** Not when a component first shows them: what is derived in a component ends with it. */
  #begin(): void {
    for (const { id, form } of this.lab.checkpoints) {
      const answer = this.standing(id)?.answer;
      const given = Array.isArray(answer) ? answer : [];
      if (form.type === 'order') {
        const items = form.items.map((item) => item.id);
        this.#orderings.set(id, new Ordering(items, given));
      } else if (form.type === 'build') this.#scripts.set(id, new Script(() => this.vocabulary, given));
    }
  }

  /** The thread whose next step the stage explains. */
  readonly thread = $derived.by(() => {
    const { machine } = this;
    const chosen = this.#chosen === null ? undefined : machine.thread(this.#chosen);
    if (chosen !== undefined) return chosen;
    const acted =
      machine.count === 0 ? undefined : machine.thread(machine.event(machine.count - 1)?.thread ?? '');
    return acted ?? machine.threads[0];
  });
  readonly follows = $derived(this.#chosen === null);

  /** Chooses a thread; null: follow whoever acted last. */
  choose(thread: string | null): void {
    this.#chosen = thread;
  }

  /**
   * Sends an input and shows what it did.
   *
   * @param command - as the console would take it; for the words of a refusal.
   */
  async send(input: Input, command: string): Promise<boolean> {
    const { moment, last } = this.machine;
    const branches = moment < last || ['reset', 'goto', 'arrange', 'answer', 'look'].includes(input.kind);
    const reply = await this.#outside.send(this.session, this.#withStops(this.#addressed(input)));
    if (reply === null) return false;
    this.#peeking = false;
    this.#take(reply);
    if (!reply.accepted) {
      this.#refuse(command, reply.refused ?? 'This is not possible now.');
      return false;
    }
    this.refused = null;
    const { halted } = reply;
    const isHere = halted?.on === undefined || halted.on === this.machine.compare?.viewed;
    if (input.kind !== 'jump') this.event = isHere ? (halted?.event ?? null) : null;
    this.stops.moved(reply.halted, input.kind === 'jump' ? 'jump' : branches ? 'branch' : 'more');
    this.#outside.say(reply.halted === null ? this.#sentence(input) : sayHalt(reply.halted));
    return true;
  }

  #take({ progress, inputs, machine, other, notebook }: InputReply): void {
    this.progress = progress;
    this.inputs = inputs;
    const viewed = machine.compare?.viewed ?? 'a';
    if (viewed !== this.viewed && this.other !== null)
      [this.machine, this.other] = [this.other, this.machine];
    this.machine.apply(machine);
    this.#showOther(other);
    if (notebook.keep < this.notebook.length || notebook.lines.length > 0)
      this.notebook = [...this.notebook.slice(0, notebook.keep), ...notebook.lines];
  }

  /** What makes threads go on, more than by a step, carries the stops that are on, so that a replay halts where it halted. */
  #withStops(input: Input): Input {
    const { active } = this.stops;
    const runs =
      input.kind === 'run' ||
      (input.kind === 'act' && input.hold !== true) ||
      (input.kind === 'step' && (input.times ?? 1) > 1);
    return runs && active.length > 0 ? { ...input, stops: active } : input;
  }

  #refuse(command: string, why: string): void {
    this.refused = { command, why };
    this.#outside.say(`${command} was refused. ${why}`);
  }

  /** Does what the console can be asked besides inputs. */
  async aid(command: AidCommand): Promise<boolean> {
    const { stops } = this;
    switch (command.word) {
      case 'stop':
        stops.add(command.stop);
        return true;
      case 'watch':
        stops.watch(command.watch);
        return true;
      case 'pin':
        stops.pin(command.path);
        return true;
      case 'run-back':
        return stops.back();
      case 'run-on':
        return stops.on();
      case 'last-change':
        return stops.lastChange(command.path);
      case 'next-change':
        return stops.nextChange(command.path);
      case 'cause':
        return stops.cause(command.event ?? this.event);
    }
  }

  /** Which machine of a comparison is viewed; `a` where there is only one. */
  get viewed(): 'a' | 'b' {
    return this.machine.compare?.viewed ?? 'a';
  }

  /** The machines of a comparison by name; null where there is only one. */
  get sides(): { readonly a: MachineState; readonly b: MachineState } | null {
    const { machine, other } = this;
    if (other === null) return null;
    return this.viewed === 'a' ? { a: machine, b: other } : { a: other, b: machine };
  }

  /** Moment of the next difference of two machines; null where there is none. */
  get nextDifference(): number | null {
    const { compare, moment } = this.machine;
    if (compare === null) return null;
    return nextOf(momentsOf(compare.viewed, compare.differences, this.notebook), moment);
  }

  #showOther(delta: InputReply['other']): void {
    if (delta === null) this.other = null;
    else if (this.other === null) this.other = this.machine.first(delta);
    else this.other.apply(delta);
  }

  /** In a sandbox that compares, what is done may be meant for one machine. */
  #addressed(input: Input): Input {
    const { only } = this;
    if (only === null || this.other === null) return input;
    return input.kind === 'act' || input.kind === 'step' || input.kind === 'run'
      ? { ...input, on: only }
      : input;
  }

  async act(action: unknown, command: string): Promise<boolean> {
    return this.send({ kind: 'act', action } as Input, command);
  }

  async stepThread(thread: string): Promise<boolean> {
    return this.send({ kind: 'step', thread }, `step ${thread}`);
  }

  async run(): Promise<boolean> {
    return this.send({ kind: 'run' }, 'run');
  }

  async reset(): Promise<boolean> {
    return this.send({ kind: 'reset' }, 'reset');
  }

  async goTo(step: string): Promise<boolean> {
    return this.send({ kind: 'goto', step }, `goto ${step}`);
  }

  async answer(checkpoint: string, answer: string | readonly string[]): Promise<boolean> {
    const value = typeof answer === 'string' ? answer : [...answer];
    return this.send({ kind: 'answer', checkpoint, answer: value }, `answer ${checkpoint}`);
  }

  /** Gives up a checkpoint that watches the machine: one way is shown, for no points. */
  async giveUp(checkpoint: string): Promise<boolean> {
    return this.answer(checkpoint, 'give-up');
  }

  async hint(checkpoint: string): Promise<boolean> {
    return this.send({ kind: 'hint', checkpoint }, `hint ${checkpoint}`);
  }

  /** Puts the machine where the choices of a schedule begin. */
  async arrange(checkpoint: string): Promise<boolean> {
    return this.send({ kind: 'arrange', checkpoint }, `arrange ${checkpoint}`);
  }

  /** Shows one machine of a comparison. */
  async look(at: 'a' | 'b'): Promise<boolean> {
    return this.send({ kind: 'look', at }, `look ${at}`);
  }

  /** Goes to another moment. Calls that come while one is under way wait, and only the last of them is made. */
  async jump(moment: number): Promise<void> {
    await this.#head(moment, true);
  }

  /** Shows another moment while the learner looks for one: no input, so `jump` follows where they find it. As `jump`. */
  async peek(moment: number): Promise<void> {
    await this.#head(moment, false);
  }

  async #head(moment: number, stays: boolean): Promise<void> {
    this.heading = Math.max(0, Math.min(this.machine.last, moment));
    this.#wanted = { moment: this.heading, stays };
    if (this.#jumping) return;
    this.#jumping = true;
    while (this.#wanted !== null) {
      const { moment: to, stays: isInput }: { moment: number; stays: boolean } = this.#wanted;
      this.#wanted = null;
      if (to === this.machine.moment && !(isInput && this.#peeking)) continue;
      if (isInput) await this.send({ kind: 'jump', moment: to }, `jump ${to}`);
      else await this.#look(to);
    }
    this.#jumping = false;
    this.heading = null;
  }

  async #look(moment: number): Promise<void> {
    const reply = await this.#outside.peek(this.session, moment);
    if (reply === null) return;
    this.#peeking = true;
    this.#take(reply);
    this.stops.moved(null, 'jump');
  }

  /** Chooses which events the trace shows. Calls that come while one is under way wait, and only the last of them is made. */
  async show(filter: TraceFilter): Promise<void> {
    this.filter = filter;
    if (this.#filtering) return;
    this.#filtering = true;
    while (!isSame(this.filter, this.filtered)) {
      const wanted = this.filter;
      const rows = await this.#outside.filter(this.session, wanted);
      if (rows === null) this.filter = this.filtered;
      else {
        for (const one of [this.machine, this.other]) one?.filtered(rows[one.on === 'a' ? 0 : 1]!);
        this.filtered = wanted;
      }
    }
    this.#filtering = false;
  }

  /** Shows the moment at which an event has happened, and marks it in the trace. */
  async showEvent(event: number | null, moment: number | null, on?: 'a' | 'b'): Promise<void> {
    const { compare } = this.machine;
    if (on !== undefined && compare !== null && compare.viewed !== on) await this.look(on);
    const to = moment ?? (event === null ? undefined : (await this.machine.fetch(event))?.moment);
    if (to !== undefined) await this.jump(to);
    this.event = event;
    this.region = 'timeline';
    this.tab = 'trace';
  }

  /** What an input did, in one sentence, for those who listen. */
  #sentence(input: Input): string {
    const { machine } = this;
    switch (input.kind) {
      case 'act':
        return machine.outcome?.say ?? '';
      case 'step':
        return machine.happened?.moment === machine.moment
          ? machine.happened.say
          : sayThread(machine.thread(input.thread) ?? machine.threads[0]!);
      case 'run':
        return machine.happened?.say ?? 'Nothing could go on.';
      case 'jump':
        return `Moment ${machine.moment} of ${machine.last}. ${machine.happened?.say ?? ''}`;
      case 'reset':
        return 'The machine is at the beginning of this situation.';
      case 'goto':
        return `${this.step.title}.`;
      case 'look':
        return `Machine ${input.at.toUpperCase()} is shown.`;
      case 'arrange':
        return 'The machine stands where your choices begin.';
      default:
        return '';
    }
  }
}

function isSame(filter: TraceFilter, other: TraceFilter): boolean {
  return JSON.stringify(filter) === JSON.stringify(other);
}

/** A halt in one sentence; of a comparison with the machine that halted. */
export function sayHalt({ say, on }: Hit): string {
  return `Halted${on === undefined ? '' : `, machine ${on.toUpperCase()}`}. ${say}`;
}

export function isSettled(standing: Standing | undefined): boolean {
  return standing !== undefined && (standing.state === 'passed' || standing.state === 'revealed');
}
