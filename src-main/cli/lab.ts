import { z } from 'zod';
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { checkLab, type Check } from '../../src-lab/check';
import { printIssue } from '../../src-lab/issue';
import { Facts, labJsonSchema, SolutionSource, WrongSource } from '../../src-lab/schema';
import { didYouMean, nearest } from '../../src-sim/scenario/nearest';
import { PLAIN } from '../../src-sim/scenario/runner-text';
import { explainLabFault, labFolders, labPath, readLab } from '../labs';
import { ANSI, STATUS, worst, type Status, type Terminal } from './terminal';

interface CheckOptions {
  readonly json?: true;
  readonly labs: string;
}

/** `seamlab lab check [NAME]`: all labs, or the one of that folder. */
export function checkLabs(
  name: string | undefined,
  { json, labs }: CheckOptions,
  terminal: Terminal,
): Status {
  const facts = readFacts(labs);
  if (typeof facts === 'string') {
    terminal.err(`${facts}\n`);
    return STATUS.wrong;
  }
  const folders = labFolders(labs);
  if (name !== undefined && !folders.includes(name)) {
    terminal.err(`There is no lab "${name}" in ${shorter(labs)}.${didYouMean(nearest(name, folders))}\n`);
    return STATUS.wrong;
  }
  if (folders.length === 0) {
    terminal.err(`There are no labs in ${shorter(labs)}.\n`);
    return STATUS.wrong;
  }
  const results = (name === undefined ? folders : [name]).map((folder) => ({
    folder,
    ...checkFolder(labs, folder, facts),
  }));
  for (const { errors } of results) for (const error of errors) terminal.err(`${error}\n`);
  if (json) terminal.out(`${JSON.stringify({ seamlab: 'checks/1', labs: results.map(plain) })}\n`);
  else for (const { folder, check } of results) terminal.out(checkText(folder, check, terminal.color));
  return worst(results.map(({ errors }) => (errors.length === 0 ? STATUS.held : STATUS.failed)));
}

interface Result {
  /** Null when the folder could not be read. */
  readonly check: Check | null;
  /** Every issue as one line: file, line, column, what is wrong, what to do. */
  readonly errors: readonly string[];
}

function checkFolder(labs: string, folder: string, facts: Facts): Result {
  const path = labPath(labs, folder)!;
  const read = readLab(path);
  if (!read.ok) return { check: null, errors: [`${shorter(path)}: ${explainLabFault(read.fault)}`] };
  const check = checkLab(read.files, facts);
  return {
    check,
    errors: check.issues.map((issue) => printIssue({ ...issue, file: shorter(join(path, issue.file)) })),
  };
}

/** What was checked, one line each, and how it ended. */
function checkText(folder: string, check: Check | null, color: boolean): string {
  const { strong, good, bad } = color ? ANSI : PLAIN;
  if (!check?.lab) return `${strong(folder)}\n  ${bad('FAIL')}  it cannot be loaded\n`;
  const { lab, issues, solutions, wrong, mutants, reading } = check;
  const { source, points } = lab;
  const facts = [
    `${source.title}: ${lab.steps.length} steps, ${lab.checkpoints.length} checkpoints, ${points} points`,
    solutions === 1 ? '1 solution earns every point' : `${solutions} solutions earn every point`,
    `${mutants} altered answers lose points`,
    `${wrong} wrong attempts meet ${lab.misconceptions.size} misconceptions`,
    `reading takes ${reading} of ${source.minutes} minutes`,
  ];
  const end =
    issues.length === 0
      ? good('ok')
      : `${bad('FAIL')}  ${issues.length} ${issues.length === 1 ? 'issue' : 'issues'}`;
  return [strong(folder), ...facts.map((fact) => `  ${fact}`), `  ${end}`, ''].join('\n');
}

function plain({ folder, check, errors }: Result & { readonly folder: string }): unknown {
  return {
    folder,
    ok: errors.length === 0,
    id: check?.lab?.id ?? null,
    points: check?.lab?.points ?? null,
    solutions: check?.solutions ?? 0,
    wrong: check?.wrong ?? 0,
    mutants: check?.mutants ?? 0,
    issues: check?.issues ?? [{ file: '', line: 1, column: 1, message: errors[0], remedy: '' }],
  };
}

/** The known facts, or why there are none. */
function readFacts(labs: string): Facts | string {
  const file = join(labs, 'facts.json');
  try {
    const parsed = Facts.safeParse(JSON.parse(readFileSync(file, 'utf8')));
    if (parsed.success) return parsed.data;
    const { path, message } = parsed.error.issues[0]!;
    return `${shorter(file)}: "${path.join('.')}": ${message}.`;
  } catch {
    return `${shorter(file)}: The list of facts cannot be read as JSON.`;
  }
}

/** A path as a user in the current folder would write it. */
function shorter(path: string): string {
  const from = relative(process.cwd(), path);
  return from === '' ? '.' : from.startsWith('..') ? path : from;
}

const SCHEMAS: Readonly<Record<string, () => string>> = {
  lab: labJsonSchema,
  solution: () => schemaOf(SolutionSource),
  wrong: () => schemaOf(WrongSource),
};

/** `seamlab lab schema [FILE]`: the JSON Schema of `lab.yaml`, `solution.yaml` or `wrong/NAME.yaml`. */
export function labSchema(file: string, terminal: Terminal): Status {
  const schema = Object.hasOwn(SCHEMAS, file) ? SCHEMAS[file] : undefined;
  if (schema === undefined) {
    const names = Object.keys(SCHEMAS);
    terminal.err(
      `There is no schema "${file}": one of ${names.join(', ')}.${didYouMean(nearest(file, names))}\n`,
    );
    return STATUS.wrong;
  }
  terminal.out(schema());
  return STATUS.held;
}

function schemaOf(schema: z.ZodType): string {
  return `${JSON.stringify(z.toJSONSchema(schema, { io: 'input', target: 'draft-07' }), null, 2)}\n`;
}
