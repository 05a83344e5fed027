import { describe, expect, test } from 'vitest';
import { printIssue } from './issue';
import { loadLab } from './lab';
import { TINY_GUIDE, TINY_LAB, tinyLab } from './testing/tiny';

/** What loading the tiny lab prints after `from` became `to` in its lab.yaml. `{at}`: line of the change. */
function refused(from: string, to: string): string[] {
  expect(TINY_LAB).toContain(from);
  const load = loadLab(new Map([['lab.yaml', TINY_LAB.replace(from, to)], ['guide.md', TINY_GUIDE]])); // prettier-ignore
  const line = TINY_LAB.split(from)[0]!.split('\n').length;
  return load.ok ? [] : load.issues.map((issue) => printIssue(issue).replace(`:${line}:`, ':{at}:'));
}

describe('a lab.yaml is refused with line, column and remedy for', () => {
  test.each([
    [
      'a key that does not exist',
      'minutes: 5',
      'minuts: 5',
      'lab.yaml:{at}:1: There is no key "minuts" here.',
    ],
    ['a key that is missing', 'minutes: 5\n', '', '"minutes" is missing. Give it: a number.'],
    [
      'a value of the wrong type',
      'minutes: 5',
      'minutes: five',
      'lab.yaml:{at}:10: "minutes" must be a number, not "five".',
    ],
    [
      'a value out of bounds',
      'minutes: 5',
      'minutes: 500',
      'lab.yaml:{at}:10: "minutes" is too large: at most 120.',
    ],
    [
      'an unknown kind',
      'kind: order',
      'kind: ordr',
      'lab.yaml:{at}:11: "kind" cannot be "ordr". Did you mean "order"?',
    ],
    ['an unknown policy', 'retry: best', 'retry: bets', '"retry" cannot be "bets". Did you mean "best"?'],
    [
      'an unknown action',
      '{ vmm: KVM_SET_MP_STATE,',
      '{ vmm: KVM_SET_MPSTATE,',
      'lab.yaml:{at}:16: "vmm" cannot be "KVM_SET_MPSTATE". Did you mean "KVM_SET_MP_STATE"',
    ],
    [
      'an unknown value of an action',
      'mp_state: INIT_RECEIVED }',
      'mp_state: INIT_RECIEVED }',
      '"mp_state" cannot be "INIT_RECIEVED". Did you mean "INIT_RECEIVED"',
    ],
    [
      'a parameter that is missing',
      ', mp_state: INIT_RECEIVED }',
      ' }',
      'lab.yaml:{at}:9: "mp_state" is missing.',
    ],
    [
      'a parameter too many',
      ', mp_state: INIT_RECEIVED }',
      ', mp_state: INIT_RECEIVED, dest: 1 }',
      'There is no key "dest" here.',
    ],
    [
      'a VM the platform does not have',
      'vmm: KVM_SET_MP_STATE, vm: td',
      'vmm: KVM_SET_MP_STATE, vm: td2',
      'The platform has no VM "td2". Did you mean "td"?',
    ],
    [
      'a vCPU the platform does not have',
      'vm: td, vcpu: 1,',
      'vm: td, vcpu: 3,',
      '"td" has 2 vCPUs: vmm KVM_SET_MP_STATE does not fit.',
    ],
    [
      'an unknown state path',
      'path: vmx.vcpu1.mp_state',
      'path: vmx.vcpu1.mp_stat',
      'No state has the path "vmx.vcpu1.mp_stat". Did you mean "vmx.vcpu1.mp_state"',
    ],
    [
      'a value that a path never has',
      'is: RUNNABLE }',
      'is: RUNABLE }',
      '"vmx.vcpu1.mp_state" is never "RUNABLE"',
    ],
    [
      'an unknown event',
      '{ event: sipi_delivered }',
      '{ event: sipi_deliverd }',
      'No event, routine or action is called "sipi_deliverd". Did you mean "sipi_delivered"',
    ],
    [
      'an unknown condition',
      '{ event: sipi_delivered }',
      '{ evnt: sipi_delivered }',
      'There is no key "evnt" here. Did you mean "event"',
    ],
    [
      'an unknown observation',
      'observe: last.return',
      'observe: last.retrun',
      'lab.yaml:{at}:14: No state has the path "last.retrun". Did you mean "last.return"',
    ],
    [
      'an unknown step',
      'step: ipi\n    kind: order',
      'step: ippi\n    kind: order',
      'lab.yaml:{at}:11: There is no step "ippi". Did you mean "ipi"?',
    ],
    [
      'an unknown situation',
      'setup: running',
      'setup: runing',
      'lab.yaml:{at}:23: There is no situation "runing". Did you mean "running"?',
    ],
    [
      'an unknown misconception',
      '{ when: [0, 1], misconception: says-yes }',
      '{ when: [0, 1], misconception: says-no }',
      'There is no misconception "says-no". Did you mean "says-yes"?',
    ],
    ['feedback on what is no choice', 'when: [0, 1]', 'when: [0, 3]', '"3" is none of the choices.'],
    [
      'feedback on an unknown item',
      '{ includes: reset }',
      '{ includes: rest }',
      'There is no item "rest". Did you mean "reset"?',
    ],
    ['two of one name', '{ id: blocked,', '{ id: latched,', 'There are two items "latched".'],
    [
      'hints that cost everything',
      'cost: 1, say: Who decides?',
      'cost: 2, say: Who decides?',
      'The hints cost 4 of 4 points. Hints must leave at least one point.',
    ],
    [
      'fewer than three hints',
      '      - { cost: 1, say: Who decides? }\n',
      '',
      '"hints" is too short: at least 3 entries.',
    ],
    [
      'HTML in prose',
      'ask: Userspace sets',
      'ask: <b>Userspace</b> sets',
      'lab.yaml:{at}:10: HTML is not allowed in prose.',
    ],
    [
      'a link in prose',
      'It **refuses**. :fact[INIT-10]',
      '"[x](https://example.org)"',
      'Links are not allowed in prose',
    ],
    [
      'a term nobody explains',
      'say: The INIT stays latched.',
      'say: ":term[SIPI]"',
      'No term "SIPI" is explained. Known: INIT.',
    ],
    [
      'a step the guide does not have',
      '- { id: rest }',
      '- { id: rest }\n  - { id: more }',
      'guide.md has no section for the step "more".',
    ],
    ['another format', 'format: 1', 'format: 2', 'lab.yaml:{at}:9: "format" cannot be "2".'],
    ['a key given twice', 'minutes: 5', 'minutes: 5\nminutes: 6', '"minutes" stands here a second time.'],
    ['a tag', 'minutes: 5', 'minutes: !!int "5"', 'YAML tags are not used in labs.'],
    [
      'an unknown tag',
      'title: A tiny lab',
      'title: !!js/function x',
      'lab.yaml:{at}:8: YAML tags are not used in labs.',
    ],
    ['what is no YAML', 'platform: {', 'platform: {{', 'lab.yaml:'],
  ])('%s', (_what, from, to, issue) => {
    expect(refused(from, to).join('\n')).toContain(issue);
  });

  test('prose in a block text, at the line within the text', () => {
    const issues = refused(
      'ask: Userspace sets `mp_state` to INIT_RECEIVED.',
      'ask: |\n      Two\n\n      lines <b>bold</b>.',
    );
    const line = TINY_LAB.split('ask: Userspace')[0]!.split('\n').length + 3;
    expect(issues).toContain(
      `lab.yaml:${line}:13: HTML is not allowed in prose. Write Markdown; put < into \`code\`.`,
    );
  });

  test('a bomb of aliases', () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]'];
    for (const [i, name] of [...'bcdefghi'].entries())
      bomb.push(`${name}: &${name} [${Array(9).fill(`*${'abcdefghi'[i]!}`).join(', ')}]`);
    const load = loadLab(new Map([['lab.yaml', bomb.join('\n')], ['guide.md', '']])); // prettier-ignore
    expect(load.ok ? [] : load.issues.map(printIssue)).toEqual([
      'lab.yaml:5:8: The aliases of a file may stand for 10000 values in all. Write them out.',
    ]);
  });

  test.each([
    ['['.repeat(100_000)],
    ['{a: '.repeat(50_000)],
    ['- '.repeat(100_000)],
    [' \n'.repeat(9)],
    ['\0'],
    ['a: b: c'],
    ['- - -'],
    ['&a *a'],
  ])('text that no author wrote, without throwing (%#)', (text) => {
    const load = loadLab(new Map([['lab.yaml', text], ['guide.md', '']])); // prettier-ignore
    expect(load.ok).toBe(false);
  });

  test('a file that is missing or far too large', () => {
    expect(loadLab(new Map()).ok).toBe(false);
    const large = loadLab(new Map([['lab.yaml', '#'.repeat(300_000)], ['guide.md', '']])); // prettier-ignore
    expect(large.ok ? [] : large.issues.map(printIssue)).toEqual([
      'lab.yaml:1:1: The file is larger than 256 KiB. Split the lab.',
    ]);
  });
});

