import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readAttempt } from '../src-lab/attempt';
import { parseCommand } from '../src-lab/command';
import type { Input } from '../src-lab/input';
import { loadLab, type Lab } from '../src-lab/lab';
import { SolutionSource } from '../src-lab/schema';
import { LabSession } from '../src-lab/session';
import { entryLine, headerLine, transcriptFile } from '../src-lab/transcript';
import { readYaml } from '../src-lab/yaml';
import { labFolders, labPath, readLab } from '../src-main/labs';
import { SIM_VERSION } from '../src-sim';

/** A lab and the inputs that earn every point of it. */
export interface Solved {
  readonly lab: Lab;
  readonly solution: readonly Input[];
}

/** Every lab of a folder with its solution. @throws Error for a lab that cannot be loaded. */
export function solvedLabs(root: string): Solved[] {
  return labFolders(root).map((folder) => {
    const read = readLab(labPath(root, folder)!);
    const load = read.ok ? loadLab(read.files) : null;
    const source = read.ok
      ? readYaml(SolutionSource, 'solution.yaml', read.files.get('solution.yaml')!)
      : null;
    if (!load?.ok || !source?.ok) throw new Error(`${folder} cannot be loaded`);
    const solution = readAttempt('solution.yaml', source.file).inputs.map(({ input }) => input);
    return { lab: load.lab, solution };
  });
}

const uuid = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;

/** What learners do beside the point: they send things, look back, take single steps, begin anew. */
function byTheWay(vm: string, vcpus: number, random: (below: number) => number): Input {
  const act = (command: string): Input => {
    const read = parseCommand(command);
    if (!read.ok) throw new Error(read.message);
    return { kind: 'act', action: read.action };
  };
  const vcpu = random(vcpus);
  switch (random(6)) {
    case 0:
      return act(`vmm KVM_SIGNAL_MSI vm=${vm} dest=${vcpu} delivery_mode=INIT`);
    case 1:
      return act(`vmm KVM_RUN vm=${vm} vcpu=${vcpu}`);
    case 2:
      return act(`vmm KVM_NMI vm=${vm} vcpu=${vcpu}`);
    case 3:
      return { kind: 'jump', moment: random(200) };
    case 4:
      return { kind: 'step', thread: `${vm}.vcpu${vcpu}` };
    default:
      return { kind: 'run' };
  }
}

/**
 * The transcript of a learner who does what a solution does, with other things between, until there are `inputs`.
 * The same seed gives the same transcript.
 */
export function transcriptOf({ lab, solution }: Solved, inputs: number, seed: number): string {
  let state = seed * 2_654_435_761 + 1;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const [vm, vcpus] = Object.entries(lab.source.platform.vms)[
    random(Object.keys(lab.source.platform.vms).length)
  ]!;
  const session = new LabSession(lab, uuid(seed));
  const head = {
    lab: lab.id,
    labHash: lab.contentHash,
    simVersion: SIM_VERSION,
    session: uuid(seed),
    started: 1.8e12,
  };
  const header = headerLine(head);
  const lines: string[] = [];
  let next = 0;
  while (lines.length < inputs) {
    const own = next < solution.length && random(inputs) < solution.length * 2;
    const input = own ? solution[next++]! : byTheWay(vm, vcpus, random);
    if (!session.apply(input).accepted) continue;
    const n = lines.length + 1;
    lines.push(entryLine(lines.at(-1) ?? header, { n, at: n * 20_000, input }));
  }
  return transcriptFile(header, lines);
}

/** Writes the transcripts of a class to a folder, spread over all labs. */
export function writeClass(folder: string, labs: readonly Solved[], learners: number, inputs: number): void {
  mkdirSync(folder, { recursive: true });
  for (let i = 0; i < learners; i++) {
    const text = transcriptOf(labs[i % labs.length]!, inputs, i + 1);
    writeFileSync(join(folder, `learner-${String(i + 1).padStart(4, '0')}.jsonl`), text);
  }
}
