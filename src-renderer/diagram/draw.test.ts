import { describe, expect, test } from 'vitest';
import type { Figure } from '../../src-lab/diagram';
import { draw, LEAST_WIDTH, MOST_WIDTH } from './draw';
import { LINE, RISE, type Box, type Drawing, type Label, type Mark, type Stroke } from './drawing';
import { widest, widthOf, wrap } from './wrap';

const labels = ({ shapes }: Drawing) => shapes.filter((shape): shape is Label => shape.type === 'label');
const strokes = ({ shapes }: Drawing) => shapes.filter((shape): shape is Stroke => shape.type === 'stroke');
const marks = ({ shapes }: Drawing) => shapes.filter((shape): shape is Mark => shape.type === 'mark');
const boxes = ({ shapes }: Drawing) => shapes.filter((shape): shape is Box => shape.type === 'box');
const said = ({ lines }: Label) => lines.map((line) => line.map(({ value }) => value).join('')).join(' ');

/** Where words are drawn. */
function extent({ x, y, anchor, lines }: Label) {
  const width = widest(lines);
  const left = anchor === 'start' ? x : anchor === 'middle' ? x - width / 2 : x - width;
  return { left, right: left + width, top: y - RISE, bottom: y - RISE + lines.length * LINE };
}

const sequence: Figure = {
  kind: 'sequence',
  lanes: [
    { id: 'vmm', label: 'VMM', layer: 'vmm' },
    { id: 'kvm', label: 'KVM', layer: 'kvm' },
    { id: 'td', label: 'vCPU 1 of the TD', layer: 'guest' },
  ],
  rows: [
    { part: 'Once' },
    { from: 'vmm', to: 'kvm', say: '`KVM_SIGNAL_MSI` with delivery mode INIT', how: 'call' },
    { from: 'kvm', to: 'td', say: 'reset', how: 'blocked' },
    { at: 'td', say: 'notices nothing of what has been sent to it' },
    { from: 'td', to: 'vmm', say: 'exit', how: 'answer' },
  ],
};
const states: Figure = {
  kind: 'states',
  states: [
    { id: 'alive', label: 'alive', layer: 'guest', begins: true, final: false },
    { id: 'fatal', label: '`TDX_NON_RECOVERABLE_TD`', begins: false, final: false },
    { id: 'dead', label: 'dead', begins: false, final: true },
  ],
  moves: [
    { from: 'alive', to: 'alive', say: 'an SMI, and the vCPU goes on', never: false },
    { from: 'alive', to: 'fatal', say: 'an MSMI', never: false },
    { from: 'fatal', to: 'alive', say: 'an entry', never: true },
    { from: 'fatal', to: 'dead', say: 'a write of PEND_NMI fails', never: false },
    { from: 'alive', to: 'dead', say: '`KVM_BUG_ON`', never: false },
  ],
};
const bits: Figure = {
  kind: 'bits',
  width: 512,
  fields: [
    { high: 319, low: 288, name: 'NDST' },
    { high: 256, name: 'ON', value: '1', say: 'the processor has been told of it' },
    { high: 255, low: 0, name: 'PIR' },
  ],
};
const figures = { sequence, states, bits };

describe.each(Object.entries(figures))('%s', (_, figure) => {
  test.each([0, LEAST_WIDTH, 345, MOST_WIDTH, 5_000])(
    'in %i units of room nothing leaves the picture',
    (room) => {
      const drawing = draw(figure, room);
      expect(drawing.width).toBeLessThanOrEqual(Math.max(LEAST_WIDTH, Math.min(room, MOST_WIDTH)));
      for (const { left, right, top, bottom } of labels(drawing).map(extent)) {
        expect(left).toBeGreaterThanOrEqual(-0.01);
        expect(right).toBeLessThanOrEqual(drawing.width + 0.01);
        expect(top).toBeGreaterThanOrEqual(0);
        expect(bottom).toBeLessThanOrEqual(drawing.height + 1);
      }
      for (const [x, y] of strokes(drawing).flatMap(({ points }) => points)) {
        expect(x).toBeGreaterThanOrEqual(0);
        expect(x).toBeLessThanOrEqual(drawing.width);
        expect(y).toBeLessThanOrEqual(drawing.height);
      }
    },
  );

  test('no words stand on other words', () => {
    const placed = labels(draw(figure, 345)).map((label) => ({ say: said(label), ...extent(label) }));
    for (const [i, a] of placed.entries()) {
      for (const b of placed.slice(i + 1)) {
        const isApart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
        expect(isApart, `${a.say} / ${b.say}`).toBe(true);
      }
    }
  });
});

