/**
 * What must be there before the application runs: packages, an Electron runtime, system libraries, a build. Each part
 * looks first, cheaply, and does only what is missing. Uses nothing but Node until the packages are there.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { ensureRuntime, findRuntime } from './electron-runtime.mjs';
import { exclusively } from './lib/lock.mjs';
import { has, npm, root, run, say, SetupError, tool } from './lib/process.mjs';

/** @typedef {import('./electron-runtime.mjs').ElectronRuntime} ElectronRuntime */

const linux = process.platform === 'linux';

/** The version of Node in package.json's engines, as two numbers. */
const OLDEST_NODE = [20, 19];

/** @throws {SetupError} when Node is too old to go on */
function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [wantMajor = 0, wantMinor = 0] = OLDEST_NODE;
  if (major < wantMajor || (major === wantMajor && minor < wantMinor)) {
    throw new SetupError(
      `Node ${OLDEST_NODE.join('.')} or newer is needed; this is ${process.versions.node}`,
    );
  }
}

/**
 * Whether node_modules holds what package-lock.json asks for. npm leaves a record of what it installed; packages for
 * other platforms are rightly missing from it.
 */
export function packagesAreThere() {
  /** @param {string} file @returns {Record<string, { version?: string, optional?: boolean, devOptional?: boolean }>} */
  const packages = (file) => JSON.parse(readFileSync(join(root, file), 'utf8')).packages;
  try {
    const installed = packages('node_modules/.package-lock.json');
    return Object.entries(packages('package-lock.json')).every(([path, wanted]) => {
      if (path === '') return true;
      const there = installed[path];
      return there
        ? there.version === wanted.version
        : wanted.optional === true || wanted.devOptional === true;
    });
  } catch {
    return false;
  }
}

async function ensurePackages() {
  if (packagesAreThere()) return;
  say('installing packages with npm ci');
  const started = Date.now();
  const { code, output } = await npm(['ci', '--loglevel=error', '--no-audit', '--no-fund'], { quiet: true });
  if (code !== 0) throw new SetupError(`npm ci failed with status ${code}:\n${output.trim()}`);
  say(`packages are there (${seconds(started)})`);
}

/** @param {number} started */
const seconds = (started) => `${((Date.now() - started) / 1000).toFixed(1)} s`;

/** What Electron needs of Debian. Where a name has changed between releases, the first that apt knows is taken. */
const LIBRARIES = [
  ['libgtk-3-0', 'libgtk-3-0t64'],
  ['libnss3'],
  ['libasound2', 'libasound2t64'],
  ['libgbm1'],
  ['libnotify4'],
  ['libsecret-1-0'],
  ['libxss1'],
  ['libxtst6'],
  ['libatspi2.0-0', 'libatspi2.0-0t64'],
  ['libdrm2'],
  ['libcups2', 'libcups2t64'],
  ['libxkbcommon0'],
  ['fonts-liberation'],
];
/** A display where there is none; xauth is what the command xvfb-run needs besides. */
const XVFB = [['xvfb'], ['xauth']];

/**
 * The shared libraries that a runtime asks for and the system lacks.
 *
 * @param {ElectronRuntime} runtime
 * @returns {string[]}
 */
function missingLibraries(runtime) {
  // A library that was there stays there: asked once a runtime.
  const known = join(root, 'node_modules', '.cache', 'seamlab-libraries');
  if (existsSync(known) && readFileSync(known, 'utf8') === runtime.executable) return [];
  const { stdout } = spawnSync('ldd', [runtime.executable], { encoding: 'utf8' });
  const missing = [...(stdout ?? '').matchAll(/^\s*(\S+) => not found/gm)].map((match) => match[1] ?? '');
  if (missing.length === 0) {
    mkdirSync(join(root, 'node_modules', '.cache'), { recursive: true });
    writeFileSync(known, runtime.executable);
  }
  return missing;
}

/**
 * Installs system packages when this user may, which is as root or with a sudo that asks no password.
 *
 * @param {readonly (readonly string[])[]} wanted - each one package, under its possible names
 * @param {string} why
 * @throws {SetupError} with the command to run when it may not, or when apt failed
 */
