import type { FakeGuide, FakeInstance, Misbehaviour } from './support/fake-instance.js';
import { TestFederation, coupledGuide, wholeRange, type TestGateway } from './support/test-gateway.js';

const query = `query ($range: TimeRangeInput!) { me { guide { calendar(range: $range) { id } } } }`;
const question = { query, variables: { range: wholeRange } };
const idsOf = (data: unknown) =>
  (data as { me: { guide: { calendar: { id: string }[] } } }).me.guide.calendar.map(({ id }) => id.slice(0, -4));

const changed = (from: string | RegExp, to: string): Misbehaviour => (real) => ({ body: JSON.stringify(real).replace(from, to) });

describe.each([{ executor: 'compiled' }, { executor: 'stock' }])('partners that fail, by the $executor executor', ({ executor }) => {
  const federation = new TestFederation();
  let gateway: TestGateway;
  let home: FakeInstance;
  let burg: FakeInstance;
  let chor: FakeInstance;
  let token: string;
  const environment = { COMPILED_EXECUTOR: String(executor === 'compiled'), UPSTREAM_MAX_ENTRIES: '50', UPSTREAM_MAX_BYTES: '20000' };

  beforeAll(async () => {
    [home, burg, chor] = (await federation.linkedInstances('ahof', 'burg', 'chor')) as [FakeInstance, FakeInstance, FakeInstance];
    const [anna] = coupledGuide([home, burg, chor], 'anna', 2) as [FakeGuide];
    token = home.token(anna);
    gateway = await federation.gateway({ ...environment, BREAKER_FAILURES: '1000' });
    // On a busy machine its first questions may have come to nothing.
    await until(async () => (await gateway.ask({ query: '{ me { role } }' }, token)).status === 200);
  });

  beforeEach(() => {
    for (const instance of [home, burg, chor]) {
      instance.misbehaviour = undefined;
      instance.requests.length = 0;
    }
  });

  afterAll(() => federation.close());

  const entry = (extra: string) => `{"id":"x","start":"2026-05-01T00:00:00Z","end":"2026-05-01T01:00:00Z"${extra}}`;
  const listOf = (list: string): Misbehaviour => () => ({ body: `{"data":{"_entities":[{"list0":${list}}]}}` });

  test.each<[string, string, Misbehaviour]>([
    ['is slow', 'TIMEOUT', 'hang'],
    ['answers no JSON', 'MALFORMED', () => ({ body: '<html>' })],
    ['answers JSON that is no GraphQL', 'MALFORMED', () => ({ body: '[]' })],
    ['breaks down', 'FAILED', () => ({ status: 500, body: 'Error: secret at /srv/app' })],
    ['reports a fault', 'FAILED', () => ({ body: '{"data":null,"errors":[{"message":"secret"}]}' })],
    ['refuses', 'REFUSED', () => ({ status: 401, body: '{"errors":[{"message":"secret","extensions":{"code":"UNAUTHENTICATED"}}]}' })],
    ['does not know the guide', 'REFUSED', () => ({ body: '{"data":{"_entities":[null]}}' })],
    ['answers too many bytes', 'TOO_LARGE', () => ({ body: `{"data":"${'x'.repeat(30_000)}"}` })],
    ['answers too many entries', 'TOO_LARGE', listOf(`[${Array.from({ length: 51 }, () => '{}').join(',')}]`)],
    ['answers no list', 'MALFORMED', listOf('{"length":1}')],
    ['answers more entities than asked', 'MALFORMED', () => ({ body: '{"data":{"_entities":[null,null]}}' })],
    ['answers an entry without a start', 'MALFORMED', listOf('[{"id":"x","end":"2026-05-01T01:00:00Z"}]')],
    ['answers an id that is a number', 'MALFORMED', changed('"id":"anna-burg-000"', '"id":7')],
    ['answers an endless id', 'MALFORMED', changed('"id":"anna-burg-000"', `"id":"${'x'.repeat(201)}"`)],
    ['answers a start that is no instant', 'MALFORMED', changed('2026-05-01T11:00:00.000Z', '1 May 2026 11:00')],
    ['answers an entry that ends before it starts', 'MALFORMED', changed('"end":"2026-05-01T12', '"end":"2026-05-01T10')],
    ['answers an entry outside the range', 'MALFORMED', listOf('[{"id":"x","start":"2026-07-01T00:00:00Z","end":"2026-07-01T01:00:00Z"}]')],
    ['answers one id twice', 'MALFORMED', listOf(`[${entry('')},${entry(',"offerTitle":"other"')}]`)],
    ['answers an entry that is null', 'MALFORMED', listOf('[null]')],
  ])('one that %s costs its part only', async (_name, reason, misbehaviour) => {
    burg.misbehaviour = misbehaviour;
    const { status, data, errors, text } = await gateway.ask(question, token);
    expect(status).toBe(200);
    expect(idsOf(data)).toEqual(['anna-ahof', 'anna-chor', 'anna-ahof', 'anna-chor']);
    expect(errors).toEqual([
      {
        message: 'The part of instance burg is missing.',
        path: ['me', 'guide', 'calendar'],
        extensions: { code: 'INSTANCE_UNAVAILABLE', instance: 'burg', reason, replicaAge: null },
      },
    ]);
    expect(text).not.toContain('secret');
  });

  test('one of the release before is asked again for what it knows', async () => {
    burg.misbehaviour = (real) => {
      const isKnown = !burg.requests.at(-1)?.query.includes(' kind ');
      return isKnown ? { body: JSON.stringify(real) } : { status: 400, body: '{"errors":[{"message":"secret","extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}' };
    };
    const kinds = `query ($range: TimeRangeInput!) { me { guide { calendar(range: $range) { id kind offerTitle } } } }`;
    const { data, errors } = await gateway.ask({ query: kinds, variables: { range: wholeRange } }, token);
    expect(errors).toBeUndefined();
    expect((data as { me: { guide: { calendar: unknown[] } } }).me.guide.calendar[1]).toEqual({ id: 'anna-burg-000', kind: 'BOOKING', offerTitle: 'Tour anna-burg 0' });
    expect(idsOf(data)).toHaveLength(6);
    expect(burg.requests.map(({ query: asked }) => asked.slice(asked.lastIndexOf('{')))).toEqual(['{ id start end kind offerTitle } } } }', '{ id start end offerTitle } } } }']);
  });

  test('one that is dead is UNREACHABLE and is back without a restart', async () => {
    await burg.stop();
    const dead = await gateway.ask(question, token);
    expect(idsOf(dead.data)).toEqual(['anna-ahof', 'anna-chor', 'anna-ahof', 'anna-chor']);
    expect(dead.errors?.map(({ extensions }) => extensions)).toEqual([
      { code: 'INSTANCE_UNAVAILABLE', instance: 'burg', reason: 'UNREACHABLE', replicaAge: null },
    ]);
    await burg.start();
    const back = await gateway.ask(question, token);
    expect(back.errors).toBeUndefined();
    expect(idsOf(back.data)).toHaveLength(6);
  });

  test('one that is not in the registry is not asked', async () => {
    const other = await federation.gateway({ ...environment, REGISTRY: registryOf(home, chor) });
    const { data, errors } = await other.ask(question, token);
    expect(idsOf(data)).toEqual(['anna-ahof', 'anna-chor', 'anna-ahof', 'anna-chor']);
    expect(errors?.map(({ extensions }) => extensions)).toEqual([
      { code: 'INSTANCE_UNAVAILABLE', instance: 'burg', reason: 'NOT_REGISTERED', replicaAge: null },
    ]);
    expect(burg.requests).toEqual([]);
  }, 20_000);

  test('a field twice is named twice', async () => {
    burg.misbehaviour = () => ({ status: 500, body: '' });
    const twice = `query ($range: TimeRangeInput!) { me { guide { a: calendar(range: $range) { id } b: calendar(range: $range) { id } } } }`;
    const { errors } = await gateway.ask({ query: twice, variables: { range: wholeRange } }, token);
    expect(errors?.map(({ path }) => path)).toEqual([['me', 'guide', 'a'], ['me', 'guide', 'b']]);
  });

  test('after several failures in a row it is left alone, then tried again by one request', async () => {
    const own = await federation.gateway({ ...environment, REGISTRY: registryOf(home, burg, chor), BREAKER_FAILURES: '3', BREAKER_HALF_OPEN_MS: '100' });
    burg.misbehaviour = () => ({ status: 500, body: '' });
    const reason = async () => (await own.ask(question, token)).errors?.[0]?.extensions['reason'];
    expect([await reason(), await reason(), await reason(), await reason()]).toEqual(['FAILED', 'FAILED', 'FAILED', 'CIRCUIT_OPEN']);
    expect(burg.requests).toHaveLength(3);
    expect(await metric(own, 'lotse_gateway_breaker_state{instance="burg"}')).toBe(2);
    // Refusals of others must not have been counted against them.
    expect(await metric(own, 'lotse_gateway_breaker_state{instance="chor"}')).toBe(0);
    burg.misbehaviour = undefined;
    const closed = await until(async () => (await own.ask(question, token)).errors === undefined);
    expect(closed).toBe(true);
    expect(await metric(own, 'lotse_gateway_breaker_state{instance="burg"}')).toBe(0);
  }, 20_000);

  test('refusals and faults reported as GraphQL never open the circuit', async () => {
    const own = await federation.gateway({ ...environment, REGISTRY: registryOf(home, burg, chor), BREAKER_FAILURES: '1' });
    burg.misbehaviour = () => ({ status: 500, body: '{"data":null,"errors":[{"message":"x"}]}' });
    for (let attempt = 0; attempt < 4; attempt += 1) {
      const { errors } = await own.ask(question, token);
      expect(errors?.[0]?.extensions['reason']).toBe('FAILED');
    }
    expect(burg.requests).toHaveLength(4);
  });

  test('answers that are too large never open the circuit: what is asked for decides', async () => {
    const own = await federation.gateway({ ...environment, REGISTRY: registryOf(home, burg, chor), BREAKER_FAILURES: '1' });
    burg.misbehaviour = () => ({ body: `{"data":"${'x'.repeat(30_000)}"}` });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const { errors } = await own.ask(question, token);
      expect(errors?.[0]?.extensions['reason']).toBe('TOO_LARGE');
    }
  });

  test('home that is down: nothing is shown, and the reason is said', async () => {
    home.misbehaviour = 'hang';
    const { status, data, errors } = await gateway.ask(question, token);
    expect(status).toBe(200);
    expect(data).toBeNull();
    expect(errors?.map(({ extensions }) => extensions)).toEqual([{ code: 'INSTANCE_UNAVAILABLE', instance: 'ahof', reason: 'TIMEOUT' }]);
  });

  test('what home says of its own errors is passed on with its path', async () => {
    const { data, errors } = await gateway.ask({ query, variables: { range: { start: wholeRange.end, end: wholeRange.start } } }, token);
    expect(data).toEqual({ me: { guide: null } });
    expect(errors?.[0]).toMatchObject({
      message: 'The range ends before it starts.',
      path: ['me', 'guide', 'calendar'],
      extensions: { code: 'INVALID_INPUT', field: 'range.end', reason: 'BEFORE_START' },
    });
    expect(errors).toHaveLength(1);
  });
});

