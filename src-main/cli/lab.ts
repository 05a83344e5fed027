import { z } from 'zod';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { checkLab, type Check } from '../../src-lab/check';
import { printIssue } from '../../src-lab/issue';
import { Slug } from '../../src-lab/slug';
import { loadLab } from '../../src-lab/lab';
import { labJsonSchema, SolutionSource, WrongSource, type Facts } from '../../src-lab/schema';
import { didYouMean, nearest } from '../../src-sim/scenario/nearest';
import { PLAIN } from '../../src-sim/scenario/runner-text';
import { readFacts } from '../facts';
import { explainLabFault, labFolders, labPath, readLab } from '../labs';
import { newLabFiles } from './template';
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
  const known = readFacts([join(terminal.root, 'labs'), labs]);
  if (!known.ok) {
    terminal.err(`${shorter(known.file)}: ${known.why}\n`);
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
    ...checkFolder(labs, folder, known.facts),
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

/** `1 step`, `2 steps`. */
function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}

/** What was checked, one line each, and how it ended. */
function checkText(folder: string, check: Check | null, color: boolean): string {
  const { strong, good, bad } = color ? ANSI : PLAIN;
  if (!check?.lab) return `${strong(folder)}\n  ${bad('FAIL')}  it cannot be loaded\n`;
  const { lab, issues, solutions, wrong, mutants, reading } = check;
  const { source, points } = lab;
  const facts = [
    `${source.title}: ${count(lab.steps.length, 'step')}, ${count(lab.checkpoints.length, 'checkpoint')}, ${count(points, 'point')}`,
    solutions === 1 ? '1 solution earns every point' : `${solutions} solutions earn every point`,
    mutants === 1 ? '1 altered answer loses points' : `${mutants} altered answers lose points`,
    `${count(wrong, 'wrong attempt')} ${wrong === 1 ? 'meets' : 'meet'} ${count(lab.misconceptions.size, 'misconception')}`,
    `reading takes ${reading} of ${source.minutes} minutes`,
  ];
  const end = issues.length === 0 ? good('ok') : `${bad('FAIL')}  ${count(issues.length, 'issue')}`;
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

/** `seamlab lab new NAME`: a folder that passes the check. */
export function newLab(name: string, { labs }: { readonly labs: string }, terminal: Terminal): Status {
  const wrong = (why: string): Status => {
    terminal.err(`${why}\n`);
    return STATUS.wrong;
  };
  const folder = join(labs, name);
  const id = name.replace(/^[0-9]+-/, '');
  if (!Slug.safeParse(name).success || !/^[a-z]/.test(id))
    return wrong(
      `"${name}" cannot be the name of a lab. Lower-case words joined by hyphens can, as 90-first.`,
    );
  if (existsSync(folder)) return wrong(`${shorter(folder)} is there already. Choose another name.`);
  const others = labFolders(labs).flatMap((other) => identityOf(labs, other));
  const twin = others.find((other) => other.id === id);
  if (twin !== undefined) return wrong(`The id "${id}" is that of ${twin.folder}. Choose another name.`);
  const given = Number(/^[0-9]+/.exec(name)?.[0] ?? 0);
  const number = given >= 1 && given <= 99 ? given : Math.min(99, Math.max(0, ...others.map((other) => other.number)) + 1); // prettier-ignore
  const title = id.replaceAll('-', ' ').replace(/^./, (letter) => letter.toUpperCase());
  const schema = relative(folder, join(terminal.root, 'src-lab', 'lab.schema.json')).replaceAll('\\', '/');
  try {
    mkdirSync(join(folder, 'wrong'), { recursive: true });
    for (const [file, text] of newLabFiles({ id, number, title, schema }))
      writeFileSync(join(folder, file), text, { flag: 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return wrong(`${shorter(folder)} cannot be written (${code ?? 'unknown'}).`);
  }
  terminal.out(`${shorter(folder)} is there. Next:
  seamlab lab check ${name}
  seamlab lab preview ${name}
docs/writing-labs.md tells how to make it yours.
`);
  return STATUS.held;
}

/** Id and number of a lab; nothing of one that cannot be loaded. */
function identityOf(labs: string, folder: string): { folder: string; id: string; number: number }[] {
  const read = readLab(labPath(labs, folder)!);
  const load = read.ok ? loadLab(read.files) : null;
  return load?.ok ? [{ folder, id: load.lab.id, number: load.lab.source.number }] : [];
}

/** `seamlab lab preview NAME|FOLDER`: opens the lab in the application, which reads it again when it is saved. */
export async function previewLab(
  name: string,
  { labs }: { readonly labs: string },
  terminal: Terminal,
): Promise<Status> {
  const inside = labPath(labs, name);
  const folder = inside !== null && existsSync(join(inside, 'lab.yaml')) ? inside : resolve(name);
  if (!existsSync(join(folder, 'lab.yaml'))) {
    terminal.err(`There is no lab "${name}" in ${shorter(labs)}, and no folder of that name with a lab.yaml.${didYouMean(nearest(name, labFolders(labs)))}\n`); // prettier-ignore
    return STATUS.wrong;
  }
  if (!Slug.safeParse(basename(folder)).success) {
    terminal.err(`"${basename(folder)}" cannot be the name of a lab. Lower-case words joined by hyphens can, as 90-first.\n`); // prettier-ignore
    return STATUS.wrong;
  }
  // What is wrong already is told here, too: the application shows the lab when it is mended.
  for (const error of loadErrors(dirname(folder), basename(folder))) terminal.err(`${error}\n`);
  const known = readFacts([dirname(folder)]);
  if (!known.ok) terminal.err(`${shorter(known.file)}: ${known.why}\n`);
  return (await terminal.start(['--preview', folder])) === 0 ? STATUS.held : STATUS.wrong;
}

function loadErrors(labs: string, folder: string): readonly string[] {
  const path = labPath(labs, folder)!;
  const read = readLab(path);
  if (!read.ok) return [`${shorter(path)}: ${explainLabFault(read.fault)}`];
  const load = loadLab(read.files);
  if (load.ok) return [];
  return load.issues.map((issue) => printIssue({ ...issue, file: shorter(join(path, issue.file)) }));
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
