import { defineConfig } from '@playwright/test';

/**
 * End-to-end tests against the real application, in development and packaged. Each test starts its own Electron with
 * its own SEAMLAB_HOME, so files may run side by side; the tests of one file run one after the other.
 */
export default defineConfig({
  testDir: 'e2e',
  // Other systems draw letters differently from the pictures that are kept.
  testIgnore: process.platform === 'linux' ? [] : ['pictures.spec.ts'],
  outputDir: 'test-results',
  workers: 2,
  timeout: 60_000,
  expect: {
    timeout: 10_000,
    // Letters of another FreeType may differ at their edges; a line that moved differs by more.
    toHaveScreenshot: { animations: 'disabled', caret: 'hide', scale: 'css', maxDiffPixelRatio: 0.004 },
  },
  snapshotPathTemplate: '{testDir}/pictures/{arg}{ext}',
  forbidOnly: true,
  retries: 0,
  reporter: process.env['PLAYWRIGHT_JSON_OUTPUT_FILE'] ? [['list'], ['json']] : [['list']],
  use: { trace: 'off', screenshot: 'only-on-failure' },
});
