/**
 * State is declared once, here-style: name, width, meaning, allowed values, source. Accessors, state paths, the
 * inspector's tree, help texts, diffs and hashes all come from that one declaration.
 *
 * Records are placed in one ArrayBuffer. A reference to a record is its byte offset, so a step that reads and writes
 * state allocates nothing, and a snapshot is a copy of bytes.
 */

declare const brand: unique symbol;
/** Where a record of kind `R` begins: its byte offset in the state. 0 is no record. */
export type Ref<R extends string = string> = number & { readonly [brand]: R };

/** The views over the one buffer. Everything that holds state (a machine, a scratch copy) offers these. */
export interface Views {
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly f64: Float64Array;
}

/** The layer whose state a field is, or in which a routine runs: one accent each on the screen. */
export type Layer = 'guest' | 'seam' | 'kvm' | 'vmm' | 'hardware';
export type LeafKind = 'number' | 'flag' | 'name' | 'bits' | 'hex';

interface Meta {
  /** Fact id of the references, or kernel path. */
  readonly source?: string;
  /** Overrides the record's layer. */
  readonly layer?: Layer;
  /** Machinery of the simulator: part of the bytes, but of no path. */
  readonly hidden?: boolean;
}

/**
 * What every field knows about itself. `bits` is its width; where it lies is set once, when its record is laid out.
 *
 * Accessors are classes by width, and their methods a line each, on purpose: V8 puts methods this small into whatever
 * calls them, however much that has taken in already, and knows there what a field's constants are. That is why `byte`
 * and `shift` have no initial value: V8 takes a property that was assigned twice for a variable.
 */
abstract class Field {
  declare readonly byte: number;
  constructor(
    readonly bits: number,
    readonly align: number,
    readonly doc: string,
    readonly meta: Meta,
  ) {}
  abstract readonly kind: LeafKind;
  readonly names: readonly string[] = [];
  /** @throws RangeError if a field of this width cannot begin at that bit of a record. */
  place(bit: number): void {
    if (bit % 8 !== 0) throw new RangeError(`a ${this.bits}-bit field cannot begin at bit ${bit}`);
    this.lie(bit / 8);
  }
  protected lie(byte: number): void {
    (this as { byte: number }).byte = byte;
  }
  /** The value as people read it. */
  abstract show(s: Views, r: number): string;
}

/** One bit. `get` answers 0 or 1. */
export class Flag extends Field {
  readonly kind = 'flag';
  declare private readonly shift: number;
  constructor(doc: string, meta: Meta) {
    super(1, 1, doc, meta);
  }
  override place(bit: number): void {
    this.lie(bit >> 3);
    (this as unknown as { shift: number }).shift = bit & 7;
  }
  get(s: Views, r: number): 0 | 1 {
    return ((s.u8[r + this.byte]! >> this.shift) & 1) as 0 | 1;
  }
  /** Sets the bit if `v` is not 0, else clears it. */
  set(s: Views, r: number, v: number): void {
    if (v) s.u8[r + this.byte]! |= 1 << this.shift;
    else s.u8[r + this.byte]! &= ~(1 << this.shift);
  }
  /** Sets the bit and answers what it was: one atomic read-modify-write. */
  testAndSet(s: Views, r: number): 0 | 1 {
    const was = this.get(s, r);
    this.set(s, r, 1);
    return was;
  }
  show(s: Views, r: number): string {
    return String(this.get(s, r));
  }
}

