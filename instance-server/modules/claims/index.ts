export type { ClaimLimits, HeardSinceStart } from './claim.desk.js';
export { composeClaims } from './compose.js';
export { ConflictResolver } from './conflict.resolver.js';
