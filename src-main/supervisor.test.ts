import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Supervisor, WorkerLost, type Limits } from './supervisor';
import { bundled } from './testing/bundle';
import type { LossReason } from './notices';

/** Short enough for a test, long enough for two busy cores. */
const QUICK: Partial<Limits> = { tick: 50, silence: 12, birth: 500, heartbeat: 30, memory: 48 };

const faulty = bundled(join(import.meta.dirname, 'testing/faulty.worker.ts'));

function supervise(limits: Partial<Limits> = {}, worker = faulty()) {
  const losses: LossReason[] = [];
  let heard = (): void => {};
  const next = new Promise<void>((resolve) => (heard = resolve));
  let progressed = 0;
  const supervisor = new Supervisor({
    file: worker,
    workerData: null,
    log: () => {},
    onLost: (why) => {
      losses.push(why);
      heard();
    },
    onProgress: () => (progressed += 1),
    limits: { ...QUICK, ...limits },
  });
  onTestFinished(() => supervisor.stop());
  return { supervisor, losses, next, progressed: () => progressed };
}

const lost = (why: LossReason) => expect.objectContaining({ name: 'WorkerLost', why });

describe('the supervisor', () => {
  test('answers from the next worker after one that hangs was ended', async () => {
    const { supervisor, losses } = supervise();
    await expect(supervisor.call('close', 'hang')).rejects.toEqual(lost('hung'));
    expect(losses).toEqual(['hung']);
    expect(supervisor.generation).toBe(2);
    expect((await supervisor.call('ping')).heap).toBeGreaterThan(0);
  });

  test('notices a worker that exits', async () => {
    const { supervisor } = supervise();
    await expect(supervisor.call('close', 'exit')).rejects.toEqual(lost('died'));
    expect((await supervisor.call('ping')).heap).toBeGreaterThan(0);
  });

  test('notices an idle worker that crashes', async () => {
    const { supervisor, losses, next } = supervise();
    // The answer and the news of the crash travel apart: either may come first.
    await Promise.allSettled([supervisor.call('close', 'crash')]);
    await next;
    expect(losses).toEqual(['died']);
    expect((await supervisor.call('ping')).heap).toBeGreaterThan(0);
  });

  test('ends a worker whose heap grows beyond its limit, and lives on', async () => {
    const { supervisor } = supervise({ silence: 2_000 });
    await expect(supervisor.call('close', 'eat heap')).rejects.toEqual(lost('memory'));
    expect((await supervisor.call('ping')).heap).toBeGreaterThan(0);
  });

  test('ends a worker whose buffers grow beyond the limit, which V8 does not watch', async () => {
    const { supervisor, losses, next } = supervise();
    await supervisor.call('close', 'eat buffers');
    await next;
    expect(losses).toEqual(['memory']);
  });

  test('leaves a worker alone that works long and reports progress', async () => {
    const { supervisor, losses, progressed } = supervise();
    await supervisor.call('close', 'long work with progress');
    expect(progressed()).toBeGreaterThan(5);
    expect(losses).toEqual([]);
    expect(supervisor.generation).toBe(1);
  });

  test('passes on an error of the function and keeps the worker', async () => {
    const { supervisor } = supervise();
    const error = await supervisor.call('close', 'throw').catch((e: unknown) => e);
    expect(error).not.toBeInstanceOf(WorkerLost);
    expect((error as Error).message).toBe('a fault of the function, not of the worker');
    expect(supervisor.generation).toBe(1);
  });

  test('fails every call under way when the learner cancels', async () => {
    const { supervisor } = supervise({ silence: 2_000 });
    const calls = [supervisor.call('close', 'hang'), supervisor.call('ping')];
    supervisor.cancel();
    const results = await Promise.allSettled(calls);
    expect(results.map((result) => (result as PromiseRejectedResult).reason as unknown)).toEqual([
      lost('cancelled'),
      lost('cancelled'),
    ]);
  });

  test('gives up starting a worker that never comes to life, until it is called again', async () => {
    const stillborn = new URL('data:text/javascript,process.exit(1)');
    const { supervisor, losses } = supervise({ stillbirths: 3 }, stillborn);
    await expect(supervisor.call('ping')).rejects.toEqual(lost('died'));
    while (losses.length < 3) await new Promise((resolve) => setImmediate(resolve));
    expect(supervisor.generation).toBe(3);
    await expect(supervisor.call('ping')).rejects.toEqual(lost('died'));
    expect(supervisor.generation).toBe(4);
  });
});
