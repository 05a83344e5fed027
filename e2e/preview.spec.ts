import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SMALL_LAB, writeSmallLab } from '../src-main/testing/lab';
import { expect, test } from './app';
import { notices } from './begun';

/** An author has a lab open beside their editor. */

test('a lab that is previewed is shown as it is saved, and its errors by file, line, column and remedy', async ({
  folder,
  launch,
}) => {
  const lab = writeSmallLab(join(folder, 'course'));
  const save = (file: string, from: string, to: string): void => {
    const path = join(lab, file);
    const text = readFileSync(path, 'utf8');
    expect(text).toContain(from);
    writeFileSync(path, text.replace(from, to));
  };
  const app = await launch({ args: ['--preview', lab] });
  const { page } = app;
  await expect(page.getByText('Here it begins.')).toBeVisible();
  await page.getByRole('radio', { name: SMALL_LAB.wrong }).press('Space');
  await page.getByRole('button', { name: 'Predict, then run' }).press('Enter');
  await expect(page.getByText('That is not what the machine does.')).toBeVisible();

  save('guide.md', 'Here it begins.', 'Here it begins anew.');
  await expect(page.getByText('Here it begins anew.')).toBeVisible();
  // What was answered is answered still.
  await expect(page.getByText('That is not what the machine does.')).toBeVisible();
  await expect(notices(app)).toContainText('"A small lab" was read again.');

  save('guide.md', '::checkpoint{id=created}', '::checkpoint{id=creatde}');
  await expect(notices(app)).toContainText(
    'guide.md:5:1: There is no checkpoint "creatde". Did you mean "created"?',
  );
  await expect(page.getByText('Here it begins anew.')).toBeVisible();

  save('guide.md', 'creatde', 'created');
  save('lab.yaml', SMALL_LAB.title, 'A better lab');
  await expect(page.getByText('A better lab').first()).toBeVisible();
});
