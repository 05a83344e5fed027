import { describe, expect, test } from 'vitest';
import { guest_run } from '../guest/run';
import * as host from '../kvm/kvm_host';
import type { Ref } from '../machine/layout';
import { pi_desc } from '../platform/posted_intr';
import { ActionSchema, ACTIONS } from '../scenario/action';
import { defect, withDefects } from './defect';
import { anyAction, anyRun, fuzz, play, Random, runText, type Finding } from './fuzz';

/** A short run of `npm run fuzz`, and whether that would notice. */

const PLATFORM = { vms: { td: 2, vmx: 2 } };

test('actions are what the language accepts, and all of them come up', () => {
  const random = new Random(1);
  const seen = new Set<string>();
  for (let i = 0; i < 2_000; i++) {
    const action = anyAction(random, PLATFORM);
    seen.add(Object.values(action)[0] as string);
    expect(ActionSchema.safeParse(action).success, JSON.stringify(action)).toBe(true);
  }
  const { boot: _, ...others } = ACTIONS;
  expect([...seen].sort()).toEqual(
    [...new Set(Object.values(others).flatMap((verbs) => Object.keys(verbs)))].sort(),
  );
});

test('a seed gives the same inputs and the same machine', () => {
  const [a, b] = [anyRun(new Random(7)), anyRun(new Random(7))];
  expect(a).toEqual(b);
  expect(play(a).timeline!.machine.hash()).toBe(play(b).timeline!.machine.hash());
});

test.each(Array.from({ length: 8 }, (_, seed) => [seed + 1]))(
  'whatever is done: nothing throws, no invariant breaks, every refusal is documented (seed %i)',
  (seed) => {
    const finding = fuzz(seed, 600);
    expect(finding && `${finding.say}\n${runText(finding.run)}`).toBeNull();
  },
);

describe('what is wrong is found', () => {
  test('a lost interrupt, with the few inputs that it takes', () => {
    const lost = defect(guest_run, 'boundary', (m, l, right) => {
      pi_desc.pir.clearAll(m, host.pidOf(l.vcpu as Ref));
      return right();
    });
    // Which seed meets it depends on the actions that there are.
    let finding: Finding | null = null;
    for (let seed = 1; finding === null && seed <= 16; seed++)
      finding = withDefects([lost], () => fuzz(seed, 5_000));
    expect(['posted_not_lost', 'notification_under_way']).toContain(finding?.kind);
    expect(finding!.run.moves.length).toBeLessThan(12);
  });

  test('an exception', () => {
    const throwing = defect(guest_run, 'boundary', () => {
      throw new Error('a defect');
    });
    expect(withDefects([throwing], () => fuzz(1, 2_000))).toMatchObject({ kind: 'threw' });
  });
});
