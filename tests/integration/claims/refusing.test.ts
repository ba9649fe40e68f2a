import { Cleanup } from '../../testkit/cleanup.js';
import { Session } from '../../testkit/session.js';
import { until } from '../../testkit/until.js';
import { at } from '../instance/support/house.js';
import type { ReplicatingHouse } from '../replication/support/houses.js';
import { act, assignmentOf, book, bookAt, type Booked, claimsAt, guideOf, openHouses, quiet, shareGuide, verification, verificationOf, waiting } from './support/houses.js';

/* A house that assigns nobody unverified: DOMAIN §2 "If the keeper cannot be reached the setting decides". */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let alpha: ReplicatingHouse;
let beta: ReplicatingHouse;
let gamma: ReplicatingHouse;

beforeAll(async () => {
  [alpha, beta, gamma] = (await openHouses(cleanup, ['alpha', 'beta', 'gamma'], { alpha: { LIMIT_CLAIMS_PER_GUIDE: '3' } })) as [ReplicatingHouse, ReplicatingHouse, ReplicatingHouse];
  await beta.operator.changeSettings({ unreachableKeeper: 'REFUSE' });
});

const countOf = async (house: ReplicatingHouse, table: 'booking' | 'guide_assignment'): Promise<string> =>
  (await house.records.query<{ count: string }>(`select count(*) from ${table}`))[0]?.count ?? '';

test('with the keeper’s word the assignment is verified when it is committed', async () => {
  const guide = await shareGuide([alpha, beta]);
  const booked = await bookAt(beta, guide, 0, 2);
  expect(verificationOf(booked)).toBe('VERIFIED');
  expect(await verification(beta, assignmentOf(booked))).toBe('VERIFIED');
  await quiet([alpha, beta]);
  expect(await claimsAt(alpha, guide, at(0))).toEqual(['beta 0-2 VERIFIED']);
  const metrics = await Promise.all([alpha, beta].map(async ({ server }) => (await fetch(`${server.url}/metrics`)).text()));
  // Labels come in the order of the database's JSON.
  expect(metrics[0]).toContain('\nlotse_claims{state="VERIFIED",partner="beta"} 1\n');
  expect(metrics[1]).toContain('\nlotse_assignments{verification="VERIFIED"} 1\n');
  // Per link, for operators: what the partner or this house keeps the claims to; the third house neither keeps nor claims any.
  const shared = await shareGuide([alpha, beta, gamma]);
  expect(verificationOf(await bookAt(beta, shared, 4, 6))).toBe('VERIFIED');
  await quiet([alpha, beta, gamma]);
  const statuses = await Promise.all([alpha, beta].map((house) => house.operator.call<{ partner: string; assignments: object; claims: object }[]>('sync/status')));
  const figures = statuses.map((links) => links.map(({ partner, assignments, claims }) => ({ partner, assignments, claims })));
  expect(figures).toEqual([
    [{ partner: 'beta', assignments: {}, claims: { VERIFIED: 2 } }, { partner: 'gamma', assignments: {}, claims: {} }],
    [{ partner: 'alpha', assignments: { VERIFIED: 2 }, claims: {} }, { partner: 'gamma', assignments: {}, claims: {} }],
  ]);
});

test('his word is had although whoever else of the house has a connection waits for that guide', async () => {
  const guide = await shareGuide([alpha, beta]);
  const holder = await Session.begin(beta.instance.database);
  await holder.run('select 1 from guide where id = $1 for update', [guideOf(beta, guide)]);
  const booked = bookAt(beta, guide, 0, 2);
  await holder.isWaitedFor();
  // As many as there are connections of the worker; each locks the guides that are coupled over the link.
  const others = Array.from({ length: 5 }, () => beta.operator.call('sync/resync', { partner: 'alpha' }));
  const waiters = `select 1 from pg_stat_activity where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`;
  await until(async () => (await beta.records.query(waiters)).length === 6);
  await holder.end();
  expect(verificationOf(await booked)).toBe('VERIFIED');
  await Promise.all(others);
});

test('against his word nothing is committed', async () => {
  const guide = await shareGuide([alpha, beta, gamma]);
  for (const house of [beta, gamma]) await house.records.query('update coupling set paused_here = true where id = $1', [guide.couplings['beta-gamma']]);
  expect(verificationOf(await bookAt(gamma, guide, 1, 3))).toBe('VERIFIED');
  const before = await countOf(beta, 'booking');
  expect(await bookAt(beta, guide, 0, 2)).toMatchObject({ __typename: 'GuideUnavailableError', guideId: guideOf(beta, guide) });
  expect(await countOf(beta, 'booking')).toBe(before);
  await until(async () => (await claimsAt(alpha, guide, at(0))).length === 1);
  expect(await claimsAt(alpha, guide, at(0))).toEqual(['gamma 1-3 VERIFIED']);
});

