import type { SandboxWanted } from '../../src-main/contract';

type Platform = Extract<SandboxWanted, { from: 'platform' }>;
type Vm = Platform['vms'][number];

/** VMs and vCPUs that a platform may have; main says so too, in words. */
export const MAX = { vms: 4, vcpus: 8 } as const;

/** A VM as it is being written down; `id` tells rows apart whatever they are called. */
export interface Row extends Vm {
  readonly id: number;
}

/** The machine that is being chosen. No DOM. */
export class PlatformForm {
  rows: readonly Row[] = $state.raw([{ id: 0, name: 'td', vcpus: 2, boot: 'td' }]);
  switches: ReadonlySet<string> = $state.raw(new Set<string>());
  /** Switches of the second machine; null: there is only one. */
  against: ReadonlySet<string> | null = $state.raw(null);
  #next = 1;

  readonly vcpus = $derived(this.rows.reduce((sum, { vcpus }) => sum + vcpus, 0));
  readonly hasRoom = $derived(this.rows.length < MAX.vms && this.vcpus < MAX.vcpus);

  /** Adds a VM: with one vCPU, so that it fits, under a name that is free. */
  add(): void {
    const names = this.rows.map(({ name }) => name);
    const free = ['td', 'vmx', 'td2', 'vmx2', 'vm1', 'vm2'].find((name) => !names.includes(name)) ?? '';
    this.rows = [...this.rows, { id: this.#next++, name: free, vcpus: 1, boot: 'none' }];
  }

  remove(id: number): void {
    this.rows = this.rows.filter((row) => row.id !== id);
  }

  change(id: number, to: Partial<Vm>): void {
    this.rows = this.rows.map((row) => (row.id === id ? { ...row, ...to } : row));
  }

  /** Begins a comparison with the same switches, or ends it. */
  compare(wanted: boolean): void {
    this.against = wanted ? new Set(this.switches) : null;
  }

  get wanted(): Platform {
    return {
      from: 'platform',
      vms: this.rows.map(({ name, vcpus, boot }) => ({ name, vcpus, boot })),
      switches: [...this.switches],
      against: this.against === null ? null : [...this.against],
    };
  }
}

/** `set` with `name`, or without it. */
export function toggled(set: ReadonlySet<string>, name: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(name)) next.add(name);
  return next;
}
