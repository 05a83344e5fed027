import type { Heading, Nodes, Paragraph, PhrasingContent, RootContent } from 'mdast';
import type { ContainerDirective, LeafDirective, TextDirective } from 'mdast-util-directive';
import remarkDirective from 'remark-directive';
import remarkGfm from 'remark-gfm';
import remarkParse from 'remark-parse';
import { unified } from 'unified';
import { parseCommand } from './command';
import { didYouMean, type LabIssue, type Place } from './issue';
import { FactId } from './schema';
import type { Block, Inline } from './view';

/**
 * Prose: Markdown in, a tree of a few node types out. Whatever is not one of them is refused with its place: HTML,
 * pictures, links and scripts never reach the screen because there is no node that could carry them.
 */

/** What prose may refer to. */
export interface ProseContext {
  /** Path of the file, for the issues. */
  readonly file: string;
  /** Explanations of `:term[...]`, by word. */
  readonly terms: Readonly<Record<string, string>>;
  /** Translates a place in the text into a place in the file. */
  readonly place: (place: Place) => Place;
  /** A guide may also hold checkpoints, buttons and headings. */
  readonly guide: boolean;
}

export interface Prose {
  readonly blocks: Block[];
  readonly issues: LabIssue[];
}

/** A section of the guide: what the learner reads at one step. */
export interface GuideSection extends Place {
  readonly id: string;
  readonly title: string;
  readonly blocks: Block[];
}

/** Where the guide places a checkpoint or a button. */
export interface Placement extends Place {
  readonly id: string;
  /** Section in which it stands. */
  readonly section: string;
}

export interface Guide {
  readonly sections: GuideSection[];
  readonly checkpoints: Placement[];
  readonly diagrams: Placement[];
  /** The buttons: command and action, in order. */
  readonly tries: (Place & { readonly section: string; readonly block: Extract<Block, { type: 'try' }> })[];
  readonly issues: LabIssue[];
}

/** Longest line and deepest nesting that is parsed: what no author needs and what would cost a parser minutes. */
const LIMITS = { line: 2_000, markers: 8, indent: 40, depth: 12 } as const;

const parser = unified()
  .use(remarkParse)
  .use(remarkGfm, { singleTilde: false })
  .use(remarkDirective)
  .freeze();

/** Reads a piece of prose: a question, a hint, an explanation. Never throws. */
export function readProse(text: string, context: ProseContext): Prose {
  const reader = new Reader(text, context);
  const blocks = reader.root().flatMap((node) => reader.block(node, 0));
  return { blocks, issues: reader.issues };
}

/**
 * Reads a guide: sections that begin with `# Title {#step-id}`.
 *
 * @param terms - explanations of `:term[...]`.
 * @param file - path for the issues. Never throws, whatever the text.
 */
export function readGuide(text: string, terms: Readonly<Record<string, string>>, file = 'guide.md'): Guide {
  const reader = new Reader(text, { file, terms, place: (place) => place, guide: true });
  const sections: GuideSection[] = [];
  for (const node of reader.root()) {
    if (node.type === 'heading' && node.depth === 1) {
      const heading = reader.sectionHeading(node);
      reader.section = heading?.id ?? '';
      if (heading) sections.push(heading);
      continue;
    }
    const blocks = reader.block(node, 0);
    const current = sections.at(-1);
    if (current && reader.section !== '') current.blocks.push(...blocks);
    else if (sections.length === 0)
      reader.refuse(node, 'There is text before the first section.', 'Begin with # Title {#step-id}.');
  }
  return {
    sections,
    checkpoints: reader.checkpoints,
    diagrams: reader.diagrams,
    tries: reader.tries,
    issues: reader.issues,
  };
}

class Reader {
  readonly issues: LabIssue[] = [];
  readonly checkpoints: Placement[] = [];
  readonly diagrams: Placement[] = [];
  readonly tries: Guide['tries'] = [];
  /** Id of the section under way. */
  section = '';

  constructor(
    private readonly text: string,
    private readonly context: ProseContext,
  ) {}

  root(): RootContent[] {
    const limit = firstExcess(this.text);
    if (limit) {
      this.issue(limit.at, limit.message, limit.remedy);
      return [];
    }
    try {
      return parser.parse(this.text).children;
    } catch {
      this.issue({ line: 1, column: 1 }, 'This cannot be read as Markdown.', 'Simplify it.');
      return [];
    }
  }

  issue(at: Place, message: string, remedy: string): void {
    if (this.issues.length < 50)
      this.issues.push({ file: this.context.file, ...this.context.place(at), message, remedy });
  }

  refuse(node: Nodes, message: string, remedy: string): [] {
    this.issue(placeOf(node), message, remedy);
    return [];
  }

