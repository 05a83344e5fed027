import type { Layout, Placement, Ref } from './machine/layout';
import { Machine, type ThreadInfo } from './machine/machine';
import { kvm, kvm_vcpu, seam_fault, variant, variantRef, warned } from './kvm/kvm_host';
import './kvm/ioctls';
import { reply } from './kvm/reply';
import { pcpu, putOn } from './platform/pcpu';

/** What a machine is built from: VM slots by name, and how many vCPUs each may have. */
export interface Platform {
  readonly vms: Readonly<Record<string, number>>;
  /** Design variants by name; what is not named is off. */
  readonly switches?: Readonly<Partial<Record<SwitchName, boolean>>> | undefined;
}

/**
 * `module_nmi_fix`: TDX module 1.5.28.04 and later. `fred`: the host's entry code. `emca`: MCE to SMI morphing.
 * `apicv_v1`: the first design, which told KVM that APICv of a TD is inhibited. `no_apicv`: enable_apicv=0.
 * `no_vnmi`: enable_vnmi=0, so that KVM guesses when a plain guest's NMI handler ends.
 * `nmi_readback`: the second posting of the series, which read PEND_NMI back after the exit. `no_smm`: a kernel without
 * CONFIG_KVM_SMM. `nohz_full`: housekeeping CPUs take the timers. `assigned_device`: a device behind an IOMMU with
 * posted interrupts belongs to every VM. `protected_eoi`: Linux 6.18 and later. `no_halt_flag`: the second posting, which knew no flag of TDVMCALL<HLT>. The
 * others each take away something that TDX needs: `kvm/vmx/bring_up.ts`.
 */
export const SWITCHES = [
  'module_nmi_fix', 'fred', 'emca', 'apicv_v1', 'no_apicv', 'no_vnmi', 'nmi_readback', 'no_smm', 'nohz_full', 'assigned_device',
  'no_halt_flag', 'no_tdx', 'no_ept', 'no_tdp_mmu', 'no_mmio_caching', 'no_ept_ad_bits', 'no_osxsave', 'no_movdir64b',
  'no_selfsnoop', 'no_tdx_host_platform', 'no_virt_at_load', 'old_tdx_module', 'no_topology_enum', 'few_td_vcpus', 'protected_eoi',
] as const; // prettier-ignore
export type SwitchName = (typeof SWITCHES)[number];

/** vCPUs that all VMs may have together, and VMs. */
export const MAX_VCPUS = 8;
export const MAX_VMS = 4;

/** A slot of the platform: a VM that may be created, and where its state lies. */
export interface VmSlot {
  readonly name: string;
  readonly ref: Ref;
  readonly vcpus: readonly Ref[];
}

/** A machine and its slots by name. Thread 0 is the VMM's own; thread 1 + n runs the n-th vCPU slot. */
export interface World {
  readonly machine: Machine;
  readonly vms: ReadonlyMap<string, VmSlot>;
}

/** Layouts by the slots of their platform: a session makes a new machine at every step, always of the same slots. */
const layouts = new Map<string, Layout>();
const MAX_LAYOUTS = 16;

/**
 * A machine at power-on: no VM exists, every CPU executes userspace.
 *
 * @param platform - at most `MAX_VMS` VMs and `MAX_VCPUS` vCPUs; `scenario/platform.ts` checks input.
 * @param capacity - events that its trace keeps, a power of two.
 * @throws RangeError beyond these limits.
 */
export function powerOn(platform: Platform, capacity?: number): World {
  const slots = Object.entries(platform.vms);
  const vcpuPaths = slots.flatMap(([name, vcpus]) =>
    Array.from({ length: vcpus }, (_, i) => `${name}.vcpu${i}`),
  );
  if (slots.length > MAX_VMS || vcpuPaths.length > MAX_VCPUS)
    throw new RangeError('the platform is too large');
  const infos: ThreadInfo[] = ['vmm', ...vcpuPaths].map((name) => ({ name }));
  const placements: Placement[] = [
    { path: 'warned', record: warned },
    { path: 'reply', record: reply },
    { path: 'variant', record: variant },
    { path: 'seam_fault', record: seam_fault },
    ...infos.map((_, cpu) => ({ path: `cpu${cpu}`, record: pcpu })),
    ...slots.map(([name]) => ({ path: name, record: kvm })),
    ...vcpuPaths.map((path) => ({ path, record: kvm_vcpu })),
  ];
  const key = JSON.stringify(slots);
  const m = new Machine(infos, placements, capacity, layouts.get(key));
  if (layouts.size === MAX_LAYOUTS) layouts.clear();
  layouts.set(key, m.layout);
  const cpus = m.placed.slice(4, 4 + infos.length);
  const vmRefs = m.placed.slice(4 + infos.length, 4 + infos.length + slots.length);
  const vcpuRefs = m.placed.slice(4 + infos.length + slots.length);

  for (const name of SWITCHES) variant[name].set(m, variantRef(m), platform.switches?.[name] ? 1 : 0);
  m.vcpus = vcpuRefs;
  m.cpus = cpus;
  cpus.forEach((cpu, i) => {
    pcpu.index.set(m, cpu, i);
    putOn(m, m.threadRefs[i]!, cpu);
  });
  const vms = new Map<string, VmSlot>();
  let next = 0;
  slots.forEach(([name, count], v) => {
    const ref = vmRefs[v]!;
    kvm.index.set(m, ref, v);
    kvm.slots.set(m, ref, count);
    kvm.first.set(m, ref, vcpuRefs[next]!);
    const vcpus = vcpuRefs.slice(next, next + count);
    vcpus.forEach((vcpu, id) => {
      const position = next + id;
      kvm_vcpu.id.set(m, vcpu, id);
      kvm_vcpu.index.set(m, vcpu, position);
      kvm_vcpu.kvm.set(m, vcpu, ref);
      kvm_vcpu.thread.set(m, vcpu, m.threadRefs[1 + position]!);
      kvm_vcpu.cpu.set(m, vcpu, cpus[1 + position]!);
    });
    next += count;
    vms.set(name, { name, ref, vcpus });
  });
  return { machine: m, vms };
}
