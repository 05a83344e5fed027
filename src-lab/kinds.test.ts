import { describe, expect, test } from 'vitest';
import { SIM_VERSION } from '../src-sim';
import { checkLab } from './check';
import { markOf } from './gradebook';
import { printIssue } from './issue';
import { loadLab } from './lab';
import { keyOf } from './session';
import { labView, Shown } from './show';
import { KINDS_FACTS, KINDS_FILES, KINDS_GUIDE, KINDS_LAB, kindsLab } from './testing/kinds';
import { act, answer, goto, hint, INIT, jump, Learner, reset, run, SESSION, SIPI } from './testing/play';
import { entryLine, headerLine, transcriptFile } from './transcript';
import type { Input } from './input';
import type { Block, Comparison } from './view';

const lab = kindsLab();
const learner = () => new Learner(lab);
const atWrite = (of = lab) => new Learner(of).does(goto('write'));
const look = (at: 'a' | 'b'): Input => ({ kind: 'look', at });
const arrange = (checkpoint: string): Input => ({ kind: 'arrange', checkpoint });
const step = (thread: string): Input => ({ kind: 'step', thread });
const text = (blocks: readonly Block[]): string => JSON.stringify(blocks);
const compared = (l: Learner): Comparison => new Shown(l).view().machine.compare!;
const MSI = act('vmm KVM_SIGNAL_MSI vm=td dest=1 delivery_mode=FIXED vector=49');
const START = [
  'vmm KVM_SIGNAL_MSI vm=vmx dest=1 delivery_mode=INIT',
  'vmm KVM_SIGNAL_MSI vm=vmx dest=1 delivery_mode=STARTUP vector=16',
  'vmm KVM_RUN vm=vmx vcpu=1',
];
/** Issues that a check of the lab prints after a change of its lab.yaml. */
function issuesWith(from: string, to: string): string[] {
  expect(KINDS_LAB).toContain(from);
  const files = new Map(KINDS_FILES).set('lab.yaml', KINDS_LAB.replace(from, to));
  return checkLab(files, KINDS_FACTS).issues.map(printIssue);
}

test('the lab passes its own check', () => {
  const check = checkLab(KINDS_FILES, KINDS_FACTS);
  expect(check.issues.map(printIssue)).toEqual([]);
  expect(check).toMatchObject({ solutions: 1, wrong: 6 });
  // Other choices; one action less; the other claim; the schedule of nobody's choice.
  expect(check.mutants).toBe(2 + 3 + 1 + 1);
});

describe('switches of a step', () => {
  test('its machine is built with them, and back without them in the next', () => {
    const l = learner().does(goto('alone'));
    expect(l.shows('variant.apicv_v1')).toBe('1');
    expect(l.does(goto('write')).shows('variant.apicv_v1')).toBe('0');
  });

  test('a checkpoint with switches of its own shows its run on such a machine, and a reset leads back', () => {
    const l = learner().does(goto('alone'), answer('v2-again', '0'));
    expect(l.shows('variant.apicv_v1')).toBe('0');
    l.does(INIT('td'));
    expect(l.checkpoint('on-v1')).toMatchObject({ state: 'open', earned: 0 });
    expect(text(l.checkpoint('on-v1').verdict!.say)).toContain('Reset it to go on here');
    l.does(reset, INIT('td'));
    expect(l.shows('variant.apicv_v1')).toBe('1');
    expect(l.checkpoint('on-v1')).toMatchObject({ state: 'passed', earned: 2 });
  });

  test('need a setup', () => {
    expect(
      issuesWith('{ id: write, setup: parked }', '{ id: write, switches: { fred: true } }').join(),
    ).toContain('This step goes on with the machine of another. Machines are built with their switches');
  });
});

