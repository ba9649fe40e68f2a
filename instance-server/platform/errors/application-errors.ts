import { GraphQLError } from 'graphql';
import type { TokenFailure } from '../tokens.js';

/** Stable codes of docs/protocol.md §5. */
export type ErrorCode =
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'INVALID_INPUT'
  | 'NOT_FOUND'
  | 'RATE_LIMITED'
  | 'OPERATION_LIMIT_EXCEEDED'
  | 'INTERNAL_SERVER_ERROR';

const httpStatus: Partial<Record<ErrorCode, number>> = { UNAUTHENTICATED: 401, RATE_LIMITED: 429, OPERATION_LIMIT_EXCEEDED: 400 };

function coded(code: ErrorCode, message: string, extensions: Record<string, unknown> = {}): GraphQLError {
  const status = httpStatus[code];
  return new GraphQLError(message, { extensions: { code, ...extensions, ...(status ? { http: { status } } : {}) } });
}

const tokenMessages: Record<TokenFailure, string> = {
  TOKEN_MISSING: 'Sign in first: this operation needs an access token.',
  TOKEN_EXPIRED: 'The access token has expired. Refresh it and repeat the request.',
  TOKEN_INVALID: 'The access token is not valid here.',
  TOKEN_REVOKED: 'The session has ended. Sign in again.',
  ISSUER_UNKNOWN: 'The access token was issued by an instance that is not known here.',
};

export const unauthenticated = (reason: TokenFailure): GraphQLError => coded('UNAUTHENTICATED', tokenMessages[reason], { reason });

/** For a field that is not for the viewer's role, whatever the record; decided before any record is read. */
export const forbidden = (field: string): GraphQLError => coded('FORBIDDEN', `${field} is not available to your role.`, { field });
