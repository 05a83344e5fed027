import { parentPort } from 'node:worker_threads';
import { answer, type Task } from './marking';

/** One of the threads of `seamlab grade`: marks a file at a time. `pool.ts` starts it. */
const port = parentPort!;
port.on('message', (task: Task) => port.postMessage(answer(task)));
