import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Writes a file whole or not at all, durable when it returns: a crash leaves the old content or the new, never a mix.
 *
 * @param mode - permission bits of a new file; by default only the owner may read it.
 * @throws the file system's error (ENOSPC, EROFS, EACCES, ...); the old file is then as it was.
 */
export function writeAtomic(file: string, text: string, mode = 0o600): void {
  const writing = new AtomicFile(file, mode);
  try {
    writing.append(text);
    writing.commit();
  } finally {
    writing.abandon();
  }
}

/** The same for content that comes piece by piece. Whoever makes one calls `abandon` in the end, come what may. */
export class AtomicFile {
  // The folder must be the same: rename is atomic only within one file system.
  readonly #temporary: string;
  #handle: number | null;

  /** @throws as `writeAtomic`, as does all else but `abandon`. */
  constructor(
    readonly file: string,
    mode: number,
  ) {
    this.#temporary = `${file}.${process.pid}.new`;
    this.#handle = openSync(this.#temporary, 'w', mode);
  }

  append(text: string): void {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length;) at += writeSync(this.#handle!, bytes, at);
  }

  /** The content is whole: it takes the place of the old one, and is durable. */
  commit(): void {
    fsyncSync(this.#handle!);
    this.#close();
    renameSync(this.#temporary, this.file);
    syncFolder(dirname(this.file));
  }

  /** What was written is thrown away, unless it was committed. */
  abandon(): void {
    this.#close();
    rmSync(this.#temporary, { force: true });
  }

  #close(): void {
    if (this.#handle !== null) closeSync(this.#handle);
    this.#handle = null;
  }
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
