import { once } from 'node:events';
import { request } from 'node:http';
import { afterEach, describe, expect, test } from '@jest/globals';
import { GraphQLError, type ValidationRule } from 'graphql';
import { WebSocket } from 'ws';
import { calendarChanged } from './support/schema.js';
import { Scene } from './support/scene.js';

let scene: Scene;
afterEach(() => scene.dispose());

async function acknowledged() {
  const raw = await scene.rawClient();
  await raw.init(scene.castleTokens.token());
  return raw;
}

describe('a document', () => {
  const shallow: ValidationRule = (context) => ({
    Field: (node) => {
      if (node.name.value === 'entry') {
        context.reportError(new GraphQLError('Too deep', { nodes: node, extensions: { code: 'OPERATION_LIMIT_EXCEEDED' } }));
      }
    },
  });
  const cases: [string, { query: string; code: string; operationName?: string }][] = [
    ['a query', { query: 'query { hello }', code: 'GRAPHQL_VALIDATION_FAILED' }],
    ['a mutation', { query: 'mutation { nothing }', code: 'GRAPHQL_VALIDATION_FAILED' }],
    ['introspection', { query: '{ __schema { types { name } } }', code: 'GRAPHQL_VALIDATION_FAILED' }],
    ['what cannot be parsed', { query: 'subscription {', code: 'GRAPHQL_PARSE_FAILED' }],
    ['an unknown field', { query: 'subscription { nothing }', code: 'GRAPHQL_VALIDATION_FAILED' }],
    ['two root fields', { query: 'subscription { a: calendarChanged(guideId: 1) { kind } b: calendarChanged(guideId: 1) { kind } }', code: 'GRAPHQL_VALIDATION_FAILED' }],
    ['an unknown operation name', { query: calendarChanged, code: 'GRAPHQL_VALIDATION_FAILED', operationName: 'Other' }],
    ['too many tokens', { query: `subscription { calendarChanged(guideId: 1) { ${'kind '.repeat(100)} } }`, code: 'OPERATION_LIMIT_EXCEEDED' }],
    ['what a limit rule refuses', { query: 'subscription { calendarChanged(guideId: 1) { entry { id } } }', code: 'OPERATION_LIMIT_EXCEEDED' }],
  ];
  test.each(cases)('with %s is refused; nothing reaches the instance and the socket stays', async (_name, { query, code, operationName }) => {
    scene = await Scene.start({ validationRules: [shallow], maxTokens: 60 });
    const raw = await acknowledged();
    raw.subscribe('bad', query, {}, operationName);
    expect(await raw.error('bad')).toMatchObject([{ extensions: { code } }]);
    expect(scene.castle.sockets.items).toEqual([]);
    raw.subscribe('good', 'subscription { calendarChanged(guideId: "g") { kind } }');
    await scene.castle.operation('g');
  });

  test('that is a query says where queries go', async () => {
    scene = await Scene.start();
    const raw = await acknowledged();
    raw.subscribe('1', '{ hello }');
    expect((await raw.error('1'))[0]?.message).toBe(
      'Only subscriptions are served over WebSocket. Send queries and mutations by HTTP POST.',
    );
  });
});

describe('a client socket', () => {
  test('carries no more operations than allowed, also when they come at once', async () => {
    scene = await Scene.start({ settings: { perSocket: 2 } });
    const raw = await acknowledged();
    for (const id of ['1', '2', '3']) raw.subscribe(id, calendarChanged, { guideId: id });
    expect(await raw.error('3')).toMatchObject([{ extensions: { code: 'OPERATION_LIMIT_EXCEEDED' } }]);
    const first = await scene.castle.operation('1');
    await scene.castle.operation('2');
    raw.send({ type: 'complete', id: '1' });
    await first.ended;
    raw.subscribe('4', calendarChanged, { guideId: '4' });
    await scene.castle.operation('4');
    expect(scene.castle.live).toHaveLength(2);
  });

  test('is closed with 1013 when the account has too many; another account is not', async () => {
    scene = await Scene.start({ settings: { maxSocketsPerAccount: 2 } });
    const token = scene.castleTokens.token({ account: 'one' });
    const [first] = [await scene.rawClient(), await scene.rawClient()].map((raw) => ({ raw, ready: raw.init(token) }));
    await first?.ready;
    const third = await scene.rawClient();
    third.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
    expect(await third.closed).toEqual({ code: 1013, reason: 'Too many connections' });
    await (await scene.rawClient()).init(scene.castleTokens.token({ account: 'two' }));
    await (await scene.rawClient()).init(scene.abbeyTokens.token({ account: 'one' }));

    first?.raw.socket.close();
    await first?.raw.closed;
    await (await scene.rawClient()).init(token);
  });

  test('beyond the number for the whole process is closed with 1013', async () => {
    scene = await Scene.start({ settings: { maxSockets: 1 } });
    await acknowledged();
    expect(await (await scene.rawClient()).closed).toEqual({ code: 1013, reason: 'Too many connections' });
  });

  test('without connection_init is closed with 4408', async () => {
    scene = await Scene.start({ settings: { initTimeoutMs: 20 } });
    expect(await (await scene.rawClient()).closed).toMatchObject({ code: 4408 });
  });

  test('with a message that is too large is closed with 1009', async () => {
    scene = await Scene.start({ settings: { maxPayloadBytes: 1_000 } });
    const raw = await acknowledged();
    raw.subscribe('1', `${calendarChanged} # ${'x'.repeat(1_000)}`);
    expect(await raw.closed).toMatchObject({ code: 1009 });
  });

  test('with too many messages in a minute is closed with 1013', async () => {
    scene = await Scene.start({ settings: { maxMessagesPerMinute: 10 } });
    const raw = await acknowledged();
    for (let count = 0; count < 10; count += 1) raw.send({ type: 'ping' });
    expect(await raw.closed).toEqual({ code: 1013, reason: 'Too many messages' });
  });

  test('that no longer answers pings is cut', async () => {
    scene = await Scene.start({ settings: { keepAliveMs: 50 } });
    const raw = await acknowledged();
    raw.subscribe('1', calendarChanged, { guideId: 'g' });
    const upstream = await scene.castle.operation('g');
    raw.socket.pause();
    await upstream.ended;
    expect(await scene.gateway.metric('operations')).toBe(0);
  });

  const broken: [string, string, number][] = [
    ['no JSON', 'garbage', 4400],
    ['an unknown type', '{"type":"hello"}', 4400],
    ['a message only servers send', '{"type":"next","id":"1","payload":{}}', 4400],
    ['a second connection_init', '{"type":"connection_init"}', 4429],
  ];
  test.each(broken)('with %s is closed for good', async (_name, message, code) => {
    scene = await Scene.start();
    const raw = await acknowledged();
    raw.send(message);
    expect(await raw.closed).toMatchObject({ code });
  });

  test('without the subprotocol is closed with 4406', async () => {
    scene = await Scene.start();
    const socket = new WebSocket(scene.gateway.url);
    const [code] = (await once(socket, 'close')) as [number];
    expect(code).toBe(4406);
  });

  test('at another path is refused', async () => {
    scene = await Scene.start();
    const upgrade = request(scene.gateway.url.replace('ws:', 'http:').replace('/graphql', '/other'), {
      headers: { connection: 'Upgrade', upgrade: 'websocket' },
    });
    upgrade.end();
    const [response] = (await once(upgrade, 'response')) as [{ statusCode: number; resume(): void }];
    response.resume();
    expect(response.statusCode).toBe(404);
  });
});
