import type { Locator } from '@playwright/test';
import type { Input } from '../src-lab/input';
import { expect, type Seamlab } from './app';
import { readCourse } from './learner';

/** An attempt that is under way, for tests of what becomes of it. */

export const course = readCourse('02-init-sipi');
export const { lab } = course;
const [, second] = lab.steps;

/** Inputs that lead to the second step and do something there. */
export const INPUTS: readonly Input[] = [
  { kind: 'act', action: { vmm: 'KVM_GET_MP_STATE', vm: 'vmx', vcpu: 1 } },
  { kind: 'goto', step: second!.id },
  { kind: 'act', action: { vmm: 'KVM_GET_MP_STATE', vm: 'td', vcpu: 1 } },
];
/** One more input, as the console takes it. */
export const COMMAND = 'vmm KVM_GET_MP_STATE vm=vmx vcpu=1';

/** Where the learner is told what happened. */
export const notices = (app: Seamlab): Locator => app.page.getByRole('region', { name: 'Notices' });

/** Opens the lab and makes `INPUTS`. */
export async function begin(app: Seamlab): Promise<void> {
  const { session } = await app.open();
  for (const input of INPUTS)
    expect(await app.call('lab.input', { session, input })).toMatchObject({ accepted: true });
}

/** How many inputs the open lab has. */
export const inputsOf = async (app: Seamlab): Promise<number> =>
  (await app.call('lab.open', { lab: lab.id })).inputs;

/** The step that `INPUTS` leads to is on the screen, and so many inputs were made. */
export async function expectWhereTheyWere(app: Seamlab, inputs: number): Promise<void> {
  await expect(app.page.getByRole('heading', { level: 2, name: second!.title })).toBeVisible();
  expect(await inputsOf(app)).toBe(inputs);
}
