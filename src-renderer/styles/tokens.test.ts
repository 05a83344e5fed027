import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const css = readFileSync(join(import.meta.dirname, 'tokens.css'), 'utf8');

/** Relative luminance of `#rrggbb`, as WCAG 2.2 defines it. */
function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5]
    .map((i) => parseInt(colour.slice(i, i + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(a: string, b: string): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

const tokens = Object.fromEntries(
  [...css.matchAll(/--([\w-]+): light-dark\((#\w{6}), (#\w{6})\)/g)].map(([, name, light, dark]) => [
    name,
    [light!, dark!],
  ]),
) as Record<string, [string, string]>;
const THEMES = ['light', 'dark'] as const;
const GROUNDS = ['paper', 'sheet', 'wash', 'mark'];
const TEXT = ['ink', 'ink-soft', 'guest', 'seam', 'kvm', 'vmm', 'hardware', 'signal'];

test.each(THEMES)('in the %s theme all text has a contrast of 4.5 on every ground', (theme) => {
  const i = THEMES.indexOf(theme);
  const low = GROUNDS.flatMap((ground) =>
    TEXT.map((text) => ({
      pair: `${text} on ${ground}`,
      ratio: contrast(tokens[text]![i]!, tokens[ground]![i]!),
    })),
  ).filter(({ ratio }) => ratio < 4.5);
  expect(low).toEqual([]);
});

test.each(THEMES)('in the %s theme the edges of fields have a contrast of 3', (theme) => {
  const i = THEMES.indexOf(theme);
  for (const ground of ['paper', 'sheet', 'wash']) {
    expect(contrast(tokens['line-strong']![i]!, tokens[ground]![i]!)).toBeGreaterThan(3);
  }
});
