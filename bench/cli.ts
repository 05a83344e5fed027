import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { atMost, median, noted, type Figure } from './ratio';

/** What a person who types `seamlab run FILE` waits for, against a Node.js that does nothing. */

const ROUNDS = 31;
const root = process.env['SEAMLAB_ROOT'] ?? process.cwd();
const SCENARIO = join(root, 'src-sim/scenario/examples/td-init-stays-latched.yaml');

/** Milliseconds from spawn to exit. */
function waited(args: readonly string[]): number {
  const from = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`node ${args.join(' ')} failed: ${stderr}`);
  return performance.now() - from;
}

export function cliFigures(): Figure[] {
  const run: number[] = [];
  const empty: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    empty.push(waited(['-e', '0']));
    run.push(waited([join(root, 'out/main/cli.js'), 'run', SCENARIO]));
  }
  const beyond = run.map((ms, i) => ms - 1.5 * empty[i]!);
  return [
    noted('node -e 0', median(empty), 'ms'),
    noted('seamlab run on a small scenario', median(run), 'ms'),
    atMost("the same beyond 1.5 times node -e 0's time", median(beyond), 100, 'ms'),
  ];
}
