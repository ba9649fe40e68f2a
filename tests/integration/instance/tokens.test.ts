import { randomUUID } from 'node:crypto';
import jsonwebtoken from 'jsonwebtoken';
import { Cleanup } from '../../testkit/cleanup.js';
import { client } from '../../testkit/client.js';
import { callOperator, gatewayCredential, gatewayKey, operatorKey, operatorToken, sign, testKey } from '../../testkit/keys.js';
import type { TestAccount } from '../../testkit/records.js';
import { wsClient } from '../../testkit/socket.js';
import { type House, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

const ME = '{ me { id } }';

let house: House;
let account: TestAccount & { token: string; sessionId: string };
let claims: Record<string, unknown>;

beforeAll(async () => {
  house = await openHouse(cleanup);
  account = await house.records.signedIn('STAFF');
  claims = { iss: 'museum', aud: 'museum', sub: account.id, sid: account.sessionId, role: 'STAFF' };
});

const ACCESS = 'lotse-access+jwt';
const access = async (override: Record<string, unknown> = {}, options: { typ?: string; life?: number; now?: Date } = {}): Promise<string> =>
  sign({ typ: ACCESS, key: await house.records.signingKey(), claims: { ...claims, ...override }, life: 300, ...options });

const ago = (seconds: number): Date => new Date(Date.now() - seconds * 1_000);

/** Header, claims and signature with one character of one part changed. */
function tampered(token: string, part: 0 | 1 | 2): string {
  const parts = token.split('.') as [string, string, string];
  const text = parts[part];
  // In the middle: the last character of base64 may carry no bits.
  const middle = Math.floor(text.length / 2);
  parts[part] = `${text.slice(0, middle)}${text[middle] === 'A' ? 'B' : 'A'}${text.slice(middle + 1)}`;
  return parts.join('.');
}

const unsigned = (typ = ACCESS): string =>
  `${Buffer.from(JSON.stringify({ alg: 'none', typ, kid: 'any' })).toString('base64url')}.${Buffer.from(JSON.stringify({ ...claims, iat: 1, exp: 9_999_999_999 })).toString('base64url')}.`;

const bad: Record<string, { token: () => Promise<string> | string; reason: string }> = {
  'that has expired': { token: () => access({}, { now: ago(301) }), reason: 'TOKEN_EXPIRED' },
  'whose life is longer than any of ours': { token: () => access({}, { life: 301 }), reason: 'TOKEN_INVALID' },
  'that is issued in the future': { token: () => access({}, { now: ago(-60) }), reason: 'TOKEN_INVALID' },
  'without an end': {
    token: async () => {
      const { kid, privateKey } = await house.records.signingKey();
      return jsonwebtoken.sign(claims, privateKey, { algorithm: 'ES256', header: { alg: 'ES256', typ: ACCESS, kid } });
    },
    reason: 'TOKEN_INVALID',
  },
  'for another audience': { token: () => access({ aud: 'castle' }), reason: 'TOKEN_INVALID' },
  'of another issuer': { token: () => access({ iss: 'castle' }), reason: 'ISSUER_UNKNOWN' },
  'with a changed header': { token: () => tampered(account.token, 0), reason: 'TOKEN_INVALID' },
  'with changed claims': { token: () => tampered(account.token, 1), reason: 'TOKEN_INVALID' },
  'with a changed signature': { token: () => tampered(account.token, 2), reason: 'TOKEN_INVALID' },
  'without a signature (alg none)': { token: () => unsigned(), reason: 'TOKEN_INVALID' },
  'signed by HS256 with the public key as its secret': {
    token: async () => {
      const answer = await fetch(`${house.server.url}/.well-known/jwks.json`);
      const { keys } = (await answer.json()) as { keys: { kid: string }[] };
      const [key] = keys;
      return jsonwebtoken.sign(claims, JSON.stringify(key), { algorithm: 'HS256', expiresIn: 60, header: { alg: 'HS256', typ: ACCESS, kid: key?.kid } });
    },
    reason: 'TOKEN_INVALID',
  },
  'of a key that is not ours': { token: () => sign({ typ: ACCESS, key: testKey(), claims }), reason: 'TOKEN_INVALID' },
  'of a key that is not ours, under the name of ours': {
    token: async () => sign({ typ: ACCESS, key: testKey((await house.records.signingKey()).kid), claims }),
    reason: 'TOKEN_INVALID',
  },
  'of the right key but another kind (grant)': { token: () => access({ scope: 'linked:read' }, { typ: 'lotse-grant+jwt', life: 60 }), reason: 'TOKEN_INVALID' },
  'without a kind': { token: () => access({}, { typ: 'JWT' }), reason: 'TOKEN_INVALID' },
  'of an operator': { token: () => operatorToken({ code: 'museum', path: '/graphql', body: '' }), reason: 'TOKEN_INVALID' },
  'of a gateway': { token: () => gatewayCredential('museum'), reason: 'TOKEN_INVALID' },
  'of a session that never was': { token: () => access({ sid: randomUUID() }), reason: 'TOKEN_REVOKED' },
  'of another account’s session': { token: async () => access({ sub: (await house.records.account(['STAFF'])).id }), reason: 'TOKEN_REVOKED' },
  'with a role the session was not begun in': { token: () => access({ role: 'ADMINISTRATOR' }), reason: 'TOKEN_REVOKED' },
  'that is no token': { token: () => 'abc', reason: 'TOKEN_INVALID' },
  'that is too long': { token: () => `${account.token}.${'a'.repeat(5_000)}`, reason: 'TOKEN_INVALID' },
};

test.each(Object.entries(bad))('a token %s is refused over HTTP and WebSocket', async (_what, { token: make, reason }) => {
  const token = await make();
  const answer = await house.api.query(ME, {}, token);
  expect(answer).toMatchObject({ status: 401, data: undefined });
  expect(answer.errors?.map(({ extensions }) => extensions)).toEqual([{ code: 'UNAUTHENTICATED', reason }]);
  const socket = cleanup.own(wsClient(house.server.url, () => token, { retryAttempts: 0 }), (opened) => opened.dispose());
  socket.subscribe('subscription { calendarChanged(guideId: "any") { kind } }');
  expect(await socket.closes.waitFor()).toEqual({ code: 4403, reason });
});

test('the right token is accepted, before and after all these', async () => {
  expect((await house.api.query(ME, {}, account.token)).data).toEqual({ me: { id: account.id } });
  // A bad one is refused the second time too: nothing wrong was remembered.
  const forged = sign({ typ: ACCESS, key: testKey((await house.records.signingKey()).kid), claims });
  for (let time = 0; time < 2; time += 1) expect((await house.api.query(ME, {}, forged)).status).toBe(401);
});

test('a token remembered as good ends with its time all the same', async () => {
  const token = await access({}, { life: 60 });
  expect((await house.api.query(ME, {}, token)).status).toBe(200);
  house.server.clock.advance({ seconds: 61 });
  const { errors } = await house.api.query(ME, {}, token);
  house.server.clock.reset();
  expect(errors?.[0]?.extensions).toEqual({ code: 'UNAUTHENTICATED', reason: 'TOKEN_EXPIRED' });
});

test.each([['Basic', 'Basic dXNlcjpwYXNz'], ['an empty bearer', 'Bearer '], ['two', 'Bearer a b']])('%s in the header is refused', async (_what, authorization) => {
  const answer = await client(house.server.url, { headers: { authorization } }).query(ME);
  expect(answer.errors?.[0]?.extensions).toEqual({ code: 'UNAUTHENTICATED', reason: 'TOKEN_INVALID' });
});

test('without a token only public fields answer', async () => {
  expect((await house.api.query('{ instances { code } }')).data).toEqual({ instances: [{ code: 'museum' }] });
  const answer = await house.api.query(ME);
  expect(answer.status).toBe(401);
  expect(answer.errors?.[0]?.extensions).toEqual({ code: 'UNAUTHENTICATED', reason: 'TOKEN_MISSING' });
});

describe('one kind of token is not good for another’s place', () => {
  test('an access token opens no operator call and no federation', async () => {
    const operator = await callOperator(house.server, 'settings/read', {}, { token: account.token });
    expect(operator).toEqual({ status: 401, body: { code: 'UNAUTHENTICATED', reason: 'TOKEN_INVALID' } });
    for (const credential of [account.token, operatorToken({ code: 'museum', path: '/federation', body: '' }), '']) {
      const answer = await client(house.server.url, { path: '/federation', headers: { 'x-lotse-gateway': credential } }).query('{ _service { sdl } }');
      expect(answer).toMatchObject({ status: 401, data: undefined });
    }
  });

  test('a gateway credential opens the federation for nobody but whom it comes with', async () => {
    const asGateway = (headers = {}) => client(house.server.url, { path: '/federation', headers: { 'x-lotse-gateway': gatewayCredential('museum'), ...headers } });
    expect((await asGateway().query<{ _service: { sdl: string } }>('{ _service { sdl } }')).data._service.sdl).toContain('type Guide');
    expect((await asGateway().query(ME)).errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
    expect((await asGateway().query(ME, {}, account.token)).data).toEqual({ me: { id: account.id } });
    const wrong = [
      gatewayCredential('castle'),
      gatewayCredential('museum', testKey(gatewayKey.kid)),
      gatewayCredential('museum', operatorKey),
      gatewayCredential('museum', gatewayKey, ago(301)),
      sign({ typ: ACCESS, key: gatewayKey, claims: { iss: 'gateway', aud: 'museum' } }),
    ];
    for (const credential of wrong) expect((await asGateway({ 'x-lotse-gateway': credential }).query('{ _service { sdl } }')).status).toBe(401);
  });

  test('at /graphql a gateway credential changes nothing', async () => {
    const answer = await client(house.server.url, { headers: { 'x-lotse-gateway': gatewayCredential('museum') } }).query('{ _service { sdl } }');
    expect(answer.status).toBe(400);
    expect(answer.errors?.[0]?.extensions.code).toBe('GRAPHQL_VALIDATION_FAILED');
  });

  test('a grant is no access token at /graphql, whoever signed it', async () => {
    const token = sign({ typ: 'lotse-grant+jwt', key: await house.records.signingKey(), claims: { ...claims, sub: 'global', link: randomUUID(), coupling: randomUUID(), scope: 'linked:read' } });
    expect((await house.api.query(ME, {}, token)).errors?.[0]?.extensions.reason).toBe('TOKEN_INVALID');
    // At /federation it is looked at as a grant, and this instance is linked to nobody.
    const asGateway = client(house.server.url, { path: '/federation', headers: { 'x-lotse-gateway': gatewayCredential('museum') } });
    expect((await asGateway.query(ME, {}, token)).errors?.[0]?.extensions.reason).toBe('ISSUER_UNKNOWN');
  });
});
