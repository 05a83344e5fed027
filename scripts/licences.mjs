/** The licences of everything that is shipped: what was bundled into out/, and what is packed from node_modules. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, SetupError } from './lib/process.mjs';

/**
 * @param {string} file - relative to the repository
 * @returns {any}
 */
const json = (file) => JSON.parse(readFileSync(join(root, file), 'utf8'));

/** Folders of the packages that the bundler put into out/. */
function bundled() {
  const notes = join(root, 'out', 'packages');
  return readdirSync(notes).flatMap((file) => /** @type {string[]} */ (json(`out/packages/${file}`)));
}

/** Folders of the packages that are packed as they are: all that package-lock.json does not mark as for development. */
function packed() {
  return Object.entries(/** @type {Record<string, { dev?: boolean }>} */ (json('package-lock.json').packages))
    .filter(([folder, entry]) => folder !== '' && entry.dev !== true && existsSync(join(root, folder)))
    .map(([folder]) => folder);
}

/**
 * @param {string} folder - of an installed package
 * @returns {string} its name, version, licence, and the licence's text
 */
function licenceOf(folder) {
  const manifest = json(`${folder}/package.json`);
  const files = readdirSync(join(root, folder)).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
  const declared =
    typeof manifest.license === 'string'
      ? manifest.license
      : (manifest.license?.type ?? manifest.licenses?.[0]?.type);
  if (!declared && files.length === 0)
    throw new SetupError(`${folder} names no licence: it cannot be shipped`);
  const author = typeof manifest.author === 'string' ? manifest.author : manifest.author?.name;
  const texts = files.map((file) => readFileSync(join(root, folder, file), 'utf8').trim());
  if (texts.length === 0) {
    texts.push(
      `${author ? `By ${author}. ` : ''}The package carries no licence text; it declares: ${declared}`,
    );
  }
  return [`${manifest.name} ${manifest.version} (${declared ?? 'see below'})`, ...texts].join('\n\n');
}

/**
 * Writes out/THIRD-PARTY-LICENSES.txt.
 *
 * @returns {number} how many packages it names
 * @throws {SetupError} when a package names no licence
 */
export function writeLicences() {
  const folders = [...new Set([...bundled(), ...packed()])].sort();
  const head =
    `Seamlab contains the ${folders.length} packages below. Electron's own licence and those of Chromium are in ` +
    'LICENSE.electron.txt and LICENSES.chromium.html.';
  const rule = `\n\n${'-'.repeat(80)}\n\n`;
  writeFileSync(
    join(root, 'out', 'THIRD-PARTY-LICENSES.txt'),
    [head, ...folders.map(licenceOf)].join(rule) + '\n',
  );
  return folders.length;
}
