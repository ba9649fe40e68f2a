import { Cleanup } from '../../testkit/cleanup.js';
import { type AvailabilityMutation, availabilityDocument, change, type Outcome, periods, ruleOf, told } from './support/availability-api.js';
import { type House, newKey, openHouse } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: House;
let staff: string;
beforeAll(async () => {
  house = await openHouse(cleanup);
  staff = (await house.records.signedIn('STAFF')).token;
});

async function newGuide(): Promise<{ id: string; token: string }> {
  const id = await house.records.guide();
  return { id, token: (await house.records.signedIn('GUIDE', { guideId: id })).token };
}

const nineToFive = { startTime: '09:00', durationMinutes: 480, rrule: 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR', validFrom: '2027-01-01' };
const invalid = (field: string, reason: string) => ({ __typename: 'InvalidInputError', code: 'INVALID_INPUT', field, reason });
const missing = (field: string) => ({ __typename: 'NotFoundError', code: 'NOT_FOUND', field });
const stale = (currentVersion: number) => ({ __typename: 'StaleVersionError', code: 'STALE_VERSION', currentVersion });
const make = async (guideId: string, given: Record<string, unknown> = {}, token = staff) => ruleOf(await change(house.api, token, 'createAvailabilityRule', { guideId, ...nineToFive, ...given }));
const stored = async (id: string): Promise<Record<string, unknown>> => (await house.records.query('select * from availability_rule where id = $1', [id]))[0] ?? {};
const actionsOf = async (id: string): Promise<unknown[]> => (await house.records.query<{ action: string }>('select action from audit_entry where subject_id = $1 order by at, action', [id])).map(({ action }) => action);

describe('rules', () => {
  test('a rule is made with zone, code and holidays of the house, changed and removed; each change has a later stamp and is logged', async () => {
    const guide = await newGuide();
    const made = await make(guide.id, { rrule: 'byday=mo;freq=weekly', exceptDates: ['2027-03-01', '2027-02-01', '2027-03-01'], validUntil: '2027-12-31' }, guide.token);
    expect(made).toEqual({
      id: made.id,
      origin: 'museum',
      timeZone: 'Europe/Berlin',
      startTime: '09:00',
      durationMinutes: 480,
      rrule: 'FREQ=WEEKLY;BYDAY=MO',
      validFrom: '2027-01-01',
      validUntil: '2027-12-31',
      exceptDates: ['2027-02-01', '2027-03-01'],
      skipsHolidays: false,
      holidays: [],
      version: 1,
    });
    const first = await stored(made.id);
    expect(first.stamp).toMatch(/^\d{15}-\d{8}-museum$/);
    expect(first.holidays_stamp).toBe(first.stamp);

    const changed = ruleOf(await change(house.api, staff, 'updateAvailabilityRule', { ruleId: made.id, expectedVersion: 1, startTime: '10:15', skipsHolidays: true }));
    expect(changed).toEqual({ ...made, startTime: '10:15', skipsHolidays: true, version: 2 });
    const second = await stored(made.id);
    expect(String(second.stamp) > String(first.stamp)).toBe(true);
    expect(second.holidays_stamp).toBe(first.holidays_stamp);
    expect(ruleOf(await change(house.api, staff, 'updateAvailabilityRule', { ruleId: made.id, expectedVersion: 2, validUntil: null })).validUntil).toBeNull();

    expect(await change(house.api, guide.token, 'updateAvailabilityRule', { ruleId: made.id, expectedVersion: 2, startTime: '08:00' })).toEqual(stale(3));
    expect(await change(house.api, guide.token, 'deleteAvailabilityRule', { ruleId: made.id, expectedVersion: 2 })).toEqual(stale(3));
    expect(await change(house.api, guide.token, 'deleteAvailabilityRule', { ruleId: made.id, expectedVersion: 3 })).toEqual({ __typename: 'DeleteAvailabilityRulePayload', deletedRuleId: made.id });
    const last = await stored(made.id);
    expect([last.deleted, String(last.stamp) > String(second.stamp)]).toEqual([true, true]);
    expect(await change(house.api, staff, 'deleteAvailabilityRule', { ruleId: made.id, expectedVersion: 4 })).toEqual(missing('input.ruleId'));
    expect(await change(house.api, staff, 'updateAvailabilityRule', { ruleId: made.id, expectedVersion: 4 })).toEqual(missing('input.ruleId'));
    expect(told(await periods(house.api, staff, guide.id, '2027-06-07T00:00:00Z', '2027-06-08T00:00:00Z'))).toEqual(['00:00-00:00 NOT_AVAILABLE']);
    expect(await actionsOf(made.id)).toEqual(['availability-rule.created', 'availability-rule.changed', 'availability-rule.changed', 'availability-rule.deleted']);
  });

  test('one made elsewhere may be changed here, and keeps its zone and origin', async () => {
    const guide = await newGuide();
    const { id } = await make(guide.id);
    await house.records.query(`update availability_rule set origin = 'broadway', time_zone = 'America/New_York', holidays = '{2027-07-04}' where id = $1`, [id]);
    const changed = ruleOf(await change(house.api, guide.token, 'updateAvailabilityRule', { ruleId: id, expectedVersion: 1, durationMinutes: 60 }));
    expect(changed).toMatchObject({ origin: 'broadway', timeZone: 'America/New_York', durationMinutes: 60, holidays: ['2027-07-04'] });
    expect((await stored(id)).stamp).toMatch(/-museum$/);
  });

  test('nine to five stays nine to five when clocks change', async () => {
    const guide = await newGuide();
    await make(guide.id, { rrule: 'FREQ=DAILY' });
    const free = async (from: string, to: string) => (await periods(house.api, staff, guide.id, from, to)).filter((period) => period.free).map(({ start, end }) => `${start.slice(5, 16)} ${end.slice(11, 16)}`);
    expect(await free('2027-03-27T00:00:00Z', '2027-03-29T00:00:00Z')).toEqual(['03-27T08:00 16:00', '03-28T07:00 15:00']);
    expect(await free('2027-10-30T00:00:00Z', '2027-11-01T00:00:00Z')).toEqual(['10-30T07:00 15:00', '10-31T08:00 16:00']);
  });

  test('a guide may have fifty', async () => {
    const guide = await newGuide();
    for (let number = 0; number < 50; number += 1) await make(guide.id);
    expect(await change(house.api, guide.token, 'createAvailabilityRule', { guideId: guide.id, ...nineToFive })).toEqual(invalid('input.guideId', 'OUT_OF_RANGE'));
    const [{ id } = { id: '' }] = await house.records.query<{ id: string }>('select id from availability_rule where guide_id = $1', [guide.id]);
    await change(house.api, staff, 'deleteAvailabilityRule', { ruleId: id, expectedVersion: 1 });
    expect(await make(guide.id)).toMatchObject({ version: 1 });
  });
});

describe('holidays', () => {
  test('rules made here follow, whether they skip holidays or not; those made elsewhere do not; without a change nothing is stamped', async () => {
    const guide = await newGuide();
    const [skipping, keeping, foreign] = [await make(guide.id, { skipsHolidays: true }), await make(guide.id), await make(guide.id)];
    await house.records.query(`update availability_rule set origin = 'broadway' where id = $1`, [foreign.id]);
    const storedOnes = async () => [await stored(skipping.id), await stored(keeping.id), await stored(foreign.id)];
    const before = await storedOnes();
    const set = (holidays: unknown[], year = 2027) => change(house.api, staff, 'setHolidays', { year, holidays });
    expect(await set([{ date: '2027-12-25', name: ' Christmas ' }, { date: '2027-05-01', name: 'Labour Day' }])).toEqual({
      __typename: 'SetHolidaysPayload',
      holidays: [{ date: '2027-05-01', name: 'Labour Day' }, { date: '2027-12-25', name: 'Christmas' }],
    });
    await set([{ date: '2028-01-01', name: 'New Year' }], 2028);
    const after = await storedOnes();
    expect(after.map(({ stamp }) => stamp)).toEqual(before.map(({ stamp }) => stamp));
    expect(after.map(({ holidays_stamp: stamp }, index) => String(stamp) > String(before[index]?.holidays_stamp))).toEqual([true, true, false]);
    const document = 'query ($id: ID!) { guide(id: $id) { availabilityRules { id holidays } } holidays(year: 2027) { date } }';
    const { data } = await house.api.query<{ guide: { availabilityRules: { id: string; holidays: string[] }[] }; holidays: unknown[] }>(document, { id: guide.id }, guide.token);
    const seen = new Map(data.guide.availabilityRules.map(({ id, holidays }) => [id, holidays]));
    const all = ['2027-05-01', '2027-12-25', '2028-01-01'];
    expect([skipping, keeping, foreign].map(({ id }) => seen.get(id))).toEqual([all, all, []]);
    expect(data.holidays).toEqual([{ date: '2027-05-01' }, { date: '2027-12-25' }]);
    // Christmas 2027 is a Saturday; the first of May too. New Year is one; take a weekday.
    await set([{ date: '2027-06-01', name: 'Founding day' }]);
    expect((await periods(house.api, staff, guide.id, '2027-06-01T00:00:00Z', '2027-06-02T00:00:00Z')).filter(({ free }) => free)).toHaveLength(1);
    await change(house.api, staff, 'deleteAvailabilityRule', { ruleId: keeping.id, expectedVersion: 4 });
    await change(house.api, staff, 'deleteAvailabilityRule', { ruleId: foreign.id, expectedVersion: 1 });
    expect(told(await periods(house.api, staff, guide.id, '2027-06-01T00:00:00Z', '2027-06-02T00:00:00Z'))).toEqual(['00:00-00:00 NOT_AVAILABLE']);

    const still = await stored(skipping.id);
    await set([{ date: '2027-06-01', name: 'Another name for it' }]);
    expect(await stored(skipping.id)).toEqual(still);
    // A rule made now has them from the start.
    expect((await make(guide.id)).holidays).toEqual(['2027-06-01', '2028-01-01']);
    await set([]);
    await set([], 2028);
  });

  test.each<[string, Record<string, unknown>, string, string]>([
    ['another year’s day', { year: 2027, holidays: [{ date: '2028-01-01', name: 'N' }] }, 'input.holidays.0.date', 'OUT_OF_RANGE'],
    ['a day twice', { year: 2027, holidays: [{ date: '2027-01-01', name: 'N' }, { date: '2027-01-01', name: 'M' }] }, 'input.holidays.1.date', 'CONFLICTING'],
    ['no name', { year: 2027, holidays: [{ date: '2027-01-01', name: ' ' }] }, 'input.holidays.0.name', 'REQUIRED'],
    ['a long name', { year: 2027, holidays: [{ date: '2027-01-01', name: 'n'.repeat(101) }] }, 'input.holidays.0.name', 'TOO_LONG'],
    ['too many', { year: 2027, holidays: Array.from({ length: 201 }, (_, day) => ({ date: new Date(Date.UTC(2027, 0, 1 + day)).toISOString().slice(0, 10), name: 'N' })) }, 'input.holidays', 'OUT_OF_RANGE'],
    ['a year out of time', { year: 1969, holidays: [] }, 'input.year', 'OUT_OF_RANGE'],
  ])('%s is refused', async (_what, input, field, reason) => {
    expect(await change(house.api, staff, 'setHolidays', input)).toEqual(invalid(field, reason));
    expect(await house.records.query('select * from holiday')).toEqual([]);
  });

  test('a house keeps 200 of all years', async () => {
    const many = (year: number, count: number) => ({ year, holidays: Array.from({ length: count }, (_, day) => ({ date: new Date(Date.UTC(year, 0, 1 + day)).toISOString().slice(0, 10), name: 'N' })) });
    await change(house.api, staff, 'setHolidays', many(2040, 150));
    expect(await change(house.api, staff, 'setHolidays', many(2041, 51))).toEqual(invalid('input.holidays', 'OUT_OF_RANGE'));
    expect(await change(house.api, staff, 'setHolidays', many(2041, 50))).toMatchObject({ __typename: 'SetHolidaysPayload' });
    for (const year of [2040, 2041]) await change(house.api, staff, 'setHolidays', { year, holidays: [] });
  });

  test('rules made while the holidays change have the new ones, however the two meet', async () => {
    const own = await openHouse(cleanup, { code: 'race' });
    const token = (await own.records.signedIn('STAFF')).token;
    const guides: string[] = [];
    for (let number = 0; number < 6; number += 1) guides.push(await own.records.guide());
    await Promise.all([
      ...guides.map((guideId) => change(own.api, token, 'createAvailabilityRule', { guideId, ...nineToFive })),
      change(own.api, token, 'setHolidays', { year: 2027, holidays: [{ date: '2027-05-01', name: 'Labour Day' }] }),
      ...guides.map((guideId) => change(own.api, token, 'createAvailabilityRule', { guideId, ...nineToFive })),
    ]);
    const rows = await own.records.query('select holidays::text as holidays from availability_rule');
    expect(rows).toEqual(Array.from({ length: 12 }, () => ({ holidays: '{2027-05-01}' })));
  });
});

const june = (day: number, hours: string): string => `2027-06-${String(day).padStart(2, '0')}T${hours}:00.000Z`;

describe('set by hand', () => {
  const entries = async (guideId: string): Promise<string[]> =>
    (await house.records.query<{ start_at: Date; end_at: Date; available: boolean; note: string | null }>('select start_at, end_at, available, note from individual_availability where guide_id = $1 order by start_at', [guideId])).map(
      ({ start_at: start, end_at: end, available, note }) => `${start.toISOString().slice(8, 16)} ${end.toISOString().slice(8, 16)} ${available ? 'yes' : 'no'}${note === null ? '' : ` ${note}`}`,
    );

  test('what is set replaces what was set, carves it, joins what says the same, and can be taken back', async () => {
    const guide = await newGuide();
    const set = (from: string, to: string, setting: string, note?: string) => change(house.api, guide.token, 'setAvailability', { guideId: guide.id, range: { start: june(1, from), end: june(1, to) }, setting, note });
    expect(await set('08:00', '12:00', 'AVAILABLE')).toEqual({ __typename: 'SetAvailabilityPayload', count: 1, guide: { id: guide.id } });
    await set('09:00', '10:00', 'UNAVAILABLE', ' dentist ');
    expect(await entries(guide.id)).toEqual(['01T08:00 01T09:00 yes', '01T09:00 01T10:00 no dentist', '01T10:00 01T12:00 yes']);
    await set('12:00', '13:00', 'AVAILABLE');
    await set('09:15', '09:45', 'BY_RULES');
    expect(await entries(guide.id)).toEqual(['01T08:00 01T09:00 yes', '01T09:00 01T09:15 no dentist', '01T09:45 01T10:00 no dentist', '01T10:00 01T13:00 yes']);
    await set('08:30', '12:00', 'AVAILABLE');
    expect(await entries(guide.id)).toEqual(['01T08:00 01T13:00 yes']);
    await set('00:00', '23:45', 'BY_RULES');
    expect(await entries(guide.id)).toEqual([]);
    expect(await actionsOf(guide.id)).toEqual(Array.from({ length: 6 }, () => 'availability.set'));
    const [logged] = await house.records.query<{ text: string }>(`select string_agg(concat(before, after), '') as text from audit_entry where subject_id = $1`, [guide.id]);
    expect(logged?.text).not.toContain('dentist');
  });

  test('several at once leave no overlap and no fault', async () => {
    const guide = await newGuide();
    await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        change(house.api, index % 2 ? staff : guide.token, 'setAvailability', {
          guideId: guide.id,
          range: { start: june(1, `0${index % 5}:00`), end: june(1, `1${index % 3}:00`) },
          setting: index % 2 ? 'AVAILABLE' : 'UNAVAILABLE',
        }),
      ),
    );
    const set = await periods(house.api, staff, guide.id, june(1, '04:00'), june(1, '10:00'));
    expect(set.map(({ state }) => state)).not.toContain('NOT_AVAILABLE');
  });

  test('a repetition changes nothing, not even after somebody else has', async () => {
    const guide = await newGuide();
    const input = { idempotencyKey: newKey(), guideId: guide.id, range: { start: june(1, '08:00'), end: june(1, '12:00') }, setting: 'AVAILABLE' };
    const first = await change(house.api, guide.token, 'setAvailability', input);
    await change(house.api, staff, 'setAvailability', { ...input, idempotencyKey: newKey(), setting: 'UNAVAILABLE' });
    expect(await change(house.api, guide.token, 'setAvailability', input)).toEqual(first);
    expect(await entries(guide.id)).toEqual(['01T08:00 01T12:00 no']);
    expect(await change(house.api, guide.token, 'setAvailability', { ...input, setting: 'BY_RULES' })).toEqual({ __typename: 'IdempotencyKeyReusedError', code: 'IDEMPOTENCY_KEY_REUSED' });
  });

  test('a season is generated in local time, holidays aside, across the change of clocks and midnight', async () => {
    const guide = await newGuide();
    await change(house.api, staff, 'setHolidays', { year: 2027, holidays: [{ date: '2027-10-25', name: 'H' }] });
    const season = { guideId: guide.id, from: '2027-10-18', until: '2027-11-07', weekdays: ['MONDAY', 'SUNDAY', 'MONDAY'], startTime: '22:00', endTime: '06:00', note: 'nights' };
    expect(await change(house.api, staff, 'generateAvailabilities', season)).toMatchObject({ count: 5 });
    expect(await entries(guide.id)).toEqual(['18T20:00 19T04:00 yes nights', '24T20:00 25T04:00 yes nights', '31T21:00 01T05:00 yes nights', '01T21:00 02T05:00 yes nights', '07T21:00 08T05:00 yes nights']);
    expect(await change(house.api, guide.token, 'generateAvailabilities', { ...season, note: null, exceptHolidays: false, weekdays: ['MONDAY'], setting: 'BY_RULES' })).toMatchObject({ count: 3 });
    expect(await entries(guide.id)).toEqual(['24T20:00 25T04:00 yes nights', '31T21:00 01T05:00 yes nights', '07T21:00 08T05:00 yes nights']);
    await change(house.api, staff, 'setHolidays', { year: 2027, holidays: [] });
  });

  test('all of every day of a year becomes one entry', async () => {
    const guide = await newGuide();
    const year = { guideId: guide.id, from: '2028-01-01', until: '2028-12-31', weekdays: ['MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY', 'SUNDAY'], startTime: '00:00', endTime: '00:00' };
    expect(await change(house.api, guide.token, 'generateAvailabilities', year)).toMatchObject({ count: 366 });
    expect(await entries(guide.id)).toEqual(['31T23:00 31T23:00 yes']);
  });
});

