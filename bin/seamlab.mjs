#!/usr/bin/env node
// The command line, built from src-main/cli. Sets up and builds first when that is missing or stale.
import { fileURLToPath } from 'node:url';
import { load } from '../scripts/lib/compiled.mjs';
import { entry } from '../scripts/lib/process.mjs';
import { setUp } from '../scripts/set-up.mjs';

await entry(async () => {
  await setUp({ build: true, packages: false });
  load(fileURLToPath(new URL('../out/cli/index.cjs', import.meta.url)));
});