/** A number of 8, 16 or 32 bits. */
export abstract class Num extends Field {
  readonly kind: LeafKind;
  constructor(
    bits: number,
    doc: string,
    meta: Meta & { as?: 'number' | 'hex' },
    override readonly names: readonly string[] = [],
    private readonly labels?: Readonly<Record<number, string>>,
  ) {
    super(bits, bits, doc, meta);
    this.kind = names.length > 0 ? 'name' : (meta.as ?? 'number');
  }
  abstract get(s: Views, r: number): number;
  /** Keeps the low bits of `v`, as many as the field has. */
  abstract set(s: Views, r: number, v: number): void;
  show(s: Views, r: number): string {
    const v = this.get(s, r);
    if (this.labels) return this.labels[v] ?? String(v);
    if (this.names.length > 0) return this.names[v] ?? String(v);
    return this.kind === 'hex' ? `0x${v.toString(16)}` : String(v);
  }
}
class Uint8 extends Num {
  get(s: Views, r: number): number {
    return s.u8[r + this.byte]!;
  }
  set(s: Views, r: number, v: number): void {
    s.u8[r + this.byte] = v;
  }
}
class Uint16 extends Num {
  get(s: Views, r: number): number {
    return s.u16[(r + this.byte) >> 1]!;
  }
  set(s: Views, r: number, v: number): void {
    s.u16[(r + this.byte) >> 1] = v;
  }
}
class Uint32 extends Num {
  get(s: Views, r: number): number {
    return s.u32[(r + this.byte) >> 2]!;
  }
  set(s: Views, r: number, v: number): void {
    s.u32[(r + this.byte) >> 2] = v;
  }
}
class Int32 extends Num {
  get(s: Views, r: number): number {
    return s.i32[(r + this.byte) >> 2]!;
  }
  set(s: Views, r: number, v: number): void {
    s.i32[(r + this.byte) >> 2] = v;
  }
}
const NUMS = { 8: Uint8, 16: Uint16, 32: Uint32 } as const;

/** A 64-bit word in two halves; `big` is for the cold path. */
export class Word64 extends Field {
  readonly kind = 'hex';
  constructor(doc: string, meta: Meta) {
    super(64, 32, doc, meta);
  }
  lo(s: Views, r: number): number {
    return s.u32[(r + this.byte) >> 2]!;
  }
  hi(s: Views, r: number): number {
    return s.u32[((r + this.byte) >> 2) + 1]!;
  }
  set(s: Views, r: number, hi: number, lo: number): void {
    s.u32[(r + this.byte) >> 2] = lo;
    s.u32[((r + this.byte) >> 2) + 1] = hi;
  }
  show(s: Views, r: number): string {
    return hex64(this.hi(s, r), this.lo(s, r));
  }
}

/** A 64-bit floating-point number that holds an integer up to 2^53 - 1: virtual time, counts of steps. */
export class Float extends Field {
  readonly kind = 'number';
  constructor(doc: string, meta: Meta) {
    super(64, 64, doc, meta);
  }
  get(s: Views, r: number): number {
    return s.f64[(r + this.byte) >> 3]!;
  }
  set(s: Views, r: number, v: number): void {
    s.f64[(r + this.byte) >> 3] = v;
  }
  show(s: Views, r: number): string {
    return String(this.get(s, r));
  }
}

/** A bitmap of a multiple of 8 bits: pending events, pages. */
export class Bits extends Field {
  readonly kind = 'bits';
  constructor(
    bits: number,
    doc: string,
    meta: Meta,
    override readonly names: readonly string[],
  ) {
    super(bits, bits >= 32 ? 32 : 8, doc, meta);
  }
  test(s: Views, r: number, n: number): 0 | 1 {
    return ((s.u8[r + this.byte + (n >> 3)]! >> (n & 7)) & 1) as 0 | 1;
  }
  set(s: Views, r: number, n: number): void {
    s.u8[r + this.byte + (n >> 3)]! |= 1 << (n & 7);
  }
  clear(s: Views, r: number, n: number): void {
    s.u8[r + this.byte + (n >> 3)]! &= ~(1 << (n & 7));
  }
  testAndSet(s: Views, r: number, n: number): 0 | 1 {
    const was = this.test(s, r, n);
    this.set(s, r, n);
    return was;
  }
  testAndClear(s: Views, r: number, n: number): 0 | 1 {
    const was = this.test(s, r, n);
    this.clear(s, r, n);
    return was;
  }
  clearAll(s: Views, r: number): void {
    s.u8.fill(0, r + this.byte, r + this.byte + (this.bits >> 3));
  }
  isEmpty(s: Views, r: number): boolean {
    return this.highest(s, r) < 0;
  }
  /** The highest set bit, or -1. */
  highest(s: Views, r: number): number {
    for (let i = (this.bits >> 3) - 1; i >= 0; i--) {
      const byte = s.u8[r + this.byte + i]!;
      if (byte !== 0) return i * 8 + 31 - Math.clz32(byte);
    }
    return -1;
  }
  /** Makes this field what `from`, of a field as wide, is. */
  copy(s: Views, r: number, from: Bits, fromRef: number): void {
    s.u8.copyWithin(r + this.byte, fromRef + from.byte, fromRef + from.byte + (this.bits >> 3));
  }
  /** ORs every bit of `from` (of a field as wide) into this one and clears it there. */
  take(s: Views, r: number, from: Bits, fromRef: number): void {
    for (let i = 0; i < this.bits >> 3; i++) {
      s.u8[r + this.byte + i]! |= s.u8[fromRef + from.byte + i]!;
      s.u8[fromRef + from.byte + i] = 0;
    }
  }
  show(s: Views, r: number): string {
    const set: string[] = [];
    for (let n = 0; n < this.bits; n++) if (this.test(s, r, n)) set.push(this.names[n] || String(n));
    return set.join(' ');
  }
}

