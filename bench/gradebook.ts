import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { threadsFor } from '../src-main/cli/pool';
import { solvedLabs, writeClass } from './class';
import { atMost, median, noted, type Figure } from './ratio';

/** The gradebook of a large class, as an instructor gets it: one command over a folder. */

const LEARNERS = 1_000;
const INPUTS = 100;
/** Transcripts that differ; the others are copies of them, since no grade is remembered. */
const DISTINCT = 200;
const ROUNDS = 3;
const root = process.env['SEAMLAB_ROOT'] ?? process.cwd();

/**
 * Seconds that grading a folder takes, start of the process included.
 *
 * @param own - options besides; without `--jobs` the command chooses how many threads.
 */
function seconds(folder: string, own: readonly string[]): number {
  const from = performance.now();
  const args = [join(root, 'bin/seamlab.mjs'), 'grade', folder, '--format', 'json', ...own];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  const took = (performance.now() - from) / 1_000;
  const { grades } = JSON.parse(stdout) as { grades: { ok: boolean }[] };
  if (status !== 0 || grades.some(({ ok }) => !ok)) throw new Error(`grading failed: ${stderr}`);
  return took;
}

export function gradebookFigures(): Figure[] {
  const folder = mkdtempSync(join(tmpdir(), 'seamlab-bench-class-'));
  const part = join(folder, 'part');
  const all = join(folder, 'all');
  try {
    const labs = solvedLabs(join(root, 'labs'));
    writeClass(part, labs, DISTINCT, INPUTS);
    writeClass(all, labs, 0, INPUTS);
    for (let i = 0; i < LEARNERS; i++) {
      const of = `learner-${String((i % DISTINCT) + 1).padStart(4, '0')}.jsonl`;
      copyFileSync(join(part, of), join(all, `${i}-${of}`));
    }
    const bytes = readdirSync(all).reduce((sum, name) => sum + statSync(join(all, name)).size, 0);
    const threads = threadsFor(bytes, availableParallelism());
    const chosen: number[] = [];
    const ratios: number[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      const one = threads > 1 ? seconds(all, ['--jobs', '1']) : null;
      chosen.push(seconds(all, []));
      if (one !== null) ratios.push(chosen.at(-1)! / one);
    }
    return [
      threads > 1
        ? atMost(`gradebook on ${threads} threads to one`, median(ratios), 0.85)
        : noted('gradebook: threads that are soonest on so few processors', threads, 'threads'),
      atMost(`gradebook of ${LEARNERS} transcripts of ${INPUTS} inputs`, median(chosen), 30, 's'),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
