import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import { guest_cpu } from '../guest/cpu';
import * as host from './kvm_host';
import { kvm_regs, kvm_vcpu, smram, vmcs_guest_state } from './kvm_host';
import { kvm_make_request, kvm_vm_dead } from './kvm_main';
import { kvm_x86_ops } from './kvm_x86_ops';
import { kvm_enter_smm, smi_lost } from './trace';

/** Mirrors arch/x86/kvm/smm.c: system management mode of a plain guest. A TD has none. */

/** Save-state revisions; bit 17 says that SMBASE can be relocated. @source x86:SMI-6 */
const SMM_REVISION_64 = 0x0002_0064;
const SMM_REVISION_32 = 0x0002_0000;
/** Where the image lies above SMBASE, and how long it is. @source x86:SMI-6, x86:SMI-8 */
const SMRAM_OFFSET = 0xfe00;
const SMRAM_SIZE = 512;
/** Guest memory of the model ends here; what lies above is no memory that KVM could write. */
const END_OF_MEMORY = 0x8000_0000;
/** CR0.PE, EM, TS and PG. @source x86:SMI-10 */
const CR0_LEFT = 0x8000_000d;
const RFLAGS_FIXED = 2;
const RFLAGS_IF = 0x200;
const DR7_FIXED_1 = 0x400;
const FLAT_LIMIT = 0xffff_ffff;
/** A bit of CR4 that no processor knows: an image with it is damaged. */
export const CR4_RESERVED = 0x8000_0000;

const isMemory = (smbase: number): boolean => smbase + SMRAM_OFFSET + SMRAM_SIZE <= END_OF_MEMORY;

/** The vCPU enters or leaves SMM, as far as KVM's own state goes. @source x86:SMI-8, x86:SMI-13 */
export function kvm_smm_changed(m: Machine, vcpu: Ref, entering: 0 | 1): void {
  m.emit(kvm_enter_smm, kvm_vcpu.id.get(m, vcpu), entering, kvm_vcpu.smbase.get(m, vcpu));
  kvm_vcpu.smm.set(m, vcpu, entering);
  if (entering) return;
  kvm_vcpu.smm_inside_nmi.set(m, vcpu, 0);
  kvm_make_request(m, vcpu, host.KVM_REQ_EVENT);
}

/**
 * Takes an SMI: saves the state, puts the vCPU into real mode at SMBASE + 0x8000, with interrupts and NMIs off.
 * Failure kills the VM.
 *
 * @source x86:SMI-6 to x86:SMI-12
 */
export function enter_smm(m: Machine, vcpu: Ref): void {
  const smbase = kvm_vcpu.smbase.get(m, vcpu);
  const image = host.smramOf(vcpu);
  save(m, vcpu, image);
  kvm_smm_changed(m, vcpu, 1);
  if (!isMemory(smbase)) {
    m.emit(smi_lost, kvm_vcpu.id.get(m, vcpu), smbase);
    kvm_vm_dead(m, host.kvmOf(m, vcpu));
    return;
  }
  if (kvm_x86_ops.get_nmi_mask(m, vcpu)) kvm_vcpu.smm_inside_nmi.set(m, vcpu, 1);
  else kvm_x86_ops.set_nmi_mask(m, vcpu, 1);
  guest_cpu.if.set(m, host.guestOf(vcpu), 0);
  kvm_x86_ops.set_interrupt_shadow(m, vcpu, 0);
  kvm_regs.rip.set(m, host.regsOf(vcpu), 0x8000);
  const state = host.guestStateOf(vcpu);
  vmcs_guest_state.cr0.set(m, state, vmcs_guest_state.cr0.get(m, state) & ~CR0_LEFT);
  vmcs_guest_state.cr4.set(m, state, 0);
  vmcs_guest_state.efer.set(m, state, 0);
  vmcs_guest_state.dr7.set(m, state, DR7_FIXED_1);
  vmcs_guest_state.idt_base.set(m, state, 0);
  vmcs_guest_state.idt_limit.set(m, state, 0);
  setSegments(m, vcpu, (smbase >>> 4) & 0xffff, smbase, FLAT_LIMIT, 0, 0, FLAT_LIMIT);
}

