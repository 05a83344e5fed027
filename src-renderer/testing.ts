import type {
  EventView,
  InputReply,
  MachineDelta,
  SessionView,
  ThreadView,
  TraceDelta,
} from '../src-lab/view';
import { TRACE_LOOK } from '../src-main/contract';

/** Small views for unit tests of the screen's state. The machine of `src-sim` is tested where it lives. */

export const thread = (name: string, rest: Partial<ThreadView> = {}): ThreadView => ({
  name,
  cpu: 0,
  layer: 'vmm',
  status: 'idle',
  enabled: false,
  stack: [],
  ...rest,
});

export const event = (n: number, rest: Partial<EventView> = {}): EventView => ({
  n,
  moment: n + 1,
  ns: n * 50,
  thread: 'vmm',
  cpu: 0,
  layer: 'kvm',
  depth: 0,
  type: 'mark',
  name: `event_${n}`,
  text: '',
  say: `Event ${n}.`,
  source: 'S-1',
  took: null,
  leaf: null,
  ...rest,
});

/** What main tells of a trace whose last events are these, all of which have happened unless `rest` says otherwise. */
export const told = (events: readonly EventView[] = [], rest: Partial<TraceDelta> = {}): TraceDelta => {
  const keep = rest.keep ?? 0;
  const count = rest.count ?? (events.at(-1)?.n ?? keep - 1) + 1;
  const fresh = events.filter(({ n }) => n >= keep);
  const from = rest.from ?? Math.min(events[0]?.n ?? keep, keep);
  return {
    keep,
    count,
    known: Math.max(count, keep),
    from,
    lastAction: events.findLast(({ type }) => type === 'action')?.n ?? from,
    events: [...events],
    rows: Int32Array.from(fresh, ({ n }) => n),
    actions: {
      keep: 0,
      moments: Int32Array.from(
        fresh.filter(({ type }) => type === 'action'),
        ({ moment }) => moment,
      ),
    },
    names: [...new Set(fresh.map(({ name }) => name))],
    ...rest,
  };
};

export const delta = (rest: Partial<MachineDelta> = {}): MachineDelta => ({
  changed: [],
  threads: [thread('vmm'), thread('td.vcpu0')],
  locks: [],
  trace: told(),
  moment: 0,
  last: 0,
  outcome: null,
  compare: null,
  ...rest,
});

export function sessionView(rest: Partial<SessionView> = {}): SessionView {
  const paths = ['td.vcpu0.mp_state', 'last.return'];
  const kind = (doc: string) => ({
    doc,
    source: '',
    layer: 'kvm' as const,
    kind: 'number' as const,
    width: 8,
    names: [],
  });
  const { changed: _changed, ...now } = delta();
  const standing = (id: string) => ({
    id,
    state: 'open' as const,
    attempts: 0,
    earned: 0,
    hints: [],
    answer: null,
    verdict: null,
  });
  const checkpoint = (id: string, step: string) => ({
    id,
    step,
    kind: 'predict' as const,
    title: id,
    ask: [],
    points: 2,
    hintCosts: [],
    form: { type: 'value' as const, label: id },
    runs: [],
  });
  return {
    session: '3f0c1f0e-58b5-4c9f-9a0e-5d1f8a3f3c11',
    lab: {
      id: 'some-lab',
      number: 1,
      title: 'Some lab',
      summary: '',
      minutes: 5,
      objectives: [],
      prerequisites: [],
      points: 4,
      policy: { retry: 'best', wrongCosts: 0, revealAfter: 3 },
      steps: [
        { id: 'one', title: 'One', gate: true, body: [], offer: null, lock: [] },
        { id: 'two', title: 'Two', gate: false, body: [], offer: null, lock: [] },
      ],
      checkpoints: [checkpoint('first', 'one'), checkpoint('second', 'two')],
      diagrams: [],
      contentHash: '',
    },
    progress: {
      step: 'one',
      reachable: ['one'],
      checkpoints: [standing('first'), standing('second')],
      score: 0,
      points: 4,
      complete: false,
      arranged: null,
    },
    machine: {
      ...now,
      fields: { paths, kinds: paths.map(kind), kindOf: [0, 1] },
      values: ['RUNNABLE', '0'],
      hash: '0'.repeat(16),
    },
    other: null,
    notebook: [],
    filter: TRACE_LOOK.filter,
    sandbox: null,
    actions: [],
    vms: [{ name: 'td', vcpus: 1 }],
    inputs: 0,
    ...rest,
  };
}

export const reply = (view: SessionView, rest: Partial<InputReply> = {}): InputReply => ({
  accepted: true,
  refused: null,
  halted: null,
  inputs: 1,
  progress: view.progress,
  machine: delta(),
  other: null,
  notebook: { keep: 0, lines: [] },
  ...rest,
});
