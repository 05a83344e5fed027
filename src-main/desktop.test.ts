import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Input } from '../src-lab/input';
import { parseTranscript } from '../src-lab/transcript';
import { TRACE_FILTER, type EventView, type InputReply, type SessionView } from '../src-lab/view';
import { loadLab } from '../src-lab/lab';
import { runScenario } from '../src-sim/scenario/runner';
import { parseScenario } from '../src-sim/scenario/scenario';
import {
  contract,
  events,
  type Envelope,
  type EventName,
  type LabSummary,
  type Name,
  type SandboxChoices,
} from './contract';
import { compileCourse, Course } from './course';
import { Desktop } from './desktop';
import { compiledListing, type Listing } from './listing';
import type { News } from './notices';
import { Progress } from './progress';
import { serve } from './serve';
import { Remembered } from './settings';
import { openDatabase } from './sqlite';
import { SqliteStore, type Store } from './store';
import { migrate } from './migrations';
import { Supervisor } from './supervisor';
import { bundled } from './testing/bundle';
import { temporaryFolder } from './testing/folder';
import { SMALL_LAB, writeSmallLab } from './testing/lab';

const worker = bundled(join(import.meta.dirname, 'worker.ts'));
const scenarios = join(import.meta.dirname, '../src-sim/scenario/examples');
const folders = () => ({ home: join(temporaryFolder(), 'home'), labs: temporaryFolder() });

const step: Input = {
  kind: 'act',
  action: { vmm: 'KVM_CREATE_VM', vm: 'td', type: 'KVM_X86_TDX_VM' },
};
const question = { ask: 'hit', stops: [{ event: { event: 'KVM_CREATE_VM' } }], from: 9, back: true };
const answer = (value: string): Input => ({ kind: 'answer', checkpoint: 'created', answer: value });

/** The application without Electron: real worker, real database, real files. */
function start(
  { home, labs }: ReturnType<typeof folders>,
  openStore?: (file: string) => Store,
  labsAtHand: () => Listing | null = () => null,
) {
  const sent: [string, unknown][] = [];
  const clock = { ahead: 0 };
  const exports = temporaryFolder();
  const early: News[] = [];
  let tell = (news: News): void => void early.push(news);
  const progress = new Progress(
    home,
    Date.now,
    () => {},
    (news) => tell(news),
    openStore,
  );
  const supervisor: Supervisor = new Supervisor({
    file: worker(),
    workerData: { labs, scenarios, facts: [labs] },
    log: () => {},
    onLost: (why) => desktop.workerLost(why),
    onProgress: (done, total) => desktop.workerProgress(done, total),
  });
  const desktop = new Desktop({
    version: '0',
    remembered: new Remembered(join(home, 'settings.json'), Date.now()),
    progress,
    supervisor,
    labsAtHand,
    log: () => {},
    now: () => Date.now() + clock.ahead,
    uuid: randomUUID,
    emit: (name: EventName, payload: unknown) => {
      sent.push([name, events[name].payload.parse(payload)]);
    },
    askFile: async (name) => join(exports, name),
    askFolder: async () => exports,
    applyTheme: () => {},
  });
  tell = (news) => desktop.tell(news);
  early.forEach(tell);
  onTestFinished(() => desktop.close());
  const call = (name: Name, params: unknown): Promise<Envelope> =>
    serve(desktop.handlers, name, params, () => {});
  const get = async <T>(name: Name, params: unknown): Promise<T> => {
    const envelope = await call(name, params);
    if (!envelope.ok) throw new Error(`${envelope.code}: ${envelope.message}`);
    return contract[name].reply.parse(envelope.value) as T;
  };
  const open = (lab = SMALL_LAB.id) => get<SessionView>('lab.open', { lab });
  return {
    desktop,
    supervisor,
    progress,
    clock,
    exports,
    call,
    get,
    open,
    begin: () => get<{ open: string | null; notices: { id: string; what: string }[] }>('app.start', {}),
    input: (session: string, input: Input) => get<InputReply>('lab.input', { session, input }),
    labs: () => get<LabSummary[]>('labs.list', {}),
    sent: (name: EventName) => sent.filter(([event]) => event === name).map(([, payload]) => payload),
  };
}

const codes = (notices: readonly { id: string }[]): string[] =>
  notices.map(({ id }) => id.replace(/-\d+$/, ''));

