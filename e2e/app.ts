import {
  _electron,
  chromium,
  expect,
  test as base,
  type ElectronApplication,
  type Locator,
  type Page,
  type TestInfo,
} from '@playwright/test';
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findRuntime, type ElectronRuntime } from '../scripts/electron-runtime.mjs';
import { packagedApp } from '../scripts/lib/packaged.mjs';
import type { SessionView } from '../src-lab/view';
import type { Bridge, Envelope, Name, Params, Reply } from '../src-main/contract';
import { descendants, endOf, isAlive } from './processes';

declare global {
  interface Window {
    readonly seamlab: Bridge;
  }
}

/** The repository's folder, absolute. */
export const root = join(import.meta.dirname, '..');

export interface Launch {
  /** The one that ships, locked as it ships; default: the development build. */
  readonly packaged?: boolean;
  /** Folder that holds `package.json`, `out` and `labs`; default: the repository. Development only. */
  readonly folder?: string;
  /** Folder of settings and progress; default: the test's own, new. */
  readonly home?: string;
  /** Nobody was here before: the application introduces itself. Default: it is known, and goes to work. */
  readonly firstRun?: boolean;
  /** Arguments of the application. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Root may write what is read-only. With this the application runs without that privilege, as a learner would.
   */
  readonly unprivileged?: boolean;
  /** Gives the command to run in place of the executable. */
  readonly through?: (executable: string) => string;
  /**
   * How the window is driven. `electron`: main process too, by way of Node's inspector; `protocol`: the window alone,
   * by Chromium's DevTools protocol. Default: what the build allows.
   */
  readonly by?: 'electron' | 'protocol';
}

/** Signals that stop a Seamlab, and the status that it ends with. */
type End = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/**
 * A running Seamlab with a window.
 *
 * Whatever it complains of - an error or a warning in the window's console, an exception, a line in its log - is a
 * fault of the test unless the test said before that it belongs there.
 */
export class Seamlab {
  /** The window's page. Another one after `reconnect`. */
  page: Page;
  readonly child: ChildProcess;
  /** The main process; null when the build allows no inspector, or the window alone is driven. */
  readonly electron: ElectronApplication | null;
  readonly #address: string | null;
  readonly #faults: string[] = [];
  readonly #expected: RegExp[] = [];
  /** Lines of the log when it had ended; null: it runs. */
  #lastLog: string[] | null = null;

  constructor(
    readonly home: string,
    /** Folder that exported transcripts are written to. */
    readonly exports: string,
    /** The log as it was before the start. */
    private readonly logged: string,
    { child, electron, address, page }: Started,
  ) {
    this.child = child;
    this.electron = electron;
    this.#address = address;
    this.page = page;
    this.#watch(page);
  }