describe('absences', () => {
  test('made, changed and removed; the reason is in no log', async () => {
    const guide = await newGuide();
    const made = await change(house.api, guide.token, 'createAbsence', { guideId: guide.id, range: { start: june(1, '08:00'), end: june(3, '08:00') }, reason: ' a cure ' });
    const id = made.absence?.id;
    expect(made.absence).toEqual({ id, start: june(1, '08:00'), end: june(3, '08:00'), reason: 'a cure', version: 1 });
    expect(await change(house.api, staff, 'updateAbsence', { absenceId: id, expectedVersion: 2, reason: 'x' })).toEqual(stale(1));
    expect((await change(house.api, staff, 'updateAbsence', { absenceId: id, expectedVersion: 1, range: { start: june(2, '08:00'), end: june(3, '08:00') } })).absence).toEqual({ id, start: june(2, '08:00'), end: june(3, '08:00'), reason: 'a cure', version: 2 });
    expect((await change(house.api, staff, 'updateAbsence', { absenceId: id, expectedVersion: 2, reason: 'another cure' })).absence).toMatchObject({ start: june(2, '08:00'), reason: 'another cure', version: 3 });
    expect((await change(house.api, guide.token, 'updateAbsence', { absenceId: id, expectedVersion: 3, reason: '' })).absence).toMatchObject({ reason: null, version: 4 });
    expect(told(await periods(house.api, staff, guide.id, june(1, '00:00'), june(4, '00:00')))).toEqual(['00:00-08:00 NOT_AVAILABLE', '08:00-08:00 ABSENT', '08:00-00:00 NOT_AVAILABLE']);
    expect(await change(house.api, staff, 'deleteAbsence', { absenceId: id, expectedVersion: 3 })).toEqual(stale(4));
    expect(await change(house.api, staff, 'deleteAbsence', { absenceId: id, expectedVersion: 4 })).toEqual({ __typename: 'DeleteAbsencePayload', deletedAbsenceId: id });
    expect(await change(house.api, staff, 'deleteAbsence', { absenceId: id, expectedVersion: 4 })).toEqual(missing('input.absenceId'));
    const [logged] = await house.records.query<{ text: string }>(`select string_agg(concat(before, after), '') as text from audit_entry where subject_id = $1`, [id]);
    expect(logged?.text).not.toContain('cure');
    expect(await actionsOf(id ?? '')).toEqual(['absence.created', 'absence.changed', 'absence.changed', 'absence.changed', 'absence.deleted']);
  });
});

