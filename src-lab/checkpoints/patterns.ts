import { EVENT_NAMES, ROUTINE_NAMES } from '../../src-sim';
import type { Condition, EventPattern } from '../../src-sim/scenario/condition';
import { didYouMean } from '../issue';
import type { Path } from '../yaml';
import type { Lint } from './kind';

export function lintPattern(pattern: EventPattern, lint: Lint, path: Path): void {
  const { event } = pattern;
  if (EVENT_NAMES.has(event) || ROUTINE_NAMES.has(event) || event.includes(' ')) return;
  lint.issue([...path, 'event'], `No event is called "${event}".`, didYouMean(event, [...EVENT_NAMES, ...ROUTINE_NAMES]));
}
export function lintCondition(_condition: Condition, _lint: Lint, _path: Path): void {}