/** A bitmap of whole 32-bit words, looked through a word at a time: vectors, requests. */
class WordBits extends Bits {
  override place(bit: number): void {
    if (bit % 32 !== 0) throw new RangeError(`a bitmap of words cannot begin at bit ${bit}`);
    super.place(bit);
  }
  override highest(s: Views, r: number): number {
    const { u32 } = s;
    const first = (r + this.byte) >> 2;
    for (let i = first + (this.bits >> 5) - 1; i >= first; i--)
      if (u32[i] !== 0) return (i - first) * 32 + 31 - Math.clz32(u32[i]!);
    return -1;
  }
  override take(s: Views, r: number, from: Bits, fromRef: number): void {
    const { u32 } = s;
    const to = (r + this.byte) >> 2;
    const out = (fromRef + from.byte) >> 2;
    for (let i = 0; i < this.bits >> 5; i++) {
      u32[to + i]! |= u32[out + i]!;
      u32[out + i] = 0;
    }
  }
}

/** Unused bits of a layout that hardware fixes. */
class Gap extends Field {
  readonly kind = 'number';
  constructor(bits: number) {
    super(bits, 1, '', {});
  }
  override place(): void {}
  show(): string {
    return '';
  }
}

/** `count` records of one kind inside another. */
export class Sub extends Field {
  readonly kind = 'number';
  /** Bytes from one to the next. */
  private readonly stride: number;
  constructor(
    readonly record: AnyRecord,
    readonly count: number,
    meta: Meta,
  ) {
    super(record.size * 8 * count, record.align, record.doc, meta);
    this.stride = record.size;
  }
  /** The only one, or the first. */
  at(r: number): Ref {
    return (r + this.byte) as Ref;
  }
  /** The `i`-th of them, 0 to `count - 1`. */
  nth(r: number, i: number): Ref {
    return (r + this.byte + i * this.stride) as Ref;
  }
  show(): string {
    return '';
  }
}

export const flag = (doc: string, meta: Meta = {}): Flag => new Flag(doc, meta);
export const num = (bits: 8 | 16 | 32, doc: string, meta: Meta & { as?: 'number' | 'hex' } = {}): Num =>
  new NUMS[bits](bits, doc, meta);
export const int32 = (doc: string, meta: Meta & { labels?: Readonly<Record<number, string>> } = {}): Num =>
  new Int32(32, doc, meta, [], meta.labels);
/** A value out of `names`, numbered from 0. */
export const name = (names: readonly string[], doc: string, meta: Meta = {}): Num =>
  new Uint8(8, doc, meta, names);
export const word64 = (doc: string, meta: Meta = {}): Word64 => new Word64(doc, meta);
export const float = (doc: string, meta: Meta = {}): Float => new Float(doc, meta);
/** `width`: a multiple of 8. */
export const bits = (width: number, doc: string, meta: Meta & { names?: readonly string[] } = {}): Bits =>
  new (width % 32 === 0 ? WordBits : Bits)(width, doc, meta, meta.names ?? []);
export const gap = (width: number): Gap => new Gap(width);
export const sub = (record: { readonly info: AnyRecord }, count = 1, meta: Meta = {}): Sub =>
  new Sub(record.info, count, meta);

type Fields = Readonly<Record<string, Field>>;
/** A laid-out record: its fields by name, and its size and alignment. */
export interface AnyRecord {
  readonly id: string;
  readonly doc: string;
  readonly layer: Layer;
  readonly fields: Fields;
  /** Bytes, a multiple of the alignment. */
  readonly size: number;
  /** Bits. */
  readonly align: number;
}

/**
 * Lays out a record. Fields follow each other in the order given, each at its natural alignment.
 *
 * @param opts.bits - the exact width that hardware gives the record; a sum that differs throws at load.
 * @returns the fields by name beside `info`: `pi_desc.on.get(s, ref)`.
 */