describe('a lab', () => {
  test('loses nothing that was asked for before the application ends', async () => {
    const where = folders();
    writeSmallLab(where.labs);
    const first = start(where);
    const { session } = await first.open();
    const asked = Array.from({ length: 5 }, () => first.input(session, step));
    await first.desktop.close();
    const replies = await Promise.all(asked);
    expect(replies.map(({ inputs }) => inputs)).toEqual([1, 2, 3, 4, 5]);
    expect((await start(where).open()).inputs).toBe(5);
  });

  test('reopens at the very same step after a new start, with every input', async () => {
    const where = folders();
    writeSmallLab(where.labs);
    const first = start(where);
    const view = await first.open();
    expect(view.inputs).toBe(0);
    await first.input(view.session, step);
    const last = await first.input(view.session, answer(SMALL_LAB.right));
    expect(last).toMatchObject({
      accepted: true,
      inputs: 2,
      progress: { score: SMALL_LAB.points, complete: true },
    });
    const before = await first.open();
    await first.desktop.close();

    const second = start(where);
    expect((await second.begin()).open).toBe(SMALL_LAB.id);
    const after = await second.open();
    expect(after).toEqual(before);
    expect(await second.labs()).toMatchObject([
      {
        id: SMALL_LAB.id,
        title: SMALL_LAB.title,
        progress: {
          session: view.session,
          score: SMALL_LAB.points,
          settled: 1,
          checkpoints: 1,
          complete: true,
        },
      },
    ]);
  });

  test('without any input leaves no attempt behind', async () => {
    const where = folders();
    writeSmallLab(where.labs);
    const { open, labs, progress } = start(where);
    await open();
    expect(progress.attempts(null)).toEqual([]);
    expect(await labs()).toMatchObject([{ progress: null }]);
  });

  test('tells of a refused input and does not keep it', async () => {
    const where = folders();
    writeSmallLab(where.labs);
    const { open, input, progress } = start(where);
    const { session } = await open();
    expect(await input(session, { kind: 'goto', step: 'nowhere' })).toMatchObject({
      accepted: false,
      inputs: 0,
    });
    expect((await input(session, { kind: 'goto', step: 'nowhere' })).refused).toContain('nowhere');
    expect(progress.attempts(null)).toEqual([]);
  });

  test('begun anew keeps the earlier attempt', async () => {
    const where = folders();
    writeSmallLab(where.labs);
    const { open, input, get, progress } = start(where);
    const first = await open();
    await input(first.session, step);
    const second = await get<SessionView>('lab.restart', { lab: SMALL_LAB.id });
    expect(second.session).not.toBe(first.session);
    expect(second.inputs).toBe(0);
    await input(second.session, step);
    expect(progress.attempts(SMALL_LAB.id)).toMatchObject([
      { id: second.session, ended: null, inputs: 1 },
      { id: first.session, ended: expect.any(Number) as number, inputs: 1 },
    ]);
  });

  test('closed is not reopened, and its session takes no input', async () => {
    const where = folders();
    writeSmallLab(where.labs);
    const { open, get, begin, call } = start(where);
    const { session } = await open();
    await get('lab.close', {});
    expect((await begin()).open).toBeNull();
    expect(await call('lab.input', { session, input: step })).toMatchObject({ ok: false, code: 'not_open' });
    expect(await call('lab.ask', { session, question })).toMatchObject({ ok: false, code: 'not_open' });
  });

  test('answers questions about the past without an input, also after the simulator was lost', async () => {
    const where = folders();
    writeSmallLab(where.labs);
    const { open, get, input, supervisor } = start(where);
    const { session } = await open();
    await input(session, step);
    const before = await get('lab.ask', { session, question });
    expect(before).toMatchObject({
      ask: 'hit',
      hit: { moment: 1, say: expect.stringContaining('Moment 1:') },
    });
    supervisor.cancel();
    expect(await get('lab.ask', { session, question })).toEqual(before);
    expect((await open()).inputs).toBe(1);
  });

  test('is looked at without an input: other moments, rows of the trace, its events', async () => {
    const where = folders();
    writeSmallLab(where.labs);
    const first = start(where);
    const { session } = await first.open();
    const { machine } = await first.input(session, step);
    const peeked = await first.get<InputReply>('lab.peek', { session, moment: 1 });
    expect([peeked.inputs, peeked.machine.moment, peeked.machine.last]).toEqual([1, 1, machine.last]);
    const filter = { ...TRACE_FILTER, tracepoints: false, marks: false, text: 'KVM_CREATE' };
    const [rows] = await first.get<Int32Array[]>('trace.filter', { session, filter });
    expect(rows!.length).toBeGreaterThan(0);
    const asked = { session, on: 'a', events: [...rows!, 1_000_000] };
    const events = await first.get<EventView[]>('trace.events', asked);
    expect(events.map(({ n, type }) => [n, type])).toEqual([...rows!].map((n) => [n, 'action']));
    // Neither who goes on nor who comes back finds anything of it.
    await first.get('lab.close', {});
    expect((await first.open()).machine).toMatchObject({ moment: machine.moment, outcome: machine.outcome });
    await first.get('lab.peek', { session, moment: 1 });
    expect((await first.input(session, step)).machine.moment).toBeGreaterThan(machine.moment);
  });

  test('whose content changed begins anew; the learner is told and the attempt stays exportable', async () => {
    const where = folders();
    writeSmallLab(where.labs);
    const { open, input, begin, labs, get, sent, progress } = start(where);
    await begin();
    const old = await open();
    await input(old.session, step);
    await get('lab.close', {});
    writeSmallLab(where.labs, 'Another title');
    expect(await labs()).toMatchObject([{ title: 'Another title', progress: null }]);
    const anew = await open();
    expect(anew.inputs).toBe(0);
    expect(anew.session).not.toBe(old.session);
    expect(codes(sent('notice') as { id: string }[])).toEqual(['lab_changed']);
    expect(progress.attempt(old.session)).toMatchObject({ inputs: 1, ended: expect.any(Number) as number });
    expect(await get('lab.export', { session: old.session })).toMatchObject({ inputs: 1 });
  });

  test('scored by another simulator is not scored again', async () => {
    const where = folders();
    writeSmallLab(where.labs);
    const first = start(where);
    const old = await first.open();
    await first.input(old.session, step);
    const kept = first.progress.attempt(old.session)!;
    await first.desktop.close();
    // The same attempt, as a simulator of another version would have left it.
    const { headerLine, entryLine } = await import('../src-lab/transcript');
    const head = { ...kept, session: randomUUID(), simVersion: 'other', started: kept.started + 1 };
    const header = headerLine(head);
    const store = SqliteStore.open(join(where.home, 'progress.db'));
    const line = entryLine(header, { n: 1, at: 1, input: step });
    store.append({ ...head, id: head.session, header }, 1, [line], kept.standing);
    store.close();

    const second = start(where);
    expect((await second.open()).inputs).toBe(0);
    expect(codes((await second.begin()).notices)).toEqual(['simulator_changed']);
    expect(second.progress.lines(head.session)).toEqual([line]);
  });

  test('whose stored inputs were altered begins anew and says where', async () => {
    const where = folders();
    writeSmallLab(where.labs);
    const first = start(where);
    const old = await first.open();
    for (let i = 0; i < 3; i++) await first.input(old.session, { kind: 'reset' });
    await first.desktop.close();
    const db = openDatabase(join(where.home, 'progress.db'));
    db.exec(`UPDATE inputs SET line = replace(line, '"reset"', '"run"') WHERE n = 2`);
    db.close();
    const second = start(where);
    expect((await second.open()).inputs).toBe(0);
    const { notices } = await second.begin();
    expect(codes(notices)).toEqual(['not_replayable']);
    expect(notices[0]!.what).toContain('line 3');
  });
});

