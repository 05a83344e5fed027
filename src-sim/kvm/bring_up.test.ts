import { describe, expect, test } from 'vitest';
import { Bench } from '../testing/bench';

type Step = Record<string, unknown>;
const create: Step = { vmm: 'KVM_CREATE_VM', vm: 'td', type: 'KVM_X86_TDX_VM' };
const split: Step = { vmm: 'KVM_CAP_SPLIT_IRQCHIP', vm: 'td' };
const full: Step = { vmm: 'KVM_CREATE_IRQCHIP', vm: 'td' };
const initVm: Step = { vmm: 'KVM_TDX_INIT_VM', vm: 'td' };
const finalize: Step = { vmm: 'KVM_TDX_FINALIZE_VM', vm: 'td' };
const vcpu = (call: string, id = 0, more: Step = {}): Step => ({ vmm: call, vm: 'td', vcpu: id, ...more });
const createVcpu = vcpu('KVM_CREATE_VCPU');
const cpuid = vcpu('KVM_SET_CPUID2');
const initVcpu = vcpu('KVM_TDX_INIT_VCPU');
const region = vcpu('KVM_TDX_INIT_MEM_REGION');
const built = [create, split, initVm, createVcpu, cpuid, initVcpu, region, finalize];

describe('ORD-2: the order of bring-up', () => {
  test.each<[string, string, Step[], Step, string]>([
    ['VCPU-2', 'KVM_CREATE_VCPU before INIT_VM', [create, split], createVcpu, '-EIO'],
    ['VCPU-2', 'KVM_CREATE_VCPU after FINALIZE_VM', built, vcpu('KVM_CREATE_VCPU', 1), '-EIO'],
    ['VCPU-2', 'KVM_CREATE_VCPU after INIT_VM without an irqchip', [create, initVm], createVcpu, '-EINVAL'],
    ['VCPU-2', 'KVM_CREATE_VCPU with the full irqchip', [create, full, initVm], createVcpu, '-EINVAL'],
    [
      'VM-10',
      'KVM_CAP_SPLIT_IRQCHIP after a vCPU exists',
      [create, split, initVm, createVcpu],
      split,
      '-EEXIST',
    ],
    ['VM-10', 'KVM_CAP_SPLIT_IRQCHIP twice', [create, split], split, '-EEXIST'],
    ['VM-10', 'KVM_CAP_SPLIT_IRQCHIP with too many pins', [create], { ...split, pins: 1025 }, '-EINVAL'],
    ['VM-11', 'KVM_CREATE_IRQCHIP after split', [create, split], full, '-EEXIST'],
    ['VM-11', 'KVM_CREATE_IRQCHIP on a TD without vCPUs', [create], full, '0'],
    ['VM-22', 'KVM_TDX_INIT_VM a second time', [create, initVm], initVm, '-EINVAL'],
    ['VM-23', 'KVM_TDX_INIT_VM before the irqchip', [create], initVm, '0'],
    [
      'VCPU-7',
      'KVM_TDX_INIT_VCPU before KVM_SET_CPUID2',
      [create, split, initVm, createVcpu],
      initVcpu,
      '-EINVAL',
    ],
    [
      'VCPU-7',
      'KVM_TDX_INIT_VCPU when CPUID lacks X2APIC',
      [create, split, initVm, createVcpu, { ...cpuid, x2apic: false }],
      initVcpu,
      '-EINVAL',
    ],
    [
      'VCPU-7',
      'KVM_TDX_INIT_VCPU twice',
      [create, split, initVm, createVcpu, cpuid, initVcpu],
      initVcpu,
      '-EINVAL',
    ],
    ['VCPU-6', 'KVM_TDX_INIT_VCPU after FINALIZE_VM', built, initVcpu, '-EINVAL'],
    [
      'VCPU-11',
      'KVM_TDX_INIT_MEM_REGION before INIT_VCPU',
      [create, split, initVm, createVcpu],
      region,
      '-EINVAL',
    ],
    ['VCPU-6', 'KVM_TDX_INIT_MEM_REGION after FINALIZE_VM', built, region, '-EINVAL'],
    ['VM-24', 'KVM_TDX_FINALIZE_VM before INIT_VM', [create], finalize, '-EINVAL'],
    ['VM-24', 'KVM_TDX_FINALIZE_VM a second time', built, finalize, '-EINVAL'],
    [
      'RUN-4',
      'KVM_RUN on the BSP, vCPU not initialized',
      [create, split, initVm, createVcpu],
      vcpu('KVM_RUN'),
      '-EINVAL',
    ],
    ['RUN-4', 'KVM_RUN before FINALIZE_VM', built.slice(0, -1), vcpu('KVM_RUN'), '-EINVAL'],
    [
      'tdx:LAPIC-1',
      'KVM_GET_LAPIC after creation',
      [create, split, initVm, createVcpu],
      vcpu('KVM_GET_LAPIC'),
      '-EINVAL',
    ],
    [
      'VCPU-1',
      'KVM_CREATE_VCPU with an id that exists',
      [create, split, initVm, createVcpu],
      createVcpu,
      '-EEXIST',
    ],
    ['ORD-1', 'KVM_RUN after the canonical order', built, vcpu('KVM_RUN'), 'pending'],
  ])('%s: %s gives %s', (_fact, _what, before, step, result) => {
    const td = new Bench({ vms: { td: 2 } });
    for (const earlier of before) expect(td.does(earlier)).toBe('0');
    expect(td.does(step)).toBe(result);
  });

  test('VCPU-1, tdx:INV-12: a vCPU is created with APICv active whatever inhibits it; its first entry finds out', () => {
    const inhibit = { kvm: 'set_apicv_inhibit', vm: 'td', reason: 'APIC_ID_MODIFIED' };
    const td = new Bench({ vms: { td: 1 } });
    for (const step of [create, split, initVm, inhibit, createVcpu]) td.does(step);
    expect(td.shows('vcpu0.apic.apicv_active')).toBe('1');
    expect(td.shows('vcpu0.requests').split(' ')).toContain('APICV_UPDATE');
    for (const step of built.slice(4)) td.does(step);
    expect(td.shows('td.vm_bugged')).toBe('0');
    expect(td.does(vcpu('KVM_RUN'))).toBe('-EIO');
    expect(td.shows('td.vm_bugged')).toBe('1');
  });

  test('RUN-2: KVM_RUN on an AP without INIT_VCPU blocks, and returns -EINTR on a signal', () => {
    const td = new Bench({ vms: { td: 2 } });
    for (const step of [create, split, initVm, createVcpu, vcpu('KVM_CREATE_VCPU', 1)]) td.does(step);
    expect(td.does(vcpu('KVM_RUN', 1))).toBe('pending');
    td.does(vcpu('signal', 1));
    expect(td.shows('vcpu1.thread.ret')).toBe('-EINTR');
    expect(td.shows('vcpu1.run.exit_reason')).toBe('KVM_EXIT_INTR');
  });

  test('VM-20: an unreadable block is -EFAULT, a hw_error that is not 0 and an unknown command are -EINVAL', () => {
    const bench = new Bench({ vms: { td: 1 } });
    bench.does({ vmm: 'KVM_CREATE_VM', vm: 'td', type: 'KVM_X86_TDX_VM' });
    const command = (id: number, more = {}) =>
      bench.does({ vmm: 'KVM_MEMORY_ENCRYPT_OP', vm: 'td', id, ...more });
    expect(command(1, { readable: false, hw_error: 1 })).toBe('-EFAULT');
    expect(command(1, { hw_error: 1 })).toBe('-EINVAL');
    expect([2, 3, 5, 6, 255].map((id) => command(id))).toEqual(Array(5).fill('-EINVAL'));
    expect(bench.shows('td.td_state')).toBe('UNINITIALIZED');
    expect(command(1)).toBe('0');
    expect(bench.shows('td.td_state')).toBe('INITIALIZED');
  });

  test('VM-20: KVM_MEMORY_ENCRYPT_OP on a plain VM is -ENOTTY, on its vCPU -EINVAL (VCPU-6)', () => {
    const bench = new Bench({ vms: { vmx: 1 } });
    bench.does({ boot: 'vmx', vm: 'vmx', vcpus: 1, run: false });
    expect(bench.does({ vmm: 'KVM_TDX_INIT_VM', vm: 'vmx' })).toBe('-ENOTTY');
    expect(bench.does({ vmm: 'KVM_TDX_INIT_VCPU', vm: 'vmx', vcpu: 0 })).toBe('-EINVAL');
  });

  test('VCPU-4, PI-31: a fresh TD vCPU: base 0xfee00800, BSP 0xfee00900, SVR 0xff, NV 0xf2, SN 0', () => {
    const td = new Bench({ vms: { td: 2 } });
    for (const step of [create, split, initVm, createVcpu, vcpu('KVM_CREATE_VCPU', 1)]) td.does(step);
    expect([td.shows('vcpu0.apic.base'), td.shows('vcpu1.apic.base')]).toEqual(['0xfee00900', '0xfee00800']);
    expect([td.shows('vcpu0.apic.lvt0'), td.shows('vcpu1.apic.lvt0')]).toEqual(['0x700', '0x10000']);
    expect([td.shows('vcpu1.apic.svr'), td.shows('vcpu1.pid.nv'), td.shows('vcpu1.pid.sn')]).toEqual([
      '0xff',
      '0xf2',
      '0',
    ]);
  });

  test('VCPU-9: KVM_TDX_INIT_VCPU sets x2APIC mode and the posted-interrupt fields of the TD VMCS', () => {
    const td = new Bench({ vms: { td: 1 } });
    for (const step of built) td.does(step);
    expect(td.shows('vcpu0.apic.base')).toBe('0xfee00d00');
    expect(td.shows('vcpu0.tdvps.vmcs.nv')).toBe('0xf2');
    expect(td.shows('vcpu0.tdvps.vmcs.desc_addr')).toBe('0x0000000040000000');
    expect(td.shows('vcpu0.tdvps.vmcs.pin_bit')).toBe('1');
    expect(td.events('seamcall').slice(-8)).toEqual([
      'TDH.VP.CREATE', 'TDH.VP.ADDCX', 'TDH.VP.INIT', 'TDH.VP.WR', 'TDH.VP.WR', 'TDH.VP.WR', 'TDH.MEM.PAGE.ADD', 'TDH.MR.FINALIZE',
    ]); // prettier-ignore
  });

  test('an action on a VM or vCPU that is not there is refused with a sentence that says what to do', () => {
    const td = new Bench({ vms: { td: 1 } });
    expect(td.does(initVm)).toBe('refused');
    expect(td.outcome?.say).toContain('KVM_CREATE_VM');
    td.does(create);
    expect(td.does(cpuid)).toBe('refused');
    expect(td.outcome?.say).toContain('KVM_CREATE_VCPU');
    expect(td.does({ ...create, vm: 'other' })).toBe('refused');
  });
});

test('EOI-13, VM-11: since 6.18 KVM_CREATE_IRQCHIP is -ENOTTY on a TD, after -EEXIST; a plain guest has it', () => {
  const bench = new Bench({ vms: { td: 1, vmx: 1 }, switches: { protected_eoi: true } });
  bench.does(create);
  expect(bench.does(full)).toBe('-ENOTTY');
  bench.does(split);
  expect(bench.does(full)).toBe('-EEXIST');
  bench.does({ vmm: 'KVM_CREATE_VM', vm: 'vmx', type: 'KVM_X86_DEFAULT_VM' });
  expect(bench.does({ vmm: 'KVM_CREATE_IRQCHIP', vm: 'vmx' })).toBe('0');
});
