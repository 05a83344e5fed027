import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Parent and command of a process; null when there is none. Linux. */
function look(pid: number): { parent: number; state: string; command: string } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return { parent: Number(parent), state: state!, command };
  } catch {
    return null;
  }
}

/** Processes that `pid` has started, and those that they have started. */
export function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const child = Number(name);
    const parent = Number.isInteger(child) ? look(child)?.parent : undefined;
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), child]);
  }
  const below = (of: number): number[] =>
    (children.get(of) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

/**
 * Memory of a process and all below it, MiB: shared pages count in parts. Linux only; NaN elsewhere.
 *
 * @param pages - `Pss_Anon`: without the pages of files, whose parts are smaller while others use the same files.
 */
export function proportionalSetSize(pid: number, pages: 'Pss' | 'Pss_Anon' = 'Pss'): number {
  if (process.platform !== 'linux') return Number.NaN;
  return [pid, ...descendants(pid)].reduce((sum, one) => sum + ownSetSize(one, pages), 0);
}

/** The same of one process; 0 when it has ended meanwhile. */
function ownSetSize(pid: number, pages: string): number {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return Number(new RegExp(`^${pages}:\\s+(\\d+)`, 'm').exec(rollup)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** The process that draws the screen: the sandboxed one. */
export function rendererOf(pid: number): number {
  const found = descendants(pid).filter((child) => look(child)?.command.includes('--type=renderer'));
  if (found.length !== 1) throw new Error(`there are ${found.length} renderers`);
  return found[0]!;
}

export function isAlive(pid: number): boolean {
  const process = look(pid);
  return process !== null && process.state !== 'Z';
}

/** How a child process ended, once it has. */
export function endOf(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return Promise.resolve({ code: child.exitCode, signal: child.signalCode });
  }
  return new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
}
