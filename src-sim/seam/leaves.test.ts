import { describe, expect, test } from 'vitest';
import { Bench } from '../testing/bench';

/** SEAMCALLs past KVM: what each leaf wants, in which order it looks, and what it leaves. */

type Params = Record<string, unknown>;
/** Makes a SEAMCALL from the thread of the vCPU, or of the VMM; answers RAX. */
function seamcall(bench: Bench, leaf: string, more: Params = {}): string {
  const vcpu = (more.vcpu as number | undefined) ?? 0;
  bench.does({ host: 'SEAMCALL', vm: 'td', vcpu, leaf, ...more });
  return bench.shows(more.from === 'vmm' ? 'vmm.thread.rax' : `td.vcpu${vcpu}.thread.rax`);
}
const fromVmm = { from: 'vmm' };
const OK = '0x0000000000000000';
const FATAL = '0xe000060400000000';
const WRONG_OP_STATE = '0xc000060800000000';
const WRONG_LIFECYCLE = '0xc000060700000000';
const WRONG_VCPU_STATE = '0xc000070000000000';
const NO_KEYS = '0x8000081000000000';
/** TDX_OPERAND_BUSY, TDX_OPERAND_INVALID and TDX_PAGE_METADATA_INCORRECT with their operand. */
const busy = (operand: string): string => `0x80000200000000${operand}`;
const invalid = (operand: string): string => `0xc0000100000000${operand}`;
const noSuchPage = (operand: string): string => `0xc0000300000000${operand}`;

const create = { vmm: 'KVM_CREATE_VM', vm: 'td', type: 'KVM_X86_TDX_VM' };
/** A TD that KVM has created and that the module does not know. */
function unknownTd(): Bench {
  const bench = new Bench({ vms: { td: 2 } });
  bench.does(create);
  return bench;
}
/** A TD that the module has initialized, without vCPUs. */
function initialized(): Bench {
  const bench = unknownTd();
  for (const leaf of ['TDH.MNG.CREATE', 'TDH.MNG.KEY.CONFIG', 'TDH.MNG.ADDCX', 'TDH.MNG.INIT'])
    expect(seamcall(bench, leaf, fromVmm)).toBe(OK);
  return bench;
}
/** The same with vCPU 0, created, extended and initialized there. */
function withVcpu(): Bench {
  const bench = initialized();
  for (const leaf of ['TDH.VP.CREATE', 'TDH.VP.ADDCX', 'TDH.VP.INIT'])
    expect(seamcall(bench, leaf, fromVmm)).toBe(OK);
  return bench;
}
/** A TD of two vCPUs, brought up by KVM, vCPU 0 running or not. */
function running(run = true): Bench {
  const bench = new Bench({ vms: { td: 2 } });
  bench.does({ boot: 'td', vm: 'td', run: false });
  if (run) bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
  return bench;
}
/** A running TD whose vCPU 0 has taken a machine check, vCPU 1 too when asked for. */
function fatal(): Bench {
  const bench = running();
  bench.does({ host: 'MCE', vm: 'td', vcpu: 0 });
  expect(bench.shows('td.module.fatal')).toBe('1');
  return bench;
}

describe('before any leaf', () => {
  test.each([
    ['a reserved bit of RAX', { leaf: 'TDH.VP.RD', reserved: true }],
    ['a version of a leaf that has none', { leaf: 'TDH.VP.WR', version: 1 }],
    ['a leaf that does not exist', { leaf: 'NONE' }],
  ])('TDXM-MODE-26, TDXM-MODE-27: %s is an invalid operand RAX', (_what, { leaf, ...more }) => {
    expect(seamcall(running(false), leaf, more)).toBe(invalid('00'));
  });

  test('TDXM-MODE-27: that comes before everything the leaf itself would look at', () => {
    const bench = fatal();
    expect(seamcall(bench, 'TDH.VP.WR', { version: 1 })).toBe(invalid('00'));
    expect(seamcall(bench, 'TDH.VP.WR')).toBe(FATAL);
  });

  test('TDXM-MODE-28: leaves with versions take one', () => {
    for (const leaf of ['TDH.VP.RD', 'TDH.MNG.RD'])
      expect(seamcall(running(false), leaf, { version: 1, field: leaf === 'TDH.VP.RD' ? 'PEND_NMI' : 'OP_STATE' })).toBe(OK);
    for (const leaf of ['TDH.VP.FLUSH', 'TDH.MR.FINALIZE'])
      expect(seamcall(running(false), leaf, { version: 1 })).toBe(invalid('00'));
  }); // prettier-ignore

  test('TDXM-LEAF-1: leaf 27 does nothing and succeeds', () => {
    const bench = running(false);
    const module = (): string[] => {
      const { machine } = bench;
      const leaves = machine.layout.leaves.filter(({ path }) => /^td\.module|\.tdvps\./.test(path));
      return leaves.map((leaf) => `${leaf.path} ${machine.show(leaf)}`);
    };
    seamcall(bench, 'TDH.VP.RD');
    const before = module();
    expect(seamcall(bench, 'TDH.MNG.KEY.RECLAIMID')).toBe(OK);
    expect(module()).toEqual(before);
  });

  test('a SEAMCALL says in words what came back', () => {
    const bench = running();
    seamcall(bench, 'TDH.MR.FINALIZE', fromVmm);
    expect(bench.outcome?.say).toBe('TDH.MR.FINALIZE returned TDX_OPERAND_BUSY, RCX (0x8000020000000001).');
  });
});

