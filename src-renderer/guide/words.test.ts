import { expect, test } from 'vitest';
import { acceptsText, constraintsText, picksText, pointsOf, policyText, standingText } from './words';

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
  expect(standingText({ ...standing, earned: 0, state: 'failed' }, 2)).toBe('Not right yet, 2 attempts');
  expect(standingText({ ...standing, state: 'open', attempts: 0 }, 2)).toBe('');
});

test('what is partly right says so, and what nobody scores has no points', () => {
  const standing = { id: 'x', attempts: 1, earned: 1, hints: [], answer: null, verdict: null };
  expect(standingText({ ...standing, state: 'failed' }, 5)).toBe(
    'Partly right, 1 of 5 points so far, 1 attempt',
  );
  expect(standingText({ ...standing, earned: 0, state: 'passed' }, 0)).toBe('Kept');
});

test('constraints are one sentence', () => {
  const form = { type: 'build' as const, goals: [], max: 3, only: ['vmm'], without: ['vmm KVM_RUN', 'boot'] };
  expect(constraintsText(form)).toBe('At most 3 actions; only vmm; without vmm KVM_RUN, boot.');
  expect(constraintsText({ ...form, max: 1, only: null, without: [] })).toBe('One action.');
});

test('a schedule counts the steps that one thread takes in a row', () => {
  expect(picksText(['vmm', 'vmm', 'td.vcpu0', 'vmm x3', 'vmm'])).toBe('vmm ×2, td.vcpu0, vmm ×4');
});

test('a step says which actions it accepts, and nothing when it accepts all', () => {
  expect(acceptsText({ offer: null, lock: [] })).toBe('');
  expect(acceptsText({ offer: ['guest', 'vmm KVM_RUN'], lock: [] })).toBe(
    'This step accepts only guest, vmm KVM_RUN.',
  );
  expect(acceptsText({ offer: ['vmm'], lock: ['vmm KVM_RUN'] })).toBe(
    'This step accepts only vmm, but not vmm KVM_RUN.',
  );
  expect(acceptsText({ offer: null, lock: ['boot'] })).toBe('This step does not accept boot.');
});
