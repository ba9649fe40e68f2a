import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { generateKeyPair } from '../../../instance-server/platform/keys.js';
import { connectInstances } from '../../../scripts/operator/connect.js';
import { Cleanup } from '../../testkit/cleanup.js';
import { type InstanceProcess, startInstanceProcess } from '../../testkit/instance.js';
import { until } from '../../testkit/until.js';
import { at } from '../instance/support/house.js';
import { type CoupledGuide, converged, coupleGuide, openPair, openReplicatingHouse, type Pair } from './support/houses.js';

/* What waits gets there, whoever dies or stands still meanwhile; and only when it may. */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let pair: Pair;
let guide: CoupledGuide;
let offerId: string;
let hour = 0;
beforeAll(async () => {
  pair = await openPair(cleanup, { alpha: { SYNC_HEARTBEAT_MS: '500' }, beta: { SYNC_HEARTBEAT_MS: '500' } });
  offerId = await pair.beta.records.offer({ title: 'Night Tour' });
});
beforeEach(async () => {
  guide = await coupleGuide(pair.alpha, pair.beta);
});

const book = () => {
  hour += 2;
  return pair.beta.run('createBooking', { offerId, time: { start: at(hour).toISOString() }, customer: { name: 'Ada' }, guideIds: [guide.ids['beta'] ?? ''] });
};
const arrived = () => converged(pair.beta, pair.alpha, guide, 30_000);

interface Status {
  partner: string;
  state: string;
  backlog: number;
  oldestWaitingSeconds: number | null;
  refusals: { kind: string; code: string; count: number }[];
  lastError: string | null;
  clockAlarm: boolean;
  partnerRelease: string | null;
  completeAt: string | null;
}
const status = async (of = pair.beta, partner = 'alpha') => (await of.operator.call<Status[]>('sync/status')).find((one) => one.partner === partner) as Status;

test('a partner that is down: changes wait, the house works on, and all arrives when he is back', async () => {
  const moved = await book();
  await arrived();
  await pair.alpha.stop();
  await book();
  await pair.beta.run('rebookBooking', { bookingId: moved.id, expectedVersion: 1, time: { start: at(900).toISOString() } });
  await until(async () => (await status()).lastError === 'UNREACHABLE');
  expect(await status()).toMatchObject({ state: 'ACTIVE', clockAlarm: false, refusals: [] });
  expect((await pair.beta.waiting(guide.couplingId)).length).toBe(2);
  const metrics = await (await fetch(`${pair.beta.url}/metrics`)).text();
  expect(Number(/^lotse_sync_backlog\{partner="alpha"\} (\d+)$/m.exec(metrics)?.[1])).toBeGreaterThanOrEqual(2);
  expect(metrics).toMatch(/^lotse_sync_clock_alarm\{partner="alpha"\} 0$/m);
  expect(metrics).toMatch(/^lotse_sync_failing\{partner="alpha"\} 1$/m);
  expect(metrics).toMatch(/^lotse_sync_lost_bookings\{partner="alpha"\} 0$/m);
  expect(Math.abs(Number(/^lotse_sync_last_contact_timestamp_seconds\{partner="alpha"\} (\S+)$/m.exec(metrics)?.[1]) - Date.now() / 1000)).toBeLessThan(60);
  await pair.alpha.start();
  await arrived();
  expect(await (await fetch(`${pair.beta.url}/metrics`)).text()).toMatch(/^lotse_sync_failing\{partner="alpha"\} 0$/m);
});

test('several changes of one record while it waits are one delivery of what it is', async () => {
  await pair.alpha.stop();
  let booking = await book();
  for (const to of [910, 912, 914]) booking = await pair.beta.run('rebookBooking', { bookingId: booking.id, expectedVersion: booking.version, time: { start: at(to).toISOString() } });
  expect(await pair.beta.waiting(guide.couplingId)).toHaveLength(1);
  await pair.alpha.start();
  expect(await arrived()).toMatchObject([{ start_at: at(914), version: 4 }]);
});

test('one partner who is dead or slow delays no other', async () => {
  const slow = cleanup.own(await silentPartner(), (server) => void server.close());
  const offer = await pair.beta.operator.proposeLink('gamma');
  const { publicJwk } = generateKeyPair();
  await pair.beta.operator.completeLink({ linkId: offer.linkId, code: 'gamma', name: 'G', url: 'https://g.example', endpoint: `http://127.0.0.1:${(slow.address() as AddressInfo).port}`, publicJwk });
  const couplingId = randomUUID();
  await pair.beta.records.seed.coupling({ id: couplingId, link: { partnerCode: 'gamma' }, guideId: guide.ids['beta'] ?? '', globalId: guide.globalId });
  await book();
  // A call to the silent one takes five seconds before it is given up.
  await until(async () => (await pair.alpha.copies(guide.couplingId)).length === 1, 2_000);
  expect((await pair.beta.records.query('select 1 from outbox where coupling_id = $1', [couplingId])).length).toBeGreaterThan(0);
  await pair.beta.operator.changeLink('gamma', 'end');
  await pair.beta.records.query('delete from outbox where coupling_id = $1', [couplingId]);
});

