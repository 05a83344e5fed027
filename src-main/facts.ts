import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FactsFile, type Fact, type Facts } from '../src-lab/schema';

/** The facts, or the first file that is wrong, and why in a sentence. */
export type FactsRead =
  | { readonly ok: true; readonly facts: Facts }
  | { readonly ok: false; readonly file: string; readonly why: string };

/**
 * Reads the facts that labs may cite: `facts/*.json` of every given folder of labs.
 *
 * @param folders - folders of labs; one without `facts` adds nothing. Of a fact that two have, the later one's words
 *                  count.
 * @returns the facts in the order of folders, file names and lines. Never throws while the folder can be listed.
 */
export function readFacts(folders: readonly string[]): FactsRead {
  const facts: Record<string, Fact> = {};
  for (const folder of new Set(folders.map((labs) => join(labs, 'facts')))) {
    /** Which file of this folder has a fact. */
    const origin = new Map<string, string>();
    for (const name of jsonFiles(folder)) {
      const file = join(folder, name);
      const read = readFile(file);
      if (typeof read === 'string') return { ok: false, file, why: read };
      for (const [id, fact] of Object.entries(read.facts)) {
        const other = origin.get(id);
        if (other !== undefined) return { ok: false, file, why: `"${id}" is in ${other} as well.` };
        origin.set(id, name);
        facts[id] = fact;
      }
    }
  }
  return { ok: true, facts };
}

function jsonFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort();
}

/** The facts of a file, or why there are none. */
function readFile(file: string): FactsFile | string {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return 'It cannot be read as JSON.';
  }
  const parsed = FactsFile.safeParse(json);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  return `"${path.join('.')}": ${message}.`;
}
