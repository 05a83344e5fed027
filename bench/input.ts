import type { Page } from '@playwright/test';
import { running } from './app';
import { atMost, median, noted, percentile, type Figure } from './ratio';
import { inLargeLab } from './stage';

/**
 * From an input to its painted result, in the real application: from the time stamp of the event, which the browser
 * process sets when it takes the input, to the end of the work on the frame that shows the result. The result is looked
 * for in the document, wherever it comes from: what the machine does has been to the worker and onto the disk by then.
 * What the compositor needs to bring a finished frame to the display is not in it.
 */

const ROUNDS = 12;
/** Milliseconds after which an input that shows nothing is a fault. */
const PATIENCE = 10_000;

interface Act {
  readonly kind: string;
  /** Event that the input begins with. */
  readonly event: 'keydown' | 'click';
  /** What shows the result: its text is another afterwards, or it has come or gone. */
  readonly shows: string;
  readonly act: (page: Page) => Promise<void>;
}

const MOMENT = 'footer .moment';
const OUTCOME = 'footer .outcome, footer .moment';
const press = (kind: string, key: string, shows: string): Act => ({
  kind,
  event: 'keydown',
  shows,
  act: (page) => page.keyboard.press(key),
});
const click = (kind: string, name: string, shows: string, role: 'button' | 'tab' = 'button'): Act => ({
  kind,
  event: 'click',
  shows,
  act: (page) => page.getByRole(role, { name, exact: true }).first().click(),
});

/** Milliseconds from the event of an input until its result is painted. */
async function measured(page: Page, { kind, event, shows, act }: Act): Promise<number> {
  await page.evaluate(
    ([event, shows, patience]) => {
      const textOf = (): string =>
        [...document.querySelectorAll(shows)].map((one) => one.textContent).join('\n');
      const before = textOf();
      const painted = new Promise<number>((resolve) => {
        let began: number | null = null;
        const note = (event: Event): void => void (began ??= event.timeStamp);
        window.addEventListener(event, note, { capture: true });
        const observer = new MutationObserver(() => {
          if (began === null || textOf() === before) return;
          finish();
          const from = began;
          requestAnimationFrame(() => {
            const { port1, port2 } = new MessageChannel();
            port1.onmessage = () => resolve(performance.now() - from);
            port2.postMessage(null);
          });
        });
        observer.observe(document, { subtree: true, childList: true, characterData: true });
        const timer = setTimeout(() => {
          finish();
          resolve(Number.NaN);
        }, patience);
        function finish(): void {
          clearTimeout(timer);
          observer.disconnect();
          window.removeEventListener(event, note, { capture: true });
        }
      });
      Object.assign(globalThis, { painted });
    },
    [event, shows, PATIENCE] as const,
  );
  await act(page);
  const took = await page.evaluate(() => (globalThis as unknown as { painted: Promise<number> }).painted);
  if (Number.isNaN(took)) throw new Error(`${kind}: nothing was shown`);
  return took;
}

/** A bit of everything that is done all the time; the machine stands where it can begin again. */
async function round(page: Page, took: Map<string, number[]>): Promise<void> {
  const measure = async (...acts: readonly Act[]): Promise<void> => {
    for (const act of acts) took.set(act.kind, [...(took.get(act.kind) ?? []), await measured(page, act)]);
  };
  const console = page.getByRole('combobox', { name: 'Console' });
  await console.fill('');
  await measure(press('a letter in the console', 'g', '[role=listbox]'));
  await console.fill('hold guest ICR vm=td vcpu=0 shorthand=ALL delivery_mode=FIXED vector=0x31');
  await measure(
    press('a command in the console', 'Enter', OUTCOME),
    press('a step', 'F9', MOMENT),
    click('a step, by button', 'Step td.vcpu0', MOMENT),
    press('a step', 'F9', MOMENT),
    press('a jump', 'Alt+ArrowLeft', MOMENT),
    press('a jump', 'Alt+ArrowLeft', MOMENT),
    press('a jump', 'Alt+ArrowRight', MOMENT),
    press('a jump', 'Alt+Home', MOMENT),
    press('a jump', 'Alt+End', MOMENT),
    press('a run', 'F8', MOMENT),
    press('the palette', 'Control+k', '[role=dialog]'),
    press('a letter in the palette', 's', '[role=dialog] [role=listbox]'),
    press('the palette, closed', 'Escape', '[role=dialog]'),
    click('a tab', 'Actions', '[role=tabpanel]', 'tab'),
  );
  await page.getByLabel('Who').selectOption('guest');
  await page.getByLabel('What', { exact: true }).selectOption('SVR');
  await measure(
    click('an action, by button', 'Do it', MOMENT),
    click('a tab', 'Trace', '[role=tabpanel]', 'tab'),
  );
  const search = page.getByRole('searchbox', { name: 'Search the state' });
  await search.click();
  await measure(
    press('a letter in the search', 'p', '[role=tree]'),
    press('a letter in the search', 'i', '[role=tree]'),
    press('a letter in the search', 'r', '[role=tree]'),
    press('the search, emptied', 'Escape', '[role=tree]'),
  );
}

/** Begins the sandbox as it is offered: one TD of two vCPUs, running. */
async function inSandbox(executable: string, use: (page: Page) => Promise<void>): Promise<void> {
  await running(executable, process.env['SEAMLAB_ROOT'] ?? process.cwd(), async ({ page }) => {
    await page.getByRole('button', { name: 'Open the sandbox' }).click();
    await page.getByRole('button', { name: 'Build it' }).click();
    await page.getByRole('button', { name: 'End the tour' }).click();
    await use(page);
  });
}

export async function inputFigures(): Promise<Figure[]> {
  const executable = process.env['SEAMLAB_ELECTRON'];
  if (!executable) throw new Error('SEAMLAB_ELECTRON names no Electron runtime; run this by npm run bench');
  const took = new Map<string, number[]>();
  const rounds = async (page: Page): Promise<void> => {
    await round(page, new Map()); // the first compiles
    for (let i = 0; i < ROUNDS; i++) await round(page, took);
  };
  await inLargeLab(executable, rounds);
  await inSandbox(executable, rounds);
  const all = [...took.values()].flat();
  return [
    atMost('input to painted result, median', median(all), 32, 'ms'),
    atMost('input to painted result, 99th percentile', percentile(all, 0.99), 100, 'ms'),
    ...[...took].map(([kind, times]) => noted(`the same, ${kind}, median`, median(times), 'ms')),
  ];
}
