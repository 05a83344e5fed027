import { expect, test } from 'vitest';
import type { Vocabulary } from '../timeline/command';
import { offered, Script } from './script.svelte';

const vocabulary: Vocabulary = {
  actions: [
    { actor: 'vmm', verb: 'KVM_RUN', doc: '', source: '', params: [{ name: 'vm', doc: '', type: 'vm', choices: ['td'], min: null, max: null, required: true, default: null }] },
    { actor: 'vmm', verb: 'KVM_NMI', doc: '', source: '', params: [] },
  ],
  vms: [{ name: 'td', vcpus: 1 }],
  threads: ['vmm'],
}; // prettier-ignore
const script = (...commands: string[]) => new Script(() => vocabulary, commands);

test('a script begins with one empty line, or with an earlier answer', () => {
  expect(script().rows).toHaveLength(1);
  expect(script().commands).toEqual([]);
  expect(script('vmm KVM_NMI', 'vmm KVM_RUN vm=td').commands).toEqual(['vmm KVM_NMI', 'vmm KVM_RUN vm=td']);
});

test('lines are added below another, and removed; one always stays', () => {
  const s = script('a', 'b');
  const added = s.add(s.rows[0]!.id);
  expect(s.rows.map(({ id }) => id)[1]).toBe(added);
  expect(s.remove(added)).toBe(s.rows[0]!.id);
  expect(s.commands).toEqual(['a', 'b']);
  s.remove(s.rows[0]!.id);
  s.remove(s.rows[0]!.id);
  expect(s.rows).toHaveLength(1);
  expect(s.commands).toEqual([]);
});

test('the first line that is no command is found, and every line is told what is wrong with it', () => {
  const s = script('vmm KVM_RUN vm=td', '', 'vmm KVM_RUNS', 'run', 'hold vmm KVM_NMI');
  expect(s.firstWrong()).toBe(s.rows[2]);
  expect(s.rows.map(({ line }) => line.error?.message ?? null)).toEqual([
    null,
    null,
    expect.stringContaining('KVM_RUNS'),
    'Only actions can be written here; each is performed to its end.',
    'Only actions can be written here; each is performed to its end.',
  ]);
});

test('words of the session are not offered', () => {
  const s = script('');
  const { line } = s.rows[0]!;
  line.type('', 0);
  expect(offered(line).map(({ text }) => text)).toEqual(['vmm']);
});
