import { GraphQLError, type GraphQLFormattedError, Kind } from 'graphql';
import type { Logger } from 'pino';
import { Refusal } from '../errors/user-error.js';

/** Codes whose messages were written for clients. Everything else is masked. */
const PUBLIC_CODES = new Set([
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'INVALID_INPUT',
  'NOT_FOUND',
  'RATE_LIMITED',
  'OPERATION_LIMIT_EXCEEDED',
  'BAD_USER_INPUT',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_RESOLUTION_FAILURE',
  'BAD_REQUEST',
  'STALE_VERSION',
]);

/**
 * What a client gets of an error: expected outcomes with their facts, faults as a code and nothing else. Only a fault's kind is
 * logged, since messages of drivers repeat values.
 */
export function formatErrors(logger: Logger): (formatted: GraphQLFormattedError, error: unknown) => GraphQLFormattedError {
  return (formatted, error) => {
    const original = error instanceof GraphQLError ? error.originalError : error;
    const place = { ...(formatted.path && { path: formatted.path }), ...(formatted.locations && { locations: formatted.locations }) };
    if (original instanceof Refusal) {
      const { message, extensions } = original.toGraphQLError();
      return { message, ...place, extensions };
    }
    const { stacktrace: _stacktrace, http: _http, ...extensions } = { ...formatted.extensions };
    const code = String(extensions.code ?? 'INTERNAL_SERVER_ERROR');
    if (code === 'BAD_USER_INPUT' && error instanceof GraphQLError && error.nodes?.[0]?.kind === Kind.VARIABLE_DEFINITION) {
      // graphql-js names the place inside a variable in its message alone.
      const field = / at "([^"]+)"/.exec(formatted.message)?.[1] ?? error.nodes[0].variable.name.value;
      return { message: formatted.message, ...place, extensions: { code: 'INVALID_INPUT', field, reason: 'MALFORMED' } };
    }
    if (isLimit(formatted.message, extensions)) return { message: formatted.message, ...place, extensions: { ...extensions, code: 'OPERATION_LIMIT_EXCEEDED' } };
    if (PUBLIC_CODES.has(code)) return { message: formatted.message, ...place, extensions: { ...extensions, code } };
    const kind = original instanceof Error ? { name: original.name, code: (original as { code?: unknown }).code, at: firstFrames(original) } : {};
    logger.error({ ...kind, path: formatted.path?.join('.') }, 'a request failed');
    return { message: 'Something went wrong on our side.', ...place, extensions: { code: 'INTERNAL_SERVER_ERROR' } };
  };
}

/** A refused document has the code of a parse or validation failure at first, whatever it was refused for. */
function isLimit(message: string, { code, limit, validationErrorCode }: Record<string, unknown>): boolean {
  if (code === 'GRAPHQL_PARSE_FAILED') return message.includes('tokens. Parsing aborted');
  return code === 'GRAPHQL_VALIDATION_FAILED' && (limit !== undefined || validationErrorCode === 'MAX_RECURSIVE_SELECTIONS_EXCEEDED');
}

/** Where it happened, without the message that begins a stack. */
const firstFrames = (error: Error): string[] =>
  (error.stack ?? '')
    .split('\n')
    .filter((line) => line.trimStart().startsWith('at '))
    .slice(0, 4)
    .map((line) => line.trim());
