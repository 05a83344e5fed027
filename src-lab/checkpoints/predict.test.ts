import { describe, expect, test } from 'vitest';
import { tinyLab } from '../testing/tiny';
import { keyOf } from '../session';
import { normal } from './predict';

describe('answers to a prediction are the same', () => {
  test.each([
    ['runnable', 'RUNNABLE'],
    [' KVM_MP_STATE_RUNNABLE ', 'RUNNABLE'],
    ['-22', '-EINVAL'],
    ['-einval', '-EINVAL'],
    ['0x10', '16'],
    ['0x0000000000000010', '16'],
    ['exit_intr', 'EXIT_INTR'],
    ['KVM_EXIT_INTR', 'intr'],
    ['SIPI, INIT', 'INIT SIPI'],
    ['49 48', '48 49'],
    ['none', ''],
  ])('%s and %s', (one, other) => {
    expect(normal(one)).toBe(normal(other));
  });
});

describe('answers to a prediction differ', () => {
  test.each([
    ['0', ''],
    ['22', '-EINVAL'],
    ['INIT', 'INIT SIPI'],
    ['1', '0x10'],
    ['RUNNABLE', 'INIT_RECEIVED'],
  ])('%s and %s', (one, other) => {
    expect(normal(one)).not.toBe(normal(other));
  });
});

describe('the machine answers', () => {
  /** The key of the tiny lab's prediction when it observes something else. */
  function key(observe: string, run = '{ vmm: KVM_SIGNAL_MSI, vm: td, dest: 1, delivery_mode: INIT }') {
    const lab = tinyLab((yaml) =>
      yaml
        .replace('observe: last.return', `observe: ${observe}`)
        .replace(/^ {4}choices: .*\n/m, '')
        .replace('{ vmm: KVM_SET_MP_STATE, vm: td, vcpu: 1, mp_state: INIT_RECEIVED }', run),
    );
    return keyOf(lab.checkpoints[0]!);
  }

  test('with a state field, one bit of it, a return value', () => {
    expect(key('td.vcpu1.apic.pending_events')).toMatchObject({ answer: 'INIT', words: 'INIT' });
    expect(key('td.vcpu1.apic.pending_events[INIT]').answer).toBe('1');
    expect(key('td.vcpu1.apic.pending_events[SIPI]').answer).toBe('0');
    expect(key('last.return').answer).toBe('1');
    expect(key('td.vcpu0.apic.pending_events')).toMatchObject({ answer: '', words: 'none' });
  });

  test('with the number of events, and whether there are any', () => {
    expect(key('{ count: { event: init_latched } }').answer).toBe('1');
    expect(key('{ count: { event: vcpu_reset } }')).toMatchObject({ answer: '0', moment: null, event: null });
    expect(key('{ happens: { event: init_latched, where: { vcpu: 1 } } }').answer).toBe('yes');
    expect(key('{ happens: { event: init_latched, where: { vcpu: 0 } } }').answer).toBe('no');
  });

  test('and says at which moment and event the value came about', () => {
    const latched = key('{ happens: { event: init_latched } }');
    expect(key('td.vcpu1.apic.pending_events')).toMatchObject({ moment: latched.moment });
    expect(key('td.vcpu1.apic.pending_events').event).toBeGreaterThanOrEqual(latched.event!);
  });
});
