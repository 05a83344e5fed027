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
/** Collections of garbage after which none is left: V8 drops compiled code only when several have found it unused. */
const ROUNDS = 10;

export async function memoryOf(app: Seamlab): Promise<Memory> {
  const ofWindow = await windowOf(app.page);
  const { main, worker } = await threadsOf(app);
  const all = proportionalSetSize(app.child.pid!, 'Pss_Anon');
  return { all, main: main / MIB, worker: worker / MIB, ...ofWindow };
}

/** The part of it that is the window's. */
export async function windowOf(page: Page): Promise<Pick<Memory, 'window' | 'nodes'>> {
  await busyElsewhere(page);
  const protocol = await page.context().newCDPSession(page);
  for (let i = 0; i < ROUNDS; i++) await protocol.send('HeapProfiler.collectGarbage');
  const { usedSize } = await protocol.send('Runtime.getHeapUsage');
  await protocol.send('Performance.enable');
  const { metrics } = await protocol.send('Performance.getMetrics');
  await protocol.detach();
  return { window: usedSize / MIB, nodes: metrics.find(({ name }) => name === 'Nodes')!.value };
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
  return app.main.evaluate(async (_, rounds) => {
    const { Session } = process.getBuiltinModule('node:inspector/promises');
    const session = new Session();
    session.connect();
    try {
      for (let i = 0; i < rounds; i++) await session.post('HeapProfiler.collectGarbage');
      const main = (await session.post('Runtime.getHeapUsage')) as unknown as { usedSize: number };
      const worker = await new Promise<number>((done) => {
        session.on('NodeWorker.attachedToWorker', ({ params: { sessionId } }) => {
          const ask = (id: number, method: string): void => {
            const message = JSON.stringify({ id, method });
            void session.post('NodeWorker.sendMessageToWorker', { sessionId, message });
          };
          for (let i = 0; i < rounds; i++) ask(i, 'HeapProfiler.collectGarbage');
          ask(rounds, 'Runtime.getHeapUsage');
        });
        session.on('NodeWorker.receivedMessageFromWorker', ({ params: { message } }) => {
          const answer = JSON.parse(message) as { id?: number; result: { usedSize: number } };
          if (answer.id === rounds) done(answer.result.usedSize);
        });
        void session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
      });
      return { main: main.usedSize, worker };
    } finally {
      session.disconnect();
    }
  }, ROUNDS);
}
