import {
  accessSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Log } from './log';
import { MIGRATIONS } from './migrations';
import type { News } from './notices';
import { salvage, type Salvaged } from './salvage';
import { stamp } from './settings';
import { StoreFault } from './sqlite';
import {
  copyMissing,
  MemoryStore,
  NEWER,
  SqliteStore,
  type Attempt,
  type KeptAttempt,
  type Standing,
  type Store,
} from './store';

/**
 * The learner's progress, whatever happens to the disk.
 *
 * Normally an SQLite database. Where that cannot be written, or a newer program made it, progress is kept in memory for
 * this run, and every new input tries the disk again. A damaged database is moved aside, kept, and what it still holds
 * is copied into a new one. No method throws for anything a disk can do.
 */
export class Progress {
  readonly #file: string;
  readonly #now: () => number;
  readonly #log: Log;
  readonly #tell: (news: News) => void;
  readonly #openStore: (file: string) => Store;
  #store: Store;
  #mode: 'file' | 'memory';
  /** Whether the disk may be tried again: not when a newer program owns the file. */
  #mayRetry = true;
  #toldInMemory = false;

  /**
   * @param folder - holds the database; made when missing.
   * @param now - milliseconds since 1970; dates copies of damaged files.
   * @param tell - called with what the learner must know, now and later.
   * @param openStore - opens the database file, or throws StoreFault.
   */
  constructor(
    folder: string,
    now: () => number,
    log: Log,
    tell: (news: News) => void,
    openStore: (file: string) => Store = (file) => SqliteStore.open(file),
  ) {
    this.#openStore = openStore;
    this.#file = join(folder, 'progress.db');
    this.#now = now;
    this.#log = log;
    this.#tell = tell;
    try {
      mkdirSync(folder, { recursive: true });
      this.#store = this.#openFile();
      this.#mode = 'file';
    } catch (error) {
      const fault = faultOf(error);
      log('progress store cannot be opened', fault.code);
      this.#mode = 'memory';
      this.#toldInMemory = true;
      this.#store = new MemoryStore();
      if (fault.code === NEWER) {
        this.#mayRetry = false;
        tell({ code: 'newer_store' });
      } else {
        this.#seedFromCopy(this.#store);
        tell({ code: 'unwritable', why: fault.why });
      }
    }
  }

  /** Whether what is acknowledged now survives the end of the application. */
  get durable(): boolean {
    return this.#mode === 'file';
  }

  /** The attempts at `lab` (all labs when null), newest first. */
  attempts(lab: string | null): KeptAttempt[] {
    return this.#ask((store) => store.attempts(lab)) ?? [];
  }

  /** @returns null when there is no such attempt. */
  attempt(id: string): KeptAttempt | null {
    return this.#ask((store) => store.attempt(id));
  }

  /** The input lines of an attempt, in order; empty when they cannot be read. */
  lines(id: string): string[] {
    return this.#ask((store) => store.lines(id)) ?? [];
  }

  /** The first of them, read alone; null when there is none or it cannot be read. */
  firstLine(id: string): string | null {
    return this.#ask((store) => store.firstLine(id));
  }

  /** Ends an attempt, so that the lab begins anew. Where the disk fails, it is ended for this run. */
  end(id: string): void {
    this.#ask((store) => store.end(id, this.#now()));
  }

  /**
   * Keeps one more input line of an attempt. On disk when it returns null, unless the learner was told that progress
   * lives in memory.
   *
   * A disk that fails for the first time makes the input fail, so that the learner knows; from then on inputs are kept
   * in memory until the disk takes everything again.
   *
   * @param acknowledged - all earlier lines of the attempt. A store that lost some of them gets them back.
   * @returns why it was not kept.
   */
  append(attempt: Attempt, acknowledged: readonly string[], line: string, standing: Standing): News | null {
    const giveBack = (store: Store): void => {
      const have = store.attempt(attempt.id)?.inputs ?? 0;
      if (have < acknowledged.length) store.append(attempt, have + 1, acknowledged.slice(have), null);
    };
    const write = (store: Store): void => store.append(attempt, acknowledged.length + 1, [line], standing);
    if (this.#mode === 'file') {
      try {
        this.#store.append(attempt, acknowledged.length + 1, [line], standing);
        return null;
      } catch (error) {
        const fault = faultOf(error);
        this.#log('append failed', fault.code);
        this.#toMemory(fault);
      }
      try {
        this.#backToFile(giveBack, write);
        return null;
      } catch (error) {
        const { why, code } = faultOf(error);
        this.#log('append failed on a fresh connection', code);
        return { code: 'not_saved', why, inputs: acknowledged.length };
      }
    }
    if (this.#mayRetry) {
      try {
        this.#backToFile(giveBack, write);
        this.#log('progress is saved again');
        this.#tell({ code: 'saved_again', inputs: acknowledged.length + 1 });
        return null;
      } catch (error) {
        if (!this.#toldInMemory) {
          this.#toldInMemory = true;
          this.#tell({ code: 'in_memory', why: faultOf(error).why, inputs: acknowledged.length });
        }
      }
    }
    giveBack(this.#store);
    write(this.#store);
    return null;
  }

  close(): void {
    this.#store.close();
  }

  /**
   * Opens the file and sees to damage.
   *
   * @param giveBack - gives a store what this run still knows of progress and the store lacks.
   * @throws StoreFault when it cannot be used.
   */
  #openFile(giveBack: (store: Store) => void = nothing): Store {
    if (versionOf(this.#file) > MIGRATIONS.length) throw new StoreFault(NEWER);
    try {
      // SQLite opens what it can only read without complaint; better to know before the first input.
      for (const path of [dirname(this.#file), this.#file]) {
        if (existsSync(path)) accessSync(path, constants.R_OK | constants.W_OK);
      }
      const file = this.#openStore(this.#file);
      return this.#filled(file, giveBack);
    } catch (error) {
      const fault = faultOf(error);
      if (fault.why !== 'damaged') throw fault;
      this.#log('progress store is damaged', fault.code);
    }
    const { copy, salvaged } = this.#setAside();
    const fresh = this.#filled(this.#openStore(this.#file), (store) => {
      for (const { attempt, lines } of salvaged) store.append(attempt, 1, lines, null);
      giveBack(store);
    });
    const kept = fresh.attempts(null);
    const inputs = kept.reduce((sum, attempt) => sum + attempt.inputs, 0);
    this.#log('progress store recovered', { attempts: kept.length, inputs });
    this.#tell({ code: 'damaged_store', copy, attempts: kept.length, inputs });
    return fresh;
  }

  /** `store`, filled; closed when that fails. */
  #filled(store: Store, fill: (store: Store) => void): Store {
    try {
      fill(store);
      return store;
    } catch (error) {
      store.close();
      throw error;
    }
  }

  /** Moves the damaged database aside. @throws StoreFault when it cannot be moved; it is then where it was. */
  #setAside(): { copy: string; salvaged: Salvaged[] } {
    const copy = this.#file.replace(/\.db$/, `-damaged-${stamp(this.#now())}.db`);
    const parts = this.#parts();
    try {
      const salvaged = salvage(parts.map((path) => readFileSync(path)));
      for (const path of parts) renameSync(path, copy + path.slice(this.#file.length));
      rmSync(`${this.#file}-shm`, { force: true });
      return { copy: basename(copy), salvaged };
    } catch (error) {
      throw faultOf(error);
    }
  }

  /** Opens the file again, gives it what only memory has, and writes. @throws StoreFault; memory then stays in use. */
  #backToFile(giveBack: (store: Store) => void, write: (store: Store) => void): void {
    const memory = this.#store;
    const file = this.#openFile((store) => {
      copyMissing(memory, store);
      giveBack(store);
    });
    this.#store = this.#filled(file, write);
    this.#mode = 'file';
  }

