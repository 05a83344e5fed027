import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseCommand } from '../../src-lab/command';
import type { Input } from '../../src-lab/input';
import { loadLab, type Lab } from '../../src-lab/lab';
import { TINY_FILES } from '../../src-lab/testing/tiny';
import { entryLine, headerLine, transcriptFile } from '../../src-lab/transcript';
import { SIM_VERSION } from '../../src-sim';
import { bundled } from '../testing/bundle';
import { temporaryFolder } from '../testing/folder';
import { csv } from './gradebook';
import { threadsFor } from './pool';
import { main } from './program';
import type { Terminal } from './terminal';

const grader = bundled(join(import.meta.dirname, 'grader.ts'));

async function seamlab(args: readonly string[], own: Partial<Terminal> = {}) {
  let [out, err] = ['', ''];
  const status = await main(args, {
    out: (text) => (out += text),
    err: (text) => (err += text),
    color: false,
    live: false,
    root: join(import.meta.dirname, '../..'),
    grader: null,
    course: null,
    start: async () => 0,
    onInterrupt: () => () => {},
    ...own,
  });
  return { status, out, err };
}

/** Writes the tiny lab to `<folder>/labs`, its lab.yaml changed. */
function tinyLabs(
  folder: string,
  change: (yaml: string) => string = (yaml) => yaml,
): { labs: string; lab: Lab } {
  const files = new Map(TINY_FILES);
  files.set('lab.yaml', change(files.get('lab.yaml')!));
  mkdirSync(join(folder, '01-tiny', 'wrong'), { recursive: true });
  for (const [path, text] of files) writeFileSync(join(folder, '01-tiny', path), text);
  const load = loadLab(files);
  if (!load.ok) throw new Error('the tiny lab does not load');
  return { labs: folder, lab: load.lab };
}

const act = (command: string): Input => {
  const read = parseCommand(command);
  if (!read.ok) throw new Error(read.message);
  return { kind: 'act', action: read.action };
};
const RIGHT: Input = { kind: 'answer', checkpoint: 'mp-state', answer: '-EINVAL' };
const WRONG: Input = { kind: 'answer', checkpoint: 'mp-state', answer: '0' };
const SEND = act('vmm KVM_SIGNAL_MSI vm=vmx dest=1 delivery_mode=STARTUP vector=16');

let sessions = 0;
function transcript(lab: Lab, inputs: readonly Input[]): string {
  const session = `00000000-0000-4000-8000-${String(++sessions).padStart(12, '0')}`;
  const { id, contentHash } = lab;
  const header = headerLine({
    lab: id,
    labHash: contentHash,
    simVersion: SIM_VERSION,
    session,
    started: 1.7e12,
  });
  const lines: string[] = [];
  inputs.forEach((input, i) => lines.push(entryLine(lines.at(-1) ?? header, { n: i + 1, at: (i + 1) * 60_000, input }))); // prettier-ignore
  return transcriptFile(header, lines);
}

/** A class: its folder, the labs, and what each learner handed in. */
function someClass(work: Readonly<Record<string, readonly Input[]>>) {
  const folder = temporaryFolder();
  const { labs, lab } = tinyLabs(join(folder, 'labs'));
  const book = join(folder, 'class');
  for (const [name, inputs] of Object.entries(work)) {
    mkdirSync(join(book, name), { recursive: true });
    writeFileSync(join(book, name, 'tiny.jsonl'), transcript(lab, inputs));
  }
  return { folder, labs, lab, book, of: (name: string) => join(book, name, 'tiny.jsonl') };
}

