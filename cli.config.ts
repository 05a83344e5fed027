import { join } from 'node:path';
import { defineConfig } from 'vite';

/**
 * How the command line is built, into out/cli: as CommonJS, since only of that can Node 20 keep compiled code (see
 * scripts/lib/compiled.mjs). What is loaded at a time is one file; the machine is in one, where its parts see each other's
 * constants.
 */
export default defineConfig({
  ssr: { noExternal: true },
  build: {
    ssr: true,
    target: 'node20.18',
    outDir: join(import.meta.dirname, 'out/cli'),
    minify: false,
    reportCompressedSize: false,
    rolldownOptions: {
      input: join(import.meta.dirname, 'src-main/cli/index.ts'),
      external: ['libsql'],
      output: {
        format: 'cjs',
        entryFileNames: '[name].cjs',
        chunkFileNames: '[name]-[hash].cjs',
        topLevelVar: false, // as in electron.config.ts
        codeSplitting: { groups: [{ name: 'machine', test: /src-sim|node_modules\/(zod|yaml)\// }] },
      },
    },
  },
});
