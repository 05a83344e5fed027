import { parentPort } from 'node:worker_threads';
import { createBirpc } from 'birpc';
import type { Foreman, Workshop } from '../workshop';

/** A worker that does what its calls name: for tests of what the supervisor makes of it. */
const hoard: unknown[] = [];
const port = parentPort!;

const faults: Record<string, () => void> = {
  hang: () => {
    for (;;);
  },
  exit: () => process.exit(3),
  throw: () => {
    throw new Error('a fault of the function, not of the worker');
  },
  crash: () => {
    setImmediate(() => {
      throw new Error('a fault that nobody catches');
    });
  },
  'eat heap': () => {
    for (;;) hoard.push(new Array<number>(1_000).fill(hoard.length));
  },
  'eat buffers': () => {
    for (let i = 0; i < 4; i++) hoard.push(new Uint8Array(16 * 1024 * 1024).fill(1));
  },
  'long work with progress': () => {
    const until = performance.now() + 1_500;
    while (performance.now() < until) {
      const pause = performance.now() + 20;
      while (performance.now() < pause);
      void foreman.$callEvent('progress', 1, 2);
    }
  },
};

const workshop: Pick<Workshop, 'ping' | 'close'> = {
  ping: () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return { heap: heapUsed, buffers: arrayBuffers };
  },
  close: (fault) => faults[fault]?.(),
};

const foreman = createBirpc<Foreman, Pick<Workshop, 'ping' | 'close'>, false>(workshop, {
  post: (data) => port.postMessage(data),
  on: (listen) => port.on('message', listen),
  timeout: -1,
  proxify: false,
});
