import { generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import jsonwebtoken from 'jsonwebtoken';

export interface TestKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly publicJwk: Record<string, unknown>;
  readonly privateJwk: Record<string, unknown>;
}

export function testKey(kid: string = randomUUID()): TestKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    kid,
    privateKey,
    publicKey,
    publicJwk: { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' },
    privateJwk: { ...privateKey.export({ format: 'jwk' }), kid },
  };
}

export interface TokenOptions {
  readonly typ: string;
  readonly claims: Record<string, unknown>;
  readonly key: TestKey;
  /** Seconds from now; negative for a token that has ended. */
  readonly life?: number;
  /** Seconds since the epoch. */
  readonly issuedAt?: number;
}

export function signToken({ typ, claims, key, life = 300, issuedAt = Math.floor(Date.now() / 1_000) }: TokenOptions): string {
  return jsonwebtoken.sign({ iat: issuedAt, exp: issuedAt + life, ...claims }, key.privateKey, {
    algorithm: 'ES256',
    header: { alg: 'ES256', typ, kid: key.kid },
  });
}

export interface AccessTokenOptions {
  readonly role?: string;
  readonly guide?: string;
  readonly account?: string;
  readonly life?: number;
  readonly issuedAt?: number;
}

export function accessToken(code: string, key: TestKey, options: AccessTokenOptions = {}): string {
  const { role = 'GUIDE', guide, account = randomUUID(), ...times } = options;
  return signToken({
    typ: 'lotse-access+jwt',
    key,
    claims: { iss: code, aud: code, sub: account, sid: randomUUID(), role, guide },
    ...times,
  });
}
