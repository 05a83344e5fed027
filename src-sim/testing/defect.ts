import type { Machine } from '../machine/machine';
import type { Locals, Routine, Step } from '../machine/routine';

/** A step of a routine that is coded wrongly. */
export interface Defect {
  readonly routine: Routine;
  readonly step: string;
  /** What the step does instead; `right` is what it should do. `to` gives the index of a step by name. */
  readonly wrong: (
    m: Machine,
    l: Locals<string>,
    right: () => number,
    to: (step: string) => number,
  ) => number;
}

export const defect = <A extends string>(
  routine: Routine<A>,
  step: string,
  wrong: Defect['wrong'],
): Defect => ({
  routine: routine as unknown as Routine,
  step,
  wrong,
});

/** Does `body` while these steps are wrong. They are right again afterwards, whatever happens. */
export function withDefects<T>(defects: readonly Defect[], body: () => T): T {
  const undo = defects.map(({ routine, step, wrong }) => {
    const code = routine.code as Step<string>[];
    const i = routine.stepNames.indexOf(step);
    const right = code[i];
    if (!right) throw new Error(`${routine.name} has no step ${step}`);
    const to = (name: string): number => routine.stepNames.indexOf(name);
    code[i] = (m, l) => wrong(m, l, () => right(m, l), to);
    return () => (code[i] = right);
  });
  try {
    return body();
  } finally {
    undo.forEach((restore) => restore());
  }
}
