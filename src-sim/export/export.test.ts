import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { tookOf } from '../machine/calls';
import type { Trace, TraceEvent } from '../machine/trace';
import { bothRunning } from '../testing/bench';
import { traceFile, tracePieces } from './file';
import type { TraceFormat } from './format';

/** Traces that other programs read say what the trace says. */

const ABOUT = { cpus: 5, title: 'A test', simulator: '1' };
let trace: Trace;
let events: TraceEvent[];
const file = (format: TraceFormat, of: Iterable<TraceEvent> = events): string => traceFile(format, of, ABOUT);
beforeAll(() => {
  const bench = bothRunning();
  bench.does({ guest: 'SVR', vm: 'td', vcpu: 1 });
  bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 1, delivery_mode: 'FIXED', vector: 0x31 });
  bench.does({ guest: 'ICR', vm: 'td', vcpu: 0, dest: 1, delivery_mode: 'INIT' });
  bench.does({ vmm: 'signal', vm: 'vmx', vcpu: 0 });
  ({ trace } = bench.machine);
  events = Array.from({ length: trace.count - trace.first }, (_, i) => trace.event(trace.first + i));
});

describe('text, in the style of trace-cmd report', () => {
  const LINE = /^ *(\S+)-(\d+) \[(\d{3})\] +(\d+\.\d{9}): (\w+):(?: +(.*))?$/;

  test('every line is thread-pid [cpu] seconds: event: arguments; none is missing, none added, in order', () => {
    const [head, ...lines] = file('text').trimEnd().split('\n');
    expect(head).toBe('cpus=5');
    const told = events.filter(({ type }) => type !== 'call' && type !== 'return');
    const read = lines.map((line) => {
      const [, thread, pid, cpu, time, name, text] = LINE.exec(line)!;
      return { thread, cpu: Number(cpu), ns: Math.round(Number(time) * 1e9), name, text: text ?? '', pid };
    });
    expect(read).toEqual(
      told.map(({ thread, cpu, ns, name, text }) => ({
        thread,
        cpu,
        ns,
        name,
        text,
        pid: String(1000 + cpu), // threads come up in the order of their CPUs
      })),
    );
  });

  test("TRC-1: kernel tracepoints have the kernel's names and arguments", () => {
    const text = file('text');
    expect(text).toMatch(/kvm_msi_set_irq: +dst 1 vec 49 \(Fixed\|physical\|edge\)/);
    expect(text).toMatch(/kvm_userspace_exit: +reason restart \(-EINTR\)/);
    expect(text.split('\n').every((line) => line === line.trimEnd())).toBe(true);
  });
});

describe('graph, as the function_graph tracer prints it', () => {
  const body = (): string[] => file('graph').trimEnd().split('\n').slice(4);
  const LINE = /^ *(\d+\.\d{6}) \| +(\d+)\) +(\S+)-\d+ +\| +(?:([\d.]+) us)? *\| {2}( *)(.*)$/;
  const read = (): { thread: string; took: string | undefined; depth: number; text: string }[] =>
    body().map((line) => {
      const [, , , thread, took, indent, text] = LINE.exec(line)!;
      return { thread: thread!, took, depth: indent!.length / 2, text: text! };
    });

  test('braces balance on every thread but for calls still under way, indented by their depth', () => {
    const open = new Map<string, number>();
    for (const { thread, depth, text } of read()) {
      const now = open.get(thread) ?? 0;
      if (text.endsWith('{')) {
        expect(depth).toBe(now);
        open.set(thread, now + 1);
      } else if (text.startsWith('}')) {
        expect(depth).toBe(now - 1);
        open.set(thread, now - 1);
      }
    }
    const underWay = new Map<string, number>();
    for (const { thread, type } of events)
      if (type === 'call' || type === 'return')
        underWay.set(thread, (underWay.get(thread) ?? 0) + (type === 'call' ? 1 : -1));
    for (const [thread, calls] of underWay) expect(open.get(thread) ?? 0, thread).toBe(calls);
  });

  test('a call that calls nothing is one line with its duration; a return says its value', () => {
    const lines = read();
    expect(lines.some(({ text, took }) => /^\w+\(\); \/\* = 0 \*\/$/.test(text) && Number(took) > 0)).toBe(
      true,
    );
    expect(lines.some(({ text }) => text === '} /* = -EINTR */')).toBe(true);
    expect(lines.filter(({ text }) => text.startsWith('}')).every(({ took }) => Number(took) > 0)).toBe(true);
  });

  test('every duration is the one that the trace itself tells', () => {
    const took = events.flatMap(({ n, type }) => (type === 'return' ? [tookOf(trace, n)! / 1000] : []));
    expect(read().flatMap((line) => (line.took === undefined ? [] : [Number(line.took)]))).toEqual(took);
  });

  test('a trace that begins within calls closes none but its own', () => {
    const [first] = events.filter(({ type }) => type === 'call');
    const at = (n: number, type: 'call' | 'return', depth: number): TraceEvent => ({
      ...first!,
      ...{ n, type, depth, ns: 1000 * n, name: 'abcd'[depth]!, args: { value: '0' } },
    });
    const begun = [
      at(1, 'call', 2),
      at(2, 'call', 3),
      at(3, 'call', 2),
      at(4, 'call', 3),
      at(5, 'return', 2),
    ];
    const lines = file('graph', [...begun, at(6, 'return', 1)])
      .trimEnd()
      .split('\n')
      .slice(4);
    expect(lines.map((line) => line.split('|').slice(2).join('|').replace(/ +/g, ' '))).toEqual([
      ' | c() {',
      ' | d() {',
      ' | } /* d given up */',
      ' | } /* c given up */',
      ' | c() {',
      ' | d() {',
      ' | } /* d given up */',
      ' 2.000 us | } /* = 0 */',
      ' | } /* b = 0 */',
    ]);
  });

  test('calls that the model gave up are closed', () => {
    const [call] = events.filter(({ type, depth }) => type === 'call' && depth === 0);
    const given = { ...call!, n: call!.n + 1 };
    expect(file('graph', [call!, given])).toContain(`} /* ${call!.name} given up */`);
  });
});

