import { setTimeout as pause } from 'node:timers/promises';
import { outboxRepository, type WaitingRow } from '../../../instance-server/modules/replication/outbox.repository.js';
import { Cleanup } from '../../testkit/cleanup.js';
import { until } from '../../testkit/until.js';
import { at } from '../instance/support/house.js';
import type { ReplicatingHouse } from '../replication/support/houses.js';
import { backup } from '../replication/support/time-travel.js';
import { assignmentOf, bookAt, type Booked, claimsAt, claimsBeside, guideOf, holdDeliveries, openHouses, quiet, shareGuide, verification, verificationOf } from './support/houses.js';

/* The house that keeps the claims is put back to an older state: until all others have told it theirs again, it grants nothing new. */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let alpha: ReplicatingHouse;
let beta: ReplicatingHouse;
let gamma: ReplicatingHouse;

beforeAll(async () => {
  const fast = { SYNC_HEARTBEAT_MS: '300' };
  [alpha, beta, gamma] = (await openHouses(cleanup, ['alpha', 'beta', 'gamma'], { alpha: fast, beta: fast, gamma: fast })) as [ReplicatingHouse, ReplicatingHouse, ReplicatingHouse];
});

const incarnationOf = async (house: ReplicatingHouse): Promise<number> => (await house.records.query<{ incarnation: number }>('select incarnation from sync_state'))[0]?.incarnation ?? 0;
const refusalOf = async (house: ReplicatingHouse, id: string): Promise<string | null | undefined> =>
  (await house.records.query<{ refused_code: string | null }>(`select refused_code from outbox where kind = 'CLAIM' and record_id = $1`, [id]))[0]?.refused_code;

/** A booking that its house has not heard of yet. */
const unheard = (house: ReplicatingHouse, booked: Booked) => house.records.query('delete from foreign_booking where id = $1', [assignmentOf(booked)]);

test('it grants nothing over a claim it has forgotten, neither to others nor to itself, before it was told of it', async () => {
  const guide = await shareGuide([alpha, beta, gamma]);
  await quiet([alpha, beta, gamma]);
  const restore = await backup(alpha);
  const forgotten = await bookAt(beta, guide, 0, 2);
  await quiet([alpha, beta, gamma]);
  expect(await claimsAt(alpha, guide, at(0))).toEqual(['beta 0-2 VERIFIED']);
  await unheard(gamma, forgotten);
  const before = await incarnationOf(alpha);
  const letGo = await holdDeliveries(beta, 'alpha');

  await restore();
  await until(async () => (await incarnationOf(alpha)) === before + 1);
  // Beta has heard of it: its claims wait.
  await until(async () => (await refusalOf(beta, assignmentOf(forgotten))) === null);
  const signs = async () => (await alpha.records.query<{ at: Date }>(`select p.last_contact_at as at from sync_peer p join link l on l.id = p.link_id where l.partner_code = 'beta'`))[0]?.at.getTime() ?? 0;
  const sign = await signs();
  await until(async () => (await signs()) > sign);
  expect(await claimsAt(alpha, guide, at(0))).toEqual([]);

  const theirs = await bookAt(gamma, guide, 1, 3);
  await until(async () => (await refusalOf(gamma, assignmentOf(theirs))) === 'LATER');
  const own = await bookAt(alpha, guide, 0, 1);
  expect(verificationOf(own)).toBe('UNVERIFIED');
  await alpha.operator.changeSettings({ unreachableKeeper: 'REFUSE' });
  await until(async () => (await bookAt(alpha, guide, 8, 9)).__typename === 'GuideNotVerifiableError');
  await alpha.operator.changeSettings({ unreachableKeeper: 'ACCEPT' });
  expect(await claimsAt(alpha, guide, at(0))).toEqual([]);

  await letGo();
  await until(async () => (await verification(gamma, assignmentOf(theirs))) === 'CONFLICT', 30_000);
  await until(async () => (await verification(alpha, assignmentOf(own))) === 'CONFLICT', 30_000);
  expect(await verification(beta, assignmentOf(forgotten))).toBe('VERIFIED');
  expect(await claimsAt(alpha, guide, at(0))).toEqual(['alpha 0-1 CONFLICT', 'beta 0-2 VERIFIED', 'gamma 1-3 CONFLICT']);
  const later = assignmentOf(await bookAt(gamma, guide, 5, 6));
  await until(async () => (await verification(gamma, later)) === 'VERIFIED', 30_000);
}, 90_000);

