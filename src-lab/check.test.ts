import { describe, expect, test } from 'vitest';
import { checkLab } from './check';
import { printIssue } from './issue';
import { TINY_FACTS, TINY_FILES, TINY_GUIDE, TINY_LAB } from './testing/tiny';

/** The issues that a check of the tiny lab prints after a change of one file; null removes it. */
function issuesWith(file: string, change: ((text: string) => string) | string | null): string[] {
  const files = new Map(TINY_FILES);
  if (change === null) files.delete(file);
  else files.set(file, typeof change === 'string' ? change : change(files.get(file) ?? ''));
  return checkLab(files, TINY_FACTS).issues.map(printIssue);
}
const replacing = (from: string, to: string) => (text: string) => {
  expect(text).toContain(from);
  return text.replace(from, to);
};
/** Line of the first occurrence, from 1. */
const lineOf = (text: string, needle: string) => text.split(needle)[0]!.split('\n').length;

describe('checkLab', () => {
  test('a sound lab has no issues, and the figures are of it', () => {
    const check = checkLab(TINY_FILES, TINY_FACTS);
    expect(check.issues.map(printIssue)).toEqual([]);
    expect(check).toMatchObject({ solutions: 1, wrong: 3, reading: 1 });
    expect(check.mutants).toBe(2 + 2 + 3 + 1); // choices; neighbours swapped, one left out, one too many
  });

  test('a solution that falls short is named with the checkpoints it misses', () => {
    const issues = issuesWith('solution.yaml', replacing('  - { act: vmm KVM_RUN vm=vmx vcpu=1 }\n', ''));
    expect(issues).toEqual([
      'solution.yaml:1:1: The solution earns 9 of 14 points. Short of points: start-ap (open, 0).',
    ]);
  });

  test('an input of a solution that is refused is named with its line', () => {
    const issues = issuesWith('solution.yaml', replacing('  - { goto: ipi }\n', '  - { goto: rest }\n'));
    expect(issues.join()).toContain(
      'solution.yaml:4:5: This input is refused: This checkpoint belongs to another step',
    );
  });

  test('an answer of the solution that does not matter is found', () => {
    const files = new Map(TINY_FILES);
    files.set('lab.yaml', TINY_LAB.replace('wrong_costs: 1', 'wrong_costs: 0'));
    files.set(
      'solution.yaml',
      TINY_FILES.get('solution.yaml')!.replace('inputs:', 'inputs:\n  - { answer: mp-state, is: 0 }'),
    );
    const issues = checkLab(files, TINY_FACTS).issues.map(printIssue);
    expect(issues.join()).toContain('solution.yaml:2:5: "mp-state" is passed as well by the answer 1.');
  });

  test('a lab without a solution is refused', () => {
    expect(issuesWith('solution.yaml', null).join()).toContain('The lab has no solution.yaml.');
  });

  test('a second solution must differ from the first', () => {
    const issues = issuesWith('solution-2.yaml', TINY_FILES.get('solution.yaml')!);
    expect(issues).toEqual([
      'solution-2.yaml:1:1: This solution is the same as another. Go another way, or remove it.',
    ]);
  });

  test('a wrong attempt that passes is found', () => {
    const issues = issuesWith('wrong/says-yes.yaml', replacing('is: 0', 'is: -EINVAL'));
    expect(issues.join('\n')).toContain('wrong/says-yes.yaml:1:1: The wrong attempt passes "mp-state".');
  });

  test('a wrong attempt that is told something else is found, and so is the misconception nobody meets', () => {
    const issues = issuesWith(
      'wrong/says-yes.yaml',
      replacing('misconception: says-yes', 'misconception: resets'),
    );
    expect(issues).toContain(
      'wrong/says-yes.yaml:1:1: The attempt is told "says-yes", not "resets". Add or correct the feedback.',
    );
    const at = lineOf(TINY_LAB, 'says-yes:');
    expect(issues).toContain(
      `lab.yaml:${at}:3: No wrong attempt meets the misconception "says-yes". Write wrong/NAME.yaml for it.`,
    );
  });

  test('the event to which a finding points is checked', () => {
    const issues = issuesWith('wrong/resets.yaml', replacing('init_latched', 'init_blocked'));
    expect(issues).toEqual([
      'wrong/resets.yaml:3:8: The finding does not point to this event. It points to init_latched.',
    ]);
  });

  test('an unknown fact is named with the nearest ones', () => {
    const at = lineOf(TINY_LAB, 'INIT-10]');
    const issues = issuesWith('lab.yaml', replacing('facts: [INIT-10]', 'facts: [INIT-99]'));
    expect(issues.join()).toMatch(/lab\.yaml:\d+:13: There is no fact "INIT-99"\. Did you mean/);
    expect(issues.join()).toContain(`lab.yaml:${lineOf(TINY_LAB, 'facts: [INIT-10]')}:13`);
    expect(at).toBeGreaterThan(1);
  });

  test('goals that hold before anything is done are refused', () => {
    const issues = issuesWith('lab.yaml', replacing('is: INIT }', "is: '' }"));
    expect(issues.join()).toContain('The goals of "latch" hold before anything is done.');
  });

  test('a way that does not reach the goals says what was observed instead', () => {
    const issues = issuesWith('lab.yaml', replacing('      - { vmm: KVM_RUN, vm: vmx, vcpu: 1 }\n', ''));
    expect(issues.join()).toMatch(
      /The way of "start-ap" does not reach its goals\. expected .*RUNNABLE.*observed .*INIT_RECEIVED/,
    );
  });

  test('choices that leave out the answer of the machine are refused, and the answer is named', () => {
    const issues = issuesWith('lab.yaml', replacing('{ value: -EINVAL, label: It is refused }', '7'));
    expect(issues.join()).toContain('The machine\'s answer to "mp-state" cannot be given');
    expect(issues.join()).toContain('The machine answers: -EINVAL.');
  });

  test('feedback that calls the right answer a misconception is found', () => {
    const issues = issuesWith('lab.yaml', replacing('when: [0, 1]', 'when: [0, 1, -EINVAL]'));
    expect(issues.join()).toContain('Feedback of "mp-state" calls the right answer a misconception.');
  });

  test('feedback that an earlier entry hides is found, with its place', () => {
    const first = '      - { when: [0, 1], misconception: says-yes }\n';
    const predict = issuesWith(
      'lab.yaml',
      replacing(first, `${first}      - { when: 1, misconception: says-yes, say: No. }\n`),
    );
    const at = lineOf(TINY_LAB, first);
    expect(predict).toEqual([
      `lab.yaml:${at + 1}:9: No answer to "mp-state" is told this feedback (says-yes). ` +
        'An earlier entry fits first, or no wrong answer meets its condition.',
    ]);
    const includes =
      '      - { when: { includes: reset }, misconception: resets, say: Nothing resets it. }\n';
    const hidden = '      - { when: [{ includes: reset }, { omits: blocked }], misconception: resets }\n';
    expect(issuesWith('lab.yaml', replacing(includes, includes + hidden)).join()).toContain(
      'No answer to "order-td" is told this feedback (resets).',
    );
    expect(issuesWith('lab.yaml', replacing(includes, hidden + includes))).toEqual([]);
  });

  test('feedback on the machine that no attempt is told is found', () => {
    const entry = '      - { when: { event: sipi_ignored }, misconception: sipi-alone }\n';
    const more = '      - { when: { event: init_blocked }, misconception: resets, say: Not of this VM. }\n';
    const at = lineOf(TINY_LAB, entry);
    expect(issuesWith('lab.yaml', replacing(entry, entry + more))).toEqual([
      `lab.yaml:${at + 1}:9: No attempt is told this feedback of "start-ap" (resets). ` +
        'Write a wrong attempt that meets it, or remove it.',
    ]);
  });

  test('a hint that is there and says nothing is found', () => {
    const at = lineOf(TINY_LAB, '{ cost: 1, say: KVM decides. }');
    const issues = issuesWith('lab.yaml', replacing('say: KVM decides.', 'say: ":::note\\n:::"'));
    expect(issues).toEqual([`lab.yaml:${at}:9: Hint 2 of "mp-state" says nothing. Write words.`]);
  });

  test('a gate that has nothing to wait for is found', () => {
    const issues = issuesWith('lab.yaml', replacing('- { id: rest }', '- { id: rest, gate: true }'));
    expect(issues.join()).toContain('The gate of "rest" leads nowhere.');
  });

  test('a file that does not belong to a lab is found', () => {
    expect(issuesWith('notes.txt', 'x').join()).toContain(
      'notes.txt:1:1: This file does not belong to a lab.',
    );
  });

  test('more reading than there are minutes is found', () => {
    const issues = issuesWith(
      'guide.md',
      (text) => `${text}\n${'word '.repeat(300).concat('\n\n').repeat(5)}`,
    );
    expect(issues.join()).toContain('Reading alone takes 8 minutes.');
  });

  test('a guide that does not place a checkpoint, or places it twice or elsewhere, is refused with the place', () => {
    expect(issuesWith('guide.md', replacing('::checkpoint{id=latch}', 'Nothing.')).join()).toContain(
      'The guide does not place the checkpoint "latch".',
    );
    const twice = issuesWith('guide.md', (text) => `${text}\n::checkpoint{id=latch}\n`).join();
    expect(twice).toContain(
      `guide.md:${TINY_GUIDE.split('\n').length + 1}:1: The checkpoint "latch" stands in the guide already.`,
    );
    const moved = issuesWith(
      'guide.md',
      replacing('# The rest {#rest}\n', '# The rest {#rest}\n\n::checkpoint{id=start-ap}\n'),
    );
    expect(moved.join()).toContain('stands in the guide already');
  });
});
