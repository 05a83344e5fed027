import { watch, type FSWatcher } from 'node:fs';

/** Milliseconds after the last change: editors write a file in several steps. */
const CALM = 150;
/** Milliseconds until a folder that went away, as a checkout may do, is looked for again. */
const AGAIN = 1_000;

/**
 * Watches the folder of a lab that its author previews: what the learner meets, `lab.yaml` and `guide.md`.
 *
 * @param changed - called after the files have come to rest.
 * @returns a function that ends it.
 */
export function watchLab(folder: string, changed: () => void): () => void {
  let watcher: FSWatcher | null = null;
  let timer: NodeJS.Timeout | null = null;
  let ended = false;

  const after = (time: number, work: () => void): void => {
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(work, time);
    timer.unref();
  };
  const lost = (): void => {
    watcher?.close();
    watcher = null;
    if (ended) return;
    after(AGAIN, () => {
      if (begin()) changed();
    });
  };
  const begin = (): boolean => {
    try {
      watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (name === null || name === 'lab.yaml' || name === 'guide.md') after(CALM, changed);
        else if (name === folderName) lost(); // the folder itself was moved or removed
      });
      watcher.on('error', lost);
      return true;
    } catch {
      lost();
      return false;
    }
  };
  const folderName = folder.split(/[\\/]/).at(-1);
  begin();
  return () => {
    ended = true;
    watcher?.close();
    if (timer !== null) clearTimeout(timer);
  };
}
