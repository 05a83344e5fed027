import { expect, test } from 'vitest';
import { event } from '../testing';
import { graphText } from './graph';

const row = (joins: boolean, ...given: Parameters<typeof event>): string => {
  const { name, rest, took } = graphText(event(...given), joins);
  return `${name} ${rest} ${took}`.trimEnd();
};
const leaf = { type: 'call', name: 'vmx_sync_pir_to_irr', leaf: '-1', took: 50 } as const;

test('a call in which nothing else happened is one row with its result, others open and close', () => {
  expect(row(true, 0, leaf)).toBe('vmx_sync_pir_to_irr(); = -1 0.050 us');
  expect(row(true, 0, { ...leaf, leaf: null, took: null })).toBe('vmx_sync_pir_to_irr() {');
  expect(row(true, 0, { type: 'return', name: 'vcpu_run', text: '1', took: 1_200 })).toBe(
    '} vcpu_run = 1 1.200 us',
  );
  expect(row(true, 0, { type: 'tracepoint', name: 'kvm_entry', text: 'vcpu 0' })).toBe('kvm_entry vcpu 0');
});

test('where calls and returns are looked for apart, the duration stands with the return', () => {
  expect(row(false, 0, leaf)).toBe('vmx_sync_pir_to_irr() {');
  expect(row(false, 0, { type: 'return', name: leaf.name, text: '-1', took: 50 })).toBe(
    '} vmx_sync_pir_to_irr = -1 0.050 us',
  );
});

test('a return whose call the trace no longer has says so by having no duration', () => {
  expect(row(true, 0, { type: 'return', name: 'vcpu_run', text: '0' })).toBe('} vcpu_run = 0');
});
