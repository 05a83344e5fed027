/**
 * The files of a new lab: one question that the machine answers, its solution, and one wrong attempt. It passes the
 * check as it is.
 *
 * @param schema - path of `lab.schema.json` from the lab's folder, with `/`.
 */
export function newLabFiles({
  id,
  number,
  title,
  schema,
}: {
  readonly id: string;
  readonly number: number;
  readonly title: string;
  readonly schema: string;
}): ReadonlyMap<string, string> {
  return new Map([
    ['lab.yaml', labYaml(id, number, title, schema)],
    ['guide.md', GUIDE],
    ['solution.yaml', SOLUTION],
    ['wrong/init-resets.yaml', WRONG],
  ]);
}

const labYaml = (id: string, number: number, title: string, schema: string): string =>
  `# yaml-language-server: $schema=${schema}
format: 1
id: ${id}
number: ${number} # place in the course
title: ${title}
summary: One sentence for the home screen.
minutes: 10
objectives: [Say what happens to an INIT that is sent to a TD]
prerequisites: [You know what an ioctl is]
platform: { vms: { td: 2 } } # VM slots and how many vCPUs each may have; none exists at power-on
misconceptions:
  init-resets:
    name: An INIT resets the vCPU of a TD
    say: Nothing is reset. The INIT is latched and **stays** latched. :fact[INIT-5]
terms:
  INIT: The signal that puts a processor back into its reset state.
situations: # actions from power-on, by name
  running:
    - { boot: td, vm: td }
steps:
  - { id: send, setup: running }
checkpoints:
  - id: after-init
    step: send
    kind: predict
    title: What does the vCPU do?
    ask: Userspace sends vCPU 1 an :term[INIT]. What is its \`mp_state\` afterwards?
    run:
      - { vmm: KVM_SIGNAL_MSI, vm: td, dest: 1, delivery_mode: INIT }
    observe: td.vcpu1.mp_state
    choices: [RUNNABLE, INIT_RECEIVED, UNINITIALIZED]
    points: 4
    hints:
      - { cost: 1, say: What does KVM ask before it resets a vCPU? }
      - { cost: 1, say: It asks whether INIT is blocked. }
      - { cost: 1, say: For a TD it always is. }
    facts: [INIT-5]
    feedback:
      - { when: [INIT_RECEIVED, UNINITIALIZED], misconception: init-resets }
`;

const GUIDE = `# Send an INIT {#send}

An :term[INIT] resets a processor. Does it reset this one?

::checkpoint{id=after-init}
`;

const SOLUTION = `inputs:
  - { answer: after-init, is: RUNNABLE }
`;

const WRONG = `checkpoint: after-init
misconception: init-resets
inputs:
  - { answer: after-init, is: INIT_RECEIVED }
`;