test('a guide reaches nothing of another’s, and it is answered as what does not exist', async () => {
  const [guide, other] = [await newGuide(), await newGuide()];
  const rule = await make(other.id);
  const absence = (await change(house.api, staff, 'createAbsence', { guideId: other.id, range: { start: june(1, '08:00'), end: june(2, '08:00') } })).absence;
  const range = { start: june(1, '08:00'), end: june(1, '12:00') };
  const season = { from: '2027-06-01', until: '2027-06-07', weekdays: ['MONDAY'], startTime: '09:00', endTime: '10:00' };
  for (const [guideId, ruleId, absenceId] of [[other.id, rule.id, absence?.id], [newKey(), newKey(), newKey()], ['none', 'none', 'none']]) {
    const attempts: [AvailabilityMutation, Record<string, unknown>, string][] = [
      ['createAvailabilityRule', { guideId, ...nineToFive }, 'input.guideId'],
      ['updateAvailabilityRule', { ruleId, expectedVersion: 1, startTime: '08:00' }, 'input.ruleId'],
      ['deleteAvailabilityRule', { ruleId, expectedVersion: 1 }, 'input.ruleId'],
      ['setAvailability', { guideId, range, setting: 'AVAILABLE' }, 'input.guideId'],
      ['generateAvailabilities', { guideId, ...season }, 'input.guideId'],
      ['createAbsence', { guideId, range }, 'input.guideId'],
      ['updateAbsence', { absenceId, expectedVersion: 1, reason: 'x' }, 'input.absenceId'],
      ['deleteAbsence', { absenceId, expectedVersion: 1 }, 'input.absenceId'],
    ];
    for (const [mutation, input, field] of attempts) expect([mutation, await change(house.api, guide.token, mutation, input)]).toEqual([mutation, missing(field)]);
  }
  expect((await stored(rule.id)).version).toBe(1);
  expect(await house.records.query('select version from absence where guide_id = $1', [other.id])).toEqual([{ version: 1 }]);
  expect(await house.records.query('select * from individual_availability where guide_id = $1', [other.id])).toEqual([]);
  const { errors } = await house.api.query(availabilityDocument('setHolidays'), { input: { year: 2027, holidays: [] } }, guide.token);
  expect(errors?.map(({ extensions }) => extensions.code)).toEqual(['FORBIDDEN']);
});

