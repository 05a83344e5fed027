import { z } from 'zod';
import { ActionSchema } from '../src-sim/scenario/action';
import { Stops } from '../src-sim/scenario/condition-schema';
import { Setup } from './setup';
import { Slug } from './slug';

/** Characters that a text written by a learner may have. */
export const MAX_TEXT_ANSWER = 2_000;

/** Characters that an item of an answer may have: an id, a thread, or a whole command, of which some have many words. */
export const MAX_ITEM_ANSWER = 500;

/**
 * An answer to a checkpoint: one value for `predict`, a sequence of item ids for `order`, of commands for `build`, of
 * threads for `schedule`, a text for `explain`, `give-up` for `state`, which takes no other.
 */
export const Answer = z.union([
  z.string().max(MAX_TEXT_ANSWER),
  z.array(z.string().max(MAX_ITEM_ANSWER)).max(200),
]);

/** Atomic steps that one input may let a thread take. */
export const MAX_TIMES = 10_000;

const stops = {
  stops: Stops.min(1).optional().describe('Where it halts: at the first moment at which one of them is hit'),
};
const On = z
  .enum(['a', 'b'])
  .optional()
  .describe('In a sandbox that compares: the machine that alone does it');

/**
 * Everything a learner can do in a lab session, and so everything a transcript can hold. Session and replay are
 * reducers over these; whatever changes a score or the machine is one of them.
 */
export const Input = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('act'),
    action: ActionSchema.describe('What is done'),
    hold: z.boolean().optional().describe('Only begin it; the learner then chooses every step'),
    ...stops,
    on: On,
  }),
  z.strictObject({
    kind: z.literal('step'),
    thread: z.string().max(24).describe('Thread that takes atomic steps'),
    times: z.int().min(1).max(MAX_TIMES).optional().describe('How many, if it can; 1 without it'),
    ...stops,
    on: On,
  }),
  z.strictObject({ kind: z.literal('run'), on: On, ...stops }),
  z.strictObject({
    kind: z.literal('jump'),
    moment: z.int().min(0).describe('Moment of the current line of history'),
  }),
  z.strictObject({ kind: z.literal('reset') }),
  z.strictObject({ kind: z.literal('goto'), step: Slug }),
  z.strictObject({
    kind: z.literal('look'),
    at: z.enum(['a', 'b']).describe('Which machine of a comparison is shown'),
  }),
  z.strictObject({
    kind: z.literal('arrange'),
    checkpoint: Slug.describe('Puts the machine where the choices of this `schedule` begin'),
  }),
  z.strictObject({ kind: z.literal('answer'), checkpoint: Slug, answer: Answer }),
  z.strictObject({ kind: z.literal('hint'), checkpoint: Slug }),
  z.strictObject({
    kind: z.literal('build'),
    setup: Setup.describe('What the machine of a sandbox is; its first input, and only there'),
  }),
]);
export type Input = z.infer<typeof Input>;
