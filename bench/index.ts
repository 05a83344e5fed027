import { parseArgs } from 'node:util';
import { writeFileSync } from 'node:fs';
import { appFigures } from './app';
import { engineFigures } from './engine';
import type { Figure } from './ratio';

/** `npm run bench [-- --json FILE] [--only engine|app]`: prints every figure, and writes them when asked. */
const { values } = parseArgs({ options: { json: { type: 'string' }, only: { type: 'string' } } });

const figures: Figure[] = [];
if (values.only !== 'app') figures.push(...engineFigures());
if (values.only !== 'engine') figures.push(...(await appFigures()));

const width = Math.max(...figures.map((figure) => figure.name.length));
for (const { name, value, unit, goal, met } of figures) {
  const verdict = goal === 'none' ? '' : `goal ${goal}${met ? '' : '  MISSED'}`;
  process.stdout.write(`${name.padEnd(width)}  ${String(value).padStart(9)} ${unit.padEnd(6)} ${verdict}\n`);
}
if (values.json) writeFileSync(values.json, `${JSON.stringify({ figures }, null, 2)}\n`);