describe('a gradebook', () => {
  test('of a folder: every transcript below it, points per checkpoint, how the class did', async () => {
    const { labs, book, of } = someClass({
      ann: [RIGHT],
      bob: [WRONG, { kind: 'hint', checkpoint: 'mp-state' }, RIGHT],
    });
    writeFileSync(join(book, 'readme.txt'), 'not a transcript');
    const { status, out, err } = await seamlab(['grade', book, '--labs', labs]);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    const lines = out.split('\n').map((line) => line.trim().split(/ {2,}/));
    expect(lines[0]![0]).toMatch(
      /^tiny: A tiny lab\. Content [0-9a-f]{12}, 2 attempts, 3\.0 of 14 points on average$/,
    );
    expect(lines[3]).toEqual([of('ann'), '00000000', '4 of 14', '1 of 4', '0', '1', '1', '4', '0', '0', '0']);
    expect(lines[4]).toEqual([of('bob'), '00000000', '2 of 14', '1 of 4', '1', '3', '3', '2', '0', '0', '0']);
    expect(lines).toContainEqual(['1', 'mp-state', '4', '3.0', '2', 'What does the ioctl return?']);
  });

  test('names what was altered, belongs to another version, does not replay, or is handed in twice', async () => {
    const { labs, lab, book, of } = someClass({
      ann: [RIGHT],
      bob: [RIGHT],
      eve: [{ kind: 'goto', step: 'rest' }],
    });
    writeFileSync(of('bob'), readFileSync(of('bob'), 'latin1').replace('EINVAL', 'EINVAK'));
    const other = { ...lab, contentHash: 'c'.repeat(64) };
    mkdirSync(join(book, 'old'));
    writeFileSync(join(book, 'old', 'tiny.jsonl'), transcript(other, [RIGHT]));
    mkdirSync(join(book, 'twin'));
    writeFileSync(join(book, 'twin', 'tiny.jsonl'), readFileSync(of('ann')));
    const { status, out, err } = await seamlab(['grade', book, '--labs', labs, '--format', 'csv']);
    expect(status).toBe(1);
    expect(err).toContain(`${of('bob')}:2:`);
    expect(err).toContain('The line was changed');
    expect(err).toContain(`${of('eve')}:2:1: Input 1 is not possible there:`);
    expect(err).toContain(
      `${of('old')}:1:1: "tiny" has other content than when this session was made. Content then: cccccccccccc, here:`,
    );
    expect(err).toContain(`${of('twin')}: This is the same session as ${of('ann')}.`);
    const rows = out.split('\r\n').map((row) => row.split(',').slice(0, 2));
    expect(rows.slice(1, -1)).toEqual([
      [of('ann'), 'graded'], [of('bob'), 'damaged'], [of('eve'), 'not_replayable'], [of('old'), 'other_lab_content'], [of('twin'), 'graded'],
    ]); // prettier-ignore
  });

  test('--out writes the file, whole or not at all', async () => {
    const { folder, labs, book } = someClass({ ann: [RIGHT] });
    const file = join(folder, 'book.json');
    const { status, out, err } = await seamlab(['grade', book, '--labs', labs, '-f', 'json', '-o', file]);
    expect({ status, out, err }).toEqual({ status: 0, out: '', err: `${file}: 1 transcript.\n` });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
      seamlab: 'grades/1',
      grades: [
        { ok: true, lab: 'tiny', score: 4, version: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
      ],
    });
    const nowhere = await seamlab(['grade', book, '--labs', labs, '-o', join(folder, 'none', 'book')]);
    expect(nowhere).toMatchObject({ status: 2, out: '' });
    expect(nowhere.err).toContain('The file cannot be written (ENOENT).');
  });

  test('of a folder without transcripts there is none', async () => {
    const { folder, labs } = someClass({});
    mkdirSync(join(folder, 'empty'));
    const { status, err } = await seamlab(['grade', join(folder, 'empty'), '--labs', labs]);
    expect(status).toBe(2);
    expect(err).toContain('There are no transcripts (*.jsonl, *.seamlab) in this folder.');
  });

  test('a cell that a spreadsheet would take for a formula is a text', () => {
    expect(csv([['=1+1', '@x', -1], ['a,b', 'say "no"', '']])).toBe(`'=1+1,'@x,-1\r\n"a,b","say ""no""",\r\n`); // prettier-ignore
  });
});

describe('many transcripts', () => {
  const many = (learners: number) =>
    someClass(
      Object.fromEntries(
        Array.from({ length: learners }, (_, i) => [`l${100 + i}`, i % 2 ? [RIGHT] : [WRONG]]),
      ),
    );

  test('threads give the book that one thread gives', async () => {
    const { labs, book } = many(30);
    const args = ['grade', book, '--labs', labs, '--format', 'json'];
    const [one, two] = [await seamlab(args), await seamlab([...args, '--jobs', '2'], { grader: grader() })];
    expect(two).toEqual(one);
    expect((JSON.parse(two.out) as { grades: unknown[] }).grades).toHaveLength(30);
  });

  test('a class that one thread grades sooner starts none, unless it is asked to', async () => {
    const { labs, book } = many(30);
    const args = ['grade', book, '--labs', labs];
    const grader = new URL('file:///none.mjs');
    expect((await seamlab(args, { grader })).status).toBe(0);
    await expect(seamlab([...args, '--jobs', '2'], { grader })).rejects.toThrow(/none\.mjs/);
  });

  test('threads are as many as there is work for, and leave processors to what V8 does beside them', () => {
    expect([0, 4_000_000, 7_999_999].map((bytes) => threadsFor(bytes, 8))).toEqual([1, 1, 1]);
    expect([8_000_000, 19_000_000, 1e9].map((bytes) => threadsFor(bytes, 8))).toEqual([2, 4, 5]);
    expect([1, 2, 3, 4, 16].map((processors) => threadsFor(1e9, processors))).toEqual([1, 1, 2, 2, 10]);
  });

  test.each(['threads', 'no threads'])(
    'an interrupt ends it cleanly: nothing is printed; with %s',
    async (how) => {
      const { labs, book } = many(40);
      let stop = (): void => {};
      const { status, out, err } = await seamlab(['grade', book, '--labs', labs, '--jobs', '2'], {
        grader: how === 'threads' ? grader() : null,
        onInterrupt: (given) => {
          stop = given;
          setImmediate(() => stop());
          return () => {};
        },
      });
      expect({ status, out }).toEqual({ status: 130, out: '' });
      expect(err).toMatch(/^Stopped after \d+ of 40 transcripts\. Nothing was printed\.\n$/);
    },
  );

  test('threads that cannot start are told, not waited for', async () => {
    const { labs, book } = many(30);
    const broken = new URL('none.mjs', grader());
    await expect(seamlab(['grade', book, '--labs', labs, '--jobs', '2'], { grader: broken })).rejects.toThrow(
      /none\.mjs/,
    );
  });
});

