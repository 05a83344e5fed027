import { z } from 'zod';
import type { Progress } from '../src-sim';
import { checkCondition, Monitor, problemText, type Problem } from '../src-sim/scenario/condition';
import { checkStop, MomentaryCondition, Stops, StopSeeker } from '../src-sim/scenario/stop';
import { hitView } from './hit';
import type { LabSession } from './session';
import { Hit } from './view';

/** Marks that one question answers. */
export const MAX_MARKS = 2_000;
/** Conditions that one question is about. */
const MAX_WATCHES = 40;

const Moment = z.int().min(0);

/** What can be asked of a session without changing it. Nothing of this is part of a transcript. */
export const Question = z.discriminatedUnion('ask', [
  /** The last hit up to the moment `from`, or with `back` false the first one after it. */
  z.strictObject({ ask: z.literal('hit'), stops: Stops.min(1), from: Moment, back: z.boolean() }),
  /** Every moment after `from` at which a stop is hit. */
  z.strictObject({ ask: z.literal('marks'), stops: Stops.min(1), from: Moment }),
  /** What the machine does not know of these, and which of the conditions hold at the moment shown. */
  z.strictObject({
    ask: z.literal('standing'),
    stops: Stops,
    watches: z.array(MomentaryCondition).max(MAX_WATCHES),
  }),
]);
export type Question = z.infer<typeof Question>;

/** A word that this machine does not know, and the ones that look most like it. */
export const Unknown = z.strictObject({ say: z.string(), word: z.string(), nearest: z.array(z.string()) });
export type Unknown = z.infer<typeof Unknown>;

/** The answers, one a kind of question. */
export const Found = z.discriminatedUnion('ask', [
  z.strictObject({ ask: z.literal('hit'), hit: Hit.nullable() }),
  z.strictObject({
    ask: z.literal('marks'),
    /** Moment, and the first stop that is hit there; ascending. */
    marks: z.array(z.tuple([z.int(), z.int()])),
    /** Whether there are more than could be told. */
    more: z.boolean(),
  }),
  z.strictObject({
    ask: z.literal('standing'),
    /** Per stop: null when it can be hit on this machine. */
    stops: z.array(Unknown.nullable()),
    watches: z.array(z.strictObject({ holds: z.boolean(), unknown: Unknown.nullable() })),
  }),
]);
export type Found = z.infer<typeof Found>;

/**
 * Answers a question about the line of history that is shown. The session is left as it was.
 *
 * @param progress - called now and then while a search goes on; may throw to stop it.
 */
export function answer(session: LabSession, question: Question, progress?: Progress): Found {
  const { past, machine } = session.timeline;
  switch (question.ask) {
    case 'hit': {
      const seeker = new StopSeeker(question.stops);
      const { from, back, ask } = question;
      const moment = back ? past.previous(seeker, from, progress) : past.next(seeker, from, progress);
      return { ask, hit: moment === null ? null : hitView(seeker.hit!, past) };
    }
    case 'marks': {
      const seeker = new StopSeeker(question.stops);
      const marks: [number, number][] = [];
      for (const moment of past.every(seeker, question.from, progress)) {
        if (marks.length === MAX_MARKS) return { ask: 'marks', marks, more: true };
        marks.push([moment, seeker.hit!.stops[0]!]);
      }
      return { ask: 'marks', marks, more: false };
    }
    case 'standing': {
      const { layout } = machine;
      const monitor = new Monitor(session.timeline, question.watches);
      return {
        ask: 'standing',
        stops: question.stops.map((stop) => unknown(checkStop(stop, layout))),
        watches: question.watches.map((condition, i) => ({
          holds: monitor.holds(i),
          unknown: unknown(checkCondition(condition, layout)),
        })),
      };
    }
  }
}

function unknown([problem]: readonly Problem[]): Unknown | null {
  if (problem === undefined) return null;
  return { say: problemText(problem), word: wordOf(problem), nearest: [...problem.nearest] };
}

function wordOf(problem: Problem): string {
  switch (problem.code) {
    case 'unknown_path':
    case 'unknown_bit':
      return problem.path;
    case 'unknown_value':
      return problem.value;
    case 'unknown_event':
      return problem.event;
    case 'unknown_thread':
      return problem.thread;
    case 'unknown_call':
      return problem.call;
  }
}
