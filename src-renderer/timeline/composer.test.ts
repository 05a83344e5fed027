import { expect, test } from 'vitest';
import type { ActionDoc } from '../../src-lab/view';
import { Composer } from './composer.svelte';

const param = (
  name: string,
  type: ActionDoc['params'][number]['type'],
  value: string | null = null,
): ActionDoc['params'][number] => ({
  name,
  doc: name,
  type,
  choices: type === 'choice' ? ['RUNNABLE', 'HALTED'] : [],
  min: type === 'vcpu' ? 0 : null,
  max: type === 'vcpu' ? 7 : null,
  required: value === null,
  default: value,
});
const action = (actor: string, verb: string, params: ActionDoc['params']): ActionDoc => ({
  actor,
  verb,
  doc: '',
  source: '',
  params,
});
const composer = (): Composer =>
  new Composer(() => ({
    vms: [
      { name: 'td', vcpus: 2 },
      { name: 'vmx', vcpus: 2 },
    ],
    threads: [],
    actions: [
      action('vmm', 'KVM_RUN', [
        param('vm', 'vm'),
        param('vcpu', 'vcpu'),
        param('immediate_exit', 'integer', '0'),
        { ...param('sync_regs', 'integer'), required: false },
      ]),
      action('vmm', 'KVM_SET_MP_STATE', [
        param('vm', 'vm'),
        param('vcpu', 'vcpu'),
        param('mp_state', 'choice'),
      ]),
      action('guest', 'HLT', [param('vm', 'vm'), param('vcpu', 'vcpu')]),
    ],
  }));

test('begins with the first action, complete and ready to send', () => {
  expect(composer().command).toBe('vmm KVM_RUN vm=td vcpu=0 immediate_exit=0');
  expect(composer().parsed.ok).toBe(true);
});

test('the target stays when another verb or actor is chosen', () => {
  const one = composer();
  one.set('vm', 'vmx');
  one.set('vcpu', '1');
  one.chooseVerb('KVM_SET_MP_STATE');
  expect(one.command).toBe('vmm KVM_SET_MP_STATE vm=vmx vcpu=1 mp_state=RUNNABLE');
  one.chooseActor('guest');
  expect(one.command).toBe('guest HLT vm=vmx vcpu=1');
});

test('what may be left out is left out until it is given', () => {
  const one = composer();
  expect(one.values['sync_regs']).toBe('');
  one.set('sync_regs', '1');
  expect(one.command).toBe('vmm KVM_RUN vm=td vcpu=0 immediate_exit=0 sync_regs=1');
});

test('holding shows in the command', () => {
  const one = composer();
  one.hold = true;
  expect(one.command).toMatch(/^hold vmm KVM_RUN/);
  expect(one.parsed).toMatchObject({ ok: true, input: { kind: 'act', hold: true } });
});

test('a value that does not fit is an error, as in the console', () => {
  const one = composer();
  one.set('vcpu', '9');
  expect(one.parsed).toMatchObject({ ok: false, error: { message: 'vcpu is 0 to 7.' } });
});
