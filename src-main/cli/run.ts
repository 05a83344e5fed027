import { traceFile } from '../../src-sim/export/file';
import type { TraceFormat } from '../../src-sim/export/format';
import { explain } from '../../src-sim/scenario/errors';
import { nearest, didYouMean } from '../../src-sim/scenario/nearest';
import { playScenario, type Run } from '../../src-sim/scenario/runner';
import { faultReport, type FaultReport, type Report } from '../../src-sim/scenario/runner-report';
import { PLAIN, reportText, summaryText, verdictText, type Paint } from '../../src-sim/scenario/runner-text';
import { parseScenario } from '../../src-sim/scenario/scenario';
import { SOURCE_LIMITS } from '../../src-sim/scenario/source';
import { readInput, utf8, writeOutput } from './files';
import { ANSI, STATUS, worst, type Status, type Terminal } from './terminal';

export interface RunOptions {
  readonly json?: true;
  readonly quiet?: true;
  readonly bringUp?: true;
  readonly at?: number;
  readonly show?: readonly string[];
  /** File into which the trace goes. */
  readonly trace?: string;
  readonly traceFormat?: TraceFormat;
}

/** `seamlab run FILE...`: runs every file, whatever becomes of the others. */
export function runFiles(files: readonly string[], options: RunOptions, terminal: Terminal): Status {
  if (options.trace !== undefined && files.length > 1) {
    terminal.err('seamlab: --trace takes one scenario: its file would hold the trace of the last only.\n');
    return STATUS.wrong;
  }
  return worst(files.map((file) => runFile(file, options, terminal, files.length > 1)));
}

function runFile(file: string, options: RunOptions, terminal: Terminal, several: boolean): Status {
  const read = readInput(file, SOURCE_LIMITS.bytes);
  const text = read.ok ? utf8(read.bytes) : null;
  if (text === null)
    return unreadable(file, read.ok ? 'The file is not UTF-8 text.' : read.why, options, terminal);
  const parsed = parseScenario(text);
  if (!parsed.ok) {
    for (const error of parsed.errors)
      terminal.err(`${file}:${error.at.line}:${error.at.column}: ${explain(error)}\n`);
    if (options.json) document(terminal, { ...faultReport(parsed.errors), file });
    return STATUS.wrong;
  }
  const run = playScenario(parsed.value);
  const paint = terminal.color ? ANSI : PLAIN;
  if (options.trace !== undefined) {
    const why = writeTrace(run.report, options.trace, options.traceFormat ?? 'text');
    if (why !== null) {
      terminal.err(`${options.trace}: ${why}\n`);
      return STATUS.wrong;
    }
    if (run.report.omitted > 0)
      terminal.err(`${options.trace}: ${run.report.omitted} events after the first 100,000 are not in it.\n`);
  }
  if (options.at !== undefined || options.show !== undefined)
    return look(file, run, options, terminal, paint);
  const { report } = run;
  if (options.json) document(terminal, { ...report, file });
  else if (options.quiet) terminal.out(quietText(file, report, paint));
  else
    terminal.out(
      `${several ? `${paint.strong(`# ${file}`)}\n` : ''}${reportText(report, paint, options.bringUp === true)}`,
    );
  return statusOf(report);
}

/** Writes a trace whole or not at all. @returns why it could not be written. */
function writeTrace(report: Report, file: string, format: TraceFormat): string | null {
  const cpus = Object.keys(report.state).filter((path) => /^cpu\d+\.context$/.test(path)).length;
  const { title, simulator } = report;
  return writeOutput(file, traceFile(format, report.trace, { cpus, title, simulator }));
}

/** Prints state at one moment. */
function look(
  file: string,
  { report, timeline }: Run,
  { at, show, json }: RunOptions,
  terminal: Terminal,
  paint: Paint,
): Status {
  const moment = at ?? timeline.last;
  if (moment > timeline.last) {
    terminal.err(`${file}: There is no moment ${moment}. Did you mean ${timeline.last}, the last one?\n`);
    return STATUS.wrong;
  }
  const { machine } = timeline;
  const { leaves } = machine.layout;
  timeline.jump(moment);
  const values: Record<string, string> = {};
  let unknown = false;
  for (const path of show ?? ['']) {
    const found = leaves.filter(
      (leaf) => path === '' || leaf.path === path || leaf.path.startsWith(`${path}.`),
    );
    const completed = found.length > 0 ? found : [machine.layout.find(path)].filter((leaf) => leaf !== null);
    for (const leaf of completed) values[leaf.path] = machine.show(leaf);
    if (completed.length > 0) continue;
    const near = nearest(
      path,
      leaves.map((leaf) => leaf.path),
    );
    terminal.err(`${file}: No state has the path "${path}".${didYouMean(near)}\n`);
    unknown = true;
  }
  if (unknown) return STATUS.wrong;
  if (json) document(terminal, { ...report, file, shown: { moment, values } });
  else {
    const width = Math.max(...Object.keys(values).map((path) => path.length));
    terminal.out(paint.dim(`${file}, moment ${moment} of ${timeline.last}\n`));
    for (const [path, value] of Object.entries(values))
      terminal.out(`${path.padEnd(width)}  ${value || 'none'}\n`);
  }
  return statusOf(report);
}

function quietText(file: string, report: Report, paint: Paint): string {
  const failed = report.expectations.filter(({ holds }) => !holds);
  return [
    `${file}: ${summaryText(report, paint)}`,
    ...failed.flatMap((one) => verdictText(one, paint)),
    '',
  ].join('\n');
}

function unreadable(file: string, why: string, { json }: RunOptions, terminal: Terminal): Status {
  terminal.err(`${file}: ${why}\n`);
  if (json) {
    const errors = [{ line: 1, column: 1, code: 'unreadable', message: why, nearest: [] }];
    document(terminal, { seamlab: 'report/1', outcome: 'invalid', file, errors });
  }
  return STATUS.wrong;
}

function statusOf({ outcome }: Report): Status {
  return { held: STATUS.held, failed: STATUS.failed, limit: STATUS.limit, broken: STATUS.failed }[outcome];
}

/** One document on one line, so that several are JSON Lines. */
function document(terminal: Terminal, content: Report | FaultReport): void {
  terminal.out(`${JSON.stringify(content)}\n`);
}