describe('the course', () => {
  test('shows the healthy labs and names the broken ones, once', async () => {
    const where = folders();
    const lab = writeSmallLab(where.labs);
    mkdirSync(join(where.labs, '02-torn'));
    writeFileSync(join(where.labs, '02-torn/lab.yaml'), 'format: 1\nid: [');
    mkdirSync(join(where.labs, '03-twin'));
    for (const file of readdirSync(lab)) {
      writeFileSync(join(where.labs, '03-twin', file), readFileSync(join(lab, file)));
    }
    symlinkSync(lab, join(where.labs, '04-link'));
    const { begin, labs, sent, call } = start(where);
    await begin();
    expect((await labs()).map(({ id }) => id)).toEqual([SMALL_LAB.id]);
    await labs();
    const notices = sent('notice') as { id: string; what: string }[];
    expect(codes(notices)).toEqual(['lab_broken', 'lab_broken', 'lab_broken']);
    expect(notices.map(({ what }) => what)).toEqual([
      expect.stringContaining('"02-torn"') as string,
      expect.stringContaining('"01-small"') as string,
      expect.stringContaining('symbolic link') as string,
    ]);
    expect(await call('lab.open', { lab: '02-torn' })).toMatchObject({ ok: false, code: 'lab_broken' });
  });

  test('is listed from what the build has compiled before there is a worker, while no lab differs', async () => {
    const where = folders();
    writeSmallLab(where.labs);
    const file = join(temporaryFolder(), 'labs.bin');
    writeFileSync(file, compileCourse(where.labs, loadLab));
    const course = new Course(pathToFileURL(file));
    const { labs, supervisor } = start(where, undefined, () => compiledListing(where.labs, course));
    const listed = await labs();
    expect(supervisor.generation).toBe(0);
    await vi.waitFor(() => expect(supervisor.generation).toBe(1));
    expect(await labs(), 'as the worker lists it').toEqual(listed);
    expect(listed).toHaveLength(1);
    writeSmallLab(where.labs, 'Another title');
    expect(compiledListing(where.labs, course)).toBeNull();
  });

  test('has the facts of its folder in words; without them where a file cannot be read', async () => {
    const places = folders();
    const { get } = start(places);
    mkdirSync(join(places.labs, 'facts'));
    const file = join(places.labs, 'facts', 'mine.json');
    const fact = { fact: 'It is mine.', source: 'me' };
    writeFileSync(
      file,
      JSON.stringify({
        groups: { MINE: { title: 'Mine' } },
        facts: { 'MINE-1': { ...fact, later: "It is not the machine's." } },
      }),
    );
    expect(await get('facts.list', {})).toEqual({ 'MINE-1': fact });
    writeFileSync(file, '{');
    expect(await get('facts.list', {})).toEqual({});
  });

  test('has no lab of a name that does not exist, and forgets that it was to be opened', async () => {
    const where = folders();
    const { desktop, begin, call } = start(where);
    desktop.want('nothing-here');
    expect((await begin()).open).toBe('nothing-here');
    expect(await call('lab.open', { lab: 'nothing-here' })).toMatchObject({ ok: false, code: 'no_such_lab' });
    expect((await begin()).open).toBeNull();
  });

  test('opens a lab by the name of its folder, where the learner left it', async () => {
    const where = folders();
    writeSmallLab(where.labs);
    const first = start(where);
    const { session } = await first.open();
    await first.input(session, step);
    await first.desktop.close();
    const second = start(where);
    second.desktop.want(SMALL_LAB.folder);
    const view = await second.open((await second.begin()).open!);
    expect(view).toMatchObject({ session, inputs: 1, lab: { id: SMALL_LAB.id } });
    expect((await second.begin()).open).toBe(SMALL_LAB.id);
  });

  test('a second start asks the running screen, and a nonsense name is told', async () => {
    const { desktop, begin, sent } = start(folders());
    await begin();
    desktop.want('small');
    desktop.want('../../etc');
    expect(sent('lab.wanted')).toEqual([{ lab: 'small' }]);
    expect(codes(sent('notice') as { id: string }[])).toEqual(['no_such_lab']);
  });
});

