import { join } from 'node:path';
import { expect, root, test } from './app';

/**
 * Pictures for people: what a designer looks at after a change. They are written to test-results/looks; nothing is
 * compared.
 */
const SIZES = [
  { width: 1280, height: 800 },
  { width: 1920, height: 1080 },
] as const;

for (const theme of ['light', 'dark'] as const) {
  test(`home and lab are drawn in the ${theme} theme, at both sizes`, async ({ app }) => {
    const { page } = app;
    await app.call('settings.set', { theme });
    await page.reload();
    const draw = async (name: string): Promise<void> => {
      for (const { width, height } of SIZES) {
        await app.resize(width, height);
        const path = join(root, 'test-results', 'looks', `${name}-${theme}-${width}.png`);
        const picture = await page.screenshot({ path });
        expect(picture.length, `${path} shows something`).toBeGreaterThan(10_000);
      }
    };
    await expect(page.getByRole('heading', { name: 'The course' })).toBeVisible();
    await draw('home');
    await app.open();
    await draw('lab');
  });
}
