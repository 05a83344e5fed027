import { Composer, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, Parser } from 'yaml';
import type { CST, Document, Node } from 'yaml';
import type { Place, Result, SourceError } from './errors';

/** What a scenario file may be made of. All of it is checked before the text is given a meaning. */
export const SOURCE_LIMITS = {
  /** Bytes of UTF-8. */
  bytes: 1024 * 1024,
  /** Entries of one list, and keys of one mapping. */
  entries: 10_000,
  /** Words and signs of the file, blanks included. */
  words: 500_000,
  /** Lists and mappings inside each other. */
  depth: 40,
  anchors: 100,
  /** Values for which all aliases of the file stand together. */
  aliased: 10_000,
} as const;
/** Faults of the syntax after which reading on is of no use to anybody. */
const MAX_FAULTS = 20;

/** A path into the data: keys and indexes from the root. */
export type Path = readonly (string | number)[];

/** Plain data, and where each part of it stands in the file. */
export interface Source {
  readonly data: unknown;
  /** Place of the value at `path`, or of the nearest thing around it that the file has. */
  at(path: Path): Place;
  /** Place of the key at the end of `path`; that of its mapping when it is not there. */
  key(path: Path): Place;
}

/**
 * Reads YAML 1.2 (core schema): one document, no tags, unique keys. Numbers that JavaScript cannot hold exactly stay
 * text as they are written.
 *
 * Never throws, whatever the text. The limits hold before memory or time is spent.
 */
export function readSource(text: string): Result<Source, SourceError> {
  if (text.length > SOURCE_LIMITS.bytes || bytesOf(text) > SOURCE_LIMITS.bytes) {
    return {
      ok: false,
      errors: [{ code: 'too_large', limit: SOURCE_LIMITS.bytes, at: { line: 1, column: 1 } }],
    };
  }
  const lines = new LineCounter();
  for (let i = -1; (i = text.indexOf('\n', i + 1)) >= 0;) lines.addNewLine(i + 1);
  lines.lineStarts.unshift(0);
  const reader = new Reader(text, (offset) => {
    const { line, col } = lines.linePos(Math.min(offset, text.length));
    return { line, column: col };
  });
  try {
    return reader.read();
  } catch (stop) {
    if (stop instanceof Stop) return { ok: false, errors: [stop.error] };
    throw stop;
  }
}

/** Bytes of the text in UTF-8. */
function bytesOf(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // A surrogate pair is four bytes: two for each half.
    bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 2 : 3;
  }
  return bytes;
}

/** Ends the reading at the first breach of a limit. Never leaves this module. */
class Stop extends Error {
  constructor(readonly error: SourceError) {
    super(error.code);
  }
}

/** Where the parts of one list or mapping stand, by index or key. */
interface Whereabouts {
  readonly at: number;
  readonly values: ReadonlyMap<string | number, number>;
  readonly keys: ReadonlyMap<string, number>;
}

/** A value, and how many values it is made of when its aliases are written out. */
interface Read {
  readonly value: unknown;
  readonly size: number;
}

class Reader {
  private readonly errors: SourceError[] = [];
  private readonly where = new Map<object, Whereabouts>();
  private readonly anchors = new Map<string, Read | null>();
  private aliased = 0;

  constructor(
    private readonly text: string,
    private readonly place: (offset: number) => Place,
  ) {}

  read(): Result<Source, SourceError> {
    const tokens = this.parse(this.lex());
    const [doc, second] = this.compose(tokens);
    if (second) this.stop({ code: 'second_document' }, second.range[0]);
    const faults = doc ? [...doc.errors, ...doc.warnings] : [];
    for (const { message, pos } of faults.slice(0, MAX_FAULTS)) {
      this.errors.push({ code: 'not_yaml', reason: message, at: this.place(pos[0]) });
    }
    if (this.errors.length > 0) return { ok: false, errors: this.errors };
    const { contents } = doc ?? { contents: null };
    const root = contents?.range?.[0] ?? 0;
    const { value } = this.convert(contents, root);
    if (this.errors.length > 0) return { ok: false, errors: this.errors };
    return { ok: true, value: this.source(value, root) };
  }

