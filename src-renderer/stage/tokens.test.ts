import { describe, expect, test } from 'vitest';
import { act, jump, Learner } from '../../src-lab/testing/play';
import { tinyLab } from '../../src-lab/testing/tiny';
import { eventView } from '../../src-lab/trace';
import { stageOf, type Column, type Seen } from './stage';

/** Its first situation has both guests executing. */
const lab = tinyLab((text) => text.replace('setup: ready, gate: true', 'setup: running'));

/** A TD and a plain guest of two vCPUs each, all of them executing. */
class Running extends Learner {
  constructor() {
    super(lab);
  }
  /** What the stage needs, without the screen's copy of everything else. */
  get seen(): Seen {
    const { machine } = this.timeline;
    const { trace, layout } = machine;
    let lastAction = trace.count - 1;
    while (lastAction > 0 && trace.event(lastAction).type !== 'action') lastAction--;
    return {
      threads: machine.threads().map((thread) => ({ ...thread, stack: [...thread.stack] })),
      locks: [],
      count: trace.count,
      lastAction,
      event: (n) => eventView(trace, n),
      value: (path) => {
        const leaf = layout.find(path);
        return leaf === null ? undefined : machine.show(leaf);
      },
      hasChanged: () => false,
    };
  }
  column(thread: string): Column {
    const columns = stageOf(this.seen).flatMap((group) => group.columns);
    return columns.find((column) => column.thread.name === thread)!;
  }
  /** What lies in the column of a thread, but for flags that are not set: `pir 0x31 waits`. */
  lying(thread: string): string[] {
    return this.column(thread)
      .tokens.filter(({ fate }) => fate !== 'clear')
      .map(({ place, label, fate }) => `${place} ${label} ${fate}`);
  }
  /** What lies there at every moment since `from`, without repetitions. */
  story(thread: string, from: number): string[][] {
    const { last } = this.timeline;
    const story: string[][] = [];
    for (let moment = from; moment <= last; moment++) {
      this.does(jump(moment));
      const lying = this.lying(thread);
      if (JSON.stringify(lying) !== JSON.stringify(story.at(-1))) story.push(lying);
    }
    return story;
  }
}
const enabled = (vm: string) => act(`guest SVR vm=${vm} vcpu=0`);
const msi = (vm: string, rest = 'delivery_mode=FIXED vector=0x31') =>
  act(`vmm KVM_SIGNAL_MSI vm=${vm} dest=0 ${rest}`);

describe('an interrupt posted to a TD that runs', () => {
  const learner = new Running().does(enabled('td'));
  const from = learner.timeline.last + 1;
  learner.does(msi('td'));

  test('lies in the PIR, is announced by ON and a notification, is harvested, delivered and ended', () => {
    expect(learner.story('td.vcpu0', from)).toEqual([
      [],
      ['pir 0x31 waits'],
      ['pir ON waits', 'pir 0x31 waits'],
      ['pir ON waits', 'pir 0x31 waits', 'cpu 0xf2 waits'],
      ['irr 0x31 next', 'cpu 0xf2 ended'],
      ['isr 0x31 served', 'cpu 0xf2 ended'],
      ['isr 0x31 ended', 'cpu 0xf2 ended'],
    ]);
  });

  test('has come by way of every place where it lay, from the thread that sent it', () => {
    const done = learner.column('td.vcpu0').tokens.find(({ label }) => label === '0x31')!;
    expect(done.route.map(({ place }) => place)).toEqual(['kvm', 'pir', 'irr', 'isr']);
    expect(done).toMatchObject({ from: 'vmm', path: null, say: '0x31 delivered and ended by EOI' });
    const { route } = done;
    expect(route.map(({ n }) => learner.timeline.machine.trace.event(n).name)).toEqual([
      'kvm_apic_accept_irq',
      'kvm_apicv_accept_irq',
      'pir_harvested',
      'guest_takes_irq',
    ]);
  });

  test('is forgotten with the next action, and nobody else has seen it', () => {
    expect(new Running().lying('td.vcpu0')).toEqual([]);
    expect(learner.lying('vmx.vcpu0')).toEqual([]);
    learner.does(act('vmm KVM_GET_MP_STATE vm=vmx vcpu=0'));
    expect(learner.lying('td.vcpu0')).toEqual([]);
  });
});

test('an interrupt for an APIC that is off is lost in KVM', () => {
  const learner = new Running().does(msi('td'));
  expect(learner.lying('td.vcpu0')).toEqual(['kvm 0x31 lost']);
});

test('of two vectors in the virtual IRR the higher is next; one that was posted twice says so', () => {
  const learner = new Running().does(enabled('td'), act('guest IF vm=td vcpu=0 enabled=false'));
  learner.does(msi('td'), msi('td', 'delivery_mode=FIXED vector=0x41'));
  expect(learner.lying('td.vcpu0')).toEqual(['irr 0x41 next', 'irr 0x31 waits', 'cpu 0xf2 ended']);
  const asleep = new Running().does(enabled('td'), act('guest HLT vm=td vcpu=0 interrupts=blocked'));
  asleep.does(msi('td'), msi('td'));
  expect(asleep.lying('td.vcpu0')).toContain('pir 0x31 merged');
});

test('NMIs collapse in KVM and again in the TDX module: what is lost is seen', () => {
  const learner = new Running().does(act('guest NMI_HANDLER vm=td vcpu=0 stay=true'));
  const from = learner.timeline.last + 1;
  learner.does(msi('td', 'delivery_mode=NMI'), msi('td', 'delivery_mode=NMI'));
  const story = learner.story('td.vcpu0', from).map((lying) => lying.filter((line) => line.includes('NMI')));
  expect(story).toContainEqual(['kvm NMI waits']);
  expect(story).toContainEqual(['pend NMI waits']);
  expect(story.at(-1)).toEqual(['isr NMI served', 'pend NMI waits']);
});

test('a machine check waits at the CPU while the TD runs, and the TD dies of it', () => {
  const learner = new Running().does(act('host MCE vm=td vcpu=0', true));
  expect(learner.lying('td.vcpu0')).toEqual(['cpu #MC waits']);
  learner.does({ kind: 'run' });
  const [, td] = stageOf(learner.seen);
  expect(td!.dead?.label).toBe('fatal');
});

test('what lies in several places at once has a key in each, and travels in one', () => {
  const learner = new Running().does(
    act('guest NMI_HANDLER vm=td vcpu=0 stay=true'),
    msi('td', 'delivery_mode=NMI'),
    msi('td', 'delivery_mode=NMI'),
  );
  const { tokens } = learner.column('td.vcpu0');
  expect(tokens.filter(({ label }) => label === 'NMI').map(({ place, fate }) => [place, fate])).toEqual([
    ['isr', 'served'],
    ['pend', 'waits'],
  ]);
  expect(new Set(tokens.map(({ key }) => key)).size).toBe(tokens.length);
});
