import { Cleanup } from '../../testkit/cleanup.js';
import { BOOKING_FIELDS, bookingOf, type BookingMutation, type BookingView, change, type Outcome } from './support/booking-api.js';
import { at, type House, newKey, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
let staff: string;
let offerId: string;
beforeAll(async () => {
  house = await openHouse(cleanup);
  staff = (await house.records.signedIn('STAFF')).token;
  offerId = await house.records.offer({ durationMinutes: 90, guideDemand: 2 });
});

const run = (mutation: BookingMutation, input: Record<string, unknown>): Promise<Outcome> => change(house.api, staff, mutation, input);
const range = (from: number, to: number) => ({ start: at(from).toISOString(), end: at(to).toISOString() });
const guides = (count: number): Promise<string[]> => Promise.all(Array.from({ length: count }, () => house.records.guide()));

async function booked(guideIds: string[] = [], from = 0, to = 2): Promise<BookingView> {
  return bookingOf(await run('createBooking', { offerId, time: range(from, to), customer: { name: 'Group' }, guideIds }));
}

async function read(id: string): Promise<BookingView | null> {
  return (await house.api.query<{ booking: BookingView | null }>(`query ($id: ID!) { booking(id: $id) { ${BOOKING_FIELDS} } }`, { id }, staff)).data.booking;
}

const guideTimes = (booking: BookingView): Record<string, [string, string]> =>
  Object.fromEntries(booking.assignments.map(({ guide, start, end }) => [guide.id, [start, end]]));

test('a booking is made with everything given, its guides for the whole time', async () => {
  const [one, other] = (await guides(2)) as [string, string];
  const outcome = await run('createBooking', {
    offerId,
    time: range(0, 2),
    customer: { name: '  Ada Group ', email: 'ADA@Example.org', phone: '+49 30 1' },
    partySize: 12,
    language: 'de-at',
    notes: 'By the side entrance',
    guideIds: [one, other],
  });
  const booking = bookingOf(outcome);
  expect(booking).toEqual({
    id: expect.any(String),
    ...range(0, 2),
    state: 'BOOKED',
    version: 1,
    partySize: 12,
    language: 'de-AT',
    notes: 'By the side entrance',
    guideDemand: 2,
    cancellationReason: null,
    cancellationOrigin: null,
    cancelledAt: null,
    offer: { id: offerId },
    customer: { name: 'Ada Group', email: 'ada@example.org', phone: '+49 30 1' },
    assignments: expect.any(Array),
  });
  expect(guideTimes(booking)).toEqual({ [one]: [at(0).toISOString(), at(2).toISOString()], [other]: [at(0).toISOString(), at(2).toISOString()] });
  expect(await read(booking.id)).toEqual(booking);
});

test('without an end the offer’s duration counts; local times are those of the instance', async () => {
  const byOffer = bookingOf(await run('createBooking', { offerId, time: { localStart: '2027-01-15T10:00' }, customer: { name: 'Group' } }));
  // Berlin is an hour ahead in winter.
  expect([byOffer.start, byOffer.end]).toEqual(['2027-01-15T09:00:00.000Z', '2027-01-15T10:30:00.000Z']);
  const local = bookingOf(await run('createBooking', { offerId, time: { localStart: '2027-07-15T10:00', localEnd: '2027-07-15T11:00:30' }, customer: { name: 'Group' } }));
  expect([local.start, local.end]).toEqual(['2027-07-15T08:00:00.000Z', '2027-07-15T09:00:30.000Z']);
});

describe('a guide', () => {
  test('is taken once: an overlap is a typed conflict and nothing is made', async () => {
    const [guide, free] = (await guides(2)) as [string, string];
    await booked([guide], 0, 2);
    const before = await house.records.query('select count(*)::int as n from booking');
    const outcome = await run('createBooking', { offerId, time: range(1, 3), customer: { name: 'Second' }, guideIds: [free, guide] });
    expect(outcome).toEqual({ __typename: 'GuideUnavailableError', code: 'GUIDE_UNAVAILABLE', guideId: guide, ...range(1, 3) });
    expect(await house.records.query('select count(*)::int as n from booking')).toEqual(before);
    expect(await house.records.query('select 1 from customer where name = $1', ['Second'])).toEqual([]);
    expect(await house.records.query('select 1 from guide_assignment where guide_id = $1', [free])).toEqual([]);
  });

  test('may go from one to the next without a pause: touching edges do not overlap', async () => {
    const [guide] = (await guides(1)) as [string];
    await booked([guide], 0, 1);
    expect((await booked([guide], 1, 2)).assignments).toHaveLength(1);
    expect((await booked([guide], -1, 0)).assignments).toHaveLength(1);
    const millisecond = { start: new Date(at(2).getTime() - 1).toISOString(), end: at(3).toISOString() };
    expect((await run('createBooking', { offerId, time: millisecond, customer: { name: 'Late' }, guideIds: [guide] })).__typename).toBe('GuideUnavailableError');
  });

  test('takes a part, two guides share a booking, and one has two parts of it', async () => {
    const [one, other] = (await guides(2)) as [string, string];
    let booking = await booked([], 0, 4);
    const assign = async (guideId: string, from: number, to: number): Promise<Outcome> => {
      const outcome = await run('assignGuide', { bookingId: booking.id, guideId, expectedVersion: booking.version, range: range(from, to) });
      if (outcome.booking) booking = outcome.booking;
      return outcome;
    };
    bookingOf(await assign(one, 0, 1));
    bookingOf(await assign(other, 1, 2));
    bookingOf(await assign(one, 3, 4));
    expect(booking.version).toBe(4);
    expect(booking.assignments.map(({ guide, start }) => [guide.id, start])).toEqual([
      [one, at(0).toISOString()],
      [other, at(1).toISOString()],
      [one, at(3).toISOString()],
    ]);
    expect(await assign(one, 0.5, 1.5)).toMatchObject({ __typename: 'GuideUnavailableError', guideId: one, ...range(0.5, 1.5) });
    for (const [from, to] of [[-1, 1], [3, 5]] as const) {
      expect(await assign(other, from, to)).toEqual({ __typename: 'InvalidInputError', code: 'INVALID_INPUT', field: 'input.range', reason: 'OUT_OF_RANGE' });
    }
    // Free between his parts for another booking.
    expect((await booked([one], 1, 3)).assignments).toHaveLength(1);
    expect(await read(booking.id)).toEqual(booking);
  });

  test('is free again when his assignment is reset; the booking lives on', async () => {
    const [guide] = (await guides(1)) as [string];
    const booking = await booked([guide], 0, 2);
    const [assignment] = booking.assignments;
    const reset = bookingOf(await run('resetAssignment', { assignmentId: assignment?.id, expectedVersion: 1 }));
    expect(reset).toEqual({ ...booking, version: 2, assignments: [] });
    expect((await booked([guide], 1, 3)).assignments).toHaveLength(1);
    const again = await run('resetAssignment', { assignmentId: assignment?.id, expectedVersion: 2 });
    expect(again).toEqual({ __typename: 'NotFoundError', code: 'NOT_FOUND', field: 'input.assignmentId' });
    const rows = await house.records.query('select ended_at is not null as ended, version from guide_assignment where id = $1', [assignment?.id]);
    expect(rows).toEqual([{ ended: true, version: 2 }]);
  });

  test('who no longer leads tours is not found', async () => {
    const guideId = await house.records.guide({ active: false });
    expect(await run('createBooking', { offerId, time: range(0, 1), customer: { name: 'Group' }, guideIds: [guideId] })).toEqual({
      __typename: 'NotFoundError',
      code: 'NOT_FOUND',
      field: 'input.guideIds.0',
    });
    const booking = await booked();
    expect(await run('assignGuide', { bookingId: booking.id, guideId, expectedVersion: 1 })).toEqual({ __typename: 'NotFoundError', code: 'NOT_FOUND', field: 'input.guideId' });
  });
});

describe('rebooking', () => {
  test('to another time takes guides of the whole booking along and keeps the duration', async () => {
    const [guide] = (await guides(1)) as [string];
    const booking = await booked([guide], 0, 2);
    // Overlaps its own old time.
    const moved = bookingOf(await run('rebookBooking', { bookingId: booking.id, expectedVersion: 1, time: { start: at(1).toISOString() } }));
    expect(moved).toEqual({ ...booking, ...range(1, 3), version: 2, assignments: [{ ...booking.assignments[0], ...range(1, 3) }] });
    expect((await booked([guide], 0, 1)).assignments).toHaveLength(1);
  });

  test('to a time at which a guide is taken changes nothing', async () => {
    const [guide] = (await guides(1)) as [string];
    await booked([guide], 4, 6);
    const booking = await booked([guide], 0, 2);
    const outcome = await run('rebookBooking', { bookingId: booking.id, expectedVersion: 1, time: range(3, 5), notes: 'moved' });
    expect(outcome).toEqual({ __typename: 'GuideUnavailableError', code: 'GUIDE_UNAVAILABLE', guideId: guide, ...range(3, 5) });
    expect(await read(booking.id)).toEqual(booking);
  });

  test('to other guides ends the old ones’ assignments, keeps the common ones’ and starts the new ones’', async () => {
    const [leaves, stays, comes] = (await guides(3)) as [string, string, string];
    const booking = await booked([leaves, stays], 0, 2);
    const swapped = bookingOf(await run('rebookBooking', { bookingId: booking.id, expectedVersion: 1, guideIds: [stays, comes] }));
    expect(Object.keys(guideTimes(swapped)).sort()).toEqual([stays, comes].sort());
    const idOf = (of: BookingView, guide: string) => of.assignments.find((assignment) => assignment.guide.id === guide)?.id;
    expect(idOf(swapped, stays)).toBe(idOf(booking, stays));
    // A new assignment has a new id, even for one who led it before.
    const back = bookingOf(await run('rebookBooking', { bookingId: booking.id, expectedVersion: 2, guideIds: [leaves] }));
    expect(idOf(back, leaves)).not.toBe(idOf(booking, leaves));
    const none = bookingOf(await run('rebookBooking', { bookingId: booking.id, expectedVersion: 3, guideIds: [] }));
    expect(none.assignments).toEqual([]);
  });

  test('to a time that would leave a guide’s part outside is refused; a part within stays', async () => {
    const [part] = (await guides(1)) as [string];
    const booking = await booked([], 0, 4);
    const assigned = bookingOf(await run('assignGuide', { bookingId: booking.id, guideId: part, expectedVersion: 1, range: range(2, 3) }));
    const outcome = await run('rebookBooking', { bookingId: booking.id, expectedVersion: 2, time: range(0, 2.5) });
    expect(outcome).toEqual({ __typename: 'InvalidInputError', code: 'INVALID_INPUT', field: 'input.time', reason: 'CONFLICTING' });
    expect(await read(booking.id)).toEqual(assigned);
    const shortened = bookingOf(await run('rebookBooking', { bookingId: booking.id, expectedVersion: 2, time: range(1, 3) }));
    expect(guideTimes(shortened)).toEqual({ [part]: [at(2).toISOString(), at(3).toISOString()] });
  });

  test('to another offer and other details changes those and leaves the rest', async () => {
    const [guide] = (await guides(1)) as [string];
    const booking = await booked([guide], 0, 2);
    const other = await house.records.offer();
    const changed = bookingOf(
      await run('rebookBooking', { bookingId: booking.id, expectedVersion: 1, offerId: other, customer: { name: 'Other Group' }, partySize: 3, language: 'fr', notes: 'n' }),
    );
    expect(changed).toEqual({ ...booking, version: 2, offer: { id: other }, customer: { name: 'Other Group', email: null, phone: null }, partySize: 3, language: 'fr', notes: 'n' });
    expect(bookingOf(await run('rebookBooking', { bookingId: booking.id, expectedVersion: 2, notes: '' })).notes).toBeNull();
  });

  test('to an offer that is not sold at present is refused', async () => {
    const booking = await booked();
    const closed = await house.records.offer({ active: false });
    const conflicting = { __typename: 'InvalidInputError', code: 'INVALID_INPUT', field: 'input.offerId', reason: 'CONFLICTING' };
    expect(await run('rebookBooking', { bookingId: booking.id, expectedVersion: 1, offerId: closed })).toEqual(conflicting);
    expect(await run('createBooking', { offerId: closed, time: range(0, 1), customer: { name: 'Group' } })).toEqual(conflicting);
  });
});

test('a cancellation keeps reason, origin and moment, and frees the guides', async () => {
  const [guide] = (await guides(1)) as [string];
  const booking = await booked([guide], 0, 2);
  const cancelled = bookingOf(await run('cancelBooking', { bookingId: booking.id, expectedVersion: 1, reason: ' Ill ', origin: 'CUSTOMER' }));
  expect(cancelled).toEqual({
    ...booking,
    state: 'CANCELLED',
    version: 2,
    cancellationReason: 'Ill',
    cancellationOrigin: 'CUSTOMER',
    cancelledAt: expect.any(String),
    assignments: [],
  });
  expect(Math.abs(Date.parse(cancelled.cancelledAt ?? '') - Date.now())).toBeLessThan(5_000);
  expect((await booked([guide], 0, 2)).assignments).toHaveLength(1);
});

test('versions: a change based on an old reading is refused with the present version and changes nothing', async () => {
  const [guide] = (await guides(1)) as [string];
  const booking = await booked([guide], 0, 2);
  bookingOf(await run('rebookBooking', { bookingId: booking.id, expectedVersion: 1, notes: 'first' }));
  const now = await read(booking.id);
  const stale = { __typename: 'StaleVersionError', code: 'STALE_VERSION', currentVersion: 2 };
  const target = { bookingId: booking.id, expectedVersion: 1 };
  expect(await run('rebookBooking', { ...target, notes: 'second' })).toEqual(stale);
  expect(await run('assignGuide', { ...target, guideId: await house.records.guide() })).toEqual(stale);
  expect(await run('resetAssignment', { assignmentId: booking.assignments[0]?.id, expectedVersion: 1 })).toEqual(stale);
  expect(await run('cancelBooking', { ...target, reason: 'x', origin: 'HOUSE' })).toEqual(stale);
  expect(await run('deleteBooking', target)).toEqual(stale);
  expect(await run('deleteBooking', { ...target, expectedVersion: 3 })).toEqual(stale);
  expect(await read(booking.id)).toEqual(now);
});

test('of two changes at once, based on the same reading, one wins', async () => {
  for (let round = 0; round < 5; round += 1) {
    const booking = await booked();
    const outcomes = await Promise.all([
      run('rebookBooking', { bookingId: booking.id, expectedVersion: 1, notes: 'one' }),
      run('rebookBooking', { bookingId: booking.id, expectedVersion: 1, notes: 'other' }),
      run('cancelBooking', { bookingId: booking.id, expectedVersion: 1, reason: 'x', origin: 'HOUSE' }),
    ]);
    expect(outcomes.map(({ __typename }) => __typename).sort()).toEqual(['BookingPayload', 'StaleVersionError', 'StaleVersionError']);
    expect(outcomes.filter(({ currentVersion }) => currentVersion !== undefined).map(({ currentVersion }) => currentVersion)).toEqual([2, 2]);
  }
});

test('ids that lead nowhere are not found, whichever way they are wrong', async () => {
  const elsewhere = await openHouse(cleanup, { code: 'castle' });
  const foreignOffer = await elsewhere.records.offer();
  const foreignGuide = await elsewhere.records.guide();
  const foreign = await elsewhere.records.booking(foreignOffer, at(0), { guideIds: [foreignGuide] });
  const booking = await booked();
  for (const [bookingId, guideId, otherOffer, assignmentId] of [
    [foreign.id, foreignGuide, foreignOffer, foreign.assignmentIds[0]],
    [newKey(), newKey(), newKey(), newKey()],
    ['no-uuid', 'no-uuid', 'no-uuid', 'no-uuid'],
  ]) {
    const notFound = (field: string) => ({ __typename: 'NotFoundError', code: 'NOT_FOUND', field });
    const time = range(0, 1);
    const customer = { name: 'Group' };
    const own = { bookingId: booking.id, expectedVersion: 1 };
    expect(await run('createBooking', { offerId: otherOffer, time, customer })).toEqual(notFound('input.offerId'));
    expect(await run('createBooking', { offerId, time, customer, guideIds: [guideId] })).toEqual(notFound('input.guideIds.0'));
    expect(await run('rebookBooking', { bookingId, expectedVersion: 1 })).toEqual(notFound('input.bookingId'));
    expect(await run('rebookBooking', { ...own, offerId: otherOffer })).toEqual(notFound('input.offerId'));
    expect(await run('rebookBooking', { ...own, guideIds: [guideId] })).toEqual(notFound('input.guideIds.0'));
    expect(await run('assignGuide', { ...own, guideId })).toEqual(notFound('input.guideId'));
    expect(await run('assignGuide', { bookingId, guideId: await house.records.guide(), expectedVersion: 1 })).toEqual(notFound('input.bookingId'));
    expect(await run('resetAssignment', { assignmentId, expectedVersion: 1 })).toEqual(notFound('input.assignmentId'));
    expect(await run('cancelBooking', { bookingId, expectedVersion: 1, reason: 'x', origin: 'HOUSE' })).toEqual(notFound('input.bookingId'));
    expect(await run('deleteBooking', { bookingId, expectedVersion: 1 })).toEqual(notFound('input.bookingId'));
    expect(await read(bookingId as string)).toBeNull();
  }
  expect(await read(booking.id)).toEqual(booking);
});
