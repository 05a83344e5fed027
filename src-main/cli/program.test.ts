import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readAttempt } from '../../src-lab/attempt';
import type { Input } from '../../src-lab/input';
import { loadLab, type Lab } from '../../src-lab/lab';
import { SolutionSource } from '../../src-lab/schema';
import { entryLine, headerLine, transcriptFile, type TranscriptHead } from '../../src-lab/transcript';
import { TINY_FILES } from '../../src-lab/testing/tiny';
import { readYaml } from '../../src-lab/yaml';
import { SIM_VERSION } from '../../src-sim';
import { FaultReport, Report } from '../../src-sim/scenario/runner-report';
import { readLab } from '../labs';
import { main } from './program';
import { showsColors, STATUS, table, worst, type Terminal } from './terminal';

const root = join(import.meta.dirname, '..', '..');
const examples = join(root, 'src-sim', 'scenario', 'examples');
const example = (name: string): string => join(examples, `${name}.yaml`);

/** One command line, and all that came of it. */
async function seamlab(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  return run(args, false);
}
async function run(
  args: string[],
  color: boolean,
  own: Partial<Terminal> = {},
): Promise<{ status: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const status = await main(args, {
    out: (text) => (out += text),
    err: (text) => (err += text),
    color,
    root,
    live: false,
    grader: null,
    course: null,
    start: async () => 0,
    onInterrupt: () => () => {},
    ...own,
  });
  return { status, out, err };
}