/** Takes connections and says nothing. */
async function silentPartner(): Promise<Server> {
  const server = createServer(() => undefined);
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => void server.once('listening', resolve));
  server.unref();
  return server;
}

test('what a paused coupling has waits, on the word of either side, and goes when it is resumed', async () => {
  for (const side of ['paused_here', 'paused_there']) {
    await pair.beta.records.query(`update coupling set ${side} = true, version = version + 1 where id = $1`, [guide.couplingId]);
    const booking = await book();
    const other = await coupleGuide(pair.alpha, pair.beta);
    await pair.beta.run('createBooking', { offerId, time: { start: at(hour).toISOString() }, customer: { name: 'Ada' }, guideIds: [other.ids['beta'] ?? ''] });
    await until(async () => (await pair.alpha.copies(other.couplingId)).length === 1);
    expect((await pair.alpha.copies(guide.couplingId)).some(({ id }) => id === booking.assignments[0]?.id)).toBe(false);
    expect((await pair.beta.waiting(guide.couplingId)).map(({ record_id }) => record_id)).toEqual([booking.assignments[0]?.id]);
    await pair.beta.records.query(`update coupling set ${side} = false, version = version + 1 where id = $1`, [guide.couplingId]);
    await pair.beta.operator.call('sync/retry', { partner: 'alpha' });
    await arrived();
  }
});

test('what was refused for a pause goes as soon as the partner says how the coupling stands, also if this house never heard of the pause', async () => {
  const { couplingId } = guide;
  await pair.beta.records.query('update coupling set paused_here = true, version = version + 1 where id = $1', [couplingId]);
  await book();
  const refused = `update outbox set refused_code = 'COUPLING_PAUSED', attempts = 12, retry_at = now() + interval '1 hour' where coupling_id = $1 and kind = 'ASSIGNMENT' returning kind`;
  expect(await pair.beta.records.query(refused, [couplingId])).toHaveLength(1);
  await pair.beta.records.query('update coupling set paused_here = false, version = version + 1 where id = $1', [couplingId]);
  await pair.alpha.records.query(`select outbox_put(link_id, id, 'COUPLING', id) from coupling where id = $1`, [couplingId]);
  await arrived();
});

test('a record that is refused waits alone, is shown with the reason, and is tried again on demand', async () => {
  await pair.alpha.records.query(`update coupling set state = 'ACCEPTED' where id = $1`, [guide.couplingId]);
  const other = await coupleGuide(pair.alpha, pair.beta);
  await book();
  await pair.beta.run('createBooking', { offerId, time: { start: at(hour).toISOString() }, customer: { name: 'Ada' }, guideIds: [other.ids['beta'] ?? ''] });
  await until(async () => (await pair.alpha.copies(other.couplingId)).length === 1);
  await until(async () => (await status()).refusals.some(({ kind }) => kind === 'ASSIGNMENT'));
  expect((await status()).refusals).toContainEqual({ kind: 'ASSIGNMENT', code: 'COUPLING_UNKNOWN', count: 1 });
  const inspected = await pair.beta.operator.call<{ couplings: { refused: number }[]; waiting: { kind: string; refusedCode: string; attempts: number }[] }>('sync/inspect', { partner: 'alpha', couplingId: guide.couplingId });
  expect(inspected.waiting.find(({ kind }) => kind === 'ASSIGNMENT')).toMatchObject({ refusedCode: 'COUPLING_UNKNOWN' });
  await pair.alpha.records.query(`update coupling set state = 'ACTIVE' where id = $1`, [guide.couplingId]);
  expect(await pair.beta.operator.call('sync/retry', { partner: 'alpha' })).toMatchObject({ partner: 'alpha' });
  await arrived();
});

