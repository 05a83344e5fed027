import type { CDPSession, Page } from '@playwright/test';
import { existsSync, readFileSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { join } from 'node:path';
import { root } from './app';

/** What Chromium tells about where something was said. */
interface Trace {
  readonly callFrames: readonly {
    readonly functionName: string;
    readonly url: string;
    readonly lineNumber: number;
    readonly columnNumber: number;
  }[];
  readonly description?: string;
  readonly parent?: Trace;
}

/**
 * Where each complaint of a window comes from: the words, and below them the calls that led there, by file and line of the
 * source. Listens from now on.
 *
 * @returns what was said so far, each time it is called.
 */
export async function stacksOf(page: Page): Promise<() => string[]> {
  const said: string[] = [];
  const protocol: CDPSession = await page.context().newCDPSession(page);
  protocol.on('Runtime.consoleAPICalled', ({ type, args, stackTrace }) => {
    if (type !== 'error' && type !== 'warning') return;
    const words = args.map(({ value, description }) => String(value ?? description)).join(' ');
    said.push([words, ...framesOf(stackTrace)].join('\n    '));
  });
  protocol.on('Runtime.exceptionThrown', ({ exceptionDetails: { text, exception, stackTrace } }) => {
    said.push([exception?.description ?? text, ...framesOf(stackTrace)].join('\n    '));
  });
  await protocol.send('Runtime.enable');
  await protocol.send('Runtime.setAsyncCallStackDepth', { maxDepth: 8 });
  return () => said;
}

function framesOf(trace: Trace | undefined): string[] {
  if (trace === undefined) return [];
  const own = trace.callFrames.map(({ functionName, url, lineNumber, columnNumber }) => {
    return `${functionName} (${sourceOf(url, lineNumber, columnNumber)})`;
  });
  const { parent } = trace;
  return parent === undefined
    ? own
    : [...own, `after ${parent.description ?? 'something else'}:`, ...framesOf(parent)];
}

const maps = new Map<string, SourceMap | null>();

/** The place in the source that a place in the bundle was made of. @param line, column - from 0. */
function sourceOf(url: string, line: number, column: number): string {
  const bundle = `${url}:${line + 1}:${column + 1}`;
  const file = join(root, 'out/renderer', `${url.replace(/^app:\/\/\w+\//, '')}.map`);
  if (!maps.has(file)) {
    const payload = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as SourceMapPayload) : null;
    maps.set(file, payload === null ? null : new SourceMap(payload));
  }
  const entry = maps.get(file)?.findEntry(line, column);
  // Some of a bundle is of no source.
  if (entry === undefined || !('originalSource' in entry) || !entry.originalSource) return bundle;
  return `${entry.originalSource.replace(/^(\.\.\/)+/, '')}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
}