const folder = mkdtempSync(join(tmpdir(), 'seamlab-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}
const HEAD = 'seamlab: scenario/1\ntitle: A test\nplatform: { vms: { td: 2, vmx: 2 } }\nsteps:\n';
const failing = file(
  'failing.yaml',
  `${HEAD}  - { boot: td, vm: td }\nexpect: [{ path: td.vm_dead, is: 1 }]\n`,
);
const wrong = file('wrong.yaml', `${HEAD}  - { vmm: KVM_RUNN, vm: td, vcpu: 0 }\n`);
const endless = file(
  'endless.yaml',
  `${HEAD}  - { boot: vmx, vm: vmx, run: false }
  - { vmm: KVM_SET_MP_STATE, vm: vmx, vcpu: 1, mp_state: INIT_RECEIVED }
  - { vmm: KVM_NMI, vm: vmx, vcpu: 1 }
  - { vmm: KVM_RUN, vm: vmx, vcpu: 1 }
`,
);

describe('seamlab run', () => {
  test('a scenario that holds: its trace, its verdicts, status 0', async () => {
    const { status, out, err } = await seamlab('run', example('td-init-stays-latched'));
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toBe(readFileSync(join(examples, 'td-init-stays-latched.trace'), 'utf8'));
  });

  test('one that fails: what was expected and observed, status 1', async () => {
    const { status, out } = await seamlab('run', '--quiet', failing);
    expect(status).toBe(1);
    expect(out).toContain(`${failing}: failed: 0 of 1 expectations held`);
    expect(out).toContain('FAIL  td.vm_dead is 1\n          observed: 0 (line 6, column 10)');
  });

  test('a wrong file: file, line, column, what was expected, the nearest name; status 2, nothing on standard output', async () => {
    const { status, out, err } = await seamlab('run', wrong);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toContain(`${wrong}:5:12: There is no action "KVM_RUNN" of vmm. Did you mean "KVM_RUN"`);
    expect(err.split('\n')).toHaveLength(2);
  });

  describe('--trace', () => {
    const scenario = example('td-init-stays-latched');
    const target = (name: string): string => join(folder, name);

    test('writes trace-cmd text; what is printed is the same as without', async () => {
      const plain = await seamlab('run', scenario);
      const { status, out, err } = await seamlab('run', scenario, '--trace', target('a.txt'));
      expect({ status, out, err }).toEqual({ status: 0, out: plain.out, err: '' });
      const text = readFileSync(target('a.txt'), 'utf8');
      expect(text).toMatch(/^cpus=\d+\n/);
      expect(text).toMatch(/ td\.vcpu1-1002 \[002\] +\d+\.\d{9}: kvm_entry: +vcpu 1, rip 0xfff0\n/);
    });

    test('graph and perfetto are other formats of the same', async () => {
      await seamlab('run', '-q', scenario, '--trace', target('b.txt'), '--trace-format', 'graph');
      expect(readFileSync(target('b.txt'), 'utf8')).toMatch(/^# tracer: function_graph\n/);
      await seamlab('run', '-q', scenario, '--trace', target('b.json'), '-f', 'perfetto');
      const { traceEvents, otherData } = JSON.parse(readFileSync(target('b.json'), 'utf8')) as {
        traceEvents: unknown[];
        otherData: { title: string };
      };
      expect(traceEvents.length).toBeGreaterThan(100);
      expect(otherData.title).toContain('INIT');
    });

    test('a format that does not exist, several scenarios, a folder that is not there: status 2 and a sentence', async () => {
      const format = await seamlab('run', scenario, '--trace', target('c'), '--trace-format', 'xml');
      expect(format).toMatchObject({ status: 2, out: '' });
      expect(format.err).toContain('text, graph, perfetto');
      const several = await seamlab('run', scenario, scenario, '--trace', target('c'));
      expect(several).toMatchObject({ status: 2, out: '' });
      expect(several.err).toContain('--trace takes one scenario');
      const nowhere = await seamlab('run', scenario, '--trace', target('no/such/folder'));
      expect(nowhere).toMatchObject({
        status: 2,
        err: `${target('no/such/folder')}: There is no such folder.\n`,
      });
    });

    test('of a wrong file nothing is written', async () => {
      expect(await seamlab('run', wrong, '--trace', target('d'))).toMatchObject({ status: 2 });
      expect(existsSync(target('d'))).toBe(false);
    });
  });

  test('a limit: status 3, and how far it came', async () => {
    const { status, out } = await seamlab('run', endless);
    expect(status).toBe(3);
    expect(out).toMatch(
      /^limit: 0 of 0 expectations held, 4 steps, \d+ moments\. The threads do not come to rest/m,
    );
  });

  test('of several files every one is run, and the worst decides', async () => {
    const { status, out, err } = await seamlab(
      'run',
      '-q',
      wrong,
      example('td-init-by-msi'),
      failing,
      endless,
    );
    expect(status).toBe(2);
    expect(out.match(/^\S+: (?:held|failed|limit): /gm)).toHaveLength(3);
    expect(err.split('\n')).toHaveLength(2);
    expect((await seamlab('run', '-q', failing, endless)).status).toBe(3);
    expect((await seamlab('run', '-q', failing, example('td-init-by-msi'))).status).toBe(1);
  });

  test.each<[string, () => string, string]>([
    ['that is not there', () => join(folder, 'none.yaml'), 'There is no such file.'],
    ['that is a folder', () => folder, 'This is a folder, not a file.'],
    [
      'of bytes that are no text',
      () => file('bytes.yaml', new Uint8Array([0x73, 0xff, 0xfe])),
      'The file is not UTF-8 text.',
    ],
    [
      'of 3 GiB, more than Node reads at once',
      () => {
        const path = file('huge.yaml', '');
        truncateSync(path, 3 * 1024 ** 3);
        return path;
      },
      'The file is larger than 1024 KiB.',
    ],
  ])('a file %s: status 2', async (_what, make, why) => {
    const path = make();
    expect(await seamlab('run', path)).toEqual({ status: 2, out: '', err: `${path}: ${why}\n` });
  });

  test('--json prints one document of the published shape', async () => {
    const path = example('td-halted-vcpu-sleeps-on');
    const { status, out } = await seamlab('run', '--json', path);
    const report = Report.parse(JSON.parse(out));
    expect(status).toBe(0);
    expect(report).toMatchObject({ file: path, outcome: 'held', simulator: SIM_VERSION });
    expect(report.expectations).toHaveLength(5);
    expect(report.state['td.vcpu1.mp_state']).toBe('HALTED');
  });

  test('--json of several files is one document a line, of a wrong one its errors', async () => {
    const { status, out } = await seamlab('run', '--json', failing, wrong, join(folder, 'none.yaml'));
    const [first, second, third] = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(status).toBe(2);
    expect(Report.parse(first).outcome).toBe('failed');
    expect(FaultReport.parse(second).errors).toMatchObject([{ line: 5, column: 12 }]);
    expect(FaultReport.parse(third).errors).toMatchObject([{ code: 'unreadable' }]);
  });

  test('--at and --show print state at a moment, by path or the beginning of one', async () => {
    const path = example('vmx-ap-starts');
    const at = (moment: string) =>
      seamlab('run', path, '--at', moment, '--show', 'vmx.vcpu1.mp_state', 'vmx.vcpu1.regs');
    const power = await at('0');
    expect(power.status).toBe(0);
    expect(power.out).toMatch(
      /moment 0 of \d+\nvmx\.vcpu1\.mp_state +RUNNABLE\nvmx\.vcpu1\.regs\.rip +0x0\n/,
    );
    const { out } = await seamlab('run', path, '--show', 'vmx.vcpu1.regs');
    expect(out).toMatch(/vmx\.vcpu1\.regs\.cs_base +0x9a000\n/);
    const json = await seamlab('run', path, '--json', '--at', '5', '--show', 'vmx.vcpu1.created');
    expect(Report.parse(JSON.parse(json.out)).shown).toEqual({
      moment: 5,
      values: { 'vmx.vcpu1.created': '0' },
    });
  });

  test('--show of an unknown path names near ones; --at beyond the end names the last moment', async () => {
    const path = example('vmx-ap-starts');
    const unknown = await seamlab('run', path, '--show', 'vmx.vcpu1.mpstate');
    expect(unknown).toMatchObject({ status: 2, out: '' });
    expect(unknown.err).toContain(
      'No state has the path "vmx.vcpu1.mpstate". Did you mean "vmx.vcpu1.mp_state"',
    );
    const late = await seamlab('run', path, '--at', '100000');
    expect(late.status).toBe(2);
    expect(late.err).toMatch(/There is no moment 100000\. Did you mean \d+, the last one\?/);
    expect((await seamlab('run', path, '--at', 'soon')).status).toBe(2);
  });

  test('colours are used when the terminal shows them, and the text is the same without', async () => {
    const args = ['run', example('td-init-by-msi')];
    const [plain, colored] = [await run(args, false), await run(args, true)];
    // eslint-disable-next-line no-control-regex
    const codes = /\u001b\[\d+m/g;
    expect(plain.out).not.toMatch(codes);
    expect(colored.out).toMatch(codes);
    expect(colored.out.replace(codes, '')).toBe(plain.out);
  });
});

const labFolder = join(root, 'labs', '02-init-sipi');
function theLab(): { lab: Lab; solution: Input[] } {
  const read = readLab(labFolder);
  const load = read.ok ? loadLab(read.files) : null;
  const text = read.ok ? read.files.get('solution.yaml')! : '';
  const solution = readYaml(SolutionSource, 'solution.yaml', text);
  if (!load?.ok || !solution.ok) throw new Error('the lab does not load');
  return {
    lab: load.lab,
    solution: readAttempt('solution.yaml', solution.file).inputs.map(({ input }) => input),
  };
}

/** A transcript as the application exports it. */
function transcript(lab: Lab, inputs: readonly Input[], head: Partial<TranscriptHead> = {}): string {
  const session = '0b8f2a54-1d0e-4c61-9a3e-5f7d2c4b6a10';
  const header = headerLine({
    lab: lab.id,
    labHash: lab.contentHash,
    simVersion: SIM_VERSION,
    session,
    started: 1_700_000_000_000,
    ...head,
  });
  const lines: string[] = [];
  inputs.forEach((input, i) =>
    lines.push(entryLine(lines.at(-1) ?? header, { n: i + 1, at: i * 60_000, input })),
  );
  return transcriptFile(header, lines);
}

describe('seamlab grade', () => {
  const { lab, solution } = theLab();
  const whole = transcript(lab, solution);
  const full = file('full.seamlab', whole);

  test('the solution earns every point', async () => {
    const { status, out, err } = await seamlab('grade', full);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    const [head, row, , checkpoints] = out.split('\n');
    expect(head).toMatch(/^FILE +LAB +POINTS +PASSED +INPUTS +MINUTES$/);
    expect(row!.split(/ {2,}/)).toEqual([
      full,
      lab.id,
      `${lab.points} of ${lab.points}`,
      `${lab.checkpoints.length} of ${lab.checkpoints.length}`,
      `${solution.length}`,
      `${solution.length - 1}`,
    ]);
    expect(checkpoints).toMatch(/^CHECKPOINT +STATE +POINTS +ATTEMPTS +HINTS +TITLE$/);
  });

  test('--json: every checkpoint, and the hash of the machine', async () => {
    const { out } = await seamlab('grade', '--json', full, join(folder, 'none.seamlab'));
    expect(JSON.parse(out)).toMatchObject({
      seamlab: 'grades/1',
      simulator: SIM_VERSION,
      grades: [
        {
          file: full,
          ok: true,
          lab: lab.id,
          score: lab.points,
          points: lab.points,
          complete: true,
          checkpoints: lab.checkpoints.map(({ id, source }) => ({
            id,
            state: 'passed',
            earned: source.points,
            misconception: null,
          })),
          machine: expect.stringMatching(/^[0-9a-f]{16}$/) as string,
        },
        { ok: false, code: 'unreadable' },
      ],
    });
  });

  test('an attempt without inputs earns nothing, and is graded all the same', async () => {
    const empty = file('empty.seamlab', transcript(lab, []));
    const { status, out } = await seamlab('grade', empty, full);
    expect(status).toBe(0);
    expect(out).toContain(` 0 of ${lab.points}`);
    expect(out).toContain(`2 attempts, ${(lab.points / 2).toFixed(1)} of ${lab.points} points on average`);
  });

  test('one changed byte anywhere: refused, with the place, status 1', async () => {
    const bytes = Buffer.from(whole, 'latin1');
    for (let i = 0; i < bytes.length; i += Math.ceil(bytes.length / 40)) {
      const altered = Buffer.from(bytes);
      altered[i] = altered[i]! ^ 1;
      const path = file('altered.seamlab', altered);
      const { status, out, err } = await seamlab('grade', path);
      expect({ status, out }, `byte ${i}`).toEqual({ status: 1, out: '' });
      const line = whole.slice(0, i).split('\n').length;
      const [, told] = /^.*altered\.seamlab:(\d+):\d+: /.exec(err)!;
      // A line's end that is changed joins two lines: the fault shows in the first.
      expect(Number(told), `byte ${i}`).toBe(line);
    }
  });

  test('another simulator and another content of the lab are named', async () => {
    const other = file('simulator.seamlab', transcript(lab, solution, { simVersion: '0.9' }));
    expect((await seamlab('grade', other)).err).toBe(
      `${other}:1:1: The session was made with simulator 0.9; this is ${SIM_VERSION}.\n`,
    );
    const content = file('content.seamlab', transcript(lab, solution, { labHash: 'ab'.repeat(32) }));
    const { status, err } = await seamlab('grade', content);
    expect(status).toBe(1);
    expect(err).toContain(`Content then: abababababab, here: ${lab.contentHash.slice(0, 12)}.`);
    const unknown = file('unknown.seamlab', transcript(lab, solution, { lab: 'no-such-lab' }));
    expect((await seamlab('grade', unknown)).err).toContain('There is no lab "no-such-lab" here.');
  });

  test('a file that is not there: status 2, and the others are graded', async () => {
    const { status, out, err } = await seamlab('grade', join(folder, 'none.seamlab'), full);
    expect(status).toBe(2);
    expect(out).toContain(`${lab.points} of ${lab.points}`);
    expect(err).toContain('There is no such file.');
  });
});

describe('seamlab lab', () => {
  /** A folder of one lab, its files altered by `change`. */
  function labsWith(name: string, change: (files: Map<string, string>) => void): string {
    const labs = join(folder, name);
    const files = new Map(TINY_FILES);
    change(files);
    mkdirSync(join(labs, '01-tiny', 'wrong'), { recursive: true });
    for (const [path, text] of files) writeFileSync(join(labs, '01-tiny', path), text);
    return labs;
  }

  test('check: a sound lab, and what was tried on it; status 0', async () => {
    const labs = labsWith('sound', () => {});
    const { status, out, err } = await seamlab('lab', 'check', '--labs', labs);
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toMatch(
      /^01-tiny\n {2}A tiny lab: 3 steps, \d+ checkpoints, \d+ points\n {2}1 solution earns every point\n/,
    );
    expect(out).toMatch(/ok\n$/);
  });

  test('check: a lab that is broken is told with file, line and column, status 1', async () => {
    const labs = labsWith('broken', (files) =>
      files.set('lab.yaml', files.get('lab.yaml')!.replace('minutes: 5', 'minutes: 4')),
    );
    const { status, out, err } = await seamlab('lab', 'check', '01-tiny', '--labs', labs);
    expect(status).toBe(1);
    expect(err).toMatch(/01-tiny\/lab\.yaml:6:10: "minutes" is too small: at least 5\./);
    expect(out).toContain('FAIL');
    const json = await seamlab('lab', 'check', '--json', '--labs', labs);
    expect(JSON.parse(json.out)).toMatchObject({
      seamlab: 'checks/1',
      labs: [{ folder: '01-tiny', ok: false }],
    });
  });

  test('check: a solution that loses points is told, though the lab loads', async () => {
    const labs = labsWith('short', (files) =>
      files.set('solution.yaml', files.get('solution.yaml')!.replace('-EINVAL', '0')),
    );
    const { status, out, err } = await seamlab('lab', 'check', '--labs', labs);
    expect(status).toBe(1);
    expect(err).toContain('01-tiny/solution.yaml:');
    expect(out).toMatch(/FAIL {2}\d+ issues?\n$/);
  });

  test('check: an unknown name is told the nearest, a folder without labs that it has none', async () => {
    const unknown = await seamlab('lab', 'check', '02-init-sip');
    expect(unknown.status).toBe(2);
    expect(unknown.err).toContain('Did you mean "02-init-sipi"?');
    const empty = await seamlab('lab', 'check', '--labs', folder);
    expect(empty.status).toBe(2);
  });

  test('new: a lab that passes its check at once, with the next free number', async () => {
    const labs = labsWith('fresh', () => {});
    const made = await seamlab('lab', 'new', 'my-first', '--labs', labs);
    expect({ status: made.status, err: made.err }).toEqual({ status: 0, err: '' });
    expect(made.out).toContain('seamlab lab check my-first');
    const checked = await seamlab('lab', 'check', 'my-first', '--labs', labs);
    expect({ status: checked.status, err: checked.err }).toEqual({ status: 0, err: '' });
    const yaml = readFileSync(join(labs, 'my-first', 'lab.yaml'), 'utf8');
    expect(yaml).toMatch(/\nid: my-first\nnumber: 2 .*\ntitle: My first\n/);
  });

  test('new: in an empty place as well; a number in front is its place', async () => {
    const labs = join(folder, 'own', 'labs');
    expect((await seamlab('lab', 'new', '42-own', '--labs', labs)).status).toBe(0);
    expect((await seamlab('lab', 'check', '--labs', labs)).out).toMatch(/ok\n$/);
    expect(readFileSync(join(labs, '42-own', 'lab.yaml'), 'utf8')).toMatch(/\nid: own\nnumber: 42 /);
  });

  test.each([
    ['01-tiny', 'is there already'],
    ['05-tiny', 'The id "tiny" is that of 01-tiny.'],
    ['../elsewhere', 'cannot be the name of a lab'],
    ['Big', 'cannot be the name of a lab'],
    ['90', 'cannot be the name of a lab'],
  ])('new: "%s" is refused, and nothing is written', async (name, why) => {
    const labs = labsWith(`refused-${name.replace(/\W/g, '')}`, () => {});
    const before = readdirSync(labs, { recursive: true }).sort();
    const { status, out, err } = await seamlab('lab', 'new', name, '--labs', labs);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    expect(err).toContain(why);
    expect(readdirSync(labs, { recursive: true }).sort()).toEqual(before);
  });

  test('preview: starts the application on the folder, and tells what is wrong already', async () => {
    const labs = labsWith('shown', (files) =>
      files.set('lab.yaml', files.get('lab.yaml')!.replace('minutes: 5', 'minutes: 4')),
    );
    const started: string[][] = [];
    const start = async (args: readonly string[]) => started.push([...args]) - 1;
    const byName = await run(['lab', 'preview', '01-tiny', '--labs', labs], false, { start });
    expect(byName.status).toBe(0);
    expect(byName.err).toMatch(/01-tiny\/lab\.yaml:6:10: "minutes" is too small: at least 5\./);
    await run(['lab', 'preview', join(labs, '01-tiny')], false, { start });
    expect(started).toEqual(Array(2).fill(['--preview', join(labs, '01-tiny')]));
    const none = await run(['lab', 'preview', '02-init-sip'], false, { start });
    expect(none).toMatchObject({
      status: 2,
      err: expect.stringContaining('Did you mean "02-init-sipi"?') as string,
    });
    expect(started).toHaveLength(2);
  });

  test('schema: the published one; of the other files too', async () => {
    expect((await seamlab('lab', 'schema')).out).toBe(
      readFileSync(join(root, 'src-lab', 'lab.schema.json'), 'utf8'),
    );
    for (const name of ['solution', 'wrong']) {
      const { status, out } = await seamlab('lab', 'schema', name);
      expect(status).toBe(0);
      expect(JSON.parse(out)).toMatchObject({ type: 'object' });
    }
    expect(await seamlab('lab', 'schema', 'solutoin')).toMatchObject({
      status: 2,
      err: expect.stringContaining('"solution"') as string,
    });
  });
});

describe('seamlab fact', () => {
  test('says what a fact is and where it is from; of a group, every one', async () => {
    const { status, out } = await seamlab('fact', 'INIT-5', 'x86:SIPI');
    expect(status).toBe(0);
    const [id, fact, source] = out.split('\n');
    expect(id).toBe('INIT-5');
    expect(fact).toContain('the SIPI bit is cleared, the INIT bit is kept');
    expect(source).toBe('  Source: arch/x86/kvm/lapic.c: kvm_apic_accept_events');
    expect(out.match(/^x86:SIPI-\d+$/gm)).toHaveLength(30);
  });

  test('in JSON, all of them when none is named, with those of a folder of labs', async () => {
    const labs = join(folder, 'facts');
    mkdirSync(join(labs, 'facts'), { recursive: true });
    const fact = { fact: 'It is mine.', source: 'me' };
    writeFileSync(
      join(labs, 'facts', 'mine.json'),
      JSON.stringify({ groups: { MINE: { title: 'Mine' } }, facts: { 'MINE-1': fact } }),
    );
    const { out } = await seamlab('fact', '--json', '--labs', labs);
    const { seamlab: form, facts } = JSON.parse(out) as { seamlab: string; facts: object[] };
    expect(form).toBe('facts/1');
    expect(facts.length).toBeGreaterThan(1_700);
    expect(facts.at(-1)).toEqual({ id: 'MINE-1', ...fact });
  });

  test('names the nearest of one that is not there, status 2, and prints the others', async () => {
    const { status, out, err } = await seamlab('fact', 'INIT-55', 'INIT-1');
    expect(status).toBe(2);
    expect(err).toMatch(/^There is no fact "INIT-55"\. Did you mean /);
    expect(out).toMatch(/^INIT-1\n/);
  });
});

test('seamlab scenario schema prints the published one', async () => {
  const published = readFileSync(join(root, 'src-sim', 'scenario', 'scenario.schema.json'), 'utf8');
  expect(await seamlab('scenario', 'schema')).toEqual({ status: 0, out: published, err: '' });
});

describe('the command line itself', () => {
  test.each([
    [[]],
    [['run']],
    [['grade']],
    [['lab', 'new']],
    [['lab', 'check']],
    [['lab', 'preview']],
    [['lab', 'schema']],
    [['scenario', 'schema']],
  ])('seamlab %j --help: usage and examples, status 0', async (words) => {
    const { status, out, err } = await seamlab(...words, '--help');
    expect({ status, err }).toEqual({ status: 0, err: '' });
    expect(out).toContain(`Usage: ${['seamlab', ...words].join(' ')}`);
    expect(out).toMatch(/Examples:\n {2}\$ seamlab /);
  });

  test.each([[['rum']], [['run']], [['run', '--josn', 'x']], [['lab', 'chekc']], [[]]])(
    'seamlab %j is wrong: status 2, told on standard error',
    async (words) => {
      const { status, out, err } = await seamlab(...words);
      expect({ status, out }).toEqual({ status: 2, out: '' });
      expect(err).not.toBe('');
    },
  );

  test('a slip of the finger is told the right word', async () => {
    expect((await seamlab('rum')).err).toContain('Did you mean run?');
    expect((await seamlab('run', '--josn', 'x')).err).toContain('Did you mean --json?');
  });

  test('--version prints the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(await seamlab('--version')).toEqual({ status: 0, out: `${version}\n`, err: '' });
  });

  test('colours: on a terminal, unless NO_COLOR or a dumb one', () => {
    expect(showsColors({ isTTY: true }, {})).toBe(true);
    expect(showsColors({ isTTY: true }, { NO_COLOR: '1' })).toBe(false);
    expect(showsColors({ isTTY: true }, { TERM: 'dumb' })).toBe(false);
    expect(showsColors({}, {})).toBe(false);
  });

  test('what is wrong outweighs a limit, a limit what failed', () => {
    expect(worst([])).toBe(STATUS.held);
    expect(worst([STATUS.held, STATUS.failed])).toBe(STATUS.failed);
    expect(worst([STATUS.limit, STATUS.failed])).toBe(STATUS.limit);
    expect(worst([STATUS.limit, STATUS.wrong])).toBe(STATUS.wrong);
  });

  test('columns of numbers stand to the right', () => {
    expect(
      table(
        ['A', 'N'],
        [
          ['x', 5],
          ['long', 10],
        ],
      ),
    ).toBe('A      N\nx      5\nlong  10\n');
  });
});
