import Database from 'libsql';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transcriptFile } from '../src-lab/transcript';
import { expect, root, test } from './app';
import { course, lab, notices } from './begun';

/** Runs a program in the repository's folder, as its users do. */
function run(
  program: string,
  ...args: readonly string[]
): { status: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: root, encoding: 'utf8' });
  return { status, out: stdout, err: stderr };
}
const grade = (...args: readonly string[]) => run(process.execPath, 'bin/seamlab.mjs', 'grade', ...args);

/** What `seamlab grade` exits with when it refuses a transcript, as `seamlab --help` says. */
const REFUSED = 1;

test('an exported attempt is what the store holds, grades to the same score, and is refused when one byte differs', async ({
  app,
  folder,
}) => {
  const { session } = await app.open();
  for (const input of [{ kind: 'hint', checkpoint: lab.checkpoints[0]!.id } as const, ...course.inputs]) {
    expect(await app.call('lab.input', { session, input })).toMatchObject({ accepted: true });
  }
  await app.page.reload();
  const { progress, machine, inputs } = await app.call('lab.open', { lab: lab.id });
  expect(progress).toMatchObject({ complete: true });
  const score = `${progress.score} of ${progress.points} points`;
  await expect(app.page.getByRole('group', { name: 'Score' })).toContainText(score);

  await app.page.keyboard.press('Control+e');
  await expect(notices(app)).toContainText(
    `It holds ${inputs} inputs; the attempt stays in Seamlab as well.`,
  );
  const [name] = readdirSync(app.exports);
  const file = join(app.exports, name!);
  const bytes = readFileSync(file);
  expect(await app.quit()).toEqual({ code: 0, signal: null });

  const store = new Database(join(app.home, 'progress.db'), { readonly: true });
  const { header } = store.prepare('SELECT header FROM sessions WHERE id = ?').get(session) as {
    header: string;
  };
  const rows = store.prepare('SELECT line FROM inputs WHERE session = ? ORDER BY n').all(session);
  store.close();
  const lines = (rows as { line: string }[]).map(({ line }) => line);
  expect(bytes.toString('latin1')).toBe(transcriptFile(header, lines));

  const printed = run('npx', 'seamlab', 'grade', file);
  expect(printed.status, printed.err).toBe(0);
  expect(printed.out).toMatch(new RegExp(`${lab.id} +${progress.score} of ${progress.points} `));
  const { grades } = JSON.parse(grade('--json', file).out) as { grades: unknown[] };
  expect(grades).toMatchObject([
    {
      ok: true,
      session,
      inputs,
      score: progress.score,
      points: progress.points,
      complete: true,
      machine: machine.hash,
    },
  ]);

  const altered = placesIn(bytes).map(({ at, line, column }, i) => {
    const copy = Buffer.from(bytes);
    copy[at]! ^= 1;
    const path = join(folder, `altered-${i}.jsonl`);
    writeFileSync(path, copy);
    return { path, line, column };
  });
  const all = grade(...altered.map(({ path }) => path));
  expect(all).toMatchObject({ status: REFUSED, out: '' });
  const said = all.err.trim().split('\n');
  expect(said).toHaveLength(altered.length);
  altered.forEach(({ path, line, column }, i) => expect(said[i]).toContain(`${path}:${line}:${column}: `));
});

/** Characters of a line from its hash on: 64 digits, a quotation mark, a bracket. */
const HASH_TAIL = 66;

interface Spot {
  /** Offset in the file. */
  readonly at: number;
  /** Where a reader is sent: the place itself, or the hash that it does not match. From 1. */
  readonly line: number;
  readonly column: number;
}

/** Bytes all over a transcript, in its first line, a middle one and the last; each with its lowest bit turned. */
function placesIn(bytes: Buffer): Spot[] {
  const lines = bytes.toString('latin1').split('\n').slice(0, -1);
  const last = lines.length - 1;
  return [0, Math.floor(last / 2), last].flatMap((i) => {
    const line = lines[i]!;
    const start = lines.slice(0, i).reduce((sum, { length }) => sum + length + 1, 0);
    const spot = (at: number, told: number): Spot => ({ at: start + at, line: i + 1, column: told + 1 });
    const hash = line.length - HASH_TAIL;
    const digit = hash + line.slice(hash).search(/[0-9b-e]/); // stays a digit
    const content = /^.*?"(?:lab":"|at":\d*|end":\d*)(?=[a-z]|(?<=\d),)/.exec(line)![0].length;
    return [
      spot(0, 0),
      spot(i === 0 ? content : content - 1, hash),
      spot(digit, hash),
      spot(line.length, i === last ? line.length + 1 : line.length),
    ];
  });
}
