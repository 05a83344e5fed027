/**
 * `npm run fuzz [-- --seeds N] [--inputs N] [--first N] [--seconds N]`: random inputs at random machines. Stops at the
 * first thing that must not be, with the few inputs that show it; exit status 1. A seed gives the same inputs everywhere.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import { entry, root, say, SetupError } from './lib/process.mjs';
import { setUp } from './set-up.mjs';

/** @param {string | undefined} text @param {number} otherwise @returns {number} */
function number(text, otherwise) {
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isInteger(value) || value < 1) throw new SetupError(`"${text}" is no number from 1 on`, 2);
  return value;
}

await entry(async () => {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      inputs: { type: 'string' },
      first: { type: 'string' },
      seconds: { type: 'string' },
    },
  });
  const seeds = number(values.seeds, 1_000);
  const inputs = number(values.inputs, 10_000);
  const first = number(values.first, 1);
  const seconds = values.seconds === undefined ? Infinity : number(values.seconds, 1);
  await setUp({});
  const { build } = await import('vite');
  await build({
    configFile: false,
    root,
    logLevel: 'warn',
    build: {
      ssr: 'src-sim/testing/fuzz.ts',
      outDir: 'out/fuzz',
      emptyOutDir: true,
      target: 'node20.18',
      minify: false,
    },
  });
  const { fuzz, runText } = await import(pathToFileURL(join(root, 'out', 'fuzz', 'fuzz.js')).href);

  /** @type {Record<string, number>} */
  const ended = {};
  const started = Date.now();
  let done = 0;
  for (let seed = first; seed < first + seeds; seed++) {
    const finding = fuzz(
      seed,
      inputs,
      (/** @type {string} */ what) => (ended[what] = (ended[what] ?? 0) + 1),
    );
    if (finding) {
      process.stdout.write(`seed ${seed}: ${finding.kind}\n${finding.say}\n${runText(finding.run)}\n`);
      return 1;
    }
    done++;
    if (done % 10 === 0) say(`${done} of ${seeds} seeds`);
    if (Date.now() - started > seconds * 1_000) break;
  }
  const actions = Object.entries(ended).map(([what, count]) => `${count} ${what}`);
  process.stdout.write(
    `${done} of ${seeds} seeds, ${inputs} inputs each: nothing found. Actions: ${actions.join(', ')}\n`,
  );
  return 0;
});
