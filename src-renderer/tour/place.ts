export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Pixels between the explanation, what it explains and the edge of the window. */
const GAP = 12;

/**
 * Where an explanation stands: beside what it explains, on the side with room for it; over its corner where there is none.
 *
 * @param size - of the explanation, in pixels like all else.
 */
export function placeBeside(
  { left, top, width, height }: Box,
  size: { readonly width: number; readonly height: number },
  window: { readonly width: number; readonly height: number },
): { left: number; top: number } {
  const within = (at: number, long: number, room: number): number =>
    Math.max(GAP, Math.min(at, room - long - GAP));
  const x = within(left, size.width, window.width);
  const y = within(top, size.height, window.height);
  const right = left + width + GAP;
  const bottom = top + height + GAP;
  if (right + size.width + GAP <= window.width) return { left: right, top: y };
  if (left - GAP - size.width >= GAP) return { left: left - GAP - size.width, top: y };
  if (bottom + size.height + GAP <= window.height) return { left: x, top: bottom };
  if (top - GAP - size.height >= GAP) return { left: x, top: top - GAP - size.height };
  return {
    left: within(left + width - size.width - GAP, size.width, window.width),
    top: within(top + height - size.height - GAP, size.height, window.height),
  };
}
