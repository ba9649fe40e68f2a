import { createHmac, randomUUID } from 'node:crypto';
import { login } from '../../../testkit/client.js';
import type { Federation, House } from '../../../testkit/federation.js';
import { gatewayCredential, sign, testKey } from '../../../testkit/keys.js';
import { PASSWORD } from '../../../testkit/records.js';

/** Somebody who asks. */
export interface Viewer {
  readonly name: string;
  /** Where he has an account; nobody's without. */
  readonly home: House | undefined;
  readonly role: 'GUIDE' | 'STAFF' | 'ADMINISTRATOR' | undefined;
  /** Which guide he is. */
  readonly guide: string | undefined;
  /** Undefined for a stranger. */
  readonly token: string | undefined;
}

/** `greta@alpha`, `staff@beta`, `admin@alpha`: signed in, each in a session of its own. */
export async function viewer(federation: Federation, name: string): Promise<Viewer> {
  const [who = '', code] = name.split('@');
  const home = federation.houses.find((house) => house.code === code);
  if (!home) return { name, home, role: undefined, guide: undefined, token: undefined };
  if (who === 'staff') return { name, home, role: 'STAFF', guide: undefined, token: await home.token(home.staff) };
  if (who === 'admin') return { name, home, role: 'ADMINISTRATOR', guide: undefined, token: await home.token(home.administrator) };
  return { name, home, role: 'GUIDE', guide: who, token: await home.guideToken(who) };
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Its claims replaced, its signature kept. */
export function tampered(token: string, claims: Record<string, unknown>, header: Record<string, unknown> = {}): string {
  const [head = '', body = '', signature = ''] = token.split('.');
  const read = (text: string): Record<string, unknown> => JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown>;
  return [part({ ...read(head), ...header }), part({ ...read(body), ...claims }), signature].join('.');
}

/**
 * Tokens that look like those of alpha's staff or of Greta, each with one thing wrong. By the reason they are refused with at
 * alpha, or at the gateway if that differs.
 */
export async function forgedTokens({ alpha, beta, gateway }: Federation): Promise<[name: string, token: string][]> {
  const { sessionId, token } = await alpha.records.signIn(alpha.staff);
  const claims = { iss: 'alpha', aud: 'alpha', sub: alpha.staff.id, sid: sessionId, role: 'STAFF' };
  const own = await alpha.records.signingKey();
  const typ = 'lotse-access+jwt';
  const now = Math.floor(Date.now() / 1_000);
  const timed = { ...claims, iat: now, exp: now + 300 };
  const [{ public_jwk: publicJwk }] = (await alpha.records.query<{ public_jwk: Record<string, unknown> }>('select public_jwk from signing_key order by active_from limit 1')) as [{ public_jwk: Record<string, unknown> }];
  const hmac = (secret: string): string => {
    const text = `${part({ alg: 'HS256', typ, kid: own.kid })}.${part(timed)}`;
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  };
  const greta = alpha.guide('greta');
  const solo = await alpha.records.signIn(alpha.guide('solo').account, 'GUIDE');
  const soloClaims = { ...claims, sub: alpha.guide('solo').account.id, sid: solo.sessionId, role: 'GUIDE', guide: greta.id };
  const session = await login(gateway.url, alpha.staff.email, PASSWORD, 'STAFF', 'alpha');
  const [link] = await alpha.records.query<{ id: string }>(`select id from link where partner_code = 'beta'`);
  return [
    ['signed with another key under the real key’s id', sign({ typ, claims, key: { ...testKey(), kid: own.kid }, life: 300 })],
    ['signed with an unknown key', sign({ typ, claims, key: testKey(), life: 300 })],
    ['without a signature, alg none', `${part({ alg: 'none', typ, kid: own.kid })}.${part(timed)}.`],
    ['alg none with the signature of a good one', tampered(token, {}, { alg: 'none' })],
    ['HS256 with the public key as JWK', hmac(JSON.stringify(publicJwk))],
    ['HS256 with the public key’s coordinates', hmac(`${String(publicJwk.x)}${String(publicJwk.y)}`)],
    ['a staff token made an administrator’s', tampered(token, { role: 'ADMINISTRATOR' })],
    ['another guide’s made Greta’s', tampered(solo.token, { guide: greta.id, sub: greta.account.id })],
    ['a token of alpha with beta’s signature', sign({ typ, claims, key: await beta.records.signingKey(), life: 300 })],
    ['signed by alpha for beta', sign({ typ, claims: { ...claims, aud: 'beta' }, key: own, life: 300 })],
    ['signed by alpha in beta’s name', sign({ typ, claims: { ...claims, iss: 'beta', aud: 'beta' }, key: own, life: 300 })],
    ['signed by alpha in the name of nobody', sign({ typ, claims: { ...claims, iss: 'nowhere' }, key: own, life: 300 })],
    ['signed by alpha for a session that is not', sign({ typ, claims: { ...claims, sid: randomUUID() }, key: own, life: 300 })],
    ['signed by alpha with a role the session has not', sign({ typ, claims: { ...claims, role: 'ADMINISTRATOR' }, key: own, life: 300 })],
    ['signed by alpha, for Greta in the session of another guide', sign({ typ, claims: soloClaims, key: own, life: 300 })],
    ['signed by alpha for longer than tokens live', sign({ typ, claims, key: own, life: 3_600 })],
    ['of another kind: a grant with the claims of an access token', sign({ typ: 'lotse-grant+jwt', claims, key: own, life: 60 })],
    ['of another kind: JWT', sign({ typ: 'JWT', claims, key: own, life: 300 })],
    ['a refresh token', session.refreshToken],
    ['a refresh token without its code', session.refreshToken.slice('alpha.'.length)],
    ['a gateway credential', gatewayCredential('alpha')],
    ['a grant as a partner would make it', sign({ typ: 'lotse-grant+jwt', key: testKey(), claims: { iss: 'beta', aud: 'alpha', sub: greta.globalId, link: link?.id, scope: 'linked:read' } })],
    ['no token at all', 'nonsense'],
    ['too long', `${token}${'a'.repeat(5_000)}`],
  ];
}