describe('actions that a step accepts', () => {
  test('only those that it offers', () => {
    const l = learner().does(goto('alone'));
    expect(l.refusal(act('vmm KVM_NMI vm=td vcpu=1'))).toBe(
      'vmm KVM_NMI is not to be used here, only vmm KVM_SIGNAL_MSI and vmm KVM_RUN.',
    );
    l.does(MSI);
  });

  test('none that it locks, by actor and verb or by a parameter', () => {
    const l = learner();
    expect(l.refusal(act('vmm KVM_SET_LAPIC vm=td vcpu=1'))).toBe(
      'vmm KVM_SET_LAPIC is not to be used here.',
    );
    expect(l.refusal(act('vmm KVM_SIGNAL_MSI vm=td dest=1 delivery_mode=SMI'))).toContain('not to be used');
    l.does(MSI);
  });

  test('are words that actions have, and the way of a checkpoint keeps to them', () => {
    expect(issuesWith('lock: [vmm KVM_SET_LAPIC,', 'lock: [vmm KVM_SET_LAPICS,').join()).toContain(
      'vmm has no action "KVM_SET_LAPICS". Did you mean "KVM_SET_LAPIC"',
    );
    expect(issuesWith('offer: [vmm KVM_SIGNAL_MSI, vmm KVM_RUN]', 'offer: [vmm KVM_RUN]').join()).toContain(
      'The step does not accept this: vmm KVM_SIGNAL_MSI is not to be used here, only vmm KVM_RUN.',
    );
  });
});

describe('a comparison', () => {
  test('does everything to both machines, and shows either', () => {
    const l = learner().does(INIT('td'));
    expect(l.shows('variant.apicv_v1')).toBe('0');
    expect(l.shows('td.vcpu1.apic.pending_events')).toBe('INIT');
    l.does(look('b'));
    expect(l.shows('variant.apicv_v1')).toBe('1');
    expect(l.shows('td.vcpu1.apic.pending_events')).toBe('INIT');
    expect(learner().does(goto('write')).refusal(look('b'))).toBe('There is only one machine here.');
  });

  test('names the machines with their switches', () => {
    const { viewed, variants } = compared(learner().does(look('b')));
    expect(viewed).toBe('b');
    expect(variants).toEqual([
      { id: 'a', label: 'v2, enforced', switches: [] },
      { id: 'b', label: 'v1, inhibited', switches: ['apicv_v1', 'emca'] },
    ]);
  });

  test('tells what differs before anything is done, then the first event and the first state that differ', () => {
    const l = learner().does(MSI);
    const { before, event, state } = compared(l).differences;
    expect(before).toContainEqual({ path: 'td.apicv_inhibit_reasons', a: '', b: 'TDX' });
    expect({ event, state }).toEqual({ event: null, state: null });

    // With eMCA the machine check arrives as an SMI.
    const emca = kindsLab((source) => source.replace('{ apicv_v1: true, emca: true } }', '{ emca: true } }'));
    const other = new Learner(emca);
    expect(compared(other).differences).toEqual({ before: [], event: null, state: null, now: [] });
    other.does(MSI, act('host MCE vm=td vcpu=1'));
    const { differences } = compared(other);
    const { trace } = other.timeline.machine;
    expect(differences.event!.a).not.toEqual(differences.event!.b);
    for (const at of [differences.event!.a!])
      expect(trace.event(at.n)).toMatchObject({ name: at.name, text: at.text });
    const first = differences.state!;
    const field = first.fields[0]!;
    expect(field.a).not.toBe(field.b);
    other.does(jump(first.a));
    expect(other.shows(field.path)).toBe(field.a);
    other.does(jump(first.a - 1));
    expect(compared(other).differences).toMatchObject({ state: null, now: [] });
    other.does(look('b'), jump(first.b));
    expect(other.shows(field.path)).toBe(field.b);
    expect(compared(other).differences.state).toEqual(first);
  });

  test('a jump back and something else instead takes both machines to the same place', () => {
    const l = learner();
    const from = l.timeline.moment;
    l.does(MSI, INIT('td'), jump(from), INIT('td'));
    const alone = learner().does(INIT('td'));
    expect(l.timeline.machine.hash()).toBe(alone.timeline.machine.hash());
    l.does(look('b'));
    alone.does(look('b'));
    expect(l.timeline.machine.hash()).toBe(alone.timeline.machine.hash());
    expect(compared(l).differences).toEqual(compared(alone).differences);
  });

  test('goals and predictions are about the machine that they name', () => {
    expect(keyOf(lab.checkpoints[0]!).answer).toBe('1');
    const onA = kindsLab((source) => source.replace('    on: b\n    observe', '    on: a\n    observe'));
    expect(keyOf(onA.checkpoints[0]!).answer).toBe('0');
    const l = learner().does(INIT('td'));
    expect(l.checkpoint('latched')).toMatchObject({ state: 'passed', earned: 2 });
    const differ = kindsLab((source) =>
      source.replace(
        'condition: { path: td.vcpu1.apic.pending_events, is: INIT }\n        on: b',
        'condition: { path: variant.apicv_v1, is: 0 }\n        on: b',
      ),
    );
    expect(new Learner(differ).does(INIT('td')).checkpoint('latched').state).toBe('open');
  });

  test('a machine is named only where two are compared', () => {
    expect(issuesWith('    switches: {}\n', '    on: b\n').join()).toContain(
      'There is only one machine here.',
    );
  });
});

