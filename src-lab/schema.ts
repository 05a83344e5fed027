import { z } from 'zod';
import { ActionSchema } from '../src-sim/scenario/action';
import { Condition, EventPattern } from '../src-sim/scenario/condition';
import { Platform, Switches } from '../src-sim/scenario/platform';
import { FactId } from '../src-sim/scenario/scenario-format';
import { ActionPattern } from './action-pattern';
import { DiagramSource } from './diagram';
import { MAX_ITEM_ANSWER, MAX_TEXT_ANSWER } from './input';
import { SANDBOX } from './setup';
import { Slug } from './slug';

/**
 * What authors write: `lab.yaml`, `solution.yaml`, `wrong/*.yaml`. One schema gives the types, the errors with their
 * places, and the JSON Schema that editors complete from. What needs more than one place to decide (does this step
 * exist?) is in `lab.ts`.
 */

const Sentence = z.string().trim().min(1).max(400);
/** Markdown, as in the guide: no HTML, pictures or links. */
const Prose = z
  .string()
  .trim()
  .min(1)
  .max(4_000)
  .meta({ description: 'Markdown without HTML, pictures or links' });
/** A value as people write it; YAML's numbers and booleans are taken as their text. */
const Scalar = z
  .union([z.string().max(200), z.number(), z.boolean()])
  .transform(String)
  .meta({ description: 'A value as the inspector shows it: RUNNABLE, 0, -EINVAL' });

export { FactId };

const AnyAction = ActionSchema.meta({ id: 'action', title: 'Action' });
const Actions = z.array(AnyAction).max(50);
/** Actions from power-on, or the name of an entry of `situations`. */
const Situation = z
  .union([Slug, Actions])
  .meta({ description: 'Actions from power-on, or the name of an entry of situations' });

const Hint = z.strictObject({
  cost: z.int().min(0).max(20).describe('Points that opening it costs'),
  say: Prose,
});

const asked = {
  id: Slug,
  step: Slug.describe('Step to which it belongs; the guide places it in that step'),
  title: Sentence,
  ask: Prose.describe('The question or task, Markdown'),
  facts: z.array(FactId).min(1).max(12).describe('Facts that the right answer rests on'),
};
const common = {
  ...asked,
  points: z.int().min(1).max(20),
  hints: z.array(Hint).length(3).describe('Three, each deeper than the one before'),
};
const told = {
  misconception: Slug.describe('Name of an entry of misconceptions'),
  say: Prose.optional().describe('What this learner is told; default: what the misconception says'),
};
const Which = z
  .enum(['a', 'b'])
  .optional()
  .describe('In a step that compares: the machine that it is about. Default a');
const arranged = {
  situation: Situation.optional().describe('What happens before it; default: the situation of the step'),
  switches: Switches.optional().describe(
    "Switches of the machine, on top of the platform's; default: those of the step",
  ),
  on: Which,
};
const demonstrated = {
  ...arranged,
  run: Actions.min(1).describe('What the question is about. The machine performs it; its answer is the key'),
};

/** What a prediction is about. All of it is read from the machine after, or during, the run. */
export const Observe = z.union([
  z
    .string()
    .min(1)
    .max(80)
    .describe('A state path: td.vcpu1.mp_state, last.return, last.exit, td.vcpu1.apic.pending_events[INIT]'),
  z.strictObject({ count: EventPattern.describe('How many events of the run match') }),
  z.strictObject({ happens: EventPattern.describe('Whether the run has such an event: yes or no') }),
]);
export type Observe = z.infer<typeof Observe>;

export const PredictCheckpoint = z.strictObject({
  ...common,
  kind: z.literal('predict'),
  ...demonstrated,
  observe: Observe,
  choices: z
    .array(z.union([Scalar, z.strictObject({ value: Scalar, label: Sentence })]))
    .min(2)
    .max(8)
    .optional()
    .describe('Values to choose from, in this order; without them the learner types the value'),
  label: Sentence.optional().describe('Label of the field in which the value is typed'),
  example: Sentence.optional().describe('How such a value looks; not the right one'),
  feedback: z
    .array(z.strictObject({ when: z.union([Scalar, z.array(Scalar).min(1).max(20)]), ...told }))
    .max(20)
    .default([]),
});
export type PredictCheckpoint = z.infer<typeof PredictCheckpoint>;