test('a blocked message ends at a cross before it arrives, in the accent of its sender', () => {
  const drawing = draw(sequence, 345);
  const [cross] = marks(drawing).filter(({ look }) => look === 'cross');
  const arrow = strokes(drawing).find(({ points }) => points.at(-1)![1] === cross!.y)!;
  const axes = strokes(drawing).filter(({ look }) => look === 'axis');
  expect(arrow).toMatchObject({ dashed: true, layer: 'kvm' });
  expect(arrow.points[0]![0]).toBe(axes[1]!.points[0]![0]);
  expect(cross!.x).toBeLessThan(axes[2]!.points[0]![0]);
});

test('arrows point to where they go', () => {
  const heads = marks(draw(sequence, 345)).map(({ look }) => look);
  expect(heads).toEqual(['right', 'cross', 'dot', 'left']);
});

test('every move leaves its state and enters another; what never happens enters none', () => {
  const drawing = draw(states, 345);
  const plain = boxes(drawing).filter(({ look }) => look === 'plain');
  const stateAt = (y: number) => plain.findIndex((state) => state.y <= y && y <= state.y + state.height);
  const moves = strokes(drawing).filter(({ points }) => points.length === 4);
  const ways = moves.map(({ points }) => [stateAt(points[0]![1]), stateAt(points[3]![1])]);
  expect(ways.sort()).toEqual([[0, 0], [0, 1], [0, 2], [1, 2]]); // prettier-ignore
  expect(marks(drawing).filter(({ look }) => look === 'cross')).toHaveLength(1);
  expect(boxes(drawing).filter(({ look }) => look === 'inner')).toHaveLength(1);
});

test('moves to different states share no vertical line where both run', () => {
  const tracks = strokes(draw(states, 345))
    .filter(({ points }) => points.length === 4)
    .map(({ points }) => ({
      x: points[1]![0],
      ys: [points[1]![1], points[2]![1]].sort((a, b) => a - b),
      to: points[3]![1],
    }));
  for (const a of tracks) {
    for (const b of tracks) {
      if (a.to === b.to || a.x !== b.x) continue;
      expect(a.ys[1]! < b.ys[0]! || b.ys[1]! < a.ys[0]!).toBe(true);
    }
  }
});

test('fields and what is reserved between them fill the strip, the highest bit on the left', () => {
  const drawing = draw(bits, 345);
  const strip = boxes(drawing).filter(({ look }) => look !== 'accent');
  expect(strip.map(({ look }) => look)).toEqual(['blank', 'plain', 'blank', 'plain', 'plain']);
  strip.slice(1).forEach(({ x }, i) => expect(x).toBeCloseTo(strip[i]!.x + strip[i]!.width));
  const names = labels(drawing).filter(({ look }) => look === 'name');
  expect(names.map(said)).toEqual(['255:0 PIR', '256 ON', '319:288 NDST']);
});

test('words are broken between words, and a name too long for a line behind an underscore', () => {
  const lines = wrap('`KVM_TDX_FINALIZE_VM`, then run', 90);
  expect(lines.map((line) => line.map(({ value }) => value).join(''))).toEqual([
    'KVM_TDX_',
    'FINALIZE_VM,',
    'then run',
  ]);
  for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(90);
  expect(lines[0]).toEqual([{ value: 'KVM_TDX_', code: true }]);
});
