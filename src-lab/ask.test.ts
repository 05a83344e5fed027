import { describe, expect, test } from 'vitest';
import type { Stop } from '../src-sim/scenario/condition-schema';
import { answer as found } from './ask';
import { replay } from './grade';
import { Input } from './input';
import { Found, type Question } from './question';
import { headerLine, entryLine, parseTranscript, transcriptFile } from './transcript';
import { act, answer, goto, INIT, jump, Learner, run, SESSION } from './testing/play';
import { tinyLab } from './testing/tiny';

const lab = tinyLab();
const latched: Stop = { event: { event: 'init_latched' } };
const pending: Stop = { changes: 'td.vcpu1.apic.pending_events' };
const withStops = (input: Input, ...stops: Stop[]): Input => ({ ...input, stops }) as Input;
/** In the step with running machines. */
const there = (): Learner => new Learner(lab).does(answer('mp-state', '-EINVAL'), goto('ipi'));
const ask = <A extends Question['ask']>(learner: Learner, question: Question & { ask: A }) =>
  Found.parse(found(learner, question)) as Extract<Found, { ask: A }>;

describe('a run with stops', () => {
  test('halts at the first moment at which one is hit, and says which, why and by whom', () => {
    const learner = there();
    const applied = learner.apply(withStops(INIT('td'), { event: { event: 'nowhere' } }, latched, pending));
    expect(applied).toMatchObject({
      accepted: true,
      halted: {
        stops: [1, 2],
        moment: learner.timeline.moment,
        say: expect.stringMatching(
          /^Moment \d+: init_latched happened, and td.vcpu1.apic.pending_events changed from none to INIT, by vmm in \w+\.$/,
        ),
      },
    });
    expect(learner.timeline.machine.nextThread()).toBeGreaterThanOrEqual(0);
    expect(learner.apply(run)).toMatchObject({ accepted: true, halted: null });
    expect(learner.timeline.machine.nextThread()).toBe(-1);
  });

  test('ends where it would have ended without them when none is hit', () => {
    const [one, other] = [there(), there()];
    one.does(INIT('td'));
    expect(other.apply(withStops(INIT('td'), { changes: 'no.such.path' }))).toMatchObject({ halted: null });
    expect(other.timeline.machine.hash()).toBe(one.timeline.machine.hash());
  });

  test('is the same again when its transcript is replayed', () => {
    const learner = there();
    const head = { lab: lab.id, labHash: lab.contentHash, simVersion: '1', session: SESSION, started: 0 };
    const inputs = [
      answer('mp-state', '-EINVAL'),
      goto('ipi'),
      withStops(INIT('td'), latched),
      withStops(run, { becomes: { path: 'td.vcpu1.apic.pending_events', is: 'INIT' } }),
    ];
    learner.does(...inputs.slice(2));
    const header = headerLine(head);
    const lines: string[] = [];
    inputs.forEach((input, i) => lines.push(entryLine(lines.at(-1) ?? header, { n: i + 1, at: i, input })));
    const read = parseTranscript(transcriptFile(header, lines));
    if (!read.ok) throw new Error(read.fault.message);
    const again = replay(lab, SESSION, read.transcript.entries);
    if (!again.ok) throw new Error(again.refused);
    expect(again.session.timeline.machine.hash()).toBe(learner.timeline.machine.hash());
  });

  test('may be the steps of one thread, of which no more is taken after a hit', () => {
    const [learner, other] = [there(), there()];
    for (const one of [learner, other]) one.does({ ...INIT('td'), hold: true } as Input);
    const from = learner.timeline.moment;
    const step = { kind: 'step', thread: 'vmm', times: 500 } as const;
    expect(learner.apply(withStops(step, latched))).toMatchObject({
      halted: { stops: [0], moment: learner.timeline.moment },
    });
    expect(learner.deeds.at(-1)).toMatchObject({ cut: true, to: [learner.timeline.moment] });
    expect(other.apply(step)).toMatchObject({ halted: null });
    expect(other.timeline.last).toBeGreaterThan(learner.timeline.last);
    expect(other.timeline.stepsSince(from)?.slice(0, learner.timeline.last - from)).toEqual(
      learner.timeline.stepsSince(from),
    );
  });

  test('has at least one, and they are of one moment each', () => {
    expect(Input.safeParse({ kind: 'run', stops: [] }).success).toBe(false);
    expect(Input.safeParse({ kind: 'run', stops: [{ becomes: { event: 'kvm_exit' } }] }).success).toBe(false);
    expect(Input.parse({ kind: 'run' })).toEqual({ kind: 'run' });
  });
});

describe('questions', () => {
  test('the last hit up to a moment and the next one after it, with nothing of the session changed', () => {
    const learner = there().does(INIT('td'), act('vmm KVM_GET_MP_STATE vm=td vcpu=1'));
    const { moment, last } = learner.timeline;
    const { hit } = ask(learner, { ask: 'hit', stops: [latched, pending], from: last, back: true });
    expect(hit).toMatchObject({ stops: [0, 1], by: expect.stringMatching(/^vmm in /) });
    const after = ask(learner, { ask: 'hit', stops: [pending], from: hit!.moment, back: false });
    expect(after.hit).toBeNull();
    const again = ask(learner, { ask: 'hit', stops: [pending], from: hit!.moment - 1, back: false });
    expect(again.hit?.moment).toBe(hit!.moment);
    expect(learner.timeline.moment).toBe(moment);
  });

  test('every hit is a mark; those after a moment can be asked for alone', () => {
    const learner = there().does(INIT('td'));
    const first = ask(learner, {
      ask: 'marks',
      stops: [latched, { event: { event: 'init_blocked' } }],
      from: 0,
    });
    expect(first.more).toBe(false);
    expect(first.marks.map(([, stop]) => stop)).toContain(0);
    const { last } = learner.timeline;
    learner.does(INIT('td'), jump(0));
    const all = ask(learner, {
      ask: 'marks',
      stops: [latched, { event: { event: 'init_blocked' } }],
      from: 0,
    });
    const rest = ask(learner, {
      ask: 'marks',
      stops: [latched, { event: { event: 'init_blocked' } }],
      from: last,
    });
    expect([...first.marks, ...rest.marks]).toEqual(all.marks);
  });

  test('a stop of another machine is told with the names that look most like it; a watch says whether it holds', () => {
    const learner = there();
    const { stops, watches } = ask(learner, {
      ask: 'standing',
      stops: [latched, { changes: 'td.vcpu9.mp_state' }, { event: { event: 'kvm_exi' } }],
      watches: [
        { path: 'td.vcpu1.mp_state', is: 'RUNNABLE' },
        { path: 'td.vcpu1.mp_state', is: 'HALTED' },
        { path: 'td.vcpu1.mp_stat', is: 0 },
        { path: 'td.vcpu1.apic.pending_events[INIT]' },
        { path: 'td.vcpu1.apic.pending_events[NMI]' },
      ],
    });
    expect(stops[0]).toBeNull();
    expect(stops[1]).toMatchObject({
      word: 'td.vcpu9.mp_state',
      nearest: expect.arrayContaining(['td.vcpu0.mp_state']),
    });
    expect(stops[2]).toMatchObject({ nearest: expect.arrayContaining(['kvm_exit']) });
    expect(watches.map(({ value }) => value)).toEqual(['true', 'false', 'false', '0', '']);
    expect(watches[2]!.unknown?.nearest).toContain('td.vcpu1.mp_state');
    expect(watches[4]!.unknown?.nearest).toContain('td.vcpu1.apic.pending_events[INIT]');
  });
});