/** A condition on the order that the learner gave. */
const OrderCondition = z.union([
  z.strictObject({ includes: Slug }),
  z.strictObject({ omits: Slug }),
  z.strictObject({ before: z.tuple([Slug, Slug]).describe('The first is given, and before the second') }),
]);
export type OrderCondition = z.infer<typeof OrderCondition>;

export const OrderCheckpoint = z.strictObject({
  ...common,
  kind: z.literal('order'),
  ...demonstrated,
  items: z
    .array(z.strictObject({ id: Slug, label: Sentence, event: EventPattern }))
    .min(2)
    .max(12)
    .describe('What may be put in order. Items whose event never happens must be left out'),
  unordered: z
    .array(z.array(Slug).min(2).max(12))
    .max(6)
    .default([])
    .describe('Sets of items that may come in any order among themselves'),
  partial: z
    .boolean()
    .default(false)
    .describe('Whether an order that is partly right earns part of the points'),
  feedback: z
    .array(
      z.strictObject({ when: z.union([OrderCondition, z.array(OrderCondition).min(1).max(6)]), ...told }),
    )
    .max(20)
    .default([]),
});
export type OrderCheckpoint = z.infer<typeof OrderCheckpoint>;

export const StateCheckpoint = z.strictObject({
  ...common,
  kind: z.literal('state'),
  goals: z
    .array(z.strictObject({ say: Sentence.describe('The goal in words'), condition: Condition, on: Which }))
    .min(1)
    .max(8)
    .describe('All must hold at once. Watched from the situation of the step on'),
  way: Actions.min(1).describe(
    'One way to the goals from the situation of the step: shown when the learner gives up',
  ),
  feedback: z
    .array(z.strictObject({ when: Condition, on: Which, ...told }))
    .max(20)
    .default([])
    .describe('Shown when an input makes the condition true and the goals do not hold'),
});
export type StateCheckpoint = z.infer<typeof StateCheckpoint>;

/** A condition on a sequence of actions: which it holds, or what came of it. */
const BuildCondition = z.union([
  z.strictObject({ uses: ActionPattern }).describe('It holds such an action'),
  z.strictObject({ lacks: ActionPattern }).describe('It holds no such action'),
  Condition,
]);
export type BuildCondition = z.infer<typeof BuildCondition>;

export const BuildCheckpoint = z.strictObject({
  ...common,
  kind: z.literal('build'),
  ...arranged,
  goals: z
    .array(
      z.strictObject({
        say: Sentence.describe('The goal in words'),
        condition: Condition.describe('Looked at when all actions are performed, watched from the situation'),
        points: z.int().min(1).max(20).optional().describe('Points for this goal alone; then for every goal'),
      }),
    )
    .min(1)
    .max(8),
  max: z.int().min(1).max(40).default(12).describe('Actions that may be used'),
  only: z.array(ActionPattern).min(1).max(30).optional().describe('Actions that may be used; default all'),
  without: z.array(ActionPattern).max(30).default([]).describe('Actions that may not be used'),
  way: z.array(AnyAction).min(1).max(40).describe('One way to the goals: shown when no attempt is left'),
  feedback: z
    .array(
      z.strictObject({ when: z.union([BuildCondition, z.array(BuildCondition).min(1).max(6)]), ...told }),
    )
    .max(20)
    .default([])
    .describe('Of a sequence that misses a goal'),
});
export type BuildCheckpoint = z.infer<typeof BuildCheckpoint>;

