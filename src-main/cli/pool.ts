import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import type { Marked, Task } from './marking';

/** MiB of heap of one thread: far more than the largest session that the engine allows. */
const HEAP = 1_024;
/** MiB of old space before V8 collects it for the first time: it would at every fourth transcript. */
const FIRST_HEAP = 256;
const STILLBORN = 3;

/**
 * Bytes of transcripts that make a thread worth its while. Each compiles and optimizes the machine for itself, which
 * takes as much processor time, 2 to 3 s, as some 4 MB of transcripts take afterwards.
 */
const THREAD_WORTH = 4_000_000;
/** Processors that one thread keeps busy: V8 optimizes its code and collects its garbage beside it. */
const BUSY = 1.5;

/**
 * The threads that grade soonest. On two processors that is one: of 1 000 transcripts of 100 inputs a second thread was
 * measured to save nothing, and of 200 to take a quarter longer.
 *
 * @param bytes - of all transcripts.
 * @param processors - how many there are.
 * @returns 1 or more.
 */
export function threadsFor(bytes: number, processors: number): number {
  return Math.max(1, Math.floor(Math.min(processors / BUSY, bytes / THREAD_WORTH)));
}

/**
 * Answers tasks on several threads, each one task at a time. A thread that dies takes only its task along: that one is
 * answered as unreadable, and another thread goes on.
 *
 * @param file - the built `grader.ts`.
 * @param done - called after every answer.
 * @param stop - ends the threads; what is not answered by then is missing from the result.
 * @returns the answers in the order of the tasks.
 */
export async function answerAll(
  tasks: readonly Task[],
  {
    file,
    threads,
    done,
    stop,
  }: {
    readonly file: URL;
    readonly threads: number;
    readonly done: (answered: number) => void;
    readonly stop: AbortSignal;
  },
): Promise<Marked[]> {
  const answers: (Marked | undefined)[] = tasks.map(() => undefined);
  let next = 0;
  let answered = 0;
  /** Threads in a row that died before an answer: then it is not the transcripts. */
  let stillborn = 0;

  const oneThread = (): Promise<void> =>
    new Promise((resolve, reject) => {
      if (next >= tasks.length || stop.aborted) return resolve();
      const worker = new Worker(file, { execArgv: [], resourceLimits: { maxOldGenerationSizeMb: HEAP } });
      const end = (): void => void worker.terminate();
      stop.addEventListener('abort', end, { once: true });
      let at = -1;
      const settle = (answer: Marked): void => {
        answers[at] = answer;
        at = -1;
        done(++answered);
      };
      const hand = (): void => {
        if (next >= tasks.length) return end();
        at = next++;
        worker.postMessage(tasks[at]);
      };
      worker.on('message', (answer: Marked) => {
        stillborn = 0;
        settle(answer);
        hand();
      });
      let fault = new Error('its thread ended');
      worker.on('error', (error: Error) => (fault = error));
      worker.on('exit', () => {
        stop.removeEventListener('abort', end);
        if (stop.aborted || at < 0) return resolve();
        if (++stillborn === STILLBORN) return reject(fault);
        settle({ file: tasks[at]!.file, kind: 'unreadable', why: `It cannot be graded: ${fault.message}.` });
        oneThread().then(resolve, reject);
      });
      hand();
    });

  setFlagsFromString(`--initial-old-space-size=${FIRST_HEAP}`); // of heaps that are made from here on
  await Promise.all(Array.from({ length: Math.min(threads, tasks.length) }, oneThread));
  return answers.filter((answer) => answer !== undefined);
}
