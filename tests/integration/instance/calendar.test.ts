import { Cleanup } from '../../testkit/cleanup.js';
import { requestStatements } from '../../testkit/statements.js';
import { bookingOf, change } from './support/booking-api.js';
import { at, type House, newKey, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
let staff: string;
let offerId: string;
let guideId: string;
let guide: string;
beforeAll(async () => {
  house = await openHouse(cleanup, { name: 'City Museum', homepage: 'https://museum.example/home' });
  staff = (await house.records.signedIn('STAFF')).token;
  offerId = await house.records.offer({ title: 'Night Tour' });
  guideId = await house.records.guide();
  guide = (await house.records.signedIn('GUIDE', { guideId })).token;
});

const ENTRY = `id start end origin offerTitle instance { code name url homepage } details { bookingId customer { name email phone } partySize language notes }`;
const CALENDAR = `query ($id: ID!, $range: TimeRangeInput!) { guide(id: $id) { id calendar(range: $range) { ${ENTRY} } } }`;
const range = (from: number, to: number) => ({ start: at(from).toISOString(), end: at(to).toISOString() });

interface Entry {
  id: string;
  start: string;
  end: string;
  details: { bookingId: string } | null;
}

async function calendar(token: string, id: string, of = range(-24, 24)): Promise<Entry[] | null> {
  const { data, errors } = await house.api.query<{ guide: { calendar: Entry[] } | null }>(CALENDAR, { id, range: of }, token);
  expect(errors).toBeUndefined();
  return data.guide && data.guide.calendar;
}

test('the guide himself and staff see an own booking in full; without guide there is nothing to see', async () => {
  const booking = await house.records.booking(offerId, at(0), {
    guideIds: [guideId],
    customer: { name: 'Ada', email: 'ada@example.org', phone: '+49 1' },
    partySize: 7,
    language: 'en-GB',
    notes: 'Wheelchair',
  });
  await house.records.booking(offerId, at(0));
  const entry = {
    id: booking.assignmentIds[0],
    start: at(0).toISOString(),
    end: at(1).toISOString(),
    origin: 'LOCAL',
    offerTitle: 'Night Tour',
    instance: { code: 'museum', name: 'City Museum', url: 'https://museum.example', homepage: 'https://museum.example/home' },
    details: { bookingId: booking.id, customer: { name: 'Ada', email: 'ada@example.org', phone: '+49 1' }, partySize: 7, language: 'en-GB', notes: 'Wheelchair' },
  };
  expect(await calendar(guide, guideId)).toEqual([entry]);
  expect(await calendar(staff, guideId)).toEqual([entry]);
});

test('entries are those that intersect the range, half-open, sorted by start; ended ones are gone', async () => {
  const other = await house.records.guide();
  const token = (await house.records.signedIn('GUIDE', { guideId: other })).token;
  const made: string[] = [];
  for (const [from, to] of [[4, 5], [0, 1], [2, 3], [-1, 0]] as const) {
    const { assignmentIds } = await house.records.booking(offerId, at(from), { end: at(to), guideIds: [other] });
    made.push(assignmentIds[0] ?? '');
  }
  await house.records.booking(offerId, at(1), { guideIds: [other], cancelled: { reason: 'x', origin: 'HOUSE', at: new Date() } });
  const [four, zero, two, before] = made;
  for (const viewer of [token, staff]) {
    const idsOf = async (from: number, to: number) => (await calendar(viewer, other, range(from, to)))?.map(({ id }) => id);
    expect(await idsOf(-24, 24)).toEqual([before, zero, two, four]);
    expect(await idsOf(0, 4)).toEqual([zero, two]);
    expect(await idsOf(0.5, 2.5)).toEqual([zero, two]);
    expect(await idsOf(1, 2)).toEqual([]);
  }
});

test('a guide who covers a part is taken for that part alone', async () => {
  const [part] = [await house.records.guide()];
  const booking = await house.records.booking(offerId, at(0), { end: at(4) });
  bookingOf(await change(house.api, staff, 'assignGuide', { bookingId: booking.id, guideId: part, expectedVersion: 1, range: range(1, 2) }));
  expect(await calendar(staff, part)).toMatchObject([{ ...range(1, 2), details: { bookingId: booking.id } }]);
});

test('another guide does not exist for a guide, by the same statements as one that does not', async () => {
  const other = await house.records.guide({ globalId: 'museum:other' });
  await house.records.booking(offerId, at(0), { guideIds: [other] });
  const costs: string[][] = [];
  for (const id of [other, newKey(), 'museum:other', 'no-uuid', '', 'a\u0000b']) {
    const statements = await requestStatements(async () => expect(await calendar(guide, id)).toBeNull());
    costs.push(statements.map(({ role, text }) => `${role}: ${text}`));
  }
  expect(costs[0]).toHaveLength(1);
  expect(costs.slice(1, 4)).toEqual([costs[0], costs[0], costs[0]]);
  // Staff of this house find him by either id.
  expect(await calendar(staff, 'museum:other')).toHaveLength(1);
  expect(await calendar(staff, other)).toHaveLength(1);
  expect(await calendar(staff, newKey())).toBeNull();
});

test.each([
  ['an end before the start', range(1, 0), 'range.end', 'END_BEFORE_START'],
  ['an empty range', range(1, 1), 'range.end', 'END_BEFORE_START'],
  ['more than a year', { start: at(0).toISOString(), end: new Date(at(366 * 24).getTime() + 1).toISOString() }, 'range.end', 'RANGE_TOO_LONG'],
])('%s is refused', async (_what, of, field, reason) => {
  for (const token of [guide, staff]) {
    const { errors } = await house.api.query(CALENDAR, { id: guideId, range: of }, token);
    expect(errors?.map(({ extensions }) => extensions)).toEqual([{ code: 'INVALID_INPUT', field, reason }]);
  }
});

test('several ranges and aliases in one request each get their own answer', async () => {
  const one = await house.records.guide();
  await house.records.booking(offerId, at(0), { guideIds: [one] });
  await house.records.booking(offerId, at(5), { guideIds: [one] });
  const document = `query ($id: ID!, $a: TimeRangeInput!, $b: TimeRangeInput!) {
    guide(id: $id) { early: calendar(range: $a) { from: start } late: calendar(range: $b) { from: start offerTitle } again: calendar(range: $a) { origin } } }`;
  const { data } = await house.api.query(document, { id: one, a: range(0, 1), b: range(5, 6) }, staff);
  expect(data).toEqual({ guide: { early: [{ from: at(0).toISOString() }], late: [{ from: at(5).toISOString(), offerTitle: 'Night Tour' }], again: [{ origin: 'LOCAL' }] } });
});

test('a page of guides takes the same statements for one guide and for fifty', async () => {
  const crowd = await openHouse(cleanup, { code: 'crowd' });
  const token = (await crowd.records.signedIn('STAFF')).token;
  const offers = [await crowd.records.offer(), await crowd.records.offer()];
  const addGuide = async (): Promise<void> => {
    const id = await crowd.records.guide({ offerIds: offers });
    for (let hour = 0; hour < 2; hour += 1) await crowd.records.booking(offers[hour] as string, at(hour), { guideIds: [id], customer: { name: 'Group', email: 'g@example.org' } });
  };
  const PAGE = `query ($range: TimeRangeInput!) { guides(first: 50) { edges { node { id displayName globalId couplings { id } offers { id title price { amount } } calendar(range: $range) { ${ENTRY} } } } } }`;
  const count = async (guides: number): Promise<string[]> => {
    const statements = await requestStatements(async () => {
      const { data, errors } = await crowd.api.query<{ guides: { edges: { node: { calendar: Entry[]; offers: unknown[] } }[] } }>(PAGE, { range: range(-1, 5) }, token);
      expect(errors).toBeUndefined();
      expect(data.guides.edges.map(({ node }) => [node.calendar.length, node.offers.length])).toEqual(Array.from({ length: guides }, () => [2, 2]));
    });
    return statements.map(({ role, text }) => `${role}: ${text.replaceAll(/\$\d+(, \$\d+)*/g, '$…')}`).toSorted();
  };
  await addGuide();
  await count(1);
  const forOne = await count(1);
  for (let made = 1; made < 50; made += 1) await addGuide();
  const forFifty = await count(50);
  expect(forFifty).toEqual(forOne);
  // The page, its calendars, which offers they lead, the offers, the couplings.
  expect(forOne).toHaveLength(5);
});