export const ScheduleCheckpoint = z.strictObject({
  ...common,
  kind: z.literal('schedule'),
  ...arranged,
  begin: z
    .array(
      z.union([
        AnyAction,
        z.strictObject({
          step: z.string().max(24).describe('Thread that steps'),
          times: z.int().min(1).max(500).default(1),
        }),
      ]),
    )
    .min(1)
    .max(12)
    .describe('Actions that are begun and not run, and steps taken, before the choices begin'),
  goal: z.strictObject({ say: Sentence.describe('What is to happen, in words'), condition: Condition }),
  max: z.int().min(1).max(2_000).default(400).describe('Steps that a schedule may have'),
  budget: z
    .int()
    .min(100)
    .max(100_000)
    .default(20_000)
    .describe('States that the search for a schedule may visit'),
  feedback: z
    .array(
      z.strictObject({
        when: z.union([
          z
            .strictObject({ says: z.enum(['cannot', 'can']) })
            .describe('The learner says that it cannot happen, or gives a schedule'),
          Condition,
        ]),
        ...told,
      }),
    )
    .max(20)
    .default([]),
});
export type ScheduleCheckpoint = z.infer<typeof ScheduleCheckpoint>;

export const ExplainCheckpoint = z.strictObject({
  ...asked,
  kind: z.literal('explain'),
  points: z.literal(0).default(0).describe('It is not scored'),
  least: z.int().min(1).max(500).default(40).describe('Characters that a text must have'),
  rubric: z.array(Sentence).min(1).max(8).describe('What an instructor looks for'),
  model: Prose.describe('A model answer: shown once the learner has written'),
});
export type ExplainCheckpoint = z.infer<typeof ExplainCheckpoint>;

export const CheckpointSource = z.discriminatedUnion('kind', [
  PredictCheckpoint,
  OrderCheckpoint,
  StateCheckpoint,
  BuildCheckpoint,
  ScheduleCheckpoint,
  ExplainCheckpoint,
]);
export type CheckpointSource = z.infer<typeof CheckpointSource>;
export type Kind = CheckpointSource['kind'];

const ComparedVariant = z.strictObject({
  label: z.string().trim().min(1).max(60).describe('What the screen calls it: v1, inhibited'),
  switches: Switches.default({}).describe("On top of the platform's and the step's"),
});
const Compare = z
  .strictObject({ a: ComparedVariant, b: ComparedVariant })
  .describe('Everything that is done in this step is done to both machines. Needs a setup');

export const LabSource = z.strictObject({
  format: z.literal(1),
  id: Slug.refine((id) => id !== SANDBOX, `"${SANDBOX}" is not the id of a lab`),
  number: z.int().min(1).max(99).describe('Place in the course'),
  title: z.string().trim().min(1).max(80),
  summary: Sentence,
  minutes: z.int().min(5).max(120),
  objectives: z.array(Sentence).min(1).max(8),
  prerequisites: z.array(Sentence).max(8),
  platform: Platform,
  seeds: z
    .array(z.string().regex(/^[a-z0-9_]{1,40}$/, 'lower-case letters, digits and underscores'))
    .max(8)
    .default([]),
  policy: z
    .strictObject({
      retry: z.enum(['best', 'last', 'first']).default('best').describe('Which attempt counts'),
      wrong_costs: z.int().min(0).max(20).default(1).describe('Points that each wrong attempt costs'),
      reveal_after: z
        .int()
        .min(1)
        .max(10)
        .default(3)
        .describe('Wrong attempts after which the answer is shown'),
    })
    .prefault({}),
  misconceptions: z
    .record(
      Slug,
      z.strictObject({ name: Sentence, say: Prose.describe('What a learner who holds it is told') }),
    )
    .default({}),
  terms: z
    .record(z.string().min(1).max(60), Sentence)
    .default({})
    .describe('Words that the prose explains where it writes :term[word]'),
  situations: z.record(Slug, Actions).default({}).describe('Actions from power-on, by name'),
  diagrams: z
    .record(Slug, DiagramSource)
    .refine((diagrams) => Object.keys(diagrams).length <= 12, 'at most 12 diagrams')
    .default({})
    .describe('Pictures that guide.md places with ::diagram{id=...}'),
  steps: z
    .array(
      z.strictObject({
        id: Slug.describe('Its section in guide.md begins with # Title {#id}'),
        gate: z
          .boolean()
          .default(false)
          .describe('The next step opens when the checkpoints of this one are settled'),
        setup: Situation.optional().describe(
          'The situation in which it begins; without it the machine stays as it is',
        ),
        switches: Switches.optional().describe(
          "Switches of its machine, on top of the platform's. Needs a setup",
        ),
        compare: Compare.optional(),
        offer: z
          .array(ActionPattern)
          .min(1)
          .max(30)
          .optional()
          .describe('Only these actions are accepted in this step'),
        lock: z.array(ActionPattern).min(1).max(30).optional().describe('These are not accepted'),
      }),
    )
    .min(1)
    .max(20),
  checkpoints: z.array(CheckpointSource).min(1).max(30),
});
export type LabSource = z.infer<typeof LabSource>;

