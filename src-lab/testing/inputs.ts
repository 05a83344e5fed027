import fc from 'fast-check';
import { z } from 'zod';
import {
  ACTIONS,
  ACTORS,
  commandOf,
  type Action,
  type ActionDeclaration,
} from '../../src-sim/scenario/action';
import type { Stop } from '../../src-sim/scenario/condition-schema';
import { CANNOT } from '../checkpoints/schedule';
import { Input } from '../input';
import type { Lab } from '../lab';
import { GIVE_UP } from '../session';
import { labView } from '../show';

const A_TEXT = 'A text that is long enough to be kept.';

/** Any input that somebody might make in a lab: most are possible there, some are not. */
export function inputsOf(lab: Lab): fc.Arbitrary<Input> {
  const { steps, checkpoints } = labView(lab);
  const { vms } = lab.source.platform;
  const threads = Object.entries(vms).flatMap(([vm, vcpus]) =>
    Array.from({ length: vcpus }, (_, vcpu) => `${vm}.vcpu${vcpu}`),
  );
  const forms = checkpoints.map(({ form }) => form);
  const options = forms.flatMap((form) => (form.type === 'choice' ? form.options : []));
  const items = forms.flatMap((form) => (form.type === 'order' ? form.items : []));
  const actions = anyAction(Object.keys(vms));
  const one = <T extends string>(...names: readonly T[]) => fc.constantFrom(...names, 'nothing');
  const stops = fc.array(anyStop, { minLength: 1, maxLength: 3 });
  const checkpoint = one(...checkpoints.map(({ id }) => id));
  const kind = <K extends Input['kind']>(of: K) => fc.constant(of);
  return fc
    .oneof(
      { weight: 10, arbitrary: fc.record({ kind: kind('act'), action: actions }) },
      { weight: 4, arbitrary: fc.record({ kind: kind('act'), action: actions, hold: fc.boolean() }) },
      { weight: 6, arbitrary: fc.record({ kind: kind('step'), thread: one('vmm', ...threads) }) },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: kind('step'),
          thread: one('vmm', ...threads),
          times: fc.integer({ min: 1, max: 30 }),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ kind: kind('step'), thread: one(...threads), times: fc.constant(30), stops }),
      },
      { weight: 2, arbitrary: fc.record({ kind: kind('run'), on: fc.constantFrom('a', 'b') }) },
      { weight: 2, arbitrary: fc.record({ kind: kind('run') }) },
      { weight: 2, arbitrary: fc.record({ kind: kind('run'), stops }) },
      { weight: 2, arbitrary: fc.record({ kind: kind('act'), action: actions, stops }) },
      { weight: 4, arbitrary: fc.record({ kind: kind('jump'), moment: fc.nat(400) }) },
      { weight: 1, arbitrary: fc.record({ kind: kind('reset') }) },
      { weight: 3, arbitrary: fc.record({ kind: kind('goto'), step: one(...steps.map(({ id }) => id)) }) },
      { weight: 2, arbitrary: fc.record({ kind: kind('look'), at: fc.constantFrom('a', 'b') }) },
      { weight: 2, arbitrary: fc.record({ kind: kind('arrange'), checkpoint }) },
      {
        weight: 5,
        arbitrary: fc.record({
          kind: kind('answer'),
          checkpoint,
          answer: fc.oneof(
            fc.constantFrom('0', '1', GIVE_UP, CANNOT, '', A_TEXT, ...options.map(({ value }) => value)),
            fc.string({ maxLength: 8, unit: 'binary' }),
            fc.shuffledSubarray(items.map(({ id }) => id)),
            fc.array(
              actions.map((action) => commandOf(action as Action)),
              { maxLength: 4 },
            ),
            fc.array(one('vmm', ...threads, 'vmm x6', `${threads[0]!} x7`, 'vmm x9999', ' x', ''), {
              maxLength: 6,
            }),
          ),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: kind('hint'), checkpoint }) },
    )
    .map((input) => Input.parse(input));
}

const anyStop: fc.Arbitrary<Stop> = fc.constantFrom<Stop>(
  { event: { event: 'kvm_entry' } },
  { event: { event: 'KVM_RUN', type: 'action' } },
  { changes: 'td.vcpu0.thread.status' },
  { changes: 'nothing' },
  { becomes: { return: '-EINVAL' } },
);

function anyAction(vms: readonly string[]): fc.Arbitrary<unknown> {
  return fc.oneof(
    ...ACTORS.flatMap((actor) =>
      Object.entries(ACTIONS[actor] as Record<string, ActionDeclaration>).map(([verb, { params }]) =>
        fc.record({
          [actor]: fc.constant(verb),
          ...Object.fromEntries(
            Object.entries(params.shape).map(([name, field]) => [
              name,
              name === 'vm' ? oftenOneOf(vms) : valueOf(field as z.ZodType),
            ]),
          ),
        }),
      ),
    ),
  );
}

const oftenOneOf = (names: readonly string[]) => fc.constantFrom(...names, ...names, 'nope');

/** A value that a parameter accepts; of numbers the small and the outermost. */
function valueOf(field: z.ZodType): fc.Arbitrary<unknown> {
  const schema = z.toJSONSchema(field, { io: 'input' });
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.type === 'boolean') return fc.boolean();
  const { minimum = 0, maximum = 0 } = schema;
  return fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: minimum, max: Math.min(maximum, minimum + 1) }) },
    { weight: 1, arbitrary: fc.integer({ min: minimum, max: maximum }) },
  );
}
