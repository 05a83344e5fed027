import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const LOADER = pathToFileURL(join(import.meta.dirname, 'compiled.mjs')).href;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'seamlab-compiled-'));
  writeFileSync(
    join(folder, 'main.cjs'),
    `exports.said = require('./part.cjs').words(require('node:path').sep);`,
  );
  writeFileSync(
    join(folder, 'part.cjs'),
    `exports.words = (sep) => [__filename.split(sep).at(-1), 1 + 1].join(' ');`,
  );
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What a new process says that loads the file. */
function said(): string {
  const file = JSON.stringify(join(folder, 'main.cjs'));
  const script = `import { load } from '${LOADER}'; console.log(load(${file}).said);`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return stdout.trim();
}
const kept = (): string[] => readdirSync(folder).filter((name) => !name.endsWith('.cjs'));
const inodes = (): number[] => kept().map((name) => statSync(join(folder, name)).ino);

test('what one process has compiled the next one takes: the kept code is not written again', () => {
  expect(said()).toBe('part.cjs 2');
  expect(kept()).toEqual(['main', 'part'].map((name) => `${name}.cjs.${process.versions.v8}`));
  const before = inodes();
  expect(said()).toBe('part.cjs 2');
  expect(inodes()).toEqual(before);
});

test('kept code that V8 refuses is replaced', () => {
  said();
  const file = join(folder, `part.cjs.${process.versions.v8}`);
  const good = readFileSync(file);
  writeFileSync(file, good.subarray(0, 40));
  expect(said()).toBe('part.cjs 2');
  expect(readFileSync(file).length).toBeGreaterThan(40);
});

test('where nothing can be kept, files load all the same and nothing half-written stays', () => {
  const places = ['main', 'part'].map((name) => `${name}.cjs.${process.versions.v8}`);
  for (const name of places) mkdirSync(join(folder, name));
  expect(said()).toBe('part.cjs 2');
  expect(kept()).toEqual(places);
});
