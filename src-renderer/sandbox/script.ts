/**
 * How many steps of a scenario were done: as many as the notebook begins with, word by word. Runs and atomic steps after
 * one that a stop has halted complete it, until a run comes to its end: they stand for no step of their own.
 *
 * @param done - what was done since the machine began; cut: only the beginning of it.
 * @returns halted: nothing was done after a step that a stop has halted, and a run brings it to its end. An atomic step
 *          has none but the one it is told.
 */
export function stepsDone(
  steps: readonly { readonly command: string }[],
  done: readonly { readonly command: string; readonly cut: boolean }[],
): { readonly count: number; readonly halted: boolean } {
  let count = 0;
  let halted = false;
  for (const { command, cut } of done) {
    if (command === steps[count]?.command) {
      count++;
      halted = cut;
    } else if (halted && GOES_ON.test(command)) halted = cut || command !== 'run';
    else return { count, halted: false };
  }
  return { count, halted: halted && !steps[count - 1]!.command.startsWith('step ') };
}

const GOES_ON = /^(?:run$|step )/;
