import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { answer, resourceOf } from './screen';
import { temporaryFolder } from './testing/folder';

describe('addresses of the screen', () => {
  test('name files below its folder, with their media type', () => {
    expect(resourceOf('app://seamlab/')).toEqual({ path: 'index.html', type: 'text/html; charset=utf-8' });
    expect(resourceOf('app://seamlab/assets/index-1a_2b.js?x#y')).toEqual({
      path: 'assets/index-1a_2b.js',
      type: 'text/javascript; charset=utf-8',
    });
  });

  test.each([
    'app://other/index.html',
    'app://seamlab.example/index.html',
    'app://seamlab:1/index.html',
    'app://user@seamlab/index.html',
    'https://seamlab/index.html',
    'app://seamlab/..%2f..%2fetc/x.html',
    'app://seamlab/%2e%2e/x.html',
    'app://seamlab/.hidden.html',
    'app://seamlab/a/.git/x.html',
    'app://seamlab/a//x.html',
    'app://seamlab/a%00.html',
    'app://seamlab/a%5c..%5cx.html',
    'app://seamlab/index',
    'app://seamlab/worker.mjs.map',
    'no address',
  ])('%s is not served', (url) => {
    const resource = resourceOf(url);
    // The URL parser itself resolves `..`; what it leaves must still be inside.
    expect(resource === null || !resource.path.includes('..')).toBe(true);
    if (!url.includes('%2e')) expect(resource).toBeNull();
  });
});

describe('answers', () => {
  const headers = { 'Content-Security-Policy': "default-src 'none'" };
  const root = (): string => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'screen'));
    writeFileSync(join(folder, 'screen/index.html'), '<p>here</p>');
    writeFileSync(join(folder, 'secret.json'), '{}');
    return join(folder, 'screen');
  };

  test('carry the policy, whatever they are', async () => {
    const folder = root();
    for (const [url, status] of [
      ['app://seamlab/', 200],
      ['app://seamlab/none.js', 404],
      ['app://seamlab/../secret.json', 404],
    ] as const) {
      const response = await answer(new Request(url), folder, headers);
      expect([url, response.status]).toEqual([url, status]);
      expect(response.headers.get('Content-Security-Policy')).toBe("default-src 'none'");
    }
    const page = await answer(new Request('app://seamlab/'), folder, headers);
    expect(await page.text()).toBe('<p>here</p>');
    expect(page.headers.get('Content-Type')).toBe('text/html; charset=utf-8');
  });

  test('follow no link that leads out of the folder', async () => {
    const folder = root();
    symlinkSync(join(folder, '..', 'secret.json'), join(folder, 'out.json'));
    symlinkSync(join(folder, 'index.html'), join(folder, 'in.html'));
    const statusOf = async (url: string): Promise<number> =>
      (await answer(new Request(url), folder, headers)).status;
    expect(await statusOf('app://seamlab/out.json')).toBe(404);
    expect(await statusOf('app://seamlab/in.html')).toBe(200);
  });

  test('are given to GET only', async () => {
    const response = await answer(
      new Request('app://seamlab/', { method: 'POST', body: 'x' }),
      root(),
      headers,
    );
    expect(response.status).toBe(405);
  });
});
