import { Worker, type WorkerOptions } from 'node:worker_threads';
import { createBirpc } from 'birpc';
import type { Log } from './log';
import type { LossReason } from './notices';
import type { Foreman, Workshop } from './workshop';

/** A call that was under way when the worker was lost. The call may have had its effect there; the effect is gone. */
export class WorkerLost extends Error {
  constructor(readonly why: LossReason) {
    super(`worker lost: ${why}`);
    this.name = 'WorkerLost';
  }
}

export interface SupervisorOptions {
  /** The worker's built file. */
  readonly file: URL;
  readonly workerData: unknown;
  readonly log: Log;
  /** The worker was lost and the calls under way were rejected; a new one is starting. */
  readonly onLost: (why: LossReason) => void;
  readonly onProgress: (done: number, total: number) => void;
  readonly limits?: Partial<Limits>;
}

export interface Limits {
  /** MiB of the worker's heap, and of its heap and buffers together. */
  readonly memory: number;
  /** Ticks without a sign of life after which a worker with work to do counts as hung. */
  readonly silence: number;
  /** The same until its first sign of life: a slow disk may delay its start. */
  readonly birth: number;
  /** Milliseconds of one tick. Ticks, not times: they stand still while the computer sleeps. */
  readonly tick: number;
  /** Milliseconds between pings while there is nothing to do. */
  readonly heartbeat: number;
  /** Starts in a row that die before a sign of life, after which only a call starts another. */
  readonly stillbirths: number;
}

const LIMITS: Limits = { memory: 512, silence: 10, birth: 60, tick: 1_000, heartbeat: 5_000, stillbirths: 3 };
const MIB = 1024 * 1024;

interface Life {
  readonly thread: Worker;
  readonly call: (name: string, args: unknown[]) => Promise<unknown>;
  readonly pending: Set<(lost: WorkerLost) => void>;
  /** Ticks since the last sign of life. */
  silent: number;
  born: boolean;
  lost: boolean;
}

type Result<K extends keyof Workshop> = Awaited<ReturnType<Workshop[K]>>;

