import { createHash, generateKeyPairSync, type JsonWebKey, type KeyObject, randomUUID } from 'node:crypto';
import jsonwebtoken from 'jsonwebtoken';

/** A P-256 key pair of somebody who signs tokens. */
export interface TestKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly publicJwk: JsonWebKey & { kid: string };
  readonly privateJwk: JsonWebKey & { kid: string };
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

/** The gateway whose credentials every instance of this test file accepts. */
export const gatewayKey: TestKey = testKey();
/** The operator whose calls every instance of this test file accepts. */
export const operatorKey: TestKey = testKey();

/** As an environment variable of a server wants them. */
export const jwks = (...keys: TestKey[]): string => JSON.stringify({ keys: keys.map((key) => key.publicJwk) });

export interface SignOptions {
  /** The kind, docs/protocol.md §2. */
  readonly typ: string;
  readonly claims: Record<string, unknown>;
  readonly key: Pick<TestKey, 'kid' | 'privateKey'>;
  /** Seconds. */
  readonly life?: number;
  /** Moment of issue; the test's clock, if it has one. */
  readonly now?: Date;
}

export function sign({ typ, claims, key, life = 60, now = new Date() }: SignOptions): string {
  const iat = Math.floor(now.getTime() / 1_000);
  return jsonwebtoken.sign({ iat, exp: iat + life, ...claims }, key.privateKey, {
    algorithm: 'ES256',
    header: { alg: 'ES256', typ, kid: key.kid },
  });
}

/** What a gateway shows beside the viewer's token, in `x-lotse-gateway`. */
export const gatewayCredential = (code: string, key: TestKey = gatewayKey, now = new Date()): string =>
  sign({ typ: 'lotse-gateway+jwt', key, claims: { iss: 'gateway', aud: code }, life: 300, now });

const bodyHash = (body: string): string => createHash('sha256').update(body).digest('base64url');

export interface OperatorTokenOptions {
  readonly code: string;
  readonly path: string;
  readonly body: string;
  readonly key?: TestKey;
  readonly claims?: Record<string, unknown>;
  readonly life?: number;
  readonly now?: Date;
}

export const operatorToken = ({ code, path, body, key = operatorKey, claims, life, now }: OperatorTokenOptions): string =>
  sign({
    typ: 'lotse-operator+jwt',
    key,
    claims: { iss: 'operator', aud: code, jti: randomUUID(), body: bodyHash(body), path, ...claims },
    life,
    now,
  });

export interface OperatorAnswer {
  status: number;
  body: { code?: string; reason?: string; field?: string; result?: Record<string, unknown>; problems?: { field: string; reason: string }[] };
}

/** A signed call of the operator API; `override` replaces parts of it for calls that must be refused. */
export async function callOperator(
  instance: { url: string; code: string },
  command: string,
  input: unknown = {},
  override: Partial<OperatorTokenOptions> & { token?: string } = {},
): Promise<OperatorAnswer> {
  const path = `/operator/v1/${command}`;
  const body = JSON.stringify(input);
  const token = override.token ?? operatorToken({ code: instance.code, path, body, ...override });
  const response = await fetch(`${instance.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body,
  });
  return { status: response.status, body: (await response.json()) as OperatorAnswer['body'] };
}
