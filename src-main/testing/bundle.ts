import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'vite';
import { afterAll, beforeAll } from 'vitest';

/** Below node_modules, so that what is not bundled is found from there. */
const CACHE = join(import.meta.dirname, '../../node_modules/.cache/seamlab-tests');

/** Milliseconds that a build may take; other tests run beside it. */
const BUILD = 60_000;

/**
 * Bundles a TypeScript file of this folder tree for Node before the tests of the file, as the application's build does:
 * a thread or a child process of a test can then run it. The bundle goes when the tests are done.
 *
 * @param entry - absolute path.
 * @returns gives the address of the bundled ES module; call it in tests only.
 */
export function bundled(entry: string): () => URL {
  let outDir = '';
  beforeAll(async () => {
    mkdirSync(CACHE, { recursive: true });
    outDir = mkdtempSync(join(CACHE, 'bundle-'));
    await build({
      configFile: false,
      logLevel: 'error',
      ssr: { noExternal: true, external: ['libsql'] },
      build: {
        ssr: entry,
        target: 'node20.18',
        outDir,
        minify: false,
        rolldownOptions: { output: { format: 'es', entryFileNames: 'bundle.mjs', codeSplitting: false } },
      },
    });
  }, BUILD);
  afterAll(() => rmSync(outDir, { recursive: true, force: true }));
  return () => pathToFileURL(join(outDir, 'bundle.mjs'));
}
