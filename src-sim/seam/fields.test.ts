import { describe, expect, test } from 'vitest';
import { Bench } from '../testing/bench';

/** TDH.VP.RD and TDH.VP.WR: what a host may see and change of a vCPU of a production TD. */

type Params = Record<string, unknown>;
const OK = '0x0000000000000000';
const NOT_WRITABLE = '0xc0000c0100000000';
const NOT_READABLE = '0xc0000c0200000000';
const NOT_VALID = '0xc0000c0300000000';

/** A TD with one vCPU, brought up by KVM and not running. */
function ready(): Bench {
  const bench = new Bench({ vms: { td: 1 } });
  bench.does({ boot: 'td', vm: 'td', vcpus: 1, run: false });
  return bench;
}
/** One that TDH.VP.INIT has just made ready: KVM has written no field of it. */
function fresh(): Bench {
  const bench = new Bench({ vms: { td: 1 } });
  bench.does({ vmm: 'KVM_CREATE_VM', vm: 'td', type: 'KVM_X86_TDX_VM' });
  for (const leaf of ['TDH.MNG.CREATE', 'TDH.MNG.KEY.CONFIG', 'TDH.MNG.ADDCX', 'TDH.MNG.INIT', 'TDH.VP.CREATE', 'TDH.VP.ADDCX', 'TDH.VP.INIT'])
    bench.does({ host: 'SEAMCALL', vm: 'td', vcpu: 0, leaf });
  return bench;
} // prettier-ignore
function access(bench: Bench, leaf: string, field: string, more: Params = {}): string {
  bench.does({ host: 'SEAMCALL', vm: 'td', vcpu: 0, leaf, field, ...more });
  return bench.shows('td.vcpu0.thread.rax');
}
const write = (bench: Bench, field: string, value: number, mask?: number): string =>
  access(bench, 'TDH.VP.WR', field, { value, ...(mask === undefined ? {} : { mask }) });
const r8 = (bench: Bench): number => Number(bench.shows('td.vcpu0.thread.r8'));
function read(bench: Bench, field: string): number {
  expect(access(bench, 'TDH.VP.RD', field)).toBe(OK);
  return r8(bench);
}

describe('reading and writing a field', () => {
  test('TDXM-VCPU-13: the value comes back in R8; a write answers the old one and changes the bits of the mask', () => {
    const bench = ready();
    expect(write(bench, 'POSTED_INTR_NV', 0x35)).toBe(OK);
    expect(r8(bench)).toBe(0xf2);
    expect(read(bench, 'POSTED_INTR_NV')).toBe(0x35);
    expect(write(bench, 'POSTED_INTR_NV', 0xff, 0x0f)).toBe(OK);
    expect(read(bench, 'POSTED_INTR_NV')).toBe(0x3f);
  });

  test('TDXM-VCPU-14: state before field, field before right, right before value', () => {
    const bench = ready();
    expect(access(bench, 'TDH.VP.RD', 'UNKNOWN')).toBe('0xc0000c0000000000');
    expect(access(bench, 'TDH.VP.RD', 'VCPU_STATE')).toBe(NOT_READABLE);
    expect(write(bench, 'UNKNOWN', 1)).toBe('0xc0000c0000000000');
    expect(write(bench, 'POSTED_INTR_NV', 0x1_0000, 0)).toBe(NOT_WRITABLE);
    expect(write(bench, 'POSTED_INTR_NV', 0x100)).toBe(NOT_VALID);
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    bench.does({ host: 'SEAMCALL', vm: 'td', vcpu: 0, leaf: 'TDH.VP.RD', field: 'UNKNOWN', from: 'vmm' });
    expect(bench.shows('vmm.thread.rax')).toBe('0xc000070000000000');
  });

  test('TDXM-VCPU-15: a mask without a writable bit, and a bit beside them that would change', () => {
    const bench = ready();
    expect(write(bench, 'PIN_BASED_CONTROLS', 0, 0)).toBe(NOT_WRITABLE);
    expect(write(bench, 'PIN_BASED_CONTROLS', 0x29, 0x29)).toBe(NOT_WRITABLE);
    expect(write(bench, 'PIN_BASED_CONTROLS', 0x80, 0xff)).toBe(NOT_VALID);
    expect(write(bench, 'PIN_BASED_CONTROLS', 0xa9, 0xff)).toBe(OK);
  });
});

