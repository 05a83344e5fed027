#!/usr/bin/env node
// The command line, built from src-main/cli. Sets up and builds first when that is missing or stale.
import { entry } from '../scripts/lib/process.mjs';
import { setUp } from '../scripts/set-up.mjs';

await entry(async () => {
  await setUp({ build: true });
  await import(new URL('../out/main/cli.js', import.meta.url).href);
});
