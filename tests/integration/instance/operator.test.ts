import { randomUUID } from 'node:crypto';
import { Cleanup } from '../../testkit/cleanup.js';
import { client, login } from '../../testkit/client.js';
import { startInstanceHere } from '../../testkit/instance.js';
import { callOperator, gatewayKey, operatorToken, testKey } from '../../testkit/keys.js';
import { PASSWORD } from '../../testkit/records.js';
import { type House, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
beforeAll(async () => {
  house = await openHouse(cleanup, { logo: 'https://museum.example/logo.svg' });
});
afterEach(() => house.server.clock.reset());

const call = (command: string, input: unknown = {}, override: Parameters<typeof callOperator>[3] = {}) => callOperator(house.server, command, input, override);
const settingsRow = () => house.records.query('select * from settings');

describe('a call that is not whole, new and the operator’s is refused and changes nothing', () => {
  const body = JSON.stringify({ name: 'Taken over' });
  const path = '/operator/v1/settings/write';
  const whole = { code: 'museum', path, body };
  const ago = (seconds: number): Date => new Date(Date.now() - seconds * 1_000);
  const cases: [string, () => string, string][] = [
    ['another key', () => operatorToken({ ...whole, key: testKey() }), 'TOKEN_INVALID'],
    ['the gateway’s key', () => operatorToken({ ...whole, key: gatewayKey }), 'TOKEN_INVALID'],
    ['another body', () => operatorToken({ ...whole, body: '{}' }), 'TOKEN_INVALID'],
    ['no body hash', () => operatorToken({ ...whole, claims: { body: undefined } }), 'TOKEN_INVALID'],
    ['another path', () => operatorToken({ ...whole, path: '/operator/v1/settings/read' }), 'TOKEN_INVALID'],
    ['another instance', () => operatorToken({ ...whole, code: 'castle' }), 'TOKEN_INVALID'],
    ['another issuer', () => operatorToken({ ...whole, claims: { iss: 'museum' } }), 'TOKEN_INVALID'],
    ['no single-use id', () => operatorToken({ ...whole, claims: { jti: undefined } }), 'TOKEN_INVALID'],
    ['an end in the past', () => operatorToken({ ...whole, now: ago(61) }), 'TOKEN_EXPIRED'],
    ['a life of more than a minute', () => operatorToken({ ...whole, life: 61 }), 'TOKEN_INVALID'],
  ];
  test.each(cases)('with %s', async (_what, token, reason) => {
    const before = await settingsRow();
    expect(await call('settings/write', { name: 'Taken over' }, { token: token() })).toEqual({ status: 401, body: { code: 'UNAUTHENTICATED', reason } });
    expect(await settingsRow()).toEqual(before);
  });

  test('without a token', async () => {
    const response = await fetch(`${house.server.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({ code: 'UNAUTHENTICATED', reason: 'TOKEN_MISSING' });
  });

  test('a second time, on a replica too, and at the same time', async () => {
    const second = cleanup.own(await startInstanceHere(house.instance), (server) => server.stop());
    const token = operatorToken({ code: 'museum', path: '/operator/v1/settings/read', body: '{}' });
    const answers = await Promise.all([house.server, second, house.server, second].map((server) => callOperator(server, 'settings/read', {}, { token })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401]);
    expect(answers.filter(({ status }) => status === 401).map(({ body: { reason } }) => reason)).toEqual(['TOKEN_REVOKED', 'TOKEN_REVOKED', 'TOKEN_REVOKED']);
  });

  test('an administrator’s token is no operator’s', async () => {
    const { token } = await house.records.signedIn('ADMINISTRATOR');
    expect((await call('settings/write', { name: 'Taken over' }, { token })).status).toBe(401);
  });
});

describe('settings', () => {
  test('are read and written, at once for every replica, and logged with both values', async () => {
    const second = cleanup.own(await startInstanceHere(house.instance), (server) => server.stop());
    const { token } = await house.records.signedIn('STAFF');
    const written = await call('settings/write', { name: 'New Name', timeZone: 'America/New_York', locale: 'en-us', currency: 'usd', logo: null });
    expect(written).toMatchObject({ status: 200, body: { result: { code: 'museum', name: 'New Name', timeZone: 'America/New_York', locale: 'en-US', currency: 'USD', logo: null, version: 2 } } });
    expect((await call('settings/read')).body.result).toEqual(written.body.result);
    const SETTINGS = '{ instanceSettings { code name timeZone locale currency logo } }';
    const expected = { code: 'museum', name: 'New Name', timeZone: 'America/New_York', locale: 'en-US', currency: 'USD', logo: null };
    expect((await house.api.query(SETTINGS, {}, token)).data).toEqual({ instanceSettings: expected });
    const replica = client(second.url);
    for (let seen: unknown; (seen as { name?: string } | undefined)?.name !== 'New Name'; ) {
      seen = (await replica.query<{ instanceSettings: unknown }>(SETTINGS, {}, token)).data.instanceSettings;
    }
    const logged = await house.records.query(
      `select actor_kind, actor_id, before->>'name' as before, after->>'name' as after from audit_entry where action = 'settings.changed'`,
    );
    expect(logged).toEqual([{ actor_kind: 'OPERATOR', actor_id: null, before: 'House museum', after: 'New Name' }]);
  });

  test.each([
    ['a zone that does not exist', { timeZone: 'Europe/Atlantis' }, 'timeZone', 'UNKNOWN_TIME_ZONE'],
    ['an offset instead of a zone', { timeZone: '+02:00' }, 'timeZone', 'UNKNOWN_TIME_ZONE'],
    ['an empty zone', { timeZone: '' }, 'timeZone', 'UNKNOWN_TIME_ZONE'],
    ['a currency that does not exist', { currency: 'XQZ' }, 'currency', 'UNKNOWN'],
    ['a locale that is none', { locale: 'not a locale' }, 'locale', 'MALFORMED'],
    ['an empty name', { name: '  ' }, 'name', 'REQUIRED'],
    ['a name too long', { name: 'x'.repeat(201) }, 'name', 'TOO_LONG'],
    ['control characters', { name: 'Mus\u0000eum' }, 'name', 'MALFORMED'],
  ])('%s is refused', async (_what, input, field, reason) => {
    const before = await settingsRow();
    expect(await call('settings/write', input)).toMatchObject({ status: 409, body: { code: 'INVALID_INPUT', field, reason } });
    expect(await settingsRow()).toEqual(before);
  });

  test.each([
    ['an unknown setting', { code: 'castle' }],
    ['a URL that is none', { url: 'nowhere' }],
    ['another type', { name: 5 }],
  ])('%s is refused', async (_what, input) => {
    expect(await call('settings/write', input)).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
  });

  test('an unknown command is named as such, a body that is not JSON too', async () => {
    expect(await call('settings/destroy')).toEqual({ status: 404, body: { code: 'UNKNOWN_COMMAND' } });
    expect((await call('constructor')).status).toBe(404);
    const path = '/operator/v1/settings/read';
    const response = await fetch(`${house.server.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${operatorToken({ code: 'museum', path, body: '{' })}` },
      body: '{',
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: 'INVALID_INPUT' });
  });
});

describe('rotation of signing keys', () => {
  const jwksOf = async (url = house.server.url): Promise<string[]> => {
    const answer = (await (await fetch(`${url}/.well-known/jwks.json`)).json()) as { keys: { kid: string; d?: string; kty: string; crv: string }[] };
    for (const key of answer.keys) expect(key).toEqual({ kty: 'EC', crv: 'P-256', x: expect.any(String), y: expect.any(String), kid: expect.any(String), alg: 'ES256', use: 'sig' });
    return answer.keys.map(({ kid }) => kid);
  };
  const kidOf = (token: string): string => (JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()) as { kid: string }).kid;

  test('publishes the new key first, signs with it after a minute, accepts the old one until its last token is gone', async () => {
    const { clock } = house.server;
    const account = await house.records.account(['STAFF']);
    const signIn = async (): Promise<string> => (await login(house.server.url, account.email, PASSWORD)).accessToken;
    const status = async (token: string): Promise<number> => (await house.api.query('{ me { id } }', {}, token)).status;
    const [oldKid] = await jwksOf();
    expect(kidOf(await signIn())).toBe(oldKid);

    const { body } = await call('keys/rotate');
    const newKid = (body.result as { kid: string }).kid;
    expect(newKid).not.toBe(oldKid);
    expect((await jwksOf()).sort()).toEqual([oldKid, newKid].sort());
    const documented = (await (await fetch(`${house.server.url}/.well-known/lotse.json`)).json()) as { jwks: { keys: { kid: string }[] } };
    expect(documented.jwks.keys.map(({ kid }) => kid).sort()).toEqual([oldKid, newKid].sort());

    clock.advance({ seconds: 58 });
    const lastOfOld = await signIn();
    expect(kidOf(lastOfOld)).toBe(oldKid);
    clock.advance({ seconds: 3 });
    const firstOfNew = await signIn();
    expect(kidOf(firstOfNew)).toBe(newKid);
    expect([await status(lastOfOld), await status(firstOfNew)]).toEqual([200, 200]);

    // The last second of the last token of the old key.
    clock.advance({ seconds: 294 });
    expect(await status(lastOfOld)).toBe(200);
    clock.advance({ seconds: 200 });
    expect(await jwksOf()).toEqual([newKid]);
    const late = await house.records.accessToken({ sub: account.id, sid: randomUUID(), role: 'STAFF' }, { now: clock.now() });
    expect(kidOf(late)).toBe(oldKid);
    expect((await house.api.query('{ me { id } }', {}, late)).errors?.[0]?.extensions.reason).toBe('TOKEN_INVALID');
  });

  test('private keys are stored encrypted, and public documents hold none', async () => {
    const rows = await house.records.query<{ public_jwk: Record<string, unknown>; private_key_encrypted: string }>('select * from signing_key');
    for (const { public_jwk, private_key_encrypted } of rows) {
      expect(public_jwk).not.toHaveProperty('d');
      expect(private_key_encrypted).not.toContain('PRIVATE KEY');
    }
  });
});