describe('bad input', () => {
  let guide: { id: string; token: string };
  beforeAll(async () => {
    guide = await newGuide();
  });
  const range = (start: string, end: string) => ({ range: { start: june(1, start), end: june(1, end) } });
  const season = { from: '2027-06-01', until: '2027-06-30', weekdays: ['MONDAY'], startTime: '09:00', endTime: '10:00' };
  const days = (count: number) => Array.from({ length: count }, (_, day) => new Date(Date.UTC(2027, 0, 1 + day)).toISOString().slice(0, 10));

  test.each<[string, AvailabilityMutation, Record<string, unknown>, string, string]>([
    ['a rule from 9:05', 'createAvailabilityRule', { ...nineToFive, startTime: '09:05' }, 'input.startTime', 'OFF_GRID'],
    ['a rule of 20 minutes', 'createAvailabilityRule', { ...nineToFive, durationMinutes: 20 }, 'input.durationMinutes', 'OFF_GRID'],
    ['a rule of no minutes', 'createAvailabilityRule', { ...nineToFive, durationMinutes: 0 }, 'input.durationMinutes', 'OUT_OF_RANGE'],
    ['a rule of more than a day', 'createAvailabilityRule', { ...nineToFive, durationMinutes: 1455 }, 'input.durationMinutes', 'OUT_OF_RANGE'],
    ['a rule that ends before it begins', 'createAvailabilityRule', { ...nineToFive, validUntil: '2026-12-31' }, 'input.validUntil', 'END_BEFORE_START'],
    ['a rule for every second', 'createAvailabilityRule', { ...nineToFive, rrule: 'FREQ=SECONDLY' }, 'input.rrule', 'OUT_OF_RANGE'],
    ['a rule that is none', 'createAvailabilityRule', { ...nineToFive, rrule: 'every day' }, 'input.rrule', 'MALFORMED'],
    ['a rule too long', 'createAvailabilityRule', { ...nineToFive, rrule: `FREQ=DAILY;BYMONTH=${'1,'.repeat(200)}1` }, 'input.rrule', 'TOO_LONG'],
    ['367 exceptions', 'createAvailabilityRule', { ...nineToFive, exceptDates: days(367) }, 'input.exceptDates', 'OUT_OF_RANGE'],
    ['a range off the grid', 'setAvailability', { ...range('08:00', '08:10'), setting: 'AVAILABLE' }, 'input.range.end', 'OFF_GRID'],
    ['an empty range', 'setAvailability', { ...range('08:00', '08:00'), setting: 'AVAILABLE' }, 'input.range.end', 'END_BEFORE_START'],
    ['more than a year', 'setAvailability', { range: { start: '2027-01-01T00:00:00Z', end: '2028-01-02T00:15:00Z' }, setting: 'AVAILABLE' }, 'input.range.end', 'RANGE_TOO_LONG'],
    ['a long note', 'setAvailability', { ...range('08:00', '09:00'), setting: 'AVAILABLE', note: 'n'.repeat(501) }, 'input.note', 'TOO_LONG'],
    ['a note for nothing', 'setAvailability', { ...range('08:00', '09:00'), setting: 'BY_RULES', note: 'n' }, 'input.note', 'CONFLICTING'],
    ['a season backwards', 'generateAvailabilities', { ...season, until: '2027-05-31' }, 'input.until', 'END_BEFORE_START'],
    ['a season of 367 days', 'generateAvailabilities', { ...season, until: '2028-06-01' }, 'input.until', 'RANGE_TOO_LONG'],
    ['no weekday', 'generateAvailabilities', { ...season, weekdays: [] }, 'input.weekdays', 'REQUIRED'],
    ['too many weekdays', 'generateAvailabilities', { ...season, weekdays: Array.from({ length: 8 }, () => 'MONDAY') }, 'input.weekdays', 'OUT_OF_RANGE'],
    ['a season from 9:01', 'generateAvailabilities', { ...season, startTime: '09:01' }, 'input.startTime', 'OFF_GRID'],
    ['a season to 9:01', 'generateAvailabilities', { ...season, endTime: '09:01' }, 'input.endTime', 'OFF_GRID'],
    ['an absence off the grid', 'createAbsence', range('08:01', '09:00'), 'input.range.start', 'OFF_GRID'],
    ['a long reason', 'createAbsence', { ...range('08:00', '09:00'), reason: 'r'.repeat(1_001) }, 'input.reason', 'TOO_LONG'],
    ['a reason with control characters', 'createAbsence', { ...range('08:00', '09:00'), reason: 'a\u0000b' }, 'input.reason', 'MALFORMED'],
  ])('%s is refused and changes nothing', async (_what, mutation, input, field, reason) => {
    expect(await change(house.api, guide.token, mutation, { guideId: guide.id, ...input })).toEqual(invalid(field, reason));
    const counts = await house.records.query(
      `select (select count(*) from availability_rule where guide_id = $1) + (select count(*) from individual_availability where guide_id = $1) + (select count(*) from absence where guide_id = $1) as made`,
      [guide.id],
    );
    expect(counts).toEqual([{ made: '0' }]);
  });

  test.each([
    ['2027-02-30', 'startTime: "09:00"'],
    ['2027-13-01', 'startTime: "09:00"'],
    ['27-01-01', 'startTime: "09:00"'],
    ['1969-12-31', 'startTime: "09:00"'],
    ['2027-01-01', 'startTime: "24:00"'],
    ['2027-01-01', 'startTime: "9:00"'],
    ['2027-01-01', 'startTime: "09:00:00"'],
  ])('the day %s with %s is none', async (date, time) => {
    const document = `mutation ($guideId: ID!) { createAvailabilityRule(input: { idempotencyKey: "k", guideId: $guideId, ${time}, durationMinutes: 60, rrule: "FREQ=DAILY", validFrom: "${date}" }) { __typename } }`;
    const { errors } = await house.api.query(document, { guideId: guide.id }, guide.token);
    expect(errors).toHaveLength(1);
  });
});

