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

/** `npm run bench [-- --json FILE] [--only engine|interrupts|cli|app|stage|input|trace|gradebook]`: prints every figure, and writes them when asked. */
const { values } = parseArgs({ options: { json: { type: 'string' }, only: { type: 'string' } } });

const wanted = (part: string): boolean => values.only === undefined || values.only === part;
const figures: Figure[] = [];
if (wanted('engine')) figures.push(...engineFigures());
if (wanted('interrupts')) figures.push(...interruptFigures());
if (wanted('cli')) figures.push(...cliFigures());
if (wanted('gradebook')) figures.push(...gradebookFigures());
if (wanted('app')) figures.push(...(await appFigures()));
if (wanted('stage')) figures.push(...(await stageFigures()));
if (wanted('input')) figures.push(...(await inputFigures()));
if (wanted('trace')) figures.push(...(await traceFigures()));

const width = Math.max(...figures.map((figure) => figure.name.length));
for (const { name, value, unit, goal, met } of figures) {
  const verdict = goal === 'none' ? '' : `goal ${goal}${met ? '' : '  MISSED'}`;
  process.stdout.write(`${name.padEnd(width)}  ${String(value).padStart(9)} ${unit.padEnd(6)} ${verdict}\n`);
}
if (values.json) writeFileSync(values.json, `${JSON.stringify({ figures }, null, 2)}\n`);
