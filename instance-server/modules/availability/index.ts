export { checkRule, RULE_LIMITS } from './availability.rules.js';
export { AvailabilityState, GuideAvailability, type Hindrance, isFree, type RulePattern } from './computation.js';
export type { Span } from './spans.js';
