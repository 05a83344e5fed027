import type { LabSummary } from '../../src-main/contract';

/**
 * The lab to go on with: begun and not complete, the furthest along; else the first that was not begun; null when all are
 * complete or there is none.
 */
export function nextLab(labs: readonly LabSummary[]): LabSummary | null {
  const begun = labs.filter(({ progress }) => progress !== null && !progress.complete);
  const share = ({ progress, checkpoints }: LabSummary): number =>
    (progress?.settled ?? 0) / Math.max(1, checkpoints);
  const furthest = begun.toSorted((a, b) => share(b) - share(a))[0];
  return furthest ?? labs.find(({ progress }) => progress === null) ?? null;
}

/** How a lab stands, in a few words. */
export function progressText({ progress, checkpoints }: LabSummary): string {
  if (progress === null) return 'Not begun';
  if (progress.complete) return 'Complete';
  return `${progress.settled} of ${checkpoints} checkpoints`;
}

/** Points earned and points there are, over all labs. */
export function courseScore(labs: readonly LabSummary[]): {
  readonly earned: number;
  readonly points: number;
} {
  return {
    earned: labs.reduce((sum, { progress }) => sum + (progress?.score ?? 0), 0),
    points: labs.reduce((sum, { points }) => sum + points, 0),
  };
}

/**
 * Minutes that the labs ask of who has not done them: of one under way, the share of its checkpoints that are not settled.
 */
export function minutesLeft(labs: readonly LabSummary[]): number {
  const left = labs.map(({ minutes, progress, checkpoints }) => {
    if (progress === null) return minutes;
    return progress.complete ? 0 : minutes * (1 - progress.settled / Math.max(1, checkpoints));
  });
  return Math.round(left.reduce((sum, minutes) => sum + minutes, 0));
}

/** `40 minutes`, `3 hours`, `3 h 20 min`. */
export function timeText(minutes: number): string {
  if (minutes < 60) return minutes === 1 ? '1 minute' : `${minutes} minutes`;
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  if (rest === 0) return hours === 1 ? '1 hour' : `${hours} hours`;
  return `${hours} h ${rest} min`;
}
