import { afterEach, describe, expect, test, vi } from 'vitest';
import { NO_AIDS, TRACE_LOOK } from '../src-main/contract';
import type { Bridge, Envelope, LabSummary, Notice } from '../src-main/contract';
import { App } from './app.svelte';
import { Client } from './bridge';
import { reply, sessionView } from './testing';

type Answers = Record<string, (params: never) => unknown>;
const settings = {
  theme: 'system',
  textScale: 100,
  reducedMotion: false,
  toured: true,
  panes: {},
  aids: NO_AIDS,
  trace: TRACE_LOOK,
};
const started = { version: '1.0.0', platform: 'linux', settings, open: null, notices: [] };
const summary: LabSummary = {
  id: 'some-lab',
  number: 2,
  title: 'Some lab',
  summary: '',
  minutes: 5,
  points: 4,
  checkpoints: 2,
  progress: null,
};
const LATCHED = { fact: 'An INIT is latched.', source: 'lapic.c' };
const refuse = (message: string, code = 'refused'): never => {
  throw Object.assign(new Error(message), { code });
};

/** An App over a desktop that answers as told; an answer that throws is a refusal with its words. */
function screen(answers: Answers = {}) {
  const calls: [string, unknown][] = [];
  const listeners = new Map<string, (payload: unknown) => void>();
  const all: Answers = {
    'app.start': () => started,
    'labs.list': () => [summary],
    'facts.list': () => ({ 'INIT-3': LATCHED }),
    'lab.open': () => sessionView(),
    'lab.restart': () => sessionView(),
    'lab.close': () => ({}),
    'lab.input': () => reply(sessionView()),
    'settings.set': (change) => ({ ...settings, ...(change as object) }),
    ...answers,
  };
  const bridge: Bridge = {
    call: async (name, params): Promise<Envelope> => {
      calls.push([name, params]);
      try {
        return { ok: true, value: all[name]!(params as never) };
      } catch (error) {
        const { code, message } = error as Error & { code: string };
        return { ok: false, code, message };
      }
    },
    on: (name, listener) => {
      listeners.set(name, listener);
      return () => listeners.delete(name);
    },
  };
  const app = new App(new Client(bridge));
  return { app, calls, emit: (name: string, payload: unknown) => listeners.get(name)!(payload) };
}
const notice = (id: string, what = ''): Notice => ({ id, tone: 'info', what, kept: '', todo: '' });

afterEach(() => {
  vi.useRealTimers();
});

describe('starting', () => {
  test('shows the course when no lab was open', async () => {
    const { app } = screen();
    await app.start();
    expect([app.screen, app.labs?.length]).toEqual(['home', 1]);
  });

  test('reopens the lab that was open', async () => {
    const { app, calls } = screen({ 'app.start': () => ({ ...started, open: 'some-lab' }) });
    await app.start();
    expect([app.screen, app.lab?.lab.id]).toEqual(['lab', 'some-lab']);
    expect(calls.map(([name]) => name)).toEqual(['app.start', 'lab.open', 'facts.list']);
  });

  test('a lab that cannot be opened leads to the course, with a notice that says why', async () => {
    const { app } = screen({
      'app.start': () => ({ ...started, open: 'gone' }),
      'lab.open': () => refuse('There is no lab "gone".'),
    });
    await app.start();
    expect(app.screen).toBe('home');
    expect(app.notices).toMatchObject([{ tone: 'error', what: 'There is no lab "gone".' }]);
  });

  test('a desktop that does not answer is said, with a way to try again', async () => {
    let broken = true;
    const { app } = screen({ 'app.start': () => (broken ? refuse('Start Seamlab again.') : started) });
    await app.start();
    expect([app.screen, app.fault?.message]).toEqual(['failed', 'Start Seamlab again.']);
    broken = false;
    await app.start();
    expect(app.screen).toBe('home');
  });
});

