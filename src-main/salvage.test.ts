import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { salvage } from './salvage';
import { SqliteStore } from './store';
import { temporaryFolder } from './testing/folder';
import { attemptWith, nextLine, standing } from './testing/transcripts';

const bytes = (...texts: string[]): Uint8Array => Buffer.from(texts.join('\xff\x00{"'), 'latin1');

describe('what is found in the bytes of a damaged store', () => {
  test('is every attempt, oldest first, whatever order its lines lie in', () => {
    const young = attemptWith(3, 2_000);
    const old = attemptWith(2, 1_000);
    const parts = [
      bytes(young.lines[2]!, old.attempt.header, young.lines[0]!),
      bytes(old.lines[1]!, young.lines[1]!, '{}', old.lines[0]!, young.attempt.header, old.lines[1]!),
    ];
    expect(salvage(parts)).toEqual([old, young]);
  });

  test('ends before the first line that is lost', () => {
    const { attempt, lines } = attemptWith(5);
    const found = salvage([bytes(attempt.header, ...lines.filter((_, i) => i !== 3))]);
    expect(found).toEqual([{ attempt, lines: lines.slice(0, 3) }]);
  });

  test('has no line of which one byte changed', () => {
    const { attempt, lines } = attemptWith(2);
    const changed = lines[1]!.replace('"at":20', '"at":21');
    expect(salvage([bytes(attempt.header, lines[0]!, changed)])).toEqual([{ attempt, lines: [lines[0]] }]);
    const header = attempt.header.replace('init-sipi', 'init-sipa');
    expect(salvage([bytes(header, ...lines)])).toEqual([]);
  });

  test('is the longer chain where an input was taken back and another made', () => {
    const { attempt, lines } = attemptWith(2);
    const takenBack = nextLine(attempt, lines, 'td.vcpu0');
    const kept = nextLine(attempt, lines, 'td.vcpu1');
    const after = nextLine(attempt, [...lines, kept]);
    for (const order of [
      [takenBack, kept, after],
      [after, kept, takenBack],
    ]) {
      expect(salvage([bytes(attempt.header, ...lines, ...order)])[0]?.lines).toEqual([...lines, kept, after]);
    }
  });

  test('is nothing in an empty file, and in noise', () => {
    expect(salvage([])).toEqual([]);
    expect(salvage([new Uint8Array()])).toEqual([]);
    expect(salvage([bytes('{"', '{"a":{"', '{"n":1}', '{"n":"x"}', '{"lab":1,"session":2}')])).toEqual([]);
  });

  test('is everything in a real database whose first page is gone, log included', () => {
    const file = join(temporaryFolder(), 'progress.db');
    const first = attemptWith(300, 1_000);
    const second = attemptWith(40, 2_000);
    const store = SqliteStore.open(file);
    store.append(first.attempt, 1, first.lines, standing);
    store.close();
    const again = SqliteStore.open(file);
    for (const [i, line] of second.lines.entries()) again.append(second.attempt, i + 1, [line], standing);
    const parts = ['', '-wal'].map((suffix) => readFileSync(file + suffix));
    again.close();
    parts[0]!.fill(0, 0, 4096);
    expect(salvage(parts)).toEqual([first, second]);
  });
});
