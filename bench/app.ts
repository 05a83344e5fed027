import { chromium, type Page } from '@playwright/test';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atMost, median, noted, type Figure } from './ratio';

/** The application's start and memory against an empty Electron window, in turn, in one run. */

const ROUNDS = 7;
const root = process.env['SEAMLAB_ROOT'] ?? process.cwd();

interface Start {
  /** Milliseconds from spawn to the first paint of content. */
  readonly paint: number;
  /** Proportional set size of all processes, MiB. Linux only; NaN elsewhere. */
  readonly memory: number;
}

/** An Electron that runs: its window, its main process, and when it was started, in milliseconds since 1970. */
export interface Running {
  readonly page: Page;
  readonly pid: number;
  readonly spawned: number;
}

/** Starts Electron on a folder with a home of its own, and ends it when `use` is through. */
export async function running<T>(
  executable: string,
  folder: string,
  use: (app: Running) => Promise<T>,
): Promise<T> {
  const home = mkdtempSync(join(tmpdir(), 'seamlab-bench-'));
  const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const spawned = Date.now();
  const child = spawn(
    executable,
    [...asRoot, '--remote-debugging-port=0', `--user-data-dir=${home}`, folder],
    {
      env: { ...process.env, SEAMLAB_HOME: home },
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true, // a process group of its own, so that all of it can be ended
    },
  );
  try {
    const browser = await chromium.connectOverCDP(await debuggerUrl(child));
    const page = browser.contexts()[0]!.pages()[0] ?? (await browser.contexts()[0]!.waitForEvent('page'));
    const result = await use({ page, pid: child.pid!, spawned });
    await browser.close();
    return result;
  } finally {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    process.kill(-child.pid!, 'SIGKILL');
    await ended;
    rmSync(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }
}

/** Starts Electron on a folder, waits for the first content, measures, ends it. */
const start = (executable: string, folder: string): Promise<Start> =>
  running(executable, folder, async ({ page, pid, spawned }) => {
    const paint = await page.evaluate(
      () =>
        new Promise<number>((resolve) => {
          const done = (entry: { startTime: number }): void =>
            resolve(performance.timeOrigin + entry.startTime);
          new PerformanceObserver((list) => {
            const [entry] = list.getEntriesByName('first-contentful-paint');
            if (entry) done(entry);
          }).observe({ type: 'paint', buffered: true });
        }),
    );
    await page.waitForLoadState('load');
    return { paint: paint - spawned, memory: proportionalSetSize(pid) };
  });

function debuggerUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.once('exit', () => reject(new Error(`Electron ended early:\n${said}`)));
    child.stderr!.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      const url = /DevTools listening on (ws:\S+)/.exec(said)?.[1];
      if (url) resolve(url);
    });
  });
}

/** Memory of a process and all below it, MiB: shared pages count in parts. Linux only; NaN elsewhere. */
export function proportionalSetSize(pid: number): number {
  const children = new Map<number, number[]>();
  try {
    for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
    }
    const sum = (of: number): number => {
      const pss = /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${of}/smaps_rollup`, 'utf8'));
      return (
        Number(pss?.[1] ?? 0) / 1024 +
        (children.get(of) ?? []).reduce((total, child) => total + sum(child), 0)
      );
    };
    return sum(pid);
  } catch {
    return Number.NaN;
  }
}

export async function appFigures(): Promise<Figure[]> {
  const executable = process.env['SEAMLAB_ELECTRON'];
  if (!executable) throw new Error('SEAMLAB_ELECTRON names no Electron runtime; run this by npm run bench');
  const empty = join(root, 'bench', 'empty-window');
  const pairs: [Start, Start][] = [];
  await start(executable, root); // the first start of all fills the disk cache
  for (let i = 0; i < ROUNDS; i++) {
    const first = await start(executable, i % 2 ? empty : root);
    const second = await start(executable, i % 2 ? root : empty);
    pairs.push(i % 2 ? [second, first] : [first, second]);
  }
  const of = (what: keyof Start): number =>
    median(pairs.map(([app, reference]) => app[what] / reference[what]));
  return [
    atMost('spawn to first paint, to an empty window', of('paint'), 1.3),
    atMost('memory of all processes, to an empty window', of('memory'), 1.4),
    noted('spawn to first paint', median(pairs.map(([app]) => app.paint)), 'ms'),
    noted('memory of all processes', median(pairs.map(([app]) => app.memory)), 'MiB'),
  ];
}
