/** `npm start`: sets up what is missing and opens the application. Arguments are the application's. */
import { spawn, spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { entry, root, SetupError } from './lib/process.mjs';
import { hasDisplay, setUp } from './set-up.mjs';

/**
 * Chromium's sandbox needs user namespaces, or a helper that belongs to root. Where there is neither it would abort
 * with a page of text; better to say what to do.
 *
 * @param {string} executable - of the Electron runtime
 * @throws {SetupError} with the command to run
 */
function checkSandbox(executable) {
  if (spawnSync('unshare', ['--user', 'true'], { stdio: 'ignore' }).status === 0) return;
  const helper = join(dirname(executable), 'chrome-sandbox');
  const stat = statSync(helper, { throwIfNoEntry: false });
  if (!stat || (stat.uid === 0 && (stat.mode & 0o4000) !== 0)) return;
  throw new SetupError(
    'this system allows no user namespaces, so Chromium needs its helper for the sandbox. Run:\n' +
      `  sudo chown root:root ${helper} && sudo chmod 4755 ${helper}`,
  );
}

await entry(async () => {
  if (!hasDisplay()) {
    throw new SetupError(
      'there is no display (DISPLAY is not set): start it in a desktop session, or without one: xvfb-run -a npm start',
      2,
    );
  }
  const runtime = await setUp({ electron: true, build: true, course: true });
  if (!runtime) throw new SetupError('there is no Electron runtime');
  // Chromium refuses to run as root with its own sandbox on; the screen's process is sandboxed by Electron regardless.
  const asRoot = process.platform === 'linux' && process.getuid?.() === 0;
  if (process.platform === 'linux' && !asRoot) checkSandbox(runtime.executable);
  const switches = [
    ...(asRoot ? ['--no-sandbox'] : []),
    // Electron before 38 looks for X only, unless told.
    ...(process.env['WAYLAND_DISPLAY'] && !process.env['DISPLAY'] ? ['--ozone-platform-hint=auto'] : []),
  ];
  const child = spawn(runtime.executable, [...switches, root, ...process.argv.slice(2)], {
    stdio: 'inherit',
    cwd: root,
  });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => child.kill(signal));
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  });
});
