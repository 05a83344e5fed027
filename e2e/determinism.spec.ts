import fc from 'fast-check';
import { join } from 'node:path';
import type { Input } from '../src-lab/input';
import { inputsOf } from '../src-lab/testing/inputs';
import { TRACE_FILTER, type InputReply, type SessionView } from '../src-lab/view';
import { labFolders } from '../src-main/labs';
import type { Envelope } from '../src-main/contract';
import { Course } from '../src-main/course';
import { makeWorkshop } from '../src-main/workbench';
import type { Workshop } from '../src-main/workshop';
import { expect, root, test, type Seamlab } from './app';
import { readCourse } from './learner';

const LABS = join(root, 'labs');
/** Random sequences for each lab, and inputs in each. */
const SEQUENCES = 2;
const LENGTH = 40;

/** All that an attempt shows: at its beginning, after each input, and at its end with the hash of the machine's bytes. */
interface Attempt {
  readonly begin: SessionView;
  readonly replies: readonly InputReply[];
  readonly end: SessionView;
}

/** A new attempt in the application: its simulator is a worker of Electron. */
async function inElectron(app: Seamlab, lab: string, inputs: readonly Input[]): Promise<Attempt> {
  const begin = await app.call('lab.restart', { lab });
  // As text: a tree of values is looked through one by one on its way out of the window.
  const answers = await app.page.evaluate(
    async ([session, all]) => {
      const made = [];
      for (const input of all) made.push(await window.seamlab.call('lab.input', { session, input }));
      return JSON.stringify(made);
    },
    [begin.session, inputs] as const,
  );
  const replies = (JSON.parse(answers) as Envelope[]).map((answer) => {
    if (!answer.ok) throw new Error(answer.message);
    return answer.value as InputReply;
  });
  return { begin, replies, end: await app.call('lab.open', { lab }) };
}

/** The same attempt in this process. */
async function inNode(
  workshop: Workshop,
  lab: string,
  session: string,
  inputs: readonly Input[],
): Promise<Attempt> {
  const opened = await workshop.open({ lab, session, started: 0, kept: null, filter: TRACE_FILTER });
  if (opened.kind !== 'open') throw new Error(opened.kind);
  const answers = inputs.map((input) => workshop.apply(session, input, 0)!.reply);
  const replies = JSON.parse(JSON.stringify(answers)) as InputReply[];
  const end = workshop.view(session)!;
  workshop.close(session);
  return { begin: opened.view, replies, end };
}

test("the same inputs give the same bytes in Node and in Electron's worker, in every lab", async ({
  app,
}) => {
  test.slow();
  expect(await app.main.evaluate(() => process.versions.v8), 'another engine').not.toBe(process.versions.v8);
  const workshop = makeWorkshop({ labs: LABS, facts: [], scenarios: '' }, new Course(null), {
    progress: () => {},
  });
  const ends = new Set<string>();
  for (const folder of labFolders(LABS)) {
    const { loaded, inputs: solution } = readCourse(folder);
    const seed = Date.now();
    const random = fc.sample(fc.array(inputsOf(loaded), { minLength: LENGTH, maxLength: LENGTH }), {
      seed,
      numRuns: SEQUENCES,
    });
    for (const inputs of [solution, ...random]) {
      const electron = await inElectron(app, loaded.id, inputs);
      const node = await inNode(workshop, loaded.id, electron.begin.session, inputs);
      expect(electron, `labs/${folder}, seed ${seed}`).toEqual(node);
      ends.add(electron.end.machine.hash);
    }
  }
  expect(ends.size, 'different machines have different bytes').toBeGreaterThan(1);
});
