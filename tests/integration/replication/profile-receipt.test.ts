import { randomUUID } from 'node:crypto';
import { Cleanup } from '../../testkit/cleanup.js';
import { Correspondent } from './support/correspondent.js';
import { openReplicatingHouse, type ReplicatingHouse } from './support/houses.js';
import { profileAt, type ProfileRow } from './support/profiles.js';

/* What a partner says of profiles and rules is taken as far as he may say it, whole or not at all. */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

let house: ReplicatingHouse;
let sender: Correspondent;
let couplingId: string;
let guideId: string;
let before: ProfileRow;
beforeAll(async () => {
  house = await openReplicatingHouse(cleanup, 'alpha');
  sender = await Correspondent.write(cleanup, house, 'mallory');
});
beforeEach(async () => {
  ({ couplingId, guideId } = await sender.couple());
  before = await profileAt(house, guideId);
});

const stamp = (ahead = 0, code = 'mallory', counter = 0): string => `${String(Date.now() + ahead).padStart(15, '0')}-${String(counter).padStart(8, '0')}-${code}`;
const profile = (fields: Record<string, unknown>) => ({ kind: 'PROFILE', couplingId, recordId: couplingId, fields });
const pattern = { timeZone: 'Europe/Vienna', startTime: '09:00', durationMinutes: 60, rrule: 'FREQ=DAILY', validFrom: '2027-01-04', validUntil: null, exceptDates: [], skipsHolidays: false };
const rule = (given: Record<string, unknown> = {}, id = randomUUID()) => ({ kind: 'RULE', couplingId, recordId: id, origin: 'mallory', definition: { stamp: stamp(), deleted: false, ...pattern }, ...given });
const refused = (reason: string, item = 0) => ({ status: 409, body: { code: 'ITEM_REFUSED', item, reason } });
const rules = () => house.records.query('select 1 from availability_rule where guide_id = $1', [guideId]);

test('a value that is later is taken; the same again, and an older one, change nothing', async () => {
  const [first, older] = [stamp(), stamp(-60_000)];
  expect((await sender.deliver([profile({ phone: { stamp: first, value: '+49 1' } })])).status).toBe(200);
  expect(await profileAt(house, guideId)).toEqual({ ...before, phone: '+49 1', version: before.version + 1 });
  for (const [given, value] of [[first, 'forged'], [older, 'older']] as const) expect((await sender.deliver([profile({ phone: { stamp: given, value } })])).status).toBe(200);
  expect(await profileAt(house, guideId)).toEqual({ ...before, phone: '+49 1', version: before.version + 1 });
  expect((await sender.deliver([profile({ phone: { stamp: older, value: 'older' } })])).status).toBe(200);
  const logged = await house.records.query(`select before, after from audit_entry where action = 'guide.merged' and subject_id = $1 order by at, id`, [guideId]);
  // The older one is told once, however often it comes.
  expect(logged).toEqual([
    { before: { phone: null }, after: { phone: '+49 1' } },
    { before: { phone: 'older' }, after: { phone: '+49 1' } },
  ]);
});

test.each<[string, () => Record<string, unknown>, string]>([
  ['a member that is none', () => ({ notes: { stamp: stamp(), value: 'late again' } }), 'MALFORMED'],
  ['a value without a stamp', () => ({ phone: { value: '1' } }), 'MALFORMED'],
  ['a stamp that is none', () => ({ phone: { stamp: 'now', value: '1' } }), 'MALFORMED'],
  ['an empty name', () => ({ firstName: { stamp: stamp(), value: '' } }), 'MALFORMED'],
  ['a name of a thousand characters', () => ({ firstName: { stamp: stamp(), value: 'x'.repeat(1_000) } }), 'MALFORMED'],
  ['control characters', () => ({ phone: { stamp: stamp(), value: '1\u00002' } }), 'MALFORMED'],
  ['an address that is none', () => ({ email: { stamp: stamp(), value: 'nobody' } }), 'MALFORMED'],
  ['an IBAN that is none', () => ({ bankData: { stamp: stamp(), value: { accountHolder: 'M', iban: 'DE00370400440532013000', bic: null } } }), 'MALFORMED'],
  ['a third house’s word', () => ({ phone: { stamp: stamp(0, 'gamma'), value: '1' } }), 'NOT_YOURS'],
  ['a clock far ahead', () => ({ phone: { stamp: stamp(120_000), value: '1' } }), 'CLOCK_AHEAD'],
])('of a profile %s is refused', async (_name, fields, reason) => {
  expect(await sender.deliver([rule(), profile(fields())])).toEqual(refused(reason, 1));
  expect(await profileAt(house, guideId)).toEqual(before);
  expect(await rules()).toEqual([]);
});

