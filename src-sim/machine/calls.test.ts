import { describe, expect, test } from 'vitest';
import { leafOf, tookOf } from './calls';
import { Trace } from './trace';

/** A trace of two threads and three routines; every event takes 50 ns. */
class Recorded {
  private readonly clock = {
    f64: new Float64Array(2),
    now: 0,
    moments: 1,
    u8: new Uint8Array(2),
    cpus: [0, 1],
  };
  readonly trace = new Trace(
    1 << 10,
    this.clock,
    [{ name: 'vmm' }, { name: 'td.vcpu0' }],
    () => ['outer', 'inner', 'other'].map((name) => ({ name, layer: 'kvm', source: '', args: [] })),
    () => 'vmm KVM_RUN vm=td vcpu=0',
  ); // prettier-ignore

  private next(): Trace {
    this.clock.f64.set([this.trace.count * 50, this.trace.count - 1]);
    return this.trace;
  }
  call(depth: number, thread = 1): number {
    this.next().call(thread, depth, depth, 0, 0, 0);
    return this.trace.count - 1;
  }
  return(depth: number, thread = 1): number {
    this.next().return(thread, depth, depth, 0);
    return this.trace.count - 1;
  }
  action(): void {
    this.next().action(0, 0, 'vmm');
  }
}

describe('calls and their returns', () => {
  test('a call whose return follows at once is a leaf; one in which something happened is none', () => {
    const { trace, ...at } = recorded((r) => ({ outer: r.call(0), inner: r.call(1), end: r.return(1), out: r.return(0) })); // prettier-ignore
    expect(leafOf(trace, at.inner)).toBe(at.end);
    expect([at.outer, at.end, at.out].map((n) => leafOf(trace, n))).toEqual([null, null, null]);
    expect([at.end, at.out].map((n) => tookOf(trace, n))).toEqual([50, 150]);
    expect(tookOf(trace, at.inner)).toBeNull();
  });

  test('threads nest apart: what another one does in between does not end a call', () => {
    const { trace, ...at } = recorded((r) => ({ a: r.call(0), b: r.call(0, 0), bEnd: r.return(0, 0), aEnd: r.return(0) })); // prettier-ignore
    expect([at.bEnd, at.aEnd].map((n) => tookOf(trace, n))).toEqual([50, 150]);
    expect(leafOf(trace, at.b)).toBe(at.bEnd);
  });

  test('what the model gave up never closes, and does not lend its beginning to a later call', () => {
    const { trace, ...at } = recorded((r) => {
      r.call(0);
      r.call(1);
      r.action();
      const again = r.call(0);
      return { inner: r.return(1), again, end: r.return(0) };
    });
    expect(tookOf(trace, at.inner)).toBeNull();
    expect(tookOf(trace, at.end)).toBe(100);
  });

  test('a return whose call the trace no longer has took nobody knows how long', () => {
    const { trace, end } = recorded((r) => ({ end: r.return(1) }));
    expect(tookOf(trace, end)).toBeNull();
  });
});

function recorded<T extends object>(record: (r: Recorded) => T): T & { trace: Trace } {
  const r = new Recorded();
  return { ...record(r), trace: r.trace };
}
