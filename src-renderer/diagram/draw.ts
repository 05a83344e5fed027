import type { Figure } from '../../src-lab/diagram';
import { drawBits } from './bits';
import type { Drawing } from './drawing';
import { drawSequence } from './sequence';
import { drawStates } from './states';

/** Widths that a picture may have, in units: below the least its words would be torn, and it scrolls instead. */
export const LEAST_WIDTH = 300;
export const MOST_WIDTH = 544;

/** Draws a figure for the room there is, in units. */
export function draw(figure: Figure, room: number): Drawing {
  const width = Math.min(MOST_WIDTH, Math.max(LEAST_WIDTH, Math.floor(room)));
  switch (figure.kind) {
    case 'sequence':
      return drawSequence(figure, width);
    case 'states':
      return drawStates(figure, width);
    case 'bits':
      return drawBits(figure, width);
  }
}
