/**
 * A part of the screen as an SVG document that any program can show: boxes, lines, words and icons as they are laid out
 * now, whole, whatever part of it is scrolled into view. Words keep their width where IBM Plex is missing.
 *
 * @param title - what the picture is called; for those who listen, too.
 * @param words - the same in words.
 */
export function svgOf(root: HTMLElement, title: string, words: string): string {
  const { left, top, width, height } = root.getBoundingClientRect();
  const right = Math.max(
    width,
    ...[...root.children].map((child) => child.getBoundingClientRect().right - left),
  );
  const layers: Layer[] = [];
  draw(root, new Pen(left, top, layers), 0);
  // What lies above is drawn later; what was drawn first of one layer stays first.
  const parts = layers.toSorted((a, b) => a.z - b.z).map(({ svg }) => svg);
  const [w, h] = [Math.ceil(right), Math.ceil(height) + CAPTION];
  const { color, fontFamily } = getComputedStyle(root);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}" role="img">`,
    `<title>${escaped(title)}</title><desc>${escaped(words)}</desc>`,
    `<rect width="${w}" height="${h}" fill="${paper(getComputedStyle(document.body).backgroundColor)}"/>`,
    ...parts,
    `<text x="12" y="${h - 9}" font-family="${escaped(fontFamily.replaceAll('"', "'"))}" font-size="12" fill="${ink(color)?.hex ?? '#000000'}">${escaped(title)}</text>`,
    '</svg>',
  ].join('\n');
}

/** Pixels below the picture for its title. */
const CAPTION = 28;

interface Layer {
  readonly z: number;
  readonly svg: string;
}

/** Draws at coordinates of the root. */
class Pen {
  constructor(
    private readonly left: number,
    private readonly top: number,
    private readonly layers: Layer[],
  ) {}

  at({ left, top, width, height }: DOMRect) {
    return { x: left - this.left, y: top - this.top, width, height };
  }
  add(z: number, svg: string): void {
    this.layers.push({ z, svg });
  }
}

function draw(element: Element, pen: Pen, z: number): void {
  const style = getComputedStyle(element);
  if (style.visibility === 'hidden' || style.display === 'none' || style.clipPath === 'inset(50%)') return;
  if (element.hasAttribute('data-live')) return;
  const layer = style.zIndex === 'auto' ? z : Number(style.zIndex);
  if (element instanceof SVGSVGElement) {
    pen.add(layer, icon(element, style, pen));
    return;
  }
  const box = pen.at(element.getBoundingClientRect());
  if (box.width > 0 || box.height > 0) pen.add(layer, boxOf(style, box));
  for (const child of element.childNodes) {
    if (child instanceof Element) draw(child, pen, layer);
    else if (child instanceof Text) pen.add(layer, wordsOf(child, element, style, pen));
  }
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}
const SIDES = ['Top', 'Right', 'Bottom', 'Left'] as const;

function boxOf(style: CSSStyleDeclaration, { x, y, width, height }: Box): string {
  const parts: string[] = [];
  const polygon = /^polygon\((.+)\)$/.exec(style.clipPath)?.[1];
  const fill = ink(style.backgroundColor);
  if (fill !== null) {
    if (polygon !== undefined) {
      const points = polygon.split(',').map((point) => {
        const [px = 0, py = 0] = point
          .trim()
          .split(' ')
          .map((part) => Number.parseFloat(part) / 100);
        return `${round(x + px * width)},${round(y + py * height)}`;
      });
      return `<polygon points="${points.join(' ')}" ${fillOf(fill)}/>`;
    }
    parts.push(`<rect ${frame(x, y, width, height)} rx="${radius(style, width, height)}" ${fillOf(fill)}/>`);
  }
  const lines = SIDES.map((side) => {
    const thickness = Number.parseFloat(style[`border${side}Width`]);
    const colour = ink(style[`border${side}Color`]);
    const kind = style[`border${side}Style`];
    return thickness > 0 && kind !== 'none' && colour !== null
      ? { side, thickness, colour, dash: kind === 'dashed' ? ` stroke-dasharray="3 2"` : '' }
      : null;
  });
  const [first] = lines;
  const hatched = style.backgroundImage !== 'none' && first !== null && first !== undefined;
  if (hatched) parts.push(hatch(x, y, width, height, first.colour));
  if (first && lines.every((line) => line?.thickness === first.thickness && line.colour === first.colour)) {
    const t = first.thickness;
    parts.push(
      `<rect ${frame(x + t / 2, y + t / 2, width - t, height - t)} rx="${radius(style, width, height)}" fill="none" ${strokeOf(first.colour)} stroke-width="${t}"${first.dash}/>`,
    );
    return parts.join('');
  }
  for (const line of lines) {
    if (line === null) continue;
    const { side, thickness: t, colour, dash } = line;
    const at = {
      Top: [x, y + t / 2, x + width, y + t / 2],
      Right: [x + width - t / 2, y, x + width - t / 2, y + height],
      Bottom: [x, y + height - t / 2, x + width, y + height - t / 2],
      Left: [x + t / 2, y, x + t / 2, y + height],
    }[side].map(round);
    parts.push(
      `<line x1="${at[0]}" y1="${at[1]}" x2="${at[2]}" y2="${at[3]}" ${strokeOf(colour)} stroke-width="${t}"${dash}/>`,
    );
  }
  return parts.join('');
}

/** Pixels between two lines of a hatched area. */
const HATCH = 14;

