import { expect, test } from 'vitest';
import { pointsOf, policyText, standingText } from './words';

test('points are whole where they can be, and one is singular', () => {
  expect([0, 0.5, 1, 2, 1 / 3].map(pointsOf)).toEqual([
    '0 points',
    '0.5 points',
    '1 point',
    '2 points',
    '0.33 points',
  ]);
});

test('the policy is stated in one sentence, without what does not apply', () => {
  expect(policyText({ retry: 'best', wrongCosts: 0.5, revealAfter: 3 })).toBe(
    'Your best attempt counts; a wrong answer costs 0.5 points; after 3 wrong answers the right one is shown.',
  );
  expect(policyText({ retry: 'first', wrongCosts: 0, revealAfter: 0 })).toBe(
    'Only your first attempt counts.',
  );
});

test('a standing says how it is, and nothing before the first attempt', () => {
  const standing = { id: 'x', attempts: 2, earned: 1.5, hints: [], answer: null, verdict: null };
  expect(standingText({ ...standing, state: 'passed' }, 2)).toBe('Passed, 1.5 of 2 points');
  expect(standingText({ ...standing, state: 'failed' }, 2)).toBe('Not right yet, 2 attempts');
  expect(standingText({ ...standing, state: 'open', attempts: 0 }, 2)).toBe('');
});
