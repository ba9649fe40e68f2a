import type { KeyObject } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { LRUCache } from 'lru-cache';
import { sha256Base64Url } from './crypto.js';

/** The kinds of docs/protocol.md §2. The header's `typ` keeps one from being used as another. */
export type TokenKind = 'lotse-access+jwt' | 'lotse-grant+jwt' | 'lotse-gateway+jwt' | 'lotse-partner+jwt' | 'lotse-operator+jwt';

export interface TokenClaims {
  iss: string;
  aud: string;
  iat: number;
  exp: number;
  [claim: string]: unknown;
}

export type TokenFailure = 'TOKEN_MISSING' | 'TOKEN_EXPIRED' | 'TOKEN_INVALID' | 'TOKEN_REVOKED' | 'ISSUER_UNKNOWN';

export class TokenError extends Error {
  constructor(readonly reason: TokenFailure) {
    super(reason);
  }
}

export function signToken(
  kind: TokenKind,
  key: { kid: string; privateKey: KeyObject },
  claims: Record<string, unknown> & { iss: string; aud: string },
  now: Date,
  lifeSeconds: number,
): { token: string; expiresAt: number } {
  const iat = Math.floor(now.getTime() / 1000);
  const exp = iat + lifeSeconds;
  const token = jwt.sign({ ...claims, iat, exp }, key.privateKey, {
    algorithm: 'ES256',
    header: { alg: 'ES256', typ: kind, kid: key.kid },
  });
  return { token, expiresAt: exp };
}

function decode(token: string): jwt.Jwt | null {
  try {
    return jwt.decode(token, { complete: true });
  } catch {
    // The library throws for a payload that is not JSON.
    return null;
  }
}

/** Header and claims as they stand, believed in nothing: for choosing the key alone. */
export function peekToken(token: string): { kid: string; typ: string; iss: string } {
  if (token.length > 4096) throw new TokenError('TOKEN_INVALID');
  const decoded = decode(token);
  const payload: unknown = decoded?.payload;
  const iss = typeof payload === 'object' && payload !== null && 'iss' in payload ? payload.iss : undefined;
  if (!decoded || typeof decoded.header.kid !== 'string' || typeof decoded.header.typ !== 'string' || typeof iss !== 'string') {
    throw new TokenError('TOKEN_INVALID');
  }
  return { kid: decoded.header.kid, typ: decoded.header.typ, iss };
}

export interface TokenExpectation {
  kind: TokenKind;
  issuer: string;
  audience: string;
  maxLifeSeconds: number;
  key: KeyObject;
}

/** Clocks of our own hosts may differ by this much. */
const CLOCK_TOLERANCE_SECONDS = 5;
/** A partner's clock may be ahead by as much as his stamps may, and behind by the life of his tokens, which is the same. */
const PARTNER_CLOCK_TOLERANCE_SECONDS = 60;
const PARTNERS_KINDS: ReadonlySet<TokenKind> = new Set(['lotse-partner+jwt', 'lotse-grant+jwt']);

/**
 * Verifies tokens and remembers only that a signature was right, by the token's hash and the key: whether the account, session,
 * link or key still stands is for the caller to check each time.
 */
export class TokenVerifier {
  readonly #verified = new LRUCache<string, { claims: TokenClaims; key: KeyObject }>({ max: 10_000 });

  /** @throws TokenError */
  verify(token: string, expected: TokenExpectation, now: Date): TokenClaims {
    // Kind and issuer choose the key: a text that was right as one thing says nothing of another.
    const cacheKey = `${expected.kind} ${expected.issuer} ${sha256Base64Url(token)}`;
    const known = this.#verified.get(cacheKey);
    const isRemembered = known !== undefined && (known.key === expected.key || known.key.equals(expected.key));
    const claims = isRemembered ? known.claims : this.#verifySignature(token, expected, now);
    if (!isRemembered) this.#verified.set(cacheKey, { claims, key: expected.key });
    const seconds = now.getTime() / 1000;
    if (claims.exp <= seconds) throw new TokenError('TOKEN_EXPIRED');
    if (claims.iss !== expected.issuer || claims.aud !== expected.audience) throw new TokenError('TOKEN_INVALID');
    return claims;
  }

  /** Whether the token would be right at the time its giver has put on it. Nothing of it is remembered. */
  isRightInItsTime(token: string, expected: TokenExpectation): boolean {
    const payload: unknown = decode(token)?.payload;
    const iat = typeof payload === 'object' && payload !== null && 'iat' in payload ? payload.iat : undefined;
    if (typeof iat !== 'number' || !Number.isSafeInteger(iat)) return false;
    try {
      this.#verifySignature(token, expected, new Date(iat * 1000));
      return true;
    } catch {
      return false;
    }
  }

  #verifySignature(token: string, expected: TokenExpectation, now: Date): TokenClaims {
    try {
      const { header, payload } = jwt.verify(token, expected.key, {
        algorithms: ['ES256'],
        issuer: expected.issuer,
        audience: expected.audience,
        clockTimestamp: Math.floor(now.getTime() / 1000),
        complete: true,
      });
      if (typeof payload === 'string' || header.typ !== expected.kind) throw new TokenError('TOKEN_INVALID');
      const { iat, exp } = payload;
      if (typeof iat !== 'number' || typeof exp !== 'number' || exp - iat > expected.maxLifeSeconds) throw new TokenError('TOKEN_INVALID');
      const tolerance = PARTNERS_KINDS.has(expected.kind) ? PARTNER_CLOCK_TOLERANCE_SECONDS : CLOCK_TOLERANCE_SECONDS;
      if (iat > now.getTime() / 1000 + tolerance) throw new TokenError('TOKEN_INVALID');
      return payload as TokenClaims;
    } catch (error) {
      if (error instanceof TokenError) throw error;
      throw new TokenError(error instanceof jwt.TokenExpiredError ? 'TOKEN_EXPIRED' : 'TOKEN_INVALID');
    }
  }
}
