/**
 * `npm run dist`: packages the application into dist/. With `--installers`, also what this platform installs from,
 * each one where its tools can be had.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureRuntime, shippedVersion } from './electron-runtime.mjs';
import { packagedExecutable } from './lib/packaged.mjs';
import { entry, root, say, SetupError } from './lib/process.mjs';
import { packaged, setUp } from './set-up.mjs';

/** @typedef {import('electron-builder').AfterPackContext} AfterPackContext */

const installers = { linux: ['AppImage', 'deb'], win32: ['nsis'], darwin: ['dmg'] };

/**
 * Locks the packaged Electron: the posture that src-main/posture.json states and the end-to-end tests read back.
 *
 * @param {AfterPackContext} context
 */
async function lock({ appOutDir, packager }) {
  // What makes `electron FOLDER` work has no business in an application that loads one archive only.
  rmSync(join(packager.getResourcesDir(appOutDir), 'default_app.asar'), { force: true });
  const { flipFuses, FuseV1Options, FuseVersion } = await import('@electron/fuses');
  /** @type {{ fuses: Record<string, boolean> }} */
  const { fuses } = JSON.parse(readFileSync(join(root, 'src-main', 'posture.json'), 'utf8'));
  const wanted = Object.fromEntries(
    Object.entries(fuses).map(([name, on]) => {
      const option = /** @type {Record<string, unknown>} */ (FuseV1Options)[name];
      if (option === undefined) throw new SetupError(`src-main/posture.json: there is no fuse ${name}`);
      return [option, on];
    }),
  );
  await flipFuses(packagedExecutable(appOutDir, packager.appInfo.productFilename), {
    version: FuseVersion.V1,
    resetAdHocDarwinSignature: process.platform === 'darwin',
    ...wanted,
  });
}

await entry(async () => {
  const withInstallers = process.argv.includes('--installers');
  await setUp({ electron: true, build: true, course: true });
  const runtime = await ensureRuntime({ insistOnOfficial: true });
  const { writeLicences } = await import('./licences.mjs');
  say(`licences of ${writeLicences()} packages are noted`);

  const { build, Platform } = await import('electron-builder');
  const { default: config } = await import('../electron-builder.config.js');
  const platform = Platform.current();
  /** @param {string} target @param {string} [prepackaged] - the folder to make an installer of */
  const make = (target, prepackaged) =>
    build({
      targets: platform.createTarget(target),
      ...(prepackaged === undefined ? {} : { prepackaged }),
      publish: 'never',
      config: {
        ...structuredClone(config), // the builder writes into what it is given
        electronDist: runtime.dir,
        electronVersion: runtime.version,
        afterPack: lock,
      },
    });

  say(`packaging with Electron ${runtime.version}`);
  mkdirSync(join(root, 'dist'), { recursive: true });
  for (const old of readdirSync(join(root, 'dist'))) {
    rmSync(join(root, 'dist', old), { recursive: true, force: true });
  }
  const done = packaged.begin();
  await make('dir');
  done();
  const folder = readdirSync(join(root, 'dist')).find((name) => /unpacked$|^mac/.test(name));
  if (folder === undefined) throw new SetupError('electron-builder left no application in dist/');
  const made = [`dist/${folder}`];

  if (withInstallers) {
    for (const target of installers[/** @type {keyof typeof installers} */ (process.platform)] ?? []) {
      try {
        await make(target, join(root, 'dist', folder));
        made.push(target);
      } catch (error) {
        say(
          `no ${target} could be made: ${String(/** @type {Error} */ (error).message ?? error).split('\n', 1)[0]}`,
        );
      }
    }
  }
  say(`made ${made.join(', ')}`);
  if (runtime.version !== shippedVersion()) {
    say(
      `it contains Electron ${runtime.version}, the stand-in for development and tests, since ${shippedVersion()} ` +
        'could not be downloaded: do not release it',
    );
  }
});
