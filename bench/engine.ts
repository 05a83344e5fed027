import { kvm_entry } from '../src-sim/kvm/trace';
import { num, record, type Ref } from '../src-sim/machine/layout';
import { header, Machine, thread } from '../src-sim/machine/machine';
import { routine } from '../src-sim/machine/routine';
import { ActionSchema, commandOf, type Action } from '../src-sim/scenario/action';
import { StopSeeker } from '../src-sim/scenario/stop';
import { Timeline } from '../src-sim/timeline';
import { beginAction, expandBoot, outcomeOf } from '../src-sim/vmm/perform';
import { powerOn } from '../src-sim/world';
import { atMost, median, ratio, type Figure } from './ratio';

/** The engine against hand-written loops over the same typed arrays. */

const cell = record('bench_cell', 'hardware', 'Two words that a loop changes', {
  a: num(32, 'Sum'),
  b: num(32, 'Mix'),
});
const spin = routine(
  {
    name: 'bench_spin',
    layer: 'hardware',
    source: 'bench',
    args: ['cell'],
    steps: { add: ['a += 1'], mix: ['b ^= a'] },
  },
  (at) => ({
    add(m, l) {
      cell.a.set(m, l.cell, cell.a.get(m, l.cell) + 1);
      return at.mix;
    },
    mix(m, l) {
      cell.b.set(m, l.cell, cell.b.get(m, l.cell) ^ cell.a.get(m, l.cell));
      return at.add;
    },
  }),
);

/** Steps a machine of one routine, and a loop that makes the same changes by hand: program counter, time and all. */
function steps(): Figure {
  const STEPS = 200_000;
  const m = new Machine([{ name: 'loop' }], [{ path: 'cell', record: cell }], 1024);
  const ref = m.placed[0]!;
  const fresh = m.bytes();
  const pc = thread.frames.at(m.threadRefs[0]!) + 2;
  const a = (ref + cell.a.byte) >> 2;
  const b = (ref + cell.b.byte) >> 2;
  const now = (m.header + header.now.byte) >> 3;
  const moments = (m.header + header.moments.byte) >> 3;
  const { u8, u32, f64 } = m;
  const sum = (): number => u32[a]! ^ u32[b]! ^ u8[pc]! ^ f64[moments]!;
  const start = (): void => {
    u8.set(fresh);
    m.trace.count = 0;
    m.begin(0, spin, ref as Ref);
  };
  const subject = (): number => {
    start();
    for (let i = 0; i < STEPS; i++) m.step(0);
    return sum();
  };
  const byHand = (): number => {
    start();
    for (let i = 0; i < STEPS; i++) {
      if (u8[pc] === 0) {
        u32[a] = u32[a]! + 1;
        u8[pc] = 1;
      } else {
        u32[b] = u32[b]! ^ u32[a]!;
        u8[pc] = 0;
      }
      f64[now] = f64[now]! + 50;
      f64[moments] = f64[moments]! + 1;
    }
    return sum();
  };
  return atMost('engine step to a hand-written loop', ratio(subject, byHand), 25);
}

const action = (given: Record<string, unknown>): Action => ActionSchema.parse(given) as Action;
const INIT = action({ guest: 'ICR', vm: 'td', vcpu: 0, dest: 1, delivery_mode: 'INIT' });
const PLATFORM = { vms: { td: 2, vmx: 2 } };
const BOOTS = [action({ boot: 'td', vm: 'td' }), action({ boot: 'vmx', vm: 'vmx' })];
function running(): Timeline {
  const t = new Timeline(PLATFORM);
  for (const boot of BOOTS) t.perform(boot);
  return t;
}

/** A keyframe, taken by copying into memory that is there, against a plain copy of as many bytes. */
function snapshot(): Figure {
  const { machine } = running();
  const size = machine.layout.size;
  const SLOTS = 256;
  const ring = new Uint8Array(size * SLOTS);
  const plain = new Uint8Array(size * SLOTS);
  const source = machine.bytes();
  const ROUNDS = 40_000;
  const subject = (): number => {
    for (let i = 0; i < ROUNDS; i++) ring.set(machine.u8, (i & (SLOTS - 1)) * size);
    return ring[size - 1]!;
  };
  const reference = (): number => {
    for (let i = 0; i < ROUNDS; i++) plain.set(source, (i & (SLOTS - 1)) * size);
    return plain[size - 1]!;
  };
  return atMost('one snapshot to a memory copy', ratio(subject, reference), 2);
}

/** Recording - log, keyframes - against the same steps without. */
function recording(): Figure {
  const ROUNDS = 200;
  const subject = (): number => {
    const t = running();
    for (let i = 0; i < ROUNDS; i++) t.perform(INIT);
    return t.moment;
  };
  const reference = (): number => {
    const world = powerOn(PLATFORM);
    const { machine } = world;
    machine.commandOf = () => commandOf(INIT);
    const perform = (given: Action): void => {
      for (const part of 'boot' in given ? expandBoot(given) : [given]) {
        beginAction(world, part as Exclude<Action, { boot: string }>);
        machine.settle();
      }
      if (outcomeOf(machine, given, false).say === '') throw new Error('no outcome');
    };
    for (const boot of BOOTS) perform(boot);
    for (let i = 0; i < ROUNDS; i++) perform(INIT);
    return machine.moment;
  };
  return atMost('recording on to off', ratio(subject, reference, 15), 1.25);
}

/** Showing an earlier moment, against the time one step takes; and the worst of many. */
function travel(): Figure[] {
  const t = running();
  while (t.last < 300_000) t.perform(INIT);
  const jump: number[] = [];
  const back: number[] = [];
  const forward: number[] = [];
  const timed = (into: number[], work: () => void): void => {
    const from = performance.now();
    work();
    into.push(performance.now() - from);
  };
  for (let i = 0; i < 600; i++) {
    const moment = (i * 7919) % t.last;
    timed(jump, () => t.jump(moment));
    if (moment < 2) continue;
    timed(back, () => t.jump(moment - 1));
    timed(forward, () => t.jump(moment));
  }
  const never = new StopSeeker([{ becomes: { path: 'td.vcpu1.mp_state', is: 'HALTED' } }]);
  const search: number[] = [];
  for (let i = 0; i < 5; i++) timed(search, () => t.past.previous(never, 100_000));
  const p99 = [...jump].sort((a, b) => a - b)[Math.floor(jump.length * 0.99)]!;
  return [
    atMost('jump to any of 300,000 past steps, 99th percentile', p99, 50, 'ms'),
    atMost('search back over 100,000 steps for what never happened', median(search), 1_000, 'ms'),
    atMost('a step back to a step forward', median(back) / median(forward), 3),
  ];
}

/** Heap that two million steps leave behind, collected. Needs `--expose-gc`. */
function allocation(): Figure {
  const m = new Machine([{ name: 'loop' }], [{ path: 'cell', record: cell }], 1024);
  m.begin(0, spin, m.placed[0]!);
  const stepMany = (count: number): void => {
    for (let i = 0; i < count; i++) {
      m.step(0);
      m.emit(kvm_entry, i);
    }
  };
  stepMany(200_000);
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  stepMany(2_000_000);
  globalThis.gc?.();
  const grown = Math.max(0, process.memoryUsage().heapUsed - before) / 1024 / 1024;
  return atMost('heap growth over two million traced steps', grown, 1, 'MiB');
}

export function engineFigures(): Figure[] {
  return [steps(), snapshot(), recording(), ...travel(), allocation()];
}
