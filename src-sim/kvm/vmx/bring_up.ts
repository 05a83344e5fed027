import type { Machine } from '../../machine/machine';
import { E } from '../../machine/routine';
import { event } from '../../machine/trace';
import { variant, variantRef } from '../kvm_host';

/** tdx_bringup() of arch/x86/kvm/vmx/tdx.c: does this host offer TDX? Decided when kvm_intel loads. */

type Switch = Exclude<keyof typeof variant, 'info'>;

/**
 * What must be there, in the order in which it is looked for; the first that is missing turns TDX off, and kvm_intel
 * loads all the same. The series put the test of APICv before those of the MMU.
 *
 * @source BRING-1, BRING-2, BRING-4, BRING-7, UP-6
 */
export const TDX_CHECKS = [
  ['no_tdx', 'tdx=0'],
  ['no_ept', 'enable_ept'],
  ['no_tdp_mmu', 'tdp_mmu_enabled'],
  ['no_mmio_caching', 'enable_mmio_caching'],
  ['no_ept_ad_bits', 'enable_ept_ad_bits'],
  ['no_apicv', 'enable_apicv'],
  ['no_osxsave', 'CR4.OSXSAVE'],
  ['no_movdir64b', 'MOVDIR64B'],
  ['no_selfsnoop', 'SELFSNOOP'],
  ['no_tdx_host_platform', 'TDX_HOST_PLATFORM'],
  ['no_virt_at_load', 'enable_virt_at_load'],
  ['old_tdx_module', 'module 1.5.06.00.0744'],
  ['no_topology_enum', 'TOPOLOGY_ENUM'],
] as const satisfies readonly (readonly [Switch, string])[];

export const tdx_unavailable = event(
  'tdx_unavailable',
  'mark',
  'BRING-2',
  { missing: TDX_CHECKS.map(([, what]) => what) },
  '{missing}',
  'TDX was turned off when kvm_intel loaded, for want of {missing}. Ordinary VMs work.',
);

const has = (m: Machine, name: Switch): boolean => variant[name].get(m, variantRef(m)) === 1;

/** Position of the first check that fails, or -1. The first design did not need APICv. @source V12-3 */
export function tdxUnavailable(m: Machine): number {
  return TDX_CHECKS.findIndex(([name]) => has(m, name) && !(name === 'no_apicv' && has(m, 'apicv_v1')));
}

/**
 * What loading kvm_intel ended with: 0, or an error that TDX caused. A module that allows a TD fewer vCPUs than the host
 * has CPUs is the one such error here; -ENODEV would only have turned TDX off.
 *
 * @source BRING-4, BRING-5
 */
export function kvm_intel_load(m: Machine): number {
  return tdxUnavailable(m) < 0 && has(m, 'few_td_vcpus') ? E('EINVAL') : 0;
}
