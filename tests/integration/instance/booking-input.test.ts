import { Cleanup } from '../../testkit/cleanup.js';
import { bookingDocument, bookingOf, change, type Outcome } from './support/booking-api.js';
import { at, type House, newKey, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
let staff: string;
let offerId: string;
beforeAll(async () => {
  house = await openHouse(cleanup);
  staff = (await house.records.signedIn('STAFF')).token;
  offerId = await house.records.offer();
});

const hour = { start: at(0).toISOString(), end: at(1).toISOString() };
const create = (given: Record<string, unknown>): Promise<Outcome> =>
  change(house.api, staff, 'createBooking', { offerId, time: hour, customer: { name: 'Group' }, ...given });
const counts = () => house.records.query('select (select count(*) from booking) b, (select count(*) from customer) c, (select count(*) from idempotency_key) k');

const YEAR = 366 * 24;

describe('refused with field and reason, and without a trace', () => {
  test.each<[string, Record<string, unknown>, string, string]>([
    ['an end before the start', { time: { start: hour.end, end: hour.start } }, 'input.time.end', 'END_BEFORE_START'],
    ['an empty time', { time: { start: hour.start, end: hour.start } }, 'input.time.end', 'END_BEFORE_START'],
    ['more than a year', { time: { start: at(0).toISOString(), end: new Date(at(YEAR).getTime() + 1).toISOString() } }, 'input.time.end', 'RANGE_TOO_LONG'],
    ['no start', { time: {} }, 'input.time.start', 'REQUIRED'],
    ['an end alone', { time: { end: hour.end } }, 'input.time.start', 'REQUIRED'],
    ['start as instant and as local time', { time: { start: hour.start, localStart: '2027-06-01T12:00' } }, 'input.time.localStart', 'CONFLICTING'],
    ['end as instant and as local time', { time: { ...hour, localEnd: '2027-06-01T12:00' } }, 'input.time.localEnd', 'CONFLICTING'],
    ['a local time that the clock skips', { time: { localStart: '2027-03-28T02:30' } }, 'input.time.localStart', 'LOCAL_TIME_SKIPPED'],
    ['a local end that the clock skips', { time: { localStart: '2027-03-28T01:30', localEnd: '2027-03-28T02:00' } }, 'input.time.localEnd', 'LOCAL_TIME_SKIPPED'],
    ['a local time that comes twice', { time: { localStart: '2027-10-31T02:30' } }, 'input.time.localStart', 'LOCAL_TIME_AMBIGUOUS'],
    ['a day that does not exist', { time: { localStart: '2027-02-29T10:00' } }, 'input.time.localStart', 'MALFORMED'],
    ['an hour that does not exist', { time: { localStart: '2027-02-28T25:00' } }, 'input.time.localStart', 'MALFORMED'],
    ['no name', { customer: { name: '   ' } }, 'input.customer.name', 'REQUIRED'],
    ['a name too long', { customer: { name: 'n'.repeat(201) } }, 'input.customer.name', 'TOO_LONG'],
    ['a name with NUL', { customer: { name: 'Ada\u0000' } }, 'input.customer.name', 'MALFORMED'],
    ['a name with an escape character', { customer: { name: 'Ada\u001b[31m' } }, 'input.customer.name', 'MALFORMED'],
    ['an address that is none', { customer: { name: 'Ada', email: 'ada at example' } }, 'input.customer.email', 'MALFORMED'],
    ['an address with a line break', { customer: { name: 'Ada', email: 'ada@example.org\nBcc: x@example.org' } }, 'input.customer.email', 'MALFORMED'],
    ['an address too long', { customer: { name: 'Ada', email: `${'a'.repeat(250)}@example.org` } }, 'input.customer.email', 'TOO_LONG'],
    ['a telephone number too long', { customer: { name: 'Ada', phone: '1'.repeat(51) } }, 'input.customer.phone', 'TOO_LONG'],
    ['nobody', { partySize: 0 }, 'input.partySize', 'OUT_OF_RANGE'],
    ['too many people', { partySize: 10_001 }, 'input.partySize', 'OUT_OF_RANGE'],
    ['a language that is none', { language: 'not a language' }, 'input.language', 'MALFORMED'],
    ['an endless language', { language: `en-${'x'.repeat(40)}` }, 'input.language', 'MALFORMED'],
    ['notes too long', { notes: 'n'.repeat(5_001) }, 'input.notes', 'TOO_LONG'],
    ['notes with NUL', { notes: 'a\u0000b' }, 'input.notes', 'MALFORMED'],
    ['too many guides', { guideIds: Array.from({ length: 51 }, newKey) }, 'input.guideIds', 'OUT_OF_RANGE'],
    ['no key', { idempotencyKey: '' }, 'input.idempotencyKey', 'OUT_OF_RANGE'],
    ['a key too long', { idempotencyKey: 'k'.repeat(101) }, 'input.idempotencyKey', 'OUT_OF_RANGE'],
    ['a key with NUL', { idempotencyKey: 'k\u0000' }, 'input.idempotencyKey', 'MALFORMED'],
  ])('%s', async (_what, given, field, reason) => {
    const before = await counts();
    expect(await create(given)).toEqual({ __typename: 'InvalidInputError', code: 'INVALID_INPUT', field, reason });
    expect(await counts()).toEqual(before);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ['an instant without an offset', { time: { start: '2027-06-01T12:00:00' } }, 'input.time.start'],
    ['an instant that is a number', { time: { start: 1_800_000_000 } }, 'input.time.start'],
    ['the 30th of February', { time: { start: '2027-02-30T12:00:00Z' } }, 'input.time.start'],
    ['an instant outside the calendar', { time: { start: '2200-01-01T00:00:00Z' } }, 'input.time.start'],
    ['a local time with an offset', { time: { localStart: '2027-06-01T12:00Z' } }, 'input.time.localStart'],
    ['a local time with a zone', { time: { localStart: '2027-06-01T12:00[Europe/Berlin]' } }, 'input.time.localStart'],
    ['a party that is not a whole number', { partySize: 1.5 }, 'input.partySize'],
  ])('%s is no value of its scalar', async (_what, given, field) => {
    const before = await counts();
    const input = { idempotencyKey: newKey(), offerId, time: hour, customer: { name: 'Group' }, ...given };
    const answer = await house.api.query(bookingDocument('createBooking'), { input }, staff);
    expect(answer.status).toBe(400);
    expect(answer.errors?.map(({ extensions }) => extensions)).toEqual([{ code: 'INVALID_INPUT', field, reason: 'MALFORMED' }]);
    expect(await counts()).toEqual(before);
  });
});

describe('accepted at its bound', () => {
  test.each<[string, Record<string, unknown>]>([
    ['a year', { time: { start: at(0).toISOString(), end: at(YEAR).toISOString() } }],
    ['a millisecond', { time: { start: at(0).toISOString(), end: new Date(at(0).getTime() + 1).toISOString() } }],
    ['the longest texts', { customer: { name: 'n'.repeat(200), email: `${'a'.repeat(64)}@${'b'.repeat(185)}.de`, phone: '1'.repeat(50) }, notes: 'n'.repeat(5_000) }],
    ['the largest party', { partySize: 10_000 }],
    ['the longest key', { idempotencyKey: `k${Math.random()}`.padEnd(100, 'k') }],
    ['text of every script, and line breaks in notes', { customer: { name: '李 👩‍👩‍👧 Ωμέγα' }, notes: 'one\ntwo\tthree' }],
  ])('%s', async (_what, given) => {
    const booking = bookingOf(await create(given));
    const { customer, notes } = given as { customer?: { name: string }; notes?: string };
    if (customer) expect(booking.customer).toMatchObject(customer);
    if (notes) expect(booking.notes).toBe(notes);
  });

  test('local times before and after a change of clocks', async () => {
    const spring = bookingOf(await create({ time: { localStart: '2027-03-28T01:30', localEnd: '2027-03-28T03:30' } }));
    expect([spring.start, spring.end]).toEqual(['2027-03-28T00:30:00.000Z', '2027-03-28T01:30:00.000Z']);
    const autumn = bookingOf(await create({ time: { localStart: '2027-10-31T01:30', localEnd: '2027-10-31T03:30' } }));
    expect([autumn.start, autumn.end]).toEqual(['2027-10-30T23:30:00.000Z', '2027-10-31T02:30:00.000Z']);
    // The repeated hour can be told by its offset.
    const twice = bookingOf(await create({ time: { start: '2027-10-31T02:30:00+02:00', end: '2027-10-31T02:30:00+01:00' } }));
    expect([twice.start, twice.end]).toEqual(['2027-10-31T00:30:00.000Z', '2027-10-31T01:30:00.000Z']);
  });

  test('a guide named twice is assigned once', async () => {
    const guide = await house.records.guide();
    expect(bookingOf(await create({ guideIds: [guide, guide] })).assignments).toHaveLength(1);
  });
});

test('other mutations check what they are given too', async () => {
  const booking = await house.records.booking(offerId, at(0));
  const target = { bookingId: booking.id, expectedVersion: 1 };
  const refused = (field: string, reason: string) => ({ __typename: 'InvalidInputError', code: 'INVALID_INPUT', field, reason });
  const guideId = await house.records.guide();
  expect(await change(house.api, staff, 'cancelBooking', { ...target, reason: ' ', origin: 'HOUSE' })).toEqual(refused('input.reason', 'REQUIRED'));
  expect(await change(house.api, staff, 'cancelBooking', { ...target, reason: 'r'.repeat(1_001), origin: 'HOUSE' })).toEqual(refused('input.reason', 'TOO_LONG'));
  expect(await change(house.api, staff, 'assignGuide', { ...target, guideId, range: { start: hour.end, end: hour.start } })).toEqual(refused('input.range.end', 'END_BEFORE_START'));
  expect(await change(house.api, staff, 'rebookBooking', { ...target, time: { end: hour.end } })).toEqual(refused('input.time.start', 'REQUIRED'));
  expect(await change(house.api, staff, 'rebookBooking', { ...target, time: { localStart: '2027-03-28T02:30' } })).toEqual(refused('input.time.localStart', 'LOCAL_TIME_SKIPPED'));
  expect(await change(house.api, staff, 'deleteBooking', { ...target, idempotencyKey: '' })).toEqual(refused('input.idempotencyKey', 'OUT_OF_RANGE'));
  expect(await house.records.query('select version from booking where id = $1', [booking.id])).toEqual([{ version: 1 }]);
});