test('a full resynchronisation brings back what is missing', async () => {
  await book();
  await arrived();
  await pair.alpha.records.query('delete from foreign_booking where coupling_id = $1', [guide.couplingId]);
  await pair.beta.operator.call('sync/resync', { partner: 'alpha' });
  await arrived();
  await expect(pair.beta.operator.call('sync/resync', { partner: 'nobody' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test.each([50, -50])('a clock %i s from ours is borne: what either house changes arrives at the other', async (seconds) => {
  pair.beta.server.clock.advance({ seconds });
  await book();
  await arrived();
  const offer = await pair.alpha.records.offer({ title: 'Day Tour' });
  hour += 2;
  await pair.alpha.run('createBooking', { offerId: offer, time: { start: at(hour).toISOString() }, customer: { name: 'Ada' }, guideIds: [guide.ids['alpha'] ?? ''] });
  await converged(pair.alpha, pair.beta, guide, 30_000);
  pair.beta.server.clock.reset();
  for (const house of [pair.alpha, pair.beta]) expect(await house.records.query(`select 1 from sync_peer where last_error = 'CLOCK_SKEWED'`)).toEqual([]);
});

test('a clock two minutes ahead: everything waits, the alarm is raised, and it resumes when the clock is right', async () => {
  await book();
  await arrived();
  pair.beta.server.clock.advance({ minutes: 2 });
  hour += 2;
  await pair.beta.records.booking(offerId, at(hour), { guideIds: [guide.ids['beta'] ?? ''] });
  await until(async () => {
    const [peer] = await pair.beta.records.query<{ last_error: string | null }>('select last_error from sync_peer where last_error_at > last_contact_at');
    return peer?.last_error === 'CLOCK_SKEWED';
  });
  expect(await (await fetch(`${pair.beta.url}/metrics`)).text()).toMatch(/^lotse_sync_clock_alarm\{partner="alpha"\} 1$/m);
  expect((await pair.beta.waiting(guide.couplingId)).length).toBe(1);
  pair.beta.server.clock.reset();
  await arrived();
});

test('a partner of the release before: all waits, nothing fails', async () => {
  const old = createServer((_request, response) => void response.writeHead(404, { 'content-type': 'application/json' }).end('{"code":"UNKNOWN_ACTION"}'));
  cleanup.own(old, (server) => new Promise((resolve) => void server.close(resolve)));
  await new Promise<void>((resolve) => void old.listen(0, '127.0.0.1', resolve));
  const delta = await openReplicatingHouse(cleanup, 'delta');
  await connectInstances(pair.beta.operator, delta.operator);
  await delta.stop();
  await pair.beta.operator.moveLink('delta', { endpoint: `http://127.0.0.1:${(old.address() as AddressInfo).port}` });
  await pair.beta.records.seed.coupling({ id: randomUUID(), link: { partnerCode: 'delta' }, guideId: guide.ids['beta'] ?? '', globalId: guide.globalId });
  await book();
  await until(async () => (await status(pair.beta, 'delta')).partnerRelease === '1');
  expect(await status(pair.beta, 'delta')).toMatchObject({ state: 'ACTIVE', refusals: [] });
  expect((await status(pair.beta, 'delta')).backlog).toBeGreaterThan(0);
  await delta.start();
  await pair.beta.operator.changeLink('delta', 'end');
});

describe('several replicas of one house', () => {
  const replica = async (): Promise<InstanceProcess> => cleanup.own(await startInstanceProcess(pair.beta.instance, { SYNC_HEARTBEAT_MS: '500' }), (started) => started.stop());

  test('one of them delivers at a time: no batch is ever refused, whatever they all hear of', async () => {
    const replicas = await Promise.all([replica(), replica()]);
    await Promise.all([1, 2, 3, 4, 5, 6].map(() => book()));
    await arrived();
    const log = pair.alpha.server.log.filter((line) => line.includes('INCARNATION_UNKNOWN') || line.includes('RESYNC_NEEDED'));
    expect(log).toEqual([]);
    await Promise.all(replicas.map((one) => one.stop()));
  });

  /** The sessions that hold the lock of a drain. */
  const holders = async () =>
    (await pair.beta.records.query<{ pid: number }>(`select pid from pg_locks where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database()) and pid in (select pid from pg_stat_activity where application_name = 'lotse-drains')`)).map(({ pid }) => pid);

  test.each(['SIGKILL', 'SIGSTOP'] as const)('the one that is just delivering is hit by %s: another takes over, and the first does no harm when it comes back', async (signal) => {
    await book();
    await arrived();
    const silent = cleanup.own(await silentPartner(), (server) => void server.close());
    const point = (port: number) => pair.beta.operator.moveLink('alpha', { endpoint: `http://127.0.0.1:${port}` });
    const hit = await replica();
    await until(() => fetch(`${hit.url}/metrics`).then(async (answer) => (await answer.text()).includes('lotse_sync_backlog{partner="alpha"} 0')));
    await point((silent.address() as AddressInfo).port);
    await pair.beta.stop();
    hour += 2;
    await pair.beta.records.booking(offerId, at(hour), { guideIds: [guide.ids['beta'] ?? ''] });
    // It waits for an answer that does not come, with the lock in its hands.
    await until(async () => (await holders()).length === 1);
    const [holder] = await holders();
    hit.process.kill(signal);
    // Who only stands still keeps it, until he has given no sign of life for too long.
    if (signal === 'SIGSTOP') expect(await holders()).toEqual([holder]);
    await pair.beta.start();
    await point(pair.alpha.server.port);
    await arrived();
    expect(await holders()).not.toContain(holder);
    if (signal === 'SIGSTOP') hit.process.kill('SIGCONT');
    await book();
    await arrived();
    const [{ incarnation = 0 } = {}] = await pair.beta.records.query<{ incarnation: number }>('select incarnation from sync_state');
    expect(incarnation).toBe(1);
    silent.closeAllConnections();
    await hit.stop();
  });
});
