import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { FakeInstance } from './support/fake-instance.js';
import { Scene } from './support/scene.js';

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.start({ settings: { upstreamMaxPayloadBytes: 4_096, keepAliveMs: 250 } });
});
afterEach(() => scene.dispose());

const refetch = { kind: 'REFETCH', entry: null };
const entry = (id: string) => ({ kind: 'CREATED', entry: { id, offerTitle: 'Tour' } });

/** A client that has received one event. */
async function subscribed(guideId: string) {
  const client = scene.client(scene.castleTokens.token());
  const operation = client.subscribe(guideId);
  const upstream = await scene.castle.operation(guideId);
  upstream.emit('before');
  await operation.events.atLeast(1);
  return { client, operation, upstream };
}

describe('when the socket to the instance is lost', () => {
  const losses: [string, (instance: FakeInstance) => Promise<void>][] = [
    ['the network is cut', async ({ sockets }) => sockets.items[0]?.terminate()],
    ['the instance restarts', async (instance) => {
      await instance.stop();
      await instance.start();
    }],
    ['the instance closes it', async ({ sockets }) => sockets.items[0]?.close(1012, 'Restart')],
    ['the instance no longer answers', async ({ sockets }) => sockets.items[0]?.pause()],
    ['the instance sends no JSON', async ({ sockets }) => sockets.items[0]?.send('garbage')],
    ['the instance sends a message that is too large', async ({ sockets }) =>
      sockets.items[0]?.send(JSON.stringify({ type: 'ping', payload: { text: 'x'.repeat(5_000) } }))],
    ['the instance breaks the protocol', async ({ sockets }) =>
      sockets.items[0]?.send(JSON.stringify({ type: 'next', id: 7 }))],
  ];
  test.each(losses)('because %s, every viewer gets REFETCH and all that follows', async (_name, lose) => {
    const first = await subscribed('guide-1');
    const second = await subscribed('guide-2');
    await lose(scene.castle);
    for (const { operation, upstream } of [first, second]) {
      const again = await scene.castle.operations.first(
        (candidate) => candidate.guideId === upstream.guideId && candidate !== upstream,
      );
      again.emit('after');
      expect(await operation.events.atLeast(3)).toEqual([entry('before'), refetch, entry('after')]);
      expect(again.authorization).toBe(upstream.authorization);
    }
    expect(first.client.closes.items).toEqual([]);
    expect(second.client.closes.items).toEqual([]);
    expect(scene.castle.sockets.items).toHaveLength(2);
    expect(await scene.gateway.metric('operations')).toBe(2);
    expect(await scene.gateway.metric('upstream_reconnects_total')).toBeGreaterThanOrEqual(1);
  });

  test('the late end of a socket that has failed is not taken for the end of its successor', async () => {
    const { operation, upstream } = await subscribed('guide-1');
    upstream.socket.send('garbage');
    // It does not answer the close either.
    upstream.socket.pause();
    const again = await scene.castle.operations.first((candidate) => candidate !== upstream);
    await scene.gateway.closed({ instances: 1 });
    again.emit('after');
    expect(await operation.events.atLeast(3)).toEqual([entry('before'), refetch, entry('after')]);
    const lost = scene.gateway.logged.items.filter((line) => line.includes('"no connection to the instance"'));
    expect(lost).toHaveLength(1);
  });

  test('a message for an operation nobody has is ignored', async () => {
    const { client, operation, upstream } = await subscribed('guide-1');
    upstream.socket.send(JSON.stringify({ type: 'next', id: 'unknown', payload: { data: { calendarChanged: null } } }));
    upstream.socket.send(JSON.stringify({ type: 'error', id: 'unknown', payload: [{ message: 'x' }] }));
    upstream.socket.send(JSON.stringify({ type: 'complete', id: 'unknown' }));
    upstream.emit('after');
    expect(await operation.events.atLeast(2)).toEqual([entry('before'), entry('after')]);
    expect(client.closes.items).toEqual([]);
    expect(scene.castle.sockets.items).toHaveLength(1);
  });

  test('a token that ends meanwhile is replaced by the client', async () => {
    const session = 'session-1';
    const tokens = [scene.castleTokens.token({ session, lifetime: 2 }), scene.castleTokens.token({ session })];
    const client = scene.client(() => tokens.shift());
    const operation = client.subscribe('guide-1');
    await scene.castle.operation('guide-1');
    await scene.castle.stop();
    await client.closes.atLeast(1);
    await scene.castle.start();

    expect(client.closes.items).toEqual([{ code: 4403, reason: 'TOKEN_EXPIRED' }]);
    (await scene.castle.operation('guide-1')).emit('after');
    expect(await operation.events.atLeast(2)).toEqual([refetch, entry('after')]);
  });

  const refusals = [1000, 4400, 4500];
  test.each(refusals)('with %i, viewers are closed with 1013 and come back by themselves', async (code) => {
    const { client, operation, upstream } = await subscribed('guide-1');
    upstream.socket.close(code, 'refused');
    await client.closes.atLeast(1);
    const again = await scene.castle.operations.first((candidate) => candidate !== upstream);
    again.emit('after');
    expect(client.closes.items).toEqual([{ code: 1013, reason: 'The instance cannot be reached' }]);
    expect(await operation.events.atLeast(3)).toEqual([entry('before'), refetch, entry('after')]);
  });
});

describe('the registry', () => {
  test('moves the subscriptions when an instance gets another address', async () => {
    const { client, operation } = await subscribed('guide-1');
    const moved = await new FakeInstance().start();
    try {
      scene.directory.set('castle', moved.endpoint);
      (await moved.operation('guide-1')).emit('moved');
      expect(await operation.events.atLeast(2)).toEqual([entry('before'), entry('moved')]);
      expect(client.closes.items).toEqual([]);
      expect(scene.castle.live).toEqual([]);
    } finally {
      await moved.stop();
    }
  });

  test('closes the clients of a removed instance with 1012, and no others', async () => {
    const { client, upstream } = await subscribed('guide-1');
    const abroad = scene.client(scene.abbeyTokens.token());
    const other = abroad.subscribe('guide-1');
    const neighbour = await scene.abbey.operation('guide-1');
    const idle = await scene.rawClient();
    await idle.init(scene.castleTokens.token());
    scene.directory.remove('castle');
    expect(await idle.closed).toEqual({ code: 1012, reason: 'The instance was removed' });
    await client.closes.atLeast(1);
    await upstream.ended;
    neighbour.emit('untouched');
    expect(client.closes.items[0]).toEqual({ code: 1012, reason: 'The instance was removed' });
    expect(await other.events.atLeast(1)).toHaveLength(1);
    expect(abroad.closes.items).toEqual([]);
  });

  test('without a change that concerns the instance leaves its socket alone', async () => {
    const { operation, upstream } = await subscribed('guide-1');
    scene.directory.set('abbey', 'http://127.0.0.1:1');
    scene.directory.set('castle', scene.castle.endpoint);
    upstream.emit('after');
    expect(await operation.events.atLeast(2)).toEqual([entry('before'), entry('after')]);
    expect(scene.castle.sockets.items).toHaveLength(1);
  });
});
