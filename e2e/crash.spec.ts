import type { Worker } from 'node:worker_threads';
import { begin, COMMAND, course, expectWhereTheyWere, inputsOf, lab, notices } from './begun';
import { expect, test, type Seamlab } from './app';
import { Learner } from './learner';
import { rendererOf } from './processes';

/** A new worker reads every lab before it replays: seconds, where others keep the processors busy. */
const RESTARTED = { timeout: 30_000 };

// In the main process.
declare global {
  /** The simulator's thread. */
  var simulator: Worker | undefined;
  /** The thread dies when it is sent a message with this word, before it reads it. Once. */
  var killOn: string | undefined;
}

/** Gets hold of the simulator's worker, which the application shows to nobody: as it is sent its next message. */
async function watchWorker(app: Seamlab): Promise<void> {
  await app.main.evaluate(() => {
    const { Worker } = process.getBuiltinModule('node:worker_threads');
    const { postMessage } = Worker.prototype;
    Worker.prototype.postMessage = function (...message: Parameters<typeof postMessage>): void {
      globalThis.simulator = this;
      if (globalThis.killOn === undefined || !JSON.stringify(message).includes(globalThis.killOn)) {
        return postMessage.apply(this, message);
      }
      globalThis.killOn = undefined;
      void this.terminate();
    };
  });
}

test('the worker is killed, idle and at work: it is replayed, the learner is told and goes on where they were', async ({
  app,
}) => {
  test.slow();
  app.expects(
    /log: worker exit \{"code":1\}/,
    /log: worker lost \{"why":"died","generation":1\}/,
    /log: told \{"code":"simulator_restarted"\}/,
    /log: worker lost \{"why":"died","generation":2\}/,
  );
  await begin(app);
  await app.page.reload();
  await watchWorker(app);
  await expectWhereTheyWere(app, 3);
  const learner = new Learner(app.page, course);
  await learner.command(COMMAND);
  const before = await app.call('lab.open', { lab: lab.id });
  await app.main.evaluate(() => void globalThis.simulator!.terminate());
  await expect(notices(app)).toContainText(
    'The simulator stopped unexpectedly. It was started again. 4 inputs were replayed; you are where you were.',
    RESTARTED,
  );
  expect(await app.call('lab.open', { lab: lab.id })).toEqual(before);

  await app.main.evaluate(() => void (globalThis.killOn = 'KVM_GET_MP_STATE'));
  await learner.press('Control+j');
  await learner.console.fill(COMMAND);
  await learner.press('Enter');
  await expect(notices(app)).toContainText(
    'The simulator stopped unexpectedly. The input that was under way was not kept. 4 inputs before it were replayed',
    RESTARTED,
  );
  expect(await app.call('lab.open', { lab: lab.id })).toEqual(before);
  await learner.press('Enter');
  await expect(learner.console).toHaveValue('');
  await expectWhereTheyWere(app, 5);
});

test('the worker hangs: it is replaced after ten seconds, the learner is told and goes on where they were', async ({
  app,
}) => {
  test.slow();
  app.expects(/log: worker lost \{"why":"hung","generation":1\}/);
  await begin(app);
  await app.page.reload();
  await expectWhereTheyWere(app, 3);
  const before = await app.call('lab.open', { lab: lab.id });
  await app.main.evaluate(async () => {
    const { Session } = process.getBuiltinModule('node:inspector/promises');
    const session = new Session();
    session.connect();
    const attached = new Promise<string>((resolve) => {
      session.once('NodeWorker.attachedToWorker', ({ params }) => resolve(params.sessionId));
    });
    await session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
    const expression = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)';
    const message = JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression } });
    await session.post('NodeWorker.sendMessageToWorker', { sessionId: await attached, message });
  });
  const learner = new Learner(app.page, course);
  await learner.press('Control+j');
  await learner.console.fill(COMMAND);
  await learner.press('Enter');
  await expect(app.page.getByText('Running the machine')).toBeVisible();
  await expect(notices(app)).toContainText(
    'The simulator did not answer for ten seconds. The input that was under way was not kept. 3 inputs before it were replayed',
    { timeout: 10_000 + RESTARTED.timeout },
  );
  expect(await app.call('lab.open', { lab: lab.id })).toEqual(before);
  await learner.press('Enter');
  await expect(learner.console).toHaveValue('');
  await expectWhereTheyWere(app, 4);
});

test('the screen crashes: it is loaded again, the learner is told and goes on where they were', async ({
  launch,
}) => {
  const app = await launch({ by: 'protocol' });
  app.expects(
    /log: screen crashed \{"reason":"killed","exitCode":9\}/,
    /log: told \{"code":"screen_crashed"\}/,
  );
  await begin(app);
  await app.page.reload();
  await expectWhereTheyWere(app, 3);
  const crashed = rendererOf(app.child.pid!);
  process.kill(crashed, 'SIGKILL');
  await expect.poll(() => app.log()).toContain('told {"code":"screen_crashed"}');
  await app.reconnect();
  await expect(notices(app)).toContainText(
    'The screen stopped unexpectedly and was loaded again. Nothing is lost: 3 inputs are kept.',
  );
  await expectWhereTheyWere(app, 3);
  await new Learner(app.page, course).command(COMMAND);
  expect(await inputsOf(app)).toBe(4);
});
