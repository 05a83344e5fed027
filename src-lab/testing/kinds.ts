import { loadLab, type Lab, type LabFiles } from '../lab';
import type { Facts } from '../schema';

/**
 * A lab with what the tiny lab has not: two machines side by side, a machine with other switches, actions that a step
 * does not accept, and checkpoints of the kinds `build`, `schedule` and `explain`. It passes its own check.
 */
export const KINDS_LAB = `format: 1
id: kinds
number: 2
title: Everything else
summary: What the tiny lab has not.
minutes: 5
objectives: [Try the engine]
prerequisites: []
platform: { vms: { td: 2, vmx: 2 } }
misconceptions:
  same-apicv:
    name: The switch changes nothing
    say: Look at the inhibits of the other machine.
  one-message:
    name: One message starts a vCPU
    say: It takes an INIT and a SIPI.
  forces-the-state:
    name: mp_state can be written by hand
    say: It can, and that is not what a guest does.
  order-decides:
    name: Nobody can be faster than the sender
    say: Somebody can.
  anything-can-happen:
    name: A race can lose a SIPI that follows an INIT
    say: KVM takes them in their order.
  v1-forbids:
    name: v1 refuses the INIT
    say: Neither does.
situations:
  running:
    - { boot: td, vm: td }
  parked:
    - { boot: vmx, vm: vmx }
  away:
    - { boot: vmx, vm: vmx }
    - { vmm: signal, vm: vmx, vcpu: 1 }
steps:
  - id: both
    setup: running
    compare:
      a: { label: 'v2, enforced' }
      b: { label: 'v1, inhibited', switches: { apicv_v1: true, emca: true } }
    lock: [vmm KVM_SET_LAPIC, vmm KVM_SIGNAL_MSI delivery_mode=SMI]
  - id: alone
    setup: running
    switches: { apicv_v1: true }
    offer: [vmm KVM_SIGNAL_MSI, vmm KVM_RUN]
  - { id: write, setup: parked }
checkpoints:
  - id: inhibits
    step: both
    kind: predict
    title: What does v1 inhibit?
    ask: Say what the field holds on the second machine.
    run:
      - { vmm: KVM_SIGNAL_MSI, vm: td, dest: 1, delivery_mode: FIXED, vector: 49 }
    on: b
    observe: variant.apicv_v1
    choices: [0, 1]
    points: 4
    hints: &hints
      - { cost: 0, say: One. }
      - { cost: 0, say: Two. }
      - { cost: 1, say: Three. }
    facts: [INIT-3]
    feedback:
      - { when: 0, misconception: same-apicv }
  - id: latched
    step: both
    kind: state
    title: Latch an INIT on both
    ask: Do it.
    goals:
      - say: The first remembers
        condition: { path: td.vcpu1.apic.pending_events, is: INIT }
        on: a
      - say: The second remembers too
        condition: { path: td.vcpu1.apic.pending_events, is: INIT }
        on: b
    way:
      - { vmm: KVM_SIGNAL_MSI, vm: td, dest: 1, delivery_mode: INIT }
    points: 2
    hints: *hints
    facts: [INIT-3]
    feedback:
      - { when: { event: KVM_NMI, type: action }, on: b, misconception: v1-forbids }
  - id: v2-again
    step: alone
    kind: predict
    title: And without the switch?
    ask: Say what the field holds.
    switches: {}
    run:
      - { vmm: KVM_SIGNAL_MSI, vm: td, dest: 1, delivery_mode: FIXED, vector: 49 }
    observe: variant.apicv_v1
    choices: [0, 1]
    points: 2
    hints: *hints
    facts: [INIT-3]
  - id: on-v1
    step: alone
    kind: state
    title: Latch an INIT on v1
    ask: Do it.
    goals:
      - say: It remembers
        condition: { path: td.vcpu1.apic.pending_events, is: INIT }
    way:
      - { vmm: KVM_SIGNAL_MSI, vm: td, dest: 1, delivery_mode: INIT }
    points: 2
    hints: *hints
    facts: [INIT-3]
  - id: start
    step: write
    kind: build
    title: Start the second vCPU
    ask: Write the actions.
    goals:
      - say: It is runnable
        condition: { path: vmx.vcpu1.mp_state, is: RUNNABLE }
        points: 1
      - say: The SIPI was delivered
        condition: { event: sipi_delivered }
        points: 4
    max: 4
    without: [vmm KVM_SET_SREGS]
    way:
      - { vmm: KVM_SIGNAL_MSI, vm: vmx, dest: 1, delivery_mode: INIT }
      - { vmm: KVM_SIGNAL_MSI, vm: vmx, dest: 1, delivery_mode: STARTUP, vector: 16 }
      - { vmm: KVM_RUN, vm: vmx, vcpu: 1 }
    points: 5
    hints: *hints
    facts: [INIT-3]
    feedback:
      - { when: { uses: vmm KVM_SET_MP_STATE }, misconception: forces-the-state }
      - { when: [{ lacks: vmm KVM_SIGNAL_MSI delivery_mode=INIT }, { event: sipi_ignored }], misconception: one-message }
  - id: in-between
    step: write
    kind: schedule
    title: Be faster than the sender
    ask: Let KVM_RUN enter before the INIT arrives.
    situation: away
    begin:
      - { vmm: KVM_SIGNAL_MSI, vm: vmx, dest: 1, delivery_mode: INIT }
      - { vmm: KVM_RUN, vm: vmx, vcpu: 1 }
    goal:
      say: The vCPU sleeps when the INIT is latched
      condition: { order: [{ event: vcpu_sleeps }, { event: init_latched }] }
    points: 3
    hints: *hints
    facts: [INIT-3]
    feedback:
      - { when: { says: cannot }, misconception: order-decides }
  - id: never
    step: write
    kind: schedule
    title: Lose the SIPI
    ask: Is there a schedule?
    situation:
      - { boot: vmx, vm: vmx }
      - { vmm: signal, vm: vmx, vcpu: 1 }
      - { vmm: KVM_SIGNAL_MSI, vm: vmx, dest: 1, delivery_mode: INIT }
    begin:
      - { vmm: KVM_SIGNAL_MSI, vm: vmx, dest: 1, delivery_mode: STARTUP, vector: 16 }
      - { vmm: KVM_RUN, vm: vmx, vcpu: 1 }
    goal:
      say: The SIPI is dropped
      condition: { event: sipi_ignored }
    points: 3
    hints: *hints
    facts: [INIT-3]
    feedback:
      - { when: { says: can }, misconception: anything-can-happen }
  - id: why
    step: write
    kind: explain
    title: Say why
    ask: Why is the order kept?
    least: 10
    rubric: [Names the latch]
    model: Both are **latched**, and the INIT is looked at first.
    facts: [INIT-3]
`;

