import type { FieldDoc } from '../../src-lab/view';

/** A node of the state tree: a branch has children, a leaf has the index of its field. */
export interface Node {
  /** Path up to here; unique. */
  readonly path: string;
  readonly name: string;
  readonly layer: FieldDoc['layer'] | null;
  readonly field: number | null;
  readonly children: readonly Node[];
}

interface Draft {
  readonly path: string;
  readonly name: string;
  field: number | null;
  readonly children: Map<string, Draft>;
}

/**
 * The tree that the paths of the fields make, in their order, leaves before branches. A branch has the layer that all its
 * leaves share.
 */
export function treeOf(fields: readonly FieldDoc[]): Node[] {
  const root: Draft = { path: '', name: '', field: null, children: new Map() };
  fields.forEach(({ path }, i) => {
    let at = root;
    for (const name of path.split('.')) {
      let next = at.children.get(name);
      if (next === undefined) {
        next = { path: at.path === '' ? name : `${at.path}.${name}`, name, field: null, children: new Map() };
        at.children.set(name, next);
      }
      at = next;
    }
    at.field = i;
  });
  const finish = (draft: Draft): Node => {
    const all = [...draft.children.values()].map(finish);
    const children = [
      ...all.filter((node) => node.children.length === 0),
      ...all.filter((node) => node.children.length > 0),
    ];
    const own = draft.field === null ? null : fields[draft.field]!.layer;
    const [first] = children;
    const shared =
      first !== undefined && children.every(({ layer }) => layer === first.layer) ? first.layer : null;
    return { path: draft.path, name: draft.name, field: draft.field, layer: own ?? shared, children };
  };
  return finish(root).children as Node[];
}

/** A line of the tree as it is shown. `level` is 1 for the outermost, as ARIA counts. */
export interface Line {
  readonly node: Node;
  readonly level: number;
  readonly open: boolean;
  readonly parent: string | null;
  readonly position: number;
  readonly siblings: number;
}

/**
 * The visible lines, top to bottom.
 *
 * @param isOpen - whether a branch shows its children.
 * @param keeps - leaves that are shown; branches without any are left out. Null: all of them.
 */
export function linesOf(
  nodes: readonly Node[],
  isOpen: (path: string) => boolean,
  keeps: ((field: number) => boolean) | null = null,
): Line[] {
  const lines: Line[] = [];
  const holds = (node: Node): boolean =>
    keeps === null || (node.field !== null && keeps(node.field)) || node.children.some(holds);
  const walk = (siblings: readonly Node[], level: number, parent: string | null): void => {
    const shown = siblings.filter(holds);
    shown.forEach((node, i) => {
      const open = node.children.length > 0 && (keeps !== null || isOpen(node.path));
      lines.push({ node, level, open, parent, position: i + 1, siblings: shown.length });
      if (open) walk(node.children, level + 1, node.path);
    });
  };
  walk(nodes, 1, null);
  return lines;
}

/** What a search looks at: path, documentation and source of a field, in small letters. */
export function textOf({ path, doc, source }: FieldDoc): string {
  return `${path} ${doc} ${source}`.toLowerCase();
}

/** Every branch on the way to `path`, outermost first. */
export function branchesTo(path: string): string[] {
  const names = path.split('.');
  return names.slice(0, -1).map((_, i) => names.slice(0, i + 1).join('.'));
}
