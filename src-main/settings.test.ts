import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { NO_AIDS, TRACE_LOOK, type Aids } from './contract';
import { Remembered } from './settings';
import { temporaryFolder } from './testing/folder';

const NOON = Date.UTC(2026, 10, 21, 12);
const window = { x: 1, y: 2, width: 1000, height: 700, maximized: true };

test('what is changed is there at the next start', () => {
  const file = join(temporaryFolder(), 'home/settings.json');
  const first = new Remembered(file, NOON);
  expect(first.news).toEqual([]);
  expect(first.open).toBeNull();
  expect(first.change({ open: 'init-sipi', window })).toBeNull();
  expect(
    first.change({ settings: { ...first.settings, theme: 'dark', panes: { lab: [30, 70] } } }),
  ).toBeNull();
  const second = new Remembered(file, NOON);
  expect(second.open).toBe('init-sipi');
  expect(second.window).toEqual(window);
  expect(second.settings).toEqual({
    theme: 'dark',
    textScale: 100,
    reducedMotion: false,
    toured: false,
    panes: { lab: [30, 70] },
    aids: NO_AIDS,
    trace: TRACE_LOOK,
  });
});

test('stops, watches and pins are there at the next start; a file that was written before there were any is good', () => {
  const file = join(temporaryFolder(), 'settings.json');
  const { aids: _none, trace: _plain, ...settings } = new Remembered(file, NOON).settings;
  writeFileSync(file, JSON.stringify({ version: 1, settings, open: null, window: null }));
  const first = new Remembered(file, NOON);
  expect([first.news, first.settings.aids]).toEqual([[], NO_AIDS]);
  const aids: Aids = {
    stops: [
      { stop: { event: { event: 'kvm_exit', where: { reason: ['HLT', 'TDCALL'] } } }, on: true },
      { stop: { changes: 'td.vcpu0.pid.pir[49]' }, on: false },
    ],
    watches: [{ path: 'td.vcpu0.pid.on' }, { path: 'td.vcpu0.mp_state', is: 'RUNNABLE' }],
    pins: ['td.vcpu0.mp_state'],
  };
  first.change({ settings: { ...first.settings, aids } });
  expect(new Remembered(file, NOON).settings.aids).toEqual(aids);
});

test('somebody new has not seen the tour; whoever has settings of an earlier version needs none', () => {
  const file = join(temporaryFolder(), 'settings.json');
  expect(new Remembered(file, NOON).settings.toured).toBe(false);
  const settings = { theme: 'dark', textScale: 100, reducedMotion: false, panes: {} };
  writeFileSync(file, JSON.stringify({ version: 1, settings, open: null, window: null }));
  const remembered = new Remembered(file, NOON);
  expect(remembered.news).toEqual([]);
  expect(remembered.settings).toMatchObject({ theme: 'dark', toured: true });
});

test.each([
  '',
  '{',
  '{"version":1}',
  '[]',
  '{"version":1,"settings":{"theme":"pink"},"open":null,"window":null}',
])('a damaged file (%j) is kept under another name and the defaults are used', (text) => {
  const folder = temporaryFolder();
  const file = join(folder, 'settings.json');
  writeFileSync(file, text);
  const remembered = new Remembered(file, NOON);
  expect(remembered.settings.theme).toBe('system');
  const copy = 'settings-damaged-2026-11-21T12-00-00-000.json';
  expect(remembered.news).toEqual([{ code: 'settings_damaged', copy }]);
  expect(readFileSync(join(folder, copy), 'utf8')).toBe(text);
  expect(remembered.change({ open: 'init-sipi' })).toBeNull();
  expect(new Remembered(file, NOON).open).toBe('init-sipi');
});

test('a file of a newer version is not touched', () => {
  const file = join(temporaryFolder(), 'settings.json');
  writeFileSync(file, '{"version":2}');
  const remembered = new Remembered(file, NOON);
  expect(remembered.news).toHaveLength(1);
  expect(remembered.change({ open: 'init-sipi' })).toBeNull();
  expect(remembered.open).toBe('init-sipi');
  expect(readFileSync(file, 'utf8')).toBe('{"version":2}');
});

test('where nothing can be written, changes last for the run and the learner is told', () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'home'), 'a file where a folder should be');
  const remembered = new Remembered(join(folder, 'home/settings.json'), NOON);
  expect(remembered.change({ open: 'init-sipi' })).toMatchObject({ code: 'settings_not_saved' });
  expect(remembered.open).toBe('init-sipi');
});

test('a write leaves no second file behind, even one that fails', () => {
  const folder = temporaryFolder();
  const file = join(folder, 'settings.json');
  new Remembered(file, NOON).change({ open: 'init-sipi' });
  expect(readdirSync(folder)).toEqual(['settings.json']);
  const blocked = join(folder, 'blocked');
  mkdirSync(join(blocked, 'settings.json'), { recursive: true });
  expect(new Remembered(join(blocked, 'settings.json'), NOON).change({ open: 'x' })).not.toBeNull();
  expect(readdirSync(blocked)).toEqual(['settings.json']);
});
