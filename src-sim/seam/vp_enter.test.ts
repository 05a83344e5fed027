import { describe, expect, test } from 'vitest';
import { Bench } from '../testing/bench';

/** TDH.VP.ENTER: its checks, what an exit leaves behind, NMIs and #VE on the way. */

const td = { vm: 'td', vcpu: 0 };
const run = { vmm: 'KVM_RUN', ...td };
const msiNmi = { vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'NMI' };
const vmexit = (reason: number) => ({ guest: 'VMEXIT', ...td, reason });
const rax = (bench: Bench, vcpu = 0): string => bench.shows(`td.vcpu${vcpu}.vp_enter_ret`);
const NO_LOCK = ['0', '0'];

function ready(vcpus = 1, invariants = true): Bench {
  const bench = new Bench({ vms: { td: vcpus } }, invariants);
  bench.does({ boot: 'td', vm: 'td', vcpus, run: false });
  return bench;
}
function running(vcpus = 1): Bench {
  const bench = new Bench({ vms: { td: vcpus } });
  bench.does({ boot: 'td', vm: 'td', vcpus });
  return bench;
}
/** Everything that the module keeps of vCPU 0, and the locks. */
function kept(bench: Bench): string[] {
  const { machine } = bench;
  const leaves = machine.layout.leaves.filter(({ path }) => /^td\.vcpu0\.tdvps\./.test(path));
  return leaves.map((leaf) => `${leaf.path} ${machine.show(leaf)}`);
}
function locks(bench: Bench): string[] {
  return [bench.shows('td.vcpu0.tdvps.shared'), bench.shows('td.module.shared')];
}
/** Writes to the state, as nothing in the machine would. */
function poke(bench: Bench, path: string, value: number): void {
  const { ref, field } = bench.machine.layout.find(path)!;
  (field as unknown as { set(m: unknown, r: number, v: number): void }).set(bench.machine, ref, value);
}

