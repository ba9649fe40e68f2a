import { Cleanup } from '../../testkit/cleanup.js';
import { client, type GraphqlClient } from '../../testkit/client.js';
import { createInstance, startInstanceProcess, type TestInstance } from '../../testkit/instance.js';
import { Records } from '../../testkit/records.js';
import { change, type Outcome } from './support/booking-api.js';
import { at } from './support/house.js';

const cleanup = new Cleanup();
afterAll(() => cleanup.run());

const ATTEMPTS = 200;

let instance: TestInstance;
let records: Records;
let servers: [GraphqlClient, GraphqlClient];
let staff: string;
let offerId: string;

beforeAll(async () => {
  instance = cleanup.own(await createInstance({ code: 'crowded' }), (made) => made.drop());
  records = cleanup.own(await Records.open(instance), (opened) => opened.close());
  const start = async (): Promise<GraphqlClient> => client(cleanup.own(await startInstanceProcess(instance), (server) => server.stop()).url);
  servers = await Promise.all([start(), start()]);
  staff = (await records.signedIn('STAFF')).token;
  offerId = await records.offer();
});

const tally = (outcomes: Outcome[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(outcomes, ({ __typename }) => __typename)].map(([kind, those]) => [kind, those.length]));

/** Living assignments of a guide that overlap one another. */
const overlaps = (guideId: string) =>
  records.query(
    `select a.id, b.id from guide_assignment a join guide_assignment b on a.guide_id = b.guide_id and a.id < b.id
       and tstzrange(a.start_at, a.end_at) && tstzrange(b.start_at, b.end_at)
     where a.guide_id = $1 and a.ended_at is null and b.ended_at is null`,
    [guideId],
  );

test.each([
  ['one server', 1],
  ['two replicas', 2],
])('of 200 attempts at once to book a guide, over %s, exactly one wins', async (_what, replicas) => {
  const guideId = await records.guide();
  const attempt = (index: number): Promise<Outcome> => {
    // Different intervals that all share a minute.
    const start = new Date(at(0).getTime() - (index % 50) * 60_000);
    const input = { offerId, time: { start: start.toISOString() }, customer: { name: `Group ${index}` }, guideIds: [guideId] };
    return change(servers[index % replicas] as GraphqlClient, staff, 'createBooking', input);
  };
  const outcomes = await Promise.all(Array.from({ length: ATTEMPTS }, (_, index) => attempt(index)));
  expect(tally(outcomes)).toEqual({ BookingPayload: 1, GuideUnavailableError: ATTEMPTS - 1 });
  for (const { guideId: refused, code } of outcomes.filter(({ __typename }) => __typename === 'GuideUnavailableError')) expect({ refused, code }).toEqual({ refused: guideId, code: 'GUIDE_UNAVAILABLE' });
  const made = await records.query<{ id: string }>('select booking_id as id from guide_assignment where guide_id = $1 and ended_at is null', [guideId]);
  expect(made).toEqual([{ id: outcomes.find(({ booking }) => booking)?.booking?.id }]);
  // The losers left nothing: neither booking nor customer.
  expect(await records.query('select count(*)::int as n from booking where exists (select 1 from customer c where c.id = customer_id and c.name like $1)', ['Group %'])).toEqual([{ n: replicas }]);
});

test('bookings, swaps, assignments, resets and cancellations at once never leave a guide twice, and never hang', async () => {
  const guides = await Promise.all([records.guide(), records.guide(), records.guide()]);
  const bookings = await Promise.all(Array.from({ length: 6 }, (_, index) => records.booking(offerId, at(index % 3), { end: at((index % 3) + 2) })));
  let state = 42;
  const random = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
  const step = async (index: number): Promise<Outcome> => {
    const api = servers[index % 2] as GraphqlClient;
    const booking = bookings[random(bookings.length)]?.id;
    const [guideIds, guideId, kind] = [guides.filter(() => random(2)), guides[random(3)], random(4)];
    const { data } = await api.query<{ booking: { version: number; assignments: { id: string }[] } }>('query ($id: ID!) { booking(id: $id) { version assignments { id } } }', { id: booking }, staff);
    const target = { bookingId: booking, expectedVersion: data.booking.version };
    const [assignment] = data.booking.assignments;
    if (kind === 0) return change(api, staff, 'rebookBooking', { ...target, guideIds });
    if (kind === 1) return change(api, staff, 'assignGuide', { ...target, guideId });
    if (kind === 2 && assignment) return change(api, staff, 'resetAssignment', { assignmentId: assignment.id, expectedVersion: target.expectedVersion });
    return change(api, staff, 'rebookBooking', { ...target, time: { start: at(random(4)).toISOString() } });
  };
  const seen = new Set<string>();
  for (let round = 0; round < 6; round += 1) {
    const outcomes = await Promise.all(Array.from({ length: 16 }, (_, index) => step(index)));
    for (const { __typename } of outcomes) seen.add(__typename);
    for (const guide of guides) expect(await overlaps(guide)).toEqual([]);
  }
  // An assignment that another has ended meanwhile is not found; that is rare.
  seen.delete('NotFoundError');
  expect([...seen].sort()).toEqual(['BookingPayload', 'GuideUnavailableError', 'StaleVersionError']);
});
