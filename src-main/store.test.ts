import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { migrate, MIGRATIONS } from './migrations';
import { openDatabase, StoreFault } from './sqlite';
import { copyMissing, MemoryStore, SqliteStore, type Attempt, type Standing, type Store } from './store';
import { temporaryFolder } from './testing/folder';

const attempt = (id: string, more: Partial<Attempt> = {}): Attempt => ({
  id,
  lab: 'init-sipi',
  labHash: 'abc',
  simVersion: '1',
  started: 1_000,
  header: `{"session":"${id}"}`,
  ...more,
});
const standing: Standing = { score: 1.5, checkpoints: 6, settled: 2, complete: false };

function opened(file: string, migrations?: readonly string[]): SqliteStore {
  const store = SqliteStore.open(file, migrations);
  onTestFinished(() => store.close());
  return store;
}

const newFile = (): string => join(temporaryFolder(), 'progress.db');
const faultOf = (work: () => unknown): string | null => {
  try {
    work();
    return null;
  } catch (error) {
    return (error as StoreFault).code;
  }
};

describe.each<[string, () => Store]>([
  ['SQLite', () => opened(newFile())],
  ['memory', () => new MemoryStore()],
])('a store in %s', (_name, make) => {
  test('gives back the lines of an attempt as they came', () => {
    const store = make();
    store.append(attempt('a'), 1, ['{"n":1}'], standing);
    store.append(attempt('a'), 2, ['{"n":2,"say":"žluť \\u0000"}', '{"n":3}'], { ...standing, settled: 3 });
    expect(store.lines('a')).toEqual(['{"n":1}', '{"n":2,"say":"žluť \\u0000"}', '{"n":3}']);
    expect(store.firstLine('a')).toBe('{"n":1}');
    expect(store.attempt('a')).toEqual({
      ...attempt('a'),
      ended: null,
      inputs: 3,
      standing: { ...standing, settled: 3 },
    });
  });

  test('knows nothing of attempts without input', () => {
    const store = make();
    store.end('a', 5);
    expect(store.attempt('a')).toBeNull();
    expect(store.lines('a')).toEqual([]);
    expect(store.firstLine('a')).toBeNull();
    expect(store.attempts(null)).toEqual([]);
  });

  test('lists attempts of one lab or all, newest first', () => {
    const store = make();
    store.append(attempt('a', { started: 1 }), 1, ['x'], standing);
    store.append(attempt('b', { started: 3, lab: 'other' }), 1, ['x'], standing);
    store.append(attempt('c', { started: 2 }), 1, ['x'], standing);
    expect(store.attempts(null).map(({ id }) => id)).toEqual(['b', 'c', 'a']);
    expect(store.attempts('init-sipi').map(({ id }) => id)).toEqual(['c', 'a']);
  });

  test('ends an attempt once, and keeps it', () => {
    const store = make();
    store.append(attempt('a'), 1, ['x'], standing);
    store.end('a', 7);
    store.end('a', 8);
    expect(store.attempt('a')).toMatchObject({ ended: 7, inputs: 1 });
  });

  test('refuses a line that would leave a gap, and changes nothing', () => {
    const store = make();
    store.append(attempt('a'), 1, ['x'], standing);
    expect(faultOf(() => store.append(attempt('a'), 3, ['z'], standing))).toBe('OUT_OF_ORDER');
    expect(faultOf(() => store.append(attempt('b'), 2, ['z'], standing))).toBe('OUT_OF_ORDER');
    expect(store.lines('a')).toEqual(['x']);
    expect(store.attempt('b')).toBeNull();
  });

  test('lets lines give way that were never acknowledged', () => {
    const store = make();
    store.append(attempt('a'), 1, ['x', 'not acknowledged', 'nor this'], standing);
    store.append(attempt('a'), 2, ['y'], standing);
    expect(store.lines('a')).toEqual(['x', 'y']);
  });

  test('receives what another store has and it lacks, as often as asked', () => {
    const from = new MemoryStore();
    from.append(attempt('a', { started: 1 }), 1, ['1', '2', '3'], standing);
    from.append(attempt('b', { started: 2 }), 1, ['1'], standing);
    from.end('a', 9);
    const to = make();
    to.append(attempt('a', { started: 1 }), 1, ['1'], standing);
    to.append(attempt('c', { started: 3 }), 1, ['c'], standing);
    copyMissing(from, to);
    copyMissing(from, to);
    expect(to.lines('a')).toEqual(['1', '2', '3']);
    expect(to.attempt('a')?.ended).toBe(9);
    expect(to.attempts(null).map(({ id }) => id)).toEqual(['c', 'b', 'a']);
  });
});

