import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import Module from 'node:module';
import { dirname, join } from 'node:path';
import { Script } from 'node:vm';

/** @type {Map<string, { exports: unknown }>} */
const modules = new Map();
/** Scripts that V8 has compiled in this process, by the file that is to keep what it made. @type {Map<string, Script>} */
const compiled = new Map();

/**
 * Loads a CommonJS file, and what it requires of its own folder. V8's code for each file is kept beside it, as
 * `<file>.<version of V8>`, when the process ends: the next one has less to compile. Whoever builds the files anew
 * removes the kept code, since V8 recognizes a text by its length alone.
 *
 * @param {string} file - absolute
 * @returns {unknown} its exports
 */
export function load(file) {
  const known = modules.get(file);
  if (known) return known.exports;
  const kept = `${file}.${process.versions.v8}`;
  const cachedData = read(kept);
  const script = new Script(Module.wrap(readFileSync(file, 'utf8')), {
    filename: file,
    ...(cachedData && { cachedData }),
  });
  if (!cachedData || script.cachedDataRejected) compiled.set(kept, script);
  const module = { exports: {} };
  modules.set(file, module);
  const require = Module.createRequire(file);
  script.runInThisContext()(
    module.exports,
    /** @param {string} name */ (name) =>
      name.startsWith('./') ? load(join(dirname(file), name)) : require(name),
    module,
    file,
    dirname(file),
  );
  return module.exports;
}

/** @param {string} file */
function read(file) {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

process.once('exit', () => {
  for (const [kept, script] of compiled) {
    const part = `${kept}.${process.pid}`;
    try {
      writeFileSync(part, script.createCachedData());
      renameSync(part, kept);
    } catch {
      // Without room, or without leave to write, every start compiles.
      rmSync(part, { force: true });
    }
  }
});