  /** Finds the window again after its page has crashed. Only where the window is driven by protocol. */
  async reconnect(): Promise<void> {
    if (this.#address === null) throw new Error('start it by protocol');
    this.page = await connect(this.#address);
    this.#watch(this.page);
  }

  /** A complaint that belongs to what the test does. It must come; others like it may. */
  expects(...patterns: readonly RegExp[]): void {
    this.#expected.push(...patterns);
  }

  /** Lines that this run has written into the log. */
  log(): string[] {
    if (this.#lastLog !== null) return this.#lastLog;
    const text = logIn(this.home);
    return text
      .slice(text.startsWith(this.logged) ? this.logged.length : 0)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.slice(line.indexOf(' ') + 1));
  }

  /** Everything it has complained of so far. */
  complaints(): string[] {
    return [...this.#faults, ...this.log().map((line) => `log: ${line}`)];
  }

  /** Fails the test for a complaint that nobody expected, or an expected one that did not come. */
  settle(): void {
    const complaints = this.complaints();
    const unexpected = complaints.filter((line) => !this.#expected.some((pattern) => pattern.test(line)));
    const missing = this.#expected.filter((pattern) => !complaints.some((line) => pattern.test(line)));
    expect.soft(unexpected, 'complaints that nobody expected').toEqual([]);
    expect.soft(missing.map(String), 'complaints that were expected and did not come').toEqual([]);
  }

  /**
   * The main process. What is evaluated there must bear being done twice: now and then V8's inspector loses the promise of
   * an answer, and then it is asked again.
   *
   * @throws when the build allows none to look into it.
   */
  get main(): Pick<ElectronApplication, 'evaluate'> {
    const { electron } = this;
    if (electron === null) throw new Error('the main process of this build cannot be looked into');
    const evaluate = async (...asked: Parameters<ElectronApplication['evaluate']>): Promise<unknown> => {
      try {
        return await electron.evaluate(...asked);
      } catch (error) {
        if (!String(error).includes('promise was garbage collected')) throw error;
        return electron.evaluate(...asked);
      }
    };
    return { evaluate: evaluate as ElectronApplication['evaluate'] };
  }

  #watch(page: Page): void {
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.#faults.push(`console: ${message.text()}`);
    });
    page.on('pageerror', (error) => this.#faults.push(`exception: ${error.message}`));
  }

  /** Makes a call of the contract from within the window, whatever its shape. */
  send(name: unknown, params: unknown): Promise<Envelope> {
    return this.page.evaluate(([n, p]) => window.seamlab.call(n as string, p), [name, params] as const);
  }

  /** Makes a call of the contract from within the window. @throws when it is answered with an error. */
  async call<N extends Name>(name: N, params: Params<N>): Promise<Reply<N>> {
    const answer = await this.send(name, params);
    if (!answer.ok) throw new Error(`${name}: ${answer.code}: ${answer.message}`);
    return answer.value as Reply<N>;
  }

  /** Opens a lab, by default the one of this repository, and waits until it is shown. */
  async open(lab = 'init-sipi'): Promise<SessionView> {
    const view = await this.call('lab.open', { lab });
    // The screen asks main what is open when it starts.
    await this.page.reload();
    await expect(this.page.getByRole('heading', { level: 1 })).toContainText(view.lab.title);
    return view;
  }

  /** Makes the window's content so large, and waits until the page has it. */
  async resize(width: number, height: number): Promise<void> {
    await this.main.evaluate(
      ({ BrowserWindow }, size) => BrowserWindow.getAllWindows()[0]!.setContentSize(size.width, size.height),
      { width, height },
    );
    await expect.poll(() => this.page.evaluate(() => [innerWidth, innerHeight])).toEqual([width, height]);
  }

  /** Ends it as a user does. */
  async quit(): Promise<End> {
    if (this.electron !== null) await this.electron.close();
    else this.child.kill('SIGTERM');
    return this.ended();
  }

  /** Waits until it has ended by itself. */
  async ended(): Promise<End> {
    const end = await endOf(this.child);
    // What a later run on the same folder writes is not this run's.
    this.#lastLog ??= this.log();
    return end;
  }

  /** Ends every process of it at once, as a power cut does. */
  async kill(): Promise<void> {
    const all = [this.child.pid!, ...descendants(this.child.pid!)];
    try {
      process.kill(-this.child.pid!, 'SIGKILL');
    } catch {
      // It ended meanwhile.
    }
    await this.ended();
    await expect.poll(() => all.filter(isAlive), { intervals: [10] }).toEqual([]);
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }
}

/** The log of everything that ran on this folder; empty when there is none. */
function logIn(home: string): string {
  const file = join(home, 'logs', 'seamlab.log');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

/** Leaves a new folder as somebody would who has used the application and changed nothing. */
function isKnown(home: string): void {
  const file = join(home, 'settings.json');
  if (existsSync(file)) return;
  mkdirSync(home, { recursive: true });
  const settings = { theme: 'system', textScale: 100, reducedMotion: false, toured: true, panes: {} };
  writeFileSync(file, JSON.stringify({ version: 1, settings, open: null, window: null }));
}

/** Chromium refuses its own sandbox to root. */
const isRoot = process.getuid?.() === 0;

function runtime(): ElectronRuntime {
  const found = findRuntime();
  if (found === undefined) throw new Error('there is no Electron runtime: npm test gets one');
  return found;
}

/** A command that runs `executable` without the privilege to overlook file permissions. */
function withoutPrivilege(executable: string, folder: string): string {
  if (!isRoot) return executable;
  const script = join(folder, 'unprivileged');
  const lost = '-dac_override,-dac_read_search,-fowner';
  writeFileSync(script, `#!/bin/sh\nexec setpriv --bounding-set=${lost} -- '${executable}' "$@"\n`);
  chmodSync(script, 0o755);
  return script;
}

interface Started {
  readonly child: ChildProcess;
  readonly electron: ElectronApplication | null;
  /** Where its DevTools listen; null: Playwright keeps that to itself. */
  readonly address: string | null;
  readonly page: Page;
}

/**
 * Playwright starts the `electron` that the package of that name knows, and holds it back until it is ready to look: a
 * window that it first sees while it loads confuses it.
 */
async function startByElectron(args: readonly string[], env: Record<string, string>): Promise<Started> {
  process.env['ELECTRON_OVERRIDE_DIST_PATH'] = runtime().dir;
  const electron = await _electron.launch({ args: [...args], env, cwd: root, chromiumSandbox: !isRoot });
  const child = electron.process();
  return { child, electron, address: null, page: await electron.firstWindow() };
}

async function startByProtocol(
  executable: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<Started> {
  const switches = isRoot ? ['--no-sandbox'] : [];
  const child = spawn(executable, ['--remote-debugging-port=0', ...switches, ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  try {
    const address = await addressOf(child);
    return { child, electron: null, address, page: await connect(address) };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

/** Where a program that was started with `--remote-debugging-port=0` listens: `127.0.0.1:41234`. */
export function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.once('exit', (code) => reject(new Error(`ended with status ${code} and no window:\n${said}`)));
    child.stderr!.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const address = /DevTools listening on ws:\/\/([^/]+)/.exec(said)?.[1];
      if (address !== undefined) resolve(address);
    });
  });
}

/** The window of a program that listens. Waits until it is loaded, for the same reason as above. */
export async function connect(address: string): Promise<Page> {
  await expect
    .poll(
      async () => {
        const answer = await fetch(`http://${address}/json/list`);
        return ((await answer.json()) as { type: string; title: string }[])
          .filter(({ type }) => type === 'page')
          .map(({ title }) => title);
      },
      { intervals: [20] },
    )
    .toEqual([expect.stringContaining('Seamlab')]);
  const browser = await chromium.connectOverCDP(`http://${address}`);
  return browser.contexts()[0]!.pages()[0]!;
}

interface Fixtures {
  /** A folder of the test's own, gone afterwards. */
  folder: string;
  /** Starts Seamlab and waits for its window. What is still running at the end of the test is ended. */
  launch: (how?: Launch) => Promise<Seamlab>;
  /** The development build, started. */
  app: Seamlab;
}

export const test = base.extend<Fixtures>({
  // eslint-disable-next-line no-empty-pattern -- Playwright reads the pattern
  folder: async ({}, use) => {
    const folder = mkdtempSync(join(tmpdir(), 'seamlab-e2e-'));
    await use(folder);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  },
  launch: async ({ folder }, use, testInfo) => {
    const started: Seamlab[] = [];
    await use(async (how = {}) => {
      const { packaged = false, home = join(folder, 'home'), args = [], env = {} } = how;
      const exports = join(folder, 'exports');
      mkdirSync(exports, { recursive: true });
      if (how.firstRun !== true) isKnown(home);
      const { ELECTRON_RUN_AS_NODE: _, NODE_OPTIONS: __, ...inherited } = process.env;
      const variables = { ...inherited, SEAMLAB_HOME: home, SEAMLAB_EXPORT_DIR: exports, ...env };
      const clean = Object.fromEntries(
        Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== undefined),
      );
      const through =
        how.through ??
        (how.unprivileged === true ? (program) => withoutPrivilege(program, folder) : undefined);
      const by = how.by ?? (packaged || through !== undefined ? 'protocol' : 'electron');
      const all = [...(packaged ? [] : [how.folder ?? root]), ...args];
      const program = packaged ? packagedApp() : runtime().executable;
      const logged = logIn(home);
      const run =
        by === 'electron'
          ? await startByElectron(all, clean)
          : await startByProtocol(through?.(program) ?? program, all, clean);
      const app = new Seamlab(home, exports, logged, run);
      started.push(app);
      await app.page.waitForLoadState('load');
      return app;
    });
    for (const app of started) {
      await attachOnFailure(app, testInfo);
      if (app.running) await app.kill();
      app.settle();
    }
  },
  app: async ({ launch }, use) => {
    await use(await launch());
  },
});

/**
 * Points at a word until its card is shown. More than once where need be: after a layout the window looks again at what is
 * under the pointer, and may take it to be where it was before.
 */
export async function pointAt(word: Locator, card: Locator): Promise<void> {
  await expect(async () => {
    await word.hover();
    await expect(card).toBeVisible({ timeout: 1_000 });
  }).toPass();
}

async function attachOnFailure(app: Seamlab, testInfo: TestInfo): Promise<void> {
  if (testInfo.status === testInfo.expectedStatus) return;
  const complaints = app.complaints();
  if (complaints.length > 0) await testInfo.attach('complaints', { body: complaints.join('\n') });
  if (!app.running || app.page.isClosed()) return;
  const picture = await app.page.screenshot({ timeout: 2_000 }).catch(() => null);
  if (picture !== null) await testInfo.attach('window', { body: picture, contentType: 'image/png' });
}

export { expect };
