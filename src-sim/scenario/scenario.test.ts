import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { explain, type ScenarioError } from './errors';
import { parseScenario } from './scenario';
import { scenarioFile, SCENARIO_LIMITS, scenarioJsonSchema } from './scenario-format';
import { SOURCE_LIMITS } from './source';

const HEAD = `seamlab: scenario/1
title: A test
platform: { vms: { td: 2, vmx: 1 } }
`;
/** A file whose steps begin in line 5. */
const withSteps = (steps: string): string => `${HEAD}steps:\n${steps}`;
function errorsOf(text: string): readonly ScenarioError[] {
  const parsed = parseScenario(text);
  return parsed.ok ? [] : parsed.errors;
}
/** Errors as the command line prints them, without the file. */
const told = (text: string): string[] =>
  errorsOf(text).map((error) => `${error.at.line}:${error.at.column}: ${explain(error)}`);

test('a sound file becomes data, with defaults filled in and places kept', () => {
  const parsed = parseScenario(`# A comment
seamlab: scenario/1
title: Everything once
cites: [INIT-3, 'x86:SIPI-10']
platform:
  vms: { td: 2 }
  switches: { fred: true }
steps:
  - { boot: td, vm: td, run: false }
  - vmm: KVM_RUN
    vm: td
    vcpu: 1
    hold: true
    expect:
      - { outcome: pending }
  - { sched: step, thread: td.vcpu1, times: 3 }
  - { sched: until, thread: td.vcpu1, event: kvm_entry, where: { vcpu: 1 } }
  - { sched: run }
  - { expect: [{ path: td.vcpu1.mp_state, is: RUNNABLE }] }
expect:
  - { event: kvm_entry, count: { min: 1 } }
`);
  expect(parsed).toEqual({
    ok: true,
    value: {
      title: 'Everything once',
      cites: ['INIT-3', 'x86:SIPI-10'],
      platform: { vms: { td: 2 }, switches: { fred: true } },
      steps: [
        {
          kind: 'action',
          action: { boot: 'td', vm: 'td', vcpus: 2, run: false },
          hold: false,
          expect: [],
          at: { line: 9, column: 5 },
        },
        {
          kind: 'action',
          action: { vmm: 'KVM_RUN', vm: 'td', vcpu: 1, immediate_exit: 0 },
          hold: true,
          expect: [{ condition: { outcome: 'pending' }, at: { line: 15, column: 9 } }],
          at: { line: 10, column: 5 },
        },
        { kind: 'step', thread: 'td.vcpu1', times: 3, expect: [], at: { line: 16, column: 5 } },
        {
          kind: 'until',
          thread: 'td.vcpu1',
          pattern: { event: 'kvm_entry', thread: 'td.vcpu1', where: { vcpu: 1 } },
          expect: [],
          at: { line: 17, column: 5 },
        },
        { kind: 'run', expect: [], at: { line: 18, column: 5 } },
        {
          kind: 'expect',
          expect: [
            { condition: { path: 'td.vcpu1.mp_state', is: 'RUNNABLE' }, at: { line: 19, column: 16 } },
          ],
          at: { line: 19, column: 5 },
        },
      ],
      expect: [{ condition: { event: 'kvm_entry', count: { min: 1 } }, at: { line: 21, column: 5 } }],
    },
  });
});

