import { describe, expect, test } from 'vitest';
import { Bench } from '../testing/bench';

const VECTOR = 0x31;
const post = (vcpu = 0, vector = VECTOR) => ({
  vmm: 'KVM_SIGNAL_MSI',
  vm: 'td',
  dest: vcpu,
  delivery_mode: 'FIXED',
  vector,
});
/** A TD of two vCPUs, running, whose APICs are enabled. */
function running(): Bench {
  const bench = new Bench({ vms: { td: 2 } });
  bench.does({ boot: 'td', vm: 'td' });
  for (const vcpu of [0, 1]) bench.does({ guest: 'SVR', vm: 'td', vcpu });
  return bench;
}
const [PIR, ON, MODE] = ['td.vcpu0.pid.pir', 'td.vcpu0.pid.on', 'td.vcpu0.mode'];

describe('acceptance at the shadow APIC', () => {
  test('PI-4: every message is traced first, whatever becomes of it', () => {
    const bench = new Bench({ vms: { td: 1 } });
    bench.does({ boot: 'td', vm: 'td', vcpus: 1 });
    const from = bench.mark;
    for (const delivery_mode of ['FIXED', 'SMI', 'EXTINT', 'NMI', 'INIT', 'STARTUP']) {
      bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode, vector: 0x40 });
    }
    const modes = bench.events('kvm_apic_accept_irq', from).map((text) => /\((\w+)\|/.exec(text)?.[1]);
    expect(modes).toEqual(['Fixed', 'SMI', 'ExtINT', 'NMI', 'INIT', 'SIPI']);
  });

  test('PI-5: a level-triggered de-assert is dropped with result 0', () => {
    const bench = running();
    expect(bench.does({ ...post(), trigger_mode: 'LEVEL', level: 0 })).toBe('0');
    expect(bench.does({ ...post(), trigger_mode: 'LEVEL', level: 1 })).toBe('1');
  });

  test('PI-6: before the guest enables its APIC every FIXED interrupt is lost', () => {
    const bench = new Bench({ vms: { td: 1 } });
    bench.does({ boot: 'td', vm: 'td', vcpus: 1 });
    expect(bench.does(post())).toBe('0');
    expect(bench.events('irq_dropped')).toEqual(['vcpu 0 vec 49']);
    bench.does({ guest: 'SVR', vm: 'td', vcpu: 0 });
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('0');
    expect(bench.does(post())).toBe('1');
  });

  test.each([
    ['SMI', '0'],
    ['NMI', '1'],
    ['INIT', '1'],
    ['STARTUP', '1'],
    ['EXTINT', '0'],
  ])('PI-7: delivery mode %s answers %s', (delivery_mode, result) => {
    const bench = running();
    expect(bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode })).toBe(result);
  });

  test('PI-8: the result counts the vCPUs that accepted; a coalesced vector counts; no such id is -1', () => {
    const bench = running();
    expect(bench.does({ ...post(), dest: 0xff })).toBe('2');
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    expect(bench.does(post())).toBe('1');
    expect(bench.does(post())).toBe('1');
    expect(bench.does(post(7))).toBe('-EPERM'); // -1, as the ioctl shows it
  });
});

