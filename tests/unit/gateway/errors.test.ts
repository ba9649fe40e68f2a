import { formatError, homeErrors, instanceUnavailable, isInternal } from '../../../gateway/errors.js';

describe('what leaves the gateway', () => {
  test('stable codes pass with their facts, without how we are built', () => {
    const { message, extensions } = instanceUnavailable('burg', 'TIMEOUT', ['me']);
    const formatted = formatError({ message, path: ['me'], extensions: { ...extensions, serviceName: 'linked', stacktrace: ['at x'] } });
    expect(formatted).toEqual({
      message: 'The part of instance burg is missing.',
      path: ['me'],
      extensions: { code: 'INSTANCE_UNAVAILABLE', instance: 'burg', reason: 'TIMEOUT' },
    });
  });

  test.each([[undefined], ['DOWNSTREAM_SERVICE_ERROR'], ['INTERNAL_SERVER_ERROR'], ['SOMETHING_NEW']])('code %s is masked', (code) => {
    const formatted = formatError({ message: 'password authentication failed', path: ['a', 0], extensions: { code, detail: 'secret' } });
    expect(formatted).toEqual({ message: 'Internal server error', path: ['a', 0], extensions: { code: 'INTERNAL_SERVER_ERROR' } });
    expect(isInternal(formatted)).toBe(true);
  });

  test.each([
    ['GRAPHQL_PARSE_FAILED', {}, 'Syntax Error: Document contains more that 5 tokens. Parsing aborted.', 'OPERATION_LIMIT_EXCEEDED'],
    ['GRAPHQL_PARSE_FAILED', {}, 'Syntax Error: Unexpected "}".', 'GRAPHQL_PARSE_FAILED'],
    ['GRAPHQL_VALIDATION_FAILED', { limit: 'depth' }, 'x', 'OPERATION_LIMIT_EXCEEDED'],
    ['GRAPHQL_VALIDATION_FAILED', { validationErrorCode: 'MAX_RECURSIVE_SELECTIONS_EXCEEDED' }, 'x', 'OPERATION_LIMIT_EXCEEDED'],
    ['GRAPHQL_VALIDATION_FAILED', {}, 'x', 'GRAPHQL_VALIDATION_FAILED'],
  ])('%s %j "%s" is %s', (code, extra, message, expected) => {
    expect(formatError({ message, extensions: { code, ...extra } }).extensions?.['code']).toBe(expected);
  });
});

describe('what home says', () => {
  test('is taken over with a status of ours', () => {
    expect(
      homeErrors([
        { message: 'a', path: ['x', 0], extensions: { code: 'UNAUTHENTICATED', reason: 'TOKEN_REVOKED', http: { status: 500 } } },
        { message: 'b', extensions: { code: 'RATE_LIMITED', retryAfter: 3 } },
        { message: 'c', extensions: { code: 'FORBIDDEN', stacktrace: ['x'] } },
        { message: 'd' },
      ]),
    ).toEqual([
      { message: 'a', path: ['x', 0], extensions: { code: 'UNAUTHENTICATED', reason: 'TOKEN_REVOKED', http: { status: 401 } } },
      { message: 'b', path: undefined, extensions: { code: 'RATE_LIMITED', retryAfter: 3, http: { status: 429 } } },
      { message: 'c', path: undefined, extensions: { code: 'FORBIDDEN' } },
      { message: 'd', path: undefined, extensions: { code: 'INTERNAL_SERVER_ERROR' } },
    ]);
  });

  test.each([['text'], [{ errors: 1 }], [null]])('%j is no list of errors', (value) => {
    expect(homeErrors(value)).toEqual([]);
  });

  test('is bounded, and what is no error is one', () => {
    expect(homeErrors(Array.from({ length: 1_000 }, () => ({ message: 'x' })))).toHaveLength(100);
    expect(homeErrors([7, { message: 'x'.repeat(5_000), path: 'x' }])).toEqual([
      { message: 'The instance reported an error.', path: undefined, extensions: { code: 'INTERNAL_SERVER_ERROR' } },
      { message: 'The instance reported an error.', path: undefined, extensions: { code: 'INTERNAL_SERVER_ERROR' } },
    ]);
  });
});
