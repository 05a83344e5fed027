import { readFileSync } from 'node:fs';
import type { WindowPlace } from './settings';

/** What the first window, and what is started with it, need of the settings file. */
export interface Glance {
  readonly theme: 'system' | 'light' | 'dark';
  readonly window: WindowPlace | null;
  /** Whether a lab was open. */
  readonly inLab: boolean;
}

/**
 * Looks into the settings file before the first window opens, without the schemas that take a window's time to load.
 * Whatever is not as expected is as if it were not there; `Remembered` reads the file properly a moment later.
 */
export function glance(file: string): Glance {
  let content: { settings?: { theme?: unknown }; open?: unknown; window?: Record<string, unknown> | null };
  try {
    content = Object(JSON.parse(readFileSync(file, 'utf8'))) as typeof content;
  } catch {
    return { theme: 'system', window: null, inLab: false };
  }
  const theme = content.settings?.theme;
  return {
    theme: theme === 'light' || theme === 'dark' ? theme : 'system',
    window: placeIn(content.window),
    inLab: typeof content.open === 'string',
  };
}

function placeIn(window: Record<string, unknown> | null | undefined): WindowPlace | null {
  if (typeof window !== 'object' || window === null) return null;
  const { x, y, width, height, maximized } = window;
  if (![x, y, width, height].every(Number.isInteger)) return null;
  return { x, y, width, height, maximized: maximized === true } as WindowPlace;
}
