import type { EventView } from '../../src-lab/view';

/**
 * A row in the words of the function graph: the name, what follows it, and how long a call took, as the tracer prints it.
 *
 * @param joins - whether a call and the return that follows it at once are one row.
 */
export function graphText(
  { type, name, text, leaf: returned, took }: EventView,
  joins: boolean,
): { readonly name: string; readonly rest: string; readonly took: string } {
  const leaf = joins ? returned : null;
  const isOver = type === 'return' || leaf !== null;
  return {
    ...words(type, name, text, leaf),
    took: isOver && took !== null ? `${(took / 1_000).toFixed(3)} us` : '',
  };
}

function words(
  type: EventView['type'],
  name: string,
  text: string,
  leaf: string | null,
): { readonly name: string; readonly rest: string } {
  switch (type) {
    case 'call':
      return leaf === null ? { name: `${name}() {`, rest: text } : { name: `${name}();`, rest: `= ${leaf}` };
    case 'return':
      return { name: '}', rest: `${name} = ${text}` };
    default:
      return { name, rest: text };
  }
}