describe('building a TD', () => {
  test('TDXM-LIFE-1, TDXM-LIFE-2, TDXM-BUILD-2, TDXM-BUILD-4: life cycle and operation state go forward, leaf by leaf', () => {
    const bench = unknownTd();
    const state = (): string[] => [bench.shows('td.module.lifecycle'), bench.shows('td.module.op_state')];
    const seen = [state()];
    for (const leaf of ['TDH.MNG.CREATE', 'TDH.MNG.KEY.CONFIG', 'TDH.MNG.ADDCX', 'TDH.MNG.INIT', 'TDH.VP.CREATE', 'TDH.VP.ADDCX', 'TDH.VP.INIT', 'TDH.MR.FINALIZE']) {
      expect(seamcall(bench, leaf, fromVmm)).toBe(OK);
      seen.push(state());
    }
    expect(seen.map(String)).toEqual([
      'NONE,UNINITIALIZED', 'HKID_ASSIGNED,UNINITIALIZED', 'KEYS_CONFIGURED,UNINITIALIZED', 'KEYS_CONFIGURED,UNINITIALIZED',
      ...Array(4).fill('KEYS_CONFIGURED,INITIALIZED'), 'KEYS_CONFIGURED,RUNNABLE',
    ]);
  }); // prettier-ignore

  test.each([
    ['TDXM-BUILD-1', 'TDH.MNG.CREATE', noSuchPage('01')],
    ['TDXM-BUILD-2', 'TDH.MNG.KEY.CONFIG', WRONG_LIFECYCLE],
    ['TDXM-OPST-15, TDXM-BUILD-4', 'TDH.MNG.INIT', WRONG_OP_STATE],
    ['TDXM-OPST-2, TDXM-BUILD-3', 'TDH.MNG.ADDCX', WRONG_OP_STATE],
  ])('%s: %s of an initialized TD is refused', (_id, leaf, status) => {
    expect(seamcall(initialized(), leaf, fromVmm)).toBe(status);
  });

  test('TDXM-LIFE-8, TDXM-BUILD-3: too early: no key, then no control pages', () => {
    const bench = unknownTd();
    expect(seamcall(bench, 'TDH.MNG.INIT', fromVmm)).toBe(noSuchPage('01'));
    seamcall(bench, 'TDH.MNG.CREATE', fromVmm);
    expect(seamcall(bench, 'TDH.MNG.ADDCX', fromVmm)).toBe(NO_KEYS);
    expect(seamcall(bench, 'TDH.MNG.INIT', fromVmm)).toBe(NO_KEYS);
    seamcall(bench, 'TDH.MNG.KEY.CONFIG', fromVmm);
    expect(seamcall(bench, 'TDH.MNG.INIT', fromVmm)).toBe('0xc000060600000000');
    for (let pages = 6; pages <= 9; pages++) {
      expect(seamcall(bench, 'TDH.MNG.ADDCX', fromVmm)).toBe(OK);
      expect(bench.shows('td.module.tdcx')).toBe(String(pages));
    }
    expect(seamcall(bench, 'TDH.MNG.ADDCX', fromVmm)).toBe('0xc000061000000000');
  });

  test('TDXM-BUILD-6, TDXM-BUILD-7: a vCPU is created uninitialized and free, then gets its pages, once', () => {
    const bench = initialized();
    expect(seamcall(bench, 'TDH.VP.ADDCX', fromVmm)).toBe(noSuchPage('02'));
    expect(seamcall(bench, 'TDH.VP.CREATE', fromVmm)).toBe(OK);
    expect([bench.shows('td.vcpu0.tdvps.state'), bench.shows('td.vcpu0.tdvps.assoc')]).toEqual(['UNINITIALIZED', '0']);
    expect(seamcall(bench, 'TDH.VP.CREATE', fromVmm)).toBe(noSuchPage('01'));
    expect(seamcall(bench, 'TDH.VP.INIT', fromVmm)).toBe('0xc000061000000000');
    expect(seamcall(bench, 'TDH.VP.ADDCX', fromVmm)).toBe(OK);
    expect(seamcall(bench, 'TDH.VP.ADDCX', fromVmm)).toBe('0xc000061000000000');
    expect(bench.shows('td.module.chldcnt')).toBe(String(6 + 1 + 5));
  }); // prettier-ignore

  test('TDXM-BUILD-8, TDXM-BUILD-10, TDXM-FLD-3: initialized, it is ready, belongs to this CPU, and has the next index', () => {
    const bench = withVcpu();
    const vcpu = (field: string): string => bench.shows(`td.vcpu0.tdvps.${field}`);
    expect(['state', 'assoc', 'index', 'pend_nmi'].map(vcpu)).toEqual(['READY', '1', '0', '0']);
    expect([vcpu('vmcs.nv'), vcpu('vmcs.desc_addr'), vcpu('vmcs.pin_bit')]).toEqual(['0xffff', '0xffffffffffffffff', '0']);
    expect([bench.shows('td.vcpu0.guest.virr'), bench.shows('td.vcpu0.guest.visr')]).toEqual(['', '']); // TDXM-APIC-5
    expect(bench.shows('td.vcpu0.guest.ve_valid')).toBe('0');
    expect(seamcall(bench, 'TDH.VP.INIT', fromVmm)).toBe(WRONG_VCPU_STATE);
    for (const leaf of ['TDH.VP.CREATE', 'TDH.VP.ADDCX']) seamcall(bench, leaf, { vcpu: 1, ...fromVmm });
    expect(seamcall(bench, 'TDH.VP.INIT', { vcpu: 1, value: 7, ...fromVmm })).toBe(OK);
    expect([bench.shows('td.vcpu1.tdvps.index'), bench.shows('td.vcpu1.tdvps.x2apic_id')]).toEqual(['1', '7']);
    expect(bench.shows('td.module.num_vcpus')).toBe('2');
  }); // prettier-ignore

  test('TDXM-BUILD-9: a taken x2APIC id and a changed TSC_ADJUST leave the count of vCPUs too high, a full TD does not', () => {
    const bench = withVcpu();
    for (const leaf of ['TDH.VP.CREATE', 'TDH.VP.ADDCX']) seamcall(bench, leaf, { vcpu: 1 });
    expect(seamcall(bench, 'TDH.VP.INIT', { vcpu: 1, value: 0 })).toBe('0xc000062100000000');
    expect(bench.shows('td.module.num_vcpus')).toBe('2');
    expect(seamcall(bench, 'TDH.VP.INIT', { vcpu: 1, value: 1 })).toBe('0xc000070500000000');
    expect(bench.shows('td.module.num_vcpus')).toBe('2');
    const other = initialized();
    for (const leaf of ['TDH.VP.CREATE', 'TDH.VP.ADDCX']) seamcall(other, leaf);
    other.does({ host: 'MSR', vm: 'td', vcpu: 0, what: 'TSC_ADJUST' });
    expect(seamcall(other, 'TDH.VP.INIT')).toBe('0xc00009200000003b');
    expect([other.shows('td.module.num_vcpus'), other.shows('td.vcpu0.tdvps.state')]).toEqual(['1', 'UNINITIALIZED']);
  }); // prettier-ignore

  test('TDXM-BUILD-14, TDXM-BUILD-15: the count of vCPUs alone decides about MR.FINALIZE, also one that is left over', () => {
    const bench = initialized();
    expect(seamcall(bench, 'TDH.MR.FINALIZE', fromVmm)).toBe('0xc000060900000000');
    for (const leaf of ['TDH.VP.CREATE', 'TDH.VP.ADDCX']) seamcall(bench, leaf);
    expect(seamcall(bench, 'TDH.MR.FINALIZE', fromVmm)).toBe('0xc000060900000000');
    bench.does({ host: 'MSR', vm: 'td', vcpu: 0, what: 'TSC_ADJUST' });
    seamcall(bench, 'TDH.VP.INIT'); // refused, but counted
    expect(seamcall(bench, 'TDH.MR.FINALIZE', fromVmm)).toBe(OK);
    expect(bench.shows('td.vcpu0.tdvps.state')).toBe('UNINITIALIZED');
  });

  test.each([
    ['TDXM-OPST-3', 'TDH.MEM.PAGE.ADD', OK, WRONG_OP_STATE],
    ['TDXM-OPST-5', 'TDH.VP.ADDCX', OK, WRONG_OP_STATE],
    ['TDXM-OPST-7', 'TDH.MEM.PAGE.AUG', OK, OK],
    ['TDXM-OPST-9', 'TDH.VP.CREATE', OK, WRONG_OP_STATE],
    ['TDXM-OPST-13', 'TDH.MR.FINALIZE', OK, WRONG_OP_STATE],
    ['TDXM-OPST-10', 'TDH.VP.RD', OK, OK],
    ['TDXM-OPST-11', 'TDH.VP.WR', OK, OK],
    ['TDXM-OPST-14', 'TDH.VP.FLUSH', OK, OK],
  ])('%s, TDXM-OPST-21: %s while building: %s, once runnable: %s', (_id, leaf, building, runnable) => {
    for (const [finalize, status] of [[false, building], [true, runnable]] as const) {
      const bench = withVcpu();
      const target = leaf === 'TDH.VP.CREATE' || leaf === 'TDH.VP.ADDCX' ? 1 : 0;
      if (leaf === 'TDH.VP.ADDCX') seamcall(bench, 'TDH.VP.CREATE', { vcpu: 1, ...fromVmm });
      if (finalize) seamcall(bench, 'TDH.MR.FINALIZE', fromVmm);
      expect(seamcall(bench, leaf, { vcpu: target, value: 1, ...fromVmm })).toBe(status);
    }
  }); // prettier-ignore

  test('TDXM-OPST-16, TDXM-OPST-22: no vCPU can be added to a finalized TD, not even one that was begun', () => {
    const bench = withVcpu();
    for (const leaf of ['TDH.VP.CREATE', 'TDH.VP.ADDCX']) seamcall(bench, leaf, { vcpu: 1, ...fromVmm });
    seamcall(bench, 'TDH.MR.FINALIZE', fromVmm);
    expect(seamcall(bench, 'TDH.VP.INIT', { vcpu: 1, value: 1, ...fromVmm })).toBe(WRONG_OP_STATE);
  });

  test('TDXM-OPST-10: an uninitialized TD can be read by nobody', () => {
    const bench = unknownTd();
    for (const leaf of ['TDH.MNG.CREATE', 'TDH.MNG.KEY.CONFIG', 'TDH.MNG.ADDCX'])
      seamcall(bench, leaf, fromVmm);
    expect(seamcall(bench, 'TDH.MNG.RD', { field: 'OP_STATE', ...fromVmm })).toBe(WRONG_OP_STATE);
  });

  test('TDXM-LIFE-5: the host reads life cycle and operation state', () => {
    const bench = running(false);
    const read = (field: string): string => {
      expect(seamcall(bench, 'TDH.MNG.RD', { field })).toBe(OK);
      return bench.shows('td.vcpu0.thread.r8');
    };
    expect(['FATAL', 'LIFECYCLE_STATE', 'OP_STATE'].map(read).map(Number)).toEqual([0, 1, 2]);
    expect(seamcall(bench, 'TDH.MNG.RD', { field: 'PEND_NMI' })).toBe('0xc0000c0000000000');
  });

  test('KVM builds it in the same way', () => {
    expect(running(false).events('seamcall').slice(0, 7)).toEqual([
      'TDH.MNG.CREATE', 'TDH.MNG.KEY.CONFIG', 'TDH.MNG.ADDCX', 'TDH.MNG.INIT', 'TDH.VP.CREATE', 'TDH.VP.ADDCX', 'TDH.VP.INIT',
    ]);
  }); // prettier-ignore
});

