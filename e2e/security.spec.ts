import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { HOME, posture } from '../src-main/posture';
import { SMALL_LAB, writeSmallLab } from '../src-main/testing/lab';
import { expect, root, test, type Seamlab } from './app';
import { withCourse } from './course';

test.describe('the renderer', () => {
  test('has nothing of Node or Electron but the two functions of the bridge', async ({ app }) => {
    const reached = await app.page.evaluate(() => {
      const names = [
        'require',
        'module',
        'exports',
        'process',
        'Buffer',
        'global',
        'electron',
        'ipcRenderer',
      ];
      return {
        found: names.filter((name) => name in globalThis),
        bridge: Object.keys(window.seamlab).sort(),
        frozen: Object.isFrozen(window.seamlab),
      };
    });
    expect(reached).toEqual({ found: [], bridge: ['call', 'on'], frozen: true });
    await expect(app.page.evaluate('require("node:fs")')).rejects.toThrow('require is not defined');
  });

  test('runs with the preferences that the posture states', async ({ app }) => {
    const applied = await app.main.evaluate(({ BrowserWindow }) => {
      // Not in Electron's types; what the window really runs with.
      const contents = BrowserWindow.getAllWindows()[0]!.webContents as unknown as {
        getLastWebPreferences(): Record<string, unknown>;
      };
      return contents.getLastWebPreferences();
    });
    // Electron does not tell these three; the sandbox leaves workers no Node in any case.
    const {
      nodeIntegrationInWorker: _,
      navigateOnDragDrop: __,
      spellcheck: ___,
      ...told
    } = posture.webPreferences;
    expect(applied).toMatchObject(told);
  });

  test('is served with the headers that the posture states, errors too', async ({ app }) => {
    app.expects(/console: Failed to load resource.*404/);
    for (const path of ['/', '/index.html', '/nothing.js']) {
      const headers = await app.page.evaluate(
        async (url) => Object.fromEntries((await fetch(url)).headers.entries()),
        `${HOME}${path}`,
      );
      const lowered = Object.entries(posture.headers).map(([name, value]) => [name.toLowerCase(), value]);
      expect(headers).toMatchObject(Object.fromEntries(lowered));
    }
  });

  test('runs neither scripts written into the page nor text as code', async ({ app }) => {
    app.expects(/console: .*inline script/, /console: .*inline event handler/);
    const ran = await app.page.evaluate(async () => {
      const script = document.createElement('script');
      script.textContent = 'globalThis.inline = true';
      document.body.append(script);
      const button = document.createElement('button');
      button.setAttribute('onclick', 'globalThis.attribute = true');
      document.body.append(button);
      button.click();
      // In a callback: what the debugger calls itself may always make code of text.
      const text = await new Promise<string>((resolve) => {
        requestAnimationFrame(() => {
          try {
            resolve(String(new Function('return 6 * 7')()));
          } catch (error) {
            resolve((error as Error).message);
          }
        });
      });
      return { inline: 'inline' in globalThis, attribute: 'attribute' in globalThis, text };
    });
    expect(ran).toEqual({
      inline: false,
      attribute: false,
      text: expect.stringContaining('a string as JavaScript'),
    });
  });

  test('reaches no address but its own files', async ({ app }) => {
    app.expects(/console: Failed to load resource.*404/, /console: .*Content Security Policy/);
    const inside = [
      '/../package.json',
      '/..%2fmain/index.js',
      '/%2e%2e/main/index.js',
      '/assets/..%2f..%2fpreload/index.cjs',
      '/.made-from',
      '/index.html%00.png',
      '//etc/passwd',
    ];
    const outside = [
      'app://seamlab.example/',
      'https://example.com/',
      'file:///etc/passwd',
      'http://127.0.0.1:9/',
    ];
    const asked = await app.page.evaluate(
      async ([home, paths, urls]) => {
        const ask = (url: string): Promise<number | 'failed'> =>
          fetch(url).then(
            ({ status }) => status,
            () => 'failed' as const,
          );
        return {
          paths: await Promise.all(paths.map((path) => ask(home + path))),
          urls: await Promise.all(urls.map(ask)),
        };
      },
      [HOME, inside, outside] as const,
    );
    expect(asked.paths).toEqual(inside.map(() => 404));
    expect(asked.urls).toEqual(outside.map(() => 'failed'));
  });
});

