import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Working } from './working.svelte';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Work that ends when it is told to. */
function work(): { promise: Promise<void>; end: () => void; fail: () => void } {
  let end = (): void => {};
  let fail = (): void => {};
  const promise = new Promise<void>((resolve, reject) => {
    end = resolve;
    fail = () => reject(new Error('no'));
  });
  return { promise, end, fail };
}

test('work shorter than a tenth of a second is never shown', async () => {
  const working = new Working();
  const { promise, end } = work();
  const done = working.during(promise);
  await vi.advanceTimersByTimeAsync(95);
  end();
  await done;
  await vi.advanceTimersByTimeAsync(1000);
  expect(working.shown).toBe(false);
});

test('longer work is shown until the last of it has ended, well or not', async () => {
  const working = new Working();
  const [first, second] = [work(), work()];
  const firstDone = working.during(first.promise);
  const secondDone = working.during(second.promise);
  await vi.advanceTimersByTimeAsync(150);
  expect(working.shown).toBe(true);
  first.end();
  await firstDone;
  expect(working.shown).toBe(true);
  second.fail();
  await expect(secondDone).rejects.toThrow('no');
  expect(working.shown).toBe(false);
});
