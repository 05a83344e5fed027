import type { Figure } from '../../src-lab/diagram';
import { box, label, LINE, mark, RISE, stroke, type Drawing, type Shape } from './drawing';
import { widest, wrap } from './wrap';

type States = Extract<Figure, { kind: 'states' }>;

/** Between two states, between two tracks, and around words. */
const GAP = 16;
const TRACK = 13;
const PAD = 9;

/** A vertical line on which all moves to one state come together. */
interface Track {
  readonly to: number;
  readonly top: number;
  readonly bottom: number;
}

/**
 * Draws the states below each other. Each move leaves its state to the right below its own words, and joins the track
 * of the state to which it leads. So words and lines never meet, whatever leads where.
 */
export function drawStates({ states, moves }: States, width: number): Drawing {
  const live = moves.filter(({ never }) => !never);
  const targets = new Set(live.map(({ to }) => to));
  const left = states.some(({ begins }) => begins) ? 22 : 0;
  const names = states.map(({ label: text }) => wrap(text, width * 0.36 - 2 * PAD));
  const boxWidth = Math.max(...names.map((lines) => widest(lines))) * 1.06 + 2 * PAD;
  const right = left + boxWidth;
  // Room for as many tracks as there may be, so that the words know their width before the tracks know their place.
  const room = width - right - targets.size * TRACK - PAD;
  const words = new Map(moves.map((move) => [move, wrap(move.say, room - 14)]));
  const field = Math.min(room, widest([...words.values()].flat()) + 14);

  // Where everything stands, from top to bottom.
  const tops: number[] = [];
  const heights: number[] = [];
  const entries: number[] = [];
  const exits = new Map<(typeof moves)[number], number>();
  const shapes: Shape[] = [];
  let y = 1;
  states.forEach(({ id }, i) => {
    tops.push(y);
    const head = names[i]!.length * LINE + 2 * PAD - 3;
    entries.push(y + head / 2);
    let at = y + head;
    for (const move of moves.filter(({ from }) => from === id)) {
      const lines = words.get(move)!;
      shapes.push(label(lines, right + 7, at + RISE));
      at += lines.length * LINE + 4;
      exits.set(move, at);
      at += 5;
    }
    heights.push(at - y + (at > y + head ? 3 : 0));
    y = tops[i]! + heights[i]! + GAP;
  });

  const tracks = states.flatMap(({ id }, to): Track[] => {
    const joins = live.filter((move) => move.to === id).map((move) => exits.get(move)!);
    if (joins.length === 0) return [];
    return [{ to, top: Math.min(entries[to]!, ...joins), bottom: Math.max(entries[to]!, ...joins) }];
  });
  const columns = columnsOf(tracks);
  for (const track of tracks) {
    const x = right + field + PAD + columns.get(track)! * TRACK;
    const { id, layer = null } = states[track.to]!;
    for (const move of live.filter((other) => other.to === id)) {
      const at = exits.get(move)!;
      const entry = entries[track.to]!;
      shapes.push(
        stroke(
          [
            [right, at],
            [x, at],
            [x, entry],
            [right, entry],
          ],
          { layer },
        ),
      );
    }
    shapes.push(mark('left', right, entries[track.to]!, layer));
  }
  for (const move of moves.filter(({ never }) => never)) {
    const at = exits.get(move)!;
    const end = right + Math.min(field, 90);
    shapes.push(
      stroke(
        [
          [right, at],
          [end, at],
        ],
        { dashed: true },
      ),
      mark('cross', end, at),
    );
  }
  states.forEach(({ layer = null, begins, final }, i) => {
    const [top, height] = [tops[i]!, heights[i]!];
    if (begins)
      shapes.push(
        mark('dot', 5, entries[i]!, layer),
        stroke(
          [
            [5, entries[i]!],
            [left, entries[i]!],
          ],
          { layer },
        ),
        mark('right', left, entries[i]!, layer),
      );
    shapes.push(box([left, top, boxWidth, height], 'plain'));
    if (final) shapes.push(box([left + 3, top + 3, boxWidth - 6, height - 6], 'inner'));
    if (layer !== null) shapes.push(box([left, top, 3, height], 'accent', layer));
    shapes.push(label(names[i]!, left + PAD + 2, top + PAD - 2 + RISE, { look: 'name' }));
  });
  const used = Math.max(-1, ...columns.values()) + 1;
  return { width: right + field + PAD + Math.max(0, used - 1) * TRACK + 2, height: y - GAP + 1, shapes };
}

/** Tracks that do not pass each other share a column; the short ones are nearest to the words. */
function columnsOf(tracks: readonly Track[]): Map<Track, number> {
  const columns = new Map<Track, number>();
  const byLength = [...tracks].sort((a, b) => a.bottom - a.top - (b.bottom - b.top));
  for (const track of byLength) {
    const taken = byLength
      .filter((other) => columns.has(other) && other.top <= track.bottom && track.top <= other.bottom)
      .map((other) => columns.get(other)!);
    let column = 0;
    while (taken.includes(column)) column++;
    columns.set(track, column);
  }
  return columns;
}
