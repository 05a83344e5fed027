import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ActionSchema } from './scenario/action';
import { MomentaryCondition, type Stop } from './scenario/condition-schema';
import { StopSeeker } from './scenario/stop';
import { boots, moves, play, type Move } from './testing/moves';
import { STEP_LIMIT, type Timeline } from './timeline';

/** Laws of searching a history, against the naive way: going to every moment and looking. */

const PATHS = [
  'td.vcpu0.pid.on',
  'td.vcpu0.pid.pir',
  'td.vcpu1.apic.pending_events[INIT]',
  'td.vcpu0.thread.status',
  'vmx.vcpu0.thread.depth',
  'td.td_state',
  'last.kind',
];
const anyStop: fc.Arbitrary<Stop> = fc.oneof(
  fc.constantFrom(...PATHS).map((changes) => ({ changes })),
  fc
    .constantFrom('kvm_exit', 'kvm_entry', 'vcpu_enter_guest', 'seamcall', 'KVM_RUN', 'ipi_sent')
    .map((event) => ({ event: { event } })),
  fc.constantFrom<Stop>(
    { event: { event: 'vcpu_enter_guest', type: 'return' } },
    { becomes: { path: 'td.vcpu0.thread.status', is: 'ready' } },
    { becomes: { all: [{ path: 'last.kind', is: 'returned' }, { not: { return: 0 } }] } },
  ),
);
/** Mostly what happens in running machines, so that there is something to be found. */
const apic: Move = { do: 'perform', action: ActionSchema.parse({ guest: 'SVR', vm: 'td', vcpu: 0 }) };
const busy = moves.map((list): Move[] => [...boots, apic, ...list]);

/** Whether a stop is hit at a moment, by looking at it and at the one before through the public face of the timeline. */
function naive(t: Timeline, stop: Stop, moment: number): boolean {
  const seeker = new StopSeeker([stop]);
  t.jump(moment - 1);
  seeker.begin(t);
  t.jump(moment);
  return seeker.hits(t);
}
const shows = (t: Timeline, path: string): string => t.machine.show(t.machine.layout.find(path)!);

describe('for any history', () => {
  test('the hits found forwards, one after the other, are those found backwards, and those of the naive scan', () => {
    fc.assert(
      fc.property(moves, anyStop, (list, stop) => {
        const t = play(list);
        const end = t.last;
        const forwards = [...t.past.every(new StopSeeker([stop]), 0)];
        const backwards: number[] = [];
        let at = t.past.previous(new StopSeeker([stop]), end);
        while (at !== null) {
          backwards.unshift(at);
          at = t.past.previous(new StopSeeker([stop]), at - 1);
        }
        expect(backwards).toEqual(forwards);
        const plain: number[] = [];
        for (let moment = 1; moment <= end; moment++) if (naive(t, stop, moment)) plain.push(moment);
        expect(forwards).toEqual(plain);
      }),
      { numRuns: 40 },
    );
  });

  test('the last write of a field is the last moment at which it shows another value than before', () => {
    fc.assert(
      fc.property(
        busy,
        fc.constantFrom(...PATHS.filter((path) => !path.includes('['))),
        fc.nat(),
        (list, path, pick) => {
          const t = play(list);
          const until = pick % (t.last + 1);
          const found = t.past.previous(new StopSeeker([{ changes: path }]), until);
          let plain: number | null = null;
          t.jump(until);
          const value = shows(t, path);
          for (let moment = until - 1; moment >= 0 && plain === null; moment--) {
            t.jump(moment);
            if (shows(t, path) !== value) plain = moment + 1;
          }
          expect(found).toBe(plain);
        },
      ),
      { numRuns: 25 },
    );
  });

  test('searching leaves the moment, the bytes and the trace as they were', () => {
    fc.assert(
      fc.property(busy, anyStop, fc.nat(), (list, stop, pick) => {
        const t = play(list);
        t.jump(pick % (t.last + 1));
        const before = [t.moment, t.last, t.machine.hash(), t.machine.trace.count];
        t.past.next(new StopSeeker([stop]), 0);
        t.past.previous(new StopSeeker([stop]), t.last);
        t.past.author(t.last);
        expect([t.moment, t.last, t.machine.hash(), t.machine.trace.count]).toEqual(before);
      }),
      { numRuns: 25 },
    );
  });

  test('running back to a stop and forward again ends at the same moment with the same bytes', () => {
    fc.assert(
      fc.property(busy, anyStop, (list, stop) => {
        const t = play(list);
        const hit = t.past.previous(new StopSeeker([stop]), t.last);
        fc.pre(hit !== null);
        t.jump(hit!);
        const hash = t.machine.hash();
        const before = t.past.previous(new StopSeeker([stop]), hit! - 1) ?? 0;
        t.jump(before);
        const again = t.past.next(new StopSeeker([stop]), before);
        expect(again).toBe(hit);
        t.jump(again!);
        expect(t.machine.hash()).toBe(hash);
      }),
      { numRuns: 40 },
    );
  });

  test('a run with stops halts where a run without them has its first hit, and goes on to the same end', () => {
    fc.assert(
      fc.property(busy, anyStop, fc.constantFrom(0, 1), (list, stop, vcpu) => {
        const [whole, halting] = [play(list), play(list)];
        for (const t of [whole, halting]) t.jump(t.last);
        const { last } = whole;
        const action = ActionSchema.parse({
          vmm: 'KVM_SIGNAL_MSI',
          vm: 'td',
          dest: vcpu,
          delivery_mode: 'FIXED',
          vector: 49,
        });
        whole.perform(action);
        const seeker = new StopSeeker([stop]);
        seeker.begin(halting);
        halting.perform(action, seeker);
        const first = whole.past.next(new StopSeeker([stop]), last);
        expect(seeker.hit?.moment ?? null).toBe(first);
        expect(halting.last).toBe(first ?? whole.last);
        halting.settle();
        expect(halting.machine.hash()).toBe(whole.machine.hash());
      }),
      { numRuns: 60 },
    );
  });
});

