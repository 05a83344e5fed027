import { join, relative } from 'node:path';
import { factGroup, type Facts } from '../../src-lab/schema';
import { didYouMean, nearest } from '../../src-sim/scenario/nearest';
import { PLAIN } from '../../src-sim/scenario/runner-text';
import { readFacts } from '../facts';
import { ANSI, STATUS, type Status, type Terminal } from './terminal';

interface FactOptions {
  readonly json?: true;
  readonly labs: string;
}

/**
 * `seamlab fact [NAMES...]`: what facts of the references say, and where they are from.
 *
 * @param names - ids, or groups of them: `INIT-5`, `x86:SIPI`; none: all facts.
 */
export function printFacts(
  names: readonly string[],
  { json, labs }: FactOptions,
  terminal: Terminal,
): Status {
  const read = readFacts([join(terminal.root, 'labs'), labs]);
  if (!read.ok) {
    terminal.err(`${relative(process.cwd(), read.file)}: ${read.why}\n`);
    return STATUS.wrong;
  }
  const chosen = names.map((name) => ({ name, ids: idsOf(name, read.facts) }));
  const unknown = chosen.filter(({ ids }) => ids.length === 0);
  const known = Object.keys(read.facts);
  for (const { name } of unknown)
    terminal.err(`There is no fact "${name}".${didYouMean(nearest(name, known))}\n`);
  const ids = names.length === 0 ? known : [...new Set(chosen.flatMap((choice) => choice.ids))];
  const facts = ids.map((id) => {
    const { fact, source } = read.facts[id]!;
    return { id, fact, source };
  });
  if (json) terminal.out(`${JSON.stringify({ seamlab: 'facts/1', facts })}\n`);
  else {
    const { strong, dim } = terminal.color ? ANSI : PLAIN;
    for (const { id, fact, source } of facts)
      terminal.out(`${strong(id)}\n  ${fact}\n  ${dim(`Source: ${source}`)}\n`);
  }
  return unknown.length === 0 ? STATUS.held : STATUS.wrong;
}

/** The fact of that id, or those of the group of that name; none when there is neither. */
function idsOf(name: string, facts: Facts): readonly string[] {
  return Object.hasOwn(facts, name) ? [name] : Object.keys(facts).filter((id) => factGroup(id) === name);
}