export function record<const F extends Fields>(
  id: string,
  layer: Layer,
  doc: string,
  fields: F,
  opts: { bits?: number } = {},
): F & { readonly info: AnyRecord } {
  let bit = 0;
  let align = 32;
  for (const field of Object.values(fields)) {
    const to = opts.bits === undefined ? field.align : 1;
    bit = Math.ceil(bit / to) * to;
    field.place(bit);
    bit += field.bits;
    align = Math.max(align, field.align);
  }
  if (opts.bits !== undefined && bit !== opts.bits)
    throw new RangeError(`${id} has ${bit} bits, not ${opts.bits}`);
  const size = (Math.ceil(bit / align) * align) / 8;
  const info = { id, doc, layer, fields: { ...fields }, size, align };
  // The very object that was given: V8 takes the properties of a copy for variables, and folds none.
  return Object.assign(fields, { info });
}

/** A field of one record instance: what the inspector lists and what paths name. */
export interface Leaf {
  readonly index: number;
  /** As in `td.vcpu1.pid.on`. */
  readonly path: string;
  readonly doc: string;
  readonly source: string;
  readonly layer: Layer;
  readonly kind: LeafKind;
  /** Bits. */
  readonly width: number;
  readonly names: readonly string[];
  /** Where it lies. */
  readonly ref: Ref;
  readonly field: Field;
}

/** A record instance to be placed: `path` is its prefix in state paths, `''` for none. */
export interface Placement {
  readonly path: string;
  readonly record: { readonly info: AnyRecord };
}

/** Where everything lies for one platform. */
export class Layout {
  readonly leaves: readonly Leaf[];
  /** Bytes of state, a multiple of 8. */
  readonly size: number;
  readonly refs: readonly Ref[];
  private readonly byPath = new Map<string, Leaf>();

  constructor(placements: readonly Placement[]) {
    const leaves: Leaf[] = [];
    const refs: Ref[] = [];
    let at = 8; // offset 0 means "no record"
    for (const { path, record } of placements) {
      const align = record.info.align / 8;
      at = Math.ceil(at / align) * align;
      refs.push(at as Ref);
      collect(leaves, path, record.info, at);
      at += record.info.size;
    }
    this.leaves = leaves;
    this.refs = refs;
    this.size = Math.ceil(at / 8) * 8;
    for (const leaf of leaves) this.byPath.set(leaf.path, leaf);
  }

  /** The leaf of `path`, or null. A path without its VM is completed when exactly one leaf ends so. */
  find(path: string): Leaf | null {
    const exact = this.byPath.get(path);
    if (exact) return exact;
    const ending = this.leaves.filter((leaf) => leaf.path.endsWith(`.${path}`));
    return ending.length === 1 ? ending[0]! : null;
  }

  /** Up to three known paths that look most like `path`, best first. */
  nearest(path: string): string[] {
    return this.leaves
      .map((leaf) => ({ path: leaf.path, distance: editDistance(path, leaf.path) }))
      .sort((a, b) => a.distance - b.distance || (a.path < b.path ? -1 : 1))
      .slice(0, 3)
      .map((near) => near.path);
  }
}

function collect(leaves: Leaf[], path: string, info: AnyRecord, at: number): void {
  for (const [key, field] of Object.entries(info.fields)) {
    if (field instanceof Gap || field.meta.hidden) continue;
    const own = path === '' ? key : `${path}.${key}`;
    if (field instanceof Sub) {
      for (let i = 0; i < field.count; i++) {
        collect(leaves, field.count === 1 ? own : `${own}${i}`, field.record, field.nth(at, i));
      }
      continue;
    }
    leaves.push({
      index: leaves.length,
      path: own,
      doc: field.doc,
      source: field.meta.source ?? '',
      layer: field.meta.layer ?? info.layer,
      kind: field.kind,
      width: field.bits,
      names: field.names,
      ref: at as Ref,
      field,
    });
  }
}

/** Levenshtein distance, for "did you mean". */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}

/** `0x` and 16 digits, as the kernel prints a u64 with %016llx. */
export function hex64(hi: number, lo: number): string {
  const digits = (n: number): string => (n >>> 0).toString(16).padStart(8, '0');
  return `0x${digits(hi)}${digits(lo)}`;
}
