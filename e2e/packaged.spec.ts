import { listPackage, statFile } from '@electron/asar';
import { FuseV1Options, getCurrentFuseWire } from '@electron/fuses';
import { spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, dirname, join } from 'node:path';
import manifest from '../package.json' with { type: 'json' };
import { packagedApp } from '../scripts/lib/packaged.mjs';
import { HOME, posture } from '../src-main/posture';
import { expect, root, test } from './app';
import { Learner, readCourse } from './learner';
import { endOf } from './processes';

const course = readCourse('02-init-sipi');
const { lab } = course;
/** Folder of what is beside the program, and the archive that holds the application. */
const resources = join(dirname(packagedApp()), 'resources');
const archive = join(resources, 'app.asar');

test.describe('the packaged application', () => {
  test('teaches a lab, keeps what was done, and goes on there after a restart', async ({ launch }) => {
    let app = await launch({ packaged: true });
    await expect(app.page.getByRole('button', { name: `Begin “${lab.title}”` })).toBeVisible();
    const listed = await app.call('labs.list', {});
    expect(listed.length).toBe(readdirSync(join(root, 'labs')).filter((name) => /^\d/.test(name)).length);

    const learner = new Learner(app.page, course);
    await app.page.getByRole('button', { name: `Begin “${lab.title}”` }).click();
    await expect(learner.heading).toHaveText(lab.steps[0]!.title);
    for (const input of course.solution.slice(0, 3)) await learner.perform(input);
    const [first] = lab.checkpoints;
    await expect(learner.verdict(first!.id)).toContainText('Passed');
    const before = await app.call('lab.open', { lab: lab.id });
    // A native module wrote it, not the memory that stands in where a disk fails.
    expect(readdirSync(app.home).filter((name) => name === 'progress.db')).toHaveLength(1);
    expect(await app.quit()).toMatchObject({ code: 0 });

    app = await launch({ packaged: true });
    await expect(app.page.getByRole('heading', { level: 1 })).toContainText(lab.title);
    await expect(new Learner(app.page, course).verdict(first!.id)).toContainText('Passed');
    expect(await app.call('lab.open', { lab: lab.id })).toEqual(before);
  });

  test('is what it says: name, version, platform', async ({ launch }) => {
    const app = await launch({ packaged: true });
    await expect(app.page).toHaveTitle(manifest.productName);
    expect(await app.call('app.start', {})).toMatchObject({
      version: manifest.version,
      platform: process.platform,
    });
    await app.page.keyboard.press('Control+,');
    await expect(app.page.getByRole('dialog')).toContainText(`${manifest.productName} ${manifest.version}`);
    expect(await app.page.evaluate(() => navigator.userAgent)).toContain(`Seamlab/${manifest.version}`);
    expect(basename(packagedApp())).toBe('seamlab');
  });

  test('holds the built application, the labs, the licences, and nothing else', () => {
    const files = listPackage(archive, { isPack: false }).map((name) => name.replaceAll('\\', '/'));
    const tops = new Set(files.map((name) => name.split('/')[1]));
    expect([...tops].sort()).toEqual(['node_modules', 'out', 'package.json']);
    const foreign = files.filter((name) =>
      /\.(ts|svelte|map|md)$|\.test\.|\/cli\.js$|\/bench\/|\.made-from/.test(name),
    );
    expect(foreign).toEqual([]);
    // A link in the archive could lead out of it.
    expect(files.filter((name) => 'link' in statFile(archive, name.slice(1), false))).toEqual([]);
    for (const name of ['LICENSE.txt', 'THIRD-PARTY-LICENSES.txt', 'LICENSES.chromium.html']) {
      expect(existsSync(join(dirname(resources), name)), name).toBe(true);
    }
    expect(contentOf(join(resources, 'labs'))).toEqual(contentOf(join(root, 'labs')));
    const examples = readdirSync(join(root, 'src-sim/scenario/examples'));
    expect(readdirSync(join(resources, 'scenarios')).sort()).toEqual(
      examples.filter((name) => name.endsWith('.yaml')).sort(),
    );
  });
});

