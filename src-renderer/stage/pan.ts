import type { Attachment } from 'svelte/attachments';

/** Pixels that a pointer moves before a press counts as dragging. */
const SLOP = 4;

/**
 * Lets a scrolled element be dragged by what is not a control. Keys and scroll bars do the same.
 *
 * @param onpan - the learner has taken the view into their own hands.
 */
export const pan =
  (onpan: () => void): Attachment<HTMLElement> =>
  (element) => {
    let from: { x: number; y: number; left: number; top: number; pointer: number } | null = null;
    const down = (event: PointerEvent): void => {
      if (event.button !== 0 || (event.target as Element).closest('button, a, table') !== null) return;
      // The scroll bars belong to the element, but lie outside of its content.
      if (event.offsetX >= element.clientWidth && event.target === element) return;
      const { clientX: x, clientY: y, pointerId: pointer } = event;
      from = { x, y, left: element.scrollLeft, top: element.scrollTop, pointer };
    };
    const move = (event: PointerEvent): void => {
      if (from === null || event.pointerId !== from.pointer) return;
      const [x, y] = [event.clientX - from.x, event.clientY - from.y];
      if (element.dataset['panning'] === undefined) {
        if (Math.hypot(x, y) < SLOP) return;
        element.dataset['panning'] = '';
        element.setPointerCapture(from.pointer);
        onpan();
      }
      element.scrollTo({ left: from.left - x, top: from.top - y });
    };
    const up = (): void => {
      from = null;
      delete element.dataset['panning'];
    };
    element.addEventListener('pointerdown', down);
    element.addEventListener('pointermove', move);
    for (const end of ['pointerup', 'pointercancel'] as const) element.addEventListener(end, up);
    return () => {
      element.removeEventListener('pointerdown', down);
      element.removeEventListener('pointermove', move);
      for (const end of ['pointerup', 'pointercancel'] as const) element.removeEventListener(end, up);
    };
  };
