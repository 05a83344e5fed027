import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Input } from '../src-lab/input';
import { scriptOf, type ScriptStep } from '../src-lab/sandbox';
import type { SandboxView } from '../src-lab/view';
import { parseScenario, type Scenario } from '../src-sim/scenario/scenario';
import type { ScenarioCard } from './workshop';

interface Read {
  readonly card: ScenarioCard;
  readonly scenario: Scenario;
  /** Its steps, once somebody asked for them: that runs it. */
  steps: readonly ScriptStep[] | null;
}

/** The scenarios that ship with the application. Read when they are first asked for; they do not change while it runs. */
export class Scenarios {
  #read: ReadonlyMap<string, Read> | null = null;

  /** @param folder - holds `NAME.yaml`; whatever else is there is left alone, and so is a file that is no scenario. */
  constructor(private readonly folder: string) {}

  /** In the order of their names. */
  cards(): ScenarioCard[] {
    return [...this.#all().values()].map(({ card }) => card);
  }

  /** @returns null when there is none of that name. */
  find(id: string): { card: ScenarioCard; steps: Input[] } | null {
    const read = this.#all().get(id);
    if (read === undefined) return null;
    return { card: read.card, steps: stepsOf(read).map(({ input }) => input) };
  }

  /** What the screen shows of it. @returns null when there is none of that name. */
  script(id: string | null): SandboxView['scenario'] {
    const read = id === null ? undefined : this.#all().get(id);
    if (read === undefined) return null;
    const { title, description } = read.card;
    return { id: read.card.id, title, description, steps: [...stepsOf(read)] };
  }

  #all(): ReadonlyMap<string, Read> {
    return (this.#read ??= new Map(
      namesIn(this.folder).flatMap((name) => {
        const text = readFileSync(join(this.folder, name), 'utf8');
        const parsed = parseScenario(text);
        const id = name.slice(0, -ENDING.length);
        return parsed.ok
          ? [[id, { card: cardOf(id, text, parsed.value), scenario: parsed.value, steps: null }]]
          : [];
      }),
    ));
  }
}

function stepsOf(read: Read): readonly ScriptStep[] {
  return (read.steps ??= scriptOf(read.scenario));
}

const ENDING = '.yaml';

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith(ENDING))
      .sort();
  } catch {
    return [];
  }
}

function cardOf(id: string, text: string, { title, platform, steps }: Scenario): ScenarioCard {
  const { vms, switches = {} } = platform;
  return {
    id,
    title,
    description: descriptionOf(text),
    vms,
    switches: Object.entries(switches).flatMap(([name, on]) => (on ? [name] : [])),
    steps: steps.filter(({ kind }) => kind !== 'expect').length,
  };
}

/** The comment with which the file begins, without what is said to editors. */
function descriptionOf(text: string): string {
  const lines = text.split('\n');
  const end = lines.findIndex((line) => !line.startsWith('#'));
  return lines
    .slice(0, end)
    .filter((line) => !line.includes('yaml-language-server'))
    .map((line) => line.replace(/^#\s?/, ''))
    .join(' ')
    .replaceAll('`', '')
    .trim();
}
