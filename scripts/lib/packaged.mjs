import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './process.mjs';

/**
 * The program inside a packaged application's folder.
 *
 * @param {string} folder - such as dist/linux-unpacked
 * @param {string} [name] - the application's name
 */
export function packagedExecutable(folder, name = 'Seamlab') {
  if (process.platform === 'darwin') return join(folder, `${name}.app`, 'Contents', 'MacOS', name);
  return join(folder, process.platform === 'win32' ? `${name}.exe` : 'seamlab');
}

/**
 * The program that `npm run dist` has made for this platform.
 *
 * @returns {string} absolute
 * @throws {Error} when there is none yet
 */
export function packagedApp() {
  const dist = join(root, 'dist');
  const folders = existsSync(dist) ? readdirSync(dist).filter((name) => /unpacked$|^mac/.test(name)) : [];
  const program = folders.map((name) => packagedExecutable(join(dist, name))).find(existsSync);
  if (program === undefined) throw new Error('there is no packaged application: npm run dist makes one');
  return program;
}
