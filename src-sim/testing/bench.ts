import { ActionSchema, type Action } from '../scenario/action';
import { brokenText } from '../invariants/watch';
import { Timeline } from '../timeline';
import type { Platform } from '../world';
import { returnName } from '../machine/trace';

/** A machine on the test bench: actions in scenario form, answers as people read them. */
export class Bench extends Timeline {
  /** @param invariants - whether every invariant is asked after every moment; false for tests that write to the state. */
  constructor(platform: Platform, invariants = true) {
    super(platform, { invariants });
  }
  /**
   * Performs an action given with or without its defaults; answers `0`, `-EINVAL`, ... or the kind of outcome.
   *
   * @throws Error if an invariant breaks.
   */
  does(action: Record<string, unknown>): string {
    const outcome = this.attempt(action);
    if (this.broken) throw new Error(brokenText(this.broken));
    return outcome;
  }
  /** The same for tests that break invariants. */
  attempt(action: Record<string, unknown>): string {
    const outcome = this.perform(ActionSchema.parse(action) as Action);
    return outcome.value === null ? outcome.kind : returnName(outcome.value);
  }
  /** Begins an action given with or without its defaults, and goes no step further. */
  starts(action: Record<string, unknown>): void {
    this.begin(ActionSchema.parse(action) as Action);
  }
  /** Steps a thread until the step that comes next in `routine` is `step`. @throws Error when it never does. */
  stepTo(thread: string, routine: string, step: string): void {
    for (let i = 0; i < 500; i++) {
      const top = this.machine
        .threads()
        .find(({ name }) => name === thread)!
        .stack.at(-1);
      if (top?.routine === routine && top.step === step) return;
      if (!this.step(thread)) break;
    }
    throw new Error(`${thread} never came to ${routine}.${step}`);
  }
  /** A state field by path. */
  shows(path: string): string {
    const leaf = this.machine.layout.find(path);
    if (!leaf) throw new Error(`no path ${path}`);
    return this.machine.show(leaf);
  }
  /** Events from `from` on, by name, with the thread when `on` is given. */
  events(name: string, from = 0): string[] {
    const found: string[] = [];
    for (let n = from; n < this.machine.trace.count; n++) {
      const event = this.machine.trace.event(n);
      if (event.name === name && event.type !== 'return') found.push(event.text);
    }
    return found;
  }
  /** Fact ids of everything that has happened. */
  cited(): Set<string> {
    const ids = new Set<string>();
    for (let n = 0; n < this.machine.trace.count; n++) ids.add(this.machine.trace.event(n).source);
    return ids;
  }
  /** Where the trace stands now, for `events`. */
  get mark(): number {
    return this.machine.trace.count;
  }
}

/** A TD and a plain VMX guest of two vCPUs each, both running. */
export function bothRunning(invariants = true): Bench {
  const bench = new Bench({ vms: { td: 2, vmx: 2 } }, invariants);
  bench.does({ boot: 'td', vm: 'td' });
  bench.does({ boot: 'vmx', vm: 'vmx' });
  return bench;
}

/** A TD of two vCPUs, brought up but not running. */
export function tdReady(): Bench {
  const bench = new Bench({ vms: { td: 2 } });
  bench.does({ boot: 'td', vm: 'td', run: false });
  return bench;
}

/** INIT or SIPI as an MSI from userspace. */
export const msi = (vm: string, delivery_mode: string, more: Record<string, unknown> = {}) => ({
  vmm: 'KVM_SIGNAL_MSI',
  vm,
  dest: 1,
  delivery_mode,
  ...more,
});
/** INIT or SIPI as an IPI of vCPU 0. */
export const ipi = (vm: string, delivery_mode: string, more: Record<string, unknown> = {}) => ({
  guest: 'ICR',
  vm,
  vcpu: 0,
  dest: 1,
  delivery_mode,
  ...more,
});
