import { expect, test } from 'vitest';
import { checkLab } from './check';
import { printIssue } from './issue';
import { TINY_FACTS, TINY_FILES, TINY_GUIDE, TINY_LAB } from './testing/tiny';

/** Labs come from the network. Each of these was made to do something; each is refused with a clear sentence, soon. */

const bomb = (key: string): string =>
  `${key}: &a [x, x, x, x, x, x, x, x, x]\n${[...'bcdefghi'].map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefghi'[i]!}`).join(', ')}]`).join('\n')}\n`; // prettier-ignore
const inLab = (from: string, to: string): [string, string] => {
  expect(TINY_LAB).toContain(from);
  return ['lab.yaml', TINY_LAB.replace(from, to)];
};
const inGuide = (text: string): [string, string] => ['guide.md', `${TINY_GUIDE}\n${text}\n`];
const title = (text: string) => inLab('say: The INIT stays latched.', `say: '${text}'`);

test.each<[string, [string, string], string]>([
  ['a script in the guide', inGuide('<script>alert(1)</script>'), 'HTML is not allowed in prose.'],
  ['an attribute that runs', inGuide('a <img src=x onerror=alert(1)> b'), 'HTML is not allowed in prose.'],
  ['a script in a feedback', title('<script>alert(1)</script>'), 'HTML is not allowed in prose.'],
  ['a link that runs', inGuide('[x](javascript:alert(1))'), 'Links are not allowed in prose'],
  ['a picture from elsewhere', inGuide('![x](https://elsewhere.example/x.png)'), 'not allowed in prose'],
  ['a reference to a file', inGuide('[x]: file:///etc/passwd'), 'not allowed in prose'],
  ['a button that is no command', inGuide('::try[x]{command="host rm -rf /"}'), 'The button'],
  ['a directive of its own', inGuide('::iframe{src=x}'), 'iframe'],
  ['a seed above the folder', inLab('steps:', 'seeds: [../../../etc/passwd]\nsteps:'), '"seeds" cannot be "../../../etc/passwd".'],
  ['a situation above the folder', inLab('setup: ready', 'setup: ../../ready'), '"setup" cannot be "../../ready".'],
  ['an id above the folder', inLab('id: tiny', 'id: ../tiny'), '"id" cannot be "../tiny".'],
  ['a file above the folder', ['../lab.yaml', 'x'], 'This file does not belong to a lab.'],
  ['a wrong attempt above the folder', ['wrong/../../x.yaml', 'x'], 'This file does not belong to a lab.'],
  ['a term that all objects have', inGuide(':term[constructor]'), 'constructor'],
  ['a situation that all objects have', inLab('setup: ready', 'setup: constructor'), 'There is no situation "constructor".'],
  ['a bomb of aliases', ['lab.yaml', bomb('format')], 'The aliases of a file may stand for 10000 values in all.'],
  ['a bomb in a solution', ['solution.yaml', bomb('inputs')], 'The aliases of a file may stand for 10000 values in all.'],
  ['a bomb in a wrong attempt', ['wrong/says-yes.yaml', bomb('inputs')], 'The aliases of a file may stand for 10000 values in all.'],
  ['a tag that makes an object', inLab('title: A tiny lab', 'title: !!js/function "function () {}"'), 'YAML tags are not used in labs.'],
  ['a list inside a list, and so on', ['lab.yaml', '['.repeat(100_000)], 'Nothing nests deeper than'],
  ['a huge file', ['guide.md', 'x'.repeat(300_000)], 'The file is larger than 256 KiB.'],
  ['a huge solution', ['solution.yaml', `inputs:\n${'  - { run: true }\n'.repeat(20_000)}`], 'A list may have 10000 entries; this is one more.'],
  ['endless inputs', ['solution.yaml', `inputs:\n${'  - { run: true }\n'.repeat(600)}`], '"inputs" is too long: at most'],
  ['endless steps', inLab('- { id: rest }', Array.from({ length: 30 }, (_, i) => `- { id: rest-${i} }`).join('\n  ')), '"steps" is too long: at most'],
  ['a machine beyond measure', inLab('{ td: 2, vmx: 2 }', '{ td: 2, vmx: 4000000000 }'), 'vmx'],
  [
    'a run that never ends',
    inLab(
      '      - { vmm: KVM_SET_MP_STATE, vm: td, vcpu: 1, mp_state: INIT_RECEIVED }\n',
      `      - { boot: vmx, vm: vmx, run: false }
      - { vmm: KVM_SET_MP_STATE, vm: vmx, vcpu: 1, mp_state: INIT_RECEIVED }
      - { vmm: KVM_NMI, vm: vmx, vcpu: 1 }
      - { vmm: KVM_RUN, vm: vmx, vcpu: 1 }
`,
    ),
    'does not come to rest',
  ],
])('%s is refused', (_what, [file, text], why) => {
  const files = new Map(TINY_FILES).set(file, text);
  const from = performance.now();
  const { issues } = checkLab(files, TINY_FACTS);
  expect(issues.map(printIssue).join('\n')).toContain(why);
  expect(performance.now() - from).toBeLessThan(10_000);
}); // prettier-ignore
