import type { Progress } from '../src-sim';
import { checkCondition, Monitor, problemText, type Problem } from '../src-sim/scenario/condition';
import { checkStop, StopSeeker } from '../src-sim/scenario/stop';
import { hitView } from './hit';
import type { LabSession } from './session';
import { MAX_MARKS, type Found, type Question, type Unknown } from './question';

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