function setSegments(
  m: Machine,
  vcpu: Ref,
  cs_selector: number,
  cs_base: number,
  cs_limit: number,
  ds_selector: number,
  ds_base: number,
  ds_limit: number,
): void {
  const state = host.guestStateOf(vcpu);
  kvm_regs.cs_selector.set(m, host.regsOf(vcpu), cs_selector);
  kvm_regs.cs_base.set(m, host.regsOf(vcpu), cs_base);
  vmcs_guest_state.cs_limit.set(m, state, cs_limit);
  vmcs_guest_state.ds_selector.set(m, state, ds_selector);
  vmcs_guest_state.ds_base.set(m, state, ds_base);
  vmcs_guest_state.ds_limit.set(m, state, ds_limit);
}

/** enter_smm_save_state_64 and _32: the layout follows the guest's CPUID, not its mode. @source x86:SMI-6 */
function save(m: Machine, vcpu: Ref, image: Ref): void {
  const [regs, state] = [host.regsOf(vcpu), host.guestStateOf(vcpu)];
  const long = kvm_vcpu.cpuid_no_lm.get(m, vcpu) === 0;
  smram.revision.set(m, image, long ? SMM_REVISION_64 : SMM_REVISION_32);
  smram.smbase.set(m, image, kvm_vcpu.smbase.get(m, vcpu));
  smram.rflags.set(m, image, RFLAGS_FIXED | (guest_cpu.if.get(m, host.guestOf(vcpu)) ? RFLAGS_IF : 0));
  smram.rip.set(m, image, kvm_regs.rip.get(m, regs));
  smram.cs_selector.set(m, image, kvm_regs.cs_selector.get(m, regs));
  smram.cs_base.set(m, image, kvm_regs.cs_base.get(m, regs));
  smram.int_shadow.set(m, image, kvm_x86_ops.get_interrupt_shadow(m, vcpu));
  for (const field of STATE) smram[field].set(m, image, vmcs_guest_state[field].get(m, state));
  if (!long) smram.efer.set(m, image, 0); // the 32-bit layout has no place for it
}

/** Fields that the image and the VMCS share. */
const STATE = [
  'cr0', 'cr4', 'efer', 'dr7', 'idt_base', 'idt_limit', 'cs_limit', 'ds_selector', 'ds_base', 'ds_limit',
] as const; // prettier-ignore

/**
 * RSM, in SMM. The handler may have changed the image: another SMBASE counts from now on.
 *
 * @returns false when the image cannot be read or does not make a valid state: a triple fault.
 * @source x86:SMI-13; emulator_leave_smm
 */
export function emulator_leave_smm(m: Machine, vcpu: Ref): boolean {
  const image = host.smramOf(vcpu);
  if (!isMemory(kvm_vcpu.smbase.get(m, vcpu))) return false;
  if (!kvm_vcpu.smm_inside_nmi.get(m, vcpu)) kvm_x86_ops.set_nmi_mask(m, vcpu, 0);
  kvm_smm_changed(m, vcpu, 0);
  if (smram.cr4.get(m, image) >= CR4_RESERVED) return false;
  const [regs, state] = [host.regsOf(vcpu), host.guestStateOf(vcpu)];
  for (const field of STATE) vmcs_guest_state[field].set(m, state, smram[field].get(m, image));
  kvm_regs.rip.set(m, regs, smram.rip.get(m, image));
  kvm_regs.cs_selector.set(m, regs, smram.cs_selector.get(m, image));
  kvm_regs.cs_base.set(m, regs, smram.cs_base.get(m, image));
  kvm_vcpu.smbase.set(m, vcpu, smram.smbase.get(m, image));
  kvm_x86_ops.set_interrupt_shadow(m, vcpu, smram.int_shadow.get(m, image));
  guest_cpu.if.set(m, host.guestOf(vcpu), smram.rflags.get(m, image) & RFLAGS_IF ? 1 : 0);
  return true;
}
