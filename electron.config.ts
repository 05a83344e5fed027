import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'electron-vite';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';

/**
 * How main, worker, preload and screen are built, all into out/; the command line: cli.config.ts. Everything is bundled
 * except Electron, Node's own modules and the packages under `dependencies` in package.json.
 *
 * The targets are those of the oldest runtime the application is run on (Electron 33), not of the one it ships with.
 */
const from = (path: string): string => join(import.meta.dirname, path);
const node = 'node20.18';
const chromium = 'chrome130';

/** Notes which packages a bundle was made of, in out/packages/: their licences are shipped with it. */
const packagesOf = (bundle: string): Plugin => ({
  name: 'seamlab:packages',
  generateBundle() {
    const folders = [...this.getModuleIds()].map(
      (id) => /^(?:\0)?(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id.replaceAll('\\', '/'))?.[1],
    );
    const found = [...new Set(folders.filter((folder) => folder !== undefined))].sort();
    mkdirSync(from('out/packages'), { recursive: true });
    writeFileSync(
      from(`out/packages/${bundle}.json`),
      JSON.stringify(found.map((folder) => folder.slice(folder.indexOf('node_modules/')))),
    );
  },
});

export default defineConfig({
  main: {
    plugins: [packagesOf('main')],
    build: {
      target: node,
      outDir: from('out/main'),
      minify: false,
      reportCompressedSize: false,
      rolldownOptions: {
        input: {
          index: from('src-main/index.ts'),
          worker: from('src-main/worker.ts'),
          compile: from('src-main/compile.ts'),
          grader: from('src-main/cli/grader.ts'),
        },
        output: {
          format: 'es',
          entryFileNames: '[name].js',
          chunkFileNames: 'chunks/[name]-[hash].js',
          topLevelVar: false, // V8 folds what a `const` holds into compiled code, never what a `var` holds
        },
      },
    },
  },
  preload: {
    plugins: [packagesOf('preload')],
    build: {
      target: node,
      outDir: from('out/preload'),
      minify: false,
      reportCompressedSize: false,
      // A sandboxed preload can require Electron and nothing else.
      externalizeDeps: false,
      rolldownOptions: {
        input: { index: from('src-main/preload.ts') },
        output: { format: 'cjs', entryFileNames: '[name].cjs', codeSplitting: false },
      },
    },
  },
  renderer: {
    root: from('src-renderer'),
    base: './',
    plugins: [svelte({ configFile: false }), packagesOf('renderer')],
    build: {
      target: chromium,
      outDir: from('out/renderer'),
      // The content security policy allows no data: fonts or scripts.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      minify: true, // less to read before the first paint
      sourcemap: 'hidden', // for tests that say where a complaint comes from; not packaged
      reportCompressedSize: false,
      rolldownOptions: { input: from('src-renderer/index.html') },
    },
  },
});