describe('a wrong word is told with its place and the nearest right ones', () => {
  test.each<[string, string, string]>([
    [
      'actor',
      '- { vm: td, vmn: KVM_RUN, vcpu: 0 }',
      '5:13: Nobody is called "vmn". Did you mean "vmm" or "kvm"?',
    ],
    ['no actor', '- { vm: td, vcpu: 0 }', '5:3: A step says who does what: one of vmm, guest, '],
    [
      'verb',
      '- { vmm: KVM_RUNN, vm: td, vcpu: 0 }',
      '5:10: There is no action "KVM_RUNN" of vmm. Did you mean "KVM_RUN"',
    ],
    [
      'verb of another kind',
      '- { vmm: [], vm: td }',
      '5:10: "vmm" cannot be a list: expected one of KVM_CREATE_VM, ',
    ],
    [
      'parameter',
      '- { vmm: KVM_RUN, vm: td, vpcu: 0, vcpu: 0 }',
      '5:27: vmm KVM_RUN has no "vpcu". Did you mean "vcpu"?',
    ],
    [
      'missing parameter',
      '- { vmm: KVM_RUN, vm: td }',
      '5:3: vmm KVM_RUN needs "vcpu": a whole number from 0 to 7.',
    ],
    [
      'number too large',
      '- { vmm: KVM_RUN, vm: td, vcpu: 9 }',
      '5:33: "vcpu" cannot be "9": expected a whole number from 0 to 7.',
    ],
    [
      'word for a number',
      '- { vmm: KVM_RUN, vm: td, vcpu: one }',
      '5:33: "vcpu" cannot be "one": expected a whole number from 0 to 7.',
    ],
    [
      'value out of a list',
      '- { vmm: KVM_SET_MP_STATE, vm: td, vcpu: 0, mp_state: HALTET }',
      '5:55: "mp_state" cannot be "HALTET": expected one of RUNNABLE, UNINITIALIZED, INIT_RECEIVED, HALTED, ',
    ],
    ['VM', '- { vmm: KVM_RUN, vm: dt, vcpu: 0 }', '5:23: The platform has no VM "dt". Did you mean "td"?'],
    ['vCPU beyond its VM', '- { vmm: KVM_RUN, vm: vmx, vcpu: 1 }', '5:34: "vmx" has 1 vCPU: 1 does not fit.'],
    [
      'vCPUs beyond their VM, by default',
      '- { boot: vmx, vm: vmx }',
      '5:3: "vmx" has 1 vCPU: 2 does not fit.',
    ],
    ['hold of many calls', '- { boot: td, vm: td, hold: true }', '5:23: boot td has no "hold".'],
    [
      'thread',
      '- { sched: step, thread: td.vcpu9 }',
      '5:26: There is no thread "td.vcpu9". Did you mean "td.vcpu0" or "td.vcpu1" or "vmx.vcpu0"?',
    ],
    [
      'scheduling verb',
      '- { sched: stop, thread: vmm }',
      '5:12: There is no action "stop" of sched. Did you mean "step"?',
    ],
    [
      'times',
      '- { sched: step, thread: vmm, times: 0 }',
      '5:38: "times" cannot be "0": expected a whole number from 1 to 10000.',
    ],
    [
      'path',
      '- { expect: [{ path: td.vcpu0.mpstate, is: RUNNABLE }] }',
      '5:22: No state has the path "td.vcpu0.mpstate". Did you mean "td.vcpu0.mp_state"',
    ],
    [
      'value of a path',
      '- { expect: [{ path: td.vcpu0.mp_state, is: RUNABLE }] }',
      '5:45: "td.vcpu0.mp_state" is never "RUNABLE": it is RUNNABLE, ',
    ],
    [
      'errno',
      '- { sched: run, expect: [{ return: -EINVALID }] }',
      '5:36: "last.return" is never "-EINVALID": it is a number, or a negative errno such as -EINVAL. Did you mean "-EINVAL"?',
    ],
    [
      'event',
      '- { expect: [{ event: kvm_exits }] }',
      '5:23: No event, routine or action is called "kvm_exits". Did you mean "kvm_exit" or ',
    ],
    [
      'event in an order',
      '- { expect: [{ order: [{ event: kvm_exit }, { event: kvm_entri }] }] }',
      '5:54: No event, routine or action is called "kvm_entri". Did you mean "kvm_entry"',
    ],
    [
      'kind of condition',
      '- { expect: [{ pth: td.vcpu0.mp_state, is: RUNNABLE }] }',
      '5:16: "pth" begins no condition: expected path, return, exit, outcome, event, absent, order, all, any or not. Did you mean "path"?',
    ],
    [
      'when',
      '- { expect: [{ path: td.vm_dead, is: 0, when: allways }] }',
      '5:47: "when" cannot be "allways": expected one of now, ever, never, always. Did you mean "always"?',
    ],
    [
      'nothing to compare with',
      '- { expect: [{ path: td.vm_dead }] }',
      '5:14: A condition on path needs "is": a value as the inspector shows it',
    ],
    [
      'two comparisons',
      '- { expect: [{ path: td.vm_dead, is: 0, in: [0, 1] }] }',
      '5:34: A condition on path has no "is".',
    ],
    [
      'count',
      '- { expect: [{ event: kvm_exit, count: { min: 2, max: 1 } }] }',
      '5:40: "count" cannot be a mapping: expected how often: a number, or { min, max } with at least one of the two.',
    ],
    [
      'inside not',
      '- { expect: [{ not: { all: [{ return: 0, off: KVM_RUN }] } }] }',
      '5:42: A condition on return has no "off". Did you mean "of"?',
    ],
    ['empty expect', '- { expect: }', '5:13: "expect" cannot be empty: expected a list.'],
    [
      'step that is no mapping',
      '- KVM_RUN',
      '5:3: "A step" cannot be "KVM_RUN": expected a mapping such as { vmm: KVM_RUN, vm: td, vcpu: 0 }.',
    ],
  ])('%s', (_what, steps, message) => {
    const [first, ...others] = told(withSteps(steps));
    expect(first).toContain(message);
    expect(others).toEqual([]);
  });

  test.each<[string, string, string]>([
    [
      'format',
      'seamlab: scenario/2',
      '1:10: The format "scenario/2" is not known here. This version reads scenario/1.',
    ],
    [
      'no mapping',
      '- a',
      '1:1: "The file" cannot be a list: expected a mapping that begins with seamlab: scenario/1.',
    ],
    [
      'nothing',
      '',
      '1:1: "The file" cannot be empty: expected a mapping that begins with seamlab: scenario/1.',
    ],
    ['key of the file', `${HEAD}step: []\nsteps: []`, '4:1: A scenario has no "step". Did you mean "steps"?'],
    [
      'missing title',
      'seamlab: scenario/1\nplatform: { vms: { td: 1 } }\nsteps: []',
      '1:1: A scenario needs "title": what the scenario shows, one line.',
    ],
    [
      'missing platform',
      'seamlab: scenario/1\ntitle: x\nsteps: []',
      '1:1: A scenario needs "platform": for example { vms: { td: 2 } }.',
    ],
    ['missing steps', HEAD, '1:1: A scenario needs "steps": a list of who does what.'],
    [
      'fact id',
      `${HEAD}cites: [INIT3]\nsteps: []`,
      '4:9: "cites" cannot be "INIT3": expected id of a fact of the references: INIT-3, x86:SIPI-23.',
    ],
  ])('%s', (_what, text, message) => {
    expect(told(text)).toEqual([message]);
  });

  const platform = (text: string): string => `seamlab: scenario/1\ntitle: x\nplatform: ${text}\nsteps: []`;
  test.each<[string, string]>([
    [
      '{ vms: { td: 9 } }',
      '3:24: "td" cannot be "9": expected a number of vCPUs by name of the VM, 1 to 8 each, such as { td: 2 }.',
    ],
    ['{ vms: { td: 5, vmx: 4 } }', '3:18: "vms" cannot be a mapping: expected at most 8 vCPUs in all.'],
    ['{ vms: { a: 1, b: 1, c: 1, d: 1, e: 1 } }', '3:18: "vms" cannot be a mapping: expected at most 4 VMs.'],
    ['{ vms: {} }', '3:18: "vms" cannot be a mapping: expected at least one VM.'],
    [
      '{ vms: { TD: 1 } }',
      '3:20: "vms" cannot be "TD": expected a lower-case name of at most 12 letters and digits that nothing else has.',
    ],
    [
      '{ vms: { cpu0: 1 } }',
      '3:20: "vms" cannot be "cpu0": expected a lower-case name of at most 12 letters and digits that nothing else has.',
    ],
    [
      '{ vms: { last: 1 } }',
      '3:20: "vms" cannot be "last": expected a lower-case name of at most 12 letters and digits that nothing else has.',
    ],
    [
      '{ vms: { td: 1 }, switches: { fredd: true } }',
      '3:41: "switches" has no "fredd". Did you mean "fred"?',
    ],
    ['{ vms: { td: 1 }, vmms: 1 }', '3:29: "platform" has no "vmms". Did you mean "vms"?'],
    ['2', '3:11: "platform" cannot be "2": expected a mapping such as { vms: { td: 2 } }.'],
  ])('platform %s', (text, message) => {
    expect(told(platform(text))).toEqual([message]);
  });

  test('all errors at once, in file order', () => {
    const text = withSteps(
      '- { vmm: KVM_RUNN, vm: td }\n- { vmm: KVM_RUN, vm: dt, vcpu: 0 }\n- { sched: go }\nexpect: [{ event: none }]',
    );
    expect(errorsOf(text).map(({ at }) => at.line)).toEqual([5, 6, 7, 8]);
  });
});

