import type { App } from '../app.svelte';
import { COMMANDS, keysOf, type CommandId } from '../shortcuts';

/** A line of the palette. */
export interface Entry {
  readonly id: string;
  readonly group: string;
  readonly title: string;
  readonly detail: string;
  readonly keys: readonly string[];
  run(): void;
}

/** Everything that can be done now: commands of the screen, steps of the guide, steps of threads, actions, fields. */
export function entriesOf(app: App): Entry[] {
  const entries: Entry[] = [];
  const add = (
    group: string,
    id: string,
    title: string,
    detail: string,
    run: () => void,
    keys: readonly string[] = [],
  ): void => {
    entries.push({ id: `${group} ${id}`, group, title, detail, keys, run });
  };
  const { lab } = app;
  if (lab !== null) {
    for (const { name, enabled } of lab.machine.threads) {
      if (enabled)
        add('Machine', `step ${name}`, `Step ${name}`, `step ${name}`, () => void lab.stepThread(name));
    }
  }
  for (const id of Object.keys(COMMANDS) as CommandId[]) {
    if (id === 'palette' || id === 'step' || !app.can(id)) continue;
    const keys = app.bindings[id]?.[0];
    add(
      'Screen',
      id,
      COMMANDS[id],
      '',
      () => void app.do(id),
      keys === undefined ? [] : keysOf(keys, app.isMac),
    );
  }
  if (lab === null) {
    for (const { id, number, title } of app.labs ?? [])
      add('Labs', id, title, `lab ${number}`, () => void app.open(id));
    return entries;
  }
  lab.lab.steps.forEach(({ id, title }, i) => {
    if (lab.isReachable(id)) add('Guide', id, title, `step ${i + 1}`, () => void lab.goTo(id));
  });
  lab.stops.lines.forEach(({ on, command }, i) => {
    add('Stops', command, `Switch ${on ? 'off' : 'on'}: ${command}`, '', () => lab.stops.switch(i, !on));
  });
  for (const { actor, verb, doc } of lab.actions) {
    add('Actions', `${actor} ${verb}`, `${actor} ${verb}`, doc, () => {
      lab.composing = { actor, verb };
      void app.do('compose-action');
    });
  }
  return entries;
}