describe('a post', () => {
  test('PI-10: PIR, then ON, then vcpu->mode; each a step of its own', () => {
    const bench = running();
    bench.starts(post());
    bench.stepTo('vmm', '__vmx_deliver_posted_interrupt', 'set_pir');
    expect([bench.shows(PIR), bench.shows(ON)]).toEqual(['', '0']);
    bench.step('vmm');
    expect([bench.shows(PIR), bench.shows(ON)]).toEqual(['49', '0']);
    bench.step('vmm');
    expect([bench.shows(PIR), bench.shows(ON)]).toEqual(['49', '1']);
    expect(bench.events('ipi_sent')).toEqual([]);
    bench.step('vmm');
    expect(bench.events('ipi_sent')).toEqual(['cpu 1 vector POSTED_INTR']);
  });

  test('PI-3, tdx:INV-29: two posts of one vector before the harvest are one interrupt', () => {
    const bench = running();
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    bench.does(post());
    bench.does(post());
    expect(bench.events('irq_coalesced')).toEqual(['vcpu 0 vec 49']);
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
  });

  test('PI-9: it is traced as accepted, also when it coalesced', () => {
    const bench = running();
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    const from = bench.mark;
    bench.does(post());
    bench.does(post());
    expect(bench.events('kvm_apicv_accept_irq', from)).toHaveLength(2);
  });

  test('PI-11: to a vCPU in guest mode an IPI goes to its CPU, to a sleeping one a wake-up, else nothing', () => {
    const bench = running();
    let from = bench.mark;
    bench.does(post(1));
    expect(bench.events('ipi_sent', from)).toEqual(['cpu 2 vector POSTED_INTR']);
    bench.does({ guest: 'HLT', vm: 'td', vcpu: 1 });
    from = bench.mark;
    bench.does(post(1));
    expect(bench.events('vcpu_woken', from)).toEqual(['vcpu 1']);
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 1 });
    from = bench.mark;
    bench.does(post(1));
    expect([...bench.events('ipi_sent', from), ...bench.events('vcpu_woken', from)]).toEqual([]);
  });

  test('PI-12: it raises no request and kicks nobody', () => {
    const bench = running();
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    const requests = bench.shows('td.vcpu0.requests');
    const from = bench.mark;
    bench.does(post());
    expect(bench.shows('td.vcpu0.requests')).toBe(requests);
    expect(bench.events('kvm_vcpu_kick', from)).toEqual([]);
  });

  test('PI-32: an IPI of the guest costs its sender one TD exit, MSR_WRITE', () => {
    const bench = running();
    const from = bench.mark;
    bench.does({ guest: 'ICR', vm: 'td', vcpu: 0, dest: 1, delivery_mode: 'FIXED', vector: VECTOR });
    expect(bench.events('kvm_exit', from)).toEqual([expect.stringContaining('vcpu 0 reason MSR_WRITE')]);
    expect(bench.shows('td.vcpu1.guest.irqs')).toBe('1');
  });

  test('PI-35: an IPI wakes a halted vCPU that allows interrupts', () => {
    const bench = running();
    bench.does({ guest: 'HLT', vm: 'td', vcpu: 1 });
    bench.does({ guest: 'ICR', vm: 'td', vcpu: 0, dest: 1, delivery_mode: 'FIXED', vector: VECTOR });
    expect(bench.shows('td.vcpu1.mp_state')).toBe('RUNNABLE');
    expect(bench.shows('td.vcpu1.guest.irqs')).toBe('1');
  });

  test('PI-38, TRC-2: the guest gets it without kvm_inj_virq and without an injection count', () => {
    const bench = running();
    bench.does(post());
    expect(bench.events('kvm_inj_virq')).toEqual([]);
    expect(bench.shows('td.vcpu0.stat.irq_injections')).toBe('0');
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
  });
});

