/** `npm run bench [-- --json FILE]`: builds bench/index.ts and runs it with the application and a display at hand. */
import { join } from 'node:path';
import { entry, root, run, SetupError } from './lib/process.mjs';
import { ensureDisplay, setUp } from './set-up.mjs';

await entry(async () => {
  const runtime = await setUp({ electron: true, build: true, course: true, display: true });
  if (!runtime) throw new SetupError('there is no Electron runtime');
  const { build } = await import('vite');
  await build({
    configFile: false,
    root,
    logLevel: 'warn',
    build: {
      ssr: 'bench/index.ts',
      outDir: 'out/bench',
      emptyOutDir: true,
      target: 'node20.18',
      minify: false,
      rolldownOptions: { external: ['libsql', 'electron'], output: { topLevelVar: false } }, // as the application
    },
  });
  const display = await ensureDisplay();
  try {
    const { code } = await run(
      process.execPath,
      ['--expose-gc', join('out', 'bench', 'index.js'), ...process.argv.slice(2)],
      { env: { ...display.env, SEAMLAB_ELECTRON: runtime.executable }, inherit: true },
    );
    return code;
  } finally {
    display.stop();
  }
});
