import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { kvm_vcpu } from './kvm_host';

/** CPUID.1:ECX bit 21. */
const X2APIC = 1 << 21;

/**
 * The vCPU's CPUID table, of which the model keeps one bit.
 *
 * @returns ECX; the other registers are 0, as for a leaf that the table does not have.
 * @source VCPU-7; arch/x86/kvm/cpuid.c: kvm_cpuid
 */
export function kvm_cpuid(m: Machine, vcpu: Ref, leaf: number): number {
  return leaf === 1 && kvm_vcpu.cpuid_x2apic.get(m, vcpu) ? X2APIC : 0;
}