describe('a sequence of actions', () => {
  test('that reaches the goals passes, and is performed for all to see', () => {
    const l = atWrite().does(answer('start', START));
    expect(l.checkpoint('start')).toMatchObject({ state: 'passed', earned: 5, answer: START });
    expect(l.shows('vmx.vcpu1.mp_state')).toBe('RUNNABLE');
  });

  test('that reaches some goals earns their points, less what wrong attempts cost, and the best counts', () => {
    const l = atWrite().does(answer('start', ['vmm KVM_SET_MP_STATE vm=vmx vcpu=1 mp_state=RUNNABLE']));
    expect(l.checkpoint('start')).toMatchObject({ state: 'failed', earned: 0 });
    const forced = ['vmm signal vm=vmx vcpu=1', 'vmm KVM_SET_MP_STATE vm=vmx vcpu=1 mp_state=RUNNABLE'];
    const other = atWrite().does(answer('start', forced));
    expect(other.checkpoint('start')).toMatchObject({ state: 'failed', earned: 1 });
    expect(other.checkpoint('start').verdict).toMatchObject({ points: 1, misconception: 'forces-the-state' });
    expect(other.does(answer('start', START)).checkpoint('start')).toMatchObject({
      state: 'passed',
      earned: 4,
    });
  });

  test('that is wrong shows each goal with the moment where it went wrong, on the machine', () => {
    const l = atWrite().does(answer('start', [START[1]!]));
    const { findings, misconception } = l.checkpoint('start').verdict!;
    expect(misconception).toBe('one-message');
    expect(findings.map(({ holds }) => holds)).toEqual([false, false]);
    expect(findings[0]).toMatchObject({
      expected: 'vmx.vcpu1.mp_state is RUNNABLE',
      observed: 'UNINITIALIZED',
    });
    expect(l.timeline.machine.trace.event(l.timeline.machine.trace.count - 1).moment).toBeGreaterThan(0);
  });

  test('that cannot be read, or breaks a constraint, is refused with its line and costs nothing', () => {
    const l = atWrite();
    const refusal = (...lines: string[]) => l.refusal(answer('start', lines));
    expect(refusal(START[0]!, 'vmm KVM_RUNS vm=vmx vcpu=1')).toContain(
      'Line 2: vmm has no action "KVM_RUNS". Did you mean "KVM_RUN"',
    );
    expect(refusal('vmm KVM_RUN vm=vmy vcpu=1')).toContain('Line 1: The platform has no VM "vmy".');
    expect(refusal('vmm KVM_SET_SREGS vm=vmx vcpu=1')).toBe(
      'Line 1: vmm KVM_SET_SREGS is not to be used here.',
    );
    expect(refusal(...START, ...START)).toBe('These are 6 actions, and at most 4 may be used.');
    expect(refusal()).toBe('Write at least one action.');
    expect(l.refusal(answer('start', 'vmm'))).toContain('as commands');
    expect(l.checkpoint('start').attempts).toBe(0);
  });

  test('the check finds goals that hold already, a way that leads nowhere, points that do not add up', () => {
    expect(
      issuesWith(
        'condition: { event: sipi_delivered }',
        'condition: { absent: { event: sipi_ignored } }',
      ).join(),
    ).toContain('Goal 2 of "start" holds before anything is done, and earns points.');
    expect(
      issuesWith(
        'STARTUP, vector: 16 }\n      - { vmm: KVM_RUN',
        'SMI, vector: 16 }\n      - { vmm: KVM_RUN',
      ).join(),
    ).toContain('The way of "start" does not reach its goals.');
    expect(issuesWith('points: 4\n    max', 'points: 3\n    max').join()).toContain(
      'The goals are worth 4 points, the checkpoint 5.',
    );
  });

  test('the check finds an action of the solution that is not needed', () => {
    const files = new Map(KINDS_FILES);
    files.set(
      'solution.yaml',
      KINDS_FILES.get('solution.yaml')!.replace(
        '    is:\n',
        '    is:\n      - guest IF vm=vmx vcpu=0 enabled=true\n',
      ),
    );
    expect(checkLab(files, KINDS_FACTS).issues.map(printIssue).join()).toContain(
      '"start" is passed as well by the answer',
    );
  });
});

