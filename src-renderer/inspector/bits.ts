/** One bit of a bit field. */
export interface Bit {
  readonly n: number;
  readonly name: string;
  readonly set: boolean;
}

/**
 * The bits of a field from its shown value, which lists those that are set by name or number, as `INIT SIPI` or `48 49`.
 */
export function bitsOf(value: string, width: number, names: readonly string[]): Bit[] {
  const set = new Set(value.split(' ').filter((word) => word !== ''));
  return Array.from({ length: width }, (_, n) => {
    const name = names[n] ?? '';
    return { n, name, set: set.has(name === '' ? String(n) : name) };
  });
}

/** `1 bit is set: 49.`; for those who do not see the grid. */
export function sayBits(bits: readonly Bit[]): string {
  const set = bits.filter((bit) => bit.set);
  const list = set.map(({ n, name }) => (name === '' ? String(n) : name)).join(', ');
  return set.length === 0
    ? `None of ${bits.length} bits is set.`
    : `${set.length} of ${bits.length} bits set: ${list}.`;
}

/**
 * The bit that a key leads to, in rows of sixteen: arrows move, Home and End go to the ends, Page Up and Page Down to the
 * set bit before and after.
 *
 * @returns null when the key means nothing here.
 */
export function moveInGrid(key: string, at: number, bits: readonly Bit[]): number | null {
  const within = (n: number): number => (n < 0 || n >= bits.length ? at : n);
  switch (key) {
    case 'ArrowRight':
      return within(at + 1);
    case 'ArrowLeft':
      return within(at - 1);
    case 'ArrowDown':
      return within(at + 16);
    case 'ArrowUp':
      return within(at - 16);
    case 'Home':
      return 0;
    case 'End':
      return bits.length - 1;
    case 'PageDown':
      return bits.find(({ n, set }) => set && n > at)?.n ?? at;
    case 'PageUp':
      return bits.findLast(({ n, set }) => set && n < at)?.n ?? at;
    default:
      return null;
  }
}
