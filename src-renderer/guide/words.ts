import type { Checkpoint, LabDoc, Standing } from '../lab/lab.svelte';

/** `1 point`, `0.5 points`, `2 points`. */
export function pointsOf(points: number): string {
  return points === 1 ? '1 point' : `${showPoints(points)} points`;
}

/** Points with at most two decimals, none when whole. */
export function showPoints(points: number): string {
  return String(Math.round(points * 100) / 100);
}

/** What a lab does about answers that are wrong, in one sentence. */
export function policyText({ retry, wrongCosts, revealAfter }: LabDoc['policy']): string {
  const counts = {
    best: 'Your best attempt counts',
    last: 'Your last attempt counts',
    first: 'Only your first attempt counts',
  };
  const parts = [counts[retry]];
  if (wrongCosts > 0) parts.push(`a wrong answer costs ${pointsOf(wrongCosts)}`);
  if (revealAfter > 0) parts.push(`after ${revealAfter} wrong answers the right one is shown`);
  return `${parts.join('; ')}.`;
}

export const KIND_NAMES: Readonly<Record<Checkpoint['kind'], string>> = {
  predict: 'Predict',
  order: 'Put in order',
  state: 'Make it true',
  build: 'Write the actions',
  schedule: 'Choose who goes next',
  explain: 'Explain',
};

/** How a checkpoint stands, in a few words; empty while nothing was tried. */
export function standingText(standing: Standing | undefined, points: number): string {
  if (standing === undefined) return '';
  const { state, attempts, earned } = standing;
  const tries = attempts === 1 ? '1 attempt' : `${attempts} attempts`;
  switch (state) {
    case 'passed':
      if (points === 0) return 'Kept';
      return `Passed, ${showPoints(earned)} of ${pointsOf(points)}`;
    case 'revealed':
      return `Answer shown, ${showPoints(earned)} of ${pointsOf(points)}`;
    case 'failed':
      if (earned > 0) return `Partly right, ${showPoints(earned)} of ${pointsOf(points)} so far, ${tries}`;
      return `Not right yet, ${tries}`;
    case 'open':
      return attempts === 0 ? '' : tries;
  }
}

/** Words for minutes and course times: `20 minutes`. */
export function minutesOf(minutes: number): string {
  return minutes === 1 ? '1 minute' : `${minutes} minutes`;
}

/** What may be used for a `build`, in one sentence. */
export function constraintsText({
  max,
  only,
  without,
}: Extract<Checkpoint['form'], { type: 'build' }>): string {
  const parts = [max === 1 ? 'One action' : `At most ${max} actions`];
  if (only !== null) parts.push(`only ${only.join(', ')}`);
  if (without.length > 0) parts.push(`without ${without.join(', ')}`);
  return `${parts.join('; ')}.`;
}

/** Which actions a step accepts, in one sentence; empty where it accepts all. */
export function acceptsText({ offer, lock }: Pick<LabDoc['steps'][number], 'offer' | 'lock'>): string {
  const locked = lock.join(', ');
  if (offer === null) return locked === '' ? '' : `This step does not accept ${locked}.`;
  return `This step accepts only ${offer.join(', ')}${locked === '' ? '' : `, but not ${locked}`}.`;
}

/** Threads in the order in which they stepped: `vmm ×2, td.vcpu0`. Counted entries, `vmm x2`, are taken as well. */
export function picksText(picks: readonly string[]): string {
  const runs: { name: string; times: number }[] = [];
  for (const pick of picks) {
    const [name = '', times = '1'] = pick.split(' x');
    const last = runs.at(-1);
    if (last?.name === name) last.times += Number(times);
    else runs.push({ name, times: Number(times) });
  }
  return runs.map(({ name, times }) => (times === 1 ? name : `${name} ×${times}`)).join(', ');
}
