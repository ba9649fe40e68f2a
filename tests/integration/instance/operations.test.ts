import { connect } from 'node:net';
import { Cleanup } from '../../testkit/cleanup.js';
import { client } from '../../testkit/client.js';
import { createInstance, startInstanceHere, startInstanceProcess, type TestInstance } from '../../testkit/instance.js';
import { asAdmin } from '../../testkit/postgres.js';
import { Records } from '../../testkit/records.js';
import { wsClient } from '../../testkit/socket.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let instance: TestInstance;
beforeAll(async () => {
  instance = cleanup.own(await createInstance({ code: 'steady', logo: 'https://steady.example/l.svg' }), (made) => made.drop());
});

const status = async (url: string): Promise<number> => (await fetch(url)).status;
const FOLLOW = 'subscription ($guideId: ID!) { calendarChanged(guideId: $guideId) { kind } }';

test('health, readiness, metrics and the public documents', async () => {
  const server = cleanup.own(await startInstanceHere(instance), (started) => started.stop());
  const json = async (path: string): Promise<unknown> => (await fetch(`${server.url}${path}`)).json();
  expect(await json('/health/live')).toEqual({ status: 'live' });
  expect(await json('/health/ready')).toEqual({ status: 'ready' });
  const jwks = { keys: [{ kty: 'EC', crv: 'P-256', x: expect.any(String), y: expect.any(String), kid: expect.any(String), alg: 'ES256', use: 'sig' }] };
  expect(await json('/.well-known/jwks.json')).toEqual(jwks);
  expect(await json('/.well-known/lotse.json')).toEqual({
    code: 'steady',
    name: 'House steady',
    url: 'https://steady.example',
    logo: 'https://steady.example/l.svg',
    homepage: null,
    locale: 'de-DE',
    timeZone: 'Europe/Berlin',
    protocol: 1,
    jwks,
  });
  await client(server.url).query('{ instances { code } }');
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  expect(metrics).toMatch(/^lotse_instance_request_seconds_count\{route="\/graphql",status="200"\} 1$/m);
  expect(metrics).toMatch(/^process_cpu_user_seconds_total /m);
  const answer = await fetch(`${server.url}/health/live`, { headers: { 'x-request-id': 'client-chosen-id' } });
  expect(answer.headers.get('x-request-id')).toBe('client-chosen-id');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  const strange = await fetch(`${server.url}/health/live`, { headers: { 'x-request-id': 'spaces are not taken' } });
  expect(strange.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
});

test('readiness says no while the database refuses, and yes again after it', async () => {
  const server = cleanup.own(await startInstanceHere(instance), (started) => started.stop());
  const app = `${instance.database}_app`;
  const close = (login: boolean) => asAdmin((admin) => admin.query(`alter role ${app} ${login ? 'login' : 'nologin'}`));
  expect(await status(`${server.url}/health/ready`)).toBe(200);
  await close(false);
  await asAdmin((admin) => admin.query('select pg_terminate_backend(pid) from pg_stat_activity where usename = $1', [app]));
  while ((await status(`${server.url}/health/ready`)) !== 503);
  expect(await status(`${server.url}/health/live`)).toBe(200);
  await close(true);
  while ((await status(`${server.url}/health/ready`)) !== 200);
});

test('browsers of the origins named may call, others may not', async () => {
  const server = cleanup.own(await startInstanceHere(instance, { env: { CORS_ORIGINS: 'https://app.example, https://other.example' } }), (started) => started.stop());
  const preflight = (origin: string) =>
    fetch(`${server.url}/graphql`, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' } });
  const allowed = await preflight('https://app.example');
  expect(allowed.status).toBe(204);
  expect(allowed.headers.get('access-control-allow-origin')).toBe('https://app.example');
  expect(allowed.headers.get('access-control-allow-headers')).toContain('authorization');
  expect(allowed.headers.get('access-control-allow-credentials')).toBeNull();
  const refused = await preflight('https://evil.example');
  expect(refused.headers.get('access-control-allow-origin')).toBeNull();
});

test('SIGTERM lets a request finish, closes sockets so that clients come back, and ends the process', async () => {
  const own = cleanup.own(await createInstance({ code: 'ending' }), (made) => made.drop());
  const ownRecords = cleanup.own(await Records.open(own), (opened) => opened.close());
  const server = cleanup.own(await startInstanceProcess(own), (started) => started.stop());
  const { token } = await ownRecords.signedIn('STAFF');
  const guideId = await ownRecords.guide();
  const socket = cleanup.own(wsClient(server.url, () => token, { retryAttempts: 0 }), (opened) => opened.dispose());
  socket.subscribe(FOLLOW, { guideId });
  await socket.connections.waitFor();

  // A request that waits in the database until the test lets it go on.
  await ownRecords.query('begin');
  await ownRecords.query('select 1 from guide where id = $1 for update', [guideId]);
  const UPDATE = `mutation ($id: ID!) { updateGuide(input: { guideId: $id, expectedVersion: 1, phone: "+49 1" }) { __typename ... on GuidePayload { guide { phone version } } } }`;
  const underWay = client(server.url).query(UPDATE, { id: guideId }, token);
  const waiting = () =>
    asAdmin(async (admin) => (await admin.query(`select 1 from pg_stat_activity where datname = $1 and wait_event_type = 'Lock' and application_name = 'lotse-app'`, [own.database])).rowCount);
  while ((await waiting()) === 0);

  server.process.kill('SIGTERM');
  expect(await socket.closes.waitFor()).toEqual({ code: 1012, reason: 'restarting' });
  // No new connection is taken.
  const refused = (): Promise<boolean> =>
    new Promise((resolve) => {
      const attempt = connect(server.port, '127.0.0.1');
      attempt.once('connect', () => resolve((attempt.destroy(), false)));
      attempt.once('error', () => resolve(true));
    });
  while (!(await refused()));
  await ownRecords.query('commit');
  expect((await underWay).data).toEqual({ updateGuide: { __typename: 'GuidePayload', guide: { phone: '+49 1', version: 2 } } });
  expect(await server.process.exited).toEqual({ code: 0, signal: null });
  expect(await asAdmin(async (admin) => (await admin.query(`select 1 from pg_stat_activity where datname = $1 and application_name like 'lotse-%'`, [own.database])).rowCount)).toBe(0);
});

test('a process that starts without its settings names what is missing and repeats no value', async () => {
  const secret = 'too-short-secret';
  const failure = await startInstanceProcess(instance, { INSTANCE_SECRET: secret, PORT: 'many', GATEWAY_PUBLIC_KEYS: '{"keys":[{"kty":"RSA","n":"x","e":"AQAB"}]}' }).then(
    () => 'started',
    (error: unknown) => String(error),
  );
  expect(failure).toContain('ended before it was ready (code 1)');
  for (const name of ['INSTANCE_SECRET', 'PORT', 'GATEWAY_PUBLIC_KEYS']) expect(failure).toMatch(new RegExp(`^ {2}${name}: `, 'm'));
  for (const value of [secret, 'many', 'RSA']) expect(failure).not.toContain(value);
});
