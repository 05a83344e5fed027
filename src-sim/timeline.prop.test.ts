import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ActionSchema } from './scenario/action';
import { anyAction, boots, moves, play, PLATFORM } from './testing/moves';
import { Timeline } from './timeline';

/** Laws of the engine over random inputs. fast-check prints the seed of a failure. */

const traceOf = (t: Timeline): string[] => {
  const lines: string[] = [];
  for (let n = t.machine.trace.first; n < t.machine.trace.count; n++)
    lines.push(JSON.stringify(t.machine.trace.event(n)));
  return lines;
};

describe('for any sequence of inputs', () => {
  test('the same inputs give the same bytes and the same trace', () => {
    fc.assert(
      fc.property(moves, (list) => {
        const [a, b] = [play(list), play(list)];
        expect(a.machine.hash()).toBe(b.machine.hash());
        expect(a.machine.bytes()).toEqual(b.machine.bytes());
        expect(traceOf(a)).toEqual(traceOf(b));
      }),
      { numRuns: 60 },
    );
  });

  test('every action has an outcome with a sentence', () => {
    fc.assert(
      fc.property(moves, (list) => {
        const t = play(list);
        for (let moment = 0; moment <= t.last; moment += 7) {
          t.jump(moment);
          if (t.outcome) expect(t.outcome.say).toMatch(/^\S.*\.$/s);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('jumping to any moment and back shows the bytes and the trace that were there', () => {
    fc.assert(
      fc.property(moves, fc.array(fc.nat(), { minLength: 5, maxLength: 5 }), (list, picks) => {
        const seen = new Map<number, string>();
        const t = play(list, (now) => seen.set(now.moment, now.machine.hash()));
        t.jump(t.last);
        const end = traceOf(t);
        for (const pick of picks) {
          const moment = 1 + (pick % Math.max(1, t.last));
          if (moment > t.last) continue;
          t.jump(moment);
          expect(t.moment).toBe(moment);
          expect(t.machine.hash()).toBe(seen.get(moment));
        }
        t.jump(t.last);
        expect(traceOf(t)).toEqual(end);
      }),
      { numRuns: 150 },
    );
  });

  test('step by step back, on from anywhere and back again shows the bytes and events that were there', () => {
    fc.assert(
      fc.property(moves, anyAction, fc.nat(), fc.nat({ max: 100 }), (list, action, pick, back) => {
        const seen: { readonly hash: string; readonly events: number }[] = [];
        const look = (now: Timeline): void => {
          seen[now.moment] = { hash: now.machine.hash(), events: now.machine.trace.count };
        };
        const t = play(list, look);
        const walk = (): void => {
          const text = traceOf(t);
          for (let n = 0; n < back && t.moment > 1; n++) {
            t.jump(t.moment - 1);
            const { trace } = t.machine;
            expect({ hash: t.machine.hash(), events: trace.count }).toEqual(seen[t.moment]);
            expect(traceOf(t)).toEqual(text.slice(0, trace.count - trace.first));
          }
        };
        t.jump(t.last);
        walk();
        t.jump(pick % (t.last + 1));
        t.onMoment = () => look(t);
        t.perform(action);
        walk();
      }),
      { numRuns: 100 },
    );
  });

  test('a trace that keeps few events shows none that was not there, wherever one jumps', () => {
    const t = new Timeline(PLATFORM, { events: 1 << 10 });
    const all: string[] = [];
    t.onMoment = () => {
      const { trace } = t.machine;
      for (let n = all.length; n < trace.count; n++) all.push(JSON.stringify(trace.event(n)));
    };
    t.perform(ActionSchema.parse({ boot: 'td', vm: 'td' }));
    const init = ActionSchema.parse({ guest: 'ICR', vm: 'td', vcpu: 0, dest: 1, delivery_mode: 'INIT' });
    while (all.length < 8_000) t.perform(init);
    t.onMoment = null;
    fc.assert(
      fc.property(fc.array(fc.nat({ max: t.last }), { minLength: 2, maxLength: 6 }), (moments) => {
        for (const moment of moments) t.jump(moment);
        const { trace } = t.machine;
        for (let n = trace.first; n < trace.count; n++) expect(JSON.stringify(trace.event(n))).toBe(all[n]);
      }),
      { numRuns: 60 },
    );
  });

  test('a line of history that was left is kept as it was', () => {
    fc.assert(
      fc.property(moves, fc.nat(), anyAction, (list, pick, action) => {
        const t = play(list);
        const { currentLine, last } = t;
        t.jump(last);
        const hash = t.machine.hash();
        fc.pre(last > 0);
        t.jump(pick % last);
        t.begin(action);
        t.switchTo(currentLine, last);
        expect(t.machine.hash()).toBe(hash);
        expect(t.last).toBe(last);
      }),
      { numRuns: 100 },
    );
  });

  test('tdx:INV-10, tdx:INV-14, tdx:INV-31, tdx:INV-32: no TD vCPU is ever reset by INIT, unsplit, uninitialized or taken back', () => {
    const order = ['UNINITIALIZED', 'INITIALIZED', 'RUNNABLE'];
    fc.assert(
      fc.property(moves, (list) => {
        let before = -1;
        let moment = 0;
        play(list, (t) => {
          const show = (path: string): string => t.machine.show(t.machine.layout.find(path)!);
          if (show('td.type') !== 'KVM_X86_TDX_VM') return;
          for (const vcpu of ['td.vcpu0', 'td.vcpu1']) {
            expect(['INIT_RECEIVED', 'SIPI_RECEIVED']).not.toContain(show(`${vcpu}.mp_state`));
            if (show(`${vcpu}.created`) === '1') expect(show('td.irqchip_mode')).toBe('SPLIT');
            if (show(`${vcpu}.tdvps.state`) === 'ACTIVE') expect(show('td.td_state')).toBe('RUNNABLE');
            expect(show(`${vcpu}.guest.resets`)).toBe('0');
          }
          const state = order.indexOf(show('td.td_state'));
          if (t.moment > moment) expect(state).toBeGreaterThanOrEqual(before);
          before = state;
          moment = t.moment;
        });
      }),
      { numRuns: 40 },
    );
  });
});

describe('history', () => {
  test('keyframes are thinned when they outgrow their budget, and every moment can still be shown', () => {
    const t = new Timeline(PLATFORM);
    for (const boot of boots) if (boot.do === 'perform') t.perform(boot.action);
    const ipi = ActionSchema.parse({ guest: 'ICR', vm: 'td', vcpu: 0, dest: 1, delivery_mode: 'INIT' });
    const seen: [number, string][] = [];
    while (t.last < 200_000) {
      t.perform(ipi);
      if (t.last % 97 === 0) seen.push([t.moment, t.machine.hash()]);
    }
    const end = t.machine.hash();
    for (const [moment, hash] of seen) {
      t.jump(moment);
      expect(t.machine.hash()).toBe(hash);
    }
    t.jump(t.last);
    expect(t.machine.hash()).toBe(end);
  });

  test('a thread that cannot step is refused and nothing changes', () => {
    const t = new Timeline(PLATFORM);
    const hash = t.machine.hash();
    expect([t.step('vmm'), t.step('td.vcpu0'), t.step('nobody')]).toEqual([false, false, false]);
    expect([t.machine.hash(), t.last]).toEqual([hash, 0]);
  });
});
