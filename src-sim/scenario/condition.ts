/**
 * Conditions: what scenarios expect and labs ask for, as data. `Condition` and `EventPattern` are their schemas,
 * `checkCondition` finds words that the machine does not know before anything runs, `Monitor` watches them.
 */
export {
  checkCondition,
  checkPattern,
  conditionText,
  matches,
  patternText,
  problemText,
  readTarget,
  resolve,
  sameValue,
} from './condition-language';
export type { Problem, Target } from './condition-language';
export { Condition, EventPattern, WHENS } from './condition-schema';
export type { When } from './condition-schema';
export { Monitor } from './condition-monitor';
export type { Verdict } from './condition-monitor';
