import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { z } from 'zod';

export type UnauthenticatedReason =
  | 'TOKEN_MISSING'
  | 'TOKEN_EXPIRED'
  | 'TOKEN_INVALID'
  | 'TOKEN_REVOKED'
  | 'ISSUER_UNKNOWN';

/** Why an instance's part of an answer is missing. */
export type UnavailableReason =
  | 'TIMEOUT'
  | 'UNREACHABLE'
  | 'CIRCUIT_OPEN'
  | 'MALFORMED'
  | 'TOO_LARGE'
  | 'REFUSED'
  | 'NOT_REGISTERED'
  | 'FAILED';

export type ErrorPath = readonly (string | number)[];

const unauthenticatedMessages: Readonly<Record<UnauthenticatedReason, string>> = {
  TOKEN_MISSING: 'An access token is required.',
  TOKEN_EXPIRED: 'The access token has expired.',
  TOKEN_INVALID: 'The access token is not valid.',
  TOKEN_REVOKED: 'The access token has been revoked.',
  ISSUER_UNKNOWN: 'The access token is of an instance that is not known here.',
};

export function unauthenticated(reason: UnauthenticatedReason): GraphQLError {
  return new GraphQLError(unauthenticatedMessages[reason], {
    extensions: { code: 'UNAUTHENTICATED', reason, http: { status: 401 } },
  });
}

/** `field` is the path of the argument, as in `input.instance`. */
export function invalidInput(field: string, reason: string, message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'INVALID_INPUT', field, reason } });
}

/** The message says no more than the code: what an instance answered is never passed on. */
export function instanceUnavailable(instance: string, reason: UnavailableReason, path?: ErrorPath): GraphQLError {
  return new GraphQLError(`The part of instance ${instance} is missing.`, {
    ...(path === undefined ? {} : { path }),
    extensions: { code: 'INSTANCE_UNAVAILABLE', instance, reason },
  });
}

/**
 * The same of one partner's part of a list. `replicaAge` is the age in seconds of home's copy of it, which is shown instead; null when
 * home has no whole copy.
 */
export function partUnavailable(instance: string, reason: UnavailableReason, path: ErrorPath, replicaAge: number | null): GraphQLError {
  const message = replicaAge === null ? `The part of instance ${instance} is missing.` : `The part of instance ${instance} is a copy.`;
  return new GraphQLError(message, { path, extensions: { code: 'INSTANCE_UNAVAILABLE', instance, reason, replicaAge } });
}

const internalCode = 'INTERNAL_SERVER_ERROR';

/** Codes clients may see: the stable ones, and those of the GraphQL-over-HTTP layer that say what is wrong with the request itself. */
const publicCodes: ReadonlySet<unknown> = new Set([
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'INVALID_INPUT',
  'NOT_FOUND',
  'INSTANCE_UNAVAILABLE',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_LIMIT_EXCEEDED',
  'RATE_LIMITED',
  'BAD_REQUEST',
  'BAD_USER_INPUT',
  'OPERATION_RESOLUTION_FAILURE',
  'PERSISTED_QUERY_NOT_FOUND',
  'PERSISTED_QUERY_NOT_SUPPORTED',
]);

/** HTTP status of the whole answer when the home instance refuses with this code. */
const statusOfCode: Readonly<Record<string, number>> = { UNAUTHENTICATED: 401, RATE_LIMITED: 429 };

/** What Apollo adds for its own tracing; tells how we are built. */
const internalExtensions: ReadonlySet<string> = new Set(['serviceName', 'stacktrace', 'exception', 'http']);

const upstreamError = z.object({
  message: z.string().max(4_000).catch('The instance reported an error.'),
  path: z.array(z.union([z.string(), z.number()])).max(200).optional().catch(undefined),
  extensions: z.record(z.string(), z.unknown()).optional().catch(undefined),
});

const maxUpstreamErrors = 100;

export interface UpstreamError {
  readonly message: string;
  readonly path: (string | number)[] | undefined;
  readonly extensions: Readonly<Record<string, unknown>>;
}

/** Errors of the viewer's own home instance in a form that can be passed on. Its HTTP status is derived from the code, never taken from the answer. */
export function homeErrors(errors: unknown): UpstreamError[] {
  if (!Array.isArray(errors)) return [];
  return errors.slice(0, maxUpstreamErrors).map((error: unknown) => {
    const parsed = upstreamError.safeParse(error);
    if (!parsed.success) {
      return { message: 'The instance reported an error.', path: undefined, extensions: { code: internalCode } };
    }
    const extensions: Record<string, unknown> = { code: internalCode };
    for (const [key, value] of Object.entries(parsed.data.extensions ?? {})) {
      if (!internalExtensions.has(key)) extensions[key] = value;
    }
    const status = typeof extensions['code'] === 'string' ? statusOfCode[extensions['code']] : undefined;
    if (status !== undefined) extensions['http'] = { status };
    return { message: parsed.data.message, path: parsed.data.path, extensions };
  });
}

/** The form of an error that leaves the gateway: stable codes as they are, everything else masked. */
export function formatError(formatted: GraphQLFormattedError): GraphQLFormattedError {
  const { message, locations, path } = formatted;
  const extensions: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(formatted.extensions ?? {})) {
    if (!internalExtensions.has(key)) extensions[key] = value;
  }
  if (!publicCodes.has(extensions['code'])) {
    return { message: 'Internal server error', ...(path ? { path } : {}), extensions: { code: internalCode } };
  }
  if (isLimit(message, extensions)) extensions['code'] = 'OPERATION_LIMIT_EXCEEDED';
  return { message, ...(locations ? { locations } : {}), ...(path ? { path } : {}), extensions };
}

/** Apollo gives every refused document the code of a parse or validation failure; the limits (`limits.ts`) are told apart here. */
function isLimit(message: string, extensions: Readonly<Record<string, unknown>>): boolean {
  if (extensions['code'] === 'GRAPHQL_PARSE_FAILED') return message.includes('tokens. Parsing aborted');
  if (extensions['code'] !== 'GRAPHQL_VALIDATION_FAILED') return false;
  return 'limit' in extensions || extensions['validationErrorCode'] === 'MAX_RECURSIVE_SELECTIONS_EXCEEDED';
}

export function isInternal(error: GraphQLFormattedError): boolean {
  return error.extensions?.['code'] === internalCode;
}
