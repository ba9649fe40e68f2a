import { jest } from '@jest/globals';
import { once } from 'node:events';
import { connect } from 'node:net';
import { Cleanup } from '../../testkit/cleanup.js';
import { client, type GraphqlClient } from '../../testkit/client.js';
import { gatewayCredential } from '../../testkit/keys.js';
import { wsClient } from '../../testkit/socket.js';
import { until } from '../../testkit/until.js';
import { at, type House, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
let staff: string;
beforeAll(async () => {
  house = await openHouse(cleanup, {
    env: { LIMIT_DEPTH: '6', LIMIT_ALIASES: '4', LIMIT_TOKENS: '200', LIMIT_COST: '400', LIMIT_BODY_BYTES: '20000', WS_MAX_OPERATIONS: '3', WS_MAX_PAYLOAD_BYTES: '5000', NODE_ENV: 'production' },
  });
  staff = (await house.records.signedIn('STAFF')).token;
});

const codes = (answer: Awaited<ReturnType<GraphqlClient['query']>>): unknown[] => answer.errors?.map(({ extensions }) => extensions.code) ?? [];
const LIMIT = 'OPERATION_LIMIT_EXCEEDED';

describe('a document', () => {
  test('may go so deep and no deeper, through fragments too', async () => {
    // Five levels below the root: bookings, edges, node, assignments, guide, id.
    const five = '{ bookings { edges { node { assignments { guide { id } } } } } }';
    const six = '{ bookings { edges { node { assignments { guide { offers { id } } } } } } }';
    const hidden = 'query { bookings { edges { node { ...A } } } } fragment A on Booking { assignments { guide { ...B } } } fragment B on Guide { offers { id } }';
    expect(codes(await house.api.query(five, {}, staff))).toEqual([]);
    for (const document of [six, hidden]) {
      const answer = await house.api.query(document, {}, staff);
      expect({ status: answer.status, data: answer.data, codes: codes(answer) }).toEqual({ status: 400, data: undefined, codes: [LIMIT] });
    }
  });

  test('may have so many aliases', async () => {
    const aliased = (count: number): string => `{ ${Array.from({ length: count }, (_, index) => `a${index}: instances { code }`).join(' ')} }`;
    expect(codes(await house.api.query(aliased(4)))).toEqual([]);
    const answer = await house.api.query(aliased(5));
    expect([answer.status, codes(answer)]).toEqual([400, [LIMIT]]);
  });

  test('may have so many tokens', async () => {
    const long = (count: number): string => `{ instances { ${'code '.repeat(count)} } }`;
    expect(codes(await house.api.query(long(190)))).toEqual([]);
    const answer = await house.api.query(long(201));
    expect([answer.status, codes(answer)]).toEqual([400, [LIMIT]]);
  });

  test('may cost so much', async () => {
    const costly = `{ ${'guides { edges { node { offers { id } } } } '.repeat(1)} }`;
    expect(codes(await house.api.query(costly, {}, staff))).toEqual([]);
    const fields = 'id title description durationMinutes guideDemand active version languages';
    const tooMuch = `{ guides { edges { node { offers { ${fields} price { amount currency } } couplings { id state guide { id firstName lastName email phone } } calendar(range: { start: "${at(0).toISOString()}", end: "${at(1).toISOString()}" }) { id start end details { bookingId language notes partySize customer { name email } } } } } } }`;
    const answer = await house.api.query(tooMuch, {}, staff);
    expect([answer.status, codes(answer)]).toEqual([400, [LIMIT]]);
  });

  test('that loops through its own fragments is refused', async () => {
    const answer = await house.api.query('query { me { guide { ...A } } } fragment A on Guide { ...B } fragment B on Guide { ...A }', {}, staff);
    expect(answer.status).toBe(400);
    expect(answer.data).toBeUndefined();
  });

  test('limits hold before anybody is asked who he is', async () => {
    const answer = await house.api.query('{ bookings { edges { node { assignments { guide { offers { id } } } } } } }');
    expect(codes(answer)).toEqual([LIMIT]);
  });

  test('of a gateway is limited at the gateway, for the client’s operation', async () => {
    const asGateway = client(house.server.url, { path: '/federation', headers: { 'x-lotse-gateway': gatewayCredential('museum') } });
    expect(codes(await asGateway.query('{ bookings { edges { node { assignments { guide { offers { price { amount } } } } } } } }', {}, staff))).toEqual([]);
  });
});

describe('a request', () => {
  const post = (body: string, headers: Record<string, string> = { 'content-type': 'application/json' }): Promise<Response> =>
    fetch(`${house.server.url}/graphql`, { method: 'POST', headers, body });
  const QUERY = '{ instances { code } }';

  test('may be so long, compressed or not', async () => {
    const padded = (bytes: number): string => JSON.stringify({ query: QUERY, variables: { pad: 'x'.repeat(bytes) } });
    expect((await post(padded(19_000))).status).toBe(200);
    const answer = await post(padded(20_001));
    expect(answer.status).toBe(413);
    expect(await answer.json()).toEqual({ errors: [{ message: 'The request is larger than this server accepts.', extensions: { code: LIMIT } }] });
  });

  test('is one operation: no batches', async () => {
    const answer = await post(JSON.stringify([{ query: QUERY }, { query: QUERY }]));
    expect(answer.status).toBe(400);
    expect(await answer.text()).not.toContain('museum');
  });

  test('of a simple form, which a foreign page could send with a browser, is refused', async () => {
    for (const headers of [{ 'content-type': 'text/plain' }, { 'content-type': 'application/x-www-form-urlencoded' }] as Record<string, string>[]) {
      expect([400, 415]).toContain((await post(JSON.stringify({ query: QUERY }), headers)).status);
    }
    expect((await fetch(`${house.server.url}/graphql?query=${encodeURIComponent(QUERY)}`)).status).toBe(400);
    expect((await fetch(`${house.server.url}/graphql?query=${encodeURIComponent('mutation { logout { endedSessions } }')}`, { headers: { 'apollo-require-preflight': 'yes' } })).status).toBe(405);
  });

  test.each(['', '{', 'null', '[]', '{"query":5}', '{"query":"{ instances { code }"}', '{"variables":{}}'])('that is not well-formed is refused: %s', async (body) => {
    const answer = await post(body);
    expect(answer.status).toBe(400);
    const { errors } = (await answer.json()) as { errors: { extensions: { code: string } }[] };
    expect(['BAD_REQUEST', 'GRAPHQL_PARSE_FAILED']).toContain(errors[0]?.extensions.code);
  });

  test('anywhere else finds nothing', async () => {
    const answer = await fetch(`${house.server.url}/admin`);
    expect([answer.status, await answer.json()]).toEqual([404, { errors: [{ message: 'Nothing is served here.', extensions: { code: 'NOT_FOUND' } }] }]);
  });
});

describe('in production', () => {
  test('the schema cannot be asked for, and a wrong field is not corrected', async () => {
    for (const document of ['{ __schema { types { name } } }', '{ __type(name: "Guide") { fields { name } } }']) {
      const answer = await house.api.query(document, {}, staff);
      expect([answer.status, answer.data]).toEqual([400, undefined]);
    }
    const wrong = await house.api.query('{ guide(id: "1") { displayNam } }', {}, staff);
    expect(wrong.status).toBe(400);
    expect(wrong.text).not.toContain('displayName');
    expect((await house.api.query('{ __typename }')).data).toEqual({ __typename: 'Query' });
  });

  test('a fault says that there was one, and nothing of what it was; the log holds its kind and place', async () => {
    const secret = 'canary-in-a-fault';
    await house.records.query(`create function fail() returns trigger language plpgsql as $$ begin raise exception '${secret} %', new.name; end $$`);
    await house.records.query('create trigger fail before insert on customer for each row execute function fail()');
    const offerId = await house.records.offer();
    const document = `mutation ($input: CreateBookingInput!) { createBooking(input: $input) { __typename } }`;
    const answer = await house.api.query(document, { input: { idempotencyKey: 'k', offerId, time: { start: at(0).toISOString() }, customer: { name: secret } } }, staff);
    await house.records.query('drop trigger fail on customer');
    expect(answer.errors).toEqual([{ message: 'Something went wrong on our side.', path: ['createBooking'], locations: expect.any(Array), extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: expect.stringMatching(/^[\w-]{36}$/) } }]);
    expect(answer.text).not.toContain(secret);
    const log = house.server.log.join('\n');
    expect(log).toContain('a request failed');
    expect(log).not.toContain(secret);
  });
});

