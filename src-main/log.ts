import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname } from 'node:path';

/** Where main and its parts say what happened. An event is a fixed phrase; detail holds codes and counts. */
export type Log = (event: string, detail?: unknown) => void;

/** Bytes after which the file becomes `<file>.1` and a new one begins; one old file is kept. */
const ROTATE_AT = 512 * 1024;
const DETAIL_LIMIT = 4_000;
/** A home of `/` is nobody's name and would be found in every path. */
const HOME = homedir().length > 1 ? homedir() : '\0';

/**
 * A log in a file, one line an event: time, event, detail.
 *
 * The home folder's path is replaced by `~`, because it holds the learner's name. What learners type is never logged by
 * the callers. A disk that is full or read-only silences the log and stops nothing else.
 *
 * @param now - milliseconds since 1970.
 */
export function fileLog(file: string, now: () => number = Date.now): Log {
  let size: number | null = null;
  return (event, detail) => {
    const line = `${new Date(now()).toISOString()} ${event}${detail === undefined ? '' : ` ${describe(detail)}`}\n`;
    try {
      if (size === null) {
        mkdirSync(dirname(file), { recursive: true });
        size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
      }
      if (size > ROTATE_AT) {
        renameSync(file, `${file}.1`);
        size = 0;
      }
      appendFileSync(file, line, { mode: 0o600 });
      size += Buffer.byteLength(line);
    } catch {
      size = null;
    }
  };
}

function describe(detail: unknown): string {
  const text =
    detail instanceof Error
      ? (detail.stack ?? `${detail.name}: ${detail.message}`)
      : typeof detail === 'string'
        ? detail
        : (JSON.stringify(detail) ?? String(detail));
  const clean = text.replaceAll(HOME, '~').replaceAll('\n', '\\n');
  return clean.length > DETAIL_LIMIT ? `${clean.slice(0, DETAIL_LIMIT)}...` : clean;
}
