import { parentPort, workerData } from 'node:worker_threads';
import { createBirpc } from 'birpc';
import { Course } from './course';
import { makeWorkshop } from './workbench';
import type { Folders, Foreman, Workshop } from './workshop';

/** The simulator's thread. `supervisor.ts` starts it, with the folders of labs, facts and scenarios. */
const port = parentPort!;

const workshop: Workshop = makeWorkshop(
  workerData as Folders,
  new Course(new URL('../course/labs.bin', import.meta.url)),
  { progress: (done, total) => void main.$callEvent('progress', done, total) },
);
const main = createBirpc<Foreman, Workshop, false>(workshop, {
  post: (data) => port.postMessage(data),
  on: (listen) => port.on('message', listen),
  timeout: -1,
  proxify: false,
});
