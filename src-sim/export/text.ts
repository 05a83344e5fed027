import type { TraceEvent } from '../machine/trace';
import { seconds, Tasks } from './calls';

/**
 * A trace in the style of `trace-cmd report -t`: thread and process id, CPU, seconds since power-on, event, arguments in
 * the kernel's own format, line by line. Tracepoints, marks and what userspace, guest and host do; calls are for `graphText`.
 *
 * @param cpus - CPUs of the machine, for the first line.
 */
export function* traceText(events: Iterable<TraceEvent>, cpus: number): Generator<string, undefined> {
  yield `cpus=${cpus}\n`;
  const tasks = new Tasks();
  for (const event of events) {
    if (event.type === 'call' || event.type === 'return') continue;
    const task = `${event.thread}-${tasks.pidOf(event)}`.padStart(22);
    const cpu = String(event.cpu).padStart(3, '0');
    yield `${`${task} [${cpu}] ${seconds(event.ns).padStart(15)}: ${`${event.name}:`.padEnd(22)} ${event.text}`.trimEnd()}\n`;
  }
}
