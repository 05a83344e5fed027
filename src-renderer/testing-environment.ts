import type { Environment } from 'vitest/runtime';

/**
 * Where tests of the screen run: in Node, with no document, but compiled as for a window. As for a server, which Node
 * would be taken for, nothing of Svelte's reactions would be there.
 */
export default {
  name: 'screen',
  viteEnvironment: 'client',
  setup: () => ({ teardown: () => {} }),
} satisfies Environment;