  /** Takes along what the store can still read, and goes on in memory. */
  #toMemory({ why }: StoreFault): void {
    const memory = new MemoryStore();
    try {
      copyMissing(this.#store, memory);
    } catch (error) {
      this.#log('progress cannot be read', faultOf(error).code);
    }
    if (why === 'damaged') this.#closeUntouched();
    else this.#store.close();
    this.#store = memory;
    this.#mode = 'memory';
    this.#toldInMemory = false;
  }

  /** Closes a damaged database. SQLite then mixes the log into the file, and may bury what could be recovered. */
  #closeUntouched(): void {
    try {
      const parts = this.#parts().map((path) => ({ path, bytes: readFileSync(path) }));
      this.#store.close();
      for (const { path, bytes } of parts) writeFileSync(path, bytes);
    } catch (error) {
      this.#log('damaged store changed by closing', faultOf(error).code);
      this.#store.close();
    }
  }

  /** The files of the database that are there: its own and its log. */
  #parts(): string[] {
    return [this.#file, `${this.#file}-wal`].filter((path) => existsSync(path));
  }

  /** Reads a database that can be opened only where it can be written, by way of a copy. */
  #seedFromCopy(memory: Store): void {
    if (!existsSync(this.#file)) return;
    let folder: string | null = null;
    try {
      folder = mkdtempSync(join(tmpdir(), 'seamlab-'));
      const copy = join(folder, basename(this.#file));
      for (const path of this.#parts()) copyFileSync(path, copy + path.slice(this.#file.length));
      const store = SqliteStore.open(copy);
      copyMissing(store, memory);
      store.close();
    } catch (error) {
      this.#log('earlier progress cannot be read', faultOf(error).code);
    } finally {
      if (folder !== null) rmSync(folder, { recursive: true, force: true });
    }
  }

  /** Asks the store. When it fails, it is opened afresh, or memory takes over, and it is asked once more. */
  #ask<T>(question: (store: Store) => T): T | null {
    try {
      return question(this.#store);
    } catch (error) {
      const fault = faultOf(error);
      this.#log('store failed', fault.code);
      if (this.#mode === 'file') this.#toMemory(fault);
    }
    try {
      this.#backToFile(nothing, nothing);
    } catch (error) {
      this.#log('store cannot be opened afresh', faultOf(error).code);
    }
    try {
      return question(this.#store);
    } catch {
      return null;
    }
  }
}

const nothing = (): void => {};

function faultOf(error: unknown): StoreFault {
  if (error instanceof StoreFault) return error;
  return new StoreFault((error as NodeJS.ErrnoException).code ?? 'UNKNOWN', { cause: error });
}

const HEADER_MAGIC = 'SQLite format 3\0';

/**
 * The `user_version` in the file's header, read without SQLite: merely opening a database of a newer program could
 * change it.
 *
 * @returns 0 when there is no such file or no such header.
 */
function versionOf(file: string): number {
  let handle: number;
  try {
    handle = openSync(file, 'r');
  } catch {
    return 0;
  }
  try {
    const header = Buffer.alloc(64);
    const read = readSync(handle, header, 0, 64, 0);
    if (read < 64 || header.toString('latin1', 0, 16) !== HEADER_MAGIC) return 0;
    return header.readUInt32BE(60);
  } catch {
    return 0;
  } finally {
    closeSync(handle);
  }
}
