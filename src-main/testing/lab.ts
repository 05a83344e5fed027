import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Points of the small lab, and the answer that earns them. */
export const SMALL_LAB = {
  id: 'small',
  folder: '01-small',
  title: 'A small lab',
  points: 2,
  right: '0',
  wrong: '-EINVAL',
};

/** Writes a lab of one step and one question to `<root>/01-small`. @returns the lab's folder. */
export function writeSmallLab(root: string, title = SMALL_LAB.title): string {
  const folder = join(root, SMALL_LAB.folder);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'lab.yaml'),
    `format: 1
id: small
number: 1
title: ${title}
summary: A TD is made.
minutes: 5
objectives: [Make a TD.]
prerequisites: []
platform: { vms: { td: 1 } }
steps: [{ id: make, setup: [] }]
checkpoints:
  - id: created
    step: make
    kind: predict
    title: Creation
    ask: What does the ioctl return?
    points: ${SMALL_LAB.points}
    hints: [{ cost: 0, say: Think. }, { cost: 0, say: Think more. }, { cost: 1, say: It works. }]
    facts: [VM-1]
    run: [{ vmm: KVM_CREATE_VM, vm: td, type: KVM_X86_TDX_VM }]
    observe: last.return
    choices: ['0', '-EINVAL']
`,
  );
  writeFileSync(
    join(folder, 'guide.md'),
    '# Make it {#make}\n\nHere it begins.\n\n::checkpoint{id=created}\n',
  );
  return folder;
}
