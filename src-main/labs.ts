import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a lab folder may hold. Lab content is untrusted: a pack from the network must not fill memory or disk. */
export const LAB_LIMITS = {
  /** Bytes of one file. */
  file: 256 * 1024,
  /** Bytes of all files of a lab. */
  lab: 1024 * 1024,
  /** Files of a lab. */
  files: 64,
  /** Folders below the lab's own. */
  depth: 1,
} as const;

/** Why a lab folder was not read. `file` is relative to the lab's folder; null: the folder itself. */
export type LabFault =
  | { readonly code: 'no_folder'; readonly file: null }
  | {
      readonly code: 'not_a_name' | 'symbolic_link' | 'not_a_file' | 'too_deep';
      readonly file: string | null;
    }
  | { readonly code: 'file_too_big' | 'not_utf8'; readonly file: string }
  | { readonly code: 'lab_too_big' | 'too_many_files'; readonly file: string }
  | { readonly code: 'unreadable'; readonly file: string | null; readonly errno: string };

/** Texts of one lab by path relative to its folder, with `/` between parts; lines end in LF. */
export type LabFiles = ReadonlyMap<string, string>;

export type LabRead =
  { readonly ok: true; readonly files: LabFiles } | { readonly ok: false; readonly fault: LabFault };

/** One sentence of what is wrong with a lab folder, for authors and learners. */
export function explainLabFault(fault: LabFault): string {
  const where = fault.file === null ? 'The folder' : `"${fault.file}"`;
  switch (fault.code) {
    case 'no_folder':
      return 'There is no such folder.';
    case 'not_a_name':
      return `${where} has a name that labs may not use: letters, digits, dots, hyphens and underscores only.`;
    case 'symbolic_link':
      return `${where} is a symbolic link; a lab holds its files itself.`;
    case 'not_a_file':
      return `${where} is not an ordinary file.`;
    case 'too_deep':
      return `${where} lies too deep; a lab has at most ${LAB_LIMITS.depth} level of folders.`;
    case 'file_too_big':
      return `${where} is larger than ${LAB_LIMITS.file / 1024} KiB.`;
    case 'not_utf8':
      return `${where} is not UTF-8 text.`;
    case 'lab_too_big':
      return `With ${where} the lab is larger than ${LAB_LIMITS.lab / 1024} KiB.`;
    case 'too_many_files':
      return `With ${where} the lab has more than ${LAB_LIMITS.files} files.`;
    case 'unreadable':
      return `${where} cannot be read (${fault.errno}).`;
  }
}

const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,79}$/;

/** Stops a read at the first fault. Never leaves this module. */
class Stop extends Error {
  constructor(readonly fault: LabFault) {
    super(fault.code);
  }
}

/**
 * Reads the folder of one lab.
 *
 * Follows no symbolic link and enters no folder whose name could lead elsewhere. Names that begin with a dot are
 * skipped: editors and file managers leave them behind. CR LF becomes LF, so that a lab has one content hash whatever
 * the checkout did.
 *
 * @param folder - path of the lab's own folder.
 * @returns the texts in the order of their names, or the first fault found. Never throws.
 */
export function readLab(folder: string): LabRead {
  const files = new Map<string, string>();
  let bytes = 0;

  const enter = (path: string, prefix: string, depth: number): void => {
    for (const name of readdirSync(path).sort()) {
      if (name.startsWith('.')) continue;
      const file = prefix + name;
      if (!NAME.test(name)) throw new Stop({ code: 'not_a_name', file });
      const full = join(path, name);
      const stat = lstatSync(full);
      if (stat.isSymbolicLink()) throw new Stop({ code: 'symbolic_link', file });
      if (stat.isDirectory()) {
        if (depth === LAB_LIMITS.depth) throw new Stop({ code: 'too_deep', file });
        enter(full, `${file}/`, depth + 1);
        continue;
      }
      if (!stat.isFile()) throw new Stop({ code: 'not_a_file', file });
      if (files.size === LAB_LIMITS.files) throw new Stop({ code: 'too_many_files', file });
      if (stat.size > LAB_LIMITS.file) throw new Stop({ code: 'file_too_big', file });
      bytes += stat.size;
      if (bytes > LAB_LIMITS.lab) throw new Stop({ code: 'lab_too_big', file });
      files.set(file, textOf(readFileSync(full), file));
    }
  };

  try {
    const stat = lstatSync(folder, { throwIfNoEntry: false });
    if (stat === undefined) return { ok: false, fault: { code: 'no_folder', file: null } };
    if (stat.isSymbolicLink()) return { ok: false, fault: { code: 'symbolic_link', file: null } };
    if (!stat.isDirectory()) return { ok: false, fault: { code: 'not_a_file', file: null } };
    enter(folder, '', 0);
    return { ok: true, files };
  } catch (error) {
    if (error instanceof Stop) return { ok: false, fault: error.fault };
    const errno = (error as NodeJS.ErrnoException).code ?? 'unknown';
    return { ok: false, fault: { code: 'unreadable', file: null, errno } };
  }
}

function textOf(bytes: Buffer, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replaceAll('\r\n', '\n');
  } catch {
    throw new Stop({ code: 'not_utf8', file });
  }
}

/**
 * Names of the lab folders below `root`, in order: the folders that hold a `lab.yaml`, as `02-init-sipi`.
 *
 * @returns an empty list when `root` is missing or cannot be read. Symbolic links are listed, so that `readLab` can
 *          refuse them by name.
 */
export function labFolders(root: string): string[] {
  try {
    return readdirSync(root, { withFileTypes: true })
      .filter((entry) => NAME.test(entry.name) && (entry.isDirectory() || entry.isSymbolicLink()))
      .map(({ name }) => name)
      .filter((name) => existsSync(join(root, name, 'lab.yaml')))
      .sort();
  } catch {
    return [];
  }
}

/** Path of the folder `name` below `root`; null when `name` could lead anywhere else. */
export function labPath(root: string, name: string): string | null {
  return NAME.test(name) ? join(root, name) : null;
}