test('a claim of a transaction that came to nothing is released', async () => {
  const [one, two] = [await shareGuide([alpha, beta]), await shareGuide([alpha, beta, gamma])];
  for (const house of [beta, gamma]) await house.records.query('update coupling set paused_here = true where id = $1', [two.couplings['beta-gamma']]);
  await bookAt(gamma, two, 1, 3);
  const both = await book(beta, [guideOf(beta, one), guideOf(beta, two)], at(0), at(2));
  expect(both.__typename).toBe('GuideUnavailableError');
  await until(async () => (await claimsAt(alpha, one, at(0))).length === 0);
  const [tombstone] = await alpha.records.query('select state, version from claim where guide_id = $1', [guideOf(alpha, one)]);
  expect(tombstone).toEqual({ state: 'RELEASED', version: 2_000_000_000 });
  expect(verificationOf(await bookAt(alpha, one, 0, 2))).toBe('VERIFIED');
});

test('a move that came to nothing is taken back at the keeper', async () => {
  const [one, two] = [await shareGuide([alpha, beta]), await shareGuide([alpha, beta, gamma])];
  for (const house of [beta, gamma]) await house.records.query('update coupling set paused_here = true where id = $1', [two.couplings['beta-gamma']]);
  await bookAt(gamma, two, 5, 7);
  const { booking } = await book(beta, [guideOf(beta, one), guideOf(beta, two)], at(0), at(2));
  const moved = await act(beta, 'rebookBooking', { bookingId: booking?.id, expectedVersion: booking?.version, time: { start: at(4).toISOString(), end: at(6).toISOString() } });
  expect(moved.__typename).toBe('GuideUnavailableError');
  await until(async () => (await claimsAt(alpha, one, at(0))).join() === 'beta 0-2 VERIFIED' && (await claimsAt(alpha, two, at(0)))[0] === 'beta 0-2 VERIFIED');
  await until(async () => (await beta.records.query(`select 1 from outbox where kind = 'CLAIM'`)).length === 0);
  const rows = await beta.records.query<{ verification: string }>('select verification from guide_assignment where booking_id = $1', [booking?.id]);
  expect(rows.map((row) => row.verification)).toEqual(['VERIFIED', 'VERIFIED']);
});

test('beyond what a partner may claim nothing is verified, and the rest is', async () => {
  const guide = await shareGuide([alpha, gamma]);
  const booked: Booked[] = [];
  for (const hour of [0, 1, 2, 3]) booked.push(await bookAt(gamma, guide, hour, hour + 1));
  expect(booked.map(verificationOf)).toEqual(['VERIFIED', 'VERIFIED', 'VERIFIED', 'UNVERIFIED']);
  expect((await waiting(gamma)).filter(({ kind }) => kind === 'CLAIM')).toMatchObject([{ record_id: assignmentOf(booked[3] as Booked), refused_code: 'LIMIT_EXCEEDED' }]);
  expect(await claimsAt(alpha, guide, at(0))).toEqual(['gamma 0-1 VERIFIED', 'gamma 1-2 VERIFIED', 'gamma 2-3 VERIFIED']);
  await gamma.run('resetAssignment', { assignmentId: assignmentOf(booked[0] as Booked), expectedVersion: booked[0]?.booking?.version });
  await until(async () => (await verification(gamma, assignmentOf(booked[3] as Booked))) === 'VERIFIED', 20_000);
});

test('while the keeper does not answer nothing is committed, and the error says that it could not be verified', async () => {
  const guide = await shareGuide([alpha, beta]);
  await alpha.stop();
  const before = await countOf(beta, 'guide_assignment');
  expect(await bookAt(beta, guide, 0, 2)).toEqual({
    __typename: 'GuideNotVerifiableError',
    code: 'GUIDE_NOT_VERIFIABLE',
    message: 'Whether the guide can be counted on at that time could not be verified.',
    guideId: guideOf(beta, guide),
    start: at(0).toISOString(),
    end: at(2).toISOString(),
  });
  expect(await countOf(beta, 'guide_assignment')).toBe(before);
  expect(verificationOf(await book(beta, [await beta.records.guide()], at(0), at(2)))).toBe('NOT_NEEDED');
  await alpha.start();
});

test('operators alone choose', async () => {
  const answer = await beta.api.query('{ instanceSettings { unreachableKeeper } }', {}, await beta.staff());
  expect(answer.data).toEqual({ instanceSettings: { unreachableKeeper: 'REFUSE' } });
});
