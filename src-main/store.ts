import { z } from 'zod';
import { migrate, MIGRATIONS } from './migrations';
import { faultless, inTransaction, openDatabase, StoreFault, type Database } from './sqlite';

/** One attempt at a lab. The columns repeat what the header line says, for queries. */
export interface Attempt {
  /** UUID of the session. */
  readonly id: string;
  readonly lab: string;
  readonly labHash: string;
  readonly simVersion: string;
  /** Milliseconds since 1970. */
  readonly started: number;
  /** First line of the transcript, without its line end. */
  readonly header: string;
}

/** How an attempt stands; what replaying its inputs yields, kept so that the home screen need not replay. */
export const Standing = z.strictObject({
  score: z.number(),
  checkpoints: z.int(),
  settled: z.int(),
  complete: z.boolean(),
});
export type Standing = z.infer<typeof Standing>;

/** An attempt as the store holds it. */
export interface KeptAttempt extends Attempt {
  /** Milliseconds since 1970; null: the learner continues here. */
  readonly ended: number | null;
  readonly inputs: number;
  readonly standing: Standing | null;
}

/**
 * Where progress lives. An attempt exists from its first input on; nothing acknowledged is ever deleted.
 *
 * Every method throws StoreFault when the store cannot be read or written, and then has changed nothing.
 */
export interface Store {
  /** The attempts at `lab` (all labs when null), newest first. */
  attempts(lab: string | null): KeptAttempt[];
  /** @returns null when there is no such attempt. */
  attempt(id: string): KeptAttempt | null;
  /** The input lines of an attempt, in order, without line ends. */
  lines(id: string): string[];
  /** The first of them; null when there is none. Read alone: an attempt may have many thousands. */
  firstLine(id: string): string | null;
  /**
   * Appends lines to an attempt, which is made when new. Durable on return.
   *
   * @param first - number of the first of `lines`: one more than what was acknowledged. Stored lines from there on come
   *                from a write that was reported as failed and yet happened; they give way.
   */
  append(attempt: Attempt, first: number, lines: readonly string[], standing: Standing | null): void;
  /** Ends an attempt: the learner begins the lab anew. No effect on an attempt that has no input. */
  end(id: string, at: number): void;
  close(): void;
}

interface Row {
  id: string;
  lab: string;
  lab_hash: string;
  sim_version: string;
  started: number;
  ended: number | null;
  header: string;
  standing: string | null;
  inputs: number;
}

const SELECT = `
  SELECT id, lab, lab_hash, sim_version, started, ended, header, standing,
         (SELECT count(*) FROM inputs WHERE session = id) AS inputs
  FROM sessions`;

/** Progress in an SQLite database. */
export class SqliteStore implements Store {
  readonly #db: Database;

  /** @param db - of the newest schema; `open` sees to it. */
  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Opens or makes the database `file` and brings it to the newest schema.
   *
   * @throws StoreFault: `SQLITE_CORRUPT` also when SQLite's own check finds damage; `NEWER` when a newer program made
   *         it (nothing is then changed).
   */
  static open(file: string, migrations: readonly string[] = MIGRATIONS): SqliteStore {
    const db = openDatabase(file);
    try {
      return faultless(() => {
        const checked = db.prepare('PRAGMA quick_check(1)').all() as { quick_check: string }[];
        if (checked[0]?.quick_check !== 'ok') throw new StoreFault('SQLITE_CORRUPT');
        const migrated = migrate(db, migrations);
        if (!migrated.ok) throw new StoreFault(NEWER);
        return new SqliteStore(db);
      });
    } catch (error) {
      db.close();
      throw error;
    }
  }

  attempts(lab: string | null): KeptAttempt[] {
    return faultless(() => {
      const query = `${SELECT} ${lab === null ? '' : 'WHERE lab = ?'} ORDER BY started DESC, rowid DESC`;
      const rows = this.#db.prepare(query).all(...(lab === null ? [] : [lab])) as Row[];
      return rows.map(keptOf);
    });
  }

  attempt(id: string): KeptAttempt | null {
    return faultless(() => {
      const [row] = this.#db.prepare(`${SELECT} WHERE id = ?`).all(id) as Row[];
      return row === undefined ? null : keptOf(row);
    });
  }

  lines(id: string): string[] {
    return faultless(() => {
      const rows = this.#db.prepare('SELECT line FROM inputs WHERE session = ? ORDER BY n').all(id);
      return (rows as { line: string }[]).map((row) => row.line);
    });
  }

  firstLine(id: string): string | null {
    return faultless(() => {
      const [row] = this.#db.prepare('SELECT line FROM inputs WHERE session = ? AND n = 1').all(id);
      return (row as { line: string } | undefined)?.line ?? null;
    });
  }

