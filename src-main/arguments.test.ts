import { expect, test } from 'vitest';
import { labOf, previewOf } from './arguments';

test.each([
  [['electron', '.'], null],
  [['electron', '.', '--lab', 'init-sipi'], 'init-sipi'],
  [['seamlab', '--lab=init-sipi', '--no-sandbox'], 'init-sipi'],
  [['seamlab', '--lab', 'a', '--lab=b'], 'b'],
  [['seamlab', '--lab'], ''],
  [['seamlab', '--laboratory=x'], null],
])('%j asks for the lab %j', (argv, lab) => {
  expect(labOf(argv)).toBe(lab);
});

test.each([
  [['electron', '.', '--lab', 'x'], null],
  [['electron', '.', '--preview', '/labs/first'], '/labs/first'],
  [['electron', '.', '--preview=first'], 'first'],
  [['electron', '.', '--preview'], null],
])('%j previews %j', (argv, folder) => {
  expect(previewOf(argv)).toBe(folder);
});
