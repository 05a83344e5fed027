import { z } from 'zod';
import { explain, type ScenarioError } from './errors';

/**
 * What a run of a scenario is told as: the document that `seamlab run --json` prints. Programs read it: keys are added,
 * not renamed, and what means something else gets another `seamlab` value.
 */

const Text = z.string();
const Index = z.int().min(0);
const Place = { line: z.int().min(1), column: z.int().min(1) };

const StepReport = z.strictObject({
  /** From 1, as in the file. */
  n: z.int().min(1),
  ...Place,
  /** What was done: `vmm KVM_RUN vm=td vcpu=0`, `sched step thread=td.vcpu0 times=3`. */
  command: Text,
  /**
   * How it ended. Of actions: `returned`, `pending`, `queued`, `refused`, `unmodelled`, `limit`. Of others: `done`, or
   * `stuck` when the thread could not step as the scenario says.
   */
  outcome: z.enum(['returned', 'pending', 'queued', 'refused', 'unmodelled', 'limit', 'done', 'stuck']),
  /** `0`, `1`, `-EINVAL`, ... when it returned. */
  value: Text.nullable(),
  /** `KVM_EXIT_...` when KVM_RUN returned. */
  exit: Text.nullable(),
  say: Text,
  /** Moments before and after. */
  from: Index,
  to: Index,
});
export type StepReport = z.infer<typeof StepReport>;

const ExpectationReport = z.strictObject({
  /** The step to which it belongs; null at the end of the file. */
  step: z.int().min(1).nullable(),
  ...Place,
  holds: z.boolean(),
  expected: Text,
  observed: Text,
  /** Where it first went wrong; null when it holds, or when what is missing never happened. */
  moment: Index.nullable(),
  event: Index.nullable(),
});
export type ExpectationReport = z.infer<typeof ExpectationReport>;

const EventReport = z.strictObject({
  n: Index,
  moment: Index,
  ns: z.number().min(0),
  thread: Text,
  cpu: Index,
  layer: z.enum(['guest', 'seam', 'kvm', 'vmm', 'hardware']),
  depth: Index,
  type: z.enum(['call', 'return', 'tracepoint', 'mark', 'action']),
  name: Text,
  args: z.record(Text, z.union([Text, z.number()])),
  text: Text,
  say: Text,
  source: Text,
});

const ChangeReport = z.strictObject({
  /** First moment at which it shows. */
  moment: Index,
  /** Virtual nanoseconds. */
  ns: z.number().min(0),
  /** Thread whose step made it, and the nesting of the routine to which the step belongs. */
  thread: Text,
  depth: Index,
  path: Text,
  from: Text,
  to: Text,
});
export type ChangeReport = z.infer<typeof ChangeReport>;

/** See `Broken` of src-sim/invariants. */
const BrokenReport = z.strictObject({
  name: Text,
  says: Text,
  source: Text,
  /** Of what it does not hold: `td.vcpu1`. */
  subject: Text,
  moment: Index,
  thread: Text,
  /** Empty when an action broke it. */
  routine: Text,
  step: Text,
});

/** A scenario that was run. */
export const Report = z.strictObject({
  seamlab: z.literal('report/1'),
  /** `SIM_VERSION`: the same file gives the same report under the same one. */
  simulator: Text,
  title: Text,
  cites: z.array(Text),
  /**
   * `held`: every expectation did. `failed`: one did not, or a scheduling step was impossible. `limit`: not run to its
   * end. `broken`: an invariant of the machine does not hold; the run ended there.
   */
  outcome: z.enum(['held', 'failed', 'limit', 'broken']),
  /** Why it was not run to its end; null otherwise. */
  limit: Text.nullable(),
  /** The invariant that does not hold, and the step that broke it; null otherwise. */
  broken: BrokenReport.nullable(),
  platform: z.strictObject({
    vms: z.record(Text, z.int()),
    switches: z.record(Text, z.boolean()).optional(),
  }),
  steps: z.array(StepReport),
  expectations: z.array(ExpectationReport),
  trace: z.array(EventReport),
  /** Events after the last one of `trace`: it keeps the first 100,000. */
  omitted: Index,
  /** State that changed, oldest first; as far as `trace` goes. */
  changes: z.array(ChangeReport),
  moments: Index,
  /** Final state: every path with its value. */
  state: z.record(Text, Text),
  /** Hash of the final state, 16 hexadecimal digits. */
  hash: z.string().regex(/^[0-9a-f]{16}$/),
  /** File that was run; the command line adds it. */
  file: Text.optional(),
  /** Values at one moment, when the command line was asked for them. */
  shown: z.strictObject({ moment: Index, values: z.record(Text, Text) }).optional(),
});
export type Report = z.infer<typeof Report>;

/** What `--json` prints of a file that is no sound scenario. */
export const FaultReport = z.strictObject({
  seamlab: z.literal('report/1'),
  outcome: z.literal('invalid'),
  file: Text.optional(),
  errors: z.array(z.strictObject({ ...Place, code: Text, message: Text, nearest: z.array(Text) })),
});
export type FaultReport = z.infer<typeof FaultReport>;

/** The errors of a file as a document. */
export function faultReport(errors: readonly ScenarioError[]): FaultReport {
  return {
    seamlab: 'report/1',
    outcome: 'invalid',
    errors: errors.map((error) => ({
      line: error.at.line,
      column: error.at.column,
      code: error.code,
      message: explain(error),
      nearest: 'nearest' in error ? [...error.nearest] : [],
    })),
  };
}
