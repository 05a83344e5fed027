import { commandOf } from '../../src-sim/scenario/action';
import { parseCommand } from '../command';
import type { Input } from '../input';
import type { Lab } from '../lab';
import { LabSession } from '../session';
import type { CheckpointProgress } from '../view';

export const SESSION = '0b8f2a54-1d0e-4c61-9a3e-5f7d2c4b6a10';

export const act = (command: string, hold?: true): Input => {
  const read = parseCommand(command);
  if (!read.ok) throw new Error(read.message);
  return { kind: 'act', action: read.action, ...(hold ? { hold } : {}) };
};
export const answer = (checkpoint: string, value: string | string[]): Input => ({
  kind: 'answer',
  checkpoint,
  answer: value,
});
export const goto = (step: string): Input => ({ kind: 'goto', step });
export const hint = (checkpoint: string): Input => ({ kind: 'hint', checkpoint });
export const jump = (moment: number): Input => ({ kind: 'jump', moment });
export const reset: Input = { kind: 'reset' };
export const run: Input = { kind: 'run' };

export const INIT = (vm: string) => act(`vmm KVM_SIGNAL_MSI vm=${vm} dest=1 delivery_mode=INIT`);
export const SIPI = (vm: string) => act(`vmm KVM_SIGNAL_MSI vm=${vm} dest=1 delivery_mode=STARTUP vector=16`);

/** A learner in a test: every input is expected to be accepted. */
export class Learner extends LabSession {
  constructor(lab: Lab) {
    super(lab, SESSION);
  }
  /** @throws Error when an input is refused. */
  does(...inputs: Input[]): this {
    for (const input of inputs) {
      const applied = this.apply(input);
      if (!applied.accepted) {
        throw new Error(
          `${input.kind === 'act' ? commandOf(input.action) : JSON.stringify(input)}: ${applied.refused}`,
        );
      }
    }
    return this;
  }
  /** Why an input is refused. @throws Error when it is not. */
  refusal(input: Input): string {
    const applied = this.apply(input);
    if (applied.accepted) throw new Error(`accepted: ${JSON.stringify(input)}`);
    return applied.refused;
  }
  checkpoint(id: string): CheckpointProgress {
    return this.progress().checkpoints.find((other) => other.id === id)!;
  }
  /** A state field by path. */
  shows(path: string): string {
    const { machine } = this.timeline;
    return machine.show(machine.layout.find(path)!);
  }
}
