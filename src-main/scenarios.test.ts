import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Input } from '../src-lab/input';
import { SANDBOX_LAB } from '../src-lab/sandbox';
import { LabSession } from '../src-lab/session';
import { runScenario } from '../src-sim/scenario/runner';
import { parseScenario } from '../src-sim/scenario/scenario';
import { Scenarios } from './scenarios';
import { temporaryFolder } from './testing/folder';

const examples = join(import.meta.dirname, '../src-sim/scenario/examples');
const shipped = new Scenarios(examples);

test('every scenario that ships is offered with what it shows, and done step by step it is the scenario run', () => {
  const cards = shipped.cards();
  expect(cards.length).toBeGreaterThanOrEqual(60);
  expect(cards.filter(({ description, steps }) => description === '' || steps === 0)).toEqual([]);
  // Running them all takes long: some, and those in which time passes or threads take turns.
  const some = cards.filter(({ id }, i) => i % 8 === 0 || /timer|kick|first/.test(id));
  for (const { id, title, vms, switches } of some) {
    const scenario = parseScenario(readFileSync(join(examples, `${id}.yaml`), 'utf8'));
    const platform = { vms, switches: Object.fromEntries(switches.map((name) => [name, true])) };
    const setup = { title, platform, begin: [], scenario: id, compare: null };
    const session = new LabSession(SANDBOX_LAB, '0b8f2a54-1d0e-4c61-9a3e-5f7d2c4b6a10');
    const { steps } = shipped.find(id)!;
    const refused = [{ kind: 'build', setup }, ...steps]
      .map((input) => session.apply(Input.parse(input)))
      .filter(({ accepted }) => !accepted);
    expect(refused, id).toEqual([]);
    expect(session.timeline.machine.hash(), id).toBe(scenario.ok && runScenario(scenario.value).hash);
  }
});

test('a folder that is not there holds none, and a file that is no scenario is left alone', () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'broken.yaml'), 'seamlab: scenario/1');
  expect(new Scenarios(folder).cards()).toEqual([]);
  expect(new Scenarios(join(folder, 'nowhere')).find('broken')).toBeNull();
});
