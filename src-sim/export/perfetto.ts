import type { TraceEvent } from '../machine/trace';
import { Calls } from './calls';

/** One entry of the Chrome trace-event format; times are microseconds. */
export type PerfettoEvent =
  | { ph: 'M'; name: 'process_name' | 'thread_name'; pid: number; tid: number; args: { name: string } }
  | { ph: 'M'; name: 'thread_sort_index'; pid: number; tid: number; args: { sort_index: number } }
  | { ph: 'B'; name: string; cat: string; ts: number; pid: number; tid: number; args: Args }
  | { ph: 'E'; name: string; cat: string; ts: number; pid: number; tid: number; args: Args }
  | { ph: 'i'; s: 't'; name: string; cat: string; ts: number; pid: number; tid: number; args: Args };
type Args = Record<string, string | number>;

export interface PerfettoTrace {
  displayTimeUnit: 'ns';
  otherData: Record<string, string>;
  traceEvents: PerfettoEvent[];
}

const PID = 1;

/**
 * A trace in the Chrome trace-event format, which ui.perfetto.dev and chrome://tracing open: calls are slices of their
 * thread, everything else is an instant on it, with the sentence and the fact id among the arguments.
 *
 * @param about - said in the file beside the events: title, version.
 */
export function perfettoTrace(events: Iterable<TraceEvent>, about: Record<string, string>): PerfettoTrace {
  const traceEvents: PerfettoEvent[] = [
    { ph: 'M', name: 'process_name', pid: PID, tid: 0, args: { name: about.title ?? 'Seamlab' } },
  ];
  const known = new Set<string>();
  const calls = new Calls();
  for (const event of events) {
    const { thread, cpu, name, layer: cat, say, source } = event;
    const at = { ts: event.ns / 1000, pid: PID, tid: cpu };
    if (!known.has(thread)) {
      known.add(thread);
      traceEvents.push({
        ph: 'M',
        name: 'thread_name',
        pid: PID,
        tid: cpu,
        args: { name: `${thread} (CPU ${cpu})` },
      });
      traceEvents.push({ ph: 'M', name: 'thread_sort_index', pid: PID, tid: cpu, args: { sort_index: cpu } });
    }
    for (const call of calls.givenUp(event))
      traceEvents.push({ ph: 'E', name: call.name, cat: call.layer, ...at, args: { given_up: 1 } });
    if (event.type === 'call') {
      calls.begin(event);
      traceEvents.push({ ph: 'B', name, cat, ...at, args: { source } });
    } else if (event.type === 'return') {
      if (calls.end(event)) traceEvents.push({ ph: 'E', name, cat, ...at, args: { returns: event.text } });
    } else {
      traceEvents.push({
        ph: 'i',
        s: 't',
        name,
        cat,
        ...at,
        args: { ...event.args, text: event.text, say, source },
      });
    }
  }
  return { displayTimeUnit: 'ns', otherData: about, traceEvents };
}
