import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { endOf } from './processes';

/** A disk of its own, small enough to be filled. Linux. */
export interface SmallDisk {
  /** Where a program that is started by `command` finds it. */
  readonly inside: string;
  /** Where the test finds it. */
  readonly outside: string;
  /** A command that runs `executable` where the disk is. */
  command(executable: string): string;
  /** Leaves not one byte free. */
  fill(): void;
  /** Makes room again. */
  free(): void;
  remove(): Promise<void>;
}

/**
 * Makes a disk in memory. It is mounted in a namespace of its own, so that nobody needs to be root for it and nothing
 * stays behind.
 *
 * @param folder - made below; holds the mount point.
 * @param megabytes - size; Chromium keeps its profile there too.
 */
export async function smallDisk(folder: string, megabytes: number): Promise<SmallDisk> {
  const inside = join(folder, 'disk');
  mkdirSync(inside);
  const mount = `mount -t tmpfs -o size=${megabytes}m,mode=700 disk "$0" && echo mounted && exec cat`;
  const holder = spawn('unshare', ['--user', '--map-root-user', '--mount', 'sh', '-c', mount, inside]);
  await said(holder, 'mounted');
  const outside = `/proc/${holder.pid}/root${inside}`;
  const ballast = join(outside, 'ballast');
  return {
    inside,
    outside,
    command(executable) {
      const script = join(folder, 'on-small-disk');
      const enter = `nsenter --target ${holder.pid} --user --mount --preserve-credentials`;
      writeFileSync(script, `#!/bin/sh\nexec ${enter} -- '${executable}' "$@"\n`);
      chmodSync(script, 0o755);
      return script;
    },
    fill() {
      const file = openSync(ballast, 'w');
      try {
        for (let size = 1024 * 1024; size >= 1;) {
          try {
            writeSync(file, Buffer.alloc(size));
          } catch {
            size = Math.floor(size / 2);
          }
        }
      } finally {
        closeSync(file);
      }
    },
    free: () => rmSync(ballast),
    async remove() {
      holder.stdin!.end();
      await endOf(holder);
    },
  };
}

/** Waits until a program has written a word. */
function said(child: ChildProcess, word: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes(word)) resolve();
    });
    child.stderr!.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.once('exit', (code) => reject(new Error(`ended with status ${code}: ${text}`)));
    child.once('error', reject);
  });
}
