import { z } from 'zod';
import { MomentaryCondition, StatePath, Stops } from '../src-sim/scenario/condition-schema';
import { Hit } from './view';

/** Marks that one question answers. */
export const MAX_MARKS = 2_000;
/** Watch expressions: the value of a state path, or whether a condition holds. */
export const WatchExpression = z.union([z.strictObject({ path: StatePath }), MomentaryCondition]);
export type WatchExpression = z.infer<typeof WatchExpression>;
export const Watches = z.array(WatchExpression).max(40);

const Moment = z.int().min(0);

/** What can be asked of a session without changing it. Nothing of this is part of a transcript. */
export const Question = z.discriminatedUnion('ask', [
  /** The last hit up to the moment `from`, or with `back` false the first one after it. */
  z.strictObject({ ask: z.literal('hit'), stops: Stops.min(1), from: Moment, back: z.boolean() }),
  /** Every moment after `from` at which a stop is hit. */
  z.strictObject({ ask: z.literal('marks'), stops: Stops.min(1), from: Moment }),
  /** What the machine does not know of these, and what the watches are at the moment shown. */
  z.strictObject({
    ask: z.literal('standing'),
    stops: Stops,
    watches: Watches,
  }),
  /** What made an event of the trace possible; `event` counts from 0 in the whole trace. */
  z.strictObject({ ask: z.literal('cause'), event: Moment, moment: Moment }),
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
    /** Per watch: its value, or of a condition `true` or `false`. */
    watches: z.array(z.strictObject({ value: z.string(), unknown: Unknown.nullable() })),
  }),
  z.strictObject({
    ask: z.literal('cause'),
    /** The nearest first; empty for an action, which has no cause in the machine. See docs/running-backwards.md. */
    causes: z.array(
      z.strictObject({
        kind: z.enum(['direct', 'before', 'call', 'action']),
        moment: z.int(),
        event: z.int().nullable(),
        /** One sentence. */
        say: z.string(),
      }),
    ),
    /** First moment whose steps of others were tried. */
    since: z.int(),
  }),
]);
export type Found = z.infer<typeof Found>;
