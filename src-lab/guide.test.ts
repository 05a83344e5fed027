import { describe, expect, test } from 'vitest';
import { readGuide, readProse } from './guide';
import { printIssue } from './issue';
import { Block } from './view';

const terms = { INIT: 'Puts a processor into its reset state.' };
const guide = (body: string) => readGuide(`# Title {#one}\n\n${body}`, terms);
const blocks = (body: string) => {
  const { sections, issues } = guide(body);
  expect(issues.map(printIssue)).toEqual([]);
  return Block.array().parse(sections[0]!.blocks);
};
/** What is refused of a guide whose third line begins with `body`. */
const refused = (body: string) => guide(body).issues.map(printIssue);

describe('a guide', () => {
  test('becomes sections by step, and blocks of the known types', () => {
    const { sections, issues } = readGuide(
      '# The *first* {#step-one}\n\nText.\n\n# Second {#two}\n\n## More\n',
      {},
    );
    expect(issues).toEqual([]);
    expect(sections.map(({ id, title, line }) => [id, title, line])).toEqual([
      ['step-one', 'The first', 1],
      ['two', 'Second', 5],
    ]);
    expect(sections[1]!.blocks).toEqual([
      { type: 'h', level: 2, children: [{ type: 'text', value: 'More' }] },
    ]);
  });

  test('keeps emphasis, code, lists, tables and quotes', () => {
    expect(blocks('*a* **b** `c` d\ne')).toEqual([
      {
        type: 'p',
        children: [
          { type: 'em', children: [{ type: 'text', value: 'a' }] },
          { type: 'text', value: ' ' },
          { type: 'strong', children: [{ type: 'text', value: 'b' }] },
          { type: 'text', value: ' ' },
          { type: 'code', value: 'c' },
          { type: 'text', value: ' d e' },
        ],
      },
    ]);
    const p = (value: string) => ({ type: 'p', children: [{ type: 'text', value }] });
    expect(blocks('1. a\n2. b\n')).toEqual([{ type: 'list', ordered: true, items: [[p('a')], [p('b')]] }]);
    expect(blocks('> a')).toEqual([{ type: 'quote', children: [p('a')] }]);
    expect(blocks('```c\nx < y\n```')).toEqual([{ type: 'code', lang: 'c', value: 'x < y' }]);
    const cell = (value: string) => [{ type: 'text', value }];
    expect(blocks('| a | b |\n|---|---|\n| 1 | 2 |')).toEqual([
      { type: 'table', head: [cell('a'), cell('b')], rows: [[cell('1'), cell('2')]] },
    ]);
  });

  test('explains terms and cites facts, also those of another reference', () => {
    expect(blocks(':term[INIT] :fact[x86:SIPI-23]')).toEqual([
      {
        type: 'p',
        children: [
          { type: 'term', value: 'INIT', explain: terms.INIT },
          { type: 'text', value: ' ' },
          { type: 'fact', value: 'x86:SIPI-23' },
        ],
      },
    ]);
  });

  test('places checkpoints and buttons, and says where', () => {
    const { sections, checkpoints, tries } = guide(
      '::checkpoint{id=abc}\n\n::try[Run it]{command="vmm KVM_RUN vm=td vcpu=0"}\n',
    );
    expect(checkpoints).toEqual([{ id: 'abc', section: 'one', line: 3, column: 1 }]);
    expect(sections[0]!.blocks[1]).toEqual({
      type: 'try',
      label: 'Run it',
      command: 'vmm KVM_RUN vm=td vcpu=0',
      action: { vmm: 'KVM_RUN', vm: 'td', vcpu: 0, immediate_exit: 0 },
    });
    expect(tries).toMatchObject([{ line: 5, column: 1, section: 'one' }]);
  });

  test('sets notes apart, with a title when they have one', () => {
    expect(blocks(':::surprise[Look]\nText.\n:::')).toEqual([
      {
        type: 'note',
        tone: 'surprise',
        children: [
          { type: 'p', children: [{ type: 'strong', children: [{ type: 'text', value: 'Look' }] }] },
          { type: 'p', children: [{ type: 'text', value: 'Text.' }] },
        ],
      },
    ]);
  });
});

