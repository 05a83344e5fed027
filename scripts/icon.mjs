/** Draws build/icon.png, 512 pixels square, from build/icon.svg. Run it after changing the drawing. */
import { Resvg } from '@resvg/resvg-js';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './lib/process.mjs';

const drawing = readFileSync(join(root, 'build', 'icon.svg'), 'utf8');
const image = new Resvg(drawing, { fitTo: { mode: 'width', value: 512 }, font: { loadSystemFonts: false } });
writeFileSync(join(root, 'build', 'icon.png'), image.render().asPng());
