import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { atMost, median, noted, type Figure } from './ratio';

/** What a person who types `seamlab run FILE` waits for, against a Node.js that does nothing. */

const ROUNDS = 31;
const root = process.env['SEAMLAB_ROOT'] ?? process.cwd();
const EXAMPLES = join(root, 'src-sim/scenario/examples');
/** Some ioctls, and one that brings up a TD and runs it: 43 moments of the machine and 412. */
const SMALL = join(EXAMPLES, 'bring-up-irqchip-order.yaml');
const WITH_TD = join(EXAMPLES, 'td-init-stays-latched.yaml');

/** Milliseconds from spawn to exit. */
function waited(args: readonly string[]): number {
  const from = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`node ${args.join(' ')} failed: ${stderr}`);
  return performance.now() - from;
}

export function cliFigures(): Figure[] {
  const command = join(root, 'bin/seamlab.mjs');
  const [empty, small, withTd]: [number[], number[], number[]] = [[], [], []];
  for (let i = 0; i < ROUNDS; i++) {
    empty.push(waited(['-e', '0']));
    small.push(waited([command, 'run', SMALL]));
    withTd.push(waited([command, 'run', WITH_TD]));
  }
  const beyond = (run: readonly number[]): number => median(run.map((ms, i) => ms - 1.5 * empty[i]!));
  return [
    noted('node -e 0', median(empty), 'ms'),
    noted('seamlab run on a small scenario', median(small), 'ms'),
    atMost("the same beyond 1.5 times node -e 0's time", beyond(small), 100, 'ms'),
    noted('seamlab run on a scenario that boots a TD', median(withTd), 'ms'),
    noted("the same beyond 1.5 times node -e 0's time", beyond(withTd), 'ms'),
  ];
}