describe('who may use a vCPU', () => {
  const assoc = (bench: Bench): string[] => [
    bench.shows('td.vcpu0.tdvps.assoc'),
    bench.shows('td.module.num_assoc_vcpus'),
  ];

  test('TDXM-VCPU-4, TDXM-VCPU-5, TDXM-TEAR-1: it belongs to the CPU that used it, until that CPU flushes it', () => {
    const bench = running(false);
    expect(assoc(bench)).toEqual(['2', '2']);
    expect(seamcall(bench, 'TDH.VP.FLUSH', fromVmm)).toBe('0x8000070200000000');
    expect(seamcall(bench, 'TDH.VP.FLUSH')).toBe(OK);
    expect(assoc(bench)).toEqual(['0', '1']);
    expect(seamcall(bench, 'TDH.VP.FLUSH')).toBe('0x8000070200000000');
    expect(seamcall(bench, 'TDH.VP.RD', fromVmm)).toBe(OK);
    expect(assoc(bench)).toEqual(['1', '2']);
  });

  test('TDXM-VCPU-6, TDXM-VCPU-10, TDXM-ENTER-13: on another CPU it is refused, and so is its entry by KVM', () => {
    const bench = running(false);
    expect(seamcall(bench, 'TDH.VP.WR', { value: 1, ...fromVmm })).toBe('0x8000070100000000');
    seamcall(bench, 'TDH.VP.FLUSH');
    expect(seamcall(bench, 'TDH.VP.WR', { value: 1, ...fromVmm })).toBe(OK);
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    expect(bench.shows('td.vcpu0.run.data0')).toBe('0x8000070100000000');
  });

  test('TDXM-VCPU-7, TDXM-NMI-2: one that runs elsewhere is in the wrong state, which is looked at first', () => {
    const bench = running();
    for (const leaf of ['TDH.VP.RD', 'TDH.VP.WR'])
      expect(seamcall(bench, leaf, { value: 1, ...fromVmm })).toBe(WRONG_VCPU_STATE);
    expect(bench.shows('td.vcpu0.tdvps.pend_nmi')).toBe('0');
  });

  test('TDXM-VCPU-8, TDXM-MC-15, TDXM-RET-6, TDXM-RET-14: a disabled vCPU can be read and flushed, and counts as before', () => {
    const bench = running();
    bench.does({ guest: 'TRIPLE_FAULT', vm: 'td', vcpu: 0 });
    expect(bench.shows('td.vcpu0.tdvps.state')).toBe('DISABLED');
    expect([bench.shows('td.module.num_vcpus'), ...assoc(bench)]).toEqual(['2', '2', '2']);
    expect(seamcall(bench, 'TDH.VP.RD')).toBe(OK);
    expect(seamcall(bench, 'TDH.VP.WR', { value: 1 })).toBe(WRONG_VCPU_STATE);
    expect(seamcall(bench, 'TDH.VP.FLUSH')).toBe(OK); // TDXM-TEAR-2
  });

  test('TDXM-VCPU-9: it moves even if the call that took it fails', () => {
    const bench = running(false);
    seamcall(bench, 'TDH.VP.FLUSH');
    expect(seamcall(bench, 'TDH.VP.RD', { field: 'UNKNOWN', ...fromVmm })).toBe('0xc0000c0000000000');
    expect(assoc(bench)).toEqual(['1', '2']);
    expect(seamcall(bench, 'TDH.VP.RD')).toBe('0x8000070100000000');
  });

  test('KVM flushes a vCPU on the CPU on which it initialized it before it enters it on another', () => {
    const bench = new Bench({ vms: { td: 2 } });
    for (const step of [create, { vmm: 'KVM_CAP_SPLIT_IRQCHIP', vm: 'td' }, { vmm: 'KVM_TDX_INIT_VM', vm: 'td' }]) bench.does(step);
    for (const vcpu of [0, 1]) for (const vmm of ['KVM_CREATE_VCPU', 'KVM_SET_CPUID2']) bench.does({ vmm, vm: 'td', vcpu });
    bench.does({ vmm: 'KVM_TDX_INIT_VCPU', vm: 'td', vcpu: 0 });
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 1 }); // not initialized yet: it sleeps, and holds vcpu->mutex
    bench.does({ vmm: 'KVM_TDX_INIT_VCPU', vm: 'td', vcpu: 1 }); // so the VMM's own thread makes the call
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 1 });
    expect(bench.shows('td.vcpu1.tdvps.assoc')).toBe('1');
    for (const vmm of ['KVM_TDX_INIT_MEM_REGION']) bench.does({ vmm, vm: 'td', vcpu: 0 });
    bench.does({ vmm: 'KVM_TDX_FINALIZE_VM', vm: 'td' });
    const from = bench.mark;
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 1 });
    expect(bench.events('seamcall', from)).toEqual(['TDH.VP.FLUSH', 'TDH.VP.ENTER']);
    expect(bench.shows('td.vcpu1.tdvps.assoc')).toBe('3');
  }); // prettier-ignore
});

