import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

/** Milliseconds. Projects do not inherit it. Two cores shared with the other stages make property tests slow. */
const TIMEOUT = 30_000;

/** What modules keep, tables and layouts, is the same for every test, so the files share them: loaded anew for each, they took as long as the tests. */
const ISOLATE = false;

/** Where tests of the screen run: Node, but all of it compiled as for a window. */
const SCREEN = './src-renderer/testing-environment.ts';

/** Unit and property tests, in Node. The screen's state classes run there too. */
export default defineConfig({
  test: {
    allowOnly: false,
    projects: [
      {
        test: {
          name: 'core',
          isolate: ISOLATE,
          testTimeout: TIMEOUT,
          include: ['src-{sim,lab,main}/**/*.test.ts', 'scripts/**/*.test.ts'],
        },
      },
      {
        plugins: [svelte()],
        resolve: { conditions: ['browser'] },
        test: {
          name: 'screen',
          isolate: ISOLATE,
          environment: SCREEN,
          testTimeout: TIMEOUT,
          include: ['src-renderer/**/*.test.ts'],
        },
      },
    ],
  },
});
