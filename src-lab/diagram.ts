import { z } from 'zod';
import { Slug } from './slug';
import { didYouMean } from './issue';
import { Layer } from './layer';
import type { Path } from './yaml';

/**
 * Diagrams as data: what a lab writes below `diagrams`, and what the screen draws. Where anything stands is the
 * screen's affair; what must be true of one diagram alone is here.
 */

/** Words in a picture. What stands between backquotes is drawn as code. */
const words = (most: number) => z.string().trim().min(1).max(most);

const Lane = z.strictObject({
  id: Slug,
  label: words(24),
  layer: Layer.describe('Whose accent it has'),
});

/** One row of a sequence, from top to bottom. */
const Row = z.union([
  z.strictObject({
    from: Slug.describe('Lane'),
    to: Slug.describe('Lane'),
    say: words(60),
    how: z
      .enum(['call', 'answer', 'blocked'])
      .default('call')
      .describe('answer: dashed; blocked: it ends at a cross, before it arrives'),
  }),
  z.strictObject({ at: Slug.describe('Lane in which it happens'), say: words(80) }),
  z.strictObject({ part: words(60).describe('A part of the sequence begins, with this heading') }),
]);

const Sequence = z.strictObject({
  kind: z.literal('sequence'),
  lanes: z.array(Lane).min(2).max(5),
  rows: z.array(Row).min(1).max(20),
});

const States = z.strictObject({
  kind: z.literal('states'),
  states: z
    .array(
      z.strictObject({
        id: Slug,
        label: words(32),
        layer: Layer.optional().describe('Whose accent it has'),
        begins: z.boolean().default(false).describe('It begins here'),
        final: z.boolean().default(false).describe('Nothing leads out of it'),
      }),
    )
    .min(2)
    .max(8),
  moves: z
    .array(
      z.strictObject({
        from: Slug.describe('State'),
        to: Slug.describe('State; the same one is allowed'),
        say: words(60),
        never: z.boolean().default(false).describe('One would expect it, and it does not happen'),
      }),
    )
    .min(1)
    .max(20),
});

const Bits = z.strictObject({
  kind: z.literal('bits'),
  width: z.int().min(2).max(4_096).describe('Bits of the whole'),
  fields: z
    .array(
      z.strictObject({
        high: z.int().min(0).max(4_095).describe('Highest bit'),
        low: z.int().min(0).max(4_095).optional().describe('Lowest bit; default: the highest, one bit'),
        name: words(32),
        value: words(12).optional().describe('What it holds here'),
        say: words(80).optional(),
        layer: Layer.optional().describe('Whose accent it has'),
      }),
    )
    .min(1)
    .max(16)
    .describe('From the highest to the lowest; what lies between them is reserved'),
});

const common = {
  title: words(100),
  text: z
    .string()
    .trim()
    .min(40)
    .max(2_000)
    .describe('What the picture shows, in words: whoever cannot see it misses nothing. Markdown'),
};

export const DiagramSource = z.discriminatedUnion('kind', [
  Sequence.extend(common),
  States.extend(common),
  Bits.extend(common),
]);
export type DiagramSource = z.infer<typeof DiagramSource>;

/** What is drawn, without the words beside it. */
export const Figure = z.discriminatedUnion('kind', [Sequence, States, Bits]);
export type Figure = z.infer<typeof Figure>;

/** The picture in a source. */
export function figureOf(source: DiagramSource): Figure {
  switch (source.kind) {
    case 'sequence':
      return { kind: source.kind, lanes: source.lanes, rows: source.rows };
    case 'states':
      return { kind: source.kind, states: source.states, moves: source.moves };
    case 'bits':
      return { kind: source.kind, width: source.width, fields: source.fields };
  }
}

/** What is wrong with a diagram, and where in it. */
export interface DiagramFault {
  readonly path: Path;
  readonly message: string;
  readonly remedy: string;
}

/** Everything that the schema cannot see: names that do not exist, bits that overlap. */
export function diagramFaults(figure: Figure): DiagramFault[] {
  const faults: DiagramFault[] = [];
  const fault = (path: Path, message: string, remedy: string): void => {
    faults.push({ path, message, remedy });
  };
  const unique = (ids: readonly string[], list: string, what: string): void =>
    ids.forEach((id, i) => {
      if (ids.indexOf(id) !== i) fault([list, i, 'id'], `There are two ${what}s "${id}".`, 'Rename one.');
    });
  const known = (id: string, ids: readonly string[], path: Path, what: string): void => {
    if (!ids.includes(id)) fault(path, `There is no ${what} "${id}".`, didYouMean(id, ids));
  };

  if (figure.kind === 'sequence') {
    const ids = figure.lanes.map(({ id }) => id);
    unique(ids, 'lanes', 'lane');
    const used = new Set<string>();
    figure.rows.forEach((row, i) => {
      for (const key of ['from', 'to', 'at'] as const) {
        const id = (row as Partial<Record<typeof key, string>>)[key];
        if (id === undefined) continue;
        known(id, ids, ['rows', i, key], 'lane');
        used.add(id);
      }
      if ('from' in row && row.from === row.to)
        fault(['rows', i, 'to'], 'A message goes to another lane.', 'Write { at: LANE, say: ... }.');
    });
    ids.forEach((id, i) => {
      if (!used.has(id)) fault(['lanes', i], `Nothing happens in the lane "${id}".`, 'Remove it.');
    });
  } else if (figure.kind === 'states') {
    const ids = figure.states.map(({ id }) => id);
    unique(ids, 'states', 'state');
    figure.moves.forEach(({ from, to, never }, i) => {
      known(from, ids, ['moves', i, 'from'], 'state');
      known(to, ids, ['moves', i, 'to'], 'state');
      const leaves = from !== to && !never && figure.states.some(({ id, final }) => id === from && final);
      if (leaves) fault(['moves', i, 'from'], `"${from}" is final.`, 'Remove the move, or final.');
    });
    ids.forEach((id, i) => {
      if (figure.moves.some(({ from, to }) => from === id || to === id)) return;
      fault(['states', i], `Nothing leads to or from "${id}".`, 'Add a move, or remove it.');
    });
    const begins = figure.states.filter((state) => state.begins).length;
    if (begins > 1) fault(['states'], `It begins in ${begins} states.`, 'Let it begin in one.');
  } else {
    let above = figure.width;
    figure.fields.forEach(({ high, low = high }, i) => {
      const path = ['fields', i];
      if (low > high) fault(path, 'The lowest bit is above the highest.', 'Exchange them.');
      if (high >= above) {
        const message =
          i === 0 ? `There is no bit ${high} in ${above}.` : `Bit ${high} is not below ${above}.`;
        fault(path, message, 'Fields go from the highest to the lowest and do not overlap.');
      }
      above = low;
    });
  }
  return faults;
}
