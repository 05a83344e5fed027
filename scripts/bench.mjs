/**
 * npm run bench [-- --json FILE] [--only engine|app]: ratios, side by side in one run.
 * Bundles bench/ as the application is bundled, and runs it in plain Node.
 */
import { join } from 'node:path';
import { entry, root, run, SetupError, tool } from './lib/process.mjs';
import { ensureDisplay, setUp } from './set-up.mjs';

const args = process.argv.slice(2);
const app = !(args.includes('--only') && args.includes('engine'));
const out = join(root, 'node_modules', '.cache', 'seamlab-bench');

await entry(async () => {
  const runtime = await setUp({ electron: app, build: app });
  const built = await tool(
    'vite/bin/vite.js',
    ['build', '--ssr', 'bench/index.ts', '--outDir', out, '--emptyOutDir', '--logLevel', 'error'],
    { quiet: true },
  );
  if (built.code !== 0) throw new SetupError(`the benchmarks could not be built:\n${built.output}`);
  const display = app ? await ensureDisplay() : { env: {}, stop: () => undefined };
  const env = { ...display.env, SEAMLAB_ROOT: root, SEAMLAB_ELECTRON: runtime?.executable };
  const { code, output } = await run(process.execPath, ['--expose-gc', join(out, 'index.js'), ...args], {
    env,
    quiet: true,
  });
  display.stop();
  process.stdout.write(output);
  return code;
});
