import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { calendarChanged } from './support/schema.js';
import { Scene } from './support/scene.js';
import { GatewayTimers } from './support/timers.js';

let scene: Scene;
let timers: GatewayTimers;
beforeEach(() => {
  timers = new GatewayTimers();
});
afterEach(async () => {
  timers.stop();
  await scene.dispose();
});

describe('a client that reads too slowly', () => {
  test('is closed with 1013, its operation upstream is completed, and others go on', async () => {
    scene = await Scene.start({ settings: { bufferBytes: 64 * 1024 } });
    const slow = scene.client(scene.castleTokens.token(), 0);
    slow.subscribe('slow');
    const quick = scene.client(scene.castleTokens.token());
    const other = quick.subscribe('quick');
    const flooded = await scene.castle.operation('slow');
    const neighbour = await scene.castle.operation('quick');
    slow.socket?.pause();
    const text = 'x'.repeat(50_000);
    let sent = 0;
    while (scene.castle.live.includes(flooded) && sent < 2_000) {
      flooded.emit(String(sent), text);
      neighbour.emit(String(sent));
      sent += 1;
      // The neighbour's event shows that the gateway has read this far.
      await other.events.atLeast(sent);
    }
    expect(scene.castle.live).toEqual([neighbour]);
    neighbour.emit('still');
    await other.events.atLeast(sent + 1);
    expect(quick.closes.items).toEqual([]);
    expect(scene.castle.sockets.items).toHaveLength(1);
    await scene.gateway.closed({ clients: 1 });
    const closes = await scene.gateway.metrics.getSingleMetric('lotse_gateway_ws_client_closes_total')?.get();
    expect(closes?.values.map(({ labels, value }) => [labels['code'], value])).toEqual([['1013', 1]]);
  });

  test('gets REFETCH when it comes back', async () => {
    scene = await Scene.start({ settings: { bufferBytes: 64 * 1024, closeTimeoutMs: 5_000 } });
    const client = scene.client(scene.castleTokens.token());
    const operation = client.subscribe('slow');
    const upstream = await scene.castle.operation('slow');
    const socket = client.socket;
    socket?.pause();
    // More than any kernel keeps for a connection on the same machine.
    for (let count = 0; count < 400; count += 1) upstream.emit(String(count), 'x'.repeat(50_000));
    await upstream.ended;
    socket?.resume();
    await client.closes.atLeast(1);
    expect(client.closes.items).toEqual([{ code: 1013, reason: 'The client reads too slowly' }]);
    (await scene.castle.operation('slow')).emit('after');
    const received = operation.events;
    await received.first((event) => event.entry?.id === 'after');
    const kinds = received.items.map(({ kind, entry }) => (kind === 'REFETCH' ? kind : entry?.id));
    expect(kinds.slice(-2)).toEqual(['REFETCH', 'after']);
    // What came before the gap is complete and in order.
    expect(kinds.slice(0, -2)).toEqual(Array.from({ length: kinds.length - 2 }, (_value, index) => String(index)));
  });
});

describe('after clients have left', () => {
  const ways: [string, (clients: readonly { unsubscribe(): void }[]) => void][] = [
    ['by unsubscribing', (operations) => {
      for (const operation of operations) operation.unsubscribe();
    }],
    ['by a cut network', () => {
      scene.gateway.cut();
    }],
  ];
  test.each(ways)('%s, nothing of them remains', async (_name, leave) => {
    scene = await Scene.start();
    const clients = Array.from({ length: 20 }, () => scene.client(scene.castleTokens.token(), 0));
    const operations = clients.flatMap((client, index) =>
      [0, 1, 2].map((number) => client.subscribe(`guide-${index}-${number}`)),
    );
    await scene.castle.operations.atLeast(60);
    expect(await scene.gateway.metric('operations')).toBe(60);
    // Token ends and pings of twenty clients, pings of the instance's socket: the count works.
    expect((await timers.waiting()).length).toBeGreaterThanOrEqual(41);
    leave(operations);
    await scene.gateway.closed({ clients: 20, instances: 1 });
    await Promise.all(scene.castle.operations.items.map(({ ended }) => ended));
    expect(scene.castle.live).toEqual([]);
    expect(await scene.gateway.metric('operations')).toBe(0);
    expect(await scene.gateway.metric('client_sockets')).toBe(0);
    expect(await scene.gateway.metric('upstream_sockets')).toBe(0);
    expect(await timers.waiting()).toEqual([]);
  });

  test('while their instance is down, no attempt to reach it goes on', async () => {
    scene = await Scene.start({ settings: { upstreamRetryMaxMs: 60_000 } });
    await scene.castle.stop();
    const client = scene.client(scene.castleTokens.token(), 0);
    const operation = client.subscribe('guide-1');
    await scene.gateway.logged.first((line) => line.includes('"no connection to the instance"'));
    operation.unsubscribe();
    await scene.gateway.closed({ clients: 1, instances: 1 });
    await client.closes.atLeast(1);
    expect(await scene.gateway.metric('operations')).toBe(0);
    expect(await scene.gateway.metric('upstream_sockets')).toBe(0);
    expect(await timers.waiting()).toEqual([]);
  });

  test('while their instance is still connecting, the attempt is cut', async () => {
    scene = await Scene.start({ settings: { upstreamConnectTimeoutMs: 600_000 } });
    const never = Promise.withResolvers<void>();
    scene.castle.beforeAck = () => never.promise;
    const client = scene.client(scene.castleTokens.token(), 0);
    const operation = client.subscribe('guide-1');
    await scene.castle.sockets.atLeast(1);
    operation.unsubscribe();
    await scene.gateway.closed({ clients: 1, instances: 1 });
    await client.closes.atLeast(1);
    expect(await timers.waiting()).toEqual([]);
  });

  test('an id used twice while it is prepared leaves no operation behind', async () => {
    scene = await Scene.start();
    const raw = await scene.rawClient();
    await raw.init(scene.castleTokens.token());
    raw.subscribe('1', calendarChanged, { guideId: 'first' });
    raw.send({ type: 'complete', id: '1' });
    raw.subscribe('1', calendarChanged, { guideId: 'second' });
    await scene.castle.operation('second');
    raw.socket.close();
    await scene.gateway.closed({ clients: 1, instances: 1 });
    await Promise.all(scene.castle.operations.items.map(({ ended }) => ended));
    expect(scene.castle.live).toEqual([]);
    expect(await scene.gateway.metric('operations')).toBe(0);
  });

  test('the next viewer is served as the first was, a lost socket included', async () => {
    scene = await Scene.start();
    for (const round of [1, 2]) {
      const guideId = `guide-${round}`;
      const operation = scene.client(scene.castleTokens.token()).subscribe(guideId);
      (await scene.castle.operation(guideId)).socket.terminate();
      await operation.events.first(({ kind }) => kind === 'REFETCH');
      operation.unsubscribe();
      await scene.gateway.closed({ clients: round, instances: 2 * round });
    }
    expect(scene.castle.sockets.items).toHaveLength(4);
    expect(await timers.waiting()).toEqual([]);
  });
});
