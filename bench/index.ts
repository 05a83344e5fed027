import { parseArgs } from 'node:util';
import { writeFileSync } from 'node:fs';
import { appFigures } from './app';
import { cliFigures } from './cli';
import { engineFigures } from './engine';
import { interruptFigures } from './interrupts';
import { gradebookFigures } from './gradebook';
import { inputFigures } from './input';
import { stageFigures } from './stage';
import { traceFigures } from './trace';
import type { Figure } from './ratio';

const PARTS: Readonly<Record<string, () => Figure[] | Promise<Figure[]>>> = {
  engine: engineFigures,
  interrupts: interruptFigures,
  cli: cliFigures,
  gradebook: gradebookFigures,
  app: appFigures,
  stage: stageFigures,
  input: inputFigures,
  trace: traceFigures,
};

/** `npm run bench [-- --json FILE] [--only PART]`: prints the figures of each part as they come, and writes all when asked. */
const { values } = parseArgs({ options: { json: { type: 'string' }, only: { type: 'string' } } });
if (values.only !== undefined && PARTS[values.only] === undefined)
  throw new RangeError(`there is no part "${values.only}": ${Object.keys(PARTS).join(', ')}`);

const WIDTH = 66;
const figures: Figure[] = [];
for (const [part, measured] of Object.entries(PARTS)) {
  if (values.only !== undefined && values.only !== part) continue;
  for (const figure of await measured()) {
    const { name, value, unit, goal, met } = figure;
    const verdict = goal === 'none' ? '' : `goal ${goal}${met ? '' : '  MISSED'}`;
    process.stdout.write(
      `${name.padEnd(WIDTH)}  ${String(value).padStart(9)} ${unit.padEnd(6)} ${verdict}\n`,
    );
    figures.push(figure);
  }
}
if (values.json) writeFileSync(values.json, `${JSON.stringify({ figures }, null, 2)}\n`);
