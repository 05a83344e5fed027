import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readFacts } from './facts';

const FACT = { fact: 'INIT is latched.', source: 'lapic.c' };
const file = (facts: object, groups: object = { INIT: { title: 'INIT' } }): string =>
  JSON.stringify({ groups, facts });

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'seamlab-facts-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A folder of labs with these files of facts. */
function labs(name: string, files: Readonly<Record<string, string>>): string {
  mkdirSync(join(root, name, 'facts'), { recursive: true });
  for (const [path, text] of Object.entries(files)) writeFileSync(join(root, name, 'facts', path), text);
  return join(root, name);
}

describe('the facts of a folder of labs', () => {
  test('are those of all its files; a folder without any adds nothing', () => {
    const two = labs('two', {
      'a.json': file({ 'INIT-1': FACT }),
      'b.json': file({ 'INIT-2': FACT }),
      'notes.txt': 'not facts',
    });
    expect(readFacts([two, join(root, 'none')])).toEqual({
      ok: true,
      facts: { 'INIT-1': FACT, 'INIT-2': FACT },
    });
  });

  test('add to those of another folder, and put them in other words', () => {
    const shipped = labs('shipped', { 'a.json': file({ 'INIT-1': FACT, 'INIT-2': FACT }) });
    const own = labs('own', { 'a.json': file({ 'INIT-2': { ...FACT, fact: 'Mine.' } }) });
    expect(readFacts([shipped, own])).toEqual({
      ok: true,
      facts: { 'INIT-1': FACT, 'INIT-2': { ...FACT, fact: 'Mine.' } },
    });
  });

  test.each([
    ['{', 'It cannot be read as JSON.'],
    [file({ 'INIT-1': FACT }), '"INIT-1" is in a.json as well.'],
    [file({ 'SIPI-1': FACT }), '"facts.SIPI-1": its group has no title.'],
    [file({ 'init-1': FACT }), /^"facts\.init-1": /],
    [file({ 'INIT-2': { ...FACT, fact: 'x'.repeat(301) } }), /^"facts\.INIT-2\.fact": /],
    [file({ 'INIT-2': { ...FACT, source: ' ' } }), /^"facts\.INIT-2\.source": /],
  ])('are refused with the file and the place: %s', (text, why) => {
    const folder = labs('bad', { 'a.json': file({ 'INIT-1': FACT }), 'b.json': text });
    expect(readFacts([folder])).toEqual({
      ok: false,
      file: join(folder, 'facts', 'b.json'),
      why: expect.stringMatching(why) as string,
    });
  });
});

test('the facts that ship can be read, each on a line of its own', () => {
  const shipped = join(import.meta.dirname, '../labs');
  const read = readFacts([shipped]);
  expect(read).toMatchObject({ ok: true });
  const lines = readdirSync(join(shipped, 'facts')).flatMap((name) =>
    readFileSync(join(shipped, 'facts', name), 'utf8').split('\n'),
  );
  const ids = read.ok ? Object.keys(read.facts) : [];
  expect(ids.length).toBeGreaterThan(1_700);
  const alone = lines.flatMap(
    (line) => /^ {4}"([^"]+-\d+[a-z]?)": \{ "fact": .* \},?$/.exec(line)?.[1] ?? [],
  );
  expect(alone.sort()).toEqual(ids.sort());
});
