import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guest_cpu } from '../src-sim/guest/cpu';
import { vmIoctl } from '../src-sim/kvm/ioctls';
import { guestOf } from '../src-sim/kvm/kvm_host';
import { kvm_vm_ioctl } from '../src-sim/kvm/kvm_main';
import { APIC_INT_ASSERT } from '../src-sim/platform/apic';
import { ActionSchema, type Action } from '../src-sim/scenario/action';
import { beginAction, expandBoot } from '../src-sim/vmm/perform';
import { powerOn, type World } from '../src-sim/world';
import { atMost, median, noted, type Figure } from './ratio';

/**
 * "Post, notify, deliver, EOI" on four vCPUs of a TD: KVM_SIGNAL_MSI through all routines of KVM, module and guest,
 * without history and invariants, against interrupts.c, which changes the same state by hand.
 */

const VCPUS = 4;
const INTERRUPTS = 20_000;
const ROUNDS = 15;
/** As in interrupts.c: seven vectors, one a priority class. */
const vectorOf = (n: number): number => 0x31 + (n % 7) * 16;

/** A TD of four vCPUs that execute with their APICs enabled. */
function running(): World {
  const world = powerOn({ vms: { td: VCPUS } });
  const act = (given: Record<string, unknown>): void => {
    const action = ActionSchema.parse(given) as Action;
    const parts = 'boot' in action ? expandBoot(action) : [action];
    for (const part of parts) {
      beginAction(world, part as Exclude<Action, { boot: string }>);
      world.machine.settle();
    }
  };
  act({ boot: 'td', vm: 'td', vcpus: VCPUS });
  for (let vcpu = 0; vcpu < VCPUS; vcpu++) act({ guest: 'SVR', vm: 'td', vcpu });
  return world;
}

/** Interrupts that the guest has taken; its counters have 16 bits. */
function taken({ machine: m }: World): number {
  return m.vcpus.reduce((sum, vcpu) => sum + guest_cpu.irqs.get(m, guestOf(vcpu)), 0);
}

function send(world: World, count: number): void {
  const { machine: m } = world;
  const td = world.vms.get('td')!.ref;
  const ioctl = vmIoctl('KVM_SIGNAL_MSI');
  for (let n = 0; n < count; n++) {
    m.begin(0, kvm_vm_ioctl, td, ioctl, n & 3, vectorOf(n) | APIC_INT_ASSERT);
    m.settle();
  }
}

/** Nanoseconds of processor time that `count` interrupts take: what else the computer does is not counted. */
function machineTime(world: World, count: number): number {
  const before = taken(world);
  const from = process.cpuUsage();
  send(world, count);
  const { user, system } = process.cpuUsage(from);
  const ns = (user + system) * 1e3;
  if (((taken(world) - before) & 0xffff) !== (count & 0xffff))
    throw new Error(`the guest took ${taken(world) - before} of ${count} interrupts`);
  return ns;
}

/** The loop in C, compiled where there is a compiler. */
function compiled(folder: string): string | null {
  const program = join(folder, 'interrupts');
  for (const compiler of ['gcc', 'cc', 'clang']) {
    const { status } = spawnSync(compiler, ['-O2', '-o', program, join('bench', 'interrupts.c')]);
    if (status === 0) return program;
  }
  return null;
}

function loopTime(program: string, count: number): number {
  const { stdout } = spawnSync(program, [String(count)], { encoding: 'utf8' });
  const [irqs, ns] = stdout.trim().split(' ').map(Number);
  if (irqs !== count) throw new Error(`the loop took ${irqs} of ${count} interrupts`);
  return ns!;
}

function speed(): Figure[] {
  const world = running();
  send(world, INTERRUPTS); // warm
  const moments = world.machine.moment;
  const times = [machineTime(world, INTERRUPTS)];
  const steps = (world.machine.moment - moments) / INTERRUPTS;
  const folder = mkdtempSync(join(tmpdir(), 'seamlab-bench-'));
  const ratios: number[] = [];
  try {
    const program = compiled(folder);
    for (let i = 0; i < ROUNDS; i++) {
      const ns = machineTime(world, INTERRUPTS);
      times.push(ns);
      // A hundred times as many: the loop is over before a clock could tell.
      if (program) ratios.push(ns / (loopTime(program, INTERRUPTS * 100) / 100));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const each = median(times) / INTERRUPTS;
  return [
    noted('interrupts posted, notified, delivered, ended on four vCPUs', 1e9 / each, '/s'),
    noted('atomic steps an interrupt', steps, 'steps'),
    noted('one atomic step of them', each / steps, 'ns'),
    ratios.length > 0
      ? atMost('an interrupt to a hand-written C loop (-O2)', median(ratios), 25)
      : noted('no C compiler: an interrupt is compared with nothing', 0, ''),
  ];
}

/** Heap that ten million steps of this leave behind, collected. Needs `--expose-gc`. */
function allocation(): Figure {
  const world = running();
  send(world, INTERRUPTS);
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const from = world.machine.moment;
  while (world.machine.moment - from < 10_000_000) send(world, 1_000);
  globalThis.gc?.();
  const grown = Math.max(0, process.memoryUsage().heapUsed - before) / 1024 / 1024;
  return atMost('heap growth over ten million steps of interrupts', grown, 1, 'MiB');
}

/** Nanoseconds a KiB that a snapshot into a ring takes. */
function snapshot(): Figure {
  const { machine } = running();
  const { size } = machine.layout;
  const ring = new Uint8Array(size * 256);
  const rounds = Array.from({ length: ROUNDS }, () => {
    const from = process.cpuUsage();
    for (let i = 0; i < 40_000; i++) ring.set(machine.u8, (i & 255) * size);
    const { user, system } = process.cpuUsage(from);
    return ((user + system) * 1e3) / 40_000 / (size / 1024);
  });
  return atMost('one snapshot, for each KiB of state', median(rounds), 50, 'ns');
}

export function interruptFigures(): Figure[] {
  return [...speed(), allocation(), snapshot()];
}
