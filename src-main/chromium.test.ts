import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { chromiumFolder } from './chromium';
import { temporaryFolder } from './testing/folder';

test('lies below home, which is made, and is left empty', () => {
  const home = join(temporaryFolder(), 'a/home');
  expect(chromiumFolder(home)).toBe(join(home, 'chromium'));
  expect(readdirSync(join(home, 'chromium'))).toEqual([]);
});

test('is a new temporary folder where home cannot be written', () => {
  const home = join(temporaryFolder(), 'home');
  writeFileSync(home, 'a file where the folder should be');
  const folder = chromiumFolder(home);
  onTestFinished(() => rmSync(folder, { recursive: true }));
  expect(dirname(folder)).toBe(tmpdir());
  expect(readdirSync(folder)).toEqual([]);
});
