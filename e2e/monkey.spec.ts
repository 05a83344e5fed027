import { expect, test, type Seamlab } from './app';
import { Monkey } from './monkey';
import { proportionalSetSize } from './processes';
import { stacksOf } from './stacks';

/**
 * Random input over all screens. A short run belongs to every test run; a long one, which also looks at what memory does, is
 * `npm run monkey`: it says by these variables how long and with which seed.
 */
const MINUTES = Number(process.env['SEAMLAB_MONKEY_MINUTES'] ?? 0);
const SEED = Number(process.env['SEAMLAB_MONKEY_SEED'] ?? 1);
/** Things done in a short run. */
const SHORT = 100;
/** Part of a long run after which memory is measured for the first time: every screen was there, all code is loaded. */
const WARM = 0.2;

/** Nodes that Svelte makes once, when a component is first shown, and keeps. A lab that is left and kept has thousands. */
const TEMPLATES = 500;

/** MiB: all processes, what the window's heap holds, and nodes of its document. Collected, and at home. */
async function memory(app: Seamlab): Promise<{ all: number; heap: number; nodes: number }> {
  const protocol = await app.page.context().newCDPSession(app.page);
  for (let i = 0; i < 3; i++) await protocol.send('HeapProfiler.collectGarbage');
  const { usedSize } = await protocol.send('Runtime.getHeapUsage');
  await protocol.send('Performance.enable');
  const { metrics } = await protocol.send('Performance.getMetrics');
  await protocol.detach();
  const nodes = metrics.find(({ name }) => name === 'Nodes')!.value;
  return { all: proportionalSetSize(app.child.pid!), heap: usedSize / 2 ** 20, nodes };
}

test('whatever is pressed, typed and dragged: nothing is complained of, and what was taken is given back', async ({
  app,
}) => {
  test.setTimeout((MINUTES + 2) * 60_000);
  await expect(app.page.getByRole('heading', { name: 'The sandbox' })).toBeVisible();
  const monkey = new Monkey(app, SEED);
  const stacks = await stacksOf(app.page);
  const began = Date.now();
  const isOver = (part: number, acts: number): boolean =>
    MINUTES === 0 ? acts >= SHORT * part : Date.now() - began >= MINUTES * 60_000 * part;
  let acts = 0;
  const play = async (part: number): Promise<void> => {
    try {
      for (; !isOver(part, acts); acts++) {
        await monkey.act();
        if (acts % 10 === 0) await monkey.looks();
        if (app.complaints().length > 0) throw new Error('it complains');
      }
      await monkey.goHome();
    } catch (error) {
      const told = [
        ...app.complaints(),
        ...stacks(),
        `after ${acts} things, the last of them:`,
        ...monkey.did,
      ];
      throw new Error(told.join('\n'), { cause: error });
    }
  };
  await play(WARM);
  const before = await memory(app);
  await play(1);
  const after = await memory(app);
  expect.soft(after.nodes - before.nodes, 'nodes').toBeLessThan(TEMPLATES);
  if (MINUTES === 0) return;
  console.log(
    `${acts} things in ${MINUTES} minutes; before ${JSON.stringify(before)}, after ${JSON.stringify(after)}`,
  );
  for (const what of ['all', 'heap'] as const)
    expect.soft(after[what] / before[what], what).toBeLessThanOrEqual(1.1);
});
