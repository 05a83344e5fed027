import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { KINDS_FILES } from '../src-lab/testing/kinds';
import { expect, test, type Seamlab } from './app';
import { withCourse } from './course';
import { Learner, readCourse, type Course } from './learner';
import { draw, fits, violations, wear } from './looks';

/** A course of one lab: two machines side by side, and checkpoints of the kinds that no other test needs. */
function writeKinds(folder: string): { application: string; course: Course } {
  const application = withCourse(folder, (labs) => {
    for (const [name, text] of KINDS_FILES) {
      const file = join(labs, '02-kinds', name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
  });
  return { application, course: readCourse('02-kinds', join(application, 'labs')) };
}

async function open(app: Seamlab, { lab }: Course): Promise<void> {
  await app.page.getByRole('button', { name: lab.title }).first().click();
  await expect(app.page.getByRole('region', { name: 'Guide' })).toBeVisible();
}

test('a learner compares, writes actions, chooses threads and explains, with the keyboard alone', async ({
  folder,
  launch,
}) => {
  test.slow();
  const { application, course } = writeKinds(folder);
  const app = await launch({ folder: application });
  const learner = new Learner(app.page, course);
  await open(app, course);
  for (const input of course.solution) await learner.perform(input);

  const { lab } = course;
  const score = app.page.getByRole('group', { name: 'Score' });
  await expect(score).toContainText(`${lab.points} of ${lab.points} points`);
  await expect(learner.verdict('why')).toContainText('the INIT is looked at first');
  await expect(learner.region('Guide').getByText('the lab is complete')).toBeVisible();
});

test('what is wrong is told where it is: a line, a goal, a claim', async ({ folder, launch }) => {
  test.slow();
  const { application, course } = writeKinds(folder);
  const app = await launch({ folder: application });
  const { page } = app;
  const learner = new Learner(page, course);
  await open(app, course);
  /** Where a list is open, it covers what lies below it. */
  const looked = async (name: string, list = false): Promise<void> => {
    for (const theme of ['light', 'dark'] as const) {
      await wear(app, theme);
      expect.soft(await violations(page), `${name}, ${theme}`).toEqual([]);
      await draw(page, 'kinds', name, theme);
    }
    if (!list) await fits(page, ['table', 'pre', '[aria-label="Threads and lanes"]'], name);
  };

  const comparison = page.getByRole('region', { name: 'Comparison' });
  await learner.command('vmm KVM_SIGNAL_MSI vm=td dest=1 delivery_mode=INIT');
  await learner.look('b');
  await learner.reach(comparison.getByText('both have done the same'));
  await learner.press('Enter');
  await expect(comparison.getByRole('table', { name: 'Differed at the beginning' })).toContainText('TDX');
  await learner.command('host MCE vm=td vcpu=1');
  const event = comparison.getByRole('table', { name: 'First event in which they differ' });
  await expect(event).toContainText('guest_run');
  await looked('comparison');
  await learner.reach(comparison.getByRole('button', { name: 'Show that moment' }));
  await learner.press('Enter');
  await learner.reach(comparison.getByText('First difference: '));
  await learner.press('Enter');

  await learner.step('write');
  await expect(comparison).toHaveCount(0);
  const start = learner.checkpoint('start');
  const row = start.getByRole('combobox', { name: 'Action 1' });
  await learner.goTo('Guide');
  await learner.reach(row);
  await page.keyboard.type('vmm KVM_SIG');
  await expect(start.getByRole('option', { name: /KVM_SIGNAL_MSI/ })).toBeVisible();
  await looked('completion', true);
  await page.keyboard.type('NALS');
  await learner.press('Enter');
  await expect(start.getByRole('alert')).toContainText('Line 1: ');
  await looked('line');
  await learner.answer('start', ['vmm KVM_SIGNAL_MSI vm=vmx dest=1 delivery_mode=STARTUP vector=16']);
  await expect(learner.verdict('start')).toContainText('It takes an INIT and a SIPI.');
  await expect(learner.verdict('start')).toContainText('Observed');
  await looked('build');

  await learner.perform({ arrange: 'in-between' });
  const race = learner.checkpoint('in-between');
  await learner.reach(race.getByRole('button', { name: 'Let vmx.vcpu1 go on until it waits' }));
  await learner.press('Enter');
  await expect(race.getByText('6 steps so far')).toBeVisible();
  await learner.reach(race.getByRole('button', { name: 'Take back' }));
  await learner.press('Enter');
  await expect(race.getByText('5 steps so far')).toBeVisible();
  await race.scrollIntoViewIfNeeded();
  await looked('schedule');
  await learner.answer('in-between', 'cannot');
  await expect(learner.verdict('in-between')).toContainText('Somebody can.');
  await learner.answer('why', 'Because the latch remembers both of them.');
  await learner.checkpoint('why').scrollIntoViewIfNeeded();
  await looked('explain');
});
