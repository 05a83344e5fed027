import type { Lab } from '../src-lab/lab';
import type { Course } from './course';
import { labFolders, labPath, readLab } from './labs';
import type { BrokenLab, LabCard } from './workshop';

/** A lab folder as it was read. */
export interface Read {
  readonly folder: string;
  readonly lab: Lab | null;
  /** Each with file, line, column and remedy; empty when there is a lab. */
  readonly errors: readonly string[];
}

/** All labs: those without fault by id. */
export interface Listing {
  readonly found: ReadonlyMap<string, { readonly folder: string; readonly lab: Lab }>;
  readonly broken: readonly BrokenLab[];
}

/** What lab folders hold, each once: the first of an id has it. */
export function listingOf(reads: readonly Read[]): Listing {
  const found = new Map<string, { folder: string; lab: Lab }>();
  const broken: BrokenLab[] = [];
  for (const { folder, lab, errors } of reads) {
    const twin = lab === null ? undefined : found.get(lab.id);
    if (lab === null) broken.push({ folder, why: errors[0] ?? '', errors });
    else if (twin !== undefined) {
      const why = `Its id "${lab.id}" is that of "${twin.folder}".`;
      broken.push({ folder, why, errors: [why] });
    } else found.set(lab.id, { folder, lab });
  }
  return { found, broken };
}

/** A listing as Home needs it. */
export function cardsOf({ found, broken }: Listing): { labs: LabCard[]; broken: readonly BrokenLab[] } {
  const labs = [...found.values()].map(({ folder, lab }) => {
    const { number, title, summary, minutes, checkpoints } = lab.source;
    const { id, points, contentHash: hash } = lab;
    return { id, folder, number, title, summary, minutes, points, checkpoints: checkpoints.length, hash };
  });
  return { labs, broken };
}

/** The labs below `root` when all are as a build has compiled them; null when one must be parsed. */
export function compiledListing(root: string, course: Course): Listing | null {
  const reads: Read[] = [];
  for (const folder of labFolders(root)) {
    const path = labPath(root, folder)!;
    const files = readLab(path);
    const known = files.ok ? course.known(path, files.files) : null;
    if (known?.ok !== true) return null;
    reads.push({ folder, lab: known.lab, errors: [] });
  }
  return listingOf(reads);
}
