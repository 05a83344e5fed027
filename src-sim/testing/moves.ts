import fc from 'fast-check';
import { ACTIONS, ActionSchema, ACTORS, type Action, type ActionDeclaration } from '../scenario/action';
import { Timeline } from '../timeline';

/** What random tests of the engine do to a machine. */

/** One TD and one plain guest, two vCPUs each. */
export const PLATFORM = { vms: { td: 2, vmx: 2 } };

/** Any action that the schema accepts, valid in the situation or not; parameters come from the declarations. */
export const anyAction: fc.Arbitrary<Action> = fc.oneof(
  ...ACTORS.flatMap((actor) =>
    Object.entries(ACTIONS[actor] as Record<string, ActionDeclaration>).map(([verb, { params }]) => {
      const fields: Record<string, fc.Arbitrary<unknown>> = {};
      for (const key of Object.keys(params.shape)) fields[key] = value(key, params.shape[key]!);
      return fc.record(fields).map((given) => ActionSchema.parse({ [actor]: verb, ...given }) as Action);
    }),
  ),
);

function value(key: string, type: unknown): fc.Arbitrary<unknown> {
  const inner = unwrap(type as ZodLike);
  if (key === 'vm') return fc.constantFrom('td', 'vmx', 'none');
  if (inner.def.type === 'boolean') return fc.boolean();
  if (inner.def.type === 'enum') return fc.constantFrom(...Object.values(inner.def.entries!));
  const max = Math.min(inner.maxValue ?? 7, 4096);
  return key === 'vcpu' ? fc.integer({ min: 0, max: 2 }) : fc.integer({ min: inner.minValue ?? 0, max });
}
interface ZodLike {
  def: { type: string; innerType?: ZodLike; entries?: Record<string, unknown> };
  minValue?: number | null;
  maxValue?: number | null;
}
function unwrap(type: ZodLike): ZodLike {
  return type.def.innerType ? unwrap(type.def.innerType) : type;
}

/** What a learner can do: begin, perform, step a thread, settle, jump. */
export type Move =
  | { do: 'begin'; action: Action }
  | { do: 'perform'; action: Action }
  | { do: 'step'; n: number }
  | { do: 'jump'; n: number }
  | { do: 'settle' };
const anyMove: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('begin', 'perform'),
      action: anyAction,
    }) as fc.Arbitrary<Move>,
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('step'), n: fc.nat(4) }) as fc.Arbitrary<Move> },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('jump'), n: fc.nat(400) }) as fc.Arbitrary<Move> },
  { weight: 1, arbitrary: fc.constant<Move>({ do: 'settle' }) },
);
/** Both VMs, running. */
export const boots: Move[] = [
  { do: 'perform', action: ActionSchema.parse({ boot: 'td', vm: 'td' }) },
  { do: 'perform', action: ActionSchema.parse({ boot: 'vmx', vm: 'vmx' }) },
];
/** Half of the runs begin at power-on, half with both VMs running; the length is fixed, short ones find little. */
export const moves = fc
  .tuple(fc.boolean(), fc.array(anyMove, { minLength: 40, maxLength: 40 }))
  .map(([booted, rest]) => (booted ? [...boots, ...rest] : rest));

/** Does them on a new machine. `watch` sees every moment that is made. */
export function play(list: readonly Move[], watch: (t: Timeline) => void = () => {}): Timeline {
  const t = new Timeline(PLATFORM);
  t.onMoment = () => watch(t);
  for (const move of list) {
    if (move.do === 'begin') t.begin(move.action);
    else if (move.do === 'perform') t.perform(move.action);
    else if (move.do === 'step') t.step(t.machine.threadInfos[move.n]!.name);
    else if (move.do === 'settle') t.settle();
    else t.jump(move.n);
  }
  return t;
}
