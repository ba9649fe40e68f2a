import { randomUUID } from 'node:crypto';
import { Canaries } from '../../testkit/federation-canaries.js';
import { Cleanup } from '../../testkit/cleanup.js';
import { until } from '../../testkit/until.js';
import { at } from '../instance/support/house.js';
import { connect, couple, type Guide, Side } from '../instance/support/pair.js';

/*
 * Every byte that goes between two houses while people work in both of them: customers, notes, reasons, prices and ids are unlike any
 * other in the world, and searched for in all of it. What may leave is named member by member. Source: DOMAIN §2 "What leaves an instance".
 */

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

const canaries = new Canaries();
const IBAN = 'DE89370400440532013000';
const OTHER_IBAN = 'AT611904300234573201';
/** Numbers nobody else writes: a price, the size of a party, a limit. */
const NUMBERS = [7_654_321, 423, 1_437];
const RECORD = ['couplingId', 'kind', 'recordId'];

/** All that may leave in calls and answers, by action; members of items and of what they hold by kind. */
const CALLS: Readonly<Record<string, [body: string, answer: string]>> = {
  'couplings/request': ['coupledWith couplingId name', 'ok'],
  'couplings/accept': ['coupledWith couplingId', 'coupledWith ok'],
  'couplings/confirm': ['coupledWith couplingId globalId globalIdMintedAt', 'confirmed coupledWith globalId globalIdMintedAt ok'],
  'couplings/pause': ['couplingId incarnation version', 'ok'],
  'couplings/resume': ['couplingId incarnation version', 'ok'],
  'couplings/end': ['couplingId', 'ok'],
  'link/suspend': ['', 'ok'],
  'link/resume': ['', 'ok'],
  'link/end': ['', 'ok'],
  'link/rotate': ['publicJwk', 'kid ok'],
  'sync/deliver': ['complete id incarnation items number', 'answers number'],
  'sync/heartbeat': ['acked claimed complete incarnation received release sent', 'acked claimed complete incarnation received release sent'],
  'sync/digest': ['digests incarnation kind number', 'comparable different older'],
  'sync/inventory': ['after couplingId kind older', 'records'],
  'claims/claim': ['couplingId end incarnation recordId start version', 'verdict version'],
  'claims/inventory': ['after claims couplingId last', 'repaired'],
};
const ITEMS: Readonly<Record<string, string>> = {
  ASSIGNMENT: 'booking end ended start title version',
  COUPLING: 'confirmed coupledWith globalId globalIdMintedAt paused state version',
  PROFILE: 'fields',
  RULE: 'definition holidays origin',
  KEEPER: 'epoch globalId keeper mintedAt',
  CLAIM: 'end start verified version',
  VERDICT: 'verdict version',
  DISPUTE: 'disputed',
};
const WITHIN = {
  profile: 'firstName lastName email phone languages bankData',
  definition: 'deleted durationMinutes exceptDates rrule skipsHolidays stamp startTime timeZone validFrom validUntil',
  holidays: 'days stamp',
  inventory: 'facts mark recordId version',
  facts: 'booking end start title',
};

type Members = Record<string, unknown>;
type Item = Members & { kind: string };
interface Call {
  action: string;
  body: Members;
  answer: Members;
}

let a: Side;
let b: Side;
const people = new Map<Side, Guide>();
const texts = (): string => [a, b].flatMap((side) => side.way.traffic.map(({ path, headers, body, answer }) => `${path} ${JSON.stringify(headers)} ${body} ${answer}`)).join('\n');
const calls = (): Call[] =>
  [a, b].flatMap((side) =>
    side.way.traffic
      .filter(({ status }) => status === 200)
      .map(({ path, body, answer }) => ({ action: path.replace('/partner/v1/', ''), body: JSON.parse(body) as Members, answer: JSON.parse(answer) as Members })),
  );
const items = (): Item[] => calls().flatMap(({ action, body }) => (action === 'sync/deliver' ? (body['items'] as Item[]) : []));

function numbersIn(value: unknown): number[] {
  if (typeof value === 'number') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(numbersIn) : [];
}

const isWithin = (given: object, allowed: string): boolean => Object.keys(given).every((name) => allowed.split(' ').includes(name));

