export type { ClaimLimits } from './claim.desk.js';
export type { LinkFigures } from './claim.figures.js';
export type { HasGreeted } from './greeting.js';
export { composeClaims } from './compose.js';
export { ConflictResolver } from './conflict.resolver.js';
