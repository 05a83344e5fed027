/**
 * Puts work off until the next frame is painted, so that what moves does not wait for it. Asked for again meanwhile, it is
 * done once.
 */
export function afterFrame(work: () => void): () => void {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() =>
      setTimeout(() => {
        isDue = false;
        work();
      }),
    );
  };
}
