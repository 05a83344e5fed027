/**
 * `npm test`: sets up what is missing, runs every check, and ends with one line that totals them. Names of stages run
 * those alone (`npm test -- types unit`); what follows the names goes to the tool of a single stage
 * (`npm test -- e2e --grep keyboard`).
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { entry, root, run, say, SetupError, tool } from './lib/process.mjs';
import { ensureDisplay, packaged, packagesAreThere, setUp } from './set-up.mjs';

/**
 * @typedef {{ passed: number, failed: number, output: string }} Outcome
 * @typedef {object} Stage
 * @property {string} name
 * @property {'packages' | 'build' | 'electron'} needs - electron: a build and a display as well
 * @property {readonly string[]} [after] - stages whose product it uses
 * @property {boolean} [alone] - nothing runs beside it: it drives windows and has both processors
 * @property {(more: readonly string[], env: Record<string, string>) => Promise<Outcome>} run
 */

const reports = mkdtempSync(join(tmpdir(), 'seamlab-test-'));

/**
 * A stage that is one command counts as one.
 *
 * @param {Promise<{ code: number, output: string }>} command
 * @returns {Promise<Outcome>}
 */
async function one(command) {
  const { code, output } = await command;
  return code === 0 ? { passed: 1, failed: 0, output } : { passed: 0, failed: 1, output };
}

/**
 * A stage of many tests counts each. Whatever did not pass has failed: skipped, not reached, or not even found.
 *
 * @param {{ code: number, output: string }} ended
 * @param {string} file - the tool's JSON report
 * @param {(report: any) => { passed: number, notPassed: number }} count
 * @returns {Outcome}
 */