function hatch(x: number, y: number, width: number, height: number, colour: Ink): string {
  const lines: string[] = [];
  for (let at = HATCH; at < width + height; at += HATCH) {
    const from = { x: Math.max(0, at - height), y: Math.min(height, at) };
    const to = { x: Math.min(width, at), y: Math.max(0, at - width) };
    lines.push(`M${round(x + from.x)} ${round(y + from.y)}L${round(x + to.x)} ${round(y + to.y)}`);
  }
  return `<path d="${lines.join('')}" ${strokeOf(colour)} stroke-width="3" opacity="0.25"/>`;
}

/** Characters that stand on one line. */
interface Run {
  text: string;
  left: number;
  right: number;
  readonly rect: DOMRect;
}

function wordsOf(node: Text, parent: Element, style: CSSStyleDeclaration, pen: Pen): string {
  const runs: Run[] = [];
  const range = document.createRange();
  const clip = style.overflowX === 'visible' ? Infinity : parent.getBoundingClientRect().right;
  for (let i = 0; i < node.data.length; i++) {
    range.setStart(node, i);
    range.setEnd(node, i + 1);
    const rect = range.getBoundingClientRect();
    if (rect.width === 0) continue;
    const run = runs.at(-1);
    if (rect.right > clip + 1) {
      if (run !== undefined) run.text = `${run.text.slice(0, -1)}…`;
      break;
    }
    if (run !== undefined && Math.abs(run.rect.top - rect.top) < 2) {
      run.text += node.data[i]!;
      run.right = rect.right;
    } else runs.push({ text: node.data[i]!, left: rect.left, right: rect.right, rect });
  }
  const fill = ink(style.color);
  if (fill === null) return '';
  const { ascent, descent } = metricsOf(`${style.fontWeight} ${style.fontSize} ${style.fontFamily}`);
  const capitals = style.textTransform === 'uppercase';
  return runs
    .filter(({ text }) => text.trim() !== '')
    .map(({ text, left, right, rect }) => {
      const { x, y, height } = pen.at(rect);
      const baseline = y + (height * ascent) / (ascent + descent);
      const shown = capitals ? text.toUpperCase() : text;
      const decoration =
        style.textDecorationLine === 'none' ? '' : ` text-decoration="${style.textDecorationLine}"`;
      const size = Number.parseFloat(style.fontSize) * (height / (ascent + descent));
      return (
        `<text x="${round(x)}" y="${round(baseline)}" textLength="${round(right - left)}" lengthAdjust="spacingAndGlyphs"` +
        ` xml:space="preserve" font-family="${escaped(style.fontFamily.replaceAll('"', "'"))}" font-size="${round(size)}"` +
        ` font-weight="${style.fontWeight}"${decoration} ${fillOf(fill)}>${escaped(shown)}</text>`
      );
    })
    .join('');
}

function icon(element: SVGSVGElement, style: CSSStyleDeclaration, pen: Pen): string {
  const { x, y, width, height } = pen.at(element.getBoundingClientRect());
  const colour = ink(style.color);
  if (colour === null || width === 0) return '';
  const inside = [...element.children].map((child) => new XMLSerializer().serializeToString(child)).join('');
  return `<svg ${frame(x, y, width, height)} viewBox="0 0 24 24" fill="none" ${strokeOf(colour)} stroke-width="2">${inside}</svg>`;
}

interface Ink {
  readonly hex: string;
  /** 0 to 1. */
  readonly opacity: number;
}
const canvas = (): CanvasRenderingContext2D =>
  document.createElement('canvas').getContext('2d', { willReadFrequently: true })!;
let pot: CanvasRenderingContext2D | null = null;
const inks = new Map<string, Ink | null>();

/** A colour of whatever space as every program understands it; null: nothing would be seen. */
function ink(colour: string): Ink | null {
  const known = inks.get(colour);
  if (known !== undefined) return known;
  pot ??= canvas();
  pot.clearRect(0, 0, 1, 1);
  pot.fillStyle = colour;
  pot.fillRect(0, 0, 1, 1);
  const [r = 0, g = 0, b = 0, a = 0] = pot.getImageData(0, 0, 1, 1).data;
  const hex = `#${[r, g, b].map((part) => part.toString(16).padStart(2, '0')).join('')}`;
  const made = a === 0 ? null : { hex, opacity: a / 255 };
  inks.set(colour, made);
  return made;
}
const paper = (colour: string): string => ink(colour)?.hex ?? '#ffffff';
const opacityOf = (name: string, { opacity }: Ink): string =>
  opacity === 1 ? '' : ` ${name}-opacity="${round(opacity)}"`;
const fillOf = (colour: Ink): string => `fill="${colour.hex}"${opacityOf('fill', colour)}`;
const strokeOf = (colour: Ink): string => `stroke="${colour.hex}"${opacityOf('stroke', colour)}`;

const metrics = new Map<string, { ascent: number; descent: number }>();
function metricsOf(font: string): { ascent: number; descent: number } {
  const known = metrics.get(font);
  if (known !== undefined) return known;
  pot ??= canvas();
  pot.font = font;
  const { fontBoundingBoxAscent: ascent, fontBoundingBoxDescent: descent } = pot.measureText('M');
  metrics.set(font, { ascent, descent });
  return { ascent, descent };
}

const round = (number: number): number => Math.round(number * 100) / 100;
const frame = (x: number, y: number, width: number, height: number): string =>
  `x="${round(x)}" y="${round(y)}" width="${round(Math.max(0, width))}" height="${round(Math.max(0, height))}"`;
function radius({ borderTopLeftRadius }: CSSStyleDeclaration, width: number, height: number): number {
  const most = Math.min(width, height) / 2;
  const given = Number.parseFloat(borderTopLeftRadius);
  return round(Math.min(most, borderTopLeftRadius.endsWith('%') ? (most * given) / 50 : given));
}
const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => ENTITIES[character]!);
