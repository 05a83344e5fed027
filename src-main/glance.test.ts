import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { glance } from './glance';
import { Remembered } from './settings';
import { temporaryFolder } from './testing/folder';

const nothing = { theme: 'system', window: null, inLab: false };
const window = { x: -5, y: 2, width: 1000, height: 700, maximized: true };

test('sees what was remembered', () => {
  const file = join(temporaryFolder(), 'settings.json');
  expect(glance(file)).toEqual(nothing);
  const remembered = new Remembered(file, 0);
  remembered.change({ window, settings: { ...remembered.settings, theme: 'dark' } });
  expect(glance(file)).toEqual({ theme: 'dark', window, inLab: false });
  remembered.change({ open: 'small' });
  expect(glance(file).inLab).toBe(true);
});

test.each([
  '',
  'null',
  '7',
  '[]',
  '{"window":7}',
  '{"window":[]}',
  '{"window":{"x":1}}',
  '{"settings":7}',
  '{"settings":null}',
  '{"open":null}',
])('sees nothing in %j', (text) => {
  const file = join(temporaryFolder(), 'settings.json');
  writeFileSync(file, text);
  expect(glance(file)).toEqual(nothing);
});

test('takes a place only whole', () => {
  const file = join(temporaryFolder(), 'settings.json');
  writeFileSync(file, JSON.stringify({ settings: { theme: 'pink' }, window: { ...window, width: 1.5 } }));
  expect(glance(file)).toEqual(nothing);
});
