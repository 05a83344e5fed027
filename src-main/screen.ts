import { readFile, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';

/** What the screen may be made of. A file of another type is not served. */
const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  json: 'application/json',
  svg: 'image/svg+xml',
  png: 'image/png',
  woff2: 'font/woff2',
};

/** Parts of letters, digits, dots, hyphens and underscores that do not begin with a dot: none can lead upwards. */
const PATH = /^(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/;

/**
 * The file of the built screen that an address names.
 *
 * @param url - as requested, such as `app://seamlab/assets/index-1a2b.js`.
 * @returns path relative to the screen's folder, and its media type; null for every other host, for a path that leads
 *          elsewhere, is encoded, or has a type that is not served.
 */
export function resourceOf(url: string): { path: string; type: string } | null {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return null;
  }
  if (
    parsed.protocol !== 'app:' ||
    parsed.host !== 'seamlab' ||
    parsed.username !== '' ||
    parsed.password !== ''
  ) {
    return null;
  }
  const path = parsed.pathname === '/' ? '/index.html' : parsed.pathname;
  const type = TYPES[path.slice(path.lastIndexOf('.') + 1)];
  return type !== undefined && PATH.test(path) ? { path: path.slice(1), type } : null;
}

/**
 * Answers a request for a part of the screen. A symbolic link that leads out of its folder is not followed.
 *
 * @param root - folder of the built screen.
 * @param headers - sent with every answer, errors too.
 */
export async function answer(
  request: Request,
  root: string,
  headers: Readonly<Record<string, string>>,
): Promise<Response> {
  if (request.method !== 'GET') return new Response(null, { status: 405, headers });
  const resource = resourceOf(request.url);
  if (resource === null) return new Response(null, { status: 404, headers });
  try {
    const [folder, file] = await Promise.all([realpath(root), realpath(join(root, resource.path))]);
    if (!file.startsWith(folder + sep)) return new Response(null, { status: 404, headers });
    const body = await readFile(file);
    return new Response(new Uint8Array(body), { headers: { ...headers, 'Content-Type': resource.type } });
  } catch {
    return new Response(null, { status: 404, headers });
  }
}
