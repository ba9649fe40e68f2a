import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Issuer } from './support/keys.js';
import { Scene } from './support/scene.js';

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.start();
});
afterEach(() => scene.dispose());

describe('connection_init', () => {
  const cases: [string, string, (scene: Scene) => string | undefined][] = [
    ['no token', 'TOKEN_MISSING', () => undefined],
    ['nonsense', 'TOKEN_INVALID', () => 'nonsense'],
    ['an expired token', 'TOKEN_EXPIRED', ({ castleTokens }) => castleTokens.token({ lifetime: -1 })],
    ['another key', 'TOKEN_INVALID', () => new Issuer('castle').token()],
    ['an unknown instance', 'ISSUER_UNKNOWN', () => new Issuer('nowhere').token()],
  ];
  test.each(cases)('with %s is closed with 4403 %s', async (_name, reason, token) => {
    const client = scene.client(() => token(scene), 0);
    const { result } = client.subscribe('guide-1');
    expect(await result).toMatchObject({ code: 4403, reason });
    expect(scene.castle.sockets.items).toEqual([]);
    await scene.gateway.closed({ clients: 1 });
    expect(await scene.gateway.metric('client_sockets')).toBe(0);
  });

  test('with a scheme other than Bearer is closed with 4403', async () => {
    const raw = await scene.rawClient();
    raw.send({ type: 'connection_init', payload: { authorization: `Basic ${scene.castleTokens.token()}` } });
    expect(await raw.closed).toEqual({ code: 4403, reason: 'TOKEN_INVALID' });
  });

  test('is closed with 1013 when the check itself fails, and works when it works again', async () => {
    const { verify } = scene.gateway;
    scene.gateway.verify = () => Promise.reject(new Error('no memory'));
    const client = scene.client(scene.castleTokens.token());
    client.subscribe('guide-1');
    await client.closes.atLeast(1);
    scene.gateway.verify = verify;
    await scene.castle.operation('guide-1');
    expect(client.closes.items[0]).toEqual({ code: 1013, reason: 'Internal error' });
    expect(scene.gateway.logged.items.join('')).toContain('a token could not be checked');
  });

  test('a stock client comes back with a good token after a bad one', async () => {
    const tokens = [undefined, 'nonsense', scene.castleTokens.token()];
    const client = scene.client(() => tokens.shift());
    const operation = client.subscribe('guide-1');
    (await scene.castle.operation('guide-1')).emit('a');
    await operation.events.atLeast(1);
    expect(client.closes.items.map(({ code }) => code)).toEqual([4403, 4403]);
  });
});

describe('a token that ends', () => {
  test('closes its own viewer only, who goes on with a new one after REFETCH', async () => {
    const session = 'session-1';
    const tokens = [scene.castleTokens.token({ session, lifetime: 2 }), scene.castleTokens.token({ session })];
    const client = scene.client(() => tokens.shift());
    const short = client.subscribe('guide-1');
    const long = scene.client(scene.castleTokens.token());
    const other = long.subscribe('guide-2');
    const old = await scene.castle.operation('guide-1');
    const neighbour = await scene.castle.operation('guide-2');

    await client.closes.atLeast(1);
    const late = Date.now() - expiry(old.authorization);
    await old.ended;
    const renewed = await scene.castle.operations.first((operation) => operation.guideId === 'guide-1' && operation !== old);
    renewed.emit('after');
    neighbour.emit('untouched');

    expect(client.closes.items).toEqual([{ code: 4403, reason: 'TOKEN_EXPIRED' }]);
    expect(late).toBeGreaterThanOrEqual(-5);
    expect(late).toBeLessThan(1_000);
    expect(await short.events.atLeast(2)).toEqual([
      { kind: 'REFETCH', entry: null },
      { kind: 'CREATED', entry: { id: 'after', offerTitle: 'Tour' } },
    ]);
    expect(await other.events.atLeast(1)).toHaveLength(1);
    expect(long.closes.items).toEqual([]);
    expect(scene.castle.sockets.items).toHaveLength(1);
  });

  test('is closed also without a subscription', async () => {
    const raw = await scene.rawClient();
    await raw.init(scene.castleTokens.token({ lifetime: 1 }));
    expect(await raw.closed).toEqual({ code: 4403, reason: 'TOKEN_EXPIRED' });
  });

  test('by revocation at the instance closes its own viewer only', async () => {
    const client = scene.client(scene.castleTokens.token());
    client.subscribe('guide-1');
    const long = scene.client(scene.castleTokens.token());
    const other = long.subscribe('guide-2');
    const revoked = await scene.castle.operation('guide-1');
    const neighbour = await scene.castle.operation('guide-2');
    revoked.refuse('TOKEN_REVOKED');
    await client.closes.atLeast(1);
    neighbour.emit('untouched');

    expect(client.closes.items).toEqual([{ code: 4403, reason: 'TOKEN_REVOKED' }]);
    expect(await other.events.atLeast(1)).toHaveLength(1);
    expect(long.closes.items).toEqual([]);
    expect(scene.castle.sockets.items).toHaveLength(1);
  });

  test('passes no other reason of the instance on', async () => {
    const client = scene.client(scene.castleTokens.token(), 0);
    const { result } = client.subscribe('guide-1');
    (await scene.castle.operation('guide-1')).refuse('account 4711 of Jane');
    expect(await result).toMatchObject({ code: 4403, reason: 'TOKEN_INVALID' });
  });

  test('is looked at again for each subscription', async () => {
    const raw = await scene.rawClient();
    await raw.init(scene.castleTokens.token());
    // The key is the directory's business here: a token whose instance has gone is no longer good.
    scene.directory.removeSilently('castle');
    raw.subscribe('1', 'subscription { calendarChanged(guideId: "g") { kind } }');
    expect(await raw.closed).toEqual({ code: 4403, reason: 'ISSUER_UNKNOWN' });
    expect(scene.castle.sockets.items).toEqual([]);
  });
});

function expiry(authorization: string): number {
  const claims = JSON.parse(Buffer.from(authorization.split('.')[1] ?? '', 'base64url').toString()) as { exp: number };
  return claims.exp * 1_000;
}
