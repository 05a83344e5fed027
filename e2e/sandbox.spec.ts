import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseScenario } from '../src-sim/scenario/scenario';
import { runScenario } from '../src-sim/scenario/runner';
import { expect, root, test, type Seamlab } from './app';
import { Learner, readCourse } from './learner';
import { draw, fits, violations, wear } from './looks';

const course = readCourse('02-init-sipi');
const ROAMING = ['[aria-label="Threads and lanes"]', 'pre', 'table', '[role="tree"]'];

/** What axe and the eye find wrong with the page, in both themes. */
async function looked(app: Seamlab, name: string): Promise<void> {
  await fits(app.page, ROAMING, name);
  for (const theme of ['light', 'dark'] as const) {
    await wear(app, theme);
    expect.soft(await violations(app.page), `${name}, ${theme}`).toEqual([]);
    await draw(app.page, name, theme);
  }
}

test('a machine is built, run, compared and saved by keyboard alone, and reopens where it was after a kill', async ({
  launch,
}) => {
  test.setTimeout(120_000);
  const app = await launch();
  const { page } = app;
  const learner = new Learner(page, course);
  const press = async (name: string): Promise<void> => {
    await learner.reach(page.getByRole('button', { name, exact: true }).first());
    await learner.press('Enter');
  };
  await expect(page.getByRole('heading', { name: 'The sandbox' })).toBeVisible();
  await expect(page.getByRole('button', { name: /^Begin/ })).toBeVisible();
  await looked(app, 'home with the sandbox');

  // The screen, by the palette; what cannot be built says why.
  await learner.search('sandbox');
  await learner.press('Enter');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Sandbox');
  await learner.reach(page.getByLabel('Name of VM 1'));
  await learner.press('Control+a', 'Delete');
  await page.keyboard.type('VM');
  await press('Build it');
  await expect(page.getByRole('alert')).toContainText('"VM" cannot be the name of a VM');
  await looked(app, 'sandbox refused');
  await learner.reach(page.getByLabel('Name of VM 1'));
  await learner.press('Control+a', 'Delete');
  await page.keyboard.type('td');
  await learner.reach(page.getByLabel('State of VM 1 when you begin'));
  await learner.press('Home');
  await press('Build it');
  const notebook = page.getByRole('region', { name: 'Notebook' });
  await expect(notebook.getByRole('heading', { level: 2 })).toHaveText('td with 2 vCPUs');

  await learner.command('boot td vm=td');
  await learner.command('vmm KVM_SIGNAL_MSI vm=td dest=1 delivery_mode=INIT');
  await expect(notebook.getByText('KVM_SIGNAL_MSI')).toBeVisible();
  await learner.press('Alt+ArrowLeft');
  await looked(app, 'notebook');
  const at = await page.locator('footer .moment').textContent();

  // The plug is pulled: the machine is as it was.
  await app.kill();
  const again = await launch();
  const second = new Learner(again.page, course);
  await expect(again.page.locator('footer .moment')).toHaveText(at!);
  await expect(
    again.page.getByRole('region', { name: 'Notebook' }).getByText('KVM_SIGNAL_MSI'),
  ).toBeVisible();

  // What was done is a scenario that can be run anywhere.
  await second.press('Alt+End');
  await second.reach(again.page.getByRole('button', { name: 'Save as a scenario…' }));
  await second.press('Enter');
  await expect(again.page.getByRole('region', { name: 'Notices' })).toContainText('npx seamlab run');
  await again.page.getByRole('button', { name: /^Dismiss: The scenario/ }).click();
  const [file = ''] = readdirSync(again.exports);
  const read = parseScenario(readFileSync(join(again.exports, file), 'utf8'));
  const { machine } = await again.call('lab.open', { lab: 'sandbox' });
  expect(read.ok && runScenario(read.value).hash).toBe(machine.hash);

  // By mouse: the same once more, beside another design.
  await again.page.getByRole('button', { name: 'Compare with…' }).click();
  const dialog = again.page.getByRole('dialog', { name: 'Compare' });
  await dialog.getByLabel('apicv_v1').check();
  await looked(again, 'compare with');
  await dialog.getByRole('button', { name: 'Compare', exact: true }).click();
  const b = again.page.getByRole('region', { name: 'Machine B: apicv_v1' });
  await expect(again.page.getByRole('region', { name: 'Machine A: as upstream' })).toContainText('≠');
  await expect(b).toContainText('≠');

  // By keyboard: from difference to difference, and from one machine to the other.
  const shown = again.page.getByRole('group', { name: 'Machine shown' });
  await second.press('Control+Shift+d');
  await expect(b).toContainText('first difference here');
  await second.press('Control+Shift+m');
  await expect(shown.getByRole('radio', { name: 'B apicv_v1' })).toBeChecked();
  await again.page
    .getByText(/first difference: /)
    .first()
    .click();
  const differing = again.page.getByRole('table', { name: 'Differs now' }).getByRole('row');
  await expect(differing.nth(1)).toBeVisible();
  await looked(again, 'compare');
  // The list of them is searched; Arrow Down leaves for what was found, Escape ends the search.
  await second.press('Alt+End');
  await expect(differing.nth(2)).toBeVisible();
  const all = await differing.count();
  const field = await differing.last().getByRole('button').textContent();
  await second.reach(again.page.getByRole('searchbox', { name: 'Search the differences' }));
  await again.page.keyboard.type(field!);
  await expect(differing).toHaveCount(2);
  await looked(again, 'compare searched');
  await second.press('ArrowDown');
  await expect(differing.last().getByRole('button')).toBeFocused();
  await second.press('Shift+Tab', 'Escape');
  await expect(differing).toHaveCount(all);
  await again.resize(1280, 800);
  await expect(again.page.getByRole('group', { name: 'Threads and lanes' })).toHaveCount(2);
  await looked(again, 'compare 1280');
  await again.page
    .getByText(/first difference: /)
    .first()
    .click();
  await again.resize(960, 640);
  await looked(again, 'compare 960');
  await again.resize(1920, 1080);
  await looked(again, 'compare 1920');
  await again.call('settings.set', { textScale: 200 });
  await again.page.reload();
  await again.resize(1280, 800);
  await expect(shown).toBeVisible();
  await looked(again, 'compare 200');
  await second.press('Control+Shift+s');
  await expect(again.page.getByRole('button', { name: /^Continue with/ })).toBeVisible();
  await looked(again, 'sandbox 200');
});