/** A mutation, with what of its payload is asked for. @throws unless it succeeds */
async function run<T = Members>(side: Side, mutation: string, input: Members, payload: string, token = side.staff): Promise<T> {
  const type = `${mutation.charAt(0).toUpperCase()}${mutation.slice(1)}`;
  const inputType = { withdrawDispute: 'ForeignBooking', disputeForeignBooking: 'ForeignBooking' }[mutation] ?? type;
  const document = `mutation ($input: ${inputType}Input!) { ${mutation}(input: $input) { __typename ... on UserError { code message } ${payload} } }`;
  const { data, text } = await side.api.query<Record<string, T & { __typename: string }>>(document, { input }, token);
  const outcome = data?.[mutation];
  if (!outcome?.__typename.endsWith('Payload')) throw new Error(`${mutation}: ${text}`);
  return outcome;
}

const key = () => ({ idempotencyKey: randomUUID() });
const hours = (from: number, length = 1) => ({ start: at(from).toISOString(), end: at(from + length).toISOString() });

beforeAll(async () => {
  const env = { SYNC_DIGEST_MS: '500', SYNC_HEARTBEAT_MS: '500' };
  a = await Side.open(cleanup, 'alpha', env);
  b = await Side.open(cleanup, 'beta', env);
  await connect(a, b);
}, 60_000);

/** Everything that is written in a house in the course of its work, about one guide. `from`: its own hours. */
async function work(side: Side, { guideId, token }: Guide, from: number): Promise<void> {
  const { code } = side;
  const secret = (field: string): string => canaries.plant(code, field);
  const customer = () => ({ name: secret('customer name'), email: `${secret('customer email')}@post.example`, phone: secret('customer phone') });
  const { offer } = await run<{ offer: { id: string; version: number } }>(
    side,
    'createOffer',
    { ...key(), title: canaries.plant(code, 'offer title'), description: secret('offer description'), durationMinutes: 60, languages: ['de'], priceAmount: NUMBERS[0] },
    '... on OfferPayload { offer { id version } }',
  );
  type Booked = { booking: { id: string; version: number; assignments: { id: string }[] } };
  const BOOKED = '... on BookingPayload { booking { id version assignments { id } } }';
  const create = (hour: number, guideIds: string[]) =>
    run<Booked>(side, 'createBooking', { ...key(), offerId: offer.id, customer: customer(), notes: secret('notes'), guideIds, partySize: NUMBERS[1], language: 'de', time: { start: at(hour).toISOString() } }, BOOKED);
  const change = (mutation: string, { booking }: Booked, input: Members) =>
    run<Booked>(side, mutation, { ...key(), bookingId: booking.id, expectedVersion: booking.version, ...input }, BOOKED);

  const moved = await change('rebookBooking', await create(from, [guideId]), { customer: customer(), notes: secret('notes'), time: { start: at(from + 2).toISOString() } });
  await change('cancelBooking', moved, { reason: secret('cancellation reason'), origin: 'CUSTOMER' });
  const assigned = await change('assignGuide', await create(from + 4, []), { guideId });
  await run(side, 'resetAssignment', { ...key(), assignmentId: assigned.booking.assignments[0]?.id, expectedVersion: assigned.booking.version }, BOOKED);
  const mistake = await create(from + 6, [guideId]);
  await run(side, 'deleteBooking', { ...key(), bookingId: mistake.booking.id, expectedVersion: mistake.booking.version }, '... on DeleteBookingPayload { deletedBookingId }');
  await create(from + 8, [guideId]);

  type Blocked = { block: { id: string; version: number } };
  const { block } = await run<Blocked>(side, 'createGuideBlock', { ...key(), guideId, range: hours(from + 10), note: secret('block note') }, '... on GuideBlockPayload { block { id version } }');
  const changed = await run<Blocked>(side, 'updateGuideBlock', { ...key(), blockId: block.id, expectedVersion: block.version, note: secret('block note'), range: hours(from + 11) }, '... on GuideBlockPayload { block { id version } }');
  await run(side, 'endGuideBlock', { ...key(), blockId: block.id, expectedVersion: changed.block.version }, '... on EndGuideBlockPayload { endedBlockId }');
  await run(side, 'createGuideBlock', { ...key(), guideId, range: hours(from + 13), note: secret('block note') }, '');

  const asked = await create(from + 15, []);
  const { requests } = await run<{ requests: { id: string }[] }>(side, 'requestGuides', { ...key(), bookingId: asked.booking.id, expectedVersion: asked.booking.version, guideIds: [guideId], deadline: at(from + 14).toISOString() }, '... on RequestGuidesPayload { requests { id } }');
  await run(side, 'acceptGuideRequest', { ...key(), requestId: requests[0]?.id }, '', token);

  await run(side, 'createAbsence', { ...key(), guideId, range: hours(from + 40), reason: secret('reason of an absence') }, '', token);
  await run(side, 'setAvailability', { ...key(), guideId, range: hours(from + 42), setting: 'UNAVAILABLE', note: secret('note of an availability') }, '', token);
  await run(side, 'setHolidays', { year: 2031, holidays: [{ date: '2031-05-01', name: secret('holiday name') }] }, '');
  await run(side, 'createAvailabilityRule', { ...key(), guideId, startTime: '09:00', durationMinutes: 60, rrule: 'FREQ=WEEKLY;BYDAY=MO', validFrom: '2027-01-04', skipsHolidays: true }, '');

  const [{ version = 0 } = {}] = await side.records.query<{ version: number }>('select version from guide where id = $1', [guideId]);
  const limited = await run<{ guide: { version: number } }>(side, 'setGuideLimits', { guideId, expectedVersion: version, perMonth: { minutes: NUMBERS[2] } }, '... on GuidePayload { guide { version } }');
  const named = { firstName: canaries.plant(code, 'first name'), lastName: canaries.plant(code, 'last name'), email: canaries.email(code, 'profile email'), phone: canaries.phone(code, 'phone') };
  const bankData = { accountHolder: secret('account holder'), iban: code === 'alpha' ? IBAN : OTHER_IBAN, bic: null };
  await run(side, 'updateGuide', { guideId, expectedVersion: limited.guide.version, ...named, bankData, sharesBankData: false }, '', token);
  await run(side, 'updateOffer', { offerId: offer.id, expectedVersion: offer.version, title: canaries.plant(code, 'new offer title'), description: secret('offer description') }, '');
}

