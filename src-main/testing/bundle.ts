import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'vite';

/**
 * Bundles a TypeScript file of this folder tree for Node, as the application's build does: a thread or a child process
 * of a test can then run it.
 *
 * @param entry - absolute path.
 * @returns address of the bundled ES module, in a new temporary folder.
 */
export async function bundle(entry: string): Promise<URL> {
  const outDir = mkdtempSync(join(tmpdir(), 'seamlab-bundle-'));
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
  return pathToFileURL(join(outDir, 'bundle.mjs'));
}
