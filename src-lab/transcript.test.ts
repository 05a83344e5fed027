import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gradeTranscript } from './grade';
import type { Input } from './input';
import { act, answer, goto, hint, jump, reset, run, SESSION } from './testing/play';
import { tinyLab } from './testing/tiny';
import {
  entryLine,
  footerLine,
  headerLine,
  parseKept,
  parseTranscript,
  transcriptFile,
  type TranscriptHead,
} from './transcript';

const lab = tinyLab();
const head: TranscriptHead = {
  lab: 'tiny',
  labHash: lab.contentHash,
  simVersion: '1',
  session: SESSION,
  started: 1_763_000_000_000,
};
const inputs: Input[] = [
  hint('mp-state'),
  answer('mp-state', '-EINVAL'),
  goto('ipi'),
  act('vmm KVM_SIGNAL_MSI vm=td dest=1 delivery_mode=INIT'),
  jump(2),
  { kind: 'step', thread: 'vmm' },
  run,
  answer('order-td', ['latched', 'blocked', 'entered']),
  reset,
];

function write(some: readonly Input[]): { header: string; lines: string[]; file: string } {
  const header = headerLine(head);
  const lines: string[] = [];
  some.forEach((input, i) =>
    lines.push(entryLine(lines.at(-1) ?? header, { n: i + 1, at: i * 1000, input })),
  );
  return { header, lines, file: transcriptFile(header, lines) };
}

const sound = write(inputs);
const lineAt = (text: string, offset: number) => text.slice(0, offset).split('\n').length;

function refusal(text: string): { line: number; column: number; message: string } {
  const read = parseTranscript(text);
  if (read.ok) throw new Error('accepted');
  return read.fault;
}

describe('a transcript', () => {
  test('is read back as it was written', () => {
    const read = parseTranscript(sound.file);
    expect(read).toEqual({
      ok: true,
      transcript: { head, entries: inputs.map((input, i) => ({ n: i + 1, at: i * 1000, input })) },
    });
    expect(parseKept(sound.header, sound.lines)).toEqual(read);
  });

  test('of no inputs is a header and a footer', () => {
    const read = parseTranscript(write([]).file);
    expect(read.ok && read.transcript.entries).toEqual([]);
  });

  test('is ASCII, whatever was typed, and keeps what was typed', () => {
    const typed = write([answer('mp-state', 'naïve \u2028 \u{1F512} \ud800')]);
    expect(typed.file).toMatch(/^[\n\x20-\x7e]+$/);
    const read = parseTranscript(typed.file);
    expect(read.ok && read.transcript.entries[0]!.input).toEqual(
      answer('mp-state', 'naïve \u2028 \u{1F512} \ud800'),
    );
  });

  test('any one byte of which is altered, put in or left out is refused, on the line where that happened', () => {
    const { file } = sound;
    fc.assert(
      fc.property(
        fc.nat(file.length - 1),
        fc.integer({ min: 0, max: 255 }),
        fc.constantFrom('alter', 'insert', 'remove'),
        (offset, byte, how) => {
          const letter = String.fromCharCode(byte);
          fc.pre(how !== 'alter' || file[offset] !== letter);
          const altered =
            file.slice(0, offset) +
            (how === 'remove' ? '' : letter) +
            file.slice(how === 'insert' ? offset : offset + 1);
          fc.pre(altered !== file);
          const at = refusal(altered);
          // Where a line's end came or went, the lines around it changed.
          const slack = letter === '\n' || file[offset] === '\n' ? 1 : 0;
          expect(Math.abs(at.line - lineAt(file, offset))).toBeLessThanOrEqual(slack);
          expect(at.column).toBeGreaterThanOrEqual(1);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test('a byte that is not UTF-8 is refused at its column, decoded either way', () => {
    const broken = (letter: string) => sound.file.replace('"at":3000', `"at":30${letter}0`);
    for (const letter of ['\ufffd', '\xff'])
      expect(refusal(broken(letter))).toMatchObject({ line: 5, column: 15 });
  });

  test('with white space that was not written is refused', () => {
    expect(refusal(sound.file.replace('"at":3000', '"at": 3000'))).toMatchObject({ line: 5, column: 13 });
    expect(refusal(`${sound.file}\n`).line).toBe(12);
    expect(refusal(sound.file.replaceAll('\n', '\r\n'))).toMatchObject({ line: 1 });
  });

  test('whose value was changed is refused at its line', () => {
    expect(refusal(sound.file.replace('"-EINVAL"', '"-EINVAX"')).message).toContain(
      'does not match its hash',
    );
    expect(refusal(sound.file.replace('"started":1763', '"started":1764')).line).toBe(1);
  });

  test('with lines left out, exchanged or cut off is refused', () => {
    const lines = sound.file.split('\n');
    expect(refusal(lines.toSpliced(3, 1).join('\n')).line).toBe(4);
    expect(refusal(lines.with(2, lines[3]!).with(3, lines[2]!).join('\n')).line).toBe(3);
    expect(refusal(lines.slice(0, -2).join('\n')).message).toBe('The last line does not end.');
    expect(refusal(`${lines.slice(0, -2).join('\n')}\n`).line).toBe(10);
    expect(refusal('').message).toBe('The file is empty.');
  });

  test('whose end counts other inputs than there are is refused', () => {
    const end = footerLine(sound.lines.at(-1)!, 8);
    const { line, message } = refusal([sound.header, ...sound.lines, end, ''].join('\n'));
    expect({ line, message }).toEqual({ line: 11, message: 'The last line counts 8 inputs; there are 9.' });
  });

  test('a line that is cut off shows where', () => {
    const cut = sound.file.replace(/("at":3000,).*\n/, '$1\n');
    expect(refusal(cut)).toMatchObject({ line: 5, column: 18, message: 'The line is not whole.' });
  });
});

describe('gradeTranscript', () => {
  const find = (id: string) => (id === 'tiny' ? lab : null);

  test('grades by replay', () => {
    const grade = gradeTranscript(sound.file, find);
    expect(grade.ok && grade.progress.score).toBe(3 + 3);
    expect(grade.ok && grade.progress.checkpoints.map(({ earned }) => earned)).toEqual([3, 3, 0, 0]);
  });

  test('refuses a transcript of an unknown lab, of other content, of another simulator', () => {
    const of = (change: Partial<TranscriptHead>) =>
      gradeTranscript(transcriptFile(headerLine({ ...head, ...change }), []), find);
    expect(of({ lab: 'other' })).toMatchObject({ ok: false, code: 'unknown_lab', line: 1 });
    expect(of({ labHash: '0'.repeat(64) })).toMatchObject({ ok: false, code: 'other_lab_content' });
    expect(of({ simVersion: '0' })).toMatchObject({ ok: false, code: 'other_simulator' });
  });

  test('refuses a sound chain whose inputs are not possible, at the line of the first', () => {
    const grade = gradeTranscript(write([hint('mp-state'), goto('rest')]).file, find);
    expect(grade).toMatchObject({ ok: false, code: 'not_replayable', line: 3 });
  });

  test('refuses a damaged one with the place', () => {
    const grade = gradeTranscript(sound.file.replace('"at":3000', '"at":3001'), find);
    expect(grade).toMatchObject({ ok: false, code: 'damaged', line: 5 });
  });
});
