import { createHash, createPrivateKey } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import jsonwebtoken from 'jsonwebtoken';
import { z } from 'zod';
import type { Es256PrivateKey } from './config.js';
import { unauthenticated, type UnauthenticatedReason } from './errors.js';
import type { AccessKeys, Directory, GatewayCredential, VerifiedViewer, VerifyAccessToken } from './types.js';

const accessType = 'lotse-access+jwt';
const gatewayType = 'lotse-gateway+jwt';
const maxTokenLength = 4_096;
const maxAccessSeconds = 300;
const credentialSeconds = 300;
/** A credential is replaced when it has less than this left. */
const credentialReserveSeconds = 60;

const accessHeader = z.object({ alg: z.literal('ES256'), typ: z.literal(accessType), kid: z.string().min(1).max(200) });

const accessClaims = z.object({
  iss: z.string().min(1),
  sub: z.string().min(1),
  sid: z.string().min(1),
  role: z.enum(['GUIDE', 'STAFF', 'ADMINISTRATOR']),
  iat: z.number(),
  exp: z.number(),
});

interface Verified {
  readonly viewer: VerifiedViewer;
  readonly kid: string;
  readonly key: unknown;
}

/**
 * Verifies access tokens (docs/protocol.md §2). What is remembered is the result of the signature check only:
 * expiry, the instance's registration and its key are looked at every time.
 */
export function accessTokenVerifier(directory: Directory, keys: AccessKeys, remembered: number): VerifyAccessToken {
  const results = new LRUCache<string, Verified>({ max: remembered });

  return async (token) => {
    if (token.length > maxTokenLength) throw unauthenticated('TOKEN_INVALID');
    const digest = createHash('sha256').update(token).digest('base64');
    const known = results.get(digest);
    if (known !== undefined && keys.find(known.viewer.issuer, known.kid) === known.key) {
      if (known.viewer.expiresAt <= Date.now()) throw unauthenticated('TOKEN_EXPIRED');
      return known.viewer;
    }
    const verified = await verify(token, directory, keys);
    results.set(digest, verified);
    return verified.viewer;
  };
}

async function verify(token: string, directory: Directory, keys: AccessKeys): Promise<Verified> {
  const decoded = decode(token);
  const header = accessHeader.safeParse(decoded?.header);
  const claims = accessClaims.safeParse(decoded?.payload);
  if (!header.success || !claims.success) throw unauthenticated('TOKEN_INVALID');
  const { iss, sub, sid, role, iat, exp } = claims.data;
  if (exp - iat > maxAccessSeconds) throw unauthenticated('TOKEN_INVALID');
  if (directory.get(iss) === undefined) throw unauthenticated('ISSUER_UNKNOWN');

  const { kid } = header.data;
  const key = await keys.find(iss, kid);
  if (key === undefined) throw unauthenticated('TOKEN_INVALID');
  try {
    jsonwebtoken.verify(token, key, { algorithms: ['ES256'], issuer: iss, audience: iss });
  } catch (error) {
    throw unauthenticated(reasonOf(error));
  }
  return { viewer: { token, issuer: iss, accountId: sub, sessionId: sid, role, expiresAt: exp * 1_000 }, kid, key };
}

function decode(token: string): { header: unknown; payload: unknown } | null {
  try {
    return jsonwebtoken.decode(token, { complete: true });
  } catch {
    // A header that is not JSON throws instead of giving null.
    return null;
  }
}

function reasonOf(error: unknown): UnauthenticatedReason {
  return error instanceof jsonwebtoken.TokenExpiredError ? 'TOKEN_EXPIRED' : 'TOKEN_INVALID';
}

/** Signs the gateway credential for each instance and keeps it until its last minute, or until the clock is set back: nobody takes one of the future. */
export function gatewayCredentials(privateKey: Es256PrivateKey): GatewayCredential {
  const key = createPrivateKey({ format: 'jwk', key: { ...privateKey } });
  const current = new Map<string, { readonly token: string; readonly signedAt: number; readonly useUntil: number }>();

  return (code) => {
    const now = Date.now();
    const kept = current.get(code);
    if (kept !== undefined && now >= kept.signedAt && now < kept.useUntil) return kept.token;
    const token = jsonwebtoken.sign({}, key, {
      algorithm: 'ES256',
      header: { alg: 'ES256', typ: gatewayType, kid: privateKey.kid },
      issuer: 'gateway',
      audience: code,
      expiresIn: credentialSeconds,
    });
    current.set(code, { token, signedAt: now, useUntil: now + (credentialSeconds - credentialReserveSeconds) * 1_000 });
    return token;
  };
}

const bearer = /^bearer +([^\s,]+)$/iu;

/** The token of an `Authorization` header; `undefined` without a header. Another scheme is an invalid token. */
export function bearerToken(header: string | undefined): string | undefined {
  if (header === undefined || header === '') return undefined;
  const token = bearer.exec(header)?.[1];
  if (token === undefined) throw unauthenticated('TOKEN_INVALID');
  return token;
}
