import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { migrate, MIGRATIONS } from './migrations';
import type { News } from './notices';
import { Progress } from './progress';
import { openDatabase, StoreFault, type Database } from './sqlite';
import { SqliteStore, type Store } from './store';
import { temporaryFolder } from './testing/folder';
import { attemptWith, nextLine, standing } from './testing/transcripts';

const NOON = Date.UTC(2026, 10, 21, 12);

function progressIn(folder: string, open?: (file: string) => Store) {
  const told: News[] = [];
  const progress = new Progress(
    folder,
    () => NOON,
    () => {},
    (news) => told.push(news),
    open,
  );
  onTestFinished(() => progress.close());
  /** Adds one input to an attempt, as the desktop does. @returns why it was not kept. */
  const add = (made: ReturnType<typeof attemptWith>): News | null => {
    const line = nextLine(made.attempt, made.lines);
    const why = progress.append(made.attempt, made.lines, line, standing);
    if (why === null) made.lines.push(line);
    return why;
  };
  return { progress, told, add };
}

const codes = (told: readonly News[]): string[] => told.map(({ code }) => code);

describe('progress on a sound disk', () => {
  test('is there at the next start, and nothing is told', () => {
    const folder = join(temporaryFolder(), 'home');
    const made = attemptWith(0);
    const first = progressIn(folder);
    for (let i = 0; i < 3; i++) expect(first.add(made)).toBeNull();
    first.progress.close();
    const second = progressIn(folder);
    expect(second.progress.lines(made.attempt.id)).toEqual(made.lines);
    expect(second.progress.attempts('init-sipi')).toMatchObject([
      { ...made.attempt, inputs: 3, ended: null },
    ]);
    expect([...first.told, ...second.told]).toEqual([]);
    expect(second.progress.durable).toBe(true);
  });
});

describe('a disk that fails while the application runs', () => {
  /** Opens the database; `failing` decides what happens to every connection from then on. */
  function disk() {
    const connections: Database[] = [];
    let pragma = '';
    const open = (file: string): Store => {
      const db = openDatabase(file);
      migrate(db);
      if (pragma !== '') db.exec(pragma);
      connections.push(db);
      return new SqliteStore(db);
    };
    const set = (now: string, later = now): void => {
      pragma = later;
      for (const db of connections) if (db.open) db.exec(now);
    };
    return {
      open,
      full: () => set('PRAGMA max_page_count = 1'),
      readOnly: () => set('PRAGMA query_only = 1'),
      sound: () => set('PRAGMA query_only = 0; PRAGMA max_page_count = 1000000', ''),
    };
  }

  /** So many inputs that the next page of the database is needed. */
  const until = (why: string, add: () => News | null): News => {
    for (let i = 0; i < 200; i++) {
      const news = add();
      if (news !== null) {
        expect(news).toMatchObject({ code: 'not_saved', why });
        return news;
      }
    }
    throw new Error('the disk never failed');
  };

  test.each(['full', 'read_only'] as const)(
    '%s: the input fails, the next are kept in memory, then all is saved',
    (why) => {
      const folder = temporaryFolder();
      const { open, full, readOnly, sound } = disk();
      const { progress, told, add } = progressIn(folder, open);
      const made = attemptWith(0);
      expect(add(made)).toBeNull();
      if (why === 'full') full();
      else readOnly();
      expect(until(why, () => add(made))).toMatchObject({ inputs: made.lines.length });
      const saved = made.lines.length;
      expect(told).toEqual([]);
      expect(progress.lines(made.attempt.id)).toEqual(made.lines);

      expect(add(made)).toBeNull();
      expect(add(made)).toBeNull();
      expect(told).toEqual([{ code: 'in_memory', why, inputs: saved }]);
      expect(progress.durable).toBe(false);
      expect(progress.lines(made.attempt.id)).toEqual(made.lines);
      const other = attemptWith(0, 2_000);
      expect(add(other)).toBeNull();

      sound();
      expect(add(made)).toBeNull();
      expect(codes(told)).toEqual(['in_memory', 'saved_again']);
      expect(progress.durable).toBe(true);
      progress.close();
      const again = progressIn(folder);
      expect(again.progress.lines(made.attempt.id)).toEqual(made.lines);
      expect(again.progress.lines(other.attempt.id)).toEqual(other.lines);
    },
  );

  test('an input is kept after all when a fresh connection can write it', () => {
    const folder = temporaryFolder();
    let broken: Database | null = null;
    const { told, add } = progressIn(folder, (file) => {
      if (broken !== null) return SqliteStore.open(file);
      broken = openDatabase(file);
      migrate(broken);
      return new SqliteStore(broken);
    });
    const made = attemptWith(0);
    add(made);
    (broken as Database | null)?.exec('PRAGMA query_only = 1');
    expect(add(made)).toBeNull();
    expect(told).toEqual([]);
  });

  test('a write that was reported as failed and yet happened does not stand in the way', () => {
    const folder = temporaryFolder();
    let failing = false;
    const { add, progress } = progressIn(folder, (file) => {
      const store = SqliteStore.open(file);
      const append = store.append.bind(store);
      store.append = (...args) => {
        append(...args);
        if (failing) throw new StoreFault('SQLITE_IOERR');
      };
      return store;
    });
    const made = attemptWith(0);
    add(made);
    failing = true;
    expect(add(made)).toMatchObject({ code: 'not_saved', why: 'io', inputs: 1 });
    failing = false;
    made.attempt = { ...made.attempt };
    expect(add(made)).toBeNull();
    expect(progress.lines(made.attempt.id)).toEqual(made.lines);
    progress.close();
    expect(progressIn(folder).progress.lines(made.attempt.id)).toEqual(made.lines);
  });

  test('damage that shows only now: the file is kept, a new one made, acknowledged inputs are all in it', () => {
    const folder = temporaryFolder();
    const file = join(folder, 'progress.db');
    let damage = false;
    const { add, told, progress } = progressIn(folder, (path) => {
      const store = SqliteStore.open(path);
      const append = store.append.bind(store);
      store.append = (...args) => {
        if (!damage) return append(...args);
        damage = false;
        store.close();
        // The first page and the last: the latest lines are lost in the file, none in memory.
        const bytes = readFileSync(file);
        writeFileSync(file, bytes.fill(0x55, 0, 4096).fill(0x55, bytes.length - 4096));
        throw new StoreFault('SQLITE_CORRUPT');
      };
      return store;
    });
    const other = attemptWith(0, 1);
    const made = attemptWith(0, 2);
    for (let i = 0; i < 60; i++) add(i < 5 ? other : made);
    damage = true;
    expect(add(made)).toBeNull();
    expect(told).toMatchObject([{ code: 'damaged_store', attempts: 2, inputs: 60 }]);
    expect(progress.durable).toBe(true);
    progress.close();
    const again = progressIn(folder);
    expect(again.told).toEqual([]);
    expect(again.progress.lines(made.attempt.id)).toEqual(made.lines);
    expect(again.progress.lines(other.attempt.id)).toEqual(other.lines);
    expect(made.lines).toHaveLength(56);
  });

  test('damage of the log alone is not carried into the file: nothing is lost, and there is nothing to tell', () => {
    const folder = temporaryFolder();
    const file = join(folder, 'progress.db');
    const [other, made] = [attemptWith(0, 1), attemptWith(0, 2)];
    const first = progressIn(folder);
    for (let i = 0; i < 5; i++) first.add(other);
    first.progress.close();
    const { add, told, progress } = progressIn(folder);
    add(made);
    // Another program writes: SQLite then looks at the files again and not at what it remembers of them.
    const elsewhere = openDatabase(file);
    elsewhere.exec('UPDATE sessions SET standing = NULL');
    elsewhere.close();
    writeFileSync(`${file}-wal`, readFileSync(`${file}-wal`).fill(0x55));
    expect(add(made)).toBeNull();
    expect(told).toEqual([]);
    expect(progress.lines(other.attempt.id)).toEqual(other.lines);
    expect(progress.lines(made.attempt.id)).toEqual(made.lines);
  });
});

