import {
  ACTIONS,
  ACTORS,
  ActionSchema,
  type Action,
  type ActionDeclaration,
  type Actor,
} from '../src-sim/scenario/action';
import { didYouMean } from './issue';

export type CommandRead =
  | { readonly ok: true; readonly action: Action }
  | { readonly ok: false; readonly message: string; readonly remedy: string };

/**
 * Reads a command as the console takes it and as `commandOf` writes it: `vmm KVM_RUN vm=td vcpu=0`.
 *
 * @param text - words separated by blanks: actor, verb, then `parameter=value` in any order. Parameters that have a
 *               default may be left out. Numbers are decimal or `0x` hexadecimal.
 * @returns the action with its defaults filled in, or what is wrong with the command. Never throws.
 */
export function parseCommand(text: string): CommandRead {
  const [actor = '', verb = '', ...words] = text.trim().split(/[ \t]+/);
  const no = (message: string, remedy = ''): CommandRead => ({ ok: false, message, remedy });
  if (!isActor(actor)) return no(`There is no actor "${actor}".`, didYouMean(actor, ACTORS));
  const verbs = ACTIONS[actor] as Record<string, ActionDeclaration>;
  const declaration = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
  if (!declaration) return no(`${actor} has no action "${verb}".`, didYouMean(verb, Object.keys(verbs)));
  const { shape } = declaration.params;
  const given: Record<string, unknown> = { [actor]: verb };
  for (const word of words) {
    const [name = '', value, ...rest] = word.split('=');
    if (value === undefined || rest.length > 0) return no(`"${word}" is not of the form parameter=value.`);
    if (!Object.hasOwn(shape, name))
      return no(`${verb} has no parameter "${name}".`, didYouMean(name, Object.keys(shape)));
    if (Object.hasOwn(given, name)) return no(`"${name}" is given twice.`);
    given[name] = valueOf(value);
  }
  const parsed = ActionSchema.safeParse(given);
  if (parsed.success) return { ok: true, action: parsed.data };
  // The union says only that no variant fits; the declaration of this verb says what does not.
  const { [actor]: _verb, ...params } = given;
  const own = declaration.params.safeParse(params);
  const fault = own.success ? undefined : own.error.issues[0];
  const name = String(fault?.path[0] ?? '');
  if (!(name in given)) return no(`${verb} needs the parameter "${name}".`, hint(declaration, name));
  return no(`"${name}" cannot be ${String(given[name])}.`, hint(declaration, name));
}

function isActor(word: string): word is Actor {
  return (ACTORS as readonly string[]).includes(word);
}

function valueOf(text: string): unknown {
  if (/^-?[0-9]{1,12}$/.test(text) || /^0x[0-9a-fA-F]{1,9}$/.test(text)) return Number(text);
  if (text === 'true' || text === 'false') return text === 'true';
  return text;
}

function hint(declaration: ActionDeclaration, name: string): string {
  const field = declaration.params.shape[name] as
    { meta?: () => { description?: string } | undefined } | undefined;
  const description = field?.meta?.()?.description;
  return description === undefined ? '' : `${description}.`;
}
