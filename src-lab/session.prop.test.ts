import fc from 'fast-check';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { SIM_VERSION } from '../src-sim';
import { ACTIONS, ACTORS, type ActionDeclaration } from '../src-sim/scenario/action';
import { gradeTranscript, replay } from './grade';
import { Input } from './input';
import { GIVE_UP } from './session';
import { Shown } from './show';
import { Learner, SESSION } from './testing/play';
import { tinyLab } from './testing/tiny';
import { entryLine, headerLine, transcriptFile } from './transcript';
import { InputReply } from './view';

const lab = tinyLab();

/** Values that a parameter accepts; of numbers the small and the outermost. */
function values(name: string, field: z.ZodType): fc.Arbitrary<unknown> {
  const schema = z.toJSONSchema(field, { io: 'input' });
  if (name === 'vm') return fc.constantFrom('td', 'td', 'vmx', 'vmx', 'nope');
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.type === 'boolean') return fc.boolean();
  const { minimum = 0, maximum = 0 } = schema;
  return fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: minimum, max: Math.min(maximum, minimum + 1) }) },
    { weight: 1, arbitrary: fc.integer({ min: minimum, max: maximum }) },
  );
}

const actions = fc.oneof(
  ...ACTORS.flatMap((actor) =>
    Object.entries(ACTIONS[actor] as Record<string, ActionDeclaration>).map(([verb, { params }]) =>
      fc.record({
        [actor]: fc.constant(verb),
        ...Object.fromEntries(
          Object.entries(params.shape).map(([name, field]) => [name, values(name, field as z.ZodType)]),
        ),
      }),
    ),
  ),
);
const slug = (...names: string[]) => fc.constantFrom(...names, 'nothing');
const inputs: fc.Arbitrary<Input> = fc
  .oneof(
    { weight: 10, arbitrary: fc.record({ kind: fc.constant('act'), action: actions }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('act'), action: actions, hold: fc.boolean() }) },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('step'),
        thread: fc.constantFrom('vmm', 'td.vcpu0', 'td.vcpu1', 'vmx.vcpu1', 'nothing'),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('run') }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('jump'), moment: fc.nat(400) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('reset') }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('goto'), step: slug('ioctl', 'ipi', 'rest') }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('answer'),
        checkpoint: slug('mp-state', 'order-td', 'start-ap', 'latch'),
        answer: fc.oneof(
          fc.constantFrom('0', '1', '-EINVAL', GIVE_UP, ''),
          fc.string({ maxLength: 8, unit: 'binary' }),
          fc.subarray(['latched', 'blocked', 'entered', 'reset']),
        ),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('hint'),
        checkpoint: slug('mp-state', 'order-td', 'start-ap', 'latch'),
      }),
    },
  )
  .map((input) => Input.parse(input));

/** Half of the sequences begin where the gate is open: there is more to do. */
const sequences = fc
  .tuple(fc.boolean(), fc.array(inputs, { minLength: 20, maxLength: 40 }))
  .map(([open, rest]): Input[] =>
    open ? [Input.parse({ kind: 'answer', checkpoint: 'mp-state', answer: '-EINVAL' }), ...rest] : rest,
  );

test('no sequence of inputs makes a session throw, and the same inputs give the same progress and machine', () => {
  fc.assert(
    fc.property(sequences, (sequence) => {
      const [one, two] = [new Learner(lab), new Learner(lab)];
      const screen = new Shown(one);
      screen.view();
      const accepted: Input[] = [];
      let told: InputReply | null = null;
      for (const input of sequence) {
        const before = one.timeline.machine.hash();
        const applied = one.apply(input);
        told = screen.reply(applied);
        expect(two.apply(input)).toEqual(applied);
        if (applied.accepted) accepted.push(input);
        else expect(one.timeline.machine.hash()).toBe(before);
      }
      InputReply.parse(told); // what the screen is told fits the contract, whatever was done
      expect(two.progress()).toEqual(one.progress());
      expect(two.timeline.machine.hash()).toBe(one.timeline.machine.hash());
      expect(two.timeline.machine.trace.count).toBe(one.timeline.machine.trace.count);

      // What was refused left no mark: the accepted inputs alone lead to the same end.
      const again = replay(
        lab,
        SESSION,
        accepted.map((input, i) => ({ n: i + 1, at: 0, input })),
      );
      expect(again.ok && again.session.progress()).toEqual(one.progress());
      expect(again.ok && again.session.timeline.machine.hash()).toBe(one.timeline.machine.hash());
    }),
    { numRuns: 100 },
  );
}, 60_000);

test('a session keeps within its points, and its transcript grades to the same score', () => {
  fc.assert(
    fc.property(sequences, (sequence) => {
      const learner = new Learner(lab);
      const header = headerLine({
        lab: lab.id,
        labHash: lab.contentHash,
        simVersion: SIM_VERSION,
        session: SESSION,
        started: 0,
      });
      const lines: string[] = [];
      for (const input of sequence) {
        if (!learner.apply(input).accepted) continue;
        lines.push(entryLine(lines.at(-1) ?? header, { n: lines.length + 1, at: 0, input }));
      }
      const progress = learner.progress();
      for (const { id, earned, state } of progress.checkpoints) {
        const { points } = lab.checkpoints.find((checkpoint) => checkpoint.id === id)!.source;
        expect(earned).toBeGreaterThanOrEqual(0);
        expect(earned).toBeLessThanOrEqual(state === 'passed' ? points : 0);
      }
      const grade = gradeTranscript(transcriptFile(header, lines), () => lab);
      expect(grade).toMatchObject({ ok: true, machine: learner.timeline.machine.hash() });
      expect(grade.ok && grade.progress).toEqual(progress);
    }),
    { numRuns: 50 },
  );
}, 60_000);