describe('a search', () => {
  const td = (): Timeline => play([...boots, apic]);

  test('says which stops are hit, why, at which event, and who did it', () => {
    const t = td();
    const from = t.last;
    t.perform(
      ActionSchema.parse({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'FIXED', vector: 49 }),
    );
    const seeker = new StopSeeker([
      { changes: 'td.vcpu0.pid.nv' },
      { changes: 'td.vcpu0.pid.pir[49]' },
      { becomes: { path: 'td.vcpu0.pid.pir', is: 49 } },
    ]);
    const moment = t.past.next(seeker, from)!;
    expect(seeker.hit).toMatchObject({
      stops: [1, 2],
      moment,
      why: ['td.vcpu0.pid.pir[49] changed from 0 to 1', 'td.vcpu0.pid.pir is 49'],
    });
    expect(t.past.author(moment)).toEqual({
      kind: 'step',
      thread: 'vmm',
      routine: '__vmx_deliver_posted_interrupt',
      step: 'set_pir',
    });
    expect(t.past.author(from + 1)).toMatchObject({ kind: 'action' });
  });

  test('is of the line that is shown', () => {
    const t = td();
    const at = t.last;
    t.perform(
      ActionSchema.parse({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'FIXED', vector: 49 }),
    );
    const stop: Stop = { changes: 'td.vcpu0.pid.pir' };
    expect(t.past.next(new StopSeeker([stop]), at)).not.toBeNull();
    t.jump(at);
    t.perform(ActionSchema.parse({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 1, delivery_mode: 'INIT' }));
    expect(t.past.next(new StopSeeker([stop]), at)).toBeNull();
  });

  test('of a path or an event that the machine does not have finds nothing', () => {
    const t = td();
    const stops: Stop[] = [
      { changes: 'no.such.path' },
      { event: { event: 'no_such_event' } },
      { becomes: { path: 'no.such.path', is: 0 } },
    ];
    expect(t.past.previous(new StopSeeker(stops), t.last)).toBeNull();
  });

  test('of the steps that a settling may take stays within its limit', () => {
    const t = td();
    const seeker = new StopSeeker([{ event: { event: 'no_such_event' } }]);
    seeker.begin(t);
    expect(t.settle(STEP_LIMIT, seeker)).toBe('quiescent');
  });
});

test('a condition of a stop is about one moment', () => {
  expect(MomentaryCondition.safeParse({ path: 'a', is: 1 }).success).toBe(true);
  expect(MomentaryCondition.safeParse({ not: { all: [{ path: 'a', not: 1 }] } }).success).toBe(true);
  for (const timed of [
    { path: 'a', is: 1, when: 'ever' },
    { event: 'kvm_exit' },
    { any: [{ path: 'a', is: 1 }, { absent: { event: 'kvm_exit' } }] },
    { not: { order: [{ event: 'kvm_exit' }, { event: 'kvm_entry' }] } },
  ])
    expect(MomentaryCondition.safeParse(timed).success, JSON.stringify(timed)).toBe(false);
});