test('a run is compared with an earlier attempt: together as far as both went the same way', async ({
  app,
}) => {
  const { page } = app;
  const attempt = async (...verbs: readonly ('KVM_NMI' | 'KVM_SMI')[]): Promise<void> => {
    const vms = [{ name: 'td', vcpus: 2, boot: 'td' as const }];
    const wanted = { from: 'platform' as const, vms, switches: [], against: null };
    const { session } = (await app.call('sandbox.begin', { wanted })).view!;
    for (const vmm of verbs)
      await app.call('lab.input', { session, input: { kind: 'act', action: { vmm, vm: 'td', vcpu: 0 } } });
  };
  await attempt('KVM_NMI', 'KVM_SMI');
  await attempt('KVM_NMI', 'KVM_NMI');
  await app.open('sandbox');
  await page.getByRole('button', { name: 'Compare with…' }).click();
  const dialog = page.getByRole('dialog', { name: 'Compare' });
  await dialog.getByRole('radio', { name: /^an earlier attempt/ }).check();
  await dialog.getByRole('radio', { name: /^td with 2 vCPUs/ }).check();
  await looked(app, 'compare attempts');
  await dialog.getByRole('button', { name: 'Compare', exact: true }).click();
  const done = page.getByRole('region', { name: 'Notebook' }).getByRole('listitem');
  await expect(done).toHaveText([/boot td/, /KVM_NMI/, /A.*KVM_NMI|KVM_NMI.*A/, /B.*KVM_SMI|KVM_SMI.*B/]);
  await looked(app, 'attempts compared');
});

test('the rest of a scenario is done although a stop halts it: it goes on, and ends as the scenario does', async ({
  app,
}) => {
  const { page } = app;
  const learner = new Learner(page, course);
  const name = 'device-posts-into-the-pir';
  await app.call('sandbox.begin', {
    wanted: { from: 'scenario', scenario: name, perform: false, against: null },
  });
  await page.reload();
  const notebook = page.getByRole('region', { name: 'Notebook' });
  const rest = notebook.getByRole('button', { name: 'Do the rest' });
  await learner.command('stop event=kvm_entry');
  await learner.command('stop event=guest_takes_irq');
  for (const event of ['kvm_entry', 'guest_takes_irq']) {
    await rest.click();
    await expect(page.getByRole('contentinfo')).toContainText(`${event} happened`);
  }
  await rest.click();
  await expect(notebook).toContainText('All its steps are done.');

  const file = join(root, 'src-sim', 'scenario', 'examples', `${name}.yaml`);
  const read = parseScenario(readFileSync(file, 'utf8'));
  const { machine } = await app.call('lab.open', { lab: 'sandbox' });
  expect(read.ok && runScenario(read.value).hash).toBe(machine.hash);
});
