import type { Action } from '../src-sim/scenario/action';
import { parseCommand } from './command';
import type { Input } from './input';
import type { LabIssue } from './issue';
import type { InputSource } from './schema';
import type { YamlFile } from './yaml';

/** Inputs of a solution or of a wrong attempt, each with its place in the file. */
export interface Attempt {
  readonly inputs: readonly { readonly input: Input; readonly line: number; readonly column: number }[];
  readonly issues: readonly LabIssue[];
}

/** Turns what an author wrote under `inputs` into inputs of a session. */
export function readAttempt(name: string, file: YamlFile<{ inputs: readonly InputSource[] }>): Attempt {
  const issues: LabIssue[] = [];
  const inputs = file.value.inputs.flatMap((source, i) => {
    const place = file.at(['inputs', i]);
    const read = inputOf(source);
    if (typeof read !== 'string') return [{ input: read, ...place }];
    issues.push({ file: name, ...place, message: read, remedy: '' });
    return [];
  });
  return { inputs, issues };
}

/** The input, or what is wrong with its command. */
function inputOf(source: InputSource): Input | string {
  if ('act' in source) {
    const read =
      typeof source.act === 'string'
        ? parseCommand(source.act)
        : { ok: true as const, action: source.act as Action };
    if (!read.ok) return `${read.message} ${read.remedy}`.trim();
    return { kind: 'act', action: read.action, ...(source.hold === true ? { hold: true } : {}) };
  }
  if ('step' in source) return { kind: 'step', thread: source.step };
  if ('run' in source) return { kind: 'run' };
  if ('jump' in source) return { kind: 'jump', moment: source.jump };
  if ('reset' in source) return { kind: 'reset' };
  if ('goto' in source) return { kind: 'goto', step: source.goto };
  if ('look' in source) return { kind: 'look', at: source.look };
  if ('arrange' in source) return { kind: 'arrange', checkpoint: source.arrange };
  if ('answer' in source) return { kind: 'answer', checkpoint: source.answer, answer: source.is };
  return { kind: 'hint', checkpoint: source.hint };
}
