import { z } from 'zod';
import { MomentaryCondition, Stops } from '../src-sim/scenario/condition-schema';
import { Hit } from './view';

/** Marks that one question answers. */
export const MAX_MARKS = 2_000;
/** Conditions that one question is about. */
const MAX_WATCHES = 40;

const Moment = z.int().min(0);

/** What can be asked of a session without changing it. Nothing of this is part of a transcript. */
export const Question = z.discriminatedUnion('ask', [
  /** The last hit up to the moment `from`, or with `back` false the first one after it. */
  z.strictObject({ ask: z.literal('hit'), stops: Stops.min(1), from: Moment, back: z.boolean() }),
  /** Every moment after `from` at which a stop is hit. */
  z.strictObject({ ask: z.literal('marks'), stops: Stops.min(1), from: Moment }),
  /** What the machine does not know of these, and which of the conditions hold at the moment shown. */
  z.strictObject({
    ask: z.literal('standing'),
    stops: Stops,
    watches: z.array(MomentaryCondition).max(MAX_WATCHES),
  }),
]);
export type Question = z.infer<typeof Question>;

/** A word that this machine does not know, and the ones that look most like it. */
export const Unknown = z.strictObject({ say: z.string(), word: z.string(), nearest: z.array(z.string()) });
export type Unknown = z.infer<typeof Unknown>;

/** The answers, one a kind of question. */
export const Found = z.discriminatedUnion('ask', [
  z.strictObject({ ask: z.literal('hit'), hit: Hit.nullable() }),
  z.strictObject({
    ask: z.literal('marks'),
    /** Moment, and the first stop that is hit there; ascending. */
    marks: z.array(z.tuple([z.int(), z.int()])),
    /** Whether there are more than could be told. */
    more: z.boolean(),
  }),
  z.strictObject({
    ask: z.literal('standing'),
    /** Per stop: null when it can be hit on this machine. */
    stops: z.array(Unknown.nullable()),
    watches: z.array(z.strictObject({ holds: z.boolean(), unknown: Unknown.nullable() })),
  }),
]);
export type Found = z.infer<typeof Found>;
