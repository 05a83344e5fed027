import { brokenText } from '../index';
import type { ChangeReport, ExpectationReport, Report, StepReport } from './runner-report';

/** How parts of a text stand out. The text is the same without. */
export interface Paint {
  strong(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  bad(text: string): string;
}
export const PLAIN: Paint = {
  strong: (text) => text,
  dim: (text) => text,
  good: (text) => text,
  bad: (text) => text,
};

/** Column at which fact ids stand, unless the line is longer. */
const SOURCE_COLUMN = 104;

type Event = Report['trace'][number];

/**
 * A report for people: per step its trace as a function graph with the changes of state, how it ended, and what became
 * of the expectations; then the whole in one line.
 *
 * @param bringUp - also show what happens inside `boot`, which is the same in every scenario.
 */
export function reportText(report: Report, paint: Paint = PLAIN, bringUp = false): string {
  const graph = new Graph(report, paint);
  const lines = [paint.strong(report.title), ''];
  for (const step of report.steps) {
    lines.push(
      paint.strong(`[${step.n}] ${step.command}`),
      ...graph.between(step.from, step.to, !bringUp && step.command.startsWith('boot ')),
    );
    if (step.say !== '') lines.push(ending(step, paint));
    const own = report.expectations.filter((expectation) => expectation.step === step.n);
    lines.push(...own.flatMap((expectation) => verdictText(expectation, paint)), '');
  }
  const atEnd = report.expectations.filter((expectation) => expectation.step === null);
  if (atEnd.length > 0)
    lines.push(paint.strong('[end]'), ...atEnd.flatMap((one) => verdictText(one, paint)), '');
  if (report.omitted > 0) lines.push(`${report.omitted} more events are not shown.`);
  return [...lines, summaryText(report, paint), ''].join('\n');
}

function ending({ outcome, say }: StepReport, paint: Paint): string {
  const line = `    = ${say}`;
  return outcome === 'stuck' || outcome === 'limit' ? paint.bad(line) : line;
}

/** What became of an expectation: one line when it holds, two when it does not. */
export function verdictText(
  { holds, expected, observed, moment, line, column }: ExpectationReport,
  paint: Paint,
): string[] {
  if (holds) return [`    ${paint.good('ok')}    ${expected}`];
  const where = moment === null ? '' : `, wrong from moment ${moment} on`;
  return [
    `    ${paint.bad('FAIL')}  ${expected}`,
    `          observed: ${observed}${where} ${paint.dim(`(line ${line}, column ${column})`)}`,
  ];
}

/** The whole in one line. */
export function summaryText(
  { outcome, limit, broken, steps, expectations, moments }: Report,
  paint: Paint,
): string {
  const held = expectations.filter(({ holds }) => holds).length;
  const stuck = steps.filter((step) => step.outcome === 'stuck').length;
  const counts = [
    `${held} of ${expectations.length} expectations held`,
    `${steps.length} steps`,
    `${moments} moments`,
  ];
  if (stuck > 0) counts.push(`${stuck} steps were impossible`);
  const text = `${outcome}: ${counts.join(', ')}`;
  if (broken !== null) return paint.bad(`${text}. ${brokenText(broken)}`);
  if (limit !== null) return paint.bad(`${text}. ${limit}`);
  return outcome === 'held' ? paint.good(text) : paint.bad(text);
}

/** One line of the graph; `depth` is its indentation. */
interface Line {
  readonly ns: number;
  readonly thread: string;
  readonly depth: number;
  readonly text: string;
  readonly source: string;
  readonly type: Event['type'] | 'change';
}

/** The trace as the kernel's function_graph tracer shows it, with changes of state between. */
class Graph {
  private readonly width: number;
  private event = 0;
  private change = 0;

  constructor(
    private readonly report: Report,
    private readonly paint: Paint,
  ) {
    this.width = Math.max(0, ...report.trace.map(({ thread }) => thread.length));
  }

  /** Lines of the moments after `from`, up to and including `to`; `brief`: only what userspace does. */
  between(from: number, to: number, brief: boolean): string[] {
    const { trace, changes } = this.report;
    const lines: Line[] = [];
    for (let moment = from + 1; moment <= to; moment++) {
      const events: Event[] = [];
      while (trace[this.event]?.moment === moment) events.push(trace[this.event++]!);
      const made: ChangeReport[] = [];
      while (changes[this.change]?.moment === moment) made.push(changes[this.change++]!);
      // A step ends with the call it makes or with its return: what it changed, it changed before.
      const leaving = events.findIndex(({ type }) => type === 'call' || type === 'return');
      const inside = leaving < 0 ? events.length : leaving;
      for (const event of events.slice(0, inside)) addEvent(lines, event);
      for (const change of made) lines.push(changeLine(change));
      for (const event of events.slice(inside)) addEvent(lines, event);
    }
    const told = brief ? lines.filter(({ type }) => type === 'action') : lines;
    return told.map((line) => this.show(line));
  }

  private show({ ns, thread, depth, text, source, type }: Line): string {
    const body = `${String(ns).padStart(8)}  ${thread.padEnd(this.width)}  ${'  '.repeat(depth)}${text}`;
    if (type === 'change') return this.paint.dim(body);
    return source === '' ? body : `${body.padEnd(SOURCE_COLUMN)}  ${this.paint.dim(source)}`;
  }
}

function changeLine({ ns, thread, depth, path, from, to }: ChangeReport): Line {
  return {
    ns,
    thread,
    depth: depth + 1,
    text: `${path} ${from || 'none'} -> ${to || 'none'}`,
    source: '',
    type: 'change',
  };
}

/** Adds an event. A call that is left at once takes one line: `kvm_vcpu_kick() = 0`. */
function addEvent(lines: Line[], event: Event): void {
  const { ns, thread, depth, source, type, name, text } = event;
  const call = lines.at(-1);
  if (type === 'return' && call?.type === 'call' && call.thread === thread && call.depth === depth) {
    lines.pop();
    lines.push({ ...call, text: `${name}() = ${text}`, type: 'return' });
    return;
  }
  const inside = type === 'tracepoint' || type === 'mark' ? depth + 1 : depth;
  lines.push({ ns, thread, depth: inside, text: eventText(event), source, type });
}

function eventText({ type, name, text }: Event): string {
  switch (type) {
    case 'call':
      return `${name}() {`;
    case 'return':
      return `} ${name} = ${text}`;
    case 'action':
      return `${name} ${text}`;
    default:
      return `${name}: ${text}`;
  }
}
