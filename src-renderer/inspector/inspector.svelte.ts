import { SvelteSet } from 'svelte/reactivity';
import type { FieldDoc } from '../../src-lab/view';
import { branchesTo, linesOf, textOf, treeOf, type Line } from './tree';

/** Lines that are drawn at once: more than any screen has room for. A machine of eight vCPUs has thousands. */
const PART = 100;

/** The state tree as it is shown: which branches are open, what is searched, where the keyboard is. Holds no DOM. */
export class InspectorState {
  #query = $state('');
  #changedOnly = $state(false);
  /** Path of the line that the keyboard is on. */
  current: string | null = $state(null);
  readonly #fields: readonly FieldDoc[];
  readonly #open: SvelteSet<string>;
  readonly #changed: () => ReadonlySet<number>;
  /** What a search looks at, of each field; made when it is first needed. */
  readonly #texts: readonly string[] = $derived.by(() => this.#fields.map(textOf));
  /** Lines that there is room for. */
  #room = $state(PART);
  readonly nodes;

  /**
   * @param changed - indices of the fields that the last input changed.
   * @param open - branches that are open at first.
   */
  constructor(fields: readonly FieldDoc[], changed: () => ReadonlySet<number>, open: readonly string[] = []) {
    this.#fields = fields;
    this.#changed = changed;
    this.nodes = treeOf(fields);
    this.#open = new SvelteSet(open);
  }

  /** What is looked for; every word of it is part of a field's path, documentation or source. */
  get query(): string {
    return this.#query;
  }
  set query(query: string) {
    this.#query = query;
    this.#room = PART;
  }

  /** Only what the last input changed. */
  get changedOnly(): boolean {
    return this.#changedOnly;
  }
  set changedOnly(changedOnly: boolean) {
    this.#changedOnly = changedOnly;
    this.#room = PART;
  }

  /** Indices of the fields that are shown; null: all. */
  readonly #kept: ReadonlySet<number> | null = $derived.by(() => {
    const words = this.#query
      .toLowerCase()
      .split(/\s+/)
      .filter((word) => word !== '');
    const changed = this.#changedOnly ? this.#changed() : null;
    if (words.length === 0) return changed;
    const answers = (i: number): boolean => words.every((word) => this.#texts[i]!.includes(word));
    return new Set((changed === null ? [...this.#texts.keys()] : [...changed]).filter(answers));
  });

  readonly lines: readonly Line[] = $derived.by(() => {
    const kept = this.#kept;
    return linesOf(this.nodes, (path) => this.#open.has(path), kept === null ? null : (i) => kept.has(i));
  });

  /** The lines that are in the document: as many as there is room for, and what surrounds the keyboard. */
  readonly drawn: readonly Line[] = $derived.by(() => {
    const at = this.lines.findIndex(({ node }) => node.path === this.stop);
    return this.lines.slice(0, Math.max(this.#room, at + PART));
  });

  /** How many of the fields that the last input changed lie at a path or below it. */
  readonly tallies: ReadonlyMap<string, number> = $derived.by(() => {
    const tallies = new Map<string, number>();
    for (const i of this.#changed()) {
      const { path } = this.#fields[i]!;
      for (const at of [path, ...branchesTo(path)]) tallies.set(at, (tallies.get(at) ?? 0) + 1);
    }
    return tallies;
  });

  /** The end of what is drawn comes into view: draws more. */
  drawMore(): void {
    if (this.drawn.length < this.lines.length) this.#room = this.drawn.length + PART;
  }

  /** The line that Tab reaches: the current one while it is shown, else the first. */
  readonly stop: string | null = $derived(
    this.lines.some(({ node }) => node.path === this.current)
      ? this.current
      : (this.lines[0]?.node.path ?? null),
  );

  toggle(path: string, open: boolean = !this.#open.has(path)): void {
    if (open) this.#open.add(path);
    else this.#open.delete(path);
  }

  /** Opens every branch on the way to a field and goes there; a search that hides it ends. */
  reveal(path: string): void {
    for (const branch of branchesTo(path)) this.#open.add(branch);
    this.query = '';
    this.changedOnly = false;
    this.current = path;
  }

  /**
   * What a key does, as trees do: arrows move, open and close; Home and End go to the ends; a letter to the next line that
   * begins with it.
   *
   * @returns whether the key meant something.
   */
  press(key: string): boolean {
    const { lines } = this;
    const at = lines.findIndex(({ node }) => node.path === this.stop);
    const line = lines[at];
    if (line === undefined) return false;
    const go = (i: number): true => {
      this.current = lines[Math.max(0, Math.min(lines.length - 1, i))]!.node.path;
      return true;
    };
    const isBranch = line.node.children.length > 0;
    switch (key) {
      case 'ArrowDown':
        return go(at + 1);
      case 'ArrowUp':
        return go(at - 1);
      case 'Home':
        return go(0);
      case 'End':
        return go(lines.length - 1);
      case 'ArrowRight':
        if (isBranch && !line.open) this.toggle(line.node.path, true);
        else if (isBranch) go(at + 1);
        return true;
      case 'ArrowLeft':
        if (isBranch && line.open) this.toggle(line.node.path, false);
        else if (line.parent !== null) this.current = line.parent;
        return true;
      case '*':
        for (const sibling of lines) if (sibling.parent === line.parent) this.toggle(sibling.node.path, true);
        return true;
    }
    if (key.length !== 1 || key === ' ') return false;
    const after = [...lines.slice(at + 1), ...lines.slice(0, at + 1)];
    const hit = after.find(({ node }) => node.name.toLowerCase().startsWith(key.toLowerCase()));
    if (hit !== undefined) this.current = hit.node.path;
    return hit !== undefined;
  }
}
