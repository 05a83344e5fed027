/**
 * How many steps of a scenario were done: as many as the notebook begins with, word by word.
 *
 * @param done - what was done since the machine began.
 */
export function stepsDone(
  steps: readonly { readonly command: string }[],
  done: readonly { readonly command: string }[],
): number {
  const other = steps.findIndex(({ command }, i) => command !== done[i]?.command);
  return other < 0 ? steps.length : other;
}
