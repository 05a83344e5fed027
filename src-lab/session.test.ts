import { describe, expect, test } from 'vitest';
import { MACHINE_LIMITS } from './machines';
import { GIVE_UP, keyOf } from './session';
import { act, answer, goto, hint, INIT, jump, Learner, reset, run, SIPI } from './testing/play';
import { tinyLab } from './testing/tiny';
import { MAX_INPUTS } from './transcript';
import type { Block } from './view';

const lab = tinyLab();
const learner = () => new Learner(lab);
/** A learner at the second step, its gate passed with full marks. */
const atIpi = (of = lab) => new Learner(of).does(answer('mp-state', '-EINVAL'), goto('ipi'));
const right = ['latched', 'blocked', 'entered'];
const KVM_RUN = act('vmm KVM_RUN vm=vmx vcpu=1');
const text = (blocks: readonly Block[]): string => JSON.stringify(blocks);

describe('a prediction', () => {
  test('is graded by what the machine answers', () => {
    expect(keyOf(lab.checkpoints[0]!)).toMatchObject({ answer: '-EINVAL', words: 'It is refused' });
    const { state, earned, verdict } = learner().does(answer('mp-state', '-EINVAL')).checkpoint('mp-state');
    expect({ state, earned }).toEqual({ state: 'passed', earned: 4 });
    expect(verdict).toMatchObject({ passed: true, points: 4, misconception: null });
  });

  test('is run on the machine of the learner once it is settled, not before', () => {
    const l = learner();
    const before = l.timeline.last;
    l.does(answer('mp-state', '0'));
    expect(l.timeline.last).toBe(before);
    l.does(answer('mp-state', '-EINVAL'));
    expect(l.shows('last.return')).toBe('-EINVAL');
    const { moment, event } = l.checkpoint('mp-state').verdict!.findings[0]!;
    expect(moment).toBeLessThanOrEqual(l.timeline.last);
    expect(event).toBeLessThan(l.timeline.machine.trace.count);
  });

  test('that a misconception explains is told so, and the machine does not give its answer away', () => {
    const l = learner().does(answer('mp-state', '0'));
    const { state, earned, verdict } = l.checkpoint('mp-state');
    expect({ state, earned }).toEqual({ state: 'failed', earned: 0 });
    expect(verdict).toMatchObject({ passed: false, misconception: 'says-yes' });
    expect(text(verdict!.say)).toContain('refuses');
    expect(verdict!.findings).toEqual([
      { expected: '0', observed: null, moment: null, event: null, holds: false },
    ]);
    expect(text(verdict!.say)).toContain('2 more attempts before the answer is shown.');
    expect(JSON.stringify(l.progress())).not.toContain('EINVAL');
  });

  test('loses points for wrong attempts and for hints opened before, not for hints opened after', () => {
    const l = learner().does(answer('mp-state', '1'), hint('mp-state'), answer('mp-state', '-EINVAL'));
    expect(l.checkpoint('mp-state')).toMatchObject({ earned: 2, attempts: 2 });
    expect(l.checkpoint('mp-state').verdict).toMatchObject({ points: 3 });
    l.does(hint('mp-state'), hint('mp-state'));
    expect(l.checkpoint('mp-state').earned).toBe(2);
    expect(l.checkpoint('mp-state').hints).toHaveLength(3);
    expect(l.refusal(hint('mp-state'))).toBe('All hints of this checkpoint are open.');
  });

  test('is shown after as many wrong attempts as the policy says, earns nothing from then on, and opens the gate', () => {
    const l = learner().does(...['0', '1', '0'].map((value) => answer('mp-state', value)));
    const { state, earned, answer: shown, verdict } = l.checkpoint('mp-state');
    expect({ state, earned, shown }).toEqual({ state: 'revealed', earned: 0, shown: '-EINVAL' });
    expect(verdict!.findings[0]).toMatchObject({ expected: '0', observed: 'It is refused', holds: false });
    expect(l.shows('last.return')).toBe('-EINVAL');
    expect(l.refusal(answer('mp-state', '-EINVAL'))).toContain('settled');
    expect(l.progress().reachable).toEqual(['ioctl', 'ipi', 'rest']);
  });

  test('that cannot be an answer is refused, and costs nothing', () => {
    const l = learner();
    expect(l.refusal(answer('mp-state', '7'))).toBe('"7" is none of the choices: 0, It is refused, 1.');
    expect(l.refusal(answer('mp-state', ['latched']))).toContain('one value');
    expect(l.inputs).toBe(0);
  });

  test('may be given again after passing where the last attempt counts, and may lose it', () => {
    const l = new Learner(tinyLab((yaml) => yaml.replace('retry: best', 'retry: last')));
    l.does(answer('mp-state', '-EINVAL'), answer('mp-state', '0'));
    expect(l.checkpoint('mp-state')).toMatchObject({ state: 'failed', earned: 0 });
    expect(l.does(answer('mp-state', '-EINVAL')).checkpoint('mp-state').earned).toBe(3);
    // A hint that was opened after passing stays free.
    expect(l.does(hint('mp-state'), answer('mp-state', '-EINVAL')).checkpoint('mp-state').earned).toBe(3);
  });

  test('is shown at once where the first attempt counts', () => {
    const l = new Learner(tinyLab((yaml) => yaml.replace('retry: best', 'retry: first')));
    expect(l.does(answer('mp-state', '0')).checkpoint('mp-state')).toMatchObject({
      state: 'revealed',
      earned: 0,
    });
  });
});