test.describe('the packaged program is locked', () => {
  test('its window reads what it is made of, and nothing beside it', async ({ launch }) => {
    const app = await launch({ packaged: true });
    app.expects(/console: Failed to load resource.*404/);
    const paths = [
      '/../main/index.js',
      '/..%2fmain/index.js',
      '/%2e%2e/preload/index.cjs',
      '/..%2f..%2fpackage.json',
      '/..%2f..%2f..%2flabs/facts/tdx-module.json',
      '/..%2f..%2f..%2fapp.asar',
      '/%5c..%5cmain%5cindex.js',
    ];
    const asked = await app.page.evaluate(
      (urls) =>
        Promise.all(
          urls.map((url) => fetch(url).then(async (answer) => [answer.status, await answer.text()])),
        ),
      [`${HOME}/index.html`, ...paths.map((path) => HOME + path)],
    );
    const [own, ...others] = asked;
    expect(own).toEqual([200, expect.stringContaining('<title>Seamlab</title>')]);
    expect(others).toEqual(paths.map(() => [404, '']));
  });

  test('by the fuses that the posture states, read back from its bytes', async () => {
    const { version: _, resetAdHocDarwinSignature: __, ...wire } = await getCurrentFuseWire(packagedApp());
    const read = Object.fromEntries(
      Object.entries(wire).map(([option, state]) => [
        FuseV1Options[Number(option)],
        String.fromCharCode(Number(state)),
      ]),
    );
    const stated = Object.fromEntries(
      Object.entries(posture.fuses).map(([name, on]) => [name, on ? '1' : '0']),
    );
    expect(read).toEqual({ ...stated, LoadBrowserProcessSpecificV8Snapshot: '0' });
  });

  test('it is no Node: ELECTRON_RUN_AS_NODE and NODE_OPTIONS run nothing', async ({ launch, folder }) => {
    const marker = join(folder, 'ran');
    const script = join(folder, 'script.cjs');
    writeFileSync(script, `require('node:fs').appendFileSync(${JSON.stringify(marker)}, process.argv0)`);
    const app = await launch({
      packaged: true,
      args: [script],
      env: { ELECTRON_RUN_AS_NODE: '1', NODE_OPTIONS: `--require=${script}` },
    });
    // It is the application all the same.
    await expect(app.page.getByRole('button', { name: lab.title }).first()).toBeVisible();
    await app.quit();
    expect(existsSync(marker), 'a script ran').toBe(false);
  });

  test('it opens no debugger: --inspect, --inspect-brk, NODE_OPTIONS and SIGUSR1', async ({ launch }) => {
    const ports = [await freePort(), await freePort(), await freePort()];
    const [a, b, c] = ports;
    const app = await launch({
      packaged: true,
      args: [`--inspect=127.0.0.1:${a}`, `--inspect-brk=127.0.0.1:${b}`],
      env: { NODE_OPTIONS: `--inspect=127.0.0.1:${c}` },
    });
    for (const port of ports) {
      const answer = await fetch(`http://127.0.0.1:${port}/json`).then(
        () => 'a debugger',
        () => 'nothing',
      );
      expect(answer, `port ${port}`).toBe('nothing');
    }
    // The signal that makes Node listen is an ordinary one here: it ends the program.
    app.child.kill('SIGUSR1');
    expect(await endOf(app.child)).toEqual({ code: null, signal: 'SIGUSR1' });
  });

  test('it runs its archive and no folder that takes its place', async ({ folder }) => {
    const copy = join(folder, 'copy');
    const marker = join(folder, 'ran');
    copyOf(dirname(resources), copy);
    rmSync(join(copy, 'resources', 'app.asar'));
    const other = join(copy, 'resources', 'app');
    mkdirSync(other);
    writeFileSync(join(other, 'package.json'), JSON.stringify({ name: 'other', main: 'main.cjs' }));
    writeFileSync(
      join(other, 'main.cjs'),
      `require('node:fs').writeFileSync(${JSON.stringify(marker)}, ''); require('electron').app.exit(0)`,
    );
    const child = spawn(join(copy, basename(packagedApp())), ['--no-sandbox'], { stdio: 'ignore' });
    expect(await endOf(child)).toMatchObject({ code: 1 });
    expect(existsSync(marker), 'the folder ran').toBe(false);
  });
});

/** Texts of a folder by path. */
function contentOf(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const paths = files.map(({ parentPath, name }) => join(parentPath, name)).sort();
  return Object.fromEntries(paths.map((path) => [path.slice(folder.length), readFileSync(path, 'utf8')]));
}

/** A copy of a folder that takes no space where the file system knows hard links. */
function copyOf(from: string, to: string): void {
  mkdirSync(to);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) copyOf(source, target);
    else {
      try {
        linkSync(source, target);
      } catch {
        copyFileSync(source, target);
      }
    }
  }
}

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}
