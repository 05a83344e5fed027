import type { TraceEvent } from '../machine/trace';
import type { TraceFormat } from './format';
import { graphText } from './graph';
import { perfettoText } from './perfetto';
import { traceText } from './text';

/** What a trace is of. */
export interface About {
  /** CPUs that the platform has. */
  readonly cpus: number;
  readonly title: string;
  /** Version of the simulator. */
  readonly simulator: string;
}

/** A part of a file, and how many events were read for all parts up to it. */
export interface TracePiece {
  readonly text: string;
  readonly events: number;
}

/** Characters of a piece, or some more. */
const PIECE = 1 << 18;

/** A trace as the content of a file, in pieces: a long one is never in memory as a whole. */
export function* tracePieces(
  format: TraceFormat,
  events: Iterable<TraceEvent>,
  about: About,
): Generator<TracePiece, undefined> {
  let read = 0;
  const counted = function* (): Generator<TraceEvent, undefined> {
    for (const event of events) {
      read++;
      yield event;
    }
  };
  let text = '';
  for (const part of partsOf(format, counted(), about)) {
    text += part;
    if (text.length < PIECE) continue;
    yield { text, events: read };
    text = '';
  }
  yield { text, events: read };
}

/** A trace as the content of a file. */
export function traceFile(format: TraceFormat, events: Iterable<TraceEvent>, about: About): string {
  return [...partsOf(format, events, about)].join('');
}

function partsOf(
  format: TraceFormat,
  events: Iterable<TraceEvent>,
  { cpus, title, simulator }: About,
): Iterable<string> {
  switch (format) {
    case 'text':
      return traceText(events, cpus);
    case 'graph':
      return graphText(events);
    case 'perfetto':
      return perfettoText(events, { title, simulator });
  }
}