test('the app:// protocol reads its own folder and nothing else, even where no policy of a page is in the way', async ({
  app,
}) => {
  const urls = [
    'app://.../../../etc/passwd',
    'app://../../../../etc/passwd',
    'app://seamlab/../../../../../../etc/passwd',
    'app://seamlab//etc/passwd',
    'app://seamlab/%2e%2e/%2e%2e/package.json',
    'app://seamlab/..%2f..%2fpackage.json',
    'app://seamlab/..%5c..%5cpackage.json',
    'app://seamlab/assets/%252e%252e/%252e%252e/package.json',
    'app://seamlab@other/index.html',
    'app://other/index.html',
    'app:index.html',
    'app:///etc/passwd',
  ];
  const answers = await app.main.evaluate(async ({ net }, all) => {
    const ask = async (url: string): Promise<string> => {
      const answer = await net.fetch(url).catch((error: Error) => error.message);
      return typeof answer === 'string' ? answer : `${answer.status} ${await answer.text()}`;
    };
    return Promise.all(['app://seamlab/index.html', ...all].map(ask));
  }, urls);
  const [own, ...others] = answers;
  expect(own).toContain('200 <!doctype html>');
  urls.forEach((url, i) => expect(others[i], url).toMatch(/^404 $|ERR_|URL/));
});

test.describe('a call', () => {
  const wrong: readonly { readonly why: string; readonly name: unknown; readonly params: unknown }[] = [
    { why: 'a name that does not exist', name: 'shell.open', params: {} },
    { why: 'a name that every object has', name: 'constructor', params: {} },
    { why: 'a name that every object has', name: '__proto__', params: {} },
    { why: 'a name that is no text', name: { toString: 'lab.open' }, params: {} },
    { why: 'no parameters', name: 'lab.open', params: undefined },
    { why: 'a path in place of a name', name: 'lab.open', params: { lab: '../../etc' } },
    { why: 'a parameter too many', name: 'labs.list', params: { folder: '/etc' } },
    { why: 'a number out of range', name: 'settings.set', params: { textScale: 1e9 } },
    { why: 'an input of no kind', name: 'lab.input', params: { session: 'x', input: { kind: 'evil' } } },
    { why: 'a list in place of a mapping', name: 'app.start', params: [] },
  ];

  test('of the wrong shape or of an unknown name is answered with an error, logged, and harmless', async ({
    app,
  }) => {
    app.expects(/log: unknown call refused/, /log: call of the wrong shape refused/);
    for (const { why, name, params } of wrong) {
      const before = app.log().length;
      const answer = await app.send(name, params);
      expect(answer, why).toMatchObject({
        ok: false,
        code: expect.stringMatching(/^(unknown_call|bad_params)$/),
      });
      expect(app.log().length, `${why} is logged`).toBe(before + 1);
    }
    expect(app.log().join('\n'), 'what was asked for is not logged').not.toMatch(/etc|evil|1e9|1000000000/);
    await expect(app.call('labs.list', {})).resolves.toBeInstanceOf(Array);
  });

  test('from a page of another origin is refused', async ({ app }) => {
    app.expects(/log: call from another page refused/);
    for (const url of ['data:text/html,hello', 'app://seamlab.example/']) {
      const answer = await asPage(app.main, url, `window.seamlab.call('labs.list', {})`);
      expect(answer, url).toMatchObject({ ok: false, code: 'not_the_screen' });
    }
  });
});

test.describe('what main says', () => {
  test('in the wrong shape is not believed by the screen', async ({ app }) => {
    const { page, main } = app;
    await expect(page.getByRole('button', { name: 'Settings' })).toBeVisible();
    const notice = { id: 'x-1', tone: 'info', what: 'A real notice.', kept: '', todo: '' };
    const sent = [
      ['notice', { ...notice, what: { html: '<b>Evil.</b>' } }],
      ['notice', { ...notice, what: 'Evil.', more: 1 }],
      ['notice', null],
      ['menu', { command: 'evil' }],
      ['evil', {}],
      ['notice', notice],
    ] as const;
    await main.evaluate(({ BrowserWindow }, all) => {
      const { webContents } = BrowserWindow.getAllWindows()[0]!;
      for (const [name, payload] of all) webContents.send('seamlab:event', name, payload);
    }, sent);
    const notices = page.getByRole('region', { name: 'Notices' });
    await expect(notices).toContainText('A real notice.');
    await expect(notices).not.toContainText('Evil');
    await expect(notices.getByRole('button', { name: /^Dismiss/ })).toHaveCount(1);

    await main.evaluate(({ ipcMain }) => {
      ipcMain.removeHandler('seamlab:call');
      ipcMain.handle('seamlab:call', () => ({ ok: true, value: { lab: 'Evil.' } }));
    });
    await page.getByRole('button', { name: /^Begin/ }).click();
    await expect(notices).toContainText('answered in a way this screen does not understand');
    await expect(page.getByRole('heading', { name: 'The course' })).toBeVisible();
  });
});

