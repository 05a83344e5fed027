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