  /** The words of the text. Stops at the limits that can be seen here. */
  private lex(): string[] {
    const words: string[] = [];
    let offset = 0;
    let depth = 0;
    let anchors = 0;
    let documents = 0;
    let literal = false;
    for (const word of new Lexer().lex(this.text)) {
      if (words.push(word) > SOURCE_LIMITS.words) {
        this.stop({ code: 'too_many_words', limit: SOURCE_LIMITS.words }, offset);
      }
      if (word === CONTROL.scalar) {
        literal = true; // what follows is text, whatever it looks like
        continue;
      }
      if (word === CONTROL.document || word === CONTROL.flowEnd) continue;
      if (!literal) {
        if (word === '{' || word === '[') depth++;
        else if (word === '}' || word === ']') depth--;
        else if (word.startsWith('!')) this.stop({ code: 'tag' }, offset);
        else if (word.startsWith('%')) this.stop({ code: 'directive' }, offset);
        else if (word === '---' && ++documents > 1) this.stop({ code: 'second_document' }, offset);
        else if (word.startsWith('&') && ++anchors > SOURCE_LIMITS.anchors) {
          this.stop({ code: 'too_many_anchors', limit: SOURCE_LIMITS.anchors }, offset);
        }
        if (depth > SOURCE_LIMITS.depth) this.stop({ code: 'too_deep', limit: SOURCE_LIMITS.depth }, offset);
      }
      literal = false;
      offset += word.length;
    }
    return words;
  }

  /** The syntax tree. Stops at lists and nestings that are too large before a meaning is made of them. */
  private parse(words: readonly string[]): CST.Token[] {
    const parser = new Parser();
    const tokens: CST.Token[] = [];
    let faults = 0;
    const take = (made: Iterable<CST.Token>): void => {
      for (const token of made) {
        tokens.push(token);
        if (token.type !== 'error') continue;
        this.errors.push({ code: 'not_yaml', reason: token.message, at: this.place(token.offset) });
        if (++faults === MAX_FAULTS) return;
      }
    };
    for (const word of words) {
      take(parser.next(word));
      if (faults === MAX_FAULTS) return [];
    }
    take(parser.end());
    if (faults > 0) return [];
    this.measure(tokens);
    return tokens;
  }

  private measure(tokens: readonly CST.Token[]): void {
    const open: { token: CST.Token; depth: number }[] = tokens.map((token) => ({ token, depth: 0 }));
    for (let next = open.pop(); next; next = open.pop()) {
      const { token, depth } = next;
      if (token.type === 'document' && token.value) open.push({ token: token.value, depth });
      if (!('items' in token)) continue;
      if (depth >= SOURCE_LIMITS.depth)
        this.stop({ code: 'too_deep', limit: SOURCE_LIMITS.depth }, token.offset);
      if (token.items.length > SOURCE_LIMITS.entries) {
        const extra = token.items[SOURCE_LIMITS.entries]!;
        const at = extra.start[0]?.offset ?? extra.key?.offset ?? token.offset;
        this.stop({ code: 'too_many_entries', limit: SOURCE_LIMITS.entries }, at);
      }
      for (const item of token.items) {
        if (item.key) open.push({ token: item.key, depth: depth + 1 });
        if (item.value) open.push({ token: item.value, depth: depth + 1 });
      }
    }
  }

  private compose(tokens: readonly CST.Token[]): Document.Parsed[] {
    // Repeated keys are found below: the library compares every key with every other.
    const composer = new Composer({ version: '1.2', schema: 'core', uniqueKeys: false, logLevel: 'silent' });
    return [...composer.compose(tokens, false, this.text.length)].slice(0, 2);
  }

