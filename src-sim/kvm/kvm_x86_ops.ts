import type { Ref } from '../machine/layout';
import type { Machine } from '../machine/machine';
import type { Routine } from '../machine/routine';
import type { Completion } from './kvm_host';

/**
 * What generic x86 code asks of the vendor module, as `struct kvm_x86_ops` does. `vmx/main.ts` fills it in; every op
 * there decides between a TD and a plain VMX guest.
 */
export interface KvmX86Ops {
  /** @returns 0 or a negative errno. */
  vm_init(m: Machine, vm: Ref): number;
  readonly vm_destroy: Routine<'vm'>;
  /** @returns 0 or a negative errno. */
  vcpu_create(m: Machine, vcpu: Ref): number;
  /** The vCPU belongs to this CPU now. */
  vcpu_load(m: Machine, vcpu: Ref, cpu: Ref): void;
  /** What the CPU on which it was before keeps of it is dropped. */
  readonly vcpu_leave_cpu: Routine<'vcpu'>;
  /** @param blocking - whether the vCPU's thread goes to sleep in KVM. */
  vcpu_put(m: Machine, vcpu: Ref, blocking: boolean): void;
  vcpu_reset(m: Machine, vcpu: Ref, init_event: boolean): void;
  /** @returns 1, or what KVM_RUN returns instead of running. */
  vcpu_pre_run(m: Machine, vcpu: Ref): number;
  apic_init_signal_blocked(m: Machine, vcpu: Ref): boolean;
  apicv_pre_state_restore(m: Machine, vcpu: Ref): void;
  refresh_apicv_exec_ctrl(m: Machine, vcpu: Ref): void;
  /** Whether the guest could take a maskable interrupt now, as far as KVM knows. */
  interrupt_allowed(m: Machine, vcpu: Ref): boolean;
  enable_irq_window(m: Machine, vcpu: Ref): void;
  /** Asks to be told when the guest lowers its TPR enough for what waits in the IRR. */
  update_cr8_intercept(m: Machine, vcpu: Ref): void;
  /** Puts the interrupt in `interrupt_nr` into the next entry. */
  readonly inject_irq: Routine<'vcpu' | 'reinjected'>;
  inject_exception(m: Machine, vcpu: Ref): void;
  /** The entry is given up: what it was to inject is injected later. */
  cancel_injection(m: Machine, vcpu: Ref): void;
  /** Merges PIR into the virtual IRR before entry, where KVM may do so. */
  sync_pir_to_irr(m: Machine, vcpu: Ref): void;
  /** Whether an interrupt is there that would end a HLT. */
  has_interrupt(m: Machine, vcpu: Ref): boolean;
  /** Whether the posted-interrupt descriptor holds something. */
  dy_apicv_has_pending_interrupt(m: Machine, vcpu: Ref): boolean;
  /** Whether NMIs are masked, as far as KVM can know. */
  get_nmi_mask(m: Machine, vcpu: Ref): boolean;
  set_nmi_mask(m: Machine, vcpu: Ref, masked: 0 | 1): void;
  /** Blocking by STI and by MOV SS, as KVM_GET_VCPU_EVENTS reports it. */
  get_interrupt_shadow(m: Machine, vcpu: Ref): number;
  set_interrupt_shadow(m: Machine, vcpu: Ref, mask: number): void;
  nmi_allowed(m: Machine, vcpu: Ref): boolean;
  enable_nmi_window(m: Machine, vcpu: Ref): void;
  readonly inject_nmi: Routine<'vcpu'>;
  smi_allowed(m: Machine, vcpu: Ref): boolean;
  /** has_emulated_msr(MSR_IA32_SMBASE): KVM's test for "SMM exists here". */
  has_emulated_smbase(m: Machine, vcpu: Ref): boolean;
  /** Answers the exit fastpath (NUM-14). */
  readonly vcpu_run: Routine<'vcpu' | 'immediate_exit'>;
  /** Takes what userspace has done for the guest. @returns 1 to go on, 0 for another exit. */
  complete_userspace_io(m: Machine, vcpu: Ref, what: Completion): number;
  handle_exit_irqoff(m: Machine, vcpu: Ref): void;
  /** Answers 1 (stay in KVM_RUN), 0 (to userspace) or a negative errno. */
  readonly handle_exit: Routine<'vcpu' | 'fastpath'>;
  readonly deliver_interrupt: Routine<'vcpu' | 'low'>;
  /** The same from interrupt context, where nothing can come between its parts; edge-triggered, FIXED. */
  deliver_interrupt_now(m: Machine, vcpu: Ref, vector: number): void;
  /** Whether the timer vector is on its way into the guest; assumed for a protected LAPIC. */
  timer_int_injected(m: Machine, vcpu: Ref): boolean;
  readonly mem_enc_ioctl: Routine<'vm' | 'arg' | 'arg2'>;
  /** Tells the processor which vectors' EOI must exit. */
  load_eoi_exitmap(m: Machine, vcpu: Ref): void;
  readonly vcpu_mem_enc_ioctl: Routine<'vcpu' | 'arg'>;
}

/** The ops in force. Set once, when the machine's parts are put together. */
export let kvm_x86_ops: KvmX86Ops;
/** As the kernel's kvm_x86_vendor_init. */
export function kvm_x86_vendor_init(ops: KvmX86Ops): void {
  kvm_x86_ops = ops;
}

/** Sub-commands of KVM_MEMORY_ENCRYPT_OP. @source NUM-7 */
export const KVM_TDX_CAPABILITIES = 0;
export const KVM_TDX_INIT_VM = 1;
export const KVM_TDX_INIT_VCPU = 2;
export const KVM_TDX_INIT_MEM_REGION = 3;
export const KVM_TDX_FINALIZE_VM = 4;
