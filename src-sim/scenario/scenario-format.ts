import { z } from 'zod';
import { ACTIONS, type Action, type ActionDeclaration } from './action';
import { Condition, EventPattern } from './condition-schema';
import type { Place } from './errors';
import { Platform } from './platform';

/** What a scenario file says: its schema, and what is made of it. */

/** First line of every scenario file. It changes when files that were right become wrong. */
export const FORMAT = 'scenario/1';
export const SCENARIO_LIMITS = {
  steps: 10_000,
  /** Conditions of one `expect`. */
  expectations: 100,
  /** Atomic steps that one `sched: step` may take. */
  times: 10_000,
} as const;

export const Title = z
  .string()
  .trim()
  .min(1)
  .max(120)
  .meta({ description: 'What the scenario shows, one line' });
export const FactId = z
  .string()
  .regex(
    /^(?:[a-z][a-z0-9]*:)?[A-Z][A-Z0-9]*(?:-[A-Z][A-Z0-9]*)*-[0-9]+[a-z]?$/,
    'a fact id such as INIT-3 or x86:SIPI-23',
  )
  .meta({ description: 'Id of a fact of the references: INIT-3, x86:SIPI-23' });
const Cites = z.array(FactId).max(40).meta({ description: 'Facts that the scenario shows' });
const Expect = z
  .array(Condition)
  .min(1)
  .max(SCENARIO_LIMITS.expectations)
  .meta({ description: 'What must be so once the step is done; events and when: over that step' });
const Thread = z
  .string()
  .min(1)
  .max(24)
  .meta({ description: 'A thread: vmm, or the one of a vCPU such as td.vcpu0' });
const Hold = z
  .boolean()
  .default(false)
  .meta({ description: 'Only begin the action; sched steps say how it goes on' });

/** Steps that choose who goes next, by verb. */
export const SCHED = {
  step: z
    .strictObject({
      sched: z.literal('step'),
      thread: Thread,
      times: z
        .int()
        .min(1)
        .max(SCENARIO_LIMITS.times)
        .default(1)
        .meta({ description: 'Atomic steps that it takes' }),
    })
    .meta({ title: 'sched step', description: 'One thread takes atomic steps' }),
  until: z
    .strictObject({
      sched: z.literal('until'),
      thread: Thread,
      event: EventPattern.shape.event,
      type: EventPattern.shape.type,
      where: EventPattern.shape.where,
    })
    .meta({
      title: 'sched until',
      description: 'One thread takes atomic steps until it leaves such an event',
    }),
  run: z
    .strictObject({ sched: z.literal('run') })
    .meta({ title: 'sched run', description: 'All threads go on, each to completion, until none can' }),
} as const;

/** The schema of one action as a step, without its expectations. `boot` stands for many calls: it cannot be held. */
function actionStep(actor: string, verb: string, { params, doc, source }: ActionDeclaration): z.ZodObject {
  const own = z.strictObject({ [actor]: z.literal(verb), ...params.shape });
  const step = actor === 'boot' ? own : own.extend({ hold: Hold });
  return step.meta({ title: `${actor} ${verb}`, description: `${doc} ${source}` });
}

// Schemas are made when they are first asked for: a file has few of all the actions, and making one takes long.

/** What each actor can do. */
export const VERBS: Readonly<Record<string, Readonly<Record<string, ActionDeclaration>>>> = ACTIONS;
const steps = new Map<string, z.ZodObject>();

/** The schema of what an actor of `VERBS` does, or `sched`, without expectations. */
export function stepSchema(actor: string, verb: string): z.ZodObject {
  if (actor === 'sched') return SCHED[verb as keyof typeof SCHED];
  const key = `${actor} ${verb}`;
  const made = steps.get(key) ?? actionStep(actor, verb, VERBS[actor]![verb]!);
  steps.set(key, made);
  return made;
}

/** What a file has besides its steps and expectations. */
const head = {
  seamlab: z.literal(FORMAT).meta({ description: 'Format and version of the file' }),
  title: Title,
  cites: Cites.optional(),
  platform: Platform,
};
/** Keys of a file. */
export const FILE_KEYS: readonly string[] = [...Object.keys(head), 'steps', 'expect'];

/** A whole file. The published JSON Schema is made of this; `parseScenario` gives its errors their places. */
export function scenarioFile(): z.ZodType {
  const expecting = { expect: Expect.optional() };
  const withExpect = (step: z.ZodObject): z.ZodObject => step.extend(expecting).meta(step.meta() ?? {});
  const known = Object.entries<object>({ ...VERBS, sched: SCHED });
  const Step = z.union([
    ...known.flatMap(([actor, verbs]) =>
      Object.keys(verbs).map((verb) => withExpect(stepSchema(actor, verb))),
    ),
    z
      .strictObject({ expect: Expect })
      .meta({ title: 'expect', description: 'What must be so by now; events and when: since power-on' }),
  ] as unknown as [z.ZodType]);
  return z
    .strictObject({
      ...head,
      steps: z.array(Step).max(SCENARIO_LIMITS.steps).meta({ description: 'Who does what, in order' }),
      expect: Expect.optional().meta({
        description: 'What must be so at the end; events and when: since power-on',
      }),
    })
    .meta({ id: 'scenario', title: 'Seamlab scenario', description: 'See docs/scenarios.md' });
}

/** The published JSON Schema of scenario files, as text: draft 7, the one that editors read. */
export function scenarioJsonSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(scenarioFile(), { io: 'input', target: 'draft-07' }), null, 2)}\n`;
}

/** A condition, and where it stands. */
export interface Expectation {
  readonly condition: Condition;
  readonly at: Place;
}

/** One step. `at`: where it stands in the file. */
export type Step = { readonly at: Place; readonly expect: readonly Expectation[] } & (
  | { readonly kind: 'action'; readonly action: Action; readonly hold: boolean }
  | { readonly kind: 'step'; readonly thread: string; readonly times: number }
  | { readonly kind: 'until'; readonly thread: string; readonly pattern: EventPattern }
  | { readonly kind: 'run' }
  | { readonly kind: 'expect' }
);

/** A scenario that is sound: every name in it exists on its platform. */
export interface Scenario {
  readonly title: string;
  readonly cites: readonly string[];
  readonly platform: Platform;
  readonly steps: readonly Step[];
  /** What must be so at the end. */
  readonly expect: readonly Expectation[];
}
