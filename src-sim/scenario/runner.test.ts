import { describe, expect, test } from 'vitest';
import { thread } from '../machine/machine';
import { HOST_KERNEL, pcpu } from '../platform/pcpu';
import { tdh_vp_enter } from '../seam/vp_enter';
import { defect, withDefects } from '../testing/defect';
import { explain } from './errors';
import { playScenario, runScenario, RUN_LIMITS } from './runner';
import { faultReport, FaultReport, Report } from './runner-report';
import { reportText } from './runner-text';
import { parseScenario, type Scenario } from './scenario';

/** A scenario on a TD of two vCPUs and a plain guest of two; its first step begins in line 5. */
function scenario(rest: string, steps = ''): Scenario {
  const text = `seamlab: scenario/1\ntitle: A test\nplatform: { vms: { td: 2, vmx: 2 } }\nsteps:\n${steps || '  []'}\n${rest}`;
  const parsed = parseScenario(text);
  if (!parsed.ok) throw new Error(parsed.errors.map(explain).join('\n'));
  return parsed.value;
}
const run = (steps: string, rest = ''): Report => runScenario(scenario(rest, steps));
const judged = ({ expectations }: Report): boolean[] => expectations.map(({ holds }) => holds);

describe('what an expectation is about', () => {
  test('of a step: that step; alone, or at the end: everything since power-on', () => {
    const report = run(
      `  - { boot: td, vm: td, run: false, expect: [{ event: KVM_CREATE_VM }] }
  - { vmm: KVM_GET_MP_STATE, vm: td, vcpu: 0, expect: [{ event: KVM_CREATE_VM }] }
  - { expect: [{ event: KVM_CREATE_VM }, { path: td.td_state, is: INITIALIZED, when: ever }] }
  - { vmm: KVM_GET_MP_STATE, vm: td, vcpu: 0, expect: [{ path: td.td_state, is: INITIALIZED, when: ever }] }`,
      'expect: [{ event: KVM_CREATE_VM, count: 1 }, { event: KVM_GET_MP_STATE, type: action, count: 2 }]',
    );
    expect(judged(report)).toEqual([true, false, true, true, false, true, true]);
    expect(report.expectations.map(({ step }) => step)).toEqual([1, 2, 3, 3, 4, null, null]);
    expect(report.outcome).toBe('failed');
  });

  test('one that stands alone is judged where it stands', () => {
    const report = run(`  - { expect: [{ absent: { event: KVM_CREATE_VM } }] }
  - { boot: td, vm: td, run: false }
  - { expect: [{ absent: { event: KVM_CREATE_VM } }] }`);
    expect(judged(report)).toEqual([true, false]);
  });

  test('a failed one says what was expected, what was there, and where it went wrong', () => {
    const { report, timeline } = playScenario(
      scenario(
        '',
        `  - { boot: td, vm: td }\n  - { expect: [{ path: td.vcpu1.mp_state, is: UNINITIALIZED }] }`,
      ),
    );
    const [failed] = report.expectations;
    expect(failed).toMatchObject({
      holds: false,
      line: 6,
      column: 16,
      expected: 'td.vcpu1.mp_state is UNINITIALIZED',
      observed: 'RUNNABLE',
    });
    const leaf = timeline.machine.layout.find('td.vcpu1.mp_state')!;
    timeline.jump(failed!.moment! - 1);
    expect(timeline.machine.show(leaf)).toBe('UNINITIALIZED');
    timeline.jump(failed!.moment!);
    expect(timeline.machine.show(leaf)).toBe('RUNNABLE');
  });
});

