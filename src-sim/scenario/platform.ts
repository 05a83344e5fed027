import { z } from 'zod';
import { MAX_VCPUS, MAX_VMS, powerOn, SWITCHES, type Platform as PlatformType } from '../world';
import { VmName } from './action';

export type Platform = PlatformType;

/** Whether state that belongs to no VM, or a thread, has this name already: `last`, `cpu0`, `vmm`. */
export function isReserved(name: string): boolean {
  return /^cpu\d+$/.test(name) || ownNames().has(name);
}

let own: ReadonlySet<string> | null = null;
/** First words of the state paths of a platform without VMs. */
function ownNames(): ReadonlySet<string> {
  own ??= new Set(powerOn({ vms: {} }).machine.layout.leaves.map((leaf) => leaf.path.split('.')[0]!));
  return own;
}

/** Design variants by name; what is not named is off. */
export const Switches = z
  .partialRecord(z.enum(SWITCHES), z.boolean())
  .meta({ description: 'Design variants of host, module and KVM; what is not named is off' });
export type Switches = z.infer<typeof Switches>;

/**
 * VM slots by name: how many vCPUs each may have. A slot says what can be; no VM exists until KVM_CREATE_VM.
 *
 * 1 to 4 VMs of 1 to 8 vCPUs each, 8 vCPUs in all.
 */
export const Platform: z.ZodType<Platform> = z
  .strictObject({
    vms: z
      .record(
        VmName.refine((name) => !isReserved(name), 'a name that no other state has'),
        z
          .int()
          .min(1)
          .max(MAX_VCPUS)
          .meta({ description: `vCPUs that it may have, 1 to ${MAX_VCPUS}` }),
      )
      .refine((vms) => Object.keys(vms).length >= 1, 'at least one VM')
      .refine((vms) => Object.keys(vms).length <= MAX_VMS, `at most ${MAX_VMS} VMs`)
      .refine(
        (vms) => Object.values(vms).reduce((sum, count) => sum + count, 0) <= MAX_VCPUS,
        `at most ${MAX_VCPUS} vCPUs in all`,
      )
      .meta({
        description: 'Number of vCPUs by name of the VM, for example td: 2',
        minProperties: 1,
        maxProperties: MAX_VMS,
      }),
    switches: Switches.optional(),
  })
  .meta({
    id: 'platform',
    title: 'Platform',
    description: 'What the machine is built from. No VM exists at power-on',
  });
