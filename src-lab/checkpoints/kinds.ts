import type { CheckpointSource, Kind } from '../schema';
import type { AnsweredKind, CheckpointKind, SourceOf, WatchedKind } from './kind';
import { order } from './order';
import { predict } from './predict';
import { state } from './state';

/** Every kind of checkpoint there is. A kind of the schema without its entry does not compile. */
export const KINDS = { state, predict, order } as const satisfies {
  [K in Kind]: CheckpointKind<SourceOf<K>>;
};

/** The kind of a checkpoint, to be used with that very checkpoint. */
export function kindOf(
  source: CheckpointSource,
): AnsweredKind<CheckpointSource> | WatchedKind<CheckpointSource> {
  return KINDS[source.kind] as unknown as AnsweredKind<CheckpointSource> | WatchedKind<CheckpointSource>;
}
