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
