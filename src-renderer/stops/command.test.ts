import { describe, expect, test } from 'vitest';
import { event } from '../testing';
import type { Vocabulary } from '../timeline/command';
import {
  completeAid,
  parseAid,
  replaced,
  stopCommand,
  stopOn,
  watchCommand,
  type AidCommand,
} from './command';

const vocabulary: Vocabulary = {
  actions: [],
  vms: [],
  threads: ['vmm', 'td.vcpu0'],
  paths: ['td.vcpu0.pid.on', 'td.vcpu0.pid.pir'],
  events: ['kvm_exit'],
};
function read(line: string): AidCommand {
  const parsed = parseAid(line, vocabulary);
  if (parsed?.ok !== true) throw new Error(parsed?.error.message ?? 'no such word');
  return parsed.command;
}

describe('commands of stops and watches', () => {
  test.each([
    ['stop event=kvm_exit', { event: { event: 'kvm_exit' } }],
    ['stop event=kvm_exit thread=td.vcpu0 reason=HLT,TDCALL', { event: { event: 'kvm_exit', thread: 'td.vcpu0', where: { reason: ['HLT', 'TDCALL'] } } }],
    ['stop event=vcpu_enter_guest type=return', { event: { event: 'vcpu_enter_guest', type: 'return' } }],
    ['stop changes=td.vcpu0.pid.pir[49]', { changes: 'td.vcpu0.pid.pir[49]' }],
    ['stop path=td.vcpu0.pid.on is=1', { becomes: { path: 'td.vcpu0.pid.on', is: '1' } }],
    ['stop path=a not=1 and return=-EINVAL of=KVM_RUN', { becomes: { all: [{ path: 'a', not: '1' }, { return: '-EINVAL', of: 'KVM_RUN' }] } }],
    ['stop path=a in=1,2 or not path=b is=3', { becomes: { any: [{ path: 'a', in: ['1', '2'] }, { not: { path: 'b', is: '3' } }] } }],
    ['stop return=0 or exit=none and path=a is=1', { becomes: { any: [{ return: '0' }, { all: [{ exit: 'none' }, { path: 'a', is: '1' }] }] } }],
    ['stop (return=0 or exit=none) and not (path=a is=1 and path=b is=1)', { becomes: { all: [{ any: [{ return: '0' }, { exit: 'none' }] }, { not: { all: [{ path: 'a', is: '1' }, { path: 'b', is: '1' }] } }] } }],
    ['stop not not return=0', { becomes: { not: { not: { return: '0' } } } }],
  ])('%s is what scenarios would say, and the command of that', (line, stop) => {
    expect(read(line)).toEqual({ word: 'stop', stop });
    expect(stopCommand(stop as never)).toBe(line);
  }); // prettier-ignore

  test('a bare word is a state path when there is such a path, else an event', () => {
    expect(read('stop td.vcpu0.pid.pir[49]')).toEqual({
      word: 'stop',
      stop: { changes: 'td.vcpu0.pid.pir[49]' },
    });
    expect(read('stop KVM_RUN')).toEqual({ word: 'stop', stop: { event: { event: 'KVM_RUN' } } });
  });

  test('"and" may be left out, words may be written in capitals, parentheses may stand apart', () => {
    const command = read('stop ( path=a is=1 return=0 ) OR NOT ( exit=none )');
    const canonical = 'stop path=a is=1 and return=0 or not exit=none';
    expect(command.word === 'stop' && stopCommand(command.stop)).toBe(canonical);
  });

  test('a watch is a path or a condition', () => {
    for (const line of ['watch td.vcpu0.pid.on', 'watch path=td.vcpu0.pid.on is=1', 'watch not return=0']) {
      const command = read(line);
      expect(command.word === 'watch' && watchCommand(command.watch)).toBe(line);
    }
  });

  test.each([
    ['stop', 'Where do runs halt'],
    ['stop changes=a is=1', 'needs nothing else'],
    ['stop path=a', 'needs one of is='],
    ['stop path=a is=1 fish=2', '"fish" does not belong here'],
    ['stop path=a is=1 or', 'of the form path=PATH'],
    ['stop or path=a is=1', 'of the form path=PATH'],
    ['stop path=a is=1 and and return=0', 'of the form path=PATH'],
    ['stop (path=a is=1 or not (return=0)', 'This parenthesis is not closed'],
    ['stop path=a is=1)', 'No parenthesis is open here'],
    [`stop ${'('.repeat(201)}`, 'longer than a condition can be'],
    ['run-back now', 'stands alone'],
    ['cause first', 'whole number'],
    ['pin', 'Which state path'],
    [`stop changes=${'a'.repeat(90)}`, 'longer or other'],
    ['stop event=kvm_exit type=fish', 'longer or other'],
  ])('%s is refused, and keeps standing', (line, message) => {
    const parsed = parseAid(line, vocabulary);
    expect(parsed?.ok === false && parsed.error.message).toContain(message);
  });

  test('what is none of the words is left to the inputs', () => {
    expect([parseAid('run', vocabulary), parseAid('vmm KVM_RUN vm=td', vocabulary), parseAid('', vocabulary)]).toEqual([null, null, null]); // prettier-ignore
  });

  test('completion offers keys, then what they can be', () => {
    const offered = (word: string, given: string[], partial: string) =>
      completeAid(word, given, partial, vocabulary).map(({ text }) => text);
    expect(offered('stop', [], '')).toEqual(['event=', 'changes=', 'path=', 'return=', 'not']);
    expect(offered('stop', [], 'event=')).toEqual(['event=kvm_exit']);
    expect(offered('stop', ['event=kvm_exit'], '')).toEqual(['thread=', 'type=']);
    expect(offered('stop', ['path=td.vcpu0.pid.on'], '')).toEqual(['is=', 'not=', 'in=']);
    expect(offered('stop', ['path=td.vcpu0.pid.on', 'is=1'], '')).toEqual(['and', 'or']);
    expect(offered('watch', ['return=0', 'or'], '(')).toEqual(['(path=', '(return=', '(not']);
    expect(offered('stop', ['not', '((path=td.vcpu0.pid.on'], '')).toEqual(['is=', 'not=', 'in=']);
    expect(offered('stop', ['not'], '(path=')).toEqual(['(path=td.vcpu0.pid.on', '(path=td.vcpu0.pid.pir']);
    expect(offered('watch', ['td.vcpu0.pid.on'], '')).toEqual([]);
    expect(offered('pin', [], '')).toEqual(['td.vcpu0.pid.on', 'td.vcpu0.pid.pir']);
  });

  test('a stop on an event is on its name and thread; of a routine only on its call or its return', () => {
    expect(stopOn(event(0, { name: 'kvm_exit', type: 'tracepoint' }))).toEqual({
      event: { event: 'kvm_exit', thread: 'vmm' },
    });
    expect(stopOn(event(0, { name: 'tdx_vcpu_run', type: 'call' }))).toMatchObject({
      event: { type: 'call' },
    });
  });

  test('one word of a stop is replaced wherever it stands', () => {
    expect(
      replaced(
        {
          becomes: {
            all: [
              { path: 'x', is: 1 },
              { path: 'y', is: 'x' },
            ],
          },
        },
        'x',
        'z',
      ),
    ).toEqual({
      becomes: {
        all: [
          { path: 'z', is: 1 },
          { path: 'y', is: 'z' },
        ],
      },
    });
  });
});
