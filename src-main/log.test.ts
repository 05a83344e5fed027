import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { fileLog } from './log';
import { temporaryFolder } from './testing/folder';

test('a line has time, event and detail, and the home folder is not in it', () => {
  const file = join(temporaryFolder(), 'logs/seamlab.log');
  const log = fileLog(file, () => Date.UTC(2026, 10, 21));
  log('worker lost', { why: 'hung', at: join(homedir(), 'x') });
  log('begun');
  expect(readFileSync(file, 'utf8')).toBe(
    '2026-11-21T00:00:00.000Z worker lost {"why":"hung","at":"~/x"}\n2026-11-21T00:00:00.000Z begun\n',
  );
});

test('the log never grows beyond two files of half a MiB', () => {
  const file = join(temporaryFolder(), 'seamlab.log');
  const log = fileLog(file);
  for (let i = 0; i < 600; i++) log('event', 'x'.repeat(3_000));
  expect(statSync(file).size).toBeLessThan(520 * 1024);
  expect(statSync(`${file}.1`).size).toBeLessThan(530 * 1024);
});

test('a log that cannot be written stops nothing', () => {
  const file = join(temporaryFolder(), 'seamlab.log');
  mkdirSync(file);
  expect(fileLog(file)('event')).toBeUndefined();
});
