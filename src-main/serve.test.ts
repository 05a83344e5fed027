import { describe, expect, test } from 'vitest';
import { contract, Envelope, NO_AIDS, TRACE_LOOK, type Handlers } from './contract';
import { Refusal, serve } from './serve';

const settings = {
  theme: 'dark',
  textScale: 100,
  reducedMotion: false,
  toured: true,
  panes: {},
  aids: NO_AIDS,
  trace: TRACE_LOOK,
} as const;

function door(handlers: Partial<Handlers>) {
  const logged: [string, unknown][] = [];
  const call = (name: unknown, params: unknown) =>
    serve(handlers as Handlers, name, params, (event, detail) => logged.push([event, detail]));
  return { call, logged };
}

const notCalled = () => Promise.reject(new Error('reached the handler'));

describe('the one door', () => {
  test('hands parsed parameters to the handler and its reply to the screen', async () => {
    const { call, logged } = door({
      'settings.set': async (change) => ({ ...settings, ...(change as object) }),
    });
    expect(await call('settings.set', { textScale: 150 })).toEqual({
      ok: true,
      value: { ...settings, textScale: 150 },
    });
    expect(logged).toEqual([]);
  });

  test.each([
    '',
    'nothing',
    'toString',
    '__proto__',
    'constructor',
    'hasOwnProperty',
    null,
    undefined,
    7,
    {},
    ['labs.list'],
  ])('refuses and logs the unknown call %j', async (name) => {
    const { call, logged } = door({});
    expect(await call(name, {})).toMatchObject({ ok: false, code: 'unknown_call' });
    expect(logged).toHaveLength(1);
  });

  test.each(Object.keys(contract))('%s refuses and logs parameters of the wrong shape', async (name) => {
    const handlers = Object.fromEntries(Object.keys(contract).map((key) => [key, notCalled]));
    for (const params of [
      undefined,
      null,
      7,
      'x',
      [],
      { surplus: 1 },
      { lab: '../x' },
      { session: 'x', input: {} },
    ]) {
      const { call, logged } = door(handlers as unknown as Handlers);
      expect(await call(name, params)).toMatchObject({ ok: false, code: 'bad_params' });
      expect(logged[0]?.[0]).toBe('call of the wrong shape refused');
    }
  });

  test.each([
    ['that runs something', { content: '<svg onload="x()"></svg>' }],
    ['with a script', { content: '<svg ><script>x()</script></svg>' }],
    ['that is none', { content: '<html></html>' }],
    ['whose name leads elsewhere', { name: '../picture' }],
  ])('refuses to save a picture %s', async (_, change) => {
    const { call } = door({ 'file.save': notCalled });
    const picture = { kind: 'picture', name: 'posting', content: '<svg ></svg>', ...change };
    expect(await call('file.save', picture)).toMatchObject({ ok: false, code: 'bad_params' });
  });

  test('logs what was wrong without what was sent', async () => {
    const { call, logged } = door({});
    await call('lab.open', { lab: 'Something Private' });
    expect(JSON.stringify(logged)).not.toContain('Private');
  });

  test('passes on the words of a refusal', async () => {
    const { call, logged } = door({
      'labs.list': () => Promise.reject(new Refusal('code', 'Words for people.')),
    });
    expect(await call('labs.list', {})).toEqual({ ok: false, code: 'code', message: 'Words for people.' });
    expect(logged).toEqual([]);
  });

  test('answers a fault of ours in words, logs it and shows nothing of it', async () => {
    const { call, logged } = door({
      'labs.list': () => Promise.reject(new Error('at /home/someone/secret')),
    });
    const envelope = await call('labs.list', {});
    expect(envelope).toMatchObject({ ok: false, code: 'internal' });
    expect(JSON.stringify(envelope)).not.toContain('secret');
    expect(logged[0]?.[0]).toBe('call failed: labs.list');
  });

  test('keeps back a reply that is not what the contract says', async () => {
    const { call } = door({ 'settings.set': async () => ({ ...settings, extra: 'x' }) as never });
    expect(await call('settings.set', {})).toMatchObject({ ok: false, code: 'internal' });
  });

  test('every answer is an envelope', async () => {
    const { call } = door({ 'labs.list': async () => [] });
    for (const name of ['labs.list', 'x'])
      expect(Envelope.safeParse(await call(name, {})).success).toBe(true);
  });
});
