import Database from 'libsql';
import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, type Launch, type Seamlab } from './app';
import { begin, COMMAND, course, expectWhereTheyWere, inputsOf, notices } from './begun';
import { smallDisk } from './disk';
import { Learner } from './learner';

/** Types the command, whatever comes of it. */
async function attempt(app: Seamlab, learner: Learner): Promise<void> {
  await learner.press('Control+j');
  await expect(learner.console).toBeFocused();
  await learner.console.fill(COMMAND);
  await learner.press('Enter');
}

/** Starts Seamlab once more on the same folder: everything must be there, and there is nothing to tell. */
async function expectAllSaved(launch: (how?: Launch) => Promise<Seamlab>, inputs: number): Promise<void> {
  const again = await launch();
  await expectWhereTheyWere(again, inputs);
  await expect(notices(again)).toBeEmpty();
}

test('a disk that is full: the learner is told, the lab goes on, and all is saved once there is room', async ({
  folder,
  launch,
}) => {
  const disk = await smallDisk(folder, 24);
  const there: Launch = {
    through: disk.command,
    home: join(disk.outside, 'home'),
    env: { SEAMLAB_HOME: join(disk.inside, 'home') },
  };
  const app = await launch(there);
  // What went wrong while the disk was full could not be logged either.
  app.expects(/log: progress is saved again/, /log: told \{"code":"saved_again"\}/);
  await begin(app);
  await app.page.reload();
  await expectWhereTheyWere(app, 3);
  const learner = new Learner(app.page, course);

  disk.fill();
  await attempt(app, learner);
  await expect(notices(app)).toContainText(
    'Your last input could not be saved and was taken back: the disk is full. 3 inputs before it are saved.',
  );
  expect(await inputsOf(app)).toBe(3);
  await learner.press('Enter');
  await expect(learner.console).toHaveValue('');
  await expect(notices(app)).toContainText(
    'The lab goes on, but progress cannot be saved: the disk is full.',
  );
  await learner.command(COMMAND);
  expect(await inputsOf(app)).toBe(5);

  disk.free();
  await learner.command(COMMAND);
  await expect(notices(app)).toContainText(
    'Progress is being saved again. Everything you did is saved, 6 inputs',
  );
  await app.kill();
  await expectAllSaved(() => launch(there), 6);
});

test('a database that may not be written: the learner is told, the lab goes on, and all is saved once it may', async ({
  launch,
}) => {
  const before = await launch();
  await begin(before);
  await before.quit();
  const file = join(before.home, 'progress.db');
  chmodSync(file, 0o400);
  const bytes = readFileSync(file);

  const app = await launch({ unprivileged: true });
  app.expects(
    /log: progress store cannot be opened EACCES/,
    /log: told \{"code":"unwritable"\}/,
    /log: progress is saved again/,
    /log: told \{"code":"saved_again"\}/,
  );
  await expect(notices(app)).toContainText(
    'Progress cannot be saved: the folder or file may not be written.',
  );
  await expectWhereTheyWere(app, 3);
  const learner = new Learner(app.page, course);
  await learner.command(COMMAND);
  expect(await inputsOf(app)).toBe(4);
  expect(readFileSync(file).equals(bytes), 'the file was not touched').toBe(true);

  chmodSync(file, 0o600);
  await learner.command(COMMAND);
  await expect(notices(app)).toContainText(
    'Progress is being saved again. Everything you did is saved, 5 inputs',
  );
  await app.kill();
  await expectAllSaved(launch, 5);
});

test('a database found corrupt at the start: a copy is kept, the learner is told and goes on where they were', async ({
  launch,
}) => {
  const before = await launch();
  await begin(before);
  await before.quit();
  const file = join(before.home, 'progress.db');
  const damaged = readFileSync(file).fill(0x55, 0, 4096);
  writeFileSync(file, damaged);

  const app = await launch({ by: 'protocol' });
  app.expects(
    /log: progress store is damaged SQLITE_NOTADB/,
    /log: progress store recovered \{"attempts":1,"inputs":3\}/,
    /log: told \{"code":"damaged_store"\}/,
  );
  await expect(notices(app)).toContainText('could be recovered');
  const [copy] = copiesIn(app.home);
  await expect(notices(app)).toContainText(
    `1 attempt with 3 inputs could be recovered. The damaged file is kept as ${copy}.`,
  );
  expect(readFileSync(join(app.home, copy!)).equals(damaged), 'the copy is what was there').toBe(true);
  await expectWhereTheyWere(app, 3);
  await new Learner(app.page, course).command(COMMAND);
  await app.kill();
  await expectAllSaved(launch, 4);
});

test('a database that turns corrupt under the running application: told, a copy kept, nothing acknowledged lost', async ({
  launch,
}) => {
  const app = await launch({ by: 'protocol' });
  await begin(app);
  await app.page.reload();
  await expectWhereTheyWere(app, 3);
  const file = join(app.home, 'progress.db');
  // Another program writes, so that SQLite looks at the file again and not at what it remembers of it.
  const other = new Database(file);
  other.exec('UPDATE sessions SET standing = NULL');
  other.close();
  const damaged = readFileSync(file).fill(0x55);
  writeFileSync(file, damaged);
  writeFileSync(`${file}-wal`, readFileSync(`${file}-wal`).fill(0x55));
  app.expects(
    /log: append failed SQLITE_NOTADB/,
    /log: progress cannot be read SQLITE_NOTADB/,
    /log: progress store is damaged SQLITE_NOTADB/,
    /log: progress store recovered \{"attempts":1,"inputs":3\}/,
    /log: told \{"code":"damaged_store"\}/,
  );
  await new Learner(app.page, course).command(COMMAND);
  const [copy] = copiesIn(app.home);
  await expect(notices(app)).toContainText(
    `1 attempt with 3 inputs could be recovered. The damaged file is kept as ${copy}.`,
  );
  expect(readFileSync(join(app.home, copy!)).equals(damaged), 'the copy is what was there').toBe(true);
  await app.kill();
  await expectAllSaved(launch, 4);
});

/** Names of the copies of damaged databases. */
function copiesIn(home: string): string[] {
  return readdirSync(home).filter((name) => /^progress-damaged-.*\.db$/.test(name));
}
