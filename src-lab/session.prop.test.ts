import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SIM_VERSION } from '../src-sim';
import { gradeTranscript, replay } from './grade';
import { Input } from './input';
import { Shown } from './show';
import { inputsOf } from './testing/inputs';
import { Learner, SESSION } from './testing/play';
import { tinyLab } from './testing/tiny';
import { entryLine, headerLine, transcriptFile } from './transcript';
import { InputReply } from './view';

const lab = tinyLab();

/** Half of the sequences begin where the gate is open: there is more to do. */
const sequences = fc
  .tuple(fc.boolean(), fc.array(inputsOf(lab), { minLength: 20, maxLength: 40 }))
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
