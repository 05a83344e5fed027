import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { z } from 'zod';
import { compare, type Place } from './issue';
import { Input } from './input';
import { Slug } from './slug';

/**
 * A transcript: all that is kept of a session. JSON Lines in ASCII, one spelling for every content: a header, one line
 * an input, and in a finished file a footer. Each line ends with the hash of the line before it and of itself, so
 * that no line can be changed, moved, added or left out unnoticed. It is proof against accident and editors, not
 * against someone who computes the chain anew: it is not signed.
 */

/** What a session is of: the first line. */
export interface TranscriptHead {
  /** Id of the lab. */
  readonly lab: string;
  /** `Lab.contentHash` of the lab as it was. */
  readonly labHash: string;
  /** `SIM_VERSION` of the simulator. */
  readonly simVersion: string;
  /** UUID of the session. */
  readonly session: string;
  /** Milliseconds since 1970. */
  readonly started: number;
}

/** An input that was accepted. */
export interface TranscriptEntry {
  /** From 1. */
  readonly n: number;
  /** Milliseconds since the session started. */
  readonly at: number;
  readonly input: Input;
}

export interface Transcript {
  readonly head: TranscriptHead;
  readonly entries: readonly TranscriptEntry[];
}

/** Why a text is not a transcript, and where. */
export interface TranscriptFault extends Place {
  readonly message: string;
}

export type TranscriptRead =
  | { readonly ok: true; readonly transcript: Transcript }
  | { readonly ok: false; readonly fault: TranscriptFault };

/** Inputs that a session may have. */
export const MAX_INPUTS = 5_000;

const Hash = z.string().regex(/^[0-9a-f]{64}$/);
const Instant = z.int().min(0);
const HeaderLine = z.strictObject({
  seamlab: z.literal('transcript'),
  version: z.literal(1),
  lab: Slug,
  labHash: Hash,
  simVersion: z.string().min(1).max(80),
  session: z.uuid(),
  started: Instant,
  hash: Hash,
});
const EntryLine = z.strictObject({
  n: z.int().min(1).max(MAX_INPUTS),
  at: Instant,
  input: Input,
  hash: Hash,
});
const FooterLine = z.strictObject({ end: z.int().min(0).max(MAX_INPUTS), hash: Hash });

/** The first line of a session's transcript, without the line's end. */
export function headerLine({ lab, labHash, simVersion, session, started }: TranscriptHead): string {
  return seal('', { seamlab: 'transcript', version: 1, lab, labHash, simVersion, session, started });
}

/** The line of the n-th input. `previous`: the line before it. */
export function entryLine(previous: string, { n, at, input }: TranscriptEntry): string {
  return seal(previous, { n, at, input });
}

/** The last line of a finished transcript of `inputs` inputs. */
export function footerLine(previous: string, inputs: number): string {
  return seal(previous, { end: inputs });
}

/** A finished transcript as a file: the lines as they are kept, and the footer. */
export function transcriptFile(header: string, lines: readonly string[]): string {
  const footer = footerLine(lines.at(-1) ?? header, lines.length);
  return [header, ...lines, footer, ''].join('\n');
}

/**
 * Reads a finished transcript. Strict: one byte that differs from what was written is refused, white space too.
 *
 * @param text - the file's bytes, each as one character, or decoded as UTF-8: a sound transcript is ASCII.
 * @returns the transcript, or the first place at which it is not sound. Never throws.
 */
export function parseTranscript(text: string): TranscriptRead {
  if (text === '') return fault(1, 1, 'The file is empty.');
  const lines = text.split('\n');
  if (lines.at(-1) !== '')
    return fault(lines.length, lines.at(-1)!.length + 1, 'The last line does not end.');
  lines.pop();
  return readLines(lines, true);
}

/**
 * Reads the lines of a session that may go on: header and inputs, no footer.
 *
 * @returns as `parseTranscript`; the header is line 1.
 */
export function parseKept(header: string, lines: readonly string[]): TranscriptRead {
  return readLines([header, ...lines], false);
}

