import { tick } from 'svelte';

/** Sizes of the picture that are offered; 1 is as designed. */
export const ZOOMS = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.25, 1.5, 2] as const;
const [SMALLEST] = ZOOMS;
const LARGEST = ZOOMS.at(-1)!;
/** Times that the picture is drawn to find the size at which it fits. */
const TRIES = 3;

/** The size next to `zoom` in one direction; itself at the end. */
export function nextZoom(zoom: number, by: 1 | -1): number {
  const next =
    by > 0 ? ZOOMS.find((size) => size > zoom + 0.001) : ZOOMS.findLast((size) => size < zoom - 0.001);
  return next ?? zoom;
}

/**
 * The size at which a picture fits into its place, never larger than as designed.
 *
 * @param zoom - size at which it needs `needs`, in pixels.
 */
export function fitting(
  zoom: number,
  needs: { readonly width: number; readonly height: number },
  place: { readonly width: number; readonly height: number },
): number {
  const room = Math.min(place.width / needs.width, place.height / needs.height);
  return Math.max(SMALLEST, Math.min(1, Math.floor(zoom * room * 100) / 100));
}

/** How large the picture is, which part of it is in view, and whether that follows whoever acts. */
export class Viewport {
  zoom = $state(1);
  follows = $state(true);

  get canEnlarge(): boolean {
    return this.zoom < LARGEST;
  }
  get canShrink(): boolean {
    return this.zoom > SMALLEST;
  }

  /** Enlarges (1) or shrinks (-1) by one size. What is at the point stays there; default: the middle. */
  change(place: HTMLElement, by: 1 | -1, point?: { readonly x: number; readonly y: number }): void {
    const { left, top } = place.getBoundingClientRect();
    const x = point === undefined ? place.clientWidth / 2 : point.x - left;
    const y = point === undefined ? place.clientHeight / 2 : point.y - top;
    const from = this.zoom;
    this.zoom = nextZoom(from, by);
    const grown = this.zoom / from;
    requestAnimationFrame(() => {
      place.scrollLeft = (place.scrollLeft + x) * grown - x;
      place.scrollTop = (place.scrollTop + y) * grown - y;
    });
  }

  /** As designed, from its beginning, following. */
  reset(place: HTMLElement): void {
    this.zoom = 1;
    this.follows = true;
    place.scrollTo({ left: 0, top: 0 });
  }

  /** So that everything is in view, as far as the sizes go. What keeps its size is only known when it is drawn again. */
  async fit(place: HTMLElement): Promise<void> {
    for (let i = 0; i < TRIES; i++) {
      const needs = { width: place.scrollWidth, height: place.scrollHeight };
      const room = { width: place.clientWidth, height: place.clientHeight };
      if (i > 0 && needs.width <= room.width && needs.height <= room.height) break;
      this.zoom = fitting(this.zoom, needs, room);
      await tick();
    }
    place.scrollTo({ left: 0, top: 0 });
  }

  /** Brings the marker of a thread into view, when it is not. */
  show(place: HTMLElement, thread: string): void {
    const marker = place.querySelector(`[data-key="thread ${CSS.escape(thread)}"]`);
    marker?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  /** Keys of the picture while it has the focus: + - 0 and f. Arrows scroll by themselves. */
  key(event: KeyboardEvent, place: HTMLElement): void {
    if (event.target !== place || event.ctrlKey || event.altKey || event.metaKey) return;
    const keys: Readonly<Record<string, () => void>> = {
      '+': () => this.change(place, 1),
      '=': () => this.change(place, 1),
      '-': () => this.change(place, -1),
      '0': () => this.reset(place),
      '1': () => void this.fit(place),
      f: () => (this.follows = !this.follows),
    };
    const run = keys[event.key];
    if (run === undefined) return;
    event.preventDefault();
    run();
  }

  /** Turning the wheel with Ctrl enlarges and shrinks at the pointer. */
  wheel(event: WheelEvent, place: HTMLElement): void {
    if (!event.ctrlKey) return;
    event.preventDefault();
    this.change(place, event.deltaY < 0 ? 1 : -1, { x: event.clientX, y: event.clientY });
  }
}
