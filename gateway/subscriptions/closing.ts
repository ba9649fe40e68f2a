/** Why a client's socket is closed: a code of docs/protocol.md §1, all retried by a stock graphql-ws client, and a reason without personal data. */
export interface Closing {
  readonly code: 4403 | 1012 | 1013;
  readonly reason: string;
}

const TOKEN_REASONS = new Set(['TOKEN_MISSING', 'TOKEN_EXPIRED', 'TOKEN_INVALID', 'TOKEN_REVOKED', 'ISSUER_UNKNOWN']);

/** The reason comes from a token check here or at the instance; anything but the protocol's own words is not passed on. */
export function tokenRefused(reason: unknown): Closing {
  return { code: 4403, reason: typeof reason === 'string' && TOKEN_REASONS.has(reason) ? reason : 'TOKEN_INVALID' };
}

export const gatewayRestarts: Closing = { code: 1012, reason: 'The gateway restarts' };
export const instanceRemoved: Closing = { code: 1012, reason: 'The instance was removed' };
export const instanceUnavailable: Closing = { code: 1013, reason: 'The instance cannot be reached' };
export const readsTooSlowly: Closing = { code: 1013, reason: 'The client reads too slowly' };
export const tooManyMessages: Closing = { code: 1013, reason: 'Too many messages' };
export const tooManySockets: Closing = { code: 1013, reason: 'Too many connections' };
export const failed: Closing = { code: 1013, reason: 'Internal error' };