describe('locks', () => {
  test('TDXM-ENTER-26, TDXM-ENTER-27, TDXM-OPND-2, TDXM-OPND-4, TDXM-LMX-11, TDXM-LOCK-9: a running vCPU holds itself and its TD shared', () => {
    const bench = running();
    expect([bench.shows('td.vcpu0.tdvps.shared'), bench.shows('td.module.shared')]).toEqual(['1', '1']);
    for (const leaf of ['TDH.MR.FINALIZE', 'TDH.MNG.INIT', 'TDH.MNG.KEY.CONFIG', 'TDH.MNG.VPFLUSHDONE', 'TDH.MNG.KEY.FREEID'])
      expect(seamcall(bench, leaf, fromVmm), leaf).toBe(busy('01'));
    for (const leaf of ['TDH.MEM.PAGE.ADD', 'TDH.MNG.ADDCX']) expect(seamcall(bench, leaf, fromVmm), leaf).toBe(busy('02'));
    expect(seamcall(bench, 'TDH.VP.FLUSH', fromVmm)).toBe(busy('01')); // TDXM-TEAR-3
    expect(seamcall(bench, 'TDH.VP.ADDCX', fromVmm)).toBe(busy('02'));
    // Whoever shares is served: another page, another vCPU.
    expect(seamcall(bench, 'TDH.MEM.PAGE.AUG', { value: 1, ...fromVmm })).toBe(OK);
    expect(seamcall(bench, 'TDH.VP.RD', { vcpu: 1 })).toBe(OK);
  }); // prettier-ignore

  test('TDXM-TEAR-3: flushing a vCPU that runs on another CPU is busy, in a TD whose other vCPU runs it is not', () => {
    const bench = running();
    expect(seamcall(bench, 'TDH.VP.FLUSH', fromVmm)).toBe(busy('01'));
    expect(seamcall(bench, 'TDH.VP.FLUSH', { vcpu: 1 })).toBe(OK);
  });

  test('TDXM-BUILD-8, TDXM-OPND-3: TDH.VP.INIT names the TD that it cannot have to itself', () => {
    const bench = running();
    expect(seamcall(bench, 'TDH.VP.INIT', { vcpu: 1 })).toBe(busy('80'));
  });

  test('TDXM-RET-12: every exit gives them back, a fatal one too', () => {
    const bench = fatal();
    expect([bench.shows('td.vcpu0.tdvps.shared'), bench.shows('td.module.shared')]).toEqual(['0', '0']);
    expect(seamcall(bench, 'TDH.MR.FINALIZE', fromVmm)).toBe(FATAL);
  });

  test('TDXM-MC-12: while a vCPU of a fatal TD runs, who needs the TD alone is told busy, and not that it is fatal', () => {
    const bench = running();
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 1 });
    bench.does({ host: 'MCE', vm: 'td', vcpu: 0 });
    expect(seamcall(bench, 'TDH.MR.FINALIZE', fromVmm)).toBe(busy('01'));
    expect(seamcall(bench, 'TDH.MEM.PAGE.AUG', { value: 1, ...fromVmm })).toBe(FATAL);
  });
});

