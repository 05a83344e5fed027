import { describe, expect, test } from 'vitest';
import { Console } from './console.svelte';

function desk(accept = true) {
  const sent: string[] = [];
  const line = new Console(
    () => ({ actions: [], vms: [], threads: ['vmm', 'td.vcpu0'] }),
    async (_, command) => {
      sent.push(command);
      return accept;
    },
  );
  return { line, sent };
}

describe('sending', () => {
  test('an accepted command empties the line and can be recalled', async () => {
    const { line, sent } = desk();
    line.put('run');
    expect(await line.submit()).toBe(true);
    expect([line.line, sent, line.history]).toEqual(['', ['run'], ['run']]);
  });

  test('a refused command stays, to be changed', async () => {
    const { line } = desk(false);
    line.put('run');
    expect(await line.submit()).toBe(false);
    expect(line.line).toBe('run');
  });

  test('a command that makes no sense is not sent; typing on clears the error', async () => {
    const { line, sent } = desk();
    line.put('rnu');
    await line.submit();
    expect(sent).toEqual([]);
    expect(line.error?.nearest).toEqual(['run']);
    line.type('ru', 2);
    expect(line.error).toBeNull();
  });

  test('an empty line sends nothing', async () => {
    const { line, sent } = desk();
    line.put('   ');
    expect(await line.submit()).toBe(false);
    expect(sent).toEqual([]);
  });
});

describe('history', () => {
  test('goes back and forth, and what was being typed comes back', () => {
    const { line } = desk();
    for (const one of ['run', 'reset', 'reset', 'jump 3']) line.remember(one);
    line.put('ste');
    const seen = [-1, -1, -1, -1, 1, 1, 1, 1].map((by) => {
      line.recall(by as 1 | -1);
      return line.line;
    });
    expect(seen).toEqual(['jump 3', 'reset', 'run', 'run', 'reset', 'jump 3', 'ste', 'ste']);
  });

  test('shows no completions while it is walked', () => {
    const { line } = desk();
    line.remember('step ');
    line.recall(-1);
    expect(line.isOpen).toBe(false);
  });
});

describe('completions', () => {
  test('are chosen from none to the last', () => {
    const { line } = desk();
    line.put('step ');
    expect(line.completions.options.map(({ text }) => text)).toEqual(['vmm', 'td.vcpu0']);
    line.choose(-1);
    expect(line.chosen).toBe(-1);
    line.choose(1);
    line.choose(1);
    line.choose(1);
    expect(line.chosen).toBe(1);
  });

  test('are taken over with a blank behind them, and open again for the next word', () => {
    const { line } = desk();
    line.put('st');
    line.accept();
    expect([line.line, line.cursor]).toEqual(['step ', 5]);
    expect(line.isOpen).toBe(true);
    line.accept(1);
    expect(line.line).toBe('step td.vcpu0 ');
  });

  test('in the middle of a line only the word at the cursor is replaced', () => {
    const { line } = desk();
    line.type('st td.vcpu0', 2);
    line.accept();
    expect(line.line).toBe('step td.vcpu0');
  });

  test('close and stay closed until something is typed', () => {
    const { line } = desk();
    line.put('st');
    line.close();
    expect(line.isOpen).toBe(false);
    line.type('ste', 3);
    expect(line.isOpen).toBe(true);
  });
});
