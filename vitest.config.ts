import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

/** Unit and property tests, in Node. The screen's state classes run there too, compiled as for a browser. */
export default defineConfig({
  test: {
    allowOnly: false,
    testTimeout: 30_000,
    projects: [
      {
        test: { name: 'core', include: ['src-{sim,lab,main}/**/*.test.ts', 'scripts/**/*.test.ts'] },
      },
      {
        plugins: [svelte()],
        resolve: { conditions: ['browser'] },
        test: { name: 'screen', include: ['src-renderer/**/*.test.ts'] },
      },
    ],
  },
});
