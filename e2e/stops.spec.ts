import { expect, test } from './app';
import { Learner, readCourse } from './learner';
import { draw, fits, violations, wear } from './looks';

const course = readCourse('02-init-sipi');
const INIT = 'vmm KVM_SIGNAL_MSI vm=td dest=1 delivery_mode=INIT';
const PENDING = 'td.vcpu1.apic.pending_events';

test('runs halt and the past is searched, by keyboard alone and then by mouse', async ({ app }) => {
  await app.open();
  const { page } = app;
  const learner = new Learner(page, course);
  const status = page.getByLabel('Outcome of the last action');
  const said = page.getByRole('status', { name: 'What happened' });
  const moment = page.getByRole('slider', { name: 'Moment' });
  const stops = page.getByRole('list', { name: 'Stops' });
  const watched = page.getByRole('list', { name: 'Watched' });
  const now = (): Promise<string> => moment.inputValue();

  // By keyboard: a breakpoint, a watch, a run that halts.
  await learner.command('stop event=init_latched');
  await learner.command(`watch ${PENDING}`);
  await learner.command(INIT);
  await expect(status).toContainText('halted');
  await expect(said).toContainText(/Halted\. Moment \d+: init_latched happened, by vmm in \w+\./);
  const halted = await now();
  await learner.press('F8');
  await expect.poll(now).not.toBe(halted);
  await learner.press('Alt+Shift+ArrowLeft');
  // The event is marked once the moment is shown.
  await expect(status).toContainText('found');
  expect(await now()).toBe(halted);

  // Its cause, listed with the rest; the stop says that the run halted at it.
  await learner.press('F4', 'Control+Shift+b');
  await expect(page.getByRole('list', { name: 'Causes, the nearest first' })).toContainText('began it');
  await expect(stops.getByRole('listitem')).toContainText('hit once');
  await learner.press('Alt+End');
  await expect(watched).toContainText('INIT');

  // A field: pinned, stopped at, and where it changed last.
  const detail = page.getByRole('group', { name: 'The chosen field' });
  for (const [path, said] of [
    ['td.vcpu1.apic.sipi_vector', 'Has had this value from the start.'],
    [PENDING, `Last changed at moment ${halted} by vmm in`],
  ] as const) {
    await learner.press('Control+f');
    await page.keyboard.type(path);
    await learner.press('ArrowDown', 'End', 'Enter');
    await expect(detail).toContainText(path);
    await expect(detail).toContainText(said);
  }
  await learner.press('F2', 'F3', 'F7');
  await expect.poll(now).toBe(halted);
  await expect(page.getByRole('list', { name: 'Pinned' })).toContainText(PENDING);
  await learner.press('Control+Shift+b');
  await expect(stops.getByRole('listitem')).toHaveCount(2);

  // What this machine does not have waits, with names that look like it; all is there after a new start of the screen.
  await learner.command('stop changes=td.vcpu1.apic.pending_event');
  await expect(stops).toContainText('It waits for a machine that has it');
  for (const theme of ['dark', 'light'] as const) {
    await wear(app, theme);
    await draw(page, 'stops', theme);
    expect(await violations(page)).toEqual([]);
    await fits(page, [], theme);
  }
  await page.reload();
  await page.getByRole('tab', { name: 'Stops' }).click();
  await expect(stops.getByRole('listitem')).toHaveCount(3);
  await expect(watched).toContainText('INIT');

  // By mouse.
  await stops.getByRole('button', { name: PENDING, exact: true }).first().click();
  await expect(stops.getByRole('listitem')).toHaveCount(2);
  await stops.getByRole('checkbox', { name: 'stop event=init_latched: halts runs' }).uncheck();
  await expect(stops).toContainText('off');
  await page.getByRole('button', { name: 'Run back to a stop' }).click();
  await expect.poll(now).toBe(halted);
  await page.getByRole('tab', { name: 'Trace' }).click();
  await page.getByRole('row').filter({ hasText: 'init_latched' }).click();
  await page.getByRole('button', { name: 'stop on this' }).click();
  await page.getByRole('tab', { name: 'Stops' }).click();
  await expect(stops).toContainText('event=init_latched thread=vmm');
  await page.getByRole('combobox', { name: 'Stop where' }).selectOption('state becomes');
  await page.getByRole('combobox', { name: 'State path' }).fill('td.vcpu1.mp_state');
  await page.getByRole('combobox', { name: 'Value' }).fill('HALTED');
  await page.getByRole('button', { name: 'Add stop' }).click();
  await expect(stops).toContainText('path=td.vcpu1.mp_state is=HALTED');
  await page.getByRole('button', { name: 'Remove stop path=td.vcpu1.mp_state is=HALTED' }).click();
  await expect(stops).not.toContainText('HALTED');
});
