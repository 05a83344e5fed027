import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { main } from './program';

/**
 * A cold reader: does literally what docs/writing-labs.md says, from the first command to the last, and expects what
 * the document shows. Lines after a command are in its output, in that order; `Append to` and `New file` name the file
 * of the block that follows.
 */

const root = join(import.meta.dirname, '../..');
const DOCUMENT = join(root, 'docs/writing-labs.md');

type Deed =
  | { readonly do: 'run'; readonly command: string; readonly shows: readonly string[] }
  | { readonly do: 'append' | 'new'; readonly file: string; readonly text: string };

/** What the section "From nothing to a checked lab" has its reader do. */
function deeds(): Deed[] {
  const section = /^## From nothing to a checked lab\n([\s\S]*?)^## /m.exec(
    readFileSync(DOCUMENT, 'utf8'),
  )![1]!;
  const block = /(?:(append to|new file) `([^`]+)`:\n\n)?^```(\w+)\n([\s\S]*?)^```$/gim;
  return [...section.matchAll(block)].flatMap(([, how, file, language, text]): Deed[] => {
    if (language !== 'sh')
      return [{ do: how!.toLowerCase() === 'new file' ? 'new' : 'append', file: file!, text: text! }];
    return text!
      .split(/^\$ /m)
      .slice(1)
      .map((part) => {
        const [command, ...shows] = part.trimEnd().split('\n');
        return { do: 'run', command: command!, shows };
      });
  });
}

let home = '';
beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'seamlab-author-'));
  for (const file of ['package.json', 'labs/facts'])
    cpSync(join(root, file), join(home, file), { recursive: true });
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

test('whoever follows docs/writing-labs.md literally has a lab that passes its check', async () => {
  const lab = join(home, 'labs', '90-first');
  const started: string[][] = [];
  const all = deeds();
  expect(all.map((deed) => deed.do)).toEqual([
    'run',
    'run',
    'run',
    'append',
    'run',
    'append',
    'append',
    'new',
    'run',
  ]);
  for (const deed of all) {
    if (deed.do !== 'run') {
      const file = join(lab, deed.file);
      expect(existsSync(file), deed.file).toBe(deed.do === 'append');
      if (deed.do === 'append') appendFileSync(file, deed.text);
      else {
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, deed.text);
      }
      continue;
    }
    const [npx, seamlab, ...args] = deed.command.split(' ');
    expect([npx, seamlab]).toEqual(['npx', 'seamlab']);
    let said = '';
    await main(args, {
      out: (text) => (said += text),
      err: (text) => (said += text),
      color: false,
      live: false,
      root: home,
      grader: null,
      course: null,
      start: async (words) => started.push([...words]) - 1,
      onInterrupt: () => () => {},
    });
    let rest = said.replaceAll(`${home}/`, '');
    for (const line of deed.shows) {
      expect(rest, deed.command).toContain(line);
      rest = rest.slice(rest.indexOf(line) + line.length);
    }
  }
  expect(started).toEqual([['--preview', lab]]);
});

test('the files that lab new writes are complete: the document has nothing to add to them', () => {
  const yaml = readFileSync(join(home, 'labs', '90-first', 'lab.yaml'), 'utf8');
  expect(
    yaml.startsWith(
      '# yaml-language-server: $schema=../../src-lab/lab.schema.json\nformat: 1\nid: first\nnumber: 90 ',
    ),
  ).toBe(true);
});