describe('the checks of an entry', () => {
  test('TDXM-ENTER-2 to TDXM-ENTER-18, TDXM-ENTER-23, TDXM-LIFE-8, TDXM-RET-1: each hides the ones after it', () => {
    // Everything is wrong at once; what is looked at first is put right first.
    const bench = ready(2, false);
    const wrong: [path: string, bad: number, good: number, status: string][] = [
      ['cpu1.limit_cpuid', 1, 0, '0xc000090100000000'], // TDXM-ENTER-2
      ['td.module.fatal', 1, 0, '0xe000060400000000'], // TDXM-ENTER-6
      ['td.module.lifecycle', 3, 2, '0x8000081000000000'], // TDXM-ENTER-7
      ['td.module.tdcx', 5, 6, '0xc000060600000000'], // TDXM-ENTER-8
      ['td.module.op_state', 1, 2, '0xc000060800000000'], // TDXM-ENTER-10, TDXM-OPST-1
      ['td.vcpu0.tdvps.pages', 4, 5, '0xc000061000000000'], // TDXM-ENTER-11
      ['td.vcpu0.tdvps.state', 4, 2, '0xc000070000000000'], // TDXM-ENTER-12
      ['td.vcpu0.tdvps.assoc', 1, 2, '0x8000070100000000'], // TDXM-ENTER-13
      ['cpu1.tsc_adjusted', 1, 0, '0xc00009200000003b'], // TDXM-ENTER-16
      ['cpu1.tsc_back', 1, 0, '0xc000070600000000'], // TDXM-ENTER-17
      ['cpu1.monitor_off', 1, 0, '0xc0000921000001a0'], // TDXM-ENTER-18
    ];
    for (const [path, bad] of wrong) poke(bench, path, bad);
    for (const [path, , good, status] of wrong) {
      const before = kept(bench);
      bench.does(run);
      expect(rax(bench)).toBe(status);
      expect(kept(bench)).toEqual(before);
      expect(locks(bench)).toEqual(NO_LOCK);
      poke(bench, path, good);
    }
    bench.does(run);
    expect(bench.shows('td.vcpu0.thread.status')).toBe('in-guest');
  });

  test.each([
    ['TDXM-ENTER-2', 'LIMIT_CPUID', '0xc000090100000000'],
    ['TDXM-ENTER-16', 'TSC_ADJUST', '0xc00009200000003b'],
    ['TDXM-ENTER-17', 'TSC_BACK', '0xc000070600000000'],
    ['TDXM-ENTER-18', 'MONITOR_OFF', '0xc0000921000001a0'],
  ])('%s: %s keeps the vCPU out until it is as before', (_id, what, status) => {
    const bench = ready();
    bench.does({ host: 'MSR', ...td, what });
    bench.does(run);
    expect([rax(bench), bench.shows('td.vcpu0.run.data0')]).toEqual([status, status]);
    bench.does({ host: 'MSR', ...td, what, changed: false });
    expect(bench.does(run)).toBe('pending');
  });

  test('TDXM-ENTER-13: the association that an entry has made stays, although the entry fails', () => {
    const bench = ready();
    bench.does({ host: 'SEAMCALL', ...td, leaf: 'TDH.VP.FLUSH' });
    bench.does({ host: 'MSR', ...td, what: 'TSC_BACK' });
    bench.does(run);
    expect([rax(bench), bench.shows('td.vcpu0.tdvps.assoc')]).toEqual(['0xc000070600000000', '2']);
  });

  test('TDXM-VCPU-1, TDXM-ENTER-25: active comes with the commit, after the checks and their locks', () => {
    const bench = ready();
    bench.starts(run);
    bench.stepTo('td.vcpu0', 'tdh_vp_enter', 'commit');
    expect([bench.shows('td.vcpu0.tdvps.state'), ...locks(bench)]).toEqual(['READY', '1', '1']);
    bench.step('td.vcpu0');
    expect(bench.shows('td.vcpu0.tdvps.state')).toBe('ACTIVE');
  });

  test('TDXM-APIC-13: an entry does not look into the PIR: without the notification the vector stays there', () => {
    const bench = ready();
    bench.does(run);
    bench.does({ guest: 'SVR', ...td });
    bench.does({ vmm: 'signal', ...td });
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'FIXED', vector: 0x31 });
    bench.starts(run);
    bench.stepTo('td.vcpu0', 'tdh_vp_enter', 'seamcall');
    poke(bench, 'cpu1.irr', 0xf2); // sets the bit it has already
    const cleared = bench.machine.layout.find('cpu1.irr')!;
    (cleared.field as unknown as { clearAll(m: unknown, r: number): void }).clearAll(bench.machine, cleared.ref);
    bench.settle();
    expect([bench.shows('td.vcpu0.pid.on'), bench.shows('td.vcpu0.pid.pir'), bench.shows('td.vcpu0.guest.irqs')]).toEqual(['1', '49', '0']);
  }); // prettier-ignore

  test('TDXM-APIC-15: a notification that arrives in the host runs the host’s handler and leaves the vCPU alone', () => {
    const bench = ready();
    bench.does(run);
    bench.does({ guest: 'SVR', ...td });
    bench.does({ vmm: 'signal', ...td });
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'FIXED', vector: 0x31 });
    const from = bench.mark;
    bench.does({ host: 'IRQ', ...td, vector: 0xf2 });
    expect(bench.events('irq_handled_by_host', from)).toEqual(['cpu 1 vector POSTED_INTR']);
    expect([bench.shows('td.vcpu0.pid.pir'), bench.shows('td.vcpu0.guest.virr')]).toEqual(['49', '']);
  });
});

