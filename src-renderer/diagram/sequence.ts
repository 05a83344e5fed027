import type { Figure } from '../../src-lab/diagram';
import { box, label, LINE, mark, RISE, stroke, type Drawing, type Shape } from './drawing';
import { widest, wrap } from './wrap';

type Sequence = Extract<Figure, { kind: 'sequence' }>;

/** Between two rows. */
const GAP = 12;
/** Room beside a lane: words keep this distance from it, and a blocked arrow ends as far from where it was going. */
const SIDE = 9;
/** Words wider than the arrow below them may reach over other lanes, up to this. */
const SAY = 150;

/** Draws lanes beside each other, and in them the rows from top to bottom. */
export function drawSequence({ lanes, rows }: Sequence, width: number): Drawing {
  const column = width / lanes.length;
  const xs = new Map(lanes.map(({ id }, i) => [id, column * (i + 0.5)]));
  const layerOf = (id: string) => lanes.find((lane) => lane.id === id)!.layer;
  const heads = lanes.map(({ label: text }) => wrap(text, column - 14));
  const headHeight = Math.max(...heads.map(({ length }) => length)) * LINE + 10;
  const front: Shape[] = [];

  let y = headHeight + GAP;
  for (const row of rows) {
    if ('part' in row) {
      const lines = wrap(row.part, width - 8);
      y += GAP / 2;
      front.push(
        stroke(
          [
            [0, y],
            [width, y],
          ],
          { look: 'rule' },
        ),
        label(lines, 0, y + 5 + RISE, { look: 'name' }),
      );
      y += 5 + lines.length * LINE + GAP;
    } else if ('at' in row) {
      const x = xs.get(row.at)!;
      const isLeft = x > width / 2;
      const lines = wrap(row.say, Math.min(SAY + 40, (isLeft ? x : width - x) - SIDE - 2));
      const middle = y + (lines.length * LINE) / 2;
      front.push(
        mark('dot', x, middle, layerOf(row.at)),
        label(lines, isLeft ? x - SIDE : x + SIDE, y + RISE, { anchor: isLeft ? 'end' : 'start' }),
      );
      y += lines.length * LINE + GAP;
    } else {
      const [from, to] = [xs.get(row.from)!, xs.get(row.to)!];
      const layer = layerOf(row.from);
      const way = Math.sign(to - from);
      const lines = wrap(row.say, Math.min(width, Math.max(SAY, Math.abs(to - from) - 2 * SIDE)));
      const half = widest(lines) / 2;
      const middle = Math.min(width - half, Math.max(half, (from + to) / 2));
      front.push(label(lines, middle, y + RISE, { anchor: 'middle' }));
      y += lines.length * LINE + 5;
      const end = row.how === 'blocked' ? to - way * 2 * SIDE : to;
      front.push(
        stroke(
          [
            [from, y],
            [end, y],
          ],
          { dashed: row.how !== 'call', layer },
        ),
        row.how === 'blocked'
          ? mark('cross', end, y, layer)
          : mark(way > 0 ? 'right' : 'left', end, y, layer),
      );
      y += GAP;
    }
  }

  const back = lanes.flatMap(({ id, layer }, i): Shape[] => {
    const x = xs.get(id)!;
    const left = x - column / 2 + 3;
    return [
      stroke(
        [
          [x, headHeight],
          [x, y],
        ],
        { look: 'axis', layer },
      ),
      box([left, 0, column - 6, headHeight], 'plain'),
      box([left, headHeight - 3, column - 6, 3], 'accent', layer),
      label(heads[i]!, x, (headHeight - 3 - heads[i]!.length * LINE) / 2 + RISE, {
        anchor: 'middle',
        look: 'name',
      }),
    ];
  });
  return { width, height: y, shapes: [...back, ...front] };
}
