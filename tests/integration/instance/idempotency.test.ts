import { Cleanup } from '../../testkit/cleanup.js';
import { client, type GraphqlClient } from '../../testkit/client.js';
import { startInstanceHere } from '../../testkit/instance.js';
import { bookingOf, type BookingMutation, change, type Outcome } from './support/booking-api.js';
import { at, type House, newKey, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
let replica: GraphqlClient;
let staff: string;
let offerId: string;
beforeAll(async () => {
  house = await openHouse(cleanup);
  replica = client(cleanup.own(await startInstanceHere(house.instance), (server) => server.stop()).url);
  staff = (await house.records.signedIn('STAFF')).token;
  offerId = await house.records.offer();
});

const REUSED = { __typename: 'IdempotencyKeyReusedError', code: 'IDEMPOTENCY_KEY_REUSED' };
const input = (given: Record<string, unknown> = {}) => ({
  idempotencyKey: newKey(),
  offerId,
  time: { start: at(0).toISOString() },
  customer: { name: 'Group', email: 'group@example.org' },
  guideIds: [],
  ...given,
});
const run = (mutation: BookingMutation, given: Record<string, unknown>, { api = house.api, token = staff } = {}): Promise<Outcome> => change(api, token, mutation, given);
const countOf = async (statement: string, values: unknown[] = []): Promise<number> => (await house.records.query<{ n: number }>(`select count(*)::int as n from ${statement}`, values))[0]?.n ?? -1;

test('the same key and input gives the same result and makes nothing more, on another replica too', async () => {
  const given = input({ guideIds: [await house.records.guide()] });
  const first = bookingOf(await run('createBooking', given));
  const [bookings, entries] = [await countOf('booking'), await countOf('audit_entry')];
  // Members in another order are the same input.
  const reordered = Object.fromEntries(Object.entries(given).toReversed());
  expect(bookingOf(await run('createBooking', reordered, { api: replica }))).toEqual(first);
  expect([await countOf('booking'), await countOf('audit_entry')]).toEqual([bookings, entries]);
});

test('what is repeated is read again: later changes show', async () => {
  const given = input();
  const first = bookingOf(await run('createBooking', given));
  const changed = bookingOf(await run('rebookBooking', { bookingId: first.id, expectedVersion: 1, notes: 'since then' }));
  expect(bookingOf(await run('createBooking', given))).toEqual(changed);
  bookingOf(await run('cancelBooking', { bookingId: first.id, expectedVersion: 2, reason: 'x', origin: 'HOUSE' }));
  expect(bookingOf(await run('createBooking', given)).state).toBe('CANCELLED');
  await run('deleteBooking', { bookingId: first.id, expectedVersion: 3 });
  expect(await run('createBooking', given)).toEqual({ __typename: 'NotFoundError', code: 'NOT_FOUND', field: 'input.idempotencyKey' });
});

test('the same key with another input is refused and makes nothing', async () => {
  const given = input();
  const first = bookingOf(await run('createBooking', given));
  const bookings = await countOf('booking');
  for (const other of [{ notes: 'n' }, { time: { start: at(1).toISOString() } }, { customer: { name: 'Group' } }, { partySize: 1 }]) {
    expect(await run('createBooking', { ...given, ...other })).toEqual(REUSED);
  }
  expect(await countOf('booking')).toBe(bookings);
  const rebook = { idempotencyKey: newKey(), bookingId: first.id, expectedVersion: 1, notes: 'n' };
  bookingOf(await run('rebookBooking', rebook));
  // A new attempt after reading again is a new intent and wants a new key.
  expect(await run('rebookBooking', { ...rebook, expectedVersion: 2 })).toEqual(REUSED);
});

test('every mutation that ends or changes something can be repeated', async () => {
  const guideId = await house.records.guide();
  const { id: bookingId } = bookingOf(await run('createBooking', input()));
  const twice = async (mutation: BookingMutation, given: Record<string, unknown>): Promise<Outcome> => {
    const whole = { idempotencyKey: newKey(), ...given };
    const first = await run(mutation, whole);
    const entries = await countOf('audit_entry');
    expect(await run(mutation, whole)).toEqual(first);
    expect(await countOf('audit_entry')).toBe(entries);
    return first;
  };
  const assigned = bookingOf(await twice('assignGuide', { bookingId, guideId, expectedVersion: 1 }));
  bookingOf(await twice('rebookBooking', { bookingId, expectedVersion: 2, time: { start: at(5).toISOString() } }));
  bookingOf(await twice('resetAssignment', { assignmentId: assigned.assignments[0]?.id, expectedVersion: 3 }));
  bookingOf(await twice('cancelBooking', { bookingId, expectedVersion: 4, reason: 'x', origin: 'GUIDE' }));
  expect(await twice('deleteBooking', { bookingId, expectedVersion: 5 })).toEqual({ __typename: 'DeleteBookingPayload', deletedBookingId: bookingId });
});

test('of duplicates at once, over two replicas, one has an effect and all get its result', async () => {
  for (let round = 0; round < 3; round += 1) {
    const given = input({ guideIds: [await house.records.guide()] });
    const bookings = await countOf('booking');
    const outcomes = await Promise.all(Array.from({ length: 8 }, (_, index) => run('createBooking', given, { api: index % 2 ? replica : house.api })));
    const [first] = outcomes;
    for (const outcome of outcomes) expect(bookingOf(outcome)).toEqual(first?.booking);
    expect(await countOf('booking')).toBe(bookings + 1);
  }
});

test('a key belongs to one account and one mutation', async () => {
  const other = (await house.records.signedIn('STAFF')).token;
  const given = input();
  const first = bookingOf(await run('createBooking', given));
  const second = bookingOf(await run('createBooking', given, { token: other }));
  expect(second.id).not.toBe(first.id);
  const { idempotencyKey } = given;
  const cancelled = bookingOf(await run('cancelBooking', { idempotencyKey, bookingId: first.id, expectedVersion: 1, reason: 'x', origin: 'HOUSE' }));
  expect(cancelled.state).toBe('CANCELLED');
  expect(await run('deleteBooking', { idempotencyKey, bookingId: first.id, expectedVersion: 2 })).toMatchObject({ deletedBookingId: first.id });
});

test('what was refused has used no key: the same intent may be tried again', async () => {
  const guideId = await house.records.guide();
  const blocking = await house.records.booking(offerId, at(0), { guideIds: [guideId] });
  const given = input({ guideIds: [guideId] });
  const keys = await countOf('idempotency_key');
  expect((await run('createBooking', given)).__typename).toBe('GuideUnavailableError');
  expect(await countOf('idempotency_key')).toBe(keys);
  bookingOf(await run('cancelBooking', { bookingId: blocking.id, expectedVersion: 1, reason: 'x', origin: 'HOUSE' }));
  bookingOf(await run('createBooking', given));

  const target = await house.records.booking(offerId, at(0));
  const rebook = { idempotencyKey: newKey(), bookingId: target.id, expectedVersion: 7, notes: 'n' };
  expect((await run('rebookBooking', rebook)).__typename).toBe('StaleVersionError');
  bookingOf(await run('rebookBooking', { ...rebook, expectedVersion: 1 }));
});

test('what a repetition may show is decided again: a role lost since then gets nothing', async () => {
  const account = await house.records.account(['STAFF', 'GUIDE'], { guideId: await house.records.guide() });
  const asStaff = await house.records.signIn(account, 'STAFF');
  const given = input();
  bookingOf(await run('createBooking', given, { token: asStaff.token }));
  const asGuide = await house.records.signIn(account, 'GUIDE');
  await expect(run('createBooking', given, { token: asGuide.token })).rejects.toThrow('FORBIDDEN');
});

test('a stored key holds a hash and ids, nothing of what was entered', async () => {
  const given = input({ notes: 'canary-of-this-test', customer: { name: 'canary-name', email: 'canary@example.org' } });
  bookingOf(await run('createBooking', given));
  const rows = await house.records.query('select * from idempotency_key where key = $1', [given.idempotencyKey]);
  expect(rows).toEqual([
    { account_id: expect.any(String), mutation: 'createBooking', key: given.idempotencyKey, input_hash: expect.stringMatching(/^[0-9a-f]{64}$/), outcome: { bookingId: expect.any(String) }, created_at: expect.any(Date) },
  ]);
  expect(JSON.stringify(rows)).not.toContain('canary');
});