const InputSource = z.union([
  z.strictObject({
    act: z.union([z.string().max(300).describe('A command: vmm KVM_RUN vm=td vcpu=0'), AnyAction]),
    hold: z.boolean().optional().describe('Only begin it'),
  }),
  z.strictObject({ step: z.string().max(24).describe('Thread that takes one atomic step') }),
  z.strictObject({ run: z.literal(true) }),
  z.strictObject({ jump: z.int().min(0) }),
  z.strictObject({ reset: z.literal(true) }),
  z.strictObject({ goto: Slug.describe('Step') }),
  z.strictObject({ look: z.enum(['a', 'b']).describe('Machine of a comparison that is shown') }),
  z.strictObject({ arrange: Slug.describe('Checkpoint of kind schedule') }),
  z.strictObject({
    answer: Slug.describe('Checkpoint'),
    is: z
      .union([
        z.union([z.string().max(MAX_TEXT_ANSWER), z.number(), z.boolean()]).transform(String),
        z.array(z.string().max(MAX_ITEM_ANSWER)).max(200),
      ])
      .describe('A value or a text; or item ids, commands or threads in order'),
  }),
  z.strictObject({ hint: Slug.describe('Checkpoint') }),
]);
export type InputSource = z.infer<typeof InputSource>;

/** `solution.yaml`, `solution-2.yaml`: inputs that earn every point. */
export const SolutionSource = z.strictObject({
  about: Sentence.optional(),
  inputs: z.array(InputSource).min(1).max(500),
});
export type SolutionSource = z.infer<typeof SolutionSource>;

/** `wrong/*.yaml`: inputs that must not pass a checkpoint, and the misconception that the learner is told. */
export const WrongSource = z.strictObject({
  about: Sentence.optional(),
  checkpoint: Slug,
  misconception: Slug,
  event: EventPattern.optional().describe('The event that the finding points to, once it is shown'),
  inputs: z.array(InputSource).min(1).max(500),
});
export type WrongSource = z.infer<typeof WrongSource>;

const Reason = z.string().trim().min(1).max(200);

/** A fact of the references, in our own words. */
export const Fact = z.strictObject({
  fact: z.string().trim().min(1).max(300).describe('One or two short sentences'),
  source: z
    .string()
    .trim()
    .min(1)
    .max(200)
    .describe('File and function of the kernel, section of a manual, module source'),
  later: Reason.optional().describe("Why the machine does not have it; default: the group's reason"),
});
export type Fact = z.infer<typeof Fact>;

/** Known facts by id. */
export type Facts = Readonly<Record<string, Fact>>;

/** The group of a fact: `x86:SIPI` of `x86:SIPI-11`. */
export function factGroup(id: string): string {
  return id.slice(0, id.lastIndexOf('-'));
}

/** `labs/facts/*.json`: the facts of one reference document, in its order. */
export const FactsFile = z
  .strictObject({
    groups: z.record(
      z.string().max(40),
      z.strictObject({
        title: z.string().trim().min(1).max(80),
        later: Reason.optional().describe(
          'Why those of its facts that the machine does not have are not there',
        ),
      }),
    ),
    facts: z.record(FactId, Fact),
  })
  .check(({ value: { groups, facts }, issues }) => {
    for (const id of Object.keys(facts))
      if (!Object.hasOwn(groups, factGroup(id)))
        issues.push({ code: 'custom', input: id, path: ['facts', id], message: 'its group has no title' });
  });
export type FactsFile = z.infer<typeof FactsFile>;

/** The JSON Schema of `lab.yaml`, as `lab.schema.json` publishes it for editors. */
export function labJsonSchema(): string {
  const schema = z.toJSONSchema(LabSource, { io: 'input', target: 'draft-07' });
  return `${JSON.stringify(schema, null, 2)}\n`;
}