describe('a start on a disk that is not as it should be', () => {
  test('damaged: kept as a dated copy, what can be recovered is, and inputs are saved again', () => {
    const folder = temporaryFolder();
    const made = attemptWith(0);
    const first = progressIn(folder);
    for (let i = 0; i < 50; i++) first.add(made);
    first.progress.close();
    const file = join(folder, 'progress.db');
    const damaged = readFileSync(file).fill(0x55, 0, 4096);
    writeFileSync(file, damaged);

    const second = progressIn(folder);
    const copy = 'progress-damaged-2026-11-21T12-00-00-000.db';
    expect(second.told).toEqual([{ code: 'damaged_store', copy, attempts: 1, inputs: 50 }]);
    expect(readFileSync(join(folder, copy)).equals(damaged)).toBe(true);
    expect(second.progress.lines(made.attempt.id)).toEqual(made.lines);
    expect(second.add(made)).toBeNull();
    expect(second.progress.durable).toBe(true);
  });

  test('of a newer program: not touched, and the application runs', () => {
    const folder = temporaryFolder();
    const file = join(folder, 'progress.db');
    SqliteStore.open(file, [...MIGRATIONS, 'CREATE TABLE later (x ANY) STRICT']).close();
    for (const beside of ['-wal', '-shm']) rmSync(file + beside, { force: true });
    const before = readFileSync(file);
    const { progress, told, add } = progressIn(folder);
    expect(told).toEqual([{ code: 'newer_store' }]);
    const made = attemptWith(0);
    expect(add(made)).toBeNull();
    expect(add(made)).toBeNull();
    expect(progress.lines(made.attempt.id)).toEqual(made.lines);
    progress.end(made.attempt.id);
    progress.close();
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readdirSync(folder)).toEqual(['progress.db']);
    expect(told).toHaveLength(1);
  });

  test('no folder can be made: progress is kept for this run', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'home'), 'a file where the folder should be');
    const { told, add, progress } = progressIn(join(folder, 'home'));
    expect(codes(told)).toEqual(['unwritable']);
    const made = attemptWith(0);
    expect(add(made)).toBeNull();
    expect(progress.lines(made.attempt.id)).toEqual(made.lines);
    expect(codes(told)).toEqual(['unwritable']);
  });

  test('not writable, but readable: earlier progress is there', () => {
    const folder = temporaryFolder();
    const made = attemptWith(0);
    const first = progressIn(folder);
    for (let i = 0; i < 3; i++) first.add(made);
    first.progress.close();
    const { told, progress, add } = progressIn(folder, () => {
      throw new StoreFault('SQLITE_READONLY');
    });
    expect(told).toEqual([{ code: 'unwritable', why: 'read_only' }]);
    expect(progress.lines(made.attempt.id)).toEqual(made.lines);
    expect(add(made)).toBeNull();
    expect(progress.attempt(made.attempt.id)?.inputs).toBe(4);
  });

  test('a folder in the place of the database: it stays, progress is kept for this run', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'progress.db'));
    chmodSync(join(folder, 'progress.db'), 0o700);
    const { told, add } = progressIn(folder);
    expect(codes(told)).toEqual(['unwritable']);
    expect(add(attemptWith(0))).toBeNull();
  });
});