describe('a socket', () => {
  const FOLLOW = 'subscription ($guideId: ID!) { calendarChanged(guideId: $guideId) { kind } }';

  test('carries so many operations', async () => {
    const guideId = await house.records.guide();
    const { token } = await house.records.signedIn('GUIDE', { guideId });
    const socket = cleanup.own(wsClient(house.server.url, () => token, { retryAttempts: 0 }), (opened) => opened.dispose());
    const standing = Array.from({ length: 3 }, () => socket.subscribe(FOLLOW, { guideId }));
    await socket.connections.waitFor();
    const refused = await socket.subscribe(FOLLOW, { guideId }).ended;
    expect(standing.map(({ messages }) => messages.items.filter(({ errors }) => errors))).toEqual([[], [], []]);
    expect(refused).toEqual([{ message: 'Too many operations on this socket.', extensions: { code: LIMIT } }]);
    // One that ends makes room for another.
    standing[0]?.unsubscribe();
    await until(async () => {
      const next = socket.subscribe<{ calendarChanged: { kind: string } }>(FOLLOW, { guideId });
      return (await Promise.race([next.messages.waitFor(), next.ended.then(() => undefined)])) !== undefined;
    });
  });

  test.each([
    ['a query', '{ instances { code } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['a mutation', 'mutation { logout { endedSessions } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['what cannot be parsed', 'subscription {', 'GRAPHQL_PARSE_FAILED'],
    ['an unknown field', 'subscription { nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    ['too many aliases', `subscription { calendarChanged(guideId: "1") { ${'abcde'.split('').map((name) => `${name}: kind`).join(' ')} } }`, LIMIT],
    ['too many tokens', `subscription { calendarChanged(guideId: "1") { ${'kind '.repeat(200)} } }`, LIMIT],
  ])('refuses %s and stays open', async (_what, document, code) => {
    const socket = cleanup.own(wsClient(house.server.url, () => staff, { retryAttempts: 0 }), (opened) => opened.dispose());
    const guideId = await house.records.guide();
    socket.subscribe(FOLLOW, { guideId });
    await socket.connections.waitFor();
    const ended = (await socket.subscribe(document).ended) as { extensions: { code: string } }[];
    expect(ended.map(({ extensions }) => extensions.code)).toEqual([code]);
    expect(socket.closes.items).toEqual([]);
  });

  test('that sends more than a message may hold is closed', async () => {
    // The library tells the console of it, whatever we do.
    const quiet = jest.spyOn(console, 'error').mockImplementation(() => undefined);
    cleanup.own(quiet, (spy) => spy.mockRestore());
    const socket = cleanup.own(wsClient(house.server.url, () => staff, { retryAttempts: 0 }), (opened) => opened.dispose());
    socket.subscribe(FOLLOW, { guideId: 'x'.repeat(6_000) });
    expect((await socket.closes.waitFor()).code).toBe(1009);
  });

  test('without a token, or at another path, does not open', async () => {
    const anonymous = cleanup.own(wsClient(house.server.url, () => undefined, { retryAttempts: 0 }), (opened) => opened.dispose());
    anonymous.subscribe(FOLLOW, { guideId: '1' });
    expect(await anonymous.closes.waitFor()).toEqual({ code: 4403, reason: 'TOKEN_MISSING' });
    const elsewhere = cleanup.own(wsClient(`${house.server.url}/admin`, () => staff, { retryAttempts: 0 }), (opened) => opened.dispose());
    elsewhere.subscribe(FOLLOW, { guideId: '1' });
    expect((await elsewhere.closes.waitFor()).code).toBe(1006);
  });

  test('to another path is closed on both sides, whether its client agrees or not', async () => {
    const { port } = house.server;
    const half = cleanup.own(connect({ port, host: '127.0.0.1', allowHalfOpen: true }), (opened) => opened.destroy());
    const failed = once(half, 'error');
    const ended = once(half, 'end');
    half.resume().write('GET /admin HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    await ended;
    // A server that had closed its side alone would take what we send, and wait for us when it stops.
    let open = true;
    void failed.then(() => (open = false));
    await until(() => {
      half.write('x');
      return Promise.resolve(!open);
    });
  });
});