const waiting = async (): Promise<number> => (await Promise.all([a, b].map((side) => side.records.query('select 1 from outbox')))).flat().length;
const settled = () => until(async () => (await waiting()) === 0, 30_000);

test('through the life of a coupling, with everything that is done with bookings', async () => {
  const [one, other] = [await a.guide(), await b.guide()];
  people.set(a, one).set(b, other);
  const couplingId = await couple(a, b, one, other);
  await work(a, one, 24);
  await work(b, other, 240);
  await settled();

  // Who asks the keeper before he commits; what is compared and mended; what a guide says of bookings, on either side.
  await b.operator('settings/write', { unreachableKeeper: 'REFUSE' });
  await work(b, other, 480);
  const [theirs] = await a.records.query<{ id: string }>('select id from foreign_booking where not ended order by start_at limit 1');
  await run(a, 'disputeForeignBooking', { foreignBookingId: theirs?.id }, '', one.token);
  const [copy] = await b.records.query<{ id: string }>(`delete from foreign_booking where coupling_id = $1 and kind = 'BOOKING' and not ended returning id`, [couplingId]);
  await until(async () => (await b.records.query('select 1 from foreign_booking where id = $1', [copy?.id])).length === 1, 30_000);
  await run(b, 'disputeForeignBooking', { foreignBookingId: copy?.id }, '', other.token);
  for (const side of [a, b]) await side.records.query(`select enqueue_job('claims-compare', '{}', 'now')`);
  await until(() => Promise.resolve(calls().some(({ action }) => action === 'claims/inventory')), 30_000);
  await settled();

  await a.change('pauseCoupling', { couplingId });
  await a.change('resumeCoupling', { couplingId });
  await a.operator('links/rotate', { partner: 'beta' });
  await a.operator('links/suspend', { partner: 'beta' });
  await a.operator('links/resume', { partner: 'beta' });
  await a.operator('sync/resync', { partner: 'beta' });
  await b.operator('sync/resync', { partner: 'alpha' });
  await settled();
  await b.change('endCoupling', { couplingId });
  await settled();
  await a.operator('links/end', { partner: 'beta' });
}, 180_000);

