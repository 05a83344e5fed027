/**
 * npm run conformance: which fact is modelled where, and which tests assert it. Joins the list of facts with the
 * citations in src-sim's code and in its tests, writes docs/conformance.md, and fails when something cites a fact that
 * does not exist. `--check` only looks.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { entry, root, say } from './lib/process.mjs';

const PAGE = 'docs/conformance.md';

/** @type {Record<string, string>} */
const facts = JSON.parse(readFileSync(join(root, 'labs/facts.json'), 'utf8'));
const ids = Object.keys(facts);
const prefixes = [...new Set(ids.map((id) => id.replace(/-\d+[a-z]?$/, '')))].sort(
  (a, b) => b.length - a.length,
);
/** An id, or a range of ids of one prefix: `VCPU-1 to VCPU-9`. */
const CITATION = new RegExp(
  `(?<![A-Za-z:-])(${prefixes.join('|')})-(\\d+[a-z]?)(?:(?: to |\\.\\.)(?:\\1-)?(\\d+))?`,
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

/** @param {string} folder @returns {string[]} files below it, relative to the root */
function filesOf(folder) {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((file) => `${folder}/${file}`)
    .filter((file) => file.endsWith('.ts'))
    .sort();
}

/** @type {Map<string, Set<string>>} */
const modelled = new Map();
/** @type {Map<string, Set<string>>} */
const asserted = new Map();
/** @type {string[]} */
const unknown = [];

/** @param {Map<string, Set<string>>} into @param {string} id @param {string} file */
function note(into, id, file) {
  if (!(id in facts)) {
    // Ranges may step over numbers that were never used.
    unknown.push(`${file} cites ${id}`);
    return;
  }
  if (!into.has(id)) into.set(id, new Set());
  into.get(id)?.add(file);
}

for (const file of filesOf('src-sim')) {
  const text = readFileSync(join(root, file), 'utf8');
  for (const id of citations(text)) note(file.includes('.test.') ? asserted : modelled, id, file);
}

/** @param {string} id */
const groupOf = (id) => id.replace(/-\d+[a-z]?$/, '');
/** @param {Set<string> | undefined} files */
const short = (files) => [...(files ?? [])].map((file) => `\`${file.replace(/^src-sim\//, '')}\``).join(', ');
/** @param {string} id */
const status = (id) => (asserted.has(id) ? 'asserted' : modelled.has(id) ? 'modelled' : 'later');

function page() {
  const groups = [...new Set(ids.map(groupOf))];
  const count = (/** @type {string[]} */ of, /** @type {string} */ what) =>
    of.filter((id) => status(id) === what).length;
  const rows = groups.map((group) => {
    const own = ids.filter((id) => groupOf(id) === group);
    return `| ${group} | ${own.length} | ${count(own, 'asserted')} | ${count(own, 'modelled')} | ${count(own, 'later')} |`;
  });
  const detail = ids
    .filter((id) => status(id) !== 'later')
    .map((id) => `| ${id} | ${facts[id]} | ${short(modelled.get(id))} | ${short(asserted.get(id))} |`);
  return [
    '# Conformance',
    '',
    'Written by `npm run conformance`; do not edit. `asserted`: a test is named after the fact. `modelled`: the code',
    'cites it. `later`: not yet in the machine.',
    '',
    `${ids.length} facts: ${count(ids, 'asserted')} asserted, ${count(ids, 'modelled')} modelled, ${count(ids, 'later')} later.`,
    '',
    '| group | facts | asserted | modelled | later |',
    '|---|---|---|---|---|',
    ...rows,
    '',
    '## What is there',
    '',
    '| fact | in our words | modelled in | asserted by |',
    '|---|---|---|---|',
    ...detail,
    '',
  ].join('\n');
}

await entry(async () => {
  for (const fault of new Set(unknown)) say(fault);
  if (process.argv.includes('--check')) return unknown.length > 0 ? 1 : 0;
  const text = page();
  writeFileSync(join(root, PAGE), text);
  process.stdout.write(`${text.split('\n')[5]}\n`);
  return unknown.length > 0 ? 1 : 0;
});