test('partners are still shown when home goes away between the two steps of the stock executor', async () => {
  const federation = new TestFederation();
  try {
    const [home, burg] = (await federation.linkedInstances('ahof', 'burg')) as [FakeInstance, FakeInstance];
    const [anna] = coupledGuide([home, burg], 'anna', 2) as [FakeGuide];
    const gateway = await federation.gateway({ COMPILED_EXECUTOR: 'false' });
    home.misbehaviour = (real) => (JSON.stringify(real).includes('_entities') ? { status: 500, body: '' } : { body: JSON.stringify(real) });
    const { data, errors } = await gateway.ask(question, home.token(anna));
    expect(idsOf(data)).toEqual(['anna-burg', 'anna-burg']);
    expect(errors?.map(({ path, extensions }) => ({ path, extensions }))).toEqual([
      { path: ['me', 'guide', 'calendar'], extensions: { code: 'INSTANCE_UNAVAILABLE', instance: 'ahof', reason: 'FAILED' } },
    ]);
  } finally {
    await federation.close();
  }
});

function registryOf(...instances: readonly FakeInstance[]): string {
  return JSON.stringify({ instances: instances.map(({ code, url }) => ({ code, endpoint: url })) });
}

async function metric(gateway: TestGateway, name: string): Promise<number> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  const line = text.split('\n').find((candidate) => candidate.startsWith(name));
  return Number(line?.split(' ').at(-1));
}

/** Repeats until it holds; the questions themselves take the time. */
async function until(holds: () => Promise<boolean>): Promise<boolean> {
  const end = Date.now() + 5_000;
  while (Date.now() < end) {
    if (await holds()) return true;
  }
  return false;
}
