import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { calendarChanged } from './support/schema.js';
import { Scene } from './support/scene.js';

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.start();
});
afterEach(() => scene.dispose());

const entry = (id: string, offerTitle = 'Tour') => ({ kind: 'CREATED', entry: { id, offerTitle } });

describe('a subscription at the gateway', () => {
  test('is answered by the home instance of the token', async () => {
    const token = scene.castleTokens.token();
    const operation = scene.client(token).subscribe('guide-1');
    const upstream = await scene.castle.operation('guide-1');
    upstream.emit('a', 'Tower');
    upstream.emit('b', 'Cellar');

    expect(await operation.events.atLeast(2)).toEqual([entry('a', 'Tower'), entry('b', 'Cellar')]);
    expect(scene.abbey.operations.items).toEqual([]);
    expect(upstream.payload).toEqual({
      query: calendarChanged,
      variables: { guideId: 'guide-1' },
      extensions: { authorization: `Bearer ${token}` },
    });
    const [header = '', claims = ''] = String(scene.castle.credentials[0]).split('.');
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toMatchObject({ typ: 'lotse-gateway+jwt' });
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString())).toMatchObject({ iss: 'gateway', aud: 'castle' });
  });

  test('goes on as the client wrote it, without the extensions of the client', async () => {
    const raw = await scene.rawClient();
    const token = scene.castleTokens.token();
    await raw.init(token);
    const query = `subscription Other { calendarChanged(guideId: "x") { kind } } # two operations\n${calendarChanged}`;
    raw.send({
      type: 'subscribe',
      id: '1',
      payload: { query, variables: { guideId: 'g' }, operationName: 'Calendar', extensions: { authorization: 'forged' } },
    });
    const { payload } = await scene.castle.operation('g');
    expect(payload).toEqual({
      query,
      variables: { guideId: 'g' },
      operationName: 'Calendar',
      extensions: { authorization: `Bearer ${token}` },
    });
  });

  test('shares one socket to the instance, and each viewer hears only his own', async () => {
    const first = scene.client(scene.castleTokens.token()).subscribe('guide-1');
    const second = scene.client(scene.castleTokens.token()).subscribe('guide-2');
    const abroad = scene.client(scene.abbeyTokens.token()).subscribe('guide-1');
    (await scene.castle.operation('guide-1')).emit('for-1');
    (await scene.castle.operation('guide-2')).emit('for-2');
    (await scene.abbey.operation('guide-1')).emit('for-abbey');

    expect(await first.events.atLeast(1)).toEqual([entry('for-1')]);
    expect(await second.events.atLeast(1)).toEqual([entry('for-2')]);
    expect(await abroad.events.atLeast(1)).toEqual([entry('for-abbey')]);
    expect(scene.castle.sockets.items).toHaveLength(1);
    expect(scene.abbey.sockets.items).toHaveLength(1);
    expect(await scene.gateway.metric('client_sockets')).toBe(3);
    expect(await scene.gateway.metric('operations')).toBe(3);
    expect(await scene.gateway.metric('upstream_sockets')).toBe(2);
  });

  test('two of one client run side by side, and one ends alone', async () => {
    const client = scene.client(scene.castleTokens.token());
    const first = client.subscribe('guide-1');
    const second = client.subscribe('guide-2');
    const upstream = await scene.castle.operation('guide-1');
    const other = await scene.castle.operation('guide-2');
    first.unsubscribe();
    await upstream.ended;
    other.emit('still');

    expect(await second.events.atLeast(1)).toEqual([entry('still')]);
    expect(await first.result).toBe('complete');
    expect(client.closes.items).toEqual([]);
  });

  test('ends at the client when the instance completes it', async () => {
    const operation = scene.client(scene.castleTokens.token()).subscribe('guide-1');
    const upstream = await scene.castle.operation('guide-1');
    upstream.emit('last');
    upstream.complete();
    expect(await operation.result).toBe('complete');
    expect(operation.events.items).toEqual([entry('last')]);
  });

  test('gets errors of the instance with their stable code, and faults masked', async () => {
    const forbidden = scene.client(scene.castleTokens.token()).subscribe('guide-1');
    const broken = scene.client(scene.castleTokens.token()).subscribe('guide-2');
    (await scene.castle.operation('guide-1')).fail('FORBIDDEN');
    (await scene.castle.operation('guide-2')).fail('SQL_BROKEN');
    expect(await forbidden.result).toMatchObject([{ message: 'Failed with FORBIDDEN', extensions: { code: 'FORBIDDEN' } }]);
    expect(await broken.result).toEqual([
      { message: 'Internal server error', extensions: { code: 'INTERNAL_SERVER_ERROR' } },
    ]);
  });

  test('gets errors beside its data as well with their stable code, and faults masked', async () => {
    const raw = await scene.rawClient();
    await raw.init(scene.castleTokens.token());
    raw.subscribe('1', calendarChanged, { guideId: 'g' });
    const { id, socket } = await scene.castle.operation('g');
    const errors = [
      { message: 'Not for you', path: ['calendarChanged'], extensions: { code: 'FORBIDDEN' } },
      { message: 'relation does not exist', extensions: { code: 'SQL_BROKEN' } },
    ];
    socket.send(JSON.stringify({ type: 'next', id, payload: { data: null, errors } }));
    const { payload } = await raw.messages.first(({ type }) => type === 'next');
    expect(payload).toEqual({
      data: null,
      errors: [errors[0], { message: 'Internal server error', extensions: { code: 'INTERNAL_SERVER_ERROR' } }],
    });
  });

  test('leaves nothing personal in the log', async () => {
    const token = scene.castleTokens.token({ account: 'account-canary' });
    const operation = scene.client(token).subscribe('guide-canary');
    const upstream = await scene.castle.operation('guide-canary');
    upstream.emit('entry-canary', 'title-canary');
    await operation.events.atLeast(1);
    upstream.socket.terminate();
    await operation.events.first(({ kind }) => kind === 'REFETCH');
    await scene.gateway.stop();

    const log = scene.gateway.logged.items.join('');
    expect(log).toContain('"instance":"castle"');
    expect(log).not.toMatch(/canary/u);
    expect(log).not.toContain(token.split('.')[2]);
    expect(log).not.toContain(String(scene.castle.credentials[0]).split('.')[2]);
  });
});