describe('what an exit leaves', () => {
  test('TDXM-VCPU-2, TDXM-RET-2, TDXM-RET-3, TDXM-RET-11: the status decides, not the reason', () => {
    for (const [action, status, state, fatal] of [
      [{ host: 'IRQ', ...td }, '0x00000000', 'ACTIVE', '0'], // and entered again
      [vmexit(9), '0x00000000', 'READY', '0'],
      [{ guest: 'TRIPLE_FAULT', ...td }, '0x40000001', 'DISABLED', '0'],
      [vmexit(4), '0x60000002', 'ACTIVE', '1'],
      [vmexit(7), '0x60000002', 'ACTIVE', '1'],
      [{ host: 'MCE', ...td }, '0x60000005', 'ACTIVE', '1'],
    ] as const) {
      const bench = running();
      bench.does(action);
      expect(rax(bench).slice(0, 10)).toBe(status);
      expect([bench.shows('td.vcpu0.tdvps.state'), bench.shows('td.module.fatal')]).toEqual([state, fatal]);
    }
  });

  test('TDXM-OUT-4, TDXM-OUT-9: R8 is the page of an EPT violation, and 0 for every other reason', () => {
    const bench = running();
    bench.does({ vmm: 'KVM_SET_MEMORY_ATTRIBUTES', vm: 'td', page: 3, private: false });
    bench.does({ guest: 'TOUCH', ...td, page: 3, access: 'accept' });
    expect(Number(bench.shows('td.vcpu0.args.r8'))).toBe(0x8000_3000);
    const other = running();
    other.does(vmexit(9));
    expect(Number(other.shows('td.vcpu0.args.r8'))).toBe(0);
  });

  test('TDXM-OUT-15, TDXM-VE-7, TDXM-NUM-3: a TDVMCALL passes what its mask selects; an entry that fails leaves the rest for the next', () => {
    const bench = running();
    bench.does({ guest: 'IO', ...td, direction: 'IN', size: 4 });
    expect([rax(bench), bench.shows('td.vcpu0.args.rcx')]).toEqual(['0x000000000000004d', '0x000000000000fc00']);
    bench.does({ vmm: 'answer', ...td, data: 0x77 });
    bench.does({ host: 'MSR', ...td, what: 'TSC_BACK' });
    bench.does(run);
    expect(rax(bench)).toBe('0xc000070600000000');
    expect(bench.shows('td.vcpu0.tdvps.last_exit_vmcall')).toBe('1');
    bench.does({ host: 'MSR', ...td, what: 'TSC_BACK', changed: false });
    bench.does(run);
    expect([bench.shows('td.vcpu0.guest.r11'), bench.shows('td.vcpu0.guest.rax')]).toEqual(['0x0000000000000077', '0x0000000000000000']);
    expect(bench.shows('td.vcpu0.tdvps.last_exit_vmcall')).toBe('0');
  }); // prettier-ignore

  test('TDXM-VE-8: the module does not look at what a TDVMCALL asks for', () => {
    for (const leaf of [0xffff, 12, 0x1_0003]) {
      const bench = running();
      bench.does({ guest: 'TDVMCALL', ...td, leaf, r12: 0xdead });
      expect(bench.events('seamret').at(-1)).toBe('TDH.VP.ENTER rax 0x000000000000004d');
    }
  });

  test('TDXM-VE-6: a mask with RAX, RCX or RSP is an invalid operand RCX for the guest, and no exit', () => {
    for (const bit of [1, 2, 16]) {
      const bench = running();
      bench.does({ guest: 'TDVMCALL', ...td, leaf: 12, rcx: bit });
      expect(bench.shows('td.vcpu0.guest.rax')).toBe('0xc000010000000001');
      expect(bench.events('kvm_exit')).toEqual([]);
    }
  });
});