/** Runs a script in a page that could not come about in Seamlab: another address, with the same preload script. */
async function asPage(main: Seamlab['main'], url: string, script: string): Promise<unknown> {
  const preload = join(root, 'out', 'preload', 'index.cjs');
  return main.evaluate(
    async ({ BrowserWindow }, page) => {
      const window = new BrowserWindow({
        show: false,
        webPreferences: { preload: page.preload, sandbox: true },
      });
      try {
        // An address that is answered with an error is a page all the same.
        await window.loadURL(page.url).catch(() => undefined);
        return (await window.webContents.executeJavaScript(page.script)) as unknown;
      } finally {
        window.destroy();
      }
    },
    { url, script, preload },
  );
}

test.describe('the window', () => {
  test('goes to no other origin, by link, script, form or frame', async ({ app }) => {
    app.expects(/log: navigation refused/);
    app.expects(/console: (Not allowed to|.*Content Security Policy)/);
    const home = app.page.url();
    const made = (tag: string, more: string): string =>
      `{ const made = Object.assign(document.createElement('${tag}'), ${more}); document.body.append(made);`;
    const ways = [
      `location.href = 'https://example.com/'`,
      `location.assign('app://seamlab.example/')`,
      `location.replace('file:///etc/passwd')`,
      `location.href = 'data:text/html,hello'`,
      `${made('a', `{ href: 'https://example.com/' }`)} made.click(); }`,
      `${made('form', `{ action: 'https://example.com/' }`)} made.submit(); }`,
      `${made('iframe', `{ src: 'https://example.com/' }`)} }`,
    ];
    for (const way of ways) {
      const before = app.complaints().length;
      await app.page.evaluate(way);
      await expect.poll(() => app.complaints().length, way).toBeGreaterThan(before);
    }
    expect(app.page.url()).toBe(home);
    await expect(app.call('labs.list', {})).resolves.toBeInstanceOf(Array);
  });

  test('opens no other window', async ({ app }) => {
    app.expects(/log: window refused/);
    for (const url of ['https://example.com/', 'about:blank', `${HOME}/`]) {
      expect(await app.page.evaluate((to) => window.open(to) === null, url), url).toBe(true);
    }
    expect(await app.main.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows().length)).toBe(1);
  });

  test('has no element that is a window of its own', async ({ app }) => {
    const webview = await app.page.evaluate(() => {
      const made = document.createElement('webview');
      made.setAttribute('src', 'about:blank');
      document.body.append(made);
      return { methods: 'loadURL' in made, frames: window.length };
    });
    expect(webview).toEqual({ methods: false, frames: 0 });
  });

  test('is given no permission', async ({ app }) => {
    app.expects(/log: permission refused/);
    const asked = await app.page.evaluate(async () => ({
      notifications: await Notification.requestPermission(),
      place: await new Promise((resolve) => {
        navigator.geolocation.getCurrentPosition(
          () => resolve('given'),
          ({ code, PERMISSION_DENIED }) => resolve(code === PERMISSION_DENIED ? 'denied' : code),
        );
      }),
      camera: await navigator.mediaDevices.getUserMedia({ video: true }).then(
        () => 'given',
        (error: Error) => error.name,
      ),
      clipboard: await navigator.clipboard.readText().then(
        () => 'given',
        (error: Error) => error.name,
      ),
    }));
    expect(asked).toEqual({
      notifications: 'denied',
      place: 'denied',
      camera: expect.stringMatching(/NotAllowedError|NotFoundError/),
      clipboard: 'NotAllowedError',
    });
  });

  test('downloads nothing', async ({ app, folder }) => {
    app.expects(/log: download refused/);
    const downloads = join(folder, 'downloads');
    mkdirSync(downloads);
    await app.main.evaluate(({ app: electron }, to) => electron.setPath('downloads', to), downloads);
    await app.page.evaluate(() => {
      const link = document.createElement('a');
      link.href = URL.createObjectURL(new Blob(['hello']));
      link.download = 'hello.txt';
      document.body.append(link);
      link.click();
    });
    await expect.poll(() => app.log()).toContain('download refused');
    await expect.poll(() => readdirSync(downloads)).toEqual([]);
  });

  test('cannot reach the network even where no policy of a page forbids it', async ({ app }) => {
    app.expects(/log: request refused/);
    let visits = 0;
    const server = await listening(createServer((_request, response) => response.end(String(++visits))));
    const { port } = server.address() as AddressInfo;
    const answer = await asPage(
      app.main,
      'data:text/html,hello',
      `fetch('http://127.0.0.1:${port}/', { mode: 'no-cors' }).then(() => 'reached', () => 'refused')`,
    );
    server.close();
    expect({ answer, visits }).toEqual({ answer: 'refused', visits: 0 });
  });
});

