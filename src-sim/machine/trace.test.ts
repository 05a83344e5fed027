import { expect, test } from 'vitest';
import { Trace } from './trace';

const clock = { f64: new Float64Array(2), now: 0, moments: 1, u8: new Uint8Array(1), cpus: [0] };
const traceOf = (capacity: number): Trace =>
  new Trace(capacity, clock, [{ name: 'vmm' }], () => [], (n) => `vmm DO n=${n}`); // prettier-ignore
const fill = (trace: Trace, events: number): void => {
  for (let n = trace.count; n < events; n++) {
    clock.f64[clock.moments] = n - 1;
    trace.action(0, n, 'vmm');
  }
};

test('a trace that outgrows its first rows keeps every event in its place', () => {
  const trace = traceOf(1 << 15);
  fill(trace, 5_000);
  expect(trace.first).toBe(0);
  for (const n of [0, 1, 1_023, 1_024, 1_025, 2_048, 4_999]) {
    expect(trace.event(n)).toMatchObject({ n, moment: n, text: `n=${n}` });
  }
});

test('a trace keeps as many events as its capacity, the latest ones', () => {
  const trace = traceOf(1 << 11);
  fill(trace, 5_000);
  expect(trace.first).toBe(5_000 - 2_048);
  expect(trace.event(trace.first)).toMatchObject({ moment: trace.first });
  expect(() => trace.event(trace.first - 1)).toThrow(RangeError);
});

test('after going back the later events can be read until another line of history begins', () => {
  const trace = traceOf(1 << 11);
  fill(trace, 1_000);
  trace.rewind(400);
  expect([trace.first, trace.count, trace.known]).toEqual([0, 400, 1_000]);
  expect(trace.event(999)).toMatchObject({ n: 999, moment: 999 });
  trace.leaveLine();
  expect([trace.first, trace.known]).toEqual([0, 400]);
  expect(() => trace.event(400)).toThrow(RangeError);
});

test('where recording again takes the place of other rows, only what is recorded again can be read', () => {
  const trace = traceOf(1 << 11);
  fill(trace, 5_000);
  trace.rewind(100);
  fill(trace, 120);
  expect([trace.first, trace.known]).toEqual([100, 120]);
  expect(trace.event(110)).toMatchObject({ n: 110, moment: 110 });
});
