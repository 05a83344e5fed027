import { expect, test } from 'vitest';
import { thread } from '../testing';
import { gridOf, tracksOf } from './grid';
import { stageOf, type Seen } from './stage';
import type { Token } from './tokens';

function groupsOf(values: Record<string, string>) {
  const seen: Seen = {
    threads: [thread('vmm'), thread('td.vcpu0', { cpu: 1 }), thread('vmx.vcpu0', { cpu: 2 })],
    locks: [],
    count: 0,
    lastAction: 0,
    event: () => undefined,
    value: (path) => values[path],
    hasChanged: () => false,
  };
  return stageOf(seen);
}
const both = {
  'td.type': 'KVM_X86_TDX_VM',
  'vmx.type': 'KVM_X86_DEFAULT_VM',
  'td.vcpu0.created': '1',
  'vmx.vcpu0.created': '1',
};

test('lanes follow one another without a gap, the wall alone between TDX module and KVM', () => {
  const { lanes, wall, end, rows } = gridOf(groupsOf(both));
  expect(lanes.map(({ layer }) => layer)).toEqual(['guest', 'seam', 'kvm', 'vmm', 'hardware']);
  lanes.slice(1).forEach(({ layer, rail }, i) => expect(rail - lanes[i]!.end).toBe(layer === 'kvm' ? 2 : 1));
  expect(wall).toBe(lanes[2]!.rail - 1);
  expect(end).toBe(lanes.at(-1)!.end + 1);
  expect(rows.split(/ (?![^()]*\))/)).toHaveLength(end - 1);
});

test('rows for interrupts are there before there is one, so that nothing jumps; PEND_NMI only with a TD', () => {
  const shown = (values: Record<string, string>) =>
    gridOf(groupsOf(values)).lanes.flatMap(({ lines }) => lines.map(({ shows }) => shows));
  expect(shown(both)).toEqual(expect.arrayContaining(['isr', 'irr', 'pend', 'kvm', 'pir', 'cpu']));
  expect(shown({ ...both, 'td.type': 'NONE' })).not.toContain('pend');
});

test('the track of an interrupt runs past every place where it lay', () => {
  const groups = groupsOf(both);
  const grid = gridOf(groups);
  const rowOf = (place: string) =>
    grid.lanes.flatMap(({ lines }) => lines).find(({ shows }) => shows === place)!.row;
  const token: Token = {
    key: 'td.vcpu0 0x31',
    label: '0x31',
    kind: 'vector',
    place: 'isr',
    fate: 'ended',
    say: '',
    path: null,
    route: (['kvm', 'pir', 'irr', 'isr'] as const).map((place, n) => ({ place, n })),
    from: 'vmm',
  };
  const [column] = groups[1]!.columns;
  expect(tracksOf(grid, { ...column!, tokens: [token, { ...token, key: 'still', route: [] }] })).toEqual([
    {
      key: token.key,
      isLost: false,
      rows: `${rowOf('isr')} / ${rowOf('pir') + 1}`,
      stops: ['kvm', 'pir', 'irr', 'isr'].map(rowOf),
    },
  ]);
});
