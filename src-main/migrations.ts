import type { Database } from './sqlite';

/**
 * The schema of the progress store, as the steps that lead to it: entry n-1 brings a database of version n-1 to n.
 * A step that was released is never edited; a change is a new step.
 *
 * `line` and `header` are the exact lines of a transcript, so a transcript is a join and never a rendering.
 * `inputs` is an ordinary rowid table on purpose: its rows keep a line in one piece on a page, which is what lets
 * `salvage.ts` find lines in a damaged file.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE sessions (
    id          TEXT    NOT NULL PRIMARY KEY,
    lab         TEXT    NOT NULL,
    lab_hash    TEXT    NOT NULL,
    sim_version TEXT    NOT NULL,
    started     INTEGER NOT NULL,            -- milliseconds since 1970
    ended       INTEGER,                     -- the same; NULL: the learner continues here
    header      TEXT    NOT NULL,
    standing    TEXT                         -- cache for the home screen: what replaying the inputs yields, as JSON
  ) STRICT;
  CREATE INDEX sessions_by_lab ON sessions (lab, ended, started);
  CREATE TABLE inputs (
    session TEXT    NOT NULL REFERENCES sessions (id),
    n       INTEGER NOT NULL,                -- 1 for the first input
    line    TEXT    NOT NULL,
    PRIMARY KEY (session, n)
  ) STRICT;
  `,
];

export type Migrated =
  { readonly ok: true; readonly from: number } | { readonly ok: false; readonly newer: number };

/**
 * Brings `db` to the newest version, in one transaction: wholly or not at all. The version is SQLite's `user_version`;
 * 0 is an empty database.
 *
 * @returns `newer` with the version found, and nothing changed, when a newer program made the database.
 * @throws SqliteError when a step fails.
 */
export function migrate(db: Database, steps: readonly string[] = MIGRATIONS): Migrated {
  const from = userVersion(db);
  if (from > steps.length) return { ok: false, newer: from };
  if (from < steps.length) {
    db.exec('BEGIN IMMEDIATE');
    try {
      for (const step of steps.slice(from)) db.exec(step);
      db.exec(`PRAGMA user_version = ${steps.length}`);
      db.exec('COMMIT');
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK');
      throw error;
    }
  }
  return { ok: true, from };
}

function userVersion(db: Database): number {
  const [row] = db.prepare('PRAGMA user_version').all() as [{ user_version: number }];
  return row.user_version;
}
