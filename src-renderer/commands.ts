import { tick } from 'svelte';
import type { EventView } from '../src-lab/view';
import type { App } from './app.svelte';
import type { LabState, Region } from './lab/lab.svelte';
import type { CommandId } from './shortcuts';
import { stopOn } from './stops/command';

/** What a key, a menu item or the palette asks for. */
export interface Command {
  /** Whether it makes sense now. */
  can(): boolean;
  run(): unknown;
}

/** What every command does. One without an entry does not compile. */
export function commandsOf(app: App): Readonly<Record<CommandId, Command>> {
  const anywhere = (run: () => unknown, can: () => boolean = () => true): Command => ({ can, run });
  const inLab = (run: (lab: LabState) => unknown, can: (lab: LabState) => boolean = () => true): Command => ({
    can: () => app.lab !== null && can(app.lab),
    run: () => app.lab !== null && run(app.lab),
  });
  /** Done by a component that is there as long as a lab is. */
  const there = (id: CommandId): Command => inLab(() => app.doers.get(id)?.());
  /** Done by a component of a region, which is shown first: where there is little room it may not be there. */
  const within = (region: Region, id: CommandId, tab?: LabState['tab']): Command =>
    inLab(async (lab) => {
      lab.region = region;
      if (tab !== undefined) lab.tab = tab;
      await tick();
      app.doers.get(id)?.();
    });
  /** About the event of the trace that is marked. */
  const onEvent = (run: (lab: LabState, event: EventView) => unknown): Command => {
    const marked = (lab: LabState) => (lab.event === null ? undefined : lab.machine.event(lab.event));
    return inLab(
      (lab) => run(lab, marked(lab)!),
      (lab) => marked(lab) !== undefined,
    );
  };
  /** About the field that the inspector explains. */
  const onField = (run: (lab: LabState, path: string) => unknown): Command =>
    inLab(
      (lab) => run(lab, lab.path!),
      (lab) => lab.path !== null,
    );
  return {
    palette: anywhere(() => (app.dialog = 'palette')),
    shortcuts: anywhere(() => (app.dialog = 'shortcuts')),
    settings: anywhere(() => (app.dialog = 'settings')),
    'theme-system': anywhere(() => app.change({ theme: 'system' })),
    'theme-light': anywhere(() => app.change({ theme: 'light' })),
    'theme-dark': anywhere(() => app.change({ theme: 'dark' })),
    'text-larger': anywhere(
      () => app.resizeText(1),
      () => app.nextTextSize(1) !== undefined,
    ),
    'text-smaller': anywhere(
      () => app.resizeText(-1),
      () => app.nextTextSize(-1) !== undefined,
    ),
    'text-reset': anywhere(() => app.change({ textScale: 100 })),
    home: anywhere(
      () => app.home(),
      () => app.screen === 'lab' || app.screen === 'sandbox',
    ),
    sandbox: anywhere(
      () => app.showSandbox(),
      () => app.screen === 'lab' || app.screen === 'home',
    ),
    export: inLab(() => app.export()),
    picture: within('stage', 'picture'),
    'trace-text': inLab(() => app.saveTrace('text')),
    'trace-graph': inLab(() => app.saveTrace('graph')),
    'trace-perfetto': inLab(() => app.saveTrace('perfetto')),
    tour: inLab(() => (app.tour = true)),
    restart: inLab(() => (app.dialog = 'restart')),
    'next-region': there('next-region'),
    'previous-region': there('previous-region'),
    'focus-guide': there('focus-guide'),
    'focus-stage': there('focus-stage'),
    'focus-state': there('focus-state'),
    'focus-timeline': there('focus-timeline'),
    'focus-console': within('timeline', 'focus-console'),
    'search-state': within('state', 'search-state'),
    'filter-trace': within('timeline', 'filter-trace', 'trace'),
    'compose-action': within('timeline', 'compose-action', 'action'),
    'stage-larger': within('stage', 'stage-larger'),
    'stage-smaller': within('stage', 'stage-smaller'),
    'stage-fit': within('stage', 'stage-fit'),
    'stage-reset': within('stage', 'stage-reset'),
    'stage-follow': within('stage', 'stage-follow'),
    'stage-as-table': inLab((lab) => (lab.stageAsTable = !lab.stageAsTable)),
    step: inLab(
      (lab) => lab.stepThread(lab.thread!.name),
      (lab) => lab.thread?.enabled === true,
    ),
    run: inLab(
      (lab) => lab.run(),
      ({ machine }) => machine.threads.some(({ enabled }) => enabled),
    ),
    back: inLab(
      (lab) => lab.jump(lab.machine.moment - 1),
      ({ machine }) => machine.moment > 0,
    ),
    forward: inLab(
      (lab) => lab.jump(lab.machine.moment + 1),
      ({ machine }) => machine.moment < machine.last,
    ),
    'first-moment': inLab(
      (lab) => lab.jump(0),
      ({ machine }) => machine.moment > 0,
    ),
    'last-moment': inLab(
      (lab) => lab.jump(lab.machine.last),
      ({ machine }) => machine.moment < machine.last,
    ),
    reset: inLab((lab) => lab.reset()),
    'run-back': inLab(
      (lab) => lab.stops.back(),
      ({ stops, machine }) => stops.active.length > 0 && machine.moment > 0,
    ),
    'run-on': inLab(
      (lab) => lab.stops.on(),
      ({ stops }) => stops.active.length > 0,
    ),
    stops: within('timeline', 'stops', 'stops'),
    'stop-on-event': onEvent((lab, event) => lab.stops.add(stopOn(event))),
    cause: onEvent((lab, event) => lab.stops.cause(event.n)),
    watchpoint: onField((lab, path) => lab.stops.toggleChange(path)),
    pin: onField((lab, path) => lab.stops.pin(path)),
    'last-change': onField((lab, path) => lab.stops.lastChange(path)),
    'next-change': onField((lab, path) => lab.stops.nextChange(path)),
    'other-machine': inLab(
      (lab) => lab.look(lab.viewed === 'a' ? 'b' : 'a'),
      (lab) => lab.other !== null,
    ),
    'next-difference': inLab(
      (lab) => lab.jump(lab.nextDifference ?? lab.machine.moment),
      (lab) => lab.nextDifference !== null,
    ),
    'next-step': inLab(
      (lab) => lab.goTo(lab.nextStep!.id),
      (lab) => lab.nextStep !== undefined && lab.isReachable(lab.nextStep.id),
    ),
    'previous-step': inLab(
      (lab) => lab.goTo(lab.previousStep!.id),
      (lab) => lab.previousStep !== undefined,
    ),
  };
}