describe('a schedule', () => {
  test('that reaches the goal passes; steps of one thread can be counted', () => {
    const l = atWrite().does(answer('in-between', ['vmx.vcpu1 x6', 'vmm', 'vmm x5']));
    expect(l.checkpoint('in-between')).toMatchObject({ state: 'passed', earned: 3 });
    const { trace } = l.timeline.machine;
    expect(trace.event(trace.count - 1).name).toBe('init_latched');
  });

  test('that misses the goal does not, nor does the claim that there is none', () => {
    const l = atWrite().does(answer('in-between', ['vmm x6', 'vmx.vcpu1 x6']));
    expect(l.checkpoint('in-between').verdict).toMatchObject({ passed: false, misconception: null });
    l.does(answer('in-between', 'cannot'));
    expect(l.checkpoint('in-between').verdict).toMatchObject({ misconception: 'order-decides' });
  });

  test('that there is none is confirmed by all states, and their number is told', () => {
    expect(atWrite().does(answer('never', 'cannot')).checkpoint('never')).toMatchObject({ state: 'passed' });
    const l = atWrite().does(...[1, 2, 3].map((n) => answer('never', [`vmm x${n}`])));
    expect(l.checkpoint('never')).toMatchObject({ state: 'revealed', earned: 0, answer: 'cannot' });
    expect(text(l.checkpoint('never').verdict!.say)).toMatch(
      /It cannot happen: \d+ states were visited, all there are/,
    );
  });

  test('is refused where a thread cannot step, and costs nothing', () => {
    const l = atWrite();
    const refusal = (...picks: string[]) => l.refusal(answer('in-between', picks));
    expect(refusal('vmx.vcpu1 x6', 'vmm x500')).toMatch(/^These are 506 steps, and at most 400/);
    expect(refusal('vmx.vcpu1 x6', 'vmx.vcpu1')).toBe('Step 7: vmx.vcpu1 cannot step there.');
    expect(refusal('vmn')).toContain('There is no thread "vmn". Did you mean "vmm"?');
    expect(refusal()).toBe('Let at least one thread step.');
    expect(l.checkpoint('in-between').attempts).toBe(0);
  });

  test('can be tried on the machine: its choices are noted until something else is done', () => {
    const l = atWrite();
    expect(l.progress().arranged).toBeNull();
    l.does(arrange('in-between'), step('vmx.vcpu1'), step('vmm'));
    expect(l.progress().arranged).toEqual({
      checkpoint: 'in-between',
      picks: ['vmx.vcpu1', 'vmm'],
      holds: false,
    });
    l.does(jump(l.timeline.moment - 1));
    expect(l.progress().arranged).toMatchObject({ picks: ['vmx.vcpu1'] });
    l.does(
      ...Array.from({ length: 5 }, () => step('vmx.vcpu1')),
      ...Array.from({ length: 6 }, () => step('vmm')),
    );
    expect(l.progress().arranged).toMatchObject({ holds: true });
    l.does(run);
    expect(l.progress().arranged).toMatchObject({ holds: true });
    l.does(SIPI('vmx'));
    expect(l.progress().arranged).toBeNull();
    expect(l.refusal(arrange('start'))).toBe('There is nothing to arrange for this checkpoint.');
  });

  test('the check finds a search that is too long, and a goal that holds at once', () => {
    expect(
      issuesWith(
        'condition: { event: sipi_ignored }\n',
        'condition: { event: sipi_ignored }\n    budget: 100\n',
      ).join(),
    ).toContain('not known: 100 states were visited, and there are more');
    expect(
      issuesWith(
        'condition: { event: sipi_ignored }\n',
        'condition: { path: vmx.vcpu1.mp_state, is: UNINITIALIZED }\n',
      ).join(),
    ).toContain('The goal of "never" holds before anything steps.');
  });
});

