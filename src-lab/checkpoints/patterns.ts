import {
  checkCondition,
  checkPattern,
  problemText,
  type Condition,
  type EventPattern,
  type Problem,
} from '../../src-sim/scenario/condition';
import { suggest } from '../issue';
import type { Path } from '../yaml';
import type { Lint } from './kind';

/** Reports what of a pattern the machine does not know: an event, a thread. */
export function lintPattern(pattern: EventPattern, lint: Lint, path: Path): void {
  report(checkPattern(pattern, lint.layout), lint, path);
}

/** Reports what of a condition the machine does not know: a state path, a value, an event. */
export function lintCondition(condition: Condition, lint: Lint, path: Path): void {
  report(checkCondition(condition, lint.layout), lint, path);
}

function report(problems: readonly Problem[], lint: Lint, path: Path): void {
  for (const problem of problems) {
    lint.issue([...path, ...problem.at], problemText(problem), suggest(problem.nearest));
  }
}
