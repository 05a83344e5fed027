import { expect, test, type Seamlab } from './app';
import { still, wear } from './looks';

/**
 * The main screens against pictures that people have looked at. Renew them after a change that is meant, and look at what
 * has become of them: `npm test -- e2e e2e/pictures.spec.ts --update-snapshots`.
 */

const WINDOW = { width: 1280, height: 800 } as const;

type Act = Record<string, string | number>;
async function prepared(app: Seamlab, lab: string, ...actions: readonly Act[]): Promise<void> {
  const { session } = await app.call('lab.open', { lab });
  for (const action of actions) {
    const input = { kind: 'act', action } as never;
    expect(await app.call('lab.input', { session, input })).toMatchObject({ accepted: true });
  }
  await app.open(lab);
}
const run = (vcpu: number): Act => ({ vmm: 'KVM_RUN', vm: 'td', vcpu, immediate_exit: 0 });

/** Screens by name, each from the one before. */
const SCREENS: readonly (readonly [string, (app: Seamlab) => Promise<unknown>])[] = [
  ['home', ({ page }) => expect(page.getByRole('button', { name: /Posting an interrupt/ })).toBeVisible()],
  [
    'an-interrupt-delivered',
    (app) =>
      prepared(
        app,
        'posting',
        { guest: 'SVR', vm: 'td', vcpu: 1, value: 0x1ff },
        { vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 1, delivery_mode: 'FIXED', vector: 0x31 },
      ),
  ],
  [
    'settings',
    async ({ page }) => {
      await page.keyboard.press('Control+,');
      await expect(page.getByRole('dialog', { name: 'Settings' })).toBeVisible();
    },
  ],
  [
    'sandbox',
    async ({ page }) => {
      await page.keyboard.press('Escape');
      await page.keyboard.press('Control+Shift+s');
      await expect(page.getByRole('button', { name: 'Build it' })).toBeVisible();
    },
  ],
  [
    'comparison',
    async (app) => {
      const wanted = {
        from: 'platform' as const,
        vms: [{ name: 'td', vcpus: 2, boot: 'td' as const }],
        switches: [],
        against: ['apicv_v1'],
      };
      await app.call('sandbox.begin', { wanted });
      await app.page.reload();
      await expect(app.page.getByRole('group', { name: 'Threads and lanes' })).toHaveCount(2);
    },
  ],
  ['a-td-fatal', (app) => prepared(app, 'msmi-fatal-td', run(0), run(1), { host: 'MCE', vm: 'td', vcpu: 0 })],
];

test('the main screens look as they were approved, in both themes', async ({ app }) => {
  await expect(app.page.getByRole('heading', { level: 1 })).toBeVisible();
  await app.resize(WINDOW.width, WINDOW.height);
  for (const [name, go] of SCREENS) {
    await go(app);
    await app.page.evaluate(() => document.fonts.ready);
    for (const theme of ['light', 'dark'] as const) {
      await wear(app, theme);
      await still(app.page);
      // Nothing lies under the pointer, and nothing has the focus but by the screen's own doing.
      await app.page.mouse.move(WINDOW.width - 1, 1);
      // The tree has a line more with every field that the machine gets.
      const mask = [app.page.getByRole('tree')];
      await expect.soft(app.page).toHaveScreenshot(`${name}-${theme}.png`, { mask, maskColor: '#808080' });
    }
  }
});
