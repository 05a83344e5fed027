import { causesOf, type Cause, type Moment, type Progress } from '../src-sim';
import { checkCondition, Monitor, problemText, resolve, type Problem } from '../src-sim/scenario/condition';
import { pathProbe } from '../src-sim/scenario/condition-monitor';
import { authorText, checkStop, StopSeeker } from '../src-sim/scenario/stop';
import { hitView } from './hit';
import type { LabSession } from './session';
import { MAX_MARKS, type Found, type Question, type Unknown, type WatchExpression } from './question';

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
    case 'cause': {
      const { ask, event, moment } = question;
      if (moment < 1 || moment > session.timeline.last) return { ask, causes: [], since: moment };
      const { causes, since } = causesOf(past, moment, event, progress);
      return {
        ask,
        since,
        causes: causes.map(({ kind, moment: at, event: shown, author }) => ({
          kind,
          moment: at,
          event: shown,
          say: sayCause(kind, at, authorText(author)),
        })),
      };
    }
    case 'standing': {
      const { layout } = machine;
      return {
        ask: 'standing',
        stops: question.stops.map((stop) => unknown(checkStop(stop, layout))),
        watches: question.watches.map((watch) => standing(watch, session.timeline)),
      };
    }
  }
}

/** A cause as a sentence. */
function sayCause(kind: Cause['kind'], moment: number, by: string): string {
  switch (kind) {
    case 'direct':
      return `Moment ${moment}, by ${by}: without it this event would not have happened.`;
    case 'before':
      return `Moment ${moment}, by ${by}: without it the thread would have come another way.`;
    case 'call':
      return `Moment ${moment}, by ${by}: the call in which it happens.`;
    case 'action':
      return `Moment ${moment}: ${by} began it.`;
  }
}

function standing(watch: WatchExpression, at: Moment): { value: string; unknown: Unknown | null } {
  const { layout } = at.machine;
  if (!isValue(watch)) {
    const value = String(new Monitor(at, [watch]).holds(0));
    return { value, unknown: unknown(checkCondition(watch, layout)) };
  }
  const value = resolve(layout, watch.path) === null ? '' : pathProbe(watch.path, at).read();
  return { value, unknown: unknown(checkStop({ changes: watch.path }, layout)) };
}

function isValue(watch: WatchExpression): watch is { path: string } {
  return 'path' in watch && Object.keys(watch).length === 1;
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
