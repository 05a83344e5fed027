import { markOf, regrade, scoreThen, type Mark, type Regraded, type Score } from '../../src-lab/gradebook';
import { loadLab, type Lab } from '../../src-lab/lab';
import { SANDBOX_LAB } from '../../src-lab/sandbox';
import { SANDBOX } from '../../src-lab/setup';
import { MAX_INPUTS } from '../../src-lab/transcript';
import type { Course } from '../course';
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

/** Marks transcripts. Labs are read when they are first asked for, and then kept. */
export class Marker {
  private readonly found = new Map<string, Lab | null>();

  constructor(private readonly course: Course) {}

  /** Reads and marks one file. Never throws. */
  answer({ file, labs, regrade: preview, before }: Task): Marked {
    const read = readInput(file, LIMIT);
    if (!read.ok) return { file, kind: 'unreadable', why: read.why };
    // Byte by byte: a column is then a byte, and a byte that is no letter is found like any other.
    const content = read.bytes.toString('latin1');
    const find = this.finder(labs);
    const mark = markOf(content, find);
    const other = !mark.ok && (mark.code === 'other_lab_content' || mark.code === 'other_simulator');
    if (!preview || !other) return { file, kind: 'marked', mark, again: null };
    const now = regrade(content, find);
    const then = before === null ? null : scoreThen(content, this.finder(before));
    return { file, kind: 'marked', mark, again: now && { ...now, before: then } };
  }

  private finder(root: string): (id: string) => Lab | null {
    return (id) => {
      const key = `${root}\0${id}`;
      const kept = this.found.get(key);
      if (kept !== undefined) return kept;
      const lab = this.findLab(root, id);
      this.found.set(key, lab);
      return lab;
    };
  }

  /** The lab with an id. One that cannot be loaded is not here. */
  private findLab(root: string, id: string): Lab | null {
    if (id === SANDBOX) return SANDBOX_LAB;
    for (const folder of labFolders(root)) {
      const path = labPath(root, folder)!;
      const read = readLab(path);
      // Loading takes long; a lab whose text does not have the word cannot have the id.
      if (!read.ok || !read.files.get('lab.yaml')?.includes(id)) continue;
      const load = this.course.load(path, read.files, loadLab);
      if (load.ok && load.lab.id === id) return load.lab;
    }
    return null;
  }
}