describe('going about', () => {
  test('leaving a lab tells the desktop, so that the next start does not reopen it', async () => {
    const { app, calls } = screen();
    await app.open('some-lab');
    await app.home();
    expect(calls.map(([name]) => name)).toEqual(['lab.open', 'facts.list', 'lab.close', 'labs.list']);
    expect([app.screen, app.lab]).toEqual(['home', null]);
  });

  test('a second start of the application that names a lab opens it here', async () => {
    const { app, emit } = screen();
    emit('lab.wanted', { lab: 'some-lab' });
    await vi.waitFor(() => expect(app.screen).toBe('lab'));
  });

  test('facts are known once a lab is shown; whatever else is given as a source is not one', async () => {
    const { app } = screen();
    expect(app.fact('INIT-3')).toBeNull();
    await app.open('some-lab');
    await vi.waitFor(() => expect(app.fact('INIT-3')).toEqual(LATCHED));
    expect(['MINE-1', 'SDM', '', 'constructor'].map((id) => app.fact(id))).toEqual([null, null, null, null]);
  });

  test('a session that was restored shows its new state, and only if it is the open one', async () => {
    const { app, emit } = screen();
    await app.open('some-lab');
    const view = { ...sessionView(), inputs: 7 };
    emit('session.restored', { session: '00000000-0000-4000-8000-000000000000', view });
    expect(app.lab?.inputs).toBe(0);
    emit('session.restored', { session: view.session, view });
    expect(app.lab?.inputs).toBe(7);
  });

  test('an input that was not kept leaves the lab as it was and says so', async () => {
    const { app } = screen({ 'lab.input': () => refuse('The disk is full.') });
    await app.open('some-lab');
    expect(await app.lab!.run()).toBe(false);
    expect(app.notices).toMatchObject([{ what: 'The disk is full.' }]);
  });

  test('whoever leaves a lab at work is not told that it is left; whoever is in it is', async () => {
    const { app } = screen({ 'lab.input': () => refuse('This lab is not open any more.', 'not_open') });
    await app.open('some-lab');
    const { lab } = app;
    await app.home();
    expect(await lab!.run()).toBe(false);
    expect(app.notices).toEqual([]);
    await app.open('some-lab');
    expect(await app.lab!.run()).toBe(false);
    expect(app.notices).toMatchObject([{ what: 'This lab is not open any more.' }]);
  });
});

describe('notices', () => {
  test('stay until dismissed; a newer one about the same thing takes the place of the older', () => {
    const { app } = screen();
    app.notify(notice('not_saved-1', 'first'));
    app.notify(notice('lab_broken-2'));
    app.notify(notice('not_saved-3', 'second'));
    expect(app.notices.map(({ id }) => id)).toEqual(['lab_broken-2', 'not_saved-3']);
    app.dismiss('lab_broken-2');
    expect(app.notices.map(({ what }) => what)).toEqual(['second']);
  });

  test('an export says where the file is and how to grade it; one that was called off says nothing', async () => {
    let file: string | null = null;
    const { app } = screen({ 'lab.export': () => ({ file, inputs: 3 }) });
    await app.open('some-lab');
    await app.do('export');
    expect(app.notices).toEqual([]);
    file = '/tmp/some-lab.seamlab';
    await app.do('export');
    expect(app.notices[0]).toMatchObject({ what: 'The transcript was written to /tmp/some-lab.seamlab.' });
  });
});

describe('commands', () => {
  test('those of the menu are those of the keys', async () => {
    const { app, emit, calls } = screen();
    emit('menu', { command: 'palette' });
    expect(app.dialog).toBe('palette');
    emit('menu', { command: 'text-larger' });
    expect(calls).toEqual([['settings.set', { textScale: 110 }]]);
  });

  test('what makes no sense now is not done', async () => {
    const { app, calls } = screen();
    for (const id of ['export', 'restart', 'run', 'back', 'next-step', 'focus-stage'] as const) {
      expect(app.can(id)).toBe(false);
      await app.do(id);
    }
    expect(calls).toEqual([]);
    expect(app.dialog).toBeNull();
  });

  test('what a region does is done once the region is shown', async () => {
    const { app } = screen();
    await app.open('some-lab');
    app.doers.set('filter-trace', () => app.say(`${app.lab!.region} ${app.lab!.tab}`));
    app.lab!.tab = 'action';
    await app.do('filter-trace');
    expect(app.said.sentence).toBe('timeline trace');
  });

  test('text grows to 200 percent and shrinks to 80, in steps', async () => {
    const { app } = screen();
    for (let i = 0; i < 20; i++) await app.do('text-larger');
    expect([app.settings.textScale, app.can('text-larger')]).toEqual([200, false]);
    for (let i = 0; i < 20; i++) await app.do('text-smaller');
    expect([app.settings.textScale, app.can('text-smaller')]).toEqual([80, false]);
  });

  test('sizes of panes are written at once when the screen goes before they have come to rest', () => {
    vi.useFakeTimers();
    const { app, calls } = screen();
    app.setPanes('lab', [30, 70]);
    app.leave();
    app.leave();
    vi.runAllTimers();
    expect(calls).toEqual([['settings.set', { panes: { lab: [30, 70] } }]]);
  });

  test('sizes of panes are written once they have come to rest', () => {
    vi.useFakeTimers();
    const { app, calls } = screen();
    app.setPanes('lab', [30, 70]);
    app.setPanes('lab', [33.333, 66.667]);
    expect(app.panes('lab')).toEqual([33.3, 66.7]);
    expect(calls).toEqual([]);
    vi.runAllTimers();
    expect(calls).toEqual([['settings.set', { panes: { lab: [33.3, 66.7] } }]]);
  });
});

test('the same sentence said twice is heard twice', () => {
  const { app } = screen();
  app.say('Nothing.');
  app.say('');
  app.say('Nothing.');
  expect(app.said).toEqual({ sentence: 'Nothing.', times: 2 });
});
