import { describe, expect, test } from 'vitest';
import type { ActionDoc } from '../../src-lab/view';
import { AID_WORDS } from '../stops/command';
import { commandLine, complete, parseCommand, withoutDefaults, type Vocabulary } from './command';

const param = (
  name: string,
  rest: Partial<ActionDoc['params'][number]> = {},
): ActionDoc['params'][number] => ({
  name,
  doc: name,
  type: 'integer',
  choices: [],
  min: null,
  max: null,
  required: (rest.default ?? null) === null,
  default: null,
  ...rest,
});
const vm = param('vm', { type: 'vm' });
const vcpu = param('vcpu', { type: 'vcpu', min: 0, max: 7 });
const words: Vocabulary = {
  vms: [
    { name: 'td', vcpus: 2 },
    { name: 'vmx', vcpus: 3 },
  ],
  threads: ['vmm', 'td.vcpu0', 'td.vcpu1'],
  actions: [
    {
      actor: 'vmm',
      verb: 'KVM_RUN',
      doc: 'Runs.',
      source: '',
      params: [
        vm,
        vcpu,
        param('immediate_exit', { min: 0, max: 1, default: '0' }),
        param('sync_regs', { min: 0, max: 1, required: false }),
      ],
    },
    {
      actor: 'vmm',
      verb: 'KVM_SET_MP_STATE',
      doc: 'Sets.',
      source: '',
      params: [
        vm,
        vcpu,
        param('mp_state', { type: 'choice', choices: ['RUNNABLE', 'INIT_RECEIVED', 'SIPI_RECEIVED'] }),
      ],
    },
    {
      actor: 'guest',
      verb: 'ICR',
      doc: 'Sends.',
      source: '',
      params: [vm, vcpu, param('dest', { min: 0, max: 0xffff_ffff, default: '0' })],
    },
    {
      actor: 'kvm',
      verb: 'kvm_vcpu_reset',
      doc: 'Resets.',
      source: '',
      params: [vm, vcpu, param('init_event', { type: 'boolean' })],
    },
  ],
};
const parse = (line: string) => parseCommand(line, words);
const errorOf = (line: string) => {
  const parsed = parse(line);
  if (parsed.ok) throw new Error(`"${line}" was understood`);
  return { ...parsed.error, where: line.slice(parsed.error.at.from, parsed.error.at.to) };
};
const optionsOf = (line: string) => complete(line, line.length, words).options.map(({ text }) => text);

describe('parsing', () => {
  test('an action becomes an object whose actor is the key and whose verb is its value', () => {
    expect(parse('vmm KVM_SET_MP_STATE vm=td vcpu=1 mp_state=INIT_RECEIVED')).toEqual({
      ok: true,
      input: {
        kind: 'act',
        action: { vmm: 'KVM_SET_MP_STATE', vm: 'td', vcpu: 1, mp_state: 'INIT_RECEIVED' },
      },
    });
  });

  test('numbers may be hexadecimal, truth values words or bits, and defaults stay out', () => {
    expect(parse('guest ICR vm=td vcpu=0 dest=0xffffffff')).toMatchObject({
      input: { action: { dest: 0xffff_ffff } },
    });
    expect(parse('kvm kvm_vcpu_reset vm=td vcpu=0 init_event=1')).toMatchObject({
      input: { action: { init_event: true } },
    });
    expect(parse('vmm KVM_RUN vm=td vcpu=0')).toEqual({
      ok: true,
      input: { kind: 'act', action: { vmm: 'KVM_RUN', vm: 'td', vcpu: 0 } },
    });
  });

  test('verbs and choices may be typed in any case', () => {
    expect(parse('VMM kvm_set_mp_state vm=TD vcpu=1 mp_state=runnable')).toMatchObject({
      input: { action: { vmm: 'KVM_SET_MP_STATE', vm: 'td', mp_state: 'RUNNABLE' } },
    });
  });

  test('"hold" before an action only begins it', () => {
    expect(parse('hold vmm KVM_RUN vm=td vcpu=0')).toMatchObject({ input: { kind: 'act', hold: true } });
  });

  test('run, reset, step and jump are inputs of the session', () => {
    expect(parse('run')).toEqual({ ok: true, input: { kind: 'run' } });
    expect(parse('reset')).toEqual({ ok: true, input: { kind: 'reset' } });
    expect(parse('step td.vcpu1')).toEqual({ ok: true, input: { kind: 'step', thread: 'td.vcpu1' } });
    expect(parse('step td.vcpu1 times=3')).toEqual({
      ok: true,
      input: { kind: 'step', thread: 'td.vcpu1', times: 3 },
    });
    expect(parse('jump 12')).toEqual({ ok: true, input: { kind: 'jump', moment: 12 } });
  });
});

