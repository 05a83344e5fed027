import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { z } from 'zod';
import { ACTIONS, type ActionDeclaration } from './action';
import { explain } from './errors';
import { runScenario } from './runner';
import { Report } from './runner-report';
import { parseScenario } from './scenario';

/** docs/scenarios.md says what is so: its table of actions comes from the code, its scenarios are run. */

const file = join(import.meta.dirname, '..', '..', 'docs', 'scenarios.md');
const text = readFileSync(file, 'utf8');

test('the table of actions is the one of the code (npx vitest run src-sim/scenario/docs.test.ts -u writes it)', async () => {
  const [before, rest] = text.split(/(?<=<!-- actions: .* -->\n)/, 2) as [string, string];
  const after = rest.slice(rest.indexOf('<!-- end of actions -->'));
  await expect(before + actionTable() + after).toMatchFileSnapshot(file);
});

const scenarios = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, yaml]) => yaml!);
test.each(scenarios.map((yaml) => [/^title: (.*)$/m.exec(yaml)![1]!, yaml]))('%s: holds', (_title, yaml) => {
  const parsed = parseScenario(yaml);
  if (!parsed.ok)
    throw new Error(parsed.errors.map((e) => `${e.at.line}:${e.at.column} ${explain(e)}`).join('\n'));
  const report = runScenario(parsed.value);
  expect(report.expectations.filter(({ holds }) => !holds)).toEqual([]);
  expect(report.outcome).toBe('held');
});

test('every key of the report is explained', () => {
  const section = text.slice(text.indexOf('### The report'), text.indexOf('## Grading'));
  const shapes = [
    Report,
    Report.shape.steps.element,
    Report.shape.expectations.element,
    Report.shape.trace.element,
    Report.shape.changes.element,
  ];
  for (const key of shapes.flatMap(({ shape }) => Object.keys(shape)))
    expect(section).toContain(`\`${key}\``);
});

function actionTable(): string {
  const rows = Object.entries(ACTIONS as Record<string, Record<string, ActionDeclaration>>).flatMap(
    ([actor, verbs]) =>
      Object.entries(verbs).map(([verb, { doc, source, params }]) => {
        const parameters = Object.entries(params.shape).map(([key, type]) =>
          parameter(key, type as z.ZodType),
        );
        return `| \`${actor}: ${verb}\` | ${parameters.join(', ')} | ${doc} ${source} |`;
      }),
  );
  return ['| action | parameters, with defaults | |', '|---|---|---|', ...rows, ''].join('\n');
}

function parameter(key: string, type: z.ZodType): string {
  const absent = type.safeParse(undefined);
  return absent.success ? `\`${key}: ${String(absent.data)}\`` : `\`${key}\``;
}