describe('--regrade', () => {
  /** A class whose lab was changed afterwards: the first answer now passes, and start-ap has a goal less. */
  function changed() {
    const before = someClass({
      ann: [RIGHT],
      bob: [WRONG],
      cid: [WRONG, RIGHT, { kind: 'goto', step: 'ipi' }, SEND],
    });
    const { labs } = tinyLabs(join(before.folder, 'new'), (yaml) =>
      yaml
        .replace(
          '{ vmm: KVM_SET_MP_STATE, vm: td, vcpu: 1, mp_state: INIT_RECEIVED }',
          '{ vmm: KVM_SET_MP_STATE, vm: td, vcpu: 1, mp_state: RUNNABLE }',
        )
        .replace('choices: [0, { value: -EINVAL, label: It is refused }, 1]', 'choices: [0, -EINVAL, 1, 2]')
        .replace('{ when: [0, 1], misconception: says-yes }', '{ when: [-EINVAL], misconception: says-yes }'),
    );
    return { ...before, now: labs };
  }

  test('without it, nothing of a changed lab is scored', async () => {
    const { book, now } = changed();
    const { status, out, err } = await seamlab(['grade', book, '--labs', now]);
    expect({ status, out }).toEqual({ status: 1, out: '' });
    expect(err.match(/other content/g)).toHaveLength(3);
  });

  test('shows who goes up, who goes down, and why; and changes nothing', async () => {
    const { book, labs, now, of } = changed();
    const { status, out, err } = await seamlab(['grade', book, '--labs', now, '--regrade', '--before', labs]);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    const rows = out.split('\n').map((line) => line.split(/ {2,}/));
    expect(rows[1]).toEqual([
      of('ann'),
      'tiny',
      '4 of 14',
      '0 of 14',
      'down',
      '"mp-state" 4 -> 0 (failed: says-yes)',
    ]);
    expect(rows[2]).toEqual([of('bob'), 'tiny', '0 of 14', '4 of 14', 'up', '"mp-state" 0 -> 4 (passed)']);
    expect(rows[3]!.slice(2, 5)).toEqual(['3 of 14', '4 of 14', 'up']);
    expect(rows[3]![5]).toMatch(/^"mp-state" 3 -> 4 \(passed\); input 2 is left out \(.*\)$/);
    expect(out).toMatch(/2 up, 1 down, 0 the same, 0 unknown\. This is a preview: no score was changed\.\n$/);
  });

  test('takes the scores before from a gradebook that was kept, and says when there are none', async () => {
    const { folder, book, labs, now } = changed();
    const kept = join(folder, 'book.json');
    await seamlab(['grade', book, '--labs', labs, '-f', 'json', '-o', kept]);
    const args = ['grade', book, '--labs', now, '--regrade', '-f', 'json'];
    const known = JSON.parse((await seamlab([...args, '--before', kept])).out) as {
      changes: { direction: string }[];
    };
    expect(known.changes.map(({ direction }) => direction)).toEqual(['down', 'up', 'up']);
    const unknown = JSON.parse((await seamlab(args)).out) as {
      changes: { direction: string; before: unknown }[];
    };
    expect(unknown.changes.map(({ direction, before }) => [direction, before])).toEqual(
      Array(3).fill(['unknown', null]),
    );
    writeFileSync(kept, '{"seamlab":"grades/1","grades":[{"ok":true}]}');
    expect((await seamlab([...args, '--before', kept])).err).toContain('This is no gradebook');
  });
});