  sectionHeading(node: Heading): GuideSection | null {
    const last = node.children.at(-1);
    const id = last?.type === 'text' ? /^(.*?)\s*\{#([a-z0-9]+(?:-[a-z0-9]+)*)\}\s*$/.exec(last.value) : null;
    if (!id) {
      this.refuse(node, 'A section of the guide names its step.', 'Write # Title {#step-id}.');
      return null;
    }
    const children: PhrasingContent[] = [
      ...node.children.slice(0, -1),
      { ...last!, value: id[1]! } as PhrasingContent,
    ];
    const title = plain(this.inlines(children, 0)).trim();
    if (title === '') this.refuse(node, 'The section has no title.', 'Write # Title {#step-id}.');
    return { ...placeOf(node), id: id[2]!, title, blocks: [] };
  }

  block(node: RootContent, depth: number): Block[] {
    if (depth > LIMITS.depth) return this.refuse(node, 'This nests too deeply.', 'Flatten it.');
    const inner = (children: readonly RootContent[]): Block[] =>
      children.flatMap((child) => this.block(child, depth + 1));
    switch (node.type) {
      case 'paragraph':
        return [{ type: 'p', children: this.inlines(node.children, depth) }];
      case 'heading':
        if (!this.context.guide)
          return this.refuse(node, 'Headings belong into the guide.', 'Make it a paragraph.');
        return [{ type: 'h', level: node.depth, children: this.inlines(node.children, depth) }];
      case 'list':
        return [
          {
            type: 'list',
            ordered: node.ordered === true,
            items: node.children.map((item) => {
              if (typeof item.checked === 'boolean')
                this.refuse(item, 'Lists have no boxes to tick.', 'Remove [ ].');
              return inner(item.children);
            }),
          },
        ];
      case 'code':
        return [{ type: 'code', lang: (node.lang ?? '').slice(0, 20), value: node.value }];
      case 'blockquote':
        return [{ type: 'quote', children: inner(node.children) }];
      case 'table': {
        const [head, ...rows] = node.children.map((row) =>
          row.children.map((cell) => this.inlines(cell.children, depth)),
        );
        return [{ type: 'table', head: head ?? [], rows }];
      }
      case 'containerDirective':
        return this.note(node, inner);
      case 'leafDirective':
        return this.leaf(node);
      default:
        return this.refused(node);
    }
  }

  private note(node: ContainerDirective, inner: (children: readonly RootContent[]) => Block[]): Block[] {
    const tones = ['note', 'warning', 'surprise'] as const;
    const tone = tones.find((name) => name === node.name);
    if (!tone) return this.refuse(node, `There is no block ":::${node.name}".`, didYouMean(node.name, tones));
    this.only(node, []);
    const children = (node.children as RootContent[]).map((child): RootContent =>
      child.type === 'paragraph' && isLabel(child)
        ? { ...child, children: [{ type: 'strong', children: child.children }] }
        : child,
    );
    return [{ type: 'note', tone, children: inner(children) }];
  }

  private leaf(node: LeafDirective): Block[] {
    const known = ['checkpoint', 'diagram', 'try'];
    if (!this.context.guide)
      return this.refuse(node, `"::${node.name}" belongs into the guide.`, 'Remove it.');
    const section = this.section;
    if (node.name === 'checkpoint' || node.name === 'diagram') {
      const type = node.name;
      this.only(node, ['id']);
      const id = node.attributes?.['id'] ?? '';
      if (id === '') return this.refuse(node, `The ${type} has no id.`, `Write ::${type}{id=its-id}.`);
      this[`${type}s`].push({ ...this.context.place(placeOf(node)), id, section });
      return [{ type, id }];
    }
    if (node.name === 'try') {
      this.only(node, ['command']);
      const command = node.attributes?.['command'] ?? '';
      const label = plain(this.inlines(node.children, 0)).trim();
      if (label === '')
        return this.refuse(node, 'The button has no label.', 'Write ::try[What it does]{command="..."}.');
      const read = parseCommand(command);
      if (!read.ok) return this.refuse(node, `The button's command is wrong: ${read.message}`, read.remedy);
      const block = { type: 'try' as const, label, command, action: read.action };
      this.tries.push({ ...this.context.place(placeOf(node)), section, block });
      return [block];
    }
    return this.refuse(node, `There is no block "::${node.name}".`, didYouMean(node.name, known));
  }

  /** Refuses attributes other than `names`. */
  private only(node: ContainerDirective | LeafDirective | TextDirective, names: readonly string[]): void {
    for (const name of Object.keys(node.attributes ?? {})) {
      if (!names.includes(name))
        this.refuse(node, `"${node.name}" has no attribute "${name}".`, didYouMean(name, names));
    }
  }

  inlines(nodes: readonly PhrasingContent[], depth: number): Inline[] {
    const out: Inline[] = [];
    for (const node of nodes) {
      const last = out.at(-1);
      for (const inline of this.inline(node, depth)) {
        if (inline.type === 'text' && last?.type === 'text') last.value += inline.value;
        else out.push(inline);
      }
    }
    return out;
  }

  private inline(node: PhrasingContent, depth: number): Inline[] {
    if (depth > LIMITS.depth) return this.refuse(node, 'This nests too deeply.', 'Flatten it.');
    switch (node.type) {
      case 'text':
        return [{ type: 'text', value: node.value.replace(/[ \t]*\n[ \t]*/g, ' ') }];
      case 'inlineCode':
        return [{ type: 'code', value: node.value }];
      case 'emphasis':
        return [{ type: 'em', children: this.inlines(node.children, depth + 1) }];
      case 'strong':
        return [{ type: 'strong', children: this.inlines(node.children, depth + 1) }];
      case 'break':
        return [{ type: 'text', value: ' ' }];
      case 'textDirective':
        return this.word(node);
      default:
        return this.refused(node);
    }
  }

  /** `:term[word]` and `:fact[id]`. What stands in the brackets is taken as written. */
  private word(node: TextDirective): Inline[] {
    const first = node.children[0]?.position?.start.offset;
    const end = node.children.at(-1)?.position?.end.offset;
    const label =
      first === undefined || end === undefined ? '' : this.text.slice(first, end).replace(/\s+/g, ' ').trim();
    if (node.name === 'term') {
      this.only(node, []);
      const { terms } = this.context;
      if (Object.hasOwn(terms, label)) return [{ type: 'term', value: label, explain: terms[label]! }];
      return this.refuse(
        node,
        `No term "${label}" is explained.`,
        didYouMean(label, Object.keys(terms)) || 'Add it to terms in lab.yaml.',
      );
    }
    if (node.name === 'fact') {
      this.only(node, []);
      if (FactId.safeParse(label).success) return [{ type: 'fact', value: label }];
      return this.refuse(node, `"${label}" is not a fact id.`, 'Write :fact[INIT-3].');
    }
    const near = didYouMean(node.name, ['term', 'fact']);
    return this.refuse(
      node,
      `":${node.name}" is not known.`,
      `${near} For a plain colon write \\: or put the words into \`code\`.`,
    );
  }

  private refused(node: Nodes): [] {
    switch (node.type) {
      case 'html':
        return this.refuse(node, 'HTML is not allowed in prose.', 'Write Markdown; put < into `code`.');
      case 'image':
      case 'imageReference':
        return this.refuse(
          node,
          'Pictures are not allowed in prose.',
          'Describe it in words, a list or a table.',
        );
      case 'link':
      case 'linkReference':
      case 'definition':
        return this.refuse(
          node,
          'Links are not allowed in prose: the lab works offline.',
          'Name the source, or write :fact[id].',
        );
      case 'footnoteReference':
      case 'footnoteDefinition':
        return this.refuse(node, 'Footnotes are not allowed in prose.', 'Say it in the text.');
      case 'delete':
        return this.refuse(node, 'Struck-out text is not allowed in prose.', 'Remove it.');
      case 'thematicBreak':
        return this.refuse(node, 'Rules are not allowed in prose.', 'Begin a heading instead.');
      default:
        return this.refuse(
          node,
          `"${node.type}" is not allowed in prose.`,
          'Write a paragraph, list, table or code.',
        );
    }
  }
}

function isLabel(node: Paragraph): boolean {
  return (node.data as { directiveLabel?: boolean } | undefined)?.directiveLabel === true;
}

function placeOf(node: Nodes): Place {
  const start = node.position?.start;
  return { line: start?.line ?? 1, column: start?.column ?? 1 };
}

/** The words of prose without their form. */
export function plain(inlines: readonly Inline[]): string {
  return inlines.map((inline) => ('children' in inline ? plain(inline.children) : inline.value)).join('');
}

/** The first line that no author writes and that a Markdown parser could spend minutes on. */
function firstExcess(text: string): { at: Place; message: string; remedy: string } | null {
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    const at = { line: index + 1, column: 1 };
    if (line.length > LIMITS.line) {
      return { at, message: `The line has more than ${LIMITS.line} characters.`, remedy: 'Break it.' };
    }
    const lead = /^(?:[ \t]|>|[-*+](?=[ \t])|\d{1,9}[.)](?=[ \t]))*/.exec(line)![0];
    const markers = lead.match(/>|[-*+]|[.)]/g)?.length ?? 0;
    const indent = /^[ \t]*/.exec(line)![0].replaceAll('\t', '    ').length;
    if (markers > LIMITS.markers || indent > LIMITS.indent) {
      return { at, message: 'This nests too deeply.', remedy: 'Flatten it.' };
    }
  }
  return null;
}