  private convert(node: Node | null | undefined, around: number): Read {
    const at = node?.range?.[0] ?? around;
    if (isAlias(node)) {
      const known = this.anchors.get(node.source);
      if (!known) this.stop({ code: 'endless_alias', name: node.source }, at);
      this.aliased += known.size;
      if (this.aliased > SOURCE_LIMITS.aliased) {
        this.stop({ code: 'too_many_aliases', limit: SOURCE_LIMITS.aliased }, at);
      }
      return known;
    }
    const anchor = node && 'anchor' in node ? node.anchor : undefined;
    if (anchor !== undefined) this.anchors.set(anchor, null); // inside itself it stands for nothing yet
    const read = isMap(node) ? this.mapping(node, at) : isSeq(node) ? this.list(node, at) : this.scalar(node);
    if (anchor !== undefined) this.anchors.set(anchor, read);
    return read;
  }

  private scalar(node: Node | null | undefined): Read {
    if (!isScalar(node)) return { value: null, size: 1 };
    const { value } = node;
    if (typeof value === 'number' && !Number.isSafeInteger(value))
      return { value: node.source ?? String(value), size: 1 };
    return { value: value ?? null, size: 1 };
  }

  private list(node: { items: unknown[] }, at: number): Read {
    const value: unknown[] = [];
    const values = new Map<number, number>();
    let size = 1;
    node.items.forEach((item, i) => {
      const read = this.convert(item as Node, at);
      values.set(i, (item as Node | null)?.range?.[0] ?? at);
      value.push(read.value);
      size += read.size;
    });
    this.where.set(value, { at, values, keys: new Map() });
    return { value, size };
  }

  private mapping(node: { items: { key: unknown; value: unknown }[] }, at: number): Read {
    const value: Record<string, unknown> = {};
    const values = new Map<string, number>();
    const keys = new Map<string, number>();
    let size = 1;
    for (const item of node.items) {
      const keyAt = (item.key as Node | null)?.range?.[0] ?? at;
      if (!isScalar(item.key) || item.key.value === null || typeof item.key.value === 'object') {
        this.errors.push({ code: 'key_is_no_word', at: this.place(keyAt) });
        continue;
      }
      const key = item.key.source ?? String(item.key.value);
      if (keys.has(key)) this.errors.push({ code: 'repeated_key', key, at: this.place(keyAt) });
      const read = this.convert(item.value as Node | null, keyAt);
      keys.set(key, keyAt);
      values.set(key, (item.value as Node | null)?.range?.[0] ?? keyAt);
      // Not an assignment: a key called __proto__ is a key like any other.
      Object.defineProperty(value, key, {
        value: read.value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
      size += read.size;
    }
    this.where.set(value, { at, values, keys });
    return { value, size };
  }

  private source(data: unknown, root: number): Source {
    /** Offset of the value at `path` as far as there is one, and what stands there. */
    const find = (path: Path): { offset: number; value: unknown; whole: boolean } => {
      let offset = root;
      let value = data;
      for (const key of path) {
        const here = this.where.get(value as object);
        const next = here?.values.get(key);
        if (next === undefined) return { offset, value, whole: false };
        offset = next;
        value = (value as Record<string | number, unknown>)[key];
      }
      return { offset, value, whole: true };
    };
    return {
      data,
      at: (path) => this.place(find(path).offset),
      key: (path) => {
        const parent = find(path.slice(0, -1));
        const keys = parent.whole ? this.where.get(parent.value as object)?.keys : undefined;
        return this.place(keys?.get(String(path.at(-1))) ?? parent.offset);
      },
    };
  }

  private stop(fault: Fault, offset: number): never {
    throw new Stop({ ...fault, at: this.place(offset) } as SourceError);
  }
}

type WithoutPlace<E> = E extends unknown ? Omit<E, 'at'> : never;
type Fault = WithoutPlace<SourceError>;

/** Signs that the lexer puts between words and that are not in the text. */
const CONTROL = { document: '\x02', flowEnd: '\x18', scalar: '\x1f' } as const;
