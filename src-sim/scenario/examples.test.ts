import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import * as kvm_host from '../kvm/kvm_host';
import * as kvm_run from '../kvm/kvm_run';
import { KVM_EXIT } from '../machine/machine';
import { ACTIONS, ACTORS, actorOf, verbOf } from './action';
import { explain } from './errors';
import { playScenario, runScenario } from './runner';
import { Report } from './runner-report';
import { reportText } from './runner-text';
import { parseScenario, type Scenario } from './scenario';

/** Every scenario that ships: it holds, and it leaves the trace that is kept beside it (`-u` writes them anew). */

const folder = join(import.meta.dirname, 'examples');
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
const textOf = (file: string): string => readFileSync(join(folder, file), 'utf8');

const references = join(import.meta.dirname, '../../labs/facts');
const facts = new Set(
  readdirSync(references).flatMap((file) => {
    const { facts } = JSON.parse(readFileSync(join(references, file), 'utf8')) as { facts: object };
    return Object.keys(facts);
  }),
);

function load(file: string): Scenario {
  const parsed = parseScenario(textOf(file));
  if (!parsed.ok)
    throw new Error(parsed.errors.map((e) => `${e.at.line}:${e.at.column} ${explain(e)}`).join('\n'));
  return parsed.value;
}

test('there are examples, each with a trace and no trace without its example', () => {
  expect(files.length).toBeGreaterThanOrEqual(60);
  const traces = readdirSync(folder).filter((name) => name.endsWith('.trace'));
  expect(traces.map((name) => name.replace('.trace', '.yaml')).sort()).toEqual([...files].sort());
});

describe.each(files)('%s', (file) => {
  const scenario = load(file);
  const report = runScenario(scenario);

  test('every expectation holds', () => {
    expect(report.expectations.filter(({ holds }) => !holds)).toEqual([]);
    expect(report.outcome).toBe('held');
    expect(report.expectations.length).toBeGreaterThan(1);
  });

  test('its trace is the one that is kept', async () => {
    await expect(reportText(report)).toMatchFileSnapshot(join(folder, file.replace('.yaml', '.trace')));
  });

  test('its report has the published shape', () => {
    expect(Report.parse(report)).toEqual(report);
  });

  test('it cites facts that are known, says what it is about, and names its schema for editors', () => {
    expect(scenario.cites.length).toBeGreaterThan(0);
    expect(scenario.cites.filter((id) => !facts.has(id))).toEqual([]);
    const [schema, about] = textOf(file).split('\n') as [string, string];
    expect(schema).toBe('# yaml-language-server: $schema=../scenario.schema.json');
    expect(about).toMatch(/^# \S.{20,}/);
  });
});

describe('together the examples exercise', () => {
  const scenarios = files.map(load);

  test('every action', () => {
    const done = new Set(
      scenarios.flatMap(({ steps }) =>
        steps.flatMap((step) =>
          step.kind === 'action' ? [`${actorOf(step.action)} ${verbOf(step.action)}`] : [],
        ),
      ),
    );
    const all = ACTORS.flatMap((actor) => Object.keys(ACTIONS[actor]).map((verb) => `${actor} ${verb}`));
    expect(all.filter((action) => !done.has(action))).toEqual([]);
  });

  test('every userspace exit, and KVM_RUN ended by a signal', () => {
    const seen = new Set<unknown>();
    for (const scenario of scenarios)
      for (const { name, args } of runScenario(scenario).trace)
        if (name === 'kvm_userspace_exit') seen.add(args.reason).add(args.shown);
    const exits = new Set(Object.values(KVM_EXIT));
    const modelled = Object.keys({ ...kvm_host, ...kvm_run }).filter((name) => exits.has(name));
    expect(modelled.length).toBeGreaterThan(15);
    expect([...modelled, 'restart'].filter((exit) => !seen.has(exit))).toEqual([]);
  });
});

test('no expectation of any example is true of every machine: without the steps, each file fails', () => {
  for (const file of files) {
    const { steps, expect: atEnd, ...rest } = load(file);
    const all = [...steps.flatMap((step) => step.expect), ...atEnd];
    const { report } = playScenario({ ...rest, steps: [], expect: all });
    expect(report.outcome, file).toBe('failed');
  }
});