describe('a fatal TD', () => {
  test.each([
    'TDH.MNG.KEY.CONFIG', 'TDH.MNG.ADDCX', 'TDH.MNG.INIT', 'TDH.MNG.RD', 'TDH.MEM.PAGE.ADD', 'TDH.MEM.PAGE.AUG', 'TDH.MR.FINALIZE',
    'TDH.VP.ADDCX', 'TDH.VP.INIT', 'TDH.VP.RD', 'TDH.VP.WR',
  ])('TDXM-MC-11, TDXM-LIFE-6: %s is refused with TDX_TD_FATAL', (leaf) => {
    expect(seamcall(fatal(), leaf, { ...fromVmm, ...(leaf === 'TDH.MNG.RD' ? { field: 'FATAL' } : {}) })).toBe(FATAL);
  }); // prettier-ignore

  test('TDXM-TEAR-2, TDXM-TEAR-11, TDXM-LIFE-9: it can be taken down, and says TD_FATAL all the way', () => {
    const bench = fatal();
    expect(bench.shows('td.vcpu0.tdvps.state')).toBe('ACTIVE');
    expect(seamcall(bench, 'TDH.VP.FLUSH')).toBe(OK);
    expect(seamcall(bench, 'TDH.VP.FLUSH', { vcpu: 1 })).toBe(OK);
    for (const leaf of ['TDH.MNG.VPFLUSHDONE', 'TDH.PHYMEM.CACHE.WB', 'TDH.MNG.KEY.FREEID'])
      expect(seamcall(bench, leaf, fromVmm)).toBe(OK);
    expect(seamcall(bench, 'TDH.MR.FINALIZE', fromVmm)).toBe(FATAL);
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 1 });
    expect(bench.shows('td.vcpu1.vp_enter_ret')).toBe(FATAL);
  });
});

