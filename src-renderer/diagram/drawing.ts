import type { Layer } from '../../src-lab/layer';

/**
 * What the three kinds of diagrams are drawn with. One unit is a sixteenth of a rem: a pixel at normal text size, so
 * that a picture grows with its words.
 */

/** Words of one look. */
export interface Span {
  readonly value: string;
  readonly code: boolean;
}
export type Line = readonly Span[];

interface Of {
  /** Whose accent it has; null: none. */
  readonly layer: Layer | null;
}

export interface Label extends Of {
  readonly type: 'label';
  readonly x: number;
  /** Baseline of the first line. */
  readonly y: number;
  readonly anchor: 'start' | 'middle' | 'end';
  readonly lines: readonly Line[];
  readonly look: 'name' | 'say' | 'soft';
}
export interface Stroke extends Of {
  readonly type: 'stroke';
  readonly points: readonly (readonly [x: number, y: number])[];
  /** axis: where a lane runs; arrow: something goes this way; rule: a border. */
  readonly look: 'axis' | 'arrow' | 'rule';
  readonly dashed: boolean;
}
export interface Mark extends Of {
  readonly type: 'mark';
  readonly x: number;
  readonly y: number;
  /** Arrowheads by where they point to, a cross where something ends, a dot where something happens or begins. */
  readonly look: 'left' | 'right' | 'cross' | 'dot';
}
export interface Box extends Of {
  readonly type: 'box';
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** blank: nobody's, as reserved bits are; inner: the second border of a final state. */
  readonly look: 'plain' | 'blank' | 'inner' | 'accent';
}
export type Shape = Label | Stroke | Mark | Box;

export interface Drawing {
  readonly width: number;
  readonly height: number;
  /** From back to front. */
  readonly shapes: readonly Shape[];
}

/** Distance from baseline to baseline. */
export const LINE = 15;
/** From the upper edge of a line to its baseline. */
export const RISE = 11;

export const label = (
  lines: readonly Line[],
  x: number,
  y: number,
  rest: Partial<Omit<Label, 'type' | 'lines' | 'x' | 'y'>> = {},
): Label => ({ type: 'label', lines, x, y, anchor: 'start', look: 'say', layer: null, ...rest });
export const stroke = (
  points: Stroke['points'],
  rest: Partial<Omit<Stroke, 'type' | 'points'>> = {},
): Stroke => ({ type: 'stroke', points, look: 'arrow', dashed: false, layer: null, ...rest });
export const mark = (look: Mark['look'], x: number, y: number, layer: Layer | null = null): Mark => ({
  type: 'mark',
  look,
  x,
  y,
  layer,
});
export const box = (
  [x, y, width, height]: readonly [number, number, number, number],
  look: Box['look'],
  layer: Layer | null = null,
): Box => ({ type: 'box', x, y, width, height, look, layer });
