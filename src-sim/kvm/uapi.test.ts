import { describe, expect, test } from 'vitest';
import { Bench } from '../testing/bench';

/** KVM_GET_VCPU_EVENTS and KVM_SET_VCPU_EVENTS of a plain vCPU that is in userspace. */
function ready(switches: Record<string, boolean> = {}): Bench {
  const bench = new Bench({ vms: { vmx: 2 }, switches });
  bench.does({ boot: 'vmx', vm: 'vmx' });
  bench.does({ vmm: 'signal', ...vcpu0 });
  return bench;
}
const vcpu0 = { vm: 'vmx', vcpu: 0 };
const get = { vmm: 'KVM_GET_VCPU_EVENTS', ...vcpu0 };
const set = (events: Record<string, unknown>) => ({ vmm: 'KVM_SET_VCPU_EVENTS', ...vcpu0, ...events });
const run = { vmm: 'KVM_RUN', ...vcpu0 };
const shows = (bench: Bench, field: string): string => bench.shows(`vmx.vcpu0.${field}`);
function reads(bench: Bench, ...fields: string[]): string[] {
  expect(bench.does(get)).toBe('0');
  return fields.map((field) => bench.shows(`reply.${field}`));
}

describe('KVM_GET_VCPU_EVENTS', () => {
  test('x86:UAPI-8: flags are NMI_PENDING, SHADOW and SMM: 0x0d; two more with their capabilities; never SIPI_VECTOR', () => {
    const bench = ready();
    bench.does(set({ sipi_vector: 0x9a }));
    expect(reads(bench, 'events_flags')).toEqual(['0xd']);
    bench.does({ vmm: 'KVM_CAP_EXCEPTION_PAYLOAD', vm: 'vmx' });
    expect(reads(bench, 'events_flags')).toEqual(['0x1d']);
    bench.does({ vmm: 'KVM_CAP_X86_TRIPLE_FAULT_EVENT', vm: 'vmx' });
    expect(reads(bench, 'events_flags')).toEqual(['0x3d']);
  });

  test('x86:UAPI-9: queued NMIs and a requested SMI are processed first', () => {
    const bench = ready();
    for (let i = 0; i < 3; i++) bench.does({ vmm: 'KVM_NMI', ...vcpu0 });
    bench.does({ vmm: 'KVM_SMI', ...vcpu0 });
    expect(reads(bench, 'nmi_pending', 'nmi_injected', 'nmi_masked', 'smi_pending')).toEqual([
      '2',
      '0',
      '0',
      '1',
    ]);
    expect(shows(bench, 'nmi_queued')).toBe('0');
    expect(shows(bench, 'requests')).not.toMatch(/NMI|SMI/);
  });

  test('x86:UAPI-10: smi is SMM, pending, inside NMI, and INIT as latched_init, whether in SMM or not', () => {
    const bench = ready();
    bench.does(set({ smm: 1, smi_pending: 1, smm_inside_nmi: 1 }));
    expect(reads(bench, 'smm', 'smi_pending', 'smm_inside_nmi', 'latched_init')).toEqual([
      '1',
      '1',
      '1',
      '0',
    ]);
    bench.does(set({ smm: 0 }));
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'vmx', dest: 0, delivery_mode: 'INIT' });
    expect(reads(bench, 'smm', 'smi_pending', 'smm_inside_nmi', 'latched_init')).toEqual([
      '0',
      '0',
      '0',
      '1',
    ]);
  });
});

