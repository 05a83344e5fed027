import type { Ref } from '../machine/layout';
import type { Look } from './look';

/** Of what an invariant speaks: it is asked about each of them that exists. */
export type Scope = 'td_vcpu' | 'vmx_vcpu' | 'vcpu' | 'td' | 'vm' | 'cpu';

/** Something that is true of every moment of every machine, whatever is done to it. */
export interface Invariant {
  /** As reports and tests call it. */
  readonly name: string;
  /** What is true, in one sentence. */
  readonly says: string;
  /** Ids of the facts it states. */
  readonly source: string;
  readonly scope: Scope;
  /** Whether it is true of the moment that was just taken. Changes nothing, allocates nothing. */
  readonly holds: (look: Look, ref: Ref) => boolean;
}

export const invariant = (
  scope: Scope,
  name: string,
  source: string,
  says: string,
  holds: Invariant['holds'],
): Invariant => ({ scope, name, source, says, holds });
