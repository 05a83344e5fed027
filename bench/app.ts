import { chromium, errors, type Browser, type Page } from '@playwright/test';
import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { proportionalSetSize } from '../e2e/processes';
import { atMost, median, noted, type Figure } from './ratio';

/**
 * The application's start and memory against an empty Electron window, in turn, in one run: until something is seen,
 * until Home offers its labs, and until the lab that was open shows another moment of its machine.
 */

const ROUNDS = 7;
const root = process.env['SEAMLAB_ROOT'] ?? process.cwd();

interface Start {
  /** Milliseconds from spawn to the first paint of content. */
  readonly paint: number;
  /** Milliseconds from spawn until it can be used; of an empty window the same as `paint`. */
  readonly usable: number;
  /** Proportional set size of all processes, MiB. Linux only; NaN elsewhere. */
  readonly memory: number;
}

/** What is started: a folder, and who was there before. */
interface Subject {
  readonly folder: string;
  /** Folder whose settings and progress are there already; none: nobody was there. */
  readonly known?: string;
  /** Waits in the page until it can be used, and until that is painted; milliseconds since 1970. */
  readonly usable?: (page: Page) => Promise<number>;
}

/** An Electron that runs: its window, its main process, and when it was started, in milliseconds since 1970. */
export interface Running {
  readonly page: Page;
  /** Folder of its settings and progress. */
  readonly home: string;
  readonly pid: number;
  readonly spawned: number;
}

/**
 * Starts Electron on a folder with a home of its own, and ends it when `use` is through.
 *
 * @returns null when the debugger did not answer.
 */
async function tried<T>(
  executable: string,
  folder: string,
  use: (app: Running) => Promise<T>,
  known?: string,
): Promise<{ readonly result: T } | null> {
  const home = mkdtempSync(join(tmpdir(), 'seamlab-bench-'));
  if (known !== undefined) cpSync(known, home, { recursive: true });
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
    const browser = await connected(await debuggerUrl(child));
    if (browser === null) return null;
    const page = browser.contexts()[0]!.pages()[0] ?? (await browser.contexts()[0]!.waitForEvent('page'));
    const result = await use({ page, home, pid: child.pid!, spawned });
    await browser.close();
    return { result };
  } finally {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    process.kill(-child.pid!, 'SIGKILL');
    await ended;
    rmSync(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }
}

/** Null when it does not answer, which happens now and then on a busy machine. */
const connected = (url: string): Promise<Browser | null> =>
  chromium.connectOverCDP(url, { timeout: 10_000 }).catch((error: unknown) => {
    if (error instanceof errors.TimeoutError) return null;
    throw error;
  });

/**
 * Starts Electron on a folder with a home of its own, and ends it when `use` is through. A start whose debugger does not
 * answer is made once more.
 *
 * @param known - folder that the home begins as a copy of.
 */
export async function running<T>(
  executable: string,
  folder: string,
  use: (app: Running) => Promise<T>,
  known?: string,
): Promise<T> {
  const done = (await tried(executable, folder, use, known)) ?? (await tried(executable, folder, use, known));
  if (done === null) throw new Error('the debugger of Electron does not answer');
  return done.result;
}

/** Starts Electron, waits for the first content and until it can be used, measures, ends it. */
const start = (executable: string, { folder, known, usable }: Subject): Promise<Start> =>
  running(
    executable,
    folder,
    async ({ page, pid, spawned }) => {
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
      const used = (await usable?.(page)) ?? paint;
      return { paint: paint - spawned, usable: used - spawned, memory: proportionalSetSize(pid) };
    },
    known,
  );

/** Waits until something is in the document and a frame has shown it; when that was. */
const shown = (page: Page, selector: string): Promise<number> =>
  page.evaluate(
    (selector) =>
      new Promise<number>((resolve) => {
        const look = (): void => {
          if (document.querySelector(selector) === null) return;
          observer.disconnect();
          requestAnimationFrame(() => setTimeout(() => resolve(performance.timeOrigin + performance.now())));
        };
        const observer = new MutationObserver(look);
        observer.observe(document, { subtree: true, childList: true, attributes: true });
        look();
      }),
    selector,
  );

const BEGIN = 'button.strong';
const BACK = 'button[aria-label="One moment back"]:enabled';
const FORWARD = 'button[aria-label="One moment forward"]:enabled';

/** Home with its labs: one of them can be begun. */
const homeUsable = (page: Page): Promise<number> => shown(page, BEGIN);

/** The lab that was open: the machine has been asked for another moment and shows it. */
async function labUsable(page: Page): Promise<number> {
  await shown(page, BACK);
  await page.evaluate((back) => document.querySelector<HTMLButtonElement>(back)!.click(), BACK);
  return shown(page, FORWARD);
}

/** What somebody leaves who has begun a lab and done one thing in it. */
async function homeWithLab(executable: string): Promise<string> {
  const known = mkdtempSync(join(tmpdir(), 'seamlab-bench-'));
  await running(executable, root, async ({ page, home }) => {
    await page.getByRole('button', { name: /^Begin “/ }).click();
    await page.getByRole('button', { name: 'End the tour' }).click();
    const console = page.getByRole('combobox', { name: 'Console' });
    await console.fill('vmm KVM_RUN vm=td vcpu=0');
    await console.press('Enter');
    await shown(page, BACK);
    const chromium = join(home, 'chromium');
    cpSync(home, known, { recursive: true, filter: (path) => !path.startsWith(chromium) });
  });
  return known;
}

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

/** The application's starts as they compare to an empty window's, in turn. */
async function compared(executable: string, app: Subject, rounds: number): Promise<[Start, Start][]> {
  const empty = { folder: join(root, 'bench', 'empty-window') };
  const pairs: [Start, Start][] = [];
  await start(executable, app); // the first start of all fills the disk cache
  for (let i = 0; i < rounds; i++) {
    const first = await start(executable, i % 2 ? empty : app);
    const second = await start(executable, i % 2 ? app : empty);
    pairs.push(i % 2 ? [second, first] : [first, second]);
  }
  return pairs;
}

export async function appFigures(): Promise<Figure[]> {
  const executable = process.env['SEAMLAB_ELECTRON'];
  if (!executable) throw new Error('SEAMLAB_ELECTRON names no Electron runtime; run this by npm run bench');
  const home = await compared(executable, { folder: root, usable: homeUsable }, ROUNDS);
  const known = await homeWithLab(executable);
  const lab = await compared(executable, { folder: root, known, usable: labUsable }, ROUNDS);
  rmSync(known, { recursive: true, force: true });
  const ratioOf = (pairs: readonly [Start, Start][], what: keyof Start): number =>
    median(pairs.map(([app, reference]) => app[what] / reference[what]));
  const of = (pairs: readonly [Start, Start][], what: keyof Start): number =>
    median(pairs.map(([app]) => app[what]));
  return [
    atMost('spawn to first paint, to an empty window', ratioOf(home, 'paint'), 1.3),
    atMost('spawn to Home with its labs, to the same', ratioOf(home, 'usable'), 2),
    atMost('spawn to the open lab, its machine having answered, to the same', ratioOf(lab, 'usable'), 2),
    atMost('memory of all processes, to an empty window', ratioOf(home, 'memory'), 1.4),
    noted('spawn to first paint', of(home, 'paint'), 'ms'),
    noted('spawn to Home with its labs', of(home, 'usable'), 'ms'),
    noted('spawn to the open lab, its machine having answered', of(lab, 'usable'), 'ms'),
    noted('memory of all processes', of(home, 'memory'), 'MiB'),
  ];
}