describe('an explanation', () => {
  test('is kept, earns nothing, and shows the model answer only then', () => {
    expect(JSON.stringify(labView(lab))).not.toMatch(/looked at first|Names the latch/);
    const l = atWrite();
    expect(l.refusal(answer('why', 'short'))).toBe('Write at least 10 characters; these are 5.');
    expect(l.refusal(answer('why', ['a', 'b']))).toBe('Write a text, not a sequence.');
    l.does(answer('why', 'Because of the latch.'));
    expect(l.checkpoint('why')).toMatchObject({
      state: 'passed',
      earned: 0,
      answer: 'Because of the latch.',
    });
    expect(text(l.checkpoint('why').verdict!.say)).toContain('looked at first');
    expect(l.refusal(answer('why', 'Because of something else.'))).toContain('settled');
    expect(l.refusal(hint('why'))).toBe('All hints of this checkpoint are open.');
  });
});

test('a gradebook holds what was written, and what to look for in it', () => {
  const head = {
    lab: lab.id,
    labHash: lab.contentHash,
    simVersion: SIM_VERSION,
    session: SESSION,
    started: 0,
  };
  const header = headerLine(head);
  const lines: string[] = [];
  for (const input of [goto('write'), answer('why', 'Because of the latch.')])
    lines.push(entryLine(lines.at(-1) ?? header, { n: lines.length + 1, at: 0, input }));
  const mark = markOf(transcriptFile(header, lines), () => lab);
  expect(mark.ok && mark.checkpoints.at(-1)).toMatchObject({
    id: 'why',
    points: 0,
    written: { text: 'Because of the latch.', rubric: ['Names the latch'] },
  });
  expect(mark.ok && mark.checkpoints.filter((checkpoint) => 'written' in checkpoint)).toHaveLength(1);
});

describe('an order', () => {
  const ORDER = `  - id: sorted
    step: write
    kind: order
    title: Sort
    ask: Sort.
    partial: true
    run:
      - { vmm: KVM_SIGNAL_MSI, vm: vmx, dest: 1, delivery_mode: INIT }
    items:
      - { id: latched, label: Latched, event: { event: init_latched } }
      - { id: again, label: Reset, event: { event: vcpu_reset } }
      - { id: sleeps, label: Sleeps, event: { event: sipi_ignored } }
      - { id: returns, label: Returns, event: { event: kvm_userspace_exit } }
    points: 6
    hints: *hints
    facts: [INIT-3]
`;
  const load = loadLab(
    new Map([
      ['lab.yaml', KINDS_LAB + ORDER],
      ['guide.md', `${KINDS_GUIDE}\n::checkpoint{id=sorted}\n`],
    ]),
  );
  if (!load.ok) throw new Error(JSON.stringify(load.issues));
  const earned = (...given: string[]) =>
    new Learner(load.lab).does(goto('write'), answer('sorted', given)).checkpoint('sorted').earned;

  test('that is partly right earns part of the points where the lab says so', () => {
    expect(keyOf(load.lab.checkpoints.at(-1)!).answer).toEqual(['latched', 'again', 'returns']);
    expect(earned('latched', 'again', 'returns')).toBe(6);
    expect(earned('latched', 'returns')).toBe(4);
    expect(earned('again', 'latched', 'returns')).toBe(4);
    expect(earned('latched', 'sleeps', 'returns')).toBe(2); // what never happens counts against it
    expect(earned('returns', 'again', 'latched')).toBe(2);
    expect(earned('sleeps')).toBe(0);
    expect(earned('latched', 'again', 'sleeps', 'returns')).toBe(4);
  });
});