test('nothing is found of customers, notes, reasons, prices, limits, nor ids that are the house’s own', async () => {
  const all = texts();
  const allowed = ['first name', 'last name', 'profile email', 'phone', 'offer title', 'new offer title'];
  const found = canaries.in(all).map(({ house, field }) => `${house}: ${field}`);
  expect(found.filter((name) => !allowed.includes(name.split(': ')[1] ?? ''))).toEqual([]);
  // It was under way: an empty record would prove nothing.
  expect(new Set(found)).toEqual(new Set(['alpha', 'beta'].flatMap((code) => allowed.map((field) => `${code}: ${field}`))));
  expect(canaries.size).toBeGreaterThan(60);
  expect([IBAN, OTHER_IBAN].filter((iban) => all.includes(iban))).toEqual([]);
  const numbers = new Set(calls().flatMap(({ body, answer }) => numbersIn([body, answer])));
  expect(NUMBERS.filter((number) => numbers.has(number))).toEqual([]);
  for (const side of [a, b]) {
    for (const table of ['guide', 'offer', 'booking', 'customer', 'account', 'session', 'guide_request', 'absence', 'individual_availability']) {
      for (const { id } of await side.records.query<{ id: string }>(`select id from ${table}`)) expect([table, all.includes(id)]).toEqual([table, false]);
    }
  }
});

test('calls and answers have the members that are listed, and no others', () => {
  const wrong = calls().filter(({ action, body, answer }) => !CALLS[action] || !isWithin(body, CALLS[action][0]) || !isWithin(answer, CALLS[action][1]));
  expect(wrong.map(({ action, body, answer }) => [action, Object.keys(body).sort().join(' '), Object.keys(answer).sort().join(' ')])).toEqual([]);
  const seen = new Set(calls().map(({ action }) => action));
  expect(Object.keys(CALLS).filter((action) => !seen.has(action))).toEqual([]);
  const records = calls().flatMap(({ action, answer }) => (action === 'sync/inventory' ? (answer['records'] as Members[]) : []));
  expect(records.length).toBeGreaterThan(0);
  const held = records.filter((record) => 'mark' in record);
  expect(held.filter((record) => !isWithin(record, WITHIN.inventory) || !isWithin(record['facts'] ?? {}, WITHIN.facts))).toEqual([]);
});

test('items have the members of their kind; an assignment has all of them, always, and no title once it has ended', () => {
  const seen = items();
  expect([...new Set(seen.map(({ kind }) => kind))].sort()).toEqual(Object.keys(ITEMS).sort());
  expect(seen.filter((item) => !isWithin(item, `${RECORD.join(' ')} ${ITEMS[item.kind]}`))).toEqual([]);
  const assignments = seen.filter(({ kind }) => kind === 'ASSIGNMENT');
  expect(new Set(assignments.map((item) => Object.keys(item).sort().join(' ')))).toEqual(new Set(['booking couplingId end ended kind recordId start title version']));
  expect(new Set(assignments.filter(({ ended }) => ended).map(({ title }) => title))).toEqual(new Set([null]));
  expect(new Set(assignments.filter(({ ended, booking }) => !ended && booking === 'BLOCK').map(({ title }) => title))).toEqual(new Set(['Blocked']));
  const titles = new Set(assignments.filter(({ ended, booking }) => !ended && booking === 'BOOKING').flatMap(({ title }) => canaries.in(String(title)).map(({ field }) => field)));
  expect(titles).toEqual(new Set(['offer title', 'new offer title']));
  for (const { kind, fields, definition, holidays } of seen) {
    if (kind === 'PROFILE') expect(isWithin(fields as object, WITHIN.profile.replace(' bankData', ''))).toBe(true);
    if (definition) expect(isWithin(definition, WITHIN.definition)).toBe(true);
    if (holidays) expect(isWithin(holidays, WITHIN.holidays)).toBe(true);
  }
});
