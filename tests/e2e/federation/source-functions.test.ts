import { randomUUID } from 'node:crypto';
import { client } from '../../testkit/client.js';
import { at, type CalendarEntry, DAY, type Federation, type House, startFederation, until } from '../../testkit/federation.js';

/*
 * The functions by which the guide synchronisation is sold, each as a test that bears its name: asked by guides and staff through the
 * public API, between houses that are processes.
 */

let federation: Federation;
beforeAll(async () => {
  federation = await startFederation();
});
afterAll(() => federation?.close());

type Asked = Record<string, unknown>;

/** One result of a mutation; a refusal fails the test. */
async function change<Payload>(house: House, name: string, input: Asked, selection: string, token?: string): Promise<Payload> {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}Input`;
  const document = `mutation ($input: ${type}!) { ${name}(input: $input) { __typename ... on UserError { code message } ${selection} } }`;
  const answer = await client(house.url).query<Record<string, Payload & { code?: string }>>(document, { input }, token ?? (await house.staffToken()));
  const result = answer.data?.[name];
  if (!result || result.code) throw new Error(`${name}: ${answer.text}`);
  return result;
}

async function ask<Data>(url: string, document: string, variables: Asked, token: string): Promise<Data> {
  const answer = await client(url).query<Data>(document, variables, token);
  expect(answer.errors).toBeUndefined();
  return answer.data;
}

interface Booking {
  id: string;
  version: number;
  assignments: { id: string }[];
}
const BOOKING = '... on BookingPayload { booking { id version assignments { id } } }';

/** An hour at this time of the planted day, for Greta. */
async function book(house: House, hour: number): Promise<Booking> {
  const { booking } = await change<{ booking: Booking }>(
    house,
    'createBooking',
    {
      idempotencyKey: randomUUID(),
      offerId: house.offers[0]?.id,
      time: { start: at(hour).toISOString(), end: at(hour + 1).toISOString() },
      customer: { name: house.canaries.plant(house.code, `function at ${hour}: customer name`) },
      guideIds: [house.guide('greta').id],
    },
    BOOKING,
  );
  return booking;
}

const idOf = ({ assignments }: Booking): string => assignments[0]?.id ?? '';

interface Shown extends Omit<CalendarEntry, 'instance'> {
  instance: { code: string; url: string };
}

/** Greta's calendar as her house itself shows it: what stands in its copies, without asking anybody. */
async function calendarAt(house: House, token?: string): Promise<Shown[]> {
  const document = 'query ($id: ID!, $range: TimeRangeInput!) { guide(id: $id) { calendar(range: $range) { id start end origin offerTitle instance { code url } details { bookingId customer { name } } } } }';
  const variables = { id: house.guide('greta').id, range: { start: at(0).toISOString(), end: at(24 * 30).toISOString() } };
  const { guide } = await ask<{ guide: { calendar: Shown[] } }>(house.url, document, variables, token ?? (await house.guideToken('greta')));
  return guide.calendar;
}

const shows = (house: House, id: string, fits: (entry: Shown) => boolean = () => true): Promise<void> =>
  until(async () => (await calendarAt(house)).some((entry) => entry.id === id && fits(entry)), `${house.code} shows ${id}`);
const showsNot = (house: House, id: string): Promise<void> => until(async () => (await calendarAt(house)).every((entry) => entry.id !== id), `${house.code} no longer shows ${id}`);

interface Profile {
  phone: string;
  version: number;
}
async function profileAt(house: House): Promise<Profile> {
  const { guide } = await ask<{ guide: Profile }>(house.url, 'query ($id: ID!) { guide(id: $id) { phone version } }', { id: house.guide('greta').id }, await house.staffToken());
  return guide;
}

async function setPhone(house: House, phone: string, token: string): Promise<void> {
  const { version } = await profileAt(house);
  await change(house, 'updateGuide', { guideId: house.guide('greta').id, expectedVersion: version, phone }, '... on GuidePayload { guide { phone } }', token);
}

interface Period {
  start: string;
  end: string;
  state: string;
  foreignBookingCount: number;
  foreignBookings: Asked[];
}
async function availabilityAt(house: House, hours: readonly [number, number], token: string, foreign: string): Promise<Period[]> {
  const document = `query ($id: ID!, $range: TimeRangeInput!) { guide(id: $id) { availability(range: $range) { start end state foreignBookingCount foreignBookings { ${foreign} } } } }`;
  const range = { start: at(hours[0]).toISOString(), end: at(hours[1]).toISOString() };
  const { guide } = await ask<{ guide: { availability: Period[] } }>(house.url, document, { id: house.guide('greta').id, range }, token);
  return guide.availability;
}

test('synchronisation when the guide updates his profile', async () => {
  const { alpha, beta, gamma, canaries } = federation;
  const phone = canaries.phone('alpha', 'function: phone by the guide');
  await setPhone(alpha, phone, await alpha.guideToken('greta'));
  for (const house of [beta, gamma]) await until(async () => (await profileAt(house)).phone === phone, `${house.code} has the phone`);
});

test('synchronisation when administrators update guide data (bookings, availability rules or profile)', async () => {
  const { alpha, beta, canaries } = federation;
  const phone = canaries.phone('beta', 'function: phone by the house');
  await setPhone(beta, phone, await beta.token(beta.administrator));
  await until(async () => (await profileAt(alpha)).phone === phone, 'alpha has the phone');
  const booking = await book(beta, 30);
  await shows(alpha, idOf(booking));
});

test('synchronisation of availability rules', async () => {
  const { alpha, beta, gamma } = federation;
  const RULES = 'query ($id: ID!) { guide(id: $id) { availabilityRules { id origin timeZone rrule startTime durationMinutes } } }';
  type Rules = { guide: { availabilityRules: { id: string; origin: string; timeZone: string; rrule: string; startTime: string; durationMinutes: number }[] } };
  const { rule } = await change<{ rule: { id: string } }>(
    beta,
    'createAvailabilityRule',
    { idempotencyKey: randomUUID(), guideId: beta.guide('greta').id, startTime: '09:00', durationMinutes: 480, rrule: 'FREQ=DAILY', validFrom: '2031-06-01', validUntil: '2031-06-10' },
    '... on AvailabilityRulePayload { rule { id } }',
  );
  const rulesAt = async (house: House) => (await ask<Rules>(house.url, RULES, { id: house.guide('greta').id }, await house.staffToken())).guide.availabilityRules;
  for (const house of [alpha, gamma]) {
    await until(async () => (await rulesAt(house)).some(({ id }) => id === rule.id), `${house.code} has the rule`);
    expect((await rulesAt(house)).find(({ id }) => id === rule.id)).toEqual({ id: rule.id, origin: 'beta', timeZone: 'Europe/Berlin', rrule: 'FREQ=DAILY', startTime: '09:00', durationMinutes: 480 });
  }
});

test('synchronisation of bookings and blocks in regard to data protection: no personal data of customers between instances', async () => {
  const { alpha, beta, gamma, canaries } = federation;
  const customer = canaries.plant('beta', 'function: customer name');
  const { booking } = await change<{ booking: Booking }>(
    beta,
    'createBooking',
    {
      idempotencyKey: randomUUID(),
      offerId: beta.offers[0]?.id,
      time: { start: at(40).toISOString(), end: at(41).toISOString() },
      customer: { name: customer },
      guideIds: [beta.guide('greta').id],
    },
    BOOKING,
  );
  const { block } = await change<{ block: { id: string } }>(
    beta,
    'createGuideBlock',
    { idempotencyKey: randomUUID(), guideId: beta.guide('greta').id, range: { start: at(42).toISOString(), end: at(43).toISOString() }, note: canaries.plant('beta', 'function: block note') },
    '... on GuideBlockPayload { block { id } }',
  );
  for (const house of [alpha, gamma]) {
    await shows(house, idOf(booking));
    await shows(house, block.id);
    const entries = await calendarAt(house);
    expect(entries.find(({ id }) => id === idOf(booking))).toEqual({
      id: idOf(booking),
      start: at(40).toISOString(),
      end: at(41).toISOString(),
      origin: 'FOREIGN',
      offerTitle: beta.offers[0]?.title,
      instance: { code: 'beta', url: 'https://beta.example' },
      details: null,
    });
    expect(entries.find(({ id }) => id === block.id)).toMatchObject({ origin: 'FOREIGN', offerTitle: 'Blocked', details: null });
    const tables = await house.records.query<{ name: string }>(`select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`);
    for (const { name } of tables) expect(JSON.stringify(await house.records.query(`select t::text as row from "${name}" t`))).not.toContain(customer);
  }
});

test('synchronisation of rebookings made in the normal course of work', async () => {
  const { alpha, beta } = federation;
  const booking = await book(beta, 50);
  await shows(alpha, idOf(booking));
  const { booking: moved } = await change<{ booking: Booking }>(
    beta,
    'rebookBooking',
    { idempotencyKey: randomUUID(), bookingId: booking.id, expectedVersion: booking.version, time: { start: at(52).toISOString(), end: at(53).toISOString() } },
    BOOKING,
  );
  await shows(alpha, idOf(booking), ({ start }) => start === at(52).toISOString());
  // Another guide takes over: an end for Greta, a start for Gwen.
  await change(beta, 'rebookBooking', { idempotencyKey: randomUUID(), bookingId: booking.id, expectedVersion: moved.version, guideIds: [beta.guide('gwen').id] }, BOOKING);
  await showsNot(alpha, idOf(booking));
});

describe('synchronisation of resetting, cancelling and deleting bookings', () => {
  test.each<[string, number, (house: House, booking: Booking) => Promise<unknown>]>([
    ['reset', 60, (house, booking) => change(house, 'resetAssignment', { idempotencyKey: randomUUID(), assignmentId: idOf(booking), expectedVersion: booking.version }, BOOKING)],
    ['cancelled', 62, (house, booking) => change(house, 'cancelBooking', { idempotencyKey: randomUUID(), bookingId: booking.id, expectedVersion: booking.version, reason: 'Invented', origin: 'CUSTOMER' }, BOOKING)],
    ['deleted', 64, (house, booking) => change(house, 'deleteBooking', { idempotencyKey: randomUUID(), bookingId: booking.id, expectedVersion: booking.version }, '... on DeleteBookingPayload { deletedBookingId }')],
  ])('%s', async (_name, hour, end) => {
    const { alpha, beta, gamma } = federation;
    const booking = await book(beta, hour);
    for (const house of [alpha, gamma]) await shows(house, idOf(booking));
    await end(beta, booking);
    for (const house of [alpha, gamma]) await showsNot(house, idOf(booking));
  });
});

test('hints in the user interface where a coupling exists', async () => {
  const { alpha } = federation;
  const document = 'query ($id: ID!) { guide(id: $id) { couplings { state health since instance { code name url } } } }';
  for (const token of [await alpha.staffToken(), await alpha.guideToken('greta')]) {
    type Hints = { guide: { couplings: { state: string; health: string; since: string; instance: Asked }[] } };
    await until(async () => (await ask<Hints>(alpha.url, document, { id: alpha.guide('greta').id }, token)).guide.couplings.every(({ health }) => health === 'LIVE'), 'both couplings are live');
    const { guide } = await ask<Hints>(alpha.url, document, { id: alpha.guide('greta').id }, token);
    expect(guide.couplings.map(({ state, instance }) => ({ state, instance })).sort((one, other) => String(one.instance['code']).localeCompare(String(other.instance['code'])))).toEqual([
      { state: 'ACTIVE', instance: { code: 'beta', name: 'House beta', url: 'https://beta.example' } },
      { state: 'ACTIVE', instance: { code: 'gamma', name: 'House gamma', url: 'https://gamma.example' } },
    ]);
  }
});

test('availabilities set by hand stay in their house and may differ from house to house', async () => {
  const { alpha, beta } = federation;
  const range = { start: at(70).toISOString(), end: at(72).toISOString() };
  await change(beta, 'setAvailability', { idempotencyKey: randomUUID(), guideId: beta.guide('greta').id, range, setting: 'AVAILABLE' }, '... on SetAvailabilityPayload { count }');
  // A booking made after it is here: whatever was to come of it would be too.
  await shows(alpha, idOf(await book(beta, 73)));
  expect((await availabilityAt(beta, [70, 72], await beta.staffToken(), 'start')).map(({ state }) => state)).toEqual(['FREE_INDIVIDUALLY']);
  expect((await availabilityAt(alpha, [70, 72], await alpha.staffToken(), 'start')).map(({ state }) => state)).toEqual(['NOT_AVAILABLE']);
});

test('guides see the bookings of all coupled instances in their calendar: their own in full, foreign ones with offer and URL', async () => {
  const { alpha, beta, gateway } = federation;
  const [own, foreign] = [await book(alpha, 80), await book(beta, 82)];
  await shows(alpha, idOf(foreign));
  const document = 'query ($range: TimeRangeInput!) { me { guide { calendar(range: $range) { id origin offerTitle instance { url } details { bookingId } } } } }';
  const { me } = await ask<{ me: { guide: { calendar: Asked[] } } }>(gateway.url, document, { range: { start: at(80).toISOString(), end: at(83).toISOString() } }, await alpha.guideToken('greta'));
  expect(me.guide.calendar).toEqual([
    { id: idOf(own), origin: 'LOCAL', offerTitle: alpha.offers[0]?.title, instance: { url: 'https://alpha.example' }, details: { bookingId: own.id } },
    { id: idOf(foreign), origin: 'FOREIGN', offerTitle: beta.offers[0]?.title, instance: { url: 'https://beta.example' }, details: null },
  ]);
});

test('availabilities count foreign bookings; guides read date, time, offer and URL, backend users date and time alone', async () => {
  const { alpha, beta } = federation;
  const foreign = await book(beta, 90);
  await shows(alpha, idOf(foreign));
  const times = { start: at(90).toISOString(), end: at(91).toISOString() };
  const asGuide = await availabilityAt(alpha, [90, 91], await alpha.guideToken('greta'), 'start end offerTitle instance { url }');
  expect(asGuide.map(({ foreignBookingCount, foreignBookings }) => ({ foreignBookingCount, foreignBookings }))).toEqual([
    { foreignBookingCount: 1, foreignBookings: [{ ...times, offerTitle: beta.offers[0]?.title, instance: { url: 'https://beta.example' } }] },
  ]);
  const asStaff = await availabilityAt(alpha, [90, 91], await alpha.staffToken(), 'start end');
  expect(asStaff.map(({ foreignBookingCount, foreignBookings }) => ({ foreignBookingCount, foreignBookings }))).toEqual([{ foreignBookingCount: 1, foreignBookings: [times] }]);
  for (const forbidden of ['offerTitle', 'instance { url }']) {
    const document = `query ($id: ID!, $range: TimeRangeInput!) { guide(id: $id) { availability(range: $range) { foreignBookings { ${forbidden} } } } }`;
    const answer = await client(alpha.url).query(document, { id: alpha.guide('greta').id, range: times }, await alpha.staffToken());
    expect(answer.text).not.toContain(beta.offers[0]?.title);
    expect(answer.text).not.toContain('beta.example');
  }
});

test('the list of bookings shows those of its own instance; backend users see none of another in the calendar', async () => {
  const { alpha, beta } = federation;
  const foreign = await book(beta, 95);
  await shows(alpha, idOf(foreign));
  const document = 'query ($filter: BookingFilter) { bookings(filter: $filter, first: 100) { edges { node { id } } } }';
  const filter = { range: { start: `${DAY}T00:00:00Z`, end: at(24 * 30).toISOString() } };
  for (const token of [await alpha.staffToken(), await alpha.guideToken('greta')]) {
    const { bookings } = await ask<{ bookings: { edges: { node: { id: string } }[] } }>(alpha.url, document, { filter }, token);
    expect(bookings.edges.map(({ node }) => node.id)).not.toContain(foreign.id);
    expect(bookings.edges.length).toBeGreaterThan(0);
  }
  expect((await calendarAt(alpha, await alpha.staffToken())).map(({ instance }) => instance.code)).not.toContain('beta');
});
