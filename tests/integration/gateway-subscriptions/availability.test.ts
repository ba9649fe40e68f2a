import { afterEach, describe, expect, test } from '@jest/globals';
import { until } from '../../testkit/until.js';
import { calendarChanged } from './support/schema.js';
import { Scene } from './support/scene.js';

let scene: Scene;
afterEach(() => scene.dispose());

const unavailable = { code: 1013, reason: 'The instance cannot be reached' };

describe('an instance that is down', () => {
  test('closes its clients with 1013 after the time limit; they come back until it is there', async () => {
    scene = await Scene.start({ settings: { upstreamOutageMs: 300 } });
    await scene.castle.stop();
    const client = scene.client(scene.castleTokens.token(), 1_000);
    const operation = client.subscribe('guide-1');
    const abroad = scene.client(scene.abbeyTokens.token());
    const other = abroad.subscribe('guide-1');
    await client.closes.atLeast(2);
    await scene.castle.start();
    (await scene.castle.operation('guide-1')).emit('a');
    (await scene.abbey.operation('guide-1')).emit('b');

    await operation.events.atLeast(1);
    expect(client.closes.items.slice(0, 2)).toEqual([unavailable, unavailable]);
    expect(await other.events.atLeast(1)).toHaveLength(1);
    expect(abroad.closes.items).toEqual([]);
  });

  test('in the midst of subscriptions closes their clients with 1013 after the time limit', async () => {
    scene = await Scene.start({ settings: { upstreamOutageMs: 300 } });
    const client = scene.client(scene.castleTokens.token(), 0);
    const { result } = client.subscribe('guide-1');
    await scene.castle.operation('guide-1');
    await scene.castle.stop();
    expect(await result).toMatchObject(unavailable);
    expect(await scene.gateway.metric('operations')).toBe(0);
  });

  test('that accepts and then says nothing is given up', async () => {
    scene = await Scene.start({ settings: { upstreamOutageMs: 2_000, upstreamConnectTimeoutMs: 100 } });
    const never = Promise.withResolvers<void>();
    scene.castle.beforeAck = () => never.promise;
    const { result } = scene.client(scene.castleTokens.token(), 0).subscribe('guide-1');
    expect(await result).toMatchObject(unavailable);
    expect(scene.castle.sockets.items.length).toBeGreaterThan(1);
    never.resolve();
  });

  test('that no longer reads takes no more subscriptions; nothing piles up for it', async () => {
    scene = await Scene.start({ settings: { upstreamBufferBytes: 1_024, perSocket: 1_000 } });
    const raw = await scene.rawClient();
    await raw.init(scene.castleTokens.token());
    raw.subscribe('first', calendarChanged, { guideId: 'g' });
    (await scene.castle.operation('g')).socket.pause();
    // More than any kernel keeps for a connection on the same machine.
    const large = `${calendarChanged} # ${'x'.repeat(90_000)}`;
    for (let count = 0; count < 400; count += 1) raw.subscribe(String(count), large, { guideId: 'g' });
    expect(await raw.closed).toEqual(unavailable);
  });

  test('is tried again at growing distances, also when it was in use before', async () => {
    scene = await Scene.start({ settings: { upstreamOutageMs: 6_000, upstreamRetryMaxMs: 2_000 } });
    const before = scene.client(scene.castleTokens.token(), 0).subscribe('before');
    await scene.castle.operation('before');
    before.unsubscribe();
    await scene.gateway.closed({ clients: 1, instances: 1 });
    await scene.castle.stop();
    const begun = performance.now();
    const { result } = scene.client(scene.castleTokens.token(), 0).subscribe('guide-1');
    await until(async () => (await scene.gateway.metric('upstream_reconnects_total')) >= 5);
    // The pauses start at 100 ms and double; jitter takes at most the last doubling away.
    expect(performance.now() - begun).toBeGreaterThan(1_000);
    expect(await result).toMatchObject(unavailable);
    expect(await scene.gateway.metric('upstream_reconnects_total')).toBeLessThan(30);
  });

  test('does not close a client that has left it before', async () => {
    scene = await Scene.start();
    const never = Promise.withResolvers<void>();
    scene.castle.beforeAck = () => never.promise;
    const staying = scene.client(scene.castleTokens.token(), 0).subscribe('staying');
    const [socket] = await scene.castle.sockets.atLeast(1);
    const left = await scene.rawClient();
    await left.init(scene.castleTokens.token());
    left.subscribe('1', calendarChanged, { guideId: 'left' });
    left.send({ type: 'complete', id: '1' });
    left.send({ type: 'ping' });
    await left.messages.first(({ type }) => type === 'pong');
    socket?.close(4500, 'refused');
    expect(await staying.result).toMatchObject(unavailable);
    left.subscribe('2', calendarChanged, { guideId: 'back' });
    never.resolve();
    await scene.castle.operation('back');
    expect(left.socket.readyState).toBe(left.socket.OPEN);
  });

  const addresses = ['ftp://castle.example', 'http://castle.example#fragment', 'castle', ''];
  test.each(addresses)('with the address "%s", nobody can open a socket to, closes with 1013', async (address) => {
    scene = await Scene.start();
    scene.directory.set('castle', address);
    const { result } = scene.client(scene.castleTokens.token(), 0).subscribe('guide-1');
    expect(await result).toMatchObject(unavailable);
  });
});

describe('a gateway that restarts', () => {
  test('closes its clients with 1012; they go on after REFETCH', async () => {
    scene = await Scene.start();
    const clients = [0, 1, 2].map((index) => {
      const client = scene.client(scene.castleTokens.token(), 1_000);
      return { client, operation: client.subscribe(`guide-${index}`), guideId: `guide-${index}` };
    });
    for (const { guideId } of clients) await scene.castle.operation(guideId);
    const silent = await scene.rawClient();
    await scene.gateway.stop();
    expect(await silent.closed).toEqual({ code: 1012, reason: 'The gateway restarts' });
    expect(await scene.gateway.metric('client_sockets')).toBe(0);
    expect(await scene.gateway.metric('upstream_sockets')).toBe(0);
    expect(scene.directory.listeners).toBe(0);

    await scene.gateway.start();
    for (const { client, operation, guideId } of clients) {
      (await scene.castle.operation(guideId)).emit('after');
      expect(await operation.events.atLeast(2)).toEqual([
        { kind: 'REFETCH', entry: null },
        { kind: 'CREATED', entry: { id: 'after', offerTitle: 'Tour' } },
      ]);
      expect(client.closes.items[0]).toEqual({ code: 1012, reason: 'The gateway restarts' });
    }
  });

  test('does not wait for instances that do not answer the close', async () => {
    scene = await Scene.start();
    scene.client(scene.castleTokens.token(), 0).subscribe('guide-1');
    (await scene.castle.operation('guide-1')).socket.pause();
    await scene.gateway.stop();
    expect(await scene.gateway.metric('upstream_sockets')).toBe(0);
  });

  test('does not wait for clients that do not answer the close', async () => {
    scene = await Scene.start();
    const raw = await scene.rawClient();
    await raw.init(scene.castleTokens.token());
    raw.socket.pause();
    await scene.gateway.stop();
    expect(await scene.gateway.metric('client_sockets')).toBe(0);
  });
});