  append(attempt: Attempt, first: number, lines: readonly string[], standing: Standing | null): void {
    inTransaction(this.#db, () => {
      this.#db
        .prepare(
          `INSERT INTO sessions (id, lab, lab_hash, sim_version, started, header) VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT (id) DO NOTHING`,
        )
        .run(attempt.id, attempt.lab, attempt.labHash, attempt.simVersion, attempt.started, attempt.header);
      const [last] = this.#db.prepare('SELECT max(n) AS n FROM inputs WHERE session = ?').all(attempt.id);
      if (((last as { n: number | null }).n ?? 0) < first - 1) throw new StoreFault(OUT_OF_ORDER);
      this.#db.prepare('DELETE FROM inputs WHERE session = ? AND n >= ?').run(attempt.id, first);
      const insert = this.#db.prepare('INSERT INTO inputs (session, n, line) VALUES (?, ?, ?)');
      lines.forEach((line, i) => insert.run(attempt.id, first + i, line));
      const cached = standing === null ? null : JSON.stringify(standing);
      this.#db.prepare('UPDATE sessions SET standing = ? WHERE id = ?').run(cached, attempt.id);
    });
  }

  end(id: string, at: number): void {
    inTransaction(this.#db, () => {
      this.#db.prepare('UPDATE sessions SET ended = ? WHERE id = ? AND ended IS NULL').run(at, id);
    });
  }

  close(): void {
    if (!this.#db.open) return;
    try {
      // Leaves one file behind, which is what people copy.
      this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // The log file stays beside the database and is read at the next start.
    }
    this.#db.close();
  }
}

/** `StoreFault.code` of a database whose version is above ours. */
export const NEWER = 'NEWER';
/** `StoreFault.code` of lines that would leave a gap after the last one stored. */
export const OUT_OF_ORDER = 'OUT_OF_ORDER';

function keptOf(row: Row): KeptAttempt {
  return {
    id: row.id,
    lab: row.lab,
    labHash: row.lab_hash,
    simVersion: row.sim_version,
    started: row.started,
    ended: row.ended,
    header: row.header,
    inputs: row.inputs,
    standing: standingOf(row.standing),
  };
}

/** A cache that cannot be read is no cache: the home screen then shows the attempt without a score. */
function standingOf(text: string | null): Standing | null {
  try {
    return Standing.parse(JSON.parse(text ?? 'null'));
  } catch {
    return null;
  }
}

/** Progress for this run only, where no file can be written. */
export class MemoryStore implements Store {
  readonly #kept = new Map<string, { attempt: KeptAttempt; lines: string[] }>();

  attempts(lab: string | null): KeptAttempt[] {
    return [...this.#kept.values()]
      .map(({ attempt }) => attempt)
      .filter((attempt) => lab === null || attempt.lab === lab)
      .reverse()
      .sort((a, b) => b.started - a.started);
  }

  attempt(id: string): KeptAttempt | null {
    return this.#kept.get(id)?.attempt ?? null;
  }

  lines(id: string): string[] {
    return [...(this.#kept.get(id)?.lines ?? [])];
  }

  firstLine(id: string): string | null {
    return this.#kept.get(id)?.lines[0] ?? null;
  }

  append(attempt: Attempt, first: number, lines: readonly string[], standing: Standing | null): void {
    const earlier = this.#kept.get(attempt.id);
    const before = earlier?.lines.slice(0, first - 1) ?? [];
    if (before.length < first - 1) throw new StoreFault(OUT_OF_ORDER);
    const all = [...before, ...lines];
    const kept = { ended: null, ...earlier?.attempt, ...attempt, inputs: all.length, standing };
    this.#kept.set(attempt.id, { attempt: kept, lines: all });
  }

  end(id: string, at: number): void {
    const kept = this.#kept.get(id);
    if (kept !== undefined && kept.attempt.ended === null) kept.attempt = { ...kept.attempt, ended: at };
  }

  close(): void {}
}

/**
 * Copies into `to` what `from` has and `to` lacks: attempts, lines after the last one, endings. What `to` already has
 * stays as it is.
 *
 * @throws StoreFault of either; what was copied until then stays copied, and a second call continues.
 */
export function copyMissing(from: Store, to: Store): void {
  for (const attempt of from.attempts(null).reverse()) {
    const there = to.attempt(attempt.id);
    const have = there?.inputs ?? 0;
    if (have < attempt.inputs) {
      to.append(attempt, have + 1, from.lines(attempt.id).slice(have), attempt.standing);
    }
    if (attempt.ended !== null && (there?.ended ?? null) === null) to.end(attempt.id, attempt.ended);
  }
}
