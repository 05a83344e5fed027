import { parentPort, workerData } from 'node:worker_threads';
import { createBirpc } from 'birpc';
import { Course } from './course';
import { makeWorkshop } from './workbench';
import type { Foreman, Workshop } from './workshop';

/** The simulator's thread. `supervisor.ts` starts it, with the folder of the labs. */
const port = parentPort!;
const { labs } = workerData as { labs: string };

const workshop: Workshop = makeWorkshop(labs, new Course(new URL('../course/labs.bin', import.meta.url)), {
  progress: (done, total) => void main.$callEvent('progress', done, total),
});
const main = createBirpc<Foreman, Workshop, false>(workshop, {
  post: (data) => port.postMessage(data),
  on: (listen) => port.on('message', listen),
  timeout: -1,
  proxify: false,
});