describe('a fatal TD', () => {
  test('TDXM-MC-1: bit 0 of the qualification alone makes an SMI an MSMI: no machine check is anywhere', () => {
    const bench = running();
    bench.does({ ...vmexit(6), qualification: 1 });
    expect([rax(bench), bench.shows('td.module.fatal')]).toEqual(['0x6000000500000006', '1']);
    expect(bench.shows('td.poisoned_pages')).toBe('0');
  });

  test('TDXM-MC-2, TDXM-MC-3: detail 5, not 2; both have bit 62', () => {
    const bench = running();
    bench.does({ ...vmexit(6), qualification: 1 });
    const other = running();
    other.does(vmexit(7));
    expect([rax(bench).slice(0, 10), rax(other).slice(0, 10)]).toEqual(['0x60000005', '0x60000002']);
  });

  test('TDXM-MC-6: a machine check during the entry', () => {
    const bench = ready();
    bench.does({ host: 'ENTRY_FAILURE', ...td, reason: 'MCE_DURING_VMENTRY' });
    bench.does(run);
    expect([rax(bench), bench.shows('td.module.fatal')]).toEqual(['0x6000000580000029', '1']);
  });

  test('TDXM-MC-7, TDXM-EXIT-1: a NON_ACCESSIBLE exit saves nothing and passes no register, not even of a TDVMCALL', () => {
    const bench = running(2);
    bench.does({ host: 'MCE', ...td });
    bench.does({ guest: 'TDVMCALL', vm: 'td', vcpu: 1, leaf: 12, r12: 5 });
    expect(rax(bench, 1)).toBe('0x600000050000004d');
    expect([bench.shows('td.vcpu1.tdvps.state'), bench.shows('td.vcpu1.tdvps.last_exit_vmcall')]).toEqual(['ACTIVE', '0']);
    for (const r of ['rcx', 'r11', 'r12']) expect(Number(bench.shows(`td.vcpu1.args.${r}`))).toBe(0);
    expect([bench.shows('td.vcpu1.tdvps.shared'), bench.shows('td.module.shared')]).toEqual(NO_LOCK);
  }); // prettier-ignore

  test('TDXM-MC-8, TDXM-NUM-8, TDXM-NUM-9: its other vCPU runs on, leaves at its next exit, and never comes back', () => {
    const bench = running(2);
    bench.does({ host: 'MCE', ...td });
    expect(bench.events('ipi_sent')).toEqual([]);
    bench.does({ guest: 'WRMSR', vm: 'td', vcpu: 1, msr: 0x808, value: 0x20 });
    expect(bench.shows('td.vcpu1.guest.tpr')).toBe('0x20');
    bench.does({ host: 'IRQ', vm: 'td', vcpu: 1, vector: 0xfd });
    expect(rax(bench, 1)).toBe('0x6000000500000001');
    expect(bench.events('kvm_exit').at(-1)).toContain('intr_info 0x800000fd');
    for (const vcpu of [0, 1]) {
      bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu });
      expect(rax(bench, vcpu)).toBe('0xe000060400000000'); // TDXM-MC-10
    }
    expect([bench.shows('td.vcpu0.tdvps.state'), bench.shows('td.module.shared')]).toEqual(['ACTIVE', '0']);
  });

  test('TDXM-MC-9: an entry that has passed its check before the flag is set goes into the guest, and is caught at its exit', () => {
    const bench = running(2);
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 1 });
    bench.starts({ vmm: 'KVM_RUN', vm: 'td', vcpu: 1, immediate_exit: 0 });
    bench.stepTo('td.vcpu1', 'tdh_vp_enter', 'commit');
    bench.starts({ host: 'MCE', ...td });
    while (bench.shows('td.module.fatal') === '0') bench.step('td.vcpu0');
    bench.step('td.vcpu1');
    bench.step('td.vcpu1');
    expect(bench.shows('cpu2.context')).toBe('SEAM_NON_ROOT');
    bench.settle();
    expect(bench.shows('td.vcpu1.thread.status')).toBe('in-guest');
    bench.does({ host: 'IRQ', vm: 'td', vcpu: 1 });
    expect(rax(bench, 1)).toBe('0x6000000500000001');
  });
});

describe('NMIs into a TD', () => {
  test('TDXM-NMI-4, TDXM-NMI-5: at the entry only a window is asked for; in the window the NMI is injected, and PEND_NMI cleared', () => {
    const bench = ready();
    bench.does({ vmm: 'KVM_NMI', ...td });
    bench.starts(run);
    bench.stepTo('td.vcpu0', 'guest_run', 'resume');
    const state = (): string[] => ['pend_nmi', 'nmi_window'].map((field) => bench.shows(`td.vcpu0.tdvps.${field}`));
    expect([...state(), bench.shows('td.vcpu0.guest.nmis')]).toEqual(['1', '1', '0']);
    bench.stepTo('td.vcpu0', 'tdh_vp_enter', 'inject_nmi');
    expect(state()).toEqual(['1', '1']);
    bench.step('td.vcpu0');
    expect(state()).toEqual(['0', '0']);
    bench.settle();
    expect(bench.shows('td.vcpu0.guest.nmis')).toBe('1');
    expect(bench.events('kvm_exit')).toEqual([]);
  }); // prettier-ignore

  test('TDXM-NMI-9, TDXM-EXIT-17: one is handled, one waits, a third merges with it; the second comes with the IRET', () => {
    const bench = running();
    bench.does({ guest: 'NMI_HANDLER', ...td });
    for (let i = 0; i < 3; i++) bench.does(msiNmi);
    expect([bench.shows('td.vcpu0.guest.nmis'), bench.shows('td.vcpu0.tdvps.pend_nmi')]).toEqual(['1', '1']);
    const from = bench.mark;
    bench.does({ guest: 'IRET', ...td });
    expect([bench.shows('td.vcpu0.guest.nmis'), bench.shows('td.vcpu0.tdvps.pend_nmi')]).toEqual(['2', '0']);
    expect(bench.events('kvm_exit', from)).toEqual([]);
  });

  test('TDXM-NMI-10: a guest that blocks NMIs and one that does not look the same to the host', () => {
    const seen = [true, false].map((stay) => {
      const bench = running();
      bench.does({ guest: 'NMI_HANDLER', ...td, stay });
      bench.does(msiNmi);
      const from = bench.mark;
      bench.does({ host: 'IRQ', ...td });
      return [bench.shows('td.vcpu0.guest.in_nmi'), bench.events('kvm_exit', from), kept(bench)];
    });
    expect([seen[0]![0], seen[1]![0]]).toEqual(['1', '0']);
    expect(seen[0]!.slice(1)).toEqual(seen[1]!.slice(1));
  });

  test('TDXM-NMI-11: nothing in the module wakes a vCPU that the host keeps halted', () => {
    const bench = running();
    bench.does({ guest: 'HLT', ...td });
    bench.does({ host: 'SEAMCALL', ...td, leaf: 'TDH.VP.WR', value: 1, from: 'vmm' });
    expect(bench.shows('vmm.thread.rax')).toBe('0x8000070100000000'); // another CPU's, and asleep there
    expect(bench.shows('td.vcpu0.thread.status')).toBe('blocked');
  });
});