async function installSystemPackages(wanted, why) {
  if (!has('apt-get')) {
    throw new SetupError(`${why}. Install what your system calls: ${wanted.map(([name]) => name).join(' ')}`);
  }
  const asRoot = process.getuid?.() === 0;
  const bySudo = !asRoot && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0;
  /** @param {readonly string[]} args */
  const apt = (args) =>
    run(bySudo ? 'sudo' : 'apt-get', bySudo ? ['-n', 'apt-get', ...args] : args, {
      quiet: true,
      env: { DEBIAN_FRONTEND: 'noninteractive' },
    });
  if (!asRoot && !bySudo) {
    throw new SetupError(
      `${why}. Run:\n  sudo apt-get update && sudo apt-get install -y ${namesFor(wanted).join(' ')}`,
    );
  }
  say(`${why}: installing system packages with apt-get`);
  const started = Date.now();
  await apt(['update', '-q']);
  const { code, output } = await apt(['install', '-y', '-q', '--no-install-recommends', ...namesFor(wanted)]);
  if (code !== 0) throw new SetupError(`apt-get install failed with status ${code}:\n${output.trim()}`);
  say(`system packages are there (${seconds(started)})`);
}

/** @param {readonly (readonly string[])[]} wanted */
function namesFor(wanted) {
  return wanted.map((names) => {
    const known = names.find((name) =>
      /Candidate: (?!\(none\))/.test(
        spawnSync('apt-cache', ['policy', name], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } })
          .stdout ?? '',
      ),
    );
    return known ?? /** @type {string} */ (names[0]);
  });
}

/** Whether a window can be shown here. */
export const hasDisplay = () =>
  !linux || Boolean(process.env['DISPLAY']) || Boolean(process.env['WAYLAND_DISPLAY']);

const lacksXvfb = () => !hasDisplay() && !has('Xvfb');

/**
 * Sees to the system packages that Electron needs, and to Xvfb when a display is wanted and there is none.
 *
 * @param {ElectronRuntime} runtime
 * @param {boolean} display
 */
async function ensureSystemPackages(runtime, display) {
  if (!linux) return;
  const missing = missingLibraries(runtime);
  const xvfb = display && lacksXvfb();
  const why = [
    ...(missing.length > 0 ? [`Electron lacks shared libraries (${missing.slice(0, 3).join(', ')})`] : []),
    ...(xvfb ? ['there is no display, and no Xvfb to stand in'] : []),
  ];
  if (why.length === 0) return;
  await installSystemPackages(
    [...(missing.length > 0 ? LIBRARIES : []), ...(xvfb ? XVFB : [])],
    why.join('; '),
  );
  const still = missingLibraries(runtime);
  if (still.length > 0) throw new SetupError(`Electron still lacks ${still.join(' ')}`);
}

/** What a build is made from, and what a package holds or is made by besides. */
const SOURCES = [
  ...['src-sim', 'src-lab', 'src-main', 'src-renderer'],
  ...['electron.config.ts', 'cli.config.ts', 'package.json', 'package-lock.json', 'tsconfig.base.json'],
];
const PACKAGE_SOURCES = [...SOURCES, 'labs', 'build', 'LICENSE', 'electron-builder.config.js', 'scripts'];

/**
 * Changes whenever a source is touched: made of names, sizes and times, since reading all would take longer.
 *
 * @param {readonly string[]} sources - files and folders; what is not there counts as such
 */
function fingerprint(sources) {
  const hash = createHash('sha256');
  /** @param {string} path */
  const add = (path) => {
    const stat = statSync(`${root}/${path}`, { throwIfNoEntry: false });
    if (stat?.isDirectory()) {
      for (const name of readdirSync(`${root}/${path}`).sort()) {
        if (!name.endsWith('.test.ts') && name !== 'README.md') add(`${path}/${name}`);
      }
    } else hash.update(`${path} ${stat?.size} ${stat?.mtimeMs}\n`);
  };
  sources.forEach(add);
  return hash.digest('hex');
}

/**
 * @param {string} product - the folder that was made
 * @param {readonly string[]} sources
 */
function freshness(product, sources) {
  const stamp = join(root, product, '.made-from');
  return {
    /** Whether the product was made from the sources as they are. */
    isFresh: () => existsSync(stamp) && readFileSync(stamp, 'utf8') === fingerprint(sources),
    /** To be called before the product is made; what it returns, afterwards. */
    begin() {
      const from = fingerprint(sources);
      return () => writeFileSync(stamp, from);
    },
  };
}

