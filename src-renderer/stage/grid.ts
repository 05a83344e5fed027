import { factLabels, LANES, placesOf, type Column, type Group, type Layer } from './stage';
import { PLACES, type Place } from './tokens';

/**
 * The picture is a CSS grid. Columns: the names of the lanes, then the groups of threads, each begun by a gap. Rows: two
 * of headings; then every lane with a rail of fixed height, on which threads stand, a row that grows with the names of
 * routines, and one row for each thing that any thread has there. Between TDX module and KVM lies the wall.
 */
export interface Grid {
  readonly lanes: readonly Lane[];
  readonly railOf: Readonly<Record<Layer, number>>;
  /** Row of the wall. */
  readonly wall: number;
  /** The line below the last row. */
  readonly end: number;
  readonly groups: readonly PlacedGroup[];
  /** Values of `grid-template-rows` and `grid-template-columns`. */
  readonly rows: string;
  readonly columns: string;
}

export interface Lane {
  readonly layer: Layer;
  readonly rail: number;
  /** The line below its last row. */
  readonly end: number;
  readonly lines: readonly Line[];
}

/** A row of a lane: state by label, locks, or the place where interrupts lie. */
export interface Line {
  readonly label: string;
  readonly row: number;
  readonly shows: 'fact' | 'locks' | Place;
}

export interface PlacedGroup {
  readonly group: Group;
  /** Grid lines: the gap before it, its first column, the line behind its last. */
  readonly gap: number;
  readonly from: number;
  readonly to: number;
  readonly columns: readonly { readonly column: Column; readonly at: number }[];
}

export function gridOf(groups: readonly Group[]): Grid {
  const rows = ['var(--head)', 'auto'];
  let wall = 0;
  const lanes = LANES.map((layer): Lane => {
    if (layer === 'kvm') wall = rows.push('auto');
    // No thread stands in the hardware: what lies there begins at once.
    const rail = rows.push(layer === 'hardware' ? '0.35rem' : 'var(--rail)');
    rows.push(layer === 'hardware' ? '0px' : 'auto');
    const lines = linesOf(groups, layer).map((line): Line => {
      const row = rows.push(
        line.shows === 'fact' || line.shows === 'locks' ? 'auto' : 'minmax(var(--token), auto)',
      );
      return { ...line, row };
    });
    const end = rows.push(`minmax(0.25rem, ${layer === 'kvm' ? 1 : 0.6}fr)`);
    return { layer, rail, end, lines };
  });
  let next = 2;
  const placed = groups.map((group): PlacedGroup => {
    const gap = next++;
    const columns = group.columns.map((column) => ({ column, at: next++ }));
    return { group, gap, from: gap + 1, to: next, columns };
  });
  return {
    lanes,
    railOf: Object.fromEntries(lanes.map(({ layer, rail }) => [layer, rail])) as Record<Layer, number>,
    wall,
    end: rows.length + 1,
    groups: placed,
    rows: rows.join(' '),
    columns: [
      'var(--names)',
      ...placed.flatMap(({ columns }) => ['var(--gap)', ...columns.map(({ column }) => widthOf(column))]),
    ].join(' '),
  };
}

function linesOf(groups: readonly Group[], layer: Layer): Omit<Line, 'row'>[] {
  const places = placesOf(groups, layer).map((place) => ({ label: PLACES[place].label, shows: place }));
  const facts = factLabels(groups, layer).map((label) => ({ label, shows: 'fact' as const }));
  if (layer === 'kvm') return [...facts, { label: 'locks', shows: 'locks' }, ...places];
  // What the CPU executes stands beside the name of its lane.
  if (layer === 'hardware') return [...facts.slice(0, 1), ...places, ...facts.slice(1)];
  return [...places, ...facts];
}

function widthOf({ exists, kind }: Column): string {
  if (!exists) return 'minmax(3.25rem, 0.5fr)';
  return kind === 'vmm' ? 'minmax(5.25rem, 0.6fr)' : 'minmax(6rem, 1fr)';
}

/** A world switch of a column: from rail to rail, each a little further to the right than the one before. */
export interface Switch {
  readonly to: Layer;
  readonly up: boolean;
  readonly i: number;
  readonly isLast: boolean;
  /** Value of `grid-row`. */
  readonly rows: string;
}

export function switchesOf({ railOf }: Grid, { trail }: Column): Switch[] {
  return trail.slice(1).map((to, i) => {
    const [a, b] = [railOf[to], railOf[trail[i]!]];
    return {
      to,
      up: a < b,
      i,
      isLast: i === trail.length - 2,
      rows: `${Math.min(a, b)} / ${Math.max(a, b) + 1}`,
    };
  });
}

/** The way that an interrupt took since the newest action: a line past every row where it lay. */
export interface Track {
  readonly key: string;
  readonly isLost: boolean;
  /** Value of `grid-row`. */
  readonly rows: string;
  /** Rows at which it stopped. */
  readonly stops: readonly number[];
}

/** Tracks that are drawn side by side in a column. */
const TRACKS = 3;

export function tracksOf({ lanes }: Grid, { tokens }: Column): Track[] {
  const rowOf = new Map(lanes.flatMap(({ lines }) => lines.map(({ shows, row }) => [shows, row] as const)));
  return tokens
    .filter(({ route }) => new Set(route.map(({ place }) => place)).size > 1)
    .slice(0, TRACKS)
    .map(({ key, fate, route }) => {
      const stops = [...new Set(route.map(({ place }) => rowOf.get(place)!))];
      return {
        key,
        isLost: fate === 'lost',
        rows: `${Math.min(...stops)} / ${Math.max(...stops) + 1}`,
        stops,
      };
    });
}