describe('taking a TD down', () => {
  test('TDXM-TEAR-4 to TDXM-TEAR-7, TDXM-TEAR-10, TDXM-NUM-10, TDXM-NUM-11: flush, block, write back, free, reclaim', () => {
    const bench = running(false);
    const lifecycle = (): string => bench.shows('td.module.lifecycle');
    const td = (leaf: string, more: Params = {}): string => seamcall(bench, leaf, { ...fromVmm, ...more });
    expect(td('TDH.MNG.VPFLUSHDONE')).toBe('0x8000082400000000');
    for (const vcpu of [0, 1]) expect(seamcall(bench, 'TDH.VP.FLUSH', { vcpu })).toBe(OK);
    expect(td('TDH.PHYMEM.CACHE.WB')).toBe('0x0000082100000000');
    expect(td('TDH.MNG.KEY.FREEID')).toBe(WRONG_LIFECYCLE);
    expect(td('TDH.MNG.VPFLUSHDONE')).toBe(OK);
    expect(td('TDH.MNG.VPFLUSHDONE')).toBe(WRONG_LIFECYCLE);
    expect(lifecycle()).toBe('BLOCKED');
    expect(seamcall(bench, 'TDH.VP.RD')).toBe(NO_KEYS);
    expect(td('TDH.MNG.KEY.FREEID')).toBe('0x8000081700000000');
    expect(td('TDH.PHYMEM.CACHE.WB', { value: 2 })).toBe(invalid('01'));
    expect(td('TDH.PHYMEM.CACHE.WB', { value: 1 })).toBe('0xc000082300000000');
    expect(td('TDH.PHYMEM.CACHE.WB')).toBe(OK);
    expect(td('TDH.PHYMEM.PAGE.RECLAIM')).toBe(WRONG_LIFECYCLE);
    expect(td('TDH.MNG.KEY.FREEID')).toBe(OK);
    expect(lifecycle()).toBe('TEARDOWN');
    expect(td('TDH.PHYMEM.PAGE.RECLAIM', { root: true })).toBe('0xc000040000000000');
    for (let pages = Number(bench.shows('td.module.chldcnt')); pages > 0; pages--)
      expect(td('TDH.PHYMEM.PAGE.RECLAIM')).toBe(OK);
    expect(td('TDH.PHYMEM.PAGE.RECLAIM')).toBe(noSuchPage('01'));
    expect(td('TDH.PHYMEM.PAGE.RECLAIM', { root: true })).toBe(OK);
    expect(td('TDH.MNG.KEY.FREEID')).toBe(noSuchPage('01'));
  });

  test('TDXM-ENTER-7: a TD whose key is blocked cannot be entered', () => {
    const bench = running(false);
    for (const vcpu of [0, 1]) seamcall(bench, 'TDH.VP.FLUSH', { vcpu });
    seamcall(bench, 'TDH.MNG.VPFLUSHDONE', fromVmm);
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    expect(bench.shows('td.vcpu0.vp_enter_ret')).toBe(NO_KEYS);
  });
});
