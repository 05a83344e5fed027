import { createRequire } from 'node:module';
import type Libsql from 'libsql';
import { writeFaultOf, type WriteFault } from './notices';

export type Database = InstanceType<typeof Libsql>;

/** A read or write of the progress store that failed. `code` is SQLite's or the file system's name, for the log. */
export class StoreFault extends Error {
  readonly why: WriteFault;

  constructor(
    readonly code: string,
    options?: ErrorOptions,
  ) {
    super(code, options);
    this.name = 'StoreFault';
    this.why = writeFaultOf(code);
  }
}

/** Milliseconds that a statement waits for another program's lock. */
const LOCK_TIMEOUT = 250;

/**
 * Opens the database `file`, made when missing, for durable single writes: WAL, each commit synced.
 *
 * The library is native code and takes tens of milliseconds to load; it is loaded here, so that a start can show its
 * window first.
 *
 * @throws StoreFault
 */
export function openDatabase(file: string): Database {
  return faultless(() => {
    const Database = createRequire(import.meta.url)('libsql') as typeof Libsql;
    const db = new Database(file, { timeout: LOCK_TIMEOUT });
    try {
      db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON');
    } catch (error) {
      db.close();
      throw error;
    }
    return db;
  });
}

/** Runs `work` in a transaction that takes the write lock at once. @throws StoreFault; nothing is then changed. */
export function inTransaction<T>(db: Database, work: () => T): T {
  return faultless(() => {
    db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      db.exec('COMMIT');
      return result;
    } catch (error) {
      // SQLite has rolled back by itself after some errors (a full disk, for one); a second ROLLBACK would hide them.
      if (db.inTransaction) db.exec('ROLLBACK');
      throw error;
    }
  });
}

/** Runs `work`; every error leaves as a StoreFault. */
export function faultless<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof StoreFault ? error : new StoreFault(codeOf(error), { cause: error });
  }
}

/** Result codes of SQLite that opening reports by number only. */
const OPEN_CODES: Record<string, string> = {
  '5': 'SQLITE_BUSY',
  '8': 'SQLITE_READONLY',
  '10': 'SQLITE_IOERR',
  '11': 'SQLITE_CORRUPT',
  '13': 'SQLITE_FULL',
  '14': 'SQLITE_CANTOPEN',
  '23': 'SQLITE_AUTH',
  '26': 'SQLITE_NOTADB',
};

function codeOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code === 'string' && code !== '') return code;
  // libsql reports a failed open as `ConnectionFailed("Unable to open connection to local database x.db: 14")`.
  const number = /: (\d+)"\)$/.exec(String(message))?.[1];
  return (number !== undefined && OPEN_CODES[number]) || 'SQLITE_ERROR';
}
