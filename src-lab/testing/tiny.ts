import { loadLab, type Lab, type LabFiles } from '../lab';
import type { Facts } from '../schema';

/**
 * A lab that is small enough to be read in a test: every kind of checkpoint once, a gate, a step without a machine of
 * its own. It passes its own check.
 */
export const TINY_LAB = `format: 1
id: tiny
number: 1
title: A tiny lab
summary: Everything a lab can have, once.
minutes: 5
objectives: [Try the engine]
prerequisites: []
platform: { vms: { td: 2, vmx: 2 } }
policy: { retry: best, wrong_costs: 1, reveal_after: 3 }
misconceptions:
  says-yes:
    name: KVM accepts whatever userspace sets
    say: It **refuses**. :fact[INIT-10]
  resets:
    name: An INIT resets the vCPU of a TD
    say: The INIT stays latched.
  sipi-alone:
    name: A SIPI alone starts a vCPU
    say: Without an INIT before it the SIPI is dropped.
terms:
  INIT: Puts a processor into its reset state.
situations:
  ready:
    - { boot: td, vm: td, run: false }
  running:
    - { boot: td, vm: td }
    - { boot: vmx, vm: vmx }
steps:
  - { id: ioctl, setup: ready, gate: true }
  - { id: ipi, setup: running }
  - { id: rest }
checkpoints:
  - id: mp-state
    step: ioctl
    kind: predict
    title: What does the ioctl return?
    ask: Userspace sets \`mp_state\` to INIT_RECEIVED.
    run:
      - { vmm: KVM_SET_MP_STATE, vm: td, vcpu: 1, mp_state: INIT_RECEIVED }
    observe: last.return
    choices: [0, { value: -EINVAL, label: It is refused }, 1]
    points: 4
    hints:
      - { cost: 1, say: Who decides? }
      - { cost: 1, say: KVM decides. }
      - { cost: 1, say: KVM blocks INIT for a TD. }
    facts: [INIT-10]
    feedback:
      - { when: [0, 1], misconception: says-yes }
  - id: order-td
    step: ipi
    kind: order
    title: What happens to an INIT?
    ask: Put the events into order.
    run:
      - { vmm: KVM_SIGNAL_MSI, vm: td, dest: 1, delivery_mode: INIT }
    items:
      - { id: latched, label: The INIT is latched, event: { event: init_latched } }
      - { id: blocked, label: KVM finds it blocked, event: { event: init_blocked } }
      - { id: entered, label: The vCPU enters the guest again, event: { event: kvm_entry } }
      - { id: reset, label: The vCPU is reset, event: { event: vcpu_reset } }
    points: 3
    hints:
      - { cost: 0, say: Look at the trace. }
      - { cost: 1, say: Something never happens. }
      - { cost: 1, say: The reset never happens. }
    facts: [INIT-3, INIT-5]
    feedback:
      - { when: { includes: reset }, misconception: resets, say: Nothing resets it. }
  - id: start-ap
    step: ipi
    kind: state
    title: Start the second vCPU
    ask: Make vCPU 1 of the VMX guest run from vector 0x10.
    goals:
      - say: It is runnable
        condition: { path: vmx.vcpu1.mp_state, is: RUNNABLE }
      - say: The SIPI was delivered
        condition: { event: sipi_delivered }
    way:
      - { vmm: KVM_SIGNAL_MSI, vm: vmx, dest: 1, delivery_mode: INIT }
      - { vmm: KVM_SIGNAL_MSI, vm: vmx, dest: 1, delivery_mode: STARTUP, vector: 16 }
      - { vmm: KVM_RUN, vm: vmx, vcpu: 1 }
    points: 5
    hints:
      - { cost: 1, say: INIT first. }
      - { cost: 1, say: Then SIPI. }
      - { cost: 1, say: Then KVM_RUN. }
    facts: ['x86:SIPI-11']
    feedback:
      - { when: { event: sipi_ignored }, misconception: sipi-alone }
  - id: latch
    step: rest
    kind: state
    title: Leave a mark
    ask: Let an INIT stay latched.
    goals:
      - say: The INIT is pending
        condition: { path: td.vcpu1.apic.pending_events, is: INIT }
    way:
      - { vmm: KVM_SIGNAL_MSI, vm: td, dest: 1, delivery_mode: INIT }
    points: 2
    hints:
      - { cost: 0, say: Send one. }
      - { cost: 0, say: To vCPU 1. }
      - { cost: 0, say: With KVM_SIGNAL_MSI. }
    facts: [INIT-7]
`;

export const TINY_GUIDE = `# The ioctl {#ioctl}

An :term[INIT] is a signal. See :fact[INIT-3].

::checkpoint{id=mp-state}

# The message {#ipi}

::try[Send an INIT]{command="vmm KVM_SIGNAL_MSI vm=td dest=1 delivery_mode=INIT"}

:::surprise
Nothing happens.
:::

::checkpoint{id=order-td}

::checkpoint{id=start-ap}

# The rest {#rest}

::checkpoint{id=latch}
`;

const SOLUTION = `inputs:
  - { answer: mp-state, is: -EINVAL }
  - { goto: ipi }
  - { answer: order-td, is: [latched, blocked, entered] }
  - { reset: true }
  - { act: vmm KVM_SIGNAL_MSI vm=vmx dest=1 delivery_mode=INIT }
  - { act: vmm KVM_SIGNAL_MSI vm=vmx dest=1 delivery_mode=STARTUP vector=16 }
  - { act: vmm KVM_RUN vm=vmx vcpu=1 }
  - { goto: rest }
  - { act: vmm KVM_SIGNAL_MSI vm=td dest=1 delivery_mode=INIT }
`;

export const TINY_FILES: LabFiles = new Map([
  ['guide.md', TINY_GUIDE],
  ['lab.yaml', TINY_LAB],
  ['solution.yaml', SOLUTION],
  ['wrong/resets.yaml', 'checkpoint: order-td\nmisconception: resets\nevent: { event: init_latched }\ninputs:\n  - { answer: mp-state, is: -EINVAL }\n  - { goto: ipi }\n  - { answer: order-td, is: [latched, reset] }\n'],
  ['wrong/says-yes.yaml', 'checkpoint: mp-state\nmisconception: says-yes\ninputs:\n  - { answer: mp-state, is: 0 }\n'],
  ['wrong/sipi-alone.yaml', 'checkpoint: start-ap\nmisconception: sipi-alone\ninputs:\n  - { answer: mp-state, is: -EINVAL }\n  - { goto: ipi }\n  - { act: vmm KVM_SIGNAL_MSI vm=vmx dest=1 delivery_mode=STARTUP vector=16 }\n'],
]); // prettier-ignore

export const TINY_FACTS: Facts = {
  'INIT-3': { fact: 'INIT is latched.', source: 'lapic.c' },
  'INIT-5': { fact: 'A TD keeps it.', source: 'main.c' },
  'INIT-7': { fact: 'For ever.', source: 'lapic.c' },
  'INIT-10': { fact: 'KVM_SET_MP_STATE refuses.', source: 'x86.c' },
  'x86:SIPI-11': { fact: 'SIPI after INIT starts.', source: 'lapic.c' },
};

const same = (text: string): string => text;

/** The tiny lab with its files changed. @throws Error when it does not load. */
export function tinyLab(lab: (text: string) => string = same, guide: (text: string) => string = same): Lab {
  const load = loadLab(new Map([['lab.yaml', lab(TINY_LAB)], ['guide.md', guide(TINY_GUIDE)]])); // prettier-ignore
  if (!load.ok) throw new Error(JSON.stringify(load.issues));
  return load.lab;
}
