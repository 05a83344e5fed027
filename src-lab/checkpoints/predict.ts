import { returnName, type Timeline } from '../../src-sim';
import { matches, readTarget, resolve } from '../../src-sim/scenario/condition';
import { didYouMean, suggest } from '../issue';
import type { Observe, PredictCheckpoint } from '../schema';
import { perform } from '../machines';
import { arrange, type Answer, type AnsweredKind, type Key } from './kind';
import { lintPattern } from './patterns';

/** `predict`: the learner says beforehand what the machine will answer. */
export const predict: AnsweredKind<PredictCheckpoint> = {
  how: 'answered',
  demonstratesAttempts: false,

  lint(source, lint) {
    lint.actions(source.run, ['run']);
    lint.on(source.on, ['on']);
    const { observe } = source;
    if (typeof observe === 'string') {
      if (resolve(lint.layout, observe) === null) {
        lint.issue(['observe'], `No state has the path "${observe}".`, suggest(lint.layout.nearest(observe)));
      }
    } else if ('count' in observe) lintPattern(observe.count, lint, ['observe', 'count']);
    else lintPattern(observe.happens, lint, ['observe', 'happens']);
    const values = options(source).map(({ value }) => normal(value));
    values.forEach((value, i) => {
      if (values.indexOf(value) !== i)
        lint.issue(['choices', i], 'This choice is the same as another.', 'Remove one.');
    });
    source.feedback.forEach(({ when }, i) => {
      for (const value of [when].flat()) {
        if (values.length === 0 || values.includes(normal(value))) continue;
        lint.issue(['feedback', i, 'when'], `"${value}" is none of the choices.`, didYouMean(value, values));
      }
    });
  },

  form(source) {
    const choices = options(source);
    if (choices.length > 0) return { type: 'choice', options: choices };
    const label = source.label ?? 'Your prediction';
    return source.example === undefined
      ? { type: 'value', label }
      : { type: 'value', label, example: source.example };
  },

  runs: (source) => source.run,
  demonstrate: (source) => source.run.map((act) => ({ act })),

  key(source, ground) {
    const timeline = arrange(ground);
    const probe = probeOf(source.observe, timeline);
    timeline.onMoment = () => probe.look();
    perform(timeline, this.demonstrate(source, ''));
    const words = probe.value();
    const option = options(source).find(({ value }) => normal(value) === normal(words));
    return {
      answer: option?.value ?? words,
      words: option?.label ?? quoted(words),
      ...probe.where(),
    } satisfies Key;
  },

  unfit(source, answer) {
    if (typeof answer !== 'string') return 'This prediction is one value, not a sequence.';
    const choices = options(source);
    if (choices.length > 0 && !choices.some(({ value }) => normal(value) === normal(answer))) {
      return `"${answer}" is none of the choices: ${choices.map(({ label }) => label).join(', ')}.`;
    }
    return answer.trim() === '' ? 'Say what you expect; for an empty set write none.' : null;
  },

  grade(source, key, answer) {
    const given = normal(answer);
    const found = source.feedback.findIndex(({ when }) =>
      [when].flat().some((value) => normal(value) === given),
    );
    const option = options(source).find(({ value }) => normal(value) === given);
    const passed = given === normal(key.answer);
    return {
      passed,
      points: passed ? source.points : 0,
      feedback: found < 0 ? null : found,
      words: option?.label ?? quoted(String(answer)),
      opened: null,
      findings: null,
    };
  },

  doubt: () => null,

  // All other choices, or values that nothing has.
  mutants(source, { answer: right }, given) {
    const choices = options(source).map(({ value }) => value);
    return choices.length > 0
      ? choices.filter((value) => value !== right && value !== given)
      : [`${String(right)}0`, 'RUNNABLE 7'];
  },
};

function options(source: PredictCheckpoint): { value: string; label: string }[] {
  return (source.choices ?? []).map((choice) =>
    typeof choice === 'string' ? { value: choice, label: choice } : choice,
  );
}

function quoted(value: string): string {
  return value === '' ? 'none' : value;
}

/** Reads the observed value, and remembers where in the run it came about. */
interface Probe {
  /** Called after every moment of the run. */
  look(): void;
  value(): string;
  where(): { moment: number | null; event: number | null };
}

function probeOf(observe: Observe, timeline: Timeline): Probe {
  const { machine } = timeline;
  const { trace } = machine;
  let moment: number | null = null;
  let event: number | null = null;
  const begin = trace.count;
  let seen = begin;

  if (typeof observe === 'string') {
    const target = resolve(machine.layout, observe);
    const value = (): string => (target === null ? '' : readTarget(target, machine.show(target.leaf)));
    let was = value();
    return {
      look: () => {
        const now = value();
        if (now !== was) [moment, event] = [timeline.moment, trace.count > seen ? trace.count - 1 : event];
        was = now;
        seen = trace.count;
      },
      value,
      // A value that does not change shows at the end of the run.
      where: () => ({
        moment: moment ?? timeline.moment,
        event: event ?? (trace.count > begin ? trace.count - 1 : null),
      }),
    };
  }

  const pattern = 'count' in observe ? observe.count : observe.happens;
  let count = 0;
  return {
    look: () => {
      for (let n = Math.max(seen, trace.first); n < trace.count; n++) {
        if (!matches(trace.event(n), pattern)) continue;
        count++;
        [moment, event] = [timeline.moment, n];
      }
      seen = trace.count;
    },
    value: () => ('count' in observe ? String(count) : count > 0 ? 'yes' : 'no'),
    where: () => ({ moment, event }),
  };
}

/**
 * A value in the one form in which answers are compared: spelling, case, blanks, base and the kernel's prefixes do not
 * matter; the order of the bits of a set does not either.
 */
export function normal(answer: Answer): string {
  const text = String(answer).trim().toUpperCase();
  if (['', 'NONE', 'EMPTY', '-', '0 BITS', 'NOTHING'].includes(text)) return '';
  return text
    .split(/[\s,+|]+/)
    .filter((word) => word !== '')
    .map(normalWord)
    .sort()
    .join(' ');
}

function normalWord(word: string): string {
  if (/^0X[0-9A-F]{1,16}$/.test(word)) return BigInt(word).toString();
  if (/^-?[0-9]{1,15}$/.test(word)) return returnName(Number(word)).toUpperCase();
  const bare = word.replace(/^(?:KVM_)?MP_STATE_/, '').replace(/^KVM_EXIT_/, '');
  return bare;
}
