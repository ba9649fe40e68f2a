import { generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import jsonwebtoken from 'jsonwebtoken';
import type { Es256PrivateKey } from '../../../../gateway/config.js';

export interface TokenOptions {
  readonly account?: string;
  readonly session?: string;
  /** Seconds; may be negative. */
  readonly lifetime?: number;
}

/** An instance's key for access tokens, and its tokens. */
export class Issuer {
  readonly kid = randomUUID();
  readonly publicKey: KeyObject;
  readonly #privateKey: KeyObject;

  constructor(readonly code: string) {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.publicKey = pair.publicKey;
    this.#privateKey = pair.privateKey;
  }

  token({ account = randomUUID(), session = randomUUID(), lifetime = 300 }: TokenOptions = {}): string {
    const expires = Math.floor(Date.now() / 1_000) + lifetime;
    const claims = { sub: account, sid: session, role: 'GUIDE', guide: account, iat: expires - 300, exp: expires };
    return jsonwebtoken.sign(claims, this.#privateKey, {
      algorithm: 'ES256',
      header: { alg: 'ES256', typ: 'lotse-access+jwt', kid: this.kid },
      issuer: this.code,
      audience: this.code,
    });
  }
}

export function gatewayKey(): Es256PrivateKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID() } as Es256PrivateKey;
}