describe('what is no sound YAML', () => {
  test.each<[string, string, RegExp]>([
    ['an open bracket', `${HEAD}steps: [{ sched: run }`, /^4:23: This is no YAML: /],
    ['a bad indent', `${HEAD}steps:\n   - { sched: run }\n  - { sched: run }`, /^6:\d: This is no YAML: /],
    ['a tag', withSteps('- !!js/function { sched: run }'), /^5:3: Scenarios use no YAML tags/],
    ['a directive', `%YAML 1.1\n---\n${HEAD}steps: []`, /^1:1: Scenarios use no YAML directives/],
    ['a second document', `${withSteps('- { sched: run }')}\n---\na: 1`, /^\d:\d: A file holds one scenario/],
    ['a repeated key', `${HEAD}title: Again\nsteps: []`, /^4:1: "title" stands here a second time/],
    ['a key that is a list', `${HEAD}? [a]\n: 1\nsteps: []`, /^4:3: A key must be a word/],
    ['an alias of nothing', withSteps('- *nothing'), /^5:3: .*(alias|contains itself)/i],
    [
      'an alias of itself, where another had its name',
      withSteps('- &a { sched: run }\n- &a [*a]'),
      /^6:7: "\*a" contains itself/,
    ],
    ['an alias of itself', withSteps('- &a [*a]'), /^5:7: "\*a" contains itself/],
    [
      'a key named like a property of every object',
      `${HEAD}__proto__: 1\nsteps: []`,
      /^4:1: A scenario has no "__proto__"/,
    ],
  ])('%s', (_what, text, message) => {
    expect(told(text)[0]).toMatch(message);
  });

  test('an alias stands for what it names', () => {
    const parsed = parseScenario(`${HEAD}steps:\n- &run { sched: run }\n- *run`);
    expect(parsed.ok && parsed.value.steps.map(({ kind }) => kind)).toEqual(['run', 'run']);
  });

  test('a number that JavaScript cannot hold stays what it is', () => {
    const steps = '- { expect: [{ path: td.vcpu0.vp_enter_ret, is: 0x6000000500000006 }] }';
    const parsed = parseScenario(withSteps(steps));
    expect(parsed.ok && parsed.value.steps[0]!.expect[0]!.condition).toMatchObject({
      is: '0x6000000500000006',
    });
  });
});

