import { z } from 'zod';

/**
 * The schemas of conditions, of event patterns and of stops. They know nothing of the machine, so that the screen can
 * check what it sends without carrying one.
 */

export const Value = z
  .union([z.string().max(200), z.number(), z.boolean()])
  .meta({ description: 'A value as the inspector shows it: RUNNABLE, 0, 0x1ff, -EINVAL. A flag is 0 or 1' });
export type Value = z.infer<typeof Value>;
const Values = z.array(Value).min(1).max(40);
const ValueOrValues = z.union([Value, Values]);
export const StatePath = z.string().min(1).max(80).meta({
  description:
    'A state path: td.vcpu1.mp_state. One bit of a bit field: td.vcpu1.apic.pending_events[INIT], td.vcpu0.pid.pir[49]',
});

export const WHENS = ['now', 'ever', 'never', 'always'] as const;
export type When = (typeof WHENS)[number];
const when = {
  when: z.enum(WHENS).optional().meta({
    description: 'now (when it is looked at), or over every moment watched: ever, never, always. Default now',
  }),
};
const OUTCOMES = ['returned', 'pending', 'queued', 'refused', 'unmodelled', 'limit'] as const;
const EVENT_TYPES = ['call', 'return', 'tracepoint', 'mark', 'action'] as const;

const pattern = {
  event: z.string().min(1).max(80).meta({
    description: 'A tracepoint, a mark, a routine or the verb of an action: kvm_exit, init_latched, KVM_RUN',
  }),
  type: z.enum(EVENT_TYPES).optional().meta({ description: 'Only events of this type' }),
  thread: z.string().min(1).max(24).optional().meta({ description: 'Only of this thread: vmm, td.vcpu0' }),
  where: z
    .record(z.string().min(1).max(40), ValueOrValues)
    .optional()
    .meta({ description: 'Arguments as the trace prints them; of a list, one must match' }),
};
/** Which events of a trace are meant. */
export const EventPattern = z
  .strictObject(pattern)
  .meta({ id: 'event', title: 'Event', description: 'Which events of the trace are meant' });
export type EventPattern = z.infer<typeof EventPattern>;

const Occurrences = z.int().min(0).max(1_000_000);
/** How often: exactly, or between two bounds. */
export const Count = z
  .union([
    Occurrences,
    z
      .strictObject({ min: Occurrences.optional(), max: Occurrences.optional() })
      .refine(({ min, max }) => min !== undefined || max !== undefined, 'min, max or both')
      .refine(({ min = 0, max = Infinity }) => min <= max, 'min no greater than max'),
  ])
  .meta({ description: 'How often: a number, or { min, max } with at least one of the two' });

/** Conditions that hold no others, by what they are about. */
export const CONDITION_SHAPES = {
  pathIs: z.strictObject({ path: StatePath, is: Value, ...when }).meta({ title: 'State has this value' }),
  pathNot: z
    .strictObject({ path: StatePath, not: Value, ...when })
    .meta({ title: 'State has another value' }),
  pathIn: z
    .strictObject({ path: StatePath, in: Values, ...when })
    .meta({ title: 'State has one of these values' }),
  return: z
    .strictObject({
      return: ValueOrValues.meta({
        description: 'What the last ioctl returned: 0, 1, -EINVAL. Of a list, one',
      }),
      of: z.string().min(1).max(40).optional().meta({ description: 'Only of this call: KVM_SET_MP_STATE' }),
      ...when,
    })
    .meta({ title: 'The last action returned this' }),
  exit: z
    .strictObject({
      exit: ValueOrValues.meta({
        description: 'KVM_EXIT_* with which KVM_RUN returned, or none. Of a list, one',
      }),
      ...when,
    })
    .meta({ title: 'KVM_RUN returned with this exit' }),
  outcome: z
    .strictObject({
      outcome: z
        .union([z.enum(OUTCOMES), z.array(z.enum(OUTCOMES)).min(1).max(OUTCOMES.length)])
        .meta({ description: 'How the last action stands. Of a list, one' }),
      ...when,
    })
    .meta({ title: 'The last action stands so' }),
  event: z.strictObject({ ...pattern, count: Count.optional() }).meta({
    title: 'Such an event happens',
    description: 'At least once, or as often as count says',
  }),
  absent: z.strictObject({ absent: EventPattern }).meta({ title: 'No such event happens' }),
  order: z.strictObject({ order: z.array(EventPattern).min(2).max(12) }).meta({
    title: 'Events follow each other',
    description: 'Each happens after the one before it; others may come between',
  }),
};
type Leaves = { [K in keyof typeof CONDITION_SHAPES]: z.infer<(typeof CONDITION_SHAPES)[K]> };
interface Timed {
  readonly when?: When | undefined;
}
interface All extends Timed {
  readonly all: readonly Condition[];
}
interface Any extends Timed {
  readonly any: readonly Condition[];
}
interface Not extends Timed {
  readonly not: Condition;
}
export type Condition = Leaves[keyof Leaves] | All | Any | Not;

const Conditions = z
  .array(z.lazy(() => Condition))
  .min(1)
  .max(20);
/** A condition: see docs/scenarios.md, section Conditions. */
export const Condition: z.ZodType<Condition> = z
  .union([
    ...Object.values(CONDITION_SHAPES),
    z.strictObject({ all: Conditions, ...when }).meta({ title: 'All of these' }),
    z.strictObject({ any: Conditions, ...when }).meta({ title: 'At least one of these' }),
    z.strictObject({ not: z.lazy(() => Condition), ...when }).meta({ title: 'Not this' }),
  ] as unknown as [z.ZodType<Condition>])
  .meta({ id: 'condition', title: 'Condition' });

// Stops -----------------------------------------------------------------------------------------------------------

/** Whether a condition is about one moment alone, so that it means the same whichever way history is searched. */
function isMomentary(condition: Condition): boolean {
  if ('event' in condition || 'absent' in condition || 'order' in condition) return false;
  if ((condition.when ?? 'now') !== 'now') return false;
  if ('all' in condition) return condition.all.every(isMomentary);
  if ('any' in condition) return condition.any.every(isMomentary);
  return 'path' in condition || !('not' in condition) || isMomentary(condition.not);
}

/** A condition about one moment: no events, nothing about other moments. */
export const MomentaryCondition = Condition.refine(
  isMomentary,
  'about one moment: no events, and `when` is now',
);

/** Where a run halts: at an event, where state changes, or where a condition becomes true. */
export const Stop = z.union([
  z.strictObject({ event: EventPattern }),
  z.strictObject({ changes: StatePath }),
  z.strictObject({ becomes: MomentaryCondition }),
]);
export type Stop = z.infer<typeof Stop>;

/** Stops that one run or search has, at most `MAX_STOPS`. The run halts where the first of them is hit. */
export const MAX_STOPS = 40;
export const Stops = z.array(Stop).max(MAX_STOPS);
