import type { TraceEvent } from '../machine/trace';
import type { TraceFormat } from './format';
import { graphText } from './graph';
import { perfettoTrace } from './perfetto';
import { traceText } from './text';

/** What a trace is of. */
export interface About {
  /** CPUs that the platform has. */
  readonly cpus: number;
  readonly title: string;
  /** Version of the simulator. */
  readonly simulator: string;
}

/** A trace as the content of a file. */
export function traceFile(
  format: TraceFormat,
  events: Iterable<TraceEvent>,
  { cpus, title, simulator }: About,
): string {
  switch (format) {
    case 'text':
      return traceText(events, cpus);
    case 'graph':
      return graphText(events);
    case 'perfetto':
      return `${JSON.stringify(perfettoTrace(events, { title, simulator }))}\n`;
  }
}
