import type { MachineState } from '../lab/machine.svelte';
import { trailOf, type Group } from './stage';

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Milliseconds from one stop to the next, and for a whole journey. */
const HOP = 170;
const MOST = 900;

/** Where something passes on its way to where it is now. */
export interface Flight {
  readonly keyframes: readonly { readonly translate: string; readonly easing: string }[];
  /** Milliseconds. */
  readonly duration: number;
}

/**
 * The way to `to` by the given points, as offsets from `to`; null when nothing moves.
 *
 * @param zoom - how much larger than as designed everything is drawn: offsets count in the design's pixels.
 */
export function flightOf(way: readonly Point[], to: Point, zoom: number): Flight | null {
  const points = [...way, to].filter(
    ({ x, y }, i, all) => i === 0 || Math.hypot(x - all[i - 1]!.x, y - all[i - 1]!.y) > 1,
  );
  if (points.length < 2) return null;
  const offset = ({ x, y }: Point): string =>
    `${((x - to.x) / zoom).toFixed(1)}px ${((y - to.y) / zoom).toFixed(1)}px`;
  return {
    keyframes: points.map((point) => ({ translate: offset(point), easing: 'ease-in-out' })),
    duration: Math.min(MOST, HOP * (points.length - 1)),
  };
}

/**
 * What moves between two moments. The picture is already as the state says; whatever changed its place is drawn on its
 * way there, by way of the places that the trace names. Only `translate` is animated, so the compositor does the work.
 */
export class Motion {
  #before: ReadonlyMap<string, Point> = new Map();
  #drawn: { readonly machine: MachineState; readonly count: number } | null = null;

  /** The picture is about to change. */
  before(place: HTMLElement | undefined, machine: MachineState): void {
    this.#before = place === undefined || this.#drawn?.machine !== machine ? new Map() : pointsIn(place);
  }

  /** The picture has changed. */
  after(place: HTMLElement, machine: MachineState, groups: readonly Group[], zoom: number): void {
    const drawn = this.#drawn;
    const { count } = machine;
    this.#drawn = { machine, count };
    if (drawn?.machine !== machine || this.#before.size === 0 || !moves(place)) return;
    // Backwards there is no way to tell of: everything goes straight to where it was.
    const from = count >= drawn.count ? drawn.count : Number.POSITIVE_INFINITY;
    const now = pointsIn(place);
    const pointOf = (attribute: string, name: string): Point | undefined => {
      const element = place.querySelector(`[${attribute}="${CSS.escape(name)}"]`);
      return element === null ? undefined : pointAt(element);
    };
    const fly = (key: string, start: Point | undefined, way: readonly (Point | undefined)[]): void => {
      const to = now.get(key);
      const element = place.querySelector(`[data-key="${CSS.escape(key)}"]`);
      if (to === undefined || element === null) return;
      const via = [start, ...way].filter((point) => point !== undefined);
      const flight = flightOf(via, to, zoom);
      for (const running of element.getAnimations()) running.cancel();
      if (flight !== null) element.animate([...flight.keyframes], { duration: flight.duration });
    };
    for (const { columns } of groups) {
      for (const { thread, tokens, signals } of columns) {
        const key = `thread ${thread.name}`;
        const to = now.get(key);
        const rails = trailOf(machine, thread, from)
          .slice(0, -1)
          .map((layer) => pointOf('data-rail', `${thread.name} ${layer}`)?.y);
        fly(
          key,
          this.#before.get(key),
          to === undefined ? [] : rails.map((y) => (y === undefined ? undefined : { x: to.x, y })),
        );
        const sender = (name: string | null): Point | undefined =>
          name === null ? undefined : this.#before.get(`thread ${name}`);
        for (const token of tokens) {
          const hops = token.route.filter(({ n }) => n >= from).slice(0, -1);
          fly(
            token.key,
            this.#before.get(token.key) ?? sender(token.from),
            hops.map((hop) => placeIn(pointOf('data-place', `${thread.name} ${hop.place}`))),
          );
        }
        for (const { name } of signals) {
          const signal = `${thread.name} ${name}`;
          fly(signal, this.#before.get(signal) ?? sender(machine.event(count - 1)?.thread ?? null), []);
        }
      }
    }
  }
}

/** Where the first thing in a place of the picture lies: right of the thread's own gutter. */
const GUTTER = 21;
const placeIn = (point: Point | undefined): Point | undefined =>
  point === undefined ? undefined : { x: point.x + GUTTER, y: point.y };

/** The settings and the system set the length of every movement; of none when less motion is asked for. */
function moves(element: Element): boolean {
  return Number.parseFloat(getComputedStyle(element).getPropertyValue('--move')) > 0;
}

/** Where everything is drawn now that keeps its name, on its way or not. */
function pointsIn(place: HTMLElement): Map<string, Point> {
  const points = new Map<string, Point>();
  for (const element of place.querySelectorAll<HTMLElement>('[data-key]'))
    points.set(element.dataset['key']!, pointAt(element));
  return points;
}

function pointAt(element: Element): Point {
  const { x, y } = element.getBoundingClientRect();
  return { x, y };
}
