import { expect, test } from 'vitest';
import type { Bridge } from '../src-main/contract';
import { Client } from './bridge';

function clientOf(answer: unknown): Client {
  const bridge: Bridge = { call: async () => answer as never, on: () => () => {} };
  return new Client(bridge);
}

test('a reply of the right shape arrives as it was sent', async () => {
  const client = clientOf({ ok: true, value: { file: null, inputs: 3 } });
  const answer = await client.call('lab.export', { session: '3f0c1f0e-58b5-4c9f-9a0e-5d1f8a3f3c11' });
  expect(answer).toEqual({ ok: true, value: { file: null, inputs: 3 } });
});

test("a refusal keeps main's words", async () => {
  const client = clientOf({ ok: false, code: 'no_such_lab', message: 'There is no lab "x".' });
  const answer = await client.call('lab.open', { lab: 'x' });
  expect(answer).toEqual({ ok: false, fault: { code: 'no_such_lab', message: 'There is no lab "x".' } });
});

test.each([
  ['an envelope of the wrong shape', { value: 1 }],
  ['a value of the wrong shape', { ok: true, value: { file: 1, inputs: 3 } }],
  ['a value with a key too many', { ok: true, value: { file: null, inputs: 3, more: true } }],
])('%s is a fault, not an exception', async (_, answer) => {
  const client = clientOf(answer);
  const got = await client.call('lab.export', { session: '3f0c1f0e-58b5-4c9f-9a0e-5d1f8a3f3c11' });
  expect(got).toMatchObject({ ok: false, fault: { code: 'bad_reply' } });
});

test('a bridge that throws is a fault, not an exception', async () => {
  const bridge: Bridge = { call: () => Promise.reject(new Error('gone')), on: () => () => {} };
  expect(await new Client(bridge).call('lab.close', {})).toMatchObject({
    ok: false,
    fault: { code: 'bad_reply' },
  });
});

test('an event of the wrong shape never reaches its listener', () => {
  const sent: unknown[] = [];
  let send: (payload: unknown) => void = () => {};
  const bridge: Bridge = {
    call: () => Promise.reject(new Error('unused')),
    on: (_, listener) => {
      send = listener;
      return () => {};
    },
  };
  new Client(bridge).on('menu', (payload) => sent.push(payload));
  send({ command: 'format-disk' });
  send({ command: 'home' });
  expect(sent).toEqual([{ command: 'home' }]);
});
