/**
 * Conditions: what scenarios expect and labs ask for, as data. `Condition` and `EventPattern` are their schemas,
 * `checkCondition` finds words that the machine does not know before anything runs, `Monitor` watches them.
 */
export {
  checkCondition,
  checkPattern,
  Condition,
  conditionText,
  EventPattern,
  matches,
  patternText,
  problemText,
  readTarget,
  resolve,
  sameValue,
  StatePath,
  WHENS,
} from './condition-language';
export type { Problem, Target, When } from './condition-language';
export { Monitor } from './condition-monitor';
export type { Verdict } from './condition-monitor';
