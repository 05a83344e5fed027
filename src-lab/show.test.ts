import { describe, expect, test } from 'vitest';
import { Shown } from './show';
import { act, answer, goto, INIT, jump, Learner, reset, SIPI } from './testing/play';
import { tinyLab } from './testing/tiny';
import { eventView, MAX_EVENTS } from './trace';
import {
  InputReply,
  SessionView,
  type EventView,
  type MachineDelta,
  type MachineView,
  type TraceDelta,
} from './view';
import type { Input } from './input';

const lab = tinyLab();

/** A screen: it is told everything once, then applies what changed. */
class Screen {
  readonly learner = new Learner(lab);
  private readonly told = new Shown(this.learner);
  readonly first: SessionView = SessionView.parse(this.told.view());
  values: string[] = [...this.first.machine.values];
  /** What it was told of the trace and is still true; a gap where it was told nothing. */
  events: EventView[] = [];
  rows: number[] = [];
  actions: number[] = [];
  names: string[] = [];
  last: MachineDelta | MachineView = this.first.machine;

  constructor() {
    this.hears(this.first.machine.trace);
  }

  hears({ keep, known, from, count, events, rows, actions, names }: TraceDelta): void {
    this.events.length = Math.min(keep, this.events.length);
    for (const event of events) this.events[event.n] = event;
    this.rows = [...this.rows.filter((n) => n < keep), ...rows];
    this.actions = [...this.actions.slice(0, actions.keep), ...actions.moments];
    this.names = [...(keep === 0 ? [] : this.names), ...names];
    this.at = { known, from, count };
  }
  at = { known: 0, from: 0, count: 0 };

  does(...inputs: Input[]): this {
    for (const input of inputs) {
      const { machine } = InputReply.parse(this.told.reply(this.learner.apply(input)));
      for (const [index, value] of machine.changed) this.values[index] = value;
      this.hears(machine.trace);
      this.last = machine;
    }
    return this;
  }

  /** What a screen would show that were told everything now. */
  truth(): MachineView {
    return new Shown(this.learner).view().machine;
  }
  /** Expects that it knows the trace as it is, and has at hand what belongs to the moment shown. */
  knowsTheTrace(): void {
    const { trace } = this.learner.timeline.machine;
    const truth = this.truth().trace;
    const { known, from, count } = this.at;
    expect([known, count]).toEqual([trace.known, trace.count]);
    for (let n = from; n < count; n++) expect(this.events[n]).toEqual(eventView(trace, n));
    expect(from).toBeLessThanOrEqual(truth.lastAction);
    expect(this.rows).toEqual([...truth.rows]);
    expect(this.actions).toEqual([...truth.actions.moments]);
    expect(this.names).toEqual(expect.arrayContaining(truth.names));
  }
}