const built = freshness('out', SOURCES);
const compiled = freshness('out/course', [...SOURCES, 'labs']);
/** The packaged application in dist/. */
export const packaged = freshness('dist', PACKAGE_SOURCES);

/**
 * Builds main, preload, screen and command line into out/ when a source is newer.
 *
 * @throws {SetupError} with the bundler's words when the build fails
 */
export async function ensureBuild() {
  if (built.isFresh()) return;
  say('building the application');
  const started = Date.now();
  const done = built.begin();
  rmSync(join(root, 'out'), { recursive: true, force: true });
  const env = { FORCE_COLOR: process.stderr.isTTY ? '1' : '0' };
  for (const [bundler, config] of /** @type {const} */ ([
    ['electron-vite/bin/electron-vite.js', 'electron.config.ts'],
    ['vite/bin/vite.js', 'cli.config.ts'],
  ])) {
    const args = ['build', '--config', config, '--logLevel', 'warn'];
    const { code, output } = await tool(bundler, args, { quiet: true, env });
    if (code !== 0) throw new SetupError(`the build by ${config} failed:\n${output.trim()}`);
  }
  done();
  say(`the application is built (${seconds(started)})`);
}

/** Compiles the labs into out/course, for the application to start sooner. It starts without, too. */
async function ensureCourse() {
  if (compiled.isFresh()) return;
  const done = compiled.begin();
  mkdirSync(join(root, 'out/course'), { recursive: true });
  const { code, output } = await run(process.execPath, ['out/main/compile.js'], { quiet: true });
  if (code !== 0) throw new SetupError(`the labs were not compiled:\n${output.trim()}`);
  done();
}

/**
 * Does all of the set-up that is missing.
 *
 * @param {{ packages?: boolean, electron?: boolean, build?: boolean, course?: boolean, display?: boolean }} parts - what
 *   the caller is going to use; packages: besides those that the build holds, which is the default; course: the labs,
 *   compiled by the build; display: one to test on, Xvfb where there is none
 * @returns {Promise<ElectronRuntime | undefined>} the runtime, when `electron` was asked for
 * @throws {SetupError} when something cannot be had; the message says what to do
 */
export async function setUp({
  packages = true,
  electron = false,
  build = false,
  course = false,
  display = false,
}) {
  checkNode();
  const ready = () =>
    (!packages || packagesAreThere()) &&
    (!build || built.isFresh()) &&
    (!course || compiled.isFresh()) &&
    (!electron || findRuntime() !== undefined) &&
    (!electron || !linux || missingLibraries(/** @type {ElectronRuntime} */ (findRuntime())).length === 0) &&
    (!display || !linux || !lacksXvfb());
  if (!ready()) {
    await exclusively(async () => {
      await ensurePackages();
      // One waits mostly for the network, the other for the processor.
      const results = await Promise.allSettled([
        electron ? ensureRuntime().then((runtime) => ensureSystemPackages(runtime, display)) : undefined,
        build ? ensureBuild() : undefined,
      ]);
      for (const result of results) if (result.status === 'rejected') throw result.reason;
      if (course) await ensureCourse();
    });
  }
  return electron ? findRuntime() : undefined;
}

/**
 * A display for tests where there is none: starts Xvfb, which `setUp({ display: true })` has seen to.
 *
 * @returns {Promise<{ env: Record<string, string>, stop: () => void }>} what to add to the environment
 */
export async function ensureDisplay() {
  if (hasDisplay()) return { env: {}, stop: () => undefined };
  // Without -noreset it begins anew whenever its last window has gone, and refuses whoever comes meanwhile.
  const server = spawn(
    'Xvfb',
    ['-displayfd', '3', '-screen', '0', '1600x1000x24', '-nolisten', 'tcp', '-noreset'],
    {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    },
  );
  const number = await new Promise((resolve, reject) => {
    let text = '';
    server.stdio[3]?.on('data', (chunk) => {
      text += String(chunk);
      if (text.includes('\n')) resolve(text.trim());
    });
    server.on('error', reject);
    server.on('exit', (code) => reject(new SetupError(`Xvfb ended with status ${code}`)));
  });
  const stop = () => void server.kill();
  // However this process ends, its display goes with it.
  process.once('exit', stop);
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.once(signal, () => process.exit(128 + constants.signals[signal]));
  }
  return { env: { DISPLAY: `:${number}` }, stop };
}
