import { CALL, RETURN, type Trace } from './trace';

/** The return that follows a call at once, since nothing else happened in it; null when `n` is no such call. */
export function leafOf(trace: Trace, n: number): number | null {
  const next = n + 1;
  if (next >= trace.known || trace.kindOf(n) !== CALL || trace.kindOf(next) !== RETURN) return null;
  return trace.threadOf(next) === trace.threadOf(n) && trace.depthOf(next) === trace.depthOf(n) ? next : null;
}

/** Nanoseconds from a call to its return `n`; null for what is no return, or when the trace begins after the call. */
export function tookOf(trace: Trace, n: number): number | null {
  if (trace.kindOf(n) !== RETURN) return null;
  const thread = trace.threadOf(n);
  const depth = trace.depthOf(n);
  for (let i = n - 1; i >= trace.first; i--) {
    const kind = trace.kindOf(i);
    if ((kind !== CALL && kind !== RETURN) || trace.threadOf(i) !== thread || trace.depthOf(i) > depth)
      continue;
    // Calls that are less deep, and what returned meanwhile, mean that the model gave this one's call up.
    return kind === CALL && trace.depthOf(i) === depth ? trace.nsOf(n) - trace.nsOf(i) : null;
  }
  return null;
}
