import { kvm, kvm_vcpu, VM_NONE, VM_TDX } from '../kvm/kvm_host';
import type { Ref } from '../machine/layout';
import { header, type Machine } from '../machine/machine';
import { allRoutines } from '../machine/routine';
import { pcpu } from '../platform/pcpu';
import { apicv } from './apicv';
import { entry } from './entry';
import { hostEvents } from './host';
import { init } from './init';
import { interrupts } from './interrupts';
import type { Invariant, Scope } from './invariant';
import { Look } from './look';
import { nmi } from './nmi';
import { requests } from './requests';
import { views } from './views';

/** Every invariant, in the order in which they are asked. */
export const INVARIANTS: readonly Invariant[] = [
  ...entry,
  ...interrupts,
  ...nmi,
  ...init,
  ...apicv,
  ...hostEvents,
  ...requests,
  ...views,
];

const of = (...scopes: Scope[]): readonly Invariant[] =>
  INVARIANTS.filter(({ scope }) => scopes.includes(scope));
const OF_TD_VCPU = of('td_vcpu', 'vcpu');
const OF_VMX_VCPU = of('vmx_vcpu', 'vcpu');
const OF_TD = of('td', 'vm');
const OF_PLAIN_VM = of('vm');
const OF_CPU = of('cpu');

/** An invariant that does not hold, and the moment after which it does not. */
export interface Broken {
  readonly name: string;
  readonly says: string;
  readonly source: string;
  /** Of what it does not hold: `td.vcpu1`, `td`, `cpu2`. */
  readonly subject: string;
  /** The moment, and the step that was taken in it: of which thread, in which routine; both empty for an action. */
  readonly moment: number;
  readonly thread: string;
  readonly routine: string;
  readonly step: string;
}

/** Asks every invariant after every moment. */
export class Watch {
  private readonly look: Look;
  private readonly vms: readonly Ref[];
  private readonly cpus: readonly Ref[];

  constructor(private readonly m: Machine) {
    this.look = new Look(m);
    this.vms = [...new Set(m.vcpus.map((vcpu) => kvm_vcpu.kvm.get(m, vcpu) as Ref))];
    this.cpus = m.cpus;
  }

  /** Another moment is shown: the next one follows it. */
  restart(): void {
    this.look.keep();
  }

  /**
   * To be called after every moment.
   *
   * @returns the first invariant that does not hold of it, null when all do. Of a machine that has left what the model
   * covers nothing is asked.
   */
  observe(): Broken | null {
    const { look, m } = this;
    look.open();
    const broken = header.beyond.get(m, m.header) ? null : this.ask();
    look.keep();
    return broken;
  }

  private ask(): Broken | null {
    const { m, vms, cpus } = this;
    const { vcpus } = m;
    for (let i = 0; i < vcpus.length; i++) {
      const vcpu = vcpus[i]!;
      if (!kvm_vcpu.created.get(m, vcpu)) continue;
      const td = kvm.type.get(m, kvm_vcpu.kvm.get(m, vcpu)) === VM_TDX;
      const broken = this.first(td ? OF_TD_VCPU : OF_VMX_VCPU, vcpu);
      if (broken) return this.describe(broken, m.threadInfos[1 + i]!.name);
    }
    for (let i = 0; i < vms.length; i++) {
      const vm = vms[i]!;
      const type = kvm.type.get(m, vm);
      if (type === VM_NONE) continue;
      const broken = this.first(type === VM_TDX ? OF_TD : OF_PLAIN_VM, vm);
      if (broken) return this.describe(broken, this.vmName(vm));
    }
    for (let i = 0; i < cpus.length; i++) {
      const broken = this.first(OF_CPU, cpus[i]!);
      if (broken) return this.describe(broken, `cpu${pcpu.index.get(m, cpus[i]!)}`);
    }
    return null;
  }

  private first(list: readonly Invariant[], ref: Ref): Invariant | null {
    for (let i = 0; i < list.length; i++) if (!list[i]!.holds(this.look, ref)) return list[i]!;
    return null;
  }

  private vmName(vm: Ref): string {
    const i = this.m.vcpus.findIndex((vcpu) => kvm_vcpu.kvm.get(this.m, vcpu) === vm);
    return this.m.threadInfos[1 + i]!.name.split('.')[0]!;
  }

  private describe({ name, says, source }: Invariant, subject: string): Broken {
    const { m, look } = this;
    const routine = look.routine < 0 ? null : allRoutines()[look.routine]!;
    return {
      name,
      says,
      source,
      subject,
      moment: m.moment,
      thread: m.threadInfos[m.threadRefs.indexOf(look.thread)]!.name,
      routine: routine?.name ?? '',
      step: routine?.stepNames[look.step] ?? '',
    };
  }
}

/** One sentence: which invariant, of what, broken by which step. */
export function brokenText({ name, says, source, subject, moment, thread, routine, step }: Broken): string {
  const where = routine === '' ? `the action begun on ${thread}` : `${routine}.${step} on ${thread}`;
  return `Invariant ${name} does not hold of ${subject} after ${where}, moment ${moment}: ${says} (${source})`;
}