test('the constraints stand below the code: no rule out of bounds, no two settings at one time', async () => {
  const guide = await newGuide();
  const { id } = await make(guide.id);
  for (const wrong of [`start_time = '09:05'`, `start_time = '24:00'`, 'duration_minutes = 1455', 'duration_minutes = 20', `valid_until = '2026-01-01'`, `rrule = repeat('x', 251)`]) {
    await expect(house.records.query(`update availability_rule set ${wrong} where id = $1`, [id])).rejects.toMatchObject({ code: '23514', constraint: 'availability_rule_bounds' });
  }
  const insert = (from: string, to: string) => house.records.query('insert into individual_availability (id, guide_id, start_at, end_at, available) values ($1, $2, $3, $4, true)', [newKey(), guide.id, june(1, from), june(1, to)]);
  await insert('08:00', '09:00');
  await insert('09:00', '10:00');
  await expect(insert('08:45', '09:15')).rejects.toMatchObject({ code: '23P01', constraint: 'individual_availability_no_overlap' });
  await expect(insert('11:00', '11:00')).rejects.toMatchObject({ code: '23514' });
});

test('creating twice with the same key gives the same rule and absence', async () => {
  const guide = await newGuide();
  const twice = async (mutation: AvailabilityMutation, input: Record<string, unknown>): Promise<Outcome[]> => {
    const given = { idempotencyKey: newKey(), guideId: guide.id, ...input };
    return Promise.all([change(house.api, staff, mutation, given), change(house.api, staff, mutation, given)]);
  };
  const [rule, again] = await twice('createAvailabilityRule', nineToFive);
  expect(again).toEqual(rule);
  const [absence, once] = await twice('createAbsence', { range: { start: june(1, '08:00'), end: june(2, '08:00') } });
  expect(once).toEqual(absence);
  expect(await house.records.query('select (select count(*) from availability_rule where guide_id = $1) as rules, (select count(*) from absence where guide_id = $1) as absences', [guide.id])).toEqual([{ rules: '1', absences: '1' }]);
});