describe('an order', () => {
  test('is the order in which the machine produced the events, without those it did not', () => {
    expect(atIpi().does(answer('order-td', right)).checkpoint('order-td')).toMatchObject({
      state: 'passed',
      earned: 3,
    });
    const wrong = atIpi().does(answer('order-td', ['blocked', 'latched', 'entered']));
    expect(wrong.checkpoint('order-td').state).toBe('failed');
    expect(wrong.does(answer('order-td', ['latched', 'blocked'])).checkpoint('order-td').state).toBe(
      'failed',
    );
  });

  test('with an event that never happens is told the misconception, in the words of the feedback', () => {
    const { verdict } = atIpi()
      .does(answer('order-td', [...right, 'reset']))
      .checkpoint('order-td');
    expect(verdict!.misconception).toBe('resets');
    expect(text(verdict!.say)).toContain('Nothing resets it.');
  });

  test('says from the second wrong attempt on how far it is right', () => {
    const l = atIpi();
    const observed = () => l.checkpoint('order-td').verdict!.findings[0]!.observed;
    l.does(answer('order-td', ['latched', 'entered', 'blocked']));
    expect(observed()).toBeNull();
    l.does(answer('order-td', ['latched', 'blocked']));
    expect(observed()).toBe('The first 2 are right.');
  });

  test('may be any among items that are declared unordered', () => {
    const loose = tinyLab((yaml) =>
      yaml.replace('    points: 3', '    unordered: [[latched, blocked]]\n    points: 3'),
    );
    const earned = (order: string[]) =>
      atIpi(loose).does(answer('order-td', order)).checkpoint('order-td').earned;
    expect(earned(['blocked', 'latched', 'entered'])).toBe(3);
    expect(earned(['blocked', 'entered', 'latched'])).toBe(0);
  });

  test('of unknown, repeated or no items is refused', () => {
    const l = atIpi();
    expect(l.refusal(answer('order-td', ['latchd']))).toBe(
      'There is no event "latchd" here. Did you mean "latched"?',
    );
    expect(l.refusal(answer('order-td', ['latched', 'latched']))).toContain('twice');
    expect(l.refusal(answer('order-td', []))).toContain('at least one');
    expect(l.refusal(answer('order-td', 'latched'))).toContain('in their order');
  });
});