describe('a worker that is lost', () => {
  /** Ends the worker behind the supervisor's back, as a crash would. */
  const crash = (supervisor: Supervisor): void => supervisor.cancel();

  test('while idle: the session is replayed, shown again and goes on', async () => {
    const where = folders();
    writeSmallLab(where.labs);
    const { open, input, supervisor, sent, begin } = start(where);
    await begin();
    const { session } = await open();
    await input(session, step);
    const before = await open();
    crash(supervisor);
    expect(await input(session, answer(SMALL_LAB.wrong))).toMatchObject({ accepted: true, inputs: 2 });
    expect(sent('session.restored')).toEqual([{ session, view: before }]);
    expect(codes(sent('notice') as { id: string }[])).toEqual(['simulator_restarted']);
  });

  test('during an input: the input is not kept, the learner is told, the session goes on before it', async () => {
    const where = folders();
    writeSmallLab(where.labs);
    const { open, input, supervisor, sent, begin, call, progress } = start(where);
    await begin();
    const { session } = await open();
    await input(session, step);
    const before = await open();
    const apply = supervisor.call.bind(supervisor);
    supervisor.call = (name, ...args) => {
      const answered = apply(name, ...args);
      if (name === 'apply') crash(supervisor);
      return answered;
    };
    const refused = await call('lab.input', { session, input: { kind: 'reset' } });
    supervisor.call = apply;
    expect(refused).toMatchObject({ ok: false, code: 'input_stopped' });
    expect(sent('session.restored')).toEqual([{ session, view: before }]);
    expect(progress.lines(session)).toHaveLength(1);
    expect(await input(session, { kind: 'reset' })).toMatchObject({ accepted: true, inputs: 2 });
  });
});

describe('work that takes long', () => {
  test('is shown with its progress, and that it ended', async () => {
    const where = folders();
    writeSmallLab(where.labs);
    const { supervisor, desktop, clock, open, sent } = start(where);
    const ask = supervisor.call.bind(supervisor);
    supervisor.call = (name, ...args) => {
      desktop.workerProgress(1, 4); // in its first second nothing is shown
      clock.ahead = 2_000;
      desktop.workerProgress(2, 4);
      desktop.workerProgress(3, 4); // nor more than ten times a second
      return ask(name, ...args);
    };
    await open();
    expect(sent('busy')).toEqual([
      { what: 'Opening the lab', progress: 0.5 },
      { what: 'Opening the lab', progress: null },
    ]);
    desktop.workerProgress(4, 4);
    expect(sent('busy')).toHaveLength(2);
  });

  test('is stopped when the learner says so; the input is not kept', async () => {
    const where = folders();
    writeSmallLab(where.labs);
    const { supervisor, call, get, input, open, progress } = start(where);
    const { session } = await open();
    await input(session, step);
    await get('work.cancel', {});
    expect(supervisor.generation).toBe(1); // nothing was under way
    const ask = supervisor.call.bind(supervisor);
    supervisor.call = (name, ...args) => {
      const answered = ask(name, ...args);
      if (name === 'apply') void call('work.cancel', {});
      return answered;
    };
    const stopped = await call('lab.input', { session, input: { kind: 'reset' } });
    expect(stopped).toMatchObject({ ok: false, code: 'input_stopped' });
    expect(!stopped.ok && stopped.message).toContain('You stopped the work');
    supervisor.call = ask;
    expect(progress.lines(session)).toHaveLength(1);
    expect(await input(session, { kind: 'reset' })).toMatchObject({ inputs: 2 });
  });
});

