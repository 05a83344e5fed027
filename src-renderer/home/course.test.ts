import { expect, test } from 'vitest';
import type { LabSummary } from '../../src-main/contract';
import { courseScore, minutesLeft, nextLab, progressText, timeText } from './course';

const lab = (number: number, settled: number | null, complete = false): LabSummary => ({
  id: `lab-${number}`,
  number,
  title: `Lab ${number}`,
  summary: '',
  minutes: 20,
  points: 10,
  checkpoints: 5,
  progress: settled === null ? null : { session: '', score: settled * 2, checkpoints: 5, settled, complete },
});

test('one goes on with what was begun, the furthest first, and not with what is complete', () => {
  expect(nextLab([lab(1, 5, true), lab(2, 1), lab(3, 3), lab(4, null)])?.number).toBe(3);
});

test('where nothing is under way, the first lab that was not begun comes next', () => {
  expect(nextLab([lab(1, 5, true), lab(2, null), lab(3, null)])?.number).toBe(2);
  expect(nextLab([lab(1, 5, true)])).toBeNull();
  expect(nextLab([])).toBeNull();
});

test('a lab says how it stands', () => {
  expect([lab(1, null), lab(1, 0), lab(1, 5, true)].map(progressText)).toEqual([
    'Not begun',
    '0 of 5 checkpoints',
    'Complete',
  ]);
});

test('the score of the course counts labs that were not begun with nothing', () => {
  expect(courseScore([lab(1, 5), lab(2, null)])).toEqual({ earned: 10, points: 20 });
});

test('the time left counts what is not settled', () => {
  expect(minutesLeft([lab(1, 5, true), lab(2, 1), lab(3, null)])).toBe(16 + 20);
  expect([1, 45, 60, 120, 200].map(timeText)).toEqual([
    '1 minute',
    '45 minutes',
    '1 hour',
    '2 hours',
    '3 h 20 min',
  ]);
});