describe('#VE', () => {
  const stays = (): Bench => {
    const bench = running();
    bench.does({ guest: 'VE_HANDLER', ...td });
    bench.does({ guest: 'HLT', ...td });
    expect(bench.shows('td.vcpu0.guest.ve_valid')).toBe('1');
    return bench;
  };

  test('TDXM-VE-3, TDXM-EPT-6, TDXM-INV-20: a second one, with the information of the first waiting, is a #DF', () => {
    const bench = stays();
    bench.does({ guest: 'IO', ...td });
    expect([bench.shows('td.vcpu0.guest.dfs'), bench.events('guest_df')]).toEqual(['1', ['vcpu 0 IO']]);
    bench.does(vmexit(12));
    expect(bench.events('td_exit_handled')).toEqual(['vcpu 0 reason HLT injects #DF']);
    expect(bench.events('kvm_exit')).toEqual([]);
  });

  test('TDXM-VE-5, TDXM-CODE-38: VEINFO.GET frees the place; without information it says so', () => {
    const bench = stays();
    bench.does({ guest: 'VEINFO_GET', ...td });
    expect([bench.shows('td.vcpu0.guest.ve_valid'), Number(bench.shows('td.vcpu0.guest.rax'))]).toEqual([
      '0',
      0,
    ]);
    bench.does({ guest: 'VEINFO_GET', ...td });
    expect(bench.shows('td.vcpu0.guest.rax')).toBe('0xc000070400000000');
    bench.does({ guest: 'IO', ...td });
    expect([bench.shows('td.vcpu0.guest.ve_valid'), bench.shows('td.vcpu0.guest.dfs')]).toEqual(['1', '0']);
  });

  test('TDXM-NMI-6 to TDXM-NMI-8: until then no NMI and no interrupt gets in; right after it the NMI does', () => {
    const bench = running();
    bench.does({ guest: 'SVR', ...td });
    bench.does({ guest: 'VE_HANDLER', ...td });
    bench.does({ guest: 'CPUID', ...td });
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'FIXED', vector: 0x71 });
    bench.does(msiNmi);
    const state = (): string[] => ['guest.nmis', 'guest.irqs', 'tdvps.pend_nmi', 'tdvps.nmi_window'].map((path) => bench.shows(`td.vcpu0.${path}`));
    expect(state()).toEqual(['0', '0', '1', '0']);
    const from = bench.mark;
    bench.does({ guest: 'VEINFO_GET', ...td });
    expect(state()).toEqual(['1', '1', '0', '0']);
    expect(bench.events('kvm_exit', from)).toEqual([]);
  }); // prettier-ignore

  test.each([
    ['HLT', { guest: 'HLT' }],
    ['port I/O', { guest: 'IO' }],
    ['an MSR that is not virtualized', { guest: 'RDMSR', msr: 0x830 }],
    ['a CPUID leaf of the host', { guest: 'CPUID' }],
  ])('TDXM-VE-1: %s is one', (_what, action) => {
    const bench = running();
    bench.does({ ...action, ...td });
    expect(bench.events('guest_ve')).toHaveLength(1);
  });

  test('TDXM-EXIT-3: after an exit that injected nothing the window is asked for again; after an exception it is left alone', () => {
    const bench = running();
    bench.does({ guest: 'NMI_HANDLER', ...td });
    bench.does(msiNmi);
    bench.does(msiNmi);
    for (const [reason, window] of [[10, '1'], [11, '1']] as const) {
      bench.does(vmexit(reason));
      expect(bench.shows('td.vcpu0.tdvps.nmi_window')).toBe(window);
    }
  }); // prettier-ignore
});
