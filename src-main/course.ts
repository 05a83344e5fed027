import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import type { Lab, LabLoad } from '../src-lab/lab';
import { SIM_VERSION } from '../src-sim/version';
import { labFolders, labPath, readLab, type LabFiles } from './labs';

/** `loadLab`, passed by who needs it: the code that parses labs is large, and a course that is compiled has no need of it. */
type Parse = (files: LabFiles) => LabLoad;

/** What a build keeps: labs by the print of their files. */
interface Compiled {
  readonly simVersion: string;
  readonly labs: ReadonlyMap<string, Lab>;
}

/**
 * Turns the files of labs into labs. To parse and check six labs takes a second, which is a second before the home
 * screen: so the build does it once, and what is as it was then is taken from there.
 */
export class Course {
  /** By folder: what was parsed last. */
  private readonly parsed = new Map<string, { readonly print: string; readonly load: LabLoad }>();
  private compiled: Compiled | null = null;

  /** @param file - what `compileCourse` made; null, missing or of another version: every lab is parsed here. */
  constructor(private readonly file: URL | null) {}

  /**
   * The lab that these files are, or what is wrong with them.
   *
   * @param folder - path of the lab; the same folder is parsed again only when its files differ.
   */
  load(folder: string, files: LabFiles, parse: Parse): LabLoad {
    const known = this.known(folder, files);
    if (known !== null) return known;
    const load = parse(files);
    this.parsed.set(folder, { print: printOf(files), load });
    return load;
  }

  /** The same without parsing; null when that is needed. */
  known(folder: string, files: LabFiles): LabLoad | null {
    const print = printOf(files);
    this.compiled ??= readCompiled(this.file);
    const lab = this.compiled.labs.get(print);
    if (lab !== undefined) return { ok: true, lab };
    const last = this.parsed.get(folder);
    return last?.print === print ? last.load : null;
  }
}

/** The labs below `root` that have no fault, as bytes for `Course`. */
export function compileCourse(root: string, parse: Parse): Uint8Array {
  const labs = new Map<string, Lab>();
  for (const folder of labFolders(root)) {
    const read = readLab(labPath(root, folder)!);
    const load = read.ok ? parse(read.files) : null;
    if (read.ok && load?.ok === true) labs.set(printOf(read.files), load.lab);
  }
  const compiled: Compiled = { simVersion: SIM_VERSION, labs };
  return serialize(compiled);
}

function readCompiled(file: URL | null): Compiled {
  const none: Compiled = { simVersion: SIM_VERSION, labs: new Map() };
  if (file === null) return none;
  try {
    const compiled = deserialize(readFileSync(file)) as Compiled;
    return compiled.simVersion === SIM_VERSION ? compiled : none;
  } catch {
    return none; // Only time is lost.
  }
}

function printOf(files: LabFiles): string {
  const hash = createHash('sha256');
  for (const [name, text] of files) hash.update(`${name}\0${text.length}\0${text}`);
  return hash.digest('hex');
}
