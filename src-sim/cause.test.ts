import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { causesOf, type Cause } from './cause';
import { ActionSchema } from './scenario/action';
import { StopSeeker } from './scenario/stop';
import { moves, play, boots } from './testing/moves';
import type { Timeline } from './timeline';

const does = (t: Timeline, ...actions: Record<string, unknown>[]): Timeline => {
  for (const action of actions) t.perform(ActionSchema.parse(action));
  return t;
};
/** Both guests run; the first vCPU of the TD has its APIC on. */
const running = (): Timeline => does(play(boots), { guest: 'SVR', vm: 'td', vcpu: 0 });
const MSI = { vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'FIXED', vector: 49 };

/** The last event of a name, and its causes. */
function why(t: Timeline, name: string, thread?: string): readonly Cause[] {
  const seeker = new StopSeeker([{ event: { event: name, ...(thread === undefined ? {} : { thread }) } }]);
  const moment = t.past.previous(seeker, t.last)!;
  return causesOf(t.past, moment, seeker.hit!.event!).causes;
}
const says = ({ kind, author }: Cause): string =>
  `${kind}: ${author.kind === 'action' ? author.command : `${author.thread} ${author.routine} ${author.step}`}`;

describe('the cause of an event', () => {
  test('that a guest takes a posted interrupt is the notification of the sender', () => {
    const t = does(running(), MSI);
    const [first, ...rest] = why(t, 'guest_takes_irq').map(says);
    expect(first).toMatch(/^(direct|before): vmm \w+ /);
    expect(rest.at(-1)).toMatch(/^action: /);
    expect(rest.at(-2)).toMatch(/^call: /);
  });

  test('that the PIR is harvested at entry is the post that was made before KVM_RUN', () => {
    const t = running();
    does(t, { vmm: 'signal', vm: 'td', vcpu: 0 });
    const last = t.last;
    does(t, MSI, { vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    const [first] = why(t, 'pir_harvested');
    expect(says(first!)).toMatch(/^(direct|before): vmm __vmx_deliver_posted_interrupt /);
    expect(first!.moment).toBeGreaterThan(last);
  });

  test('of the outermost call is the action, and an action has none', () => {
    const t = does(running(), MSI);
    expect(why(t, 'kvm_vm_ioctl').map(says)).toContain(
      'action: vmm KVM_SIGNAL_MSI vm=td dest=0 delivery_mode=FIXED vector=49 trigger_mode=EDGE level=1',
    );
    expect(why(t, 'KVM_SIGNAL_MSI')).toEqual([]);
  });

  test('is never later than the event, and is the same when it is asked again', () => {
    fc.assert(
      fc.property(moves, fc.nat(), (list, pick) => {
        const t = play([...boots, ...list]);
        const moment = 1 + (pick % t.last);
        t.past.show(moment);
        const n = t.past.machine.trace.count - 1;
        const once = causesOf(t.past, moment, n);
        for (const cause of once.causes) expect(cause.moment).toBeLessThanOrEqual(moment);
        expect(causesOf(t.past, moment, n)).toEqual(once);
      }),
      { numRuns: 25 },
    );
  });
});