test('a trace that is being written can be stopped: nothing is written, and the simulator goes on', async () => {
  const where = folders();
  writeSmallLab(where.labs);
  const { supervisor, call, open, input, exports } = start(where);
  const { session } = await open();
  await input(session, step);
  const ask = supervisor.call.bind(supervisor);
  supervisor.call = (name, ...args) => {
    const answered = ask(name, ...args);
    if (name === 'traceText') void call('work.cancel', {});
    return answered;
  };
  const stopped = await call('trace.save', { session, format: 'text' });
  expect(stopped).toMatchObject({ ok: false, code: 'stopped' });
  supervisor.call = ask;
  expect(readdirSync(exports)).toEqual([]);
  expect([supervisor.generation, (await input(session, step)).inputs]).toEqual([1, 2]);
});

describe('a disk that fails', () => {
  test('takes the input back on the screen too, then the lab goes on', async () => {
    const where = folders();
    writeSmallLab(where.labs);
    let readOnly = false;
    const { open, input, call, sent, begin, get, exports } = start(where, (file) => {
      const db = openDatabase(file);
      migrate(db);
      const store = new SqliteStore(db);
      const append = store.append.bind(store);
      store.append = (...args) => {
        db.exec(`PRAGMA query_only = ${readOnly ? 1 : 0}`);
        append(...args);
      };
      return store;
    });
    await begin();
    const { session } = await open();
    await input(session, step);
    const before = await open();
    readOnly = true;
    const refused = await call('lab.input', { session, input: { kind: 'reset' } });
    expect(refused).toMatchObject({ ok: false, code: 'not_saved' });
    expect(!refused.ok && refused.message).toContain('1 input before it is saved');
    expect(sent('session.restored')).toEqual([{ session, view: before }]);

    expect(await input(session, answer(SMALL_LAB.right))).toMatchObject({ accepted: true, inputs: 2 });
    expect(codes(sent('notice') as { id: string }[])).toEqual(['in_memory']);
    readOnly = false;
    expect(await input(session, { kind: 'reset' })).toMatchObject({ accepted: true, inputs: 3 });
    expect(codes(sent('notice') as { id: string }[])).toEqual(['in_memory', 'saved_again']);
    await get('lab.export', { session });
    const [name] = readdirSync(exports);
    const read = parseTranscript(readFileSync(join(exports, name!), 'utf8'));
    expect(read.ok && read.transcript.entries.map(({ input: { kind } }) => kind)).toEqual([
      'act',
      'answer',
      'reset',
    ]);
  });
});

describe('an export', () => {
  test('is a finished transcript, of any attempt', async () => {
    const where = folders();
    writeSmallLab(where.labs);
    const { open, input, get, exports, call, desktop, begin, sent } = start(where);
    await begin();
    const { session } = await open();
    expect(await get('lab.export', { session })).toMatchObject({ inputs: 0 });
    await input(session, step);
    const { file } = await get<{ file: string }>('lab.export', { session });
    expect(file).toMatch(/seamlab-small-\d{4}-\d\d-\d\dT[\d-]+\.jsonl$/);
    const read = parseTranscript(readFileSync(file, 'utf8'));
    expect(read).toMatchObject({ ok: true, transcript: { head: { session, lab: 'small' } } });
    expect(await call('lab.export', { session: randomUUID() })).toMatchObject({
      ok: false,
      code: 'no_attempt',
    });
    await get('lab.restart', { lab: 'small' });
    const again = await open();
    await input(again.session, step);
    await desktop.exportEvery();
    expect(readdirSync(exports)).toHaveLength(2);
    expect(codes(sent('notice') as { id: string }[])).toEqual(['exported']);
  });
});