describe('what the screen is told', () => {
  test('of a parameter, whether it may be left out, with a default or without', () => {
    const { params } = new Screen().first.actions.find(({ verb }) => verb === 'KVM_RUN')!;
    const of = (name: string): unknown => {
      const { required, default: value } = params.find((param) => param.name === name)!;
      return { required, value };
    };
    expect(of('vcpu')).toEqual({ required: true, value: null });
    expect(of('immediate_exit')).toEqual({ required: false, value: '0' });
    expect(of('sync_regs')).toEqual({ required: false, value: null });
  });

  test('a view has every field with its documentation, every action, and no answer', () => {
    const { first } = new Screen();
    const { paths, kinds, kindOf } = first.machine.fields;
    expect(paths).toHaveLength(first.machine.values.length);
    const kindAt = (path: string) => kinds[kindOf[paths.indexOf(path)]!];
    expect(kindAt('td.vcpu0.mp_state'), 'told once').toBe(kindAt('td.vcpu1.mp_state'));
    const pathless = { ...first.machine.fields, kindOf: kindOf.with(0, kinds.length) };
    expect(SessionView.safeParse(first).success).toBe(true);
    expect(SessionView.safeParse({ ...first, machine: { ...first.machine, fields: pathless } }).success).toBe(
      false,
    );
    expect(kindAt('td.vcpu1.mp_state')).toMatchObject({
      kind: 'name',
      names: expect.arrayContaining(['RUNNABLE', 'INIT_RECEIVED']) as unknown,
    });
    expect(first.vms).toEqual([
      { name: 'td', vcpus: 2 },
      { name: 'vmx', vcpus: 2 },
    ]);
    const msi = first.actions.find(({ verb }) => verb === 'KVM_SIGNAL_MSI')!;
    expect(msi.params.map(({ name, type, default: value }) => [name, type, value])).toEqual([
      ['vm', 'vm', null],
      ['dest', 'integer', null],
      ['dest_mode', 'choice', null],
      ['delivery_mode', 'choice', null],
      ['vector', 'integer', '0'],
      ['trigger_mode', 'choice', 'EDGE'],
      ['level', 'integer', '1'],
    ]);
    const order = first.lab.checkpoints.find(({ id }) => id === 'order-td')!;
    expect(order.runs).toEqual([
      'vmm KVM_SIGNAL_MSI vm=td dest=1 delivery_mode=INIT vector=0 trigger_mode=EDGE level=1',
    ]);
    const { form } = order;
    expect(form.type === 'order' && form.items.map(({ id }) => id)).not.toEqual([
      'latched',
      'blocked',
      'entered',
      'reset',
    ]);
    expect(first.lab.checkpoints.find(({ id }) => id === 'start-ap')!.runs).toEqual([]);
  });

  test('deltas add up to the machine, over actions, jumps, branches, resets and new situations', () => {
    const screen = new Screen();
    const steps: Input[] = [
      act('vmm KVM_GET_LAPIC vm=td vcpu=0'),
      answer('mp-state', '-EINVAL'),
      goto('ipi'),
      INIT('td'),
      jump(20),
      jump(300),
      INIT('vmx'),
      jump(280),
      SIPI('vmx'),
      reset,
      act('vmm KVM_SIGNAL_MSI vm=td dest=1 delivery_mode=INIT', true),
      { kind: 'step', thread: 'vmm' },
      goto('rest'),
      answer('latch', 'give-up'),
    ];
    for (const input of steps) {
      screen.does(input);
      expect(screen.values).toEqual(screen.truth().values);
      screen.knowsTheTrace();
      expect(screen.last.moment).toBe(screen.learner.timeline.moment);
    }
  });

  test('a delta sends only what changed', () => {
    const screen = new Screen().does(answer('mp-state', '-EINVAL'), goto('ipi'));
    const before = screen.at.known;
    screen.does(INIT('td'));
    const delta = screen.last as MachineDelta;
    expect(delta.trace.keep).toBe(before);
    expect(delta.trace.events[0]!.n).toBe(before);
    const { last } = screen.learner.timeline;
    for (const moment of [last - 3, last - 2, last - 3]) screen.does(jump(moment));
    expect(screen.last.trace).toMatchObject({ keep: screen.at.known, events: [], names: [] });
    expect([screen.last.trace.rows.length, screen.last.trace.actions.moments.length]).toEqual([0, 0]);
    expect(delta.changed.length).toBeLessThan(40);
  });

  test('a delta that covers several inputs keeps no event of a line that was left', () => {
    const screen = new Screen().does(answer('mp-state', '-EINVAL'), goto('ipi'), INIT('td'));
    const before = screen.learner.timeline.moment;
    screen.learner.does(jump(before - 30), SIPI('vmx'));
    screen.does(INIT('vmx'));
    screen.knowsTheTrace();
  });

  test('a refused input says why and changes nothing', () => {
    const learner = new Learner(lab);
    const shown = new Shown(learner);
    shown.view();
    const reply = shown.reply(learner.apply(goto('rest')));
    expect(reply).toMatchObject({
      accepted: false,
      inputs: 0,
      machine: { changed: [], trace: { events: [] } },
    });
    expect(reply.refused).toContain('opens when');
  });

  test('an outcome is told as userspace sees it', () => {
    const screen = new Screen().does(act('vmm KVM_SET_MP_STATE vm=td vcpu=1 mp_state=INIT_RECEIVED'));
    expect(screen.last.outcome).toMatchObject({
      command: 'vmm KVM_SET_MP_STATE vm=td vcpu=1 mp_state=INIT_RECEIVED',
      kind: 'returned',
      value: '-EINVAL',
    });
  });

  test('no more than the last events are sent at once', () => {
    const screen = new Screen().does(answer('mp-state', '-EINVAL'), goto('ipi'));
    for (let i = 0; i < 150; i++) screen.learner.apply(INIT('td'));
    const { count } = screen.learner.timeline.machine.trace;
    expect(count).toBeGreaterThan(MAX_EVENTS);
    screen.does(INIT('td'));
    const { events } = screen.last.trace;
    expect(events).toHaveLength(MAX_EVENTS);
    expect(events.at(-1)!.n).toBe(screen.learner.timeline.machine.trace.count - 1);
    expect(events[0]!.n).toBe(events.at(-1)!.n - MAX_EVENTS + 1);
  });
});
