import { mkdirSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * The folder for Chromium's lock, caches and profile: below `home`, or, where nothing can be written there, a new
 * temporary one. Without a folder that can be written Chromium takes the single-instance lock for taken, and the
 * application would end without a word.
 *
 * @throws the file system's error where there is no temporary folder either.
 */
export function chromiumFolder(home: string): string {
  const own = join(home, 'chromium');
  try {
    mkdirSync(own, { recursive: true });
    rmdirSync(mkdtempSync(join(own, 'probe-')));
    return own;
  } catch {
    return mkdtempSync(join(tmpdir(), 'seamlab-'));
  }
}
