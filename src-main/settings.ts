import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { z } from 'zod';
import { Slug } from '../src-lab/slug';
import { writeAtomic } from './atomic';
import { Aids, DEFAULT_SETTINGS, NO_AIDS, Settings, TRACE_LOOK, TraceLook } from './contract';
import { writeFaultOf, type News } from './notices';

/** Where the window was, in screen coordinates; the size is the one it has when not maximized. */
export const WindowPlace = z.strictObject({
  x: z.int(),
  y: z.int(),
  width: z.int().positive(),
  height: z.int().positive(),
  maximized: z.boolean(),
});
export type WindowPlace = z.infer<typeof WindowPlace>;

const VERSION = 1;
const SettingsFile = z.strictObject({
  version: z.literal(VERSION),
  /** A file of an earlier version has less; who has one knows the application. */
  settings: Settings.extend({
    toured: z.boolean().default(true),
    aids: Aids.default(NO_AIDS),
    trace: TraceLook.default(TRACE_LOOK),
  }),
  /** The lab that is open, by id; null: the home screen. */
  open: Slug.nullable(),
  window: WindowPlace.nullable(),
});
type SettingsFile = z.infer<typeof SettingsFile>;

const DEFAULTS: SettingsFile = {
  version: VERSION,
  settings: DEFAULT_SETTINGS,
  open: null,
  window: null,
};

/**
 * What the application remembers besides progress: a small JSON file, read before the first window exists, written
 * whole at every change.
 */
export class Remembered {
  #content: SettingsFile;
  #writable = true;
  readonly #file: string;
  /** What went wrong while reading; for the learner. */
  readonly news: readonly News[];

  /**
   * Reads `file`. A missing file gives the defaults; a damaged one is moved aside, kept, and gives the defaults; one of
   * a newer version is left alone and gives the defaults, unsaved.
   *
   * @param now - milliseconds since 1970; dates the copy of a damaged file.
   */
  constructor(file: string, now: number) {
    this.#file = file;
    const news: News[] = [];
    this.#content = DEFAULTS;
    try {
      const raw: unknown = JSON.parse(readFileSync(file, 'utf8'));
      const parsed = SettingsFile.safeParse(raw);
      if (parsed.success) this.#content = parsed.data;
      else if (isNewer(raw)) {
        this.#writable = false;
        news.push({ code: 'settings_damaged', copy: null });
      } else news.push({ code: 'settings_damaged', copy: setAside(file, now) });
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (error instanceof SyntaxError) news.push({ code: 'settings_damaged', copy: setAside(file, now) });
      else if (code !== 'ENOENT') news.push({ code: 'settings_damaged', copy: null });
    }
    this.news = news;
  }

  get settings(): Settings {
    return this.#content.settings;
  }

  get open(): string | null {
    return this.#content.open;
  }

  get window(): WindowPlace | null {
    return this.#content.window;
  }

  /**
   * Changes what is remembered. It is on disk when this returns null.
   *
   * @returns what to tell the learner when it could not be written; the change then lasts until the application ends.
   */
  change(change: Partial<Pick<SettingsFile, 'settings' | 'open' | 'window'>>): News | null {
    const content = { ...this.#content, ...change };
    if (JSON.stringify(content) === JSON.stringify(this.#content)) return null;
    this.#content = content;
    if (!this.#writable) return null;
    try {
      mkdirSync(dirname(this.#file), { recursive: true });
      writeAtomic(this.#file, `${JSON.stringify(content, null, 2)}\n`);
      return null;
    } catch (error) {
      return { code: 'settings_not_saved', why: writeFaultOf((error as NodeJS.ErrnoException).code ?? '') };
    }
  }
}

function isNewer(raw: unknown): boolean {
  const version = (raw as { version?: unknown } | null)?.version;
  return typeof version === 'number' && version > VERSION;
}

/** @returns the name of the copy; null when the file could not be moved. */
function setAside(file: string, now: number): string | null {
  const copy = file.replace(/\.json$/, `-damaged-${stamp(now)}.json`);
  try {
    renameSync(file, copy);
    return basename(copy);
  } catch {
    return null;
  }
}

/** `2026-11-21T10-22-33-123`: a time, UTC, that may stand in a file name and sorts. */
export function stamp(now: number): string {
  return new Date(now).toISOString().replace(/[:.]/g, '-').replace(/Z$/, '');
}