describe('errors name the place and the nearest valid word', () => {
  test.each([
    ['vm KVM_RUN', 'vm', ['vmm', 'kvm']],
    ['vmm KVM_RNU vm=td', 'KVM_RNU', ['KVM_RUN']],
    ['vmm KVM_RUN vn=td', 'vn=td', ['vm']],
    ['vmm KVM_RUN vm=tdd vcpu=0', 'tdd', ['td']],
    ['vmm KVM_SET_MP_STATE vm=td vcpu=0 mp_state=INIT', 'INIT', ['INIT_RECEIVED']],
    ['step td.vcpu7', 'td.vcpu7', ['td.vcpu0', 'td.vcpu1']],
    ['step td.vcpu0 x3', 'x3', ['times=10']],
    ['step td.vcpu0 times=0', 'times=0', ['times=10']],
    ['step td.vcpu0 times=10001', 'times=10001', ['times=10']],
    ['step td.vcpu0 times=3 times=4', 'times=4', []],
  ])('%s', (line, where, near) => {
    const error = errorOf(line);
    expect(error.where).toBe(where);
    expect(error.nearest).toEqual(near);
  });

  test('a verb without its actor is told whose it is', () => {
    expect(errorOf('KVM_RUN vm=td vcpu=0').nearest).toEqual(['vmm KVM_RUN']);
  });

  test('a number outside its range names the range', () => {
    expect(errorOf('vmm KVM_RUN vm=td vcpu=8')).toMatchObject({ where: '8', message: 'vcpu is 0 to 7.' });
    expect(errorOf('vmm KVM_RUN vm=td vcpu=-1')).toMatchObject({ message: 'vcpu is 0 to 7.' });
    expect(errorOf('vmm KVM_RUN vm=td vcpu=1.5')).toMatchObject({
      message: 'vcpu is a whole number, decimal or 0x.',
    });
  });

  test('a parameter that may be left out is not asked for', () => {
    expect(parseCommand('vmm KVM_RUN vm=td vcpu=0', words)).toMatchObject({ ok: true });
    expect(complete('vmm KVM_RUN vm=td vcpu=0 sync', 29, words).options).toEqual([
      { text: 'sync_regs=', detail: 'sync_regs, 0 to 1; may be left out' },
    ]);
  });

  test('a parameter without default must be given', () => {
    expect(errorOf('vmm KVM_RUN vm=td')).toMatchObject({
      message: 'vcpu is missing: vcpu.',
      nearest: ['vcpu=0'],
    });
  });

  test('a parameter cannot be given twice, nor without a value', () => {
    expect(errorOf('vmm KVM_RUN vm=td vm=td').message).toBe('vm is given twice.');
    expect(errorOf('vmm KVM_RUN vm=').message).toContain('needs a value');
  });

  test('an empty line and words too many are errors, too', () => {
    expect(errorOf('  ').message).toContain('Type a command');
    expect(errorOf('run now').where).toBe('now');
    expect(errorOf('jump -1').where).toBe('-1');
  });
});

describe('completion', () => {
  test('first who acts, then what, then the parameters that are not given yet, then their values', () => {
    const session = ['run', 'step', 'jump', 'reset', 'hold'];
    expect(optionsOf('')).toEqual(['vmm', 'guest', 'kvm', ...session, ...Object.keys(AID_WORDS)]);
    expect(optionsOf('vmm ')).toEqual(['KVM_RUN', 'KVM_SET_MP_STATE']);
    expect(optionsOf('vmm KVM_RUN vm=td ')).toEqual(['vcpu=', 'immediate_exit=', 'sync_regs=']);
    expect(optionsOf('vmm KVM_RUN vm=')).toEqual(['vm=td', 'vm=vmx']);
    expect(optionsOf('vmm KVM_SET_MP_STATE mp_state=')).toHaveLength(3);
    expect(optionsOf('step td')).toEqual(['td.vcpu0', 'td.vcpu1']);
    expect(optionsOf('step td.vcpu0 ')).toEqual(['times=']);
    expect(optionsOf('step td.vcpu0 times=2 ')).toEqual([]);
    expect(optionsOf('hold ')).toEqual(['vmm', 'guest', 'kvm']);
  });

  test('vCPUs are those of the VM that the line names', () => {
    expect(optionsOf('vmm KVM_RUN vm=td vcpu=')).toEqual(['vcpu=0', 'vcpu=1']);
    expect(optionsOf('vmm KVM_RUN vm=vmx vcpu=')).toHaveLength(3);
  });

  test('words that begin as typed come before words that contain it', () => {
    expect(optionsOf('vmm mp')).toEqual(['KVM_SET_MP_STATE']);
    expect(optionsOf('vmm KVM_R')).toEqual(['KVM_RUN']);
  });

  test('a word that is whole has no completion', () => {
    expect(optionsOf('vmm KVM_RUN')).toEqual([]);
  });

  test('in the middle of a line, the word under the cursor is replaced', () => {
    expect(complete('vmm KVM_RUN vm=td', 3, words)).toMatchObject({ from: 0, to: 3 });
    expect(complete('vmm KVM_R vm=td', 6, words)).toMatchObject({ from: 4, to: 9 });
  });
});

test('a command line lists given parameters in the order of the declaration', () => {
  expect(commandLine(words.actions[1]!, { mp_state: 'RUNNABLE', vcpu: '1', vm: 'td', other: 'x' })).toBe(
    'vmm KVM_SET_MP_STATE vm=td vcpu=1 mp_state=RUNNABLE',
  );
});

test('a command is shown without what goes without saying', () => {
  expect(withoutDefaults('vmm KVM_RUN vm=td vcpu=0 immediate_exit=0', words)).toBe(
    'vmm KVM_RUN vm=td vcpu=0',
  );
  expect(withoutDefaults('vmm KVM_RUN vm=td vcpu=0 immediate_exit=1', words)).toBe(
    'vmm KVM_RUN vm=td vcpu=0 immediate_exit=1',
  );
  expect(withoutDefaults('step td.vcpu0', words)).toBe('step td.vcpu0');
});
