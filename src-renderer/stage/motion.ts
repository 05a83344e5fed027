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

/** The way to `to` by the given points, as offsets from `to`; null when nothing moves. */
export function flightOf(way: readonly Point[], to: Point): Flight | null {
  const points = [...way, to].filter(
    ({ x, y }, i, all) => i === 0 || Math.hypot(x - all[i - 1]!.x, y - all[i - 1]!.y) > 1,
  );
  if (points.length < 2) return null;
  const offset = ({ x, y }: Point): string => `${(x - to.x).toFixed(1)}px ${(y - to.y).toFixed(1)}px`;
  return {
    keyframes: points.map((point) => ({ translate: offset(point), easing: 'ease-in-out' })),
    duration: Math.min(MOST, HOP * (points.length - 1)),
  };
}

/** Where everything was when it was last drawn, in the design's pixels from the corner of the picture. */
interface Drawn {
  readonly machine: MachineState;
  readonly count: number;
  /** Of the whole picture: where another is laid out, places say nothing. */
  readonly width: number;
  readonly points: ReadonlyMap<string, Point>;
}

/**
 * What moves between two moments. The picture is already as the state says; whatever changed its place is drawn on its
 * way there, by way of the places that the trace names. Only `translate` is animated, so the compositor does the work.
 */
export class Motion {
  #drawn: Drawn | null = null;
  #flying: Animation[] = [];

  /** Nothing moves any more: everything is where it belongs. */
  rest(): void {
    for (const flying of this.#flying) flying.cancel();
    this.#flying = [];
  }

  /**
   * The picture has changed. All is measured before anything is set in motion: to ask where something is after another
   * has moved would have the browser lay out everything again.
   */
  drawn(place: HTMLElement, machine: MachineState, groups: readonly Group[], zoom: number): void {
    this.rest();
    const root = place.querySelector('.stage');
    if (root === null) return void (this.#drawn = null);
    const before = this.#drawn;
    const corner = root.getBoundingClientRect();
    const where = (element: Element): Point => {
      const { x, y } = element.getBoundingClientRect();
      return { x: (x - corner.x) / zoom, y: (y - corner.y) / zoom };
    };
    const elements = new Map<string, HTMLElement>();
    const points = new Map<string, Point>();
    for (const element of root.querySelectorAll<HTMLElement>('[data-key]')) {
      elements.set(element.dataset['key']!, element);
      points.set(element.dataset['key']!, where(element));
    }
    const { count } = machine;
    const width = corner.width / zoom;
    this.#drawn = { machine, count, width, points };
    if (before?.machine !== machine || Math.abs(before.width - width) > 1 || !moves(place)) return;

    // Backwards there is no way to tell of: everything goes straight to where it was.
    const from = count >= before.count ? Math.max(before.count, machine.from) : Number.POSITIVE_INFINITY;
    const named = (attribute: string, name: string): Point | undefined => {
      const element = root.querySelector(`[${attribute}="${CSS.escape(name)}"]`);
      return element === null ? undefined : where(element);
    };
    const flights: [HTMLElement, Flight][] = [];
    const fly = (key: string, start: Point | undefined, way: readonly (Point | undefined)[]): void => {
      const to = points.get(key);
      if (to === undefined) return;
      const flight = flightOf([start, ...way].filter((point) => point !== undefined), to); // prettier-ignore
      if (flight !== null) flights.push([elements.get(key)!, flight]);
    };
    const sender = (name: string | null): Point | undefined =>
      name === null ? undefined : before.points.get(`thread ${name}`);
    for (const { thread, tokens, signals } of groups.flatMap(({ columns }) => columns)) {
      const key = `thread ${thread.name}`;
      const x = points.get(key)?.x ?? 0;
      const rails = trailOf(machine, thread, from)
        .slice(0, -1)
        .map((layer) => named('data-rail', `${thread.name} ${layer}`));
      fly(key, before.points.get(key), rails.map((rail) => rail && { x, y: rail.y })); // prettier-ignore
      for (const token of tokens) {
        const stops = token.route
          .filter(({ n }) => n >= from)
          .slice(0, -1)
          .map((hop) => named('data-place', `${thread.name} ${hop.place}`));
        const start = before.points.get(token.key) ?? sender(token.from);
        fly(token.key, start, stops.map((stop) => stop && { x: stop.x + GUTTER, y: stop.y })); // prettier-ignore
      }
      for (const { name } of signals) {
        const signal = `${thread.name} ${name}`;
        fly(signal, before.points.get(signal) ?? sender(machine.event(count - 1)?.thread ?? null), []);
      }
    }
    this.#flying = flights.map(([element, { keyframes, duration }]) =>
      element.animate([...keyframes], { duration }),
    );
  }
}

/** What lies in a place begins right of the thread's own gutter; pixels. */
const GUTTER = 21;

/** The settings and the system set the length of every movement; of none when less motion is asked for. */
function moves(element: Element): boolean {
  return Number.parseFloat(getComputedStyle(element).getPropertyValue('--move')) > 0;
}