describe('limits', () => {
  const repeated = (n: number): string => withSteps('- { sched: run }\n'.repeat(n));

  test(`${SCENARIO_LIMITS.steps} steps are read, one more is refused where it stands`, () => {
    expect(parseScenario(repeated(SCENARIO_LIMITS.steps)).ok).toBe(true);
    const line = SCENARIO_LIMITS.steps + 5;
    expect(errorsOf(repeated(SCENARIO_LIMITS.steps + 1))).toEqual([
      { code: 'too_many_entries', limit: SCENARIO_LIMITS.steps, at: { line, column: 1 } },
    ]);
  });

  const bombs: [string, string, ScenarioError['code']][] = [
    ['100 MiB of text', 'x'.repeat(100 * 1024 * 1024), 'too_large'],
    ['just more than 1 MiB, by its bytes', 'é'.repeat(SOURCE_LIMITS.bytes / 2 + 1), 'too_large'],
    ['a million steps', repeated(1_000_000), 'too_large'],
    ['as many short steps as fit', withSteps('- 1\n'.repeat(260_000)), 'too_many_words'],
    ['brackets', '['.repeat(500_000), 'too_deep'],
    ['braces', '{a: '.repeat(100_000), 'too_deep'],
    ['dashes', '- '.repeat(100_000), 'too_deep'],
    ['question marks', '? '.repeat(100_000), 'too_deep'],
    ['keys', Array.from({ length: 60_000 }, (_, i) => `k${i}: 1\n`).join(''), 'too_many_entries'],
    ['quotes', '"'.repeat(100_000), 'not_yaml'],
    ['colons', 'a: '.repeat(100_000), 'too_deep'],
    ['anchors', '&a '.repeat(100_000), 'too_many_anchors'],
    ['directives', '%a\n'.repeat(100_000), 'directive'],
    ['documents', '---\n'.repeat(100_000), 'second_document'],
    ['aliases', `a: &a [1]\nb: [${'*a,'.repeat(9_000)}]`, 'too_many_aliases'],
    [
      'aliases of aliases',
      [
        'a0: &a0 [1, 1]',
        ...Array.from({ length: 60 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`),
      ].join('\n'),
      'too_many_aliases',
    ],
  ];
  test.each(bombs)('%s: refused within a second', (_what, text, code) => {
    // Of this process, so that what else the computer does cannot fail the test.
    const begin = process.cpuUsage();
    expect(errorsOf(text)[0]?.code).toBe(code);
    expect(process.cpuUsage(begin).user / 1_000).toBeLessThan(1_000);
  });

  test('conditions nest only so deep', () => {
    const deep = (n: number): string =>
      withSteps(`- { expect: [${'{ not: '.repeat(n)}{ return: 0 }${' }'.repeat(n)}] }`);
    expect(told(deep(30))).toEqual([]);
    expect(errorsOf(deep(60))[0]?.code).toBe('too_deep');
  });
});

describe('whatever the text', () => {
  /** Pieces of scenarios, in any order: much closer to the reader's branches than random letters. */
  const pieces = [
    'seamlab: scenario/1\n', 'title: x\n', 'platform: { vms: { td: 2 } }\n', 'platform:\n', 'steps:\n', '  - ', '- ', '{', '}', '[', ']', ', ', ': ',
    '\n', '  ', 'vmm: KVM_RUN', 'vm: td', 'vcpu: 0', 'boot: td', 'sched: step', 'thread: td.vcpu0', 'times: 2', 'expect:', 'path: td.vm_dead', 'is: 0',
    'in: [0]', 'not: ', 'return: -EIO', 'event: kvm_exit', 'where: { vcpu: 0 }', 'count: { min: 1 }', 'all: ', 'any: ', 'order: ', 'absent: ', 'hold: true',
    'cites: [INIT-1]', '&a ', '*a', '!!str ', '|\n', '>-\n', '"', "'", '# x\n', '---\n', '? ', '%YAML 1.2\n', '~', 'null', '0x10', '-1', '1e400', '.nan',
    '\t', '\u0000', '\u2028', '\ufeff', '__proto__: ', 'constructor: ', 'toString', '<<: ',
  ]; // prettier-ignore
  const anyScenario = fc.array(fc.constantFrom(...pieces), { maxLength: 60 }).map((parts) => parts.join(''));
  const anyBytes = fc.uint8Array({ maxLength: 400 }).map((bytes) => new TextDecoder().decode(bytes));
  const anyValue = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom<unknown>('td', 'KVM_RUN', 0, 1, true, null, 'RUNNABLE', -1, 0.5, '', 'x'.repeat(90)),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(
        fc.constantFrom('vmm', 'guest', 'sched', 'boot', 'vm', 'vcpu', 'expect', 'path', 'is', 'in', 'not', 'all', 'any', 'event', 'order', 'absent', 'where', 'count', 'return', 'exit', 'outcome', 'when', 'hold', 'times', 'thread', 'until', 'constructor', '__proto__'),
        tie('value'),
        { maxKeys: 5 },
      ),
    ),
  })).value; // prettier-ignore
  const anyData = fc
    .record({
      platform: fc.constant<unknown>({ vms: { td: 2 } }),
      title: fc.constant('x'),
      steps: anyValue,
      expect: anyValue,
    })
    .map((data) => JSON.stringify({ seamlab: 'scenario/1', ...data }, null, 1));

  test.each([
    ['pieces of scenarios', anyScenario, 3_000],
    ['random bytes', anyBytes, 1_000],
    ['random data in the shape of scenarios', anyData, 2_000],
  ] as const)(
    '%s: never throws, every error has a place in the text and a sentence',
    (_what, texts, numRuns) => {
      fc.assert(
        fc.property(texts as fc.Arbitrary<string>, (text) => {
          const lines = text.split('\n');
          for (const error of errorsOf(text)) {
            expect(error.at.line).toBeGreaterThanOrEqual(1);
            expect(error.at.line).toBeLessThanOrEqual(lines.length);
            expect(error.at.column).toBeGreaterThanOrEqual(1);
            expect(error.at.column).toBeLessThanOrEqual(lines[error.at.line - 1]!.length + 1);
            expect(explain(error)).toMatch(/^\S.*[.?]$/s);
          }
        }),
        { numRuns },
      );
    },
  );

  test('the reader and the published schema agree on what is a scenario', () => {
    let sound = 0;
    const step = fc.oneof(
      fc.record({
        vmm: fc.constantFrom('KVM_RUN', 'KVM_GET_MP_STATE', 'KVM_NONE'),
        vm: fc.constant('td'),
        vcpu: fc.integer({ min: 0, max: 1 }),
      }),
      fc.record(
        { sched: fc.constantFrom('step', 'run'), thread: fc.constant('td.vcpu0') },
        { requiredKeys: ['sched'] },
      ),
      fc.record({
        expect: fc.array(
          fc.constantFrom<unknown>(
            { return: 0 },
            { not: { return: 0 } },
            { path: 'td.vm_dead' },
            { all: [] },
          ),
          { maxLength: 2 },
        ),
      }),
    );
    const file = scenarioFile();
    fc.assert(
      fc.property(fc.array(step, { maxLength: 3 }), (steps) => {
        const data = { seamlab: 'scenario/1', title: 'x', platform: { vms: { td: 2 } }, steps };
        const parsed = parseScenario(JSON.stringify(data));
        expect(parsed.ok).toBe(file.safeParse(data).success);
        if (parsed.ok) sound++;
      }),
      { numRuns: 500 },
    );
    expect(sound).toBeGreaterThan(50);
  });
});

test('the published JSON Schema is the one of the code (npx vitest run src-sim/scenario/scenario.test.ts -u writes it)', async () => {
  await expect(scenarioJsonSchema()).toMatchFileSnapshot('scenario.schema.json');
});
