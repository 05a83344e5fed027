import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { checkLab } from './check';
import { DiagramSource, diagramFaults, figureOf } from './diagram';
import { printIssue } from './issue';
import { loadLab } from './lab';
import { labView } from './show';
import { TINY_GUIDE, TINY_LAB } from './testing/tiny';
import { LabView } from './view';

const SEQUENCE = `
diagrams:
  way:
    kind: sequence
    title: An INIT on its way
    text: Userspace sends KVM an INIT, and KVM keeps it. See :fact[INIT-3].
    lanes:
      - { id: vmm, label: VMM, layer: vmm }
      - { id: kvm, label: KVM, layer: kvm }
    rows:
      - { from: vmm, to: kvm, say: INIT }
      - { at: kvm, say: latched }
`;
const PLACED = TINY_GUIDE.replace('::checkpoint{id=mp-state}', '$&\n\n::diagram{id=way}');

/** The tiny lab with a diagram, after `from` became `to` in it. */
function files(from = '', to = '', guide = PLACED): Map<string, string> {
  expect(SEQUENCE).toContain(from);
  return new Map([
    ['lab.yaml', TINY_LAB + SEQUENCE.replace(from, to)],
    ['guide.md', guide],
  ]);
}
function issues(from = '', to = '', guide = PLACED): string[] {
  const load = loadLab(files(from, to, guide));
  return load.ok ? [] : load.issues.map(printIssue);
}
const faults = (source: unknown) =>
  diagramFaults(figureOf(DiagramSource.parse(source))).map(
    ({ path, message, remedy }) => `${path.join('.')}: ${message} ${remedy}`,
  );

const text = 'What the picture shows, said in words for whoever does not see it.';
const states = (states: object[], moves: object[]) =>
  faults({ kind: 'states', title: 'T', text, states, moves });
const bits = (...fields: object[]) => faults({ kind: 'bits', title: 'T', text, width: 64, fields });

test('the screen is told the figure, its title, and its text as prose', () => {
  const load = loadLab(files());
  if (!load.ok) throw new Error(load.issues.map(printIssue).join('\n'));
  const { diagrams, steps } = LabView.parse(labView(load.lab));
  expect(steps[0]!.body).toContainEqual({ type: 'diagram', id: 'way' });
  expect(diagrams).toMatchObject([
    {
      id: 'way',
      title: 'An INIT on its way',
      text: [
        {
          type: 'p',
          children: [
            { value: 'Userspace sends KVM an INIT, and KVM keeps it. See ' },
            { type: 'fact', value: 'INIT-3' },
            { value: '.' },
          ],
        },
      ],
      figure: { kind: 'sequence', rows: [{ from: 'vmm', to: 'kvm', how: 'call' }, { at: 'kvm' }] },
    },
  ]);
});

describe('refused, with its place', () => {
  test.each([
    ['a diagram that the guide does not place', '', '', TINY_GUIDE, 'Add ::diagram{id=way}.'],
    ['one placed twice', '', '', `${PLACED}\n\n::diagram{id=way}\n`, 'stands in the guide already'],
    ['one that there is not', '', '', `${PLACED}\n\n::diagram{id=wya}\n`, 'Did you mean "way"?'],
    ['a place without an id', '', '', `${PLACED}\n\n::diagram\n`, 'Write ::diagram{id=its-id}.'],
    ['a picture without words', 'text: Userspace sends KVM an INIT, and KVM keeps it. See :fact[INIT-3].', 'text: A picture.', PLACED, '"text" is too small: at least 40 characters.'],
    ['HTML in its words', 'See :fact', '<b>See</b> :fact', PLACED, 'HTML is not allowed'],
    ['an unknown layer', 'layer: vmm', 'layer: vvm', PLACED, 'Did you mean "kvm" or "vmm"?'],
    ['an unknown kind', 'kind: sequence', 'kind: sequense', PLACED, 'Did you mean "sequence"?'],
    ['a lane that there is not', 'at: kvm', 'at: kmv', PLACED, 'There is no lane "kmv". Did you mean "kvm"'],
    ['a message to its own lane', 'to: kvm', 'to: vmm', PLACED, 'A message goes to another lane.'],
    ['two lanes of one name', 'id: kvm', 'id: vmm', PLACED, 'There are two lanes "vmm".'],
    ['words that no arrow could hold', 'say: INIT', `say: ${'long '.repeat(20)}`, PLACED, 'at most 60 characters'],
  ])('%s', (_, from, to, guide, message) => {
    expect(issues(from, to, guide).join('\n')).toContain(message);
  }); // prettier-ignore

  test('a fact that nobody knows, in its words', () => {
    expect(checkLab(files(), {}).issues.map(printIssue).join('\n')).toContain('There is no fact "INIT-3".');
  });
});

describe('a state machine holds together:', () => {
  const [a, b] = [{ id: 'a', label: 'A' }, { id: 'b', label: 'B' }]; // prettier-ignore
  test.each([
    ['it has every state that a move names', [a, b], [{ from: 'a', to: 'c', say: 'x' }, { from: 'b', to: 'a', say: 'x' }], ['moves.0.to: There is no state "c". ']],
    ['nothing leads out of a final state', [{ ...a, final: true }, b], [{ from: 'a', to: 'b', say: 'x' }], ['moves.0.from: "a" is final. Remove the move, or final.']],
    ['what never happens may', [{ ...a, final: true }, b], [{ from: 'a', to: 'b', say: 'x', never: true }], []],
    ['every state has a move', [a, b], [{ from: 'a', to: 'a', say: 'x' }], ['states.1: Nothing leads to or from "b". Add a move, or remove it.']],
    ['it begins once', [{ ...a, begins: true }, { ...b, begins: true }], [{ from: 'a', to: 'b', say: 'x' }], ['states: It begins in 2 states. Let it begin in one.']],
  ])('%s', (_, all, moves, expected) => {
    const found = states(all, moves);
    expect(found.map((line) => line.replace(/ Did you mean.*/, ' '))).toEqual(expected);
  }); // prettier-ignore
});

describe('bits', () => {
  test('lie inside the whole', () => {
    expect(bits({ high: 64, name: 'X' })[0]).toContain('There is no bit 64 in 64.');
  });
  test('go from the highest to the lowest and do not overlap', () => {
    expect(bits({ high: 3, name: 'X' }, { high: 3, name: 'Y' })[0]).toContain('Bit 3 is not below 3.');
    expect(bits({ high: 7, low: 4, name: 'X' }, { high: 5, name: 'Y' })).toHaveLength(1);
    expect(bits({ high: 7, low: 4, name: 'X' }, { high: 3, low: 0, name: 'Y' })).toEqual([]);
  });
  test('have their highest first', () => {
    expect(bits({ high: 3, low: 5, name: 'X' })[0]).toContain('The lowest bit is above the highest.');
  });
});

test("the author's guide shows diagrams that hold together", () => {
  const guide = readFileSync(new URL('../docs/writing-labs.md', import.meta.url), 'utf8');
  const block = /```yaml\n(diagrams:\n[^]*?)```/.exec(guide)![1]!;
  const { diagrams } = parse(block) as { diagrams: Record<string, unknown> };
  expect(Object.values(diagrams).flatMap(faults)).toEqual([]);
  expect(new Set(Object.values(diagrams).map((source) => DiagramSource.parse(source).kind)).size).toBe(3);
});