describe('fields', () => {
  test('TDXM-FLD-1, TDXM-NMI-1, TDXM-NMI-3: PEND_NMI is a flag: it can be set, set again, cleared, and read back', () => {
    const bench = ready();
    expect(read(bench, 'PEND_NMI')).toBe(0);
    for (const value of [1, 1, 0x80]) {
      expect(write(bench, 'PEND_NMI', value, 0xff)).toBe(OK);
      expect(read(bench, 'PEND_NMI')).toBe(1);
    }
    expect(bench.events('pend_nmi_kept')).toHaveLength(2);
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    expect(bench.shows('td.vcpu0.guest.nmis')).toBe('1');
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    expect(read(bench, 'PEND_NMI')).toBe(0);
    write(bench, 'PEND_NMI', 1);
    expect(write(bench, 'PEND_NMI', 0)).toBe(OK);
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    expect(bench.shows('td.vcpu0.guest.nmis')).toBe('1');
  });

  test('TDXM-FLD-2, TDXM-FLD-15, TDXM-FLD-16, TDXM-FLD-17: VMXIP counts what is in the virtual IRR above PPR, not the PIR, not IF', () => {
    const bench = ready();
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    bench.does({ guest: 'SVR', vm: 'td', vcpu: 0 });
    bench.does({ guest: 'IF', vm: 'td', vcpu: 0, enabled: false });
    const post = { vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'FIXED', vector: 0x51 };
    const leave = (): string => bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    leave();
    bench.does(post);
    expect([bench.shows('td.vcpu0.pid.on'), read(bench, 'VCPU_STATE_DETAILS')]).toEqual(['1', 0]);
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    leave();
    expect([bench.shows('td.vcpu0.pid.on'), read(bench, 'VCPU_STATE_DETAILS')]).toEqual(['0', 1]);
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    bench.does({ guest: 'WRMSR', vm: 'td', vcpu: 0, msr: 0x808, value: 0x50 });
    leave();
    expect(read(bench, 'VCPU_STATE_DETAILS')).toBe(0);
    expect(write(bench, 'VCPU_STATE_DETAILS', 1)).toBe(NOT_WRITABLE);
  });

  test('TDXM-FLD-3, TDXM-FLD-4: index and CPU of a vCPU can be read, not written', () => {
    const bench = ready();
    expect([read(bench, 'VCPU_INDEX'), read(bench, 'ASSOC_LPID')]).toEqual([0, 1]);
    for (const field of ['VCPU_INDEX', 'ASSOC_LPID']) expect(write(bench, field, 1)).toBe(NOT_WRITABLE);
  });

  test.each([
    ['TDXM-FLD-5', 'VCPU_STATE'],
    ['TDXM-FLD-5', 'VIRTUAL_APIC_PAGE'],
    ['TDXM-FLD-6', 'EOI_EXIT_BITMAP'],
    ['TDXM-NMI-13, TDXM-APIC-12', 'ENTRY_INTERRUPTION_INFO'],
  ])('%s: a host of a production TD can neither read nor write %s', (_id, field) => {
    const bench = ready();
    expect(access(bench, 'TDH.VP.RD', field)).toBe(NOT_READABLE);
    expect(write(bench, field, 1)).toBe(NOT_WRITABLE);
  });

  test('TDXM-FLD-7, TDXM-APIC-9: the notification vector begins as 0xffff and takes 0 to 255', () => {
    const bench = fresh();
    expect(read(bench, 'POSTED_INTR_NV')).toBe(0xffff);
    expect(write(bench, 'POSTED_INTR_NV', 0x100)).toBe(NOT_VALID);
    for (const vector of [0, 255]) expect(write(bench, 'POSTED_INTR_NV', vector)).toBe(OK);
    expect(read(bench, 'POSTED_INTR_NV')).toBe(255);
  });

  test('TDXM-FLD-8, TDXM-APIC-10: the descriptor begins as all ones, wants 64-byte alignment and shared memory', () => {
    const bench = fresh();
    expect(access(bench, 'TDH.VP.RD', 'POSTED_INTR_DESC_ADDR')).toBe(OK);
    expect(bench.shows('td.vcpu0.thread.r8')).toBe('0xffffffffffffffff');
    const all = Number.MAX_SAFE_INTEGER;
    const built = ready();
    const address = (value: number): string => write(built, 'POSTED_INTR_DESC_ADDR', value, all);
    expect(address(0x4000_0040)).toBe(OK);
    expect(read(built, 'POSTED_INTR_DESC_ADDR')).toBe(0x4000_0040);
    expect(address(0x4000_0060)).toBe(NOT_VALID);
    expect(address(2 ** 46)).toBe(NOT_VALID);
    expect(read(built, 'POSTED_INTR_DESC_ADDR')).toBe(0x4000_0040);
  });

  test('TDXM-FLD-9, TDXM-APIC-2, TDXM-APIC-11, TDXM-NUM-14: posting is off at first, and wants vector and then descriptor', () => {
    const bench = fresh();
    expect(read(bench, 'PIN_BASED_CONTROLS')).toBe(0x29);
    const on = (): string => write(bench, 'PIN_BASED_CONTROLS', 0x80, 0x80);
    expect(on()).toBe('0xc000073000000002');
    write(bench, 'POSTED_INTR_NV', 0xf2);
    expect(on()).toBe('0xc000073000002016');
    expect(read(bench, 'PIN_BASED_CONTROLS')).toBe(0x29);
    const other = ready();
    expect(read(other, 'PIN_BASED_CONTROLS')).toBe(0xa9);
    expect(write(other, 'PIN_BASED_CONTROLS', 0, 0x80)).toBe(OK);
    expect(read(other, 'PIN_BASED_CONTROLS')).toBe(0x29);
  });
});
