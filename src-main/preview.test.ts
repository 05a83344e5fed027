import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { watchLab } from './preview';
import { temporaryFolder } from './testing/folder';

/** A watched lab folder, and how often it was told to have changed. */
function watched() {
  const folder = join(temporaryFolder(), 'lab');
  mkdirSync(folder);
  const changed = vi.fn();
  onTestFinished(watchLab(folder, changed));
  const times = (n: number) =>
    vi.waitFor(() => expect(changed).toHaveBeenCalledTimes(n), { timeout: 10_000 });
  return { folder, changed, times };
}

test('files that are saved in several steps are told once, when they rest', async () => {
  const { folder, times } = watched();
  writeFileSync(join(folder, 'lab.yaml'), 'a');
  writeFileSync(join(folder, 'guide.md.new'), 'b');
  renameSync(join(folder, 'guide.md.new'), join(folder, 'guide.md'));
  await times(1);
  writeFileSync(join(folder, 'guide.md'), 'c');
  await times(2);
});

test('files that the learner does not meet are not told', async () => {
  const { folder, times } = watched();
  writeFileSync(join(folder, 'solution.yaml'), 'a');
  writeFileSync(join(folder, '.lab.yaml.swp'), 'a');
  // A save that counts comes after those that do not: it is the first that is told.
  writeFileSync(join(folder, 'lab.yaml'), 'a');
  await times(1);
});

test('a folder that went away is found again when it is back', async () => {
  const { folder, times } = watched();
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  await times(1);
  writeFileSync(join(folder, 'lab.yaml'), 'a');
  await times(2);
});