/**
 * Keeps one worker running: limits its memory, notices when it hangs or dies, starts another. What was open in the
 * worker is the caller's to open again: `generation` tells that it is a different worker.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #limits: Limits;
  #life: Life | null = null;
  #generation = 0;
  #stillbirths = 0;
  #ticker: NodeJS.Timeout | null = null;
  #heartbeat: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
  }

  /** Counts the workers started so far. */
  get generation(): number {
    return this.#generation;
  }

  /** Starts the worker unless it runs. Returns at once; calls wait until it is ready. */
  start(): void {
    if (this.#life === null && !this.#stopped) this.#life = this.#spawn();
  }

  /**
   * Calls a function of the worker.
   *
   * @throws WorkerLost when the worker dies, hangs, exceeds its memory or is cancelled meanwhile; any other error is one
   *         that the function threw.
   */
  async call<K extends keyof Workshop>(name: K, ...args: Parameters<Workshop[K]>): Promise<Result<K>> {
    this.start();
    const life = this.#life;
    if (life === null) throw new WorkerLost('died');
    if (life.pending.size === 0) life.silent = 0;
    return this.#watched(life, life.call(name, args)) as Promise<Result<K>>;
  }

  /** Stops what the worker is doing, by ending it: calls under way fail with `cancelled`. */
  cancel(): void {
    if (this.#life !== null) this.#lose(this.#life, 'cancelled');
  }

  /** Ends the worker for good. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const life = this.#life;
    if (life === null) return;
    this.#bury(life, 'cancelled');
    await life.thread.terminate();
  }

  #spawn(): Life {
    this.#generation += 1;
    const { file, workerData, log, onProgress } = this.#options;
    const options: WorkerOptions = {
      name: 'simulator',
      workerData,
      // Neither variables nor arguments of the application are the worker's business.
      env: {},
      argv: [],
      execArgv: [],
      resourceLimits: {
        maxOldGenerationSizeMb: this.#limits.memory,
        maxYoungGenerationSizeMb: 32,
        stackSizeMb: 4,
      },
    };
    const thread = new Worker(file, options);
    const foreman: Foreman = { progress: onProgress };
    const rpc = createBirpc<Workshop, Foreman, false>(foreman, {
      post: (data) => thread.postMessage(data),
      on: (listen) => {
        thread.on('message', (message: unknown) => {
          life.silent = 0;
          life.born = true;
          this.#stillbirths = 0;
          listen(message);
        });
      },
      timeout: -1,
      proxify: false,
    });
    const life: Life = {
      thread,
      call: (name, args) => rpc.$call(name as 'ping', ...(args as [])),
      pending: new Set(),
      silent: 0,
      born: false,
      lost: false,
    };
    thread.on('error', (error: NodeJS.ErrnoException) => {
      log('worker error', error);
      this.#lose(life, error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'memory' : 'died');
    });
    thread.on('exit', (code) => {
      if (!life.lost) log('worker exit', { code });
      this.#lose(life, 'died');
    });
    // The first ping doubles as the sign that the worker has loaded.
    this.#ping(life);
    return life;
  }

  /** A promise that fails when the worker is lost before `answer` arrives, and keeps the clock running until then. */
  #watched(life: Life, answer: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        life.pending.delete(reject);
        if (life.pending.size === 0 && !life.lost) this.#rest();
      };
      life.pending.add(reject);
      this.#tick();
      answer.then(
        (value) => {
          resolve(value);
          done();
        },
        (error: unknown) => {
          reject(error as Error);
          done();
        },
      );
    });
  }

  /** Runs the clock while there is work. */
  #tick(): void {
    if (this.#heartbeat !== null) clearTimeout(this.#heartbeat);
    this.#heartbeat = null;
    this.#ticker ??= setInterval(() => {
      const life = this.#life;
      if (life === null) return;
      life.silent += 1;
      if (life.silent > (life.born ? this.#limits.silence : this.#limits.birth)) this.#lose(life, 'hung');
    }, this.#limits.tick).unref();
  }

  /** Stops the clock; the next ping starts it again. */
  #rest(): void {
    if (this.#ticker !== null) clearInterval(this.#ticker);
    this.#ticker = null;
    if (this.#heartbeat !== null) clearTimeout(this.#heartbeat);
    this.#heartbeat = setTimeout(() => {
      if (this.#life !== null) this.#ping(this.#life);
    }, this.#limits.heartbeat).unref();
  }

  #ping(life: Life): void {
    life.silent = 0;
    this.#watched(life, life.call('ping', [])).then(
      (answer) => {
        const { heap, buffers } = answer as Result<'ping'>;
        if (heap + buffers > this.#limits.memory * MIB) this.#lose(life, 'memory');
      },
      () => {
        // The loss was reported where it was noticed.
      },
    );
  }

  /** Ends a worker and starts the next, unless too many in a row never came to life. */
  #lose(life: Life, why: LossReason): void {
    if (life.lost) return;
    this.#options.log('worker lost', { why, generation: this.#generation });
    if (!life.born) this.#stillbirths += 1;
    this.#bury(life, why);
    void life.thread.terminate();
    if (!this.#stopped && this.#stillbirths < this.#limits.stillbirths) this.start();
    this.#options.onLost(why);
  }

  #bury(life: Life, why: LossReason): void {
    life.lost = true;
    if (this.#life === life) this.#life = null;
    if (this.#ticker !== null) clearInterval(this.#ticker);
    if (this.#heartbeat !== null) clearTimeout(this.#heartbeat);
    this.#ticker = this.#heartbeat = null;
    for (const reject of [...life.pending]) reject(new WorkerLost(why));
    life.pending.clear();
  }
}