describe('steps', () => {
  test('an action that is held only begins', () => {
    const report = run(`  - { boot: td, vm: td, run: false }
  - { vmm: KVM_RUN, vm: td, vcpu: 0, hold: true, expect: [{ outcome: pending }, { absent: { event: kvm_entry } }] }
  - { sched: until, thread: td.vcpu0, event: kvm_entry, expect: [{ event: kvm_entry, count: 1 }] }
  - { sched: run, expect: [{ path: cpu1.context, is: SEAM_NON_ROOT }] }`);
    expect(report.outcome).toBe('held');
    const [, held, until] = report.steps;
    expect(held!.to - held!.from).toBe(1);
    expect(report.trace.findLast(({ moment }) => moment <= until!.to)).toMatchObject({ name: 'kvm_entry' });
  });

  test('sched step takes exactly so many steps', () => {
    const report = run(`  - { boot: td, vm: td, run: false }
  - { vmm: KVM_RUN, vm: td, vcpu: 0, hold: true }
  - { sched: step, thread: td.vcpu0, times: 3 }`);
    const [, , taken] = report.steps;
    expect(taken).toMatchObject({ outcome: 'done', command: 'sched step thread=td.vcpu0 times=3' });
    expect(taken!.to - taken!.from).toBe(3);
  });

  test('a thread that cannot step as the file says fails the run, and the run goes on', () => {
    const report = run(`  - { sched: step, thread: vmm }
  - { boot: td, vm: td }
  - { sched: until, thread: td.vcpu0, event: kvm_exit }
  - { sched: step, thread: td.vcpu1, times: 2 }`);
    expect(report.outcome).toBe('failed');
    expect(report.steps.map(({ outcome }) => outcome)).toEqual(['stuck', 'pending', 'stuck', 'stuck']);
    expect(report.steps[0]!.say).toBe('vmm cannot step after 0 of 1 steps: it is idle.');
    expect(report.steps[2]!.say).toBe('td.vcpu0 cannot step before kvm_exit: it is in-guest.');
  });

  test('an action that is refused says why', () => {
    const report = run('  - { vmm: KVM_TDX_INIT_VM, vm: td, expect: [{ outcome: refused }] }');
    expect(report.steps[0]).toMatchObject({
      outcome: 'refused',
      value: null,
      say: expect.stringContaining('KVM_CREATE_VM'),
    });
    expect(report.outcome).toBe('held');
  });
});

describe('limits', () => {
  test('x86:SIPI-30: a run loop that spins for ever ends with outcome limit, and says how far it came', () => {
    const report = run(
      `  - { boot: vmx, vm: vmx, run: false }
  - { vmm: KVM_SET_MP_STATE, vm: vmx, vcpu: 1, mp_state: INIT_RECEIVED }
  - { vmm: KVM_NMI, vm: vmx, vcpu: 1 }
  - { vmm: KVM_RUN, vm: vmx, vcpu: 1 }
  - { vmm: KVM_GET_MP_STATE, vm: vmx, vcpu: 0 }`,
      'expect: [{ event: KVM_RUN }]',
    );
    expect(report.outcome).toBe('limit');
    expect(report.steps.at(-1)).toMatchObject({ n: 4, outcome: 'limit' });
    expect(report.limit).toContain('20000');
    expect(report.expectations).toEqual([]);
  });

  test('many conditions over many moments cost no more than their limit', () => {
    const conditions = '{ path: td.vm_dead, is: 0, when: always }, '.repeat(100);
    const steps = `  - { boot: td, vm: td, run: false }\n${'  - { vmm: KVM_GET_MP_STATE, vm: td, vcpu: 0 }\n'.repeat(900)}${`  - { expect: [${conditions}] }\n`.repeat(60)}`;
    const report = run(steps);
    expect(report.moments * 6_000).toBeGreaterThan(RUN_LIMITS.looks);
    expect(report.outcome).toBe('limit');
  });
});

