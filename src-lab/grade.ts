import { SIM_VERSION } from '../src-sim';
import type { Lab } from './lab';
import { LabSession } from './session';
import { parseTranscript, type Transcript, type TranscriptEntry } from './transcript';
import type { ProgressView } from './view';

export type Replay =
  | { readonly ok: true; readonly session: LabSession }
  /** Input `n` was accepted once and is not now: the transcript is not of this lab, or was put together by hand. */
  | { readonly ok: false; readonly n: number; readonly refused: string };

/**
 * Applies the inputs of a transcript to a new session.
 *
 * @param session - UUID of the session.
 * @param progress - called after every input with how many are done; may throw to stop.
 */
export function replay(
  lab: Lab,
  session: string,
  entries: readonly TranscriptEntry[],
  progress?: (done: number, total: number) => void,
): Replay {
  const learner = new LabSession(lab, session);
  for (const { n, input } of entries) {
    const applied = learner.apply(input);
    if (!applied.accepted) return { ok: false, n, refused: applied.refused };
    progress?.(n, entries.length);
  }
  return { ok: true, session: learner };
}

export type Grade =
  | {
      readonly ok: true;
      readonly lab: Lab;
      readonly transcript: Transcript;
      readonly progress: ProgressView;
      /** Hash of the machine at the end: the same everywhere. */
      readonly machine: string;
    }
  | {
      readonly ok: false;
      readonly code: 'damaged' | 'unknown_lab' | 'other_lab_content' | 'other_simulator' | 'not_replayable';
      /** Place in the transcript, from 1. */
      readonly line: number;
      readonly column: number;
      readonly message: string;
    };

/**
 * Grades a finished transcript by replaying it. The same text gives the same grade everywhere.
 *
 * @param text - the file, decoded as UTF-8 or byte by byte.
 * @param find - the lab with an id; null when there is none.
 */
export function gradeTranscript(text: string, find: (id: string) => Lab | null): Grade {
  const read = parseTranscript(text);
  if (!read.ok) return { ok: false, code: 'damaged', ...read.fault };
  const { transcript } = read;
  const { head, entries } = transcript;
  const first = (code: 'unknown_lab' | 'other_lab_content' | 'other_simulator', message: string): Grade => ({
    ok: false,
    code,
    line: 1,
    column: 1,
    message,
  });
  const lab = find(head.lab);
  if (lab === null) return first('unknown_lab', `There is no lab "${head.lab}" here.`);
  if (lab.contentHash !== head.labHash) {
    return first('other_lab_content', `"${head.lab}" has other content than when this session was made.`);
  }
  if (head.simVersion !== SIM_VERSION) {
    return first(
      'other_simulator',
      `The session was made with simulator ${head.simVersion}; this is ${SIM_VERSION}.`,
    );
  }
  const replayed = replay(lab, head.session, entries);
  if (!replayed.ok) {
    const message = `Input ${replayed.n} is not possible there: ${replayed.refused}`;
    return { ok: false, code: 'not_replayable', line: replayed.n + 1, column: 1, message };
  }
  const { session } = replayed;
  return {
    ok: true,
    lab,
    transcript,
    progress: session.progress(),
    machine: session.timeline.machine.hash(),
  };
}
