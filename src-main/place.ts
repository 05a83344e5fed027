import type { WindowPlace } from './settings';

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export const MINIMUM = { width: 960, height: 600 } as const;
const FIRST = { width: 1440, height: 900 } as const;
/** Pixels of the window's top edge that must lie on a display, so that it can be taken hold of. */
const GRIP = { width: 160, height: 32 } as const;

/**
 * Where the window opens: where it was, if its top edge can be reached on a display that is there now; else centred on
 * the first display.
 *
 * @param displays - work areas of the displays, the primary first; at least one.
 * @param remembered - null: never opened before.
 */
export function placeOf(displays: readonly Rectangle[], remembered: WindowPlace | null): WindowPlace {
  const primary = displays[0]!;
  const home = remembered === null ? undefined : displays.find((display) => reachable(display, remembered));
  const area = home ?? primary;
  const wanted = remembered ?? FIRST;
  const width = fit(wanted.width, MINIMUM.width, area.width);
  const height = fit(wanted.height, MINIMUM.height, area.height);
  const maximized = remembered?.maximized ?? false;
  if (remembered !== null && home !== undefined)
    return { x: remembered.x, y: remembered.y, width, height, maximized };
  const x = Math.round(area.x + Math.max(0, area.width - width) / 2);
  const y = Math.round(area.y + Math.max(0, area.height - height) / 2);
  return { x, y, width, height, maximized };
}

const fit = (wanted: number, least: number, most: number): number => Math.max(least, Math.min(wanted, most));

function reachable(display: Rectangle, { x, y, width }: WindowPlace): boolean {
  const across = Math.min(x + width, display.x + display.width) - Math.max(x, display.x);
  const down = display.y + display.height - y;
  return across >= GRIP.width && y >= display.y && down >= GRIP.height;
}