test('an own assignment that is committed only after all have told their claims is claimed as well', async () => {
  const [guide, another] = [await shareGuide([alpha, beta]), await shareGuide([alpha, beta])];
  const theirs = assignmentOf(await bookAt(beta, another, 0, 2));
  await quiet([alpha, beta]);
  // After its start alpha waits for this to be said again.
  const letGo = await holdDeliveries(beta, 'alpha');
  await beta.records.query(`select outbox_put(link_id, id, 'CLAIM', $1) from coupling where guide_id = $2 and state = 'ACTIVE'`, [theirs, guideOf(beta, another)]);
  await alpha.stop();
  await alpha.start();
  // Its commit waits for this session, which the claim of the other guide does not.
  await alpha.records.query(`
    create function held_up() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock(4711); return null; end $$;
    create constraint trigger held_up after insert on guide_assignment deferrable initially deferred for each row
      when (new.guide_id = '${guideOf(alpha, guide)}') execute function held_up()`);
  await alpha.records.query('select pg_advisory_lock(4711)');
  const booking = bookAt(alpha, guide, 0, 1);
  await until(async () => (await alpha.records.query(`select 1 from pg_locks where locktype = 'advisory' and objid = 4711 and not granted`)).length === 1);
  await letGo();
  await quiet([beta]);
  // By then it has been told, and has looked for what it had put off.
  await pause(3_000);
  await alpha.records.query('select pg_advisory_unlock(4711)');
  const own = await booking;
  expect(verificationOf(own)).toBe('UNVERIFIED');
  await until(async () => (await verification(alpha, assignmentOf(own))) === 'VERIFIED');
  expect(await claimsAt(alpha, guide, at(0))).toEqual(['alpha 0-1 VERIFIED']);
}, 60_000);

test.each([
  ['LATER', 8],
  ['LIMIT_EXCEEDED', 512],
])('what was refused as %s for the tenth time is tried again after %i seconds', async (reason, seconds) => {
  const guide = await shareGuide([alpha, beta]);
  const { database } = await claimsBeside(cleanup, beta);
  const letGo = await holdDeliveries(beta, 'alpha');
  const claimed = assignmentOf(await bookAt(beta, guide, 0, 1));
  await beta.records.query(`update outbox set attempts = 9 where kind = 'CLAIM' and record_id = $1`, [claimed]);
  const [row] = await beta.records.query<WaitingRow>(`select coupling_id as "couplingId", kind, record_id as "recordId", seq::text from outbox where kind = 'CLAIM' and record_id = $1`, [claimed]);
  const now = new Date();
  await outboxRepository.refuse(database.worker.sql, [{ ...(row as WaitingRow), reason }], now);
  const [refused] = await beta.records.query<{ retry_at: Date }>(`select retry_at from outbox where kind = 'CLAIM' and record_id = $1`, [claimed]);
  expect(refused?.retry_at.getTime()).toBe(now.getTime() + seconds * 1_000);
  await letGo();
  await beta.operator.call('sync/retry', { partner: 'alpha' });
  await quiet([beta]);
});

test('two houses whose claims were all forgotten do not wait for one another', async () => {
  const guide = await shareGuide([alpha, beta, gamma]);
  await quiet([alpha, beta, gamma]);
  const restores = [await backup(alpha)];
  const booked = [await bookAt(beta, guide, 0, 1), await bookAt(gamma, guide, 1, 2)];
  await quiet([alpha, beta, gamma]);
  restores.push(await backup(beta));
  await bookAt(beta, guide, 2, 3);
  await quiet([alpha, beta, gamma]);
  const before = await incarnationOf(alpha);
  await Promise.all(restores.map((restore) => restore()));
  await until(async () => (await incarnationOf(alpha)) > before && (await incarnationOf(beta)) > 1);
  await until(async () => (await claimsAt(alpha, guide, at(0))).join() === 'beta 0-1 VERIFIED,gamma 1-2 VERIFIED', 30_000);
  expect(await Promise.all([beta, gamma].map((house, index) => verification(house, assignmentOf(booked[index] as Booked))))).toEqual(['VERIFIED', 'VERIFIED']);
  const later = assignmentOf(await bookAt(beta, guide, 5, 6));
  await until(async () => (await verification(beta, later)) === 'VERIFIED', 30_000);
}, 90_000);
