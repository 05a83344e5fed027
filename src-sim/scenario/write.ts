import type { Platform } from './platform';
import { FORMAT } from './scenario-format';

/** A step of a scenario that is written: an action as a command, atomic steps of one thread, or all threads going on. */
export type WrittenStep =
  | { readonly command: string; /** Only begin it. */ readonly hold: boolean }
  | { readonly thread: string; readonly times: number }
  | { readonly run: true };

/**
 * A scenario file: `parseScenario` reads it back.
 *
 * @param title - one line of at most 120 characters.
 */
export function writeScenario(title: string, platform: Platform, steps: readonly WrittenStep[]): string {
  const switches = Object.entries(platform.switches ?? {}).filter(([, on]) => on);
  const parts = [
    `vms: { ${Object.entries(platform.vms).map(pair).join(', ')} }`,
    ...(switches.length > 0 ? [`switches: { ${switches.map(pair).join(', ')} }`] : []),
  ];
  return [
    `seamlab: ${FORMAT}`,
    // A JSON string is a YAML string, whatever it holds.
    `title: ${JSON.stringify(title)}`,
    `platform: { ${parts.join(', ')} }`,
    steps.length === 0 ? 'steps: []' : 'steps:',
    ...steps.map((step) => `  - { ${lineOf(step)} }`),
    '',
  ].join('\n');
}

function lineOf(step: WrittenStep): string {
  if ('run' in step) return 'sched: run';
  if ('thread' in step) return `sched: step, thread: ${step.thread}, times: ${step.times}`;
  const [actor = '', verb = '', ...params] = step.command.split(' ');
  const given = params.map((word) => pair(word.split('=') as [string, string]));
  return [`${actor}: ${verb}`, ...given, ...(step.hold ? ['hold: true'] : [])].join(', ');
}

function pair([key, value]: readonly [string, unknown]): string {
  return `${key}: ${String(value)}`;
}
