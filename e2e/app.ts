import {
  _electron,
  chromium,
  expect,
  test as base,
  type ElectronApplication,
  type Page,
  type TestInfo,
} from '@playwright/test';
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findRuntime } from '../scripts/electron-runtime.mjs';
import { packagedApp } from '../scripts/lib/packaged.mjs';
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
  /** Arguments of the application. */
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /**
   * Root may write what is read-only. With this the application runs without that privilege, as a learner would.
   */
  readonly unprivileged?: boolean;
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
  page!: Page;
  readonly #faults: string[] = [];
  readonly #expected: RegExp[] = [];
  #logged = '';

  constructor(
    readonly home: string,
    /** Folder that exported transcripts are written to. */
    readonly exports: string,
    readonly child: ChildProcess,
    /** The main process; null when the build allows no inspector. */
    readonly electron: ElectronApplication | null,
    /** What it has said on stderr. */
    readonly said: () => string,
  ) {
    if (existsSync(this.logFile)) this.#logged = readFileSync(this.logFile, 'utf8');
  }

  /** A complaint that belongs to what the test does. It must come; others like it may. */
  expects(...patterns: readonly RegExp[]): void {
    this.#expected.push(...patterns);
  }

  get logFile(): string {
    return join(this.home, 'logs', 'seamlab.log');
  }

  /** Lines that this run has written into the log. */
  log(): string[] {
    if (!existsSync(this.logFile)) return [];
    const text = readFileSync(this.logFile, 'utf8');
    return text
      .slice(text.startsWith(this.#logged) ? this.#logged.length : 0)
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

  /** The main process. @throws when the build allows none to look into it. */
  get main(): ElectronApplication {
    if (this.electron === null) throw new Error('the main process of this build cannot be looked into');
    return this.electron;
  }

  watch(page: Page): void {
    this.page = page;
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

  /** Ends it as a user does. */
  async quit(): Promise<End> {
    if (this.electron !== null) {
      await this.electron.close();
      return endOf(this.child);
    }
    this.child.kill('SIGTERM');
    return endOf(this.child);
  }

  /** Ends every process of it at once, as a power cut does. */
  async kill(): Promise<void> {
    const all = [this.child.pid!, ...descendants(this.child.pid!)];
    try {
      process.kill(-this.child.pid!, 'SIGKILL');
    } catch {
      // It ended meanwhile.
    }
    await endOf(this.child);
    await expect.poll(() => all.filter(isAlive), { intervals: [10] }).toEqual([]);
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }
}

/** Chromium refuses its own sandbox to root. */
const SWITCHES = process.getuid?.() === 0 ? ['--no-sandbox'] : [];

/** A command that runs `executable` without the privilege to overlook file permissions. */
function withoutPrivilege(executable: string, folder: string): string {
  if (process.getuid?.() !== 0) return executable;
  const script = join(folder, 'unprivileged');
  const lost = '-dac_override,-dac_read_search,-fowner';
  writeFileSync(script, `#!/bin/sh\nexec setpriv --bounding-set=${lost} -- '${executable}' "$@"\n`);
  chmodSync(script, 0o755);
  return script;
}

interface Started {
  readonly child: ChildProcess;
  readonly electron: ElectronApplication | null;
  readonly said: () => string;
  readonly page: Page;
}

async function startByElectron(
  executablePath: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<Started> {
  const electron = await _electron.launch({ executablePath, args: [...args], env, cwd: root });
  const child = electron.process();
  const said = listen(child);
  return { child, electron, said, page: await electron.firstWindow() };
}

async function startByProtocol(
  executable: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<Started> {
  const child = spawn(executable, ['--remote-debugging-port=0', ...args], {
    cwd: root,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  const said = listen(child);
  return { child, electron: null, said, page: await connect(child, said) };
}

function listen(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return () => text;
}

/** The window of a Seamlab that was started by DevTools protocol. */
async function connect(child: ChildProcess, said: () => string): Promise<Page> {
  const address = () => /DevTools listening on (ws:\S+)/.exec(said())?.[1];
  await expect.poll(() => address() !== undefined || child.exitCode !== null, { intervals: [10] }).toBe(true);
  const url = address();
  if (url === undefined) throw new Error(`Seamlab ended with status ${child.exitCode}:\n${said()}`);
  const browser = await chromium.connectOverCDP(url);
  const context = browser.contexts()[0]!;
  return context.pages()[0] ?? (await context.waitForEvent('page'));
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
      const { ELECTRON_RUN_AS_NODE: _, NODE_OPTIONS: __, ...inherited } = process.env;
      const variables = { ...inherited, SEAMLAB_HOME: home, SEAMLAB_EXPORT_DIR: exports, ...env };
      const clean = Object.fromEntries(
        Object.entries(variables).filter((entry): entry is [string, string] => entry[1] !== undefined),
      );
      const runtime = packaged ? packagedApp() : findRuntime()!.executable;
      const executable = how.unprivileged === true ? withoutPrivilege(runtime, folder) : runtime;
      const all = [...SWITCHES, ...(packaged ? [] : [how.folder ?? root]), ...args];
      const by = how.by ?? (packaged ? 'protocol' : 'electron');
      const { child, electron, said, page } =
        by === 'electron'
          ? await startByElectron(executable, all, clean)
          : await startByProtocol(executable, all, clean);
      const app = new Seamlab(home, exports, child, electron, said);
      started.push(app);
      app.watch(page);
      await page.waitForLoadState('load');
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

async function attachOnFailure(app: Seamlab, testInfo: TestInfo): Promise<void> {
  if (testInfo.status === testInfo.expectedStatus) return;
  await testInfo.attach('complaints', { body: app.complaints().join('\n') });
  if (!app.running || app.page.isClosed()) return;
  const picture = await app.page.screenshot({ timeout: 2_000 }).catch(() => null);
  if (picture !== null) await testInfo.attach('window', { body: picture, contentType: 'image/png' });
}

export { expect };
