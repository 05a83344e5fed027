import { expect, test } from 'vitest';
import { TRACE_LOOK } from '../../src-main/contract';
import { filterText, showNs } from './rows';

test('nanoseconds are grouped by thousands', () => {
  expect([0, 950, 17_450, 1_234_567].map(showNs)).toEqual(['0', '950', '17 450', '1 234 567']);
});

test('a filter says what it shows', () => {
  const { filter } = TRACE_LOOK;
  expect(filterText(filter)).toBe('tracepoints, marks');
  expect(filterText({ ...filter, text: ' kvm_exit ', without: ['seam', 'guest'] })).toBe(
    '"kvm_exit": tracepoints, marks, without TDX module and guest',
  );
  expect(filterText({ ...filter, tracepoints: false, marks: false })).toBe('actions alone');
});