describe('a state checkpoint', () => {
  test('passes by the input after which all goals hold, whatever the way', () => {
    const l = atIpi().does(INIT('vmx'), SIPI('vmx'));
    expect(l.checkpoint('start-ap').state).toBe('open');
    const applied = l.apply(KVM_RUN);
    expect(applied).toEqual({ accepted: true, settled: ['start-ap'], halted: null });
    expect(l.checkpoint('start-ap')).toMatchObject({ state: 'passed', earned: 5, attempts: 1 });
    const byGuest = atIpi().does(
      act('guest ICR vm=vmx vcpu=0 dest=1 delivery_mode=INIT'),
      act('guest ICR vm=vmx vcpu=0 dest=1 delivery_mode=STARTUP vector=32'),
      KVM_RUN,
    );
    expect(byGuest.checkpoint('start-ap').state).toBe('passed');
  });

  test('shows at every input which goals hold', () => {
    const l = atIpi();
    expect(l.checkpoint('start-ap').verdict).toBeNull();
    const holds = () => l.checkpoint('start-ap').verdict!.findings.map((finding) => finding.holds);
    l.does(INIT('vmx'));
    expect(holds()).toEqual([false, false]);
    expect(l.checkpoint('start-ap').verdict!.findings[0]!.observed).toContain('INIT_RECEIVED');
  });

  test('tells the misconception when an input makes its condition true', () => {
    const l = atIpi().does(SIPI('vmx'));
    expect(l.checkpoint('start-ap').verdict).toMatchObject({ passed: false, misconception: 'sipi-alone' });
    l.does(reset);
    expect(l.checkpoint('start-ap').verdict).toBeNull();
  });

  test('tells what an input made true, not what was true before it', () => {
    const two = tinyLab((yaml) =>
      yaml.replace(
        '- { when: { event: sipi_ignored }, misconception: sipi-alone }',
        '- { when: { event: init_blocked }, misconception: resets }\n      - { when: { event: sipi_ignored }, misconception: sipi-alone }',
      ),
    );
    const l = atIpi(two).does(INIT('td'));
    expect(l.checkpoint('start-ap').verdict!.misconception).toBe('resets');
    expect(l.does(SIPI('vmx')).checkpoint('start-ap').verdict!.misconception).toBe('sipi-alone');
  });

  test('is watched anew where the learner goes back to before its situation', () => {
    const steady = tinyLab((yaml) =>
      yaml.replace(
        '      - say: It is runnable',
        '      - say: So is the first\n        condition: { path: vmx.vcpu0.mp_state, is: RUNNABLE }\n      - say: It is runnable',
      ),
    );
    const l = atIpi(steady);
    l.does(jump(l.timeline.last - 1), INIT('vmx'), SIPI('vmx'), KVM_RUN);
    expect(l.checkpoint('start-ap').state).toBe('passed');
  });

  test('is watched only at its own step, and from its situation on', () => {
    const l = learner().does(
      answer('mp-state', '-EINVAL'),
      act('boot td vm=td'),
      INIT('td'),
      goto('ipi'),
      goto('rest'),
    );
    expect(l.checkpoint('latch').state).toBe('open');
  });

  test('is not passed by what the machine showed after a prediction: the learner must bring it about', () => {
    // The run of order-td latches an INIT, which is all that latch asks for.
    const l = atIpi(
      tinyLab(
        (yaml) => yaml.replace('step: rest\n    kind: state', 'step: ipi\n    kind: state'),
        (guide) =>
          guide
            .replace('::checkpoint{id=latch}', '')
            .replace('# The rest', '::checkpoint{id=latch}\n\n# The rest'),
      ),
    );
    l.does(answer('order-td', right), act('vmm KVM_GET_LAPIC vm=vmx vcpu=0'));
    expect(l.shows('td.vcpu1.apic.pending_events')).toBe('INIT');
    expect(l.checkpoint('latch')).toMatchObject({ state: 'open' });
    expect(text(l.checkpoint('latch').verdict!.say)).toContain('hold in this situation already');
    l.does(reset, INIT('td'));
    expect(l.checkpoint('latch').state).toBe('passed');
  });

  test('forgets what a line of history that was left had reached', () => {
    const l = atIpi();
    const begin = l.timeline.last;
    l.does(SIPI('vmx'), jump(begin), act('vmm KVM_GET_LAPIC vm=vmx vcpu=0'));
    expect(l.checkpoint('start-ap').verdict).toMatchObject({ misconception: null });
    // ...and remembers what the line that was kept had.
    const k = atIpi().does(INIT('vmx'), SIPI('vmx'));
    const kept = k.timeline.last;
    k.does(act('vmm KVM_GET_LAPIC vm=td vcpu=0'), jump(kept), KVM_RUN);
    expect(k.checkpoint('start-ap').state).toBe('passed');
  });

  test('can be given up: one way is performed, it earns nothing and is settled', () => {
    const l = atIpi().does(answer('start-ap', GIVE_UP));
    expect(l.checkpoint('start-ap')).toMatchObject({ state: 'revealed', earned: 0 });
    expect(l.shows('vmx.vcpu1.mp_state')).toBe('RUNNABLE');
    expect(l.refusal(answer('start-ap', GIVE_UP))).toContain('settled');
  });

  test('takes no other answer', () => {
    expect(atIpi().refusal(answer('start-ap', 'RUNNABLE'))).toContain('watches the machine');
  });
});

