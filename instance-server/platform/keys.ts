import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto';

/** ES256 key pair as kept in the database: the public JWK, and the private one as PKCS#8 PEM (encrypted by the caller). */
export interface NewKeyPair {
  kid: string;
  publicJwk: JsonWebKey;
  privatePem: string;
}

/** RFC 7638 thumbprint of an EC key: the same key has the same id everywhere. */
export function thumbprint(jwk: JsonWebKey): string {
  const members = JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y });
  return createHash('sha256').update(members).digest('base64url');
}

export function generateKeyPair(): NewKeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicJwk = publicKey.export({ format: 'jwk' });
  const kid = thumbprint(publicJwk);
  return {
    kid,
    publicJwk: { ...publicJwk, kid, alg: 'ES256', use: 'sig' },
    privatePem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
  };
}

/** Only P-256 keys are accepted, whatever a JWK claims besides. @throws when it is anything else. */
export function publicKeyFromJwk(jwk: JsonWebKey): KeyObject {
  if (jwk.kty !== 'EC' || jwk.crv !== 'P-256' || jwk.d !== undefined) throw new Error('not a public P-256 key');
  return createPublicKey({ key: { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y }, format: 'jwk' });
}

export const privateKeyFromPem = (pem: string): KeyObject => createPrivateKey(pem);