function many({ code, output }, file, count) {
  /** @type {{ passed: number, notPassed: number }} */
  let counts;
  try {
    counts = count(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return { passed: 0, failed: 1, output: `${output}\nThe tool left no report.` };
  }
  const { passed, notPassed } = counts;
  const broken = notPassed === 0 && (code !== 0 || passed === 0) ? 1 : 0;
  return {
    passed,
    failed: notPassed + broken,
    output: passed === 0 && broken ? `${output}\nNo test was found.` : output,
  };
}

const quiet = { quiet: true };

/**
 * What takes longest begins first: the others go by beside it.
 *
 * @type {readonly Stage[]}
 */
const stages = [
  {
    name: 'unit',
    needs: 'packages',
    async run(more) {
      const file = join(reports, 'unit.json');
      const ended = await tool(
        'vitest/vitest.mjs',
        ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`, ...more],
        quiet,
      );
      return many(ended, file, (report) => ({
        passed: report.numPassedTests,
        notPassed:
          report.numTotalTests -
          report.numPassedTests +
          // A file that could not be loaded has no tests to count.
          report.testResults.filter(
            (/** @type {any} */ result) => result.status === 'failed' && result.assertionResults.length === 0,
          ).length,
      }));
    },
  },
  {
    name: 'types',
    needs: 'packages',
    run: (more) => one(tool('typescript/bin/tsc', ['-b', '--pretty', 'false', ...more], quiet)),
  },
  {
    name: 'screen-types',
    needs: 'packages',
    run: (more) =>
      one(
        tool(
          'svelte-check/bin/svelte-check',
          ['--tsconfig', 'src-renderer/tsconfig.json', '--output', 'human', '--fail-on-warnings', ...more],
          quiet,
        ),
      ),
  },
  {
    name: 'lint',
    needs: 'packages',
    run: (more) => one(tool('eslint/bin/eslint.js', ['.', '--max-warnings', '0', ...more], quiet)),
  },
  {
    name: 'format',
    needs: 'packages',
    run: (more) => one(tool('prettier/bin/prettier.cjs', ['--check', '.', ...more], quiet)),
  },
  {
    name: 'imports',
    needs: 'packages',
    run: (more) =>
      one(
        tool(
          'dependency-cruiser/bin/dependency-cruise.mjs',
          ['--config', '.dependency-cruiser.cjs', 'src-sim', 'src-lab', 'src-main', 'src-renderer', ...more],
          quiet,
        ),
      ),
  },
  {
    name: 'facts',
    needs: 'packages',
    run: (more) => one(run(process.execPath, ['scripts/conformance.mjs', '--check', ...more], quiet)),
  },
  {
    name: 'labs',
    needs: 'build',
    async run(more) {
      const labs = join(root, 'labs');
      if (!existsSync(labs) || !readdirSync(labs).some((name) => existsSync(join(labs, name, 'lab.yaml')))) {
        return { passed: 0, failed: 1, output: 'There is no lab to check.' };
      }
      return one(run(process.execPath, ['bin/seamlab.mjs', 'lab', 'check', ...more], quiet));
    },
  },
  {
    name: 'package',
    needs: 'electron',
    run: (more) => one(run(process.execPath, ['scripts/dist.mjs', ...more], quiet)),
  },
  {
    name: 'e2e',
    needs: 'electron',
    after: ['package'],
    alone: true,
    async run(more, env) {
      if (!packaged.isFresh()) {
        const { code, output } = await run(process.execPath, ['scripts/dist.mjs'], quiet);
        if (code !== 0) return { passed: 0, failed: 1, output };
      }
      const file = join(reports, 'e2e.json');
      const ended = await tool('@playwright/test/cli.js', ['test', ...more], {
        quiet: true,
        live: true,
        env: { ...env, PLAYWRIGHT_JSON_OUTPUT_FILE: file },
      });
      return many({ ...ended, output: '' }, file, ({ stats, errors }) => ({
        passed: stats.expected,
        notPassed: stats.unexpected + stats.flaky + stats.skipped + (stats.expected > 0 ? errors.length : 0),
      }));
    },
  },
];

/**
 * Runs stages, two at a time, each once what it needs is done.
 *
 * @param {readonly Stage[]} chosen
 * @param {(stage: Stage) => Promise<void>} work
 */
async function schedule(chosen, work) {
  const waiting = [...chosen];
  /** @type {Map<Stage, Promise<void>>} */
  const running = new Map();
  while (waiting.length > 0 || running.size > 0) {
    const busy = (/** @type {string} */ name) =>
      [...waiting, ...running.keys()].some((stage) => stage.name === name);
    const next = waiting.find(
      (stage) =>
        running.size < 2 &&
        ![...running.keys()].some((other) => other.alone) &&
        !(stage.alone && running.size > 0) &&
        !(stage.after ?? []).some(busy),
    );
    if (next) {
      waiting.splice(waiting.indexOf(next), 1);
      running.set(
        next,
        work(next).finally(() => running.delete(next)),
      );
    } else await Promise.race(running.values());
  }
}

await entry(async () => {
  const args = process.argv.slice(2);
  const names = stages.map((stage) => stage.name);
  let split = args.findIndex((arg) => !names.includes(arg));
  if (split < 0) split = args.length;
  const picked = args.slice(0, split);
  const more = args.slice(split);
  if (more.length > 0 && picked.length !== 1) {
    throw new SetupError(`"${more[0]}" is no stage; there are: ${names.join(' ')}`, 2);
  }
  const chosen = stages.filter((stage) => picked.length === 0 || picked.includes(stage.name));
  const started = Date.now();

  const electron = chosen.some((stage) => stage.needs === 'electron');
  let passed = 0;
  let failed = 0;
  /** @type {string | undefined} */
  let setUpFailed;
  try {
    const build = chosen.some((stage) => stage.needs !== 'packages');
    await setUp({ electron, display: electron, build, course: build });
  } catch (error) {
    // A build that fails is a finding like others: what needs no build still runs.
    if (!(error instanceof SetupError)) throw error;
    setUpFailed = error.message;
    say(setUpFailed);
  }
  if (!packagesAreThere()) {
    process.stdout.write('0 passed, 1 failed\n');
    return 1;
  }
  /** @type {Awaited<ReturnType<typeof ensureDisplay>>} */
  let display = { env: {}, stop: () => undefined };
  try {
    if (electron && setUpFailed === undefined) display = await ensureDisplay();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    setUpFailed = error.message;
    say(setUpFailed);
  }
  try {
    await schedule(chosen, async (stage) => {
      say(`${stage.name} ...`);
      const began = Date.now();
      const outcome =
        setUpFailed !== undefined && stage.needs !== 'packages'
          ? { passed: 0, failed: 1, output: `It needs a set-up that failed: ${setUpFailed}` }
          : await stage.run(more, display.env);
      passed += outcome.passed;
      failed += outcome.failed;
      if (outcome.failed > 0 || more.length > 0) process.stdout.write(`${outcome.output.trimEnd()}\n`);
      const time = ((Date.now() - began) / 1000).toFixed(1);
      process.stdout.write(
        `${outcome.failed > 0 ? 'FAILED' : 'passed'}  ${stage.name}: ${outcome.passed} passed, ${outcome.failed} failed (${time} s)\n`,
      );
    });
  } finally {
    display.stop();
    rmSync(reports, { recursive: true, force: true });
  }
  say(`all of it took ${((Date.now() - started) / 1000).toFixed(0)} s`);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  return failed > 0 ? 1 : 0;
});
