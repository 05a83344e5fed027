import type { Figure } from '../../src-lab/diagram';
import { box, label, LINE, RISE, stroke, type Drawing, type Shape } from './drawing';
import { widest, wrap } from './wrap';

type Bits = Extract<Figure, { kind: 'bits' }>;
type Field = Bits['fields'][number];

interface Segment {
  readonly high: number;
  readonly low: number;
  /** Null: reserved. */
  readonly field: Field | null;
}

const HEIGHT = 26;
/** Above the strip: the numbers of its first and last bit. */
const TOP = 16;
/** Least width of a segment: one digit and its borders. */
const LEAST = 12;

/**
 * Draws the bits as a strip, highest on the left, and hangs a line with its words below each field. The lowest comes
 * first, so that no line crosses another. Wide fields are drawn wider, but not to scale: one bit of 512 must be seen.
 */
export function drawBits({ width: bits, fields }: Bits, width: number): Drawing {
  const segments = segmentsOf(bits, fields);
  const weights = segments.map(({ high, low, field }) => {
    const value = field?.value === undefined ? 0 : widest(wrap(`\`${field.value}\``, width)) + 6;
    return Math.max(LEAST, value, 6 + 5 * Math.log2(high - low + 1));
  });
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  const scale = Math.max(1, (width * 0.3) / whole);
  const strip = whole * scale;
  const side = strip + 16;

  const shapes: Shape[] = [];
  const hung: { readonly field: Field; readonly x: number }[] = [];
  const number = (bit: number) => [[{ value: String(bit), code: true }]];
  shapes.push(
    label(number(bits - 1), 0, RISE, { look: 'soft' }),
    label(number(0), strip, RISE, { look: 'soft', anchor: 'end' }),
  );
  let x = 0;
  segments.forEach(({ field }, i) => {
    const own = weights[i]! * scale;
    shapes.push(box([x, TOP, own, HEIGHT], field === null ? 'blank' : 'plain'));
    if (field !== null) {
      if (field.layer) shapes.push(box([x, TOP + HEIGHT - 3, own, 3], 'accent', field.layer));
      if (field.value !== undefined)
        shapes.push(
          label([[{ value: field.value, code: true }]], x + own / 2, TOP + 17, { anchor: 'middle' }),
        );
      hung.push({ field, x: x + own / 2 });
    }
    x += own;
  });

  let y = TOP + HEIGHT + 8;
  for (const { field, x: from } of hung.reverse()) {
    const { high, low = high, name, say } = field;
    const layer = field.layer ?? null;
    const range = high === low ? String(high) : `${high}:${low}`;
    const title = wrap(`\`${range}\` ${name}`, width - side);
    const words = say === undefined ? [] : wrap(say, width - side);
    const middle = y + RISE - 4;
    shapes.push(
      stroke(
        [
          [from, TOP + HEIGHT],
          [from, middle],
          [side - 5, middle],
        ],
        { look: 'rule', layer },
      ),
      label(title, side, y + RISE, { look: 'name' }),
    );
    y += title.length * LINE;
    if (words.length > 0) shapes.push(label(words, side, y + RISE, { look: 'soft' }));
    y += words.length * LINE + 7;
  }
  return { width, height: y, shapes };
}

/** Fields and what lies between them, from the highest bit to the lowest. */
function segmentsOf(bits: number, fields: readonly Field[]): Segment[] {
  const segments: Segment[] = [];
  let above = bits;
  for (const field of fields) {
    const { high, low = high } = field;
    if (high < above - 1) segments.push({ high: above - 1, low: high + 1, field: null });
    segments.push({ high, low, field });
    above = low;
  }
  if (above > 0) segments.push({ high: above - 1, low: 0, field: null });
  return segments;
}
