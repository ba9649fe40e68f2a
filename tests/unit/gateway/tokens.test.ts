import type { KeyObject } from 'node:crypto';
import { jest } from '@jest/globals';
import jsonwebtoken from 'jsonwebtoken';
import { accessTokenVerifier, bearerToken, gatewayCredentials } from '../../../gateway/tokens.js';
import type { Es256PrivateKey } from '../../../gateway/config.js';
import type { Directory, RegisteredInstance } from '../../../gateway/types.js';
import { accessToken, testKey } from '../../integration/gateway/support/keys.js';

const key = testKey('key-1');
const instance: RegisteredInstance = { code: 'ahof', endpoint: 'http://127.0.0.1:9', name: 'A', url: null, logo: null, homepage: null };

function setUp() {
  const registered = new Map([['ahof', instance]]);
  const keys = new Map<string, KeyObject>([['key-1', key.publicKey]]);
  const directory: Directory = { get: (code) => registered.get(code), all: () => [...registered.values()], onChange: () => () => undefined };
  const verify = accessTokenVerifier(directory, { find: (_code, kid) => keys.get(kid) }, 10);
  const reason = (token: string) => verify(token).then(() => 'verified', (error: { extensions: { reason: string } }) => error.extensions.reason);
  return { registered, keys, verify, reason };
}

describe('access tokens', () => {
  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  test('say who the viewer is', async () => {
    const issuedAt = Math.floor(Date.now() / 1_000);
    const token = accessToken('ahof', key, { role: 'STAFF', account: 'account-1', issuedAt });
    expect(await setUp().verify(token)).toEqual({
      token,
      issuer: 'ahof',
      accountId: 'account-1',
      sessionId: expect.stringMatching(/^[\da-f-]{36}$/u) as string,
      role: 'STAFF',
      expiresAt: (issuedAt + 300) * 1_000,
    });
  });

  test('are checked once by signature, and every time by expiry, registration and key', async () => {
    const { keys, registered, reason } = setUp();
    const signatures = jest.spyOn(jsonwebtoken, 'verify');
    const token = accessToken('ahof', key);
    expect([await reason(token), await reason(token)]).toEqual(['verified', 'verified']);
    expect(signatures).toHaveBeenCalledTimes(1);

    keys.delete('key-1');
    expect(await reason(token)).toBe('TOKEN_INVALID');
    keys.set('key-1', testKey().publicKey);
    expect(await reason(token)).toBe('TOKEN_INVALID');
    keys.set('key-1', key.publicKey);
    expect(await reason(token)).toBe('verified');

    jest.useFakeTimers({ now: Date.now() + 301_000 });
    expect(await reason(token)).toBe('TOKEN_EXPIRED');
    jest.useRealTimers();

    registered.clear();
    keys.clear();
    expect(await reason(token)).toBe('ISSUER_UNKNOWN');
  });
});

describe('the gateway credential', () => {
  afterEach(() => jest.useRealTimers());

  test('is made for one instance and kept until its last minute', () => {
    const credential = gatewayCredentials(testKey('gateway').privateJwk as unknown as Es256PrivateKey);
    jest.useFakeTimers({ now: 1_800_000_000_000 });
    const first = credential('ahof');
    expect(jsonwebtoken.decode(first)).toEqual({ iss: 'gateway', aud: 'ahof', iat: 1_800_000_000, exp: 1_800_000_300 });
    expect(credential('burg')).not.toBe(first);
    jest.setSystemTime(1_800_000_239_999);
    expect(credential('ahof')).toBe(first);
    jest.setSystemTime(1_800_000_240_000);
    expect(jsonwebtoken.decode(credential('ahof'))).toMatchObject({ iat: 1_800_000_240 });
  });

  test('made while the clock was ahead is not used once it is set right: instances take none of the future', () => {
    const credential = gatewayCredentials(testKey('gateway').privateJwk as unknown as Es256PrivateKey);
    jest.useFakeTimers({ now: 1_800_000_000_000 });
    credential('ahof');
    jest.setSystemTime(1_799_999_930_000);
    expect(jsonwebtoken.decode(credential('ahof'))).toMatchObject({ iat: 1_799_999_930 });
  });
});

test.each([
  [undefined, undefined],
  ['', undefined],
  ['Bearer abc.def', 'abc.def'],
  ['bearer  abc', 'abc'],
])('the token of %j is %j', (header, token) => {
  expect(bearerToken(header)).toBe(token);
});

test.each([['Basic abc'], ['Bearer'], ['Bearer a b'], ['Bearer a, Bearer b'], ['abc']])('%j is no token', (header) => {
  expect(() => bearerToken(header)).toThrow('The access token is not valid.');
});