describe('the way through the lab', () => {
  test('a gate stays shut until its checkpoints are settled', () => {
    const l = learner();
    expect(l.progress().reachable).toEqual(['ioctl']);
    expect(l.refusal(goto('ipi'))).toBe(
      'The step "ipi" opens when the checkpoints of "The ioctl" are settled.',
    );
    expect(l.refusal(hint('latch'))).toContain('opens when');
    expect(l.refusal(answer('latch', GIVE_UP))).toContain('opens when');
  });

  test('a step with a setup begins in its situation at every visit, one without keeps the machine', () => {
    const l = atIpi();
    const situation = l.timeline.machine.hash();
    l.does(INIT('td'));
    const changed = l.timeline.machine.hash();
    expect(l.does(goto('rest')).timeline.machine.hash()).toBe(changed);
    expect(l.does(goto('ipi')).timeline.machine.hash()).toBe(situation);
  });

  test('reset returns to the situation of the step, or of the step whose machine it keeps', () => {
    const l = atIpi();
    const situation = l.timeline.machine.hash();
    l.does(goto('rest'), INIT('td'), reset);
    expect(l.timeline.machine.hash()).toBe(situation);
  });

  test('an answer is given at the step of its checkpoint', () => {
    const l = atIpi().does(goto('ioctl'));
    expect(l.refusal(answer('order-td', right))).toBe(
      'This checkpoint belongs to another step. Go to "ipi" first.',
    );
  });

  test('names that do not exist are refused with the nearest', () => {
    const l = learner();
    expect(l.refusal(goto('ioclt'))).toBe('There is no step "ioclt". Did you mean "ioctl"?');
    expect(l.refusal(answer('mp-stat', '0'))).toBe(
      'There is no checkpoint "mp-stat". Did you mean "mp-state"?',
    );
  });

  test('all checkpoints settled, the lab is complete and the score is their sum', () => {
    const l = atIpi().does(
      answer('order-td', right),
      answer('start-ap', GIVE_UP),
      goto('rest'),
      reset,
      INIT('td'),
    );
    expect(l.progress()).toMatchObject({ score: 4 + 3 + 0 + 2, points: 14, complete: true });
  });

  test('a session has a bounded number of inputs', () => {
    const l = learner();
    for (let i = 0; i < MAX_INPUTS; i++) l.does(jump(0));
    expect(l.refusal(jump(0))).toContain(`at most ${MAX_INPUTS} inputs`);
  });
});

describe('the machine', () => {
  test('takes single steps of a thread that can, and says why another cannot', () => {
    const l = atIpi().does(act('vmm KVM_SIGNAL_MSI vm=td dest=1 delivery_mode=INIT', true));
    const at = l.timeline.moment;
    l.does({ kind: 'step', thread: 'vmm' });
    expect(l.timeline.moment).toBe(at + 1);
    expect(l.refusal({ kind: 'step', thread: 'td.vcpu1' })).toBe(
      'td.vcpu1 cannot step: its guest has nothing to do.',
    );
    expect(l.refusal({ kind: 'step', thread: 'td.vcpu9' })).toContain(
      'There is no thread "td.vcpu9". Did you mean "td.vcpu',
    );
  });

  test('runs what was held to its end, and refuses to run when nothing can', () => {
    const l = atIpi().does(act('vmm KVM_SIGNAL_MSI vm=td dest=1 delivery_mode=INIT', true), run);
    expect(l.shows('td.vcpu1.apic.pending_events')).toBe('INIT');
    expect(l.refusal(run)).toBe('Nothing can step: every thread is idle or waits.');
  });

  test('shows the moments of its line, and no others', () => {
    const l = atIpi();
    const end = l.timeline.last;
    expect(l.does(jump(0)).shows('td.td_state')).toBe('UNINITIALIZED');
    expect(l.refusal(jump(end + 1))).toBe(`This line of history has moments 0 to ${end}.`);
    expect(l.does(jump(end)).shows('td.td_state')).toBe('RUNNABLE');
  });

  test('must be reset when it has too many lines of history, and goes on then', () => {
    const l = learner();
    const look = act('vmm KVM_GET_LAPIC vm=td vcpu=0');
    for (let lines = 0; lines < MACHINE_LIMITS.lines; lines++) l.does(look, jump(0));
    expect(l.refusal(look)).toBe('The history of this machine is full. Reset it to go on.');
    l.does(reset, look);
  });

  test('is looked at in other moments; what is done next begins where the last input ended', () => {
    const l = new Learner(lab);
    const { moment } = l.does(INIT('td')).timeline;
    expect([l.peek(3).accepted, l.peek(5).accepted, l.timeline.moment, l.inputs]).toEqual([true, true, 5, 1]);
    expect(l.peek(moment + 1)).toMatchObject({ accepted: false });
    l.does(INIT('td'));
    expect([l.timeline.history.length, l.inputs]).toEqual([1, 2]);
    expect(l.timeline.moment).toBeGreaterThan(moment);
  });

  test('must be reset when too much was done on it', () => {
    const l = learner();
    const boot = act('boot td vm=td vcpus=8');
    while (l.timeline.machine.actionsBegun < MACHINE_LIMITS.actions) l.does(boot);
    expect(l.refusal(boot)).toBe('The history of this machine is full. Reset it to go on.');
    const { last } = l.timeline;
    const hash = l.timeline.machine.hash();
    expect(l.does(jump(0), jump(last)).timeline.machine.hash()).toBe(hash);
    l.does(reset, boot);
  });
});
