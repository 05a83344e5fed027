// Packed as default_app.asar into a runtime that lacks one: makes `electron FOLDER` run the application in FOLDER.
// An ES module with top-level await, so that the application's own code runs before the `ready` event.
import { app } from 'electron';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(import.meta.url);

/** Reads the command line as Electron's own default application does: switches are skipped, `-r FILE` is loaded. */
function folderOf(args) {
  for (let i = 0; i < args.length; i += 1) {
    if (args[i] === '-r' || args[i] === '--require') require(resolve(args[(i += 1)]));
    else if (!args[i].startsWith('-')) return resolve(args[i]);
  }
  return undefined;
}

const folder = folderOf(process.argv.slice(1));
if (folder === undefined) {
  process.stderr.write('Usage: electron [SWITCH...] FOLDER [ARGUMENT...]\n');
  app.exit(2);
} else {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  Object.defineProperty(process, 'defaultApp', { configurable: false, enumerable: true, value: true });
  app.name = manifest.productName ?? manifest.name;
  app.setVersion(manifest.version);
  app.setDesktopName(`${manifest.name}.desktop`);
  app.setAppPath(folder);
  try {
    await import(pathToFileURL(join(folder, manifest.main)).href);
  } catch (error) {
    process.stderr.write(`${error?.stack ?? error}\n`);
    app.exit(1);
  }
}
