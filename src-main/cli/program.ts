import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GradeOptions } from './grade';
import type { Format } from './gradebook';
import type { RunOptions } from './run';
import { STATUS, type Status, type Terminal } from './terminal';

/** Forms in which a gradebook is printed; see gradebook.ts. */
const FORMATS: readonly Format[] = ['table', 'csv', 'json'];

/**
 * Runs one command line.
 *
 * What a command needs is loaded when it is used: `--help` and a small scenario must not wait for everything else.
 *
 * @param args - what follows the program's name.
 * @returns the exit status; see `STATUS`.
 */
export async function main(args: readonly string[], terminal: Terminal): Promise<Status> {
  let status: Status = STATUS.held;
  const program = build(terminal, (ended) => (status = ended));
  try {
    await program.parseAsync([...args], { from: 'user' });
    return status;
  } catch (error) {
    // Help and version are no errors to the one who asked for them.
    if (error instanceof CommanderError) return error.exitCode === 0 ? STATUS.held : STATUS.wrong;
    throw error;
  }
}

function build(terminal: Terminal, end: (status: Status) => void): Command {
  const program = new Command('seamlab')
    .description(
      'Runs scenarios on the simulated machine, grades transcripts of labs, makes and checks labs.',
    )
    .version(version(terminal.root), '-V, --version', 'print the version and exit')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => terminal.out(text),
      writeErr: (text) => terminal.err(text),
      getOutHasColors: () => terminal.color,
      getErrHasColors: () => terminal.color,
    })
    .showHelpAfterError('(seamlab --help tells how)')
    .addHelpText('after', EXIT_STATUS);

  example(
    program
      .command('run')
      .description('Run scenario files: print trace and verdicts.')
      .argument('<files...>', 'scenario files (YAML)')
      .option('-j, --json', 'print one JSON document a file')
      .option('-q, --quiet', 'print failed expectations and the result only')
      .option('-b, --bring-up', 'also show what happens inside "boot"')
      .option('-a, --at <moment>', 'print state at this moment instead of the trace', moment)
      .option('-s, --show <paths...>', 'state paths to print, whole or their beginning; default: all')
      .option('-t, --trace <file>', 'also write the trace of the one scenario into a file')
      .addOption(
        new Option(
          '-f, --trace-format <format>',
          'trace-cmd text, function graph, or JSON for ui.perfetto.dev',
        )
          .choices(['text', 'graph', 'perfetto'])
          .default('text'),
      )
      .action(async (files: string[], options: RunOptions) => {
        const { runFiles } = await import('./run');
        end(runFiles(files, options, terminal));
      }),
    [
      'seamlab run init.yaml',
      'seamlab run init.yaml --at 120 --show td.vcpu1.mp_state td.vcpu1.apic',
      'seamlab run --quiet src-sim/scenario/examples/*.yaml',
      'seamlab run init.yaml --json | jq .expectations',
      'seamlab run init.yaml --quiet --trace init.json --trace-format perfetto',
    ],
  );
  example(
    program
      .command('grade')
      .description('Grade transcripts that the application exported, by replaying them: a gradebook.')
      .argument('<paths...>', 'transcripts, or folders of them (*.jsonl, *.seamlab)')
      .addOption(new Option('-f, --format <form>', 'form of the gradebook').choices(FORMATS).default('table'))
      .option('-j, --json', 'the same as --format json')
      .option('-o, --out <file>', 'write the gradebook to this file')
      .option('--labs <folder>', 'folder of the labs', join(terminal.root, 'labs'))
      .option('--regrade', 'preview what transcripts of other versions of a lab would earn now')
      .option('--before <path>', 'for --regrade: folder of the labs as they were, or a gradebook in JSON')
      .option('--jobs <n>', 'threads; default: by the size of the transcripts and the processors', jobs)
      .action(async (paths: string[], options: GradeOptions) => {
        const { gradeFiles } = await import('./grade');
        end(await gradeFiles(paths, options, terminal));
      }),
    [
      'seamlab grade ann.jsonl',
      'seamlab grade class/ --format csv --out gradebook.csv',
      'seamlab grade class/ --format json --out gradebook.json',
      'seamlab grade class/ --regrade --before gradebook.json',
    ],
  );
  const lab = program.command('lab').description('Tools for authors of labs.');
  example(
    lab
      .command('check')
      .description('Check labs as their authors must leave them.')
      .argument('[name]', 'folder name of a lab; default: all')
      .option('-j, --json', 'print one JSON document')
      .option('--labs <folder>', 'folder of the labs', join(terminal.root, 'labs'))
      .action(async (name: string | undefined, options: { json?: true; labs: string }) => {
        const { checkLabs } = await import('./lab');
        end(checkLabs(name, options, terminal));
      }),
    ['seamlab lab check', 'seamlab lab check 02-init-sipi'],
  );
  example(
    lab
      .command('new')
      .description('Make the folder of a new lab: a small one that passes the check.')
      .argument('<name>', 'lower-case words joined by hyphens; a number in front is its place in the course')
      .option('--labs <folder>', 'folder of the labs', join(terminal.root, 'labs'))
      .action(async (name: string, options: { labs: string }) => {
        const { newLab } = await import('./lab');
        end(newLab(name, options, terminal));
      }),
    ['seamlab lab new 90-first', 'seamlab lab new first --labs ~/labs'],
  );
  example(
    lab
      .command('preview')
      .description('Open a lab in the application, which reads it again whenever it is saved.')
      .argument('<name>', 'folder name of a lab, or the path of its folder')
      .option('--labs <folder>', 'folder of the labs', join(terminal.root, 'labs'))
      .action(async (name: string, options: { labs: string }) => {
        const { previewLab } = await import('./lab');
        end(await previewLab(name, options, terminal));
      }),
    ['seamlab lab preview 90-first', 'seamlab lab preview ~/labs/first'],
  );
  example(
    lab
      .command('schema')
      .description('Print the JSON Schema of a file that authors of labs write.')
      .argument('[file]', 'lab, solution or wrong', 'lab')
      .action(async (file: string) => {
        const { labSchema } = await import('./lab');
        end(labSchema(file, terminal));
      }),
    ['seamlab lab schema > lab.schema.json', 'seamlab lab schema solution'],
  );
  example(
    program
      .command('fact')
      .description('Print what facts of the references say, and where they are from.')
      .argument('[names...]', 'ids of facts, or groups of them; default: all')
      .option('-j, --json', 'print one JSON document')
      .option('--labs <folder>', 'folder of labs that may have facts of its own', join(terminal.root, 'labs'))
      .action(async (names: string[], options: { json?: true; labs: string }) => {
        const { printFacts } = await import('./fact');
        end(printFacts(names, options, terminal));
      }),
    ['seamlab fact INIT-5', 'seamlab fact x86:SIPI tdx:NMI', 'seamlab fact --json'],
  );
  const scenario = program.command('scenario').description('Tools for authors of scenarios.');
  example(
    scenario
      .command('schema')
      .description('Print the JSON Schema of scenario files.')
      .action(async () => {
        const { scenarioJsonSchema } = await import('../../src-sim/scenario/scenario-format');
        terminal.out(scenarioJsonSchema());
      }),
    ['seamlab scenario schema > scenario.schema.json'],
  );
  return program;
}

const EXIT_STATUS = `
Exit status:
  0  everything held
  1  an expectation, an invariant or a lab failed, or a transcript was refused
  2  a file or the command line is wrong; standard error says where
  3  a limit was reached before the end
130  it was interrupted

Examples:
  $ seamlab run src-sim/scenario/examples/td-init-stays-latched.yaml
  $ seamlab grade class/
  $ seamlab lab check
`;

function example(command: Command, lines: readonly string[]): void {
  command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  $ ${line}\n`).join('')}`);
}

function moment(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('A moment is a whole number from 0 on.');
  return Number(text);
}

function jobs(text: string): number {
  if (!/^[1-9]\d?$/.test(text)) throw new InvalidArgumentError('A number of threads is 1 to 99.');
  return Number(text);
}

function version(root: string): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return version;
}
