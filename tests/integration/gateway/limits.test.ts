import type { FakeInstance } from './support/fake-instance.js';
import { TestFederation, type TestGateway } from './support/test-gateway.js';

describe('limits', () => {
  const federation = new TestFederation();
  let gateway: TestGateway;
  let ahof: FakeInstance;
  let token: string;

  beforeAll(async () => {
    [ahof] = (await federation.linkedInstances('ahof')) as [FakeInstance];
    token = ahof.token(undefined, { role: 'STAFF' });
    gateway = await federation.gateway({
      NODE_ENV: 'production',
      LIMIT_DEPTH: '4',
      LIMIT_ALIASES: '3',
      LIMIT_TOKENS: '60',
      LIMIT_COST: '200',
      LIMIT_SELECTIONS: '12',
      LIMIT_BODY_BYTES: '2000',
      LIMIT_REQUEST_MS: '200',
      UPSTREAM_TIMEOUT_MS: '60000',
      CORS_ORIGINS: 'https://app.example.org',
    });
  });

  beforeEach(() => {
    ahof.misbehaviour = undefined;
    ahof.requests.length = 0;
  });

  afterAll(() => federation.close());

  test.each([
    ['depth', '{ guides { edges { node { ...F } } } } fragment F on Guide { languages id }', undefined],
    ['depth', '{ booking(id: "1") { guide { calendar(range: { start: "a", end: "b" }) { instance { code } } } } }', 'depth'],
    ['aliases', '{ a: me { id } b: me { id } c: me { id } }', undefined],
    ['aliases', '{ a: me { id } b: me { id } c: me { id } d: me { id } }', 'aliases'],
    ['cost', '{ guides(first: 3) { nodes { id } } }', undefined],
    ['cost', '{ guides(first: 100) { nodes { id } } }', 'cost'],
  ])('%s: %s', async (_limit, query, exceeded) => {
    const { status, errors } = await gateway.ask({ query }, token);
    if (exceeded === undefined) {
      expect(status).toBe(200);
      return;
    }
    expect({ status, extensions: errors?.[0]?.extensions }).toEqual({
      status: 400,
      extensions: { code: 'OPERATION_LIMIT_EXCEEDED', limit: exceeded },
    });
    expect(ahof.requests).toEqual([]);
  });

  test('tokens', async () => {
    const { status, errors } = await gateway.ask({ query: `{ me { ${'id '.repeat(60)} } }` }, token);
    expect({ status, message: errors?.[0]?.message, code: errors?.[0]?.extensions['code'] }).toEqual({
      status: 400,
      message: 'Syntax Error: Document contains more that 60 tokens. Parsing aborted.',
      code: 'OPERATION_LIMIT_EXCEEDED',
    });
  });

  test('fields that multiply through fragments', async () => {
    const query = '{ ...A ...A } fragment A on Query { ...B ...B } fragment B on Query { ...C ...C } fragment C on Query { me { id } }';
    const { status, errors } = await gateway.ask({ query }, token);
    expect({ status, code: errors?.[0]?.extensions['code'] }).toEqual({ status: 400, code: 'OPERATION_LIMIT_EXCEEDED' });
  });

  test('size of the body', async () => {
    const { status, errors } = await gateway.ask({ query: '{ me { id } }', variables: { x: 'x'.repeat(3_000) } }, token);
    expect({ status, code: errors?.[0]?.extensions['code'] }).toEqual({ status: 413, code: 'OPERATION_LIMIT_EXCEEDED' });
  });

  test('time of the request', async () => {
    ahof.misbehaviour = 'hang';
    const started = Date.now();
    const { status, data, errors } = await gateway.ask({ query: '{ me { id } }' }, token);
    expect(Date.now() - started).toBeLessThan(2_000);
    expect({ status, data, extensions: errors?.[0]?.extensions }).toEqual({
      status: 200,
      data: null,
      extensions: { code: 'INSTANCE_UNAVAILABLE', instance: 'ahof', reason: 'TIMEOUT' },
    });
  });

  test('batches are refused', async () => {
    const response = await post(gateway, JSON.stringify([{ query: '{ me { id } }' }]), { authorization: `Bearer ${token}` });
    expect(response.status).toBe(400);
    expect(ahof.requests).toEqual([]);
  });

  test('forms and GET without a preflight are refused', async () => {
    const form = await post(gateway, 'query=x', { 'content-type': 'application/x-www-form-urlencoded' });
    expect(form.status).toBe(415);
    const plain = await post(gateway, JSON.stringify({ query: '{ instances { code } }' }), { 'content-type': 'text/plain' });
    expect(plain.status).toBe(400);
    const get = await fetch(`${gateway.url}/graphql?query={instances{code}}`);
    expect(get.status).toBe(400);
    const allowed = await fetch(`${gateway.url}/graphql?query={instances{code}}`, { headers: { 'apollo-require-preflight': '1' } });
    expect(allowed.status).toBe(200);
    const mutation = await fetch(`${gateway.url}/graphql?query=mutation{addNote(guideId:"x",note:"y"){note}}`, { headers: { 'apollo-require-preflight': '1', authorization: `Bearer ${token}` } });
    expect(mutation.status).toBe(405);
  });

  test.each(['{ _lotse_id: me { id } }', 'query ($_lotse: ID!) { guide(id: $_lotse) { id } }', 'query ($representations: ID!) { guide(id: $representations) { id } }', '{ ..._lotseF } fragment _lotseF on Query { me { id } }'])(
    'reserved names are refused: %s',
    async (query) => {
      const { status, errors } = await gateway.ask({ query, variables: { _lotse: 'x', representations: 'x' } }, token);
      expect({ status, code: errors?.[0]?.extensions['code'] }).toEqual({ status: 400, code: 'GRAPHQL_VALIDATION_FAILED' });
    },
  );

  test.each(['{ me { linkedGrants { token } } }', '{ guide(id: "x") { linkedGrants { token } } }', '{ _entities(representations: []) { __typename } }', '{ _service { sdl } }', '{ __type(name: "LinkedGrant") { name } }'])(
    'what is between gateway and instances cannot be asked for: %s',
    async (query) => {
      const { status, data } = await gateway.ask({ query }, token);
      expect({ status, data }).toEqual({ status: 400, data: undefined });
      expect(ahof.requests).toEqual([]);
    },
  );

  test('introspection is off in production, and a setting', async () => {
    const query = '{ __schema { queryType { name } } __type(name: "LinkedGrant") { name } }';
    const closed = await gateway.ask({ query }, token);
    expect(closed.status).toBe(400);
    const open = await federation.gateway({ NODE_ENV: 'production', INTROSPECTION: 'true' });
    const { status, data } = await open.ask({ query });
    expect({ status, data }).toEqual({ status: 200, data: { __schema: { queryType: { name: 'Query' } }, __type: null } });
  });

  test('names of the schema are not suggested in production', async () => {
    const { errors } = await gateway.ask({ query: '{ instance { code } }' });
    expect(errors?.[0]?.message).toBe('Cannot query field "instance" on type "Query".');
  });

  test('only listed origins may read answers', async () => {
    const preflight = (origin: string) => fetch(`${gateway.url}/graphql`, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } });
    const allowed = await preflight('https://app.example.org');
    expect([allowed.status, allowed.headers.get('access-control-allow-origin'), allowed.headers.get('access-control-allow-credentials')]).toEqual([204, 'https://app.example.org', null]);
    const other = await preflight('https://evil.example.org');
    expect([other.status, other.headers.get('access-control-allow-origin')]).toEqual([404, null]);
  });

  test('answers are not kept by anybody on the way', async () => {
    const { headers } = await gateway.ask({ query: '{ instances { code } }' });
    expect(headers.get('cache-control')).toBe('no-store');
  });

  test('JSON that is none', async () => {
    const response = await post(gateway, '{', {});
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ errors: [{ message: 'The request could not be read.', extensions: { code: 'BAD_REQUEST' } }] });
  });

  test('health and what does not exist', async () => {
    const get = async (path: string) => {
      const response = await fetch(`${gateway.url}${path}`);
      return [response.status, (await response.json()) as unknown];
    };
    expect(await get('/health/live')).toEqual([200, { status: 'live' }]);
    expect(await get('/health/ready')).toEqual([200, { status: 'ready' }]);
    expect((await get('/nothing'))[0]).toBe(404);
  });
});

test('a drain finishes what is under way', async () => {
  const federation = new TestFederation();
  try {
    const [ahof] = (await federation.linkedInstances('ahof')) as [FakeInstance];
    const gateway = await federation.gateway();
    let release: () => void = () => undefined;
    const arrived = new Promise<void>((resolve) => {
      ahof.beforeAnswer = () => {
        resolve();
        return new Promise((answer) => {
          release = answer;
        });
      };
    });
    const asked = gateway.ask({ query: '{ me { role } }' }, ahof.token(undefined));
    await arrived;
    const closed = gateway.server.close();
    release();
    expect((await asked).data).toEqual({ me: { role: 'GUIDE' } });
    await closed;
    await expect(gateway.ask({ query: '{ instances { code } }' })).rejects.toThrow('fetch failed');
  } finally {
    await federation.close();
  }
});

function post(gateway: TestGateway, body: string, headers: Record<string, string>) {
  return fetch(`${gateway.url}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
}