describe('prose refuses, with file, line and column,', () => {
  test.each([
    ['HTML', 'Text <script>alert(1)</script>', 'guide.md:3:6: HTML is not allowed'],
    ['HTML blocks', '<iframe src="x"></iframe>', 'guide.md:3:1: HTML is not allowed'],
    ['HTML comments', '<!-- x -->', 'guide.md:3:1: HTML is not allowed'],
    ['pictures', 'a ![b](c.png)', 'guide.md:3:3: Pictures are not allowed'],
    ['links', 'see [x](https://example.org)', 'guide.md:3:5: Links are not allowed'],
    ['links to scripts', '[x](javascript:alert(1))', 'guide.md:3:1: Links are not allowed'],
    ['bare addresses', 'see https://example.org', 'guide.md:3:5: Links are not allowed'],
    ['addresses in angle brackets', '<https://example.org>', 'guide.md:3:1: Links are not allowed'],
    ['link definitions', '[x]: https://example.org', 'guide.md:3:1: Links are not allowed'],
    ['footnotes', 'a[^1]\n\n[^1]: b', 'guide.md:3:2: Footnotes are not allowed'],
    ['rules', 'a\n\n---', 'guide.md:5:1: Rules are not allowed'],
    ['struck-out text', '~~a~~', 'guide.md:3:1: Struck-out text is not allowed'],
    ['unknown terms', ':term[INTI]', 'guide.md:3:1: No term "INTI" is explained. Did you mean "INIT"?'],
    ['what is no fact id', ':fact[init 3]', 'guide.md:3:1: "init 3" is not a fact id.'],
    [
      'unknown words with a colon',
      'a :trem[INIT]',
      'guide.md:3:3: ":trem" is not known. Did you mean "term"?',
    ],
    [
      'unknown blocks',
      '::checkpiont{id=a}',
      'guide.md:3:1: There is no block "::checkpiont". Did you mean "checkpoint"?',
    ],
    ['unknown notes', ':::danger\na\n:::', 'guide.md:3:1: There is no block ":::danger".'],
    ['a checkpoint without an id', '::checkpoint', 'guide.md:3:1: The checkpoint has no id.'],
    [
      'unknown attributes',
      '::checkpoint{id=a onclick=x}',
      'guide.md:3:1: "checkpoint" has no attribute "onclick".',
    ],
    [
      'a button that does nothing',
      '::try[x]{command="vmm KVM_RNU vm=td vcpu=0"}',
      `guide.md:3:1: The button's command is wrong: vmm has no action "KVM_RNU". Did you mean "KVM_RUN"`,
    ],
    ['deep nesting', '> '.repeat(20) + 'a', 'guide.md:3:1: This nests too deeply.'],
    ['endless lines', 'a'.repeat(3_000), 'guide.md:3:1: The line has more than 2000 characters.'],
  ])('%s', (_what, body, issue) => {
    expect(refused(body).join('\n')).toContain(issue);
  });

  test('a section without a step, and text before the first', () => {
    expect(readGuide('Text.\n\n# Title\n', {}).issues.map(printIssue)).toEqual([
      'guide.md:1:1: There is text before the first section. Begin with # Title {#step-id}.',
      'guide.md:3:1: A section of the guide names its step. Write # Title {#step-id}.',
    ]);
  });

  test('headings, checkpoints and buttons outside the guide', () => {
    const place = ({ line, column }: { line: number; column: number }) => ({
      line: line + 40,
      column: column + 6,
    });
    const prose = readProse('# A\n\n::checkpoint{id=a}\n', { file: 'lab.yaml', terms, place, guide: false });
    expect(prose.issues.map(printIssue)).toEqual([
      'lab.yaml:41:7: Headings belong into the guide. Make it a paragraph.',
      'lab.yaml:43:7: "::checkpoint" belongs into the guide. Remove it.',
    ]);
    expect(prose.blocks).toEqual([]);
  });
});

test('text that was made to keep a Markdown parser busy is answered at once', () => {
  const bombs = ['>'.repeat(200_000), '*a **a '.repeat(280).concat('\n').repeat(30), '['.repeat(1_900).concat('\n').repeat(60),
    Array.from({ length: 300 }, (_, i) => `${' '.repeat(i * 2)}- a`).join('\n'), '- '.repeat(900)]; // prettier-ignore
  for (const bomb of bombs) expect(() => readGuide(`# T {#t}\n\n${bomb}`, {})).not.toThrow();
}, 20_000);
