import type { EventView } from '../../src-lab/view';
import type { TraceFilter } from '../../src-main/contract';

/** Nanoseconds with thin groups: `17 450`. */
export function showNs(ns: number): string {
  return String(ns).replace(/\B(?=(\d{3})+$)/g, ' ');
}

const LAYER_WORDS: Readonly<Record<EventView['layer'], string>> = {
  guest: 'guest',
  seam: 'TDX module',
  kvm: 'KVM',
  vmm: 'VMM',
  hardware: 'hardware',
};

/** A filter in words, as the list of kept ones names it: `"kvm_exit": tracepoints, marks, without guest`. */
export function filterText({ calls, tracepoints, marks, without, text }: TraceFilter): string {
  const types = [calls && 'calls', tracepoints && 'tracepoints', marks && 'marks'].filter(
    (type) => type !== false,
  );
  const left =
    without.length === 0 ? '' : `, without ${without.map((layer) => LAYER_WORDS[layer]).join(' and ')}`;
  const needle = text.trim() === '' ? '' : `"${text.trim()}": `;
  return `${needle}${types.length === 0 ? 'actions alone' : types.join(', ')}${left}`;
}
