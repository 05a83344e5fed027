import { onDestroy } from 'svelte';

/**
 * Puts work of a component off until the next frame is painted, so that what moves does not wait for it. Asked for again
 * meanwhile, it is done once; when the component has gone, not at all. Called while the component is made.
 */
export function afterFrame(work: () => void): () => void {
  let isDue = false;
  let isOver = false;
  onDestroy(() => (isOver = true));
  return () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() =>
      setTimeout(() => {
        isDue = false;
        if (!isOver) work();
      }),
    );
  };
}
