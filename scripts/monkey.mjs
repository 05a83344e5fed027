/**
 * `npm run monkey [-- --minutes N] [--seed N]`: random input over all screens of the real application, 10 minutes of it;
 * `npm run monkey -- --again FILE` does again what a run has done that failed.
 */
import { parseArgs } from 'node:util';
import { entry, SetupError, tool } from './lib/process.mjs';
import { ensureDisplay, setUp } from './set-up.mjs';

await entry(async () => {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: '1' },
      again: { type: 'string', default: '' },
    },
  });
  for (const [name, value] of Object.entries({ minutes: values.minutes, seed: values.seed }))
    if (!(Number(value) > 0)) throw new SetupError(`--${name} "${value}" is no number above 0`, 2);
  await setUp({ electron: true, build: true, course: true, display: true });
  const display = await ensureDisplay();
  try {
    const env = {
      ...display.env,
      SEAMLAB_MONKEY_MINUTES: values.minutes,
      SEAMLAB_MONKEY_SEED: values.seed,
      SEAMLAB_MONKEY_AGAIN: values.again,
    };
    const { code } = await tool('@playwright/test/cli.js', ['test', 'e2e/monkey.spec.ts'], {
      quiet: true,
      live: true,
      env,
    });
    return code;
  } finally {
    display.stop();
  }
});
