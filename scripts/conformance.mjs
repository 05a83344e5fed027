/**
 * npm run conformance: every fact of the references, where it is modelled, and which tests assert it. Joins
 * labs/facts/*.json with the citations in src-sim's code and in its tests and writes docs/conformance.md. Fails when
 * something cites a fact that does not exist, when a fact lacks words, source or (where it is open) a reason, and when
 * the page names a test that is gone. `--check` only looks.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { entry, root, say } from './lib/process.mjs';

const PAGE = 'docs/conformance.md';

/** The references in reading order: the file in labs/facts, and what it is about. */
const REFERENCES = [
  ['kvm-tdx-interrupts', 'KVM and TD guests'],
  ['kvm-x86-events', 'KVM and plain guests'],
  ['tdx-module', 'The TDX module'],
  ['sept-seamcall-retry', 'Contention on the Secure EPT'],
].map(([name, title]) => {
  /** @type {import('../src-lab/schema').FactsFile} */
  const { groups, facts } = JSON.parse(readFileSync(join(root, `labs/facts/${name}.json`), 'utf8'));
  return { name, title, groups, facts };
});

const facts = Object.assign({}, ...REFERENCES.map((reference) => reference.facts));
const groups = REFERENCES.flatMap((reference) =>
  Object.entries(reference.groups).map(([prefix, group]) => ({
    ...group,
    prefix,
    ids: Object.keys(reference.facts).filter((id) => id.slice(0, id.lastIndexOf('-')) === prefix),
    reference: reference.name,
  })),
);

/** An id, or a range of ids of one prefix: `VCPU-1 to VCPU-9`. */
const CITATION = new RegExp(
  `(?<![A-Za-z:-])(${groups
    .map(({ prefix }) => prefix)
    .sort((a, b) => b.length - a.length)
    .join('|')})-(\\d+[a-z]?)(?:(?: to |\\.\\.)(?:\\1-)?(\\d+))?`,
  'g',
);

/** @param {string} text @returns {string[]} ids in the order of the text, ranges spelled out */
function citations(text) {
  return [...text.matchAll(CITATION)].flatMap(([, prefix, first, last]) => {
    if (last === undefined) return [`${prefix}-${first}`];
    const from = Number(first);
    return Array.from({ length: Number(last) - from + 1 }, (_, i) => `${prefix}-${from + i}`);
  });
}

/** @type {Set<string>} what is wrong, as sentences */
const faults = new Set();
/** @type {Map<string, Set<string>>} files of the machine by the ids that they cite */
const modelled = new Map();
/** @type {Map<string, Set<string>>} files of tests by the ids that they cite */
const asserted = new Map();

function readCitations() {
  const files = readdirSync(join(root, 'src-sim'), { recursive: true, encoding: 'utf8' });
  for (const file of files.filter((name) => name.endsWith('.ts')).sort()) {
    const into = file.includes('.test.') ? asserted : modelled;
    for (const id of citations(readFileSync(join(root, 'src-sim', file), 'utf8'))) {
      // Also of a range that steps over a number that was never used.
      if (!(id in facts)) faults.add(`src-sim/${file} cites ${id}, which is not a fact.`);
      else into.set(id, (into.get(id) ?? new Set()).add(file));
    }
  }
}

/** @param {string} id */
const status = (id) => (asserted.has(id) ? 'asserted' : modelled.has(id) ? 'modelled' : 'open');

/** @returns {string[]} facts that nobody explains or that are open for no reason, one sentence each */
function gaps() {
  return groups.flatMap(({ ids, later, reference }) =>
    ids.flatMap((id) => {
      const { fact, source, later: own } = facts[id];
      const lacks = [
        fact === '' ? 'words' : '',
        source === '' ? 'a source' : '',
        status(id) === 'open' && !(own ?? later) ? 'a reason why it is not in the machine' : '',
      ].filter(Boolean);
      return lacks.length === 0 ? [] : [`labs/facts/${reference}.json: ${id} lacks ${lacks.join(', ')}.`];
    }),
  );
}

