import type { TestInfo } from '@playwright/test';
import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from './app';
import { memoryOf, windowOf, type Memory } from './memory';
import { Monkey, type Deed } from './monkey';
import { stacksOf } from './stacks';

/**
 * Random input over all screens. A short run belongs to every test run; a long one, which also looks at what memory does, is
 * `npm run monkey`: it says by these variables how long and with which seed, or what is to be done again.
 */
const MINUTES = Number(process.env['SEAMLAB_MONKEY_MINUTES'] ?? 0);
const SEED = Number(process.env['SEAMLAB_MONKEY_SEED'] ?? 1);
/** File of what was done in a run that failed; empty: something new is done. */
const AGAIN = process.env['SEAMLAB_MONKEY_AGAIN'] ?? '';
/** Things done in a short run. */
const SHORT = 100;
/**
 * Part of a run after which memory is measured for the first time. In a long one every screen was there by then, and most of
 * what V8 compiles because it is used often is compiled.
 */
const WARM = 0.3;
/** Nodes of the window that may come by and by: those of which copies are shown. A lab has thousands. */
const FEW = 500;

test('whatever is pressed, typed and dragged: nothing is complained of, and what was taken is given back', async ({
  app,
}, testInfo) => {
  test.setTimeout((MINUTES + 2) * 60_000);
  await expect(app.page.getByRole('heading', { name: 'The sandbox' })).toBeVisible();
  const stacks = await stacksOf(app.page);
  const monkey = new Monkey(app, SEED);
  const again = AGAIN === '' ? null : read(AGAIN);
  const began = Date.now();
  const isOver = (part: number): boolean =>
    MINUTES === 0 ? acts >= SHORT * part : Date.now() - began >= MINUTES * 60_000 * part;
  let acts = 0;
  const watched = async (act: () => Promise<void>): Promise<void> => {
    try {
      await act();
      if (acts++ % 10 === 0) await monkey.looks();
      if (app.complaints().length > 0) throw new Error('it complains');
    } catch (error) {
      const told = [...app.complaints(), ...stacks(), ...write(monkey.did, testInfo)];
      throw new Error(told.join('\n'), { cause: error });
    }
  };
  const play = async (part: number): Promise<Memory | null> => {
    while (!isOver(part)) await watched(() => monkey.act());
    await watched(() => monkey.goHome());
    if (MINUTES === 0) return null;
    // The worker keeps the scenarios, which one that was started anew has not read yet, and the session that was closed
    // last: each time the same one.
    await app.call('sandbox.choices', {});
    await app.call('lab.open', { lab: 'init-sipi' });
    await app.call('lab.restart', { lab: 'init-sipi' });
    await app.call('lab.close', {});
    return memoryOf(app);
  };

  if (again !== null) {
    for (const deed of again) await watched(() => monkey.perform(deed));
    return;
  }
  await monkey.visit();
  const { nodes } = await windowOf(app.page);
  await monkey.visit();
  expect((await windowOf(app.page)).nodes - nodes, 'nodes of a lab that was left').toBeLessThan(FEW);

  const before = await play(WARM);
  const after = await play(1);
  if (before === null || after === null) return;
  console.log(
    `${acts} things in ${MINUTES} minutes; before ${JSON.stringify(before)}, after ${JSON.stringify(after)}`,
  );
  expect.soft(after.nodes - before.nodes, 'nodes').toBeLessThan(FEW);
  for (const what of ['all', 'window', 'main', 'worker'] as const)
    expect.soft(after[what] / before[what], what).toBeLessThanOrEqual(1.1);
});

/** Keeps what was done, a line each. @returns where, and the last of it. */
function write(deeds: readonly Deed[], testInfo: TestInfo): string[] {
  const file = testInfo.outputPath('deeds.jsonl');
  const lines = deeds.map((deed) => JSON.stringify(deed));
  writeFileSync(file, `${lines.join('\n')}\n`);
  return [`To do it again: npm run monkey -- --again ${file}`, 'The last of it:', ...lines.slice(-60)];
}

function read(file: string): Deed[] {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Deed);
}
