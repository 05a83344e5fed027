import { expect, test } from 'vitest';
import { labOf } from './arguments';

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
