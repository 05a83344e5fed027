import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parseKept } from '../src-lab/transcript';
import { Progress } from './progress';
import { bundled } from './testing/bundle';
import { temporaryFolder } from './testing/folder';

const writer = bundled(join(import.meta.dirname, 'testing/writer.ts'));

/** Runs the writer and kills it without warning once it has acknowledged `count` inputs. */
async function killedAfter(count: number, folder: string): Promise<{ id: string; acknowledged: string[] }> {
  const child = spawn(process.execPath, [fileURLToPath(writer()), folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exit = once(child, 'exit');
  const printed: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    printed.push(line);
    if (printed.length === count + 1) child.kill('SIGKILL');
  }
  await exit;
  const [id, ...acknowledged] = printed;
  return { id: id!, acknowledged };
}

test('a process killed right after an acknowledged input has lost none, fifteen times in one folder', async () => {
  const folder = temporaryFolder();
  for (let round = 1; round <= 15; round++) {
    const { id, acknowledged } = await killedAfter(round * 3, folder);
    expect(acknowledged.filter((line) => line.startsWith('told'))).toEqual([]);
    const progress = new Progress(
      folder,
      Date.now,
      () => {},
      (news) => expect(news).toBeNull(),
    );
    const kept = progress.lines(id);
    expect(kept.slice(0, acknowledged.length)).toEqual(acknowledged);
    // What was written and not yet acknowledged may be there too, whole.
    expect(parseKept(progress.attempt(id)!.header, kept)).toMatchObject({ ok: true });
    progress.close();
  }
});
