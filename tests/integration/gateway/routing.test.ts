import { randomUUID } from 'node:crypto';
import jsonwebtoken from 'jsonwebtoken';
import type { FakeGuide, FakeInstance } from './support/fake-instance.js';
import { accessToken, signToken, testKey } from './support/keys.js';
import { TestFederation, coupledGuide, type TestGateway } from './support/test-gateway.js';

const login = 'mutation ($input: LoginInput!) { login(input: $input) { __typename ... on LoginPayload { accessToken } } }';
const me = { query: '{ me { role } }' };

describe.each([{ executor: 'compiled' }, { executor: 'stock' }])('routing, by the $executor executor', ({ executor }) => {
  const federation = new TestFederation();
  let gateway: TestGateway;
  let ahof: FakeInstance;
  let burg: FakeInstance;
  let anna: FakeGuide;

  beforeAll(async () => {
    [ahof, burg] = (await federation.linkedInstances('ahof', 'burg')) as [FakeInstance, FakeInstance];
    [anna] = coupledGuide([ahof, burg], 'anna', 1) as [FakeGuide];
    gateway = await federation.gateway({ COMPILED_EXECUTOR: String(executor === 'compiled'), DIRECTORY_COOL_DOWN_MS: '600000' });
  });

  beforeEach(() => {
    for (const instance of [ahof, burg]) {
      instance.requests.length = 0;
      instance.notes.length = 0;
    }
  });

  afterAll(() => federation.close());

  test('everybody is answered by his home', async () => {
    const query = '{ me { guide { id } } }';
    const [one, other] = await Promise.all([
      gateway.ask({ query }, ahof.token(anna)),
      gateway.ask({ query }, burg.token(burg.guides[0])),
    ]);
    expect(one.data).toEqual({ me: { guide: { id: 'anna@ahof' } } });
    expect(other.data).toEqual({ me: { guide: { id: 'anna@burg' } } });
  });

  test('the instance sees a gateway credential for itself, the request id and no more', async () => {
    const { headers } = await gateway.ask(me, ahof.token(anna));
    const [request] = ahof.requests;
    expect(request?.headers['x-request-id']).toBe(headers.get('x-request-id'));
    const credential = jsonwebtoken.decode(String(request?.headers['x-lotse-gateway']), { complete: true });
    expect(credential?.header).toEqual({ alg: 'ES256', typ: 'lotse-gateway+jwt', kid: 'gateway' });
    expect(credential?.payload).toMatchObject({ iss: 'gateway', aud: 'ahof' });
  });

  test.each([
    ['login, by its argument', login, { input: { instance: 'burg', email: 'a@example.org', password: 'right' } }],
    ['login, written out', 'mutation { login(input: { instance: "burg", email: "a", password: "right" }) { __typename } }', {}],
    ['login, under an alias in a fragment', 'mutation ($code: String) { ...Do } fragment Do on Mutation { in: login(input: { instance: $code, email: "a", password: "b" }) { __typename } }', { code: 'burg' }],
    ['refreshSession, by its token', 'mutation ($t: String!) { refreshSession(input: { refreshToken: $t }) { accessToken } }', { t: 'burg.random' }],
    ['acceptInvitation, by its token', 'mutation { acceptInvitation(input: { token: "burg.random", password: "x" }) { accessToken } }', {}],
  ])('%s, goes there without a token, whatever the client carries', async (_name, query, variables) => {
    for (const token of [undefined, 'not.a.token', ahof.token(anna, { life: -10 }), ahof.token(anna)]) {
      burg.requests.length = 0;
      const { status, errors } = await gateway.ask({ query, variables }, token);
      expect({ status, errors }).toEqual({ status: 200, errors: undefined });
      expect(burg.requests).toHaveLength(1);
      expect(burg.requests[0]?.headers['authorization']).toBeUndefined();
    }
    expect(ahof.requests).toEqual([]);
  });

  test.each([
    ['no instance', { email: 'a', password: 'b' }, 'REQUIRED'],
    ['an instance nobody knows', { instance: 'nowhere', email: 'a', password: 'b' }, 'UNKNOWN_INSTANCE'],
  ])('login with %s is INVALID_INPUT', async (_name, input, reason) => {
    const { status, data, errors } = await gateway.ask({ query: login, variables: { input } });
    expect({ status, data }).toEqual({ status: 200, data: null });
    expect(errors?.map(({ extensions }) => extensions)).toEqual([{ code: 'INVALID_INPUT', field: 'input.instance', reason }]);
  });

  test('one operation cannot go to two instances', async () => {
    const two = `mutation {
      a: login(input: { instance: "ahof", email: "a", password: "b" }) { __typename }
      b: login(input: { instance: "burg", email: "a", password: "b" }) { __typename }
    }`;
    const mixed = `mutation { login(input: { instance: "burg", email: "a", password: "b" }) { __typename } addNote(guideId: "anna@ahof", note: "x") { note } }`;
    for (const query of [two, mixed]) {
      const { status, data, errors } = await gateway.ask({ query }, ahof.token(anna));
      expect({ status, data, reason: errors?.[0]?.extensions['reason'] }).toEqual({ status: 200, data: null, reason: 'SEVERAL_INSTANCES' });
    }
    expect([...ahof.requests, ...burg.requests, ...ahof.notes]).toEqual([]);
  });

  test('mutations run in order, once, and may lead on to stitched fields', async () => {
    const query = `mutation {
      first: addNote(guideId: "anna@ahof", note: "one") { note guide { calendar(range: { start: "2026-05-01T00:00:00Z", end: "2026-05-02T00:00:00Z" }) { id } } }
      second: addNote(guideId: "anna@ahof", note: "two") { note }
    }`;
    const { data, errors } = await gateway.ask({ query }, ahof.token(anna));
    expect(errors).toBeUndefined();
    expect(data).toEqual({
      first: { note: 'one', guide: { calendar: [{ id: 'anna-ahof-000' }, { id: 'anna-burg-000' }] } },
      second: { note: 'two' },
    });
    expect(ahof.notes).toEqual(['one', 'two']);
  });

  test('the list of instances is everybody\'s', async () => {
    const query = '{ __typename instances { __typename code label: name url logo } }';
    for (const token of [undefined, 'not.a.token']) {
      const { status, text } = await gateway.ask({ query }, token);
      expect(status).toBe(200);
      expect(JSON.parse(text)).toEqual({
        data: {
          __typename: 'Query',
          instances: ['ahof', 'burg'].map((code) => ({
            __typename: 'InstanceInfo',
            code,
            label: `Museum ${code}`,
            url: `https://${code}.example.org`,
            logo: null,
          })),
        },
      });
    }
    expect([...ahof.requests, ...burg.requests]).toEqual([]);
  });

  test('what concerns an instance and what does not can be asked together', async () => {
    const { data, errors } = await gateway.ask({ query: '{ instances { code } me { role } }' }, ahof.token(anna));
    expect(errors).toBeUndefined();
    expect(data).toEqual({ instances: [{ code: 'ahof' }, { code: 'burg' }], me: { role: 'GUIDE' } });
  });

  test('everything else needs a token, and a good one', async () => {
    const key = ahof.key;
    const claims = { iss: 'ahof', aud: 'ahof', sub: randomUUID(), sid: randomUUID(), role: 'GUIDE' };
    const typ = 'lotse-access+jwt';
    const [head, body, signature] = ahof.token(anna).split('.') as [string, string, string];
    const forged = Buffer.from(JSON.stringify({ ...claims, iat: 0, exp: 9e9 })).toString('base64url');
    const hmac = jsonwebtoken.sign(claims, JSON.stringify(key.publicJwk), { algorithm: 'HS256', expiresIn: 60, header: { alg: 'HS256', typ, kid: key.kid } });
    const none = `${Buffer.from(JSON.stringify({ alg: 'none', typ, kid: key.kid })).toString('base64url')}.${body}.`;
    const rejected: [string | undefined, string][] = [
      [undefined, 'TOKEN_MISSING'],
      ['garbage', 'TOKEN_INVALID'],
      ['x'.repeat(5_000), 'TOKEN_INVALID'],
      [`${head}.${forged}.${signature}`, 'TOKEN_INVALID'],
      [`${head}.${body}.${signature.slice(0, -4)}AAAA`, 'TOKEN_INVALID'],
      [hmac, 'TOKEN_INVALID'],
      [none, 'TOKEN_INVALID'],
      [accessToken('ahof', testKey(key.kid)), 'TOKEN_INVALID'],
      [accessToken('ahof', burg.key), 'TOKEN_INVALID'],
      [accessToken('ahof', key, { life: -1 }), 'TOKEN_EXPIRED'],
      [accessToken('ahof', key, { life: 301 }), 'TOKEN_INVALID'],
      [accessToken('ahof', key, { role: 'OPERATOR' }), 'TOKEN_INVALID'],
      [accessToken('nowhere', key), 'ISSUER_UNKNOWN'],
      [signToken({ typ, key, claims: { ...claims, aud: 'burg' } }), 'TOKEN_INVALID'],
      [signToken({ typ: 'JWT', key, claims }), 'TOKEN_INVALID'],
      [signToken({ typ: 'lotse-grant+jwt', key, claims }), 'TOKEN_INVALID'],
      [signToken({ typ, key, claims: { ...claims, sid: undefined } }), 'TOKEN_INVALID'],
      [signToken({ typ, key, claims: { ...claims, padding: 'x'.repeat(4_000) } }), 'TOKEN_INVALID'],
      [ahof.grant(anna, 'ahof'), 'TOKEN_INVALID'],
    ];
    for (const [token, reason] of rejected) {
      const { status, data, errors } = await gateway.ask(me, token);
      expect({ token, status, data, extensions: errors?.map(({ extensions }) => extensions) }).toEqual({
        token,
        status: 401,
        data: undefined,
        extensions: [{ code: 'UNAUTHENTICATED', reason }],
      });
    }
    expect(ahof.requests).toEqual([]);
  });

  test('another scheme than Bearer is an invalid token', async () => {
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Basic YTpi' },
      body: JSON.stringify(me),
    });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { reason: 'TOKEN_INVALID' } }] });
  });

  test('a token home has revoked is refused as home says', async () => {
    ahof.misbehaviour = () => ({
      status: 401,
      body: '{"errors":[{"message":"The session has ended.","extensions":{"code":"UNAUTHENTICATED","reason":"TOKEN_REVOKED","http":{"status":418},"stacktrace":["x"]}}]}',
    });
    const { status, errors } = await gateway.ask(me, ahof.token(anna));
    ahof.misbehaviour = undefined;
    expect(status).toBe(401);
    expect(errors).toEqual([{ message: 'The session has ended.', extensions: { code: 'UNAUTHENTICATED', reason: 'TOKEN_REVOKED' } }]);
  });

  test('a fault at home is masked and can be quoted', async () => {
    ahof.misbehaviour = () => ({ body: '{"data":null,"errors":[{"message":"relation \\"customer\\" does not exist","path":["me"]}]}' });
    const { status, errors, headers } = await gateway.ask(me, ahof.token(anna));
    ahof.misbehaviour = undefined;
    expect(status).toBe(500);
    expect(errors).toEqual([
      {
        message: 'Internal server error',
        path: ['me'],
        extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: headers.get('x-request-id') },
      },
    ]);
  });

  test('fields that can be null are null when home is down, and the others are not lost', async () => {
    ahof.misbehaviour = () => ({ status: 502, body: 'bad gateway' });
    const { status, data, errors } = await gateway.ask({ query: '{ guide(id: "x") { id } __typename }' }, ahof.token(anna));
    ahof.misbehaviour = undefined;
    expect({ status, data }).toEqual({ status: 200, data: { guide: null, __typename: 'Query' } });
    expect(errors?.map(({ extensions }) => extensions)).toEqual([{ code: 'INSTANCE_UNAVAILABLE', instance: 'ahof', reason: 'FAILED' }]);
  });

  test('variables are checked before anybody is asked', async () => {
    const query = 'query ($id: ID!, $take: Boolean = true) { guide(id: $id) { id @include(if: $take) } }';
    const missing = await gateway.ask({ query }, ahof.token(anna));
    expect({ status: missing.status, extensions: missing.errors?.[0]?.extensions }).toEqual({
      status: 400,
      extensions: { code: 'INVALID_INPUT', field: 'id', reason: 'MALFORMED' },
    });
    const nothing = await gateway.ask({ query, variables: { id: 'x', take: null } }, ahof.token(anna));
    expect(nothing.errors?.[0]?.extensions).toEqual({ code: 'INVALID_INPUT', field: 'take', reason: 'NULL' });
    expect(ahof.requests).toEqual([]);
  });

  test('subscriptions are refused over HTTP', async () => {
    const { status, errors } = await gateway.ask({ query: 'subscription { calendarChanged(guideId: "x") { kind } }' }, ahof.token(anna));
    expect({ status, reason: errors?.[0]?.extensions['reason'] }).toEqual({ status: 400, reason: 'SUBSCRIPTION_OVER_HTTP' });
  });

  test('of several operations the named one runs', async () => {
    const query = 'query A { me { id } } query B { me { role } }';
    const named = await gateway.ask({ query, operationName: 'B' }, ahof.token(anna));
    expect(named.data).toEqual({ me: { role: 'GUIDE' } });
    const unnamed = await gateway.ask({ query }, ahof.token(anna));
    expect({ status: unnamed.status, code: unnamed.errors?.[0]?.extensions['code'] }).toEqual({ status: 400, code: 'OPERATION_RESOLUTION_FAILURE' });
  });

  test('neither tokens nor variables nor documents are logged', async () => {
    const token = ahof.token(anna);
    const query = 'query CanaryName($canary: ID = "canary-default") { guide(id: $canary) { canaryAlias: id } }';
    await gateway.ask({ query, variables: { canary: 'canary-variable' } }, token);
    await gateway.ask({ query: 'query { canaryField }' }, token);
    await gateway.ask({ query: login, variables: { input: { instance: 'burg', email: 'canary@example.org', password: 'canary-password' } } });
    const log = federation.log.join('\n');
    expect(log).not.toMatch(/canary/iu);
    expect(log).not.toContain(token.split('.')[2]);
    expect(log).not.toContain('Bearer');
  });
});
