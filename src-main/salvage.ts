import { entryLine, type TranscriptEntry, type TranscriptHead } from '../src-lab/transcript';
import type { Attempt } from './store';

/** An attempt found in a damaged file: its header and the inputs that follow without a gap. */
export interface Salvaged {
  readonly attempt: Attempt;
  /** Never empty. */
  readonly lines: readonly string[];
}

/** Bytes of one line; a longer one is no line of ours. */
const LINE_LIMIT = 16 * 1024;

/**
 * Finds transcripts in the bytes of a damaged database, whatever is left of its structure.
 *
 * SQLite stores a text in one piece when it fits a page, so every line that was not itself overwritten lies somewhere
 * in the files. The hash chain then says which lines belong to which header and in which order, and that none was
 * altered: what is returned is exactly what was acknowledged once, up to the first line that is lost.
 *
 * @param parts - content of the database file and of its log.
 * @returns oldest first. Attempts of which only the header is left are not returned.
 */
export function salvage(parts: readonly Uint8Array[]): Salvaged[] {
  const attempts: Attempt[] = [];
  const inputs: Inputs = new Map();
  for (const line of new Set(parts.flatMap(objectsIn))) {
    const content = JSON.parse(line) as Partial<TranscriptHead & TranscriptEntry>;
    const attempt = attemptOf(line, content);
    if (attempt !== null) attempts.push(attempt);
    else if (content.n !== undefined) inputs.set(content.n, [...(inputs.get(content.n) ?? []), line]);
  }
  return attempts
    .map((attempt) => ({ attempt, lines: longest(inputs, attempt.header, 1) }))
    .filter(({ lines }) => lines.length > 0)
    .sort((a, b) => a.attempt.started - b.attempt.started);
}

/** Lines by the number of their input. Lines of several attempts, and lines that were taken back, share a number. */
type Inputs = Map<number, string[]>;

/** Whether it was altered shows with its first input, which is chained to it. */
function attemptOf(header: string, head: Partial<TranscriptHead>): Attempt | null {
  const { lab, labHash, simVersion, session, started } = head;
  if (lab === undefined || labHash === undefined || simVersion === undefined) return null;
  if (session === undefined || started === undefined) return null;
  return { id: session, lab, labHash, simVersion, started, header };
}

function follows(previous: string, line: string): boolean {
  try {
    return entryLine(previous, JSON.parse(line) as TranscriptEntry) === line;
  } catch {
    return false;
  }
}

/** The longest chain of lines from input `n` on, after `previous`. */
function longest(inputs: Inputs, previous: string, n: number): string[] {
  // Recursion at forks only: an attempt may have thousands of inputs.
  const lines: string[] = [];
  for (let at = n, last = previous; ; at++) {
    const next = (inputs.get(at) ?? []).filter((line) => follows(last, line));
    if (next.length > 1) {
      const chains = next.map((line) => [line, ...longest(inputs, line, at + 1)]);
      return [...lines, ...chains.reduce((a, b) => (b.length > a.length ? b : a))];
    }
    const only = next[0];
    if (only === undefined) return lines;
    lines.push(only);
    last = only;
  }
}

const QUOTE = 0x22;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const BACKSLASH = 0x5c;
const SPACE = 0x20;

/** Every JSON object written in one piece in `bytes`, as text. */
function objectsIn(bytes: Uint8Array): string[] {
  const found: string[] = [];
  const utf8 = new TextDecoder('utf-8', { fatal: true });
  for (let from = bytes.indexOf(OPEN); from !== -1; from = bytes.indexOf(OPEN, from)) {
    const end = endOfObject(bytes, from);
    if (end === null) {
      from += 1;
      continue;
    }
    try {
      const text = utf8.decode(bytes.subarray(from, end));
      JSON.parse(text);
      found.push(text);
      from = end;
    } catch {
      from += 1;
    }
  }
  return found;
}

/** @returns the index after the bracket that closes the object begun at `from`; null when it does not look like one. */
function endOfObject(bytes: Uint8Array, from: number): number | null {
  if (bytes[from + 1] !== QUOTE) return null;
  let depth = 0;
  let quoted = false;
  for (let i = from; i < bytes.length && i < from + LINE_LIMIT; i++) {
    const byte = bytes[i]!;
    if (byte < SPACE) return null;
    if (quoted) {
      if (byte === BACKSLASH) i += 1;
      else if (byte === QUOTE) quoted = false;
    } else if (byte === QUOTE) quoted = true;
    else if (byte === OPEN) depth += 1;
    else if (byte === CLOSE && --depth === 0) return i + 1;
  }
  return null;
}
