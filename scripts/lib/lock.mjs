import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { root, say } from './process.mjs';

// Outside the tree: a set-up may remove node_modules and out while it holds the lock.
const file = join(
  tmpdir(),
  `seamlab-${createHash('sha256').update(root).digest('hex').slice(0, 12)}-${process.getuid?.() ?? 0}.lock`,
);

/** @returns {boolean} whether the process that holds the lock lives; an unreadable file counts as left behind */
function holderLives() {
  try {
    process.kill(Number(readFileSync(file, 'utf8')), 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

/**
 * Runs `work` while no other process sets up the same tree; waits for one that does. A lock left behind by a dead
 * process is taken over.
 *
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function exclusively(work) {
  for (let waited = 0; ; waited += 1) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    }
    if (!holderLives()) rmSync(file, { force: true });
    else {
      if (waited === 0) say('waiting for another set-up of this tree');
      await pause(200);
    }
  }
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}
