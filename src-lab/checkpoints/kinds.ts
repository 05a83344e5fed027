import type { CheckpointSource, Kind } from '../schema';
import { build } from './build';
import { explain } from './explain';
import type { AnsweredKind, CheckpointKind, SourceOf, WatchedKind, WrittenKind } from './kind';
import { order } from './order';
import { predict } from './predict';
import { schedule } from './schedule';
import { state } from './state';

/** Every kind of checkpoint there is. A kind of the schema without its entry does not compile. */
export const KINDS = { state, predict, order, build, schedule, explain } as const satisfies {
  [K in Kind]: CheckpointKind<SourceOf<K>>;
};

type Any = CheckpointSource;

/** The kind of a checkpoint, to be used with that very checkpoint. */
export function kindOf(source: Any): AnsweredKind<Any> | WatchedKind<Any> | WrittenKind<Any> {
  return KINDS[source.kind] as unknown as AnsweredKind<Any> | WatchedKind<Any> | WrittenKind<Any>;
}
