import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { solvedLabs, writeClass } from './class';
import { atMost, median, noted, type Figure } from './ratio';

/** The gradebook of a large class, as an instructor gets it: one command over a folder. */

const LEARNERS = 1_000;
const INPUTS = 100;
/** Transcripts that differ; the others are copies of them, since no grade is remembered. */
const DISTINCT = 200;
const ROUNDS = 5;
const root = process.env['SEAMLAB_ROOT'] ?? process.cwd();

/** Seconds that grading a folder takes, start of the process included. */
function seconds(folder: string, threads: number): number {
  const from = performance.now();
  const args = [
    join(root, 'bin/seamlab.mjs'),
    'grade',
    folder,
    '--format',
    'json',
    '--jobs',
    String(threads),
  ];
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
    const threads = availableParallelism();
    const ratios: number[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      const first = seconds(part, i % 2 ? 1 : threads);
      const second = seconds(part, i % 2 ? threads : 1);
      ratios.push(i % 2 ? second / first : first / second);
    }
    const whole = seconds(all, threads);
    return [
      threads > 1
        ? atMost(`gradebook on ${threads} threads to one`, median(ratios), 0.85)
        : noted('gradebook: there is one processor', 1, 'times'),
      atMost(`gradebook of ${LEARNERS} transcripts of ${INPUTS} inputs`, whole, 30, 's'),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