describe('a store in SQLite', () => {
  test('writes ahead into a log and syncs every commit', () => {
    const file = newFile();
    opened(file);
    const db = openDatabase(file);
    onTestFinished(() => void db.close());
    expect(db.prepare('PRAGMA journal_mode').all()).toEqual([{ journal_mode: 'wal' }]);
    expect(db.prepare('PRAGMA synchronous').all()).toEqual([{ synchronous: 2 }]);
  });

  test('leaves one file behind when it is closed', () => {
    const file = newFile();
    const store = SqliteStore.open(file);
    store.append(attempt('a'), 1, ['x'], standing);
    store.close();
    expect(existsSync(`${file}-wal`) ? readFileSync(`${file}-wal`).length : 0).toBe(0);
    expect(opened(file).lines('a')).toEqual(['x']);
  });

  test('reports a full disk as such, and nothing is half written', () => {
    const db = openDatabase(newFile());
    migrate(db);
    const store = new SqliteStore(db);
    onTestFinished(() => store.close());
    store.append(attempt('a'), 1, ['x'], standing);
    db.exec('PRAGMA max_page_count = 1');
    expect(faultOf(() => store.append(attempt('a'), 2, ['y'.repeat(100_000)], standing))).toBe('SQLITE_FULL');
    expect(new StoreFault('SQLITE_FULL').why).toBe('full');
    expect(store.attempt('a')).toMatchObject({ inputs: 1 });
    db.exec('PRAGMA max_page_count = 100000');
    store.append(attempt('a'), 2, ['y'], standing);
    expect(store.lines('a')).toEqual(['x', 'y']);
  });

  test('says so when another program holds the lock', () => {
    const file = newFile();
    const store = opened(file);
    const other = openDatabase(file);
    other.exec('BEGIN IMMEDIATE');
    expect(faultOf(() => store.append(attempt('a'), 1, ['x'], standing))).toBe('SQLITE_BUSY');
    other.exec('ROLLBACK');
    other.close();
    store.append(attempt('a'), 1, ['x'], standing);
  });

  test.each([
    ['garbage', 'not a database, '.repeat(600)],
    ['nothing but a header', `SQLite format 3\0${'\xff'.repeat(5_000)}`],
  ])('finds %s damaged', (_what, content) => {
    const file = newFile();
    writeFileSync(file, content, 'latin1');
    const fault = faultOf(() => SqliteStore.open(file));
    expect(new StoreFault(fault ?? '').why).toBe('damaged');
  });

  test('finds a page damaged that nobody has read yet', () => {
    const file = newFile();
    const store = SqliteStore.open(file);
    for (let n = 1; n <= 100; n++) store.append(attempt('a'), n, ['x'.repeat(500)], standing);
    store.close();
    const bytes = readFileSync(file);
    bytes.fill(0xee, bytes.length - 3 * 4096);
    writeFileSync(file, bytes);
    expect(faultOf(() => SqliteStore.open(file))).toBe('SQLITE_CORRUPT');
  });

  test('reports a folder in its place as a file that cannot be opened', () => {
    expect(faultOf(() => SqliteStore.open(temporaryFolder()))).toBe('SQLITE_CANTOPEN');
  });
});

describe('migrations', () => {
  const second = [...MIGRATIONS, 'ALTER TABLE sessions ADD COLUMN note TEXT'];

  test('bring an old database to the newest version and keep what it holds', () => {
    const file = newFile();
    const old = SqliteStore.open(file);
    old.append(attempt('a'), 1, ['x'], standing);
    old.close();
    const store = opened(file, second);
    expect(store.lines('a')).toEqual(['x']);
    expect(versionOf(file)).toBe(2);
  });

  test('happen wholly or not at all', () => {
    const file = newFile();
    SqliteStore.open(file).close();
    const broken = [
      ...MIGRATIONS,
      'ALTER TABLE sessions ADD COLUMN note TEXT; ALTER TABLE nowhere ADD COLUMN x',
    ];
    expect(faultOf(() => SqliteStore.open(file, broken))).toBe('SQLITE_ERROR');
    expect(versionOf(file)).toBe(1);
    expect(opened(file, second).attempts(null)).toEqual([]);
  });

  test('refuse a database of a newer program and leave it as it is', () => {
    const file = newFile();
    SqliteStore.open(file, second).close();
    expect(faultOf(() => SqliteStore.open(file))).toBe('NEWER');
    expect(versionOf(file)).toBe(2);
  });
});

function versionOf(file: string): number {
  const db = openDatabase(file);
  const rows = db.prepare('PRAGMA user_version').all() as { user_version: number }[];
  db.close();
  return rows[0]!.user_version;
}
