import type { Input } from '../src-lab/input';
import { begin, course, expectWhereTheyWere, inputsOf, lab } from './begun';
import { expect, test, type Seamlab } from './app';
import { Learner } from './learner';

/** How the application looks: all that is to be the same after a restart. */
async function looksOf(app: Seamlab) {
  const window = await app.main.evaluate(({ BrowserWindow, nativeTheme }) => ({
    bounds: BrowserWindow.getAllWindows()[0]!.getBounds(),
    theme: nativeTheme.themeSource,
  }));
  const guide = app.page.getByRole('separator', { name: 'Size of the guide' });
  return {
    ...window,
    drawn: await app.page.evaluate(() => document.documentElement.dataset['theme']),
    guide: await guide.getAttribute('aria-valuenow'),
    lab: await app.page.getByRole('heading', { level: 1 }).innerText(),
  };
}

const closeWindow = (app: Seamlab): Promise<void> =>
  app.main.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.close());

test('window, theme, panes and the open lab are as they were, though the window was closed right after', async ({
  launch,
}) => {
  const app = await launch();
  await begin(app);
  await app.page.reload();
  await expectWhereTheyWere(app, 3);
  const first = await looksOf(app);
  const learner = new Learner(app.page, course);
  await learner.search('Theme: dark');
  await learner.press('Enter');
  await expect(app.page.locator('html')).toHaveAttribute('data-theme', 'dark');
  const bounds = { x: 60, y: 40, width: 1320, height: 860 };
  await app.main.evaluate(({ BrowserWindow }, to) => BrowserWindow.getAllWindows()[0]!.setBounds(to), bounds);
  await expect.poll(() => app.page.evaluate(() => innerWidth)).toBe(bounds.width);
  await app.page.getByRole('separator', { name: 'Size of the guide' }).focus();
  await learner.press('ArrowRight', 'ArrowRight', 'ArrowRight');
  const left = await looksOf(app);
  expect(left).toMatchObject({ bounds, theme: 'dark', drawn: 'dark' });
  expect(left.guide).not.toBe(first.guide);
  await closeWindow(app);
  expect(await app.ended()).toEqual({ code: 0, signal: null });

  const again = await launch();
  await expectWhereTheyWere(again, 3);
  expect(await looksOf(again)).toEqual(left);
});

test('the window is closed while inputs are under way: none of them is lost', async ({ launch }) => {
  const app = await launch();
  const { session } = await app.open();
  const inputs = Array.from({ length: 40 }, (): Input => ({
    kind: 'act',
    action: { vmm: 'KVM_GET_MP_STATE', vm: 'vmx', vcpu: 1 },
  }));
  await app.page.evaluate(
    ([to, all]) => {
      for (const input of all) void window.seamlab.call('lab.input', { session: to, input });
    },
    [session, inputs] as const,
  );
  await closeWindow(app);
  expect(await app.ended()).toEqual({ code: 0, signal: null });

  const again = await launch();
  expect(await inputsOf(again)).toBe(inputs.length);
});

test('a second start hands its wish to the first and ends', async ({ launch }) => {
  const app = await launch();
  await expect(app.page.getByRole('heading', { name: 'The course' })).toBeVisible();
  const second = launch({ by: 'protocol', args: ['--lab', lab.id] });
  await expect(second).rejects.toThrow('ended with status 0 and no window');
  await expect(app.page.getByRole('heading', { level: 1 })).toContainText(lab.title);
  expect(await app.main.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length)).toBe(1);
  await begin(app);
  expect(await inputsOf(app)).toBe(3);
});
