import { createPublicKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { publicJwk, type PublicJwk } from './registry.js';

const address = z.url({ protocol: /^https?$/u }).max(2_000);

/** `/.well-known/lotse.json` (docs/protocol.md §3). Members we do not use are dropped, keys of other kinds skipped. */
const wellKnown = z.object({
  code: z.string(),
  name: z.string().min(1).max(200),
  url: address.nullish(),
  logo: address.nullish(),
  homepage: address.nullish(),
  protocol: z.literal(1),
  jwks: z.object({ keys: z.array(z.unknown()).max(50) }),
});

export interface PublicFacts {
  readonly name: string;
  readonly url: string | null;
  readonly logo: string | null;
  readonly homepage: string | null;
  readonly keys: readonly PublicJwk[];
}

/** Returns what the instance says of itself, or `undefined` when the answer cannot be used or is another instance's. */
export function readWellKnown(code: string, body: string): PublicFacts | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  const parsed = wellKnown.safeParse(value);
  if (!parsed.success || parsed.data.code !== code) return undefined;
  const keys = parsed.data.jwks.keys.flatMap((key) => {
    const jwk = publicJwk.safeParse(key);
    return jwk.success ? [jwk.data] : [];
  });
  return {
    name: parsed.data.name,
    url: parsed.data.url ?? null,
    logo: parsed.data.logo ?? null,
    homepage: parsed.data.homepage ?? null,
    keys,
  };
}

/** Keys by `kid`. A key that stays the same keeps its object, so that signature results bound to it stay valid. */
export function importKeys(
  jwks: readonly PublicJwk[],
  previous: ReadonlyMap<string, ImportedKey>,
): Map<string, ImportedKey> {
  const keys = new Map<string, ImportedKey>();
  for (const jwk of jwks) {
    const known = previous.get(jwk.kid);
    if (known !== undefined && known.x === jwk.x && known.y === jwk.y) {
      keys.set(jwk.kid, known);
      continue;
    }
    try {
      const { kty, crv, x, y } = jwk;
      keys.set(jwk.kid, { x, y, key: createPublicKey({ format: 'jwk', key: { kty, crv, x, y } }) });
    } catch {
      // A point that is not on the curve: the key does not exist for us.
    }
  }
  return keys;
}

export interface ImportedKey {
  readonly x: string;
  readonly y: string;
  readonly key: KeyObject;
}
