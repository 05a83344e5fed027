import { describe, expect, test } from 'vitest';
import { NO_AIDS, type Aids } from '../../src-main/contract';
import { LabState, type Input } from '../lab/lab.svelte';
import { delta, event, reply, sessionView, thread, told } from '../testing';
import type { Found, Hit, Question } from './stops.svelte';

const hit = (moment: number): Hit => ({
  stops: [0],
  moment,
  event: moment - 1,
  by: 'vmm in f',
  say: `Moment ${moment}: it.`,
});
const onExit: Aids = { ...NO_AIDS, stops: [{ stop: { event: { event: 'kvm_exit' } }, on: true }] };

/** A lab at moment 50 of 100 whose hits are at `moments`. */
function desk(given: Aids, moments: readonly number[], enabled = false) {
  const view = sessionView();
  const events = Array.from({ length: 100 }, (_, n) => event(n));
  const machine = {
    ...view.machine,
    moment: 50,
    last: 100,
    trace: told(events),
    threads: [thread('vmm', { enabled })],
  };
  const asked: Question[] = [];
  const sent: Input[] = [];
  const said: string[] = [];
  let aids = given;
  const answer = (question: Question): Found => {
    asked.push(question);
    switch (question.ask) {
      case 'hit': {
        const { from, back } = question;
        const moment = back ? moments.findLast((m) => m <= from) : moments.find((m) => m > from);
        return { ask: 'hit', hit: moment === undefined ? null : hit(moment) };
      }
      case 'marks':
        return { ask: 'marks', marks: moments.filter((m) => m > question.from && m <= Math.max(100, question.from + 1)).map((m) => [m, 0]), more: false };
      case 'standing':
        return { ask: 'standing', stops: question.stops.map(() => null), watches: question.watches.map(() => ({ value: '1', unknown: null })) };
      case 'cause':
        return { ask: 'cause', causes: [{ kind: 'direct', moment: 7, event: 6, say: 'Because.' }], since: 3 };
    }
  }; // prettier-ignore
  const lab = new LabState({ ...view, machine }, {
    say: (sentence) => said.push(sentence),
    ask: async (_, question) => answer(question),
    aids: () => aids,
    keep: (kept) => (aids = kept),
    send: async (_, input) => {
      sent.push(input);
      const at = input.kind === 'jump' ? input.moment : 101;
      const now = delta({ moment: at, last: Math.max(100, at), trace: told([], { keep: 100 }), threads: machine.threads });
      return reply(view, { machine: now, halted: input.kind === 'run' ? hit(101) : null });
    },
    peek: async () => null,
    filter: async () => null,
    events: async () => null,
  }); // prettier-ignore
  return { lab, asked, sent, said, aids: () => aids };
}

describe('stops', () => {
  test('go with everything that makes threads go on, while they are on, and with nothing else', async () => {
    const { lab, sent } = desk(onExit, []);
    await lab.run();
    await lab.act({ vmm: 'KVM_RUN' }, 'vmm KVM_RUN');
    await lab.send({ kind: 'step', thread: 'vmm', times: 2 }, 'step vmm times=2');
    await lab.stepThread('vmm');
    await lab.send({ kind: 'act', action: { vmm: 'KVM_RUN' }, hold: true } as Input, 'hold vmm KVM_RUN');
    lab.stops.switch(0, false);
    await lab.run();
    expect(sent.map((input) => 'stops' in input)).toEqual([true, true, true, false, false, false]);
  });

  test('a halt is said, marked in the trace, and over with the next input', async () => {
    const { lab, said } = desk(onExit, []);
    await lab.run();
    expect(said.at(-1)).toBe('Halted. Moment 101: it.');
    expect([lab.event, lab.stops.hit?.moment, lab.stops.found]).toEqual([100, 101, false]);
    await lab.stepThread('vmm');
    expect(lab.stops.hit).toBeNull();
  });

  test('running back goes to the last earlier hit, and says when there is none', async () => {
    const { lab, said } = desk(onExit, [20, 50, 70]);
    expect(await lab.stops.back()).toBe(true);
    expect([lab.machine.moment, lab.stops.found, lab.event]).toEqual([20, true, 19]);
    expect(await lab.stops.back()).toBe(false);
    expect(lab.refused).toEqual({ command: 'run-back', why: 'No stop is hit before moment 20.' });
    expect(said.at(-1)).toContain('No stop is hit');
  });

  test('running on goes through what is known first, then runs', async () => {
    const { lab, sent } = desk(onExit, [70], true);
    await lab.stops.on();
    expect(lab.machine.moment).toBe(70);
    await lab.stops.on();
    expect(sent.map(({ kind }) => kind)).toEqual(['jump', 'jump', 'run']);
    expect(lab.machine.moment).toBe(101);
  });

  test('marks are asked for anew only from where history has grown', async () => {
    const { lab, asked } = desk(onExit, [20, 70, 101]);
    await lab.stops.refresh();
    await lab.jump(100);
    await lab.stops.refresh();
    await lab.stepThread('vmm');
    await lab.stops.refresh();
    expect(asked.flatMap((one) => (one.ask === 'marks' ? [one.from] : []))).toEqual([0, 100]);
    expect(lab.stops.marks).toEqual([20, 70, 101]);
    await lab.jump(10);
    await lab.stepThread('vmm');
    await lab.stops.refresh();
    expect(asked.filter(({ ask }) => ask === 'marks').at(-1)).toMatchObject({ from: 0 });
  });

  test('of a field: the last change, from there the one before, and the next', async () => {
    const { lab, asked } = desk(NO_AIDS, [20, 40, 70]);
    await lab.stops.lastChange('td.vcpu0.mp_state');
    await lab.stops.lastChange('td.vcpu0.mp_state');
    expect(lab.machine.moment).toBe(20);
    await lab.stops.nextChange('td.vcpu0.mp_state');
    expect(lab.machine.moment).toBe(40);
    expect(asked[0]).toMatchObject({ stops: [{ changes: 'td.vcpu0.mp_state' }], from: 50, back: true });
  });

  test('a cause is gone to, and listed; an event must be marked or named', async () => {
    const { lab } = desk(NO_AIDS, []);
    expect(await lab.stops.cause(null)).toBe(false);
    expect(lab.refused?.why).toContain('Mark an event');
    await lab.stops.cause(30);
    expect([lab.machine.moment, lab.event, lab.stops.because?.of.n]).toEqual([7, 6, 30]);
  });

  test('the console does the same', async () => {
    const { lab, aids } = desk(NO_AIDS, [20]);
    for (const line of [
      'stop changes=td.vcpu0.mp_state',
      'watch td.vcpu0.mp_state',
      'pin last.return',
      'run-back',
    ]) {
      lab.console.put(line);
      expect(await lab.console.submit(), line).toBe(true);
    }
    expect(aids()).toEqual({
      stops: [{ stop: { changes: 'td.vcpu0.mp_state' }, on: true }],
      watches: [{ path: 'td.vcpu0.mp_state' }],
      pins: ['last.return'],
    });
    expect(lab.machine.moment).toBe(20);
    expect(lab.stops.watches[0]).toMatchObject({ value: '1' });
  });
});