export const KINDS_GUIDE = `# Both {#both}

::checkpoint{id=inhibits}

::checkpoint{id=latched}

# Alone {#alone}

::checkpoint{id=v2-again}

::checkpoint{id=on-v1}

# Write {#write}

::checkpoint{id=start}

::checkpoint{id=in-between}

::checkpoint{id=never}

::checkpoint{id=why}
`;

const SOLUTION = `inputs:
  - { act: vmm KVM_SIGNAL_MSI vm=td dest=1 delivery_mode=INIT }
  - { look: b }
  - { answer: inhibits, is: 1 }
  - { goto: alone }
  - { act: vmm KVM_SIGNAL_MSI vm=td dest=1 delivery_mode=INIT }
  - { answer: v2-again, is: 0 }
  - { goto: write }
  - answer: start
    is:
      - vmm KVM_SIGNAL_MSI vm=vmx dest=1 delivery_mode=INIT
      - vmm KVM_SIGNAL_MSI vm=vmx dest=1 delivery_mode=STARTUP vector=16
      - vmm KVM_RUN vm=vmx vcpu=1
  - { arrange: in-between }
  - { step: vmx.vcpu1 }
  - { answer: in-between, is: [vmx.vcpu1 x6, vmm x6] }
  - { answer: never, is: cannot }
  - { answer: why, is: The INIT is looked at first. }
`;
const wrong = (checkpoint: string, misconception: string, inputs: string): string =>
  `checkpoint: ${checkpoint}\nmisconception: ${misconception}\ninputs:\n${inputs}`;

export const KINDS_FILES: LabFiles = new Map([
  ['guide.md', KINDS_GUIDE],
  ['lab.yaml', KINDS_LAB],
  ['solution.yaml', SOLUTION],
  ['wrong/same.yaml', wrong('inhibits', 'same-apicv', '  - { answer: inhibits, is: 0 }\n')],
  ['wrong/v1.yaml', wrong('latched', 'v1-forbids', '  - { act: vmm KVM_NMI vm=td vcpu=1 }\n')],
  ['wrong/sipi.yaml', wrong('start', 'one-message', '  - { goto: write }\n  - { answer: start, is: [vmm KVM_SIGNAL_MSI vm=vmx dest=1 delivery_mode=STARTUP vector=16] }\n')],
  ['wrong/forced.yaml', wrong('start', 'forces-the-state', '  - { goto: write }\n  - { answer: start, is: [vmm signal vm=vmx vcpu=1, vmm KVM_SET_MP_STATE vm=vmx vcpu=1 mp_state=RUNNABLE] }\n')],
  ['wrong/cannot.yaml', wrong('in-between', 'order-decides', '  - { goto: write }\n  - { answer: in-between, is: cannot }\n')],
  ['wrong/can.yaml', wrong('never', 'anything-can-happen', '  - { goto: write }\n  - { answer: never, is: [vmx.vcpu1 x3] }\n')],
]); // prettier-ignore

export const KINDS_FACTS: Facts = { 'INIT-3': { fact: 'INIT is latched.', source: 'lapic.c' } };

/** The lab with its text changed. @throws Error when it does not load. */
export function kindsLab(change: (text: string) => string = (text) => text): Lab {
  const load = loadLab(new Map([['lab.yaml', change(KINDS_LAB)], ['guide.md', KINDS_GUIDE]])); // prettier-ignore
  if (!load.ok) throw new Error(JSON.stringify(load.issues));
  return load.lab;
}
