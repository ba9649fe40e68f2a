import { readFile } from 'node:fs/promises';
import { Cleanup } from '../../testkit/cleanup.js';
import type { Answer } from '../../testkit/client.js';
import { postgresLogPath } from '../../testkit/postgres.js';
import type { TestAccount } from '../../testkit/records.js';
import { bookingOf, type BookingMutation, change, type Outcome } from './support/booking-api.js';
import { at, type House, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
let staff: TestAccount & { token: string };
let administrator: string;
let offerId: string;
beforeAll(async () => {
  house = await openHouse(cleanup);
  staff = await house.records.signedIn('STAFF');
  administrator = (await house.records.signedIn('ADMINISTRATOR')).token;
  offerId = await house.records.offer();
});

const run = (mutation: BookingMutation, given: Record<string, unknown>): Promise<Outcome> => change(house.api, staff.token, mutation, given);

interface Entry {
  action: string;
  actorKind: string;
  actorId: string | null;
  actorRole: string | null;
  subjectType: string;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
}
interface LogPage {
  auditEntries: { edges: { node: { subjectId: string; action: string; at: string } }[]; pageInfo: { hasNextPage: boolean; endCursor: string } };
}
const LOG = `query ($filter: AuditEntryFilter, $first: Int, $after: String) { auditEntries(filter: $filter, first: $first, after: $after) {
  edges { cursor node { action actorKind actorId actorRole subjectType subjectId onBehalfOf at before after } } pageInfo { hasNextPage endCursor } } }`;

async function log(filter: Record<string, unknown>): Promise<Entry[]> {
  const { data } = await house.api.query<{ auditEntries: { edges: { node: Entry }[] } }>(LOG, { filter }, administrator);
  return data.auditEntries.edges.map(({ node }) => node).toReversed();
}

const CANARY = { name: 'Canary Nightingale', email: 'canary@example.org', phone: '+49 555 0199' };

test('each change is logged with who, when, before and after, and without a word of the customer', async () => {
  const guideId = await house.records.guide();
  const created = bookingOf(await run('createBooking', { offerId, time: { start: at(0).toISOString() }, customer: CANARY, notes: 'canary-notes', partySize: 9, guideIds: [guideId] }));
  const assignmentId = created.assignments[0]?.id;
  await run('rebookBooking', { bookingId: created.id, expectedVersion: 1, time: { start: at(3).toISOString() }, customer: { ...CANARY, name: 'Canary Second' }, notes: 'canary-more' });
  await run('cancelBooking', { bookingId: created.id, expectedVersion: 2, reason: 'canary-reason', origin: 'CUSTOMER' });
  await run('deleteBooking', { bookingId: created.id, expectedVersion: 3 });

  const entries = await log({ subjectId: created.id });
  expect(entries.map(({ action }) => action)).toEqual(['booking.created', 'booking.rebooked', 'booking.cancelled', 'booking.deleted']);
  for (const entry of entries) expect(entry).toMatchObject({ actorKind: 'ACCOUNT', actorId: staff.id, actorRole: 'STAFF', subjectType: 'booking', onBehalfOf: null });
  const time = (from: number, to: number) => ({ start: at(from).toISOString(), end: at(to).toISOString() });
  expect(entries.map(({ before, after }) => ({ before, after }))).toEqual([
    { before: null, after: { offerId, ...time(0, 1), partySize: 9 } },
    { before: { offerId, ...time(0, 1) }, after: { offerId, ...time(3, 4), changed: ['notes', 'customer'] } },
    { before: { state: 'BOOKED' }, after: { state: 'CANCELLED', origin: 'CUSTOMER' } },
    { before: { offerId, ...time(3, 4), state: 'CANCELLED' }, after: null },
  ]);
  const ofAssignment = await log({ subjectId: assignmentId });
  expect(ofAssignment.map(({ action, before, after }) => ({ action, before, after }))).toEqual([
    { action: 'assignment.created', before: null, after: { bookingId: created.id, guideId, ...time(0, 1) } },
    { action: 'assignment.moved', before: time(0, 1), after: time(3, 4) },
    { action: 'assignment.ended', before: { bookingId: created.id, guideId, ...time(3, 4) }, after: { reason: 'cancelled' } },
  ]);
});

test('deleting a booking removes its customer from every table, index of jobs and log', async () => {
  const canary = `canary${Math.random().toString(36).slice(2)}`;
  const guideId = await house.records.guide();
  const created = bookingOf(
    await run('createBooking', {
      offerId,
      time: { start: at(10).toISOString() },
      customer: { name: `${canary} name`, email: `${canary}@example.org`, phone: `${canary}-1` },
      notes: `${canary} notes`,
      guideIds: [guideId],
    }),
  );
  const tables = await house.records.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('public', 'graphile_worker')`,
  );
  const holding = async (): Promise<string[]> => {
    const found: string[] = [];
    for (const { name } of tables) {
      const [row] = await house.records.query<{ n: number }>(`select count(*)::int as n from ${name} t where strpos(t::text, $1) > 0`, [canary]);
      if (row?.n) found.push(name);
    }
    return found.sort();
  };
  expect(await holding()).toEqual(['public.booking', 'public.customer']);
  await run('cancelBooking', { bookingId: created.id, expectedVersion: 1, reason: `${canary} reason`, origin: 'CUSTOMER' });
  expect(await holding()).toEqual(['public.booking', 'public.customer']);
  expect(await run('deleteBooking', { bookingId: created.id, expectedVersion: 2 })).toMatchObject({ deletedBookingId: created.id });
  expect(await holding()).toEqual([]);
  expect(house.server.log.join('\n')).not.toContain(canary);
  expect(await readFile(postgresLogPath(), 'utf8')).not.toContain(canary);
  // The assignment stays as ended, so that linked houses learn of the end.
  expect(await house.records.query('select booking_id, ended_at is not null as ended from guide_assignment where guide_id = $1', [guideId])).toEqual([{ booking_id: null, ended: true }]);
});

test('what was refused is not logged: change and entry stand in one transaction', async () => {
  const guideId = await house.records.guide();
  await house.records.booking(offerId, at(20), { guideIds: [guideId] });
  const entries = async () => house.records.query('select count(*)::int as n from audit_entry');
  const before = await entries();
  const free = await house.records.guide();
  expect((await run('createBooking', { offerId, time: { start: at(20).toISOString() }, customer: { name: 'Group' }, guideIds: [free, guideId] })).__typename).toBe('GuideUnavailableError');
  expect(await entries()).toEqual(before);

  // And the other way round: no entry, no change.
  await house.records.query(`create function no_entry() returns trigger language plpgsql as $$ begin raise exception 'no entry'; end $$`);
  await house.records.query(`create trigger no_entry before insert on audit_entry for each row when (new.action = 'booking.created') execute function no_entry()`);
  const bookings = await house.records.query('select count(*)::int as n from booking');
  await expect(run('createBooking', { offerId, time: { start: at(30).toISOString() }, customer: { name: 'Group' } })).rejects.toThrow('INTERNAL_SERVER_ERROR');
  await house.records.query('drop trigger no_entry on audit_entry');
  expect(await house.records.query('select count(*)::int as n from booking')).toEqual(bookings);
});

test('administrators read the log, page by page, newest first; nobody else does', async () => {
  for (const role of ['GUIDE', 'STAFF'] as const) {
    const { token } = await house.records.signedIn(role, role === 'GUIDE' ? { guideId: await house.records.guide() } : {});
    const answer = await house.api.query(LOG, {}, token);
    expect(answer.errors?.map(({ extensions }) => extensions)).toEqual([{ code: 'FORBIDDEN', field: 'Query.auditEntries' }]);
    expect(answer.data).toBeNull();
  }
  const ids: string[] = [];
  const times: string[] = [];
  let after: string | null = null;
  do {
    const answer: Answer<LogPage> = await house.api.query<LogPage>(LOG, { first: 3, after }, administrator);
    const { edges, pageInfo } = answer.data.auditEntries;
    ids.push(...edges.map(({ node }) => `${node.action} ${node.subjectId}`));
    times.push(...edges.map(({ node }) => node.at));
    after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
  } while (after);
  const [total] = await house.records.query<{ n: number }>('select count(*)::int as n from audit_entry');
  expect(ids).toHaveLength(total?.n ?? -1);
  expect(times).toEqual([...times].sort().toReversed());
  const refused = await house.api.query(LOG, { filter: { action: 'a\u0000b' } }, administrator);
  expect(refused.errors?.map(({ extensions }) => extensions)).toEqual([{ code: 'INVALID_INPUT', field: 'filter.action', reason: 'MALFORMED' }]);
});
