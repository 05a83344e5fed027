import type { ActionDoc } from '../../src-lab/view';
import { commandLine, initialOf, parseCommand, type Parsed, type Vocabulary } from './command';

/** An action being composed from lists instead of typed: who, what, with which parameters. Holds no DOM. */
export class Composer {
  readonly #vocabulary: () => Vocabulary;
  actor = $state('');
  verb = $state('');
  /** Only begin it; every step is then chosen by the learner. */
  hold = $state(false);
  values: Readonly<Record<string, string>> = $state.raw({});

  constructor(vocabulary: () => Vocabulary) {
    this.#vocabulary = vocabulary;
    this.chooseActor(vocabulary().actions[0]?.actor ?? '');
  }

  get actors(): string[] {
    return [...new Set(this.#vocabulary().actions.map(({ actor }) => actor))];
  }
  get verbs(): ActionDoc[] {
    return this.#vocabulary().actions.filter(({ actor }) => actor === this.actor);
  }
  get doc(): ActionDoc | undefined {
    return this.verbs.find(({ verb }) => verb === this.verb);
  }
  /** The line that the console would take. */
  get command(): string {
    const { doc } = this;
    return doc === undefined ? '' : `${this.hold ? 'hold ' : ''}${commandLine(doc, this.values)}`;
  }
  get parsed(): Parsed {
    return parseCommand(this.command, this.#vocabulary());
  }

  chooseActor(actor: string): void {
    this.actor = actor;
    this.chooseVerb(this.verbs[0]?.verb ?? '');
  }

  /** Parameters that the new verb shares with the old one keep their values. */
  chooseVerb(verb: string): void {
    const kept = this.values;
    this.verb = verb;
    const vocabulary = this.#vocabulary();
    this.values = Object.fromEntries(
      (this.doc?.params ?? []).map((param) => {
        const shared = param.type === 'vm' || param.type === 'vcpu';
        return [param.name, (shared ? kept[param.name] : undefined) ?? initialOf(param, vocabulary)];
      }),
    );
  }

  set(name: string, value: string): void {
    this.values = { ...this.values, [name]: value };
  }
}
