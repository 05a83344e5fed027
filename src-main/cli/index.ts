import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { main } from './program';
import { showsColors } from './terminal';

/** The entry of the command line: `bin/seamlab.mjs` loads it, built, from out/cli. */
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

// A reader that has seen enough, such as head, closes the pipe: that is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
void main(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  color: showsColors(process.stdout, process.env),
  root,
  live: process.stderr.isTTY === true,
  grader: new URL('../main/grader.js', import.meta.url),
  course: new URL('../course/labs.bin', import.meta.url),
  start: (args) =>
    new Promise((resolve, reject) => {
      const script = join(root, 'scripts', 'start.mjs');
      const child = spawn(process.execPath, [script, ...args], { stdio: 'inherit' });
      // The terminal interrupts both; the application decides when it ends.
      process.on('SIGINT', () => {});
      child.on('error', reject);
      child.on('exit', (code) => resolve(code ?? 1));
    }),
  onInterrupt: (stop) => {
    process.once('SIGINT', stop);
    return () => process.off('SIGINT', stop);
  },
}).then((status) => (process.exitCode = status));
