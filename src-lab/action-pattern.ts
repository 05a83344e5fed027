import { z } from 'zod';
import {
  ACTIONS,
  ACTORS,
  actorOf,
  verbOf,
  type Action,
  type ActionDeclaration,
} from '../src-sim/scenario/action';
import { didYouMean } from './issue';

/** Actions by their beginning as a command: `guest`, `vmm KVM_RUN`, `vmm KVM_SIGNAL_MSI delivery_mode=INIT`. */
export const ActionPattern = z
  .string()
  .trim()
  .min(1)
  .max(200)
  .describe(
    'An actor, an actor and a verb, or with parameters: guest, vmm KVM_RUN, vmm KVM_SIGNAL_MSI delivery_mode=INIT',
  );
export type ActionPattern = z.infer<typeof ActionPattern>;

/** Whether an action is meant by a pattern. */
export function fitsPattern(action: Action, pattern: ActionPattern): boolean {
  const [actor, verb, ...params] = words(pattern);
  if (actorOf(action) !== actor) return false;
  if (verb !== undefined && verbOf(action) !== verb) return false;
  const given = action as unknown as Readonly<Record<string, unknown>>;
  return params.every((param) => {
    const [name = '', value = ''] = param.split('=', 2);
    return Object.hasOwn(given, name) && sameText(String(given[name]), value);
  });
}

/** What of a pattern no action has; null when it is sound. */
export function patternFault(pattern: ActionPattern): { message: string; remedy: string } | null {
  const [actor = '', verb, ...params] = words(pattern);
  const known = ACTORS.find((one) => one === actor);
  if (known === undefined)
    return { message: `There is no actor "${actor}".`, remedy: didYouMean(actor, ACTORS) };
  if (verb === undefined) return null;
  const verbs = ACTIONS[known] as Record<string, ActionDeclaration>;
  const declaration = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
  if (!declaration)
    return { message: `${actor} has no action "${verb}".`, remedy: didYouMean(verb, Object.keys(verbs)) };
  const names = Object.keys(declaration.params.shape);
  for (const param of params) {
    const [name = '', value] = param.split('=', 2);
    if (value === undefined) return { message: `"${param}" is not of the form parameter=value.`, remedy: '' };
    if (!names.includes(name))
      return { message: `${verb} has no parameter "${name}".`, remedy: didYouMean(name, names) };
  }
  return null;
}

function words(pattern: string): string[] {
  return pattern.trim().split(/\s+/);
}

function sameText(a: string, b: string): boolean {
  return a === b || (/^0x[0-9a-f]{1,9}$/i.test(b) && a === String(Number(b)));
}
