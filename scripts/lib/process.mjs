import { spawn, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's folder, absolute. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/**
 * A set-up step that cannot go on. The message says what happened and what to do; no stack is shown.
 */
export class SetupError extends Error {
  /**
   * @param {string} message
   * @param {number} [exitCode] - the process's exit status, 1 when not given
   */
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * One line of progress, on stderr: stdout belongs to what was asked for.
 *
 * @param {string} line
 */
export function say(line) {
  process.stderr.write(`seamlab: ${line}\n`);
}

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();
// However this process ends, what it has started goes with it.
process.once('exit', () => children.forEach((child) => child.kill()));

/**
 * Runs a command with its output shown.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: Record<string, string | undefined>, quiet?: boolean, live?: boolean, inherit?: boolean, shell?: boolean, timeout?: number }} [options]
 *   quiet: output is kept and only returned; live: it goes to stdout as well;
 *   inherit: the command writes to this process's stdout and stderr itself; timeout: milliseconds after which the command is ended
 * @returns {Promise<{ code: number, output: string }>} code 127 when the command does not exist, 124 after the
 *   timeout, 128 + n after signal n; output is empty unless quiet
 */
export function run(
  command,
  args,
  { cwd = root, env, quiet = false, live = false, inherit = false, shell = false, timeout } = {},
) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      shell,
      env: { ...process.env, ...env },
      stdio: inherit
        ? ['ignore', 'inherit', 'inherit']
        : ['ignore', quiet ? 'pipe' : process.stderr, quiet ? 'pipe' : process.stderr],
    });
    children.add(child);
    /** @type {Buffer[]} */
    const output = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        output.push(chunk);
        if (live) process.stdout.write(chunk);
      });
    }
    let timedOut = false;
    const timer =
      timeout === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            child.kill('SIGKILL');
          }, timeout);
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ code: 127, output: error.message });
    });
    child.on('close', (code, signal) => {
      children.delete(child);
      clearTimeout(timer);
      resolve({
        code: timedOut ? 124 : (code ?? 128 + (signal === 'SIGKILL' ? 9 : 15)),
        output: Buffer.concat(output).toString('utf8'),
      });
    });
  });
}

/**
 * Runs npm: the very one that runs this script, when one does.
 *
 * @param {readonly string[]} args
 * @param {Parameters<typeof run>[2]} [options]
 */
export function npm(args, options = {}) {
  const cli = process.env['npm_execpath'];
  if (cli?.endsWith('.js')) return run(process.execPath, [cli, ...args], options);
  return run('npm', args, { ...options, shell: process.platform === 'win32' });
}

/**
 * Runs the program of an installed package, without npx and its start-up time.
 *
 * @param {string} file - the program, relative to node_modules
 * @param {readonly string[]} args
 * @param {Parameters<typeof run>[2]} [options]
 */
export function tool(file, args, options = {}) {
  return run(process.execPath, [join(root, 'node_modules', file), ...args], options);
}

/**
 * Whether a program is on the PATH.
 *
 * @param {string} program
 */
export function has(program) {
  const finder = process.platform === 'win32' ? 'where' : 'which';
  return spawnSync(finder, [program], { stdio: 'ignore' }).status === 0;
}

/**
 * Runs a script's main function; a SetupError ends it with its message alone.
 *
 * @param {() => Promise<number | void>} main - resolves to the exit status; nothing leaves it as it is
 */
export async function entry(main) {
  try {
    const code = await main();
    if (code !== undefined) process.exitCode = code;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    process.exitCode = error.exitCode;
  }
}