test('a picture is written where the learner wants it, whole', async () => {
  const { get, exports } = start(folders());
  const picture = {
    kind: 'picture',
    name: 'posting-moment-7',
    content: '<svg xmlns="x"><text>PIR</text></svg>',
  };
  const { file } = await get<{ file: string }>('file.save', picture);
  expect(file).toBe(join(exports, 'seamlab-posting-moment-7.svg'));
  expect(readFileSync(file, 'utf8')).toBe(picture.content);
});

test('the trace of the machine that is open is written in each format', async () => {
  const where = folders();
  writeSmallLab(where.labs);
  const { open, input, get, call, exports } = start(where);
  const { session } = await open();
  await input(session, { kind: 'act', action: { vmm: 'KVM_CREATE_VM', vm: 'td', type: 'KVM_X86_TDX_VM' } });
  const saved = async (format: string): Promise<string> => {
    const { file, lost } = await get<{ file: string; lost: number }>('trace.save', { session, format });
    expect([dirname(file), lost]).toEqual([exports, 0]);
    return readFileSync(file, 'utf8');
  };
  expect(await saved('text')).toContain('KVM_CREATE_VM');
  expect(await saved('graph')).toMatch(/^# tracer: function_graph/);
  expect(JSON.parse(await saved('perfetto'))).toMatchObject({ otherData: { title: 'A small lab' } });
  await get('lab.close', {});
  expect(await call('trace.save', { session, format: 'text' })).toMatchObject({
    ok: false,
    code: 'not_open',
  });
});

test('an export that cannot be written says so and changes nothing', async () => {
  const where = folders();
  writeSmallLab(where.labs);
  const { open, input, exports, call, desktop, begin, sent } = start(where);
  await begin();
  const { session } = await open();
  await input(session, step);
  rmSync(exports, { recursive: true });
  expect(await call('lab.export', { session })).toMatchObject({ ok: false, code: 'not_exported' });
  await desktop.exportEvery();
  expect(codes(sent('notice') as { id: string }[])).toEqual(['not_exported']);
  expect(await input(session, { kind: 'reset' })).toMatchObject({ inputs: 2 });
});

describe('a preview', () => {
  const save = (folder: string, change: (yaml: string) => string): void => {
    const file = join(folder, 'lab.yaml');
    writeFileSync(file, change(readFileSync(file, 'utf8')));
  };
  async function previewed() {
    const where = folders();
    const folder = writeSmallLab(where.labs);
    const app = start(where);
    await app.begin();
    const view = await app.open();
    await app.input(view.session, step);
    await app.input(view.session, answer(SMALL_LAB.right));
    return { ...app, folder, view, saved: () => app.desktop.previewChanged(SMALL_LAB.folder) };
  }

  test('shows the lab as it was saved, with the inputs that were made', async () => {
    const { folder, view, saved, open, sent } = await previewed();
    save(folder, (yaml) => yaml.replace('A small lab', 'A better lab'));
    await saved();
    expect(sent('lab.wanted')).toEqual([{ lab: SMALL_LAB.id }]);
    const again = await open();
    expect(again.session).not.toBe(view.session);
    expect(again).toMatchObject({
      lab: { title: 'A better lab' },
      inputs: 2,
      progress: { score: SMALL_LAB.points },
    });
    expect(codes(sent('notice') as { id: string }[])).toEqual(['preview_shown']);
  });

  test('leaves out inputs that the lab no longer takes, and says how many', async () => {
    const { folder, saved, open, sent } = await previewed();
    save(folder, (yaml) =>
      yaml
        .replace("choices: ['0', '-EINVAL']", "choices: ['1', '-EINVAL']")
        .replace('last.return', 'last.exit'),
    );
    save(folder, (yaml) => yaml.replace("choices: ['1', '-EINVAL']", "choices: ['', '1']"));
    await saved();
    expect(await open()).toMatchObject({ inputs: 1, progress: { score: 0 } });
    expect(sent('notice')).toMatchObject([
      { kept: '1 input was replayed; 1 left out, which the lab no longer takes.' },
    ]);
  });

  test('names every error with file, line, column and remedy, and goes on when it is mended', async () => {
    const { folder, view, saved, open, sent } = await previewed();
    save(folder, (yaml) =>
      yaml.replace('step: make', 'step: mkae').replace('facts: [VM-1]', 'facts: [VM-1]\n    fact: x'),
    );
    await saved();
    save(folder, (yaml) => yaml.replace('\n    fact: x', ''));
    await saved();
    expect((sent('notice') as { what: string }[]).map(({ what }) => what)).toEqual([
      expect.stringMatching(/^lab\.yaml:20:5: There is no key "fact" here\. Did you mean "facts"/),
      'guide.md:5:1: The checkpoint "created" belongs to the step "mkae". Move it there. ' +
        'lab.yaml:13:11: There is no step "mkae". Did you mean "make"?',
    ]);
    expect((await open()).session).toBe(view.session);
    save(folder, (yaml) => yaml.replace('step: mkae', 'step: make').replace('points: 2', 'points: 3'));
    await saved();
    expect((await open()).progress).toMatchObject({ score: 3, points: 3 });
  });

  test('does nothing when what the learner meets is as it was', async () => {
    const { folder, saved, sent } = await previewed();
    writeFileSync(join(folder, 'solution.yaml'), 'inputs: []\n');
    await saved();
    expect([...sent('notice'), ...sent('lab.wanted')]).toEqual([]);
  });

  test('of a lab that could not be opened opens it once it can', async () => {
    const where = folders();
    const folder = writeSmallLab(where.labs);
    save(folder, (yaml) => yaml.replace('format: 1', 'format: 2'));
    const app = start(where);
    await app.begin();
    await app.desktop.previewChanged(SMALL_LAB.folder);
    save(folder, (yaml) => yaml.replace('format: 2', 'format: 1'));
    await app.desktop.previewChanged(SMALL_LAB.folder);
    expect(codes(app.sent('notice') as { id: string }[])).toEqual(['preview_broken']);
    expect(app.sent('lab.wanted')).toEqual([{ lab: SMALL_LAB.id }]);
  });
});

describe('notices', () => {
  test('wait for a screen that listens, and are told once', async () => {
    const { desktop, begin, sent } = start(folders());
    desktop.tell({ code: 'internal' });
    expect(codes((await begin()).notices)).toEqual(['internal']);
    expect((await begin()).notices).toEqual([]);
    desktop.tell({ code: 'internal' });
    expect(sent('notice')).toHaveLength(1);
    desktop.screenCrashed();
    expect(sent('notice')).toHaveLength(1);
    expect(codes((await begin()).notices)).toEqual(['screen_crashed']);
  });
});

describe('the sandbox', () => {
  const vms = [{ name: 'td', vcpus: 2, boot: 'td' }];
  const platform = { from: 'platform', vms, switches: ['apicv_v1'], against: null };
  type Begun = { view: SessionView | null; faults: { at: string | null; say: string }[]; leftOut: number };
  const starter = () => {
    const where = folders();
    const app = start(where);
    return { where, ...app, build: (wanted: object) => app.get<Begun>('sandbox.begin', { wanted }) };
  };

  test('is on disk as soon as it is built, and reopens at the very same step after a new start', async () => {
    const first = starter();
    const { view } = await first.build(platform);
    expect(view).toMatchObject({ inputs: 1, sandbox: { switches: [[{ name: 'apicv_v1' }]] } });
    await first.input(view!.session, step);
    const before = await first.open('sandbox');
    await first.desktop.close();

    const second = start(first.where);
    expect((await second.begin()).open).toBe('sandbox');
    expect(await second.open('sandbox')).toEqual(before);
    expect(await second.get('sandbox.choices', {})).toMatchObject({
      kept: { title: 'td with 2 vCPUs, apicv_v1', inputs: 1 },
    });
    expect(await second.labs()).toEqual([]);
  });

  test('that cannot be built says why, and what is open stays open', async () => {
    const { build, open } = starter();
    const { view } = await build(platform);
    const fault = async (change: object) => (await build({ ...platform, ...change })).faults[0];
    expect(await fault({ vms: [] })).toEqual({ at: null, say: 'The platform must have at least one VM.' });
    expect(await fault({ vms: [...vms, ...vms] })).toMatchObject({ say: 'There are two VMs called "td".' });
    expect(await fault({ vms: [{ ...vms[0], vcpus: 2.5 }] })).toMatchObject({ at: 'td' });
    expect(await fault({ vms: [{ ...vms[0], name: 'TD' }] })).toMatchObject({ at: 'TD' });
    expect(await fault({ switches: ['apicv_v2'] })).toEqual({
      at: null,
      say: 'There is no switch "apicv_v2". Did you mean "apicv_v1"?',
    });
    expect((await open('sandbox')).session).toBe(view!.session);
  });

  test('built anew or restarted leaves the earlier one in the store, with all that was done', async () => {
    const { build, progress, get, input } = starter();
    const one = (await build(platform)).view!;
    await input(one.session, step);
    const two = (await build({ ...platform, vms: [{ name: 'other', vcpus: 1, boot: 'none' }] })).view!;
    const three = await get<SessionView>('lab.restart', { lab: 'sandbox' });
    expect(three.vms).toEqual([{ name: 'other', vcpus: 1 }]);
    expect(progress.attempts('sandbox').map(({ id, inputs, ended }) => [id, inputs, ended === null])).toEqual(
      [
        [three.session, 1, true],
        [two.session, 1, false],
        [one.session, 2, false],
      ],
    );
  });

  test('of every attempt, however long, a list reads the first line only', async () => {
    const { build, get } = starter();
    await build(platform);
    await build({ ...platform, vms: [{ name: 'other', vcpus: 1, boot: 'none' }] });
    const lines = vi.spyOn(SqliteStore.prototype, 'lines');
    onTestFinished(() => lines.mockRestore());
    expect(await get('sandbox.choices', {})).toMatchObject({
      kept: { title: 'other with 1 vCPU, apicv_v1' },
      earlier: [{ title: 'td with 2 vCPUs, apicv_v1' }],
    });
    expect(lines).not.toHaveBeenCalled();
  });

  test('begins from a shipped scenario, before its steps or after them', async () => {
    const { build } = starter();
    const scenario = { from: 'scenario', scenario: 'td-nmis-collapse', against: null };
    const before = (await build({ ...scenario, perform: false })).view!;
    const after = await build({ ...scenario, perform: true });
    expect(before.notebook).toEqual([]);
    expect(after.leftOut).toBe(0);
    expect(after.view!.notebook.map(({ command }) => command)).toEqual(
      before.sandbox!.scenario!.steps.map(({ command }) => command),
    );
    expect((await build({ ...scenario, scenario: 'nothing', perform: true })).faults).toEqual([
      { at: null, say: 'There is no scenario "nothing".' },
    ]);
  });

  test('compares what was done with the same on another design', async () => {
    const { build, input } = starter();
    const one = (await build({ ...platform, switches: [] })).view!;
    const { inputs } = await input(one.session, step);
    expect(inputs).toBe(2);
    const { view, leftOut } = await build({ from: 'session', session: one.session, against: ['apicv_v1'] });
    expect(leftOut).toBe(0);
    expect(view!.machine.compare!.variants.map(({ label }) => label)).toEqual(['as upstream', 'apicv_v1']);
    expect(view!.notebook.map(({ given, at }) => [given, at.length])).toEqual([
      [true, 2],
      [false, 2],
    ]);
  });

  test('compares two attempts: together as far as they went the same way, then each on its own', async () => {
    const { build, input, get } = starter();
    const nmi = { kind: 'act', action: { vmm: 'KVM_NMI', vm: 'td', vcpu: 0 } } as const;
    const smi = { kind: 'act', action: { vmm: 'KVM_SMI', vm: 'td', vcpu: 0 } } as const;
    const one = (await build({ ...platform, switches: [] })).view!;
    await input(one.session, nmi);
    await input(one.session, smi);
    const two = (await build({ ...platform, switches: [] })).view!;
    await input(two.session, nmi);
    await input(two.session, nmi);
    const { earlier } = await get<SandboxChoices>('sandbox.choices', {});
    expect(earlier).toMatchObject([{ session: one.session, inputs: 2, comparable: true }]);

    const { view, leftOut } = await build({
      from: 'attempts',
      session: two.session,
      earlier: one.session,
    });
    expect(leftOut).toBe(0);
    expect(view!.notebook.map(({ on, command }) => [on, command.split(' ').slice(0, 2).join(' ')])).toEqual([
      [null, 'boot td'],
      [null, 'vmm KVM_NMI'],
      ['a', 'vmm KVM_NMI'],
      ['b', 'vmm KVM_SMI'],
    ]);
    const { variants } = view!.machine.compare!;
    expect(variants.map(({ label }) => label)).toEqual(['this attempt', 'the earlier one']);
  });

  test('an attempt with other VMs, or none at all, is compared with nothing, and what is open stays open', async () => {
    const { build, get, open } = starter();
    const one = (await build(platform)).view!;
    const two = (await build({ ...platform, vms: [{ ...vms[0], vcpus: 1 }] })).view!;
    const { earlier: listed } = await get<SandboxChoices>('sandbox.choices', {});
    expect(listed).toMatchObject([{ session: one.session, comparable: false }]);
    const fault = async (earlier: string) =>
      (await build({ from: 'attempts', session: two.session, earlier })).faults;
    expect(await fault(one.session)).toMatchObject([{ say: expect.stringContaining('other VMs') }]);
    expect(await fault(two.session.replace(/^./, (digit) => (digit === '0' ? '1' : '0')))).toEqual([
      { at: null, say: 'There is no such attempt.' },
    ]);
    expect((await open('sandbox')).session).toBe(two.session);
  });

  test('is written as a scenario that leads to the same bytes', async () => {
    const { build, get, input, open } = starter();
    const { session } = (await build(platform)).view!;
    await input(session, step);
    const { file } = await get<{ file: string }>('sandbox.save', { session, title: 'A first try' });
    expect(file).toMatch(/a-first-try\.yaml$/);
    const read = parseScenario(readFileSync(file, 'utf8'));
    expect(read.ok && runScenario(read.value).hash).toBe((await open('sandbox')).machine.hash);
  });
});
