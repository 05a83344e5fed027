import type { Line, Span } from './drawing';

/** Size of the words in a diagram, in units. */
export const SIZE = 12;

/** Widths in em of the letters of the text face that are far from its mean, rounded up. The code face has one width. */
const NARROW = new Set("iljtfrI.,:;'|()[]!- ");
const WIDE = new Set('mwMWQOGD%@&+=<>');
const CODE = 0.6;

/** Width of a run in units: never less than it will be drawn. */
export function widthOf(line: Line, size = SIZE): number {
  let em = 0;
  for (const { value, code } of line) {
    for (const letter of value)
      em += code
        ? CODE
        : NARROW.has(letter)
          ? 0.4
          : WIDE.has(letter)
            ? 0.9
            : /[A-Z]/.test(letter)
              ? 0.68
              : 0.59;
  }
  return em * size;
}

/** Breaks words into lines no wider than `most` units; a name too long for a line is broken behind an underscore. */
export function wrap(text: string, most: number, size = SIZE): Line[] {
  const lines: Span[][] = [];
  let line: Span[] = [];
  for (const word of wordsOf(text)) {
    for (const [i, piece] of pieces(word, most, size).entries()) {
      const joined = line.length === 0 ? piece : join(line, piece, i === 0 ? ' ' : '');
      if (line.length > 0 && widthOf(joined, size) > most) {
        lines.push(line);
        line = [...piece];
      } else line = [...joined];
    }
  }
  if (line.length > 0) lines.push(line);
  return lines;
}

/** Width of the widest line. */
export function widest(lines: readonly Line[], size = SIZE): number {
  return Math.max(0, ...lines.map((line) => widthOf(line, size)));
}

/** Words as spans: `a` of what stands between backquotes is code, and a word may be both, as in `KVM_RUN`'s. */
function wordsOf(text: string): Span[][] {
  const words: Span[][] = [[]];
  text.split('`').forEach((part, i) => {
    part.split(/\s+/).forEach((value, j) => {
      if (j > 0) words.push([]);
      if (value !== '') words.at(-1)!.push({ value, code: i % 2 === 1 });
    });
  });
  return words.filter((word) => word.length > 0);
}

function pieces(word: Span[], most: number, size: number): Span[][] {
  if (widthOf(word, size) <= most) return [word];
  return word.flatMap(({ value, code }) =>
    value.split(/(?<=[_.])/).map((part): Span[] => [{ value: part, code }]),
  );
}

function join(line: readonly Span[], word: readonly Span[], between: string): Span[] {
  const last = line.at(-1)!;
  const [first, ...rest] = word as [Span, ...Span[]];
  if (last.code === first.code)
    return [...line.slice(0, -1), { value: last.value + between + first.value, code: last.code }, ...rest];
  return [...line.slice(0, -1), { value: last.value + between, code: last.code }, first, ...rest];
}
