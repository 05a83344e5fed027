import type { Page } from '@playwright/test';
import type { Seamlab } from './app';
import { proportionalSetSize } from './processes';

/** What a Seamlab holds when it has thrown away what it does not need. */
export interface Memory {
  /** MiB of all its processes, without what files hold as well. */
  readonly all: number;
  /** MiB of what scripts hold: in the window, in the main process, in the simulator's thread. */
  readonly window: number;
  readonly main: number;
  readonly worker: number;
  /** Nodes of the window's document, and those outside of it that something holds. */
  readonly nodes: number;
}

const MIB = 2 ** 20;

export async function memoryOf(app: Seamlab): Promise<Memory> {
  await busyElsewhere(app.page);
  const protocol = await app.page.context().newCDPSession(app.page);
  for (let i = 0; i < 3; i++) await protocol.send('HeapProfiler.collectGarbage');
  const { usedSize } = await protocol.send('Runtime.getHeapUsage');
  await protocol.send('Performance.enable');
  const { metrics } = await protocol.send('Performance.getMetrics');
  await protocol.detach();
  const { main, worker } = await threadsOf(app);
  const all = proportionalSetSize(app.child.pid!, 'Pss_Anon');
  const nodes = metrics.find(({ name }) => name === 'Nodes')!.value;
  return { all, window: usedSize / MIB, main: main / MIB, worker: worker / MIB, nodes };
}

/**
 * Chromium keeps what was dragged last, and the list that was chosen from last, with all that stood around them, until it
 * has others.
 */
async function busyElsewhere(page: Page): Promise<void> {
  const id = 'elsewhere';
  await page.evaluate((own) => {
    const list = document.createElement('select');
    list.append(new Option('one'), new Option('other'));
    const dragged = document.createElement('p');
    dragged.draggable = true;
    dragged.textContent = 'Drag me.';
    const place = document.createElement('div');
    place.id = own;
    place.style.cssText = 'position: fixed; inset: 0; z-index: 1000';
    place.append(list, dragged);
    document.body.append(place);
  }, id);
  const place = page.locator(`#${id}`);
  await place.locator('select').click();
  for (const key of ['ArrowDown', 'Enter']) await page.keyboard.press(key);
  await place.locator('p').dragTo(place);
  await page.evaluate((own) => document.getElementById(own)!.remove(), id);
}

/** Bytes that the main process and its worker hold, found by Node's own inspector. */
function threadsOf(app: Seamlab): Promise<{ main: number; worker: number }> {
  return app.main.evaluate(async () => {
    const { Session } = process.getBuiltinModule('node:inspector/promises');
    const session = new Session();
    session.connect();
    try {
      await session.post('HeapProfiler.collectGarbage');
      const main = (await session.post('Runtime.getHeapUsage')) as unknown as { usedSize: number };
      const ask = [{ id: 1, method: 'HeapProfiler.collectGarbage' }, { id: 2, method: 'Runtime.getHeapUsage' }]; // prettier-ignore
      const worker = await new Promise<number>((done) => {
        session.on('NodeWorker.attachedToWorker', ({ params: { sessionId } }) => {
          for (const one of ask)
            void session.post('NodeWorker.sendMessageToWorker', { sessionId, message: JSON.stringify(one) });
        });
        session.on('NodeWorker.receivedMessageFromWorker', ({ params: { message } }) => {
          const answer = JSON.parse(message) as { id?: number; result: { usedSize: number } };
          if (answer.id === 2) done(answer.result.usedSize);
        });
        void session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
      });
      return { main: main.usedSize, worker };
    } finally {
      session.disconnect();
    }
  });
}
