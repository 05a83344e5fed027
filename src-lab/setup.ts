import { z } from 'zod';
import { ActionSchema } from '../src-sim/scenario/action';
import type { Input } from './input';

/** The id under which sessions without a lab are kept. No lab may have it. */
export const SANDBOX = 'sandbox';

/** Actions that a sandbox may begin with. */
const MAX_BEGIN = 20;

/** By name. Light, because the screen loads this file too: whether such switches exist, `faultsOf` says. */
const Switches = z.record(z.string().max(40), z.boolean());
const Side = z.strictObject({ label: z.string().trim().min(1).max(60), switches: Switches });

/** What the machine of a sandbox is. */
export const Setup = z.strictObject({
  /** What lists call it. */
  title: z.string().trim().min(1).max(120),
  /** vCPUs by name of the VM, and what is switched on. */
  platform: z.strictObject({ vms: z.record(z.string().max(40), z.number()), switches: Switches }),
  /** Actions from power-on that lead to where the learner begins. */
  begin: z.array(ActionSchema).max(MAX_BEGIN),
  /** File name, without its ending, of the shipped scenario whose steps are offered; null: none. */
  scenario: z
    .string()
    .max(80)
    .regex(/^[a-z0-9-]+$/)
    .nullable(),
  /** The two machines of a comparison: all switches of each, in place of the platform's; null: one machine. */
  compare: z.strictObject({ a: Side, b: Side }).nullable(),
});
export type Setup = z.infer<typeof Setup>;

/** What a list calls a machine that was built of these VMs: `td with 2 vCPUs, vmx with 1`. */
export function titleOf(vms: Readonly<Record<string, number>>, switches: readonly string[]): string {
  const [first, ...more] = Object.entries(vms);
  const words = [
    first === undefined ? '' : `${first[0]} with ${first[1]} ${first[1] === 1 ? 'vCPU' : 'vCPUs'}`,
    ...more.map(([name, vcpus]) => `${name} with ${vcpus}`),
    ...switches,
  ];
  return words.join(', ').slice(0, 120);
}

/**
 * What was done in two runs, as the inputs of one comparison: what both began with, on both machines; from where they part,
 * one of each in turn.
 */
export function sideBySide(a: readonly Input[], b: readonly Input[]): Input[] {
  const parts = a.findIndex((input, i) => JSON.stringify(input) !== JSON.stringify(b[i]));
  const shared = parts < 0 ? a.length : parts;
  const apart = Array.from({ length: Math.max(a.length, b.length) - shared }, (_, i) => [
    on('a', a[shared + i]),
    on('b', b[shared + i]),
  ]);
  return [...a.slice(0, shared), ...apart.flat(2)];
}

const on = (machine: 'a' | 'b', input: Input | undefined): Input[] =>
  input === undefined ? [] : [{ ...input, on: machine } as Input];
