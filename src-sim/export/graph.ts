import type { TraceEvent } from '../machine/trace';
import { returnName } from '../machine/trace';
import { Calls, pidOf } from './calls';

const HEAD = [
  '# tracer: function_graph',
  '#',
  '#     TIME        CPU  TASK/PID             DURATION                  FUNCTION CALLS',
  '#      |          |     |    |               |   |                     |   |   |   |',
];

/**
 * A trace as the kernel's function_graph tracer prints it, with absolute time, thread and return value. A function that
 * calls nothing takes one line; tracepoints and marks stand as comments where they happened.
 */
export function graphText(events: Iterable<TraceEvent>): string {
  const lines = [...HEAD];
  const calls = new Calls();
  const list = [...events];
  for (let i = 0; i < list.length; i++) {
    const event = list[i]!;
    for (const call of calls.givenUp(event))
      lines.push(line(event, '', call.depth, `} /* ${call.name} given up */`));
    switch (event.type) {
      case 'call': {
        const next = list[i + 1];
        if (next?.type === 'return' && next.thread === event.thread && next.depth === event.depth) {
          lines.push(
            line(event, duration(event, next), event.depth, `${event.name}(); /* = ${value(next)} */`),
          );
          i++;
        } else {
          calls.begin(event);
          lines.push(line(event, '', event.depth, `${event.name}() {`));
        }
        break;
      }
      case 'return': {
        const call = calls.end(event);
        const end = call === null ? `} /* ${event.name} = ${value(event)} */` : `} /* = ${value(event)} */`;
        lines.push(line(event, call === null ? '' : duration(call, event), event.depth, end));
        break;
      }
      case 'action':
        lines.push(line(event, '', 0, `/* ${event.name} ${event.text} */`));
        break;
      default:
        lines.push(line(event, '', event.depth + 1, `/* ${event.name}: ${event.text} */`));
    }
  }
  return `${lines.join('\n')}\n`;
}

function value({ args }: TraceEvent): string {
  return returnName(Number(args.value));
}

/** Microseconds, as the tracer prints them: `0.050 us`. */
function duration(from: TraceEvent, to: TraceEvent): string {
  return `${((to.ns - from.ns) / 1000).toFixed(3)} us`;
}

function line(event: TraceEvent, took: string, depth: number, text: string): string {
  const time = (event.ns / 1e9).toFixed(6).padStart(12);
  const task = `${event.thread}-${pidOf(event)}`.padEnd(20);
  return `${time} | ${String(event.cpu).padStart(3)})  ${task} | ${took.padStart(13)} |  ${'  '.repeat(depth)}${text}`;
}
