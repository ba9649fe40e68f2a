import { AvailabilityService } from '../../../instance-server/modules/availability/index.js';
import { InstanceSecret } from '../../../instance-server/platform/crypto.js';
import { Database } from '../../../instance-server/platform/database/database.js';
import { Cleanup } from '../../testkit/cleanup.js';
import { requestStatements } from '../../testkit/statements.js';
import { change, type Period, periods, plantForeign, plantPartner, ruleOf, told } from './support/availability-api.js';
import { type House, newKey, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
let staff: string;
let administrator: string;
let offerId: string;
beforeAll(async () => {
  house = await openHouse(cleanup);
  staff = (await house.records.signedIn('STAFF')).token;
  administrator = (await house.records.signedIn('ADMINISTRATOR')).token;
  offerId = await house.records.offer({ title: 'Night Tour' });
});

/** Those of whoever asks; drains and heartbeats work by the clock, as the worker and for partners. */

/** Berlin is two hours ahead of UTC on all these days. */
const time = (hours: string): string => `2027-06-01T${hours}:00.000Z`;
const DAY = [time('04:00'), time('20:00')] as const;

async function newGuide(): Promise<{ id: string; token: string }> {
  const id = await house.records.guide();
  return { id, token: (await house.records.signedIn('GUIDE', { guideId: id })).token };
}

const weekdays = (guideId: string, given: Record<string, unknown> = {}) => ({ guideId, startTime: '09:00', durationMinutes: 480, rrule: 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR', validFrom: '2027-01-01', ...given });

test('(chosen) steps with neither entry nor rule are not available; entries beat rules; what he has is taken off', async () => {
  const guide = await newGuide();
  expect(told(await periods(house.api, staff, guide.id, ...DAY))).toEqual(['04:00-20:00 NOT_AVAILABLE']);
  await change(house.api, staff, 'createAvailabilityRule', weekdays(guide.id));
  await change(house.api, guide.token, 'setAvailability', { guideId: guide.id, range: { start: time('14:00'), end: time('16:00') }, setting: 'AVAILABLE' });
  await change(house.api, guide.token, 'setAvailability', { guideId: guide.id, range: { start: time('07:00'), end: time('07:45') }, setting: 'UNAVAILABLE' });
  await change(house.api, guide.token, 'createAbsence', { guideId: guide.id, range: { start: time('12:00'), end: time('13:00') } });
  await house.records.booking(offerId, new Date(time('08:10')), { guideIds: [guide.id] });
  await house.records.query(`insert into guide_assignment (id, guide_id, start_at, end_at, kind) values ($1, $2, $3, $4, 'BLOCK')`, [newKey(), guide.id, time('15:00'), time('15:30')]);
  const partner = await plantPartner(house.records, guide.id, 'theatre');
  await plantForeign(house.records, partner, { start: time('10:00'), end: time('11:00') });
  const expected = [
    '04:00-07:00 NOT_AVAILABLE',
    '07:00-07:45 SET_UNAVAILABLE',
    '07:45-08:10 FREE_BY_RULE',
    '08:10-09:10 BOOKED',
    '09:10-10:00 FREE_BY_RULE',
    '10:00-11:00 BOOKED_ELSEWHERE',
    '11:00-12:00 FREE_BY_RULE',
    '12:00-13:00 ABSENT',
    '13:00-14:00 FREE_BY_RULE',
    '14:00-15:00 FREE_INDIVIDUALLY',
    '15:00-15:30 BLOCKED',
    '15:30-16:00 FREE_INDIVIDUALLY',
    '16:00-20:00 NOT_AVAILABLE',
  ];
  for (const token of [staff, administrator, guide.token]) {
    const seen = await periods(house.api, token, guide.id, ...DAY);
    expect(told(seen)).toEqual(expected);
    expect(seen.filter(({ free }) => free).map(({ state }) => state)).toEqual(['FREE_BY_RULE', 'FREE_BY_RULE', 'FREE_BY_RULE', 'FREE_BY_RULE', 'FREE_INDIVIDUALLY', 'FREE_INDIVIDUALLY']);
  }
});

describe('foreign bookings', () => {
  let guide: { id: string; token: string };
  beforeAll(async () => {
    guide = await newGuide();
    const [zoo, abbey] = [await plantPartner(house.records, guide.id, 'zoo'), await plantPartner(house.records, guide.id, 'abbey')];
    await plantForeign(house.records, zoo, { start: time('08:00'), end: time('10:00'), title: 'Lions' });
    await plantForeign(house.records, abbey, { start: time('09:00'), end: time('11:00'), title: 'Crypt' });
    await plantForeign(house.records, abbey, { start: time('09:00'), end: time('11:00'), title: 'Occupied', kind: 'BLOCK' });
    await plantForeign(house.records, abbey, { start: time('12:00'), end: time('13:00'), ended: true });
    await plantForeign(house.records, zoo, { start: time('13:00'), end: time('14:00'), disputed: true });
    await plantForeign(house.records, zoo, { start: time('20:00'), end: time('21:00') });
  });

  const FULL = 'start end state foreignBookingCount foreignBookings { start end offerTitle instance { code name url } }';
  const asked = (fields: string, token: string) =>
    house.api.query<{ guide: { availability: (Period & { foreignBookings: unknown[] })[] } | null }>(
      `query ($id: ID!, $range: TimeRangeInput!) { guide(id: $id) { availability(range: $range) { ${fields} } } }`,
      { id: guide.id, range: { start: DAY[0], end: DAY[1] } },
      token,
    );

  test('the guide sees count, date, time, offer title and the house with its URL; ended and disputed ones take no time', async () => {
    const { data, errors } = await asked(FULL, guide.token);
    expect(errors).toBeUndefined();
    const lions = { start: time('08:00'), end: time('10:00'), offerTitle: 'Lions', instance: { code: 'zoo', name: 'House zoo', url: 'https://zoo.example' } };
    const abbey = { start: time('09:00'), end: time('11:00'), instance: { code: 'abbey', name: 'House abbey', url: 'https://abbey.example' } };
    const both = expect.arrayContaining([{ ...abbey, offerTitle: 'Crypt' }, { ...abbey, offerTitle: 'Occupied' }]);
    expect(data.guide?.availability).toEqual([
      { start: DAY[0], end: time('08:00'), state: 'NOT_AVAILABLE', foreignBookingCount: 0, foreignBookings: [] },
      { start: time('08:00'), end: time('09:00'), state: 'BOOKED_ELSEWHERE', foreignBookingCount: 1, foreignBookings: [lions] },
      { start: time('09:00'), end: time('10:00'), state: 'BOOKED_ELSEWHERE', foreignBookingCount: 3, foreignBookings: expect.arrayContaining([lions]) },
      { start: time('10:00'), end: time('11:00'), state: 'BOOKED_ELSEWHERE', foreignBookingCount: 2, foreignBookings: both },
      { start: time('11:00'), end: DAY[1], state: 'NOT_AVAILABLE', foreignBookingCount: 0, foreignBookings: [] },
    ]);
    expect(data.guide?.availability[3]?.foreignBookings).toHaveLength(2);
  });

  test('staff see the count and times alone: title and house are refused, and their database role cannot read them', async () => {
    for (const token of [staff, administrator]) {
      const seen = await periods(house.api, token, guide.id, ...DAY);
      expect(seen.map(({ foreignBookingCount, foreignBookings }) => [foreignBookingCount, foreignBookings])).toEqual([
        [0, []],
        [1, [{ start: time('08:00'), end: time('10:00') }]],
        [3, [{ start: time('08:00'), end: time('10:00') }, { start: time('09:00'), end: time('11:00') }, { start: time('09:00'), end: time('11:00') }]],
        [2, [{ start: time('09:00'), end: time('11:00') }, { start: time('09:00'), end: time('11:00') }]],
        [0, []],
      ]);
      const { data, errors, text } = await asked(FULL, token);
      expect(new Set(errors?.map(({ extensions }) => `${extensions.code} ${String(extensions.field)}`))).toEqual(new Set(['FORBIDDEN AvailabilityForeignBooking.offerTitle', 'FORBIDDEN AvailabilityForeignBooking.instance']));
      expect(data.guide?.availability[1]?.foreignBookings).toEqual([{ start: time('08:00'), end: time('10:00'), offerTitle: null, instance: null }]);
      for (const secret of ['Lions', 'Crypt', 'Occupied', 'zoo', 'abbey']) expect(text).not.toContain(secret);
      const statements = await requestStatements(() => periods(house.api, token, guide.id, ...DAY));
      expect(statements.filter(({ text: sql }) => sql.includes('foreign')).map(({ role, text: sql }) => `${role}: ${sql.replaceAll(/\s+/g, ' ')}`)).toEqual(['app: select * from foreign_times($1::uuid[], $2, $3)']);
    }
  });
});

test('a house that says it has a guide two thousand times at once is counted, and not listed two thousand times over', async () => {
  const guide = await newGuide();
  const { linkId, couplingId } = await plantPartner(house.records, guide.id, 'hostile');
  await house.records.query(
    `insert into foreign_booking (coupling_id, id, guide_id, link_id, incarnation, version, start_at, end_at, offer_title, kind, received_at)
     select $1, gen_random_uuid(), $2, $3, 1, 1, $4::timestamptz + n * interval '1 second', $4::timestamptz + interval '2 hours' - n * interval '1 second', 'Tour', 'BOOKING', now() from generate_series(1, 2000) n`,
    [couplingId, guide.id, linkId, time('08:00')],
  );
  for (const token of [staff, guide.token]) {
    const seen = await periods(house.api, token, guide.id, ...DAY);
    expect(seen).toHaveLength(1 + 2_000 + 1_999 + 1);
    expect(Math.max(...seen.map(({ foreignBookingCount }) => foreignBookingCount))).toBe(2_000);
    expect(seen.filter(({ foreignBookings }) => foreignBookings.length > 20)).toEqual([]);
    expect(seen.find(({ foreignBookingCount }) => foreignBookingCount === 20)?.foreignBookings).toHaveLength(20);
  }
});

test('40 guides over 31 days take five statements, and a page of guides no more than one guide', async () => {
  const crowd = await openHouse(cleanup, { code: 'crowd' });
  const token = (await crowd.records.signedIn('STAFF')).token;
  const offer = await crowd.records.offer();
  const PAGE = 'query ($range: TimeRangeInput!) { guides(first: 50) { edges { node { availability(range: $range) { start state foreignBookingCount } availabilityRules { id } individualAvailabilities(range: $range) { note } absences(range: $range) { id } } } } }';
  const range = { start: '2027-06-01T00:00:00Z', end: '2027-07-02T00:00:00Z' };
  const add = async (number: number): Promise<void> => {
    const id = await crowd.records.guide();
    await change(crowd.api, token, 'createAvailabilityRule', weekdays(id));
    await change(crowd.api, token, 'createAbsence', { guideId: id, range: { start: '2027-06-20T00:00:00Z', end: '2027-06-21T00:00:00Z' } });
    await crowd.records.booking(offer, new Date(time('08:00')), { guideIds: [id] });
    await plantForeign(crowd.records, await plantPartner(crowd.records, id, `house${number}`), { start: time('11:00'), end: time('12:00') });
  };
  const count = async (guides: number): Promise<string[]> => {
    const statements = await requestStatements(async () => {
      const { data, errors } = await crowd.api.query<{ guides: { edges: { node: { availability: { state: string; foreignBookingCount: number }[] } }[] } }>(PAGE, { range }, token);
      expect(errors).toBeUndefined();
      expect(data.guides.edges).toHaveLength(guides);
      for (const { node } of data.guides.edges) {
        expect(node.availability.filter(({ state }) => state === 'BOOKED' || state === 'ABSENT').map(({ state }) => state)).toEqual(['BOOKED', 'ABSENT']);
        // 23 weekdays; one of them is broken up by a booking here and one elsewhere.
        expect(node.availability.filter(({ state }) => state === 'FREE_BY_RULE')).toHaveLength(25);
        expect(node.availability.filter(({ foreignBookingCount }) => foreignBookingCount === 1)).toHaveLength(1);
      }
    });
    return statements.map(({ role, text }) => `${role}: ${text.replaceAll(/\$\d+(, \$\d+)*/g, '$…')}`).toSorted();
  };
  await add(1);
  await count(1);
  const forOne = await count(1);
  for (let number = 2; number <= 40; number += 1) await add(number);
  expect(await count(40)).toEqual(forOne);
  // The page; the five of availability; rules, entries and absences by themselves.
  expect(forOne).toHaveLength(1 + 5 + 3);
  const alone = await requestStatements(() => crowd.api.query('query ($range: TimeRangeInput!) { guides(first: 50) { edges { node { availability(range: $range) { state } } } } }', { range }, token));
  expect(alone).toHaveLength(1 + 5);
});

test('a guide’s own availability takes five statements besides finding him, one of them as his own role', async () => {
  const guide = await newGuide();
  await periods(house.api, guide.token, guide.id, ...DAY);
  const statements = await requestStatements(() => periods(house.api, guide.token, guide.id, ...DAY));
  expect(statements.map(({ role }) => role)).toEqual(['guide', 'guide', 'app', 'app', 'app', 'app']);
});

test('another guide has no availability for a guide, and none is found by it', async () => {
  const [guide, other] = [await newGuide(), await newGuide()];
  const document = 'query ($id: ID!, $range: TimeRangeInput!) { guide(id: $id) { availability(range: $range) { state } availabilityRules { id } individualAvailabilities(range: $range) { note } absences(range: $range) { reason } } }';
  const range = { start: DAY[0], end: DAY[1] };
  const { data, errors } = await house.api.query(document, { id: other.id, range }, guide.token);
  expect({ data, errors }).toEqual({ data: { guide: null }, errors: undefined });
});

test.each([
  ['availability', 'state'],
  ['individualAvailabilities', 'note'],
  ['absences', 'id'],
])('%s wants a range of a year at most', async (field, member) => {
  const guide = await newGuide();
  const document = `query ($id: ID!, $range: TimeRangeInput!) { guide(id: $id) { ${field}(range: $range) { ${member} } } }`;
  for (const [end, reason] of [['2028-06-01T00:00:00.000Z', undefined], ['2028-06-01T00:00:00.001Z', 'RANGE_TOO_LONG'], ['2027-06-01T00:00:00.000Z', 'END_BEFORE_START']] as const) {
    for (const token of [staff, guide.token]) {
      const { errors } = await house.api.query(document, { id: guide.id, range: { start: '2027-06-01T00:00:00.000Z', end } }, token);
      expect(errors?.map(({ extensions }) => extensions)).toEqual(reason && [{ code: 'INVALID_INPUT', field: 'range.end', reason }]);
    }
  }
});

test('rules of other houses are evaluated in their zone, with their holidays', async () => {
  const guide = await newGuide();
  const { id } = ruleOf(await change(house.api, staff, 'createAvailabilityRule', weekdays(guide.id, { skipsHolidays: true })));
  await house.records.query(`update availability_rule set origin = 'broadway', time_zone = 'America/New_York', holidays = '{2027-06-02}' where id = $1`, [id]);
  const seen = await periods(house.api, staff, guide.id, '2027-06-01T00:00:00Z', '2027-06-04T00:00:00Z');
  expect(seen.filter(({ free }) => free).map(({ start, end }) => [start, end])).toEqual([
    ['2027-06-01T13:00:00.000Z', '2027-06-01T21:00:00.000Z'],
    ['2027-06-03T13:00:00.000Z', '2027-06-03T21:00:00.000Z'],
  ]);
  // What this house calls a holiday is no matter of that rule.
  await change(house.api, staff, 'setHolidays', { year: 2027, holidays: [{ date: '2027-06-03', name: 'Ours' }] });
  expect(await periods(house.api, staff, guide.id, '2027-06-01T00:00:00Z', '2027-06-04T00:00:00Z')).toEqual(seen);
  await change(house.api, staff, 'setHolidays', { year: 2027, holidays: [] });
});

describe('for services of this house', () => {
  let database: Database;
  let service: AvailabilityService;
  beforeAll(async () => {
    database = cleanup.own(
      await Database.open({ url: house.instance.databaseUrl, secret: new InstanceSecret(house.instance.secret), poolSize: 2, statementTimeoutMs: 5_000 }),
      (opened) => opened.close(),
    );
    service = new AvailabilityService(database);
  });
  const span = (from: string, to: string) => ({ start: Date.parse(time(from)), end: Date.parse(time(to)) });

  test('any number of guides is loaded in five statements, each with everything that hinders him', async () => {
    const guides: string[] = [];
    for (let number = 0; number < 40; number += 1) {
      const guideId = await house.records.guide();
      ruleOf(await change(house.api, staff, 'createAvailabilityRule', weekdays(guideId)));
      guides.push(guideId);
    }
    await change(house.api, staff, 'createAbsence', { guideId: guides[1], range: { start: time('07:00'), end: time('08:00') } });
    const statements = await requestStatements(async () => {
      const loaded = await service.load(database.app.sql, [...guides, newKey()], { start: new Date('2027-06-01T00:00:00Z'), end: new Date('2027-07-02T00:00:00Z') });
      expect(loaded.size).toBe(41);
      expect(guides.slice(0, 3).map((id) => loaded.get(id)?.hindrances(span('07:00', '09:00')).map(({ state }) => state))).toEqual([[], ['ABSENT'], []]);
      expect([...loaded.values()].at(-1)?.hindrances(span('07:00', '09:00'))).toEqual([{ state: 'NOT_AVAILABLE', times: [span('07:00', '09:00')] }]);
    });
    expect(statements.map(({ role }) => role)).toEqual(['app', 'app', 'app', 'app', 'app']);
    expect(await requestStatements(() => service.load(database.app.sql, [], { start: new Date(time('07:00')), end: new Date(time('08:00')) }))).toEqual([]);
  });
});
