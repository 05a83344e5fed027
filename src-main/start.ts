import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Course } from './course';
import { Desktop, type World } from './desktop';
import { compiledListing } from './listing';
import type { News } from './notices';
import { Progress } from './progress';
import { Remembered } from './settings';

export { serve } from './serve';
export { watchLab } from './preview';
export type { Desktop } from './desktop';

/** What the running application gives its desktop; everything else the desktop finds in the home folder. */
export type Surroundings = Omit<World, 'remembered' | 'progress' | 'labsAtHand' | 'now' | 'uuid'> & {
  /** Folder of settings and progress. */
  readonly home: string;
  /** Folder of the labs, and the file of those that the build has compiled. */
  readonly labs: string;
  readonly compiled: URL;
  /** Lab that the command line names. */
  readonly lab: string | null;
};

/**
 * Reads settings and progress and makes the desktop. This is the part of the start that needs the contract's schemas
 * and the native database library: loaded when the window has its first picture, so that it costs no time before it.
 */
export function startDesktop({ home, labs, compiled, lab, ...surroundings }: Surroundings): Desktop {
  const early: News[] = [];
  let desktop: Desktop | null = null;
  const tell = (news: News): void => {
    if (desktop === null) early.push(news);
    else desktop.tell(news);
  };
  const now = Date.now;
  const remembered = new Remembered(join(home, 'settings.json'), now());
  const progress = new Progress(home, now, surroundings.log, tell);
  const labsAtHand = () => compiledListing(labs, new Course(compiled));
  desktop = new Desktop({ ...surroundings, remembered, progress, labsAtHand, now, uuid: randomUUID });
  for (const news of early) desktop.tell(news);
  if (lab !== null) desktop.want(lab);
  return desktop;
}
