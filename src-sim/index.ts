/** The machine's public face: what the course engine, the desktop and the command line may use. */

export { SIM_VERSION } from './version';
export { Timeline, STEP_LIMIT } from './timeline';
export { causesOf } from './cause';
export type { Cause, Causes } from './cause';
export type { Author, Moment, Past, Progress, Seeker } from './past';
export type { Outcome } from './vmm/perform';
export { Machine, KVM_EXIT } from './machine/machine';
export type { ThreadState, ThreadStatus } from './machine/machine';
export { editDistance } from './machine/layout';
export type { Layer, Layout, Leaf, LeafKind } from './machine/layout';
export { ACTION, CALL, ERRNO, EVENT_NAMES, RETURN, returnName } from './machine/trace';
export type { Trace, TraceEvent } from './machine/trace';
export { leafOf, tookOf } from './machine/calls';
export { heldLocks } from './kvm/locks';
export { INVARIANTS, brokenText } from './invariants/watch';
export type { Broken } from './invariants/watch';
export type { Invariant } from './invariants/invariant';
import { allRoutines } from './machine/routine';

/** Names of all routines: what events of type `call` and `return` can be called. */
export const ROUTINE_NAMES: ReadonlySet<string> = new Set(allRoutines().map((routine) => routine.name));
