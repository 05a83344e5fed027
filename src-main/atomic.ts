import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Writes a file whole or not at all, durable when it returns: a crash leaves the old content or the new, never a mix.
 *
 * @param mode - permission bits of a new file; by default only the owner may read it.
 * @throws the file system's error (ENOSPC, EROFS, EACCES, ...); the old file is then as it was.
 */
export function writeAtomic(file: string, text: string, mode = 0o600): void {
  // The folder must be the same: rename is atomic only within one file system.
  const temporary = `${file}.${process.pid}.new`;
  try {
    const handle = openSync(temporary, 'w', mode);
    try {
      writeFileSync(handle, text);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(dirname(file));
}

/** Makes a rename in `folder` durable. Windows knows no such call and needs none. */
export function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