/** The Trace Event Format as published (JSON object format; duration, instant and metadata events). */
const Common = { pid: z.int(), tid: z.int(), name: z.string().min(1) };
const Timed = {
  ...Common,
  cat: z.string().min(1),
  ts: z.number().min(0),
  args: z.record(z.string(), z.union([z.string(), z.number()])),
};
const TraceFile = z.strictObject({
  displayTimeUnit: z.enum(['ms', 'ns']),
  otherData: z.record(z.string(), z.string()),
  traceEvents: z.array(
    z.discriminatedUnion('ph', [
      z.strictObject({ ph: z.literal('B'), ...Timed }),
      z.strictObject({ ph: z.literal('E'), ...Timed }),
      z.strictObject({ ph: z.literal('i'), s: z.enum(['g', 'p', 't']), ...Timed }),
      z.strictObject({
        ph: z.literal('M'),
        ...Common,
        name: z.enum(['process_name', 'thread_name', 'thread_sort_index']),
        args: z.union([z.strictObject({ name: z.string() }), z.strictObject({ sort_index: z.int() })]),
      }),
    ]),
  ),
});

describe('perfetto, the Chrome trace-event format', () => {
  const read = (): z.infer<typeof TraceFile> => TraceFile.parse(JSON.parse(file('perfetto')));

  test('the file has the published shape', () => {
    expect(read().traceEvents.length).toBeGreaterThan(events.length);
    expect(read().otherData).toEqual({ title: 'A test', simulator: '1' });
  });

  test('every thread is named once, before its first event', () => {
    const named = new Set<number>();
    for (const event of read().traceEvents) {
      if (event.ph !== 'M') expect(named).toContain(event.tid);
      else if (event.name === 'thread_name') {
        expect(named).not.toContain(event.tid);
        named.add(event.tid);
      }
    }
  });

  test('time never goes back; a slice ends on the thread on which it began, innermost first', () => {
    const open = new Map<number, string[]>();
    let last = 0;
    for (const event of read().traceEvents) {
      if (event.ph === 'M') continue;
      expect(event.ts).toBeGreaterThanOrEqual(last);
      last = event.ts;
      const stack = open.get(event.tid) ?? [];
      open.set(event.tid, stack);
      if (event.ph === 'B') stack.push(event.name);
      if (event.ph === 'E') expect(stack.pop()).toBe(event.name);
    }
  });

  test('nothing of the trace is missing', () => {
    const { traceEvents } = read();
    const counted = (ph: string): number => traceEvents.filter((event) => event.ph === ph).length;
    const of = (...types: string[]): number => events.filter(({ type }) => types.includes(type)).length;
    expect([counted('B'), counted('E'), counted('i')]).toEqual([
      of('call'),
      of('return'),
      of('tracepoint', 'mark', 'action'),
    ]);
  });
});

test.each(['text', 'graph', 'perfetto'] as const)(
  'a long trace is written in pieces that make the same file: %s',
  (format) => {
    const many = Array.from({ length: 60 }, () => events).flat();
    const pieces = [...tracePieces(format, many, ABOUT)];
    expect(pieces.length).toBeGreaterThan(2);
    expect(pieces.at(-1)!.events).toBe(many.length);
    expect(pieces.map(({ text }) => text).join('')).toBe(file(format, many));
  },
);
