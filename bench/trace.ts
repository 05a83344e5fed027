import type { Page } from '@playwright/test';
import { proportionalSetSize } from '../e2e/processes';
import { running } from './app';
import { atMost, median, noted, percentile, type Figure } from './ratio';
import { framesDuring } from './stage';

/**
 * A trace of a million events in the real application, made by the console of a sandbox: a TD whose timer fires again
 * and again while time passes. What is measured begins with an event of the window and ends with a frame that shows it.
 */

const root = process.env['SEAMLAB_ROOT'] ?? process.cwd();
const EVENTS = 1_000_000;
/** An interrupt every 200 us, the shortest period that KVM grants. */
const TIMER = ['LVTT 131121', 'TDCR 11', 'TMICT 200000'].map((words) => {
  const [register, value] = words.split(' ');
  return `guest TIMER vm=td vcpu=0 register=${register} value=${value}`;
});
const PASS = 'host pass ns=100000000';

/** Rows that the trace of the window has. */
const rowsOf = (page: Page): Promise<number> =>
  page.evaluate(() =>
    Number(document.querySelector('[aria-label="Trace"]')?.getAttribute('aria-rowcount') ?? 0),
  );

/** Does something in the window, and waits until what it changes is painted. @returns milliseconds that this took. */
async function untilPainted(page: Page, act: () => Promise<unknown>, isThere: string): Promise<number> {
  await page.evaluate((condition) => {
    const there = new Function(`return ${condition}`) as () => boolean;
    let from = 0;
    for (const type of ['input', 'change', 'click']) {
      addEventListener(type, ({ timeStamp }) => (from ||= timeStamp), { capture: true, once: true });
    }
    Object.assign(globalThis, {
      painted: new Promise<number>((resolve) => {
        const look = (): void => {
          // What is in the document when a frame begins is painted by the end of it.
          if (from > 0 && there())
            requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - from)));
          else requestAnimationFrame(look);
        };
        look();
      }),
    });
  }, isThere);
  await act();
  return page.evaluate(() => (globalThis as unknown as { painted: Promise<number> }).painted);
}

/** Rows are there, and none of those in the document is still being read. */
const READ = `(() => {
  const grid = document.querySelector('[aria-label="Trace"]');
  return grid !== null && grid.querySelector('[role="row"]') !== null && grid.querySelector('[aria-busy]') === null;
})()`;

async function command(page: Page, words: string): Promise<void> {
  const field = page.getByRole('combobox', { name: 'Console' });
  const before = await page.locator('[aria-label="Moments"] .of').textContent();
  await field.fill(words);
  await field.press('Enter');
  await page.waitForFunction(
    (was) => document.querySelector('[aria-label="Moments"] .of')?.textContent !== was,
    before,
  );
}

/** The least that the processes need while nothing is done for a while: garbage is collected meanwhile. */
async function settled(page: Page, pid: number): Promise<number> {
  const protocol = await page.context().newCDPSession(page);
  const sizes: number[] = [];
  for (let i = 0; i < 6; i++) {
    await protocol.send('HeapProfiler.collectGarbage');
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1_000)));
    sizes.push(proportionalSetSize(pid));
  }
  await protocol.detach();
  return Math.min(...sizes);
}

async function open(page: Page): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < 3; i++) {
    await page.getByRole('button', { name: 'all labs' }).click();
    await page.getByRole('button', { name: 'Open the sandbox' }).click();
    const go = page.getByRole('button', { name: /^Continue with/ });
    await go.waitFor();
    times.push(await untilPainted(page, () => go.click(), READ));
  }
  return times;
}

/** Milliseconds of frames while the trace is scrolled: by wheel, by keys, and as by its scroll bar. */
async function scroll(page: Page): Promise<number[]> {
  const grid = page.getByRole('grid', { name: 'Trace' });
  await grid.focus();
  const box = (await grid.boundingBox())!;
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  return framesDuring(page, async () => {
    await page.keyboard.press('Home');
    for (let i = 0; i < 60; i++) await page.mouse.wheel(0, 700);
    for (let i = 0; i < 40; i++) await page.keyboard.press('PageDown');
    await grid.evaluate(
      (list) =>
        new Promise<void>((resolve) => {
          const height = list.scrollHeight;
          let n = 0;
          const jump = (): void => {
            list.scrollTop = (((n * 7_919) % 1_000) / 1_000) * height;
            if (n++ < 120) requestAnimationFrame(jump);
            else resolve();
          };
          jump();
        }),
    );
    for (let i = 0; i < 60; i++) await page.mouse.wheel(0, -700);
  });
}

