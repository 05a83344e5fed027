import { randomUUID } from 'node:crypto';
import { entryLine, headerLine } from '../../src-lab/transcript';
import type { Attempt, Standing } from '../store';

export const standing: Standing = { score: 0, checkpoints: 6, settled: 0, complete: false };

/** A new attempt and its first `inputs` lines, as the application would have written them. */
export function attemptWith(inputs: number, started = 1_000): { attempt: Attempt; lines: string[] } {
  const head = { lab: 'init-sipi', labHash: 'a'.repeat(64), simVersion: '1', session: randomUUID(), started };
  const attempt = { ...head, id: head.session, header: headerLine(head) };
  const { session: _session, ...rest } = attempt;
  const lines: string[] = [];
  for (let n = 1; n <= inputs; n++) lines.push(nextLine(attempt, lines));
  return { attempt: rest, lines };
}

/** The line of one more input. */
export function nextLine(attempt: Attempt, lines: readonly string[], thread = 'vmm'): string {
  const n = lines.length + 1;
  return entryLine(lines.at(-1) ?? attempt.header, { n, at: n * 10, input: { kind: 'step', thread } });
}
