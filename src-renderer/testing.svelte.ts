/** For tests: does `work` as a component does that is shown and goes at once. @returns what `work` returned. */
export function shortly<T>(work: () => T): T {
  let done: T;
  const goes = $effect.root(() => {
    done = work();
  });
  goes();
  return done!;
}
