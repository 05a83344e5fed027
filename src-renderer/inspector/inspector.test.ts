import { describe, expect, test } from 'vitest';
import type { FieldDoc } from '../../src-lab/view';
import { InspectorState } from './inspector.svelte';
import { linesOf, treeOf } from './tree';

const field = (path: string, layer: FieldDoc['layer'] = 'kvm', doc = ''): FieldDoc => ({
  path,
  doc,
  source: 'S-1',
  layer,
  kind: 'number',
  width: 8,
  names: [],
});
const fields = [
  field('now', 'hardware'),
  field('td.type'),
  field('td.vcpu0.mp_state', 'kvm', 'Multiprocessing state'),
  field('td.vcpu0.apic.pending_events', 'kvm', 'INIT and SIPI that are latched'),
  field('td.vcpu0.guest.started', 'guest'),
];
const shown = (inspector: InspectorState): string[] =>
  inspector.lines.map(({ node, level }) => `${level} ${node.path}`);

describe('the tree of the state', () => {
  test('is what the paths make, in the order of the declaration, leaves before branches', () => {
    const lines = linesOf(treeOf(fields), () => true);
    expect(lines.map(({ node }) => node.path)).toEqual([
      'now', 'td', 'td.type', 'td.vcpu0', 'td.vcpu0.mp_state', 'td.vcpu0.apic', 'td.vcpu0.apic.pending_events', 'td.vcpu0.guest',
      'td.vcpu0.guest.started',
    ]); // prettier-ignore
    expect(lines.find(({ node }) => node.path === 'td.vcpu0')).toMatchObject({
      level: 2,
      position: 2,
      siblings: 2,
      parent: 'td',
    });
  });

  test('a branch has a layer only when all its leaves share it', () => {
    const [, td] = treeOf(fields);
    expect(td!.layer).toBeNull();
    expect(td!.children[1]!.children.map(({ name, layer }) => [name, layer])).toEqual([
      ['mp_state', 'kvm'],
      ['apic', 'kvm'],
      ['guest', 'guest'],
    ]);
  });
});

describe('the inspector', () => {
  const none: ReadonlySet<number> = new Set();

  test('counts at every branch what has changed below it', () => {
    const { tallies } = new InspectorState(fields, () => new Set([1, 2, 3]));
    const [, ...td] = fields.slice(0, 4).map(({ path }) => path);
    expect(td.map((path) => tallies.get(path))).toEqual([1, 1, 1]);
    expect([tallies.get('td'), tallies.get('now')]).toEqual([3, undefined]);
  });

  test('draws a part of many lines, more when the end is near, and always the one with the keyboard', () => {
    const many = Array.from({ length: 450 }, (_, i) => field(`td.field${i}`));
    const inspector = new InspectorState(many, () => none, ['td']);
    const last = (): string => inspector.drawn.at(-1)!.node.path;
    expect(inspector.lines).toHaveLength(451);
    expect(last()).toBe('td.field98');
    inspector.drawMore();
    expect(last()).toBe('td.field198');
    inspector.press('End');
    expect(last()).toBe('td.field449');
    inspector.press('Home');
    inspector.query = 'field';
    expect(last()).toBe('td.field98');
  });

  test('begins closed', () => {
    expect(shown(new InspectorState(fields, () => none))).toEqual(['1 now', '1 td']);
  });

  test('a search shows what answers to every word, opened, and nothing else', () => {
    const inspector = new InspectorState(fields, () => none);
    inspector.query = 'vcpu0 latched';
    expect(shown(inspector)).toEqual([
      '1 td',
      '2 td.vcpu0',
      '3 td.vcpu0.apic',
      '4 td.vcpu0.apic.pending_events',
    ]);
    inspector.query = 'nothing has this';
    expect(shown(inspector)).toEqual([]);
    expect(inspector.stop).toBeNull();
  });

  test('only what changed can be shown', () => {
    const inspector = new InspectorState(fields, () => new Set([2]));
    inspector.changedOnly = true;
    expect(shown(inspector)).toEqual(['1 td', '2 td.vcpu0', '3 td.vcpu0.mp_state']);
  });

  test('revealing a field opens the way and ends the search', () => {
    const inspector = new InspectorState(fields, () => none);
    inspector.query = 'now';
    inspector.reveal('td.vcpu0.guest.started');
    expect(inspector.stop).toBe('td.vcpu0.guest.started');
    expect(shown(inspector)).toContain('4 td.vcpu0.guest.started');
  });

  test('keys move, open, close and find, as in every tree', () => {
    const inspector = new InspectorState(fields, () => none);
    const press = (...keys: string[]): string | null => {
      for (const key of keys) inspector.press(key);
      return inspector.stop;
    };
    expect(press('ArrowDown')).toBe('td');
    expect(press('ArrowRight', 'ArrowRight')).toBe('td.type');
    expect(press('ArrowDown', 'ArrowRight', 'ArrowRight')).toBe('td.vcpu0.mp_state');
    expect(press('g')).toBe('td.vcpu0.guest');
    expect(press('ArrowLeft')).toBe('td.vcpu0');
    expect(press('ArrowLeft', 'End')).toBe('td.vcpu0');
    expect(press('ArrowLeft', 'ArrowLeft')).toBe('td');
    expect(press('End')).toBe('td');
    expect(press('Home')).toBe('now');
    expect(inspector.press('Enter')).toBe(false);
  });
});