function listening(server: Server): Promise<Server> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

test.describe('a lab', () => {
  const hostile: readonly { readonly name: string; readonly prose: string; readonly column: number }[] = [
    { name: '02-script', prose: '<script>globalThis.hacked = true</script>', column: 1 },
    { name: '03-picture', prose: 'See <img src=x onerror="globalThis.hacked = true">.', column: 5 },
    { name: '04-link', prose: 'A [link](javascript:globalThis.hacked=true).', column: 3 },
  ];

  test('with a script in its prose is refused with file, line and column; the others work', async ({
    folder,
    launch,
  }) => {
    const application = withCourse(folder, (labs) => {
      const good = writeSmallLab(labs);
      for (const { name, prose } of hostile) {
        cpSync(good, join(labs, name), { recursive: true });
        const lab = join(labs, name, 'lab.yaml');
        writeFileSync(lab, readFileSync(lab, 'utf8').replace('id: small', `id: ${name.slice(3)}`));
        const guide = join(labs, name, 'guide.md');
        writeFileSync(guide, `${readFileSync(guide, 'utf8')}\n${prose}\n`);
      }
    });
    const app = await launch({ folder: application });
    app.expects(/log: told \{"code":"lab_broken"\}/);
    await expect(app.page.getByRole('button', { name: SMALL_LAB.title }).first()).toBeVisible();
    const listed = await app.call('labs.list', {});
    expect(listed.map(({ id }) => id)).toEqual([SMALL_LAB.id]);
    for (const { name, column } of hostile) {
      expect(await app.send('lab.open', { lab: name }), name).toMatchObject({
        ok: false,
        code: 'lab_broken',
        message: expect.stringContaining(`guide.md:7:${column}: `),
      });
    }
    const notices = app.page.getByRole('region', { name: 'Notices' });
    await expect(notices).toContainText(/cannot be used\. guide\.md:7:\d+: /);
    expect(await app.page.evaluate(() => 'hacked' in globalThis)).toBe(false);
  });

  const unsafe: readonly {
    readonly name: string;
    readonly why: string;
    readonly make: (lab: string) => void;
  }[] = [
    {
      name: '02-link',
      why: '"secret.md" is a symbolic link',
      make: (lab) => symlinkSync('/etc/passwd', join(lab, 'secret.md')),
    },
    {
      name: '03-big',
      why: '"big.md" is larger than 256 KiB',
      make: (lab) => writeFileSync(join(lab, 'big.md'), 'x'.repeat(256 * 1024 + 1)),
    },
    {
      name: '04-many',
      why: 'more than 64 files',
      make: (lab) => {
        for (let i = 0; i < 64; i++) writeFileSync(join(lab, `${i}.md`), '');
      },
    },
    {
      name: '05-bomb',
      why: 'lab.yaml:',
      make: (lab) => {
        const bomb = Array.from({ length: 9 }, (_, i) => `b${i}: &b${i} [${`*b${i - 1},`.repeat(9)}]`).slice(
          1,
        );
        writeFileSync(join(lab, 'lab.yaml'), ['b0: &b0 [x]', ...bomb, ''].join('\n'));
      },
    },
  ];

  test('that reaches outside its folder or would fill memory is refused; the others work', async ({
    folder,
    launch,
  }) => {
    const application = withCourse(folder, (labs) => {
      const good = writeSmallLab(labs);
      for (const { name, make } of unsafe) {
        cpSync(good, join(labs, name), { recursive: true });
        make(join(labs, name));
      }
      symlinkSync(good, join(labs, '06-elsewhere'));
    });
    const app = await launch({ folder: application });
    app.expects(/log: told \{"code":"lab_broken"\}/);
    await expect(app.page.getByRole('button', { name: SMALL_LAB.title }).first()).toBeVisible();
    expect((await app.call('labs.list', {})).map(({ id }) => id)).toEqual([SMALL_LAB.id]);
    for (const { name, why } of [...unsafe, { name: '06-elsewhere', why: 'The folder is a symbolic link' }]) {
      expect(await app.send('lab.open', { lab: name }), name).toMatchObject({
        ok: false,
        code: 'lab_broken',
        message: expect.stringContaining(why),
      });
    }
  });
});
