import { markOf, regrade, scoreThen, type Mark, type Regraded, type Score } from '../../src-lab/gradebook';
import { loadLab, type Lab } from '../../src-lab/lab';
import { MAX_INPUTS } from '../../src-lab/transcript';
import { labFolders, labPath, readLab } from '../labs';
import { readInput } from './files';

/** Bytes of a transcript: far more than `MAX_INPUTS` inputs need. */
const LIMIT = MAX_INPUTS * 4 * 1024;

/** One transcript to be marked. Plain data: it crosses a thread. */
export interface Task {
  readonly file: string;
  /** Folder of the labs. */
  readonly labs: string;
  /** Whether what belongs to another version is replayed on the one that is here, as a preview. */
  readonly regrade: boolean;
  /** Folder of the labs as they were, for the score before; null: there is none. */
  readonly before: string | null;
}

/** What became of one transcript. */
export type Marked =
  | { readonly file: string; readonly kind: 'unreadable'; readonly why: string }
  | {
      readonly file: string;
      readonly kind: 'marked';
      readonly mark: Mark;
      /** Of a transcript of another version, when asked for. */
      readonly again: (Regraded & { readonly before: Score | null }) | null;
    };

/** Reads and marks one file. Never throws. */
export function answer({ file, labs, regrade: preview, before }: Task): Marked {
  const read = readInput(file, LIMIT);
  if (!read.ok) return { file, kind: 'unreadable', why: read.why };
  // Byte by byte: a column is then a byte, and a byte that is no letter is found like any other.
  const content = read.bytes.toString('latin1');
  const find = finder(labs);
  const mark = markOf(content, find);
  const other = !mark.ok && (mark.code === 'other_lab_content' || mark.code === 'other_simulator');
  if (!preview || !other) return { file, kind: 'marked', mark, again: null };
  const now = regrade(content, find);
  const then = before === null ? null : scoreThen(content, finder(before));
  return { file, kind: 'marked', mark, again: now && { ...now, before: then } };
}

const finders = new Map<string, (id: string) => Lab | null>();

/** Finds labs of a folder by id; a lab is read when it is first asked for, and then kept. */
function finder(root: string): (id: string) => Lab | null {
  const known = finders.get(root);
  if (known !== undefined) return known;
  const labs = new Map<string, Lab | null>();
  const find = (id: string): Lab | null => {
    const kept = labs.get(id);
    if (kept !== undefined) return kept;
    const lab = findLab(root, id);
    labs.set(id, lab);
    return lab;
  };
  finders.set(root, find);
  return find;
}

/** The lab with an id. One that cannot be loaded is not here. */
function findLab(root: string, id: string): Lab | null {
  for (const folder of labFolders(root)) {
    const read = readLab(labPath(root, folder)!);
    // Loading takes long; a lab whose text does not have the word cannot have the id.
    if (!read.ok || !read.files.get('lab.yaml')?.includes(id)) continue;
    const load = loadLab(read.files);
    if (load.ok && load.lab.id === id) return load.lab;
  }
  return null;
}
