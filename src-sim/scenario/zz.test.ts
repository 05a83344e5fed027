import { expect, test } from 'vitest';
import { readdirSync, readFileSync } from 'node:fs';
import { parseScenario } from './scenario';
import { explain } from './errors';
import { runScenario } from './runner';
import { reportText } from './runner-text';
const dir = 'src-sim/scenario/examples/';
for (const f of readdirSync(dir).filter((f) => f.endsWith('.yaml')))
  test(f, () => {
    const s = parseScenario(readFileSync(dir + f, 'utf8'));
    if (!s.ok) throw new Error(s.errors.map((e) => `${e.at.line}:${e.at.column} ${explain(e)}`).join('\n'));
    const t = performance.now();
    const r = runScenario(s.value);
    const text = reportText(r);
    console.log(
      f,
      (performance.now() - t).toFixed(0),
      text
        .split('\n')
        .filter((l) => /^\[|FAIL|observed|^    =|^\w/.test(l))
        .join('\n'),
    );
    expect(r.outcome).toBe('held');
  });
