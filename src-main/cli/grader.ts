import { parentPort } from 'node:worker_threads';
import { Course } from '../course';
import { Marker, type Task } from './marking';

/** One of the threads of `seamlab grade`: marks a file at a time. `pool.ts` starts it. */
const port = parentPort!;
const marker = new Marker(new Course(new URL('../course/labs.bin', import.meta.url)));
port.on('message', (task: Task) => port.postMessage(marker.answer(task)));
