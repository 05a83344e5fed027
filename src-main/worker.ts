import { parentPort, workerData } from 'node:worker_threads';
import { createBirpc } from 'birpc';
import { Course } from './course';
import { makeWorkshop } from './workbench';
import type { Foreman, Workshop } from './workshop';

/** The simulator's thread. `supervisor.ts` starts it, with the folder of the labs, and those whose facts are known. */
const port = parentPort!;
const { labs, facts } = workerData as { labs: string; facts: readonly string[] };

const workshop: Workshop = makeWorkshop(
  labs,
  new Course(new URL('../course/labs.bin', import.meta.url)),
  { progress: (done, total) => void main.$callEvent('progress', done, total) },
  facts,
);
const main = createBirpc<Foreman, Workshop, false>(workshop, {
  post: (data) => port.postMessage(data),
  on: (listen) => port.on('message', listen),
  timeout: -1,
  proxify: false,
});