describe('a post against an entry', () => {
  /** vCPU 0 out of the guest and on its way in again, stopped before `step` of vcpu_enter_guest. */
  function entering(step: string, routine = 'vcpu_enter_guest'): Bench {
    const bench = running();
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    bench.starts({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    bench.stepTo('td.vcpu0', routine, step);
    return bench;
  }
  /** The whole post, with no step of the vCPU between. */
  function posted(bench: Bench): string[] {
    const from = bench.mark;
    bench.starts(post());
    bench.stepTo('vmm', '__vmx_deliver_posted_interrupt', 'accepted');
    return bench.events('ipi_sent', from);
  }

  test.each([
    ['before the mode store', 'in_guest_mode', 'vcpu_enter_guest', 0],
    ['between mode store and ON read', 'last_test', 'vcpu_enter_guest', 1],
    ['after the ON read', 'seamcall', 'tdh_vp_enter', 1],
  ])('PI-19, PI-20: a post %s is not lost', (_when, step, routine, ipis) => {
    const bench = entering(step, routine);
    expect(posted(bench)).toHaveLength(ipis);
    bench.settle();
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
    expect([bench.shows(PIR), bench.shows(ON)]).toEqual(['', '0']);
  });

  test('PI-15, tdx:INV-1: a notification between the boundary and idling is not slept through', () => {
    const bench = entering('execute', 'guest_run');
    posted(bench);
    bench.settle();
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
    expect([bench.shows(PIR), bench.shows(ON)]).toEqual(['', '0']);
  });

  test('PI-20: a post after the mode is OUTSIDE again waits for the self-IPI of the next entry', () => {
    const bench = running();
    bench.starts({ host: 'IRQ', vm: 'td', vcpu: 0 });
    bench.stepTo('td.vcpu0', 'vcpu_enter_guest', 'exit_irqoff');
    expect(bench.shows(MODE)).toBe('OUTSIDE_GUEST_MODE');
    expect(posted(bench)).toEqual([]);
    const from = bench.mark;
    bench.settle();
    expect(bench.events('ipi_sent', from)).toEqual(['cpu 1 vector POSTED_INTR']);
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
  });

  test('PI-16: a notification that lands in the host does nothing; ON stays for the next entry', () => {
    const bench = running();
    bench.starts({ host: 'IRQ', vm: 'td', vcpu: 0 });
    bench.stepTo('td.vcpu0', 'vcpu_enter_guest', 'exited');
    expect(bench.shows(MODE)).toBe('IN_GUEST_MODE'); // stale: the TD has exited already
    expect(posted(bench)).toEqual(['cpu 1 vector POSTED_INTR']);
    bench.stepTo('td.vcpu0', 'vcpu_enter_guest', 'handle');
    expect(bench.events('irq_handled_by_host').at(-1)).toBe('cpu 1 vector POSTED_INTR');
    expect([bench.shows(PIR), bench.shows(ON)]).toEqual(['49', '1']);
    bench.settle();
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
  });

  test('PI-21, RUN-9: a request that comes after the mode store stops the entry; ON is seen by the next', () => {
    const bench = entering('last_test');
    posted(bench);
    bench.settle(); // finishes the sender
    const again = entering('last_test');
    again.starts({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'INIT' });
    again.stepTo('vmm', '__apic_accept_irq', 'accepted');
    expect(again.shows(MODE)).toBe('EXITING_GUEST_MODE');
    const from = again.mark;
    again.step('td.vcpu0');
    expect(again.shows(MODE)).toBe('OUTSIDE_GUEST_MODE');
    expect(again.events('kvm_entry', from)).toEqual([]);
    again.settle();
    expect(again.events('kvm_entry', from)).toHaveLength(1);
  });

  test('PI-37: after a kick the mode is EXITING_GUEST_MODE: a post then sends no IPI', () => {
    const bench = running();
    bench.starts({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'INIT' });
    bench.stepTo('vmm', 'kvm_vcpu_kick', 'send');
    expect(bench.shows(MODE)).toBe('EXITING_GUEST_MODE');
    bench.settle();
    expect(bench.shows(MODE)).toBe('IN_GUEST_MODE');
  });
});

describe('the descriptor', () => {
  test('PI-31: after KVM_CREATE_VCPU SN is 0 and NDST names the CPU; ON and PIR are 0', () => {
    const bench = running();
    expect([bench.shows('td.vcpu1.pid.sn'), bench.shows('td.vcpu1.pid.ndst')]).toEqual(['0', '2']);
  });

  test('PI-28, tdx:INV-27: NV stays 0xf2 and SN 0 through halt, wake-up and return to userspace', () => {
    const bench = running();
    const seen = new Set<string>();
    bench.onMoment = () => seen.add(`${bench.shows('td.vcpu0.pid.nv')} ${bench.shows('td.vcpu0.pid.sn')}`);
    bench.does({ guest: 'HLT', vm: 'td', vcpu: 0 });
    bench.does(post());
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    expect([...seen]).toEqual(['0xf2 0']);
  });

  test('PI-13: KVM itself never clears ON or PIR of a TD on the run path', () => {
    const bench = running();
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    bench.does(post());
    let harvested = 0;
    bench.onMoment = () => {
      const threads = bench.machine.threads();
      const layer = threads.find(({ name }) => name === 'td.vcpu0')!.layer;
      if (bench.shows(PIR) === '' && layer !== 'guest' && harvested === 0) harvested = -1;
      if (bench.shows(PIR) === '' && layer === 'guest' && harvested === 0) harvested = 1;
    };
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    expect(harvested).toBe(1);
  });
});

describe('HLT of a TD vCPU', () => {
  const halt = (interrupts = 'enabled') => ({ guest: 'HLT', vm: 'td', vcpu: 0, interrupts });

  test('a halted guest executes nothing: it can neither enable nor disable interrupts', () => {
    const bench = running();
    bench.does({ guest: 'HLT', vm: 'td', vcpu: 0, interrupts: 'blocked' });
    expect(bench.does({ guest: 'IF', vm: 'td', vcpu: 0, enabled: true })).toBe('refused');
    expect(bench.shows('td.vcpu0.guest.if')).toBe('0');
  });

  test('HLT-1, HLT-4: it comes by TDVMCALL, counts as a HLT exit and stays in KVM_RUN', () => {
    const bench = running();
    const from = bench.mark;
    bench.does(halt());
    expect(bench.events('guest_ve', from)).toEqual(['vcpu 0 HLT']);
    expect(bench.events('kvm_exit', from)[0]).toContain('reason HLT');
    expect(bench.shows('td.vcpu0.stat.halt_exits')).toBe('1');
    expect(bench.shows('td.vcpu0.thread.status')).toBe('blocked');
    expect(bench.events('kvm_userspace_exit', from)).toEqual([]);
  });

  test.each([
    ['enabled', 'RUNNABLE', '1', ''],
    ['blocked', 'HALTED', '0', '49'],
  ])(
    'HLT-3, HLT-8, tdx:INV-20, tdx:INV-21: interrupts %s: a FIXED post leaves it %s',
    (interrupts, mp_state, irqs, pir) => {
      const bench = running();
      bench.does(halt(interrupts));
      bench.does(post());
      expect(bench.shows('td.vcpu0.mp_state')).toBe(mp_state);
      expect(bench.shows('td.vcpu0.guest.irqs')).toBe(irqs);
      expect(bench.shows(PIR)).toBe(pir);
    },
  );

  test('HLT-10, PEND-1: a post between the TDVMCALL and the test is found: the vCPU does not sleep', () => {
    const bench = running();
    bench.starts(halt());
    bench.stepTo('td.vcpu0', 'tdx_handle_exit', 'dispatch');
    bench.starts(post());
    bench.stepTo('vmm', '__vmx_deliver_posted_interrupt', 'accepted');
    const from = bench.mark;
    bench.settle();
    expect(bench.events('vcpu_sleeps', from)).toEqual([]);
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
  });

  test('HLT-8: a signal ends KVM_RUN with -EINTR and mp_state stays HALTED; RUNNABLE by ioctl lets it enter', () => {
    const bench = running();
    bench.does(halt());
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    expect(bench.shows('td.vcpu0.thread.ret')).toBe('-EINTR');
    expect(bench.shows('td.vcpu0.mp_state')).toBe('HALTED');
    bench.does({ vmm: 'KVM_SET_MP_STATE', vm: 'td', vcpu: 0, mp_state: 'RUNNABLE' });
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    expect(bench.shows('td.vcpu0.thread.status')).toBe('in-guest');
  });

  test('HLT-8, RUN-14: a dead VM does not wake a halted vCPU', () => {
    const bench = running();
    bench.does(halt());
    bench.does({ kvm: 'set_apicv_inhibit', vm: 'td', reason: 'HYPERV' });
    expect(bench.shows('td.vm_bugged')).toBe('1');
    expect(bench.shows('td.vcpu0.thread.status')).toBe('blocked');
  });
});

describe('exits', () => {
  test('EXIT-3, EXIT-17, tdx:INV-24: the host handler of an external interrupt runs before interrupts are on', () => {
    const bench = running();
    const from = bench.mark;
    let interruptsOff: string | null = null;
    bench.onMoment = () => {
      if (interruptsOff === null && bench.events('irq_handled_by_host', from).length > 0) {
        interruptsOff = bench.shows('cpu1.irqs_off');
      }
    };
    bench.does({ host: 'IRQ', vm: 'td', vcpu: 0, vector: 0x41 });
    expect(interruptsOff).toBe('1');
    expect(bench.shows('td.vcpu0.stat.irq_exits')).toBe('1');
    expect(bench.events('kvm_exit', from)[0]).toContain('intr_info 0x80000041');
  });

  test('EXIT-11: an exit that KVM does not know: INTERNAL_ERROR, suberror 4, ndata 2, data[1] = CPU; not dead', () => {
    const bench = running();
    bench.does({ host: 'INIT', vm: 'td', vcpu: 1 });
    const run = 'td.vcpu1.run';
    expect(bench.shows(`${run}.exit_reason`)).toBe('KVM_EXIT_INTERNAL_ERROR');
    expect([bench.shows(`${run}.suberror`), bench.shows(`${run}.ndata`)]).toEqual(['4', '2']);
    expect(bench.shows(`${run}.data1`)).toBe('0x0000000000000002');
    expect(bench.shows('td.vm_dead')).toBe('0');
  });

  test('EOI-1, EOI-2: the guest’s EOI does not exit and kvm_eoi is never traced', () => {
    const bench = running();
    const from = bench.mark;
    bench.does(post());
    expect(bench.events('guest_eoi', from)).toEqual(['vcpu 0 vec 49']);
    expect(bench.events('kvm_exit', from)).toEqual([]);
    expect(bench.events('kvm_eoi')).toEqual([]);
  });

  test('EOI-4, EOI-12: a level-triggered message is posted like an edge one and delivered once', () => {
    const bench = running();
    bench.does({ ...post(), trigger_mode: 'LEVEL' });
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
    bench.does({ guest: 'SVR', vm: 'td', vcpu: 0 });
    expect(bench.shows('td.vcpu0.guest.irqs')).toBe('1');
  });

  test('TRC-3: MSI to a running vCPU: kvm_msi_set_irq, kvm_apic_accept_irq, IPI, kvm_apicv_accept_irq; no exit', () => {
    const bench = running();
    const from = bench.mark;
    bench.does(post());
    const names: string[] = [];
    for (let n = from; n < bench.mark; n++) names.push(bench.machine.trace.event(n).name);
    const order = ['kvm_msi_set_irq', 'kvm_apic_accept_irq', 'ipi_sent', 'kvm_apicv_accept_irq', 'kvm_exit'];
    expect(names.filter((name) => order.includes(name))).toEqual(order.slice(0, 4));
  });

  test('TRC-4: MSI to a vCPU in the host: accepted first, kvm_entry and then the self-IPI at its next entry', () => {
    const bench = running();
    bench.does({ vmm: 'signal', vm: 'td', vcpu: 0 });
    const from = bench.mark;
    bench.does(post());
    bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 });
    const names: string[] = [];
    for (let n = from; n < bench.mark; n++) names.push(bench.machine.trace.event(n).name);
    const order = [
      'kvm_msi_set_irq',
      'kvm_apic_accept_irq',
      'kvm_apicv_accept_irq',
      'kvm_entry',
      'ipi_sent',
      'seamcall',
    ];
    expect(names.filter((name) => order.includes(name))).toEqual(order);
  });

  test('TRC-5: counters that a TD vCPU never moves stay 0', () => {
    const bench = running();
    bench.does(post());
    bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'NMI' });
    bench.does({ guest: 'HLT', vm: 'td', vcpu: 0 });
    for (const counter of ['irq_injections', 'nmi_window_exits', 'irq_window_exits']) {
      expect(bench.shows(`td.vcpu0.stat.${counter}`), counter).toBe('0');
    }
    expect(Number(bench.shows('td.vcpu0.stat.exits'))).toBeGreaterThan(0);
  });
});

describe('a bugged VM', () => {
  test('RUN-1, RUN-6, RUN-14, FATAL-6, tdx:INV-17: -EIO for the running vCPU and for every later ioctl', () => {
    const bench = running();
    bench.does({ kvm: 'set_apicv_inhibit', vm: 'td', reason: 'HYPERV' });
    expect(bench.shows('td.vcpu0.thread.ret')).toBe('-EIO');
    expect(bench.shows('td.vcpu0.run.exit_reason')).toBe('KVM_EXIT_UNKNOWN');
    const from = bench.mark;
    expect(bench.does({ vmm: 'KVM_RUN', vm: 'td', vcpu: 0 })).toBe('-EIO');
    expect(bench.does({ vmm: 'KVM_SIGNAL_MSI', vm: 'td', dest: 0, delivery_mode: 'FIXED' })).toBe('-EIO');
    expect(bench.events('kvm_entry', from)).toEqual([]);
  });
});