describe('the report', () => {
  const steps = `  - { boot: vmx, vm: vmx }
  - { guest: ICR, vm: vmx, vcpu: 0, dest: 1, delivery_mode: INIT }`;

  test('is the same whenever the scenario is run', () => {
    expect(run(steps)).toEqual(run(steps));
  });

  test('has the published shape, and survives JSON', () => {
    const report = run(steps, 'expect: [{ return: 0 }]');
    expect(Report.parse(JSON.parse(JSON.stringify(report)))).toEqual(report);
  });

  test('its changes lead from the state at power-on to the final one', () => {
    const { report, timeline } = playScenario(scenario('', steps));
    const { machine } = timeline;
    timeline.jump(0);
    const state = new Map(machine.layout.leaves.map((leaf) => [leaf.path, machine.show(leaf)]));
    for (const { path, from, to } of report.changes) {
      expect(state.get(path), path).toBe(from);
      expect(to, path).not.toBe(from);
      state.set(path, to);
    }
    for (const { path } of report.changes) expect(state.get(path), path).toBe(report.state[path]);
    expect(report.changes.map(({ path }) => path)).toContain('vmx.vcpu1.mp_state');
  });

  test('is written out with every event, change and verdict; the bring-up only on request', () => {
    const report = run(steps, 'expect: [{ path: vmx.vcpu1.mp_state, is: RUNNABLE }]');
    const text = reportText(report);
    expect(text).toContain('init_latched: vcpu 1 pending_events = INIT');
    expect(text).toMatch(/vmx\.vcpu1\.mp_state UNINITIALIZED -> INIT_RECEIVED/);
    expect(text).toContain('FAIL  vmx.vcpu1.mp_state is RUNNABLE');
    expect(text).toContain('observed: INIT_RECEIVED, wrong from moment');
    expect(text).toContain('failed: 0 of 1 expectations held, 2 steps, ');
    expect(text).not.toContain('kvm_vm_ioctl_create_vcpu');
    expect(reportText(report, undefined, true)).toContain('kvm_vm_ioctl_create_vcpu');
  });

  test('of a wrong file is its errors', () => {
    const parsed = parseScenario(
      'seamlab: scenario/1\ntitle: x\nplatform: { vms: { td: 1 } }\nsteps: [{ vmm: KVM_RUM }]',
    );
    const report = faultReport(parsed.ok ? [] : parsed.errors);
    expect(FaultReport.parse(report)).toEqual(report);
    expect(report.errors).toMatchObject([
      { line: 4, column: 16, code: 'unknown_action', nearest: ['KVM_RUN', 'KVM_NMI', 'KVM_SMI'] },
    ]);
  });
});

describe('a machine that breaks its own rules', () => {
  const steps = `  - { boot: td, vm: td, run: false }
  - { vmm: KVM_RUN, vm: td, vcpu: 0 }
  - { vmm: KVM_RUN, vm: td, vcpu: 1 }`;
  const right = run(steps);
  const wrong = withDefects(
    [
      defect(tdh_vp_enter, 'commit', (m, _l, right) => {
        const next = right();
        pcpu.context.set(m, thread.cpu.get(m, m.thread), HOST_KERNEL);
        return next;
      }),
    ],
    () => run(steps, 'expect: [{ path: td.vm_dead, is: 0 }]'),
  );

  test('has outcome broken; the report names the invariant and the step', () => {
    expect(right).toMatchObject({ outcome: 'held', broken: null });
    expect(wrong.outcome).toBe('broken');
    expect(wrong.broken).toMatchObject({
      name: 'cpu_knows_who_runs',
      subject: 'td.vcpu0',
      thread: 'td.vcpu0',
      routine: 'tdh_vp_enter',
    });
    expect(Report.parse(wrong)).toEqual(wrong);
  });

  test('the run ends there: no later step, no verdict about what never happened', () => {
    expect(wrong.steps.length).toBe(2);
    expect(wrong.moments).toBe(wrong.broken!.moment);
    expect(wrong.expectations).toEqual([]);
    expect(reportText(wrong)).toContain('broken: 0 of 0 expectations held');
    expect(reportText(wrong)).toContain(
      'Invariant cpu_knows_who_runs does not hold of td.vcpu0 after tdh_vp_enter.',
    );
  });
});
