import type { Page } from '@playwright/test';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { labFolders } from '../src-main/labs';
import { expect, root, test } from './app';
import { Learner, readCourse, type Wrong } from './learner';

for (const name of labFolders(join(root, 'labs'))) {
  test(`a learner does the whole of lab ${name} with the keyboard alone and earns full marks`, async ({
    app,
  }) => {
    test.slow();
    const course = readCourse(name);
    const { lab } = course;
    const learner = new Learner(app.page, course);
    const pointed = await watchPointer(app.page);
    await learner.reach(app.page.getByRole('button', { name: `Lab ${lab.number}: ${lab.title}` }));
    await learner.press('Enter');
    await expect(learner.heading).toHaveText(lab.steps[0]!.title);

    for (const input of course.solution) await learner.perform(input);

    const score = app.page.getByRole('group', { name: 'Score' });
    await expect(score).toContainText(`${lab.points} of ${lab.points} points`);
    await expect(score.getByText(/: passed$/)).toHaveCount(lab.checkpoints.length);
    await learner.step(lab.steps.at(-1)!.id);
    await expect(learner.region('Guide').getByText('the lab is complete')).toBeVisible();
    expect(await pointed(), 'the mouse was not used').toBe(0);
  });
}

const course = readCourse('02-init-sipi');
const { lab } = course;

/** Counts what is done by mouse, pen or finger. A click by key has no pointer down before it. */
async function watchPointer(page: Page): Promise<() => Promise<number>> {
  const count = await page.evaluateHandle(() => {
    const seen = { count: 0 };
    addEventListener('pointerdown', () => seen.count++, true);
    return seen;
  });
  return () => count.evaluate((seen) => seen.count);
}

for (const { kind, name } of [
  { kind: 'state', name: 'sipi-alone-starts-an-ap' },
  { kind: 'predict', name: 'sender-gets-an-error' },
  { kind: 'order', name: 'init-resets-a-td-vcpu' },
]) {
  test(`a learner who is wrong at a "${kind}" reads the feedback of the misconception, and may try again`, async ({
    app,
  }) => {
    const { checkpoint: id, inputs, say } = course.wrong(name);
    const checkpoint = lab.checkpoints.find((one) => one.id === id)!;
    expect(checkpoint.kind).toBe(kind);
    await app.open();
    const learner = new Learner(app.page, course);
    for (const input of inputs) await learner.perform(input);

    await expect(learner.verdict(id)).toContainText(say);
    await expect(learner.verdict(id)).not.toContainText('Passed');
    await expect(app.page.getByRole('group', { name: 'Score' })).toContainText(`0 of ${lab.points} points`);

    await learner.command('reset');
    for (const input of rightWay(id)) await learner.perform(input);
    // Operating the machine is no answer, so it costs nothing to do the wrong thing first.
    const worth = checkpoint.points - (kind === 'state' ? 0 : lab.policy.wrongCosts);
    await expect(learner.verdict(id)).toContainText(`Passed, ${worth} of ${checkpoint.points} points`);
  });
}

/** What the solution does for one checkpoint: its answer, or everything done at its step. */
function rightWay(id: string): typeof course.solution {
  const own = course.solution.filter((input) => 'answer' in input && input.answer === id);
  if (own.length > 0) return own;
  const to = course.solution.findIndex((input) => !('act' in input));
  return course.solution.slice(0, to);
}

/** The shortest way into each misconception of the lab. */
function everyMisconception(): [misconception: string, wrong: Wrong][] {
  const shortest = new Map<string, Wrong>();
  for (const file of readdirSync(join(root, 'labs', '02-init-sipi', 'wrong'))) {
    const wrong = course.wrong(basename(file, '.yaml'));
    const before = shortest.get(wrong.misconception);
    if (!before || wrong.inputs.length < before.inputs.length) shortest.set(wrong.misconception, wrong);
  }
  return [...shortest];
}

test('the feedback of every misconception of the lab is read where the learner went wrong', async ({
  app,
}) => {
  test.slow();
  await app.open();
  const learner = new Learner(app.page, course);
  for (const [misconception, { checkpoint, inputs, taken, say }] of everyMisconception()) {
    await test.step(misconception, async () => {
      const { session } = await app.call('lab.restart', { lab: lab.id });
      for (const input of taken.slice(0, -1))
        expect(await app.call('lab.input', { session, input })).toMatchObject({ accepted: true });
      await app.page.reload();
      await learner.perform(inputs.at(-1)!);
      await expect(learner.verdict(checkpoint)).toContainText(say);
    });
  }
});
