/** `npm run build`: packages and build, each when missing or stale. */
import { entry } from './lib/process.mjs';
import { setUp } from './set-up.mjs';

await entry(async () => {
  await setUp({ build: true, course: true });
});