function readLines(lines: readonly string[], finished: boolean): TranscriptRead {
  const entries: TranscriptEntry[] = [];
  const first = readLine(HeaderLine, lines[0] ?? '', '', 1);
  if (!first.ok) return first;
  const { lab, labHash, simVersion, session, started } = first.value;
  const inputs = finished ? lines.length - 2 : lines.length - 1;
  for (let i = 1; i <= inputs; i++) {
    if (
      finished &&
      lines[i]!.startsWith('{"end"') &&
      readLine(FooterLine, lines[i]!, lines[i - 1]!, i + 1).ok
    ) {
      return fault(i + 2, 1, 'Nothing may follow the last line.');
    }
    const line = readLine(EntryLine, lines[i]!, lines[i - 1]!, i + 1);
    if (!line.ok) return line;
    if (line.value.n !== i) return fault(i + 1, 1, `This is input ${line.value.n}; input ${i} is missing.`);
    const { n, at, input } = line.value;
    entries.push({ n, at, input });
  }
  if (finished) {
    if (lines.length < 2) return fault(2, 1, 'The transcript has no end: its last line is missing.');
    const last = readLine(FooterLine, lines.at(-1)!, lines.at(-2)!, lines.length);
    if (!last.ok) return last;
    if (last.value.end !== entries.length) {
      return fault(
        lines.length,
        1,
        `The last line counts ${last.value.end} inputs; there are ${entries.length}.`,
      );
    }
  }
  return { ok: true, transcript: { head: { lab, labHash, simVersion, session, started }, entries } };
}

type Line<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: TranscriptFault };

function readLine<S extends z.ZodType<{ hash: string }>>(
  schema: S,
  line: string,
  previous: string,
  number: number,
): Line<z.output<S>> {
  const odd = /[^\x20-\x7e]/.exec(line);
  if (odd) return fault(number, odd.index + 1, 'This byte does not belong here.');
  let raw: unknown;
  try {
    raw = JSON.parse(line);
  } catch {
    return fault(number, brokenAt(line), 'The line is not whole.');
  }
  const parsed = schema.safeParse(raw);
  if (!parsed.success) {
    const key = parsed.error.issues[0]?.path[0];
    const column = key === undefined ? 1 : line.indexOf(`"${String(key)}"`) + 1;
    return fault(number, Math.max(1, column), 'The line is not what belongs here.');
  }
  const { hash, ...content } = parsed.data;
  const sound = seal(previous, content);
  if (line !== sound) {
    const hashAt = sound.length - HASH_TAIL;
    const different = firstDifference(line, sound);
    const column = different < hashAt ? different + 1 : line.length - HASH_TAIL + 1;
    return fault(
      number,
      Math.max(1, column),
      `The line was changed: it does not match its hash ${hash.slice(0, 8)}….`,
    );
  }
  return { ok: true, value: parsed.data };
}

/** Length of the 64 digits and `"}` at the end of every line. */
const HASH_TAIL = 66;

/** The line of `content`: in one spelling, sealed with the hash over the line before it and itself. */
function seal(previous: string, content: Readonly<Record<string, unknown>>): string {
  const text = Object.entries(content)
    .map(([key, value]) => `${ascii(key)}:${canonical(value)}`)
    .join(',');
  const body = `{${text}`;
  return `${body},"hash":"${sha256Hex(`${previous}\n${body}`)}"}`;
}

/** SHA-256 of the UTF-8 bytes of a text, 64 hexadecimal digits. */
export function sha256Hex(text: string): string {
  return bytesToHex(sha256(utf8ToBytes(text)));
}

/** JSON in one spelling: no blanks, keys of mappings in order, ASCII. Values that JSON lacks do not occur in inputs. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .sort(([a], [b]) => compare(a, b));
    return `{${entries.map(([key, item]) => `${ascii(key)}:${canonical(item)}`).join(',')}}`;
  }
  return ascii(value);
}

function ascii(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function firstDifference(a: string, b: string): number {
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  return i;
}

/** Column at which a text stops being the beginning of a line of ours: the longest prefix that lexes as JSON. */
function brokenAt(line: string): number {
  const token = /\s*(?:[{}[\],:]|"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)/y;
  let column = 0;
  while (column < line.length) {
    token.lastIndex = column;
    if (!token.test(line)) break;
    column = token.lastIndex;
  }
  return Math.min(column + 1, line.length + 1);
}

function fault(line: number, column: number, message: string): { ok: false; fault: TranscriptFault } {
  return { ok: false, fault: { line, column, message } };
}
