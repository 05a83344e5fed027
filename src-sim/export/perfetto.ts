import type { TraceEvent } from '../machine/trace';
import { Calls, Tasks } from './calls';

/** One entry of the Chrome trace-event format; times are microseconds. */
export type PerfettoEvent =
  | { ph: 'M'; name: 'process_name' | 'thread_name'; pid: number; tid: number; args: { name: string } }
  | { ph: 'M'; name: 'thread_sort_index'; pid: number; tid: number; args: { sort_index: number } }
  | { ph: 'B'; name: string; cat: string; ts: number; pid: number; tid: number; args: Args }
  | { ph: 'E'; name: string; cat: string; ts: number; pid: number; tid: number; args: Args }
  | { ph: 'i'; s: 't'; name: string; cat: string; ts: number; pid: number; tid: number; args: Args };
type Args = Record<string, string | number>;

const PID = 1;

/**
 * A trace in the Chrome trace-event format, which ui.perfetto.dev and chrome://tracing open, part by part: calls are
 * slices of their thread, everything else is an instant on it, with the sentence and the fact id among the arguments.
 *
 * @param about - said in the file beside the events: title, version.
 */
export function* perfettoText(
  events: Iterable<TraceEvent>,
  about: Record<string, string>,
): Generator<string, undefined> {
  yield `{"displayTimeUnit":"ns","otherData":${JSON.stringify(about)},"traceEvents":[`;
  let comma = '';
  for (const entry of perfettoEvents(events, about.title ?? 'Seamlab')) {
    yield comma + JSON.stringify(entry);
    comma = ',';
  }
  yield ']}\n';
}

function* perfettoEvents(events: Iterable<TraceEvent>, title: string): Generator<PerfettoEvent, undefined> {
  yield { ph: 'M', name: 'process_name', pid: PID, tid: 0, args: { name: title } };
  const known = new Set<string>();
  const calls = new Calls();
  const tasks = new Tasks();
  for (const event of events) {
    const { thread, cpu: on_cpu, name, layer: cat, say, source } = event;
    const tid = tasks.pidOf(event);
    const at = { ts: event.ns / 1000, pid: PID, tid };
    if (!known.has(thread)) {
      known.add(thread);
      yield { ph: 'M', name: 'thread_name', pid: PID, tid, args: { name: thread } };
      yield { ph: 'M', name: 'thread_sort_index', pid: PID, tid, args: { sort_index: tid } };
    }
    for (const call of calls.givenUp(event))
      yield { ph: 'E', name: call.name, cat: call.layer, ...at, args: { given_up: 1 } };
    if (event.type === 'call') {
      calls.begin(event);
      yield { ph: 'B', name, cat, ...at, args: { on_cpu, source } };
    } else if (event.type === 'return') {
      if (calls.end(event)) yield { ph: 'E', name, cat, ...at, args: { returns: event.text } };
    } else {
      yield {
        ph: 'i',
        s: 't',
        name,
        cat,
        ...at,
        args: { ...event.args, on_cpu, text: event.text, say, source },
      };
    }
  }
}
