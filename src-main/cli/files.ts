import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { writeAtomic } from '../atomic';

/** A file's bytes, or one sentence of why there are none. */
export type FileRead =
  { readonly ok: true; readonly bytes: Buffer } | { readonly ok: false; readonly why: string };

/**
 * Reads a file that a user named.
 *
 * @param limit - bytes; a larger file is refused before it is read.
 * @returns never throws.
 */
export function readInput(path: string, limit: number): FileRead {
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) return { ok: false, why: 'This is a folder, not a file.' };
    if (stat.size > limit) return { ok: false, why: `The file is larger than ${limit / 1024} KiB.` };
    const bytes = readFileSync(path);
    // A pipe has no size until it is read.
    if (bytes.length > limit) return { ok: false, why: `The file is larger than ${limit / 1024} KiB.` };
    return { ok: true, bytes };
  } catch (error) {
    return { ok: false, why: reason((error as NodeJS.ErrnoException).code ?? 'unknown') };
  }
}

/**
 * Writes a file that a user named: whole or not at all; into a pipe or a device as it comes.
 *
 * @returns one sentence of why it could not be written, or null.
 */
export function writeOutput(path: string, text: string): string | null {
  try {
    if (existsSync(path) && statSync(path).isDirectory()) return 'This is a folder, not a file.';
    if (existsSync(path) && !statSync(path).isFile()) writeFileSync(path, text);
    else writeAtomic(path, text, 0o644);
    return null;
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? 'unknown';
    return errno === 'ENOENT' || errno === 'ENOTDIR'
      ? 'There is no such folder.'
      : `The file cannot be written (${errno}).`;
  }
}

function reason(errno: string): string {
  switch (errno) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'There is no such file.';
    case 'EACCES':
    case 'EPERM':
      return 'This file may not be read.';
    default:
      return `The file cannot be read (${errno}).`;
  }
}

/** Text of UTF-8 bytes; null when they are none. */
export function utf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
