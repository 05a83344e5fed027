import type { TraceEvent } from '../machine/trace';
import { returnName } from '../machine/trace';
import { Calls, Tasks } from './calls';

const HEAD = [
  '# tracer: function_graph',
  '#',
  '#     TIME        CPU  TASK/PID             DURATION                  FUNCTION CALLS',
  '#      |          |     |    |               |   |                     |   |   |   |',
];

/**
 * A trace as the kernel's function_graph tracer prints it, line by line, with absolute time, thread and return value. A
 * function that calls nothing takes one line; tracepoints and marks stand as comments where they happened.
 */
export function* graphText(events: Iterable<TraceEvent>): Generator<string, undefined> {
  yield `${HEAD.join('\n')}\n`;
  const calls = new Calls();
  const tasks = new Tasks();
  /** A call of which it is not known yet whether its return follows at once. */
  let last: TraceEvent | null = null;
  for (const event of events) {
    if (last !== null) {
      const call: TraceEvent = last;
      last = null;
      if (event.type === 'return' && event.thread === call.thread && event.depth === call.depth) {
        yield line(tasks, call, duration(call, event), call.depth, `${call.name}(); /* = ${value(event)} */`);
        continue;
      }
      yield begin(tasks, call, calls);
    }
    for (const call of calls.givenUp(event))
      yield line(tasks, event, '', call.depth, `} /* ${call.name} given up */`);
    switch (event.type) {
      case 'call':
        last = event;
        break;
      case 'return': {
        const call = calls.end(event);
        const end = call === null ? `} /* ${event.name} = ${value(event)} */` : `} /* = ${value(event)} */`;
        yield line(tasks, event, call === null ? '' : duration(call, event), event.depth, end);
        break;
      }
      case 'action':
        yield line(tasks, event, '', 0, `/* ${event.name} ${event.text} */`);
        break;
      default:
        yield line(tasks, event, '', event.depth + 1, `/* ${event.name}: ${event.text} */`);
    }
  }
  if (last !== null) yield begin(tasks, last, calls);
}

function begin(tasks: Tasks, call: TraceEvent, calls: Calls): string {
  calls.begin(call);
  return line(tasks, call, '', call.depth, `${call.name}() {`);
}

function value({ args }: TraceEvent): string {
  return returnName(Number(args.value));
}

/** Microseconds, as the tracer prints them: `0.050 us`. */
function duration(from: TraceEvent, to: TraceEvent): string {
  return `${((to.ns - from.ns) / 1000).toFixed(3)} us`;
}

function line(tasks: Tasks, event: TraceEvent, took: string, depth: number, text: string): string {
  const time = (event.ns / 1e9).toFixed(6).padStart(12);
  const task = `${event.thread}-${tasks.pidOf(event)}`.padEnd(20);
  return `${time} | ${String(event.cpu).padStart(3)})  ${task} | ${took.padStart(13)} |  ${'  '.repeat(depth)}${text}\n`;
}
