import { bits, flag, gap, num, record, word64 } from '../machine/layout';

/** Mirrors arch/x86/include/asm/posted_intr.h. */

/** Host vectors. @source NUM-12 */
export const POSTED_INTR_VECTOR = 0xf2;
export const POSTED_INTR_WAKEUP_VECTOR = 0xf1;
export const RESCHEDULE_VECTOR = 0xfd;
export const CALL_FUNCTION_VECTOR = 0xfc;
export const LOCAL_TIMER_VECTOR = 0xec;

/** Posted-interrupt descriptor: one per vCPU, shared by KVM, devices, the TDX module and the processor. */
export const pi_desc = record(
  'pi_desc',
  'hardware',
  'Posted-interrupt descriptor',
  {
    pir: bits(256, 'Vectors posted and not yet harvested', { source: 'PI-2' }),
    on: flag('Outstanding notification', { source: 'PI-2' }),
    sn: flag('Suppress notification: devices honour it, KVM does not', { source: 'PI-2' }),
    _reserved0: gap(14),
    nv: num(8, 'Notification vector', { source: 'NUM-12', as: 'hex' }),
    _reserved1: gap(8),
    ndst: num(32, 'APIC id of the CPU to notify', { source: 'PI-2' }),
    _reserved2: gap(192),
  },
  { bits: 512 },
);

/** Where the TDX module's VMCS points for posted interrupts. @source VCPU-9, VCPU-10 */
export const posted_intr_vmcs = record('posted_intr_vmcs', 'seam', 'Posted-interrupt fields of the TD VMCS', {
  nv: num(16, 'POSTED_INTR_NV: notification vector, 0xffff until set', { source: 'VCPU-10', as: 'hex' }),
  desc_addr: word64('POSTED_INTR_DESC_ADDR: address of the PID, all ones until set', { source: 'VCPU-10' }),
  pin_bit: flag('Pin control bit 7: process posted interrupts', { source: 'VCPU-10' }),
});