/** @returns {string[]} tests that the page names and that are gone, one sentence each */
function goneTests() {
  if (!existsSync(join(root, PAGE))) return [`${PAGE} is not there: run \`npm run conformance\`.`];
  const named = readFileSync(join(root, PAGE), 'utf8').matchAll(/`([\w./-]+\.test\.ts)`/g);
  return [...new Set([...named].map(([, file]) => file ?? ''))]
    .filter((file) => !existsSync(join(root, 'src-sim', file)))
    .map((file) => `${PAGE} names ${file}, which is gone: run \`npm run conformance\`.`);
}

/** @param {readonly string[]} ids @param {string} what */
const count = (ids, what) => ids.filter((id) => status(id) === what).length;
/** @param {string} text */
const cell = (text) => text.replaceAll('|', '\\|');
/** @param {Set<string> | undefined} files */
const list = (files) => [...(files ?? [])].map((file) => `\`${file}\``).join(', ');
/** @param {string} title @param {readonly string[]} ids */
const figures = (title, ids) =>
  `| ${title} | ${ids.length} | ${count(ids, 'asserted')} | ${count(ids, 'modelled')} | ${count(ids, 'open')} |`;

function summary() {
  return [
    '| | facts | asserted | modelled | open |',
    '|---|--:|--:|--:|--:|',
    ...REFERENCES.flatMap(({ name, title, facts }) => [
      figures(`**${title}**`, Object.keys(facts)),
      ...groups
        .filter(({ reference }) => reference === name)
        .map((group) => figures(`\`${group.prefix}\` ${group.title}`, group.ids)),
    ]),
    figures('**together**', Object.keys(facts)),
  ];
}

/** @param {(typeof groups)[number]} group */
function section({ prefix, title, later, ids }) {
  return [
    `### ${title} (\`${prefix}\`)`,
    '',
    ...(later && ids.some((id) => status(id) === 'open' && !facts[id].later) ? [`Open: ${later}`, ''] : []),
    '| fact | in our words | source | in the machine | asserted by |',
    '|---|---|---|---|---|',
    ...ids.map((id) => {
      const { fact, source, later: own } = facts[id];
      const open = own ? `open: ${own}` : 'open';
      const where = status(id) === 'open' ? open : list(modelled.get(id));
      return `| ${id} | ${cell(fact)} | ${cell(source)} | ${cell(where)} | ${list(asserted.get(id))} |`;
    }),
    '',
  ];
}

function page() {
  return [
    '# Conformance',
    '',
    'What the machine must do, fact by fact, and what shows that it does. Written by `npm run conformance`; do not edit.',
    '',
    '- **asserted**: a test is named after the fact; it fails when the machine does otherwise.',
    '- **modelled**: the code that does it cites the fact; no test is about it alone.',
    '- **open**: not in the machine; the reason stands in its row, or above its table.',
    '',
    'Files are those of `src-sim`. The words and sources come from `labs/facts`, one file a reference.',
    '',
    ...summary(),
    '',
    ...REFERENCES.flatMap(({ name, title }) => [
      `## ${title}`,
      '',
      ...groups.filter(({ reference }) => reference === name).flatMap(section),
    ]),
  ].join('\n');
}

await entry(async () => {
  readCitations();
  for (const gap of gaps()) faults.add(gap);
  if (process.argv.includes('--check')) {
    for (const gone of goneTests()) faults.add(gone);
  } else {
    writeFileSync(join(root, PAGE), page());
    const ids = Object.keys(facts);
    process.stdout.write(
      `${ids.length} facts: ${count(ids, 'asserted')} asserted, ${count(ids, 'modelled')} modelled, ${count(ids, 'open')} open.\n`,
    );
  }
  for (const fault of faults) say(fault);
  return faults.size > 0 ? 1 : 0;
});