test.each<[string, () => Record<string, unknown>, string]>([
  ['a recurrence that is none', () => rule({ definition: { stamp: stamp(), deleted: false, ...pattern, rrule: 'FREQ=SECONDLY' } }), 'MALFORMED'],
  ['a zone that is none', () => rule({ definition: { stamp: stamp(), deleted: false, ...pattern, timeZone: 'Mars/Olympus' } }), 'MALFORMED'],
  ['a day that is none', () => rule({ definition: { stamp: stamp(), deleted: false, ...pattern, exceptDates: ['2027-02-30'] } }), 'MALFORMED'],
  ['a note', () => rule({ note: 'prefers mornings' }), 'MALFORMED'],
  ['a third house’s word', () => rule({ definition: { stamp: stamp(0, 'gamma'), deleted: true } }), 'NOT_YOURS'],
  ['holidays of another origin', () => rule({ origin: 'gamma', holidays: { stamp: stamp(), days: ['2027-05-17'] } }), 'NOT_YOURS'],
  ['a clock far ahead', () => rule({ definition: { stamp: stamp(120_000), deleted: true } }), 'CLOCK_AHEAD'],
])('of a rule %s is refused', async (_name, item, reason) => {
  expect(await sender.deliver([item()])).toEqual(refused(reason));
  expect(await rules()).toEqual([]);
});

describe('more living rules of one guide than a partner may have', () => {
  const deliverAll = async (items: readonly unknown[]): Promise<void> => {
    for (let from = 0; from < items.length; from += 50) expect((await sender.deliver(items.slice(from, from + 50))).status).toBe(200);
  };
  const many = (count: number, given: () => Record<string, unknown> = () => ({})) => Array.from({ length: count }, () => rule(given()));

  test('are refused; a deletion makes room, and what lives can be changed', async () => {
    const items = many(100);
    await deliverAll(items);
    expect(await sender.deliver([rule({ definition: { stamp: stamp(), deleted: true } }), rule()])).toEqual(refused('LIMIT_EXCEEDED', 1));
    expect((await sender.deliver([{ ...items[0], definition: { stamp: stamp(0, 'mallory', 1), deleted: false, ...pattern, startTime: '10:00' } }])).status).toBe(200);
    expect((await sender.deliver([{ ...items[1], definition: { stamp: stamp(0, 'mallory', 1), deleted: true } }, rule()])).status).toBe(200);
    // One that was deleted comes back as one more.
    expect(await sender.deliver([{ ...items[1], definition: { stamp: stamp(1, 'mallory', 2), deleted: false, ...pattern } }])).toEqual(refused('LIMIT_EXCEEDED'));
    const other = await sender.couple();
    expect((await sender.deliver([{ ...rule(), couplingId: other.couplingId }])).status).toBe(200);
  });

  test.each<[string, () => Record<string, unknown>]>([
    ['under another origin', () => ({ origin: 'gamma' })],
    ['as if they were the receiver’s own', () => ({ origin: 'alpha', definition: { stamp: stamp(0, 'alpha'), deleted: false, ...pattern } })],
  ])('are refused %s', async (_name, given) => {
    await deliverAll(many(100, given));
    expect(await sender.deliver(many(1, given))).toEqual(refused('LIMIT_EXCEEDED'));
  });
});

test('a rule is kept in the form in which one entered here is', async () => {
  const item = rule({
    definition: { stamp: stamp(), deleted: false, ...pattern, timeZone: 'europe/vienna', rrule: 'count=3;freq=daily', exceptDates: ['2027-03-02', '2027-03-01', '2027-03-02'] },
    holidays: { stamp: stamp(), days: ['2027-12-26', '2027-05-17', '2027-12-26'] },
  });
  expect((await sender.deliver([item])).status).toBe(200);
  expect(await house.records.query('select time_zone, rrule, exdates::text[], holidays::text[] from availability_rule where id = $1', [item.recordId])).toEqual([
    { time_zone: 'Europe/Vienna', rrule: 'FREQ=DAILY;COUNT=3', exdates: ['2027-03-01', '2027-03-02'], holidays: ['2027-05-17', '2027-12-26'] },
  ]);
});

test('a rule of another guide, or under another origin, is not the partner’s', async () => {
  const [mine, theirs] = [rule(), await sender.couple()];
  expect((await sender.deliver([mine])).status).toBe(200);
  expect(await sender.deliver([{ ...mine, couplingId: theirs.couplingId, definition: { stamp: stamp(), deleted: true } }])).toEqual(refused('NOT_YOURS'));
  expect(await sender.deliver([{ ...mine, origin: 'alpha', definition: { stamp: stamp(), deleted: true } }])).toEqual(refused('NOT_YOURS'));
  expect(await house.records.query('select guide_id, origin, deleted from availability_rule where id = $1', [mine.recordId])).toEqual([{ guide_id: guideId, origin: 'mallory', deleted: false }]);
});

test('holidays that come before their rule are kept for it, and show nothing until then', async () => {
  const id = randomUUID();
  const days = ['2027-05-17'];
  expect((await sender.deliver([{ kind: 'RULE', couplingId, recordId: id, origin: 'mallory', holidays: { stamp: stamp(), days } }])).status).toBe(200);
  expect(await house.records.query('select deleted from availability_rule where id = $1', [id])).toEqual([{ deleted: true }]);
  expect((await sender.deliver([rule({}, id)])).status).toBe(200);
  expect(await house.records.query('select deleted, holidays::text[], start_time from availability_rule where id = $1', [id])).toEqual([{ deleted: false, holidays: days, start_time: '09:00' }]);
});
