import { Cleanup } from '../../testkit/cleanup.js';
import { statementsOf } from '../../testkit/statements.js';
import { at, type House, newKey, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
let staff: string;
beforeAll(async () => {
  house = await openHouse(cleanup);
  staff = (await house.records.signedIn('STAFF')).token;
});

const GUIDE = 'id version releases { offer { id } languages ageGroups } limits { perDay { minutes bookings } perWeek { minutes bookings } perMonth { minutes bookings } countsForeignBookings }';
const ERRORS = '... on UserError { code } ... on InvalidInputError { field reason } ... on NotFoundError { field } ... on StaleVersionError { currentVersion }';
const INPUTS = { setGuideReleases: 'SetGuideReleasesInput', setGuideLimits: 'SetGuideLimitsInput', updateGuide: 'UpdateGuideInput' } as const;
const NO_LIMIT = { minutes: null, bookings: null };

interface Terms {
  id: string;
  version: number;
  releases: { offer: { id: string }; languages: string[] | null; ageGroups: string[] | null }[];
  limits: Record<'perDay' | 'perWeek' | 'perMonth', { minutes: number | null; bookings: number | null }> & { countsForeignBookings: boolean };
}
type Result = { __typename: string; guide?: Terms } & Record<string, unknown>;

async function run(mutation: keyof typeof INPUTS, input: Record<string, unknown>, token = staff): Promise<Result> {
  const document = `mutation ($input: ${INPUTS[mutation]}!) { ${mutation}(input: $input) { __typename ... on GuidePayload { guide { ${GUIDE} } } ${ERRORS} } }`;
  const answer = await house.api.query<Record<string, Result>>(document, { input }, token);
  const result = answer.data?.[mutation];
  if (!result) throw new Error(answer.text);
  return result;
}

async function count(input: Record<string, unknown>, token: string): Promise<{ data: unknown; errors: unknown }> {
  const document = `mutation ($input: SetForeignBookingsCountedInput!) { setForeignBookingsCounted(input: $input) { __typename ... on GuidePayload { guide { version limits { countsForeignBookings } } }
    ... on UserError { code } ... on NotFoundError { field } ... on StaleVersionError { currentVersion } } }`;
  const { data, errors } = await house.api.query<{ setForeignBookingsCounted: unknown } | null>(document, { input }, token);
  return { data: data?.setForeignBookingsCounted, errors: errors?.map(({ extensions }) => extensions) };
}

const terms = async (guideId: string, token = staff): Promise<Terms | null> =>
  (await house.api.query<{ guide: Terms | null }>(`query ($id: ID!) { guide(id: $id) { ${GUIDE} } }`, { id: guideId }, token)).data.guide;

const invalid = (field: string, reason: string) => ({ __typename: 'InvalidInputError', code: 'INVALID_INPUT', field, reason });
const missing = (field: string) => ({ __typename: 'NotFoundError', code: 'NOT_FOUND', field });

describe('releases', () => {
  test('a guide who may lead an offer is released for everything, until staff narrow it', async () => {
    const [first, second] = [await house.records.offer({ title: 'Attic' }), await house.records.offer({ title: 'Basement' })];
    const guideId = await house.records.guide({ offerIds: [first, second] });
    const open = { languages: null, ageGroups: null };
    expect((await terms(guideId))?.releases).toEqual([{ offer: { id: first }, ...open }, { offer: { id: second }, ...open }]);
    const narrowed = await run('setGuideReleases', { guideId, expectedVersion: 1, releases: [{ offerId: second, languages: ['en-gb', 'de', 'de'], ageGroups: ['SENIORS', 'CHILDREN', 'SENIORS'] }] });
    expect(narrowed.guide).toMatchObject({ version: 2, releases: [{ offer: { id: first }, ...open }, { offer: { id: second }, languages: ['en-GB', 'de'], ageGroups: ['CHILDREN', 'SENIORS'] }] });
    const none = await run('setGuideReleases', { guideId, expectedVersion: 2, releases: [{ offerId: second, languages: [], ageGroups: [] }, { offerId: first, ageGroups: ['YOUTH'] }] });
    expect(none.guide?.releases).toEqual([{ offer: { id: first }, languages: null, ageGroups: ['YOUTH'] }, { offer: { id: second }, languages: [], ageGroups: [] }]);
    expect((await run('setGuideReleases', { guideId, expectedVersion: 3, releases: [{ offerId: second }] })).guide?.releases[1]).toEqual({ offer: { id: second }, ...open });
    const logged = await house.records.query(`select before, after from audit_entry where subject_id = $1 and action = 'guide.changed' order by at limit 1`, [guideId]);
    const release = { offerId: second, languages: ['en-GB', 'de'], ageGroups: ['CHILDREN', 'SENIORS'] };
    expect(logged).toEqual([{ before: { releases: [{ offerId: second, ...open }] }, after: { changed: ['releases'], releases: [release], version: 2 } }]);
  });

  test('of an offer he keeps stay when his offers change, and are gone with the offer', async () => {
    const offers = [await house.records.offer({ title: 'C' }), await house.records.offer({ title: 'D' })] as const;
    const guideId = await house.records.guide({ offerIds: [offers[0]] });
    await run('setGuideReleases', { guideId, expectedVersion: 1, releases: [{ offerId: offers[0], languages: ['fr'] }] });
    const release = { offer: { id: offers[0] }, languages: ['fr'], ageGroups: null };
    const added = await run('updateGuide', { guideId, expectedVersion: 2, offerIds: offers });
    expect(added.guide?.releases).toEqual([release, { offer: { id: offers[1] }, languages: null, ageGroups: null }]);
    expect((await run('updateGuide', { guideId, expectedVersion: 3, offerIds: [offers[0]] })).guide?.releases).toEqual([release]);
    expect((await run('updateGuide', { guideId, expectedVersion: 4, offerIds: [] })).guide?.releases).toEqual([]);
    expect((await run('updateGuide', { guideId, expectedVersion: 5, offerIds: [offers[0]] })).guide?.releases).toEqual([{ ...release, languages: null }]);
  });

  test('of an offer he may not lead, of nobody, of a stale version or badly named are refused whole', async () => {
    const offerId = await house.records.offer();
    const guideId = await house.records.guide({ offerIds: [offerId] });
    const set = (releases: unknown[], given = {}) => run('setGuideReleases', { guideId, expectedVersion: 1, releases, ...given });
    const good = { offerId, languages: ['de'] };
    expect(await set([good, { offerId: await house.records.offer() }])).toEqual(missing('input.releases.1.offerId'));
    expect(await set([good, { offerId: 'no-uuid' }])).toEqual(missing('input.releases.1.offerId'));
    expect(await set([good, { offerId: offerId.toUpperCase() }])).toEqual(invalid('input.releases.1.offerId', 'CONFLICTING'));
    expect(await set([{ offerId, languages: ['de', 'no language'] }])).toEqual(invalid('input.releases.0.languages.1', 'MALFORMED'));
    expect(await set(Array.from({ length: 501 }, () => ({ offerId: newKey() })))).toEqual(invalid('input.releases', 'OUT_OF_RANGE'));
    expect(await set([good], { guideId: newKey() })).toEqual(missing('input.guideId'));
    expect(await set([good], { guideId: 'no-uuid' })).toEqual(missing('input.guideId'));
    expect(await set([good], { expectedVersion: 2 })).toEqual({ __typename: 'StaleVersionError', code: 'STALE_VERSION', currentVersion: 1 });
    expect(await terms(guideId)).toMatchObject({ version: 1, releases: [{ languages: null, ageGroups: null }] });
  });
});

describe('limits', () => {
  test('are none at first, set as a whole by staff, and the guide’s own switch stays through that', async () => {
    const guideId = await house.records.guide();
    const { token } = await house.records.signedIn('GUIDE', { guideId });
    expect((await terms(guideId))?.limits).toEqual({ perDay: NO_LIMIT, perWeek: NO_LIMIT, perMonth: NO_LIMIT, countsForeignBookings: false });
    expect(await count({ guideId, expectedVersion: 1, counted: true }, token)).toEqual({ data: { __typename: 'GuidePayload', guide: { version: 2, limits: { countsForeignBookings: true } } }, errors: undefined });
    const limits = { perDay: { minutes: 480, bookings: 3 }, perWeek: { minutes: 0, bookings: null }, perMonth: NO_LIMIT };
    expect((await run('setGuideLimits', { guideId, expectedVersion: 2, ...limits })).guide).toMatchObject({ version: 3, limits: { ...limits, countsForeignBookings: true } });
    expect((await run('setGuideLimits', { guideId, expectedVersion: 3, perMonth: { bookings: 40 } })).guide?.limits).toEqual({ perDay: NO_LIMIT, perWeek: NO_LIMIT, perMonth: { minutes: null, bookings: 40 }, countsForeignBookings: true });
    expect((await terms(guideId, token))?.limits.perMonth).toEqual({ minutes: null, bookings: 40 });
  });

  test('out of range, stale, or of nobody are refused', async () => {
    const guideId = await house.records.guide();
    const set = (given: Record<string, unknown>) => run('setGuideLimits', { guideId, expectedVersion: 1, ...given });
    expect(await set({ perDay: { minutes: 1_441 } })).toEqual(invalid('input.perDay.minutes', 'OUT_OF_RANGE'));
    expect(await set({ perWeek: { minutes: -1 } })).toEqual(invalid('input.perWeek.minutes', 'OUT_OF_RANGE'));
    expect(await set({ perMonth: { minutes: 44_641 } })).toEqual(invalid('input.perMonth.minutes', 'OUT_OF_RANGE'));
    expect(await set({ perMonth: { bookings: 1_001 } })).toEqual(invalid('input.perMonth.bookings', 'OUT_OF_RANGE'));
    expect(await set({ expectedVersion: 2 })).toEqual({ __typename: 'StaleVersionError', code: 'STALE_VERSION', currentVersion: 1 });
    expect(await set({ guideId: newKey() })).toEqual(missing('input.guideId'));
    expect(await terms(guideId)).toMatchObject({ version: 1, limits: { perDay: NO_LIMIT } });
  });

  test('the switch is the guide’s own: neither staff nor another guide can turn it', async () => {
    const [guideId, other] = [await house.records.guide(), await house.records.guide()];
    const { token } = await house.records.signedIn('GUIDE', { guideId: other });
    const forbidden = [{ code: 'FORBIDDEN', field: 'Mutation.setForeignBookingsCounted' }];
    expect(await count({ guideId, expectedVersion: 1, counted: true }, staff)).toEqual({ data: undefined, errors: forbidden });
    expect(await count({ guideId, expectedVersion: 1, counted: true }, (await house.records.signedIn('ADMINISTRATOR')).token)).toEqual({ data: undefined, errors: forbidden });
    expect(await count({ guideId, expectedVersion: 1, counted: true }, token)).toEqual({ data: missing('input.guideId'), errors: undefined });
    expect(await count({ guideId: newKey(), expectedVersion: 1, counted: true }, token)).toEqual({ data: missing('input.guideId'), errors: undefined });
    expect(await count({ guideId: other, expectedVersion: 9, counted: true }, token)).toMatchObject({ data: { currentVersion: 1 } });
    expect(await house.records.query('select 1 from guide_limits where guide_id = any ($1)', [[guideId, other]])).toEqual([]);
  });
});

test('terms are asked for in the same number of statements for one guide and for fifty, and nobody else’s are seen', async () => {
  const own = await openHouse(cleanup, { code: 'crowd' });
  const { token } = await own.records.signedIn('STAFF');
  const offerId = await own.records.offer();
  const ask = (first: number) => () => own.api.query(`query ($first: Int) { guides(first: $first) { edges { node { ${GUIDE} } } } }`, { first }, token);
  const guides = await Promise.all(Array.from({ length: 50 }, () => own.records.guide({ offerIds: [offerId] })));
  await ask(50)();
  expect(await statementsOf(ask(1))).toBe(4);
  expect(await statementsOf(ask(50))).toBe(4);
  const guide = await own.records.signedIn('GUIDE', { guideId: guides[0] });
  const { data } = await own.api.query<{ guide: unknown }>(`query ($id: ID!) { guide(id: $id) { ${GUIDE} } }`, { id: guides[1] }, guide.token);
  expect(data.guide).toBeNull();
});

test('age groups of offers and bookings', async () => {
  const OFFER = '__typename ... on OfferPayload { offer { id version ageGroups } }';
  const { data: made } = await house.api.query<{ createOffer: { offer: { id: string } } }>(`mutation ($input: CreateOfferInput!) { createOffer(input: $input) { ${OFFER} } }`, { input: { idempotencyKey: newKey(), title: 'Play', durationMinutes: 60, languages: ['de'], priceAmount: 0, ageGroups: ['YOUTH', 'CHILDREN', 'YOUTH'] } }, staff);
  const offerId = made.createOffer.offer.id;
  expect(made.createOffer.offer).toEqual({ id: offerId, version: 1, ageGroups: ['CHILDREN', 'YOUTH'] });
  const update = async (input: Record<string, unknown>) => (await house.api.query(`mutation ($input: UpdateOfferInput!) { updateOffer(input: $input) { ${OFFER} } }`, { input: { offerId, ...input } }, staff)).data;
  expect(await update({ expectedVersion: 1, title: 'Played' })).toMatchObject({ updateOffer: { offer: { ageGroups: ['CHILDREN', 'YOUTH'] } } });
  expect(await update({ expectedVersion: 2, ageGroups: [] })).toMatchObject({ updateOffer: { offer: { ageGroups: [] } } });
  const BOOKING = '__typename ... on BookingPayload { booking { id version ageGroup } }';
  const book = (given: Record<string, unknown>) => house.api.query<{ createBooking: { booking: { id: string; ageGroup: string | null } } }>(`mutation ($input: CreateBookingInput!) { createBooking(input: $input) { ${BOOKING} } }`, { input: { idempotencyKey: newKey(), offerId, customer: { name: 'School' }, time: { start: at(0).toISOString() }, ...given } }, staff);
  expect((await book({})).data.createBooking.booking.ageGroup).toBeNull();
  const { id: bookingId, ageGroup } = (await book({ ageGroup: 'CHILDREN' })).data.createBooking.booking;
  expect(ageGroup).toBe('CHILDREN');
  const rebook = async (input: Record<string, unknown>) => (await house.api.query(`mutation ($input: RebookBookingInput!) { rebookBooking(input: $input) { ${BOOKING} } }`, { input: { idempotencyKey: newKey(), bookingId, ...input } }, staff)).data;
  expect(await rebook({ expectedVersion: 1, notes: 'none' })).toMatchObject({ rebookBooking: { booking: { ageGroup: 'CHILDREN' } } });
  expect(await rebook({ expectedVersion: 2, ageGroup: 'YOUTH' })).toMatchObject({ rebookBooking: { booking: { ageGroup: 'YOUTH' } } });
  expect((await book({ ageGroup: 'TODDLERS' })).errors?.[0]?.extensions.code).toBe('INVALID_INPUT');
});
