import { actorOf, commandOf, verbOf, type Action } from '../src-sim/scenario/action';
import type { Platform } from '../src-sim/scenario/platform';
import { fitsPattern, type ActionPattern } from './action-pattern';
import { didYouMean } from './issue';

/** What of an action the platform does not have: the parameter, and a sentence; null when it fits. */
export function misfit(
  { vms }: Platform,
  action: Action,
): { readonly key: string; readonly message: string; readonly remedy: string } | null {
  if (!('vm' in action)) return null; // it concerns no VM
  const slots = Object.hasOwn(vms, action.vm) ? vms[action.vm]! : null;
  if (slots === null) {
    return {
      key: 'vm',
      message: `The platform has no VM "${action.vm}".`,
      remedy: didYouMean(action.vm, Object.keys(vms)),
    };
  }
  const [key, wanted] =
    'vcpus' in action ? ['vcpus', action.vcpus - 1] : 'vcpu' in action ? ['vcpu', action.vcpu] : ['vm', 0];
  if ((wanted as number) < slots) return null;
  return {
    key: key as string,
    message: `"${action.vm}" has ${slots} vCPUs: ${actorOf(action)} ${verbOf(action)} does not fit.`,
    remedy: `Correct ${commandOf(action)}, or widen the platform.`,
  };
}

/** Which actions may be done. */
export interface Allowed {
  /** Only these; null: all. */
  readonly only: readonly ActionPattern[] | null;
  /** None of these. */
  readonly without: readonly ActionPattern[];
}

/** Why an action is not among the allowed ones; null when it is. */
export function forbidden(action: Action, { only, without }: Allowed): string | null {
  const name = `${actorOf(action)} ${verbOf(action)}`;
  if (without.some((pattern) => fitsPattern(action, pattern))) return `${name} is not to be used here.`;
  if (only === null || only.some((pattern) => fitsPattern(action, pattern))) return null;
  return `${name} is not to be used here, only ${listed(only)}.`;
}

/** `a, b and c`. */
export function listed(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? 'nothing') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)!}`;
}