describe('KVM_SET_VCPU_EVENTS', () => {
  test.each([
    ['an unknown flag', { unknown_flag: true }],
    ['PAYLOAD without its capability', { exception_pending: 1, exception_nr: 13 }],
    ['an injected exception above 31', { exception_injected: 1, exception_nr: 32 }],
    ['vector 2 as an exception', { exception_injected: 1, exception_nr: 2 }],
  ])('x86:UAPI-11: %s is -EINVAL before anything has changed', (_what, events) => {
    const bench = ready();
    expect(bench.does(set({ ...events, nmi_injected: 1, smi_pending: 1 }))).toBe('-EINVAL');
    expect(reads(bench, 'nmi_injected', 'smi_pending', 'exception_injected')).toEqual(['0', '0', '0']);
  });

  test('x86:UAPI-11: with the capability a pending exception is taken, and vector 2 or above 31 is not', () => {
    const bench = ready();
    bench.does({ vmm: 'KVM_CAP_EXCEPTION_PAYLOAD', vm: 'vmx' });
    for (const exception_nr of [2, 32])
      expect(bench.does(set({ exception_pending: 1, exception_nr }))).toBe('-EINVAL');
    expect(bench.does(set({ exception_pending: 1, exception_injected: 1, exception_nr: 13 }))).toBe('0');
    expect(reads(bench, 'exception_pending', 'exception_injected', 'exception_nr')).toEqual(['1', '0', '13']);
    bench.does(run);
    expect(shows(bench, 'guest.gps')).toBe('1');
  });

  test('x86:UAPI-12, x86:EDGE-12, x86:TEST-11: a triple fault without its capability is -EINVAL after the rest was stored', () => {
    const bench = ready();
    expect(bench.does(set({ triple_fault: 1, nmi_injected: 1, smi_pending: 1 }))).toBe('-EINVAL');
    expect(reads(bench, 'nmi_injected', 'smi_pending')).toEqual(['1', '1']);
    expect(shows(bench, 'requests')).not.toContain('TRIPLE_FAULT');
  });

  test('x86:UAPI-12, x86:TEST-11: with it the triple fault is pending, is read back, and can be taken away', () => {
    const bench = ready();
    bench.does({ vmm: 'KVM_CAP_X86_TRIPLE_FAULT_EVENT', vm: 'vmx' });
    bench.does(set({ triple_fault: 1 }));
    expect(reads(bench, 'triple_fault')).toEqual(['1']);
    bench.does(set({ triple_fault: 0 }));
    expect(reads(bench, 'triple_fault')).toEqual(['0']);
    bench.does(set({ triple_fault: 1 }));
    bench.does(run);
    expect(shows(bench, 'run.exit_reason')).toBe('KVM_EXIT_SHUTDOWN');
  });

  test.each(['smm', 'smi_pending', 'smm_inside_nmi'])(
    'x86:UAPI-12: without CONFIG_KVM_SMM %s = 1 is -EINVAL after the rest was stored; 0 is 0',
    (field) => {
      const bench = ready({ no_smm: true });
      expect(bench.does(set({ [field]: 1, nmi_injected: 1 }))).toBe('-EINVAL');
      expect(reads(bench, 'nmi_injected', field)).toEqual(['1', '0']);
      expect(bench.does(set({ [field]: 0 }))).toBe('0');
    },
  );

  test('x86:UAPI-13: injected and masked are always applied; NMI_PENDING queues anew what is pending', () => {
    const bench = ready();
    bench.does({ vmm: 'KVM_NMI', ...vcpu0 });
    bench.does(set({ nmi_injected: 1, nmi_masked: 1 }));
    expect(reads(bench, 'nmi_injected', 'nmi_masked', 'nmi_pending')).toEqual(['1', '1', '1']);
    bench.does(set({ nmi_pending: 3 }));
    expect([shows(bench, 'nmi_pending'), shows(bench, 'nmi_queued')]).toEqual(['0', '3']);
    expect(shows(bench, 'requests')).toContain('NMI');
    expect(reads(bench, 'nmi_injected', 'nmi_masked', 'nmi_pending')).toEqual(['0', '0', '2']);
    bench.does(set({ nmi_pending: 0 }));
    expect(reads(bench, 'nmi_pending')).toEqual(['0']);
  });

  test('x86:UAPI-15: with SMM it sets and clears the INIT latch', () => {
    const bench = ready();
    bench.does(set({ latched_init: 1 }));
    expect(shows(bench, 'apic.pending_events')).toBe('INIT');
    bench.does(set({ nmi_pending: 0 }));
    expect(shows(bench, 'apic.pending_events')).toBe('INIT');
    bench.does(set({ smi_pending: 0 }));
    expect(shows(bench, 'apic.pending_events')).toBe('');
  });

  test('x86:UAPI-16: SIPI_VECTOR stores the vector, and no SIPI is pending', () => {
    const bench = ready();
    bench.does(set({ sipi_vector: 0x9a }));
    expect([shows(bench, 'apic.sipi_vector'), shows(bench, 'apic.pending_events')]).toEqual(['0x9a', '']);
  });

  test('x86:UAPI-17: it ends with KVM_REQ_EVENT, unless it failed', () => {
    const bench = ready();
    const pending = (): boolean => shows(bench, 'requests').split(' ').includes('EVENT');
    expect(pending()).toBe(false);
    bench.does(set({ triple_fault: 1 }));
    expect(pending()).toBe(false);
    bench.does(set({}));
    expect(pending()).toBe(true);
  });
});

describe('exits', () => {
  test('x86:UAPI-4: suberrors of KVM_EXIT_INTERNAL_ERROR: 4 for an exit that KVM does not know, 3 in the delivery of an event', () => {
    const bench = ready();
    bench.does(run);
    bench.does({ guest: 'VMEXIT', ...vcpu0, reason: 13 });
    expect(shows(bench, 'run.exit_reason')).toBe('KVM_EXIT_INTERNAL_ERROR');
    expect(shows(bench, 'run.suberror')).toBe('4');
    bench.does({ guest: 'DELIVERY_FAULT', ...vcpu0, exit: 'BUS_LOCK' });
    bench.does({ vmm: 'KVM_NMI', ...vcpu0 });
    bench.does(run);
    expect(shows(bench, 'run.suberror')).toBe('3');
  });
});
