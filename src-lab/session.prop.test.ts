import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SIM_VERSION } from '../src-sim';
import { gradeTranscript, replay } from './grade';
import { Input } from './input';
import type { Lab } from './lab';
import { Shown } from './show';
import { inputsOf } from './testing/inputs';
import { kindsLab } from './testing/kinds';
import { Learner, SESSION } from './testing/play';
import { tinyLab } from './testing/tiny';
import { entryLine, headerLine, transcriptFile } from './transcript';
import { InputReply } from './view';

const tiny = tinyLab();
/** Half of the sequences begin where the gate is open: there is more to do. */
const tinySequences = fc
  .tuple(fc.boolean(), fc.array(inputsOf(tiny), { minLength: 20, maxLength: 40 }))
  .map(([open, rest]): Input[] =>
    open ? [Input.parse({ kind: 'answer', checkpoint: 'mp-state', answer: '-EINVAL' }), ...rest] : rest,
  );
const kinds = kindsLab();
/** They begin at any of the steps. */
const kindsSequences = fc
  .tuple(
    fc.constantFrom(...kinds.steps.map(({ id }) => id)),
    fc.array(inputsOf(kinds), { minLength: 15, maxLength: 30 }),
  )
  .map(([step, rest]): Input[] => [{ kind: 'goto', step }, ...rest]);
const labs: readonly [string, Lab, fc.Arbitrary<Input[]>][] = [
  ['of the first kinds', tiny, tinySequences],
  ['of the other kinds', kinds, kindsSequences],
];

test.each(labs)(
  'no sequence of inputs to a lab %s makes a session throw, and the same inputs give the same progress and machine',
  (_, lab, sequences) => {
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
      { numRuns: 60 },
    );
  },
  120_000,
);

test.each(labs)(
  'a session of a lab %s keeps within its points, and its transcript grades to the same score',
  (_, lab, sequences) => {
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
          const { points, kind } = lab.checkpoints.find((checkpoint) => checkpoint.id === id)!.source;
          expect(earned).toBeGreaterThanOrEqual(0);
          // Part of a sequence of actions can be right.
          const most = state === 'passed' ? points : kind === 'build' ? points - 1 : 0;
          expect(earned).toBeLessThanOrEqual(most);
        }
        const grade = gradeTranscript(transcriptFile(header, lines), () => lab);
        expect(grade).toMatchObject({ ok: true, machine: learner.timeline.machine.hash() });
        expect(grade.ok && grade.progress).toEqual(progress);
      }),
      { numRuns: 30 },
    );
  },
  120_000,
);
