export { ProfileKind } from './profile.kind.js';
export { RuleKind } from './rule.kind.js';
export { RestampService } from './restamp.service.js';