describe('a guide is refused for', () => {
  test.each([
    [
      'a step that does not exist',
      '# The rest {#rest}',
      '# The rest {#rets}',
      'There is no step "rets". Did you mean "rest"?',
    ],
    [
      'two sections of a step',
      '# The rest {#rest}',
      '# The rest {#rest}\n\n# Again {#ipi}',
      'The step "ipi" has a section already.',
    ],
    [
      'a checkpoint that does not exist',
      '{id=latch}',
      '{id=latsch}',
      'There is no checkpoint "latsch". Did you mean "latch"?',
    ],
    [
      'a checkpoint in the section of another step',
      '# The rest {#rest}',
      '::checkpoint{id=latch}\n\n# The rest {#rest}',
      'The checkpoint "latch" belongs to the step "rest".',
    ],
    [
      'a button for a VM that is not there',
      'vm=td',
      'vm=tdx',
      'The platform has no VM "tdx". Did you mean "td"',
    ],
  ])('%s', (_what, from, to, issue) => {
    const load = loadLab(new Map([['lab.yaml', TINY_LAB], ['guide.md', TINY_GUIDE.replace(from, to)]])); // prettier-ignore
    const issues = load.ok ? [] : load.issues.map(printIssue);
    expect(issues.join('\n')).toContain(issue);
    expect(issues.join('\n')).toMatch(/^guide\.md:\d+:1: /m);
  });

  test('sections in another order than the steps', () => {
    const [first, second, third] = TINY_GUIDE.split(/(?=^# )/m);
    const load = loadLab(new Map([['lab.yaml', TINY_LAB], ['guide.md', `${first!}${third!}\n${second!}`]])); // prettier-ignore
    expect(load.ok ? '' : load.issues.map(printIssue).join()).toContain(
      'The sections are not in the order of the steps.',
    );
  });
});

describe('a lab', () => {
  test('takes the situation of a step without a setup from the step before', () => {
    const { steps } = tinyLab();
    expect(steps.map(({ id, fresh, situation }) => [id, fresh, situation.length])).toEqual([
      ['ioctl', true, 1],
      ['ipi', true, 2],
      ['rest', false, 2],
    ]);
  });

  test('has a content hash that changes with what a learner meets', () => {
    const hash = tinyLab().contentHash;
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(tinyLab((yaml) => yaml.replace('Who decides?', 'Who?')).contentHash).not.toBe(hash);
    expect(tinyLab(undefined, (guide) => guide.replace('is a signal', 'is one')).contentHash).not.toBe(hash);
  });
});
