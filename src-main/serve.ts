import { contract, type Envelope, type Handlers, type Name } from './contract';
import type { Log } from './log';
import { paragraphOf } from './notices';

/** A call that is not fulfilled, with words for the learner. The screen receives them; nothing is logged. */
export class Refusal extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'Refusal';
  }
}

/**
 * The one door between the screen and main.
 *
 * The screen is the side that an attacker would own: a name that is not in the contract and parameters of the wrong
 * shape are answered, logged by name and go no further. A reply of the wrong shape is a fault of ours and does not
 * leave either. Never throws.
 *
 * @param name - what arrived as the call's name; any value.
 * @param params - what arrived as its parameters; any value.
 */
export async function serve(handlers: Handlers, name: unknown, params: unknown, log: Log): Promise<Envelope> {
  if (typeof name !== 'string' || !Object.hasOwn(contract, name)) {
    log('unknown call refused', { name: typeof name === 'string' ? name.slice(0, 40) : typeof name });
    return {
      ok: false,
      code: 'unknown_call',
      message: 'The screen asked for something that does not exist.',
    };
  }
  const known = name as Name;
  try {
    const parsed = contract[known].params.safeParse(params);
    if (!parsed.success) {
      const issues = parsed.error.issues.slice(0, 5).map(({ code, path }) => `${path.join('.')}: ${code}`);
      log('call of the wrong shape refused', { name, issues });
      return { ok: false, code: 'bad_params', message: 'The screen asked in a way that is not understood.' };
    }
    const handler = handlers[known] as (params: unknown) => Promise<unknown>;
    return { ok: true, value: contract[known].reply.parse(await handler(parsed.data)) };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, code: error.code, message: error.message };
    log(`call failed: ${known}`, error);
    return { ok: false, code: 'internal', message: paragraphOf({ code: 'internal' }) };
  }
}
