import { Cleanup } from '../../testkit/cleanup.js';
import { recordStatements, statementsOf } from '../../testkit/statements.js';
import { against, available, ELIGIBLE_GUIDES, foreign, rank } from './support/eligibility-api.js';
import { at, type House, newKey, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
let staff: string;
beforeAll(async () => {
  house = await openHouse(cleanup);
  staff = (await house.records.signedIn('STAFF')).token;
});

const span = (from: number, to: number) => ({ start: at(from).toISOString(), end: at(to).toISOString() });
const notFree = (state: string, ...times: (readonly [number, number])[]) => ({ __typename: 'NotFreeReason', state, times: times.map(([from, to]) => span(from, to)) });
const release = (guideId: string, offerId: string, languages: string[] | null, ageGroups: string[] | null) =>
  house.records.query('update guide_offer set languages = $3, age_groups = $4 where guide_id = $1 and offer_id = $2', [guideId, offerId, languages, ageGroups]);
/** Free all day, who may lead the offer. */
async function free(offerId: string, given: Parameters<House['records']['guide']>[0] = {}): Promise<string> {
  const guideId = await house.records.guide({ offerIds: [offerId], ...given });
  await available(house, guideId, at(-12), at(12));
  return guideId;
}

test('nothing speaks against a guide who is active, released and free for all of it, for a booking as for an offer at a time', async () => {
  const offerId = await house.records.offer();
  const guideId = await free(offerId);
  const booking = await house.records.booking(offerId, at(0), { end: at(2), language: 'de' });
  await house.records.query(`update booking set age_group = 'YOUTH' where id = $1`, [booking.id]);
  for (const input of [{ bookingId: booking.id }, { bookingId: booking.id, range: span(1, 2) }, { offerId, range: span(0, 2), language: 'de', ageGroup: 'YOUTH' }, { offerId, range: span(-12, 12) }]) {
    expect(await rank(house.api, staff, { input, filter: { guideIds: [guideId] } })).toEqual({
      guides: [{ guide: { id: guideId }, eligible: true, minutesInWeek: 0, reasons: [] }],
      pageInfo: { hasNextPage: false, endCursor: expect.any(String) },
    });
  }
});

test('every reason is named, each with its facts', async () => {
  const offerId = await house.records.offer();
  const guideId = await house.records.guide({ offerIds: [offerId], active: false, languages: ['de', 'fr'] });
  await release(guideId, offerId, ['de'], ['ADULTS', 'SENIORS']);
  // Free from 0 to 1 and from 4 on; set to be not available from 2 to 4; absent from 5 to 6; booked from 6 to 7, blocked to 8.
  await available(house, guideId, at(0), at(1));
  await available(house, guideId, at(4), at(12));
  await house.records.query('insert into individual_availability (id, guide_id, start_at, end_at, available) values (gen_random_uuid(), $1, $2, $3, false)', [guideId, at(2), at(4)]);
  await house.records.query('insert into absence (id, guide_id, start_at, end_at, created_at) values (gen_random_uuid(), $1, $2, $3, now())', [guideId, at(5), at(6)]);
  await house.records.booking(offerId, at(6), { guideIds: [guideId] });
  await house.records.query(`insert into guide_assignment (id, guide_id, start_at, end_at, kind) values (gen_random_uuid(), $1, $2, $3, 'BLOCK')`, [guideId, at(7), at(8)]);
  await foreign(house, guideId, [[at(8), at(12)], [at(-3), at(0.5)]]);
  await house.records.query('insert into guide_limits (guide_id, bookings_per_day) values ($1, 1)', [guideId]);
  expect(await against(house, staff, guideId, { offerId, range: span(0, 9), language: 'it', ageGroup: 'CHILDREN' })).toEqual([
    { __typename: 'InactiveReason', active: false },
    { __typename: 'LanguageNotSpokenReason', language: 'it', spoken: ['de', 'fr'] },
    { __typename: 'LanguageNotReleasedReason', language: 'it', releasedLanguages: ['de'] },
    { __typename: 'AgeGroupNotReleasedReason', ageGroup: 'CHILDREN', releasedAgeGroups: ['ADULTS', 'SENIORS'] },
    notFree('ALREADY_BOOKED', [6, 7]),
    notFree('BLOCKED', [7, 8]),
    notFree('ABSENT', [5, 6]),
    // Cut to what was asked for.
    notFree('BOOKED_ELSEWHERE', [0, 0.5], [8, 9]),
    notFree('SET_UNAVAILABLE', [2, 4]),
    notFree('NOT_AVAILABLE', [1, 2]),
    // Tuesday in Berlin begins two hours before it does in UTC.
    { __typename: 'LimitExceededReason', period: 'DAY', measure: 'BOOKINGS', limit: 1, count: 2, start: '2027-05-31T22:00:00.000Z', end: '2027-06-01T22:00:00.000Z' },
  ]);
  const other = await house.records.offer();
  expect(await against(house, staff, guideId, { offerId: other, range: span(4, 5), language: 'fr', ageGroup: 'CHILDREN' })).toEqual([
    { __typename: 'InactiveReason', active: false },
    { __typename: 'NotAssignedToOfferReason', offerId: other },
    expect.objectContaining({ __typename: 'LimitExceededReason' }),
  ]);
});

describe('of foreign bookings', () => {
  test('staff learn when, and nothing of where or what', async () => {
    const offerId = await house.records.offer();
    const guideId = await free(offerId);
    await foreign(house, guideId, [[at(1), at(2)], [at(3), at(4)]], 'fortress');
    const { text } = await house.api.query(ELIGIBLE_GUIDES, { input: { offerId, range: span(0, 5) }, filter: { guideIds: [guideId] } }, staff);
    expect(text).toContain(JSON.stringify(notFree('BOOKED_ELSEWHERE', [1, 2], [3, 4])));
    expect(text).not.toMatch(/fortress|secret/i);
    const ids = await house.records.query<{ id: string; coupling_id: string; link_id: string }>('select id, coupling_id, link_id from foreign_booking where guide_id = $1', [guideId]);
    expect(ids).toHaveLength(2);
    for (const id of ids.flatMap((row) => Object.values(row))) expect(text).not.toContain(id);
  });

  test('two houses at once are told as one time', async () => {
    const offerId = await house.records.offer();
    const guideId = await free(offerId);
    await foreign(house, guideId, [[at(1), at(2)]], 'fortress');
    await foreign(house, guideId, [[at(1), at(2)], [at(2), at(3)]], 'palace');
    expect(await against(house, staff, guideId, { offerId, range: span(0, 5) })).toEqual([notFree('BOOKED_ELSEWHERE', [1, 3])]);
    // Ended and disputed ones take no time.
    await house.records.query(`update foreign_booking set ended = true where guide_id = $1 and start_at = $2`, [guideId, at(2)]);
    expect(await against(house, staff, guideId, { offerId, range: span(0, 5) })).toEqual([notFree('BOOKED_ELSEWHERE', [1, 2])]);
  });
});

test.each([
  ['en', ['en'], true],
  ['en', ['en-GB'], true],
  ['en-GB', ['en'], true],
  ['en-GB', ['en-US'], false],
  ['de', ['den'], false],
  ['den', ['de'], false],
  ['zh-Hant', ['zh-Hans', 'zh-Hant-TW'], true],
  ['fr', [], false],
])('(chosen) for %s a guide is good who speaks one of %j: %s', async (language, languages, good) => {
  const offerId = await house.records.offer();
  const guideId = await free(offerId, { languages });
  expect(await against(house, staff, guideId, { offerId, range: span(0, 1), language })).toEqual(good ? [] : [{ __typename: 'LanguageNotSpokenReason', language, spoken: languages }]);
  await house.records.query(`update guide set languages = array[$2::text] where id = $1`, [guideId, language]);
  await release(guideId, offerId, languages, null);
  expect(await against(house, staff, guideId, { offerId, range: span(0, 1), language })).toEqual(good ? [] : [{ __typename: 'LanguageNotReleasedReason', language, releasedLanguages: languages }]);
});

describe('limits', () => {
  const limit = (guideId: string, columns: Record<string, number | boolean>) =>
    house.records.query(`insert into guide_limits (guide_id, ${Object.keys(columns).join(', ')}) values ($1, ${Object.keys(columns).map((_, index) => `$${index + 2}`).join(', ')})
      on conflict (guide_id) do update set ${Object.keys(columns).map((column) => `${column} = excluded.${column}`).join(', ')}`, [guideId, ...Object.values(columns)]);
  const exceeded = (period: string, measure: string, most: number, count: number, start: string, end: string) => ({ __typename: 'LimitExceededReason', period, measure, limit: most, count, start: `${start}:00:00.000Z`, end: `${end}:00:00.000Z` });
  const time = (start: string, end: string) => ({ start: `${start}:00.000Z`, end: `${end}:00.000Z` });
  const date = (text: string) => new Date(`${text}:00.000Z`);

  async function busy(spans: [string, string][], given: Record<string, number | boolean>) {
    const offerId = await house.records.offer();
    const guideId = await house.records.guide({ offerIds: [offerId] });
    await available(house, guideId, date('2027-01-01T00:00'), date('2028-01-01T00:00'));
    for (const [start, end] of spans) await house.records.booking(offerId, date(start), { end: date(end), guideIds: [guideId] });
    await limit(guideId, given);
    return { guideId, ask: (start: string, end: string) => against(house, staff, guideId, { offerId, range: time(start, end) }) };
  }

  test('of minutes are by the day of the zone; what passes midnight is shared between the days', async () => {
    // In Berlin: Thursday from 22 to 1 o'clock, so two hours of Thursday and one of Friday.
    const { ask } = await busy([['2027-01-14T21:00', '2027-01-15T00:00']], { minutes_per_day: 180 });
    const [thursday, friday, saturday] = ['2027-01-13T23', '2027-01-14T23', '2027-01-15T23'] as const;
    expect(await ask('2027-01-14T10:00', '2027-01-14T11:00')).toEqual([]);
    expect(await ask('2027-01-14T10:00', '2027-01-14T11:01')).toEqual([exceeded('DAY', 'MINUTES', 180, 181, thursday, friday)]);
    expect(await ask('2027-01-15T10:00', '2027-01-15T12:00')).toEqual([]);
    expect(await ask('2027-01-15T10:00', '2027-01-15T12:15')).toEqual([exceeded('DAY', 'MINUTES', 180, 195, friday, saturday)]);
    // Four hours of Friday night: one of them is Saturday's.
    expect(await ask('2027-01-15T20:00', '2027-01-16T00:00')).toEqual([exceeded('DAY', 'MINUTES', 180, 240, friday, saturday)]);
    expect(await ask('2027-01-15T21:00', '2027-01-16T02:00')).toEqual([]);
    // Of two days that are too full the first is told.
    expect(await ask('2027-01-17T19:00', '2027-01-18T03:00')).toEqual([exceeded('DAY', 'MINUTES', 180, 240, '2027-01-16T23', '2027-01-17T23')]);
  });

  test('of days that are longer or shorter are by their true length', async () => {
    // On the day clocks go back, Berlin's 31st of October runs from 22 UTC of the 30th to 23 UTC of the 31st.
    const { ask } = await busy([['2027-10-30T22:00', '2027-10-31T20:00']], { minutes_per_day: 1_440 });
    expect(await ask('2027-10-31T20:00', '2027-10-31T22:00')).toEqual([]);
    expect(await ask('2027-10-31T20:00', '2027-10-31T23:00')).toEqual([exceeded('DAY', 'MINUTES', 1_440, 1_500, '2027-10-30T22', '2027-10-31T23')]);
  });

  test('of weeks are from Monday to Sunday, of months by the calendar, each with what lies in it', async () => {
    // Monday the 25th to Sunday the 31st of January 2027 is the last week of the month.
    const { ask } = await busy(
      [
        ['2027-01-24T21:00', '2027-01-24T22:00'],
        ['2027-01-25T10:00', '2027-01-25T12:00'],
        ['2027-01-31T10:00', '2027-01-31T11:00'],
        ['2027-02-01T10:00', '2027-02-01T11:00'],
      ],
      { minutes_per_week: 240, bookings_per_week: 3, minutes_per_month: 300, bookings_per_month: 3 },
    );
    const [week, next, january, february] = ['2027-01-24T23', '2027-01-31T23', '2026-12-31T23', '2027-01-31T23'] as const;
    expect(await ask('2027-01-27T10:00', '2027-01-27T11:00')).toEqual([exceeded('MONTH', 'BOOKINGS', 3, 4, january, february)]);
    expect(await ask('2027-01-27T10:00', '2027-01-27T11:30')).toEqual([
      exceeded('WEEK', 'MINUTES', 240, 270, week, next),
      exceeded('MONTH', 'MINUTES', 300, 330, january, february),
      exceeded('MONTH', 'BOOKINGS', 3, 4, january, february),
    ]);
    // From the last evening into the new week and month: each has its part, and the booking counts in both.
    expect(await ask('2027-01-31T22:00', '2027-02-01T00:00')).toEqual([exceeded('MONTH', 'BOOKINGS', 3, 4, january, february)]);
    expect(await ask('2027-02-03T10:00', '2027-02-03T11:00')).toEqual([]);
  });

  test('of nothing at all rule out whatever it is; none do not', async () => {
    const { guideId, ask } = await busy([], { minutes_per_day: 0, bookings_per_month: 0 });
    expect((await ask('2027-01-14T10:00', '2027-01-14T11:00'))?.map(({ period, measure, count }) => [period, measure, count])).toEqual([['DAY', 'MINUTES', 60], ['MONTH', 'BOOKINGS', 1]]);
    await house.records.query('update guide_limits set minutes_per_day = null, bookings_per_month = null where guide_id = $1', [guideId]);
    expect(await ask('2027-01-14T10:00', '2027-01-14T11:00')).toEqual([]);
  });

  test('count bookings, not assignments nor blocks nor what has ended; the booking asked about once', async () => {
    const offerId = await house.records.offer();
    const guideId = await free(offerId);
    await limit(guideId, { bookings_per_day: 1, minutes_per_day: 180 });
    const booking = await house.records.booking(offerId, at(0), { end: at(3) });
    const assign = (bookingId: string | null, from: number, to: number, given: { kind?: string; ended?: Date } = {}) =>
      house.records.query('insert into guide_assignment (id, guide_id, booking_id, start_at, end_at, kind, ended_at) values (gen_random_uuid(), $1, $2, $3, $4, $5, $6)', [guideId, bookingId, at(from), at(to), given.kind ?? 'BOOKING', given.ended ?? null]);
    await assign(booking.id, 0, 1);
    await assign(booking.id, 2, 3);
    await assign(null, 4, 6, { kind: 'BLOCK' });
    await assign((await house.records.booking(offerId, at(6))).id, 6, 7, { ended: at(0) });
    // One hour more of the same booking: three in all, and one booking.
    expect(await against(house, staff, guideId, { bookingId: booking.id, range: span(1, 2) })).toEqual([]);
    const another = await house.records.booking(offerId, at(8), { end: at(9.5) });
    expect((await against(house, staff, guideId, { bookingId: another.id }))?.map(({ measure, limit: most, count }) => ({ measure, most, count }))).toEqual([
      { measure: 'MINUTES', most: 180, count: 210 },
      { measure: 'BOOKINGS', most: 1, count: 2 },
    ]);
  });

  test('(chosen) count this house alone, unless the guide himself has turned his switch', async () => {
    const { guideId, ask } = await busy([['2027-01-14T08:00', '2027-01-14T09:00']], { minutes_per_day: 180, bookings_per_day: 3 });
    await foreign(house, guideId, [[date('2027-01-14T12:00'), date('2027-01-14T13:00')], [date('2027-01-14T14:00'), date('2027-01-14T15:00')]]);
    expect(await ask('2027-01-14T10:00', '2027-01-14T11:00')).toEqual([]);
    const { token } = await house.records.signedIn('GUIDE', { guideId });
    const { data } = await house.api.query<Record<string, { __typename: string }>>('mutation ($input: SetForeignBookingsCountedInput!) { setForeignBookingsCounted(input: $input) { __typename } }', { input: { guideId, expectedVersion: 1, counted: true } }, token);
    expect(data.setForeignBookingsCounted?.__typename).toBe('GuidePayload');
    const [day, next] = ['2027-01-13T23', '2027-01-14T23'] as const;
    expect(await ask('2027-01-14T10:00', '2027-01-14T11:00')).toEqual([exceeded('DAY', 'MINUTES', 180, 240, day, next), exceeded('DAY', 'BOOKINGS', 3, 4, day, next)]);
  });
});

test('a question that does not say what is wanted, or of nothing, is refused by name', async () => {
  const offerId = await house.records.offer();
  const booking = await house.records.booking(offerId, at(0), { end: at(2) });
  const long = await house.records.booking(offerId, at(0), { end: at(24 * 32) });
  const invalid = (field: string, reason: string) => ({ code: 'INVALID_INPUT', field, reason });
  const range = span(0, 1);
  const cases: [Record<string, unknown>, unknown][] = [
    [{ input: {} }, invalid('input.bookingId', 'REQUIRED')],
    [{ input: { offerId } }, invalid('input.range', 'REQUIRED')],
    [{ input: { bookingId: booking.id, offerId } }, invalid('input.offerId', 'CONFLICTING')],
    [{ input: { bookingId: booking.id, language: 'de' } }, invalid('input.language', 'CONFLICTING')],
    [{ input: { bookingId: booking.id, ageGroup: 'YOUTH' } }, invalid('input.ageGroup', 'CONFLICTING')],
    [{ input: { bookingId: booking.id, range: span(1, 3) } }, invalid('input.range', 'OUT_OF_RANGE')],
    [{ input: { bookingId: booking.id, range: span(2, 1) } }, invalid('input.range.end', 'END_BEFORE_START')],
    [{ input: { bookingId: long.id } }, invalid('input.range.end', 'RANGE_TOO_LONG')],
    [{ input: { offerId, range: span(0, 24 * 31 + 1) } }, invalid('input.range.end', 'RANGE_TOO_LONG')],
    [{ input: { offerId, range, language: 'no language' } }, invalid('input.language', 'MALFORMED')],
    [{ input: { offerId, range }, filter: { guideIds: Array.from({ length: 201 }, newKey) } }, invalid('filter.guideIds', 'OUT_OF_RANGE')],
    [{ input: { offerId, range }, first: 0 }, invalid('first', 'OUT_OF_RANGE')],
    [{ input: { offerId, range }, after: 'nonsense' }, invalid('after', 'MALFORMED')],
  ];
  for (const [variables, expected] of cases) {
    const { errors } = await house.api.query(ELIGIBLE_GUIDES, variables, staff);
    expect({ variables, error: errors?.[0]?.extensions }).toMatchObject({ variables, error: expected });
  }
  for (const input of [{ bookingId: newKey() }, { bookingId: 'no-uuid' }, { offerId: newKey(), range }, { offerId: 'no-uuid', range }]) {
    expect(await house.api.query(ELIGIBLE_GUIDES, { input }, staff)).toMatchObject({ data: { eligibleGuides: null }, errors: undefined });
  }
  expect((await rank(house.api, staff, { input: { offerId, range }, filter: { guideIds: ['no-uuid', newKey()] } })).guides).toEqual([]);
  // The length that is just permitted.
  expect((await rank(house.api, staff, { input: { offerId, range: span(0, 24 * 31) }, first: 1 })).guides).toHaveLength(1);
});

test('minutes in the week leave out what is asked about, and are those of that week though more is asked for', async () => {
  const offer = await house.records.offer();
  const guideId = await house.records.guide({ offerIds: [offer] });
  const asked = await house.records.booking(offer, at(0), { end: at(2), guideIds: [guideId] });
  await house.records.booking(offer, at(24 * 5 - 4), { end: at(24 * 5 + 12), guideIds: [guideId] });
  const minutes = async (input: Record<string, unknown>) => (await rank(house.api, staff, { input, filter: { guideIds: [guideId] } })).guides.map(({ minutesInWeek, reasons }) => [minutesInWeek, reasons[0]?.['state']]);
  // The week ends ten hours after Sunday noon UTC: two of the sixteen hours are not of it.
  expect(await minutes({ bookingId: asked.id })).toEqual([[14 * 60, 'ALREADY_BOOKED']]);
  expect(await minutes({ offerId: offer, range: span(3, 4) })).toEqual([[16 * 60, 'NOT_AVAILABLE']]);
  expect(await minutes({ offerId: offer, range: span(3, 24 * 8) })).toEqual([[16 * 60, 'ALREADY_BOOKED']]);
  expect(await minutes({ offerId: offer, range: span(24 * 7, 24 * 8) })).toEqual([[2 * 60, 'NOT_AVAILABLE']]);
});

describe('the ranking', () => {
  let own: House;
  let token: string;
  let offerId: string;
  const ids = new Map<string, string>();
  const names = (guides: { guide: { id: string } }[]) => guides.map(({ guide }) => [...ids].find(([, id]) => id === guide.id)?.[0]);

  beforeAll(async () => {
    own = await openHouse(cleanup, { code: 'ranked' });
    token = (await own.records.signedIn('STAFF')).token;
    offerId = await own.records.offer();
    const add = async (name: string, { hours = 0, free: isFree = true, offer = true, active = true } = {}) => {
      const id = await own.records.guide({ lastName: name, firstName: 'A', offerIds: offer ? [offerId] : [], active });
      ids.set(name, id);
      if (isFree) await available(own, id, at(-200), at(200));
      if (hours > 0) await own.records.booking(offerId, at(24), { end: at(24 + hours), guideIds: [id] });
    };
    await add('Idle-B');
    await add('Idle-A');
    await add('Busy', { hours: 3 });
    await add('Less', { hours: 1 });
    await add('Away', { free: false });
    await add('Stranger', { offer: false });
    await add('Former', { active: false });
    // Last week's hours do not count.
    await own.records.booking(offerId, at(-48), { guideIds: [ids.get('Idle-A') ?? ''] });
  });

  test('has the eligible first, then who is not ruled out; by least minutes in the week, then by name', async () => {
    const { guides } = await rank(own.api, token, { input: { offerId, range: span(0, 1) } });
    expect(names(guides)).toEqual(['Idle-A', 'Idle-B', 'Less', 'Busy', 'Away', 'Former', 'Stranger']);
    expect(guides.map(({ eligible, minutesInWeek }) => [eligible, minutesInWeek])).toEqual([[true, 0], [true, 0], [true, 60], [true, 180], [false, 0], [false, 0], [false, 0]]);
    // Who has a booking here at that very time is ruled out by it.
    expect(names((await rank(own.api, token, { input: { offerId, range: span(25, 26) } })).guides)).toEqual(['Idle-A', 'Idle-B', 'Less', 'Away', 'Former', 'Stranger', 'Busy']);
  });

  test('is paged by the database, every guide once, and filtered', async () => {
    const input = { offerId, range: span(0, 1) };
    for (const first of [1, 2, 3]) {
      const seen: (string | undefined)[] = [];
      for (let after: string | null = null, more = true; more; ) {
        const { guides, pageInfo } = await rank(own.api, token, { input, first, after });
        seen.push(...names(guides));
        [after, more] = [pageInfo.endCursor, pageInfo.hasNextPage];
      }
      expect(seen.toSorted()).toEqual([...ids.keys()].toSorted());
      expect(seen.slice(-2)).toEqual(['Former', 'Stranger']);
    }
    const { pageInfo } = await rank(own.api, token, { input, first: 1 });
    const other = await own.api.query(ELIGIBLE_GUIDES, { input: { ...input, range: span(0, 2) }, after: pageInfo.endCursor }, token);
    expect(other.errors?.[0]?.extensions).toMatchObject({ code: 'INVALID_INPUT', field: 'after', reason: 'MALFORMED' });
    const filtered = async (filter: Record<string, unknown>) => names((await rank(own.api, token, { input, filter })).guides);
    expect(await filtered({ assignedToOffer: false })).toEqual(['Stranger']);
    expect(await filtered({ active: false })).toEqual(['Former']);
    expect(await filtered({ active: true, assignedToOffer: true, guideIds: [ids.get('Busy'), ids.get('Stranger'), ids.get('Away')] })).toEqual(['Busy', 'Away']);
  });

  test('takes the same number of statements for one guide and for fifty', async () => {
    for (let index = 0; index < 50; index += 1) await available(own, await own.records.guide({ offerIds: [offerId] }), at(0), at(1));
    const booking = await own.records.booking(offerId, at(0), { language: 'de' });
    const ask = (first: number, input: Record<string, unknown>) => () => statementsOf(() => rank(own.api, token, { input, first }));
    await ask(50, { bookingId: booking.id })();
    const counts = [await ask(1, { bookingId: booking.id })(), await ask(50, { bookingId: booking.id })(), await ask(1, { offerId, range: span(0, 1) })(), await ask(50, { offerId, range: span(0, 1) })()];
    expect(counts).toEqual([9, 9, 9, 9]);
  });

  test('finds what all guides do in that week by an index of time, not guide by guide', async () => {
    await own.records.query(
      `insert into guide_assignment (id, guide_id, start_at, end_at, kind) select gen_random_uuid(), g.id, s, s + interval '1 hour', 'BLOCK'
       from guide g cross join generate_series('2031-01-01'::timestamptz, '2031-02-28', interval '8 hours') s`,
    );
    await own.records.query('analyze');
    const statements = await recordStatements(() => rank(own.api, token, { input: { offerId, range: span(0, 1) } }));
    const [ranking, ...more] = statements.filter(({ text }) => text.includes('ruled_out'));
    expect(more).toEqual([]);
    const plan = (await own.records.query<{ 'QUERY PLAN': string }>(`explain (generic_plan) ${ranking?.text}`)).map((row) => row['QUERY PLAN']).join('\n');
    expect(plan.match(/Scan on guide_assignment\w*( a\b)?|SubPlan/g)).toEqual(['Scan on guide_assignment a', 'Scan on guide_assignment_time']);
  });
});
