import { onDestroy } from 'svelte';

/**
 * Puts work of a component off until the next frame is painted, so that what moves does not wait for it. Asked for again
 * meanwhile, it is done once; when the component has gone, not at all. Called while the component is made.
 *
 * @param frames - how many frames it waits for: what is all due to one change shares the time of several.
 */
export function afterFrame(work: () => void, frames = 1): () => void {
  let isDue = false;
  let isOver = false;
  onDestroy(() => (isOver = true));
  return () => {
    if (isDue) return;
    isDue = true;
    let left = frames;
    const wait = (): void => {
      if (--left > 0) requestAnimationFrame(wait);
      else setTimeout(due);
    };
    const due = (): void => {
      isDue = false;
      if (!isOver) work();
    };
    requestAnimationFrame(wait);
  };
}
