/** One line of the report. `value` is a ratio unless `unit` says otherwise. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The value may be at most this (`<=`) or must be at least this (`>=`). */
  readonly goal: string;
  readonly met: boolean;
}

/** A figure that must not exceed `goal`. */
export function atMost(name: string, value: number, goal: number, unit = 'times'): Figure {
  return { name, value: Number(value.toPrecision(4)), unit, goal: `<= ${goal}`, met: value <= goal };
}

/** A figure shown for orientation, without a goal of its own. */
export function noted(name: string, value: number, unit: string): Figure {
  return { name, value: Number(value.toPrecision(4)), unit, goal: 'none', met: true };
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

/** @param part - 0.99: the value that 99 of 100 do not exceed. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]!;
}

const millis = (work: () => unknown): number => {
  const from = performance.now();
  work();
  return performance.now() - from;
};

/**
 * How many times longer `subject` takes than `reference`: the median over alternating rounds in one process, so that
 * the machine's own speed cancels out. Both return a checksum of their work; different sums make the comparison void.
 */
export function ratio(subject: () => number, reference: () => number, rounds = 31): number {
  if (subject() !== reference()) throw new Error('subject and reference did different work'); // warms both, too
  const ratios: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const subjectFirst = i % 2 === 0; // neither side always finds the caches warm
    const a = millis(subjectFirst ? subject : reference);
    const b = millis(subjectFirst ? reference : subject);
    ratios.push(subjectFirst ? a / b : b / a);
  }
  return median(ratios);
}