async function filter(page: Page): Promise<number[]> {
  const field = page.getByRole('searchbox', { name: 'Filter the trace' });
  const times: number[] = [];
  const changes = (): Promise<string> =>
    rowsOf(page).then((rows) => `Number(document.querySelector('[aria-label="Trace"]').getAttribute('aria-rowcount')) !== ${rows} && ${READ}`); // prettier-ignore
  for (const words of ['kvm_en', 'msi', 'td.vcpu1', '']) {
    times.push(await untilPainted(page, async () => field.fill(words), await changes()));
  }
  for (let i = 0; i < 2; i++) {
    const calls = page.getByRole('checkbox', { name: 'Calls' });
    times.push(await untilPainted(page, () => calls.click(), await changes()));
  }
  return times;
}

interface Scrubbed {
  /** Per move of the pointer: until the thumb is painted there. */
  readonly thumb: number[];
  /** Per move: until the machine that is shown is the one of that moment, or of a later move. */
  readonly state: number[];
}

async function scrub(page: Page): Promise<Scrubbed> {
  const slider = page.getByRole('slider', { name: 'Moment' });
  const box = (await slider.boundingBox())!;
  await page.evaluate(() => {
    const input = document.querySelector<HTMLInputElement>('input[aria-label="Moment"]')!;
    const shown = document.querySelector<HTMLInputElement>('[aria-label="Moments"] input[type="number"]')!;
    const thumb: number[] = [];
    const state: number[] = [];
    let waiting: number[] = [];
    let before = shown.value;
    const frame = (): void => {
      if (shown.value !== before) {
        before = shown.value;
        const now = performance.now();
        state.push(...waiting.map((at) => now - at));
        waiting = [];
      }
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    input.addEventListener('input', ({ timeStamp }) => {
      const asked = input.value;
      waiting.push(timeStamp);
      requestAnimationFrame(() =>
        setTimeout(() => thumb.push(input.value === asked ? performance.now() - timeStamp : Infinity)),
      );
    });
    Object.assign(globalThis, { scrubbed: { thumb, state } });
  });
  const y = box.y + box.height / 2;
  const moves = 90;
  await page.mouse.move(box.x + box.width - 12, y);
  await page.mouse.down();
  for (let i = 1; i <= moves; i++) {
    const part = 0.5 + 0.5 * Math.cos((i / moves) * 3 * Math.PI);
    await page.mouse.move(box.x + 12 + part * (box.width - 24), y);
  }
  await page.mouse.up();
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 500)));
  return page.evaluate(() => (globalThis as unknown as { scrubbed: Scrubbed }).scrubbed);
}

export async function traceFigures(): Promise<Figure[]> {
  const executable = process.env['SEAMLAB_ELECTRON'];
  if (!executable) throw new Error('SEAMLAB_ELECTRON names no Electron runtime; run this by npm run bench');
  return running(executable, root, async ({ page, pid }) => {
    await page.getByRole('button', { name: 'Open the sandbox' }).click();
    await page.getByRole('button', { name: 'Build it' }).click();
    await page.getByRole('button', { name: 'End the tour' }).click();
    await command(page, 'boot td vm=td vcpus=2');
    const empty = await settled(page, pid);
    await page.getByRole('checkbox', { name: 'Calls' }).click();
    for (const words of ['guest SVR vm=td vcpu=0', ...TIMER]) await command(page, words);
    const passes: number[] = [];
    let events = 0;
    for (let n = 0; n < 80 && events < EVENTS; n++) {
      const from = performance.now();
      await command(page, PASS);
      passes.push(performance.now() - from);
      // Rows are placed a frame after what was done is shown.
      await page.evaluate(
        () => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next))),
      );
      await page.waitForFunction(READ);
      events = await page.evaluate(() => {
        const rows = document.querySelectorAll<HTMLElement>('[aria-label="Trace"] [data-event]');
        return Math.max(0, ...[...rows].map((row) => Number(row.dataset['event']) + 1));
      });
    }
    const full = (await settled(page, pid)) - empty;
    const filtered = await filter(page);
    const opened = await open(page);
    const scrolled = await scroll(page);
    const { thumb, state } = await scrub(page);
    return [
      noted('events of the trace', events, ''),
      atMost('it is opened, until its rows are painted', median(opened), 1_000, 'ms'),
      atMost('it is scrolled, worst frame', Math.max(...scrolled), 50, 'ms'),
      noted('the same, 99th percentile', percentile(scrolled, 0.99), 'ms'),
      atMost('it is filtered, worst of several', Math.max(...filtered), 300, 'ms'),
      noted('the same, median', median(filtered), 'ms'),
      atMost('memory of all processes, more than with an empty trace', full, 250, 'MiB'),
      atMost('scrubbed: pointer to thumb, median', median(thumb), 17, 'ms'),
      noted('the same, 99th percentile', percentile(thumb, 0.99), 'ms'),
      noted('scrubbed: pointer to the state of the machine, median', median(state), 'ms'),
      noted('the same, 99th percentile', percentile(state, 0.99), 'ms'),
      noted('18,500 more events by one command', median(passes), 'ms'),
    ];
  });
}
