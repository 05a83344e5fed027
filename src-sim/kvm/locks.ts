import type { Ref } from '../machine/layout';
import { thread, type Machine } from '../machine/machine';
import { kvm, kvm_vcpu, kvmOf } from './kvm_host';

/** A lock of KVM that somebody holds. */
export interface HeldLock {
  /** `vcpu->mutex`, or `apicv_update_lock` of a VM. */
  readonly name: 'vcpu->mutex' | 'apicv_update_lock';
  /** Path of the vCPU or VM whose lock it is: `td.vcpu0`, `td`. */
  readonly of: string;
  /** Name of the thread that holds it. */
  readonly holder: string;
  /** Names of the threads that wait for it. */
  readonly waiting: readonly string[];
}

/** Locks that are held now: every vCPU's mutex in the order of the platform, then those of the VMs. */
export function heldLocks(m: Machine): HeldLock[] {
  const nameOf = (t: number): string => m.threadInfos[m.threadRefs.indexOf(t as Ref)]!.name;
  const held = (name: HeldLock['name'], of: string, owner: Ref, holder: number): HeldLock[] =>
    holder === 0
      ? []
      : [
          {
            name,
            of,
            holder: nameOf(holder),
            waiting: m.threadRefs.filter((t) => thread.waiting_on.get(m, t) === owner).map(nameOf),
          },
        ];
  // The thread of a vCPU has the vCPU's path for a name; thread 0 is the VMM's own.
  const pathOf = (i: number): string => m.threadInfos[1 + i]!.name;
  const vms = new Map(m.vcpus.map((vcpu, i) => [kvmOf(m, vcpu), pathOf(i).replace(/\.vcpu\d+$/, '')]));
  return [
    ...m.vcpus.flatMap((vcpu, i) => held('vcpu->mutex', pathOf(i), vcpu, kvm_vcpu.mutex.get(m, vcpu))),
    ...[...vms].flatMap(([vm, name]) =>
      held('apicv_update_lock', name, vm, kvm.apicv_update_lock.get(m, vm)),
    ),
  ];
}
